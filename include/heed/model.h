/**
 * @file model.h
 * Models: layers wired together, trained, run and saved as in Keras.
 *
 *     heed_model *m = heed_sequential(c, "tagger");
 *     heed_add(m, heed_embedding(.input_dim = 10000, .output_dim = 300, .mask_zero = true));
 *     heed_add(m, heed_bidirectional(heed_lstm(.units = 128, .return_sequences = true)));
 *     heed_add(m, heed_dense(.units = 5, .activation = "softmax"));
 *     heed_compile(m, .optimizer = "adam(learning_rate=0.002)", .loss = "sparse_categorical_crossentropy",
 *                  .metrics = {"accuracy"});
 *     if (heed_fit(m, &x, &y, .epochs = 5, .validation_split = 0.1) != HEED_OK)
 *         fprintf(stderr, "%s\n", heed_error(c));
 *     heed_save(m, "tagger.keras");
 *     heed_model_free(m);
 *
 * A mistake while building is remembered by the model, and every later call that returns a status returns it: so a
 * chain needs one check, at its end. The sentence (heed_error()) names the layer, what was expected and what was found.
 *
 * Functions with keyword arguments are macros around a struct in which zero means the default, for every member.
 *
 * The first dimension is always the batch, and is never written down: shapes given here are those of one example.
 */
#ifndef HEED_MODEL_H
#define HEED_MODEL_H

#include "heed/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_model  heed_model;
typedef struct heed_symbol heed_symbol;

/* ------------------------------------------------------------------------------------------------ building */

/** A chain of layers. NULL only when there is no memory; every function below takes a NULL model and reports it. The
 * name is copied; NULL: "sequential". */
HEED_API heed_model *heed_sequential(heed_context *c, const char *name);
/** Appends a layer. The weights are made as soon as the input shape is known: from a heed_input() before it, or else
 * from the first data. */
HEED_API void heed_add(heed_model *m, heed_spec layer);
/** Appends a layer that exists: one that other models use too, or a whole model by heed_model_layer(). */
HEED_API void heed_add_layer(heed_model *m, heed_layer *layer);

/**
 * A model of any wiring: inputs, layers applied to them, outputs.
 *
 *     heed_model  *m = heed_functional(c, "translator");
 *     heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
 *     heed_symbol *h = heed_apply(heed_embedding(.input_dim = 60, .output_dim = 64, .mask_zero = true), source);
 *     ...
 *     heed_outputs(m, y);
 *
 * Symbols stand for tensors of unknown batch; they belong to their model. A layer applied to a NULL symbol gives NULL,
 * and the model remembers why.
 */
HEED_API heed_model *heed_functional(heed_context *c, const char *name);

typedef struct heed_input_config {
    int unused; /**< so that the macro can give a first value */
    const char *name;  /**< NULL: "input_layer", numbered */
    heed_dtype  dtype; /**< HEED_FLOAT32, HEED_INT32 or HEED_BOOL */
    heed_shape  shape; /**< of one example; HEED_ANY where sizes vary, e.g. {2, {HEED_ANY, 8}} */
    int64_t     batch; /**< only for models that need it fixed (stateful ones); 0: any */
} heed_input_config;

/** Declares the next input, of a functional model or, before the first heed_add(), of a sequential one. */
#define heed_input(model, ...) heed_input_with((model), &(heed_input_config){0, __VA_ARGS__})
HEED_API heed_symbol *heed_input_with(heed_model *m, const heed_input_config *config);

/** Applies a new layer to one symbol. */
HEED_API heed_symbol *heed_apply(heed_spec layer, heed_symbol *x);
/** Applies a new layer to several: heed_apply_to(heed_concatenate(.axis = -1), a, b). */
#define heed_apply_to(layer, ...)                                                                                      \
    heed_apply_list((layer), (heed_symbol *[]){__VA_ARGS__},                                                           \
                    (int)(sizeof((heed_symbol *[]){__VA_ARGS__}) / sizeof(heed_symbol *)))
HEED_API heed_symbol *heed_apply_list(heed_spec layer, heed_symbol *const *inputs, int count);

/** Makes a layer without applying it, to be called several times (shared weights). It belongs to the model; NULL on
 * failure, which the model remembers. */
HEED_API heed_layer *heed_make(heed_model *m, heed_spec layer);
/**
 * Calls a layer in full generality; may be done any number of times. `keywords` is NULL or as in Python:
 * "use_causal_mask=True, return_attention_scores=True". outputs, of which there must be `output_count` then, may be
 * NULL. Returns the first output.
 */
HEED_API heed_symbol *heed_call_layer(heed_layer *layer, heed_symbol *const *inputs, int input_count,
                                      const char *keywords, heed_symbol **outputs, int output_count);

typedef struct heed_layer_collection_multi_head_attention_config {
    int unused; /**< so that the macro can give a first value */
    int h;       /**< number of heads, 2 or more */
    int d_k;     /**< features of a head's query and key; 0: as many as the key has */
    int d_v;     /**< of its value; to be given */
    int d_model; /**< of the output; 0: as many as the key has */
    heed_symbol  *mask;      /**< NULL, or which keys a query sees, (B, Tq, Tk), as bools or as 0 and 1 */
    heed_symbol **attention; /**< NULL, or receives the heads' weights side by side, (B, Tq, h Tk) */
} heed_layer_collection_multi_head_attention_config;

/**
 * MultiHeadAttention of keras-layer-collection, which applies layers and is none: for each head, q, k and v (B, T, F) go
 * through a TimeDistributed(Dense) each, without bias, and the collection's ScaledDotProductAttention; then the heads, side by
 * side, through another TimeDistributed(Dense). Files hold these layers.
 */
#define heed_layer_collection_multi_head_attention(q, k, v, ...)                                                       \
    heed_layer_collection_multi_head_attention_with(                                                                   \
        (q), (k), (v), &(heed_layer_collection_multi_head_attention_config){0, __VA_ARGS__})
HEED_API heed_symbol *heed_layer_collection_multi_head_attention_with(
    heed_symbol *q, heed_symbol *k, heed_symbol *v, const heed_layer_collection_multi_head_attention_config *config);

/**
 * Applies an operation of keras.ops, by its class there and its options as in Python; files hold it as Keras does.
 * `constants` are more arguments, behind the inputs; both may be NULL:
 *
 *     heed_symbol *is_token = heed_operate(m, "NotEqual", NULL, &ids, 1, "0");
 *     heed_symbol *sums = heed_operate(m, "Cumsum", "axis=1", &x, 1, NULL);
 */
HEED_API heed_symbol *heed_operate(heed_model *m, const char *operation, const char *options,
                                   heed_symbol *const *inputs, int count, const char *constants);

/** Says what the model returns and closes it: heed_outputs(m, y) or heed_outputs(m, y, scores). */
#define heed_outputs(model, ...)                                                                                       \
    heed_outputs_list((model), (heed_symbol *[]){__VA_ARGS__},                                                         \
                      (int)(sizeof((heed_symbol *[]){__VA_ARGS__}) / sizeof(heed_symbol *)))
HEED_API heed_status heed_outputs_list(heed_model *m, heed_symbol *const *outputs, int count);

/** Another model over part of the same wiring and the same weights (an encoder of its own, a model that shows what lies
 *  inside). The symbols are m's; the new model holds the layers itself and may outlive m. */
HEED_API heed_status heed_submodel(heed_model *m, const char *name, heed_symbol *const *inputs, int input_count,
                                   heed_symbol *const *outputs, int output_count, heed_model **out);
/** The symbol of a layer's output, for heed_submodel: its `call`-th call (0 first), its `output`-th output; NULL if
 * none. */
HEED_API heed_symbol *heed_find_symbol(heed_model *m, const char *layer, int call, int output);

HEED_API const heed_shape *heed_symbol_shape(const heed_symbol *s); /**< with the batch; NULL for NULL */
HEED_API heed_dtype        heed_symbol_dtype(const heed_symbol *s);
HEED_API bool              heed_symbol_masked(const heed_symbol *s); /**< whether a mask rides on it */

/** The model as a layer, to be used in another one. Owned by the model; the model that uses it keeps it alive. */
HEED_API heed_layer *heed_model_layer(heed_model *m);

HEED_API void heed_model_free(heed_model *m); /**< NULL is allowed */

/** HEED_OK, or the first mistake made while building; heed_error() then has its sentence again. */
HEED_API heed_status heed_model_status(heed_model *m);

/* ------------------------------------------------------------------------------------------------ asking */

HEED_API heed_context *heed_model_context(const heed_model *m);
HEED_API const char   *heed_model_name(const heed_model *m);
HEED_API bool          heed_model_is_sequential(const heed_model *m);

/** Inputs and outputs, named as Keras names them: by the layer that makes them, a layer's second output NAME_1. A
 * sequential model without a declared input has them once data were seen. */
HEED_API int               heed_model_input_count(const heed_model *m);
HEED_API int               heed_model_output_count(const heed_model *m);
HEED_API const char       *heed_model_input_name(const heed_model *m, int index);
HEED_API const char       *heed_model_output_name(const heed_model *m, int index);
HEED_API const heed_shape *heed_model_input_shape(const heed_model *m, int index); /**< with the batch */
HEED_API const heed_shape *heed_model_output_shape(const heed_model *m, int index);
HEED_API heed_dtype        heed_model_input_dtype(const heed_model *m, int index);
HEED_API heed_dtype        heed_model_output_dtype(const heed_model *m, int index);
/** All of that in a line, "words int32 (None, None) -> tags float32 (None, None, 4)", cut to size; returns text. */
HEED_API char *heed_model_text(const heed_model *m, char *text, size_t size);

/** Layers, in Keras' order. A functional model's input layers are among them, a sequential one's is not. */
HEED_API int         heed_model_layer_count(const heed_model *m);
HEED_API heed_layer *heed_model_layer_at(const heed_model *m, int index);
HEED_API heed_layer *heed_model_find_layer(const heed_model *m, const char *name); /**< NULL if there is none */

/** Calls of layers, in an order in which they can run; those of input layers are among them, without inputs. None
 *  before a model is wired. */
HEED_API int                heed_model_call_count(const heed_model *m);
HEED_API heed_layer        *heed_model_call_layer(const heed_model *m, int call);
HEED_API int                heed_model_call_input_count(const heed_model *m, int call);
HEED_API int                heed_model_call_output_count(const heed_model *m, int call);
HEED_API const heed_symbol *heed_model_call_input(const heed_model *m, int call, int input);
HEED_API const heed_symbol *heed_model_call_output(const heed_model *m, int call, int output);
HEED_API int                heed_symbol_call(const heed_symbol *s); /**< the number of the call that makes it */

/** Weights, in the order of Keras' model.weights. */
HEED_API int            heed_weight_count(const heed_model *m);
HEED_API heed_variable *heed_weight_at(const heed_model *m, int index);
/** Where a weight lies in the model, as in Keras: "bidirectional/forward_lstm/lstm_cell/kernel". */
HEED_API const char    *heed_weight_path(const heed_model *m, int index);
HEED_API int64_t        heed_parameter_count(const heed_model *m, bool trainable_only);
/** Freezes or frees a layer's weights, or all of a model's with layer NULL; before heed_compile(). */
HEED_API heed_status heed_set_trainable(heed_model *m, heed_layer *layer, bool trainable);

typedef struct heed_summary_config {
    int  unused; /**< so that the macro can give a first value */
    int  line_length;    /**< columns of the table; 0: 88, or 108 where it tells connections */
    bool expand_nested;  /**< whether the layers inside of models are shown too */
    bool show_trainable; /**< whether a column tells what is trained */
} heed_summary_config;

/** The table that Keras prints, to the character. *text is freed with heed_free(). */
#define heed_summary(model, text, ...) heed_summary_with((model), &(heed_summary_config){0, __VA_ARGS__}, (text))
HEED_API heed_status heed_summary_with(heed_model *m, const heed_summary_config *config, char **text);
/** The same of that width, all else as by default. */
HEED_API heed_status heed_summary_text(heed_model *m, int line_length, char **text);

/** Bytes that running takes, known without running: with `batch` examples, and sizes that vary set to `length`. */
typedef struct heed_memory {
    size_t weights;   /**< the numbers of the model */
    size_t inference; /**< working memory of heed_predict() for such a batch */
    size_t training;  /**< of a training step, gradients included; 0 if the model is not compiled */
    size_t optimizer; /**< what the optimizer keeps; 0 if the model is not compiled */
} heed_memory;

HEED_API heed_status heed_model_memory(heed_model *m, int64_t batch, int64_t length, heed_memory *out);

/* ------------------------------------------------------------------------------------------------ weights */

/** Sets the seed that everything random comes from: initial weights, shuffling, dropout. Before heed_build(); default
 * 0. */
HEED_API void     heed_set_seed(heed_model *m, uint64_t seed);
HEED_API uint64_t heed_seed(const heed_model *m);

/** Draws the initial weights: variable k's numbers depend on the seed and on k alone. Does nothing for weights that
 * were drawn or loaded already. Whatever needs weights does it by itself. */
HEED_API heed_status heed_build(heed_model *m);
/** As heed_build(), for a sequential model whose input was not declared; shapes of batches, HEED_ANY where unknown. */
HEED_API heed_status heed_build_for(heed_model *m, const heed_shape *inputs, const heed_dtype *dtypes, int count);

/** Copies weights in from arrays, one for each of heed_weight_count(), of equal shape. */
HEED_API heed_status heed_set_weights(heed_model *m, const heed_array *values, int count);

/* ------------------------------------------------------------------------------------------------ running */

typedef struct heed_predict_config {
    int unused; /**< so that the macro can give a first value */
    int          batch_size; /**< 0: 32 */
    heed_arrays *attention;  /**< NULL, or receives the weights of every attention layer: (B, Tq, Tk), with heads (B, N,
                                  Tq, Tk), inside of TimeDistributed (B, T, ...). Named as the layer; from the second
                                  call, or layer of that name inside of models, on NAME_1 */
} heed_predict_config;

/**
 * Runs the model on all rows of x, in batches. x holds an array for each input, by name; a single array of any name
 * serves a model with one input. Types are converted. `y` ({.context = c}) receives an array for each output, by name.
 */
#define heed_predict(model, x, y, ...) heed_predict_with((model), (x), (y), &(heed_predict_config){0, __VA_ARGS__})
HEED_API heed_status heed_predict_with(heed_model *m, const heed_arrays *x, heed_arrays *y,
                                       const heed_predict_config *config);

/** One batch in the caller's memory. Inputs must have the types of the model's inputs; int64, uint8 and such are not
 *  converted here. */
typedef struct heed_batch {
    const heed_array *inputs;         /**< one for each input of the model, in order */
    int               input_count;
    const heed_array *targets;        /**< one for each output that has a loss; float32 or int32 */
    int               target_count;
    const heed_array *sample_weights; /**< NULL, or float32 for each output (or one for all), of the shape of the loss
                                         or of its first dimensions; .data NULL: none for that output */
    int               weight_count;
    double            label_smoothing; /**< 0..1, for losses whose targets are numbers of classes: the share of the truth
                                            that is spread over all classes */
    double            consistency; /**< 0: none. For the same losses, of a batch whose second half repeats the first: the
                                        weight of how far the predictions for the same row are apart, which dropout makes
                                        differ. Each row loses half of it times KL(its prediction, the other one) (Liang et
                                        al. 2021, "R-Drop", arXiv:2106.14448). 5 is usual */
} heed_batch;

/** Runs one batch. outputs[i].data, which the caller sets up, receives output i; type and shape must be as they come.
 * Allocates nothing once a shape was met. */
HEED_API heed_status heed_predict_on_batch(heed_model *m, const heed_array *inputs, int input_count,
                                           heed_array *outputs, int output_count);

/* ------------------------------------------------------------------------------------------------ training */

enum { HEED_MAX_METRICS = 16, HEED_MAX_LOSSES = 16 };

/**
 * How to train. All texts are expressions: a name, or a name with arguments as in Keras, e.g.
 * "sgd(learning_rate=0.1, momentum=0.9)", "adam(learning_rate=exponential_decay(0.01, 1000, 0.9), clipnorm=1)",
 * "categorical_crossentropy(label_smoothing=0.1)", "top_k_categorical_accuracy(k=3)".
 *
 * Losses, each of which is a metric too: mean_squared_error (mse), mean_absolute_error (mae),
 * mean_absolute_percentage_error, mean_squared_logarithmic_error, huber, log_cosh, poisson, kl_divergence,
 * cosine_similarity, categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy,
 * categorical_focal_crossentropy, binary_focal_crossentropy, categorical_generalized_cross_entropy, hinge, squared_hinge,
 * categorical_hinge, dice, tversky, circle, ctc. Where the prediction comes straight from a softmax or sigmoid, cross
 * entropies work before it.
 *
 * Metrics: accuracy (which of the three that follow, the shapes tell), binary_accuracy, categorical_accuracy,
 * sparse_categorical_accuracy, top_k_categorical_accuracy, sparse_top_k_categorical_accuracy, root_mean_squared_error,
 * r2_score, pearson_correlation, concordance_correlation, precision, recall, true_positives, false_positives,
 * true_negatives, false_negatives, auc, sensitivity_at_specificity, specificity_at_sensitivity, precision_at_recall,
 * recall_at_precision, f1_score, fbeta_score, iou, binary_iou, mean_iou, one_hot_iou, one_hot_mean_iou.
 *
 * Optimizers: sgd, rmsprop, adam, adamw, adagrad, adadelta, adamax, nadam, ftrl, lion, lamb, adafactor, muon,
 * schedulefreeadamw.
 * Schedules: exponential_decay, piecewise_constant_decay, polynomial_decay, inverse_time_decay, cosine_decay,
 * cosine_decay_restarts.
 */
typedef struct heed_compile_config {
    int unused; /**< so that the macro can give a first value */
    const char *optimizer; /**< NULL: "rmsprop" */
    const char *loss;      /**< of every output */
    const char *losses[HEED_MAX_LOSSES];       /**< instead of `loss`: by output; NULL: that output has none */
    const double *loss_weights;                /**< NULL: 1 for each; else one for each output */
    const char *metrics[HEED_MAX_METRICS];     /**< "accuracy", ...; "OUTPUT: NAME" for one output of several */
    const char *weighted_metrics[HEED_MAX_METRICS]; /**< the same, with sample weights */
} heed_compile_config;

/** Prepares for training; replaces an earlier heed_compile() and its optimizer's state. Texts are copied. */
#define heed_compile(model, ...) heed_compile_with((model), &(heed_compile_config){0, __VA_ARGS__})
HEED_API heed_status heed_compile_with(heed_model *m, const heed_compile_config *config);
HEED_API bool        heed_is_compiled(const heed_model *m);
/** Changes what is given and keeps the rest: the optimizer with its state, losses with their weights, metrics. A model
 *  that is not compiled is compiled, as heed_compile() does. */
#define heed_recompile(model, ...) heed_recompile_with((model), &(heed_compile_config){0, __VA_ARGS__})
HEED_API heed_status heed_recompile_with(heed_model *m, const heed_compile_config *changes);

/** Results by Keras' own names: "loss", "accuracy", "val_loss". Borrowed, valid during the call that hands them out. */
typedef struct heed_logs {
    int                count;
    const char *const *names;
    const double      *values;
} heed_logs;

/** The value of that name, or `otherwise`. */
HEED_API double heed_logs_get(const heed_logs *logs, const char *name, double otherwise);

/** Results, a row an epoch. Start with {0}; freed with heed_history_free(). */
typedef struct heed_history {
    heed_context *context;
    int           rows, columns;
    char        **names;  /**< `columns` of them */
    double       *values; /**< rows x columns; NaN where an epoch has no such value */
    int          *epochs; /**< the number of each row's epoch, from 0 */
    int           capacity; /**< internal */
} heed_history;

HEED_API double heed_history_get(const heed_history *h, const char *name, int row); /**< NaN if there is none */
HEED_API void   heed_history_free(heed_history *h);

typedef struct heed_callback heed_callback;

typedef struct heed_fit_config {
    int unused; /**< so that the macro can give a first value */
    int    epochs;        /**< the last epoch's number; 0: 1 */
    int    initial_epoch; /**< epochs done already */
    int64_t initial_batch; /**< batches of the next one done already; its logs go on from heed_set_training_state() */
    int    batch_size;    /**< 0: 32 */
    bool no_shuffle; /**< by default each epoch takes the rows in an order of its own, a function of seed and epoch */
    double validation_split;      /**< share of the rows, the last ones, that are kept from training; [0,1) */
    const heed_arrays *validation_x, *validation_y, *validation_weight; /**< instead of a split */
    int    validation_batch_size; /**< 0: batch_size */
    const heed_arrays *sample_weight; /**< by output's name; a single array serves all outputs */
    const double      *class_weight;  /**< weight of class i; single output only */
    int                class_count;
    heed_callback *const *callbacks;
    int                   callback_count;
    heed_history         *history; /**< NULL, or receives a row an epoch */
} heed_fit_config;

/** Trains. x and y hold arrays by the names of inputs and outputs, as for heed_predict(). HEED_EINTERRUPTED after
 *  heed_interrupt(): the step under way was finished, and the history holds the epochs that were. */
#define heed_fit(model, x, y, ...) heed_fit_with((model), (x), (y), &(heed_fit_config){0, __VA_ARGS__})
HEED_API heed_status heed_fit_with(heed_model *m, const heed_arrays *x, const heed_arrays *y,
                                   const heed_fit_config *config);

typedef struct heed_evaluate_config {
    int unused; /**< so that the macro can give a first value */
    int                batch_size; /**< 0: 32 */
    const heed_arrays *sample_weight;
} heed_evaluate_config;

/** Loss and metrics over all rows: a history of one row. */
#define heed_evaluate(model, x, y, scores, ...)                                                                        \
    heed_evaluate_with((model), (x), (y), (scores), &(heed_evaluate_config){0, __VA_ARGS__})
HEED_API heed_status heed_evaluate_with(heed_model *m, const heed_arrays *x, const heed_arrays *y, heed_history *scores,
                                        const heed_evaluate_config *config);

/**
 * One training step on a batch of any shape, for loops of one's own. `logs` is NULL or receives loss and metrics as
 * averaged since heed_reset_metrics(). Allocates nothing once a shape was met.
 */
HEED_API heed_status heed_train_on_batch(heed_model *m, const heed_batch *batch, heed_logs *logs);
/** The same without a step: evaluates. */
HEED_API heed_status heed_test_on_batch(heed_model *m, const heed_batch *batch, heed_logs *logs);
HEED_API void        heed_reset_metrics(heed_model *m);
/** The mean loss of the last batch alone. */
HEED_API double heed_batch_loss(const heed_model *m);

/** Asks training to stop after the step under way; may be called from a signal handler. Cleared when fit begins. */
HEED_API void heed_interrupt(heed_model *m);
/** Asks fit to stop after this epoch; for callbacks. fit then returns HEED_OK. */
HEED_API void heed_stop_training(heed_model *m);

HEED_API double      heed_learning_rate(const heed_model *m); /**< of the next step */
HEED_API heed_status heed_set_learning_rate(heed_model *m, double rate); /**< HEED_ESTATE if a schedule decides */
/** As heed_set_learning_rate(), in place of a schedule too. */
HEED_API heed_status heed_fix_learning_rate(heed_model *m, double rate);

/** What the optimizer keeps, in Keras' order and by Keras' names: "iteration", "learning_rate", "adam/kernel_momentum",
 * ... Made by the first step, by loading, or by heed_optimizer_build(). */
HEED_API heed_status heed_optimizer_build(heed_model *m);
HEED_API int         heed_optimizer_count(const heed_model *m);
HEED_API const char *heed_optimizer_name(const heed_model *m, int index);
/** The array itself: int64 for the iteration, else float32; may be written between steps. */
HEED_API heed_array *heed_optimizer_array(heed_model *m, int index);

/** Steps done so far: number the random draws of dropout and noise. Set it when a run is resumed. */
HEED_API uint64_t heed_training_step(const heed_model *m);
HEED_API void     heed_set_training_step(heed_model *m, uint64_t step);
/** What a run holds beside weights, the optimizer's state and the steps done, as text freed with heed_free(): the sums
 * behind the logs of the epoch so far, and what stateful layers carry. With it and heed_fit()'s initial_batch a checkpoint
 * within an epoch ends with the same bits. */
HEED_API heed_status heed_training_state(heed_model *m, char **out);
HEED_API heed_status heed_set_training_state(heed_model *m, const char *text);

/* ------------------------------------------------------------------------------------------------ callbacks */

/** Functions called as training goes; NULL ones are skipped, and a failure ends the training with that status. `logs`
 * hold what is known then; "val_..." at the end of an epoch only. */
struct heed_callback {
    void *user;
    heed_status (*train_begin)(void *user, heed_model *m);
    heed_status (*epoch_begin)(void *user, heed_model *m, int epoch);
    heed_status (*batch_end)(void *user, heed_model *m, int64_t batch, int64_t batches, const heed_logs *logs);
    heed_status (*epoch_end)(void *user, heed_model *m, int epoch, const heed_logs *logs);
    heed_status (*train_end)(void *user, heed_model *m);
    void (*free)(heed_callback *callback); /**< NULL for one that needs no freeing */
};

HEED_API void heed_callback_free(heed_callback *callback); /**< NULL is allowed */

typedef struct heed_early_stopping_config {
    int unused; /**< so that the macro can give a first value */
    const char *monitor;   /**< NULL: "val_loss" */
    const char *mode;      /**< "min", "max" or NULL: by the name ("acc", "auc" and the like rise) */
    double min_delta;      /**< smaller improvements do not count */
    int    patience;       /**< epochs without improvement before it stops */
    bool   has_baseline;
    double baseline;       /**< to be beaten before epochs without improvement are forgotten */
    bool   restore_best_weights;
    int    start_from_epoch;
} heed_early_stopping_config;

#define heed_early_stopping(context, out, ...)                                                                         \
    heed_early_stopping_with((context), &(heed_early_stopping_config){0, __VA_ARGS__}, (out))
HEED_API heed_status heed_early_stopping_with(heed_context *c, const heed_early_stopping_config *config,
                                              heed_callback **out);

typedef struct heed_reduce_on_plateau_config {
    int unused; /**< so that the macro can give a first value */
    const char *monitor;  /**< NULL: "val_loss" */
    const char *mode;     /**< as above */
    double factor;        /**< (0,1); 0: 0.1 */
    int    patience;      /**< 0: 10 */
    double min_delta;     /**< 0: 1e-4 */
    int    cooldown;
    double min_lr;
} heed_reduce_on_plateau_config;

#define heed_reduce_on_plateau(context, out, ...)                                                                      \
    heed_reduce_on_plateau_with((context), &(heed_reduce_on_plateau_config){0, __VA_ARGS__}, (out))
HEED_API heed_status heed_reduce_on_plateau_with(heed_context *c, const heed_reduce_on_plateau_config *config,
                                                 heed_callback **out);

typedef struct heed_checkpoint_config {
    int unused; /**< so that the macro can give a first value */
    const char *path;      /**< may hold {epoch}, {epoch:02d}, {val_loss:.2f}; ".weights.h5" saves the weights only */
    const char *monitor;   /**< NULL: "val_loss" */
    const char *mode;      /**< as above */
    bool save_best_only;
} heed_checkpoint_config;

#define heed_checkpoint(context, out, ...)                                                                             \
    heed_checkpoint_with((context), &(heed_checkpoint_config){0, __VA_ARGS__}, (out))
HEED_API heed_status heed_checkpoint_with(heed_context *c, const heed_checkpoint_config *config, heed_callback **out);

/** Writes a line an epoch: "epoch", then the logs by name; "NA" where a value is missing. */
HEED_API heed_status heed_csv_log(heed_context *c, const char *path, bool append, heed_callback **out);
/** Writes event files for TensorBoard, with the tags that Keras has, to `folder`/train and `folder`/validation. */
HEED_API heed_status heed_tensorboard(heed_context *c, const char *folder, heed_callback **out);
/** Ends the training with HEED_EDIVERGED when the loss is not a finite number. */
HEED_API heed_status heed_terminate_on_nan(heed_context *c, heed_callback **out);
/** Sets the learning rate at each epoch's begin to what `schedule` makes of its number and the rate so far. */
HEED_API heed_status heed_rate_schedule(heed_context *c, double (*schedule)(void *user, int epoch, double rate),
                                        void *user, heed_callback **out);

/* ------------------------------------------------------------------------------------------------ files */

/** heed_save_model() of files.h, as by default: an archive, or what the file's name says. */
HEED_API heed_status heed_save(heed_model *m, const char *path);
/** heed_load_model() of files.h, as by default. Training settings that heed does not know are left out, with a
 *  warning. */
HEED_API heed_status heed_load(heed_context *c, const char *path, heed_model **out);

/** The weights alone, as Keras' .weights.h5. Reading takes what heed_load_config.weights takes; weights that do not fit,
 *  and any other failure, leave the model's as they are. */
HEED_API heed_status heed_save_weights(heed_model *m, const char *path);
HEED_API heed_status heed_load_weights(heed_model *m, const char *path);

/** The architecture as Keras writes it in config.json; *json is freed with heed_free(). */
HEED_API heed_status heed_model_to_json(heed_model *m, char **json);
HEED_API heed_status heed_model_from_json(heed_context *c, const char *json, heed_model **out);

/** Other files that travel in the archive under assets/, e.g. vocabularies. The name is relative
 * ("source/vocabulary.txt"); the bytes are copied and replace an earlier asset of that name; bytes NULL removes it. */
HEED_API heed_status heed_set_asset(heed_model *m, const char *name, const void *bytes, size_t size);
/** Borrowed until the asset is replaced; NULL if there is none. */
HEED_API const void *heed_asset(const heed_model *m, const char *name, size_t *size);
HEED_API int         heed_asset_count(const heed_model *m);
HEED_API const char *heed_asset_name(const heed_model *m, int index);

#ifdef __cplusplus
}
#endif
#endif
