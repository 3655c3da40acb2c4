/* From windows to all keys and back: window_dense lays weights (B, Tq, width) out as (B, Tq, keys), zeros elsewhere;
 * window_take reads what such an array has within the windows, zeros (false) where there is no key. */
#include "ops/window.h"

#include <string.h>

enum { MATRIX, STARTS };

/* Where rows are copied between the dense matrix and the windows. */
typedef struct copy_work {
    const unsigned char *x;
    unsigned char       *y;
    const int32_t       *starts;
    int64_t              starts_step, rows, tq, tk, width, per_tile;
    int64_t              x_item, x_row; /* rows of x from one item, and from one query, to the next */
    size_t               size;          /* bytes of an element */
    bool                 takes;
} copy_work;

static void copy_tile(void *work, int64_t tile, int thread)
{
    const copy_work *w = work;
    int64_t row, rows = heed_tile_range(w->rows, w->per_tile, tile, &row);
    size_t from_row = (size_t)(w->takes ? w->tk : w->width) * w->size;
    size_t to_row = (size_t)(w->takes ? w->width : w->tk) * w->size;
    for (int64_t end = row + rows; row < end; row++) {
        int64_t b = row / w->tq, i = row % w->tq;
        heed_window_part p = heed_window_within(w->starts[b * w->starts_step + i], w->width, 0, w->tk);
        const unsigned char *x = w->x + (size_t)(b * w->x_item + i * w->x_row) * from_row;
        unsigned char *y = w->y + (size_t)row * to_row;
        int64_t from = w->takes ? p.first : p.skip, to = w->takes ? p.skip : p.first;
        memset(y, 0, to_row);
        memcpy(y + (size_t)to * w->size, x + (size_t)from * w->size, (size_t)p.count * w->size);
    }
}

static heed_status copy_windows(const heed_exec *x, const heed_node *n, bool takes)
{
    const heed_tensor *matrix = n->inputs[MATRIX], *starts = n->inputs[STARTS], *result = n->outputs[0];
    const heed_shape *from = &matrix->shape, *to = &result->shape;
    copy_work w = {.x = heed_data(x, matrix), .y = heed_data(x, result), .starts = heed_data(x, starts),
                   .starts_step = heed_window_starts_step(starts), .rows = to->dims[0] * to->dims[1],
                   .tq = to->dims[1], .tk = takes ? from->dims[2] : to->dims[2],
                   .width = takes ? to->dims[2] : from->dims[2], .x_item = from->dims[0] == 1 ? 0 : from->dims[1],
                   .x_row = from->dims[1] == 1 ? 0 : 1, .size = heed_dtype_size(matrix->dtype), .takes = takes};
    w.per_tile = heed_tile_rows(to->dims[2]);
    heed_parallel(x->pool, heed_tiles(w.rows, w.per_tile), copy_tile, &w);
    return HEED_OK;
}

static int64_t size_of(const heed_node *n) { return *(const int64_t *)n->attributes; }

/* Refuses what is no (B, T, ...), and a size that cannot be. */
static heed_status expect_matrix(heed_node *n)
{
    char text[HEED_SHAPE_TEXT];
    if (n->inputs[MATRIX]->shape.rank != 3)
        return heed_node_fail(n, "the shape does not fit (expected 3 dimensions, found %s)",
                              heed_text_of(n->inputs[MATRIX], text));
    return size_of(n) >= 0 ? HEED_OK : heed_node_fail(n, "the size is negative (found %lld)", (long long)size_of(n));
}

/* ---- window_dense */

static heed_status window_dense_shape(heed_node *n)
{
    const heed_shape *weights = &n->inputs[MATRIX]->shape;
    HEED_TRY(heed_node_expect(n, MATRIX, HEED_FLOAT32));
    HEED_TRY(expect_matrix(n));
    HEED_TRY(heed_window_expect_starts(n, STARTS, weights->dims[0], weights->dims[1]));
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){3, {weights->dims[0], weights->dims[1], size_of(n)}});
    return HEED_OK;
}

static heed_status window_dense_forward(const heed_exec *x, const heed_node *n) { return copy_windows(x, n, false); }

static heed_status window_dense_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    dx[MATRIX] = heed_op_window_take(dy[0], n->inputs[STARTS], heed_row_size(n->inputs[MATRIX]));
    return n->graph->status;
}

const heed_op heed_kind_window_dense = {.name = "window_dense", .shape = window_dense_shape,
                                        .forward = window_dense_forward, .gradient = window_dense_gradient};

heed_tensor *heed_op_window_dense(heed_tensor *weights, heed_tensor *starts, int64_t keys)
{
    return heed_node_output(NULL, &heed_kind_window_dense, &keys, sizeof keys, (heed_tensor *[]){weights, starts}, 2);
}

/* ---- window_take: x (B, Tq, Tk), B and Tq possibly 1 */

static heed_status window_take_shape(heed_node *n)
{
    HEED_TRY(expect_matrix(n));
    const heed_shape *x = &n->inputs[MATRIX]->shape, *starts = &n->inputs[STARTS]->shape;
    int64_t queries = starts->rank == 2 && x->dims[1] == 1 ? starts->dims[1] : x->dims[1];
    int64_t batch = starts->rank == 2 && x->dims[0] == 1 ? starts->dims[0] : x->dims[0];
    HEED_TRY(heed_window_expect_starts(n, STARTS, batch, queries));
    heed_node_set(n, 0, n->inputs[MATRIX]->dtype, &(heed_shape){3, {batch, queries, size_of(n)}});
    return HEED_OK;
}

static heed_status window_take_forward(const heed_exec *x, const heed_node *n) { return copy_windows(x, n, true); }

static heed_status window_take_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *x = n->inputs[MATRIX];
    dx[MATRIX] = heed_unbroadcast(heed_op_window_dense(dy[0], n->inputs[STARTS], heed_row_size(x)), x);
    return n->graph->status;
}

const heed_op heed_kind_window_take = {.name = "window_take", .shape = window_take_shape,
                                       .forward = window_take_forward, .gradient = window_take_gradient};

heed_tensor *heed_op_window_take(heed_tensor *x, heed_tensor *starts, int64_t width)
{
    return heed_node_output(NULL, &heed_kind_window_take, &width, sizeof width, (heed_tensor *[]){x, starts}, 2);
}
