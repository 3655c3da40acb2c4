/* From lines to translations: encoding once, then step by step with every hypothesis a row. */
#include "seq2seq/decode.h"

#include "seq2seq/beam.h"
#include "seq2seq/stepper.h"

#include <math.h>
#include <string.h>

/* Rows decoded together at most: lines times hypotheses. Lengths are rounded up, so that few shapes occur and a graph
 * serves many groups. */
enum { ROWS = 256, LENGTH_STEP = 4 };

typedef struct sentence {
    const int32_t *ids;
    int       length;
    int       index; /* of the line */
    heed_beam beam;
    float    *weights; /* (most steps, width, maps, length): what each entry attended to */
} sentence;

/* Sentences decoded together. */
typedef struct decoding {
    heed_translator *t;
    heed_zone        zone;
    const heed_decoding_models *models;
    heed_stepper    *stepper;
    int              width, count, maps;
    int64_t          length; /* of the longest source, rounded up */
    int32_t          tokens; /* of the target vocabulary */
    sentence        *sentences;
    int              live[ROWS], live_count; /* the sentences that are not done */
    int32_t          token[ROWS];            /* the last of each of their rows */
} decoding;

static heed_status start(decoding *d, const heed_decode_config *config, int most_steps)
{
    heed_zone *z = &d->zone;
    int32_t *source = heed_zone_alloc(z, (size_t)d->count * (size_t)d->length, sizeof *source);
    if (source == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < d->count; i++)
        memcpy(source + i * d->length, d->sentences[i].ids, (size_t)d->sentences[i].length * sizeof *source);
    HEED_TRY(heed_stepper_start(z, d->models, source, d->count, d->length, d->width, d->tokens, &d->stepper));
    d->maps = heed_stepper_maps(d->stepper);
    d->live_count = d->count;
    for (int i = 0; i < d->count; i++) {
        sentence *s = &d->sentences[i];
        d->live[i] = i;
        HEED_TRY(heed_beam_start(z, d->width, most_steps, config->length_penalty, &s->beam));
        size_t area = (size_t)d->width * (size_t)d->maps * (size_t)s->length;
        s->weights = heed_zone_alloc(z, (size_t)most_steps * area, sizeof(float));
        if (s->weights == NULL)
            return HEED_ENOMEM;
    }
    for (int r = 0; r < d->count * d->width; r++)
        d->token[r] = HEED_START;
    return HEED_OK;
}

/* Keeps what the sentence's live rows attended to in this step; weights (W, maps, Ts). */
static void keep_weights(const decoding *d, sentence *s, const float *weights)
{
    size_t maps = (size_t)d->width * (size_t)d->maps;
    float *kept = s->weights + (size_t)s->beam.steps * maps * (size_t)s->length;
    for (size_t i = 0; i < maps; i++)
        memcpy(kept + i * (size_t)s->length, weights + i * (size_t)d->length, (size_t)s->length * sizeof *kept);
}

/* Each sentence chooses among its rows; those of the next step follow. A row without a hypothesis repeats the first. */
static void choose(decoding *d, const heed_step_result *r)
{
    int kept[ROWS], parents[ROWS], next = 0, w = d->width;
    for (int i = 0; i < d->live_count; i++) {
        sentence *s = &d->sentences[d->live[i]];
        if (d->maps > 0)
            keep_weights(d, s, r->weights + (size_t)i * (size_t)(w * d->maps) * (size_t)d->length);
        heed_beam_advance(&s->beam, r->probabilities + (size_t)(i * w) * (size_t)d->tokens, d->tokens, d->tokens);
        if (s->beam.done)
            continue;
        const heed_beam_entry *entries = heed_beam_step(&s->beam, s->beam.steps - 1);
        for (int k = 0; k < w; k++) {
            const heed_beam_entry *e = &entries[k < s->beam.live ? k : 0];
            parents[next * w + k] = i * w + e->parent;
            d->token[next * w + k] = e->token;
        }
        kept[next] = i;
        d->live[next++] = d->live[i];
    }
    d->live_count = next;
    heed_stepper_reorder(d->stepper, kept, next, parents);
}

/* ---- results */

static heed_status copy_text(heed_context *c, const char *text, char **out)
{
    *out = heed_strdup(c, text);
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The tokens of an ended hypothesis, (length); and what they attended to, (maps, length, Ts), unless `maps` is NULL. */
static void trace_back(const decoding *d, const sentence *s, const heed_beam_end *end, int32_t *ids, float *maps)
{
    size_t width = (size_t)s->length;
    int entry = end->parent;
    for (int k = end->length; k-- > 0;) {
        const heed_beam_entry *e = &heed_beam_step(&s->beam, k)[entry];
        ids[k] = e->token;
        /* what step k attended to was kept by the row that it went on from */
        const float *kept = s->weights + (size_t)(k * d->width + e->parent) * (size_t)d->maps * width;
        for (int map = 0; map < d->maps && maps != NULL; map++)
            memcpy(maps + (size_t)(map * end->length + k) * width, kept + (size_t)map * width, width * sizeof *maps);
        entry = e->parent;
    }
}

/* The mean of all maps. */
static void average_maps(heed_hypothesis *h, size_t area)
{
    for (int map = 0; map < h->map_count; map++)
        for (size_t i = 0; i < area; i++)
            h->weights[i] += h->maps[(size_t)map * area + i] / (float)h->map_count;
}

static heed_status fill_weights(const decoding *d, const sentence *s, const heed_beam_end *end, int32_t *ids,
                                heed_hypothesis *h)
{
    size_t area = (size_t)end->length * (size_t)s->length;
    h->map_count = d->maps;
    h->maps = heed_alloc(d->t->context, (size_t)d->maps * area, sizeof *h->maps);
    h->weights = heed_alloc(d->t->context, area, sizeof *h->weights);
    if (h->maps == NULL || h->weights == NULL)
        return HEED_ENOMEM;
    trace_back(d, s, end, ids, h->maps);
    average_maps(h, area);
    return HEED_OK;
}

static heed_status fill_hypothesis(const decoding *d, const sentence *s, const heed_beam_end *end, heed_hypothesis *h)
{
    heed_context *c = d->t->context;
    int length = end->length;
    h->score = end->score;
    h->tokens = heed_alloc(c, (size_t)length, sizeof *h->tokens);
    int32_t *ids = heed_alloc(c, (size_t)length, sizeof *ids);
    heed_status status = h->tokens == NULL || ids == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK)
        trace_back(d, s, end, ids, NULL);
    if (status == HEED_OK && d->maps > 0)
        status = fill_weights(d, s, end, ids, h);
    for (int k = 0; k < length && status == HEED_OK; k++) {
        status = copy_text(c, heed_tokenizer_token(d->t->target, ids[k]), &h->tokens[k]);
        h->token_count = k + 1;
    }
    if (status == HEED_OK)
        status = heed_tokenizer_decode(d->t->target, ids, (size_t)length, &h->text);
    heed_release(c, ids);
    return status;
}

static heed_status fill_translation(const decoding *d, const sentence *s, int n_best, heed_translation *out)
{
    heed_context *c = d->t->context;
    out->source_tokens = heed_alloc(c, (size_t)s->length, sizeof *out->source_tokens);
    out->hypotheses = heed_alloc(c, (size_t)n_best, sizeof *out->hypotheses);
    if (out->source_tokens == NULL || out->hypotheses == NULL)
        return HEED_ENOMEM;
    out->source_count = s->length;
    for (int i = 0; i < s->length; i++)
        HEED_TRY(copy_text(c, heed_tokenizer_token(d->t->source, s->ids[i]), &out->source_tokens[i]));
    int count = s->beam.end_count < n_best ? s->beam.end_count : n_best;
    out->hypothesis_count = count;
    for (int i = 0; i < count; i++)
        HEED_TRY(fill_hypothesis(d, s, &s->beam.ends[i], &out->hypotheses[i]));
    return HEED_OK;
}

/* What becomes of a sentence that is decoded. */
typedef heed_status sentence_function(void *user, const decoding *d, const sentence *s);

static heed_status decode_group(heed_translator *t, sentence *sentences, int count, const heed_decode_config *config,
                                sentence_function *each, void *user)
{
    decoding d = {.t = t, .models = &t->decoding[!config->no_weights], .width = config->beam, .count = count,
                  .tokens = heed_tokenizer_size(t->target), .sentences = sentences};
    for (int i = 0; i < count; i++)
        d.length = sentences[i].length > d.length ? sentences[i].length : d.length;
    if (d.length % LENGTH_STEP != 0)
        d.length += LENGTH_STEP - d.length % LENGTH_STEP;
    heed_zone_init(&d.zone, t->context);
    heed_status status = start(&d, config, config->max_length);
    while (status == HEED_OK && d.live_count > 0) {
        heed_step_result result;
        status = heed_stepper_step(d.stepper, d.token, &result);
        if (status == HEED_OK)
            choose(&d, &result);
    }
    for (int i = 0; i < count && status == HEED_OK; i++)
        status = each(user, &d, &sentences[i]);
    heed_zone_free(&d.zone);
    return status;
}

/* Shortest first, lines of a length in their order, so that groups waste little on padding. */
static void sort_by_length(sentence *s, int count, sentence *spare)
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

/* Decodes all, in groups of similar lengths; `sentences` has room for twice `count`. */
static heed_status decode_all(heed_translator *t, sentence *sentences, int count, const heed_decode_config *config,
                              sentence_function *each, void *user)
{
    heed_decoding_models *models = &t->decoding[!config->no_weights];
    if (models->step == NULL)
        HEED_TRY(heed_recipe_decoding_models(&t->recipe, t->model, !config->no_weights, models));
    int group = ROWS / config->beam;
    sort_by_length(sentences, count, sentences + count);
    for (int i = 0; i < count; i += group)
        HEED_TRY(decode_group(t, sentences + i, count - i < group ? count - i : group, config, each, user));
    return HEED_OK;
}

/* ---- pairs whose answer is known */

typedef struct visit {
    heed_decoded *each;
    void         *user;
    int64_t       first;
    int32_t      *ids;
} visit;

static heed_status hand_over(void *user, const decoding *d, const sentence *s)
{
    const visit *v = user;
    const heed_beam_end *end = &s->beam.ends[0];
    int length = s->beam.end_count == 0 ? 0 : end->length;
    if (length > 0)
        trace_back(d, s, end, v->ids, NULL);
    return v->each(v->user, v->first + s->index, v->ids, length);
}

heed_status heed_decode_examples(heed_translator *t, const heed_examples *e, int64_t first, int count,
                                 heed_decoded *each, void *user)
{
    heed_zone z;
    heed_zone_init(&z, t->context);
    heed_decode_config greedy = {.beam = 1, .no_weights = true, .max_length = t->longest_target + 1};
    visit v = {each, user, first, heed_zone_alloc(&z, (size_t)greedy.max_length, sizeof(int32_t))};
    sentence *sentences = heed_zone_alloc(&z, (size_t)count * 2, sizeof *sentences);
    heed_status status = v.ids == NULL || sentences == NULL ? HEED_ENOMEM : HEED_OK;
    for (int i = 0; i < count && status == HEED_OK; i++)
        sentences[i] =
            (sentence){.ids = heed_example(e, first + i, 0), .length = e->source_lengths[first + i], .index = i};
    if (status == HEED_OK)
        status = decode_all(t, sentences, count, &greedy, hand_over, &v);
    heed_zone_free(&z);
    return status;
}

/* ---- lines */

static heed_status settle_config(heed_translator *t, const heed_decode_config *given, heed_decode_config *out)
{
    heed_context *c = t->context;
    *out = given == NULL ? (heed_decode_config){0} : *given;
    if (out->beam == 0)
        out->beam = 4;
    if (out->n_best == 0)
        out->n_best = 1;
    if (out->first_line == 0)
        out->first_line = 1;
    if (out->max_length == 0)
        out->max_length = t->longest_target + t->longest_target / 2 + 1;
    if (out->max_length > heed_recipe_most_tokens(&t->recipe))
        out->max_length = (int)heed_recipe_most_tokens(&t->recipe);
    out->length_penalty = out->length_penalty == 0 ? 1 : out->length_penalty < 0 ? 0 : out->length_penalty;
    if (out->beam < 1 || out->beam > HEED_BEAM_MOST)
        return heed_fail(c, HEED_EINVAL, "beam is out of range (expected 1 to %d, found %d)", HEED_BEAM_MOST,
                         out->beam);
    if (out->n_best < 1 || out->n_best > out->beam)
        return heed_fail(c, HEED_EINVAL, "n_best is out of range (expected 1 to the beam, %d, found %d)", out->beam,
                         out->n_best);
    if (out->max_length < 1)
        return heed_fail(c, HEED_EINVAL, "max_length is out of range (expected 1 or more, found %d)", out->max_length);
    return HEED_OK;
}

static heed_status read_lines(heed_translator *t, heed_zone *z, const char *const *lines, int count, int64_t first_line,
                              sentence *sentences, int *used)
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
        sentences[(*used)++] = (sentence){.ids = copy, .length = (int)ids.count, .index = i};
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

/* Where the lines' translations go. */
typedef struct collection {
    int               n_best;
    heed_translation *out;
} collection;

static heed_status collect(void *user, const decoding *d, const sentence *s)
{
    const collection *c = user;
    return fill_translation(d, s, c->n_best, &c->out[s->index]);
}

static heed_status translate(heed_translator *t, heed_zone *z, const char *const *lines, int count,
                             const heed_decode_config *given, heed_translation *out)
{
    heed_decode_config config;
    HEED_TRY(settle_config(t, given, &config));
    sentence *sentences = heed_zone_alloc(z, (size_t)count * 2, sizeof *sentences);
    if (sentences == NULL)
        return HEED_ENOMEM;
    int used = 0;
    HEED_TRY(read_lines(t, z, lines, count, config.first_line, sentences, &used));
    collection all = {config.n_best, out};
    HEED_TRY(decode_all(t, sentences, used, &config, collect, &all));
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
