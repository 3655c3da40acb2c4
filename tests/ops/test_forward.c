/* What every operation computes, against plain loops in double precision: on every instruction set, with the same bits
 * at 1, 2, 3 and 8 threads. Shapes are small, empty, scalar, and large enough for several tiles of work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ops/op.h"
#include "support/op_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- where things are */

static void unravel(const heed_shape *s, int64_t at, int64_t *index)
{
    for (int i = s->rank - 1; i >= 0; i--) {
        index[i] = at % s->dims[i];
        at /= s->dims[i];
    }
}

static int64_t ravel(const heed_shape *s, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < s->rank; i++)
        at = at * s->dims[i] + index[i];
    return at;
}

/* The element of `a` that is broadcast to element `at` of a result of shape s. */
static double broadcast_at(const heed_array *a, const heed_shape *s, int64_t at)
{
    int64_t index[HEED_MAX_RANK], own[HEED_MAX_RANK];
    unravel(s, at, index);
    for (int i = 0; i < a->shape.rank; i++)
        own[i] = a->shape.dims[i] == 1 ? 0 : index[s->rank - a->shape.rank + i];
    return heed_test_at(a, ravel(&a->shape, own));
}

/* ---- references: operands a, result y of shape s */

typedef double function2(double, double);

static void each2(const heed_array *a, const heed_shape *s, double *y, function2 *f)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = f(broadcast_at(&a[0], s, i), broadcast_at(&a[1], s, i));
}

static double plus(double p, double q) { return p + q; }
static double minus(double p, double q) { return p - q; }
static double times(double p, double q) { return p * q; }
static double over(double p, double q) { return p / q; }
static double is_equal(double p, double q) { return p == q; }
static double is_not_equal(double p, double q) { return p != q; }
static double is_less(double p, double q) { return p < q; }
static double is_less_equal(double p, double q) { return p <= q; }
static double is_greater(double p, double q) { return p > q; }
static double is_greater_equal(double p, double q) { return p >= q; }
static double both(double p, double q) { return p != 0 && q != 0; }
static double either(double p, double q) { return p != 0 || q != 0; }

typedef double function1(double);

static void each1(const heed_array *a, const heed_shape *s, double *y, function1 *f)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = f(heed_test_at(&a[0], i));
}

static double same(double p) { return p; }
static double is_not(double p) { return p == 0; }
static double not_zero(double p) { return p != 0; }
static double half_up(double p) { return 0.5 * p + 1; }

static void choose(const heed_array *a, const heed_shape *s, double *y)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = broadcast_at(&a[broadcast_at(&a[0], s, i) != 0 ? 1 : 2], s, i);
}

/* axes as a set of bits; `start` and what joins two; `divide` for the mean. s may have the axes or not. */
static void reduce(const heed_array *a, const heed_shape *s, double *y, unsigned axes, double start, function2 *join,
                   bool divide)
{
    int64_t count = heed_shape_count(s), from = heed_array_count(&a[0]);
    for (int64_t i = 0; i < count; i++)
        y[i] = start;
    for (int64_t i = 0; i < from; i++) {
        int64_t index[HEED_MAX_RANK], to = 0;
        unravel(&a[0].shape, i, index);
        for (int d = 0; d < a[0].shape.rank; d++)
            if (!(axes >> d & 1))
                to = to * a[0].shape.dims[d] + index[d];
        y[to] = join(y[to], heed_test_at(&a[0], i));
    }
    for (int64_t i = 0; i < count && divide; i++)
        y[i] /= (double)from / (double)count;
}

static int64_t row_size(const heed_array *a) { return a->shape.dims[a->shape.rank - 1]; }

static void argmax(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t n = row_size(&a[0]);
    for (int64_t r = 0; r < heed_shape_count(s); r++) {
        y[r] = 0;
        for (int64_t i = 1; i < n; i++)
            if (heed_test_at(&a[0], r * n + i) > heed_test_at(&a[0], r * n + (int64_t)y[r]))
                y[r] = (double)i;
    }
}

static void cumsum(const heed_array *a, const heed_shape *s, double *y, int axis)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t index[HEED_MAX_RANK];
        unravel(s, i, index);
        y[i] = heed_test_at(&a[0], i);
        if (index[axis]-- > 0)
            y[i] += y[ravel(s, index)];
    }
}

/* Four elements become six: by one, by two, by all, by none. */
static const float weights_4_6[6 * 4] = {1, 0,  0, 0, 0.5f, 0.25f, 0, 0, 0, -1, 0, 2,
                                         1, 2, -1, 3, 0,    0,     0, 0, 0, 0,  0, 1};

static void blend(const heed_array *a, const heed_shape *s, double *y, int axis)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t index[HEED_MAX_RANK];
        unravel(s, i, index);
        const float *row = weights_4_6 + index[axis] * 4;
        y[i] = 0;
        for (index[axis] = 0; index[axis] < 4; index[axis]++)
            y[i] += row[index[axis]] * heed_test_at(&a[0], ravel(&a[0].shape, index));
    }
}

static void softmax(const heed_array *a, const heed_shape *s, double *y, bool masked)
{
    int64_t n = row_size(&a[0]), count = heed_shape_count(s);
    for (int64_t row = 0; row < count; row += n) {
        double sum = 0;
        for (int64_t i = row; i < row + n; i++)
            sum += y[i] = masked && broadcast_at(&a[1], s, i) == 0 ? 0 : exp(heed_test_at(&a[0], i));
        for (int64_t i = row; i < row + n && sum > 0; i++)
            y[i] /= sum;
    }
}

static void log_softmax(const heed_array *a, const heed_shape *s, double *y)
{
    softmax(a, s, y, false);
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = log(y[i]);
}

static void cross_entropy(const heed_array *a, const heed_shape *s, double *y, double smoothing)
{
    int64_t n = row_size(&a[0]);
    for (int64_t r = 0; r < heed_shape_count(s); r++) {
        double sum = 0, label = heed_test_at(&a[1], r);
        for (int64_t i = 0; i < n; i++)
            sum += exp(heed_test_at(&a[0], r * n + i));
        y[r] = 0;
        for (int64_t i = 0; i < n && label < (double)n; i++) {
            double truth = smoothing / (double)n + (i == (int64_t)label ? 1 - smoothing : 0);
            y[r] += truth * (log(sum) - heed_test_at(&a[0], r * n + i));
        }
    }
}

/* What `path` says, repetitions and then blanks (0) left out, is `labels` without theirs. */
static bool says(const int *path, int64_t steps, const heed_array *labels, int64_t row)
{
    int64_t at = 0, n = labels->shape.dims[1];
    for (int64_t t = 0; t < steps; t++) {
        if (path[t] == 0 || (t > 0 && path[t] == path[t - 1]))
            continue;
        while (at < n && heed_test_at(labels, row * n + at) == 0)
            at++;
        if (at == n || (int)heed_test_at(labels, row * n + at++) != path[t])
            return false;
    }
    while (at < n && heed_test_at(labels, row * n + at) == 0)
        at++;
    return at == n;
}

/* By all paths there are through the frames that a[2], if there is one, lets count. */
static void ctc_loss(const heed_array *a, const heed_shape *s, double *y, bool masked)
{
    enum { MOST = 16 };
    int64_t steps = a[0].shape.dims[1], classes = a[0].shape.dims[2];
    for (int64_t r = 0; r < s->dims[0]; r++) {
        int path[MOST] = {0}, frames[MOST], count = 0;
        bool outside = false;
        double sum = 0;
        for (int t = 0; t < steps; t++)
            if (!masked || heed_test_at(&a[2], r * steps + t) != 0)
                frames[count++] = t;
        for (int64_t i = 0; i < a[1].shape.dims[1]; i++)
            outside = outside || heed_test_at(&a[1], r * a[1].shape.dims[1] + i) >= (double)classes;
        for (int moved = 0; moved < count || count == 0; ) {
            double logs = 0;
            for (int t = 0; t < count; t++)
                logs += heed_test_at(&a[0], (r * steps + frames[t]) * classes + path[t]);
            if (says(path, count, &a[1], r))
                sum += exp(logs);
            for (moved = 0; moved < count && ++path[moved] == classes; moved++)
                path[moved] = 0;
            if (count == 0)
                break;
        }
        y[r] = outside ? 0 : -log(sum);
    }
}

/* Element by element from where `find` says: index of the result in, of operand 0 out; false: `other`. */
typedef bool find_function(int64_t *index);

static void moved(const heed_array *a, const heed_shape *s, double *y, find_function *find, double other)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t index[HEED_MAX_RANK];
        unravel(s, i, index);
        y[i] = find(index) ? heed_test_at(&a[0], ravel(&a[0].shape, index)) : other;
    }
}

static void exchange(int64_t *index, int i, int j)
{
    int64_t t = index[i];
    index[i] = index[j];
    index[j] = t;
}

static bool exchanged_01(int64_t *index) { return exchange(index, 0, 1), true; }
static bool exchanged_12(int64_t *index) { return exchange(index, 1, 2), true; }
static bool rotated(int64_t *index) /* order 2, 0, 1 */
{
    int64_t i = index[0], j = index[1], k = index[2];
    index[0] = j, index[1] = k, index[2] = i;
    return true;
}
static bool third_on(int64_t *index) { return index[1] += 2, true; }
static bool second_row_on(int64_t *index) { return index[0] += 1, true; }
static bool inside_of_3_first(int64_t *index) { return index[0] -= 2, index[0] >= 0 && index[0] < 3; }
static bool inside_of_5_last(int64_t *index) { return index[1] -= 1, index[1] >= 0 && index[1] < 5; }
static bool from_end_of_700(int64_t *index) { return index[1] = 699 - index[1], true; }
static bool from_end_of_4(int64_t *index) { return index[0] = 3 - index[0], true; }
static bool a_third_first(int64_t *index) { return index[0] /= 3, true; }
static bool half_last(int64_t *index) { return index[1] /= 2, true; }

static void broadcast(const heed_array *a, const heed_shape *s, double *y)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = broadcast_at(&a[0], s, i);
}

static void concatenate(const heed_array *a, const heed_shape *s, double *y, int axis)
{
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t index[HEED_MAX_RANK];
        int k = 0;
        for (unravel(s, i, index); index[axis] >= a[k].shape.dims[axis]; k++)
            index[axis] -= a[k].shape.dims[axis];
        y[i] = heed_test_at(&a[k], ravel(&a[k].shape, index));
    }
}

static void gather(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t ids = heed_array_count(&a[1]), width = ids > 0 ? heed_shape_count(s) / ids : 0;
    for (int64_t i = 0; i < ids; i++)
        for (int64_t j = 0; j < width; j++)
            y[i * width + j] = heed_test_at(&a[0], (int64_t)heed_test_at(&a[1], i) * width + j);
}

static void one_hot(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t depth = s->dims[s->rank - 1];
    for (int64_t i = 0; i < heed_shape_count(s); i++)
        y[i] = heed_test_at(&a[0], i / depth) == (double)(i % depth);
}

static void layer_norm(const heed_array *a, const heed_shape *s, double *y, double epsilon, bool shares)
{
    int64_t n = row_size(&a[0]);
    for (int64_t row = 0; row < heed_shape_count(s); row += n) {
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < n; i++)
            mean += heed_test_at(&a[0], row + i) / (double)n;
        for (int64_t i = 0; i < n; i++)
            variance += pow(heed_test_at(&a[0], row + i) - mean, 2) / (double)n;
        for (int64_t i = 0; i < n; i++) {
            y[row + i] = (heed_test_at(&a[0], row + i) - mean) / sqrt(variance + epsilon);
            if (shares)
                y[row + i] = y[row + i] * heed_test_at(&a[1], i) + heed_test_at(&a[2], i);
        }
    }
}

static void additive(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t tq = s->dims[1], tk = s->dims[2], u = row_size(&a[0]);
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t b = i / tk / tq, q = i / tk % tq, k = i % tk;
        y[i] = 0;
        for (int64_t l = 0; l < u; l++)
            y[i] += heed_test_at(&a[2], l) * tanh(heed_test_at(&a[0], (b * tq + q) * u + l) +
                                                  heed_test_at(&a[1], (b * tk + k) * u + l));
    }
}

/* The number of the key at place i of the windows (B, Tq, width), from ids `a` that are two higher than the starts; -1 where
 * there is none. */
static int64_t key_of(const heed_array *ids, const heed_shape *s, int64_t i, int64_t keys)
{
    int64_t row = i / s->dims[2], j = (int64_t)heed_test_at(ids, row % heed_array_count(ids)) - 2 + i % s->dims[2];
    return j < 0 || j >= keys ? -1 : j;
}

/* Operands: query, key, (scale, )starts. */
static void window_scores(const heed_array *a, const heed_shape *s, double *y, bool additive)
{
    int64_t tk = a[1].shape.dims[1], u = row_size(&a[0]);
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t row = i / s->dims[2], k = key_of(&a[additive ? 3 : 2], s, i, tk);
        y[i] = 0;
        for (int64_t l = 0; l < u && k >= 0; l++) {
            double q = heed_test_at(&a[0], row * u + l), key = heed_test_at(&a[1], (row / s->dims[1] * tk + k) * u + l);
            y[i] += additive ? heed_test_at(&a[2], l) * tanh(q + key) : q * key;
        }
    }
}

/* Operands: weights, value, starts; or, spread the other way, weights, x, starts. */
static void window_sum(const heed_array *a, const heed_shape *s, double *y, bool spread)
{
    const heed_shape *w = &a[0].shape;
    int64_t f = s->dims[2], tk = spread ? s->dims[1] : a[1].shape.dims[1];
    for (int64_t i = 0; i < heed_shape_count(w); i++) {
        int64_t row = i / w->dims[2], k = key_of(&a[2], w, i, tk), key = row / w->dims[1] * tk + k;
        for (int64_t l = 0; l < f && k >= 0; l++)
            y[(spread ? key : row) * f + l] +=
                heed_test_at(&a[0], i) * heed_test_at(&a[1], (spread ? row : key) * f + l);
    }
}

static void window_dense(const heed_array *a, const heed_shape *s, double *y)
{
    for (int64_t i = 0; i < heed_array_count(&a[0]); i++) {
        int64_t k = key_of(&a[1], &a[0].shape, i, s->dims[2]);
        if (k >= 0)
            y[i / row_size(&a[0]) * s->dims[2] + k] = heed_test_at(&a[0], i);
    }
}

static void window_take(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t keys = row_size(&a[0]);
    for (int64_t i = 0; i < heed_shape_count(s); i++) {
        int64_t row = i / s->dims[2], k = key_of(&a[1], s, i, keys);
        int64_t from = a[0].shape.dims[1] == 1 ? row / s->dims[1] : row;
        y[i] = k < 0 ? 0 : heed_test_at(&a[0], from * keys + k);
    }
}

static double logistic(double x) { return 1 / (1 + exp(-x)); }

/* h and c side by side */
static void lstm(const heed_array *a, const heed_shape *s, double *y, bool has_zh)
{
    int64_t u = s->dims[1] / 2;
    const heed_array *c_previous = &a[has_zh ? 2 : 1];
    for (int64_t r = 0; r < s->dims[0]; r++) {
        for (int64_t j = 0; j < u; j++) {
            double z[4];
            for (int g = 0; g < 4; g++)
                z[g] = heed_test_at(&a[0], (r * 4 + g) * u + j) +
                       (has_zh ? heed_test_at(&a[1], (r * 4 + g) * u + j) : 0);
            double c = logistic(z[1]) * heed_test_at(c_previous, r * u + j) + logistic(z[0]) * tanh(z[2]);
            y[r * 2 * u + j] = logistic(z[3]) * tanh(c);
            y[r * 2 * u + u + j] = c;
        }
    }
}

static void gru(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t u = s->dims[1];
    for (int64_t r = 0; r < s->dims[0]; r++) {
        for (int64_t j = 0; j < u; j++) {
            double zx[3], zh[3];
            for (int g = 0; g < 3; g++) {
                zx[g] = heed_test_at(&a[0], (r * 3 + g) * u + j);
                zh[g] = heed_test_at(&a[1], (r * 3 + g) * u + j);
            }
            double update = logistic(zx[0] + zh[0]), candidate = tanh(zx[2] + logistic(zx[1] + zh[1]) * zh[2]);
            y[r * u + j] = update * heed_test_at(&a[2], r * u + j) + (1 - update) * candidate;
        }
    }
}

/* gradients at sizes of several tiles; the last operand is dy */

static void gather_gradient(const heed_array *a, const heed_shape *s, double *y)
{
    int64_t width = heed_shape_count(s) / s->dims[0];
    for (int64_t i = 0; i < heed_array_count(&a[1]); i++)
        for (int64_t j = 0; j < width; j++)
            y[(int64_t)heed_test_at(&a[1], i) * width + j] += heed_test_at(&a[2], i * width + j);
}

/* dgamma, or dbeta, of operands x, gamma, beta, dy */
static void layer_norm_shares(const heed_array *a, const heed_shape *s, double *y, double epsilon, bool gamma)
{
    int64_t n = s->dims[0], count = heed_array_count(&a[0]);
    double *normal = calloc((size_t)count, sizeof *normal);
    assert_non_null(normal);
    layer_norm(a, &a[0].shape, normal, epsilon, false);
    for (int64_t i = 0; i < count; i++)
        y[i % n] += heed_test_at(&a[3], i) * (gamma ? normal[i] : 1);
    free(normal);
}

/* by operand 0, 1 or 2 of query, key, scale, de */
static void additive_gradient(const heed_array *a, const heed_shape *s, double *y, int by)
{
    int64_t tq = a[3].shape.dims[1], tk = a[3].shape.dims[2], u = row_size(&a[0]);
    for (int64_t i = 0; i < heed_array_count(&a[3]); i++) {
        int64_t q = (i / tk) * u, k = (i / tk / tq * tk + i % tk) * u;
        for (int64_t l = 0; l < u; l++) {
            double t = tanh(heed_test_at(&a[0], q + l) + heed_test_at(&a[1], k + l));
            double d = heed_test_at(&a[3], i) * (by == 2 ? t : heed_test_at(&a[2], l) * (1 - t * t));
            y[(by == 0 ? q : by == 1 ? k : 0) + l] += d;
        }
    }
}

/* ---- the cases: name, expression of x[0], x[1]..., result, reference, tolerance (of 1 + |expected|), operands */

#define AXES(...) (const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int)
#define SHAPE(...) &(const heed_shape)HEED_TEST_SHAPE(__VA_ARGS__)
#define IS(...) HEED_TEST_SHAPE(__VA_ARGS__)
#define IS_SCALAR {0, {0}}
#define ALL NULL, 0

/* Tolerances: 0 where nothing is computed; one rounding; a chain of functions; a sum, whose rounding grows with the
 * partial sums (at most 100 here, of a unit in the last place of 8e-6) rather than with the result. */
#define EXACT 0
#define ROUNDED 1e-7
#define CLOSE 2e-6
#define SUMMED 1e-4
#define SCORED 1e-5 /* a sum of 65 terms, each off by a rounding of two exponentials (2e-7) */

static heed_tensor *concatenate3(heed_tensor *const *x, int axis) { return heed_op_concatenate(x, 3, axis); }

static heed_tensor *lstm_both(heed_tensor *zx, heed_tensor *zh, heed_tensor *c_previous)
{
    heed_tensor *h, *c;
    heed_op_lstm(zx, zh, c_previous, &h, &c);
    return heed_op_concatenate((heed_tensor *[]){h, c}, 2, -1);
}

static heed_tensor *gradient(heed_tensor *y, heed_tensor *dy, heed_tensor *by)
{
    heed_tensor *result = NULL;
    heed_graph_gradients(y, dy, &by, 1, &result);
    return result;
}

static heed_tensor *scores(heed_tensor *const *x) { return heed_op_additive_scores(x[0], x[1], x[2]); }

/* Ids as the starts of windows: two lower, so that some windows begin before the first key. */
static heed_tensor *starts(heed_tensor *ids)
{
    return heed_op_cast(heed_op_scale(heed_op_cast(ids, HEED_FLOAT32), 1, -2), HEED_INT32);
}

static heed_tensor *lstm_gradient(heed_tensor *const *x)
{
    heed_tensor *by[] = {x[0], x[2]}, *d[2] = {NULL, NULL};
    heed_graph_gradients(lstm_both(x[0], x[1], x[2]), x[3], by, 2, d);
    return heed_op_concatenate(d, 2, -1);
}

static heed_tensor *gru_gradient(heed_tensor *const *x)
{
    heed_tensor *d[3] = {NULL, NULL, NULL};
    heed_graph_gradients(heed_op_gru(x[0], x[1], x[2]), x[3], x, 3, d);
    return heed_op_concatenate(d, 3, -1);
}

#define FORWARD_CASES(X)                                                                                               \
    X(add, heed_op_add(x[0], x[1]), IS(2, 3), each2(a, s, y, plus), ROUNDED, ANY(2, 3), ANY(2, 3))                     \
    X(add_large, heed_op_add(x[0], x[1]), IS(37, 1001), each2(a, s, y, plus), ROUNDED, ANY(37, 1001), ANY(37, 1001))   \
    X(add_row, heed_op_add(x[0], x[1]), IS(37, 1001), each2(a, s, y, plus), ROUNDED, ANY(37, 1001), ANY(1001))         \
    X(add_column, heed_op_add(x[0], x[1]), IS(37, 1001), each2(a, s, y, plus), ROUNDED, ANY(37, 1), ANY(37, 1001))     \
    X(add_outer, heed_op_add(x[0], x[1]), IS(130, 150), each2(a, s, y, plus), ROUNDED, ANY(130, 1), ANY(150))          \
    X(add_scalar, heed_op_add(x[0], x[1]), IS(9, 2000), each2(a, s, y, plus), ROUNDED, ANY_SCALAR, ANY(9, 2000))       \
    X(add_scalars, heed_op_add(x[0], x[1]), IS_SCALAR, each2(a, s, y, plus), ROUNDED, ANY_SCALAR, ANY_SCALAR)          \
    X(add_empty, heed_op_add(x[0], x[1]), IS(3, 0), each2(a, s, y, plus), ROUNDED, ANY(3, 0), ANY(1))                  \
    X(add_ones, heed_op_add(x[0], x[1]), IS(1, 1, 1), each2(a, s, y, plus), ROUNDED, ANY(1, 1, 1), ANY(1))             \
    X(subtract, heed_op_subtract(x[0], x[1]), IS(2, 3, 4), each2(a, s, y, minus), ROUNDED, ANY(3, 1), ANY(2, 1, 4))    \
    X(multiply, heed_op_multiply(x[0], x[1]), IS(5, 40, 90), each2(a, s, y, times), ROUNDED, ANY(5, 40, 90),           \
      ANY(40, 1))                                                                                                      \
    X(divide, heed_op_divide(x[0], x[1]), IS(4, 5), each2(a, s, y, over), ROUNDED, ANY(5), POSITIVE(4, 1))             \
    X(maximum, heed_op_maximum(x[0], x[1]), IS(70, 200), each2(a, s, y, fmax), EXACT, ANY(70, 200), ANY(200))          \
    X(minimum, heed_op_minimum(x[0], x[1]), IS(3, 70, 200), each2(a, s, y, fmin), EXACT, ANY(70, 1), ANY(3, 1, 200))   \
    X(scale, heed_op_scale(x[0], 0.5f, 1), IS(3, 9001), each1(a, s, y, half_up), ROUNDED, ANY(3, 9001))                \
    X(equal, heed_op_equal(x[0], x[1]), IS(50, 300), each2(a, s, y, is_equal), EXACT, IDS(3, 50, 300), IDS(3, 300))    \
    X(not_equal, heed_op_not_equal(x[0], x[1]), IS(9, 3), each2(a, s, y, is_not_equal), EXACT, IDS(3, 9, 3),           \
      IDS(3, 1))                                                                                                       \
    X(equal_float, heed_op_equal(x[0], x[0]), IS(9, 3), each2((heed_array[]){a[0], a[0]}, s, y, is_equal), EXACT,      \
      ANY(9, 3))                                                                                                       \
    X(less, heed_op_less(x[0], x[1]), IS(60, 200), each2(a, s, y, is_less), EXACT, ANY(60, 200), ANY(60, 1))           \
    X(less_equal, heed_op_less_equal(x[0], x[1]), IS(7, 5), each2(a, s, y, is_less_equal), EXACT, IDS(2, 7, 5),        \
      IDS(2, 5))                                                                                                       \
    X(greater, heed_op_greater(x[0], x[1]), IS(7, 5), each2(a, s, y, is_greater), EXACT, IDS(2, 7, 5), IDS(2, 7, 1))   \
    X(greater_equal, heed_op_greater_equal(x[0], x[1]), IS(7), each2(a, s, y, is_greater_equal), EXACT, IDS(2, 7),     \
      IDS(2, 7))                                                                                                       \
    X(and, heed_op_and(x[0], x[1]), IS(70, 200), each2(a, s, y, both), EXACT, MASK(70, 200), MASK(70, 1))              \
    X(or, heed_op_or(x[0], x[1]), IS(70, 200), each2(a, s, y, either), EXACT, MASK(200), MASK(70, 1))                  \
    X(not, heed_op_not(x[0]), IS(70, 200), each1(a, s, y, is_not), EXACT, MASK(70, 200))                               \
    X(not_scalar, heed_op_not(x[0]), IS_SCALAR, each1(a, s, y, is_not), EXACT, MASK_SCALAR)                            \
    X(select, heed_op_select(x[0], x[1], x[2]), IS(70, 200), choose(a, s, y), EXACT, MASK(70, 1), ANY(70, 200),        \
      ANY(200))                                                                                                        \
    X(select_same, heed_op_select(x[0], x[1], x[2]), IS(99, 99), choose(a, s, y), EXACT, MASK(99, 99), ANY(99, 99),    \
      ANY(99, 99))                                                                                                     \
    X(select_ids, heed_op_select(x[0], x[1], x[2]), IS(7, 5), choose(a, s, y), EXACT, MASK(7, 5), IDS(9, 7, 5),        \
      IDS(9, 5))                                                                                                       \
    X(select_bool, heed_op_select(x[0], x[1], x[2]), IS(7, 5), choose(a, s, y), EXACT, MASK(7, 5), MASK(7, 5),         \
      MASK(5))                                                                                                         \
    X(cast_to_int, heed_op_cast(x[0], HEED_INT32), IS(3, 7000), each1(a, s, y, trunc), EXACT, LARGE(3, 7000))          \
    X(cast_to_float, heed_op_cast(x[0], HEED_FLOAT32), IS(3, 7000), each1(a, s, y, same), EXACT, IDS(99, 3, 7000))     \
    X(cast_from_bool, heed_op_cast(x[0], HEED_FLOAT32), IS(3, 7), each1(a, s, y, same), EXACT, MASK(3, 7))             \
    X(cast_bool_to_int, heed_op_cast(x[0], HEED_INT32), IS(3, 7), each1(a, s, y, same), EXACT, MASK(3, 7))             \
    X(cast_to_bool, heed_op_cast(x[0], HEED_BOOL), IS(3, 7), each1(a, s, y, not_zero), EXACT, IDS(3, 3, 7))            \
    X(cast_float_to_bool, heed_op_cast(x[0], HEED_BOOL), IS(3, 7), each1(a, s, y, not_zero), EXACT, DISTINCT(3, 7))    \
    X(cast_nothing, heed_op_cast(x[0], HEED_FLOAT32), IS(3), each1(a, s, y, same), EXACT, ANY(3))                      \
    X(sum_all, heed_op_sum(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 7, 0, plus, false), SUMMED, ANY(7, 90, 80))   \
    X(sum_all_keep, heed_op_sum(x[0], ALL, true), IS(1, 1), reduce(a, s, y, 3, 0, plus, false), SUMMED, ANY(3, 5))     \
    X(sum_scalar, heed_op_sum(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 0, 0, plus, false), EXACT, ANY_SCALAR)     \
    X(sum_rows, heed_op_sum(x[0], AXES(-1), false), IS(5), reduce(a, s, y, 2, 0, plus, false), SUMMED, ANY(5, 40000))  \
    X(sum_many_rows, heed_op_sum(x[0], AXES(2), true), IS(20, 90, 1), reduce(a, s, y, 4, 0, plus, false), SUMMED,      \
      ANY(20, 90, 13))                                                                                                 \
    X(sum_columns, heed_op_sum(x[0], AXES(0), false), IS(20), reduce(a, s, y, 1, 0, plus, false), SUMMED,              \
      ANY(3000, 20))                                                                                                   \
    X(sum_wide, heed_op_sum(x[0], AXES(0), true), IS(1, 5000), reduce(a, s, y, 1, 0, plus, false), SUMMED,             \
      ANY(40, 5000))                                                                                                   \
    X(sum_bias, heed_op_sum(x[0], AXES(0, 1), false), IS(30), reduce(a, s, y, 3, 0, plus, false), SUMMED,              \
      ANY(40, 25, 30))                                                                                                 \
    X(sum_middle, heed_op_sum(x[0], AXES(1), false), IS(3, 30), reduce(a, s, y, 2, 0, plus, false), SUMMED,            \
      ANY(3, 700, 30))                                                                                                 \
    X(sum_around, heed_op_sum(x[0], AXES(0, 2), false), IS(30), reduce(a, s, y, 5, 0, plus, false), SUMMED,            \
      ANY(60, 30, 17))                                                                                                 \
    X(sum_comb, heed_op_sum(x[0], AXES(0, 2, 4), true), IS(1, 3, 1, 4, 1), reduce(a, s, y, 21, 0, plus, false),        \
      SUMMED, ANY(2, 3, 5, 4, 6))                                                                                      \
    X(sum_no_rows, heed_op_sum(x[0], AXES(0), false), IS(4), reduce(a, s, y, 1, 0, plus, false), EXACT, ANY(0, 4))     \
    X(sum_of_nothing, heed_op_sum(x[0], AXES(1), false), IS(0), reduce(a, s, y, 2, 0, plus, false), EXACT, ANY(0, 4))  \
    X(sum_of_ones, heed_op_sum(x[0], AXES(1), false), IS(3, 4), reduce(a, s, y, 2, 0, plus, false), EXACT,             \
      ANY(3, 1, 4))                                                                                                    \
    X(mean_all, heed_op_mean(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 3, 0, plus, true), CLOSE, ANY(70, 800))     \
    X(mean_rows, heed_op_mean(x[0], AXES(1), true), IS(50, 1), reduce(a, s, y, 2, 0, plus, true), CLOSE,               \
      ANY(50, 333))                                                                                                    \
    X(mean_middle, heed_op_mean(x[0], AXES(1), false), IS(9, 33), reduce(a, s, y, 2, 0, plus, true), CLOSE,            \
      ANY(9, 77, 33))                                                                                                  \
    X(max_all, heed_op_max(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 3, -INFINITY, fmax, false), EXACT,            \
      ANY(70, 800))                                                                                                    \
    X(max_rows, heed_op_max(x[0], AXES(-1), true), IS(90, 1), reduce(a, s, y, 2, -INFINITY, fmax, false), EXACT,       \
      ANY(90, 331))                                                                                                    \
    X(max_columns, heed_op_max(x[0], AXES(0), false), IS(31), reduce(a, s, y, 1, -INFINITY, fmax, false), EXACT,       \
      ANY(900, 31))                                                                                                    \
    X(min_all, heed_op_min(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 3, INFINITY, fmin, false), EXACT,             \
      ANY(70, 800))                                                                                                    \
    X(min_around, heed_op_min(x[0], AXES(0, 2), false), IS(31), reduce(a, s, y, 5, INFINITY, fmin, false), EXACT,      \
      ANY(90, 31, 7))                                                                                                  \
    X(any_rows, heed_op_any(x[0], AXES(-1), false), IS(9000), reduce(a, s, y, 2, 0, either, false), EXACT,             \
      MASK(9000, 3))                                                                                                   \
    X(any_columns, heed_op_any(x[0], AXES(0), true), IS(1, 900), reduce(a, s, y, 1, 0, either, false), EXACT,          \
      MASK(2, 900))                                                                                                    \
    X(any_all, heed_op_any(x[0], ALL, false), IS_SCALAR, reduce(a, s, y, 3, 0, either, false), EXACT, MASK(40, 900))   \
    X(argmax, heed_op_argmax(x[0]), IS(40, 30), argmax(a, s, y), EXACT, ANY(40, 30, 17))                               \
    X(argmax_vector, heed_op_argmax(x[0]), IS_SCALAR, argmax(a, s, y), EXACT, ANY(9000))                               \
    X(softmax, heed_op_softmax(x[0], NULL), IS(9, 40, 31), softmax(a, s, y, false), CLOSE, ANY(9, 40, 31))             \
    X(softmax_vector, heed_op_softmax(x[0], NULL), IS(20000), softmax(a, s, y, false), CLOSE, ANY(20000))              \
    X(softmax_large, heed_op_softmax(x[0], NULL), IS(90, 7), softmax(a, s, y, false), CLOSE, LARGE(90, 7))             \
    X(softmax_one, heed_op_softmax(x[0], NULL), IS(9, 1), softmax(a, s, y, false), CLOSE, ANY(9, 1))                   \
    X(softmax_empty, heed_op_softmax(x[0], NULL), IS(9, 0), softmax(a, s, y, false), CLOSE, ANY(9, 0))                 \
    X(softmax_mask, heed_op_softmax(x[0], x[1]), IS(9, 40, 31), softmax(a, s, y, true), CLOSE, ANY(9, 40, 31),         \
      MASK(9, 40, 31))                                                                                                 \
    X(softmax_mask_keys, heed_op_softmax(x[0], x[1]), IS(9, 40, 31), softmax(a, s, y, true), CLOSE, ANY(9, 40, 31),    \
      MASK(9, 1, 31))                                                                                                  \
    X(softmax_mask_shared, heed_op_softmax(x[0], x[1]), IS(9, 40, 31), softmax(a, s, y, true), CLOSE, ANY(9, 40, 31),  \
      MASK(40, 31))                                                                                                    \
    X(softmax_mask_rows, heed_op_softmax(x[0], x[1]), IS(9, 40, 31), softmax(a, s, y, true), CLOSE, ANY(9, 40, 31),    \
      MASK(9, 40, 1))                                                                                                  \
    X(softmax_mask_scalar, heed_op_softmax(x[0], x[1]), IS(9, 4), softmax(a, s, y, true), CLOSE, ANY(9, 4),            \
      MASK_SCALAR)                                                                                                     \
    X(log_softmax, heed_op_log_softmax(x[0]), IS(9, 40, 31), log_softmax(a, s, y), CLOSE, ANY(9, 40, 31))              \
    X(cross_entropy, heed_op_softmax_cross_entropy(x[0], x[1], 0), IS(9, 40), cross_entropy(a, s, y, 0), CLOSE,        \
      ANY(9, 40, 31), IDS(31, 9, 40))                                                                                  \
    X(cross_entropy_outside, heed_op_softmax_cross_entropy(x[0], x[1], 0), IS(99), cross_entropy(a, s, y, 0), CLOSE,   \
      ANY(99, 4), IDS(6, 99))                                                                                          \
    X(cross_entropy_smoothed, heed_op_softmax_cross_entropy(x[0], x[1], 0.3f), IS(99), cross_entropy(a, s, y, 0.3),    \
      CLOSE, ANY(99, 31), IDS(33, 99))                                                                                          \
    X(ctc_loss, heed_op_ctc_loss(x[0], x[1], NULL), IS(40), ctc_loss(a, s, y, false), CLOSE, ANY(40, 6, 3),            \
      IDS(3, 40, 3))                                                                                                   \
    X(ctc_loss_mask, heed_op_ctc_loss(x[0], x[1], x[2]), IS(19), ctc_loss(a, s, y, true), CLOSE, ANY(19, 7, 3),        \
      IDS(3, 19, 2), MASK(19, 7))                                                                                      \
    X(ctc_loss_outside, heed_op_ctc_loss(x[0], x[1], NULL), IS(9), ctc_loss(a, s, y, false), CLOSE, ANY(9, 5, 3),      \
      IDS(4, 9, 2))                                                                                                    \
    X(ctc_loss_blanks, heed_op_ctc_loss(x[0], x[1], NULL), IS(9), ctc_loss(a, s, y, false), CLOSE, ANY(9, 5, 3),       \
      IDS(1, 9, 2))                                                                                                    \
    X(ctc_loss_no_frames, heed_op_ctc_loss(x[0], x[1], NULL), IS(4), ctc_loss(a, s, y, false), CLOSE, ANY(4, 0, 3),    \
      IDS(3, 4, 2))                                                                                                    \
    X(ctc_loss_no_labels, heed_op_ctc_loss(x[0], x[1], NULL), IS(4), ctc_loss(a, s, y, false), CLOSE, ANY(4, 3, 2),    \
      IDS(3, 4, 0))                                                                                                    \
    X(reshape, heed_op_reshape(x[0], SHAPE(HEED_ANY, 6)), IS(2, 6), each1(a, s, y, same), EXACT, ANY(3, 4))            \
    X(reshape_scalar, heed_op_reshape(x[0], &(heed_shape){0}), IS_SCALAR, each1(a, s, y, same), EXACT, ANY(1, 1))      \
    X(expand_first, heed_op_expand(x[0], 0), IS(1, 3, 4), each1(a, s, y, same), EXACT, ANY(3, 4))                      \
    X(expand_middle, heed_op_expand(x[0], 1), IS(3, 1, 4), each1(a, s, y, same), EXACT, ANY(3, 4))                     \
    X(expand_last, heed_op_expand(x[0], -1), IS(3, 4, 1), each1(a, s, y, same), EXACT, ANY(3, 4))                      \
    X(squeeze, heed_op_squeeze(x[0], -2), IS(3, 4), each1(a, s, y, same), EXACT, ANY(3, 1, 4))                         \
    X(stop_gradient, heed_op_stop_gradient(x[0]), IS(3, 4), each1(a, s, y, same), EXACT, ANY(3, 4))                    \
    X(transpose, heed_op_transpose(x[0], (int[]){1, 0}), IS(130, 140), moved(a, s, y, exchanged_01, 0), EXACT,         \
      ANY(140, 130))                                                                                                   \
    X(transpose_heads, heed_op_transpose(x[0], (int[]){0, 2, 1, 3}), IS(4, 5, 30, 17),                                 \
      moved(a, s, y, exchanged_12, 0), EXACT, ANY(4, 30, 5, 17))                                                       \
    X(transpose_rotate, heed_op_transpose(x[0], (int[]){2, 0, 1}), IS(40, 20, 30), moved(a, s, y, rotated, 0), EXACT,  \
      ANY(20, 30, 40))                                                                                                 \
    X(transpose_mask, heed_op_transpose(x[0], (int[]){1, 0}), IS(130, 140), moved(a, s, y, exchanged_01, 0), EXACT,    \
      MASK(140, 130))                                                                                                  \
    X(transpose_ids, heed_op_transpose(x[0], (int[]){1, 0}), IS(3, 0), moved(a, s, y, exchanged_01, 0), EXACT,         \
      IDS(9, 0, 3))                                                                                                    \
    X(broadcast, heed_op_broadcast(x[0], SHAPE(9, 40, 31)), IS(9, 40, 31), broadcast(a, s, y), EXACT, ANY(40, 1))      \
    X(broadcast_mask, heed_op_broadcast(x[0], SHAPE(9, 40, 31)), IS(9, 40, 31), broadcast(a, s, y), EXACT,             \
      MASK(9, 1, 31))                                                                                                  \
    X(broadcast_scalar, heed_op_broadcast(x[0], SHAPE(9, 2000)), IS(9, 2000), broadcast(a, s, y), EXACT, ANY_SCALAR)   \
    X(concatenate_last, concatenate3(x, -1), IS(90, 132), concatenate(a, s, y, 1), EXACT, ANY(90, 31), ANY(90, 1),     \
      ANY(90, 100))                                                                                                    \
    X(concatenate_first, concatenate3(x, 0), IS(93, 200), concatenate(a, s, y, 0), EXACT, ANY(90, 200), ANY(3, 200),   \
      ANY(0, 200))                                                                                                     \
    X(concatenate_middle, concatenate3(x, 1), IS(9, 7, 3), concatenate(a, s, y, 1), EXACT, MASK(9, 4, 3),              \
      MASK(9, 1, 3), MASK(9, 2, 3))                                                                                    \
    X(slice_last, heed_op_slice(x[0], -1, 2, 50), IS(300, 50), moved(a, s, y, third_on, 0), EXACT, ANY(300, 60))       \
    X(slice_first, heed_op_slice(x[0], 0, 1, 80), IS(80, 300), moved(a, s, y, second_row_on, 0), EXACT,                \
      IDS(99, 90, 300))                                                                                                \
    X(slice_mask, heed_op_slice(x[0], 1, 2, 3), IS(2, 3, 7), moved(a, s, y, third_on, 0), EXACT, MASK(2, 9, 7))        \
    X(slice_nothing, heed_op_slice(x[0], 0, 1, 0), IS(0, 3), moved(a, s, y, second_row_on, 0), EXACT, ANY(9, 3))       \
    X(pad_first, heed_op_pad(x[0], 0, 2, 4, -1), IS(9, 3000), moved(a, s, y, inside_of_3_first, -1), EXACT,            \
      ANY(3, 3000))                                                                                                    \
    X(pad_last, heed_op_pad(x[0], -1, 1, 1, 7), IS(2000, 7), moved(a, s, y, inside_of_5_last, 7), EXACT,               \
      IDS(5, 2000, 5))                                                                                                 \
    X(pad_mask, heed_op_pad(x[0], 1, 1, 0, 1), IS(4, 6), moved(a, s, y, inside_of_5_last, 1), EXACT, MASK(4, 5))       \
    X(reverse_middle, heed_op_reverse(x[0], 1), IS(3, 700, 9), moved(a, s, y, from_end_of_700, 0), EXACT,              \
      ANY(3, 700, 9))                                                                                                  \
    X(reverse_last, heed_op_reverse(x[0], -1), IS(30, 700), moved(a, s, y, from_end_of_700, 0), EXACT, ANY(30, 700))   \
    X(reverse_mask, heed_op_reverse(x[0], 0), IS(4, 3), moved(a, s, y, from_end_of_4, 0), EXACT, MASK(4, 3))           \
    X(reverse_nothing, heed_op_reverse(x[0], 0), IS(0, 3), moved(a, s, y, from_end_of_4, 0), EXACT, ANY(0, 3))         \
    X(cumsum_last, heed_op_cumsum(x[0], -1), IS(30, 70), cumsum(a, s, y, 1), SUMMED,ANY(30, 70))                       \
    X(cumsum_middle, heed_op_cumsum(x[0], 1), IS(3, 7, 9), cumsum(a, s, y, 1), SUMMED,ANY(3, 7, 9))                    \
    X(cumsum_ids, heed_op_cumsum(x[0], 0), IS(40, 3), cumsum(a, s, y, 0), EXACT, IDS(9, 40, 3))                        \
    X(cumsum_nothing, heed_op_cumsum(x[0], 1), IS(3, 0), cumsum(a, s, y, 1), EXACT, ANY(3, 0))                         \
    X(repeat_first, heed_op_repeat(x[0], 0, 3), IS(30, 600), moved(a, s, y, a_third_first, 0), EXACT, ANY(10, 600))    \
    X(repeat_last, heed_op_repeat(x[0], -1, 2), IS(30, 600), moved(a, s, y, half_last, 0), EXACT, IDS(9, 30, 300))     \
    X(repeat_no_times, heed_op_repeat(x[0], 0, 0), IS(0, 6), moved(a, s, y, a_third_first, 0), EXACT, ANY(10, 6))      \
    X(blend_first, heed_op_blend(x[0], 0, weights_4_6, 6), IS(6, 3000), blend(a, s, y, 0), SUMMED, ANY(4, 3000))       \
    X(blend_middle, heed_op_blend(x[0], 1, weights_4_6, 6), IS(90, 6, 35), blend(a, s, y, 1), SUMMED, ANY(90, 4, 35))  \
    X(blend_last, heed_op_blend(x[0], -1, weights_4_6, 6), IS(5000, 6), blend(a, s, y, 1), SUMMED, ANY(5000, 4))       \
    X(blend_nothing, heed_op_blend(x[0], 1, weights_4_6, 6), IS(0, 6, 3), blend(a, s, y, 1), SUMMED, ANY(0, 4, 3))     \
    X(gather, heed_op_gather(x[0], x[1]), IS(9, 50, 33), gather(a, s, y), EXACT, ANY(70, 33), IDS(70, 9, 50))          \
    X(gather_scalar, heed_op_gather(x[0], x[1]), IS(3, 4), gather(a, s, y), EXACT, ANY(7, 3, 4),                       \
      {HEED_TEST_IDS, {0, {0}}, 7})                                                                                    \
    X(gather_masks, heed_op_gather(x[0], x[1]), IS(9, 5), gather(a, s, y), EXACT, MASK(7, 5), IDS(7, 9))               \
    X(gather_nothing, heed_op_gather(x[0], x[1]), IS(0, 5), gather(a, s, y), EXACT, ANY(7, 5), IDS(7, 0))              \
    X(one_hot, heed_op_one_hot(x[0], 29), IS(9, 80, 29), one_hot(a, s, y), EXACT, IDS(33, 9, 80))                      \
    X(layer_norm, heed_op_layer_norm(x[0], x[1], x[2], 1e-3f), IS(9, 70, 33), layer_norm(a, s, y, 1e-3, true), CLOSE,  \
      ANY(9, 70, 33), ANY(33), ANY(33))                                                                                \
    X(layer_norm_plain, heed_op_layer_norm(x[0], NULL, NULL, 1e-5f), IS(30, 700), layer_norm(a, s, y, 1e-5, false),    \
      CLOSE, ANY(30, 700))                                                                                             \
    X(additive, scores(x), IS(3, 60, 33), additive(a, s, y), SCORED, ANY(3, 60, 65), ANY(3, 33, 65), ANY(65))          \
    X(additive_step, scores(x), IS(70, 1, 33), additive(a, s, y), SCORED, ANY(70, 1, 65), ANY(70, 33, 65), ANY(65))    \
    X(additive_large, scores(x), IS(3, 5, 33), additive(a, s, y), CLOSE, LARGE(3, 5, 65), LARGE(3, 33, 65), ANY(65))   \
    X(additive_windows, heed_op_window_additive_scores(x[0], x[1], x[2], starts(x[3]), 7), IS(3, 60, 7),               \
      window_scores(a, s, y, true), SCORED, ANY(3, 60, 65), ANY(3, 33, 65), ANY(65), IDS(40, 3, 60))                   \
    X(additive_windows_large, heed_op_window_additive_scores(x[0], x[1], x[2], starts(x[3]), 7), IS(3, 6, 7),          \
      window_scores(a, s, y, true), CLOSE, LARGE(3, 6, 65), LARGE(3, 33, 65), ANY(65), IDS(40, 1, 6))                  \
    X(window_scores, heed_op_window_scores(x[0], x[1], starts(x[2]), 7), IS(3, 300, 7), window_scores(a, s, y, false), \
      SUMMED, ANY(3, 300, 65), ANY(3, 133, 65), IDS(140, 3, 300))                                                      \
    X(window_scores_wide, heed_op_window_scores(x[0], x[1], starts(x[2]), 50), IS(2, 9, 50),                           \
      window_scores(a, s, y, false), SUMMED, ANY(2, 9, 5), ANY(2, 13, 5), IDS(20, 1, 9))                               \
    X(window_sum, heed_op_window_sum(x[0], x[1], starts(x[2])), IS(3, 300, 65), window_sum(a, s, y, false), SUMMED,    \
      ANY(3, 300, 7), ANY(3, 133, 65), IDS(140, 3, 300))                                                               \
    X(window_spread, heed_op_window_spread(x[0], x[1], starts(x[2]), 133), IS(3, 133, 65), window_sum(a, s, y, true),  \
      SUMMED, ANY(3, 300, 7), ANY(3, 300, 65), IDS(140, 3, 300))                                                       \
    X(window_spread_no_key, heed_op_window_spread(x[0], x[1], starts(x[2]), 0), IS(3, 0, 5), window_sum(a, s, y, true),\
      EXACT, ANY(3, 4, 2), ANY(3, 4, 5), IDS(4, 1, 4))                                                                 \
    X(window_dense, heed_op_window_dense(x[0], starts(x[1]), 133), IS(3, 300, 133), window_dense(a, s, y), EXACT,      \
      ANY(3, 300, 7), IDS(140, 3, 300))                                                                                \
    X(window_take, heed_op_window_take(x[0], starts(x[1]), 7), IS(3, 300, 7), window_take(a, s, y), EXACT,             \
      ANY(3, 300, 133), IDS(140, 1, 300))                                                                              \
    X(window_take_mask, heed_op_window_take(x[0], starts(x[1]), 7), IS(3, 300, 7), window_take(a, s, y), EXACT,        \
      MASK(3, 1, 133), IDS(140, 3, 300))                                                                               \
    X(additive_nothing, scores(x), IS(3, 5, 0), additive(a, s, y), CLOSE, ANY(3, 5, 6), ANY(3, 0, 6), ANY(6))          \
    X(gather_gradient, gradient(heed_op_gather(x[0], x[1]), x[2], x[0]), IS(1100, 130), gather_gradient(a, s, y),      \
      SUMMED, ANY(1100, 130), IDS(600, 9, 50), ANY(9, 50, 130))                                                        \
    X(gather_gradient_blocks, gradient(heed_op_gather(x[0], x[1]), x[2], x[0]), IS(3, 2, 50),                          \
      gather_gradient(a, s, y), SUMMED, ANY(3, 2, 50), IDS(3, 70), ANY(70, 2, 50))                                     \
    X(layer_norm_dgamma, gradient(heed_op_layer_norm(x[0], x[1], x[2], 1e-3f), x[3], x[1]), IS(33),                    \
      layer_norm_shares(a, s, y, 1e-3, true), SUMMED, ANY(9, 90, 33), ANY(33), ANY(33), ANY(9, 90, 33))                \
    X(layer_norm_dbeta, gradient(heed_op_layer_norm(x[0], x[1], x[2], 1e-3f), x[3], x[2]), IS(900),                    \
      layer_norm_shares(a, s, y, 1e-3, false), SUMMED, ANY(40, 900), ANY(900), ANY(900), ANY(40, 900))                 \
    X(additive_dquery, gradient(scores(x), x[3], x[0]), IS(2, 90, 33), additive_gradient(a, s, y, 0), SUMMED,          \
      ANY(2, 90, 33), ANY(2, 31, 33), ANY(33), ANY(2, 90, 31))                                                         \
    X(additive_dkey, gradient(scores(x), x[3], x[1]), IS(2, 31, 33), additive_gradient(a, s, y, 1), SUMMED,            \
      ANY(2, 90, 33), ANY(2, 31, 33), ANY(33), ANY(2, 90, 31))                                                         \
    X(additive_dkey_items, gradient(scores(x), x[3], x[1]), IS(20, 31, 33), additive_gradient(a, s, y, 1), SUMMED,     \
      ANY(20, 9, 33), ANY(20, 31, 33), ANY(33), ANY(20, 9, 31))                                                        \
    X(additive_dkey_no_query, gradient(scores(x), x[3], x[1]), IS(2, 3, 4), additive_gradient(a, s, y, 1), EXACT,      \
      ANY(2, 0, 4), ANY(2, 3, 4), ANY(4), ANY(2, 0, 3))                                                                \
    X(additive_dscale, gradient(scores(x), x[3], x[2]), IS(33), additive_gradient(a, s, y, 2), SUMMED,                 \
      ANY(2, 90, 33), ANY(2, 31, 33), ANY(33), ANY(2, 90, 31))                                                         \
    X(additive_dscale_steps, gradient(scores(x), x[3], x[2]), IS(33), additive_gradient(a, s, y, 2), SUMMED,           \
      ANY(90, 1, 33), ANY(90, 31, 33), ANY(33), ANY(90, 1, 31))                                                        \
    X(lstm, lstm_both(x[0], x[1], x[2]), IS(300, 66), lstm(a, s, y, true), CLOSE, ANY(300, 132), ANY(300, 132),        \
      ANY(300, 33))                                                                                                    \
    X(lstm_without_zh, lstm_both(x[0], NULL, x[1]), IS(3, 66), lstm(a, s, y, false), CLOSE, ANY(3, 132), ANY(3, 33))   \
    X(gru, heed_op_gru(x[0], x[1], x[2]), IS(300, 33), gru(a, s, y), CLOSE, ANY(300, 99), ANY(300, 99), ANY(300, 33))

/* What treats each row of the batch on its own, gradients too: expression, operands. */
#define ROW_CASES(X)                                                                                                   \
    X(rows_tanh, heed_op_tanh(x[0]), ANY(900, 19))                                                                     \
    X(rows_softmax, heed_op_softmax(x[0], x[1]), ANY(30, 60, 17), MASK(30, 1, 17))                                     \
    X(rows_layer_norm, heed_op_layer_norm(x[0], x[1], x[2], 1e-3f), ANY(900, 19), ANY(19), ANY(19))                    \
    X(rows_additive, scores(x), LARGE(50, 9, 33), ANY(50, 20, 33), ANY(33))                                            \
    X(rows_windows, heed_op_window_scores(x[0], x[1], starts(x[2]), 7), ANY(50, 9, 33), ANY(50, 20, 33),               \
      IDS(20, 50, 9))                                                                                                  \
    X(rows_window_sum, heed_op_window_sum(x[0], x[1], starts(x[2])), ANY(50, 9, 7), ANY(50, 20, 33), IDS(20, 50, 9))   \
    X(rows_window_spread, heed_op_window_spread(x[0], x[1], starts(x[2]), 20), ANY(50, 9, 7), ANY(50, 9, 33),          \
      IDS(20, 50, 9))                                                                                                  \
    X(rows_additive_windows, heed_op_window_additive_scores(x[0], x[1], x[2], starts(x[3]), 7), ANY(50, 9, 33),        \
      ANY(50, 20, 33), ANY(33), IDS(20, 50, 9))                                                                        \
    X(rows_lstm, lstm_both(x[0], x[1], x[2]), ANY(300, 132), ANY(300, 132), ANY(300, 33))                              \
    X(rows_gru, heed_op_gru(x[0], x[1], x[2]), ANY(300, 99), ANY(300, 99), ANY(300, 33))                               \
    X(rows_tanh_gradient, gradient(heed_op_tanh(x[0]), x[1], x[0]), ANY(900, 19), ANY(900, 19))                        \
    X(rows_softmax_gradient, gradient(heed_op_softmax(x[0], NULL), x[1], x[0]), ANY(30, 60, 17), ANY(30, 60, 17))      \
    X(rows_log_softmax_gradient, gradient(heed_op_log_softmax(x[0]), x[1], x[0]), ANY(900, 17), ANY(900, 17))          \
    X(rows_cross_entropy_gradient, gradient(heed_op_softmax_cross_entropy(x[0], x[1], 0), x[2], x[0]), ANY(900, 19),   \
      IDS(21, 900), ANY(900))                                                                                          \
    X(rows_layer_norm_gradient, gradient(heed_op_layer_norm(x[0], NULL, NULL, 1e-3f), x[1], x[0]), ANY(900, 19),       \
      ANY(900, 19))                                                                                                    \
    X(rows_additive_gradient, gradient(scores(x), x[3], x[0]), LARGE(50, 9, 33), ANY(50, 20, 33), ANY(33),             \
      ANY(50, 9, 20))                                                                                                  \
    X(rows_lstm_gradient, lstm_gradient(x), ANY(300, 132), ANY(300, 132), ANY(300, 33), ANY(300, 66))                  \
    X(rows_gru_gradient, gru_gradient(x), ANY(300, 99), ANY(300, 99), ANY(300, 33), ANY(300, 33))

typedef struct forward_case {
    const char       *name;
    heed_tensor      *(*build)(heed_tensor *const *x);
    heed_shape        result;
    void              (*reference)(const heed_array *a, const heed_shape *s, double *y);
    double            tolerance;
    heed_test_operand operands[HEED_TEST_OPERANDS];
} forward_case;

#define CASE_FUNCTIONS(name, expression, result, reference, ...)                                                       \
    static heed_tensor *build_##name(heed_tensor *const *x) { return expression; }                                     \
    static void reference_##name(const heed_array *a, const heed_shape *s, double *y) { reference; }
#define CASE_ROW(name, expression, result, reference, tolerance, ...)                                                  \
    {#name, build_##name, result, reference_##name, tolerance, {__VA_ARGS__}},

FORWARD_CASES(CASE_FUNCTIONS)
static const forward_case cases[] = {FORWARD_CASES(CASE_ROW)};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

#define ROW_FUNCTION(name, expression, ...)                                                                            \
    static heed_tensor *build_##name(heed_tensor *const *x) { return expression; }
ROW_CASES(ROW_FUNCTION)
#define ROW_CASE(name, expression, ...) {#name, build_##name, IS_SCALAR, NULL, 0, {__VA_ARGS__}},
static const forward_case row_cases[] = {ROW_CASES(ROW_CASE)};
enum { ROW_CASE_COUNT = sizeof row_cases / sizeof *row_cases };

/* ---- running on every instruction set and number of threads */

enum { THREAD_COUNTS = 4 };
static const int thread_counts[THREAD_COUNTS] = {1, 2, 3, 8};

static struct {
    const char   *cpus[3];
    int           cpu_count;
    heed_context *contexts[3][THREAD_COUNTS];
} machine;

static int open_machine(void **state)
{
    machine.cpu_count = heed_test_cpus(machine.cpus);
    for (int k = 0; k < machine.cpu_count; k++)
        for (int t = 0; t < THREAD_COUNTS; t++)
            if (heed_context_create(&(heed_context_config){.threads = thread_counts[t], .cpu = machine.cpus[k]},
                                    &machine.contexts[k][t]) != HEED_OK)
                return 1;
    return 0;
}

static int close_machine(void **state)
{
    for (int k = 0; k < machine.cpu_count; k++)
        for (int t = 0; t < THREAD_COUNTS; t++)
            heed_context_free(machine.contexts[k][t]);
    return 0;
}

static size_t bytes_of(const heed_tensor *t) { return (size_t)t->count * heed_dtype_size(t->dtype); }

/* One run: the result's bytes in memory of the caller's, its type and shape in *result. With `in_graph` floats come to
 * the operation as values of the graph, whose memory it may take over; otherwise as inputs. */
static void run_case(heed_context *c, const forward_case *f, const heed_array *operands, int count, bool in_graph,
                     heed_array *result)
{
    heed_graph *g;
    size_t before = heed_memory_used(c);
    heed_tensor *inputs[HEED_TEST_OPERANDS], *x[HEED_TEST_OPERANDS] = {0};
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    for (int i = 0; i < count; i++) {
        inputs[i] = heed_graph_input(g, operands[i].dtype, &operands[i].shape);
        x[i] = in_graph && operands[i].dtype == HEED_FLOAT32 ? heed_op_scale(inputs[i], 1, 0) : inputs[i];
    }
    heed_tensor *y = f->build(x);
    if (y == NULL)
        fail_msg("%s: %s", f->name, heed_error(c));
    assert_int_equal(heed_graph_plan(g, &y, 1), HEED_OK);
    for (int i = 0; i < count; i++)
        heed_graph_bind(inputs[i], operands[i].data);
    if (heed_graph_run(g, 1, 1) != HEED_OK)
        fail_msg("%s: %s", f->name, heed_error(c));
    *result = (heed_array){y->dtype, y->shape, malloc(bytes_of(y) + 1)};
    assert_non_null(result->data);
    memcpy(result->data, heed_tensor_data(y), bytes_of(y));
    heed_graph_free(g);
    assert_int_equal(heed_memory_used(c), before);
}

static void compare(const forward_case *f, const heed_array *result, const double *expected, const char *cpu)
{
    char found[128], asked[128];
    if (!heed_shape_equal(&result->shape, &f->result))
        fail_msg("%s: shape %s, expected %s", f->name, heed_shape_text(&result->shape, found, sizeof found),
                 heed_shape_text(&f->result, asked, sizeof asked));
    for (int64_t i = 0; i < heed_array_count(result); i++) {
        double y = heed_test_at(result, i), tolerance = f->tolerance * (1 + fabs(expected[i]));
        if (y != expected[i] && !(fabs(y - expected[i]) <= tolerance))
            fail_msg("%s: element %lld is %.9g, expected %.9g, on %s", f->name, (long long)i, y, expected[i], cpu);
    }
}

static void check_case(const forward_case *f)
{
    heed_array operands[HEED_TEST_OPERANDS];
    int count = heed_test_operand_count(f->operands);
    heed_test_draw_operands(f->operands, count, operands);
    double *expected = calloc((size_t)heed_shape_count(&f->result) + 1, sizeof *expected);
    assert_non_null(expected);
    f->reference(operands, &f->result, expected);
    for (int k = 0; k < machine.cpu_count; k++) {
        heed_array first;
        run_case(machine.contexts[k][0], f, operands, count, false, &first);
        compare(f, &first, expected, machine.cpus[k]);
        for (int t = 0; t < THREAD_COUNTS; t++) {
            heed_array again;
            run_case(machine.contexts[k][t], f, operands, count, t % 2 == 0, &again);
            if (memcmp(first.data, again.data,
                       (size_t)heed_array_count(&first) * heed_dtype_size(first.dtype)) != 0)
                fail_msg("%s: other bits with %d threads, operands %s, on %s", f->name, thread_counts[t],
                         t % 2 == 0 ? "from the graph" : "as inputs", machine.cpus[k]);
            free(again.data);
        }
        free(first.data);
    }
    free(expected);
    heed_test_free(operands, count);
}

static void test_every_case(void **state)
{
    for (int i = 0; i < CASE_COUNT; i++)
        check_case(&cases[i]);
}

/* Row `row` of what has `rows` of them; anything else as it is. */
static heed_array row_of(const heed_array *a, int64_t rows, int64_t row)
{
    heed_array one = *a;
    if (one.shape.dims[0] != rows)
        return one;
    one.shape.dims[0] = 1;
    one.data = (char *)a->data + (size_t)(row * heed_array_count(&one)) * heed_dtype_size(a->dtype);
    return one;
}

/* A row has the same bits alone and among others, whichever tile it falls into. */
static void check_rows(const forward_case *f, heed_context *c)
{
    heed_array operands[HEED_TEST_OPERANDS], ones[HEED_TEST_OPERANDS], all, one;
    int count = heed_test_operand_count(f->operands);
    heed_test_draw_operands(f->operands, count, operands);
    int64_t rows = operands[0].shape.dims[0];
    run_case(c, f, operands, count, false, &all);
    for (int64_t row = 0; row < rows; row += 1 + rows / 7) {
        for (int i = 0; i < count; i++)
            ones[i] = row_of(&operands[i], rows, row);
        run_case(c, f, ones, count, false, &one);
        heed_array among = row_of(&all, rows, row);
        if (memcmp(among.data, one.data, (size_t)heed_array_count(&one) * heed_dtype_size(one.dtype)) != 0)
            fail_msg("%s: row %lld has other bits alone, on %s", f->name, (long long)row,
                     heed_cpu_name(heed_cpu_used(c)));
        free(one.data);
    }
    free(all.data);
    heed_test_free(operands, count);
}

static void test_rows_on_their_own(void **state)
{
    for (int i = 0; i < ROW_CASE_COUNT; i++)
        for (int k = 0; k < machine.cpu_count; k++)
            check_rows(&row_cases[i], machine.contexts[k][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case),
        cmocka_unit_test(test_rows_on_their_own),
    };
    return cmocka_run_group_tests(tests, open_machine, close_machine);
}
