/* Metrics of how well numbers agree: R2, correlations. */
#include "model/measure_parts.h"

#include <math.h>
#include <string.h>

/* ---- R2: sums of the truth, of its squares, of squared errors, and weights, by output; then the number of elements */

#define R2_OPTIONS(X, C)                                                                                               \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, TEXT, class_aggregation, "uniform_average", "uniform_average|variance_weighted_average",                      \
      "how outputs become one number")                                                                                 \
    X(C, INT, num_regressors, 0, "[0,)", "inputs of the model, for the adjusted score; 0: not adjusted")
typedef struct r2_config {
    R2_OPTIONS(HEED_OPTION_FIELD, )
} r2_config;

static heed_tensor *r2_sums(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor *w)
{
    const int first = 0;
    t = floats(t);
    match_ranks(&t, &p);
    if (t == NULL || p == NULL)
        return NULL;
    if (rank_of(t) != 2 || rank_of(p) != 2)
        return heed_graph_fail(p->graph, HEED_ESHAPE, "it needs truths and predictions (B, outputs)");
    if (w != NULL && rank_of(w) == 1)
        w = heed_op_expand(w, 1);
    w = w == NULL ? heed_graph_fill(p->graph, &t->shape, 1.0f) : heed_op_broadcast(w, &t->shape);
    heed_tensor *weighted = heed_op_multiply(t, w), *error = heed_op_square(heed_op_subtract(t, p));
    heed_tensor *columns[] = {weighted, heed_op_multiply(t, weighted), heed_op_multiply(error, w), w}, *parts[5];
    for (int i = 0; i < 4; i++)
        parts[i] = heed_op_sum(columns[i], &first, 1, false);
    parts[4] = heed_op_expand(number(p, (float)t->count), 0);
    return heed_op_concatenate(parts, 5, 0);
}

static double r2(const void *config, const double *sums, int64_t count)
{
    const r2_config *o = config;
    int64_t outputs = (count - 1) / 4;
    bool uniform = strcmp(o->class_aggregation, "uniform_average") == 0;
    double score = 0.0, all = 0.0, n = sums[count - 1], inputs = o->num_regressors;
    for (int64_t i = 0; i < outputs; i++) {
        double sum = sums[i], total = sums[outputs + i] - sum * sum / sums[3 * outputs + i];
        double raw = 1.0 - sums[2 * outputs + i] / total, weight = uniform ? 1.0 : total;
        score += weight * (isinf(raw) ? 0.0 : raw);
        all += weight;
    }
    score /= all;
    return o->num_regressors == 0 || inputs >= n - 1.0 ? score : 1.0 - (1.0 - score) * (n - 1.0) / (n - inputs - 1.0);
}

/* ---- correlations within each row */

#define CORRELATION_OPTIONS(X, C)                                                                                      \
    HEED_MEASURE_OPTIONS(X, C)                                                                                         \
    X(C, INT, axis, -1, "[-1,-1]", "axis of a row")
typedef struct correlation_config {
    CORRELATION_OPTIONS(HEED_OPTION_FIELD, )
} correlation_config;

static heed_tensor *mean_kept(heed_tensor *x) { return heed_op_mean(x, &LAST, 1, true); }

static heed_tensor *pearson(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    t = heed_op_subtract(t, mean_kept(t));
    p = heed_op_subtract(p, mean_kept(p));
    heed_tensor *widths = heed_op_multiply(heed_op_sqrt(mean_last(heed_op_square(t))),
                                           heed_op_sqrt(mean_last(heed_op_square(p))));
    return heed_op_divide(mean_last(heed_op_multiply(t, p)), widths);
}

/* With Keras' covariance, which takes both from the prediction's mean. */
static heed_tensor *concordance(const void *config, heed_tensor *t, heed_tensor *p, heed_tensor **valid)
{
    t = floats(t);
    match_ranks(&t, &p);
    heed_tensor *mean_t = mean_kept(t), *mean_p = mean_kept(p), *from_p = heed_op_subtract(p, mean_p);
    heed_tensor *variances = heed_op_add(mean_kept(heed_op_square(heed_op_subtract(t, mean_t))),
                                         mean_kept(heed_op_square(from_p)));
    heed_tensor *norm = heed_op_add(variances, heed_op_square(heed_op_subtract(mean_t, mean_p)));
    heed_tensor *together = heed_op_multiply(heed_op_subtract(t, mean_p), from_p);
    return heed_op_scale(mean_last(heed_op_divide(together, heed_op_scale(norm, 1.0f, EPSILON))), 2.0f, 0.0f);
}

MEASURE(r2_score, "r2_score", "R2Score", r2_config, R2_OPTIONS, .sums = r2_sums, .result = r2)
MEASURE(pearson_correlation, "pearson_correlation", "PearsonCorrelation", correlation_config, CORRELATION_OPTIONS,
        .values = pearson)
MEASURE(concordance_correlation, "concordance_correlation", "ConcordanceCorrelation", correlation_config,
        CORRELATION_OPTIONS, .values = concordance)
