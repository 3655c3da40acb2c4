/* Layers over steps and pictures, beyond what the fixtures tell: what they refuse, channels first, noise, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/convolution.h"
#include "layers/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 2}, (heed_context **)state);
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

/* ---- one call of a layer ---- */

typedef struct trial {
    heed_layer *layer;
    heed_graph *graph;
    heed_tensor *x, *y;
    heed_inner   inner;
    float       *data;
} trial;

/* Calls a layer on numbers of this shape, x_i = sin(i + 1); weights are drawn. */
static heed_status begin(heed_context *c, heed_spec spec, heed_shape shape, bool training, trial *t)
{
    *t = (trial){0};
    HEED_TRY(heed_layer_create(c, spec, &t->layer));
    HEED_TRY(heed_graph_create(c, &t->graph));
    t->x = heed_graph_input(t->graph, HEED_FLOAT32, &shape);
    int64_t count = heed_shape_count(&shape);
    t->data = malloc((size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++)
        t->data[i] = sinf((float)(i + 1));
    heed_call outer = {.graph = t->graph, .training = training};
    HEED_TRY(heed_inner_call(&t->inner, &outer, t->layer, &t->x, NULL, 1, NULL));
    t->y = t->inner.outputs[0];
    for (int i = 0; i < heed_layer_weight_count(t->layer); i++)
        if (!heed_layer_weight_at(t->layer, i)->drawn)
            HEED_TRY(heed_variable_initialize(c, heed_layer_weight_at(t->layer, i), 7, (uint64_t)i));
    return HEED_OK;
}

static const float *run(trial *t)
{
    assert_int_equal(heed_graph_plan(t->graph, &t->y, 1), HEED_OK);
    heed_graph_bind(t->x, t->data);
    assert_int_equal(heed_graph_run(t->graph, 3, 1), HEED_OK);
    return heed_tensor_data(t->y);
}

static void end(trial *t)
{
    heed_graph_free(t->graph);
    heed_layer_release(t->layer);
    free(t->data);
}

/* ---- refusals ---- */

static void check_made(heed_context *c, const char *class_name, const char *options, const char *error)
{
    heed_layer *layer;
    assert_int_not_equal(heed_layer_create_text(c, class_name, options, &layer), HEED_OK);
    assert_string_equal(heed_error(c), error);
}

static void test_options_refused(void **state)
{
    heed_context *c = *state;
    check_made(c, "Conv1D", "0, 3", "Conv1D layer: filters is out of range (expected [1,), found 0)");
    check_made(c, "Conv1D", "4", "Conv1D layer: kernel_size is out of range (expected [1,), found 0)");
    check_made(c, "Conv2D", "4, name='edges'",
               "Conv2D layer 'edges': kernel_size, strides and dilation_rate are needed (expected 1 or more, found 0, "
               "1 and 1)");
    check_made(c, "Conv2D", "4, [3, 3, 3]",
               "Conv2D layer: kernel_size has another number of sizes than axes (expected 1 or 2, found 3)");
    check_made(c, "Conv1D", "4, 3, strides=0", "Conv1D layer: strides is out of range (expected [1,), found 0)");
    check_made(c, "Conv1D", "4, 3, strides=2, dilation_rate=3",
               "Conv1D layer: strides and dilation_rate exclude each other (expected 1 for one of them, found 2 and "
               "3)");
    check_made(c, "Conv1D", "4, 3, groups=3",
               "Conv1D layer: groups do not divide filters (expected a divisor of 4, found 3)");
    check_made(c, "Conv1D", "4, 3, groups=0", "Conv1D layer: groups is out of range (expected [1,), found 0)");
    check_made(c, "Conv2D", "4, 3, padding='causal'",
               "Conv2D layer: padding is not one of its words (expected valid|same, found causal)");
    check_made(c, "Conv1D", "4, 3, data_format='NHWC'",
               "Conv1D layer: data_format is not one of its words (expected "
               "channels_last|channels_first|None, found NHWC)");
    check_made(c, "Conv1DTranspose", "4, 3, strides=2, output_padding=2",
               "Conv1DTranspose layer: output_padding is out of range (expected less than strides, 2, found 2)");
    check_made(c, "MaxPooling1D", "pool_size=0",
               "MaxPooling1D layer: pool_size is out of range (expected [1,), found 0)");
    check_made(c, "ZeroPadding2D", "[1, 2, 3]",
               "ZeroPadding2D layer: padding has another number of sizes than sides (expected 1, 2 or 4, found 3)");
    check_made(c, "Cropping1D", "[1, -1]", "Cropping1D layer: cropping is out of range (expected [0,), found -1)");
    check_made(c, "GaussianDropout", "1", "GaussianDropout layer: rate is out of range (expected [0,1), found 1)");
    check_made(c, "Resize2D", "",
               "Resize2D layer: output_shape is missing, which files of the original do not hold (expected height and "
               "width, found 0 sizes)");
    check_made(c, "DiscreteResize2D", "",
               "DiscreteResize2D layer: upscaling_factor is missing (expected 1 or more, found None)");
}

static void check_called(heed_context *c, heed_spec spec, heed_shape shape, const char *error)
{
    trial t;
    assert_int_equal(begin(c, spec, shape, false, &t), HEED_ESHAPE);
    assert_string_equal(heed_error(c), error);
    end(&t);
}

static void test_inputs_refused(void **state)
{
    heed_context *c = *state;
    const heed_shape x = {3, {2, 5, 4}};
    check_called(c, heed_conv1d(.filters = 2, .kernel_size = 3, .name = "words", .dilation_rate = 3), x,
                 "Conv1D layer 'words': kernel_size and dilation_rate reach over the input on axis 1, which padding "
                 "'valid' does not allow (expected at most 5 elements, found 7)");
    check_called(c, heed_conv1d(.filters = 6, .kernel_size = 3, .groups = 3), x,
                 "Conv1D layer: groups do not divide the input's channels (expected a divisor of 4, found 3)");
    check_called(c, heed_conv2d(.filters = 6, .kernel_size = {1, {3}}), x,
                 "Conv2D layer: the input has another rank than it takes (expected 4, found (None, 5, 4))");
    check_called(c, heed_max_pooling1d(.pool_size = 6), x,
                 "MaxPooling1D layer: pool_size reaches over the input on axis 1, which padding 'valid' does not allow "
                 "(expected at most 5, found 6)");
    check_called(c, heed_cropping1d(.cropping = {2, {2, 3}}), x,
                 "Cropping1D layer: cropping leaves nothing of axis 1 (expected a sum below 5, found 2 and 3)");
    check_called(c, heed_global_max_pooling2d(), x,
                 "GlobalMaxPooling2D layer: the input has another rank than it takes (expected 4, found (2, 5, 4))");
    trial t;
    heed_spec spec =
        heed_conv1d_transpose(.filters = 2, .kernel_size = 4, .strides = 2, .padding = "same", .output_padding = 0);
    assert_int_equal(begin(c, spec, x, false, &t), HEED_EINVAL);
    assert_string_equal(heed_error(c),
                        "Conv1DTranspose layer: output_padding does not fit a kernel of even size with padding 'same' "
                        "(expected 1 or more, found 0)");
    end(&t);
}

/* ---- channels first ---- */

/* The same layer on (B, C, ...), its weights being the same: the output is the other's, its channels first. */
static void check_channels_first(heed_context *c, heed_spec last, heed_spec first, heed_shape shape)
{
    trial a, b;
    heed_shape turned = shape;
    int64_t channels = shape.dims[shape.rank - 1], between = 1;
    turned.dims[1] = channels;
    for (int i = 1; i < shape.rank - 1; i++)
        between *= turned.dims[i + 1] = shape.dims[i];
    assert_int_equal(begin(c, last, shape, false, &a), HEED_OK);
    assert_int_equal(begin(c, first, turned, false, &b), HEED_OK);
    for (int64_t e = 0; e < shape.dims[0]; e++)
        for (int64_t i = 0; i < between; i++)
            for (int64_t k = 0; k < channels; k++)
                b.data[(e * channels + k) * between + i] = a.data[(e * between + i) * channels + k];
    const float *y = run(&a), *z = run(&b);
    int64_t out_channels = heed_tensor_dim(a.y, -1), out = a.y->count / out_channels / shape.dims[0];
    assert_int_equal(heed_tensor_dim(b.y, 1), out_channels);
    assert_int_equal(a.y->count, b.y->count);
    for (int64_t e = 0; e < shape.dims[0]; e++)
        for (int64_t i = 0; i < out; i++)
            for (int64_t k = 0; k < out_channels; k++)
                assert_true(y[(e * out + i) * out_channels + k] == z[(e * out_channels + k) * out + i]);
    end(&a);
    end(&b);
}

#define FIRST .data_format = "channels_first"

static void test_channels_first(void **state)
{
    heed_context *c = *state;
    const heed_shape x = {3, {2, 7, 4}}, picture = {4, {2, 5, 6, 4}};
    check_channels_first(c, heed_conv1d(.filters = 3, .kernel_size = 2),
                         heed_conv1d(.filters = 3, .kernel_size = 2, FIRST), x);
    check_channels_first(c, heed_conv2d(.filters = 6, .kernel_size = {2, {2, 3}}, .groups = 2, .padding = "same"),
                         heed_conv2d(.filters = 6, .kernel_size = {2, {2, 3}}, .groups = 2, .padding = "same", FIRST),
                         picture);
    check_channels_first(c, heed_separable_conv1d(.filters = 3, .kernel_size = 2, .depth_multiplier = 2),
                         heed_separable_conv1d(.filters = 3, .kernel_size = 2, .depth_multiplier = 2, FIRST), x);
    check_channels_first(c, heed_depthwise_conv2d(.kernel_size = {1, {2}}),
                         heed_depthwise_conv2d(.kernel_size = {1, {2}}, FIRST),
                         picture);
    check_channels_first(c, heed_conv1d_transpose(.filters = 3, .kernel_size = 3, .strides = 2),
                         heed_conv1d_transpose(.filters = 3, .kernel_size = 3, .strides = 2, FIRST), x);
    check_channels_first(c, heed_zero_padding2d(.padding = {4, {1, 0, 2, 3}}),
                         heed_zero_padding2d(.padding = {4, {1, 0, 2, 3}}, FIRST), picture);
    check_channels_first(c, heed_up_sampling2d(.interpolation = "bilinear"),
                         heed_up_sampling2d(.interpolation = "bilinear", FIRST), picture);
}

/* ---- gaps on the way back ---- */

/* A kernel with gaps is one whose gaps are zeros. (TensorFlow has none on processors.) */
static void test_way_back_with_gaps(void **state)
{
    static const char *const paddings[] = {"valid", "same"};
    for (int i = 0; i < 2; i++) {
        trial a, b;
        const heed_shape x = {3, {2, 5, 3}};
        heed_spec gaps =
            heed_conv1d_transpose(.filters = 2, .kernel_size = 3, .dilation_rate = 2, .padding = paddings[i]);
        assert_int_equal(begin(*state, gaps, x, false, &a), HEED_OK);
        heed_spec wide = heed_conv1d_transpose(.filters = 2, .kernel_size = 5, .padding = paddings[i]);
        assert_int_equal(begin(*state, wide, x, false, &b), HEED_OK);
        heed_variable *from = heed_layer_weight_at(a.layer, 0), *to = heed_layer_weight_at(b.layer, 0);
        memset(to->data, 0, (size_t)to->count * sizeof(float));
        for (int tap = 0; tap < 3; tap++)
            memcpy(to->data + 2 * tap * 6, from->data + tap * 6, 6 * sizeof(float));
        const float *y = run(&a), *z = run(&b);
        assert_int_equal(a.y->count, b.y->count);
        for (int64_t k = 0; k < a.y->count; k++)
            assert_true(fabsf(y[k] - z[k]) < 1e-6f);
        end(&a);
        end(&b);
    }
}

/* ---- noise ---- */

static void test_spatial_dropout(void **state)
{
    enum { STEPS = 5, CHANNELS = 400 };
    trial t;
    const heed_shape shape = {3, {1, STEPS, CHANNELS}};
    assert_int_equal(begin(*state, heed_spatial_dropout1d(.rate = 0.25), shape, true, &t), HEED_OK);
    const float *y = run(&t);
    int kept = 0;
    for (int k = 0; k < CHANNELS; k++) {
        kept += y[k] != 0.0f;
        for (int s = 0; s < STEPS; s++) {
            float expected = y[k] == 0.0f ? 0.0f : t.data[s * CHANNELS + k] / 0.75f;
            assert_true(fabsf(y[s * CHANNELS + k] - expected) < 1e-6f);
        }
    }
    assert_true(kept > 265 && kept < 335); /* 300 expected, deviation 8.7 */
    end(&t);
}

/* Each number is as it was or selu's least, scaled and shifted so that mean and variance of such inputs stay. */
static void test_alpha_dropout(void **state)
{
    enum { COUNT = 4000 };
    const double rate = 0.2, least = -1.7580993408473766;
    const double a = 1 / sqrt((1 - rate) * (1 + rate * least * least)), b = -a * rate * least;
    trial t;
    int replaced = 0;
    assert_int_equal(begin(*state, heed_alpha_dropout(.rate = 0.2), (heed_shape){2, {4, COUNT / 4}}, true, &t), HEED_OK);
    const float *y = run(&t);
    for (int i = 0; i < COUNT; i++) {
        bool kept = fabs(y[i] - (a * t.data[i] + b)) < 1e-5;
        assert_true(kept || fabs(y[i] - (a * least + b)) < 1e-5);
        replaced += !kept;
    }
    assert_true(replaced > 700 && replaced < 900); /* 800 expected, deviation 25.3 */
    end(&t);
    assert_int_equal(begin(*state, heed_alpha_dropout(.rate = 0.2), (heed_shape){2, {1, COUNT}}, false, &t), HEED_OK);
    assert_memory_equal(run(&t), t.data, COUNT * sizeof *t.data);
    end(&t);
}

/* Mean and variance of (y - x) / unit, or of y / x, over many numbers. */
static void check_normal(heed_context *c, heed_spec spec, bool factor, double mean, double variance)
{
    enum { COUNT = 40000 };
    trial t;
    double sum = 0, squares = 0;
    assert_int_equal(begin(c, spec, (heed_shape){2, {4, COUNT / 4}}, true, &t), HEED_OK);
    const float *y = run(&t);
    for (int i = 0; i < COUNT; i++) {
        double d = factor ? y[i] / t.data[i] : y[i] - t.data[i];
        sum += d;
        squares += d * d;
    }
    assert_true(fabs(sum / COUNT - mean) < 5 * sqrt(variance / COUNT));
    assert_true(fabs(squares / COUNT - mean * mean - variance) < 0.05 * variance);
    end(&t);
}

static void test_gaussian(void **state)
{
    check_normal(*state, heed_gaussian_noise(.stddev = 0.5), false, 0, 0.25);
    check_normal(*state, heed_gaussian_dropout(.rate = 0.2), true, 1, 0.25);
}

/* ---- masks ---- */

static void check_mask(heed_context *c, heed_spec spec, bool passes)
{
    heed_layer *layer;
    heed_graph *g;
    heed_inner inner;
    assert_int_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 5, 4}});
    heed_tensor *mask = heed_graph_input(g, HEED_BOOL, &(heed_shape){2, {2, 5}});
    heed_call outer = {.graph = g};
    assert_int_equal(heed_inner_call(&inner, &outer, layer, &x, &mask, 1, NULL), HEED_OK);
    assert_ptr_equal(inner.output_masks[0], passes ? mask : NULL);
    heed_graph_free(g);
    heed_layer_release(layer);
}

static void test_masks(void **state)
{
    heed_context *c = *state;
    check_mask(c, heed_conv1d(.filters = 2, .kernel_size = 3, .padding = "same"), false);
    check_mask(c, heed_max_pooling1d(), false);
    check_mask(c, heed_zero_padding1d(), false);
    check_mask(c, heed_up_sampling1d(), false);
    check_mask(c, heed_global_average_pooling1d(), false);
    check_mask(c, heed_spatial_dropout1d(.rate = 0.5), true);
    check_mask(c, heed_gaussian_noise(.stddev = 0.5), true);
    check_mask(c, heed_rescaling(.scale = 0.5), true);
}

/* Means of what a mask keeps; a row that it keeps nothing of gives zeros. */
static void test_masked_average(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    heed_graph *g;
    heed_inner inner;
    const float x[] = {1, 2, 3, 4, 5, 6, NAN, NAN, NAN, NAN, NAN, NAN};
    const int32_t lengths[] = {2, 0};
    assert_int_equal(heed_layer_create(c, heed_global_average_pooling1d(), &layer), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *in = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 3, 2}});
    heed_tensor *mask = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {2}});
    heed_call outer = {.graph = g};
    assert_int_equal(heed_inner_call(&inner, &outer, layer, &in, &mask, 1, NULL), HEED_OK);
    assert_int_equal(heed_graph_plan(g, inner.outputs, 1), HEED_OK);
    heed_graph_bind(in, x);
    heed_graph_bind(mask, lengths);
    assert_int_equal(heed_graph_run(g, 1, 1), HEED_OK);
    assert_memory_equal(heed_tensor_data(inner.outputs[0]), ((const float[]){2, 3, 0, 0}), 4 * sizeof(float));
    heed_graph_free(g);
    heed_layer_release(layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_options_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inputs_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_channels_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_way_back_with_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spatial_dropout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alpha_dropout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaussian, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_masks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_masked_average, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
