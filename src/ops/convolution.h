/* What the convolution, its way back and its kernel's gradient share. */
#ifndef HEED_OPS_CONVOLUTION_H
#define HEED_OPS_CONVOLUTION_H

#include "ops/sliding.h"

enum { HEED_FEW_CHANNELS = 8 }; /* fewer leave the vectors of a product nearly empty */

typedef struct heed_convolution {
    heed_plane plane;
    int64_t    in_channels, out_channels;
    int64_t    groups;
    bool       depthwise; /* every channel is on its own */
} heed_convolution;

/* The convolution as it is computed: with fewer and longer axes where that is the same. */
heed_convolution heed_convolution_of(const heed_plane *plane, int64_t in_channels, int64_t out_channels, int groups);

/* d(sum of dy convolution(x, kernel)) / d kernel: x (B, ..., C), dy (B, ..., F). */
heed_tensor *heed_op_convolution_kernel_gradient(heed_tensor *x, heed_tensor *dy, const heed_sliding_window *windows, int groups);

#endif
