#include "ops/attention_step.h"

#include "ops/walk.h"

#include <math.h>
#include <string.h>

/* ---- rows that attend, each to keys and values of its own */

/* Where a row's keys and values lie; returns how many there are. */
typedef struct row_work row_work;
typedef int64_t gather_function(const row_work *w, int64_t row, const float **keys, const float **values);

struct row_work {
    const heed_exec *x;
    gather_function *gather;
    const float     *query, *key, *value; /* key, value: of the row or of its sentence */
    const float     *past_keys, *past_values;
    const int32_t   *rows; /* (R, past) */
    const bool      *seen; /* (S, most) */
    float           *y, *weights; /* weights (R, heads, most), or NULL */
    int64_t          count, most, past, per_tile, per_sentence, width; /* width: E */
    int              heads;
    unsigned char   *scratch;
    size_t           scratch_size; /* of a thread */
};

/* What a thread works on. */
typedef struct row_space {
    const float **keys, **values; /* (most) */
    float        *weights;        /* (heads, most) */
} row_space;

static row_space lay_out(unsigned char *memory, int64_t most, int heads, size_t *used)
{
    *used = 0;
    return (row_space){.keys = heed_take(memory, used, most, sizeof(float *)),
                       .values = heed_take(memory, used, most, sizeof(float *)),
                       .weights = heed_take(memory, used, heads * most, sizeof(float))};
}

static void row_tile(void *work, int64_t tile, int thread)
{
    const row_work *w = work;
    const int64_t size = w->width / w->heads, block = w->heads * w->most;
    const float scale = 1 / sqrtf((float)size);
    size_t used;
    row_space s = lay_out(w->scratch + (size_t)thread * w->scratch_size, w->most, w->heads, &used);
    int64_t row, rows = heed_tile_range(w->count, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++) {
        int64_t n = w->gather(w, row, s.keys, s.values);
        float *weights = w->weights == NULL ? s.weights : w->weights + row * block, *y = w->y + row * w->width;
        if (w->weights != NULL && n < w->most)
            memset(weights, 0, (size_t)block * sizeof *weights);
        if (n == 0)
            memset(y, 0, (size_t)w->width * sizeof *y);
        else
            w->x->kernels->attention_row(n, w->heads, size, w->query + row * w->width, s.keys, s.values, scale,
                                         weights, w->most, y);
    }
}

static void attend(row_work *w, const heed_node *n)
{
    lay_out(NULL, w->most, w->heads, &w->scratch_size);
    w->scratch = heed_scratch(w->x, n);
    w->per_tile = heed_tile_rows(w->most * w->width * 2);
    heed_parallel(w->x->pool, heed_tiles(w->count, w->per_tile), row_tile, w);
}

/* ---- to one's own past */

enum { QUERY, KEY, VALUE, PAST_KEYS, PAST_VALUES, ROWS, OPERANDS };

static heed_status attention_step_shape(heed_node *n)
{
    int heads = *(const int *)n->attributes;
    const heed_shape *q = &n->inputs[QUERY]->shape, *past = &n->inputs[PAST_KEYS]->shape, *rows = &n->inputs[ROWS]->shape;
    for (int i = 0; i < ROWS; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, ROWS, HEED_INT32));
    bool fits = q->rank == 2 && past->rank == 2 && rows->rank == 2 && heads >= 1 && q->dims[1] % heads == 0 &&
                past->dims[1] == q->dims[1] && rows->dims[0] == q->dims[0];
    for (int i = KEY; i <= VALUE; i++)
        fits = fits && heed_shape_equal(q, &n->inputs[i]->shape);
    fits = fits && heed_shape_equal(past, &n->inputs[PAST_VALUES]->shape);
    if (!fits)
        return heed_node_fail(n, "shapes do not fit (expected three of (R, E), two of (M, E), and (R, P))");
    heed_node_set(n, 0, HEED_FLOAT32, q);
    return HEED_OK;
}

static int64_t gather_past(const row_work *w, int64_t row, const float **keys, const float **values)
{
    int64_t n = 0;
    for (const int32_t *at = w->rows + row * w->past; n < w->past && at[n] >= 0; n++) {
        keys[n] = w->past_keys + at[n] * w->width;
        values[n] = w->past_values + at[n] * w->width;
    }
    keys[n] = w->key + row * w->width;
    values[n] = w->value + row * w->width;
    return n + 1;
}

static size_t attention_step_scratch(const heed_node *n, int threads)
{
    size_t used;
    lay_out(NULL, n->inputs[ROWS]->shape.dims[1] + 1, *(const int *)n->attributes, &used);
    return (size_t)threads * used;
}

static heed_status attention_step_forward(const heed_exec *x, const heed_node *n)
{
    const heed_shape *rows = &n->inputs[ROWS]->shape;
    const int64_t stored = n->inputs[PAST_KEYS]->shape.dims[0];
    row_work w = {.x = x, .gather = gather_past, .query = heed_data(x, n->inputs[QUERY]),
                  .key = heed_data(x, n->inputs[KEY]), .value = heed_data(x, n->inputs[VALUE]),
                  .past_keys = heed_data(x, n->inputs[PAST_KEYS]), .past_values = heed_data(x, n->inputs[PAST_VALUES]),
                  .rows = heed_data(x, n->inputs[ROWS]), .y = heed_data(x, n->outputs[0]), .count = rows->dims[0],
                  .past = rows->dims[1], .most = rows->dims[1] + 1, .width = n->inputs[QUERY]->shape.dims[1],
                  .heads = *(const int *)n->attributes};
    for (int64_t i = 0; i < w.count * w.past; i++)
        if (w.rows[i] >= stored)
            return heed_fail(x->context, HEED_EINVAL, "attention_step: row %d is not stored (expected below %lld)",
                             (int)w.rows[i], (long long)stored);
    attend(&w, n);
    return HEED_OK;
}

const heed_op heed_kind_attention_step = {.name = "attention_step", .shape = attention_step_shape,
                                          .scratch = attention_step_scratch, .forward = attention_step_forward,
                                          .no_gradient = "it decodes what was trained by heed_op_attention"};

heed_tensor *heed_op_attention_step(heed_tensor *query, heed_tensor *key, heed_tensor *value, heed_tensor *past_keys,
                                    heed_tensor *past_values, heed_tensor *rows, int heads)
{
    heed_tensor *inputs[OPERANDS] = {query, key, value, past_keys, past_values, rows};
    return heed_node_output(NULL, &heed_kind_attention_step, &heads, sizeof heads, inputs, OPERANDS);
}

/* ---- to what a sentence's rows have in common */

enum { MEMORY_SEEN = 3, MEMORY_OPERANDS };

static heed_status attention_memory_shape(heed_node *n)
{
    int heads = *(const int *)n->attributes;
    const heed_shape *q = &n->inputs[QUERY]->shape, *k = &n->inputs[KEY]->shape, *seen = &n->inputs[MEMORY_SEEN]->shape;
    for (int i = 0; i < MEMORY_SEEN; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, MEMORY_SEEN, HEED_BOOL));
    bool fits = q->rank == 2 && k->rank == 3 && seen->rank == 2 && heads >= 1 && q->dims[1] % heads == 0 &&
                k->dims[2] == q->dims[1] && heed_shape_equal(k, &n->inputs[VALUE]->shape) &&
                seen->dims[0] == k->dims[0] && seen->dims[1] == k->dims[1] && k->dims[0] > 0 &&
                q->dims[0] % k->dims[0] == 0;
    if (!fits)
        return heed_node_fail(n, "shapes do not fit (expected (R, E), two of (S, T, E) where S divides R, and (S, T))");
    heed_node_set(n, 0, HEED_FLOAT32, q);
    if (n->output_count > 1)
        heed_node_set(n, 1, HEED_FLOAT32, &(heed_shape){3, {q->dims[0], heads, k->dims[1]}});
    return HEED_OK;
}

static int64_t gather_memory(const row_work *w, int64_t row, const float **keys, const float **values)
{
    int64_t sentence = row / w->per_sentence, at = sentence * w->most, n = w->most;
    while (n > 0 && !w->seen[at + n - 1])
        n--;
    for (int64_t i = 0; i < n; i++) {
        keys[i] = w->key + (at + i) * w->width;
        values[i] = w->value + (at + i) * w->width;
    }
    return n;
}

static size_t attention_memory_scratch(const heed_node *n, int threads)
{
    size_t used;
    lay_out(NULL, n->inputs[KEY]->shape.dims[1], *(const int *)n->attributes, &used);
    return (size_t)threads * used;
}

static heed_status attention_memory_forward(const heed_exec *x, const heed_node *n)
{
    const heed_shape *q = &n->inputs[QUERY]->shape, *k = &n->inputs[KEY]->shape;
    row_work w = {.x = x, .gather = gather_memory, .query = heed_data(x, n->inputs[QUERY]),
                  .key = heed_data(x, n->inputs[KEY]), .value = heed_data(x, n->inputs[VALUE]),
                  .seen = heed_data(x, n->inputs[MEMORY_SEEN]), .y = heed_data(x, n->outputs[0]),
                  .weights = n->output_count > 1 ? heed_data(x, n->outputs[1]) : NULL, .count = q->dims[0],
                  .most = k->dims[1], .per_sentence = q->dims[0] / k->dims[0], .width = q->dims[1],
                  .heads = *(const int *)n->attributes};
    attend(&w, n);
    return HEED_OK;
}

const heed_op heed_kind_attention_memory = {.name = "attention_memory", .shape = attention_memory_shape,
                                            .scratch = attention_memory_scratch, .forward = attention_memory_forward,
                                            .no_gradient = "it decodes what was trained by heed_op_attention"};

heed_tensor *heed_op_attention_memory(heed_tensor *query, heed_tensor *keys, heed_tensor *values, heed_tensor *seen,
                                      int heads, heed_tensor **weights)
{
    heed_tensor *inputs[MEMORY_OPERANDS] = {query, keys, values, seen};
    heed_node *n = heed_node_add(NULL, &heed_kind_attention_memory, &heads, sizeof heads, inputs, MEMORY_OPERANDS,
                                 weights == NULL ? 1 : 2);
    if (weights != NULL)
        *weights = n == NULL ? NULL : n->outputs[1];
    return n == NULL ? NULL : n->outputs[0];
}
