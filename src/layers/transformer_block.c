/* KerasHub's TransformerEncoder and TransformerDecoder: attention and feed-forward layers, each with a normalization and what
 * went in added. */
#include "heed/normalization.h"
#include "heed/transformer.h"
#include "layers/attend.h"
#include "layers/layer.h"

typedef heed_transformer_encoder_config block_config; /* which the decoder's begins with */

/* A part of a block: what it computes, and the layers around it. */
typedef struct part {
    heed_layer *norm, *dropout; /* dropout NULL: none */
} part;

typedef struct block {
    heed_layer *attention, *memory_attention, *inner, *outer; /* memory_attention NULL: nothing was read */
    part        of_attention, of_memory, of_dense;
} block;

static heed_status block_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(block)) == NULL ? HEED_ENOMEM : HEED_OK;
}

/* ---- building ---- */

static heed_status make_norm(heed_layer *layer, const char *attribute, const heed_shape *x, part *p)
{
    const block_config *o = heed_layer_config(layer);
    heed_spec norm = heed_layer_normalization(.name = attribute + 1, .epsilon = o->layer_norm_epsilon);
    HEED_TRY(heed_layer_child(layer, attribute, norm, &p->norm));
    return heed_layer_build(p->norm, x, 1);
}

static heed_status make_dropout(heed_layer *layer, const char *attribute, part *p)
{
    const block_config *o = heed_layer_config(layer);
    if (o->dropout == 0)
        return HEED_OK;
    return heed_layer_child(layer, attribute, heed_dropout(.name = attribute + 1, .rate = o->dropout), &p->dropout);
}

static heed_status make_attention(heed_layer *layer, const char *attribute, const char *name, const heed_shape *query,
                                  const heed_shape *value, heed_layer **out)
{
    const block_config *o = heed_layer_config(layer);
    int size = (int)(query->dims[2] / o->num_heads);
    if (size == 0)
        return heed_layer_fail(layer, HEED_ESHAPE, "there are more heads than features (expected at most %lld, found %d)",
                               (long long)query->dims[2], o->num_heads);
    heed_spec attention = heed_multi_head_attention(
        .name = name, .num_heads = o->num_heads, .key_dim = size, .dropout = o->dropout, .kernel_initializer = o->kernel_initializer,
        .bias_initializer = o->bias_initializer);
    HEED_TRY(heed_layer_child(layer, attribute, attention, out));
    return heed_layer_build(*out, (heed_shape[]){*query, *value}, 2);
}

static heed_status make_dense(heed_layer *layer, const char *attribute, int64_t units, const char *activation, heed_shape x,
                              heed_layer **out)
{
    const block_config *o = heed_layer_config(layer);
    heed_spec dense = heed_dense(.name = attribute + 1, .units = (int)units, .activation = activation,
                                 .kernel_initializer = o->kernel_initializer, .bias_initializer = o->bias_initializer);
    HEED_TRY(heed_layer_child(layer, attribute, dense, out));
    return heed_layer_build(*out, &x, 1);
}

static heed_status make_dense_layers(heed_layer *layer, const heed_shape *x)
{
    const block_config *o = heed_layer_config(layer);
    block *b = heed_layer_state(layer);
    heed_shape wide = *x;
    wide.dims[2] = o->intermediate_dim;
    HEED_TRY(make_dense(layer, "_feedforward_intermediate_dense", o->intermediate_dim, o->activation, *x, &b->inner));
    return make_dense(layer, "_feedforward_output_dense", x->dims[2], NULL, wide, &b->outer);
}

/* Layers are made in the order of Keras' weights, which is another in each of the two classes. */
static heed_status encoder_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    block *b = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, 1));
    HEED_TRY(make_attention(layer, "_self_attention_layer", "self_attention_layer", inputs, inputs, &b->attention));
    HEED_TRY(make_norm(layer, "_self_attention_layer_norm", inputs, &b->of_attention));
    HEED_TRY(make_dropout(layer, "_self_attention_dropout", &b->of_attention));
    HEED_TRY(make_norm(layer, "_feedforward_layer_norm", inputs, &b->of_dense));
    HEED_TRY(make_dense_layers(layer, inputs));
    return make_dropout(layer, "_feedforward_dropout", &b->of_dense);
}

static heed_status decoder_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_transformer_decoder_config *o = (heed_transformer_decoder_config *)layer->config;
    block *b = heed_layer_state(layer);
    HEED_TRY(heed_check_sequences(layer, inputs, count));
    o->decoder_sequence_shape = inputs[0]; /* in the configuration too, as in the original */
    if (count > 1)
        o->encoder_sequence_shape = inputs[1];
    HEED_TRY(make_attention(layer, "_self_attention_layer", "self_attention", inputs, inputs, &b->attention));
    HEED_TRY(make_norm(layer, "_self_attention_layer_norm", inputs, &b->of_attention));
    HEED_TRY(make_dropout(layer, "_self_attention_dropout", &b->of_attention));
    if (count > 1) {
        HEED_TRY(make_attention(layer, "_cross_attention_layer", "cross_attention", inputs, inputs + 1, &b->memory_attention));
        HEED_TRY(make_norm(layer, "_cross_attention_layer_norm", inputs, &b->of_memory));
        HEED_TRY(make_dropout(layer, "_cross_attention_dropout", &b->of_memory));
    }
    HEED_TRY(make_dense_layers(layer, inputs));
    HEED_TRY(make_norm(layer, "_feedforward_layer_norm", inputs, &b->of_dense));
    return make_dropout(layer, "_feedforward_dropout", &b->of_dense);
}

/* ---- calling ---- */

static heed_status apply(const heed_call *call, heed_layer *child, heed_tensor **x)
{
    heed_inner inner;
    HEED_TRY(heed_inner_call(&inner, call, child, x, NULL, 1, NULL));
    *x = inner.outputs[0];
    return HEED_OK;
}

/* What a part takes in of x. */
static heed_status enter(heed_layer *layer, const heed_call *call, const part *p, heed_tensor **x)
{
    return ((const block_config *)heed_layer_config(layer))->normalize_first ? apply(call, p->norm, x) : HEED_OK;
}

/* What becomes of x by what a part made of it. */
static heed_status leave(heed_layer *layer, const heed_call *call, const part *p, heed_tensor *made, heed_tensor **x)
{
    if (p->dropout != NULL)
        HEED_TRY(apply(call, p->dropout, &made));
    *x = heed_op_add(*x, made);
    return ((const block_config *)heed_layer_config(layer))->normalize_first ? HEED_OK : apply(call, p->norm, x);
}

/* What is attended to, and how. */
typedef struct memory {
    heed_tensor *x, *mask;     /* x NULL: the query itself */
    heed_tensor *query_mask;   /* NULL: padding attends, too, as in the original's decoder */
    heed_tensor *seen;         /* NULL: all */
    bool         causal;
} memory;

/* Weights that an attention published, from number `first` on, go by the block's name, which a decoder's follows. */
static heed_status rename_weights(const heed_layer *layer, const heed_call *call, const heed_layer *attention, size_t first)
{
    heed_pass *pass = heed_call_pass(call);
    bool reads = layer->layer_class == &heed_transformer_encoder_class;
    for (size_t i = first; pass != NULL && i < pass->attention_count; i++) {
        pass->attention[i].name = reads ? heed_zone_strdup(&pass->graph->zone, layer->name)
                                        : heed_zone_printf(&pass->graph->zone, "%s_%s", layer->name, attention->name);
        if (pass->attention[i].name == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

static heed_status attend(heed_layer *layer, const heed_call *call, heed_layer *attention, const part *p, const memory *m,
                          heed_tensor **x)
{
    heed_zone *z = &call->graph->zone;
    heed_value *keywords = heed_value_dict(z);
    heed_tensor *query = *x;
    size_t published = heed_call_pass(call) == NULL ? 0 : heed_call_pass(call)->attention_count;
    heed_inner inner;
    if (keywords == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_value_set(z, keywords, "use_causal_mask", heed_value_bool(z, m->causal)));
    HEED_TRY(enter(layer, call, p, &query));
    heed_tensor *value = m->x == NULL ? query : m->x;
    HEED_TRY(heed_inner_call(&inner, call, attention, (heed_tensor *[]){query, value, value, m->seen},
                             (heed_tensor *[]){m->query_mask, m->mask, m->mask, NULL}, m->seen == NULL ? 2 : 4, keywords));
    HEED_TRY(rename_weights(layer, call, attention, published));
    return leave(layer, call, p, inner.outputs[0], x);
}

static heed_status feed_forward(heed_layer *layer, const heed_call *call, heed_tensor **x)
{
    const block *b = heed_layer_state(layer);
    heed_tensor *y = *x;
    HEED_TRY(enter(layer, call, &b->of_dense, &y));
    HEED_TRY(apply(call, b->inner, &y));
    HEED_TRY(apply(call, b->outer, &y));
    return leave(layer, call, &b->of_dense, y, x);
}

/* A mask that is given by hand hides keys only: it is not the query's, and does not go on. */
static heed_tensor *own_mask(const heed_call *call) { return heed_call_mask_given(call) ? NULL : call->masks[0]; }

static heed_status encoder_call(heed_layer *layer, heed_call *call)
{
    const block *b = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    memory own = {.mask = call->masks[0], .query_mask = own_mask(call), .seen = call->input_count > 1 ? call->inputs[1] : NULL};
    HEED_TRY(attend(layer, call, b->attention, &b->of_attention, &own, &x));
    HEED_TRY(feed_forward(layer, call, &x));
    call->outputs[0] = x;
    call->output_masks[0] = own_mask(call);
    return HEED_OK;
}

static heed_status decoder_call(heed_layer *layer, heed_call *call)
{
    const block *b = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0];
    memory own = {.mask = call->masks[0], .causal = heed_call_argument(call, "use_causal_mask", 1) != 0};
    if ((call->input_count > 1) != (b->memory_attention != NULL))
        return heed_layer_fail(layer, HEED_EINVAL, "the number of inputs does not fit (expected %d, as when it was built; found %d)",
                               b->memory_attention == NULL ? 1 : 2, call->input_count);
    HEED_TRY(attend(layer, call, b->attention, &b->of_attention, &own, &x));
    if (b->memory_attention != NULL) {
        memory read = {.x = call->inputs[1], .mask = call->masks[1]};
        HEED_TRY(attend(layer, call, b->memory_attention, &b->of_memory, &read, &x));
    }
    HEED_TRY(feed_forward(layer, call, &x));
    call->outputs[0] = x;
    call->output_masks[0] = own_mask(call);
    return HEED_OK;
}

#define BLOCK_MASKS                                                                                                    \
    "those of the inputs hide what they hide, and the first one's goes on; one that is given by hand (padding_mask) hides " \
    "steps, but does not go on"
#define BLOCK_WEIGHTS(attention)                                                                                       \
    attention "/query/kernel (F, N, F/N)\n" attention "/query/bias (N, F/N)\n" attention "/key/kernel (F, N, F/N)\n"     \
    attention "/key/bias (N, F/N)\n" attention "/value/kernel (F, N, F/N)\n" attention "/value/bias (N, F/N)\n"          \
    attention "/attention_output/kernel (N, F/N, F)\n" attention "/attention_output/bias (F)\n"
#define NORM_WEIGHTS(norm) norm "/gamma (F)\n" norm "/beta (F)\n"
#define DENSE_WEIGHTS                                                                                                  \
    "feedforward_intermediate_dense/kernel (F, intermediate_dim)\n"                                                    \
    "feedforward_intermediate_dense/bias (intermediate_dim)\n"                                                         \
    "feedforward_output_dense/kernel (intermediate_dim, F)\n"                                                          \
    "feedforward_output_dense/bias (F)"

const heed_layer_class heed_transformer_encoder_class = {
    .name = "TransformerEncoder",
    .collection = "keras-hub",
    HEED_CLASS_OPTIONS(heed_transformer_encoder_config, HEED_TRANSFORMER_ENCODER_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 2,
    .init = block_init,
    .build = encoder_build,
    .call = encoder_call,
    .equation = "x' = norm(x + attention(x, x)); y = norm(x' + activation(x' W1 + b1) W2 + b2)\n"
                "with normalize_first: n = norm(x); x' = x + attention(n, n); y = x' + activation(norm(x') W1 + b1) W2 + b2",
    .shapes = "x (B, T, F), attention mask (B, T, T; may be left out)\n"
              "-> y (B, T, F)",
    .masks = BLOCK_MASKS,
    .weights = BLOCK_WEIGHTS("self_attention_layer") NORM_WEIGHTS("self_attention_layer_norm")
        NORM_WEIGHTS("feedforward_layer_norm") DENSE_WEIGHTS,
    .source = "Vaswani et al. 2017, section 3.1; KerasHub, layers/modeling/transformer_encoder.py",
    .differs = "as MultiHeadAttention, of which it is made",
};

const heed_layer_class heed_transformer_decoder_class = {
    .name = "TransformerDecoder",
    .collection = "keras-hub",
    HEED_CLASS_OPTIONS(heed_transformer_decoder_config, HEED_TRANSFORMER_DECODER_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 2,
    .init = block_init,
    .build = decoder_build,
    .call = decoder_call,
    .equation = "x' = norm(x + attention(x, x)), where no step sees those behind it; with a second input m,\n"
                "x'' = norm(x' + attention(x', m)), else x'; y = norm(x'' + activation(x'' W1 + b1) W2 + b2)\n"
                "with normalize_first norms stand as in TransformerEncoder",
    .shapes = "x (B, T, F), m (B, Ts, Fm; may be left out) -> y (B, T, F)",
    .masks = BLOCK_MASKS,
    .weights = BLOCK_WEIGHTS("self_attention") NORM_WEIGHTS("self_attention_layer_norm")
        "cross_attention/..., as self_attention/..., keys and values of Fm: with m\n"
        NORM_WEIGHTS("cross_attention_layer_norm") DENSE_WEIGHTS "\n" "feedforward_layer_norm/gamma (F)\n"
        "feedforward_layer_norm/beta (F)",
    .source = "Vaswani et al. 2017, section 3.1; KerasHub, layers/modeling/transformer_decoder.py",
    .differs = "takes no cache, which is for decoding step by step, and no attention masks; else as MultiHeadAttention, of which "
               "it is made",
};
