/* Convolutions: plain, separable, depthwise, and the way back; over steps or pictures. */
#include "heed/convolution.h"

#include "layers/spatial.h"

#include <string.h>

/* What a convolution of any kind may be told, taken by name from the options of its class. */
#define ANY_OPTIONS(X, config)                                                                                         \
    X(config, INT, filters, 0, "", "")                                                                                 \
    X(config, INT, groups, 1, "", "")                                                                                  \
    X(config, INT, depth_multiplier, 1, "", "")                                                                        \
    X(config, TEXT, padding, NULL, "", "")                                                                             \
    HEED_SUM_OPTIONS(X, config)                                                                                        \
    HEED_WEIGHT_OPTIONS(X, config, kernel, NULL)                                                                       \
    HEED_WEIGHT_OPTIONS(X, config, depthwise, NULL)                                                                    \
    HEED_WEIGHT_OPTIONS(X, config, pointwise, NULL)                                                                    \
    HEED_WEIGHT_OPTIONS(X, config, bias, NULL)
typedef struct any_options { ANY_OPTIONS(HEED_OPTION_FIELD, ) } any_options;

static const heed_option any_rows[] = {ANY_OPTIONS(HEED_OPTION_ROW, any_options)};
static const any_options any_defaults = {ANY_OPTIONS(HEED_OPTION_DEFAULT, )};
static const heed_option_table any_table = {any_rows, sizeof any_rows / sizeof *any_rows, sizeof any_defaults,
                                            &any_defaults};

typedef struct convolution {
    any_options    o;
    int            axes;
    bool           first; /* channels */
    int64_t        size[HEED_MOST_AXES], strides[HEED_MOST_AXES], dilation[HEED_MOST_AXES];
    int64_t        output_padding[HEED_MOST_AXES]; /* of a way back */
    bool           has_output_padding;
    heed_variable *kernel, *pointwise, *bias;
} convolution;

/* ---- set up ---- */

static heed_status read_windows(heed_layer *layer, convolution *c)
{
    HEED_TRY(heed_layer_sizes(layer, "kernel_size", c->axes, c->size));
    HEED_TRY(heed_layer_sizes(layer, "strides", c->axes, c->strides));
    HEED_TRY(heed_layer_sizes(layer, "dilation_rate", c->axes, c->dilation));
    for (int i = 0; i < c->axes; i++)
        if (c->size[i] < 1 || c->strides[i] < 1 || c->dilation[i] < 1)
            return heed_layer_fail(layer, HEED_EINVAL,
                                   "kernel_size, strides and dilation_rate are needed (expected 1 or more, found %lld, "
                                   "%lld and %lld)", (long long)c->size[i], (long long)c->strides[i],
                                   (long long)c->dilation[i]);
    return HEED_OK;
}

static heed_status set_up(heed_layer *layer, int axes)
{
    convolution *c = heed_layer_alloc(layer, sizeof *c);
    if (c == NULL)
        return HEED_ENOMEM;
    c->o = any_defaults;
    heed_options_transfer(HEED_TABLE_OF(layer->layer_class), layer->config, any_table, &c->o);
    c->axes = axes;
    c->first = heed_channels_first(layer);
    return read_windows(layer, c);
}

/* As Keras: a window either advances by more than one, or has gaps. */
static heed_status refuse_both(heed_layer *layer, const convolution *c)
{
    for (int i = 0; i < c->axes; i++)
        for (int j = 0; j < c->axes; j++)
            if (c->strides[i] > 1 && c->dilation[j] > 1)
                return heed_layer_fail(layer, HEED_EINVAL,
                                       "strides and dilation_rate exclude each other (expected 1 for one of them, "
                                       "found %lld and %lld)", (long long)c->strides[i], (long long)c->dilation[j]);
    return HEED_OK;
}

static heed_status set_up_plain(heed_layer *layer, int axes)
{
    HEED_TRY(set_up(layer, axes));
    const convolution *c = heed_layer_state(layer);
    if (c->o.filters % c->o.groups != 0)
        return heed_layer_fail(layer, HEED_EINVAL, "groups do not divide filters (expected a divisor of %d, found %d)",
                               c->o.filters, c->o.groups);
    return refuse_both(layer, c);
}

static heed_status set_up_way_back(heed_layer *layer, int axes)
{
    HEED_TRY(set_up(layer, axes));
    convolution *c = heed_layer_state(layer);
    HEED_TRY(refuse_both(layer, c));
    const heed_option *o = heed_options_find(HEED_TABLE_OF(layer->layer_class), "output_padding");
    const void *field = (const char *)layer->config + o->offset;
    c->has_output_padding = axes == 1 ? *(const int *)field != HEED_NONE : ((const heed_shape *)field)->rank > 0;
    HEED_TRY(heed_layer_sizes(layer, "output_padding", axes, c->output_padding));
    for (int i = 0; i < axes && c->has_output_padding; i++)
        if (c->output_padding[i] >= c->strides[i])
            return heed_layer_fail(layer, HEED_EINVAL,
                                   "output_padding is out of range (expected less than strides, %lld, "
                                   "found %lld)", (long long)c->strides[i], (long long)c->output_padding[i]);
    return HEED_OK;
}

static heed_status plain1d_init(heed_layer *layer) { return set_up_plain(layer, 1); }
static heed_status plain2d_init(heed_layer *layer) { return set_up_plain(layer, 2); }
static heed_status channels1d_init(heed_layer *layer) { return set_up(layer, 1); }
static heed_status channels2d_init(heed_layer *layer) { return set_up(layer, 2); }
static heed_status way_back1d_init(heed_layer *layer) { return set_up_way_back(layer, 1); }
static heed_status way_back2d_init(heed_layer *layer) { return set_up_way_back(layer, 2); }

/* ---- weights ---- */

/* (kernel_size, in, out), or with ones for the kernel's sizes. */
static heed_shape kernel_shape(const convolution *c, bool ones, int64_t in, int64_t out)
{
    heed_shape s = {c->axes + 2, {0}};
    for (int i = 0; i < c->axes; i++)
        s.dims[i] = ones ? 1 : c->size[i];
    s.dims[c->axes] = in;
    s.dims[c->axes + 1] = out;
    return s;
}

static heed_status count_channels(heed_layer *layer, const heed_shape *input, int64_t *channels)
{
    const convolution *c = heed_layer_state(layer);
    HEED_TRY(heed_check_axes(layer, input, c->axes));
    *channels = input->dims[c->first ? 1 : c->axes + 1];
    return *channels != HEED_ANY ? HEED_OK
                                 : heed_layer_fail(layer, HEED_ESHAPE, "the input's number of channels is not known");
}

static void make_bias(heed_layer *layer, convolution *c, int64_t size)
{
    heed_shape shape = {1, {size}};
    if (c->o.use_bias)
        c->bias = heed_layer_weight(layer, "bias", &shape, c->o.bias_initializer, c->o.bias_regularizer,
                                    c->o.bias_constraint, true);
}

static void make_kernel(heed_layer *layer, convolution *c, const heed_shape *shape)
{
    c->kernel = heed_layer_weight(layer, "kernel", shape, c->o.kernel_initializer, c->o.kernel_regularizer,
                                  c->o.kernel_constraint, true);
}

static void make_depthwise(heed_layer *layer, convolution *c, const char *name, int64_t channels)
{
    heed_shape shape = kernel_shape(c, false, channels, c->o.depth_multiplier);
    c->kernel = heed_layer_weight(layer, name, &shape, c->o.depthwise_initializer, c->o.depthwise_regularizer,
                                  c->o.depthwise_constraint, true);
}

static heed_status plain_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    convolution *c = heed_layer_state(layer);
    int64_t channels;
    HEED_TRY(count_channels(layer, inputs, &channels));
    if (channels % c->o.groups != 0)
        return heed_layer_fail(layer, HEED_ESHAPE,
                               "groups do not divide the input's channels (expected a divisor of %lld, found %d)",
                               (long long)channels, c->o.groups);
    heed_shape shape = kernel_shape(c, false, channels / c->o.groups, c->o.filters);
    make_kernel(layer, c, &shape);
    make_bias(layer, c, c->o.filters);
    return HEED_OK;
}

static heed_status way_back_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    convolution *c = heed_layer_state(layer);
    int64_t channels;
    HEED_TRY(count_channels(layer, inputs, &channels));
    heed_shape shape = kernel_shape(c, false, c->o.filters, channels);
    make_kernel(layer, c, &shape);
    make_bias(layer, c, c->o.filters);
    return HEED_OK;
}

static heed_status depthwise_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    convolution *c = heed_layer_state(layer);
    int64_t channels;
    HEED_TRY(count_channels(layer, inputs, &channels));
    make_depthwise(layer, c, "kernel", channels);
    make_bias(layer, c, channels * c->o.depth_multiplier);
    return HEED_OK;
}

static heed_status separable_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    convolution *c = heed_layer_state(layer);
    int64_t channels;
    HEED_TRY(count_channels(layer, inputs, &channels));
    make_depthwise(layer, c, "depthwise_kernel", channels);
    heed_shape shape = kernel_shape(c, true, channels * c->o.depth_multiplier, c->o.filters);
    c->pointwise = heed_layer_weight(layer, "pointwise_kernel", &shape, c->o.pointwise_initializer,
                                     c->o.pointwise_regularizer, c->o.pointwise_constraint, true);
    make_bias(layer, c, c->o.filters);
    return HEED_OK;
}

/* ---- calls ---- */

/* The windows over x (B, ..., C); a kernel that "valid" has no room for is refused. */
static heed_status lay_windows(heed_layer *layer, const heed_tensor *x, heed_sliding_window *windows)
{
    const convolution *c = heed_layer_state(layer);
    for (int i = 0; i < c->axes; i++) {
        int64_t elements = x->shape.dims[1 + i], covers = (c->size[i] - 1) * c->dilation[i] + 1;
        windows[i] = heed_window_over(elements, c->size[i], c->strides[i], c->dilation[i], c->o.padding);
        if (covers > elements + windows[i].before + windows[i].after)
            return heed_layer_fail(layer, HEED_ESHAPE,
                                   "kernel_size and dilation_rate reach over the input on axis %d, which padding "
                                   "'valid' does not allow (expected at most %lld elements, found %lld)", 1 + i,
                                   (long long)elements, (long long)covers);
    }
    return HEED_OK;
}

static heed_tensor *bias_of(const convolution *c, heed_graph *g)
{
    return c->bias == NULL ? NULL : heed_graph_variable(g, c->bias);
}

static heed_status finish(const convolution *c, heed_call *call, heed_tensor *y)
{
    call->outputs[0] = heed_channels_back(heed_activate(y, c->o.activation), c->first);
    return HEED_OK;
}

static heed_status plain_call(heed_layer *layer, heed_call *call)
{
    const convolution *c = heed_layer_state(layer);
    heed_sliding_window windows[HEED_MOST_AXES];
    heed_tensor *x;
    HEED_TRY(heed_take_spatial(layer, call, c->axes, &x));
    HEED_TRY(lay_windows(layer, x, windows));
    heed_tensor *kernel = heed_graph_variable(call->graph, c->kernel);
    return finish(c, call, heed_op_convolution(x, kernel, bias_of(c, call->graph), windows, c->o.groups));
}

/* Each channel on its own: a group for each, where one becomes several a copy of it for each. */
static heed_status apply_depthwise(heed_layer *layer, const heed_call *call, heed_tensor *bias, heed_tensor **y)
{
    const convolution *c = heed_layer_state(layer);
    heed_sliding_window windows[HEED_MOST_AXES];
    heed_tensor *x;
    HEED_TRY(heed_take_spatial(layer, call, c->axes, &x));
    HEED_TRY(lay_windows(layer, x, windows));
    int64_t channels = heed_tensor_dim(x, -1) * c->o.depth_multiplier;
    heed_shape grouped = kernel_shape(c, false, 1, channels);
    heed_tensor *kernel = heed_op_reshape(heed_graph_variable(call->graph, c->kernel), &grouped);
    x = heed_op_repeat(x, -1, c->o.depth_multiplier);
    *y = heed_op_convolution(x, kernel, bias, windows, (int)channels);
    return heed_graph_status(call->graph);
}

static heed_status depthwise_call(heed_layer *layer, heed_call *call)
{
    const convolution *c = heed_layer_state(layer);
    heed_tensor *y;
    HEED_TRY(apply_depthwise(layer, call, bias_of(c, call->graph), &y));
    return finish(c, call, y);
}

static heed_status separable_call(heed_layer *layer, heed_call *call)
{
    const convolution *c = heed_layer_state(layer);
    heed_tensor *between;
    HEED_TRY(apply_depthwise(layer, call, NULL, &between));
    heed_shape matrix = {2, {HEED_ANY, c->o.filters}};
    heed_tensor *pointwise = heed_op_reshape(heed_graph_variable(call->graph, c->pointwise), &matrix);
    return finish(c, call, heed_op_dense(between, pointwise, bias_of(c, call->graph)));
}

/* Length of a way back from `elements`. */
static int64_t length_back(const convolution *c, int axis, int64_t elements)
{
    int64_t covers = (c->size[axis] - 1) * c->dilation[axis] + 1, stride = c->strides[axis];
    bool same = strcmp(c->o.padding, "same") == 0;
    if (!c->has_output_padding)
        return same ? elements * stride : (elements - 1) * stride + (covers > stride ? covers : stride);
    return (elements - 1) * stride + (same ? covers % 2 : covers) + c->output_padding[axis];
}

static heed_status way_back_call(heed_layer *layer, heed_call *call)
{
    const convolution *c = heed_layer_state(layer);
    heed_sliding_window windows[HEED_MOST_AXES];
    int64_t lengths[HEED_MOST_AXES];
    heed_tensor *x;
    HEED_TRY(heed_take_spatial(layer, call, c->axes, &x));
    for (int i = 0; i < c->axes; i++) {
        int64_t elements = heed_tensor_dim(x, 1 + i);
        lengths[i] = length_back(c, i, elements);
        windows[i] = heed_window_over(lengths[i], c->size[i], c->strides[i], c->dilation[i], c->o.padding);
        if (strcmp(c->o.padding, "same") == 0 && (lengths[i] + c->strides[i] - 1) / c->strides[i] != elements)
            return heed_layer_fail(layer, HEED_EINVAL,
                                   "output_padding does not fit a kernel of even size with padding 'same' (expected "
                                   "1 or more, found %lld)", (long long)c->output_padding[i]);
    }
    heed_tensor *kernel = heed_graph_variable(call->graph, c->kernel), *bias = bias_of(c, call->graph);
    return finish(c, call, heed_op_convolution_transpose(x, kernel, bias, windows, 1, lengths));
}

/* ---- classes ---- */

static const char masks_end[] = "dropped, as in Keras: what comes out has other steps";

#define SEQUENCE_SHAPES(out) "x (B, T, C) -> y (B, T', " out "); with channels_first (B, C, T) -> (B, " out ", T')"
#define PICTURE_SHAPES(out)                                                                                            \
    "x (B, H, W, C) -> y (B, H', W', " out "); with channels_first (B, C, H, W) -> (B, " out ", H', W')"

const heed_layer_class heed_conv1d_class = {
    .name = "Conv1D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_conv1d_config, HEED_CONV1D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = plain1d_init,
    .build = plain_build,
    .call = plain_call,
    .equation = "y_t = activation(sum_j x_(t s + j d) W_j + b), s strides, d dilation_rate",
    .shapes = SEQUENCE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, C / groups, filters)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/conv1d.py",
    .differs = "nothing",
};

const heed_layer_class heed_conv2d_class = {
    .name = "Conv2D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_conv2d_config, HEED_CONV2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = plain2d_init,
    .build = plain_build,
    .call = plain_call,
    .equation = "y_tu = activation(sum_jk x_(t s + j d, u s + k d) W_jk + b), s strides, d dilation_rate",
    .shapes = PICTURE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, C / groups, filters)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/conv2d.py",
    .differs = "nothing",
};

const heed_layer_class heed_separable_conv1d_class = {
    .name = "SeparableConv1D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_separable_conv1d_config, HEED_SEPARABLE_CONV1D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = channels1d_init,
    .build = separable_build,
    .call = separable_call,
    .equation = "z_t,(c m + i) = sum_j x_(t s + j d),c D_j,c,i; y = activation(z P + b)",
    .shapes = SEQUENCE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "depthwise_kernel (kernel_size, C, depth_multiplier)\n"
               "pointwise_kernel (1, C depth_multiplier, filters)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/separable_conv1d.py",
    .differs = "nothing",
};

const heed_layer_class heed_separable_conv2d_class = {
    .name = "SeparableConv2D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_separable_conv2d_config, HEED_SEPARABLE_CONV2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = channels2d_init,
    .build = separable_build,
    .call = separable_call,
    .equation = "z_tu,(c m + i) = sum_jk x_(t s + j d, u s + k d),c D_jk,c,i; y = activation(z P + b)",
    .shapes = PICTURE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "depthwise_kernel (kernel_size, C, depth_multiplier)\n"
               "pointwise_kernel (1, 1, C depth_multiplier, filters)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/separable_conv2d.py",
    .differs = "nothing",
};

const heed_layer_class heed_depthwise_conv1d_class = {
    .name = "DepthwiseConv1D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_depthwise_conv1d_config, HEED_DEPTHWISE_CONV1D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = channels1d_init,
    .build = depthwise_build,
    .call = depthwise_call,
    .equation = "y_t,(c m + i) = activation(sum_j x_(t s + j d),c W_j,c,i + b)",
    .shapes = SEQUENCE_SHAPES("C depth_multiplier"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, C, depth_multiplier)\n"
               "bias (C depth_multiplier): with use_bias",
    .source = "Keras, layers/convolutional/depthwise_conv1d.py",
    .differs = "nothing",
};

const heed_layer_class heed_depthwise_conv2d_class = {
    .name = "DepthwiseConv2D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_depthwise_conv2d_config, HEED_DEPTHWISE_CONV2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = channels2d_init,
    .build = depthwise_build,
    .call = depthwise_call,
    .equation = "y_tu,(c m + i) = activation(sum_jk x_(t s + j d, u s + k d),c W_jk,c,i + b)",
    .shapes = PICTURE_SHAPES("C depth_multiplier"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, C, depth_multiplier)\n"
               "bias (C depth_multiplier): with use_bias",
    .source = "Keras, layers/convolutional/depthwise_conv2d.py",
    .differs = "nothing",
};

const heed_layer_class heed_conv1d_transpose_class = {
    .name = "Conv1DTranspose",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_conv1d_transpose_config, HEED_CONV1D_TRANSPOSE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = way_back1d_init,
    .build = way_back_build,
    .call = way_back_call,
    .equation = "y_i = activation(sum over t, j with t s + j d = i of x_t W_j^T, + b)",
    .shapes = SEQUENCE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, filters, C)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/conv1d_transpose.py",
    .differs = "nothing",
};

const heed_layer_class heed_conv2d_transpose_class = {
    .name = "Conv2DTranspose",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_conv2d_transpose_config, HEED_CONV2D_TRANSPOSE_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = way_back2d_init,
    .build = way_back_build,
    .call = way_back_call,
    .equation = "y_ih = activation(sum over t, u, j, k with t s + j d = i, u s + k d = h of x_tu W_jk^T, + b)",
    .shapes = PICTURE_SHAPES("filters"),
    .masks = masks_end,
    .weights = "kernel (kernel_size, filters, C)\n"
               "bias (filters): with use_bias",
    .source = "Keras, layers/convolutional/conv2d_transpose.py",
    .differs = "nothing",
};
