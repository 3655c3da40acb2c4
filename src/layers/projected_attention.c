/* Keras' MultiHeadAttention and GroupQueryAttention: attention between projections of its inputs. */
#include "heed/layers.h"
#include "layers/attend.h"
#include "layers/layer.h"
#include "layers/mask.h"

#include <stdio.h>
#include <string.h>

enum { QUERY, KEY, GATE, VALUE, OUTPUT, PROJECTIONS }; /* in the order of their weights */

/* What both classes come down to. */
typedef struct heads {
    bool        grouped;
    int64_t     heads, key_heads, size, value_size; /* sizes of a head */
    double      dropout;
    bool        use_bias, use_gate;
    int64_t     window; /* HEED_NONE: none */
    const char *weights[6]; /* options of the projections: kernel's initializer, regularizer, constraint, bias' */
    heed_shape  output_shape;
    heed_shape  axes; /* attended over, from 0 on and in order; rank 0: all but the first and last */
    heed_layer *projections[PROJECTIONS]; /* EinsumDense; NULL: none */
} heads;

#define WEIGHTS_OF(o)                                                                                                  \
    {                                                                                                                  \
        (o)->kernel_initializer, (o)->kernel_regularizer, (o)->kernel_constraint, (o)->bias_initializer,               \
            (o)->bias_regularizer, (o)->bias_constraint                                                                \
    }

static heed_status multi_head_init(heed_layer *layer)
{
    const heed_multi_head_attention_config *o = heed_layer_config(layer);
    heads *h = heed_layer_alloc(layer, sizeof *h);
    if (h == NULL)
        return HEED_ENOMEM;
    *h = (heads){.heads = o->num_heads, .key_heads = o->num_heads, .size = o->key_dim, .dropout = o->dropout,
                 .value_size = o->value_dim == HEED_NONE ? o->key_dim : o->value_dim, .use_bias = o->use_bias,
                 .use_gate = o->use_gate, .window = o->sliding_window, .weights = WEIGHTS_OF(o),
                 .output_shape = o->output_shape, .axes = o->attention_axes};
    return HEED_OK;
}

static heed_status group_init(heed_layer *layer)
{
    const heed_group_query_attention_config *o = heed_layer_config(layer);
    heads *h = heed_layer_alloc(layer, sizeof *h);
    if (h == NULL)
        return HEED_ENOMEM;
    *h = (heads){.grouped = true, .heads = o->num_query_heads, .key_heads = o->num_key_value_heads, .size = o->head_dim,
                 .value_size = o->head_dim, .dropout = o->dropout, .use_bias = o->use_bias, .use_gate = o->use_gate,
                 .window = o->sliding_window, .weights = WEIGHTS_OF(o)};
    if (h->heads % h->key_heads != 0)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "num_key_value_heads does not divide num_query_heads (found %lld and %lld)",
                               (long long)h->key_heads, (long long)h->heads);
    return HEED_OK;
}

/* ---- building ---- */

/* Makes a projection of the features of x into heads; or of heads, for the output. */
static heed_status make_projection(heed_layer *layer, int which, const heed_shape *x, heed_shape output)
{
    static const char *const names[PROJECTIONS] = {"query", "key", "gate", "value", "attention_output"};
    static const char *const attributes[2][PROJECTIONS] = {
        {"query_dense", "key_dense", "_gate_dense", "value_dense", "output_dense"},
        {"_query_dense", "_key_dense", "_gate_dense", "_value_dense", "_output_dense"}};
    heads *h = heed_layer_state(layer);
    const int summed = which == OUTPUT ? 2 : 1, free = x->rank - summed;
    char equation[8 * HEED_MAX_RANK] = "", bias[HEED_MAX_RANK + 1] = "";
    heed_shape sizes = {free - 1 + output.rank, {0}}, shape = *x;
    for (int i = 0; i < output.rank; i++)
        bias[i] = (char)('p' + i);
    snprintf(equation, sizeof equation, "%.*s,%.*s%s->%.*s%s", x->rank, "abcdefghij", summed, &"abcdefghij"[free], bias,
             free, "abcdefghij", bias);
    for (int i = 0; i < sizes.rank; i++)
        sizes.dims[i] = i < free - 1 ? HEED_ANY : output.dims[i - free + 1];
    const char *const *w = h->weights;
    heed_spec spec = heed_einsum_dense(
        .name = names[which], .equation = equation, .output_shape = sizes, .bias_axes = h->use_bias ? bias : NULL,
        .activation = which == GATE ? "sigmoid" : NULL, .kernel_initializer = w[0], .kernel_regularizer = w[1],
        .kernel_constraint = w[2], .bias_initializer = w[3], .bias_regularizer = w[4], .bias_constraint = w[5]);
    HEED_TRY(heed_layer_child(layer, attributes[h->grouped][which], spec, &h->projections[which]));
    return heed_layer_build(h->projections[which], &shape, 1);
}

/* Refuses what is no sequence, and a key whose steps are not the value's. */
static heed_status check_shapes(heed_layer *layer, const heed_shape *query, const heed_shape *value,
                                const heed_shape *key)
{
    const heads *h = heed_layer_state(layer);
    const heed_shape *inputs[] = {query, value, key};
    char a[128], b[128];
    for (int i = 0; i < 3; i++)
        if (inputs[i]->rank < 3 || inputs[i]->rank != query->rank || (h->grouped && query->rank > 3))
            return heed_layer_fail(layer, HEED_ESHAPE, "input %d is no sequence (expected rank %s, found %s)", i + 1,
                                   h->grouped ? "3" : i == 0 ? "3 or more" : "as the query's",
                                   heed_shape_text(inputs[i], a, sizeof a));
    for (int i = 1; i < value->rank - 1; i++)
        if (value->dims[i] != key->dims[i] && value->dims[i] != HEED_ANY && key->dims[i] != HEED_ANY)
            return heed_layer_fail(layer, HEED_ESHAPE, "key and value differ in their steps (found %s and %s)",
                                   heed_shape_text(key, a, sizeof a), heed_shape_text(value, b, sizeof b));
    if (h->grouped && query->dims[2] != value->dims[2])
        return heed_layer_fail(layer, HEED_ESHAPE, "query and value differ in their features (found %lld and %lld)",
                               (long long)query->dims[2], (long long)value->dims[2]);
    return HEED_OK;
}

/* attention_axes counted from the start; all axes between the first and the last where there are none. */
static heed_status settle_axes(heed_layer *layer, int rank)
{
    heads *h = heed_layer_state(layer);
    bool all = h->axes.rank == 0, taken[HEED_MAX_RANK] = {false};
    if (all)
        h->axes.rank = rank - 2;
    for (int i = 0; i < h->axes.rank; i++) {
        int64_t axis = all ? i + 1 : h->axes.dims[i] < 0 ? h->axes.dims[i] + rank : h->axes.dims[i];
        if (axis < 1 || axis > rank - 2 || taken[axis])
            return heed_layer_fail(layer, HEED_EINVAL,
                                   "attention_axes is out of range (expected different axes of 1 to %d, found %lld)",
                                   rank - 2, (long long)h->axes.dims[i]);
        taken[axis] = true;
        h->axes.dims[i] = axis;
    }
    if (!h->grouped) /* in the configuration too, as in Keras */
        ((heed_multi_head_attention_config *)layer->config)->attention_axes = h->axes;
    return HEED_OK;
}

static heed_status projected_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heads *h = heed_layer_state(layer);
    const heed_shape *query = &inputs[0], *value = &inputs[1], *key = count > 2 ? &inputs[2] : value;
    HEED_TRY(check_shapes(layer, query, value, key));
    HEED_TRY(settle_axes(layer, query->rank));
    heed_shape output = h->output_shape, joined = *query;
    if (output.rank == 0)
        output = (heed_shape){1, {query->dims[query->rank - 1]}};
    joined.dims[joined.rank - 1] = h->heads;
    joined.dims[joined.rank++] = h->value_size;
    HEED_TRY(make_projection(layer, QUERY, query, (heed_shape){2, {h->heads, h->size}}));
    HEED_TRY(make_projection(layer, KEY, key, (heed_shape){2, {h->key_heads, h->size}}));
    if (h->use_gate)
        HEED_TRY(make_projection(layer, GATE, query, (heed_shape){2, {h->heads, h->value_size}}));
    HEED_TRY(make_projection(layer, VALUE, value, (heed_shape){2, {h->key_heads, h->value_size}}));
    return make_projection(layer, OUTPUT, &joined, output);
}

/* ---- projecting ---- */

/* The last `summed` dimensions of x against a projection's kernel, plus its bias; as one product. */
static heed_tensor *project(heed_layer *dense, heed_tensor *x, int summed)
{
    heed_graph *g = heed_tensor_graph(x);
    heed_variable *kernel = heed_layer_weight_at(dense, 0);
    const heed_shape *k = heed_variable_shape(kernel);
    heed_shape flat = {2, {1, 1}}, rows = {2, {HEED_ANY, 1}}, result = x->shape;
    result.rank -= summed;
    for (int i = 0; i < k->rank; i++) {
        flat.dims[i >= summed] *= k->dims[i];
        if (i >= summed)
            result.dims[result.rank++] = k->dims[i];
    }
    rows.dims[1] = flat.dims[0];
    heed_tensor *bias = NULL;
    if (heed_layer_weight_count(dense) > 1)
        bias = heed_op_reshape(heed_graph_variable(g, heed_layer_weight_at(dense, 1)), &(heed_shape){1, {HEED_ANY}});
    heed_tensor *matrix = heed_op_reshape(heed_graph_variable(g, kernel), &flat);
    rows.dims[0] = x->count / (rows.dims[1] > 0 ? rows.dims[1] : 1);
    return heed_op_reshape(heed_op_dense(heed_op_reshape(x, &rows), matrix, bias), &result);
}

/* ---- attention over some of several axes: those attended over become one, the others go to the batch ---- */

/* Batch, axes not attended over, those that are, then the rest: an order of dimensions for x (B, ..., N, H). */
static int order_of(const heads *h, int rank, int *order)
{
    int free = 1;
    order[0] = 0;
    for (int axis = 1; axis < rank - 2; axis++) {
        bool attended = false;
        for (int i = 0; i < h->axes.rank; i++)
            attended |= h->axes.dims[i] == axis;
        if (!attended)
            order[free++] = axis;
    }
    for (int i = 0; i < h->axes.rank; i++)
        order[free + i] = (int)h->axes.dims[i];
    order[rank - 2] = rank - 2;
    order[rank - 1] = rank - 1;
    return free;
}

/* (B, ..., N, H) to (B', T, N, H). */
static heed_tensor *gather_axes(const heads *h, heed_tensor *x)
{
    int rank = x == NULL ? 4 : x->shape.rank, order[HEED_MAX_RANK];
    if (rank == 4 || x == NULL)
        return x;
    int free = order_of(h, rank, order);
    x = heed_op_transpose(x, order);
    if (x == NULL)
        return NULL;
    heed_shape shape = {4, {1, 1, x->shape.dims[rank - 2], x->shape.dims[rank - 1]}};
    for (int i = 0; i < rank - 2; i++)
        shape.dims[i >= free] *= x->shape.dims[i];
    return heed_op_reshape(x, &shape);
}

/* The way back, to the axes that the query has. */
static heed_tensor *spread_axes(const heads *h, heed_tensor *y, const heed_shape *query)
{
    int rank = query->rank + 1, order[HEED_MAX_RANK], back[HEED_MAX_RANK];
    if (rank == 4 || y == NULL)
        return y;
    order_of(h, rank, order);
    heed_shape shape = {rank, {0}};
    for (int i = 0; i < rank - 2; i++)
        shape.dims[i] = query->dims[order[i]];
    for (int i = 0; i < rank; i++)
        back[order[i]] = i;
    shape.dims[rank - 2] = y->shape.dims[2];
    shape.dims[rank - 1] = y->shape.dims[3];
    return heed_op_transpose(heed_op_reshape(y, &shape), back);
}

/* Weights (B', N, Tq, Tk) as (B, ..., N, Tq's axes, Tk's axes). */
static heed_tensor *spread_weights(const heads *h, heed_tensor *weights, const heed_shape *query, const heed_shape *key)
{
    int rank = query->rank + 1, order[HEED_MAX_RANK];
    if (rank == 4 || weights == NULL)
        return weights;
    int free = order_of(h, rank, order);
    heed_shape shape = {0};
    for (int i = 0; i < free; i++)
        shape.dims[shape.rank++] = query->dims[order[i]];
    shape.dims[shape.rank++] = h->heads;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < h->axes.rank && shape.rank < HEED_MAX_RANK; i++)
            shape.dims[shape.rank++] = (side == 0 ? query : key)->dims[h->axes.dims[i]];
    return heed_op_reshape(weights, &shape);
}

/* ---- masks ---- */

/* A mask (B, T) of an input of more axes says nothing about those: it counts where the first alone is attended over. */
static heed_status take_position_masks(heed_layer *layer, const heed_call *call, heed_op_attention_config *config)
{
    if (heed_keras_before(layer, 210)) /* which did not use them */
        return HEED_OK;
    const heads *h = heed_layer_state(layer);
    const heed_tensor *value = call->inputs[1];
    heed_tensor *keys = call->masks[1];
    if (call->input_count > 2)
        keys = heed_mask_and(keys, call->masks[2], value->shape.dims[1]);
    config->query_mask = call->masks[0];
    config->key_mask = keys;
    if (value->shape.rank == 3 || (keys == NULL && config->query_mask == NULL))
        return HEED_OK;
    if (h->axes.rank != 1 || h->axes.dims[0] != 1)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "masks of steps do not fit attention over these axes");
    int64_t copies = 1;
    for (int i = 2; i < value->shape.rank - 1; i++)
        copies *= value->shape.dims[i];
    config->query_mask = heed_op_repeat(config->query_mask, 0, copies);
    config->key_mask = heed_op_repeat(keys, 0, copies);
    return HEED_OK;
}

/* The attention mask, (..., Tq's axes, Tk's axes), as (B', 1 or N, Tq, Tk). */
static heed_tensor *given_mask(const heads *h, const heed_call *call, int64_t tq, int64_t tk)
{
    if (call->input_count < 4)
        return NULL;
    heed_tensor *mask = call->inputs[3];
    const heed_shape *query = &call->inputs[0]->shape;
    mask = mask->dtype == HEED_BOOL ? mask : heed_op_cast(mask, HEED_BOOL);
    int pairs = 2 * h->axes.rank;
    while (mask != NULL && mask->shape.rank < pairs + 2)
        mask = heed_op_expand(mask, mask->shape.rank > pairs ? -pairs - 1 : 0);
    if (mask == NULL || query->rank == 3)
        return mask;
    int64_t copies = 1, batch = mask->shape.dims[0];
    int order[HEED_MAX_RANK], free = order_of(h, query->rank + 1, order);
    for (int i = 1; i < free; i++)
        copies *= query->dims[order[i]];
    return heed_op_reshape(heed_op_repeat(mask, 0, batch == 1 ? 1 : copies),
                           &(heed_shape){4, {HEED_ANY, mask->shape.dims[1], tq, tk}});
}

/* What a query takes in that sees no key, in a file: an even share of every value; zeros where scores are computed apart, from
 * 3.10 on. Where the product is one kernel, from 3.7 on, no gradient goes through such a row. */
static void settle_blind(heed_layer *layer, const heed_call *call, bool returned, heed_op_attention_config *config)
{
    const heads *h = heed_layer_state(layer);
    bool apart = layer->keras < 307 || h->dropout > 0.0 || returned || call->inputs[0]->shape.rank != 3;
    if (layer->keras == 0 || (apart && layer->keras >= 310))
        return;
    config->blind = apart ? HEED_BLIND_EVEN : HEED_BLIND_EVEN_FIXED;
    if (config->query_mask == NULL)
        return;
    /* as one mask: a query that is left out sees no key, whatever hides the keys */
    heed_tensor *queries = heed_mask_bool(config->query_mask, call->inputs[0]->shape.dims[1]);
    heed_tensor *seen = heed_op_expand(heed_op_expand(queries, 1), -1);
    if (config->key_mask != NULL) {
        heed_tensor *keys = heed_mask_bool(config->key_mask, call->inputs[1]->shape.dims[1]);
        seen = heed_op_and(seen, heed_op_expand(heed_op_expand(keys, 1), 1));
    }
    config->mask = config->mask == NULL ? seen : heed_op_and(config->mask, seen);
    config->query_mask = config->key_mask = NULL;
}

static heed_status take_band(heed_layer *layer, const heed_call *call, heed_op_attention_config *config)
{
    const heads *h = heed_layer_state(layer);
    bool causal = heed_call_argument(call, "use_causal_mask", 0) != 0;
    if (!causal && h->window == HEED_NONE)
        return HEED_OK;
    if (h->axes.rank != 1)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED,
                               "use_causal_mask and sliding_window need one axis to attend over (found %d)", h->axes.rank);
    config->banded = true;
    config->behind = h->window == HEED_NONE ? INT64_MAX / 2 : h->window - 1;
    config->ahead = causal ? 0 : config->behind;
    return HEED_OK;
}

/* ---- calling ---- */

static heed_status projected_call(heed_layer *layer, heed_call *call)
{
    const heads *h = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0], *value = call->inputs[1], *key = call->input_count > 2 ? call->inputs[2] : value;
    HEED_TRY(check_shapes(layer, &x->shape, &value->shape, &key->shape));
    heed_tensor *q = gather_axes(h, project(h->projections[QUERY], x, 1));
    heed_tensor *k = gather_axes(h, project(h->projections[KEY], key, 1));
    heed_tensor *v = gather_axes(h, project(h->projections[VALUE], value, 1));
    heed_op_attention_config config = {.dropout = call->training ? (float)h->dropout : 0.0f};
    HEED_TRY(heed_graph_status(call->graph));
    HEED_TRY(take_position_masks(layer, call, &config));
    HEED_TRY(take_band(layer, call, &config));
    config.mask = given_mask(h, call, q->shape.dims[1], k->shape.dims[1]);
    bool returned = heed_call_argument(call, "return_attention_scores", 0) != 0;
    settle_blind(layer, call, returned, &config);
    heed_tensor *weights = NULL;
    HEED_TRY(heed_graph_status(call->graph));
    heed_tensor *y = heed_op_attention(q, k, v, &config, returned || heed_call_wants_attention(call) ? &weights : NULL);
    y = spread_axes(h, y, &x->shape);
    weights = spread_weights(h, weights, &x->shape, &key->shape);
    if (h->use_gate)
        y = heed_op_multiply(y, heed_op_sigmoid(project(h->projections[GATE], x, 1)));
    HEED_TRY(heed_graph_status(call->graph));
    call->outputs[0] = project(h->projections[OUTPUT], y, 2);
    heed_call_publish(call, layer, weights);
    if (returned)
        call->outputs[call->output_count++] = weights;
    return HEED_OK;
}

#define EQUATION                                                                                                       \
    "q = query Wq + bq, k = key Wk + bk, v = value Wv + bv for each head\n"                                            \
    "a = softmax(q k^T / sqrt(size of a head)); o = a v\n"                                                             \
    "with use_gate o = o sigmoid(query Wg + bg)\n"                                                                     \
    "y = (o of all heads) Wo + bo"
#define MASKS                                                                                                          \
    "those of query, value and key, the attention mask, use_causal_mask and sliding_window hide what any of them "     \
    "hides; a query that sees nothing, or is padding, takes in zeros; the query's goes on"
#define DIFFERS                                                                                                        \
    "A query that sees no key takes in zeros; in a file it does as in the Keras that wrote it: the mean of all "       \
    "values, or zeros from 3.10 on with dropout or returned scores. Masks stay on the inputs for the layers that "     \
    "come after; MultiHeadAttention of Keras 3.8 and later takes them off, so that behind a residual connection "      \
    "padding is seen: so it is here for files of those versions. A model made here keeps its masks when it is read "   \
    "again, but Keras that opens it takes them off."

const heed_layer_class heed_multi_head_attention_class = {
    .name = "MultiHeadAttention",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_multi_head_attention_config, HEED_MULTI_HEAD_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 4,
    .passes_mask = true,
    .init = multi_head_init,
    .build = projected_build,
    .call = projected_call,
    .equation = EQUATION,
    .shapes = "query (B, Tq, F), value (B, Tk, V), key (B, Tk, K; by default the value), attention mask (B, Tq, Tk) or "
              "(B, N, Tq, Tk)\n"
              "-> y (B, Tq, F) or (B, Tq, output_shape); with return_attention_scores a (B, N, Tq, Tk) too",
    .masks = MASKS,
    .weights = "query/kernel (F, N, key_dim)\n"
               "query/bias (N, key_dim): this and the other biases with use_bias\n"
               "key/kernel (K, N, key_dim)\n"
               "key/bias (N, key_dim)\n"
               "gate/kernel (F, N, value_dim): with use_gate\n"
               "gate/bias (N, value_dim): with use_gate\n"
               "value/kernel (V, N, value_dim)\n"
               "value/bias (N, value_dim)\n"
               "attention_output/kernel (N, value_dim, F)\n"
               "attention_output/bias (F)",
    .source = "Vaswani et al. 2017, section 3.2.2; Keras, layers/attention/multi_head_attention.py",
    .differs = DIFFERS,
};

const heed_layer_class heed_group_query_attention_class = {
    .name = "GroupQueryAttention",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_group_query_attention_config, HEED_GROUP_QUERY_ATTENTION_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 4,
    .passes_mask = true,
    .init = group_init,
    .build = projected_build,
    .call = projected_call,
    .equation = EQUATION "\nwhere num_query_heads / num_key_value_heads heads in a row share k and v",
    .shapes = "query (B, Tq, F), value (B, Tk, F), key (B, Tk, K; by default the value), attention mask (B, Tq, Tk) or "
              "(B, N, Tq, Tk)\n"
              "-> y (B, Tq, F); with return_attention_scores a (B, N, Tq, Tk) too",
    .masks = MASKS,
    .weights = "query/kernel (F, num_query_heads, head_dim)\n"
               "query/bias (num_query_heads, head_dim): this and the other biases with use_bias\n"
               "key/kernel (K, num_key_value_heads, head_dim)\n"
               "key/bias (num_key_value_heads, head_dim)\n"
               "gate/kernel (F, num_query_heads, head_dim): with use_gate\n"
               "gate/bias (num_query_heads, head_dim): with use_gate\n"
               "value/kernel (F, num_key_value_heads, head_dim)\n"
               "value/bias (num_key_value_heads, head_dim)\n"
               "attention_output/kernel (num_query_heads, head_dim, F)\n"
               "attention_output/bias (F)",
    .source = "Ainslie et al. 2023, section 2.2; Keras, layers/attention/grouped_query_attention.py",
    .differs = DIFFERS,
};
