/* The greatest and the mean of windows, a channel at a time. */
#include "ops/walk.h"
#include "ops/sliding.h"

#include <math.h>
#include <string.h>

enum { BLOCK_CHANNELS = 64 }; /* of a tile of the gradient */

typedef struct pool_attributes {
    heed_plane  plane; /* set by the shape rule */
    heed_sliding_window windows[HEED_SLIDING_AXES];
    bool        mean;
} pool_attributes;

static heed_status pool_shape(heed_node *n)
{
    pool_attributes *a = n->attributes;
    const heed_shape *x = &n->inputs[0]->shape;
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_plane_of(n, n->inputs[0], a->windows, &a->plane));
    for (int i = 0; i < x->rank - 2; i++) {
        const heed_sliding_window *w = &a->windows[i];
        if (w->dilation != 1 || w->before >= w->size || w->after >= w->size)
            return heed_node_fail(n, "each window needs data, without gaps (found a window of %lld, dilation %lld, "
                                  "%lld zeros before, %lld after)", (long long)w->size, (long long)w->dilation,
                                  (long long)w->before, (long long)w->after);
    }
    heed_shape shape = heed_plane_out(&a->plane, x->rank - 2, x->dims[x->rank - 1]);
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

typedef struct pool_work {
    const heed_kernels *kernels;
    heed_plane          plane;
    bool                mean;
    const float        *x, *y, *dy;
    float              *result;
    int64_t             channels;
    int64_t             rows, row_tiles; /* forward: windows of a tile */
    int64_t             blocks;          /* gradient: of channels */
} pool_work;

/* How many elements window o holds. */
static int64_t window_count(const heed_sliding_axis *a, int64_t o)
{
    int64_t first = heed_sliding_element(a, o, 0), end = first + a->size;
    return (end < a->in ? end : a->in) - (first > 0 ? first : 0);
}

/* ---- forward */

/* Takes in `count` windows' element under tap j of the inner axis; x is the line, y the first window. */
static void take_in(const pool_work *w, int64_t o, int64_t count, int64_t j, const float *x, float *y)
{
    const heed_sliding_axis *inner = &w->plane.axes[HEED_INNER];
    heed_binary_function f = w->mean ? HEED_BINARY_ADD : HEED_BINARY_MAXIMUM;
    int64_t first, end;
    heed_sliding_range(inner, j, &first, &end);
    first = first < o ? o : first;
    end = end > o + count ? o + count : end;
    int64_t together = inner->stride == 1 && end > first ? end - first : 1; /* windows with elements side by side */
    for (int64_t i = first; i < end; i += together) {
        float *to = y + (i - o) * w->channels;
        const float *from = x + heed_sliding_element(inner, i, j) * w->channels;
        w->kernels->binary(f, together * w->channels, to, 1, from, 1, to);
    }
}

static void pool_tile(void *work, int64_t tile, int thread)
{
    const pool_work *w = work;
    const heed_sliding_axis *outer = &w->plane.axes[HEED_OUTER], *inner = &w->plane.axes[HEED_INNER];
    int64_t o, count = heed_tile_range(inner->out, w->rows, tile % w->row_tiles, &o);
    int64_t line = tile / w->row_tiles % outer->out, entry = tile / w->row_tiles / outer->out;
    float *y = w->result + ((entry * outer->out + line) * inner->out + o) * w->channels;
    for (int64_t i = 0; i < count * w->channels; i++)
        y[i] = w->mean ? 0.0f : -INFINITY;
    for (int64_t l = 0; l < outer->size; l++) {
        int64_t from = heed_sliding_element(outer, line, l);
        for (int64_t j = 0; j < inner->size && from >= 0 && from < outer->in; j++)
            take_in(w, o, count, j, w->x + (entry * outer->in + from) * inner->in * w->channels, y);
    }
    for (int64_t i = 0; i < count && w->mean; i++) {
        float share = 1.0f / (float)(window_count(outer, line) * window_count(inner, o + i));
        w->kernels->unary(HEED_UNARY_SCALE, w->channels, y + i * w->channels, share, 0, y + i * w->channels);
    }
}

static heed_status pool_forward(const heed_exec *x, const heed_node *n)
{
    const pool_attributes *a = n->attributes;
    pool_work w = {.kernels = x->kernels, .plane = a->plane, .mean = a->mean, .x = heed_data(x, n->inputs[0]),
                   .result = heed_data(x, n->outputs[0]), .channels = heed_row_size(n->inputs[0])};
    w.rows = heed_tile_rows(w.channels);
    w.row_tiles = heed_tiles(w.plane.axes[HEED_INNER].out, w.rows);
    heed_parallel(x->pool, w.plane.batch * w.plane.axes[HEED_OUTER].out * w.row_tiles, pool_tile, &w);
    return HEED_OK;
}

static heed_status pool_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->inputs[0], n->outputs[0], dy[0]};
    dx[0] = heed_node_output(n->graph, &heed_kind_pool_gradient, n->attributes, sizeof(pool_attributes), inputs, 3);
    return n->graph->status;
}

const heed_op heed_kind_pool = {
    .name = "pool", .shape = pool_shape, .forward = pool_forward, .gradient = pool_gradient};

/* ---- gradient: operands x, y, dy. A tile is a block of channels of a batch entry, since windows may overlap. */

static heed_status pool_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

/* What a window and its elements are worth: its place among all windows and the first channel, for offsets. */
static void give_back(const pool_work *w, int64_t entry, int64_t line, int64_t o, int64_t channel, int64_t n)
{
    const heed_sliding_axis *outer = &w->plane.axes[HEED_OUTER], *inner = &w->plane.axes[HEED_INNER];
    int64_t window = ((entry * outer->out + line) * inner->out + o) * w->channels + channel;
    float left[BLOCK_CHANNELS], share = 1.0f / (float)(window_count(outer, line) * window_count(inner, o));
    memcpy(left, w->dy + window, (size_t)n * sizeof *left);
    for (int64_t l = 0; l < outer->size; l++) {
        int64_t from = heed_sliding_element(outer, line, l);
        for (int64_t j = 0; j < inner->size && from >= 0 && from < outer->in; j++) {
            int64_t i = heed_sliding_element(inner, o, j);
            int64_t element = ((entry * outer->in + from) * inner->in + i) * w->channels + channel;
            if (i < 0 || i >= inner->in)
                continue;
            if (w->mean)
                w->kernels->axpy(n, share, left, w->result + element);
            else
                w->kernels->claim(n, w->x + element, w->y + window, left, w->result + element);
        }
    }
}

static void pool_gradient_tile(void *work, int64_t tile, int thread)
{
    const pool_work *w = work;
    const heed_sliding_axis *outer = &w->plane.axes[HEED_OUTER], *inner = &w->plane.axes[HEED_INNER];
    int64_t entry = tile / w->blocks, elements = outer->in * inner->in, channel;
    int64_t n = heed_tile_range(w->channels, BLOCK_CHANNELS, tile % w->blocks, &channel);
    for (int64_t i = 0; i < elements; i++)
        memset(w->result + (entry * elements + i) * w->channels + channel, 0, (size_t)n * sizeof(float));
    for (int64_t line = 0; line < outer->out; line++)
        for (int64_t o = 0; o < inner->out; o++)
            give_back(w, entry, line, o, channel, n);
}

static heed_status pool_gradient_forward(const heed_exec *x, const heed_node *n)
{
    const pool_attributes *a = n->attributes;
    pool_work w = {.kernels = x->kernels, .plane = a->plane, .mean = a->mean, .x = heed_data(x, n->inputs[0]),
                   .y = heed_data(x, n->inputs[1]), .dy = heed_data(x, n->inputs[2]),
                   .result = heed_data(x, n->outputs[0]), .channels = heed_row_size(n->inputs[0])};
    w.blocks = heed_tiles(w.channels, BLOCK_CHANNELS);
    heed_parallel(x->pool, w.plane.batch * w.blocks, pool_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_pool_gradient = {.name = "pool_gradient", .shape = pool_gradient_shape,
                                         .forward = pool_gradient_forward,
                                         .no_gradient = "pool gives that of its operand"};

static heed_tensor *pool(heed_tensor *x, const heed_sliding_window *windows, bool mean)
{
    pool_attributes a = {.mean = mean};
    for (int i = 0; x != NULL && i < x->shape.rank - 2 && i < HEED_SLIDING_AXES; i++)
        a.windows[i] = windows[i];
    return heed_node_output(NULL, &heed_kind_pool, &a, sizeof a, &x, 1);
}

heed_tensor *heed_op_max_pool(heed_tensor *x, const heed_sliding_window *windows) { return pool(x, windows, false); }

heed_tensor *heed_op_average_pool(heed_tensor *x, const heed_sliding_window *windows) { return pool(x, windows, true); }
