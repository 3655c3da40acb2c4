#include "layers/attend.h"

#include <math.h>

heed_status heed_check_sequences(heed_layer *layer, const heed_shape *inputs, int count)
{
    for (int i = 0; i < count; i++) {
        char text[128];
        if (inputs[i].rank != 3)
            return heed_layer_fail(layer, HEED_ESHAPE, "input %d is no sequence (expected rank 3, found %s)", i + 1,
                                   heed_shape_text(&inputs[i], text, sizeof text));
        if (inputs[i].dims[2] < 1)
            return heed_layer_fail(layer, HEED_ESHAPE, "the features of input %d are not known (found %s)", i + 1,
                                   heed_shape_text(&inputs[i], text, sizeof text));
    }
    return HEED_OK;
}

heed_tensor *heed_positions(heed_graph *g, int64_t count, const heed_shape *shape)
{
    float *numbers = heed_zone_alloc(&g->zone, (size_t)count, sizeof *numbers);
    if (numbers == NULL)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (float)i;
    return heed_graph_constant(g, &(heed_array){HEED_FLOAT32, *shape, numbers});
}

heed_tensor *heed_window(heed_graph *g, int64_t queries, int64_t keys, int64_t behind, int64_t ahead)
{
    heed_tensor *i = heed_positions(g, queries, &(heed_shape){3, {1, queries, 1}});
    heed_tensor *j = heed_positions(g, keys, &(heed_shape){3, {1, 1, keys}});
    heed_tensor *begun = heed_op_less_equal(heed_op_scale(i, 1.0f, -(float)behind), j);
    return heed_op_and(begun, heed_op_less_equal(j, heed_op_scale(i, 1.0f, (float)ahead)));
}

heed_tensor *heed_window_causal(heed_graph *g, int64_t queries, int64_t keys)
{
    return heed_window(g, queries, keys, queries, 0);
}

heed_tensor *heed_window_starts(heed_graph *g, int64_t queries, int64_t behind)
{
    heed_tensor *i = heed_positions(g, queries, &(heed_shape){2, {1, queries}});
    return heed_op_cast(heed_op_scale(i, 1.0f, -(float)behind), HEED_INT32);
}

heed_tensor *heed_window_visible(heed_tensor *starts, heed_tensor *mask, int64_t keys, int64_t width)
{
    if (starts == NULL)
        return NULL;
    heed_tensor *all = heed_op_cast(heed_graph_fill(starts->graph, &(heed_shape){3, {1, 1, keys}}, 1.0f), HEED_BOOL);
    return heed_op_window_take(mask == NULL ? all : heed_op_expand(mask, 1), starts, width);
}

heed_tensor *heed_attention_penalized(heed_tensor *scores, heed_tensor *const *seen, int count)
{
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            scores = heed_op_add(scores, heed_op_scale(heed_op_cast(seen[i], HEED_FLOAT32), 10000.0f, -10000.0f));
    return scores;
}

heed_tensor *heed_attention_weights(heed_tensor *scores, heed_tensor *const *seen, int count, bool corrected)
{
    if (!corrected)
        return heed_op_softmax(heed_attention_penalized(scores, seen, count), NULL);
    heed_tensor *all = NULL;
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            all = all == NULL ? seen[i] : heed_op_and(all, seen[i]);
    return heed_op_softmax(scores, all);
}

heed_tensor *heed_scaled_dot_scores(heed_tensor *query, heed_tensor *key)
{
    float scale = 1.0f / sqrtf((float)heed_tensor_dim(query, -1));
    return heed_op_matmul_transposed(heed_op_scale(query, scale, 0.0f), false, key, true);
}
