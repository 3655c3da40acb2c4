/* What the normalizing layers share. */
#ifndef HEED_LAYERS_NORMALIZE_H
#define HEED_LAYERS_NORMALIZE_H

#include "heed/normalization.h"
#include "layers/layer.h"

/* The axes that an option names, from 0, and the input's sizes along them; refuses axes that there are not. */
heed_status heed_normalized_axes(heed_layer *layer, const heed_shape *input, const heed_shape *named, int *axes,
                                 heed_shape *sizes);
/* `axis` from 0, refused likewise; its size must be known. */
heed_status heed_normalized_axis(heed_layer *layer, const heed_shape *input, int named, int *axis);

/* gamma and beta; NULL where the layer has none. */
typedef struct heed_shift {
    heed_variable *gamma, *beta;
} heed_shift;

typedef struct heed_shift_config {
    HEED_SHIFT_OPTIONS(HEED_OPTION_FIELD, )
} heed_shift_config;

/* These options out of a class's config. */
#define HEED_SHIFT_OF(o)                                                                                               \
    (&(const heed_shift_config){(o)->center, (o)->scale, (o)->beta_initializer, (o)->beta_regularizer,                 \
                                (o)->beta_constraint, (o)->gamma_initializer, (o)->gamma_regularizer,                  \
                                (o)->gamma_constraint})

/* Makes the weights that the options ask for, of `sizes`. */
void heed_shift_build(heed_layer *layer, const heed_shift_config *o, const heed_shape *sizes, heed_shift *shift);

/* A weight over `axes` as it broadcasts against x; NULL for none. */
heed_tensor *heed_weight_like(heed_variable *v, const heed_tensor *x, const int *axes, int count);

/* (x - mean) / sqrt(variance + epsilon) gamma + beta; gamma and beta broadcast against x, or NULL. */
heed_tensor *heed_standardize(heed_tensor *x, heed_tensor *mean, heed_tensor *variance, double epsilon,
                              heed_tensor *gamma, heed_tensor *beta);
/* The variance of x around its mean over `axes`, which stay as sizes of 1. */
heed_tensor *heed_variance(heed_tensor *x, heed_tensor *mean, const int *axes, int count);

#endif
