/* y = f(x), element by element. */
#include "ops/op.h"

#include <string.h>

typedef struct unary_attributes {
    heed_unary_function function;
    float a, b;
} unary_attributes;

static heed_status unary_shape(heed_node *n)
{
    for (int i = 0; i < n->input_count; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[0]->shape);
    return HEED_OK;
}

typedef struct unary_work {
    const heed_kernels     *kernels;
    const unary_attributes *attributes;
    const float            *x, *y, *dy; /* y and dy for the gradient only */
    float                  *out;
    int64_t                 count;
} unary_work;

static void unary_tile(void *work, int64_t tile, int thread)
{
    const unary_work *w = work;
    int64_t i, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &i);
    w->kernels->unary(w->attributes->function, n, w->x + i, w->attributes->a, w->attributes->b, w->out + i);
}

static heed_status unary_forward(const heed_exec *x, const heed_node *n)
{
    unary_work w = {.kernels = x->kernels, .attributes = n->attributes, .x = heed_data(x, n->inputs[0]),
                    .out = heed_data(x, n->outputs[0]), .count = n->outputs[0]->count};
    heed_parallel(x->pool, heed_tiles(w.count, HEED_TILE_ELEMENTS), unary_tile, &w);
    return HEED_OK;
}

static heed_status unary_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[] = {n->inputs[0], n->outputs[0], dy[0]};
    dx[0] = heed_node_output(n->graph, &heed_kind_unary_gradient, n->attributes, sizeof(unary_attributes), inputs, 3);
    return n->graph->status;
}

const heed_op heed_kind_unary = {
    .name = "unary", .shape = unary_shape, .forward = unary_forward, .gradient = unary_gradient, .in_place = 1};

/* ---- dx = dy f'(x), from x, f(x) and dy */

static void unary_gradient_tile(void *work, int64_t tile, int thread)
{
    const unary_work *w = work;
    int64_t i, n = heed_tile_range(w->count, HEED_TILE_ELEMENTS, tile, &i);
    w->kernels->unary_gradient(w->attributes->function, n, w->x + i, w->y + i, w->dy + i, w->attributes->a,
                               w->attributes->b, w->out + i);
}

static heed_status unary_gradient_forward(const heed_exec *x, const heed_node *n)
{
    unary_work w = {.kernels = x->kernels, .attributes = n->attributes, .x = heed_data(x, n->inputs[0]),
                    .y = heed_data(x, n->inputs[1]), .dy = heed_data(x, n->inputs[2]),
                    .out = heed_data(x, n->outputs[0]), .count = n->outputs[0]->count};
    heed_parallel(x->pool, heed_tiles(w.count, HEED_TILE_ELEMENTS), unary_gradient_tile, &w);
    return HEED_OK;
}

const heed_op heed_kind_unary_gradient = {
    .name = "unary_gradient", .shape = unary_shape, .forward = unary_gradient_forward, .in_place = 3,
    .no_gradient = "second derivatives are not taken"};

/* ---- the functions by name */

static heed_tensor *unary(heed_tensor *x, heed_unary_function function, float a, float b)
{
    unary_attributes attributes = {function, a, b};
    return heed_node_output(NULL, &heed_kind_unary, &attributes, sizeof attributes, &x, 1);
}

heed_tensor *heed_op_negative(heed_tensor *x) { return unary(x, HEED_UNARY_NEGATIVE, 0, 0); }
heed_tensor *heed_op_scale(heed_tensor *x, float a, float b) { return unary(x, HEED_UNARY_SCALE, a, b); }
heed_tensor *heed_op_abs(heed_tensor *x) { return unary(x, HEED_UNARY_ABS, 0, 0); }
heed_tensor *heed_op_sign(heed_tensor *x) { return unary(x, HEED_UNARY_SIGN, 0, 0); }
heed_tensor *heed_op_square(heed_tensor *x) { return unary(x, HEED_UNARY_SQUARE, 0, 0); }
heed_tensor *heed_op_sqrt(heed_tensor *x) { return unary(x, HEED_UNARY_SQRT, 0, 0); }
heed_tensor *heed_op_rsqrt(heed_tensor *x) { return unary(x, HEED_UNARY_RSQRT, 0, 0); }
heed_tensor *heed_op_reciprocal(heed_tensor *x) { return unary(x, HEED_UNARY_RECIPROCAL, 0, 0); }
heed_tensor *heed_op_exp(heed_tensor *x) { return unary(x, HEED_UNARY_EXP, 0, 0); }
heed_tensor *heed_op_log(heed_tensor *x) { return unary(x, HEED_UNARY_LOG, 0, 0); }
heed_tensor *heed_op_power(heed_tensor *x, float exponent) { return unary(x, HEED_UNARY_POWER, exponent, 0); }
heed_tensor *heed_op_clip(heed_tensor *x, float low, float high) { return unary(x, HEED_UNARY_CLIP, low, high); }
heed_tensor *heed_op_tanh(heed_tensor *x) { return unary(x, HEED_UNARY_TANH, 0, 0); }
heed_tensor *heed_op_sigmoid(heed_tensor *x) { return unary(x, HEED_UNARY_SIGMOID, 0, 0); }
heed_tensor *heed_op_relu(heed_tensor *x) { return unary(x, HEED_UNARY_RELU, 0, 0); }

heed_tensor *heed_op_function(heed_tensor *x, const char *name, float a, float b)
{
    static const char *const names[] = {
#define HEED_UNARY_NAME(id, text) text,
        HEED_UNARY_MAP(HEED_UNARY_NAME)
#undef HEED_UNARY_NAME
    };
    if (x == NULL)
        return NULL;
    for (int i = 0; i < HEED_UNARY_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return unary(x, (heed_unary_function)i, a, b);
    return heed_graph_fail(x->graph, HEED_ENOTFOUND, "%s: no elementwise function of this name", name);
}

bool heed_node_is_unary(const heed_node *n, heed_unary_function function)
{
    return n->op == &heed_kind_unary && ((const unary_attributes *)n->attributes)->function == function;
}
