/* The inside of layers, for the layers themselves and for models. */
#ifndef HEED_LAYERS_LAYER_H
#define HEED_LAYERS_LAYER_H

#include "base/value.h"
#include "graph/graph.h"
#include "heed/layer.h"
#include "layers/options.h"

struct heed_layer {
    heed_context           *context;
    const heed_layer_class *layer_class;
    int                     references;
    heed_zone               zone;   /* config, names, what the class keeps */
    char                   *name;   /* NULL until heed_layer_set_name where the options give none; in config too */
    void                   *config; /* a copy, its texts and nested specs copied too */
    bool                    trainable; /* of the options, and of the layer that this one belongs to */
    bool                    built;
    int                     keras; /* whose version's meanings it has: 100 * major + minor, 315 is 3.15; 0: today's */
    heed_status             weights_status; /* the first failure of heed_layer_weight, which ends the build */
    heed_shape             *built_shapes; /* the input shapes it was built for */
    int                     built_count;
    heed_variable         **variables; /* own, in order of creation, those made to be trained first */
    size_t                  variable_count, variable_capacity, declared_trainable;
    heed_variable         **states;    /* what stateful layers carry from batch to batch; no weights, not saved */
    size_t                  state_count, state_capacity;
    struct heed_child {
        const char *attribute;
        heed_layer *layer;
    }     *children; /* in order of creation */
    size_t child_count, child_capacity;
    void  *state;    /* of the class */
};

/* What every config struct begins with. */
typedef struct heed_layer_common {
    HEED_LAYER_OPTIONS(HEED_OPTION_FIELD, )
} heed_layer_common;

/* ---- making ---- */

/* A layer from a class's name and a dict (or call) of options, as files give them: {"units": 5, ...}. Keys that only
 * other versions of Keras know are renamed or passed over; any other unknown one is refused. `collection` may be
 * NULL. */
heed_status heed_layer_create_value(heed_context *c, const char *class_name, const char *collection,
                                    const heed_value *options, heed_layer **out);
/* The spec of a nested layer, its config in the zone: {"class_name": ..., "config": ...} or a call, LSTM(units=3). */
heed_status heed_spec_read(heed_zone *z, const char *who, const heed_value *v, heed_spec *out);
/* A copy of a layer's config, or a whole model's, that Keras 2 wrote, as Keras 3 would say it: what is not said and
 * what words mean differ (hard_sigmoid; a GRU without reset_after). NULL when there is no memory. */
heed_value *heed_keras2_value(heed_zone *z, const heed_value *v);
/* The other way, in Keras' form: {module, class_name, config, registered_name}. NULL when there is no memory. */
heed_value *heed_spec_value(heed_zone *z, heed_spec spec);
/* The options of a layer as a dict (Keras' get_config); NULL when there is no memory. */
heed_value *heed_layer_options_value(heed_zone *z, const heed_layer *layer);

/* The layer of a spec by heed_shared; NULL for any other spec. */
heed_layer *heed_spec_shared(heed_spec spec);

/* Names the layer: a copy of `name`, in the config too. */
heed_status heed_layer_set_name(heed_layer *layer, const char *name);
/* "dense" for "Dense": the name a layer gets when it has none, and how files call it. Written into text, cut to
 * size. */
char *heed_snake_case(const char *class_name, char *text, size_t size);
/* "Dense layer 'x'", cut to size; returns text. */
char *heed_layer_describe(const heed_layer *layer, char *text, size_t size);

/* Has the layer and all in it mean what they meant in that version, where that differs. */
void heed_layer_set_keras(heed_layer *layer, int version);
static inline bool heed_keras_before(const heed_layer *layer, int version)
{
    return layer->keras != 0 && layer->keras < version;
}
/* Whether a version, 0 for none, is one from `first` on and before `end`. */
static inline bool heed_keras_within(int keras, int first, int end) { return keras >= first && keras < end; }

/* Adds the penalty on a layer's output x to the loss: its share of each example, or whole, as the model's version has it. */
void heed_call_penalize(heed_call *call, const heed_tensor *x, heed_tensor *penalty);

/* Puts the layer's name before the recorded error, unless it begins with it. Returns `status`. */
heed_status heed_layer_explain(const heed_layer *layer, heed_status status);
/* Refuses a number of inputs that the class does not take. */
heed_status heed_layer_check_count(heed_layer *layer, int count);

/* A state that a stateful layer carries from batch to batch: zeros until set by heed_call_update; the `index`-th of
 * that layer, one for each shape (batch size) that it is asked for. NULL on failure. */
heed_variable *heed_layer_carried(heed_layer *layer, size_t index, const heed_shape *shape);
/* Sets what the layer and its children carry to zero (Keras' reset_states). */
void heed_layer_reset(heed_layer *layer);

/* ---- calling ---- */

/* Calls of layers in one graph, at most: a small file with models in models that each call the next twice would unfold to
 * more than any memory. */
enum { HEED_MAX_CALLS = 1 << 16 };

/* What a whole pass collects; behind heed_call's `arguments`. One for a graph, shared by all calls in it. */
typedef struct heed_pass {
    heed_graph   *graph;
    heed_tensor **losses;  /* scalars from heed_call_add_loss */
    size_t        loss_count, loss_capacity;
    struct heed_update {
        heed_variable *variable;
        heed_tensor   *value;
    }     *updates;
    size_t update_count, update_capacity;
    heed_index updated; /* by variable: where in `updates` */
    /* attention weights that layers publish when asked: see heed_call_publish */
    bool   wants_attention;
    struct heed_published {
        const char  *name; /* the layer's, numbered from the second of that name on */
        heed_tensor *weights;
    }     *attention;
    size_t attention_count, attention_capacity;
    bool   probes; /* the graph only finds out shapes, of sizes that nobody gave */
    heed_tensor **bare; /* whose masks were taken off, as Keras' MultiHeadAttention does from 3.8 on */
    size_t        bare_count, bare_capacity;
} heed_pass;

typedef struct heed_call_arguments {
    heed_pass               *pass;
    const struct heed_value *keywords; /* a dict, or NULL */
    bool mask_given; /* to the first input, by hand: it does not only ride there. Holds for calls within, too */
} heed_call_arguments;

/* What this call's pass collects; NULL where nobody collects. A wrapper may change what calls inside it published: from
 * the attention_count that it found before them on. */
heed_pass *heed_call_pass(const heed_call *call);
bool heed_call_mask_given(const heed_call *call);

/* A call made within another: of a child. Start it by heed_inner_call, which runs it too; then read call.outputs. */
typedef struct heed_inner {
    heed_call           call;
    heed_call_arguments arguments;
    heed_tensor        *outputs[HEED_MAX_OUTPUTS], *output_masks[HEED_MAX_OUTPUTS];
} heed_inner;

/* What a variable will be after the updates of this pass so far; else what it is. */
heed_tensor *heed_call_value(const heed_call *call, heed_variable *variable);

/* Calls `child` on `count` inputs in the graph and pass of `outer`; masks may be NULL: none. The outer call's keywords
 * do not reach it, unless passed here (may be NULL). */
heed_status heed_inner_call(heed_inner *inner, const heed_call *outer, heed_layer *child, heed_tensor *const *inputs,
                            heed_tensor *const *masks, int count, const heed_value *keywords);

/* Whether the activation makes each number of that number alone; softmax, say, does not. */
bool heed_activation_is_elementwise(heed_graph *g, const char *activation);
/* Keras' relu with all its options: x from the threshold on, at most max_value; else negative_slope (x - threshold). */
heed_tensor *heed_relu_general(heed_tensor *x, double negative_slope, double max_value, double threshold_value);

/* x multiplied by one draw of dropout of this shape, which is broadcast: what shares a number of it is dropped together. */
heed_tensor *heed_shared_dropout(heed_tensor *x, double rate, const heed_shape *shape);

/* ---- variables ---- */

/* The regulariser's penalty on a variable, a scalar; NULL when it has none (or on failure, which the graph
 * remembers). */
heed_tensor *heed_variable_penalty(heed_graph *g, heed_variable *v);
/* Applies its constraint, in place. */
void heed_variable_constrain(heed_variable *v);
/* Draws a variable's numbers by its initializer: a function of (seed, stream) and the shape. */
heed_status heed_variable_initialize(heed_context *c, heed_variable *v, uint64_t seed, uint64_t stream);

#endif
