/* Layers that make one tensor of several. Masks as Keras 3.4 and later combine them. */
#include "heed/layers.h"
#include "layers/layer.h"
#include "layers/mask.h"

/* ---- number by number ---- */

/* The inputs at one rank, with the masks they still have, as bool (B, T, 1...). */
typedef struct merging {
    int          count;
    heed_tensor *x[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
} merging;

static heed_status take_inputs(heed_layer *layer, const heed_call *call, merging *m)
{
    int rank = 0;
    m->count = call->input_count;
    if (m->count > HEED_MAX_OUTPUTS)
        return heed_layer_fail(layer, HEED_EINVAL, "too many inputs (expected at most %d, found %d)", HEED_MAX_OUTPUTS,
                               m->count);
    for (int i = 0; i < m->count; i++)
        rank = call->inputs[i]->shape.rank > rank ? call->inputs[i]->shape.rank : rank;
    for (int i = 0; i < m->count; i++) {
        m->x[i] = call->inputs[i];
        bool expanded = m->x[i]->shape.rank < rank; /* which loses the mask, in Keras too */
        m->masks[i] = expanded ? NULL : heed_mask_like(call->masks[i], m->x[i]);
        while (m->x[i] != NULL && m->x[i]->shape.rank < rank)
            m->x[i] = heed_op_expand(m->x[i], 1);
    }
    return heed_graph_status(call->graph);
}

/* Before Keras 3: a step counts where it does in all that have a mask. */
static heed_tensor *mask_of_each(const heed_call *call)
{
    heed_tensor *mask = NULL;
    for (int i = 0; i < call->input_count; i++) {
        heed_tensor *own = heed_mask_bool(call->masks[i], heed_tensor_dim(call->inputs[i], 1));
        mask = mask == NULL || own == NULL ? (mask == NULL ? own : mask) : heed_op_and(mask, own);
    }
    return mask;
}

/* Masked where all are; unmasked if one of them is unmasked. Keras 3.0 to 3.3 gave no mask. */
static heed_tensor *mask_of_all(const heed_layer *layer, const heed_call *call)
{
    heed_tensor *mask = call->masks[0];
    if (heed_keras_before(layer, 304))
        return heed_keras_before(layer, 300) ? mask_of_each(call) : NULL;
    for (int i = 0; i < call->input_count; i++) {
        if (call->masks[i] == NULL)
            return NULL;
        mask = heed_mask_or(mask, call->masks[i], heed_tensor_dim(call->inputs[i], 1));
    }
    return mask;
}

static heed_status fold(heed_layer *layer, heed_call *call, heed_tensor *(*op)(heed_tensor *, heed_tensor *))
{
    merging m;
    HEED_TRY(take_inputs(layer, call, &m));
    heed_tensor *y = m.x[0];
    for (int i = 1; i < m.count; i++)
        y = op(y, m.x[i]);
    call->outputs[0] = y;
    call->output_masks[0] = mask_of_all(layer, call);
    return HEED_OK;
}

static heed_status add_call(heed_layer *layer, heed_call *call) { return fold(layer, call, heed_op_add); }
static heed_status subtract_call(heed_layer *layer, heed_call *call) { return fold(layer, call, heed_op_subtract); }

static heed_status average_call(heed_layer *layer, heed_call *call)
{
    HEED_TRY(fold(layer, call, heed_op_add));
    call->outputs[0] = heed_op_scale(call->outputs[0], 1.0f / (float)call->input_count, 0.0f);
    return HEED_OK;
}

/* A masked step counts as 1; one that is masked in all is 0. */
static heed_status multiply_call(heed_layer *layer, heed_call *call)
{
    merging m;
    if (heed_keras_before(layer, 304))
        return fold(layer, call, heed_op_multiply);
    HEED_TRY(take_inputs(layer, call, &m));
    heed_tensor *y = NULL, *mask = m.masks[0];
    for (int i = 0; i < m.count; i++) {
        heed_tensor *x = m.x[i];
        if (m.masks[i] != NULL)
            x = heed_op_select(m.masks[i], x, heed_graph_scalar(call->graph, 1.0f));
        y = i == 0 ? x : heed_op_multiply(y, x);
        mask = mask == NULL || m.masks[i] == NULL ? NULL : i == 0 ? mask : heed_op_or(mask, m.masks[i]);
    }
    if (mask != NULL)
        y = heed_op_select(mask, y, heed_graph_scalar(call->graph, 0.0f));
    call->outputs[0] = y;
    call->output_masks[0] = mask_of_all(layer, call);
    return HEED_OK;
}

/* A masked step takes over the other's value, so that it does not count. */
static heed_status extreme(heed_layer *layer, heed_call *call, heed_tensor *(*op)(heed_tensor *, heed_tensor *))
{
    merging m;
    if (heed_keras_before(layer, 304))
        return fold(layer, call, op);
    HEED_TRY(take_inputs(layer, call, &m));
    heed_tensor *y = m.x[0], *mask = m.masks[0];
    for (int i = 1; i < m.count; i++) {
        heed_tensor *x = m.masks[i] == NULL ? m.x[i] : heed_op_select(m.masks[i], m.x[i], y);
        if (mask != NULL)
            y = heed_op_select(mask, y, x);
        mask = mask == NULL || m.masks[i] == NULL ? NULL : heed_op_or(mask, m.masks[i]);
        y = op(y, x);
    }
    call->outputs[0] = y;
    call->output_masks[0] = mask_of_all(layer, call);
    return HEED_OK;
}

static heed_status maximum_call(heed_layer *layer, heed_call *call) { return extreme(layer, call, heed_op_maximum); }
static heed_status minimum_call(heed_layer *layer, heed_call *call) { return extreme(layer, call, heed_op_minimum); }

#define MERGE_SHAPES "x_1, x_2, ... (B, ...), sizes alike or 1, smaller ranks expanded behind the batch -> y (B, ...)"
#define MERGE_MASKS                                                                                                    \
    "where all inputs are masked, a step counts that counts in any of them; a masked step is 1 in a product, and no "  \
    "candidate for the greatest or the least"
#define MERGE_DIFFERS "masks as Keras 3.4 and later join them; before that, and in Keras 2, a step had to count in all"

#define MERGE(merge, keras_name, least, most, equation_text)                                                           \
    const heed_layer_class heed_##merge##_class = {.name = keras_name,                                                 \
                                                   .collection = "keras",                                              \
                                                   HEED_CLASS_OPTIONS(heed_merge_config, HEED_MERGE_OPTIONS),          \
                                                   .min_inputs = least,                                                \
                                                   .max_inputs = most,                                                 \
                                                   .call = merge##_call,                                               \
                                                   .equation = equation_text,                                          \
                                                   .shapes = MERGE_SHAPES,                                             \
                                                   .masks = MERGE_MASKS,                                               \
                                                   .weights = "none",                                                  \
                                                   .source = "Keras, layers/merging/" #merge ".py",                    \
                                                   .differs = MERGE_DIFFERS};

MERGE(add, "Add", 1, 0, "y = x_1 + x_2 + ...")
MERGE(subtract, "Subtract", 2, 2, "y = x_1 - x_2")
MERGE(multiply, "Multiply", 1, 0, "y = x_1 x_2 ...")
MERGE(average, "Average", 1, 0, "y = (x_1 + x_2 + ...) / n")
MERGE(maximum, "Maximum", 1, 0, "y = max(x_1, x_2, ...)")
MERGE(minimum, "Minimum", 1, 0, "y = min(x_1, x_2, ...)")

/* ---- Concatenate ---- */

/* The mask of an input along time; all true where it has none. */
static heed_tensor *mask_in_time(heed_tensor *x, heed_tensor *mask)
{
    if (mask != NULL)
        return heed_mask_bool(mask, heed_tensor_dim(x, 1));
    heed_shape shape = {2, {heed_tensor_dim(x, 0), heed_tensor_dim(x, 1)}};
    return heed_op_cast(heed_graph_fill(x->graph, &shape, 1.0f), HEED_BOOL);
}

/* Along time, masks are put one behind the other; along features, a step counts if it counts in any of them, which is
 * to say always when one is unmasked. */
static heed_tensor *concatenated_mask(const heed_layer *layer, const heed_call *call, int axis)
{
    heed_tensor *masks[HEED_MAX_OUTPUTS];
    bool any = false;
    for (int i = 0; i < call->input_count; i++)
        any |= call->masks[i] != NULL;
    if (!any || axis < 1 || (heed_keras_before(layer, 304) && !heed_keras_before(layer, 300)))
        return NULL;
    if (axis > 1 || call->inputs[0]->shape.rank == 2)
        return mask_of_all(layer, call);
    for (int i = 0; i < call->input_count; i++)
        masks[i] = mask_in_time(call->inputs[i], call->masks[i]);
    return heed_op_concatenate(masks, call->input_count, 1);
}

static heed_status concatenate_call(heed_layer *layer, heed_call *call)
{
    const heed_concatenate_config *o = heed_layer_config(layer);
    int axis = heed_axis(call->inputs[0]->shape.rank, o->axis);
    if (axis < 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "the inputs have no such axis (expected one of %d, found %d)",
                               call->inputs[0]->shape.rank, o->axis);
    if (call->input_count > HEED_MAX_OUTPUTS)
        return heed_layer_fail(layer, HEED_EINVAL, "too many inputs (expected at most %d, found %d)", HEED_MAX_OUTPUTS,
                               call->input_count);
    call->outputs[0] = heed_op_concatenate(call->inputs, call->input_count, axis);
    call->output_masks[0] = concatenated_mask(layer, call, axis);
    return HEED_OK;
}

const heed_layer_class heed_concatenate_class = {
    .name = "Concatenate",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_concatenate_config, HEED_CONCATENATE_OPTIONS),
    .min_inputs = 1,
    .call = concatenate_call,
    .equation = "y = [x_1; x_2; ...] along the axis",
    .shapes = "x_1, x_2, ... (B, ...), alike but for the axis -> y (B, ...)",
    .masks = "along time the masks stand one behind the other; along features a step counts that counts in any "
             "input, and where an input has no mask, all do",
    .weights = "none",
    .source = "Keras, layers/merging/concatenate.py",
    .differs = "masks as Keras 3.4 and later join them",
};

/* ---- Dot ---- */

/* No root of 0, which has no gradient: padding may be of zeros. */
static heed_tensor *unit_length(heed_tensor *x, int axis)
{
    heed_tensor *squares = heed_op_sum(heed_op_square(x), &axis, 1, true);
    if (x == NULL)
        return NULL;
    return heed_op_multiply(x, heed_op_rsqrt(heed_op_maximum(squares, heed_graph_scalar(x->graph, 1e-14f))));
}

/* (B, ...) as (B, n, k), where k is the size of `axis`; the sizes of the others are appended to *shape. */
static heed_tensor *axis_last(heed_tensor *x, int axis, heed_shape *shape)
{
    int order[HEED_MAX_RANK], at = 0;
    int64_t others = 1;
    for (int i = 0; i < x->shape.rank; i++) {
        if (i == axis)
            continue;
        order[at++] = i;
        if (i > 0) {
            others *= x->shape.dims[i];
            if (shape->rank < HEED_MAX_RANK)
                shape->dims[shape->rank++] = x->shape.dims[i];
        }
    }
    order[at] = axis;
    heed_shape matrix = {3, {x->shape.dims[0], others, x->shape.dims[axis]}};
    return heed_op_reshape(heed_op_transpose(x, order), &matrix);
}

static heed_status dot_init(heed_layer *layer)
{
    const heed_dot_config *o = heed_layer_config(layer);
    if (o->axes.rank != 1 && o->axes.rank != 2)
        return heed_layer_fail(layer, HEED_EINVAL, "axes names one axis or two (found %d)", o->axes.rank);
    return HEED_OK;
}

static heed_status dot_call(heed_layer *layer, heed_call *call)
{
    const heed_dot_config *o = heed_layer_config(layer);
    heed_tensor *x[2], *matrices[2];
    heed_shape shape = {1, {heed_tensor_dim(call->inputs[0], 0)}};
    for (int i = 0; i < 2; i++) {
        x[i] = call->inputs[i];
        int wanted = (int)o->axes.dims[o->axes.rank == 2 ? i : 0], axis = heed_axis(x[i]->shape.rank, wanted);
        if (axis < 1)
            return heed_layer_fail(layer, HEED_ESHAPE,
                                   "input %d has no such axis beside the batch (expected one of %d, found %d)",
                                   i + 1, x[i]->shape.rank, wanted);
        if (o->normalize && (x[i] = unit_length(x[i], axis)) == NULL)
            return heed_graph_status(call->graph);
        matrices[i] = axis_last(x[i], axis, &shape);
    }
    if (shape.rank == 1)
        shape = (heed_shape){2, {shape.dims[0], 1}};
    call->outputs[0] = heed_op_reshape(heed_op_matmul_transposed(matrices[0], false, matrices[1], true), &shape);
    return HEED_OK;
}

const heed_layer_class heed_dot_class = {
    .name = "Dot",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_dot_config, HEED_DOT_OPTIONS),
    .min_inputs = 2,
    .max_inputs = 2,
    .init = dot_init,
    .call = dot_call,
    .equation = "y = sum_k a_k b_k over one axis of a and of b",
    .shapes = "a (B, ...), b (B, ...) -> y (B, the other sizes of a, the other sizes of b); (B, 1) where none is "
              "left",
    .masks = "dropped",
    .weights = "none",
    .source = "Keras, layers/merging/dot.py",
    .differs = "nothing",
};
