/* Sums along an axis by constant weights of which most are zero, as resizing has them: only the others are visited. */
#include "ops/walk.h"

/* Of a matrix (rows, ...), what is not zero: row i's shares are those from starts[i] to before starts[i + 1]. */
typedef struct sparse {
    int64_t           rows;
    const int64_t    *starts;
    const heed_share *shares;
} sparse;

typedef struct blend_attributes {
    int    axis;
    sparse weights, transposed; /* the latter are the gradient's */
} blend_attributes;

static heed_status blend_shape(heed_node *n)
{
    const blend_attributes *b = n->attributes;
    heed_shape shape = n->inputs[0]->shape;
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    shape.dims[b->axis] = b->weights.rows;
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

typedef struct blend_work {
    const heed_kernels *kernels;
    const sparse       *weights;
    heed_around         around; /* of the operand */
    const float        *x;
    float              *y;
    int64_t             rows, row_tiles; /* of a tile */
} blend_work;

static void blend_tile(void *work, int64_t tile, int thread)
{
    const blend_work *w = work;
    int64_t first, n = w->around.after, before = tile / w->row_tiles;
    int64_t rows = heed_tile_range(w->weights->rows, w->rows, tile % w->row_tiles, &first);
    w->kernels->blend(rows, n, w->weights->starts + first, w->weights->shares, w->x + before * w->around.n * n,
                      w->y + (before * w->weights->rows + first) * n);
}

static heed_status blend_forward(const heed_exec *x, const heed_node *n)
{
    const blend_attributes *b = n->attributes;
    blend_work w = {.kernels = x->kernels, .weights = &b->weights, .x = heed_data(x, n->inputs[0]),
                    .y = heed_data(x, n->outputs[0]), .around = heed_shape_around(&n->inputs[0]->shape, b->axis)};
    w.rows = heed_tile_rows(w.around.after);
    w.row_tiles = heed_tiles(w.weights->rows, w.rows);
    heed_parallel(x->pool, w.around.before * w.row_tiles, blend_tile, &w);
    return HEED_OK;
}

static heed_status blend_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const blend_attributes *b = n->attributes;
    blend_attributes back = {b->axis, b->transposed, b->weights};
    dx[0] = heed_node_output(NULL, &heed_kind_blend, &back, sizeof back, dy, 1);
    return n->graph->status;
}

const heed_op heed_kind_blend = {
    .name = "blend", .shape = blend_shape, .forward = blend_forward, .gradient = blend_gradient};

/* The weights of a matrix (rows, columns) whose element (i, j) is matrix[i * row + j * column]. */
static bool gather_shares(heed_graph *g, const float *matrix, int64_t rows, int64_t columns, int64_t row,
                          int64_t column, sparse *out)
{
    int64_t count = 0;
    for (int64_t i = 0; i < rows * columns; i++)
        count += matrix[i] != 0.0f;
    int64_t *starts = heed_zone_alloc(&g->zone, (size_t)rows + 1, sizeof *starts);
    heed_share *shares = heed_zone_alloc(&g->zone, (size_t)count, sizeof *shares);
    if (starts == NULL || shares == NULL)
        return false;
    count = 0;
    for (int64_t i = 0; i < rows; i++) {
        starts[i] = count;
        for (int64_t j = 0; j < columns; j++) {
            float weight = matrix[i * row + j * column];
            if (weight != 0.0f)
                shares[count++] = (heed_share){j, weight};
        }
    }
    starts[rows] = count;
    *out = (sparse){rows, starts, shares};
    return true;
}

heed_tensor *heed_op_blend(heed_tensor *x, int axis, const float *matrix, int64_t to)
{
    int at = x == NULL ? -1 : heed_op_axis(x, "blend", axis);
    if (at < 0)
        return NULL;
    blend_attributes a = {.axis = at};
    int64_t from = x->shape.dims[at];
    if (!gather_shares(x->graph, matrix, to, from, from, 1, &a.weights) ||
        !gather_shares(x->graph, matrix, from, to, 1, from, &a.transposed))
        return heed_graph_fail(x->graph, HEED_ENOMEM, "blend: no memory for the weights");
    return heed_node_output(NULL, &heed_kind_blend, &a, sizeof a, &x, 1);
}
