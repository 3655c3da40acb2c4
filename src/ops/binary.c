/* y = f(a, b), element by element, the operands broadcast. */
#include "ops/walk.h"

typedef struct binary_attributes {
    heed_binary_function function;
} binary_attributes;

static const char *function_name(heed_binary_function f)
{
    static const char *const names[] = {
#define HEED_BINARY_NAME(id, text) text,
        HEED_BINARY_MAP(HEED_BINARY_NAME)
#undef HEED_BINARY_NAME
    };
    return names[f];
}

static heed_status binary_shape(heed_node *n)
{
    const binary_attributes *attributes = n->attributes;
    HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, 1, HEED_FLOAT32));
    heed_shape shape;
    HEED_TRY(heed_node_broadcast(n, function_name(attributes->function), &shape));
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

typedef struct binary_work {
    const heed_kernels  *kernels;
    heed_binary_function function;
    const float         *a, *b;
    float               *y;
} binary_work;

static void binary_run(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps)
{
    const binary_work *w = work;
    w->kernels->binary(w->function, n, w->a + offsets[0], steps[0], w->b + offsets[1], steps[1], w->y + at);
}

static heed_status binary_forward(const heed_exec *x, const heed_node *n)
{
    const binary_attributes *attributes = n->attributes;
    binary_work work = {.kernels = x->kernels, .function = attributes->function, .a = heed_data(x, n->inputs[0]),
                        .b = heed_data(x, n->inputs[1]), .y = heed_data(x, n->outputs[0])};
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[1]->shape);
    heed_walk_parallel(x, &walk, HEED_TILE_ELEMENTS, binary_run, &work);
    return HEED_OK;
}

/* The gradient of the full shape, before what broadcasting had repeated is summed up. */
static void full_gradient(heed_binary_function f, heed_tensor *a, heed_tensor *b, heed_tensor *y, heed_tensor *dy,
                          heed_tensor **da, heed_tensor **db)
{
    heed_tensor *zero, *to_a;
    switch (f) {
    case HEED_BINARY_ADD:
    case HEED_BINARY_SUBTRACT:
        *da = *db = dy;
        break;
    case HEED_BINARY_MULTIPLY:
        *da = heed_op_multiply(dy, b);
        *db = heed_op_multiply(dy, a);
        break;
    case HEED_BINARY_DIVIDE:
        *da = heed_op_divide(dy, b);
        *db = heed_op_negative(heed_op_multiply(*da, y));
        break;
    case HEED_BINARY_MAXIMUM:
    case HEED_BINARY_MINIMUM:
        zero = heed_graph_scalar(dy->graph, 0);
        to_a = f == HEED_BINARY_MAXIMUM ? heed_op_greater_equal(a, b) : heed_op_less_equal(a, b);
        *da = heed_op_select(to_a, dy, zero);
        *db = heed_op_select(to_a, zero, dy);
        break;
    case HEED_BINARY_COUNT:
        break;
    }
}

static heed_status binary_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const binary_attributes *attributes = n->attributes;
    heed_tensor *da = NULL, *db = NULL;
    full_gradient(attributes->function, n->inputs[0], n->inputs[1], n->outputs[0], dy[0], &da, &db);
    dx[0] = heed_unbroadcast(da, n->inputs[0]);
    dx[1] = heed_unbroadcast(db, n->inputs[1]);
    if (attributes->function == HEED_BINARY_SUBTRACT)
        dx[1] = heed_op_negative(dx[1]);
    return n->graph->status;
}

const heed_op heed_kind_binary = {
    .name = "binary", .shape = binary_shape, .forward = binary_forward, .gradient = binary_gradient, .in_place = 1};

static heed_tensor *binary(heed_binary_function f, heed_tensor *a, heed_tensor *b)
{
    binary_attributes attributes = {f};
    return heed_node_output(NULL, &heed_kind_binary, &attributes, sizeof attributes, (heed_tensor *[]){a, b}, 2);
}

bool heed_node_is_sum(const heed_node *n)
{
    return n->op == &heed_kind_binary && ((const binary_attributes *)n->attributes)->function == HEED_BINARY_ADD;
}

heed_tensor *heed_op_add(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_ADD, a, b); }
heed_tensor *heed_op_subtract(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_SUBTRACT, a, b); }
heed_tensor *heed_op_multiply(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_MULTIPLY, a, b); }
heed_tensor *heed_op_divide(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_DIVIDE, a, b); }
heed_tensor *heed_op_maximum(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_MAXIMUM, a, b); }
heed_tensor *heed_op_minimum(heed_tensor *a, heed_tensor *b) { return binary(HEED_BINARY_MINIMUM, a, b); }
