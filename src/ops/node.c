/* Building: nodes, leaves, and the ways in which a shape rule refuses. */
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

#define HEED_OP_ROW(name) &heed_kind_##name,
const heed_op *const heed_op_table[] = {HEED_OP_MAP(HEED_OP_ROW)};
const size_t heed_op_count = sizeof heed_op_table / sizeof *heed_op_table;
#undef HEED_OP_ROW

static heed_tensor *fail_memory(heed_graph *g)
{
    if (g->status == HEED_OK)
        g->status = HEED_ENOMEM;
    return NULL;
}

heed_tensor *heed_graph_fail(heed_graph *g, heed_status status, const char *format, ...)
{
    if (g->status != HEED_OK) /* the first failure is the one that explains */
        return NULL;
    va_list args;
    va_start(args, format);
    g->status = heed_vfail(g->context, status, format, args);
    va_end(args);
    return NULL;
}

heed_status heed_graph_status(const heed_graph *g) { return g->status; }

static heed_tensor *new_tensor(heed_graph *g)
{
    heed_tensor *t = heed_zone_alloc(&g->zone, 1, sizeof *t);
    if (t == NULL)
        return fail_memory(g);
    t->graph = g;
    t->storage = t;
    return t;
}

heed_tensor *heed_tensor_leaf(heed_graph *g, heed_place place, heed_dtype dtype, const heed_shape *shape)
{
    if (g->status != HEED_OK)
        return NULL;
    int64_t count = heed_shape_count(shape);
    if (count < 0)
        return heed_graph_fail(g, HEED_ESHAPE, "input: a size is unknown or too large");
    heed_tensor *t = new_tensor(g);
    if (t == NULL)
        return NULL;
    t->place = place;
    t->dtype = dtype;
    t->shape = *shape;
    t->count = count;
    if (place == HEED_PLACE_BOUND)
        t->slot = g->slots++;
    return t;
}

heed_tensor *heed_graph_input(heed_graph *g, heed_dtype dtype, const heed_shape *shape)
{
    return heed_tensor_leaf(g, HEED_PLACE_BOUND, dtype, shape);
}

heed_status heed_variable_claim(heed_variable *v)
{
    if (v->data == NULL)
        v->data = heed_alloc(v->context, (size_t)v->count, sizeof *v->data);
    return v->data == NULL ? HEED_ENOMEM : HEED_OK;
}

heed_tensor *heed_graph_variable(heed_graph *g, heed_variable *variable)
{
    if (variable == NULL)
        return heed_graph_fail(g, HEED_EINVAL, "heed_graph_variable: the variable is NULL");
    heed_tensor *t = heed_index_find_address(&g->leaves, variable);
    if (t != NULL)
        return t;
    t = heed_tensor_leaf(g, HEED_PLACE_VARIABLE, HEED_FLOAT32, &variable->shape);
    if (t == NULL || heed_index_put_address(&g->leaves, &g->zone, variable, t) != HEED_OK)
        return fail_memory(g);
    void *variables = g->variables;
    heed_status status = heed_grow(g->context, &variables, &g->variable_capacity, g->variable_count, sizeof t);
    g->variables = variables;
    if (status != HEED_OK)
        return fail_memory(g);
    g->variables[g->variable_count++] = t;
    t->variable = variable;
    return t;
}

heed_tensor *heed_graph_constant(heed_graph *g, const heed_array *value)
{
    if (value->dtype != HEED_FLOAT32 && value->dtype != HEED_INT32 && value->dtype != HEED_BOOL)
        return heed_graph_fail(g, HEED_EINVAL,
                               "heed_graph_constant: not a type to compute with (expected float32, int32 or bool, found %s)",
                               heed_dtype_name(value->dtype));
    heed_tensor *t = heed_tensor_leaf(g, HEED_PLACE_CONSTANT, value->dtype, &value->shape);
    if (t == NULL)
        return NULL;
    void *copy = heed_zone_alloc(&g->zone, (size_t)t->count, heed_dtype_size(t->dtype));
    if (copy == NULL)
        return fail_memory(g);
    if (t->count > 0)
        memcpy(copy, value->data, (size_t)t->count * heed_dtype_size(t->dtype));
    t->constant = copy;
    return t;
}

heed_graph       *heed_tensor_graph(const heed_tensor *t) { return t->graph; }
const heed_shape *heed_tensor_shape(const heed_tensor *t) { return t == NULL ? NULL : &t->shape; }
heed_dtype        heed_tensor_dtype(const heed_tensor *t) { return t == NULL ? HEED_FLOAT32 : t->dtype; }

int64_t heed_tensor_dim(const heed_tensor *t, int axis)
{
    if (t == NULL)
        return 0;
    axis = heed_axis(t->shape.rank, axis);
    return axis < 0 ? 0 : t->shape.dims[axis];
}

/* The graph that the operands agree on; NULL when there is none, or when they do not, which that graph then remembers. */
static heed_graph *common_graph(heed_graph *g, const heed_op *op, heed_tensor *const *inputs, int count)
{
    for (int i = 0; i < count && g == NULL; i++)
        g = inputs[i] == NULL ? NULL : inputs[i]->graph;
    for (int i = 0; i < count && g != NULL; i++) {
        if (inputs[i] == NULL) {
            heed_graph_fail(g, HEED_EINVAL, "%s: operand %d is NULL", op->name, i + 1);
            return NULL;
        }
        if (inputs[i]->graph != g) {
            heed_graph_fail(g, HEED_EINVAL, "%s: operand %d belongs to another graph", op->name, i + 1);
            return NULL;
        }
    }
    return g;
}

heed_node *heed_node_add(heed_graph *g, const heed_op *op, const void *attributes, size_t size,
                         heed_tensor *const *inputs, int input_count, int output_count)
{
    g = common_graph(g, op, inputs, input_count);
    if (g == NULL || g->status != HEED_OK)
        return NULL;
    if (g->planned) {
        heed_graph_fail(g, HEED_ESTATE, "%s: the graph is planned already and takes no more operations", op->name);
        return NULL;
    }
    void *nodes = g->nodes;
    g->status = heed_grow(g->context, &nodes, &g->node_capacity, g->node_count, sizeof *g->nodes);
    g->nodes = nodes;
    heed_node *n = heed_zone_alloc(&g->zone, 1, sizeof *n);
    heed_tensor **tensors = heed_zone_alloc(&g->zone, (size_t)(input_count + output_count), sizeof(heed_tensor *));
    void *copy = heed_zone_alloc(&g->zone, 1, size);
    if (g->status != HEED_OK || n == NULL || tensors == NULL || copy == NULL) {
        fail_memory(g);
        return NULL;
    }
    if (size > 0)
        memcpy(copy, attributes, size);
    *n = (heed_node){.op = op, .graph = g, .index = (int)g->node_count, .input_count = input_count,
                     .output_count = output_count, .inputs = tensors, .outputs = tensors + input_count,
                     .attributes = copy};
    if (input_count > 0)
        memcpy(n->inputs, inputs, (size_t)input_count * sizeof *inputs);
    for (int i = 0; i < output_count; i++) {
        heed_tensor *t = n->outputs[i] = new_tensor(g);
        if (t == NULL)
            return NULL;
        t->node = n;
        t->output = i;
        t->place = HEED_PLACE_ARENA;
    }
    heed_status status = op->shape(n);
    if (status != HEED_OK) {
        if (g->status == HEED_OK)
            g->status = status;
        return NULL;
    }
    for (int i = 0; i < output_count; i++) {
        n->outputs[i]->count = heed_shape_count(&n->outputs[i]->shape);
        if (n->outputs[i]->count < 0) {
            heed_graph_fail(g, HEED_ESHAPE, "%s: the result is too large", op->name);
            return NULL;
        }
    }
    if (op->alias)
        n->outputs[0]->storage = n->inputs[0]->storage;
    g->nodes[g->node_count++] = n;
    return n;
}

heed_tensor *heed_node_output(heed_graph *g, const heed_op *op, const void *attributes, size_t size,
                              heed_tensor *const *inputs, int input_count)
{
    heed_node *n = heed_node_add(g, op, attributes, size, inputs, input_count, 1);
    return n == NULL ? NULL : n->outputs[0];
}

heed_status heed_node_fail(heed_node *n, const char *format, ...)
{
    char text[HEED_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    heed_graph_fail(n->graph, HEED_ESHAPE, "%s: %s", n->op->name, text);
    return HEED_ESHAPE;
}

void heed_node_set(heed_node *n, int output, heed_dtype dtype, const heed_shape *shape)
{
    n->outputs[output]->dtype = dtype;
    n->outputs[output]->shape = *shape;
}

heed_status heed_node_expect(heed_node *n, int input, heed_dtype dtype)
{
    if (n->inputs[input]->dtype == dtype)
        return HEED_OK;
    return heed_node_fail(n, "operand %d has the wrong type (expected %s, found %s)", input + 1, heed_dtype_name(dtype),
                          heed_dtype_name(n->inputs[input]->dtype));
}

bool heed_shape_broadcast(const heed_shape *a, const heed_shape *b, heed_shape *out)
{
    heed_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= result.rank; i++) {
        int64_t p = i <= a->rank ? a->dims[a->rank - i] : 1, q = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (p != q && p != 1 && q != 1)
            return false;
        result.dims[result.rank - i] = p == 1 ? q : p;
    }
    *out = result;
    return true;
}

int heed_axis(int rank, int axis)
{
    if (axis < 0)
        axis += rank;
    return axis < 0 || axis >= rank ? -1 : axis;
}

heed_tensor *heed_unbroadcast(heed_tensor *x, heed_tensor *like)
{
    if (x == NULL || like == NULL || heed_shape_equal(&x->shape, &like->shape))
        return x;
    int axes[HEED_MAX_RANK], count = 0, extra = x->shape.rank - like->shape.rank;
    for (int i = 0; i < x->shape.rank; i++)
        if (i < extra || (like->shape.dims[i - extra] == 1 && x->shape.dims[i] != 1))
            axes[count++] = i;
    return heed_op_reshape(count == 0 ? x : heed_op_sum(x, axes, count, true), &like->shape);
}
