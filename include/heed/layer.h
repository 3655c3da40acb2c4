/**
 * @file layer.h
 * What a layer is, for layers of your own. The built-in ones (layers.h) are made of nothing else.
 *
 * A layer class is a table of functions: `build` makes the weights once the input shapes are known, `call` computes the
 * outputs by the operations of graph.h. Gradients, masks, saving, the summary and the option checks follow from that.
 *
 * Options are written once, as an X-macro:
 *
 *     #define SCALE_OPTIONS(X, config)                                                       \
 *         HEED_LAYER_OPTIONS(X, config)                                                      \
 *         X(config, FLOAT, factor, 2.0, "(0,)", "what the input is multiplied with")
 *     typedef struct scale_config { SCALE_OPTIONS(HEED_OPTION_FIELD, ) } scale_config;
 *     static heed_status scale_call(heed_layer *layer, heed_call *call)
 *     {
 *         const scale_config *o = heed_layer_config(layer);
 *         call->outputs[0] = heed_op_scale(call->inputs[0], (float)o->factor, 0);
 *         return HEED_OK;
 *     }
 *     static const heed_layer_class scale_class = {
 *         .name = "Scale", .collection = "mine", .min_inputs = 1, .max_inputs = 1, .passes_mask = true,
 *         .call = scale_call, HEED_CLASS_OPTIONS(scale_config, SCALE_OPTIONS)};
 */
#ifndef HEED_LAYER_H
#define HEED_LAYER_H

#include "heed/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_layer       heed_layer;
typedef struct heed_layer_class heed_layer_class;

/* ------------------------------------------------------------------------------------------------ options */

/** A layer yet to be made: its class and its options. What heed_dense(.units = 5) and its like give. The config is read
 *  when the layer is made, by heed_layer_create(), heed_add() or heed_apply(); until then it must stay alive, which it
 *  does in a function to the end of the block. */
typedef struct heed_spec {
    const heed_layer_class *layer_class; /**< NULL: no layer */
    const void             *config;      /**< of the class's config type; NULL: all defaults */
} heed_spec;

/** Several layers; {0} is none. */
typedef struct heed_specs {
    int              count;
    const heed_spec *items;
} heed_specs;

/**
 * The types of options. An *expression* is text: a name, or a name with arguments as in Python:
 * "glorot_uniform", "l2(0.01)", "max_norm(max_value=3)", "leaky_relu(negative_slope=0.1)",
 * "adam(learning_rate=cosine_decay(0.001, 10000))". NULL is Python's None.
 */
typedef enum heed_option_type {
    HEED_OPTION_INT,         /**< int; None is HEED_NONE, allowed where that is the default; a list of one is that one */
    HEED_OPTION_FLOAT,       /**< double; None is infinity, where that is the default or `range` ends in |None */
    HEED_OPTION_BOOL,        /**< bool */
    HEED_OPTION_TEXT,        /**< const char *; one of the words in `range`, when that lists words separated by '|'; the
                                  word None allows NULL */
    HEED_OPTION_SHAPE,       /**< heed_shape: a list of integers; rank 0 is an empty list, or None where `range` ends so */
    HEED_OPTION_SIZES,       /**< heed_shape: one integer for all axes, one for each, or a pair for each, a pair's two after
                                  each other; rank 0 is None */
    HEED_OPTION_NUMBERS,     /**< const char *, an expression: a number or a list of numbers, "[0.5, 0.25]"; NULL: None */
    HEED_OPTION_TEXTS,       /**< const char *, an expression: a list of texts, "['a', 'b']"; NULL: None */
    HEED_OPTION_ACTIVATION,  /**< const char *, an expression; NULL: linear */
    HEED_OPTION_INITIALIZER, /**< const char *, an expression */
    HEED_OPTION_REGULARIZER, /**< const char *, an expression */
    HEED_OPTION_CONSTRAINT,  /**< const char *, an expression */
    HEED_OPTION_LAYER,       /**< heed_spec */
    HEED_OPTION_LAYERS,      /**< heed_specs */
} heed_option_type;

/** None, of an int: no such number is given. */
#define HEED_NONE (-2147483647 - 1)

/** One option of a class, as the table knows it. */
typedef struct heed_option {
    const char      *name;    /**< as in Keras' config */
    heed_option_type type;
    size_t           offset;  /**< of the field in the config struct */
    const char      *range;   /**< "[1,)" closed from 1 on, "[0,1)", "a|b|c", or "" */
    const char      *meaning; /**< one sentence */
} heed_option;

/* An options list is an X-macro of rows X(config, TYPE, name, default, "range", "meaning"); these make of it the fields
 * of a struct, the defaults of an initialiser, and the rows of a table. */
#define HEED_FIELD_INT         int
#define HEED_FIELD_FLOAT       double
#define HEED_FIELD_BOOL        bool
#define HEED_FIELD_TEXT        const char *
#define HEED_FIELD_SHAPE       heed_shape
#define HEED_FIELD_SIZES       heed_shape
#define HEED_FIELD_NUMBERS     const char *
#define HEED_FIELD_TEXTS       const char *
#define HEED_FIELD_ACTIVATION  const char *
#define HEED_FIELD_INITIALIZER const char *
#define HEED_FIELD_REGULARIZER const char *
#define HEED_FIELD_CONSTRAINT  const char *
#define HEED_FIELD_LAYER       heed_spec
#define HEED_FIELD_LAYERS      heed_specs
#define HEED_OPTION_FIELD(config, type, name, value, range, meaning)   HEED_FIELD_##type name;
#define HEED_OPTION_DEFAULT(config, type, name, value, range, meaning) .name = value,
#define HEED_OPTION_ROW(config, type, name, value, range, meaning)                                                     \
    {#name, HEED_OPTION_##type, offsetof(config, name), range, meaning},
/** The members of a class that follow from its options: the rows, their number, the config's size and its defaults. */
#define HEED_CLASS_OPTIONS(config, LIST)                                                                               \
    .options = (const heed_option[]){LIST(HEED_OPTION_ROW, config)},                                                   \
    .option_count = (int)(sizeof((const heed_option[]){LIST(HEED_OPTION_ROW, config)}) / sizeof(heed_option)),         \
    .config_size = sizeof(config), .defaults = &(const config){LIST(HEED_OPTION_DEFAULT, config)}
/** A shape as the default of an option. */
#define HEED_DIMS(rank, ...) {rank, {__VA_ARGS__}}

/** The options that every layer has; each list begins with them. */
#define HEED_LAYER_OPTIONS(X, config)                                                                                  \
    X(config, TEXT, name, NULL, "", "unique in its model; by default the class in snake_case, numbered")               \
    X(config, BOOL, trainable, true, "", "whether training changes the weights")

/* ------------------------------------------------------------------------------------------------ classes */

/** What one call of a layer is given, and what it leaves behind. */
typedef struct heed_call {
    heed_graph         *graph;
    bool                training;     /**< dropout and noise act, batch statistics are taken */
    int                 input_count;
    heed_tensor *const *inputs;       /**< batch first: (B, ...) */
    heed_tensor *const *masks;        /**< one for each input: NULL, bool (B, T), or lengths int32 (B) */
    heed_tensor       **outputs;      /**< to be set; room for HEED_MAX_OUTPUTS */
    heed_tensor       **output_masks; /**< to be set where there is one; all NULL at first */
    int                 output_count; /**< 1 unless set otherwise */
    void               *arguments;    /**< internal: see heed_call_argument() */
} heed_call;

enum { HEED_MAX_OUTPUTS = 64 };

/**
 * A loop of a recurrent layer around a cell: what its `begin` is given before the first step. What begin sets stays the
 * same over the steps: dropout masks, products of the constants.
 */
typedef struct heed_loop {
    heed_graph         *graph;
    bool                training;
    heed_shape          input_shape;   /**< of a step's input: (B, ...) */
    heed_tensor        *sequence;      /**< the whole input (B, T, ...); NULL for a cell inside of a stack */
    heed_tensor        *mask;          /**< as in heed_call */
    bool                wants_attention;
    heed_tensor *const *given;         /**< what the recurrent layer's caller passed along, (B, ...) */
    heed_tensor *const *given_masks;   /**< one for each: as in heed_call */
    int                 given_count;
    heed_tensor       **constants;     /**< to be set: (B, ...), then seen by every step; room for HEED_MAX_CONSTANTS */
    int                 constant_count;/**< to be set */
    heed_tensor       **states;        /**< initial states (B, ...), to be set where they are not zeros */
    int                 output_count;  /**< 1; may be set higher: what the cell tells beside its output */
    int                 attention;     /**< 0; may be set, where attention is wanted, to the number of the output (1 or
                                            more, (B, Tk)) that tells what a step attends to: it is published */
    void               *data;          /**< the cell's own, for its steps: lives in the graph, see heed_loop_alloc() */
} heed_loop;

enum { HEED_MAX_STATES = 32, HEED_MAX_CONSTANTS = 64 };

/** Memory that lives as long as the loop's graph; zeroed; NULL on failure, which the graph remembers. */
HEED_API void *heed_loop_alloc(heed_loop *loop, size_t count, size_t size);

/** A cell computes one step: outputs and new states from a step's inputs and the states. */
typedef struct heed_cell_functions {
    int (*state_count)(const heed_layer *cell); /**< NULL: 1 */
    /** Shape of a state, without the batch. */
    void (*state_shape)(const heed_layer *cell, int state, heed_shape *shape);
    /** Shape of the output, without the batch; NULL: as state 0. */
    void (*output_shape)(const heed_layer *cell, heed_shape *shape);
    /** Called once before the steps; NULL: nothing to do. */
    heed_status (*begin)(heed_layer *cell, heed_loop *loop);
    /** One step, as heed_step_function: works on each row alone, and gives the same operations each time. */
    heed_status (*step)(heed_layer *cell, const heed_loop *loop, heed_step *step);
    int constants; /**< 0, or how many inputs at least a recurrent layer's caller passes along behind initial states */
} heed_cell_functions;

struct heed_layer_class {
    const char        *name;         /**< as in Keras: "LSTM" */
    const char        *collection;   /**< who defined it: "keras", "keras-self-attention", ...; yours: your own word */
    const heed_option *options;
    int                option_count;
    size_t             config_size;
    const void        *defaults;     /**< a config with every default set */
    int                min_inputs, max_inputs; /**< max 0: any number */
    /** Whether the first output, when call sets no mask for it, passes on the mask of the first input. */
    bool               passes_mask;
    /** Checks options that depend on each other, after each was checked on its own; sets up what build and call need.
     *  NULL: nothing to do. */
    heed_status (*init)(heed_layer *layer);
    /** Makes the weights; shapes have HEED_ANY where a size is not known. Called once, before the first call. NULL:
     *  none. */
    heed_status (*build)(heed_layer *layer, const heed_shape *inputs, int count);
    /** Sets the outputs. An operation that fails is noticed by the caller: just return HEED_OK. */
    heed_status (*call)(heed_layer *layer, heed_call *call);
    /** Frees what init made outside of the layer's memory; NULL: nothing. */
    void (*free)(heed_layer *layer);
    /** What makes a class a recurrent cell, for heed_rnn() and all that works over cells; NULL: it is none. */
    const heed_cell_functions *cell;
    /* For the documentation (heed layers, docs/layers/), a few lines of plain text each; NULL: nothing is said. */
    const char *equation; /**< its first line says in short what the layer does */
    const char *shapes;   /**< a line for each input and output: "x (B, T, F)" */
    const char *masks;    /**< which masks count, which goes on, and what comes of a row that is masked whole */
    const char *weights;  /**< in order, a line each: "kernel (F, units)"; "none" */
    const char *source;   /**< paper and equation, where the original stands */
    const char *differs;  /**< from the original; "nothing" */
};

/** A spec of a layer that exists, where a new one could be asked for: what is made of it shares its weights. So a
 *  wrapper can hold a whole model: heed_time_distributed(heed_shared(heed_model_layer(m))). */
HEED_API heed_spec heed_shared(heed_layer *layer);
/** Makes a layer of its own. It is freed by heed_layer_release(), or with the last model that holds it. */
HEED_API heed_status heed_layer_create(heed_context *c, heed_spec spec, heed_layer **out);
/** The same with options as text, for other languages: class_name "Dense", options "units=5, activation='relu'". */
HEED_API heed_status heed_layer_create_text(heed_context *c, const char *class_name, const char *options,
                                            heed_layer **out);
HEED_API void heed_layer_retain(heed_layer *layer);
HEED_API void heed_layer_release(heed_layer *layer); /**< NULL is allowed */

/** Makes a class known by name, so that files can hold it. The class must outlive the context. */
HEED_API heed_status heed_register_layer(heed_context *c, const heed_layer_class *layer_class);
/**
 * Settles, for all that is read in this context from now on, what files cannot tell: whose layer it is where several
 * collections have the name, and which version of a collection wrote it: "keras-self-attention=0.45",
 * "keras-layer-collection"; NULL: as the files tell. A version decides where versions of the original differ: see the
 * option `masking` of heed_seq_self_attention().
 */
HEED_API heed_status heed_read_from(heed_context *c, const char *origin);
/** The class of a name, the user's own first; NULL if there is none. @p collection may be NULL. */
HEED_API const heed_layer_class *heed_find_layer(heed_context *c, const char *name, const char *collection);
/** The built-in classes, by number from 0; NULL behind the last. */
HEED_API const heed_layer_class *heed_layer_class_at(int index);

/* ---- for init and build */

/** Memory for what the class keeps about this layer; zeroed, freed with the layer; heed_layer_state() finds it
 *  again. */
HEED_API void *heed_layer_alloc(heed_layer *layer, size_t size);

/** A new weight: name "kernel", initializer etc. as expressions (NULL initializer: "glorot_uniform"). NULL on failure,
 *  which need not be looked at: it ends the build. Its numbers are drawn when the model is built. */
HEED_API heed_variable *heed_layer_weight(heed_layer *layer, const char *name, const heed_shape *shape,
                                          const char *initializer, const char *regularizer, const char *constraint,
                                          bool trainable);
/** Makes a layer that belongs to this one, under the attribute name that Keras gives it ("cell", "forward_layer"). */
HEED_API heed_status heed_layer_child(heed_layer *layer, const char *attribute, heed_spec spec, heed_layer **child);
/** Builds a child; does nothing if it is built. */
HEED_API heed_status heed_layer_build(heed_layer *layer, const heed_shape *inputs, int count);
/** Records the caller's own refusal, with the layer's name before it. */
HEED_API heed_status heed_layer_fail(heed_layer *layer, heed_status status, const char *format, ...) HEED_PRINTF(3, 4);

/* ---- for call */

/** Calls a child (or any built layer) within a graph. */
HEED_API heed_status heed_layer_call(heed_layer *layer, heed_call *call);
/** A mask of any of its three forms as bool (B, T), for T `steps`; NULL for NULL. */
HEED_API heed_tensor *heed_mask_bool(heed_tensor *mask, int64_t steps);
/** Applies an activation expression; NULL is linear. */
HEED_API heed_tensor *heed_activate(heed_tensor *x, const char *activation);
/** Offers attention weights (B, ..., Tq, Tk) to whoever looks at them; does nothing when nobody does. A query's row stands
 *  at that query's place in the input. heed_predict() collects them under the layer's name. */
HEED_API void heed_call_publish(heed_call *call, const heed_layer *layer, heed_tensor *weights);
/** Whether somebody looks at attention weights, so that computing them just to publish them is worth it. */
HEED_API bool heed_call_wants_attention(const heed_call *call);
/** Adds a scalar to the loss (an activity regulariser, say). */
HEED_API void heed_call_add_loss(heed_call *call, heed_tensor *loss);
/** Has `variable` replaced by `value` after the step (moving averages, states). */
HEED_API void heed_call_update(heed_call *call, heed_variable *variable, heed_tensor *value);
/** A keyword argument of this call, such as use_causal_mask; `otherwise` when it was not given. */
HEED_API double heed_call_argument(const heed_call *call, const char *name, double otherwise);

/* ---- asking */

HEED_API heed_context           *heed_layer_context(const heed_layer *layer);
HEED_API const heed_layer_class *heed_layer_class_of(const heed_layer *layer);
HEED_API const char             *heed_layer_name(const heed_layer *layer);
HEED_API const void             *heed_layer_config(const heed_layer *layer); /**< the class's config struct */
/** The layer as it would be written down, with the options that are not at their defaults: "Dense(units=5)". *text is
 *  freed with heed_free(). */
HEED_API heed_status             heed_layer_text(const heed_layer *layer, char **text);
HEED_API void                   *heed_layer_state(const heed_layer *layer);  /**< what heed_layer_alloc() gave last */
HEED_API bool                    heed_layer_trainable(const heed_layer *layer);
/** Freezes or thaws all weights of the layer and its children, but for those that are never trained. */
HEED_API void                    heed_layer_set_trainable(heed_layer *layer, bool trainable);
HEED_API int                     heed_layer_weight_count(const heed_layer *layer); /**< own and children's */
HEED_API heed_variable          *heed_layer_weight_at(const heed_layer *layer, int index); /**< in Keras' order */

HEED_API const char       *heed_variable_name(const heed_variable *v);
HEED_API const heed_shape *heed_variable_shape(const heed_variable *v);
/** Row-major; may be written between runs. NULL when there is no memory for it. */
HEED_API float            *heed_variable_data(heed_variable *v);
HEED_API bool              heed_variable_trainable(const heed_variable *v);

#ifdef __cplusplus
}
#endif
#endif
