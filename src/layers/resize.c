/* Layers that make sequences and pictures longer, or of another size. Resizing is linear in each axis: a matrix, of which
 * most is zero. */
#include "heed/convolution.h"

#include "layers/spatial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- how TensorFlow resizes an axis ---- */

typedef struct scheme {
    const char *name;
    double (*kernel)(double distance);
    int    reach;      /* elements on either side that count */
    bool   half_pixel; /* whether elements lie in the middle of theirs: TensorFlow 2; or at its begin: TensorFlow 1 */
    bool   repeats;    /* the first and last element go on outside; otherwise what lies outside is left out */
    bool   rounds;     /* distances to 1/1024 */
} scheme;

static double triangle(double x) { return x < 1.0 ? 1.0 - x : 0.0; }

/* Keys 1981, with the slope a at 1. */
static double cubic(double x, double a)
{
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

static double cubic_half(double x) { return cubic(x, -0.5); }
static double cubic_three_quarters(double x) { return cubic(x, -0.75); }

static double lanczos(double x, double radius)
{
    const double pi = 3.14159265358979323846;
    if (x >= radius)
        return 0.0;
    return x < 1e-3 ? 1.0 : radius * sin(pi * x) * sin(pi * x / radius) / (pi * pi * x * x);
}

static double lanczos3(double x) { return lanczos(x, 3.0); }
static double lanczos5(double x) { return lanczos(x, 5.0); }

static const scheme up_sampling_schemes[] = {
    {"bilinear", triangle, 1, true, true, false},
    {"bicubic", cubic_half, 2, true, false, true},
    {"lanczos3", lanczos3, 3, true, false, false},
    {"lanczos5", lanczos5, 5, true, false, false},
};

static const scheme resize_schemes[] = {
    {"bilinear", triangle, 1, false, true, false},
    {"bicubic", cubic_three_quarters, 2, false, true, true},
};

static int64_t within(int64_t i, int64_t size) { return i < 0 ? 0 : i >= size ? size - 1 : i; }

/* Row `o` of a matrix (out, in), which is zeros. */
static void weigh(const scheme *s, int64_t in, int64_t out, int64_t o, float *row)
{
    float scale = (float)in / (float)out; /* single precision as there, so that halves fall on the same side */
    float place = s->half_pixel ? ((float)o + 0.5f) * scale - 0.5f : (float)o * scale;
    double base = floor(place), part = place - base, sum = 0.0;
    if (s->rounds)
        part = rint(part * 1024.0) / 1024.0;
    for (int i = 1 - s->reach; i <= s->reach; i++) {
        int64_t element = (int64_t)base + i;
        double weight = s->kernel(fabs(part - i));
        if (s->repeats || (element >= 0 && element < in)) {
            row[within(element, in)] += (float)weight;
            sum += weight;
        }
    }
    for (int64_t i = 0; i < in && !s->repeats; i++)
        row[i] = (float)(row[i] / sum);
}

static void weigh_nearest(int64_t in, int64_t out, int64_t o, float *row)
{
    row[within((int64_t)floorf((float)o * ((float)in / (float)out)), in)] = 1.0f;
}

/* The share that each element has in the stretch that becomes one. */
static void weigh_area(int64_t in, int64_t out, int64_t o, float *row)
{
    double scale = (double)in / (double)out, begin = (double)o * scale, end = begin + scale;
    for (int64_t i = (int64_t)begin; i < in && (double)i < end; i++) {
        double from = fmax(begin, (double)i), to = fmin(end, (double)i + 1.0);
        row[i] = (float)((to - from) / scale);
    }
}

/* A matrix (out, in), which is zeros; the method's name is one of its layer's words. */
static void fill_matrix(const scheme *schemes, size_t count, const char *method, int64_t in, int64_t out, float *matrix)
{
    const scheme *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(schemes[i].name, method) == 0)
            found = &schemes[i];
    for (int64_t o = 0; o < out; o++) {
        float *row = matrix + o * in;
        if (found != NULL)
            weigh(found, in, out, o, row);
        else if (strcmp(method, "area") == 0)
            weigh_area(in, out, o, row);
        else
            weigh_nearest(in, out, o, row);
    }
}

void heed_resize2d_matrix(const char *method, int64_t in, int64_t out, float *matrix)
{
    fill_matrix(resize_schemes, sizeof resize_schemes / sizeof(scheme), method, in, out, matrix);
}

/* x with `out` elements on an axis. */
static heed_tensor *resize_axis(heed_tensor *x, int axis, int64_t out, const scheme *schemes, size_t count,
                                const char *method)
{
    int64_t in = heed_tensor_dim(x, axis);
    if (x == NULL || in == out)
        return x;
    if (in < 1)
        return heed_graph_fail(x->graph, HEED_ESHAPE, "there is nothing to be resized on axis %d", axis);
    float *matrix = heed_alloc(x->graph->context, (size_t)in * (size_t)out, sizeof *matrix);
    if (matrix == NULL)
        return heed_graph_fail(x->graph, HEED_ENOMEM, "no memory to resize axis %d", axis);
    fill_matrix(schemes, count, method, in, out, matrix);
    heed_tensor *y = heed_op_blend(x, axis, matrix, out);
    heed_release(x->graph->context, matrix);
    return y;
}

/* ---- UpSampling ---- */

static heed_status up_sampling1d_call(heed_layer *layer, heed_call *call)
{
    const heed_up_sampling1d_config *o = heed_layer_config(layer);
    HEED_TRY(heed_check_axes(layer, &call->inputs[0]->shape, 1));
    call->outputs[0] = heed_op_repeat(call->inputs[0], 1, o->size);
    return HEED_OK;
}

static heed_status up_sampling2d_init(heed_layer *layer)
{
    int64_t size[2];
    HEED_TRY(heed_layer_sizes(layer, "size", 2, size));
    if (size[0] > 0)
        return HEED_OK;
    return heed_layer_fail(layer, HEED_EINVAL, "size is missing (expected 1 or more, found None)");
}

static heed_status up_sampling2d_call(heed_layer *layer, heed_call *call)
{
    const heed_up_sampling2d_config *o = heed_layer_config(layer);
    bool nearest = strcmp(o->interpolation, "nearest") == 0;
    int64_t size[2];
    heed_tensor *x;
    HEED_TRY(heed_take_spatial(layer, call, 2, &x));
    HEED_TRY(heed_layer_sizes(layer, "size", 2, size));
    for (int i = 1; i >= 0; i--) /* lines last: theirs are the longer rows */
        x = nearest ? heed_op_repeat(x, 1 + i, size[i])
                    : resize_axis(x, 1 + i, heed_tensor_dim(x, 1 + i) * size[i], up_sampling_schemes,
                                  sizeof up_sampling_schemes / sizeof(scheme), o->interpolation);
    call->outputs[0] = heed_channels_back(x, heed_channels_first(layer));
    return HEED_OK;
}

/* ---- Resize2D ---- */

static heed_status resize2d_init(heed_layer *layer)
{
    const heed_resize2d_config *o = heed_layer_config(layer);
    if (o->output_shape.rank == 2)
        return HEED_OK;
    return heed_layer_fail(layer, HEED_EINVAL,
                           "output_shape is missing, which files of the original do not hold (expected height and "
                           "width, found %d sizes)", o->output_shape.rank);
}

static heed_status resize2d_call(heed_layer *layer, heed_call *call)
{
    const heed_resize2d_config *o = heed_layer_config(layer);
    heed_tensor *x = call->inputs[0];
    HEED_TRY(heed_check_axes(layer, &x->shape, 2));
    for (int i = 0; i < 2; i++)
        x = resize_axis(x, 1 + i, o->output_shape.dims[i], resize_schemes, sizeof resize_schemes / sizeof(scheme),
                        o->method);
    call->outputs[0] = x;
    return HEED_OK;
}

/* ---- DiscreteResize2D ---- */

typedef struct discrete_resize {
    int64_t        factors[2];
    heed_variable *w;
} discrete_resize;

static heed_status discrete_resize2d_init(heed_layer *layer)
{
    discrete_resize *d = heed_layer_alloc(layer, sizeof *d);
    if (d == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_layer_sizes(layer, "upscaling_factor", 2, d->factors));
    if (d->factors[0] > 0)
        return HEED_OK;
    return heed_layer_fail(layer, HEED_EINVAL, "upscaling_factor is missing (expected 1 or more, found None)");
}

/* Where element i stands on the slopes from the middle of 2 f - f mod 2 elements. */
static double slope(int64_t i, int64_t factor)
{
    double middle = (double)factor - (factor % 2 == 0 ? 0.5 : 1.0);
    return 1.0 - fabs((double)i - middle) / (double)factor;
}

/* What the original's initializer gives: the slopes within each channel. */
static void set_slopes(const discrete_resize *d)
{
    const int64_t *dims = d->w->shape.dims;
    int64_t channels = dims[2];
    for (int64_t i = 0; i < dims[0] * dims[1]; i++)
        for (int64_t c = 0; c < channels; c++)
            d->w->data[(i * channels + c) * channels + c] =
                (float)(slope(i / dims[1], d->factors[0]) * slope(i % dims[1], d->factors[1]));
    d->w->drawn = true;
}

static heed_status discrete_resize2d_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    discrete_resize *d = heed_layer_state(layer);
    HEED_TRY(heed_check_axes(layer, inputs, 2));
    heed_shape shape = {4, {0, 0, inputs->dims[3], inputs->dims[3]}};
    for (int i = 0; i < 2; i++)
        shape.dims[i] = 2 * d->factors[i] - d->factors[i] % 2;
    d->w = heed_layer_weight(layer, "W", &shape, "zeros", NULL, NULL, false);
    if (d->w == NULL)
        return HEED_OK;
    HEED_TRY(heed_variable_claim(d->w));
    set_slopes(d);
    return HEED_OK;
}

static heed_status discrete_resize2d_call(heed_layer *layer, heed_call *call)
{
    const discrete_resize *d = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0], *w = heed_graph_variable(call->graph, d->w);
    heed_sliding_window windows[2];
    int64_t sizes[2];
    HEED_TRY(heed_check_axes(layer, &x->shape, 2));
    for (int i = 0; i < 2; i++) {
        sizes[i] = heed_tensor_dim(x, 1 + i) * d->factors[i];
        windows[i] = heed_window_over(sizes[i], d->w->shape.dims[i], d->factors[i], 1, "same");
    }
    call->outputs[0] = heed_op_convolution_transpose(x, w, NULL, windows, 1, sizes);
    return HEED_OK;
}

/* ---- classes ---- */

static const char masks_end[] = "dropped, as in Keras: what comes out has other steps";

const heed_layer_class heed_up_sampling1d_class = {
    .name = "UpSampling1D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_up_sampling1d_config, HEED_UP_SAMPLING1D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .call = up_sampling1d_call,
    .equation = "each step `size` times: x_1 x_1 x_2 x_2 ...",
    .shapes = "x (B, T, C) -> y (B, T size, C)",
    .masks = masks_end,
    .weights = "none",
    .source = "Keras, layers/reshaping/up_sampling1d.py",
    .differs = "nothing",
};

const heed_layer_class heed_up_sampling2d_class = {
    .name = "UpSampling2D",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_up_sampling2d_config, HEED_UP_SAMPLING2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = up_sampling2d_init,
    .call = up_sampling2d_call,
    .equation = "a picture `size` times as high and wide, by the given interpolation",
    .shapes = "x (B, H, W, C) -> y (B, H size, W size, C); with channels_first (B, C, H, W)",
    .masks = masks_end,
    .weights = "none",
    .source = "Keras, layers/reshaping/up_sampling2d.py",
    .differs = "nothing",
};

const heed_layer_class heed_resize2d_class = {
    .name = "Resize2D",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_resize2d_config, HEED_RESIZE2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = resize2d_init,
    .call = resize2d_call,
    .equation = "a picture brought to another size, as TensorFlow 1 does: element i lies at i in/out of the input",
    .shapes = "x (B, H, W, C) -> y (B, output_shape, C)",
    .masks = masks_end,
    .weights = "none",
    .source = "keras-layer-collection, image.py; TensorFlow 1, image.resize_images",
    .differs = "its options are saved, which the original forgets",
};

const heed_layer_class heed_discrete_resize2d_class = {
    .name = "DiscreteResize2D",
    .collection = "keras-layer-collection",
    HEED_CLASS_OPTIONS(heed_discrete_resize2d_config, HEED_DISCRETE_RESIZE2D_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .init = discrete_resize2d_init,
    .build = discrete_resize2d_build,
    .call = discrete_resize2d_call,
    .equation = "a picture enlarged by factors f: the way back of a convolution of stride f with W\n"
                "W_ij = (1 - |i - c| / f) (1 - |j - c| / f) within a channel, c = f - 1/2 for even f, f - 1 for odd",
    .shapes = "x (B, H, W, C) -> y (B, H f, W f, C)",
    .masks = masks_end,
    .weights = "W (2 f - f mod 2, 2 f - f mod 2, C, C): not trained",
    .source = "keras-layer-collection, image.py",
    .differs = "its option is saved, which the original forgets",
};
