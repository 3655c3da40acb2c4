#include "ops/attention_step.h"

#include "ops/walk.h"

#include <math.h>
#include <string.h>

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

typedef struct step_work {
    const heed_kernels *kernels;
    const float        *data[ROWS];
    const int32_t      *rows;
    float              *y, *scores; /* scores: (threads, P + 1) */
    int64_t             count, past, stored, size, per_tile; /* size: of a head's part */
    int                 heads;
    float               scale;
} step_work;

/* The i-th of a row's past, or its own behind the last. */
static const float *part(const step_work *w, int past, int own, int64_t row, int64_t i, int head)
{
    int64_t width = w->heads * w->size, at = i < w->past ? w->rows[row * w->past + i] : -1;
    if (i < w->past && at < 0)
        return NULL;
    const float *of = i < w->past ? w->data[past] + at * width : w->data[own] + row * width;
    return of + head * w->size;
}

static void attend(const step_work *w, int64_t row, int head, float *scores)
{
    int64_t from = (row * w->heads + head) * w->size, n = w->past + 1;
    for (int64_t i = 0; i < n; i++) {
        const float *key = part(w, PAST_KEYS, KEY, row, i, head);
        scores[i] = key == NULL ? -INFINITY : w->scale * w->kernels->dot(w->size, w->data[QUERY] + from, key);
    }
    w->kernels->softmax(n, scores, NULL, scores);
    memset(w->y + from, 0, (size_t)w->size * sizeof *w->y);
    for (int64_t i = 0; i < n; i++) {
        const float *value = part(w, PAST_VALUES, VALUE, row, i, head);
        if (value != NULL)
            w->kernels->axpy(w->size, scores[i], value, w->y + from);
    }
}

static void step_tile(void *work, int64_t tile, int thread)
{
    const step_work *w = work;
    int64_t row, rows = heed_tile_range(w->count, w->per_tile, tile, &row);
    for (int64_t end = row + rows; row < end; row++)
        for (int head = 0; head < w->heads; head++)
            attend(w, row, head, w->scores + (size_t)thread * (size_t)(w->past + 1));
}

static size_t attention_step_scratch(const heed_node *n, int threads)
{
    return (size_t)threads * (size_t)(n->inputs[ROWS]->shape.dims[1] + 1) * sizeof(float);
}

static heed_status attention_step_forward(const heed_exec *x, const heed_node *n)
{
    const heed_shape *rows = &n->inputs[ROWS]->shape;
    step_work w = {.kernels = x->kernels, .rows = heed_data(x, n->inputs[ROWS]), .y = heed_data(x, n->outputs[0]),
                   .scores = heed_scratch(x, n), .count = rows->dims[0], .past = rows->dims[1],
                   .stored = n->inputs[PAST_KEYS]->shape.dims[0], .heads = *(const int *)n->attributes};
    for (int i = 0; i < ROWS; i++)
        w.data[i] = heed_data(x, n->inputs[i]);
    for (int64_t i = 0; i < w.count * w.past; i++)
        if (w.rows[i] >= w.stored)
            return heed_fail(x->context, HEED_EINVAL, "attention_step: row %d is not stored (expected below %lld)",
                             (int)w.rows[i], (long long)w.stored);
    w.size = n->inputs[QUERY]->shape.dims[1] / w.heads;
    w.scale = 1 / sqrtf((float)w.size);
    w.per_tile = heed_tile_rows((w.past + 1) * w.heads * w.size * 2);
    heed_parallel(x->pool, heed_tiles(w.count, w.per_tile), step_tile, &w);
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
