/* keras-layer-collection's layers of pictures by Keras' own. */
#include "formats/builtin.h"
#include "layers/spatial.h"

/* ---- DiscreteResize2D ---- */

heed_status heed_builtin_discrete_resize2d(heed_builtin *b)
{
    const heed_discrete_resize2d_config *o = heed_layer_config(b->layer);
    const heed_variable *w = heed_builtin_weight(b, "W");
    heed_shape kernel = {2, {w->shape.dims[0], w->shape.dims[1]}};
    heed_spec spec = heed_conv2d_transpose(.filters = (int)w->shape.dims[2], .kernel_size = kernel,
                                           .strides = o->upscaling_factor, .padding = "same", .use_bias = false,
                                           .trainable = false);
    heed_layer *layer = heed_make(b->model, spec);
    if (layer != NULL)
        b->outputs[0] = heed_call_layer(layer, b->inputs, 1, NULL, NULL, 0);
    return heed_builtin_fill(b, layer, 0, HEED_WHOLE(w));
}

/* ---- Resize2D ---- */

/* Sums along an axis of x (B, H, W, C) by weights that are not trained. TensorFlow 1 laid elements over a picture of
 * another size in a way of its own, which no layer of Keras has. */
static heed_status resize_axis(heed_builtin *b, int axis, int64_t out, heed_symbol **x)
{
    static const char *const equations[] = {"bhwc,hi->biwc", "bhwc,wi->bhic"};
    const heed_resize2d_config *o = heed_layer_config(b->layer);
    heed_shape sizes = {3, {(*x)->shape.dims[1], (*x)->shape.dims[2], (*x)->shape.dims[3]}};
    int64_t in = sizes.dims[axis];
    if (in == HEED_ANY)
        return heed_builtin_refuse(b, "how elements are summed depends on the picture's size, which the model leaves open");
    sizes.dims[axis] = out;
    heed_layer *layer = heed_make(b->model, heed_einsum_dense(.equation = equations[axis], .output_shape = sizes,
                                                              .trainable = false));
    *x = layer == NULL ? NULL : heed_call_layer(layer, x, 1, NULL, NULL, 0);
    float *rows = heed_alloc(b->model->context, (size_t)(in * out), sizeof *rows);
    if (*x == NULL || rows == NULL) {
        heed_release(b->model->context, rows);
        return rows == NULL ? HEED_ENOMEM : heed_model_status(b->model);
    }
    heed_resize2d_matrix(o->method, in, out, rows);
    heed_variable *kernel = heed_layer_weight_at(layer, 0);
    heed_status status = heed_variable_claim(kernel);
    for (int64_t i = 0; i < in * out && status == HEED_OK; i++)
        kernel->data[i] = rows[i % out * in + i / out];
    kernel->drawn = true;
    heed_release(b->model->context, rows);
    return status;
}

heed_status heed_builtin_resize2d(heed_builtin *b)
{
    const heed_resize2d_config *o = heed_layer_config(b->layer);
    b->outputs[0] = b->inputs[0];
    for (int axis = 0; axis < 2; axis++)
        HEED_TRY(resize_axis(b, axis, o->output_shape.dims[axis], &b->outputs[0]));
    return HEED_OK;
}
