#include "seq2seq/stepper.h"

#include "model/program.h"
#include "seq2seq/caches.h"

#include <string.h>

enum { MOST = HEED_MAX_OUTPUTS };

/* Numbers that each sentence or each row has. */
typedef struct part {
    heed_shape shape; /* of all: (S, ...) or (R, ...); its first size is set anew at each step */
    size_t     bytes; /* of one */
    char      *data;
} part;

struct heed_stepper {
    const heed_decoding_models *models;
    heed_caches *caches; /* NULL: the models have none */
    int      sentences, width, room; /* room: sentences at first, rounded up */
    int64_t  length;
    int32_t *source, *tokens;
    part     memory[MOST], state[MOST];
    heed_program *program; /* of the last step; its results are read where they are */
};

/* Few numbers of sentences occur, four an octave, so that a graph serves many steps; those beyond hold what they held
 * before, and are not looked at. */
static int rounded(int sentences)
{
    int step = 1;
    while (8 * step <= sentences)
        step *= 2;
    return (sentences + step - 1) / step * step;
}

static heed_status make_part(heed_zone *z, const heed_shape *like, int64_t count, int64_t length, part *out)
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
    return out->data == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_array of_part(const part *p) { return (heed_array){HEED_FLOAT32, p->shape, p->data}; }

/* Runs a model; what it computed is where the program has it, until the model runs again. */
static heed_status run(heed_model *m, const heed_array *in, int count, heed_program **out)
{
    heed_batch batch = {.inputs = in, .input_count = count};
    HEED_TRY(heed_build(m));
    HEED_TRY(heed_program_find(m, HEED_FOR_PREDICTION, &batch, out));
    return heed_program_run(m, *out, in);
}

static const char *result(const heed_program *p, int output) { return heed_tensor_data(p->outputs[output]); }

/* The encoder has no second row: states are spread over a sentence's rows. */
static heed_status encode(heed_stepper *s)
{
    const heed_decoding_models *m = s->models;
    heed_array in = {HEED_INT32, {2, {s->room, s->length}}, s->source};
    heed_program *p;
    HEED_TRY(run(m->encoder, &in, 1, &p));
    for (int i = 0; i < m->memory_count; i++)
        memcpy(s->memory[i].data, result(p, i), (size_t)s->room * s->memory[i].bytes);
    for (int i = 0; i < m->state_count; i++)
        for (int row = 0; row < s->room * s->width; row++)
            memcpy(s->state[i].data + (size_t)row * s->state[i].bytes,
                   result(p, m->memory_count + i) + (size_t)(row / s->width) * s->state[i].bytes, s->state[i].bytes);
    return HEED_OK;
}

/* Where the states and the weights are among the step's outputs. */
static int states_at(const heed_decoding_models *m) { return 1 + m->cache_count; }
static int weights_at(const heed_decoding_models *m) { return states_at(m) + m->state_count; }

int heed_stepper_maps(const heed_stepper *s)
{
    const heed_decoding_models *m = s->models;
    const heed_shape *shape = heed_model_output_shape(m->step, weights_at(m));
    return shape == NULL ? 0 : (int)shape->dims[1];
}

static heed_status make_room(heed_zone *z, heed_stepper *s)
{
    const heed_decoding_models *m = s->models;
    size_t rows = (size_t)s->room * (size_t)s->width;
    for (int i = 0; i < m->memory_count; i++)
        HEED_TRY(make_part(z, heed_model_output_shape(m->encoder, i), s->room, s->length, &s->memory[i]));
    for (int i = 0; i < m->state_count; i++)
        HEED_TRY(make_part(z, heed_model_output_shape(m->encoder, m->memory_count + i), (int64_t)rows, s->length,
                           &s->state[i]));
    s->source = heed_zone_alloc(z, (size_t)s->room * (size_t)s->length, sizeof *s->source);
    s->tokens = heed_zone_alloc(z, rows, sizeof *s->tokens);
    return s->source == NULL || s->tokens == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_stepper_start(heed_zone *z, const heed_decoding_models *models, const int32_t *source, int sentences,
                               int64_t length, int width, heed_stepper **out)
{
    heed_stepper *s = *out = heed_zone_alloc(z, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    *s = (heed_stepper){.models = models, .sentences = sentences, .width = width, .room = rounded(sentences),
                        .length = length};
    HEED_TRY(make_room(z, s));
    if (models->cache_count > 0)
        HEED_TRY(heed_caches_start(z, models, s->room * width, &s->caches));
    memcpy(s->source, source, (size_t)sentences * (size_t)length * sizeof *source);
    return encode(s);
}

heed_status heed_stepper_step(heed_stepper *s, const int32_t *tokens, heed_step_result *out)
{
    const heed_decoding_models *m = s->models;
    int sentences = rounded(s->sentences), rows = sentences * s->width, n = 0;
    for (int r = 0; r < rows; r++)
        s->tokens[r] = r < s->sentences * s->width ? tokens[r] : HEED_START;
    heed_array in[4 + 2 * MOST];
    in[n++] = (heed_array){HEED_INT32, {2, {sentences, s->length}}, s->source};
    for (int i = 0; i < m->memory_count; i++) {
        s->memory[i].shape.dims[0] = sentences;
        in[n++] = of_part(&s->memory[i]);
    }
    in[n++] = (heed_array){HEED_INT32, {2, {rows, 1}}, s->tokens};
    if (s->caches != NULL)
        n += heed_caches_inputs(s->caches, rows, in + n);
    for (int i = 0; i < m->state_count; i++) {
        s->state[i].shape.dims[0] = rows;
        in[n++] = of_part(&s->state[i]);
    }
    HEED_TRY(run(m->step, in, n, &s->program));
    *out = (heed_step_result){(float *)(uintptr_t)result(s->program, 0),
                              heed_stepper_maps(s) == 0 ? NULL : (const float *)result(s->program, weights_at(m))};
    if (s->caches == NULL)
        return HEED_OK;
    const float *left[MOST];
    for (int i = 0; i < m->cache_count; i++)
        left[i] = (const float *)result(s->program, 1 + i);
    return heed_caches_keep(s->caches, s->sentences * s->width, left);
}

void heed_stepper_reorder(heed_stepper *s, const int *kept, int sentences, const int *parents)
{
    const heed_decoding_models *m = s->models;
    size_t length = (size_t)s->length * sizeof *s->source;
    for (int i = 0; i < sentences; i++) {
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
                   result(s->program, states_at(m) + k) + (size_t)parents[r] * s->state[k].bytes, s->state[k].bytes);
    if (s->caches != NULL)
        heed_caches_reorder(s->caches, sentences * s->width, parents);
    s->sentences = sentences;
}
