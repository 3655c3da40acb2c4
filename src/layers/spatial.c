#include "layers/spatial.h"

#include <string.h>

/* ---- where channels stand ---- */

bool heed_channels_first(const heed_layer *layer)
{
    const heed_option *o = heed_options_find(HEED_TABLE_OF(layer->layer_class), "data_format");
    const char *format = o == NULL ? NULL : *(const char **)((char *)layer->config + o->offset);
    return format != NULL && strcmp(format, "channels_first") == 0;
}

heed_tensor *heed_channels_last(heed_tensor *x, bool first)
{
    int order[HEED_MAX_RANK] = {0};
    if (!first || x == NULL)
        return x;
    for (int i = 1; i < x->shape.rank - 1; i++)
        order[i] = i + 1;
    order[x->shape.rank - 1] = 1;
    return heed_op_transpose(x, order);
}

heed_tensor *heed_channels_back(heed_tensor *x, bool first)
{
    int order[HEED_MAX_RANK] = {0};
    if (!first || x == NULL)
        return x;
    order[1] = x->shape.rank - 1;
    for (int i = 2; i < x->shape.rank; i++)
        order[i] = i - 1;
    return heed_op_transpose(x, order);
}

heed_status heed_check_axes(heed_layer *layer, const heed_shape *input, int axes)
{
    char text[128];
    if (input->rank == axes + 2)
        return HEED_OK;
    return heed_layer_fail(layer, HEED_ESHAPE, "the input has another rank than it takes (expected %d, found %s)",
                           axes + 2, heed_shape_text(input, text, sizeof text));
}

heed_status heed_take_spatial(heed_layer *layer, const heed_call *call, int axes, heed_tensor **x)
{
    HEED_TRY(heed_check_axes(layer, &call->inputs[0]->shape, axes));
    *x = heed_channels_last(call->inputs[0], heed_channels_first(layer));
    return heed_graph_status(call->graph);
}

/* ---- options ---- */

heed_status heed_layer_sizes(heed_layer *layer, const char *option, int axes, int64_t *out)
{
    const heed_option *o = heed_options_find(HEED_TABLE_OF(layer->layer_class), option);
    const void *field = (const char *)layer->config + o->offset;
    heed_shape sizes = {1, {0}};
    if (o->type == HEED_OPTION_INT)
        sizes.dims[0] = *(const int *)field == HEED_NONE ? 0 : *(const int *)field;
    else if (((const heed_shape *)field)->rank > 0)
        sizes = *(const heed_shape *)field;
    if (sizes.rank != 1 && sizes.rank != axes)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "%s has another number of sizes than axes (expected 1 or %d, found %d)", option,
                               axes, sizes.rank);
    for (int i = 0; i < axes; i++)
        out[i] = sizes.dims[sizes.rank == 1 ? 0 : i];
    return HEED_OK;
}

heed_status heed_layer_pairs(heed_layer *layer, const char *option, int axes, int64_t out[][2])
{
    const heed_option *o = heed_options_find(HEED_TABLE_OF(layer->layer_class), option);
    const heed_shape *given = (const heed_shape *)(const void *)((const char *)layer->config + o->offset);
    if (given->rank != 1 && given->rank != axes && given->rank != 2 * axes)
        return heed_layer_fail(layer, HEED_EINVAL,
                               "%s has another number of sizes than sides (expected 1%s or %d, found %d)", option,
                               axes == 1 ? "" : ", 2", 2 * axes, given->rank);
    for (int side = 0; side < 2 * axes; side++) {
        int axis = side / 2;
        out[axis][side % 2] = given->dims[given->rank == 1 ? 0 : given->rank == axes ? axis : side];
    }
    return HEED_OK;
}

/* ---- windows ---- */

heed_sliding_window heed_window_over(int64_t elements, int64_t size, int64_t stride, int64_t dilation,
                                     const char *padding)
{
    heed_sliding_window w = {size, stride, dilation, 0, 0};
    int64_t covers = (size - 1) * dilation + 1;
    if (strcmp(padding, "causal") == 0) {
        w.before = covers - 1;
    } else if (strcmp(padding, "same") == 0) {
        int64_t windows = (elements + stride - 1) / stride, missing = (windows - 1) * stride + covers - elements;
        w.before = missing > 0 ? missing / 2 : 0;
        w.after = missing > 0 ? missing - w.before : 0;
    }
    return w;
}
