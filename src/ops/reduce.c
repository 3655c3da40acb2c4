/* Sum, mean, largest, smallest and any, over any axes.
 *
 * Done in passes, each over one group of neighbouring axes, the innermost first: seen from its group the array is
 * (outer, rows, columns), and the rows go. Many rows are cut into parts whose results the next pass combines; the cut
 * depends on the sizes alone. */
#include "ops/walk.h"

#include <math.h>
#include <string.h>

typedef enum reduce_function { REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY } reduce_function;

typedef struct reduce_attributes {
    reduce_function function;
    unsigned        axes; /* bit i: dimension i goes */
    bool            keep;
} reduce_attributes;

static const char *function_name(reduce_function f)
{
    static const char *const names[] = {"sum", "mean", "max", "min", "any"};
    return names[f];
}

static bool goes(const reduce_attributes *a, int axis) { return a->axes >> axis & 1; }

static heed_status reduce_shape(heed_node *n)
{
    const reduce_attributes *a = n->attributes;
    HEED_TRY(heed_node_expect(n, 0, a->function == REDUCE_ANY ? HEED_BOOL : HEED_FLOAT32));
    const heed_shape *from = &n->inputs[0]->shape;
    heed_shape shape = {0};
    for (int i = 0; i < from->rank; i++) {
        if (!goes(a, i))
            shape.dims[shape.rank++] = from->dims[i];
        else if (a->keep)
            shape.dims[shape.rank++] = 1;
    }
    heed_node_set(n, 0, n->inputs[0]->dtype, &shape);
    return HEED_OK;
}

/* ---- the passes */

enum {
    PART_ELEMENTS = 16384, /* of a part: rows times columns */
    LEAST_ROWS = 16,       /* of a part, so that what the parts leave is at most a 16th of what came in */
    BLOCK_COLUMNS = 2048,  /* more columns than these are shared out in blocks */
    MAX_PASSES = 32,       /* at most 4 groups of axes; each pass leaves a 16th of the rows or less */
};

typedef struct reduce_pass {
    int64_t outer, rows, columns; /* what comes in; what goes out is (outer, parts, columns) */
    int64_t part, parts;          /* rows of a part (the last may be shorter); how many there are, at least 1 */
    int64_t width, blocks;        /* columns of a block; how many there are */
} reduce_pass;

static int add_passes(reduce_pass *passes, int count, int64_t outer, int64_t rows, int64_t columns)
{
    do {
        reduce_pass *p = &passes[count++];
        *p = (reduce_pass){.outer = outer, .rows = rows, .columns = columns};
        p->width = columns < BLOCK_COLUMNS ? columns : BLOCK_COLUMNS;
        p->blocks = columns == 0 ? 0 : heed_tiles(columns, p->width);
        p->part = PART_ELEMENTS / (p->width > 0 ? p->width : 1);
        p->part = p->part < LEAST_ROWS ? LEAST_ROWS : p->part;
        p->parts = rows == 0 ? 1 : heed_tiles(rows, p->part);
        rows = p->parts;
    } while (rows > 1);
    return count;
}

/* The passes for a node; returns how many. */
static int plan_passes(const heed_node *n, reduce_pass *passes)
{
    const reduce_attributes *a = n->attributes;
    const heed_shape *shape = &n->inputs[0]->shape;
    int count = 0;
    int64_t kept_after = 1; /* elements behind the group at hand: all reduced axes there are gone already */
    for (int i = shape->rank - 1; i >= 0;) {
        int64_t size = 1, before = 1;
        bool reduced = goes(a, i);
        for (; i >= 0 && goes(a, i) == reduced; i--)
            size *= shape->dims[i];
        for (int j = 0; j <= i; j++)
            before *= shape->dims[j];
        if (reduced)
            count = add_passes(passes, count, before, size, kept_after);
        else
            kept_after *= size;
    }
    return count > 0 ? count : add_passes(passes, 0, 1, 1, n->inputs[0]->count); /* nothing goes: a copy */
}

static int64_t left_by(const reduce_pass *p) { return p->outer * p->parts * p->columns; }

/* What each pass but the last leaves for the next, one after another. */
static size_t reduce_scratch(const heed_node *n, int threads)
{
    reduce_pass passes[MAX_PASSES];
    int count = plan_passes(n, passes);
    size_t elements = 0;
    for (int i = 0; i < count - 1; i++)
        elements += (size_t)left_by(&passes[i]);
    return elements * heed_dtype_size(n->outputs[0]->dtype);
}

/* ---- a part */

typedef struct reduce_work {
    const heed_kernels *kernels;
    reduce_function     function;
    const reduce_pass  *pass;
    const void         *x;
    void               *y;
    float               scale; /* of what goes out; 1 but in the last pass of a mean */
    int64_t             units, per_tile;
} reduce_work;

static void fold(const heed_kernels *k, heed_binary_function f, float start, int64_t rows, int64_t columns,
                 const float *x, int64_t ldx, float *y)
{
    for (int64_t j = 0; j < columns; j++)
        y[j] = start;
    for (int64_t i = 0; i < rows; i++)
        k->binary(f, columns, y, 1, x + i * ldx, 1, y);
}

static float smallest(int64_t n, const float *x)
{
    float low = INFINITY;
    for (int64_t i = 0; i < n; i++)
        low = low <= x[i] || isnan(low) ? low : x[i];
    return low;
}

static void reduce_floats(const reduce_work *w, int64_t rows, int64_t columns, const float *x, float *y)
{
    const heed_kernels *k = w->kernels;
    int64_t ldx = w->pass->columns;
    if (w->function == REDUCE_MAX) {
        if (ldx == 1)
            *y = k->maximum(rows, x);
        else
            fold(k, HEED_BINARY_MAXIMUM, -INFINITY, rows, columns, x, ldx, y);
    } else if (w->function == REDUCE_MIN) {
        if (ldx == 1)
            *y = smallest(rows, x);
        else
            fold(k, HEED_BINARY_MINIMUM, INFINITY, rows, columns, x, ldx, y);
    } else {
        if (ldx == 1) {
            *y = k->sum(rows, x);
        } else {
            memset(y, 0, (size_t)columns * sizeof *y);
            k->add_columns(rows, columns, x, ldx, y);
        }
        if (w->scale != 1)
            k->unary(HEED_UNARY_SCALE, columns, y, w->scale, 0, y);
    }
}

static void reduce_bools(int64_t rows, int64_t columns, const uint8_t *x, int64_t ldx, uint8_t *y)
{
    memset(y, 0, (size_t)columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            y[j] |= x[i * ldx + j];
}

/* A unit is one part of one block of columns. */
static void reduce_tile(void *work, int64_t tile, int thread)
{
    const reduce_work *w = work;
    const reduce_pass *p = w->pass;
    int64_t unit, n = heed_tile_range(w->units, w->per_tile, tile, &unit);
    for (int64_t end = unit + n; unit < end; unit++) {
        int64_t block = unit % p->blocks, part = unit / p->blocks % p->parts, outer = unit / p->blocks / p->parts;
        int64_t row, rows = heed_tile_range(p->rows, p->part, part, &row);
        int64_t column, columns = heed_tile_range(p->columns, p->width, block, &column);
        int64_t from = (outer * p->rows + row) * p->columns + column;
        int64_t to = (outer * p->parts + part) * p->columns + column;
        if (w->function == REDUCE_ANY)
            reduce_bools(rows, columns, (const uint8_t *)w->x + from, p->columns, (uint8_t *)w->y + to);
        else
            reduce_floats(w, rows, columns, (const float *)w->x + from, (float *)w->y + to);
    }
}

static void run_pass(const heed_exec *x, reduce_work *w)
{
    const reduce_pass *p = w->pass;
    int64_t rows = p->rows < p->part ? p->rows : p->part;
    w->units = p->outer * p->parts * p->blocks;
    w->per_tile = PART_ELEMENTS / (rows * p->width > 0 ? rows * p->width : 1);
    w->per_tile = w->per_tile < 1 ? 1 : w->per_tile;
    heed_parallel(x->pool, heed_tiles(w->units, w->per_tile), reduce_tile, w);
}

static heed_status reduce_forward(const heed_exec *x, const heed_node *n)
{
    const reduce_attributes *a = n->attributes;
    reduce_pass passes[MAX_PASSES];
    int count = plan_passes(n, passes);
    size_t size = heed_dtype_size(n->outputs[0]->dtype);
    unsigned char *scratch = heed_scratch(x, n);
    reduce_work w = {.kernels = x->kernels, .function = a->function, .x = heed_data(x, n->inputs[0]), .scale = 1};
    for (int i = 0; i < count; i++) {
        bool last = i == count - 1;
        w.pass = &passes[i];
        w.y = last ? heed_data(x, n->outputs[0]) : scratch;
        if (last && a->function == REDUCE_MEAN)
            w.scale = (float)((double)n->outputs[0]->count / (double)n->inputs[0]->count);
        run_pass(x, &w);
        scratch += (size_t)left_by(w.pass) * size;
        w.x = w.y;
    }
    return HEED_OK;
}

/* ---- gradient */

/* `t` of the result's shape, with the sizes of 1 in their place, so that it broadcasts against the input. */
static heed_tensor *kept(const heed_node *n, heed_tensor *t)
{
    const reduce_attributes *a = n->attributes;
    heed_shape shape = n->inputs[0]->shape;
    for (int i = 0; i < shape.rank; i++)
        if (goes(a, i))
            shape.dims[i] = 1;
    return heed_op_reshape(t, &shape);
}

static heed_tensor *reduce(heed_tensor *x, reduce_attributes a)
{
    return heed_node_output(NULL, &heed_kind_reduce, &a, sizeof a, &x, 1);
}

/* dy goes in equal shares to all elements that equal the result. */
static heed_tensor *shared_by_equals(heed_node *n, heed_tensor *dy)
{
    heed_tensor *x = n->inputs[0];
    reduce_attributes count = {REDUCE_SUM, ((const reduce_attributes *)n->attributes)->axes, true};
    heed_tensor *equal = heed_op_cast(heed_op_equal(x, kept(n, n->outputs[0])), HEED_FLOAT32);
    return heed_op_multiply(equal, heed_op_divide(kept(n, dy), reduce(equal, count)));
}

static heed_status reduce_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const reduce_attributes *a = n->attributes;
    heed_tensor *x = n->inputs[0];
    switch (a->function) {
    case REDUCE_SUM:
        dx[0] = heed_op_broadcast(kept(n, dy[0]), &x->shape);
        break;
    case REDUCE_MEAN:
        dx[0] = heed_op_scale(kept(n, dy[0]), (float)((double)n->outputs[0]->count / (double)x->count), 0);
        dx[0] = heed_op_broadcast(dx[0], &x->shape);
        break;
    case REDUCE_MAX:
    case REDUCE_MIN:
        dx[0] = shared_by_equals(n, dy[0]);
        break;
    case REDUCE_ANY: /* of bools: nothing flows */
        break;
    }
    return n->graph->status;
}

const heed_op heed_kind_reduce = {.name = "reduce", .shape = reduce_shape, .scratch = reduce_scratch,
                                  .forward = reduce_forward, .gradient = reduce_gradient};

/* ---- the functions by name */

static heed_tensor *reduce_axes(heed_tensor *x, reduce_function f, const int *axes, int count, bool keep)
{
    if (x == NULL)
        return NULL;
    reduce_attributes a = {f, count == 0 ? ~0u : 0, keep};
    for (int i = 0; i < count; i++) {
        int axis = heed_op_axis(x, function_name(f), axes[i]);
        if (axis < 0)
            return NULL;
        a.axes |= 1u << axis;
    }
    return reduce(x, a);
}

heed_tensor *heed_op_sum(heed_tensor *x, const int *axes, int count, bool keep)
{
    return reduce_axes(x, REDUCE_SUM, axes, count, keep);
}

heed_tensor *heed_op_mean(heed_tensor *x, const int *axes, int count, bool keep)
{
    return reduce_axes(x, REDUCE_MEAN, axes, count, keep);
}

heed_tensor *heed_op_max(heed_tensor *x, const int *axes, int count, bool keep)
{
    return reduce_axes(x, REDUCE_MAX, axes, count, keep);
}

heed_tensor *heed_op_min(heed_tensor *x, const int *axes, int count, bool keep)
{
    return reduce_axes(x, REDUCE_MIN, axes, count, keep);
}

heed_tensor *heed_op_any(heed_tensor *x, const int *axes, int count, bool keep)
{
    return reduce_axes(x, REDUCE_ANY, axes, count, keep);
}
