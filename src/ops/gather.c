/* Rows of a table by their ids. */
#include "ops/walk.h"

#include <string.h>

static heed_status gather_shape(heed_node *n)
{
    const heed_shape *table = &n->inputs[0]->shape, *ids = &n->inputs[1]->shape;
    HEED_TRY(heed_node_expect(n, 1, HEED_INT32));
    HEED_TRY(heed_node_expect_rows(n, 0));
    if (ids->rank + table->rank - 1 > HEED_MAX_RANK)
        return heed_node_fail(n, "too many dimensions (expected %d at most, found %d)", HEED_MAX_RANK,
                              ids->rank + table->rank - 1);
    heed_shape shape = *ids;
    for (int i = 1; i < table->rank; i++)
        shape.dims[shape.rank++] = table->dims[i];
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

typedef struct gather_work {
    const int32_t       *ids;
    const unsigned char *table;
    unsigned char       *y;
    size_t               row; /* bytes */
    int64_t              count, per_tile;
} gather_work;

static void gather_tile(void *work, int64_t tile, int thread)
{
    const gather_work *w = work;
    int64_t i, n = heed_tile_range(w->count, w->per_tile, tile, &i);
    for (int64_t end = i + n; i < end; i++)
        memcpy(w->y + (size_t)i * w->row, w->table + (size_t)w->ids[i] * w->row, w->row);
}

/* Elements of a row of the table. */
static int64_t table_row(const heed_shape *table)
{
    return heed_shape_around(table, 0).after;
}

static heed_status gather_forward(const heed_exec *x, const heed_node *n)
{
    const heed_tensor *table = n->inputs[0], *ids = n->inputs[1];
    gather_work w = {.ids = heed_data(x, ids), .table = heed_data(x, table), .y = heed_data(x, n->outputs[0]),
                     .row = (size_t)table_row(&table->shape) * heed_dtype_size(table->dtype), .count = ids->count};
    for (int64_t i = 0; i < w.count; i++)
        if (w.ids[i] < 0 || w.ids[i] >= table->shape.dims[0])
            return heed_fail(x->context, HEED_EINVAL,
                             "gather: id %d at position %lld is outside of the table (expected 0..%lld)", (int)w.ids[i],
                             (long long)i, (long long)table->shape.dims[0] - 1);
    w.per_tile = heed_tile_rows(table_row(&table->shape));
    heed_parallel(x->pool, heed_tiles(w.count, w.per_tile), gather_tile, &w);
    return HEED_OK;
}

static heed_status gather_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->inputs[1], dy[0]};
    const heed_shape *table = &n->inputs[0]->shape;
    dx[0] = heed_node_output(n->graph, &heed_kind_gather_gradient, table, sizeof *table, inputs, 2);
    return n->graph->status;
}

/* dtable of the squares of dy */
static heed_tensor *squared_shares(const heed_node *n)
{
    const heed_shape *table = n->attributes;
    heed_tensor *inputs[] = {n->inputs[0], heed_op_multiply(n->inputs[1], n->inputs[1])};
    return heed_node_output(n->graph, &heed_kind_gather_gradient, table, sizeof *table, inputs, 2);
}

heed_tensor *heed_squared_shares(const heed_tensor *gradient)
{
    const heed_node *n = gradient == NULL ? NULL : gradient->node;
    if (n == NULL || (n->op != &heed_kind_gather_gradient && !heed_node_is_sum(n)))
        return NULL;
    if (n->op == &heed_kind_gather_gradient)
        return squared_shares(n);
    heed_tensor *a = heed_squared_shares(n->inputs[0]), *b = a == NULL ? NULL : heed_squared_shares(n->inputs[1]);
    return b == NULL ? NULL : heed_op_add(a, b);
}

const heed_op heed_kind_gather = {
    .name = "gather", .shape = gather_shape, .forward = gather_forward, .gradient = gather_gradient};

/* ---- dtable (V, ...): zeros, and each row of dy added to the row of its id, in the ids' order. A tile owns some
 * columns of some rows of the table and goes through all ids, so no two tiles meet and the order is always the same. */

enum { COLUMNS = 64, TABLE_ELEMENTS = 4 * HEED_TILE_ELEMENTS };

static heed_status gather_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, HEED_FLOAT32, n->attributes);
    return HEED_OK;
}

typedef struct gather_gradient_work {
    const heed_kernels *kernels;
    const int32_t      *ids;
    const float        *dy; /* (count, width) */
    float              *dtable;
    int64_t             count, rows, width, rows_of_tile, blocks; /* blocks of columns */
} gather_gradient_work;

static void gather_gradient_tile(void *work, int64_t tile, int thread)
{
    const gather_gradient_work *w = work;
    int64_t first, rows = heed_tile_range(w->rows, w->rows_of_tile, tile / w->blocks, &first);
    int64_t column, columns = heed_tile_range(w->width, COLUMNS, tile % w->blocks, &column);
    float *dtable = w->dtable + column;
    for (int64_t i = first; i < first + rows; i++)
        memset(dtable + i * w->width, 0, (size_t)columns * sizeof *dtable);
    for (int64_t i = 0; i < w->count; i++)
        if (w->ids[i] >= first && w->ids[i] < first + rows)
            w->kernels->axpy(columns, 1, w->dy + i * w->width + column, dtable + w->ids[i] * w->width);
}

static heed_status gather_gradient_forward(const heed_exec *x, const heed_node *n)
{
    const heed_shape *table = n->attributes;
    gather_gradient_work w = {.kernels = x->kernels, .ids = heed_data(x, n->inputs[0]),
                              .dy = heed_data(x, n->inputs[1]), .dtable = heed_data(x, n->outputs[0]),
                              .count = n->inputs[0]->count, .rows = table->dims[0], .width = table_row(table)};
    w.blocks = heed_tiles(w.width, COLUMNS);
    w.rows_of_tile = TABLE_ELEMENTS / COLUMNS;
    heed_parallel(x->pool, heed_tiles(w.rows, w.rows_of_tile) * w.blocks, gather_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_gather_gradient = {
    .name = "gather_gradient", .shape = gather_gradient_shape, .forward = gather_gradient_forward,
    .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_gather(heed_tensor *table, heed_tensor *ids)
{
    return heed_node_output(NULL, &heed_kind_gather, NULL, 0, (heed_tensor *[]){table, ids}, 2);
}
