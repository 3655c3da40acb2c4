/**
 * @file graph.h
 * Computations: a graph of operations on tensors of concrete shape, for layers, cells and losses of your own.
 *
 * A tensor here is a value yet to be computed. An operation takes tensors and returns a tensor, so an equation reads like
 * the paper's:
 *
 *     heed_tensor *h = heed_op_tanh(heed_op_add(heed_op_matmul(x, W), heed_op_matmul(s, U)));
 *
 * Nothing is computed until the graph runs, and nothing needs to be freed: tensors belong to their graph. An operation
 * that cannot be done (shapes that do not fit) returns NULL and the graph remembers why; an operation given NULL returns
 * NULL. So a chain is checked once, at its end: heed_graph_status().
 *
 * Gradients come for free: heed_graph_gradients() appends the nodes that compute them.
 *
 * Shapes are written (rows, columns); B is the batch. Float tensors are float32, ids int32, masks bool.
 * Broadcasting follows NumPy: sizes are aligned at the last dimension, and 1 fits any size.
 */
#ifndef HEED_GRAPH_H
#define HEED_GRAPH_H

#include "heed/array.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_graph    heed_graph;
typedef struct heed_tensor   heed_tensor;
typedef struct heed_variable heed_variable;

/* ------------------------------------------------------------------------------------------------ graph and tensors */

/** An empty graph. Most programs never call this: a model makes its graphs itself. */
HEED_API heed_status heed_graph_create(heed_context *c, heed_graph **out);
HEED_API void        heed_graph_free(heed_graph *g); /**< NULL is allowed */

/** HEED_OK, or the first failure of an operation of this graph; its sentence is heed_error() of the context. */
HEED_API heed_status heed_graph_status(const heed_graph *g);

/** Names the failure of the caller's own check as the graph's: a layer refuses its input this way. Returns NULL, to be
 *  returned in place of a tensor. */
HEED_API heed_tensor *heed_graph_fail(heed_graph *g, heed_status status, const char *format, ...) HEED_PRINTF(3, 4);

/** A value given at each run. */
HEED_API heed_tensor *heed_graph_input(heed_graph *g, heed_dtype dtype, const heed_shape *shape);
/** The value of a weight; float32. The variable must outlive the graph. */
HEED_API heed_tensor *heed_graph_variable(heed_graph *g, heed_variable *variable);
/** `value` everywhere; float32. Rank 0 gives a scalar. */
HEED_API heed_tensor *heed_graph_fill(heed_graph *g, const heed_shape *shape, float value);
/** A scalar (): shorthand for heed_graph_fill. */
HEED_API heed_tensor *heed_graph_scalar(heed_graph *g, float value);
/** Fixed numbers, copied from the array (float32, int32 or bool). */
HEED_API heed_tensor *heed_graph_constant(heed_graph *g, const heed_array *value);

HEED_API heed_graph       *heed_tensor_graph(const heed_tensor *t);
HEED_API const heed_shape *heed_tensor_shape(const heed_tensor *t); /**< NULL for NULL */
HEED_API heed_dtype        heed_tensor_dtype(const heed_tensor *t);
/** Size of dimension `axis`, negative from the end; 0 for NULL or no such axis. */
HEED_API int64_t heed_tensor_dim(const heed_tensor *t, int axis);

/**
 * Appends the gradients of the scalar `loss` with respect to `count` tensors `of`; gradients[i] has of[i]'s shape, or is
 * NULL where the loss does not depend on it. With `seed` (of loss's shape) loss may have any shape: the gradients are those
 * of sum(seed * loss).
 */
HEED_API heed_status heed_graph_gradients(heed_tensor *loss, heed_tensor *seed, heed_tensor *const *of, size_t count,
                                          heed_tensor **gradients);

/* ------------------------------------------------------------------------------------------------ running */

/** Fixes what is wanted (`count` tensors, kept readable until the next run) and plans the memory. Once, after building. */
HEED_API heed_status heed_graph_plan(heed_graph *g, heed_tensor *const *wanted, size_t count);
/** Bytes of working memory that a run needs; known once planned. */
HEED_API size_t heed_graph_bytes(const heed_graph *g);
/** Sets an input's value: `data` is borrowed until the next bind, laid out as the input's shape and dtype say. */
HEED_API void heed_graph_bind(heed_tensor *input, const void *data);
/** Computes what was wanted. Allocates nothing after the first call. @p training_step numbers the run for dropout and
 *  noise: the same seed and step give the same numbers. */
HEED_API heed_status heed_graph_run(heed_graph *g, uint64_t seed, uint64_t training_step);
/** The computed numbers of a wanted tensor; valid until the next run of this graph or of one that shares its memory. */
HEED_API const void *heed_tensor_data(const heed_tensor *t);

/* ------------------------------------------------------------------------------------------------ operations */

/* Element by element. The functions' parameters and equations: "Activations" in docs. */
HEED_API heed_tensor *heed_op_add(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_subtract(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_multiply(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_divide(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_maximum(heed_tensor *a, heed_tensor *b); /**< gradient to a where equal */
HEED_API heed_tensor *heed_op_minimum(heed_tensor *a, heed_tensor *b); /**< gradient to a where equal */
HEED_API heed_tensor *heed_op_negative(heed_tensor *x);
HEED_API heed_tensor *heed_op_scale(heed_tensor *x, float a, float b); /**< a x + b */
HEED_API heed_tensor *heed_op_abs(heed_tensor *x);
HEED_API heed_tensor *heed_op_sign(heed_tensor *x);
HEED_API heed_tensor *heed_op_square(heed_tensor *x);
HEED_API heed_tensor *heed_op_sqrt(heed_tensor *x);
HEED_API heed_tensor *heed_op_rsqrt(heed_tensor *x);      /**< 1/sqrt(x) */
HEED_API heed_tensor *heed_op_reciprocal(heed_tensor *x); /**< 1/x */
HEED_API heed_tensor *heed_op_exp(heed_tensor *x);
HEED_API heed_tensor *heed_op_log(heed_tensor *x);
HEED_API heed_tensor *heed_op_power(heed_tensor *x, float exponent);
HEED_API heed_tensor *heed_op_clip(heed_tensor *x, float low, float high);
HEED_API heed_tensor *heed_op_tanh(heed_tensor *x);
HEED_API heed_tensor *heed_op_sigmoid(heed_tensor *x);
HEED_API heed_tensor *heed_op_relu(heed_tensor *x);
/** Any elementwise function by its name ("tanh", "gelu", "leaky_relu", ...) with parameters a, b; 0 where it has none. */
HEED_API heed_tensor *heed_op_function(heed_tensor *x, const char *name, float a, float b);

/** Types. To bool: != 0; to int32: truncated. No gradient but float to float. */
HEED_API heed_tensor *heed_op_cast(heed_tensor *x, heed_dtype dtype);
/** Comparisons of two floats or two int32, broadcast; bool. No gradient. */
HEED_API heed_tensor *heed_op_equal(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_not_equal(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_less(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_less_equal(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_greater(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_greater_equal(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_and(heed_tensor *a, heed_tensor *b); /**< of bools, broadcast */
HEED_API heed_tensor *heed_op_or(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_not(heed_tensor *a);
/** condition ? a : b; condition is bool; all three are broadcast. What is not chosen has no influence, NaN or not. */
HEED_API heed_tensor *heed_op_select(heed_tensor *condition, heed_tensor *a, heed_tensor *b);
/** x itself, through which no gradient flows. */
HEED_API heed_tensor *heed_op_stop_gradient(heed_tensor *x);

/** Products over the last two dimensions, a (..., m, k) and b (..., k, n); the dimensions before are broadcast. A rank-2 b
 *  serves every row of a. A transposed operand is given as it lies: a (..., k, m), b (..., n, k). */
HEED_API heed_tensor *heed_op_matmul(heed_tensor *a, heed_tensor *b);
HEED_API heed_tensor *heed_op_matmul_transposed(heed_tensor *a, bool transpose_a, heed_tensor *b, bool transpose_b);
/** x kernel + bias: x (..., k), kernel (k, n), bias (n) or NULL. */
HEED_API heed_tensor *heed_op_dense(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias);

/** Reductions over the `count` axes (negative from the end; count 0: over all). keep leaves sizes of 1 in their place. */
HEED_API heed_tensor *heed_op_sum(heed_tensor *x, const int *axes, int count, bool keep);
HEED_API heed_tensor *heed_op_mean(heed_tensor *x, const int *axes, int count, bool keep);
HEED_API heed_tensor *heed_op_max(heed_tensor *x, const int *axes, int count, bool keep); /**< gradient shared by equals */
HEED_API heed_tensor *heed_op_min(heed_tensor *x, const int *axes, int count, bool keep);
HEED_API heed_tensor *heed_op_any(heed_tensor *x, const int *axes, int count, bool keep); /**< of bools */
/** Index of the largest of the last axis, the first among equals; int32, the last axis dropped. No gradient. */
HEED_API heed_tensor *heed_op_argmax(heed_tensor *x);

/** Softmax over the last axis. `mask` is NULL, or bool and broadcast against x: false leaves an element out (weight 0);
 *  a row of which nothing is left gives zeros. */
HEED_API heed_tensor *heed_op_softmax(heed_tensor *x, heed_tensor *mask);
HEED_API heed_tensor *heed_op_log_softmax(heed_tensor *x);
/** -log softmax(logits)[label] a row: logits (..., n), labels int32 (...), result (...). A label outside of 0..n-1 gives 0
 *  and no gradient. `smoothing`, 0..1: the share of the truth that is spread over all classes (Szegedy et al. 2016,
 *  arXiv:1512.00567, section 7). */
HEED_API heed_tensor *heed_op_softmax_cross_entropy(heed_tensor *logits, heed_tensor *labels, float smoothing);
/** Connectionist temporal classification (Graves et al. 2006, "Labelling unsegmented sequence data with recurrent neural
 *  networks", equation 14): -log of how likely the frames say a row's labels, with blanks (class 0) and repetitions in
 *  between. logs (B, T, C), of a log_softmax; labels int32 (B, L), of which 0 is none; mask bool (B, T), the frames that
 *  count, or NULL: all; result (B). More labels than the frames can say cost infinity and give no gradient; a row with a label
 *  outside of 0..C-1 costs 0 and gives none. */
HEED_API heed_tensor *heed_op_ctc_loss(heed_tensor *logs, heed_tensor *labels, heed_tensor *mask);

/** The same numbers in another shape; one size may be HEED_ANY. */
HEED_API heed_tensor *heed_op_reshape(heed_tensor *x, const heed_shape *shape);
/** Dimension i of the result is dimension order[i] of x. */
HEED_API heed_tensor *heed_op_transpose(heed_tensor *x, const int *order);
HEED_API heed_tensor *heed_op_expand(heed_tensor *x, int axis);  /**< a new dimension of 1 before `axis` (negative: after) */
HEED_API heed_tensor *heed_op_squeeze(heed_tensor *x, int axis); /**< drops a dimension of 1 */
HEED_API heed_tensor *heed_op_broadcast(heed_tensor *x, const heed_shape *shape);
HEED_API heed_tensor *heed_op_concatenate(heed_tensor *const *x, int count, int axis);
/** Elements begin..begin+size-1 of `axis`. */
HEED_API heed_tensor *heed_op_slice(heed_tensor *x, int axis, int64_t begin, int64_t size);
/** `before` and `after` copies of `value` around `axis`. */
HEED_API heed_tensor *heed_op_pad(heed_tensor *x, int axis, int64_t before, int64_t after, float value);
HEED_API heed_tensor *heed_op_reverse(heed_tensor *x, int axis);
/** Each element plus all before it along `axis`; of float32 or int32. */
HEED_API heed_tensor *heed_op_cumsum(heed_tensor *x, int axis);
/** Each element `times` times along `axis`: a a b b (NumPy's repeat). */
HEED_API heed_tensor *heed_op_repeat(heed_tensor *x, int axis, int64_t times);
/** Sums along `axis` by constant weights, matrix (to, x's elements on the axis), which is copied: element o is the sum
 *  over i of matrix[o, i] x_i. What weighs 0 is not looked at, and costs nothing. */
HEED_API heed_tensor *heed_op_blend(heed_tensor *x, int axis, const float *matrix, int64_t to);

/** Rows of table (V, ...) by ids int32 (...): result is ids' shape followed by a row's. An id outside of 0..V-1 is an error
 *  of the run. */
HEED_API heed_tensor *heed_op_gather(heed_tensor *table, heed_tensor *ids);
/** ids int32 (...) to float (..., depth); an id out of range gives zeros. */
HEED_API heed_tensor *heed_op_one_hot(heed_tensor *ids, int64_t depth);

/** (x - mean) / sqrt(variance + epsilon) gamma + beta over the last axis; gamma, beta (n) or NULL. */
HEED_API heed_tensor *heed_op_layer_norm(heed_tensor *x, heed_tensor *gamma, heed_tensor *beta, float epsilon);

/** How a window moves along an axis: over `before` zeros, the data, `after` zeros; `size` elements, each `dilation` from the
 *  next, `stride` from one window to the next. */
typedef struct heed_sliding_window {
    int64_t size, stride, dilation, before, after;
} heed_sliding_window;

/** Sums of products within windows (cross-correlation): x (B, T, C) and kernel (k, C/groups, F), or x (B, H, W, C) and kernel
 *  (k, l, C/groups, F); bias (F) or NULL; a window for each axis between, of the kernel's size. Result (B, ..., F). Channels
 *  are cut into `groups`; filters see those of their group only. With a group for each of C = F channels, each is on its own. */
HEED_API heed_tensor *heed_op_convolution(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias,
                                          const heed_sliding_window *windows, int groups);
/** The way back, from results to what they came from (the gradient of heed_op_convolution by x): x (B, ..., F), kernel as
 *  there, bias (C) or NULL; result (B, ..., C) with `sizes` between, which those windows must cut into x's. */
HEED_API heed_tensor *heed_op_convolution_transpose(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias,
                                                    const heed_sliding_window *windows, int groups, const int64_t *sizes);
/** Greatest and mean of each window, a channel at a time: x (B, T, C) or (B, H, W, C); zeros before and after do not count.
 *  Of equals the first takes the gradient. A window without data is refused. */
HEED_API heed_tensor *heed_op_max_pool(heed_tensor *x, const heed_sliding_window *windows);
HEED_API heed_tensor *heed_op_average_pool(heed_tensor *x, const heed_sliding_window *windows);

/** x / (1-rate) with probability 1-rate, else 0; a new draw each training step. */
HEED_API heed_tensor *heed_op_dropout(heed_tensor *x, float rate);
/** Numbers drawn anew each training step: uniform in [0,1), or normal with mean 0 and deviation 1. */
HEED_API heed_tensor *heed_op_random_uniform(heed_graph *g, const heed_shape *shape);
HEED_API heed_tensor *heed_op_random_normal(heed_graph *g, const heed_shape *shape);

/** What the weights of a query that sees no key are. */
typedef enum heed_blind {
    HEED_BLIND_ZEROS,      /**< zeros */
    HEED_BLIND_EVEN,       /**< the same for all keys, the hidden ones too: as when 1e9 is taken from their scores */
    HEED_BLIND_EVEN_FIXED, /**< the same, as when -1e9 is put in the scores' place: without a gradient to them */
    HEED_BLIND_SECOND,     /**< softmax over the keys that one of key_mask and band hides, but not both */
} heed_blind;

/** How heed_op_attention() attends. Zero is the default of every member; what hides a key hides it for good. */
typedef struct heed_op_attention_config {
    float        scale;         /**< of the scores; 0: 1/sqrt(D) */
    heed_tensor *key_mask;      /**< NULL; bool (B, Tk); or lengths, int32 (B) */
    heed_tensor *query_mask;    /**< NULL; bool (B, Tq); or lengths: a query left out gives zeros */
    heed_tensor *mask;          /**< NULL; or bool that broadcasts to (B, N, Tq, Tk) */
    bool         banded;        /**< whether query i sees keys i - behind to i + ahead only; causal: ahead 0 */
    int64_t      behind, ahead; /**< INT64_MAX / 2 and more: no limit */
    float        dropout;       /**< of the weights, once they are made: 0 to less than 1 */
    heed_blind   blind;
} heed_op_attention_config;

/** Scaled dot product attention (Vaswani et al. 2017, section 3.2.1): softmax(scale q k^T) v for each head. query (B, Tq,
 *  N, D), key (B, Tk, M, D), value (B, Tk, M, E), where M divides N and N/M heads in a row share one of the key's; result
 *  (B, Tq, N, E). Nothing of Tq x Tk is kept, for the gradient neither, and keys out of reach cost nothing; but with
 *  `weights` not NULL it receives those of all heads, before dropout, (B, N, Tq, Tk), and the result is the same to the
 *  bit. */
HEED_API heed_tensor *heed_op_attention(heed_tensor *query, heed_tensor *key, heed_tensor *value,
                                        const heed_op_attention_config *config, heed_tensor **weights);

/** Additive attention scores (Bahdanau et al. 2014, section A.1.2): query (B, Tq, U), key (B, Tk, U), scale (U):
 *  result (B, Tq, Tk) = sum_u scale_u tanh(query_u + key_u). The (B, Tq, Tk, U) array is never built. */
HEED_API heed_tensor *heed_op_additive_scores(heed_tensor *query, heed_tensor *key, heed_tensor *scale);

/**
 * Windows: attention that costs what it looks at. Query i sees `width` keys that follow one another, from number starts[i]
 * on; starts is int32 (B, Tq), or (1, Tq) for all items alike. Keys before the first and behind the last do not exist:
 * they keep their places in a window, where scores are 0 and nothing is added. heed_op_window_take() tells them apart.
 */
/** query (B, Tq, F), key (B, Tk, F): result (B, Tq, width) = q_i . k_j. */
HEED_API heed_tensor *heed_op_window_scores(heed_tensor *query, heed_tensor *key, heed_tensor *starts, int64_t width);
/** heed_op_additive_scores() within windows: result (B, Tq, width). */
HEED_API heed_tensor *heed_op_window_additive_scores(heed_tensor *query, heed_tensor *key, heed_tensor *scale,
                                                     heed_tensor *starts, int64_t width);
/** weights (B, Tq, width), value (B, Tk, F): result (B, Tq, F) = sum_j a_ij v_j. */
HEED_API heed_tensor *heed_op_window_sum(heed_tensor *weights, heed_tensor *value, heed_tensor *starts);
/** weights (B, Tq, width), x (B, Tq, F): result (B, keys, F), row j being sum_i a_ij x_i. */
HEED_API heed_tensor *heed_op_window_spread(heed_tensor *weights, heed_tensor *x, heed_tensor *starts, int64_t keys);
/** weights (B, Tq, width) as (B, Tq, keys), zeros outside of the windows. */
HEED_API heed_tensor *heed_op_window_dense(heed_tensor *weights, heed_tensor *starts, int64_t keys);
/** x (B, Tq, Tk), B and Tq possibly 1: what it has within the windows, (B, Tq, width); 0 (false) where there is no key. */
HEED_API heed_tensor *heed_op_window_take(heed_tensor *x, heed_tensor *starts, int64_t width);

/** One LSTM step (gates in Keras' order i, f, c, o; logistic sigmoid and tanh): zx and zh (R, 4u) are the products of the
 *  input and of the state (zh may be NULL), c_previous (R, u). */
HEED_API void heed_op_lstm(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous, heed_tensor **h, heed_tensor **c);
/** One GRU step with reset_after (order z, r, h): zx, zh (R, 3u) with their biases, h_previous (R, u); returns h. */
HEED_API heed_tensor *heed_op_gru(heed_tensor *zx, heed_tensor *zh, heed_tensor *h_previous);

/* ------------------------------------------------------------------------------------------------ recurrence */

/** What a step is given, and what it leaves behind. */
typedef struct heed_step {
    heed_graph          *graph;
    heed_tensor *const  *inputs;    /**< this step's slice of each sequence, (R, ...) */
    heed_tensor *const  *states;    /**< each (R, ...) */
    heed_tensor *const  *constants; /**< what stays the same over the steps, (R, ...), a row of each for every row of the batch */
    heed_tensor        **new_states;/**< to be set: shapes as `states` */
    heed_tensor        **outputs;   /**< to be set: each (R, ...) */
} heed_step;

/** Builds one step. Called several times, for different numbers of rows R, and must do the same each time: it reads sizes
 *  from the tensors it is given, and treats each row on its own. Variables are taken with heed_graph_variable(). */
typedef heed_status heed_step_function(void *cell, heed_step *step);

typedef struct heed_scan_config {
    heed_step_function *step;
    void               *cell;      /**< passed to step; must outlive the graph */
    heed_tensor *const *inputs;    /**< sequences (B, T, ...) */
    int                 input_count;
    heed_tensor *const *states;    /**< initial states (B, ...) */
    int                 state_count;
    heed_tensor *const *constants; /**< (B, ...) */
    int                 constant_count;
    int                 output_count;
    int64_t             steps;     /**< T; 0: the inputs' second dimension */
    heed_tensor        *mask;      /**< NULL; bool (B, T); or lengths, int32 (B) of right-padded rows. A masked step keeps
                                        the states, and its outputs are those of the step before (zeros at first) */
    bool                zero_output_for_mask; /**< a masked step's outputs are zeros */
    bool                reverse;   /**< from the last step to the first; outputs stay at their input's place */
    bool                last_output_only; /**< outputs are (B, ...): those of the last processed step */
} heed_scan_config;

/**
 * Runs a step over time. outputs[i] is (B, T, ...) (or (B, ...), see last_output_only); final_states[i] (B, ...); either
 * may be NULL. What a step computes from its inputs alone is computed for all steps at once before the loop, what no state
 * depends on after it; so a cell of your own is as fast as a built-in one.
 */
HEED_API heed_status heed_op_scan(heed_graph *g, const heed_scan_config *config, heed_tensor **outputs,
                                  heed_tensor **final_states);

#ifdef __cplusplus
}
#endif
#endif
