/* The same number everywhere. */
#include "ops/walk.h"

typedef struct fill_attributes {
    heed_shape shape;
    float      value;
} fill_attributes;

static heed_status fill_shape(heed_node *n)
{
    const fill_attributes *a = n->attributes;
    if (heed_shape_count(&a->shape) < 0)
        return heed_node_fail(n, "a size is unknown or too large");
    heed_node_set(n, 0, HEED_FLOAT32, &a->shape);
    return HEED_OK;
}

static heed_status fill_forward(const heed_exec *x, const heed_node *n)
{
    const fill_attributes *a = n->attributes;
    heed_fill(x, n->outputs[0]->count, sizeof(float), &a->value, heed_data(x, n->outputs[0]));
    return HEED_OK;
}

const heed_op heed_kind_fill = {
    .name = "fill", .shape = fill_shape, .forward = fill_forward, .no_gradient = "it depends on nothing"};

bool heed_is_zero(const heed_tensor *t)
{
    return t->node != NULL && t->node->op == &heed_kind_fill && ((const fill_attributes *)t->node->attributes)->value == 0.0f;
}

heed_tensor *heed_graph_fill(heed_graph *g, const heed_shape *shape, float value)
{
    fill_attributes a = {*shape, value};
    return heed_node_output(g, &heed_kind_fill, &a, sizeof a, NULL, 0);
}

heed_tensor *heed_graph_scalar(heed_graph *g, float value)
{
    return heed_graph_fill(g, &(heed_shape){.rank = 0}, value);
}
