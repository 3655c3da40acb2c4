/* What layers over steps or pictures have in common: where channels stand, and options with a size for each axis. */
#ifndef HEED_LAYERS_SPATIAL_H
#define HEED_LAYERS_SPATIAL_H

#include "layers/layer.h"

enum { HEED_MOST_AXES = 2 };

/* Whether the layer's option data_format says that channels come first. */
bool heed_channels_first(const heed_layer *layer);
/* Axis 1 moved to the end, and back; x itself where `first` is false. */
heed_tensor *heed_channels_last(heed_tensor *x, bool first);
heed_tensor *heed_channels_back(heed_tensor *x, bool first);

/* Refuses an input that has not so many axes between batch and channels. */
heed_status heed_check_axes(heed_layer *layer, const heed_shape *input, int axes);
/* The call's input, that checked, with its channels last. */
heed_status heed_take_spatial(heed_layer *layer, const heed_call *call, int axes, heed_tensor **x);

/* An option, INT or SIZES, as one number for each axis; zeros for None. */
heed_status heed_layer_sizes(heed_layer *layer, const char *option, int axes, int64_t *out);
/* An option, SIZES, as a pair for each axis. */
heed_status heed_layer_pairs(heed_layer *layer, const char *option, int axes, int64_t out[][2]);

/* A window over `elements`, padded as the option says: "valid", "same" or "causal". */
heed_sliding_window heed_window_over(int64_t elements, int64_t size, int64_t stride, int64_t dilation,
                                     const char *padding);

/* How Resize2D makes `out` elements of `in` by its method: rows of weights (out, in), into zeros. */
void heed_resize2d_matrix(const char *method, int64_t in, int64_t out, float *matrix);

#endif
