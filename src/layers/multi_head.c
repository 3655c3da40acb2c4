/* keras-multi-head's MultiHead: layers side by side. */
#include "heed/attention.h"
#include "layers/layer.h"

#include <stdlib.h>
#include <string.h>

typedef struct multi_head {
    heed_variable *w, *b;
    int64_t        begin[HEED_MAX_RANK], end[HEED_MAX_RANK]; /* reg_slice; end 0: to the last */
} multi_head;

/* ---- reg_slice ---- */

/* One number of a slice; `otherwise` where there is none. */
static int64_t read_bound(const char **text, int64_t otherwise)
{
    char *end;
    long long value = strtoll(*text, &end, 10);
    if (end == *text)
        return otherwise;
    *text = end;
    return value;
}

/* "0:4" or ":, 0:4", a slice for each axis. */
static heed_status read_slices(heed_layer *layer, const char *text, multi_head *m)
{
    const char *at = text;
    for (int axis = 0; text != NULL; axis++) {
        at += strspn(at, " ");
        if (axis < HEED_MAX_RANK)
            m->begin[axis] = read_bound(&at, 0);
        if (axis == HEED_MAX_RANK || *at++ != ':')
            break;
        m->end[axis] = read_bound(&at, 0);
        at += strspn(at, " ");
        if (*at == '\0' && m->begin[axis] >= 0 && m->end[axis] >= 0)
            return HEED_OK;
        if (*at++ != ',')
            break;
    }
    return text == NULL ? HEED_OK
                        : heed_layer_fail(layer, HEED_EINVAL,
                                          "reg_slice is no list of slices (expected such as :, 0:4, found %s)",
                                          text);
}

/* ---- the layer ---- */

/* A child; repetitions of a layer with a name are numbered. */
static heed_status add_head(heed_layer *layer, heed_spec spec, int number)
{
    heed_layer *child;
    if (spec.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its layer is missing");
    const heed_layer_common *given = spec.config;
    if (number == 0 || given == NULL || given->name == NULL)
        return heed_layer_child(layer, "layers", spec, &child);
    heed_layer_common *config = heed_options_copy(&layer->zone, HEED_TABLE_OF(spec.layer_class), spec.config);
    if (config == NULL || (config->name = heed_zone_printf(&layer->zone, "%s_%d", given->name, number)) == NULL)
        return HEED_ENOMEM;
    return heed_layer_child(layer, "layers", (heed_spec){spec.layer_class, config}, &child);
}

static heed_status multi_init(heed_layer *layer)
{
    const heed_multi_head_config *o = heed_layer_config(layer);
    multi_head *m = heed_layer_alloc(layer, sizeof *m);
    if (m == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < o->layers.count; i++)
        HEED_TRY(add_head(layer, o->layers.items[i], 0));
    for (int i = 0; i < o->layer_num && o->layers.count == 0; i++)
        HEED_TRY(add_head(layer, o->layer, i + 1));
    return read_slices(layer, o->reg_slice, m);
}

static heed_status multi_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const heed_multi_head_config *o = heed_layer_config(layer);
    multi_head *m = heed_layer_state(layer);
    heed_shape seen = *inputs;
    if (o->hidden_dim != HEED_NONE) {
        int64_t features = inputs->rank < 2 ? HEED_ANY : inputs->dims[inputs->rank - 1];
        int64_t columns = o->hidden_dim * (int64_t)layer->child_count;
        m->w = heed_layer_weight(layer, "W", &(heed_shape){2, {features, columns}}, "uniform", NULL, NULL, true);
        if (o->use_bias)
            m->b = heed_layer_weight(layer, "b", &(heed_shape){1, {columns}}, "zeros", NULL, NULL, true);
        seen.dims[seen.rank - 1] = o->hidden_dim;
    }
    for (size_t i = 0; i < layer->child_count; i++)
        HEED_TRY(heed_layer_build(layer->children[i].layer, &seen, count));
    return HEED_OK;
}

/* A weight cut to reg_slice, as one row. */
static heed_tensor *regularized_row(const multi_head *m, heed_tensor *w)
{
    char text[128];
    for (int axis = 0; w != NULL && axis < w->shape.rank; axis++) {
        int64_t size = w->shape.dims[axis], end = m->end[axis] == 0 || m->end[axis] > size ? size : m->end[axis];
        if (m->begin[axis] >= end)
            return heed_graph_fail(w->graph, HEED_EINVAL, "reg_slice leaves nothing of axis %d of a weight (expected "
                                   "slices within %s, found %lld:%lld)", axis,
                                   heed_shape_text(&w->shape, text, sizeof text), (long long)m->begin[axis],
                                   (long long)m->end[axis]);
        w = heed_op_slice(w, axis, m->begin[axis], end - m->begin[axis]);
    }
    return heed_op_reshape(w, &(heed_shape){2, {1, HEED_ANY}});
}

/* The sum of (M M^T - I)^2, row k of M being that weight of head k. */
static heed_status likeness(heed_layer *layer, heed_call *call, int index, heed_tensor **sum)
{
    const multi_head *m = heed_layer_state(layer);
    int heads = (int)layer->child_count;
    heed_tensor *rows[HEED_MAX_OUTPUTS];
    float identity[HEED_MAX_OUTPUTS * HEED_MAX_OUTPUTS] = {0};
    if (heads > HEED_MAX_OUTPUTS)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED, "too many heads for reg_index (expected at most %d, found %d)",
                               HEED_MAX_OUTPUTS, heads);
    for (int i = 0; i < heads; i++) {
        heed_layer *head = layer->children[i].layer;
        if (index >= heed_layer_weight_count(head))
            return heed_layer_fail(layer, HEED_EINVAL, "reg_index is out of range (expected less than %d, found %d)",
                                   heed_layer_weight_count(head), index);
        rows[i] = regularized_row(m, heed_graph_variable(call->graph, heed_layer_weight_at(head, index)));
        identity[i * heads + i] = 1.0f;
    }
    heed_tensor *matrix = heed_op_concatenate(rows, heads, 0);
    heed_tensor *product = heed_op_matmul_transposed(matrix, false, matrix, true);
    heed_array eye = {HEED_FLOAT32, {2, {heads, heads}}, identity};
    *sum = heed_op_sum(heed_op_square(heed_op_subtract(product, heed_graph_constant(call->graph, &eye))), NULL, 0, false);
    return heed_graph_status(call->graph);
}

static heed_status keep_apart(heed_layer *layer, heed_call *call)
{
    const heed_multi_head_config *o = heed_layer_config(layer);
    for (int i = 0; i < o->reg_index.rank && o->corrected && o->reg_factor > 0.0; i++) {
        heed_tensor *sum;
        HEED_TRY(likeness(layer, call, (int)o->reg_index.dims[i], &sum));
        heed_call_add_loss(call, heed_op_scale(sum, (float)o->reg_factor, 0.0f));
    }
    return HEED_OK;
}

/* What the heads published, from number `first` on, becomes one array with an axis of heads, (B, heads, ...); heads that
 * attend to different things keep their own. */
static heed_status join_attention(heed_layer *layer, heed_call *call, size_t first)
{
    heed_pass *pass = heed_call_pass(call);
    size_t heads = layer->child_count;
    heed_tensor **weights = heed_zone_alloc(&call->graph->zone, heads, sizeof *weights);
    if (weights == NULL)
        return HEED_ENOMEM;
    if (pass->attention_count - first != heads)
        return HEED_OK;
    for (size_t i = 0; i < heads; i++) {
        const heed_tensor *own = pass->attention[first + i].weights;
        if (own == NULL || !heed_shape_equal(&own->shape, &pass->attention[first].weights->shape))
            return HEED_OK;
        weights[i] = heed_op_expand(pass->attention[first + i].weights, 1);
    }
    pass->attention_count = first;
    heed_call_publish(call, layer, heed_op_concatenate(weights, (int)heads, 1));
    return HEED_OK;
}

/* Refuses an output that does not stand beside the first, which has another axis behind. */
static heed_status check_alike(heed_layer *layer, size_t index, const heed_tensor *output, const heed_tensor *first)
{
    if (index == 0)
        return HEED_OK;
    heed_shape expected = first->shape;
    expected.rank--;
    char wanted[128], found[128];
    if (heed_shape_equal(&output->shape, &expected))
        return HEED_OK;
    return heed_layer_fail(layer, HEED_ESHAPE, "its layers' outputs differ in shape (expected %s, found %s of layer %d)",
                           heed_shape_text(&expected, wanted, sizeof wanted),
                           heed_shape_text(&output->shape, found, sizeof found), (int)index + 1);
}

static heed_status multi_call(heed_layer *layer, heed_call *call)
{
    const heed_multi_head_config *o = heed_layer_config(layer);
    const multi_head *m = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    if (m->w != NULL)
        x = heed_op_dense(x, heed_graph_variable(call->graph, m->w),
                          m->b == NULL ? NULL : heed_graph_variable(call->graph, m->b));
    heed_tensor **outputs = heed_zone_alloc(&call->graph->zone, layer->child_count, sizeof *outputs);
    if (outputs == NULL)
        return HEED_ENOMEM;
    const heed_pass *pass = heed_call_pass(call);
    size_t published = pass == NULL ? 0 : pass->attention_count;
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_inner inner;
        heed_tensor *seen = m->w == NULL ? x : heed_op_slice(x, -1, (int64_t)i * o->hidden_dim, o->hidden_dim);
        HEED_TRY(heed_graph_status(call->graph));
        HEED_TRY(heed_inner_call(&inner, call, layer->children[i].layer, &seen, call->masks, 1, NULL));
        HEED_TRY(check_alike(layer, i, inner.outputs[0], outputs[0]));
        outputs[i] = heed_op_expand(inner.outputs[0], -1);
        if (i == 0)
            call->output_masks[0] = inner.output_masks[0];
    }
    call->outputs[0] = heed_op_concatenate(outputs, (int)layer->child_count, -1);
    if (heed_call_wants_attention(call))
        HEED_TRY(join_attention(layer, call, published));
    return keep_apart(layer, call);
}

const heed_layer_class heed_multi_head_class = {
    .name = "MultiHead",
    .collection = "keras-multi-head",
    HEED_CLASS_OPTIONS(heed_multi_head_config, HEED_MULTI_HEAD_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = multi_init,
    .build = multi_build,
    .call = multi_call,
    .equation = "y = [layer_1(x W_1 + b_1), ..., layer_n(x W_n + b_n)] along a new last axis\n"
                "without hidden_dim: [layer_1(x), ..., layer_n(x)]",
    .shapes = "x (B, ...) -> y (B, ..., n): what the n layers give, along a new last axis",
    .masks = "each layer sees the input's; what the first makes of it goes on",
    .weights = "W (F, hidden_dim n): with hidden_dim\n"
               "b (hidden_dim n): with hidden_dim and use_bias\n"
               "then those of each layer in turn",
    .source = "keras-multi-head, multi_head.py",
    .differs = "corrected=True has reg_factor train; as first written the term was a constant of no influence, and "
               "the layers were built for the input before its projection. Here hidden_dim may differ from F, and "
               "what is saved can be loaded.",
};
