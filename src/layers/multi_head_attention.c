/* keras-multi-head's MultiHeadAttention. */
#include "heed/attention.h"
#include "layers/attend.h"
#include "layers/layer.h"

typedef heed_multi_head_multi_head_attention_config options;

enum { QUERY, KEY, VALUE, OUTPUT, PROJECTIONS };

typedef struct heads {
    heed_variable *kernels[PROJECTIONS], *biases[PROJECTIONS];
} heads;

static heed_status heads_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(heads)) == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status heads_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    static const char *const names[PROJECTIONS][2] = {{"Wq", "bq"}, {"Wk", "bk"}, {"Wv", "bv"}, {"Wo", "bo"}};
    const options *o = heed_layer_config(layer);
    heads *h = heed_layer_state(layer);
    if (count == 2)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "the number of inputs does not fit (expected x, or q, k and v, found 2)");
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    const heed_shape *key = &inputs[count == 1 ? 0 : KEY], *value = &inputs[count - 1];
    if (key->dims[1] != value->dims[1] && key->dims[1] != HEED_ANY && value->dims[1] != HEED_ANY)
        return heed_layer_fail(layer, HEED_ESHAPE, "key and value differ in their steps (expected %lld, found %lld)",
                               (long long)key->dims[1], (long long)value->dims[1]);
    int64_t width = inputs[count - 1].dims[2];
    if (width % o->head_num != 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "head_num does not divide the features of the value (expected a divisor of "
                               "%lld, found %d)", (long long)width, o->head_num);
    for (int i = 0; i < PROJECTIONS; i++) {
        heed_shape kernel = {2, {i == OUTPUT ? width : inputs[count == 1 ? 0 : i].dims[2], width}}, bias = {1, {width}};
        h->kernels[i] = heed_layer_weight(layer, names[i][0], &kernel, o->kernel_initializer, o->kernel_regularizer,
                                          o->kernel_constraint, true);
        if (o->use_bias)
            h->biases[i] = heed_layer_weight(layer, names[i][1], &bias, o->bias_initializer, o->bias_regularizer,
                                             o->bias_constraint, true);
    }
    return HEED_OK;
}

static heed_tensor *project(heed_layer *layer, heed_graph *g, int which, heed_tensor *x)
{
    const options *o = heed_layer_config(layer);
    const heads *h = heed_layer_state(layer);
    heed_tensor *bias = h->biases[which] == NULL ? NULL : heed_graph_variable(g, h->biases[which]);
    return heed_activate(heed_op_dense(x, heed_graph_variable(g, h->kernels[which]), bias), o->activation);
}

/* (B, T, n d) to (B, T, n, d). */
static heed_tensor *split(heed_tensor *x, int head_num)
{
    heed_shape shape = {4, {heed_tensor_dim(x, 0), heed_tensor_dim(x, 1), head_num, heed_tensor_dim(x, 2) / head_num}};
    return heed_op_reshape(x, &shape);
}

/* As first written, 10000 is taken from a score for each reason to hide it: a query that sees nothing looks where there is
 * one reason only. */
static heed_status heads_call(heed_layer *layer, heed_call *call)
{
    const options *o = heed_layer_config(layer);
    HEED_TRY(heed_check_batches(layer, call));
    int key = call->input_count == 1 ? 0 : KEY, value = call->input_count == 1 ? 0 : VALUE;
    heed_tensor *q = split(project(layer, call->graph, QUERY, call->inputs[0]), o->head_num);
    heed_tensor *k = split(project(layer, call->graph, KEY, call->inputs[key]), o->head_num);
    heed_tensor *v = split(project(layer, call->graph, VALUE, call->inputs[value]), o->head_num);
    heed_op_attention_config config = {.key_mask = call->masks[key], .banded = o->history_only,
                                       .behind = INT64_MAX / 2,
                                       .blind = o->corrected ? HEED_BLIND_ZEROS : HEED_BLIND_SECOND};
    heed_tensor *weights = NULL;
    heed_tensor *y = heed_op_attention(q, k, v, &config, heed_call_wants_attention(call) ? &weights : NULL);
    heed_shape joined = {3, {heed_tensor_dim(y, 0), heed_tensor_dim(y, 1), heed_tensor_dim(y, 2) * heed_tensor_dim(y, 3)}};
    heed_call_publish(call, layer, weights);
    call->outputs[0] = project(layer, call->graph, OUTPUT, heed_op_reshape(y, &joined));
    return HEED_OK;
}

const heed_layer_class heed_multi_head_multi_head_attention_class = {
    .name = "MultiHeadAttention",
    .collection = "keras-multi-head",
    HEED_CLASS_OPTIONS(options, HEED_MULTI_HEAD_MULTI_HEAD_ATTENTION_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 3,
    .passes_mask = true,
    .init = heads_init,
    .build = heads_build,
    .call = heads_call,
    .equation = "q = f(q Wq + bq), k = f(k Wk + bk), v = f(v Wv + bv), each cut into heads\n"
                "a = softmax(q k^T / sqrt(d)); y = f((a v of all heads) Wo + bo)",
    .shapes = "x (B, T, F), or q (B, Tq, Dq), k (B, Tk, Dk) and v (B, Tk, F) -> y (B, Tq, F)",
    .masks = "masked keys get no weight; a query that sees none gets only the bias; the query's goes on",
    .weights = "Wq (Dq, F)\n"
               "bq (F): with use_bias\n"
               "Wk (Dk, F)\n"
               "bk (F): with use_bias\n"
               "Wv (F, F)\n"
               "bv (F): with use_bias\n"
               "Wo (F, F)\n"
               "bo (F): with use_bias",
    .source = "Vaswani et al. 2017, section 3.2.2; keras-multi-head, multi_head_attention.py",
    .differs = "The activation is none by default, where the original has relu. corrected=True leaves padding out, "
               "as in ScaledDotProductAttention.",
};
