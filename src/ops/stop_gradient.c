/* x itself, through which no gradient flows. */
#include "ops/op.h"

static heed_status stop_gradient_shape(heed_node *n)
{
    heed_node_set(n, 0, n->inputs[0]->dtype, &n->inputs[0]->shape);
    return HEED_OK;
}

const heed_op heed_kind_stop_gradient = {
    .name = "stop_gradient", .shape = stop_gradient_shape, .alias = true, .no_gradient = "that is its purpose"};

heed_tensor *heed_op_stop_gradient(heed_tensor *x)
{
    return heed_node_output(NULL, &heed_kind_stop_gradient, NULL, 0, &x, 1);
}
