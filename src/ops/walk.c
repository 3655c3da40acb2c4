#include "ops/walk.h"

#include <string.h>

void heed_walk_start(heed_walk *w, const heed_shape *result)
{
    *w = (heed_walk){.rank = result->rank, .count = heed_shape_count(result)};
    memcpy(w->dims, result->dims, sizeof w->dims);
}

void heed_walk_strides(heed_walk *w, const int64_t *strides)
{
    memcpy(w->strides[w->operands++], strides, (size_t)w->rank * sizeof *strides);
}

void heed_dense_strides(const heed_shape *shape, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape->dims[i];
    }
}

void heed_walk_broadcast(heed_walk *w, const heed_shape *operand)
{
    int64_t dense[HEED_MAX_RANK], strides[HEED_MAX_RANK] = {0};
    heed_dense_strides(operand, dense);
    int added = w->rank - operand->rank;
    for (int i = 0; i < operand->rank; i++)
        strides[added + i] = operand->dims[i] == 1 ? 0 : dense[i];
    heed_walk_strides(w, strides);
}

static bool lie_together(const heed_walk *w, int outer, int inner)
{
    for (int k = 0; k < w->operands; k++)
        if (w->strides[k][outer] != w->strides[k][inner] * w->dims[inner])
            return false;
    return true;
}

static void set_dimension(heed_walk *w, int to, int from)
{
    w->dims[to] = w->dims[from];
    for (int k = 0; k < w->operands; k++)
        w->strides[k][to] = w->strides[k][from];
}

/* Drops dimensions of 1 and merges neighbours; at least one dimension is left. */
static void merge(heed_walk *w)
{
    int rank = 0;
    for (int i = 0; i < w->rank; i++) {
        if (w->dims[i] == 1)
            continue;
        if (rank > 0 && lie_together(w, rank - 1, i)) {
            int64_t size = w->dims[rank - 1] * w->dims[i];
            set_dimension(w, rank - 1, i);
            w->dims[rank - 1] = size;
        } else {
            set_dimension(w, rank++, i);
        }
    }
    if (rank == 0)
        w->dims[rank++] = 1; /* a single element; its strides do not matter */
    w->rank = rank;
}

typedef struct walk_work {
    const heed_walk *walk;
    heed_walk_run   *run;
    void            *work;
    int64_t          per_tile;
} walk_work;

/* To the next run, from the end of one: counts up the outer dimensions. */
static void carry(const heed_walk *w, int64_t *index, int64_t *offsets)
{
    for (int i = w->rank - 1; i > 0 && index[i] == w->dims[i]; i--) {
        index[i] = 0;
        index[i - 1]++;
        for (int k = 0; k < w->operands; k++)
            offsets[k] += w->strides[k][i - 1] - w->strides[k][i] * w->dims[i];
    }
}

static void walk_tile(void *work, int64_t tile, int thread)
{
    const walk_work *job = work;
    const heed_walk *w = job->walk;
    int64_t at, left = heed_tile_range(w->count, job->per_tile, tile, &at);
    int64_t index[HEED_MAX_RANK], offsets[HEED_WALK_OPERANDS] = {0}, steps[HEED_WALK_OPERANDS] = {0};
    int64_t rest = at;
    int last = w->rank - 1;
    for (int i = last; i >= 0; i--) {
        index[i] = rest % w->dims[i];
        rest /= w->dims[i];
        for (int k = 0; k < w->operands; k++)
            offsets[k] += index[i] * w->strides[k][i];
    }
    for (int k = 0; k < w->operands; k++)
        steps[k] = w->strides[k][last];
    while (left > 0) {
        int64_t n = w->dims[last] - index[last];
        n = n < left ? n : left;
        job->run(job->work, n, at, offsets, steps);
        at += n;
        left -= n;
        index[last] += n;
        for (int k = 0; k < w->operands; k++)
            offsets[k] += n * steps[k];
        carry(w, index, offsets);
    }
}

void heed_walk_parallel(const heed_exec *x, heed_walk *w, int64_t per_tile, heed_walk_run *run, void *work)
{
    merge(w);
    walk_work job = {w, run, work, per_tile};
    heed_parallel(x->pool, heed_tiles(w->count, per_tile), walk_tile, &job);
}

/* ---- moving elements: bytes, whatever their type */

enum { WORD = 4 }; /* bytes of a float32 or int32 */

typedef struct copy_work {
    const unsigned char *source;
    unsigned char       *result;
    size_t               size;                         /* of an element; of a row for heed_copy_rows */
    size_t               source_stride, result_stride; /* heed_copy_rows only */
    int64_t              count;
} copy_work;

static void copy_run(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps)
{
    const copy_work *w = work;
    if (steps[0] == 1) {
        memcpy(w->result + (size_t)at * w->size, w->source + offsets[0] * (int64_t)w->size, (size_t)n * w->size);
    } else if (w->size == WORD) {
        const unsigned char *source = w->source + offsets[0] * WORD;
        unsigned char *result = w->result + at * WORD;
        for (int64_t i = 0; i < n; i++)
            memcpy(result + i * WORD, source + i * steps[0] * WORD, WORD);
    } else {
        const unsigned char *source = w->source + offsets[0];
        unsigned char *result = w->result + at;
        for (int64_t i = 0; i < n; i++)
            result[i] = source[i * steps[0]];
    }
}

void heed_walk_copy(const heed_exec *x, heed_walk *w, size_t size, const void *source, void *result)
{
    copy_work work = {.source = source, .result = result, .size = size};
    heed_walk_parallel(x, w, HEED_TILE_ELEMENTS, copy_run, &work);
}

enum { TILE_BYTES = 4 * HEED_TILE_ELEMENTS };

static void copy_rows_tile(void *work, int64_t tile, int thread)
{
    const copy_work *w = work;
    int64_t begin, left = heed_tile_range(w->count, TILE_BYTES, tile, &begin);
    size_t row = (size_t)begin / w->size, at = (size_t)begin % w->size;
    while (left > 0) {
        size_t n = w->size - at < (size_t)left ? w->size - at : (size_t)left;
        memcpy(w->result + row * w->result_stride + at, w->source + row * w->source_stride + at, n);
        left -= (int64_t)n;
        row++;
        at = 0;
    }
}

void heed_copy_rows(const heed_exec *x, int64_t rows, size_t size, const void *source, size_t source_stride,
                    void *result, size_t result_stride)
{
    copy_work work = {.source = source, .result = result, .size = size, .source_stride = source_stride,
                      .result_stride = result_stride, .count = rows * (int64_t)size};
    heed_parallel(x->pool, heed_tiles(work.count, TILE_BYTES), copy_rows_tile, &work);
}

static void fill_tile(void *work, int64_t tile, int thread)
{
    const copy_work *w = work;
    int64_t i, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &i);
    if (w->size == 1) {
        memset(w->result + i, *w->source, (size_t)n);
        return;
    }
    unsigned char *result = w->result + i * WORD;
    uint32_t value;
    memcpy(&value, w->source, WORD);
    for (int64_t j = 0; j < n; j++)
        memcpy(result + j * WORD, &value, WORD);
}

void heed_fill(const heed_exec *x, int64_t count, size_t size, const void *value, void *result)
{
    copy_work work = {.source = value, .result = result, .size = size, .count = count};
    heed_parallel(x->pool, heed_tiles(count, HEED_TILE_ELEMENTS), fill_tile, &work);
}

/* ---- shapes */

heed_around heed_shape_around(const heed_shape *shape, int axis)
{
    heed_around a = {1, shape->dims[axis], 1};
    for (int i = 0; i < shape->rank; i++) {
        if (i < axis)
            a.before *= shape->dims[i];
        else if (i > axis)
            a.after *= shape->dims[i];
    }
    return a;
}

heed_shape heed_shape_of_rows(const heed_shape *shape)
{
    heed_shape rows = *shape;
    if (rows.rank > 0)
        rows.rank--;
    return rows;
}

int64_t heed_row_count(const heed_tensor *t)
{
    heed_shape rows = heed_shape_of_rows(&t->shape);
    return heed_shape_count(&rows);
}

heed_status heed_node_broadcast(heed_node *n, const char *function, heed_shape *out)
{
    *out = n->inputs[0]->shape;
    for (int i = 1; i < n->input_count; i++) {
        heed_shape so_far = *out;
        if (!heed_shape_broadcast(&so_far, &n->inputs[i]->shape, out)) {
            char a[HEED_SHAPE_TEXT], b[HEED_SHAPE_TEXT];
            heed_graph_fail(n->graph, HEED_ESHAPE,
                            "%s: shapes do not broadcast (expected sizes, from the last on, that are equal or 1, "
                            "found %s and %s)",
                            function, heed_shape_text(&so_far, a, sizeof a), heed_text_of(n->inputs[i], b));
            return HEED_ESHAPE;
        }
    }
    return HEED_OK;
}

heed_status heed_node_expect_rows(heed_node *n, int input)
{
    if (n->inputs[input]->shape.rank > 0)
        return HEED_OK;
    return heed_node_fail(n, "operand %d is a scalar (expected at least one dimension, found ())", input + 1);
}

int heed_op_axis(heed_tensor *x, const char *function, int axis)
{
    int found = heed_axis(x->shape.rank, axis);
    if (found < 0) {
        char text[HEED_SHAPE_TEXT];
        heed_graph_fail(x->graph, HEED_ESHAPE, "%s: there is no axis %d (expected one of the dimensions of %s)",
                        function, axis, heed_text_of(x, text));
    }
    return found;
}
