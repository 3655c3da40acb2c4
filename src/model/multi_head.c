/* keras-layer-collection's MultiHeadAttention, which is no layer of its own there either: it applies others. */
#include "heed/attention.h"
#include "model/model.h"

typedef heed_layer_collection_multi_head_attention_config heads_config;

/* The options, with what they leave open taken from the key. */
static heed_status settle(heed_model *m, const heed_symbol *key, heads_config *o)
{
    int features = (int)key->shape.dims[key->shape.rank - 1];
    o->d_k = o->d_k == 0 ? features : o->d_k;
    o->d_model = o->d_model == 0 ? features : o->d_model;
    if (o->h >= 2 && o->h <= HEED_MAX_OUTPUTS && o->d_k >= 1 && o->d_v >= 1 && o->d_model >= 1)
        return HEED_OK;
    return heed_fail(m->context, HEED_EINVAL,
                     "MultiHeadAttention of keras-layer-collection: an option is out of range (expected h from 2 to %d "
                     "and the others from 1 on, found h %d, d_k %d, d_v %d, d_model %d)",
                     HEED_MAX_OUTPUTS, o->h, o->d_k, o->d_v, o->d_model);
}

/* x W of one head, without a bias. */
static heed_symbol *project(heed_symbol *x, int units)
{
    return heed_apply(heed_time_distributed(heed_dense(.units = units, .use_bias = false)), x);
}

heed_symbol *heed_layer_collection_multi_head_attention_with(heed_symbol *q, heed_symbol *k, heed_symbol *v,
                                                             const heads_config *config)
{
    if (q == NULL || k == NULL || v == NULL)
        return NULL;
    heads_config o = *config;
    heed_model *m = q->model;
    heed_status status = settle(m, k, &o);
    if (status != HEED_OK) {
        heed_model_remember(m, status);
        return NULL;
    }
    heed_layer *attend = heed_make(m, heed_layer_collection_scaled_dot_product(.return_attention = o.attention != NULL));
    heed_symbol *heads[HEED_MAX_OUTPUTS], *weights[HEED_MAX_OUTPUTS];
    for (int i = 0; i < o.h; i++) {
        heed_symbol *inputs[] = {project(q, o.d_k), project(k, o.d_k), project(v, o.d_v), o.mask}, *outputs[2] = {NULL};
        heed_call_layer(attend, inputs, o.mask == NULL ? 3 : 4, NULL, outputs, o.attention == NULL ? 1 : 2);
        heads[i] = outputs[0];
        weights[i] = outputs[1];
    }
    if (o.attention != NULL)
        *o.attention = heed_apply_list(heed_concatenate(), weights, o.h);
    return heed_apply(heed_time_distributed(heed_dense(.units = o.d_model)),
                      heed_apply_list(heed_concatenate(), heads, o.h));
}
