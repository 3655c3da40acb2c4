/* Windows that move over the one or two axes between batch and channels: what convolutions and pools share. */
#ifndef HEED_OPS_SLIDING_H
#define HEED_OPS_SLIDING_H

#include "ops/op.h"

enum { HEED_OUTER, HEED_INNER, HEED_SLIDING_AXES };

/* An axis, and the windows on it: window o covers elements o stride + j dilation - before, j in 0..size-1. */
typedef struct heed_sliding_axis {
    int64_t in, out, size, stride, dilation, before; /* in: elements; out: windows */
} heed_sliding_axis;

/* (batch, outer, inner, channels); the outer axis of what has one axis alone is one element. */
typedef struct heed_plane {
    int64_t          batch;
    heed_sliding_axis axes[HEED_SLIDING_AXES];
} heed_plane;

/* For shape rules: the plane of x (B, ..., C) under these windows, one for each axis between. */
heed_status heed_plane_of(heed_node *n, const heed_tensor *x, const heed_sliding_window *windows, heed_plane *out);
/* The same where the sizes before are given (B, the axes), not read off an operand. */
heed_status heed_plane_of_sizes(heed_node *n, int64_t batch, int rank, const int64_t *sizes, const heed_sliding_window *windows,
                                heed_plane *out);
/* (batch, axes' in or out, channels), with as many axes between as `rank` says. */
heed_shape heed_plane_in(const heed_plane *p, int rank, int64_t channels);
heed_shape heed_plane_out(const heed_plane *p, int rank, int64_t channels);

/* The element under tap j of window o; outside of 0..in-1 it is one of the zeros. */
static inline int64_t heed_sliding_element(const heed_sliding_axis *a, int64_t o, int64_t j)
{
    return o * a->stride + j * a->dilation - a->before;
}

/* The windows o in *first..*end-1 whose tap j lies within the data. */
void heed_sliding_range(const heed_sliding_axis *a, int64_t j, int64_t *first, int64_t *end);

#endif
