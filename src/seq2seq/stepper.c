#include "seq2seq/stepper.h"

#include "seq2seq/caches.h"

#include <string.h>

enum { MOST = HEED_MAX_OUTPUTS };

/* Numbers that each sentence or each row has. */
typedef struct part {
    heed_shape shape; /* of all: (S, ...) or (R, ...); its first size is set anew at each step */
    size_t     bytes; /* of one */
    char      *data, *next; /* next: of states, as the step leaves them */
} part;

struct heed_stepper {
    const heed_decoding_models *models;
    heed_caches *caches; /* NULL: the models have none */
    int      sentences, width, room; /* room: sentences at first, rounded up */
    int64_t  length;
    int32_t *source, *tokens;
    part     memory[MOST], state[MOST];
    float   *probabilities, *weights;
    heed_shape probabilities_shape, weights_shape;
};

/* Few numbers of sentences occur, so that a graph serves many steps; those beyond hold what they held before, and are
 * not looked at. */
static int rounded(int sentences)
{
    int up = 1;
    while (up < sentences)
        up *= 2;
    return up;
}

static heed_status make_part(heed_zone *z, const heed_shape *like, int64_t count, int64_t length, bool twice, part *out)
{
    out->shape = *like;
    out->shape.dims[0] = count;
    int64_t size = 1;
    for (int i = 1; i < like->rank; i++) {
        if (like->dims[i] == HEED_ANY)
            out->shape.dims[i] = length;
        size *= out->shape.dims[i];
    }
    out->bytes = (size_t)size * sizeof(float);
    out->data = heed_zone_alloc(z, (size_t)count, out->bytes);
    out->next = twice ? heed_zone_alloc(z, (size_t)count, out->bytes) : NULL;
    return out->data == NULL || (twice && out->next == NULL) ? HEED_ENOMEM : HEED_OK;
}

static heed_array of_part(const part *p, void *data) { return (heed_array){HEED_FLOAT32, p->shape, data}; }

/* The encoder has no second row: states are spread over a sentence's rows afterwards. */
static heed_status encode(heed_stepper *s)
{
    const heed_decoding_models *m = s->models;
    heed_array in = {HEED_INT32, {2, {s->room, s->length}}, s->source}, out[2 * MOST];
    for (int i = 0; i < m->memory_count; i++)
        out[i] = of_part(&s->memory[i], s->memory[i].data);
    for (int i = 0; i < m->state_count; i++) {
        out[m->memory_count + i] = of_part(&s->state[i], s->state[i].next);
        out[m->memory_count + i].shape.dims[0] = s->room;
    }
    HEED_TRY(heed_predict_on_batch(m->encoder, &in, 1, out, m->memory_count + m->state_count));
    for (int i = 0; i < m->state_count; i++)
        for (int row = 0; row < s->room * s->width; row++)
            memcpy(s->state[i].data + (size_t)row * s->state[i].bytes,
                   s->state[i].next + (size_t)(row / s->width) * s->state[i].bytes, s->state[i].bytes);
    return HEED_OK;
}

/* Where the weights are among the step's outputs. */
static int weights_at(const heed_decoding_models *m) { return 1 + m->cache_count + m->state_count; }

int heed_stepper_maps(const heed_stepper *s)
{
    const heed_decoding_models *m = s->models;
    const heed_shape *shape = heed_model_output_shape(m->step, weights_at(m));
    return shape == NULL ? 0 : (int)shape->dims[1];
}

static heed_status make_room(heed_zone *z, heed_stepper *s, int32_t size)
{
    const heed_decoding_models *m = s->models;
    size_t rows = (size_t)s->room * (size_t)s->width;
    for (int i = 0; i < m->memory_count; i++)
        HEED_TRY(make_part(z, heed_model_output_shape(m->encoder, i), s->room, s->length, false, &s->memory[i]));
    for (int i = 0; i < m->state_count; i++)
        HEED_TRY(make_part(z, heed_model_output_shape(m->encoder, m->memory_count + i), (int64_t)rows, s->length, true,
                           &s->state[i]));
    int maps = heed_stepper_maps(s);
    s->source = heed_zone_alloc(z, (size_t)s->room * (size_t)s->length, sizeof *s->source);
    s->tokens = heed_zone_alloc(z, rows, sizeof *s->tokens);
    s->probabilities = heed_zone_alloc(z, rows * (size_t)size, sizeof(float));
    s->probabilities_shape = (heed_shape){3, {0, 1, size}};
    if (maps > 0) {
        s->weights = heed_zone_alloc(z, rows * (size_t)maps * (size_t)s->length, sizeof(float));
        s->weights_shape = (heed_shape){3, {0, maps, s->length}};
    }
    return s->source == NULL || s->tokens == NULL || s->probabilities == NULL || (maps > 0 && s->weights == NULL)
               ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_stepper_start(heed_zone *z, const heed_decoding_models *models, const int32_t *source, int sentences,
                               int64_t length, int width, int32_t size, heed_stepper **out)
{
    heed_stepper *s = *out = heed_zone_alloc(z, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    *s = (heed_stepper){.models = models, .sentences = sentences, .width = width, .room = rounded(sentences),
                        .length = length};
    HEED_TRY(make_room(z, s, size));
    if (models->cache_count > 0)
        HEED_TRY(heed_caches_start(z, models, s->room * width, &s->caches));
    memcpy(s->source, source, (size_t)sentences * (size_t)length * sizeof *source);
    return encode(s);
}

heed_status heed_stepper_step(heed_stepper *s, const int32_t *tokens, heed_step_result *out)
{
    const heed_decoding_models *m = s->models;
    int sentences = rounded(s->sentences), rows = sentences * s->width, n = 0, k = 0;
    for (int r = 0; r < rows; r++)
        s->tokens[r] = r < s->sentences * s->width ? tokens[r] : HEED_START;
    heed_array in[4 + 2 * MOST], result[2 + 2 * MOST];
    in[n++] = (heed_array){HEED_INT32, {2, {sentences, s->length}}, s->source};
    for (int i = 0; i < m->memory_count; i++) {
        s->memory[i].shape.dims[0] = sentences;
        in[n++] = of_part(&s->memory[i], s->memory[i].data);
    }
    in[n++] = (heed_array){HEED_INT32, {2, {rows, 1}}, s->tokens};
    s->probabilities_shape.dims[0] = rows;
    result[k++] = (heed_array){HEED_FLOAT32, s->probabilities_shape, s->probabilities};
    if (s->caches != NULL) {
        n += heed_caches_inputs(s->caches, rows, in + n);
        k += heed_caches_outputs(s->caches, rows, result + k);
    }
    for (int i = 0; i < m->state_count; i++) {
        s->state[i].shape.dims[0] = rows;
        in[n++] = of_part(&s->state[i], s->state[i].data);
        result[k++] = of_part(&s->state[i], s->state[i].next);
    }
    if (s->weights != NULL) {
        s->weights_shape.dims[0] = rows;
        result[k++] = (heed_array){HEED_FLOAT32, s->weights_shape, s->weights};
    }
    *out = (heed_step_result){s->probabilities, s->weights};
    HEED_TRY(heed_predict_on_batch(m->step, in, n, result, k));
    return s->caches == NULL ? HEED_OK : heed_caches_keep(s->caches, s->sentences * s->width);
}

void heed_stepper_reorder(heed_stepper *s, const int *kept, int sentences, const int *parents)
{
    const heed_decoding_models *m = s->models;
    size_t length = (size_t)s->length * sizeof *s->source;
    for (int i = 0; i < sentences; i++) { /* ascending, so that nothing is overwritten before it is read */
        if (kept[i] == i)
            continue;
        memcpy(s->source + i * s->length, s->source + kept[i] * s->length, length);
        for (int k = 0; k < m->memory_count; k++)
            memcpy(s->memory[k].data + (size_t)i * s->memory[k].bytes,
                   s->memory[k].data + (size_t)kept[i] * s->memory[k].bytes, s->memory[k].bytes);
    }
    for (int k = 0; k < m->state_count; k++)
        for (int r = 0; r < sentences * s->width; r++)
            memcpy(s->state[k].data + (size_t)r * s->state[k].bytes,
                   s->state[k].next + (size_t)parents[r] * s->state[k].bytes, s->state[k].bytes);
    if (s->caches != NULL)
        heed_caches_reorder(s->caches, sentences * s->width, parents);
    s->sentences = sentences;
}
