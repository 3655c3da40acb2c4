/* The gradient of a convolution's kernel: for each tap, the product of what lies under it, transposed, and dy. */
#include "ops/convolution.h"

#include <string.h>

enum { MOST_CHANNELS = 96, TILE_PANELS = 4 }; /* of a tile */

typedef struct kernel_attributes {
    heed_plane  plane; /* set by the shape rule */
    heed_sliding_window windows[HEED_SLIDING_AXES];
    int         groups;
} kernel_attributes;

static heed_status kernel_gradient_shape(heed_node *n)
{
    kernel_attributes *a = n->attributes;
    const heed_shape *x = &n->inputs[0]->shape, *dy = &n->inputs[1]->shape;
    HEED_TRY(heed_plane_of(n, n->inputs[0], a->windows, &a->plane));
    heed_shape shape = {x->rank, {0}};
    for (int i = 0; i < x->rank - 2; i++)
        shape.dims[i] = a->windows[i].size;
    shape.dims[x->rank - 2] = x->dims[x->rank - 1] / a->groups;
    shape.dims[x->rank - 1] = dy->dims[dy->rank - 1];
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

typedef struct kernel_work {
    const heed_kernels *kernels;
    heed_convolution    c;
    const float        *x, *dy;
    float              *dw;
    int64_t             channels, filters; /* of a group */
    int64_t             rows, columns;     /* of a tile: channels by filters */
    int64_t             row_tiles, column_tiles;
} kernel_work;

/* A block of dw under one tap. */
typedef struct kernel_block {
    int64_t line, tap, group, row, rows, column, columns;
} kernel_block;

/* Adds the products over `count` windows; x and dy are those of the first. */
static void add_windows(const kernel_work *w, const kernel_block *b, int64_t count, const float *x, const float *dy,
                        float *dw)
{
    int64_t x_row = w->c.plane.axes[HEED_INNER].stride * w->c.in_channels, filters = w->c.out_channels;
    if (w->c.depthwise)
        w->kernels->depthwise_gradient(count, b->columns, x + b->column, x_row, dy + b->column, filters, dw);
    else
        w->kernels->gemm(b->rows, b->columns, count, x + b->group * w->channels + b->row, 1, x_row,
                         dy + b->group * w->filters + b->column, filters, 1, dw, filters, dw, filters);
}

static void kernel_tile(void *work, int64_t tile, int thread)
{
    const kernel_work *w = work;
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t groups = w->c.depthwise ? 1 : w->c.groups;
    kernel_block b;
    b.columns = heed_tile_range(w->filters, w->columns, tile % w->column_tiles, &b.column);
    tile /= w->column_tiles;
    b.rows = heed_tile_range(w->channels, w->rows, tile % w->row_tiles, &b.row);
    tile /= w->row_tiles;
    b.group = tile % groups;
    tile /= groups;
    b.tap = tile % inner->size;
    b.line = tile / inner->size;
    int64_t row = (b.line * inner->size + b.tap) * w->channels + b.row;
    float *dw = w->dw + row * w->c.out_channels + b.group * w->filters + b.column;
    for (int64_t i = 0; i < b.rows; i++)
        memset(dw + i * w->c.out_channels, 0, (size_t)b.columns * sizeof *dw);
    int64_t first_line, end_line, first, end;
    heed_sliding_range(outer, b.line, &first_line, &end_line);
    heed_sliding_range(inner, b.tap, &first, &end);
    for (int64_t entry = 0; entry < w->c.plane.batch && first < end; entry++)
        for (int64_t o = first_line; o < end_line; o++) {
            int64_t from = entry * outer->in + heed_sliding_element(outer, o, b.line);
            int64_t x_row = from * inner->in + heed_sliding_element(inner, first, b.tap);
            add_windows(w, &b, end - first, w->x + x_row * w->c.in_channels,
                        w->dy + ((entry * outer->out + o) * inner->out + first) * w->c.out_channels, dw);
        }
}

static heed_status kernel_gradient_forward(const heed_exec *x, const heed_node *n)
{
    const kernel_attributes *a = n->attributes;
    const heed_shape *in = &n->inputs[0]->shape, *out = &n->inputs[1]->shape;
    kernel_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .dy = heed_data(x, n->inputs[1]),
                     .dw = heed_data(x, n->outputs[0]),
                     .c = heed_convolution_of(&a->plane, in->dims[in->rank - 1], out->dims[out->rank - 1], a->groups)};
    const heed_sliding_axis *axes = w.c.plane.axes;
    int64_t groups = w.c.depthwise ? 1 : w.c.groups;
    w.channels = w.c.depthwise ? 1 : w.c.in_channels / groups;
    w.filters = w.c.out_channels / groups;
    w.rows = heed_tiles(w.channels, 1 + w.channels / (MOST_CHANNELS + 1)); /* tiles of about a size */
    w.rows = w.rows > 0 ? w.rows : 1;
    w.columns = TILE_PANELS * x->kernels->gemm_columns;
    w.row_tiles = heed_tiles(w.channels, w.rows);
    w.column_tiles = heed_tiles(w.filters, w.columns);
    int64_t taps = axes[HEED_OUTER].size * axes[HEED_INNER].size;
    heed_parallel(x->pool, taps * groups * w.row_tiles * w.column_tiles, kernel_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_convolution_kernel_gradient = {
    .name = "convolution_kernel_gradient", .shape = kernel_gradient_shape, .forward = kernel_gradient_forward,
    .no_gradient = "convolution and convolution_transpose give that of their kernel"};

heed_tensor *heed_op_convolution_kernel_gradient(heed_tensor *x, heed_tensor *dy, const heed_sliding_window *windows,
                                                 int groups)
{
    kernel_attributes a = {.groups = groups};
    for (int i = 0; x != NULL && i < x->shape.rank - 2; i++)
        a.windows[i] = windows[i];
    heed_tensor *inputs[] = {x, dy};
    return heed_node_output(NULL, &heed_kind_convolution_kernel_gradient, &a, sizeof a, inputs, 2);
}
