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

heed_status heed_check_batches(heed_layer *layer, const heed_call *call)
{
    for (int i = 1; i < call->input_count; i++) {
        int64_t expected = heed_tensor_dim(call->inputs[0], 0), found = heed_tensor_dim(call->inputs[i], 0);
        if (found != expected)
            return heed_layer_fail(layer, HEED_ESHAPE, "input %d is of another batch than input 1 (expected %lld, found "
                                   "%lld)", i + 1, (long long)expected, (long long)found);
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

heed_tensor *heed_attention_factored(heed_tensor *scores, heed_tensor *const *seen, int count)
{
    const int last = -1;
    heed_tensor *e = heed_op_exp(heed_op_subtract(scores, heed_op_max(scores, &last, 1, true)));
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            e = heed_op_multiply(e, heed_op_cast(seen[i], HEED_FLOAT32));
    return heed_op_divide(e, heed_op_scale(heed_op_sum(e, &last, 1, true), 1.0f, 1e-7f));
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

heed_status heed_check_dot_product(heed_layer *layer, const heed_shape *query, const heed_shape *key,
                                   const heed_shape *value)
{
    if (query->dims[2] != key->dims[2])
        return heed_layer_fail(layer, HEED_ESHAPE, "query and key differ in their features (expected %lld, found %lld)",
                               (long long)query->dims[2], (long long)key->dims[2]);
    if (key->dims[1] != value->dims[1] && key->dims[1] != HEED_ANY && value->dims[1] != HEED_ANY)
        return heed_layer_fail(layer, HEED_ESHAPE, "key and value differ in their steps (expected %lld, found %lld)",
                               (long long)key->dims[1], (long long)value->dims[1]);
    return HEED_OK;
}

heed_tensor *heed_attend(heed_layer *layer, heed_call *call, heed_tensor *const query_key_value[3],
                         const heed_op_attention_config *config, heed_tensor **weights)
{
    heed_tensor *x[3], *a = NULL, *mask = config->mask;
    heed_op_attention_config one_head = *config;
    for (int i = 0; i < 3; i++)
        x[i] = heed_op_expand(query_key_value[i], 2);
    one_head.mask = mask == NULL ? NULL : heed_op_expand(mask, 1);
    bool wanted = weights != NULL || heed_call_wants_attention(call);
    heed_tensor *y = heed_op_attention(x[0], x[1], x[2], &one_head, wanted ? &a : NULL);
    if (wanted)
        a = heed_op_squeeze(a, 1);
    heed_call_publish(call, layer, a);
    if (weights != NULL)
        *weights = a;
    return heed_op_squeeze(y, 2);
}

heed_tensor *heed_scaled_dot_scores(heed_tensor *query, heed_tensor *key)
{
    float scale = 1.0f / sqrtf((float)heed_tensor_dim(query, -1));
    return heed_op_matmul_transposed(heed_op_scale(query, scale, 0.0f), false, key, true);
}
