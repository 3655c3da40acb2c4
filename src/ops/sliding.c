#include "ops/sliding.h"

#include <limits.h>

static bool is_count(int64_t number, int64_t least)
{
    return number >= least && number <= INT_MAX;
}

static heed_status look_at(heed_node *n, int axis, int64_t in, const heed_sliding_window *w, heed_sliding_axis *out)
{
    if (!is_count(w->size, 1) || !is_count(w->stride, 1) || !is_count(w->dilation, 1))
        return heed_node_fail(n, "a window's size, stride and dilation are 1 or more (found %lld, %lld, %lld)",
                              (long long)w->size, (long long)w->stride, (long long)w->dilation);
    if (!is_count(w->before, 0) || !is_count(w->after, 0) || in > INT64_MAX / 2)
        return heed_node_fail(n, "zeros before and after are 0 or more (found %lld, %lld)", (long long)w->before,
                              (long long)w->after);
    int64_t covers = (w->size - 1) * w->dilation + 1, all = in + w->before + w->after;
    if (covers > all)
        return heed_node_fail(n, "the window does not fit on axis %d (it covers %lld elements, found %lld)", axis + 1,
                              (long long)covers, (long long)all);
    *out = (heed_sliding_axis){in, (all - covers) / w->stride + 1, w->size, w->stride, w->dilation, w->before};
    return HEED_OK;
}

heed_status heed_plane_of_sizes(heed_node *n, int64_t batch, int rank, const int64_t *sizes,
                                const heed_sliding_window *windows, heed_plane *out)
{
    *out = (heed_plane){batch, {{1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 0}}};
    for (int i = 0; i < rank; i++)
        HEED_TRY(look_at(n, i, sizes[i], &windows[i], &out->axes[HEED_SLIDING_AXES - rank + i]));
    return HEED_OK;
}

heed_status heed_plane_of(heed_node *n, const heed_tensor *x, const heed_sliding_window *windows, heed_plane *out)
{
    char text[128];
    if (x->shape.rank != 3 && x->shape.rank != 4)
        return heed_node_fail(n, "it takes one or two axes between batch and channels (expected rank 3 or 4, found %s)",
                              heed_shape_text(&x->shape, text, sizeof text));
    return heed_plane_of_sizes(n, x->shape.dims[0], x->shape.rank - 2, x->shape.dims + 1, windows, out);
}

heed_shape heed_plane_in(const heed_plane *p, int rank, int64_t channels)
{
    if (rank == 1)
        return (heed_shape){3, {p->batch, p->axes[HEED_INNER].in, channels}};
    return (heed_shape){4, {p->batch, p->axes[HEED_OUTER].in, p->axes[HEED_INNER].in, channels}};
}

heed_shape heed_plane_out(const heed_plane *p, int rank, int64_t channels)
{
    if (rank == 1)
        return (heed_shape){3, {p->batch, p->axes[HEED_INNER].out, channels}};
    return (heed_shape){4, {p->batch, p->axes[HEED_OUTER].out, p->axes[HEED_INNER].out, channels}};
}

void heed_sliding_range(const heed_sliding_axis *a, int64_t j, int64_t *first, int64_t *end)
{
    int64_t shift = j * a->dilation - a->before; /* of the element under the first window's tap */
    *first = shift < 0 ? (-shift + a->stride - 1) / a->stride : 0;
    *end = shift < a->in ? (a->in - shift - 1) / a->stride + 1 : 0;
    if (*end > a->out)
        *end = a->out;
    if (*first > *end)
        *first = *end;
}
