/* Metrics that count: how often what was predicted. Their sums are not a total and a count alone. */
#include "model/measure_parts.h"

#include <math.h>

/* ---- tensors side by side, as one vector */

static heed_tensor *flat(heed_tensor *x) { return heed_op_reshape(x, &(heed_shape){1, {HEED_ANY}}); }

static heed_tensor *vector(heed_tensor *const *parts, int count)
{
    heed_tensor *flats[8];
    for (int i = 0; i < count; i++)
        if ((flats[i] = flat(parts[i])) == NULL)
            return NULL;
    return heed_op_concatenate(flats, count, 0);
}

static heed_tensor *inverted(heed_tensor *x) { return heed_op_scale(x, -1.0f, 1.0f); }

/* Weights for each element of x, of ones where there are none. */
static heed_tensor *weights_like(heed_tensor *weights, heed_tensor *x)
{
    if (x == NULL)
        return NULL;
    if (weights == NULL)
        return heed_graph_fill(x->graph, &x->shape, 1.0f);
    if (rank_of(weights) == rank_of(x) + 1 && heed_tensor_dim(weights, -1) == 1)
        weights = heed_op_squeeze(weights, -1);
    while (weights != NULL && rank_of(weights) < rank_of(x))
        weights = heed_op_expand(weights, -1);
    return heed_op_broadcast(weights, &x->shape);
}

/* ---- one threshold */

#define COUNTS_OPTIONS(X, C)                                                                                           \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, thresholds, INFINITY, "", "above it a prediction means 1; None: 0.5")
typedef struct counts_config {
    COUNTS_OPTIONS(HEED_OPTION_FIELD, )
} counts_config;

#define SHARES_OPTIONS(X, C)                                                                                           \
    COUNTS_OPTIONS(X, C)                                                                                               \
    X(C, INT, top_k, HEED_NONE, "[1,)", "how many of the likeliest classes are predicted, where no threshold is given") \
    X(C, INT, class_id, HEED_NONE, "[0,)", "the only class that counts; None: all")
typedef struct shares_config {
    SHARES_OPTIONS(HEED_OPTION_FIELD, )
} shares_config;

/* What is predicted to be 1, and what is, as floats of one shape. */
static void find_positives(double threshold, heed_tensor **truth, heed_tensor **prediction)
{
    heed_tensor *t = floats(*truth), *p = *prediction;
    match_ranks(&t, &p);
    *truth = floats(heed_op_not_equal(t, number(t, 0.0f)));
    *prediction = floats(heed_op_greater(p, number(p, (float)threshold)));
}

/* One class of the last axis, which stays. */
static heed_tensor *only_class(heed_tensor *x, int class_id)
{
    if (x != NULL && (rank_of(x) < 2 || class_id >= heed_tensor_dim(x, -1)))
        return heed_graph_fail(x->graph, HEED_ESHAPE, "class_id is out of range (expected below %lld, found %d)",
                               (long long)(rank_of(x) < 2 ? 1 : heed_tensor_dim(x, -1)), class_id);
    return heed_op_slice(x, -1, class_id, 1);
}

/* 1 for the k greatest of each row. */
static heed_tensor *among_greatest(heed_tensor *p, int k)
{
    heed_tensor *greater = floats(heed_op_greater(heed_op_expand(p, -2), heed_op_expand(p, -1)));
    return floats(heed_op_less(heed_op_sum(greater, &LAST, 1, false), number(p, (float)k)));
}

static void find_shares(const shares_config *o, heed_tensor **truth, heed_tensor **prediction)
{
    heed_tensor *p = *prediction, *chosen = o->top_k == HEED_NONE ? NULL : among_greatest(p, o->top_k);
    double otherwise = chosen == NULL ? 0.5 : -1e10;
    *truth = floats(*truth);
    match_ranks(truth, prediction);
    find_positives(isinf(o->thresholds) ? otherwise : o->thresholds, truth, prediction);
    if (chosen != NULL)
        *prediction = heed_op_multiply(*prediction, chosen);
    if (o->class_id != HEED_NONE) {
        *truth = only_class(*truth, o->class_id);
        *prediction = only_class(*prediction, o->class_id);
    }
}

static heed_tensor *weighted_sum(heed_tensor *x, heed_tensor *weights)
{
    return heed_op_sum(weights == NULL ? x : heed_op_multiply(x, weights_like(weights, x)), NULL, 0, false);
}

static heed_tensor *precision(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    find_shares(config, &t, &p);
    return vector((heed_tensor *[]){weighted_sum(heed_op_multiply(t, p), w), weighted_sum(p, w)}, 2);
}

static heed_tensor *recall(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    find_shares(config, &t, &p);
    return vector((heed_tensor *[]){weighted_sum(heed_op_multiply(t, p), w), weighted_sum(t, w)}, 2);
}

#define COUNT_OF(name, true_part, predicted_part)                                                                      \
    static heed_tensor *name(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)                       \
    {                                                                                                                  \
        const counts_config *o = config;                                                                               \
        find_positives(isinf(o->thresholds) ? 0.5 : o->thresholds, &t, &p);                                            \
        return flat(weighted_sum(heed_op_multiply(true_part, predicted_part), w));                                     \
    }
COUNT_OF(true_positives, t, p)
COUNT_OF(false_positives, inverted(t), p)
COUNT_OF(true_negatives, inverted(t), inverted(p))
COUNT_OF(false_negatives, t, inverted(p))

static double first_alone(const void *config, const double *sums, int64_t count) { return sums[0]; }

/* ---- many thresholds: true and all positives at each; then the weight of what is true, and of all */

static double share(double part, double whole) { return whole != 0.0 ? part / whole : 0.0; }

/* The i-th of `count` thresholds from 0 to 1; with `beyond`, the ends lie outside of it. */
static float threshold_at(int64_t i, int64_t count, bool beyond)
{
    if (count == 1)
        return 0.5f;
    if (beyond && (i == 0 || i == count - 1))
        return i == 0 ? -EPSILON : 1.0f + EPSILON;
    return (float)((double)i / (double)(count - 1));
}

/* An even row of thresholds; or those of an expression, in rising order, between ends beyond 0 and 1. *count is set to how
 * many there are. */
static heed_status read_thresholds(heed_zone *z, const char *given, bool beyond, int *count, float **out)
{
    heed_value *list = NULL;
    if (given != NULL)
        HEED_TRY(heed_value_parse(z, "thresholds", given, &list));
    bool alone = list != NULL && !heed_value_is(list, HEED_VALUE_LIST);
    *count = list == NULL ? *count : 2 + (alone ? 1 : (int)list->count);
    *out = heed_zone_alloc(z, (size_t)*count, sizeof **out);
    if (*out == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < *count; i++)
        (*out)[i] = threshold_at(i, *count, beyond);
    int at = 1;
    for (const heed_value *item = list == NULL || alone ? list : list->first; item != NULL;
         item = alone ? NULL : item->next) {
        double number;
        HEED_TRY(heed_value_as_real(z->context, item, "thresholds", &number));
        (*out)[at++] = (float)number;
    }
    return HEED_OK;
}

/* `given` as read_thresholds() has it; NULL: `count` of them, evenly. */
static heed_tensor *at_thresholds(heed_tensor *t, heed_tensor *p, heed_tensor *w, int count, const char *given,
                                  bool beyond)
{
    float *numbers;
    t = floats(t);
    match_ranks(&t, &p);
    if (t == NULL || p == NULL)
        return NULL;
    heed_status status = read_thresholds(&p->graph->zone, given, beyond, &count, &numbers);
    if (status == HEED_ENOMEM)
        return heed_graph_fail(p->graph, status, "out of memory");
    if (status != HEED_OK)
        return heed_graph_fail(p->graph, status, "thresholds are no numbers (found %.60s)", given);
    heed_tensor *thresholds = heed_graph_constant(p->graph, &(heed_array){HEED_FLOAT32, {2, {1, count}}, numbers});
    heed_tensor *weights = flat(weights_like(w, t)), *truth = heed_op_multiply(flat(t), weights);
    heed_tensor *positive = floats(heed_op_greater(heed_op_expand(flat(p), -1), thresholds)); /* (elements, count) */
    heed_tensor *rows[] = {heed_op_expand(truth, 0), heed_op_expand(weights, 0)};
    heed_tensor *sums = heed_op_matmul(heed_op_concatenate(rows, 2, 0), positive);
    return vector((heed_tensor *[]){sums, heed_op_sum(truth, NULL, 0, false), heed_op_sum(weights, NULL, 0, false)}, 3);
}

/* What has been counted at one threshold. */
typedef struct counted {
    double tp, fp, tn, fn;
} counted;

static counted counted_at(const double *sums, int64_t thresholds, int64_t i)
{
    double positives = sums[2 * thresholds], all = sums[2 * thresholds + 1];
    counted c = {.tp = sums[i], .fp = sums[thresholds + i] - sums[i]};
    c.fn = positives - c.tp;
    c.tn = all - positives - c.fp;
    return c;
}

static int64_t thresholds_of(int64_t count) { return (count - 2) / 2; }

#define AUC_OPTIONS(X, C)                                                                                              \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, INT, num_thresholds, 200, "[2,)", "points of the curve")                                                      \
    X(C, NUMBERS, thresholds, NULL, "", "where they lie, in rising order, without 0 and 1; None: evenly")              \
    X(C, TEXT, curve, "ROC", "ROC|PR", "true over false positives, or precision over recall")                          \
    X(C, TEXT, summation_method, "interpolation", "interpolation|minoring|majoring", "height between two points")      \
    X(C, BOOL, multi_label, false, "", "always false")                                                                 \
    X(C, BOOL, from_logits, false, "", "predictions are before the sigmoid, not behind it")
typedef struct auc_config {
    AUC_OPTIONS(HEED_OPTION_FIELD, )
} auc_config;

static heed_tensor *auc(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const auc_config *o = config;
    if (o->multi_label && p != NULL)
        return heed_graph_fail(p->graph, HEED_EUNSUPPORTED, "multi_label is not supported");
    return at_thresholds(t, o->from_logits ? heed_op_sigmoid(p) : p, w, o->num_thresholds, o->thresholds, true);
}

/* Davis and Goadrich 2006: precision between two points is not linear in recall. */
static double interpolated_precision_area(const double *sums, int64_t n)
{
    double area = 0.0;
    for (int64_t i = 0; i + 1 < n; i++) {
        counted a = counted_at(sums, n, i), b = counted_at(sums, n, i + 1);
        double pa = a.tp + a.fp, pb = b.tp + b.fp, dtp = a.tp - b.tp, slope = share(dtp, fmax(pa - pb, 0.0));
        double intercept = b.tp - slope * pb, ratio = pa > 0.0 && pb > 0.0 ? pa / pb : 1.0;
        area += share(slope * (dtp + intercept * log(ratio)), fmax(b.tp + b.fn, 0.0));
    }
    return area;
}

static void point_of(counted c, bool roc, double *x, double *y)
{
    double recall_here = share(c.tp, c.tp + c.fn);
    *x = roc ? share(c.fp, c.fp + c.tn) : recall_here;
    *y = roc ? recall_here : share(c.tp, c.tp + c.fp);
}

static double area_under(const void *config, const double *sums, int64_t count)
{
    const auc_config *o = config;
    int64_t n = thresholds_of(count);
    bool roc = o->curve[0] == 'R', between = o->summation_method[0] == 'i', least = o->summation_method[1] == 'i';
    double area = 0.0, x, y, next_x, next_y;
    if (!roc && between)
        return interpolated_precision_area(sums, n);
    for (int64_t i = 0; i + 1 < n; i++) {
        point_of(counted_at(sums, n, i), roc, &x, &y);
        point_of(counted_at(sums, n, i + 1), roc, &next_x, &next_y);
        area += (x - next_x) * (between ? (y + next_y) / 2.0 : least ? fmin(y, next_y) : fmax(y, next_y));
    }
    return area;
}

#define AT_OPTIONS(X, C, given)                                                                                        \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, given, 0.5, "[0,1]", "what must at least be reached")                                                  \
    X(C, INT, num_thresholds, 200, "[1,)", "among how many thresholds the best is looked for")                         \
    X(C, INT, class_id, HEED_NONE, "[0,)", "the only class that counts; None: all")
#define SPECIFICITY_OPTIONS(X, C) AT_OPTIONS(X, C, specificity)
#define SENSITIVITY_OPTIONS(X, C) AT_OPTIONS(X, C, sensitivity)
#define RECALL_OPTIONS(X, C)      AT_OPTIONS(X, C, recall)
#define PRECISION_OPTIONS(X, C)   AT_OPTIONS(X, C, precision)
typedef struct at_config {
    AT_OPTIONS(HEED_OPTION_FIELD, , given)
} at_config;
/* The same, by the names that their options have. */
typedef struct specificity_config { SPECIFICITY_OPTIONS(HEED_OPTION_FIELD, ) } specificity_config;
typedef struct sensitivity_config { SENSITIVITY_OPTIONS(HEED_OPTION_FIELD, ) } sensitivity_config;
typedef struct recall_config { RECALL_OPTIONS(HEED_OPTION_FIELD, ) } recall_config;
typedef struct precision_config { PRECISION_OPTIONS(HEED_OPTION_FIELD, ) } precision_config;

static heed_tensor *at(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const at_config *o = config;
    t = floats(t);
    match_ranks(&t, &p);
    if (o->class_id != HEED_NONE) {
        t = only_class(t, o->class_id);
        p = only_class(p, o->class_id);
    }
    return at_thresholds(t, p, w, o->num_thresholds, NULL, false);
}

static double sensitivity_of(counted c) { return share(c.tp, c.tp + c.fn); }
static double specificity_of(counted c) { return share(c.tn, c.tn + c.fp); }
static double precision_of(counted c) { return share(c.tp, c.tp + c.fp); }

/* The best `wanted` of the thresholds where `bound` is as great as asked for. */
static double best_at(const at_config *o, const double *sums, int64_t count, double (*bound)(counted),
                      double (*wanted)(counted))
{
    int64_t n = thresholds_of(count);
    double best = 0.0;
    for (int64_t i = 0; i < n; i++) {
        counted c = counted_at(sums, n, i);
        if (bound(c) >= o->given)
            best = fmax(best, wanted(c));
    }
    return best;
}

#define BEST(name, bound, wanted)                                                                                      \
    static double name(const void *config, const double *sums, int64_t count)                                          \
    {                                                                                                                  \
        return best_at(config, sums, count, bound, wanted);                                                            \
    }
BEST(best_sensitivity, specificity_of, sensitivity_of)
BEST(best_specificity, sensitivity_of, specificity_of)
BEST(best_precision, sensitivity_of, precision_of)
BEST(best_recall, precision_of, sensitivity_of)

/* ---- F scores: true, false positives, false negatives, weight of the truth; each by class */

#define F1_OPTIONS(X, C)                                                                                               \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, TEXT, average, NULL, "None|micro|macro|weighted", "how classes become one number; None cannot be told")     \
    X(C, FLOAT, threshold, INFINITY, "(0,)", "above it a class is predicted; None: the likeliest is")
#define FBETA_OPTIONS(X, C)                                                                                            \
    F1_OPTIONS(X, C)                                                                                                   \
    X(C, FLOAT, beta, 1.0, "(0,)", "how many times as much recall counts as precision")
typedef struct f1_config {
    F1_OPTIONS(HEED_OPTION_FIELD, )
} f1_config;
typedef struct fbeta_config {
    FBETA_OPTIONS(HEED_OPTION_FIELD, )
} fbeta_config;

static heed_tensor *f_sums(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const f1_config *o = config;
    const int first = 0;
    t = floats(t);
    if (p == NULL)
        return NULL;
    if (o->average == NULL || o->average[0] == 'N')
        return heed_graph_fail(p->graph, HEED_EUNSUPPORTED,
                               "without an average the result is no number (expected average micro, macro or weighted)");
    if (rank_of(p) != 2 || rank_of(t) != 2)
        return heed_graph_fail(p->graph, HEED_ESHAPE, "it needs truths and predictions (B, classes)");
    heed_tensor *likeliest = heed_op_max(p, &LAST, 1, true);
    heed_tensor *chosen = isinf(o->threshold)
                              ? heed_op_and(heed_op_greater_equal(p, likeliest),
                                            heed_op_greater(heed_op_abs(p), number(p, 1e-9f)))
                              : heed_op_greater(p, number(p, (float)o->threshold));
    p = floats(chosen);
    w = weights_like(w, p);
    heed_tensor *parts[] = {heed_op_multiply(p, t), heed_op_multiply(p, inverted(t)), heed_op_multiply(inverted(p), t), t};
    for (int i = 0; i < 4; i++)
        parts[i] = heed_op_sum(heed_op_multiply(parts[i], w), o->average[1] == 'i' ? NULL : &first, o->average[1] != 'i',
                               false);
    return vector(parts, 4);
}

static double f_result(const char *average, double beta, const double *sums, int64_t count)
{
    const double epsilon = EPSILON;
    int64_t classes = count / 4;
    double total = 0.0, weights = epsilon;
    for (int64_t i = 0; i < classes; i++)
        weights += sums[3 * classes + i];
    for (int64_t i = 0; i < classes; i++) {
        double tp = sums[i], p = tp / (tp + sums[classes + i] + epsilon), r = tp / (tp + sums[2 * classes + i] + epsilon);
        double score = p * r / (beta * beta * p + r + epsilon) * (1.0 + beta * beta);
        total += average[0] == 'w' ? score * sums[3 * classes + i] / weights : score / (double)classes;
    }
    return total;
}

static double f1(const void *config, const double *sums, int64_t count)
{
    return f_result(((const f1_config *)config)->average, 1.0, sums, count);
}

static double fbeta(const void *config, const double *sums, int64_t count)
{
    const fbeta_config *o = config;
    return f_result(o->average, o->beta, sums, count);
}

/* ---- intersection over union: how often each class was predicted for each, a row a true class */

#define TARGETS_OPTION(X, C)                                                                                           \
    X(C, SHAPE, target_class_ids, {0}, "[0,)", "the classes that count, at most 8")
#define CLASSES_OPTION(X, C) X(C, INT, num_classes, 2, "[1,)", "how many classes there are")
#define SPARSE_OPTIONS(X, C)                                                                                           \
    X(C, INT, ignore_class, HEED_NONE, "", "a true class that does not count; None: each does")                        \
    X(C, BOOL, sparse_y_true, true, "", "truths are numbers of classes, not one-hot")                                  \
    X(C, BOOL, sparse_y_pred, true, "", "predictions are numbers of classes, not likelihoods")                         \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the classes")
#define IOU_OPTIONS(X, C)          HEED_MEASURE_OPTIONS(X, C) CLASSES_OPTION(X, C) TARGETS_OPTION(X, C) SPARSE_OPTIONS(X, C)
#define MEAN_IOU_OPTIONS(X, C)     HEED_MEASURE_OPTIONS(X, C) CLASSES_OPTION(X, C) SPARSE_OPTIONS(X, C)
#define BINARY_IOU_OPTIONS(X, C)                                                                                       \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, SHAPE, target_class_ids, HEED_DIMS(2, 0, 1), "[0,1]", "the classes that count")                               \
    X(C, FLOAT, threshold, 0.5, "", "from it on a prediction means 1")
#define ONE_HOT_OPTIONS(X, C)                                                                                          \
    X(C, INT, ignore_class, HEED_NONE, "", "a true class that does not count; None: each does")                        \
    X(C, BOOL, sparse_y_pred, false, "", "predictions are numbers of classes, not likelihoods")                        \
    X(C, INT, axis, -1, "[-1,-1]", "axis of the classes")
#define ONE_HOT_IOU_OPTIONS(X, C)                                                                                      \
    HEED_MEASURE_OPTIONS(X, C) CLASSES_OPTION(X, C) TARGETS_OPTION(X, C) ONE_HOT_OPTIONS(X, C)
#define ONE_HOT_MEAN_IOU_OPTIONS(X, C) HEED_MEASURE_OPTIONS(X, C) CLASSES_OPTION(X, C) ONE_HOT_OPTIONS(X, C)
typedef struct iou_config { IOU_OPTIONS(HEED_OPTION_FIELD, ) } iou_config;
typedef struct mean_iou_config { MEAN_IOU_OPTIONS(HEED_OPTION_FIELD, ) } mean_iou_config;
typedef struct binary_iou_config { BINARY_IOU_OPTIONS(HEED_OPTION_FIELD, ) } binary_iou_config;
typedef struct one_hot_iou_config { ONE_HOT_IOU_OPTIONS(HEED_OPTION_FIELD, ) } one_hot_iou_config;
typedef struct one_hot_mean_iou_config { ONE_HOT_MEAN_IOU_OPTIONS(HEED_OPTION_FIELD, ) } one_hot_mean_iou_config;

static heed_tensor *whole(heed_tensor *x) { return x == NULL || x->dtype == HEED_INT32 ? x : heed_op_cast(x, HEED_INT32); }

/* (classes, classes): weights, cut to whole numbers as in Keras, by true class and predicted class. What is no class counts
 * nowhere. */
static heed_tensor *confusion(heed_tensor *t, heed_tensor *p, heed_tensor *w, int classes, int ignored)
{
    t = whole(t);
    p = whole(p);
    match_ranks(&t, &p);
    if (t == NULL || p == NULL)
        return NULL;
    heed_tensor *weights = floats(whole(flat(weights_like(w, t))));
    if (ignored != HEED_NONE) {
        heed_tensor *class = heed_op_cast(number(t, (float)ignored), HEED_INT32);
        weights = heed_op_multiply(weights, floats(heed_op_not_equal(flat(t), class)));
    }
    heed_tensor *truth = heed_op_multiply(heed_op_one_hot(flat(t), classes), heed_op_expand(weights, -1));
    return flat(heed_op_matmul_transposed(truth, true, heed_op_one_hot(flat(p), classes), false));
}

static heed_tensor *iou(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const iou_config *o = config;
    return confusion(o->sparse_y_true ? t : heed_op_argmax(floats(t)), o->sparse_y_pred ? p : heed_op_argmax(p), w,
                     o->num_classes, o->ignore_class);
}

static heed_tensor *mean_iou(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const mean_iou_config *o = config;
    return confusion(o->sparse_y_true ? t : heed_op_argmax(floats(t)), o->sparse_y_pred ? p : heed_op_argmax(p), w,
                     o->num_classes, o->ignore_class);
}

static heed_tensor *one_hot_iou(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const one_hot_iou_config *o = config;
    return confusion(heed_op_argmax(floats(t)), o->sparse_y_pred ? p : heed_op_argmax(p), w, o->num_classes,
                     o->ignore_class);
}

static heed_tensor *one_hot_mean_iou(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const one_hot_mean_iou_config *o = config;
    return confusion(heed_op_argmax(floats(t)), o->sparse_y_pred ? p : heed_op_argmax(p), w, o->num_classes,
                     o->ignore_class);
}

static heed_tensor *binary_iou(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    float threshold = (float)((const binary_iou_config *)config)->threshold;
    return confusion(t, floats(heed_op_greater_equal(p, number(p, threshold))), w, 2, HEED_NONE);
}

/* The mean over the classes that occur; `ids` NULL: of all. */
static double iou_result(const heed_shape *ids, const double *sums, int64_t count)
{
    int64_t classes = (int64_t)llround(sqrt((double)count)), chosen = ids == NULL ? classes : ids->rank;
    double total = 0.0, valid = 0.0;
    for (int64_t i = 0; i < chosen; i++) {
        int64_t class = ids == NULL ? i : ids->dims[i];
        double both = 0.0;
        if (class >= classes)
            continue;
        for (int64_t j = 0; j < classes; j++)
            both += sums[class * classes + j] + sums[j * classes + class];
        double hits = sums[class * classes + class], either = both - hits;
        if (either > 1e-9) {
            total += hits / (either + EPSILON);
            valid += 1.0;
        }
    }
    return total / (valid + EPSILON);
}

static double iou_mean(const void *config, const double *sums, int64_t count) { return iou_result(NULL, sums, count); }
static double iou_of(const void *config, const double *sums, int64_t count)
{
    return iou_result(&((const iou_config *)config)->target_class_ids, sums, count);
}
static double one_hot_iou_of(const void *config, const double *sums, int64_t count)
{
    return iou_result(&((const one_hot_iou_config *)config)->target_class_ids, sums, count);
}
static double binary_iou_of(const void *config, const double *sums, int64_t count)
{
    return iou_result(&((const binary_iou_config *)config)->target_class_ids, sums, count);
}

/* ---- the table */

MEASURE(precision, "precision", "Precision", shares_config, SHARES_OPTIONS, .sums = precision)
MEASURE(recall, "recall", "Recall", shares_config, SHARES_OPTIONS, .sums = recall)
#define COUNTS(id, title) MEASURE(id, #id, title, counts_config, COUNTS_OPTIONS, .sums = id, .result = first_alone)
COUNTS(true_positives, "TruePositives")
COUNTS(false_positives, "FalsePositives")
COUNTS(true_negatives, "TrueNegatives")
COUNTS(false_negatives, "FalseNegatives")
MEASURE(auc, "auc", "AUC", auc_config, AUC_OPTIONS, .sums = auc, .result = area_under)
MEASURE(sensitivity_at_specificity, "sensitivity_at_specificity", "SensitivityAtSpecificity", specificity_config,
        SPECIFICITY_OPTIONS, .sums = at, .result = best_sensitivity)
MEASURE(specificity_at_sensitivity, "specificity_at_sensitivity", "SpecificityAtSensitivity", sensitivity_config,
        SENSITIVITY_OPTIONS, .sums = at, .result = best_specificity)
MEASURE(precision_at_recall, "precision_at_recall", "PrecisionAtRecall", recall_config, RECALL_OPTIONS, .sums = at,
        .result = best_precision)
MEASURE(recall_at_precision, "recall_at_precision", "RecallAtPrecision", precision_config, PRECISION_OPTIONS, .sums = at,
        .result = best_recall)
MEASURE(f1_score, "f1_score", "F1Score", f1_config, F1_OPTIONS, .sums = f_sums, .result = f1)
MEASURE(fbeta_score, "fbeta_score", "FBetaScore", fbeta_config, FBETA_OPTIONS, .sums = f_sums, .result = fbeta)
MEASURE(iou, "iou", "IoU", iou_config, IOU_OPTIONS, .sums = iou, .result = iou_of, .sparse = true)
MEASURE(binary_iou, "binary_iou", "BinaryIoU", binary_iou_config, BINARY_IOU_OPTIONS, .sums = binary_iou,
        .result = binary_iou_of)
MEASURE(mean_iou, "mean_iou", "MeanIoU", mean_iou_config, MEAN_IOU_OPTIONS, .sums = mean_iou, .result = iou_mean,
        .sparse = true)
MEASURE(one_hot_iou, "one_hot_iou", "OneHotIoU", one_hot_iou_config, ONE_HOT_IOU_OPTIONS, .sums = one_hot_iou,
        .result = one_hot_iou_of)
MEASURE(one_hot_mean_iou, "one_hot_mean_iou", "OneHotMeanIoU", one_hot_mean_iou_config, ONE_HOT_MEAN_IOU_OPTIONS,
        .sums = one_hot_mean_iou, .result = iou_mean)
