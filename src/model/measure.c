#include "model/measure_parts.h"

#include "ops/output_loss.h"

#include <math.h>
#include <string.h>

static heed_tensor *difference(heed_tensor *truth, heed_tensor *prediction)
{
    truth = floats(truth);
    match_ranks(&truth, &prediction);
    return heed_op_subtract(prediction, truth);
}

/* ---- regression */

static heed_tensor *squared(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return mean_last(heed_op_square(difference(t, p)));
}

static heed_tensor *absolute(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return mean_last(heed_op_abs(difference(t, p)));
}

static heed_tensor *percentage(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *size = heed_op_maximum(heed_op_abs(t), number(t, EPSILON));
    return heed_op_scale(mean_last(heed_op_abs(heed_op_divide(heed_op_subtract(t, p), size))), 100.0f, 0.0f);
}

static heed_tensor *log_of_one_more(heed_tensor *x)
{
    return heed_op_log(heed_op_scale(heed_op_maximum(x, number(x, EPSILON)), 1.0f, 1.0f));
}

static heed_tensor *squared_logarithmic(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    return mean_last(heed_op_square(heed_op_subtract(log_of_one_more(p), log_of_one_more(t))));
}

#define HUBER_OPTIONS(X, C)                                                                                            \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, delta, 1.0, "(0,)", "error from which on the loss is linear")
typedef struct huber_config {
    HUBER_OPTIONS(HEED_OPTION_FIELD, )
} huber_config;

static heed_tensor *huber(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    float delta = (float)((const huber_config *)config)->delta;
    heed_tensor *error = difference(t, p), *size = heed_op_abs(error);
    heed_tensor *square = heed_op_scale(heed_op_square(error), 0.5f, 0.0f);
    heed_tensor *line = heed_op_scale(size, delta, -0.5f * delta * delta);
    return mean_last(heed_op_select(heed_op_less_equal(size, number(size, delta)), square, line));
}

static heed_tensor *log_cosh(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    heed_tensor *x = difference(t, p);
    heed_tensor *tail = heed_op_function(heed_op_scale(x, -2.0f, 0.0f), "softplus", 0, 0);
    return mean_last(heed_op_scale(heed_op_add(x, tail), 1.0f, -(float)log(2.0)));
}

static heed_tensor *poisson(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    return mean_last(heed_op_subtract(p, heed_op_multiply(t, heed_op_log(heed_op_scale(p, 1.0f, EPSILON)))));
}

static heed_tensor *unit_rows(heed_tensor *x)
{
    heed_tensor *squares = sum_last_kept(heed_op_square(x));
    return heed_op_multiply(x, heed_op_rsqrt(heed_op_maximum(squares, number(x, EPSILON * EPSILON))));
}

#define COSINE_OPTIONS(X, C)                                                                                           \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the vectors")
typedef struct cosine_config {
    COSINE_OPTIONS(HEED_OPTION_FIELD, )
} cosine_config;

/* Whether the model's file is of a Keras from `first` on and before `end`. */
static bool is_within(const heed_tensor *p, int first, int end)
{
    return p != NULL && heed_keras_within(p->graph->keras, first, end);
}

/* Before 2.3. */
static bool is_of_early_keras(const heed_tensor *p) { return is_within(p, 1, 203); }

/* Before 2.3 Keras' metric was its loss, and before 2.1 a mean instead of the sum. */
static heed_tensor *similarity(heed_tensor *t, heed_tensor *p, bool is_metric)
{
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *products = heed_op_multiply(unit_rows(t), unit_rows(p));
    heed_tensor *all = is_within(p, 1, 201) ? mean_last(products) : sum_last(products);
    return is_metric && !is_of_early_keras(p) ? all : heed_op_negative(all);
}

static heed_tensor *cosine(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return similarity(t, p, true);
}

static heed_tensor *negative_cosine(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return similarity(t, p, false);
}

/* ---- probabilities */

static heed_tensor *divergence(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    t = heed_op_clip(t, EPSILON, 1.0f);
    p = heed_op_clip(p, EPSILON, 1.0f);
    return sum_last(heed_op_multiply(t, heed_op_log(heed_op_divide(t, p))));
}

/* 2.3 to 2.15 */
static bool is_late_keras_2(const heed_tensor *p) { return is_within(p, 203, 300); }

/* From TensorFlow 2.3 on Keras takes what was kept as logits without asking which of the two it went through, nor along
 * which axis. */
heed_tensor *heed_logits_behind(const heed_tensor *p, heed_squash squash)
{
    while (p != NULL && p->node != NULL && p->node->op == &heed_kind_stop_gradient)
        p = p->node->inputs[0]; /* a metric's */
    if (p == NULL || p->node == NULL)
        return NULL;
    if (p->logits != NULL)
        return p->logits;
    if (p->node->input_count != 1)
        return NULL;
    bool is_softmax = p->node->op == &heed_kind_softmax, is_sigmoid = heed_node_is_unary(p->node, HEED_UNARY_SIGMOID);
    bool either = p->graph->keras >= 205;
    bool fits = squash == HEED_SQUASH_SOFTMAX ? is_softmax : is_sigmoid;
    return fits || (either && (is_softmax || is_sigmoid)) ? p->node->inputs[0] : NULL;
}

static heed_tensor *clipped(heed_tensor *p) { return heed_op_clip(p, EPSILON, 1.0f - EPSILON); }

#define CATEGORICAL_OPTIONS(X, C)                                                                                      \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, BOOL, from_logits, false, "", "predictions are before the softmax (sigmoid), not behind it")                  \
    X(C, FLOAT, label_smoothing, 0.0, "[0,1]", "share of the truth that is spread over all classes")                   \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the classes")
typedef struct categorical_config {
    CATEGORICAL_OPTIONS(HEED_OPTION_FIELD, )
} categorical_config;

static heed_tensor *categorical(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const categorical_config *o = config;
    float s = (float)o->label_smoothing;
    t = floats(t);
    match_ranks(&t, &p);
    if (s > 0.0f)
        t = heed_op_scale(t, 1.0f - s, s / (float)heed_tensor_dim(t, -1));
    heed_tensor *logits = o->from_logits ? p : heed_logits_behind(p, HEED_SQUASH_SOFTMAX);
    heed_tensor *logs = logits != NULL ? heed_op_log_softmax(logits)
                                       : heed_op_log(clipped(heed_op_divide(p, sum_last_kept(p))));
    return heed_op_negative(sum_last(heed_op_multiply(t, logs)));
}

#define SPARSE_OPTIONS(X, C)                                                                                           \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, ignore_class, INFINITY, "", "a class that does not count; None: each does")                            \
    X(C, BOOL, from_logits, false, "", "predictions are before the softmax, not behind it")                            \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the classes")
typedef struct sparse_config {
    SPARSE_OPTIONS(HEED_OPTION_FIELD, )
    float label_smoothing, consistency; /* no options of Keras' class: see heed_loss_for_batch */
} sparse_config;

heed_tensor *heed_labels_for(heed_tensor *t, const heed_tensor *p)
{
    if (rank_of(t) == rank_of(p) && heed_tensor_dim(t, -1) == 1)
        t = heed_op_squeeze(t, -1);
    return t == NULL || t->dtype == HEED_INT32 ? t : heed_op_cast(t, HEED_INT32);
}

/* What comes before the softmax; NULL where that is not known. */
static heed_tensor *sparse_logits(const sparse_config *o, heed_tensor *p)
{
    return o->from_logits ? p : heed_logits_behind(p, HEED_SQUASH_SOFTMAX);
}

/* Which labels count; NULL: all. */
static heed_tensor *sparse_valid(const sparse_config *o, heed_tensor *labels)
{
    if (isinf(o->ignore_class) || labels == NULL)
        return NULL;
    return heed_op_not_equal(labels, heed_op_cast(number(labels, (float)o->ignore_class), HEED_INT32));
}

/* The other half of the batch first. */
static heed_tensor *halves_changed(heed_tensor *x)
{
    int64_t half = heed_tensor_dim(x, 0) / 2;
    heed_tensor *halves[] = {heed_op_slice(x, 0, half, half), heed_op_slice(x, 0, 0, half)};
    return heed_op_concatenate(halves, 2, 0);
}

/* KL(p, the softmax of the same row in the other half of the batch) */
static heed_tensor *twins_apart(heed_tensor *logits)
{
    heed_tensor *logs = heed_op_log_softmax(logits);
    return sum_last(heed_op_multiply(heed_op_exp(logs), heed_op_subtract(logs, halves_changed(logs))));
}

static heed_tensor *sparse(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const sparse_config *o = config;
    heed_tensor *labels = heed_labels_for(t, p), *logits = sparse_logits(o, p);
    if (logits == NULL)
        logits = heed_op_log(clipped(p));
    heed_tensor *values = heed_op_softmax_cross_entropy(logits, labels, o->label_smoothing);
    if (o->consistency != 0)
        values = heed_op_add(values, heed_op_scale(twins_apart(logits), 0.5f * o->consistency, 0));
    *valid = sparse_valid(o, labels);
    return *valid == NULL || values == NULL ? values : heed_op_select(*valid, values, number(values, 0.0f));
}

heed_tensor *heed_binary_entropy(heed_tensor *t, heed_tensor *p, heed_tensor *logits)
{
    if (logits != NULL)
        return heed_op_subtract(heed_op_function(logits, "softplus", 0, 0), heed_op_multiply(t, logits));
    float more = is_late_keras_2(p) ? EPSILON : 0.0f; /* on top of the clipping */
    p = clipped(p);
    heed_tensor *yes = heed_op_multiply(t, heed_op_log(more == 0.0f ? p : heed_op_scale(p, 1.0f, more)));
    heed_tensor *rest = heed_op_scale(p, -1.0f, 1.0f + more);
    heed_tensor *no = heed_op_multiply(heed_op_scale(t, -1.0f, 1.0f), heed_op_log(rest));
    return heed_op_negative(heed_op_add(yes, no));
}

static heed_tensor *binary(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const categorical_config *o = config;
    float s = (float)o->label_smoothing;
    t = floats(t);
    match_ranks(&t, &p);
    if (s > 0.0f)
        t = heed_op_scale(t, 1.0f - s, 0.5f * s);
    heed_tensor *logits = o->from_logits ? p : heed_logits_behind(p, HEED_SQUASH_SIGMOID);
    return mean_last(heed_binary_entropy(t, p, logits));
}

/* ---- margins */

/* Truths of 0 and 1 mean -1 and 1, if there are no others; from Keras 2.3 on. */
static heed_tensor *signs(heed_tensor *t)
{
    heed_tensor *is_binary = heed_op_or(heed_op_equal(t, number(t, 0.0f)), heed_op_equal(t, number(t, 1.0f)));
    heed_tensor *all = heed_op_not(heed_op_any(heed_op_not(is_binary), NULL, 0, false));
    return heed_op_select(all, heed_op_scale(t, 2.0f, -1.0f), t);
}

static heed_tensor *margins(heed_tensor *t, heed_tensor *p)
{
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *sides = is_of_early_keras(p) ? t : signs(t);
    return heed_op_maximum(heed_op_scale(heed_op_multiply(sides, p), -1.0f, 1.0f), number(p, 0.0f));
}

static heed_tensor *hinge(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return mean_last(margins(t, p));
}

static heed_tensor *squared_hinge(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return mean_last(heed_op_square(margins(t, p)));
}

static heed_tensor *categorical_hinge(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *right = sum_last(heed_op_multiply(t, p));
    heed_tensor *wrong = heed_op_max(heed_op_multiply(heed_op_scale(t, -1.0f, 1.0f), p), &LAST, 1, false);
    heed_tensor *margin = heed_op_scale(heed_op_subtract(wrong, right), 1.0f, 1.0f);
    return heed_op_maximum(margin, number(margin, 0.0f));
}

/* ---- hits */

static heed_tensor *as_hits(heed_tensor *equal) { return heed_op_cast(equal, HEED_FLOAT32); }

#define BINARY_ACCURACY_OPTIONS(X, C)                                                                                  \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, threshold, 0.5, "", "above it a prediction means 1")
typedef struct binary_accuracy_config {
    BINARY_ACCURACY_OPTIONS(HEED_OPTION_FIELD, )
} binary_accuracy_config;

/* Whether p rounded is t. */
static heed_tensor *rounds_to(heed_tensor *p, heed_tensor *t)
{
    heed_tensor *is_whole = heed_op_equal(t, floats(heed_op_cast(t, HEED_INT32)));
    heed_tensor *above = heed_op_greater(p, heed_op_scale(t, 1.0f, -0.5f));
    heed_tensor *beyond = heed_op_greater(p, heed_op_scale(t, 1.0f, 0.5f));
    return heed_op_and(is_whole, heed_op_and(above, heed_op_not(beyond)));
}

static heed_tensor *binary_accuracy(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    float threshold = (float)((const binary_accuracy_config *)config)->threshold;
    if (threshold == 0.5f && is_within(p, 1, 204)) /* Keras alone rounds */
        return as_hits(rounds_to(p, t));
    return as_hits(heed_op_equal(t, floats(heed_op_greater(p, number(p, threshold)))));
}

static heed_tensor *categorical_accuracy(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return as_hits(heed_op_equal(heed_op_argmax(floats(t)), heed_op_argmax(p)));
}

static heed_tensor *sparse_accuracy(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return as_hits(heed_op_equal(heed_labels_for(t, p), heed_op_argmax(p)));
}

static heed_tensor *equal_values(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    return as_hits(heed_op_equal(t, p));
}

#define TOP_OPTIONS(X, C)                                                                                              \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, INT, k, 5, "[1,)", "how many of the likeliest classes count as a hit")
typedef struct top_config {
    TOP_OPTIONS(HEED_OPTION_FIELD, )
} top_config;

/* A hit: fewer than k classes are likelier than the true one. */
static heed_tensor *top_hits(const void *config, heed_tensor *labels, heed_tensor *p)
{
    float k = (float)((const top_config *)config)->k;
    heed_tensor *chosen = sum_last_kept(heed_op_multiply(heed_op_one_hot(labels, heed_tensor_dim(p, -1)), p));
    heed_tensor *likelier = sum_last(floats(heed_op_greater(p, chosen)));
    return as_hits(heed_op_less(likelier, number(p, k)));
}

static heed_tensor *top_k(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return top_hits(config, heed_op_argmax(floats(t)), p);
}

static heed_tensor *sparse_top_k(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    return top_hits(config, heed_labels_for(t, p), p);
}

static double root_of_mean(const void *config, const double *sums, int64_t count)
{
    return sums[1] > 0.0 ? sqrt(sums[0] / sums[1]) : 0.0;
}

double heed_metric_result(const heed_object *metric, const double *sums, int64_t count)
{
    const heed_measure_class *class = metric == NULL ? NULL : (const heed_measure_class *)metric->object_class;
    if (class != NULL && class->result != NULL)
        return class->result(metric->config, sums, count);
    return sums[1] > 0.0 ? sums[0] / sums[1] : 0.0;
}

/* ---- the tables */

PLAIN(squared, "mean_squared_error", "MeanSquaredError", .values = squared)
PLAIN(absolute, "mean_absolute_error", "MeanAbsoluteError", .values = absolute)
PLAIN(percentage, "mean_absolute_percentage_error", "MeanAbsolutePercentageError", .values = percentage)
PLAIN(squared_logarithmic, "mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", .values = squared_logarithmic)
MEASURE(huber, "huber", "Huber", huber_config, HUBER_OPTIONS, .values = huber)
PLAIN(log_cosh, "log_cosh", "LogCosh", .values = log_cosh)
PLAIN(poisson, "poisson", "Poisson", .values = poisson)
PLAIN(divergence, "kl_divergence", "KLDivergence", .values = divergence)
MEASURE(negative_cosine, "cosine_similarity", "CosineSimilarity", cosine_config, COSINE_OPTIONS, .values = negative_cosine)
MEASURE(cosine, "cosine_similarity", "CosineSimilarity", cosine_config, COSINE_OPTIONS, .values = cosine)
MEASURE(categorical, "categorical_crossentropy", "CategoricalCrossentropy", categorical_config, CATEGORICAL_OPTIONS,
        .values = categorical)
MEASURE(sparse, "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", sparse_config, SPARSE_OPTIONS,
        .values = sparse, .sparse = true)
MEASURE(binary, "binary_crossentropy", "BinaryCrossentropy", categorical_config, CATEGORICAL_OPTIONS, .values = binary)
PLAIN(hinge, "hinge", "Hinge", .values = hinge)
PLAIN(squared_hinge, "squared_hinge", "SquaredHinge", .values = squared_hinge)
PLAIN(categorical_hinge, "categorical_hinge", "CategoricalHinge", .values = categorical_hinge)
PLAIN(equal, "equal", "Accuracy", .values = equal_values)
MEASURE(binary_accuracy, "binary_accuracy", "BinaryAccuracy", binary_accuracy_config, BINARY_ACCURACY_OPTIONS,
        .values = binary_accuracy)
PLAIN(categorical_accuracy, "categorical_accuracy", "CategoricalAccuracy", .values = categorical_accuracy)
PLAIN(sparse_accuracy, "sparse_categorical_accuracy", "SparseCategoricalAccuracy", .values = sparse_accuracy, .sparse = true)
MEASURE(top_k, "top_k_categorical_accuracy", "TopKCategoricalAccuracy", top_config, TOP_OPTIONS, .values = top_k)
MEASURE(sparse_top_k, "sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy", top_config, TOP_OPTIONS,
        .values = sparse_top_k, .sparse = true)

PLAIN(root, "root_mean_squared_error", "RootMeanSquaredError", .values = squared, .result = root_of_mean, .ignores_mask = true)

PLAIN(log_cosh_error, "log_cosh", "LogCoshError", .values = log_cosh)

#define LOSSES_BOTH(X)                                                                                                 \
    X(squared) X(absolute) X(percentage) X(squared_logarithmic) X(huber) X(poisson) X(divergence)                      \
    X(categorical) X(sparse) X(binary) X(hinge) X(squared_hinge) X(categorical_hinge)
#define ROW(id) &heed_measure_##id.class,

static const heed_object_class *const loss_classes[] = {LOSSES_BOTH(ROW) FURTHER_LOSSES(ROW) ROW(log_cosh)
                                                        ROW(negative_cosine) NULL};
static const heed_object_class *const metric_classes[] = {
    LOSSES_BOTH(ROW) ROW(log_cosh_error) ROW(cosine) ROW(equal) ROW(binary_accuracy) ROW(categorical_accuracy)
        ROW(sparse_accuracy) ROW(top_k) ROW(sparse_top_k) ROW(root) COUNTED_METRICS(ROW) AGREEMENT_METRICS(ROW) FURTHER_LOSSES(ROW) NULL};

static const char *const aliases[][2] = {
    {"mse", "mean_squared_error"}, {"MSE", "mean_squared_error"}, {"mae", "mean_absolute_error"},
    {"MAE", "mean_absolute_error"}, {"mape", "mean_absolute_percentage_error"},
    {"MAPE", "mean_absolute_percentage_error"}, {"msle", "mean_squared_logarithmic_error"},
    {"MSLE", "mean_squared_logarithmic_error"}, {"kld", "kl_divergence"}, {"KLD", "kl_divergence"},
    {"kullback_leibler_divergence", "kl_divergence"}, {"logcosh", "log_cosh"}, {"bce", "binary_crossentropy"},
    {"BCE", "binary_crossentropy"}, {"cosine", "cosine_similarity"}, {"cosine_proximity", "cosine_similarity"},
    {"huber_loss", "huber"}, {NULL, NULL}};

const heed_object_family heed_losses = {"loss", "keras.losses", loss_classes, aliases};
const heed_object_family heed_metrics = {"metric", "keras.metrics", metric_classes, aliases};

/* Keras alone, and TensorFlow's before 2.2, went by the loss. */
static int choice_by_loss(const heed_object *loss, int64_t classes)
{
    bool is_binary = loss != NULL && loss->object_class == &heed_measure_binary.class;
    bool is_sparse = loss != NULL && loss->object_class == &heed_measure_sparse.class;
    return classes == 1 || is_binary ? 0 : is_sparse ? 1 : 2;
}

const char *heed_measure_resolve(const char *name, const heed_tensor *truth, const heed_tensor *prediction,
                                 const heed_object *loss)
{
    static const char *const choices[2][3] = {
        {"binary_accuracy", "sparse_categorical_accuracy", "categorical_accuracy"},
        {"binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy"}};
    bool accuracy = strcmp(name, "accuracy") == 0 || strcmp(name, "acc") == 0;
    bool entropy = strcmp(name, "crossentropy") == 0 || strcmp(name, "ce") == 0;
    if (!accuracy && !entropy)
        return name;
    const heed_shape *t = &truth->shape, *p = &prediction->shape;
    int64_t classes = p->rank > 0 ? p->dims[p->rank - 1] : 1, last = t->rank > 0 ? t->dims[t->rank - 1] : 1;
    int by_shape = classes == 1 ? 0 : t->rank < p->rank || last == 1 ? 1 : 2;
    bool by_loss = is_within(prediction, 1, 205);
    return choices[entropy][by_loss ? choice_by_loss(loss, classes) : by_shape];
}

/* ---- to one number */

/* Adds dimensions of 1 behind, so that weights of the first dimensions serve the rest. */
static heed_tensor *extend(heed_tensor *weights, int rank)
{
    while (rank_of(weights) < rank && weights != NULL)
        weights = heed_op_expand(weights, -1);
    return weights;
}

static heed_tensor *both(heed_tensor *a, heed_tensor *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    match_ranks(&a, &b);
    int rank = rank_of(a) > rank_of(b) ? rank_of(a) : rank_of(b);
    return heed_op_multiply(extend(a, rank), extend(b, rank));
}

/* 1 where the mask holds. For a mean: total / valid, so that the mean over all is the mean over what is valid. */
static heed_tensor *mask_weights(heed_tensor *mask, bool mean)
{
    heed_tensor *ones = floats(mask);
    if (!mean || ones == NULL)
        return ones;
    heed_tensor *valid = heed_op_sum(ones, NULL, 0, false);
    heed_tensor *factor = heed_op_divide(number(ones, (float)ones->count), heed_op_maximum(valid, number(ones, 1.0f)));
    return heed_op_multiply(ones, factor);
}

/* How losses become one number: each counts by the weight that comes of sample weights and masks. */
typedef struct reduction {
    bool         over_all, over_weights; /* the sum is divided by their number, or by that of the weights */
    heed_tensor *weights;                /* NULL: each counts as 1 */
} reduction;

static heed_tensor *seen(heed_tensor *mask, heed_tensor *valid)
{
    return mask != NULL && valid != NULL ? heed_op_and(mask, valid) : mask != NULL ? mask : valid;
}

static reduction reduction_of(const heed_object *loss, heed_tensor *weights, heed_tensor *mask, heed_tensor *valid)
{
    const heed_measure_common *o = loss->config;
    bool over_weights = strcmp(o->reduction, "mean_with_sample_weight") == 0;
    bool over_all = !over_weights && strcmp(o->reduction, "sum") != 0;
    mask = seen(mask, valid);
    return (reduction){over_all, over_weights, both(mask == NULL ? NULL : mask_weights(mask, over_all), weights)};
}

/* From the weighted sum of `count` losses. */
static heed_tensor *reduce(const reduction *r, heed_tensor *sum, int64_t count)
{
    if (r->over_weights && r->weights != NULL) {
        heed_tensor *total = heed_op_sum(r->weights, NULL, 0, false);
        heed_tensor *none = heed_op_equal(total, number(total, 0.0f));
        return heed_op_select(none, number(total, 0.0f), heed_op_divide(sum, total));
    }
    if ((!r->over_all && !r->over_weights) || count == 0)
        return sum;
    return heed_op_scale(sum, 1.0f / (float)count, 0.0f);
}

/* Means over the axes from..rank-1. */
static heed_tensor *mean_from(heed_tensor *x, int from)
{
    int axes[HEED_MAX_RANK], count = 0;
    for (int i = from; i < rank_of(x); i++)
        axes[count++] = i;
    return count == 0 ? x : heed_op_mean(x, axes, count, false);
}

/* What a measure says of each; a mask that it takes in itself is NULL behind it. */
static heed_tensor *values_of(const heed_object *measure, heed_tensor *truth, heed_tensor *prediction, heed_tensor **mask,
                              heed_tensor **valid)
{
    const heed_measure_class *class = (const heed_measure_class *)measure->object_class;
    *valid = NULL;
    if (class->of_sequences) {
        *valid = *mask;
        *mask = NULL;
    }
    return class->values(measure->config, truth, prediction, valid);
}

/* What Keras took before 2.3 of a batch, for losses and metrics alike (of which it then took the mean, by their rows):
 * the mean over the steps that the mask leaves, and of them over those whose weight is not 0. */
static heed_tensor *mean_of_batch(heed_tensor *values, heed_tensor *weights, heed_tensor *mask)
{
    heed_tensor *factors[] = {mask == NULL ? NULL : floats(mask), weights};
    for (int i = 0; i < 2; i++) {
        heed_tensor *factor = factors[i];
        if (factor == NULL)
            continue;
        match_ranks(&values, &factor);
        values = mean_from(values, rank_of(factor));
        heed_tensor *counts = floats(heed_op_not_equal(factor, number(factor, 0.0f)));
        heed_tensor *some = heed_op_maximum(heed_op_sum(counts, NULL, 0, false), number(counts, 1.0f));
        factor = heed_op_scale(heed_op_divide(factor, some), counts == NULL ? 0.0f : (float)counts->count, 0.0f);
        values = heed_op_multiply(values, factor);
    }
    return rank_of(values) == 0 ? values : heed_op_mean(values, NULL, 0, false);
}

/* The same without the logits, where there are many of them and nothing else needs them; NULL where it is not so. */
static heed_tensor *number_without_logits(const heed_object *loss, heed_tensor *truth, heed_tensor *prediction,
                                          heed_tensor *weights, heed_tensor *mask)
{
    const sparse_config *o = loss->config;
    if (loss->object_class != &heed_measure_sparse.class || (weights != NULL && is_of_early_keras(prediction)))
        return NULL;
    heed_tensor *logits = sparse_logits(o, prediction);
    if (!heed_output_loss_fits(logits, prediction))
        return NULL;
    heed_tensor *labels = heed_labels_for(truth, prediction), *each = NULL;
    reduction r = reduction_of(loss, weights, mask, sparse_valid(o, labels));
    if (r.weights != NULL && labels != NULL) {
        bool behind = rank_of(r.weights) == rank_of(labels) + 1 && heed_tensor_dim(r.weights, -1) == 1;
        r.weights = behind ? heed_op_squeeze(r.weights, -1) : extend(r.weights, rank_of(labels));
        each = heed_op_broadcast(r.weights, &labels->shape);
    }
    heed_tensor *sum = heed_op_output_loss(logits, labels, each, o->label_smoothing, o->consistency);
    return sum == NULL ? NULL : reduce(&r, sum, labels->count);
}

heed_tensor *heed_loss_number(const heed_object *loss, heed_tensor *truth, heed_tensor *prediction,
                              heed_tensor *weights, heed_tensor *mask, bool alone)
{
    heed_tensor *valid, *number = alone ? number_without_logits(loss, truth, prediction, weights, mask) : NULL;
    if (number != NULL)
        return number;
    heed_tensor *values = values_of(loss, truth, prediction, &mask, &valid);
    if (values == NULL)
        return NULL;
    reduction r = reduction_of(loss, weights, mask, valid);
    if (r.over_all && is_of_early_keras(prediction))
        return mean_of_batch(values, weights, seen(mask, valid));
    if (r.weights != NULL) {
        match_ranks(&values, &r.weights);
        r.weights = extend(r.weights, rank_of(values));
        values = heed_op_multiply(values, r.weights);
    }
    if (rank_of(values) == 0)
        return values;
    heed_tensor *sum = heed_op_sum(values, NULL, 0, false);
    return reduce(&r, sum, values == NULL ? 0 : values->count);
}

heed_status heed_loss_for_batch(heed_zone *z, const heed_object *loss, const heed_batch *b, const heed_object **out)
{
    *out = loss;
    if (b->label_smoothing == 0 && b->consistency == 0)
        return HEED_OK;
    if (loss->object_class != &heed_measure_sparse.class)
        return heed_fail(z->context, HEED_EINVAL, "%s: only a sparse_categorical_crossentropy takes it here (found %s%s)",
                         b->label_smoothing != 0 ? "label_smoothing" : "consistency", loss->object_class->name,
                         b->label_smoothing != 0 ? ", which may have an option of that name" : "");
    if (b->consistency != 0 && b->inputs[0].shape.dims[0] % 2 != 0)
        return heed_fail(z->context, HEED_EINVAL, "consistency: the batch has no two halves (expected an even number of "
                         "rows, found %lld)", (long long)b->inputs[0].shape.dims[0]);
    sparse_config *config = heed_options_copy(z, HEED_TABLE_OF(loss->object_class), loss->config);
    heed_object *copy = heed_zone_alloc(z, 1, sizeof *copy);
    if (config == NULL || copy == NULL)
        return HEED_ENOMEM;
    config->label_smoothing = (float)b->label_smoothing;
    config->consistency = (float)b->consistency;
    *copy = (heed_object){loss->object_class, config};
    *out = copy;
    return HEED_OK;
}

/* A total and a count, side by side. */
static heed_tensor *pair(heed_tensor *total, heed_tensor *count)
{
    heed_tensor *both_of[] = {heed_op_expand(total, 0), heed_op_expand(count, 0)};
    return heed_op_concatenate(both_of, 2, 0);
}

/* Whether a metric counts masked steps, too. Keras 2 handed every metric the mask, as weights; Keras 3 before 3.12 took it into
 * account only where there were weights. */
static bool is_blind(const heed_measure_class *class, const heed_tensor *prediction, const heed_tensor *weights)
{
    int keras = prediction == NULL ? 0 : prediction->graph->keras;
    if (weights == NULL && heed_keras_within(keras, 300, 312))
        return true;
    return !is_late_keras_2(prediction) && (class->ignores_mask || class->sums != NULL);
}

heed_tensor *heed_metric_sums(const heed_object *metric, heed_tensor *truth, heed_tensor *prediction,
                              heed_tensor *weights, heed_tensor *mask)
{
    const heed_measure_class *class = (const heed_measure_class *)metric->object_class;
    heed_tensor *values = NULL, *valid, *count;
    if (class->sums == NULL)
        values = values_of(metric, truth, prediction, &mask, &valid);
    if (is_of_early_keras(prediction) && class->sums == NULL) {
        heed_tensor *mean = mean_of_batch(values, weights, seen(mask, valid));
        heed_tensor *rows = number(mean, (float)prediction->shape.dims[0]);
        return pair(heed_op_multiply(mean, rows), rows);
    }
    if (mask != NULL && !is_blind(class, prediction, weights))
        weights = both(mask_weights(mask, false), weights);
    if (class->sums != NULL)
        return class->sums(metric->config, truth, prediction, weights);
    if (weights != NULL && values != NULL) {
        weights = both(valid == NULL ? NULL : mask_weights(valid, false), weights);
        match_ranks(&values, &weights);
        values = mean_from(values, rank_of(weights));
        weights = extend(weights, rank_of(values));
        weights = values == NULL ? NULL : heed_op_broadcast(weights, &values->shape);
        values = heed_op_multiply(values, weights);
        count = heed_op_sum(mean_from(weights, 1), NULL, 0, false);
    } else {
        count = number(values, values != NULL && rank_of(values) > 0 ? (float)values->shape.dims[0] : 1.0f);
    }
    heed_tensor *total = heed_op_sum(mean_from(values, 1), NULL, 0, false);
    return pair(total, count);
}
