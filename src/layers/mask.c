#include "layers/mask.h"

#include <limits.h>

/* 0, 1, ... as int32 (1, steps). */
static heed_tensor *count_up(heed_graph *g, int64_t steps)
{
    if (steps > INT_MAX)
        return heed_graph_fail(g, HEED_ESHAPE, "mask: too many steps (found %lld)", (long long)steps);
    int32_t *numbers = heed_zone_alloc(&g->zone, (size_t)steps, sizeof *numbers);
    if (numbers == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < steps; i++)
        numbers[i] = (int32_t)i;
    return heed_graph_constant(g, &(heed_array){HEED_INT32, {2, {1, steps}}, numbers});
}

heed_tensor *heed_mask_bool(heed_tensor *mask, int64_t steps)
{
    if (mask == NULL || mask->dtype == HEED_BOOL)
        return mask;
    return heed_op_less(count_up(mask->graph, steps), heed_op_expand(mask, -1));
}

heed_tensor *heed_mask_and(heed_tensor *a, heed_tensor *b, int64_t steps)
{
    if (a == NULL || b == NULL || a == b)
        return a == NULL ? b : a;
    return heed_op_and(heed_mask_bool(a, steps), heed_mask_bool(b, steps));
}

heed_tensor *heed_mask_or(heed_tensor *a, heed_tensor *b, int64_t steps)
{
    if (a == NULL || b == NULL || a == b)
        return a == NULL ? b : a;
    return heed_op_or(heed_mask_bool(a, steps), heed_mask_bool(b, steps));
}

heed_tensor *heed_mask_like(heed_tensor *mask, const heed_tensor *x)
{
    mask = heed_mask_bool(mask, heed_tensor_dim(x, 1));
    while (mask != NULL && x != NULL && mask->shape.rank < x->shape.rank)
        mask = heed_op_expand(mask, -1);
    return mask;
}
