/* Models of the collections' layers as models of Keras' layers: each layer of a collection becomes a functional model
 * that computes the same. */
#ifndef HEED_FORMATS_BUILTIN_H
#define HEED_FORMATS_BUILTIN_H

#include "base/index.h"
#include "heed/attention.h"
#include "heed/convolution.h"
#include "heed/normalization.h"
#include "model/model.h"

/* A model of Keras' layers alone, those of Keras 2 or 3, that computes what m does, compiled as m is. Layers of Keras
 * are shared with m, which must outlive *out. HEED_EUNSUPPORTED names a layer that Keras has no equal of, and says why. */
heed_status heed_builtin_model(heed_model *m, int keras, heed_model **out);

/* ---- for those who write one layer ---- */

/* What is wanted, and where the numbers of new weights come from. */
typedef struct heed_builtin_target {
    int        keras; /* whose layers: 2 or 3 */
    heed_zone  zone;
    heed_index parts; /* by variable: heed_weight_part */
} heed_builtin_target;

/* What a layer is called with: what all its calls have in common. */
typedef struct heed_builtin_call {
    heed_builtin_target *target;
    int        count;
    heed_shape shapes[HEED_MAX_OUTPUTS];
    heed_dtype dtypes[HEED_MAX_OUTPUTS];
    bool       masked[HEED_MAX_OUTPUTS]; /* whether a mask may ride on an input */
} heed_builtin_call;

/* A layer, and the functional model that takes its place. Symbols are of that model. */
typedef struct heed_builtin {
    heed_layer  *layer;
    heed_model  *model;
    heed_symbol *inputs[HEED_MAX_OUTPUTS], *outputs[HEED_MAX_OUTPUTS];
    int          input_count, output_count;
    const bool  *masked;
    heed_builtin_target *target;
} heed_builtin;

/* Sets the outputs. What goes wrong with symbols, the model remembers. */
typedef heed_status heed_builtin_function(heed_builtin *b);

heed_builtin_function heed_builtin_seq_self_attention, heed_builtin_seq_weighted_attention,
    heed_builtin_scaled_dot_product, heed_builtin_residual_scaled_dot_product, heed_builtin_multi_head,
    heed_builtin_multi_head_attention, heed_builtin_attention_layer, heed_builtin_collection_scaled_dot_product,
    heed_builtin_collection_layer_normalization, heed_builtin_sequence_attention, heed_builtin_attention_rnn,
    heed_builtin_discrete_resize2d, heed_builtin_resize2d;

/* "... has no equal in Keras: " why. */
heed_status heed_builtin_refuse(const heed_builtin *b, const char *why);

/* A layer as one of Keras, held by the model that calls it: itself, or what takes its place. */
heed_status heed_builtin_layer(heed_layer *layer, const heed_builtin_call *call, heed_layer **out);

/* Arithmetic: Keras' operations, by their class, and options as in Python. `constants` stand behind the tensors. NULL
 * for a NULL symbol. */
heed_symbol *heed_formula(const char *operation, const char *options, heed_symbol *x, const char *constants);
heed_symbol *heed_formula_of(const char *operation, heed_symbol *a, heed_symbol *b);
heed_symbol *heed_formula_matmul(heed_symbol *a, heed_symbol *b);
/* Bool: x where it holds, else `otherwise`, text of a number. */
heed_symbol *heed_formula_where(heed_symbol *condition, heed_symbol *x, const char *otherwise);
heed_symbol *heed_formula_softmax(heed_symbol *x);
/* The features' size; HEED_ANY for NULL. */
int64_t      heed_formula_features(const heed_symbol *x);
/* x without a mask on it. Of rank 3. */
heed_symbol *heed_formula_unmasked(heed_symbol *x);
/* (B, T, F) to (B, F, T). */
heed_symbol *heed_formula_turned(heed_symbol *x);

/* What rides on x (B, T, F) as a tensor, true where nothing does: bool (B, T). */
heed_symbol *heed_formula_mask(heed_symbol *x);
/* y (B, T, ...) with a mask (B, T) on it. */
heed_symbol *heed_formula_masked(heed_symbol *y, heed_symbol *mask);
/* Hides keys: (B, T) to (B, 1, T). NULL for NULL. */
heed_symbol *heed_formula_keys(heed_symbol *mask);
/* Query i of q sees keys i - behind to i + ahead of k: bool (B, Tq, Tk). INFINITY is no limit. */
heed_symbol *heed_formula_window(heed_symbol *q, heed_symbol *k, double behind, double ahead);

/* Weights of attention from scores (..., Tq, Tk); those of `seen` that are not NULL broadcast against them. */
typedef enum heed_hiding {
    HEED_HIDE_CORRECTED, /* a hidden key weighs nothing; where all are hidden, every weight is 0 */
    HEED_HIDE_PENALIZED, /* each reason to hide a key takes 10000 from its score */
    HEED_HIDE_FACTORED,  /* ... multiplies its exponential by 0; and 1e-7 is added to their sum */
    HEED_HIDE_COUNTED,   /* keys with the fewest reasons share all weight: penalties without their rounding */
    HEED_HIDE_EVEN,      /* 1e9 is taken once: where all are hidden, all weigh the same */
} heed_hiding;
heed_symbol *heed_formula_weights(heed_symbol *scores, heed_symbol *const *seen, int count, heed_hiding hiding);

/* ---- weights ---- */

/* The layer's own weight of that name; NULL for none. */
const heed_variable *heed_builtin_weight(const heed_builtin *b, const char *name);
/* Some columns and rows of a matrix; all of any other weight. */
typedef struct heed_weight_part {
    const heed_variable *variable; /* NULL: none */
    int64_t              row, rows, column, columns; /* rows 0, columns 0: all */
} heed_weight_part;
#define HEED_WHOLE(variable) ((heed_weight_part){(variable), 0, 0, 0, 0})
#define HEED_NO_WEIGHT HEED_WHOLE(NULL)

/* How a dense layer begins and is held; the defaults are none and Keras'. */
typedef struct heed_dense_manner {
    const char *name, *activation;
    const char *kernel_initializer, *kernel_regularizer, *kernel_constraint;
    const char *bias_initializer, *bias_regularizer, *bias_constraint;
} heed_dense_manner;
/* Of a layer's options. */
#define HEED_MANNER_OF(o)                                                                                              \
    .kernel_initializer = (o)->kernel_initializer, .kernel_regularizer = (o)->kernel_regularizer,                      \
    .kernel_constraint = (o)->kernel_constraint, .bias_initializer = (o)->bias_initializer,                            \
    .bias_regularizer = (o)->bias_regularizer, .bias_constraint = (o)->bias_constraint

/* activation(x kernel + bias), with these numbers. */
heed_symbol *heed_builtin_dense(heed_builtin *b, heed_symbol *x, int64_t units, heed_weight_part kernel,
                                heed_weight_part bias, const heed_dense_manner *manner);
/* Sums over u of tanh(q_iu + k_ju) kernel_u, plus bias: (B, Tq, Tk). */
heed_symbol *heed_builtin_additive_scores(heed_builtin *b, heed_symbol *q, heed_symbol *k, heed_weight_part kernel,
                                          heed_weight_part bias, const heed_dense_manner *manner);
/* Keras' Attention of query, value and key, or its AdditiveAttention, if `scale` is not NULL. Sets the outputs: what
 * comes of it and, if wanted, the weights. */
heed_status heed_builtin_attend(heed_builtin *b, heed_symbol *const query_value_key[3], const heed_variable *scale,
                                bool causal, bool wanted);
/* Copies numbers into the weight `index` of a layer that is built; their counts are equal. */
heed_status  heed_builtin_fill(heed_builtin *b, heed_layer *layer, int index, heed_weight_part part);
/* The part's numbers, dense, of an array as large as its variable. */
void         heed_builtin_copy_part(float *to, const float *from, const heed_weight_part *part);
/* What the optimizer of `from` keeps goes to that of `to`, which trains the same numbers. Where its arrays have other
 * forms than the weights, nothing goes, and the log says so. */
heed_status  heed_builtin_move_state(heed_builtin_target *target, heed_model *from, heed_model *to);

#endif
