/* Muon (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982): each matrix takes steps whose directions are orthogonal, which
 * Newton and Schulz's iteration makes of its momentum. Vectors, tables and what is excluded go by AdamW, the plain rule. As in
 * Keras from 3.13 on. */
#include "model/optimizer_rules.h"
#include "ops/op.h"

#include <math.h>
#include <regex.h>
#include <string.h>

#define MUON_OPTIONS(X, C)                                                                                             \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, adam_beta_1, 0.9, "[0,1)", "share of the mean gradient that stays, in AdamW")                          \
    X(C, FLOAT, adam_beta_2, 0.999, "[0,1)", "share of the mean square that stays, in AdamW")                          \
    X(C, FLOAT, adam_weight_decay, 0.004, "(,)|None", "weight_decay of what goes by AdamW")                            \
    X(C, FLOAT, epsilon, 1e-7, "", "added to the root, in AdamW")                                                      \
    X(C, TEXTS, exclude_layers, "[]", "", "regular expressions; a variable whose path has one goes by AdamW")          \
    X(C, BOOL, exclude_embeddings, true, "", "whether variables with \"embedding\" in their path do")                  \
    X(C, FLOAT, muon_a, 3.4445, "", "of x in the iteration")                                                           \
    X(C, FLOAT, muon_b, -4.775, "", "of x's third power")                                                              \
    X(C, FLOAT, muon_c, 2.0315, "", "of x's fifth power")                                                              \
    X(C, FLOAT, adam_lr_ratio, 1.0, "[0,)", "what the rate is multiplied with in AdamW")                               \
    X(C, FLOAT, momentum, 0.95, "[0,1]", "share of the last momentum that stays")                                      \
    X(C, INT, ns_steps, 5, "[0,)", "iterations")                                                                       \
    X(C, BOOL, nesterov, true, "", "whether the gradient counts as taken after the repeated part")                     \
    X(C, FLOAT, rms_rate, 0.2, "(,)|None",                                                                             \
      "size of an element of a step, times the rate (equation 4 of Liu et al.); None: as long as the iteration makes it") \
    HEED_OPTIMIZER_OPTIONS(X, C, 0.004)
typedef struct muon_config { MUON_OPTIONS(HEED_OPTION_FIELD, ) } muon_config;

/* ---- which variables */

static bool has_embedding(const char *path)
{
    static const char word[] = "embedding";
    for (; *path != '\0'; path++) {
        size_t i = 0;
        while (word[i] != '\0' && (path[i] | 0x20) == word[i])
            i++;
        if (word[i] == '\0')
            return true;
    }
    return false;
}

/* Whether POSIX's extended expressions read it as Python does, and in a time that its length limits: without numbers of
 * repetitions and references to groups. */
static bool is_taken(const char *pattern)
{
    for (const char *p = pattern; *p != '\0'; p++)
        if (*p == '{' || (p[0] == '(' && p[1] == '?') || (p[0] == '\\' && p[1] != '\0' && strchr("dDAZ123456789", *++p) != NULL))
            return false;
    return true;
}

static heed_status search(heed_context *c, const char *pattern, const char *path, bool *found)
{
    regex_t compiled;
    int wrong = is_taken(pattern) ? regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) : REG_BADPAT;
    if (wrong == REG_ESPACE)
        return heed_fail(c, HEED_ENOMEM, "muon: out of memory for exclude_layers");
    if (wrong != 0) {
        heed_fail(c, HEED_EINVAL, "muon: exclude_layers has an expression that is not understood: %s", pattern);
        heed_hint(c, "POSIX's extended regular expressions are, but for {} and \\1");
        return HEED_EINVAL;
    }
    *found = regexec(&compiled, path, 0, NULL, 0) == 0;
    regfree(&compiled);
    return HEED_OK;
}

static heed_status is_excluded(heed_context *c, const muon_config *o, const char *path, bool *out)
{
    heed_zone z;
    heed_value *patterns;
    heed_zone_init(&z, c);
    heed_status status = heed_value_parse(&z, "exclude_layers", o->exclude_layers == NULL ? "[]" : o->exclude_layers, &patterns);
    for (const heed_value *p = status == HEED_OK ? patterns->first : NULL; p != NULL && status == HEED_OK && !*out; p = p->next)
        status = search(c, p->text, path, out);
    heed_zone_free(&z);
    return status;
}

static heed_status muon_is_plain(heed_context *c, const void *config, const char *path, const heed_shape *shape, bool *out)
{
    const muon_config *o = config;
    *out = shape->rank != 2 || (o->exclude_embeddings && has_embedding(path));
    return *out ? HEED_OK : is_excluded(c, o, path, out);
}

static double muon_plain_decay(const void *config) { return ((const muon_config *)config)->adam_weight_decay; }

static int muon_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    slots[1] = (heed_slot){.name = "velocity", .plain_only = true};
    return 2;
}

/* ---- the iteration */

/* factors: step of AdamW, rate */
static void muon_prepare(const void *config, double rate, double step, float product, float *factors)
{
    const muon_config *o = config;
    factors[0] = (float)heed_adam_step(rate * o->adam_lr_ratio, step, o->adam_beta_1, o->adam_beta_2);
    factors[1] = (float)rate;
}

/* A matrix of `rows` lines, the fewer, and `columns`; where it works. */
typedef struct workplace {
    int64_t rows, columns;
    float  *x, *next; /* (rows, columns) */
    float  *square, *combined; /* (rows, rows) */
    float  *packed;
} workplace;

/* Returns the bytes; memory NULL: they are only counted. */
static size_t lay_out(const heed_kernels *k, const heed_shape *shape, unsigned char *memory, workplace *w)
{
    int64_t a = shape->dims[0], b = shape->dims[1], rows = a < b ? a : b, columns = a < b ? b : a;
    int64_t wide = heed_round_up(columns, k->gemm_columns) * rows, deep = heed_round_up(rows, k->gemm_columns) * columns;
    size_t used = 0;
    w->rows = rows;
    w->columns = columns;
    w->x = heed_take(memory, &used, rows * columns, sizeof(float));
    w->next = heed_take(memory, &used, rows * columns, sizeof(float));
    w->square = heed_take(memory, &used, rows * rows, sizeof(float));
    w->combined = heed_take(memory, &used, rows * rows, sizeof(float));
    w->packed = heed_take(memory, &used, wide > deep ? wide : deep, sizeof(float));
    return used;
}

static size_t muon_room(const heed_kernels *k, const heed_shape *shape)
{
    workplace w;
    return shape->rank == 2 ? lay_out(k, shape, NULL, &w) : 0;
}

/* c = a b + start, all (m, n), (m, k) and (k, n) line by line, or b (n, k) turned round. start NULL: zeros. */
static void multiply(const heed_kernels *k, const workplace *w, int64_t m, int64_t n, int64_t depth, const float *a, const float *b,
                     bool turned, const float *start, float *c)
{
    k->gemm_pack(n, depth, b, turned ? 1 : n, turned ? depth : 1, w->packed);
    k->gemm_packed(m, n, depth, a, depth, 1, w->packed, c, n, start, n);
}

/* x = a x + (b x x' + c (x x')^2) x */
static void iterate(const heed_kernels *k, const muon_config *o, workplace *w)
{
    int64_t squares = w->rows * w->rows, all = w->rows * w->columns;
    multiply(k, w, w->rows, w->rows, w->columns, w->x, w->x, true, NULL, w->square);
    multiply(k, w, w->rows, w->rows, w->rows, w->square, w->square, false, NULL, w->combined);
    for (int64_t i = 0; i < squares; i++)
        w->combined[i] = (float)o->muon_b * w->square[i] + (float)o->muon_c * w->combined[i];
    for (int64_t i = 0; i < all; i++)
        w->next[i] = (float)o->muon_a * w->x[i];
    multiply(k, w, w->rows, w->columns, w->rows, w->combined, w->x, false, w->next, w->next);
    float *x = w->x;
    w->x = w->next;
    w->next = x;
}

/* m is the momentum with this step's gradient. Lines and columns change places where lines are more. */
static void take_step(const muon_config *o, const heed_stretch *s, const float *m)
{
    int64_t lines = s->shape->dims[0], columns = s->shape->dims[1];
    bool turned = lines > columns;
    float ahead = (float)o->momentum, scale = s->factors[1];
    workplace w;
    lay_out(s->kernels, s->shape, s->room, &w);
    for (int64_t i = 0; i < s->n; i++)
        w.next[i] = o->nesterov ? s->g[i] + ahead * m[i] : m[i];
    float shorter = 1.0f / ((float)sqrt(s->kernels->sum_of_squares(s->n, w.next)) + 1e-7f);
    for (int64_t i = 0; i < lines; i++)
        for (int64_t j = 0; j < columns; j++)
            w.x[turned ? j * lines + i : i * columns + j] = w.next[i * columns + j] * shorter;
    for (int step = 0; step < o->ns_steps; step++)
        iterate(s->kernels, o, &w);
    if (!isinf(o->rms_rate))
        scale *= (float)(o->rms_rate * sqrt((double)w.columns));
    for (int64_t i = 0; i < lines; i++)
        for (int64_t j = 0; j < columns; j++)
            s->w[i * columns + j] -= scale * w.x[turned ? j * lines + i : i * columns + j];
}

static void muon_update(const void *config, const heed_stretch *s)
{
    const muon_config *o = config;
    if (s->plain) {
        heed_adam_rule(s, NULL, o->adam_beta_1, o->adam_beta_2, o->epsilon);
        return;
    }
    float *m = s->slots[0];
    for (int64_t i = 0; i < s->n; i++)
        m[i] = s->g[i] + (float)o->momentum * m[i];
    take_step(o, s, m);
}

const heed_optimizer_class heed_muon = {
    .class = {.name = "muon", .keras = "Muon", HEED_CLASS_OPTIONS(muon_config, MUON_OPTIONS)},
    .slots = muon_slots,
    .prepare = muon_prepare,
    .update = muon_update,
    .is_plain = muon_is_plain,
    .plain_decay = muon_plain_decay,
    .room = muon_room,
    .squares = true,
    .whole = true,
};
