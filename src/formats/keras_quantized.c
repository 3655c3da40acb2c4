#include "formats/keras_quantized.h"

bool heed_is_quantized(const heed_array *a) { return a->dtype == HEED_INT32; }

/* How the scales are laid along the numbers: their step along each axis, 0 where one serves all. */
static bool lay_scales(const heed_shape *numbers, const heed_shape *scales, bool by_row, int64_t *steps)
{
    int rank = numbers->rank, axis = by_row ? 0 : rank - 1;
    for (int i = 0; i < rank; i++)
        steps[i] = 0;
    if (rank > 0 && scales->rank == 1 && scales->dims[0] == numbers->dims[axis]) {
        steps[axis] = 1;
        return true;
    }
    int64_t step = 1;
    for (int i = rank - 1; i >= 0 && scales->rank == rank; i--) {
        if (scales->dims[i] != 1 && scales->dims[i] != numbers->dims[i])
            return false;
        steps[i] = scales->dims[i] == 1 ? 0 : step;
        step *= scales->dims[i];
    }
    return scales->rank == rank;
}

heed_status heed_dequantize(heed_context *c, heed_array *numbers, const heed_array *scales, bool by_row)
{
    int64_t steps[HEED_MAX_RANK], count = heed_array_count(numbers);
    char a[128], b[128];
    if (!lay_scales(&numbers->shape, &scales->shape, by_row, steps))
        return heed_fail(c, HEED_EUNSUPPORTED, "numbers of shape %s are quantized in an unknown way (scales: %s)",
                         heed_shape_text(&numbers->shape, a, sizeof a), heed_shape_text(&scales->shape, b, sizeof b));
    float *values = numbers->data;
    const float *scale = scales->data;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = 0, rest = i;
        for (int axis = numbers->shape.rank - 1; axis >= 0; axis--) {
            at += rest % numbers->shape.dims[axis] * steps[axis];
            rest /= numbers->shape.dims[axis];
        }
        values[i] /= scale[at];
    }
    return HEED_OK;
}
