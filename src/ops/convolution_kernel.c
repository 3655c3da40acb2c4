/* The gradient of a convolution's kernel: for each tap, the product of what lies under it, transposed, and dy. Taps of
 * few channels that lie side by side go together, as if they were channels of one. */
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
    int64_t             taps, rows, columns; /* of a tile: taps, channels of one, filters */
    int64_t             tap_tiles, row_tiles, column_tiles;
    bool                across; /* more entries than windows on an axis: those at one place go together */
} kernel_work;

/* A block of dw; several taps with all their channels, or one with some. */
typedef struct kernel_block {
    int64_t line, tap, taps, group, row, rows, column, columns;
    float  *dw;
} kernel_block;

/* `count` windows: where the first is, and the distance from each to the next, along an axis or the batch. */
typedef struct window_row {
    int64_t entry, first[HEED_SLIDING_AXES];
    int64_t entries, step[HEED_SLIDING_AXES];
    int64_t count;
} window_row;

/* Adds the products of these windows under `taps` taps from `tap` on. */
static void add_windows(const kernel_work *w, const kernel_block *b, const window_row *r, int64_t tap, int64_t taps)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    const int64_t *first = r->first, *step = r->step;
    int64_t line = r->entry * outer->in + heed_sliding_element(outer, first[HEED_OUTER], b->line);
    int64_t element = line * inner->in + heed_sliding_element(inner, first[HEED_INNER], tap);
    int64_t window = (r->entry * outer->out + first[HEED_OUTER]) * inner->out + first[HEED_INNER];
    int64_t x_line = r->entries * outer->in + step[HEED_OUTER] * outer->stride;
    int64_t x_row = (x_line * inner->in + step[HEED_INNER] * inner->stride) * w->c.in_channels;
    int64_t dy_line = r->entries * outer->out + step[HEED_OUTER];
    int64_t dy_row = (dy_line * inner->out + step[HEED_INNER]) * w->c.out_channels;
    const float *x = w->x + element * w->c.in_channels, *dy = w->dy + window * w->c.out_channels + b->column;
    float *dw = b->dw + (tap - b->tap) * w->channels * w->c.out_channels;
    if (w->c.depthwise)
        w->kernels->depthwise_gradient(r->count, b->columns, x + b->column, x_row, dy, dy_row, dw);
    else
        w->kernels->gemm(b->rows - (b->taps - taps) * w->channels, b->columns, r->count,
                         x + b->group * w->channels + b->row, 1, x_row, dy + b->group * w->filters, dy_row, 1, dw,
                         w->c.out_channels, dw, w->c.out_channels);
}

/* Of window o, which of the block's taps lie within the data. */
static int64_t taps_within(const heed_sliding_axis *a, const kernel_block *b, int64_t o, int64_t *first)
{
    int64_t before = -heed_sliding_element(a, o, b->tap), end = a->in + before;
    *first = before > 0 ? b->tap + before : b->tap;
    return (end < b->taps ? b->tap + end : b->tap + b->taps) - *first;
}

/* The windows of a batch entry. Those that hold all taps go line by line, each other one on all lines together. */
static void add_entry(const kernel_work *w, const kernel_block *b, int64_t entry)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t first_line, end_line, first, end, begin, last, tap;
    heed_sliding_range(outer, b->line, &first_line, &end_line);
    heed_sliding_range(inner, b->tap, &first, &last);
    heed_sliding_range(inner, b->tap + b->taps - 1, &begin, &end);
    end = end < first ? first : end;
    for (int64_t line = first_line; line < end_line && first < end; line++)
        add_windows(w, b, &(window_row){entry, {line, first}, 0, {0, 1}, end - first}, b->tap, b->taps);
    for (int64_t o = begin; o < last && first_line < end_line; o++) {
        bool whole = o >= first && o < end;
        int64_t taps = whole ? 0 : taps_within(inner, b, o, &tap);
        if (taps > 0)
            add_windows(w, b, &(window_row){entry, {first_line, o}, 0, {1, 0}, end_line - first_line}, tap, taps);
    }
}

/* Those of all entries that lie at one place, place by place. */
static void add_across(const kernel_work *w, const kernel_block *b)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t first_line, end_line, tap;
    heed_sliding_range(outer, b->line, &first_line, &end_line);
    for (int64_t line = first_line; line < end_line; line++)
        for (int64_t o = 0; o < inner->out; o++) {
            int64_t taps = taps_within(inner, b, o, &tap);
            if (taps > 0)
                add_windows(w, b, &(window_row){0, {line, o}, 1, {0, 0}, w->c.plane.batch}, tap, taps);
        }
}

static void kernel_tile(void *work, int64_t tile, int thread)
{
    const kernel_work *w = work;
    const heed_sliding_axis *inner = &w->c.plane.axes[HEED_INNER];
    int64_t groups = w->c.depthwise ? 1 : w->c.groups;
    kernel_block b;
    b.columns = heed_tile_range(w->filters, w->columns, tile % w->column_tiles, &b.column);
    tile /= w->column_tiles;
    b.rows = heed_tile_range(w->channels, w->rows, tile % w->row_tiles, &b.row);
    tile /= w->row_tiles;
    b.group = tile % groups;
    tile /= groups;
    b.taps = heed_tile_range(inner->size, w->taps, tile % w->tap_tiles, &b.tap);
    b.line = tile / w->tap_tiles;
    int64_t row = (b.line * inner->size + b.tap) * w->channels + b.row;
    b.dw = w->dw + row * w->c.out_channels + b.group * w->filters + b.column;
    b.rows += (b.taps - 1) * w->channels;
    for (int64_t i = 0; i < b.rows; i++)
        memset(b.dw + i * w->c.out_channels, 0, (size_t)b.columns * sizeof *b.dw);
    if (w->across)
        add_across(w, &b);
    else
        for (int64_t entry = 0; entry < w->c.plane.batch; entry++)
            add_entry(w, &b, entry);
}

static heed_status kernel_gradient_forward(const heed_exec *x, const heed_node *n)
{
    const kernel_attributes *a = n->attributes;
    const heed_shape *in = &n->inputs[0]->shape, *out = &n->inputs[1]->shape;
    kernel_work w = {.kernels = x->kernels, .x = heed_data(x, n->inputs[0]), .dy = heed_data(x, n->inputs[1]),
                     .dw = heed_data(x, n->outputs[0]),
                     .c = heed_convolution_of(&a->plane, in->dims[in->rank - 1], out->dims[out->rank - 1], a->groups)};
    const heed_sliding_axis *inner = &w.c.plane.axes[HEED_INNER];
    int64_t groups = w.c.depthwise ? 1 : w.c.groups;
    w.channels = w.c.depthwise ? 1 : w.c.in_channels / groups;
    w.filters = w.c.out_channels / groups;
    w.rows = heed_tiles(w.channels, 1 + w.channels / (MOST_CHANNELS + 1)); /* tiles of about a size */
    w.rows = w.rows > 0 ? w.rows : 1;
    w.columns = TILE_PANELS * x->kernels->gemm_columns;
    w.row_tiles = heed_tiles(w.channels, w.rows);
    w.column_tiles = heed_tiles(w.filters, w.columns);
    bool together = groups == 1 && !w.c.depthwise && w.channels < HEED_FEW_CHANNELS && inner->dilation == 1;
    w.taps = together && w.channels > 0 ? MOST_CHANNELS / w.channels : 1;
    w.tap_tiles = heed_tiles(inner->size, w.taps);
    const heed_sliding_axis *outer = &w.c.plane.axes[HEED_OUTER];
    w.across = w.c.plane.batch > inner->out && w.c.plane.batch > outer->out && !w.c.depthwise;
    heed_parallel(x->pool, outer->size * w.tap_tiles * groups * w.row_tiles * w.column_tiles, kernel_tile, &w);
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
