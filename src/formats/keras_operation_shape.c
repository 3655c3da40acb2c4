/* Operations that move and pick numbers. */
#include "formats/keras_operation_run.h"

#include <string.h>

typedef heed_operation_use use;

/* ---- axes ---- */

static int axis_of(const use *u, const heed_tensor *x, const char *name, int otherwise)
{
    int rank = x == NULL ? 0 : x->shape.rank, wanted = heed_use_int(u, name, otherwise), axis = heed_axis(rank, wanted);
    if (axis < 0 && x != NULL)
        heed_graph_fail(u->call->graph, HEED_ESHAPE, "there is no such axis (expected one of %d, found %d)", rank, wanted);
    return axis;
}

/* x with one of its dimensions at another place. */
static heed_tensor *move_axis(heed_tensor *x, int from, int to)
{
    int order[HEED_MAX_RANK], at = 0;
    if (x == NULL || from == to)
        return x;
    for (int i = 0; i < x->shape.rank; i++)
        if (i != from)
            order[at++] = i;
    memmove(order + to + 1, order + to, (size_t)(at - to) * sizeof *order);
    order[to] = from;
    return heed_op_transpose(x, order);
}

static heed_tensor *flat(heed_tensor *x) { return heed_op_reshape(x, &(heed_shape){1, {HEED_ANY}}); }

static heed_tensor *run_transpose(const use *u)
{
    int order[HEED_MAX_RANK], count = heed_use_axes(u, "axes", order);
    heed_tensor *x = heed_use_operand(u, 0);
    for (int i = 0; x != NULL && count == 0 && i < x->shape.rank; i++)
        order[i] = x->shape.rank - 1 - i;
    for (int i = 0; x != NULL && i < count; i++)
        order[i] = heed_axis(x->shape.rank, order[i]);
    if (x != NULL && count != 0 && count != x->shape.rank)
        return heed_use_refuse(u, "axes are not as many as the dimensions");
    return heed_op_transpose(x, order);
}

static heed_tensor *run_swap_axes(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    int a = axis_of(u, x, "axis1", 0), b = axis_of(u, x, "axis2", 0), order[HEED_MAX_RANK];
    if (a < 0 || b < 0)
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        order[i] = i == a ? b : i == b ? a : i;
    return heed_op_transpose(x, order);
}

static heed_tensor *run_move_axis(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    int from = axis_of(u, x, "source", 0), to = axis_of(u, x, "destination", 0);
    return from < 0 || to < 0 ? NULL : move_axis(x, from, to);
}

static heed_tensor *run_reshape(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    heed_shape shape = {0};
    shape.rank = heed_use_ints(u, heed_use_option(u, "newshape"), shape.dims);
    const heed_value *sizes = heed_use_option(u, "newshape");
    if (shape.rank > 0 && heed_value_is(sizes, HEED_VALUE_LIST) && sizes->first->type == HEED_VALUE_NULL)
        shape.dims[0] = heed_tensor_dim(x, 0); /* None: the batch */
    return heed_op_reshape(x, &shape);
}

static heed_tensor *run_expand_dims(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_use_operand(u, 0);
    for (int i = 0; x != NULL && i < count; i++) {
        int rank = x->shape.rank + count - i, axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        axes[i] = axis; /* among the dimensions in the end */
    }
    for (int wanted = 0; x != NULL && wanted <= HEED_MAX_RANK; wanted++) /* from the first on */
        for (int i = 0; i < count; i++)
            if (axes[i] == wanted)
                x = heed_op_expand(x, wanted);
    return x;
}

static heed_tensor *run_squeeze(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_use_operand(u, 0);
    bool drops[HEED_MAX_RANK] = {false};
    for (int i = 0; x != NULL && i < x->shape.rank; i++)
        drops[i] = count == 0 && x->shape.dims[i] == 1;
    for (int i = 0; x != NULL && i < count; i++) {
        int axis = heed_axis(x->shape.rank, axes[i]);
        if (axis < 0)
            return heed_use_refuse(u, "there is no such axis");
        drops[axis] = true;
    }
    for (int i = x == NULL ? -1 : x->shape.rank - 1; i >= 0; i--)
        if (drops[i])
            x = heed_op_squeeze(x, i);
    return x;
}

static heed_tensor *run_concatenate(const use *u)
{
    heed_tensor *x[HEED_MAX_OUTPUTS];
    int count = heed_use_operands(u, 0, x);
    return count == 0 ? heed_use_refuse(u, "there is no operand") : heed_op_concatenate(x, count, heed_use_int(u, "axis", 0));
}

static heed_tensor *run_stack(const use *u)
{
    heed_tensor *x[HEED_MAX_OUTPUTS];
    int count = heed_use_operands(u, 0, x), axis = heed_use_int(u, "axis", 0);
    for (int i = 0; i < count; i++)
        x[i] = heed_op_expand(x[i], axis);
    return count == 0 ? heed_use_refuse(u, "there is no operand") : heed_op_concatenate(x, count, axis);
}

/* One output for each piece between two cuts. */
static heed_tensor *cut(const use *u, heed_tensor *x, int axis, const int64_t *cuts, int pieces, bool drop)
{
    if (pieces > HEED_MAX_OUTPUTS)
        return heed_use_refuse(u, "there are too many pieces");
    for (int i = 0; i < pieces; i++) {
        heed_tensor *piece = heed_op_slice(x, axis, cuts[i], cuts[i + 1] - cuts[i]);
        u->call->outputs[i] = drop ? heed_op_squeeze(piece, axis) : piece;
    }
    u->call->output_count = pieces;
    return u->call->outputs[0];
}

static heed_tensor *run_split(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    int64_t cuts[HEED_MAX_OUTPUTS + 1] = {0}, given[HEED_MAX_RANK], size;
    int axis = axis_of(u, x, "axis", 0), pieces;
    const heed_value *where = heed_use_option(u, "indices_or_sections");
    if (axis < 0 || where == NULL)
        return heed_use_refuse(u, "it is not said where to split");
    size = x->shape.dims[axis];
    if (where->type == HEED_VALUE_LIST) {
        pieces = heed_use_ints(u, where, given) + 1;
        memcpy(cuts + 1, given, (size_t)(pieces - 1) * sizeof *cuts);
    } else {
        pieces = heed_use_int(u, "indices_or_sections", 1);
        if (pieces < 1 || pieces > HEED_MAX_OUTPUTS || size % pieces != 0)
            return heed_use_refuse(u, "the pieces do not come out even, or are too many");
        for (int i = 1; i < pieces; i++)
            cuts[i] = i * (size / pieces);
    }
    cuts[pieces] = size;
    return cut(u, x, axis, cuts, pieces, false);
}

static heed_tensor *run_unstack(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    int64_t cuts[HEED_MAX_OUTPUTS + 1];
    int axis = axis_of(u, x, "axis", 0), pieces = axis < 0 ? 0 : (int)x->shape.dims[axis];
    if (pieces < 1 || pieces > HEED_MAX_OUTPUTS)
        return heed_use_refuse(u, "there are too many pieces, or none");
    for (int i = 0; i <= pieces; i++)
        cuts[i] = i;
    return cut(u, x, axis, cuts, pieces, true);
}

static heed_tensor *run_flip(const use *u)
{
    int axes[HEED_MAX_RANK], count = heed_use_axes(u, "axis", axes);
    heed_tensor *x = heed_use_operand(u, 0);
    for (int i = 0; x != NULL && i < (count == 0 ? x->shape.rank : count); i++)
        x = heed_op_reverse(x, count == 0 ? i : axes[i]);
    return x;
}

static heed_tensor *run_roll(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    if (heed_use_option(u, "axis") == NULL)
        return heed_use_refuse(u, "an axis must be named");
    int axis = axis_of(u, x, "axis", 0);
    int64_t size = axis < 0 ? 0 : x->shape.dims[axis], shift = heed_use_int(u, "shift", 0);
    if (size == 0)
        return x;
    shift = (shift % size + size) % size;
    heed_tensor *parts[] = {heed_op_slice(x, axis, size - shift, shift), heed_op_slice(x, axis, 0, size - shift)};
    return shift == 0 ? x : heed_op_concatenate(parts, 2, axis);
}

/* All of x `times` times along an axis: a b a b. */
static heed_tensor *tile(heed_tensor *x, int axis, int64_t times)
{
    heed_tensor *more = heed_op_expand(x, axis);
    if (more == NULL || times == 1)
        return times == 1 ? x : NULL;
    heed_shape shape = more->shape, joined = x->shape;
    shape.dims[axis] = times;
    joined.dims[axis] *= times;
    return heed_op_reshape(heed_op_broadcast(more, &shape), &joined);
}

static heed_tensor *run_tile(const use *u)
{
    int64_t times[HEED_MAX_RANK];
    int count = heed_use_ints(u, heed_use_option(u, "repeats"), times);
    heed_tensor *x = heed_use_operand(u, 0);
    while (x != NULL && x->shape.rank < count)
        x = heed_op_expand(x, 0);
    for (int i = 0, shift = x == NULL ? 0 : x->shape.rank - count; x != NULL && i < count; i++)
        x = tile(x, i + shift, times[i]);
    return x;
}

static heed_tensor *run_repeat(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    if (heed_use_option(u, "axis") == NULL)
        x = flat(x);
    if (heed_value_is(heed_use_option(u, "repeats"), HEED_VALUE_LIST) && heed_use_option(u, "repeats")->count != 1)
        return heed_use_refuse(u, "each element must be repeated as often as the others");
    int64_t times[HEED_MAX_RANK] = {1};
    heed_use_ints(u, heed_use_option(u, "repeats"), times);
    return heed_op_repeat(x, heed_use_int(u, "axis", 0), times[0]);
}

static heed_tensor *run_pad(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    const heed_value *mode = heed_use_option(u, "mode"), *width = heed_use_option(u, "pad_width");
    float value = (float)heed_use_real(u, "constant_values", 0.0);
    if (heed_value_is(mode, HEED_VALUE_TEXT) && strcmp(mode->text, "constant") != 0)
        return heed_use_refuse(u, "only the mode \"constant\" is supported");
    if (!heed_value_is(width, HEED_VALUE_LIST) || x == NULL || (int)width->count != x->shape.rank)
        return heed_use_refuse(u, "pad_width must have a pair for each dimension");
    int axis = 0;
    for (const heed_value *pair = width->first; pair != NULL; pair = pair->next, axis++) {
        int64_t both[HEED_MAX_RANK] = {0};
        if (heed_use_ints(u, pair, both) != 2)
            return heed_use_refuse(u, "pad_width must have a pair for each dimension");
        if (both[0] != 0 || both[1] != 0)
            x = heed_op_pad(x, axis, both[0], both[1], value);
    }
    return x;
}

static heed_tensor *like(const use *u, double value)
{
    heed_tensor *x = heed_use_operand(u, 0);
    const heed_value *dtype = heed_use_option(u, "dtype");
    if (x == NULL)
        return NULL;
    heed_dtype wanted = heed_value_is(dtype, HEED_VALUE_TEXT) ? heed_dtype_of_word(dtype->text) : x->dtype;
    heed_tensor *y = heed_graph_fill(u->call->graph, &x->shape, (float)value);
    return wanted == HEED_FLOAT32 ? y : heed_op_cast(y, wanted);
}

static heed_tensor *run_ones_like(const use *u) { return like(u, 1.0); }
static heed_tensor *run_zeros_like(const use *u) { return like(u, 0.0); }
static heed_tensor *run_full_like(const use *u)
{
    double value = 0.0;
    const heed_value *v = heed_use_argument(u, 1);
    if (v == NULL || heed_value_as_real(u->call->graph->context, v, "fill_value", &value) != HEED_OK)
        return heed_use_refuse(u, "the value must be a constant");
    return like(u, value);
}

static heed_tensor *run_cumsum(const use *u)
{
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0));
    bool all = heed_use_option(u, "axis") == NULL;
    return heed_as_before(heed_op_cumsum(all ? flat(x) : x, heed_use_int(u, "axis", 0)), heed_use_operand(u, 0));
}

static heed_tensor *run_diff(const use *u)
{
    heed_tensor *x = heed_as_floats(heed_use_operand(u, 0));
    int axis = axis_of(u, x, "axis", -1);
    for (int i = 0; i < heed_use_int(u, "n", 1) && axis >= 0 && x != NULL; i++) {
        int64_t left = x->shape.dims[axis] - 1;
        x = heed_op_subtract(heed_op_slice(x, axis, 1, left), heed_op_slice(x, axis, 0, left));
    }
    return heed_as_before(x, heed_use_operand(u, 0));
}

/* ---- picking ---- */

/* Elements of x along an axis by their numbers, whose dimensions come in the axis' place. */
static heed_tensor *take(heed_tensor *x, heed_tensor *ids, int axis)
{
    if (x == NULL || ids == NULL)
        return NULL;
    int order[HEED_MAX_RANK], at = 0, ranks = ids->shape.rank;
    heed_tensor *y = heed_op_gather(move_axis(heed_as_floats(x), axis, 0), ids);
    if (x->shape.rank - 1 + ranks > HEED_MAX_RANK)
        return NULL;
    for (int i = 0; i < axis; i++)
        order[at++] = ranks + i;
    for (int i = 0; i < ranks; i++)
        order[at++] = i;
    for (int i = axis + 1; i < x->shape.rank; i++)
        order[at++] = ranks + i - 1;
    return heed_as_before(heed_op_transpose(y, order), x);
}

/* Numbers begin, begin + step, ... below (above) end. */
static heed_tensor *take_range(heed_tensor *x, int axis, int64_t begin, int64_t count, int64_t step)
{
    heed_graph *g = x->graph;
    if (step == 1 || count < 2)
        return heed_op_slice(x, axis, begin, count);
    if (step == -1)
        return heed_op_reverse(heed_op_slice(x, axis, begin - count + 1, count), axis);
    int32_t *ids = heed_zone_alloc(&g->zone, (size_t)count, sizeof *ids);
    if (ids == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        ids[i] = (int32_t)(begin + i * step);
    return take(x, heed_graph_constant(g, &(heed_array){HEED_INT32, {1, {count}}, ids}), axis);
}

static heed_tensor *run_take(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0), *ids = heed_use_operand(u, 1);
    if (heed_use_option(u, "axis") == NULL)
        x = flat(x);
    int axis = axis_of(u, x, "axis", 0);
    if (axis < 0 || ids == NULL)
        return NULL;
    return take(x, ids->dtype == HEED_INT32 ? ids : heed_op_cast(ids, HEED_INT32), axis);
}

/* The number of the greatest along an axis, or of all. */
static heed_tensor *greatest(const use *u, heed_tensor *x)
{
    bool all = heed_use_option(u, "axis") == NULL;
    x = all ? flat(x) : x;
    int axis = axis_of(u, x, "axis", 0);
    if (axis < 0)
        return NULL;
    heed_tensor *y = heed_op_argmax(move_axis(x, axis, x->shape.rank - 1));
    return heed_use_bool(u, "keepdims") && !all ? heed_op_expand(y, axis) : y;
}

static heed_tensor *run_argmax(const use *u) { return greatest(u, heed_as_floats(heed_use_operand(u, 0))); }
static heed_tensor *run_argmin(const use *u)
{
    return greatest(u, heed_op_negative(heed_as_floats(heed_use_operand(u, 0))));
}

static heed_tensor *run_one_hot(const use *u)
{
    heed_tensor *ids = heed_use_operand(u, 0), *y;
    const heed_value *dtype = heed_use_option(u, "dtype");
    if (ids != NULL && ids->dtype != HEED_INT32)
        ids = heed_op_cast(ids, HEED_INT32);
    y = heed_op_one_hot(ids, heed_use_int(u, "num_classes", 1));
    int axis = axis_of(u, y, "axis", -1);
    if (axis >= 0)
        y = move_axis(y, y->shape.rank - 1, axis);
    return heed_value_is(dtype, HEED_VALUE_TEXT) && heed_dtype_of_word(dtype->text) != HEED_FLOAT32
               ? heed_op_cast(y, heed_dtype_of_word(dtype->text)) : y;
}

static bool is_named(const heed_value *v, const char *class_name)
{
    const heed_value *name = heed_value_find(v, "class_name");
    return heed_value_is(name, HEED_VALUE_TEXT) && strcmp(name->text, class_name) == 0;
}

static bool slice_part(const use *u, const heed_value *config, const char *part, int64_t *out)
{
    const heed_value *v = heed_value_find(config, part);
    if (v == NULL || v->type == HEED_VALUE_NULL)
        return true;
    return heed_value_as_int(u->call->graph->context, v, "slice", out) == HEED_OK;
}

/* Python's slice: {"start", "stop", "step"}. */
static heed_tensor *take_slice(const use *u, heed_tensor *x, int axis, const heed_value *config)
{
    int64_t size = heed_tensor_dim(x, axis), step = 1, none = INT64_MIN, begin = none, end = none;
    if (!slice_part(u, config, "step", &step) || !slice_part(u, config, "start", &begin) ||
        !slice_part(u, config, "stop", &end) || step == 0)
        return heed_use_refuse(u, "a slice is not made of constant integers");
    int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
    int64_t from = begin == none ? (step > 0 ? 0 : size - 1) : begin < 0 ? begin + size : begin;
    int64_t to = end == none ? (step > 0 ? size : -1) : end < 0 ? end + size : end;
    from = from < least ? least : from > most ? most : from;
    to = to < least ? least : to > most ? most : to;
    int64_t count = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
    return take_range(x, axis, count > 0 ? from : 0, count > 0 ? count : 0, step);
}

static heed_tensor *take_index(const use *u, heed_tensor *x, int axis, int64_t index)
{
    int64_t size = heed_tensor_dim(x, axis);
    index = index < 0 ? index + size : index;
    if (index < 0 || index >= size)
        return heed_graph_fail(u->call->graph, HEED_EINVAL, "an index is out of range (expected below %lld)",
                               (long long)size);
    return heed_op_squeeze(heed_op_slice(x, axis, index, 1), axis);
}

/* How many dimensions an index speaks of. */
static int dimensions_named(const heed_value *key)
{
    int count = 0;
    for (const heed_value *item = key->first; item != NULL; item = item->next)
        count += item->type != HEED_VALUE_NULL && !is_named(item, "__ellipsis__");
    return count;
}

static heed_tensor *run_get_item(const use *u)
{
    heed_tensor *x = heed_use_operand(u, 0);
    const heed_value *key = heed_use_argument(u, 1);
    if (key == NULL || x == NULL)
        return heed_use_refuse(u, "it has no index");
    bool list = key->type == HEED_VALUE_LIST;
    int axis = 0, elided = list ? x->shape.rank - dimensions_named(key) : 0;
    for (const heed_value *item = list ? key->first : key; item != NULL && x != NULL; item = list ? item->next : NULL) {
        if (is_named(item, "__slice__"))
            x = take_slice(u, x, axis++, heed_value_find(item, "config"));
        else if (is_named(item, "__ellipsis__"))
            axis += elided;
        else if (item->type == HEED_VALUE_NULL)
            x = heed_op_expand(x, axis++);
        else if (item->type == HEED_VALUE_INT)
            x = take_index(u, x, axis, item->integer);
        else
            return heed_use_refuse(u, "only integers, slices, None and ... are supported as indices");
    }
    return x;
}

/* ---- others ---- */

static heed_tensor *run_copy(const use *u) { return heed_use_operand(u, 0); }

/* x up to a diagonal (from it on), and 0 elsewhere. */
static heed_tensor *triangle(const use *u, bool lower)
{
    heed_tensor *x = heed_use_operand(u, 0);
    if (x == NULL || x->shape.rank < 2)
        return heed_use_refuse(u, "it has no rows and columns");
    int k = heed_use_int(u, "k", 0);
    heed_tensor *kept = heed_use_triangle(u, heed_tensor_dim(x, -2), heed_tensor_dim(x, -1), lower ? k : k - 1);
    kept = lower ? kept : heed_op_not(kept);
    if (x->dtype == HEED_BOOL)
        return heed_op_and(x, kept);
    return heed_as_before(heed_op_select(kept, heed_as_floats(x), heed_graph_scalar(u->call->graph, 0.0f)), x);
}

static heed_tensor *run_lower(const use *u) { return triangle(u, true); }
static heed_tensor *run_upper(const use *u) { return triangle(u, false); }

/* ---- the table ---- */

const heed_operation_row heed_shape_operations[] = {
    HEED_OPERATION(Transpose, numpy, "axes", run_transpose)
    HEED_OPERATION(Swapaxes, numpy, "axis1 axis2", run_swap_axes)
    HEED_OPERATION(Moveaxis, numpy, "source destination", run_move_axis)
    HEED_OPERATION(Reshape, numpy, "newshape", run_reshape)
    HEED_OPERATION(ExpandDims, numpy, "axis", run_expand_dims)
    HEED_OPERATION(Squeeze, numpy, "axis", run_squeeze)
    HEED_OPERATION(Concatenate, numpy, "axis", run_concatenate)
    HEED_OPERATION(Stack, numpy, "axis", run_stack)
    HEED_OPERATION(Split, numpy, "indices_or_sections axis", run_split)
    HEED_OPERATION(Unstack, core, "num axis", run_unstack)
    HEED_OPERATION(Flip, numpy, "axis", run_flip)
    HEED_OPERATION(Roll, numpy, "shift axis", run_roll)
    HEED_OPERATION(Tile, numpy, "repeats", run_tile)
    HEED_OPERATION(Repeat, numpy, "repeats axis", run_repeat)
    HEED_OPERATION(Pad, numpy, "pad_width mode", run_pad)
    HEED_OPERATION(OnesLike, numpy, "dtype", run_ones_like)
    HEED_OPERATION(ZerosLike, numpy, "dtype", run_zeros_like)
    HEED_OPERATION(FullLike, numpy, "dtype", run_full_like)
    HEED_OPERATION(Cumsum, numpy, "axis", run_cumsum)
    HEED_OPERATION(Diff, numpy, "n axis", run_diff)
    HEED_OPERATION(Argmax, numpy, "axis keepdims", run_argmax)
    HEED_OPERATION(Argmin, numpy, "axis keepdims", run_argmin)
    HEED_OPERATION(Take, numpy, "axis", run_take)
    HEED_OPERATION(OneHot, nn, "num_classes axis dtype sparse", run_one_hot)
    HEED_OPERATION(GetItem, numpy, "", run_get_item)
    HEED_OPERATION(Copy, numpy, "", run_copy)
    HEED_OPERATION(Tril, numpy, "k", run_lower)
    HEED_OPERATION(Triu, numpy, "k", run_upper)
    {.run = NULL},
};
