/* Losses for rare classes (focal), for overlaps of shapes, for embeddings, for labels that may be wrong, and for sequences whose
 * labels have no places. */
#include "model/measure_parts.h"

/* ---- focal: what is predicted well counts less */

#define FOCAL_OPTIONS(X, C)                                                                                            \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, alpha, 0.25, "", "weight of the true class")                                                           \
    X(C, FLOAT, gamma, 2.0, "[0,)", "how much less what is predicted well counts")                                     \
    X(C, BOOL, from_logits, false, "", "predictions are before the sigmoid (softmax), not behind it")                  \
    X(C, FLOAT, label_smoothing, 0.0, "[0,1]", "share of the truth that is spread over all classes")                   \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the classes")
#define BINARY_FOCAL_OPTIONS(X, C)                                                                                     \
    FOCAL_OPTIONS(X, C)                                                                                                \
    X(C, BOOL, apply_class_balancing, false, "", "whether alpha counts")
typedef struct focal_config {
    FOCAL_OPTIONS(HEED_OPTION_FIELD, )
} focal_config;
typedef struct binary_focal_config {
    BINARY_FOCAL_OPTIONS(HEED_OPTION_FIELD, )
} binary_focal_config;

static heed_tensor *inverted(heed_tensor *x) { return heed_op_scale(x, -1.0f, 1.0f); }

/* yes where the truth is 1, no where it is 0. */
static heed_tensor *mixed(heed_tensor *t, heed_tensor *yes, heed_tensor *no)
{
    return heed_op_add(heed_op_multiply(t, yes), heed_op_multiply(inverted(t), no));
}

static heed_tensor *binary_focal(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const binary_focal_config *o = config;
    float s = (float)o->label_smoothing;
    t = floats(t);
    match_ranks(&t, &p);
    if (s > 0.0f)
        t = heed_op_scale(t, 1.0f - s, 0.5f * s);
    if (o->from_logits)
        p = heed_op_sigmoid(p);
    heed_tensor *entropy = heed_binary_entropy(t, p, o->from_logits ? NULL : heed_logits_behind(p, HEED_SQUASH_SIGMOID));
    heed_tensor *missed = inverted(mixed(t, p, inverted(p)));
    heed_tensor *values = heed_op_multiply(heed_op_power(missed, (float)o->gamma), entropy);
    if (o->apply_class_balancing)
        values = heed_op_multiply(mixed(t, number(t, (float)o->alpha), number(t, 1.0f - (float)o->alpha)), values);
    return mean_last(values);
}

static heed_tensor *categorical_focal(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const focal_config *o = config;
    float s = (float)o->label_smoothing;
    t = floats(t);
    match_ranks(&t, &p);
    if (s > 0.0f)
        t = heed_op_scale(t, 1.0f - s, s / (float)heed_tensor_dim(t, -1));
    if (o->from_logits)
        p = heed_op_softmax(p, NULL);
    p = heed_op_clip(heed_op_divide(p, sum_last_kept(p)), EPSILON, 1.0f - EPSILON);
    heed_tensor *focus = heed_op_scale(heed_op_power(inverted(p), (float)o->gamma), (float)o->alpha, 0.0f);
    return heed_op_negative(sum_last(heed_op_multiply(focus, heed_op_multiply(t, heed_op_log(p)))));
}

/* ---- overlap of a shape and its prediction */

#define DICE_OPTIONS(X, C)                                                                                             \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, SHAPE, axis, {0}, "", "axes of one shape; None: all, the batch too")
typedef struct dice_config {
    DICE_OPTIONS(HEED_OPTION_FIELD, )
} dice_config;
#define TVERSKY_OPTIONS(X, C)                                                                                          \
    DICE_OPTIONS(X, C)                                                                                                 \
    X(C, FLOAT, alpha, 0.5, "", "weight of what was not predicted")                                                    \
    X(C, FLOAT, beta, 0.5, "", "weight of what was predicted and is not")
typedef struct tversky_config {
    TVERSKY_OPTIONS(HEED_OPTION_FIELD, )
} tversky_config;

static heed_tensor *sum_over(heed_tensor *x, const heed_shape *axis)
{
    int axes[HEED_MAX_RANK];
    for (int i = 0; i < axis->rank; i++)
        axes[i] = (int)axis->dims[i];
    return heed_op_sum(x, axes, axis->rank, false);
}

static heed_tensor *dice(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const heed_shape *axis = &((const dice_config *)config)->axis;
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *common = heed_op_scale(sum_over(heed_op_multiply(t, p), axis), 2.0f, 0.0f);
    heed_tensor *all = heed_op_scale(heed_op_add(sum_over(t, axis), sum_over(p, axis)), 1.0f, EPSILON);
    return inverted(heed_op_divide(common, all));
}

static heed_tensor *tversky(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const tversky_config *o = config;
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *common = sum_over(heed_op_multiply(t, p), &o->axis);
    heed_tensor *missed = sum_over(heed_op_multiply(inverted(p), t), &o->axis);
    heed_tensor *extra = sum_over(heed_op_multiply(p, inverted(t)), &o->axis);
    heed_tensor *wrong = heed_op_add(heed_op_scale(missed, (float)o->alpha, EPSILON),
                                     heed_op_scale(extra, (float)o->beta, 0.0f));
    return inverted(heed_op_divide(common, heed_op_add(common, wrong)));
}

/* ---- circle: embeddings of one class near each other, of different ones apart */

#define CIRCLE_OPTIONS(X, C)                                                                                           \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, gamma, 80.0, "", "how sharply pairs are weighted")                                                     \
    X(C, FLOAT, margin, 0.4, "", "how near is near enough")                                                            \
    X(C, BOOL, remove_diagonal, true, "", "whether a row is left out of its own class")
typedef struct circle_config {
    CIRCLE_OPTIONS(HEED_OPTION_FIELD, )
} circle_config;

/* log sum exp of gamma max(weight, 0) apart, over the pairs that count. */
static heed_tensor *weigh_pairs(heed_tensor *weight, heed_tensor *apart, double gamma, heed_tensor *pairs)
{
    heed_tensor *held = heed_op_maximum(weight, number(weight, 0.0f));
    heed_tensor *scores = heed_op_scale(heed_op_multiply(held, apart), (float)gamma, 0.0f);
    scores = heed_op_select(pairs, scores, number(scores, -1e9f));
    heed_tensor *most = heed_op_stop_gradient(heed_op_max(scores, &LAST, 1, true));
    return heed_op_add(heed_op_log(sum_last(heed_op_exp(heed_op_subtract(scores, most)))), heed_op_squeeze(most, -1));
}

static heed_tensor *circle(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    const circle_config *o = config;
    float m = (float)o->margin;
    if (t == NULL || p == NULL)
        return NULL;
    if (rank_of(p) != 2 || t->count != p->shape.dims[0])
        return heed_graph_fail(p->graph, HEED_ESHAPE, "it needs embeddings (B, F) and a class for each");
    t = heed_op_cast(heed_op_reshape(t, &(heed_shape){1, {HEED_ANY}}), HEED_INT32);
    heed_tensor *apart = heed_op_scale(heed_op_matmul_transposed(p, false, p, true), -1.0f, 1.0f);
    apart = heed_op_maximum(apart, number(p, 0.0f));
    heed_tensor *same = heed_op_equal(heed_op_expand(t, -1), heed_op_expand(t, 0)), *other = heed_op_not(same);
    if (o->remove_diagonal) {
        int32_t *rows = heed_zone_alloc(&p->graph->zone, (size_t)p->shape.dims[0], sizeof *rows);
        if (rows == NULL)
            return heed_graph_fail(p->graph, HEED_ENOMEM, "out of memory");
        for (int64_t i = 0; i < p->shape.dims[0]; i++)
            rows[i] = (int32_t)i;
        heed_tensor *row = heed_graph_constant(p->graph, &(heed_array){HEED_INT32, {1, {p->shape.dims[0]}}, rows});
        same = heed_op_and(same, heed_op_not_equal(heed_op_expand(row, -1), heed_op_expand(row, 0)));
    }
    heed_tensor *near = weigh_pairs(heed_op_scale(apart, 1.0f, m), heed_op_scale(apart, 1.0f, -m), o->gamma, same);
    heed_tensor *far = weigh_pairs(heed_op_scale(apart, -1.0f, 1.0f + m), heed_op_scale(apart, -1.0f, 1.0f - m), o->gamma,
                                   other);
    heed_tensor *values = heed_op_function(heed_op_add(near, far), "softplus", 0, 0);
    *valid = heed_op_greater(values, number(p, 0.0f));
    return values;
}

/* ---- between cross entropy (q to 0) and the absolute error (q 1) */

#define GENERALIZED_OPTIONS(X, C)                                                                                      \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, q, 0.5, "(0,1)", "how little labels that may be wrong count")
typedef struct generalized_config {
    GENERALIZED_OPTIONS(HEED_OPTION_FIELD, )
} generalized_config;

static heed_tensor *generalized(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    float q = (float)((const generalized_config *)config)->q;
    heed_tensor *chosen = heed_op_one_hot(heed_labels_for(t, p), heed_tensor_dim(p, -1));
    heed_tensor *right = sum_last(heed_op_multiply(p, chosen));
    return heed_op_scale(heed_op_power(right, q), -1.0f / q, 1.0f / q);
}

/* ---- labels of a sequence, without their places */

static heed_tensor *ctc(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    heed_tensor *frames = *valid;
    *valid = NULL;
    return heed_op_ctc_loss(heed_op_log_softmax(p), t == NULL ? NULL : heed_op_cast(t, HEED_INT32), frames);
}

/* ---- the table */

MEASURE(binary_focal, "binary_focal_crossentropy", "BinaryFocalCrossentropy", binary_focal_config, BINARY_FOCAL_OPTIONS,
        .values = binary_focal)
MEASURE(categorical_focal, "categorical_focal_crossentropy", "CategoricalFocalCrossentropy", focal_config, FOCAL_OPTIONS,
        .values = categorical_focal)
MEASURE(dice, "dice", "Dice", dice_config, DICE_OPTIONS, .values = dice)
MEASURE(tversky, "tversky", "Tversky", tversky_config, TVERSKY_OPTIONS, .values = tversky)
MEASURE(circle, "circle", "Circle", circle_config, CIRCLE_OPTIONS, .values = circle, .sparse = true)
MEASURE(generalized, "categorical_generalized_cross_entropy", "CategoricalGeneralizedCrossEntropy", generalized_config,
        GENERALIZED_OPTIONS, .values = generalized, .sparse = true)
PLAIN(ctc, "ctc", "CTC", .values = ctc, .sparse = true, .of_sequences = true)
