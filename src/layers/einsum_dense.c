#include "heed/layers.h"
#include "layers/einsum.h"
#include "layers/layer.h"

#include <string.h>

typedef struct einsum_dense {
    heed_variable *kernel, *bias;
} einsum_dense;

static heed_status einsum_dense_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(einsum_dense)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status read_equation(heed_layer *layer, int rank, heed_equation *e)
{
    const heed_einsum_dense_config *o = heed_layer_config(layer);
    const char *wrong = heed_equation_read(o->equation, (const int[]){rank, HEED_ANY}, 2, e);
    return wrong == NULL ? HEED_OK
                         : heed_layer_fail(layer, HEED_EINVAL, "equation: %s (found %s, for an input of rank %d)", wrong,
                                           o->equation == NULL ? "None" : o->equation, rank);
}

/* What an ellipsis stands for and the batch, which comes first, have the input's sizes; output_shape has the others, in
 * order. */
static heed_status size_output(heed_layer *layer, const heed_equation *e, int64_t *sizes)
{
    const heed_einsum_dense_config *o = heed_layer_config(layer);
    int given = 0, wanted = 0;
    for (const char *letter = e->result; *letter != '\0'; letter++) {
        if (*letter <= '9' || *letter == e->terms[0][0])
            continue;
        int64_t *size = &sizes[(unsigned char)*letter], asked = given < o->output_shape.rank
                                                                    ? o->output_shape.dims[given++] : HEED_ANY;
        wanted++;
        if (asked != HEED_ANY && *size != HEED_ANY && *size != 0 && *size != asked)
            return heed_layer_fail(layer, HEED_ESHAPE,
                                   "output_shape does not fit the input along %c (expected %lld, found %lld)", *letter,
                                   (long long)*size, (long long)asked);
        if (asked != HEED_ANY)
            *size = asked;
    }
    if (wanted != o->output_shape.rank)
        return heed_layer_fail(layer, HEED_EINVAL, "output_shape has %d sizes (expected %d for %s)",
                               o->output_shape.rank, wanted, o->equation);
    return HEED_OK;
}

static heed_status build_kernel(heed_layer *layer, const heed_equation *e, const int64_t *sizes)
{
    const heed_einsum_dense_config *o = heed_layer_config(layer);
    einsum_dense *d = heed_layer_state(layer);
    heed_shape shape = {(int)strlen(e->terms[1]), {0}};
    double in = 1.0, out = 1.0;
    for (int i = 0; i < shape.rank; i++) {
        char letter = e->terms[1][i];
        shape.dims[i] = sizes[(unsigned char)letter];
        if (strchr(e->terms[0], letter) == NULL && strchr(e->result, letter) == NULL)
            return heed_layer_fail(layer, HEED_EINVAL, "equation: neither input nor output has the kernel's %c (found %s)",
                                   letter, o->equation);
        *(strchr(e->result, letter) != NULL ? &out : &in) *= (double)shape.dims[i];
    }
    d->kernel = heed_layer_weight(layer, "kernel", &shape, o->kernel_initializer, o->kernel_regularizer,
                                  o->kernel_constraint, true);
    if (d->kernel != NULL) {
        d->kernel->fan_in = in;
        d->kernel->fan_out = out;
    }
    return HEED_OK;
}

/* Of the output's letters from the first bias axis on, 1 for those that are none. */
static heed_status build_bias(heed_layer *layer, const heed_equation *e, const int64_t *sizes)
{
    const heed_einsum_dense_config *o = heed_layer_config(layer);
    einsum_dense *d = heed_layer_state(layer);
    heed_shape shape = {0};
    if (o->bias_axes == NULL)
        return HEED_OK;
    for (const char *letter = o->bias_axes; *letter != '\0'; letter++)
        if (strchr(e->result, *letter) == NULL)
            return heed_layer_fail(layer, HEED_EINVAL, "bias_axes: the output has no %c (found %s, of %s)", *letter,
                                   o->bias_axes, o->equation);
    for (const char *letter = e->result; *letter != '\0'; letter++) {
        bool differs = strchr(o->bias_axes, *letter) != NULL;
        if (differs || shape.rank > 0)
            shape.dims[shape.rank++] = differs ? sizes[(unsigned char)*letter] : 1;
    }
    d->bias =
        heed_layer_weight(layer, "bias", &shape, o->bias_initializer, o->bias_regularizer, o->bias_constraint, true);
    return HEED_OK;
}

static heed_status einsum_dense_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_equation e;
    int64_t sizes[128] = {0};
    HEED_TRY(read_equation(layer, inputs->rank, &e));
    for (int i = 0; i < inputs->rank; i++)
        sizes[(unsigned char)e.terms[0][i]] = inputs->dims[i];
    HEED_TRY(size_output(layer, &e, sizes));
    HEED_TRY(build_kernel(layer, &e, sizes));
    return build_bias(layer, &e, sizes);
}

static heed_status einsum_dense_call(heed_layer *layer, heed_call *call)
{
    const heed_einsum_dense_config *o = heed_layer_config(layer);
    const einsum_dense *d = heed_layer_state(layer);
    heed_tensor *operands[] = {call->inputs[0], heed_graph_variable(call->graph, d->kernel)};
    heed_equation e;
    HEED_TRY(read_equation(layer, call->inputs[0]->shape.rank, &e));
    heed_tensor *y = heed_einsum(&e, operands);
    if (d->bias != NULL)
        y = heed_op_add(y, heed_graph_variable(call->graph, d->bias));
    call->outputs[0] = heed_activate(y, o->activation);
    return HEED_OK;
}

const heed_layer_class heed_einsum_dense_class = {
    .name = "EinsumDense",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_einsum_dense_config, HEED_EINSUM_DENSE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = einsum_dense_init,
    .build = einsum_dense_build,
    .call = einsum_dense_call,
    .equation = "y = activation(einsum(x, W) + b)",
    .shapes = "x -> y, of the letters that the equation gives them",
    .masks = "they do not count, and end here, as in Keras",
    .weights = "kernel (its letters' sizes)\n"
               "bias (sizes of the output's letters from the first bias axis on; 1 for those that are none): with bias_axes",
    .source = "Keras, layers/core/einsum_dense.py",
    .differs = "nothing",
};
