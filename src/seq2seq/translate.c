/* From lines to translations. */
#include "seq2seq/decode.h"

#include <math.h>
#include <string.h>

/* Lines decoded together at most; and what is no longer told from 0, which stands for a default. */
enum { MOST_BATCH = 4096 };
static const double LEAST = 1e-6;

/* ---- results */

static heed_status copy_text(heed_context *c, const char *text, char **out)
{
    *out = heed_strdup(c, text);
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The mean of all maps. */
static void average_maps(heed_hypothesis *h, size_t area)
{
    for (int map = 0; map < h->map_count; map++)
        for (size_t i = 0; i < area; i++)
            h->weights[i] += h->maps[(size_t)map * area + i] / (float)h->map_count;
}

/* A translation in the making. */
typedef struct filling {
    heed_translator          *t;
    const heed_decode_config *config;
    heed_translation         *out; /* of all lines */
} filling;

static heed_status fill_weights(heed_context *c, const heed_sentence *s, const heed_beam_end *end, int32_t *ids,
                                heed_hypothesis *h)
{
    size_t area = (size_t)end->length * (size_t)s->length;
    h->map_count = heed_sentence_maps(s);
    h->maps = heed_alloc(c, (size_t)h->map_count * area, sizeof *h->maps);
    h->weights = heed_alloc(c, area, sizeof *h->weights);
    if (h->maps == NULL || h->weights == NULL)
        return HEED_ENOMEM;
    heed_sentence_trace(s, end, ids, h->maps);
    average_maps(h, area);
    return HEED_OK;
}

static heed_status fill_hypothesis(const filling *f, const heed_sentence *s, const heed_beam_end *end,
                                   heed_hypothesis *h)
{
    heed_context *c = f->t->context;
    int length = end->length;
    h->score = end->score;
    h->rank = end->rank;
    h->tokens = heed_alloc(c, (size_t)length, sizeof *h->tokens);
    int32_t *ids = heed_alloc(c, (size_t)length, sizeof *ids);
    heed_status status = h->tokens == NULL || ids == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK)
        heed_sentence_trace(s, end, ids, NULL);
    if (status == HEED_OK && !f->config->no_weights)
        status = fill_weights(c, s, end, ids, h);
    for (int k = 0; k < length && status == HEED_OK; k++) {
        status = copy_text(c, heed_tokenizer_token(f->t->target, ids[k]), &h->tokens[k]);
        h->token_count = k + 1;
    }
    if (status == HEED_OK)
        status = heed_tokenizer_decode(f->t->target, ids, (size_t)length, &h->text);
    heed_release(c, ids);
    return status;
}

static heed_status fill_translation(void *user, const heed_sentence *s)
{
    const filling *f = user;
    heed_context *c = f->t->context;
    heed_translation *out = &f->out[s->number - f->config->first_line];
    out->source_tokens = heed_alloc(c, (size_t)s->length, sizeof *out->source_tokens);
    out->hypotheses = heed_alloc(c, (size_t)f->config->n_best, sizeof *out->hypotheses);
    if (out->source_tokens == NULL || out->hypotheses == NULL)
        return HEED_ENOMEM;
    out->source_count = s->length;
    for (int i = 0; i < s->length; i++)
        HEED_TRY(copy_text(c, heed_tokenizer_token(f->t->source, s->ids[i]), &out->source_tokens[i]));
    int count = s->beam.end_count < f->config->n_best ? s->beam.end_count : f->config->n_best;
    out->hypothesis_count = count;
    for (int i = 0; i < count; i++)
        HEED_TRY(fill_hypothesis(f, s, &s->beam.ends[i], &out->hypotheses[i]));
    return HEED_OK;
}

/* ---- lines */

static int    or_else(int given, int standard) { return given == 0 ? standard : given; }
static double or_number(double given, double standard) { return given == 0 ? standard : given; }

static void set_defaults(const heed_translator *t, heed_decode_config *c)
{
    int64_t longest = heed_recipe_most_tokens(&t->recipe);
    c->beam = or_else(c->beam, 4);
    c->n_best = or_else(c->n_best, 1);
    c->batch_size = or_else(c->batch_size, HEED_DECODE_ROWS / (c->sample ? c->n_best : c->beam));
    c->first_line = c->first_line == 0 ? 1 : c->first_line;
    c->max_length = or_else(c->max_length, t->longest_target + t->longest_target / 2 + 1);
    if (c->max_length > longest)
        c->max_length = (int)longest;
    c->length_penalty = fmax(or_number(c->length_penalty, 1), 0);
    c->patience = or_number(c->patience, 1);
    c->temperature = or_number(c->temperature, 1);
    c->top_p = or_number(c->top_p, 1);
}

static heed_status check_range(heed_context *c, const char *name, double found, double least, double most)
{
    if (found >= least && found <= most)
        return HEED_OK;
    if (most == INFINITY)
        return heed_fail(c, HEED_EINVAL, "%s is out of range (expected %g or more, found %g)", name, least, found);
    return heed_fail(c, HEED_EINVAL, "%s is out of range (expected %g to %g, found %g)", name, least, most, found);
}

static heed_status settle_config(heed_translator *t, const heed_decode_config *given, heed_decode_config *out)
{
    *out = given == NULL ? (heed_decode_config){0} : *given;
    set_defaults(t, out);
    const struct {
        const char *name;
        double      found, least, most;
    } ranges[] = {
        {"beam", out->beam, 1, HEED_BEAM_MOST},
        {"n_best", out->n_best, 1, out->sample ? HEED_BEAM_MOST : out->beam},
        {"batch_size", out->batch_size, 1, MOST_BATCH},
        {"coverage_penalty", out->coverage_penalty, 0, INFINITY},
        {"patience", out->patience, LEAST, INFINITY},
        {"temperature", out->temperature, LEAST, INFINITY},
        {"top_k", out->top_k, 0, INFINITY},
        {"top_p", out->top_p, LEAST, 1},
        {"max_length", out->max_length, 1, INFINITY},
        {"min_length", out->min_length, 0, out->max_length},
        {"max_ratio", out->max_ratio, 0, INFINITY},
        {"min_ratio", out->min_ratio, 0, out->max_ratio > 0 ? out->max_ratio : INFINITY},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        HEED_TRY(check_range(t->context, ranges[i].name, ranges[i].found, ranges[i].least, ranges[i].most));
    return HEED_OK;
}

static heed_status read_lines(heed_translator *t, heed_zone *z, const char *const *lines, int count, int64_t first_line,
                              heed_sentence *sentences, int *used)
{
    heed_ids ids = {.context = t->context};
    heed_status status = HEED_OK;
    for (int i = 0; i < count && status == HEED_OK; i++) {
        ids.count = 0;
        status = heed_tokenizer_encode(t->source, lines[i], strlen(lines[i]), &ids);
        if (status != HEED_OK || ids.count == 0)
            continue;
        if ((int64_t)ids.count > heed_recipe_most_tokens(&t->recipe)) {
            status = heed_fail(t->context, HEED_EINVAL, "line %lld: too long (expected at most %lld tokens, found %zu)",
                               (long long)first_line + i, (long long)heed_recipe_most_tokens(&t->recipe), ids.count);
            continue;
        }
        int32_t *copy = heed_zone_alloc(z, ids.count, sizeof *copy);
        if (copy == NULL)
            status = HEED_ENOMEM;
        else
            memcpy(copy, ids.ids, ids.count * sizeof *copy);
        sentences[(*used)++] = (heed_sentence){.ids = copy, .length = (int)ids.count, .number = first_line + i};
    }
    heed_ids_free(&ids);
    return status;
}

static heed_status empty_line(heed_context *c, heed_translation *t)
{
    if (t->hypotheses != NULL)
        return HEED_OK;
    t->hypotheses = heed_alloc(c, 1, sizeof *t->hypotheses);
    if (t->hypotheses == NULL)
        return HEED_ENOMEM;
    t->hypothesis_count = 1;
    return copy_text(c, "", &t->hypotheses[0].text);
}

static heed_status translate(heed_translator *t, heed_zone *z, const char *const *lines, int count,
                             const heed_decode_config *given, heed_translation *out)
{
    heed_decode_config config;
    HEED_TRY(settle_config(t, given, &config));
    heed_sentence *sentences = heed_zone_alloc(z, (size_t)count * 2, sizeof *sentences);
    if (sentences == NULL)
        return HEED_ENOMEM;
    int used = 0;
    HEED_TRY(read_lines(t, z, lines, count, config.first_line, sentences, &used));
    filling f = {t, &config, out};
    HEED_TRY(heed_decode(t, sentences, used, &config, fill_translation, &f));
    for (int i = 0; i < count; i++)
        HEED_TRY(empty_line(t->context, &out[i]));
    return HEED_OK;
}

heed_status heed_translate(heed_translator *t, const char *const *lines, int count, const heed_decode_config *config,
                           heed_translation **out)
{
    heed_zone z;
    heed_zone_init(&z, t->context);
    *out = heed_alloc(t->context, (size_t)count, sizeof **out);
    heed_status status = *out == NULL ? HEED_ENOMEM : translate(t, &z, lines, count, config, *out);
    heed_zone_free(&z);
    if (status != HEED_OK) {
        heed_translations_free(t, *out, count);
        *out = NULL;
    }
    return status;
}

void heed_translations_free(heed_translator *t, heed_translation *translations, int count)
{
    heed_context *c = t->context;
    for (int i = 0; i < count && translations != NULL; i++) {
        heed_translation *r = &translations[i];
        for (int k = 0; k < r->hypothesis_count; k++) {
            heed_hypothesis *h = &r->hypotheses[k];
            for (int n = 0; n < h->token_count; n++)
                heed_release(c, h->tokens[n]);
            heed_release(c, h->tokens);
            heed_release(c, h->weights);
            heed_release(c, h->maps);
            heed_release(c, h->text);
        }
        for (int k = 0; k < r->source_count; k++)
            heed_release(c, r->source_tokens[k]);
        heed_release(c, r->source_tokens);
        heed_release(c, r->hypotheses);
    }
    heed_release(c, translations);
}
