#include "model/program.h"

#include "ops/matmul.h"
#include "model/work.h"

#include <string.h>

enum { KEPT = 64 };

struct heed_cache {
    heed_program *programs[KEPT];
    int           count;
    uint64_t      clock;
    void         *arena;
    size_t        arena_bytes;
    heed_packs   *packs; /* NULL: weights are not held */
};

/* ---- keys */

static size_t key_of_array(int64_t *key, const heed_array *a)
{
    if (a->data == NULL && a->shape.rank == 0) {
        key[0] = -1;
        return 1;
    }
    key[0] = a->dtype;
    key[1] = a->shape.rank;
    memcpy(key + 2, a->shape.dims, (size_t)a->shape.rank * sizeof *key);
    return 2 + (size_t)a->shape.rank;
}

static size_t key_of_arrays(int64_t *key, const heed_array *arrays, int count)
{
    size_t n = 1;
    key[0] = count;
    for (int i = 0; i < count; i++)
        n += key_of_array(key + n, &arrays[i]);
    return n;
}

enum { KEY_ARRAY = 2 + HEED_MAX_RANK, KEY_SIZE = 6 + 3 * HEED_MAX_OUTPUTS * KEY_ARRAY };

static size_t key_of(int64_t *key, heed_purpose purpose, const heed_batch *b)
{
    size_t n = 3;
    key[0] = purpose;
    memcpy(&key[1], &b->label_smoothing, sizeof key[1]);
    memcpy(&key[2], &b->consistency, sizeof key[2]);
    n += key_of_arrays(key + n, b->inputs, b->input_count);
    n += key_of_arrays(key + n, b->targets, b->target_count);
    n += key_of_arrays(key + n, b->sample_weights, b->weight_count);
    return n;
}

/* ---- making */

/* What is given must agree with what was declared, but for the size of the batch. A missing last dimension of 1 is
 * added. */
static heed_status check_input(heed_model *m, int index, const heed_array *a, heed_shape *shape)
{
    const heed_symbol *s = m->inputs[index];
    char expected[128], found[128];
    *shape = a->shape;
    if (shape->rank == s->shape.rank - 1 && s->shape.dims[s->shape.rank - 1] == 1)
        shape->dims[shape->rank++] = 1;
    bool fits = shape->rank == s->shape.rank;
    for (int i = 1; fits && i < shape->rank; i++)
        fits = s->shape.dims[i] == HEED_ANY || s->shape.dims[i] == shape->dims[i];
    if (!fits)
        return heed_fail(m->context, HEED_ESHAPE, "%s: the shape of input '%s' does not fit (expected %s, found %s)",
                         heed_model_name(m), heed_model_input_name(m, index),
                         heed_shape_text(&s->shape, expected, sizeof expected),
                         heed_shape_text(&a->shape, found, sizeof found));
    if (a->dtype != s->dtype)
        return heed_fail(m->context, HEED_EINVAL, "%s: the type of input '%s' does not fit (expected %s, found %s)",
                         heed_model_name(m), heed_model_input_name(m, index), heed_dtype_name(s->dtype),
                         heed_dtype_name(a->dtype));
    return HEED_OK;
}

static heed_status make_inputs(heed_model *m, heed_program *p, const heed_batch *b)
{
    for (int i = 0; i < m->input_count; i++) {
        heed_shape shape;
        HEED_TRY(check_input(m, i, &b->inputs[i], &shape));
        p->inputs[i] = heed_graph_input(p->graph, b->inputs[i].dtype, &shape);
    }
    return heed_graph_status(p->graph);
}

static heed_status trace(heed_model *m, heed_program *p)
{
    heed_tensor *no_masks[HEED_MAX_OUTPUTS] = {NULL};
    heed_call_arguments arguments = {.pass = &p->pass};
    heed_call call = {.graph = p->graph, .training = p->purpose == HEED_FOR_TRAINING, .input_count = m->input_count,
                      .inputs = p->inputs, .masks = no_masks, .outputs = p->outputs, .output_masks = p->output_masks,
                      .arguments = &arguments};
    p->pass.graph = p->graph;
    p->pass.wants_attention = p->purpose == HEED_FOR_ATTENTION;
    HEED_TRY(heed_model_trace(m, &call));
    return heed_graph_status(p->graph);
}

static heed_status plan(heed_model *m, heed_program *p)
{
    bool trains = p->purpose == HEED_FOR_TEST || p->purpose == HEED_FOR_TRAINING;
    size_t most = (size_t)m->output_count + p->pass.update_count + p->pass.attention_count + heed_program_wants(m);
    heed_tensor **wanted = heed_alloc(m->context, most, sizeof *wanted);
    if (wanted == NULL)
        return HEED_ENOMEM;
    size_t n = 0;
    for (int k = 0; k < m->output_count && !trains; k++)
        wanted[n++] = p->outputs[k];
    for (size_t i = 0; i < p->pass.update_count; i++)
        wanted[n++] = p->pass.updates[i].value;
    for (size_t i = 0; i < p->pass.attention_count; i++)
        wanted[n++] = p->pass.attention[i].weights;
    if (trains)
        n += heed_program_wanted(m, p, wanted + n);
    heed_status status = heed_graph_plan(p->graph, wanted, n);
    heed_release(m->context, wanted);
    return status;
}

static void cleanup_pass(void *pass) { heed_pass_free(pass); }

static heed_status make(heed_model *m, heed_purpose purpose, const heed_batch *b, heed_graph *g, heed_program **out)
{
    heed_program *p = *out = heed_zone_alloc(&g->zone, 1, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    p->graph = g;
    p->purpose = purpose;
    p->pass.graph = g;
    HEED_TRY(heed_graph_keep(g, cleanup_pass, &p->pass));
    HEED_TRY(make_inputs(m, p, b));
    HEED_TRY(trace(m, p));
    if (purpose == HEED_FOR_TEST || purpose == HEED_FOR_TRAINING)
        HEED_TRY(heed_program_train(m, p, b));
    return plan(m, p);
}

static heed_status check_batch(heed_model *m, heed_purpose purpose, const heed_batch *b)
{
    if (b->input_count != m->input_count)
        return heed_fail(m->context, HEED_EINVAL, "%s: the number of inputs does not fit (expected %d, found %d)",
                         heed_model_name(m), m->input_count, b->input_count);
    bool trains = purpose == HEED_FOR_TEST || purpose == HEED_FOR_TRAINING;
    if (trains && m->training == NULL)
        return heed_fail(m->context, HEED_ESTATE, "%s: the model is not compiled (heed_compile)", heed_model_name(m));
    if (b->target_count > HEED_MAX_OUTPUTS || b->weight_count > HEED_MAX_OUTPUTS)
        return heed_fail(m->context, HEED_EINVAL, "%s: too many targets or sample weights", heed_model_name(m));
    return HEED_OK;
}

heed_status heed_program_make(heed_model *m, heed_purpose purpose, const heed_batch *b, heed_program **out)
{
    *out = NULL;
    heed_graph *g;
    HEED_TRY(check_batch(m, purpose, b));
    HEED_TRY(heed_graph_create(m->context, &g));
    g->keras = m->layer->keras;
    heed_status status = make(m, purpose, b, g, out);
    if (status != HEED_OK) {
        heed_graph_free(g);
        *out = NULL;
    }
    return status;
}

/* ---- keeping */

/* Room for the largest graph; all others run there too. */
static heed_status lend_arena(heed_model *m, struct heed_cache *cache, heed_program *p)
{
    size_t bytes = heed_graph_bytes(p->graph);
    if (bytes > cache->arena_bytes || cache->arena == NULL) {
        void *larger = heed_alloc_raw(m->context, bytes, 1);
        if (larger == NULL)
            return HEED_ENOMEM;
        for (int i = 0; i < cache->count; i++)
            heed_graph_lend(cache->programs[i]->graph, larger);
        heed_release(m->context, cache->arena);
        cache->arena = larger;
        cache->arena_bytes = bytes;
    }
    heed_graph_lend(p->graph, cache->arena);
    return HEED_OK;
}

static heed_program *look_up(struct heed_cache *cache, const int64_t *key, size_t length)
{
    for (int i = 0; i < cache->count; i++) {
        heed_program *p = cache->programs[i];
        if (p->key_length == length && memcmp(p->key, key, length * sizeof *key) == 0)
            return p;
    }
    return NULL;
}

static void drop_oldest(struct heed_cache *cache)
{
    int oldest = 0;
    for (int i = 1; i < cache->count; i++)
        if (cache->programs[i]->used < cache->programs[oldest]->used)
            oldest = i;
    heed_graph_free(cache->programs[oldest]->graph);
    cache->programs[oldest] = cache->programs[--cache->count];
}

static heed_status keep(heed_model *m, struct heed_cache *cache, heed_program *p, const int64_t *key, size_t length)
{
    p->key = heed_zone_alloc(&p->graph->zone, length, sizeof *key);
    if (p->key == NULL)
        return HEED_ENOMEM;
    memcpy(p->key, key, length * sizeof *key);
    p->key_length = length;
    HEED_TRY(lend_arena(m, cache, p));
    if (cache->count == KEPT)
        drop_oldest(cache);
    cache->programs[cache->count++] = p;
    return HEED_OK;
}

static heed_status need_cache(heed_model *m)
{
    if (m->cache == NULL)
        m->cache = heed_alloc(m->context, 1, sizeof *m->cache);
    return m->cache == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_status heed_program_find(heed_model *m, heed_purpose purpose, const heed_batch *b, heed_program **out)
{
    HEED_TRY(check_batch(m, purpose, b));
    int64_t key[KEY_SIZE];
    size_t length = key_of(key, purpose, b);
    HEED_TRY(need_cache(m));
    heed_program *p = look_up(m->cache, key, length);
    if (p == NULL) {
        HEED_TRY(heed_program_make(m, purpose, b, &p));
        heed_status status = keep(m, m->cache, p, key, length);
        if (status != HEED_OK) {
            heed_graph_free(p->graph);
            return status;
        }
    }
    p->used = ++m->cache->clock;
    *out = p;
    return HEED_OK;
}

heed_status heed_model_hold_weights(heed_model *m)
{
    HEED_TRY(need_cache(m));
    return m->cache->packs != NULL ? HEED_OK : heed_packs_create(m->context, &m->cache->packs);
}

void heed_model_release_weights(heed_model *m)
{
    if (m->cache == NULL)
        return;
    heed_packs_free(m->cache->packs);
    m->cache->packs = NULL;
}

void heed_programs_clear(heed_model *m)
{
    while (m->cache != NULL && m->cache->count > 0)
        heed_graph_free(m->cache->programs[--m->cache->count]->graph);
}

void heed_cache_free(heed_model *m)
{
    if (m->cache == NULL)
        return;
    heed_programs_clear(m);
    heed_model_release_weights(m);
    heed_release(m->context, m->cache->arena);
    heed_release(m->context, m->cache);
    m->cache = NULL;
}

/* ---- running */

heed_status heed_program_run(heed_model *m, heed_program *p, const heed_array *inputs)
{
    for (int i = 0; i < m->input_count; i++)
        heed_graph_bind(p->inputs[i], inputs[i].data);
    p->graph->packs = m->cache->packs;
    heed_work_watch watch = {p, m->work};
    heed_graph_watch(p->graph, m->work == NULL ? NULL : heed_work_add, &watch);
    HEED_TRY(heed_graph_run(p->graph, m->seed, m->step));
    for (size_t i = 0; i < p->pass.update_count; i++) {
        heed_variable *v = p->pass.updates[i].variable;
        memmove(v->data, heed_tensor_data(p->pass.updates[i].value), (size_t)v->count * sizeof *v->data);
    }
    return HEED_OK;
}

void heed_pass_free(heed_pass *pass)
{
    heed_context *c = pass->graph == NULL ? NULL : pass->graph->context;
    if (c == NULL)
        return;
    heed_release(c, pass->losses);
    heed_release(c, pass->updates);
    heed_release(c, pass->attention);
    heed_release(c, pass->bare);
    *pass = (heed_pass){0};
}
