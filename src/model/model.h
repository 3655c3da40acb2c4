/* The inside of a model: what is wired, what was made of it, how it trains. */
#ifndef HEED_MODEL_MODEL_H
#define HEED_MODEL_MODEL_H

#include "base/index.h"
#include "heed/model.h"
#include "layers/layer.h"

#include <signal.h>

/* A size that is not known is tried with two numbers; what comes out different is not known either. */
enum { HEED_PROBES = 2 };

/* A layer that a model holds. The second half is set once its wires are ordered. */
typedef struct heed_made {
    heed_layer *layer;
    int         calls; /* in the model, so far */
    int         depth; /* the most calls between it and the outputs */
    int         met;   /* when the walk from them came by, from 1; 0: it did not; -1: an input that nothing uses */
    struct heed_wire *first, *last; /* its calls that the outputs need */
} heed_made;

/* One call of a layer. */
typedef struct heed_wire {
    heed_layer       *layer;
    heed_made        *made;
    struct heed_wire *next;   /* of `made`. Once ordered */
    size_t            walked; /* once ordered: its place in the walk from the outputs, from 1; 0: they do not need it */
    int               call; /* which call of the layer in this model, from 0: Keras' node index */
    int               number; /* the same among the calls that the outputs need. Once ordered */
    int               input_count, output_count;
    heed_symbol     **inputs, **outputs;
    heed_symbol **masks; /* NULL, or for each input a mask in place of the one that rides on it; NULL: that one */
    const heed_value *keywords; /* a dict, or NULL */
} heed_wire;

struct heed_symbol {
    heed_model *model;
    heed_wire  *wire;   /* that makes it */
    int         output; /* which of the wire's outputs */
    int         index;  /* number in the model */
    heed_shape  shape;
    heed_dtype  dtype;
    bool        masked;
    bool        padded; /* an input whose rows are filled up with 0: a batch leaves out what is filled in all of its rows */
    heed_tensor *probe[HEED_PROBES],
        *probe_mask[HEED_PROBES]; /* in the model's probe graphs, while it is being wired */
};

typedef struct heed_wires {
    heed_wire **items;
    size_t      count, capacity;
} heed_wires;

/* A weight of the model. */
typedef struct heed_weight {
    heed_variable *variable;
    const char    *path; /* "lstm/lstm_cell/kernel" */
} heed_weight;

typedef struct heed_asset_file {
    char  *name;
    void  *bytes;
    size_t size;
} heed_asset_file;

struct heed_model {
    heed_context *context;
    heed_layer   *layer; /* the model as a layer; owns the model */
    heed_status   status; /* the first mistake, and its sentence */
    char         *error, *hint;
    bool          sequential;
    bool          shares; /* its weights are another model's, and are not to be written */
    bool          closed; /* wired: inputs, outputs, layers stand */
    heed_zone     zone;   /* wires, symbols, names */
    heed_graph   *probes[HEED_PROBES]; /* scratch graphs, until closed */
    heed_pass     passes[HEED_PROBES]; /* of the probe graphs */
    bool          long_probes; /* unknown lengths are probed as very long ones */
    heed_wires    wires;  /* in the order in which they can run; those that the outputs need, once closed */
    heed_wire   **running; /* the same in the order in which Keras runs them. Once closed */
    heed_wire   **walked; /* the same in an order that only the wiring decides, not when what was made: random draws are
                             numbered by it. Once closed */
    int           symbol_count;
    heed_symbol **inputs, **outputs;
    char        **output_names;
    int           input_count, output_count;
    heed_layer  **stack; /* a sequential model's layers, until it is wired */
    size_t        stack_count, stack_capacity;
    heed_made   **made; /* every layer that was wired or made here, held until the model's end */
    size_t        made_count, made_capacity;
    heed_index    names; /* of those */
    heed_index    numbers; /* by kind of name: the last that was given, an int */
    heed_weight  *weights; /* once closed; in Keras' order, each once */
    size_t        weight_count, weight_capacity;
    uint64_t      seed;
    struct heed_cache    *cache;   /* graphs by shape */
    struct heed_training *training; /* what compile made; NULL: not compiled */
    uint64_t      step;     /* training steps done */
    volatile sig_atomic_t interrupted; /* by heed_interrupt */
    bool          stopping; /* by heed_stop_training */
    double       *work;     /* seconds so far, by heed_work; the caller's; NULL: nobody wants to know */
    heed_asset_file *assets;
    size_t        asset_count, asset_capacity;
};

/* Input layers. */
bool              heed_is_input_layer(const heed_layer *layer);
const heed_shape *heed_input_layer_shape(const heed_layer *layer); /* with the batch */
heed_dtype        heed_input_layer_dtype(const heed_layer *layer); /* one of the three that graphs know */
heed_status       heed_input_layer_create(heed_context *c, const char *name, heed_dtype dtype, const heed_shape *shape,
                                          heed_layer **out);
extern const heed_layer_class heed_functional_class, heed_sequential_class;
/* The model inside a layer of class Functional or Sequential; NULL for other layers. */
heed_model *heed_layer_model(const heed_layer *layer);

/* Records the first mistake; later ones are dropped. The context holds the sentence. Returns the status kept. */
heed_status heed_model_remember(heed_model *m, heed_status status);

/* heed_call_layer with the keywords as a dict, which must live as long as the model; masks as in heed_wire. NULL on
 * failure, which the model remembers. */
heed_wire *heed_wire_layer(heed_model *m, heed_layer *layer, heed_symbol *const *inputs, heed_symbol *const *masks,
                           int input_count, const heed_value *keywords);
heed_symbol *heed_wire_input(heed_model *m, heed_layer *input_layer);
/* Holds a layer until the model's end; gives it a name if it has none, and refuses one that is taken. */
heed_status heed_model_adopt(heed_model *m, heed_layer *layer);
/* Its place among those that the model holds; NULL: it is none of them. */
heed_made *heed_model_made(const heed_model *m, const heed_layer *layer);
/* The wiring is complete: sets outputs, layers and weights. @p layers: those of these that the outputs need, in this
 * order; NULL: in Keras'. */
heed_status heed_model_close(heed_model *m, heed_symbol *const *outputs, int count, heed_layer *const *layers,
                             size_t layer_count);
/* Weights kept aside (kept_weights.c): all of a model's, one after another. */
size_t heed_weight_total(heed_model *m);
void   heed_keep_weights(heed_model *m, float *kept);
void   heed_swap_weights(heed_model *m, float *kept); /* exchanges them with those of the model */
void   heed_average_weights(heed_model *m, double share, float *mean); /* mean += share (weights - mean) */
/* Lets the scratch graphs go. */
void heed_model_close_probes(heed_model *m);
/* Wires a sequential model whose input is this. */
heed_status heed_model_chain(heed_model *m, heed_dtype dtype, const heed_shape *shape);
/* Refuses a model whose weights are another one's. */
heed_status heed_model_owns_weights(const heed_model *m);
/* Makes sure that the model is wired, or says what it lacks. */
heed_status heed_model_complete(heed_model *m);
/* Lists the weights; once, when the model closes. */
heed_status heed_model_collect_weights(heed_model *m);
/* Where a wiring begins and ends. */
typedef struct heed_ends {
    heed_symbol *const *inputs, *const *outputs;
    int                 input_count, output_count;
} heed_ends;

/* Orders of a wiring. */
typedef struct heed_order {
    heed_wire  **walked;  /* as a walk from the outputs meets them, each behind those it needs */
    heed_wire  **running; /* as Keras runs them */
    heed_made  **layers;  /* in Keras' order */
    size_t       layer_count;
} heed_order;

/* Leaves of `wires` those that the outputs need, and orders them; all in the zone. */
heed_status heed_order_wires(heed_zone *z, const heed_ends *ends, heed_wires *wires, heed_order *out);

/* Wires a sequential model for such inputs if it is not wired yet, and draws weights that nobody set. */
heed_status heed_model_ready(heed_model *m, const heed_dtype *dtypes, const heed_shape *shapes, int count);
heed_status heed_model_ready_for(heed_model *m, const heed_arrays *x);

/* Whether the layer, or one of the model that it is, takes the masks off its inputs, so that who is run behind it does not
 * see them: MultiHeadAttention in files of Keras from 3.8 on. */
bool heed_takes_masks_off(const heed_layer *layer);
/* Calls the model's layers within a graph. The call's inputs and masks are the model's, in order. */
heed_status heed_model_trace(heed_model *m, heed_call *call);

/* Frees what a pass collected; its graph must still be there. */
void heed_pass_free(heed_pass *pass);
void heed_training_free(heed_model *m);
void heed_cache_free(heed_model *m);

#endif
