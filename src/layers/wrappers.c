/* Bidirectional and TimeDistributed: layers around a layer. */
#include "layers/rnn.h"

#include <string.h>

/* ---- Bidirectional ---- */

typedef struct bidirectional {
    heed_layer *forward, *backward;
    bool        return_sequences, return_state;
} bidirectional;

static bool *flag_of(const heed_layer_class *class, void *config, const char *name)
{
    return heed_options_field(HEED_TABLE_OF(class), config, name, HEED_OPTION_BOOL);
}

/* "forward_lstm" of "lstm", "forward_lstm" or no name at all. */
static const char *directed_name(heed_zone *z, const heed_layer_class *class, const void *config, const char *direction)
{
    char own[80];
    const char *name = ((const heed_layer_common *)config)->name;
    if (name == NULL)
        name = heed_snake_case(class->name, own, sizeof own);
    const char *forward = "forward_";
    if (strncmp(name, forward, strlen(forward)) == 0)
        name += strlen(forward);
    return strncmp(name, direction, strlen(direction)) == 0 ? heed_zone_strdup(z, name)
                                                            : heed_zone_printf(z, "%s%s", direction, name);
}

/* Makes one of the two, from a copy of its spec. */
static heed_status make_direction(heed_layer *layer, heed_spec spec, bool turn, const char *direction,
                                  const char *attribute,
                                  heed_layer **out)
{
    const heed_layer_class *class = spec.layer_class;
    void *config = heed_options_copy(&layer->zone, HEED_TABLE_OF(class), spec.config);
    if (config == NULL)
        return HEED_ENOMEM;
    bool *sequences = flag_of(class, config, "return_sequences"), *backwards = flag_of(class, config, "go_backwards");
    bool *zero = flag_of(class, config, "zero_output_for_mask");
    if (sequences == NULL || backwards == NULL || flag_of(class, config, "return_state") == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "it needs a recurrent layer (found %s)", class->name);
    if (turn)
        *backwards = !*backwards;
    if (zero != NULL)
        *zero = *sequences; /* as Keras forces it */
    heed_layer_common *common = config;
    common->name = directed_name(&layer->zone, class, config, direction);
    return common->name == NULL ? HEED_ENOMEM : heed_layer_child(layer, attribute, (heed_spec){class, config}, out);
}

static heed_status bidirectional_init(heed_layer *layer)
{
    const heed_bidirectional_config *o = heed_layer_config(layer);
    bidirectional *b = heed_layer_alloc(layer, sizeof *b);
    if (b == NULL)
        return HEED_ENOMEM;
    if (o->layer.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its layer is missing");
    if (heed_spec_shared(o->layer) != NULL || heed_spec_shared(o->backward_layer) != NULL)
        return heed_layer_fail(layer, HEED_EUNSUPPORTED,
                               "it makes both directions itself, and takes no layer that exists");
    HEED_TRY(make_direction(layer, o->layer, false, "forward_", "forward_layer", &b->forward));
    bool own = o->backward_layer.layer_class != NULL;
    HEED_TRY(make_direction(layer, own ? o->backward_layer : o->layer, !own, "backward_", "backward_layer",
                            &b->backward));
    static const char *const shared[] = {"return_sequences", "return_state", "stateful"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        const bool *f = flag_of(b->forward->layer_class, b->forward->config, shared[i]);
        const bool *r = flag_of(b->backward->layer_class, b->backward->config, shared[i]);
        if (f != NULL && r != NULL && *f != *r)
            return heed_layer_fail(layer, HEED_EINVAL, "both directions must agree in %s", shared[i]);
    }
    b->return_sequences = *flag_of(b->forward->layer_class, b->forward->config, "return_sequences");
    b->return_state = *flag_of(b->forward->layer_class, b->forward->config, "return_state");
    if (*flag_of(b->forward->layer_class, b->forward->config, "go_backwards") ==
        *flag_of(b->backward->layer_class, b->backward->config, "go_backwards"))
        return heed_layer_fail(layer, HEED_EINVAL, "both layers go the same way (expected one with go_backwards)");
    return HEED_OK;
}

/* Inputs for one direction: the sequence, and that half of the states which is its own. */
static int share_of(int count, int direction, int *first)
{
    int half = (count - 1) / 2;
    *first = 1 + direction * half;
    return 1 + half;
}

static heed_status bidirectional_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    const bidirectional *b = heed_layer_state(layer);
    if (count % 2 == 0)
        return heed_layer_fail(layer, HEED_EINVAL, "initial states come in pairs, forward and backward (found %d)",
                               count - 1);
    heed_layer *const directions[] = {b->forward, b->backward};
    heed_shape *shapes = heed_zone_alloc(&layer->zone, (size_t)count, sizeof *shapes);
    if (shapes == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < 2; i++) {
        int first, mine = share_of(count, i, &first);
        shapes[0] = inputs[0];
        memcpy(shapes + 1, inputs + first, (size_t)(mine - 1) * sizeof *shapes);
        HEED_TRY(heed_layer_build(directions[i], shapes, mine));
    }
    return HEED_OK;
}

static heed_status call_direction(heed_layer *child, const heed_call *call, int direction, heed_inner *inner)
{
    heed_tensor *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    int first, mine = share_of(call->input_count, direction, &first);
    if (mine > HEED_MAX_OUTPUTS)
        return heed_layer_fail(child, HEED_EINVAL, "too many inputs");
    inputs[0] = call->inputs[0];
    masks[0] = call->masks[0];
    for (int i = 1; i < mine; i++) {
        inputs[i] = call->inputs[first + i - 1];
        masks[i] = call->masks[first + i - 1];
    }
    return heed_inner_call(inner, call, child, inputs, masks, mine, NULL);
}

static heed_tensor *merge(const char *mode, heed_tensor *f, heed_tensor *b)
{
    if (strcmp(mode, "concat") == 0)
        return heed_op_concatenate((heed_tensor *const[]){f, b}, 2, -1);
    if (strcmp(mode, "mul") == 0)
        return heed_op_multiply(f, b);
    heed_tensor *sum = heed_op_add(f, b);
    return strcmp(mode, "ave") == 0 ? heed_op_scale(sum, 0.5f, 0.0f) : sum;
}

static heed_status bidirectional_call(heed_layer *layer, heed_call *call)
{
    const heed_bidirectional_config *o = heed_layer_config(layer);
    const bidirectional *b = heed_layer_state(layer);
    heed_inner forward, backward;
    HEED_TRY(call_direction(b->forward, call, 0, &forward));
    HEED_TRY(call_direction(b->backward, call, 1, &backward));
    heed_tensor *f = forward.outputs[0], *r = backward.outputs[0];
    if (b->return_sequences)
        r = heed_op_reverse(r, 1);
    bool both = o->merge_mode == NULL || strcmp(o->merge_mode, "None") == 0;
    call->output_count = 0;
    call->outputs[call->output_count++] = both ? f : merge(o->merge_mode, f, r);
    if (both)
        call->outputs[call->output_count++] = r;
    for (int i = 0; i < call->output_count && b->return_sequences; i++)
        call->output_masks[i] = call->masks[0];
    for (int i = 1; i < forward.call.output_count && b->return_state; i++)
        call->outputs[call->output_count++] = forward.outputs[i];
    for (int i = 1; i < backward.call.output_count && b->return_state; i++)
        call->outputs[call->output_count++] = backward.outputs[i];
    return HEED_OK;
}

const heed_layer_class heed_bidirectional_class = {
    .name = "Bidirectional",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_bidirectional_config, HEED_BIDIRECTIONAL_OPTIONS),
    .min_inputs = 1,
    .init = bidirectional_init,
    .build = bidirectional_build,
    .call = bidirectional_call,
    .equation = "y_t = merge(forward(x)_t, backward(x)_t)",
    .shapes = "as the layer's; y has twice the features with merge_mode concat, and there are two with None\n"
              "states: those of the layer forwards, then those of the one backwards",
    .masks = "a masked step keeps the states, in both directions; its output is 0 with return_sequences; the mask "
             "goes on",
    .weights = "those of the layer forwards\n"
               "those of the layer backwards",
    .source = "Schuster and Paliwal 1997; Keras, layers/rnn/bidirectional.py",
    .differs = "nothing",
};

/* ---- TimeDistributed ---- */

static heed_status time_distributed_init(heed_layer *layer)
{
    const heed_time_distributed_config *o = heed_layer_config(layer);
    heed_layer *child;
    if (o->layer.layer_class == NULL)
        return heed_layer_fail(layer, HEED_EINVAL, "its layer is missing");
    return heed_layer_child(layer, "layer", o->layer, &child);
}

static heed_status time_distributed_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    char text[128];
    if (inputs->rank < 3)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input has no steps (expected 3 dimensions or more, found %s)",
                               heed_shape_text(inputs, text, sizeof text));
    heed_shape step = {inputs->rank - 1, {HEED_ANY}};
    for (int i = 1; i < step.rank; i++)
        step.dims[i] = inputs->dims[i + 1];
    return heed_layer_build(layer->children[0].layer, &step, 1);
}

/* (B, T, ...) as (B T, ...): every step is an example. */
static heed_tensor *fold(heed_tensor *x)
{
    heed_shape shape = {x->shape.rank - 1, {x->shape.dims[0] * x->shape.dims[1]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = x->shape.dims[i + 1];
    return heed_op_reshape(x, &shape);
}

static heed_tensor *unfold(heed_tensor *y, int64_t batch, int64_t steps)
{
    if (y->shape.rank >= HEED_MAX_RANK)
        return heed_graph_fail(y->graph, HEED_ESHAPE, "too many dimensions");
    heed_shape shape = {y->shape.rank + 1, {batch, steps}};
    for (int i = 2; i < shape.rank; i++)
        shape.dims[i] = y->shape.dims[i - 1];
    return heed_op_reshape(y, &shape);
}

/* What was published inside, from number `first` on, has the steps folded into its batch. */
static void unfold_attention(heed_pass *pass, size_t first, int64_t batch, int64_t steps)
{
    for (size_t i = first; i < pass->attention_count; i++)
        pass->attention[i].weights = unfold(pass->attention[i].weights, batch, steps);
}

static heed_status time_distributed_call(heed_layer *layer, heed_call *call)
{
    heed_tensor *x = call->inputs[0], *mask = call->masks[0];
    heed_inner inner;
    heed_tensor *folded = fold(x);
    /* says something within a step too */
    bool inside = mask != NULL && mask->dtype == HEED_BOOL && mask->shape.rank > 2;
    heed_tensor *folded_mask = inside ? fold(mask) : NULL;
    HEED_TRY(heed_graph_status(call->graph));
    heed_pass *pass = heed_call_pass(call);
    size_t published = pass == NULL ? 0 : pass->attention_count;
    HEED_TRY(heed_inner_call(&inner, call, layer->children[0].layer, &folded, &folded_mask, 1, NULL));
    if (pass != NULL)
        unfold_attention(pass, published, x->shape.dims[0], x->shape.dims[1]);
    call->output_count = inner.call.output_count;
    for (int i = 0; i < call->output_count; i++)
        call->outputs[i] = unfold(inner.outputs[i], x->shape.dims[0], x->shape.dims[1]);
    return HEED_OK;
}

const heed_layer_class heed_time_distributed_class = {
    .name = "TimeDistributed",
    .collection = "keras",
    HEED_CLASS_OPTIONS(heed_time_distributed_config, HEED_TIME_DISTRIBUTED_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = time_distributed_init,
    .build = time_distributed_build,
    .call = time_distributed_call,
    .equation = "y_t = layer(x_t)",
    .shapes = "x (B, T, ...) -> y (B, T, ...), the layer's output for each step",
    .masks = "that of the input goes on; the layer sees what of it lies within a step",
    .weights = "those of the layer",
    .source = "Keras, layers/rnn/time_distributed.py",
    .differs = "all steps are one batch of the layer, where Keras 3 calls it step by step",
};
