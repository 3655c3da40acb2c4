#include "seq2seq/decode.h"

#include "base/pool.h"
#include "model/program.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Lengths are rounded up, so that few shapes occur and a graph serves many groups. */
enum { LENGTH_STEP = 4 };

/* Sentences decoded together. */
struct heed_decoding {
    heed_translator *t;
    heed_zone        zone;
    const heed_decode_config *config;
    const heed_decoding_models *models;
    heed_stepper    *stepper;
    heed_drawing     drawing;
    int              width, count, maps;
    int64_t          length; /* of the longest source, rounded up */
    int32_t          tokens; /* of the target vocabulary */
    heed_sentence   *sentences;
    int             *live, live_count; /* the sentences that are not done */
    int             *kept, *parents;   /* how the next step goes on, see heed_stepper_reorder() */
    int32_t         *token;            /* the last of each of their rows */
    heed_candidate  *spare;            /* (threads, tokens): of the drawing */
};

/* ---- what was attended to */

int heed_sentence_maps(const heed_sentence *s) { return s->group->maps; }

/* What the entry that step k came to attended to, (maps, Ts): kept by the row that it went on from. */
static const float *weights_of(const heed_sentence *s, int k, const heed_beam_entry *e)
{
    const heed_decoding *d = s->group;
    return s->weights + (size_t)(k * d->width + e->parent) * (size_t)d->maps * (size_t)s->length;
}

void heed_sentence_trace(const heed_sentence *s, const heed_beam_end *end, int32_t *ids, float *maps)
{
    size_t width = (size_t)s->length;
    int entry = end->parent;
    for (int k = end->length; k-- > 0;) {
        const heed_beam_entry *e = &heed_beam_step(&s->beam, k)[entry];
        ids[k] = e->token;
        const float *kept = weights_of(s, k, e);
        for (int map = 0; map < s->group->maps && maps != NULL; map++)
            memcpy(maps + (size_t)(map * end->length + k) * width, kept + (size_t)map * width, width * sizeof *maps);
        entry = e->parent;
    }
}

/* Eq. 14 of Wu et al. 2016 (arXiv:1609.08144), of the mean of all maps: what the tokens so far leave uncovered of the
 * source. A source token that got no attention at all counts as the least that a number can tell. */
static double coverage(void *user, const heed_beam *b, int length, int parent)
{
    const heed_sentence *s = user;
    const heed_decoding *d = s->group;
    double penalty = 0;
    memset(s->covered, 0, (size_t)s->length * sizeof *s->covered);
    for (int k = length, entry = parent; k-- > 0;) {
        const heed_beam_entry *e = &heed_beam_step(b, k)[entry];
        const float *kept = weights_of(s, k, e);
        for (int i = 0; i < d->maps * s->length; i++)
            s->covered[i % s->length] += kept[i] / (float)d->maps;
        entry = e->parent;
    }
    for (int i = 0; i < s->length; i++)
        penalty += log(fmin(fmax((double)s->covered[i], (double)FLT_MIN), 1));
    return d->config->coverage_penalty * penalty;
}

/* Keeps what the sentence's live rows attended to in this step; weights (W, maps, Ts). */
static void keep_weights(const heed_decoding *d, heed_sentence *s, const float *weights)
{
    size_t maps = (size_t)d->width * (size_t)d->maps;
    float *kept = s->weights + (size_t)s->beam.steps * maps * (size_t)s->length;
    for (size_t i = 0; i < maps; i++)
        memcpy(kept + i * (size_t)s->length, weights + i * (size_t)d->length, (size_t)s->length * sizeof *kept);
}

/* ---- a group */

static heed_status start_sentence(heed_decoding *d, heed_sentence *s)
{
    const heed_decode_config *c = d->config;
    int most = c->max_length, least = c->min_length;
    if (c->max_ratio > 0)
        most = (int)fmin(most, fmax(1, floor(c->max_ratio * s->length)));
    least = (int)fmin(most, fmax(least, ceil(c->min_ratio * s->length)));
    heed_beam_rules rules = {.kernels = heed_kernels_for(d->t->context->cpu), .width = d->width, .wanted = c->n_best,
                             .least = least, .most = most, .length_penalty = c->length_penalty, .patience = c->patience, .user = s,
                             .coverage = c->coverage_penalty > 0 ? coverage : NULL,
                             .drawing = c->sample ? &d->drawing : NULL, .stream = (uint64_t)s->number};
    s->group = d;
    HEED_TRY(heed_beam_start(&d->zone, &rules, &s->beam));
    size_t area = (size_t)d->width * (size_t)d->maps * (size_t)s->length;
    s->weights = heed_zone_alloc(&d->zone, (size_t)most * area, sizeof(float));
    s->covered = heed_zone_alloc(&d->zone, (size_t)s->length, sizeof(float));
    return s->weights == NULL || s->covered == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status start(heed_decoding *d)
{
    heed_zone *z = &d->zone;
    size_t rows = (size_t)d->count * (size_t)d->width;
    int32_t *source = heed_zone_alloc(z, (size_t)d->count * (size_t)d->length, sizeof *source);
    d->live = heed_zone_alloc(z, (size_t)d->count, sizeof *d->live);
    d->kept = heed_zone_alloc(z, (size_t)d->count, sizeof *d->kept);
    d->parents = heed_zone_alloc(z, rows, sizeof *d->parents);
    d->token = heed_zone_alloc(z, rows, sizeof *d->token);
    size_t candidates = d->config->sample ? (size_t)heed_threads(d->t->context) * (size_t)d->tokens : 0;
    d->spare = heed_zone_alloc(z, candidates, sizeof *d->spare);
    if (source == NULL || d->live == NULL || d->kept == NULL || d->parents == NULL || d->token == NULL ||
        d->spare == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < d->count; i++)
        memcpy(source + i * d->length, d->sentences[i].ids, (size_t)d->sentences[i].length * sizeof *source);
    HEED_TRY(heed_stepper_start(z, d->models, source, d->count, d->length, d->width, &d->stepper));
    d->maps = heed_stepper_maps(d->stepper);
    d->live_count = d->count;
    for (int i = 0; i < d->count; i++) {
        d->live[i] = i;
        HEED_TRY(start_sentence(d, &d->sentences[i]));
    }
    for (size_t r = 0; r < rows; r++)
        d->token[r] = HEED_START;
    return HEED_OK;
}

/* A step whose sentences choose among their rows. */
typedef struct choice {
    const heed_decoding    *d;
    const heed_step_result *result;
} choice;

static void choose_tile(void *work, int64_t tile, int thread)
{
    const choice *c = work;
    const heed_decoding *d = c->d;
    heed_sentence *s = &d->sentences[d->live[tile]];
    int64_t row = tile * d->width, count = s->beam.steps == 0 ? 1 : s->beam.live;
    float *fits = c->result->fits + row * d->tokens;
    if (d->maps > 0)
        keep_weights(d, s, c->result->weights + row * d->maps * d->length);
    if (!d->models->logits)
        s->beam.rules.kernels->unary(HEED_UNARY_LOG, count * d->tokens, fits, 0, 0, fits);
    heed_beam_advance(&s->beam, fits, d->tokens, d->tokens,
                      d->config->sample ? d->spare + (int64_t)thread * d->tokens : NULL);
}

/* The rows of the next step in the places of the i-th sentence, which were the old i-th's. A row without a hypothesis
 * repeats the first. */
static void go_on(heed_decoding *d, int i, int old)
{
    const heed_sentence *s = &d->sentences[d->live[old]];
    const heed_beam_entry *entries = heed_beam_step(&s->beam, s->beam.steps - 1);
    for (int k = 0; k < d->width; k++) {
        const heed_beam_entry *e = &entries[k < s->beam.live ? k : 0];
        d->parents[i * d->width + k] = old * d->width + e->parent;
        d->token[i * d->width + k] = e->token;
    }
    d->kept[i] = old;
    d->live[i] = d->live[old];
}

static bool is_done(const heed_decoding *d, int i) { return d->sentences[d->live[i]].beam.done; }

/* Each sentence chooses; the last take the places of those that are done, so that few have to move. */
static void choose(heed_decoding *d, const heed_step_result *r)
{
    int next = 0, end = d->live_count;
    heed_parallel(d->t->context->pool, d->live_count, choose_tile, &(choice){d, r});
    while (next < end) {
        int from = next;
        if (is_done(d, next)) {
            while (--end > next && is_done(d, end))
                continue;
            from = end;
        }
        if (next < end)
            go_on(d, next++, from);
    }
    d->live_count = next;
    heed_stepper_reorder(d->stepper, d->kept, next, d->parents);
}

/* Which of the models that decode: those that tell what they attend to, where it is wanted. */
static bool weighs(const heed_decode_config *c) { return !c->no_weights || c->coverage_penalty > 0; }

static heed_status decode_group(heed_translator *t, heed_sentence *sentences, int count,
                                const heed_decode_config *config, heed_sentence_decoded *each, void *user)
{
    heed_decoding d = {.t = t, .config = config, .models = &t->decoding[weighs(config)], .count = count,
                       .width = config->sample ? config->n_best : config->beam,
                       .drawing = {config->temperature, config->top_k, config->top_p, config->seed},
                       .sentences = sentences};
    d.tokens = (int32_t)heed_model_output_shape(d.models->step, 0)->dims[2];
    for (int i = 0; i < count; i++)
        d.length = sentences[i].length > d.length ? sentences[i].length : d.length;
    if (d.length % LENGTH_STEP != 0)
        d.length += LENGTH_STEP - d.length % LENGTH_STEP;
    heed_zone_init(&d.zone, t->context);
    heed_status status = start(&d);
    while (status == HEED_OK && d.live_count > 0) {
        heed_step_result result;
        status = heed_stepper_step(d.stepper, d.token, &result);
        if (status == HEED_OK)
            choose(&d, &result);
    }
    for (int i = 0; i < count && status == HEED_OK; i++)
        status = each(user, &sentences[i]);
    heed_zone_free(&d.zone);
    return status;
}

/* Shortest first, lines of a length in their order, so that groups waste little on padding. */
static void sort_by_length(heed_sentence *s, int count, heed_sentence *spare)
{
    if (count < 2)
        return;
    int half = count / 2;
    sort_by_length(s, half, spare);
    sort_by_length(s + half, count - half, spare);
    memcpy(spare, s, (size_t)count * sizeof *s);
    for (int i = 0, a = 0, b = half; i < count; i++)
        s[i] = b == count || (a < half && spare[a].length <= spare[b].length) ? spare[a++] : spare[b++];
}

/* Makes the models that decode, if they are not there, and lets them keep what they make of the weights. */
static heed_status ready(heed_translator *t, bool weights)
{
    heed_decoding_models *models = &t->decoding[weights];
    if (models->step == NULL)
        HEED_TRY(heed_recipe_decoding_models(&t->recipe, t->model, weights, models));
    HEED_TRY(heed_model_hold_weights(models->encoder));
    return heed_model_hold_weights(models->step);
}

heed_status heed_decode(heed_translator *t, heed_sentence *sentences, int count, const heed_decode_config *config,
                        heed_sentence_decoded *each, void *user)
{
    int group = config->batch_size;
    HEED_TRY(ready(t, weighs(config)));
    sort_by_length(sentences, count, sentences + count);
    for (int i = 0; i < count; i += group)
        HEED_TRY(decode_group(t, sentences + i, count - i < group ? count - i : group, config, each, user));
    return HEED_OK;
}

/* ---- pairs whose answer is known */

typedef struct visit {
    heed_decoded *each;
    void         *user;
    int32_t      *ids;
} visit;

static heed_status hand_over(void *user, const heed_sentence *s)
{
    const visit *v = user;
    const heed_beam_end *end = &s->beam.ends[0];
    int length = s->beam.end_count == 0 ? 0 : end->length;
    if (length > 0)
        heed_sentence_trace(s, end, v->ids, NULL);
    return v->each(v->user, s->number, v->ids, length);
}

heed_status heed_decode_examples(heed_translator *t, const heed_examples *e, int64_t first, int count,
                                 heed_decoded *each, void *user)
{
    heed_zone z;
    heed_zone_init(&z, t->context);
    heed_decode_config greedy = {.beam = 1, .n_best = 1, .length_penalty = 1, .patience = 1, .no_weights = true,
                                 .max_length = t->longest_target + 1, .batch_size = HEED_DECODE_ROWS};
    heed_translator_renew(t); /* training has changed them */
    visit v = {each, user, heed_zone_alloc(&z, (size_t)greedy.max_length, sizeof(int32_t))};
    heed_sentence *sentences = heed_zone_alloc(&z, (size_t)count * 2, sizeof *sentences);
    heed_status status = v.ids == NULL || sentences == NULL ? HEED_ENOMEM : HEED_OK;
    for (int i = 0; i < count && status == HEED_OK; i++)
        sentences[i] = (heed_sentence){.ids = heed_example(e, first + i, 0), .length = e->source_lengths[first + i],
                                       .number = first + i};
    if (status == HEED_OK)
        status = heed_decode(t, sentences, count, &greedy, hand_over, &v);
    heed_zone_free(&z);
    return status;
}
