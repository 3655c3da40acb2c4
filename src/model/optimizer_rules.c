#include "model/optimizer_rules.h"

#include <math.h>
#include <string.h>

/* Kernels do the common rules; the others are written out here, plain. */

#define CONFIG(name, LIST)                                                                                             \
    typedef struct name {                                                                                              \
        LIST(HEED_OPTION_FIELD, )                                                                                      \
    } name;

static float square_at(const heed_stretch *s, int64_t i)
{
    return s->squares == NULL ? s->g[i] * s->g[i] : s->squares_factor * s->squares[i];
}

/* Before a rule turns `sum` into keep * sum + share * g^2: what makes that keep * sum + share * square_at. */
static void make_up(const heed_stretch *s, float *sum, double keep, double share)
{
    if (s->squares == NULL || keep == 0.0)
        return;
    float ratio = (float)(share / keep);
    for (int64_t i = 0; i < s->n; i++)
        sum[i] += ratio * (square_at(s, i) - s->g[i] * s->g[i]);
}

/* ---- sgd */

#define SGD_OPTIONS(X, C)                                                                                              \
    HEED_RATE_OPTION(X, C, 0.01)                                                                                       \
    X(C, FLOAT, momentum, 0.0, "[0,1]", "share of the last step that is repeated")                                     \
    X(C, BOOL, nesterov, false, "", "whether the gradient counts as taken after the repeated part")                    \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(sgd_config, SGD_OPTIONS)

static int sgd_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    return ((const sgd_config *)config)->momentum != 0.0;
}

static void sgd_prepare(const void *config, double rate, double step, float product, float *factors)
{
    factors[0] = (float)rate;
}

static void sgd_update(const void *config, const heed_stretch *s)
{
    const sgd_config *o = config;
    if (o->momentum == 0.0)
        s->kernels->sgd(s->n, s->w, s->g, s->factors[0]);
    else
        s->kernels->momentum(s->n, s->w, s->g, s->slots[0], s->factors[0], (float)o->momentum, o->nesterov);
}

static heed_rest all_rests(const void *config) { return HEED_ALL_RESTS; }

/* ---- rmsprop */

#define RMSPROP_OPTIONS(X, C)                                                                                          \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, rho, 0.9, "[0,1]", "share of the mean square that stays")                                              \
    X(C, FLOAT, momentum, 0.0, "[0,)", "share of the last step that is repeated")                                      \
    X(C, FLOAT, epsilon, 1e-7, "", "added under the root")                                                             \
    X(C, BOOL, centered, false, "", "whether the square of the mean gradient is taken off")                            \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(rmsprop_config, RMSPROP_OPTIONS)

static int rmsprop_slots(const void *config, heed_slot *slots)
{
    const rmsprop_config *o = config;
    int n = 0;
    slots[n++] = (heed_slot){.name = "velocity", .group = 0};
    if (o->momentum > 0.0)
        slots[n++] = (heed_slot){.name = "momentum", .group = 1};
    if (o->centered)
        slots[n++] = (heed_slot){.name = "average_gradient", .group = 2};
    return n;
}

/* Before Keras 2.11 epsilon stood outside of the root, but for steps with momentum. */
static void old_rmsprop_update(const rmsprop_config *o, const heed_stretch *s, float *average)
{
    float rho = (float)o->rho, epsilon = (float)o->epsilon, *squares = s->slots[0];
    for (int64_t i = 0; i < s->n; i++) {
        float g = s->g[i];
        squares[i] = rho * squares[i] + (1.0f - rho) * g * g;
        if (average != NULL)
            average[i] = rho * average[i] + (1.0f - rho) * g;
        float spread = squares[i] - (average == NULL ? 0.0f : average[i] * average[i]);
        s->w[i] -= s->factors[0] * g / (sqrtf(spread) + epsilon);
    }
}

static heed_rest rmsprop_rests(const void *config)
{
    return ((const rmsprop_config *)config)->momentum != 0.0 ? HEED_ALL_RESTS : HEED_NOTHING_RESTS;
}

static void rmsprop_update(const void *config, const heed_stretch *s)
{
    const rmsprop_config *o = config;
    float *momentum = o->momentum > 0.0 ? s->slots[1] : NULL;
    float *average = o->centered ? s->slots[momentum == NULL ? 1 : 2] : NULL;
    if (o->is_legacy_optimizer && momentum == NULL) {
        old_rmsprop_update(o, s, average);
        return;
    }
    make_up(s, s->slots[0], o->rho, 1.0 - o->rho);
    s->kernels->rmsprop(s->n, s->w, s->g, s->slots[0], average, momentum, s->factors[0], (float)o->rho,
                        (float)o->momentum, (float)o->epsilon);
}

/* ---- adam and its kin */

#define ADAM_OPTIONS_WITH(X, C, decay)                                                                                 \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, beta_1, 0.9, "[0,1)", "share of the mean gradient that stays")                                         \
    X(C, FLOAT, beta_2, 0.999, "[0,1)", "share of the mean square that stays")                                         \
    X(C, FLOAT, epsilon, 1e-7, "", "added to the root")                                                                \
    X(C, BOOL, amsgrad, false, "", "whether the largest mean square so far is used")                                   \
    HEED_OPTIMIZER_OPTIONS(X, C, decay)
#define ADAM_OPTIONS(X, C)  ADAM_OPTIONS_WITH(X, C, INFINITY)
#define ADAMW_OPTIONS(X, C) ADAM_OPTIONS_WITH(X, C, 0.004)
CONFIG(adam_config, ADAM_OPTIONS)

static int adam_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    slots[1] = (heed_slot){.name = "velocity"};
    slots[2] = (heed_slot){.name = "velocity_hat", .group = 1};
    return ((const adam_config *)config)->amsgrad ? 3 : 2;
}

static void adam_prepare(const void *config, double rate, double step, float product, float *factors)
{
    const adam_config *o = config;
    factors[0] = (float)heed_adam_step(rate, step, o->beta_1, o->beta_2);
}

double heed_adam_step(double rate, double step, double beta_1, double beta_2)
{
    return rate * sqrt(1.0 - pow(beta_2, step)) / (1.0 - pow(beta_1, step));
}

void heed_adam_rule(const heed_stretch *s, float *most, double beta_1, double beta_2, double epsilon)
{
    make_up(s, s->slots[1], beta_2, 1.0 - beta_2);
    s->kernels->adam(s->n, s->w, s->g, s->slots[0], s->slots[1], most, s->factors[0], (float)beta_1, (float)beta_2,
                     (float)epsilon);
}

static void adam_update(const void *config, const heed_stretch *s)
{
    const adam_config *o = config;
    heed_adam_rule(s, o->amsgrad ? s->slots[2] : NULL, o->beta_1, o->beta_2, o->epsilon);
}

#define MOMENTS_OPTIONS(X, C)                                                                                          \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, beta_1, 0.9, "[0,1)", "share of the mean gradient that stays")                                         \
    X(C, FLOAT, beta_2, 0.999, "[0,1)", "share of the second moment that stays")                                       \
    X(C, FLOAT, epsilon, 1e-7, "", "added to the divisor")                                                             \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(moments_config, MOMENTS_OPTIONS)

static int moments_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    slots[1] = (heed_slot){.name = "velocity"};
    return 2;
}

static int adamax_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    slots[1] = (heed_slot){.name = "norm"};
    return 2;
}

static void adamax_prepare(const void *config, double rate, double step, float product, float *factors)
{
    factors[0] = (float)(rate / (1.0 - pow(((const moments_config *)config)->beta_1, step)));
}

static void adamax_update(const void *config, const heed_stretch *s)
{
    const moments_config *o = config;
    float *m = s->slots[0], *u = s->slots[1], keep = (float)o->beta_2, epsilon = (float)o->epsilon;
    float fresh = 1.0f - (float)o->beta_1;
    for (int64_t i = 0; i < s->n; i++) {
        m[i] += (s->g[i] - m[i]) * fresh;
        u[i] = fmaxf(keep * u[i], fabsf(s->g[i]));
        s->w[i] -= s->factors[0] * m[i] / (u[i] + epsilon);
    }
}

/* Before Keras 2.11 the share of the momentum grew more slowly. */
static double nadam_growth(const void *config, double step)
{
    const moments_config *o = config;
    return o->beta_1 * (1.0 - 0.5 * pow(0.96, o->is_legacy_optimizer ? 0.004 * step : step));
}

/* factors: of m, of g, 1 / (1 - beta_2^t) */
static void nadam_prepare(const void *config, double rate, double step, float product, float *factors)
{
    const moments_config *o = config;
    double now = nadam_growth(o, step), next = nadam_growth(o, step + 1.0);
    factors[0] = (float)(rate * next / (1.0 - product * next));
    factors[1] = (float)(rate * (1.0 - now) / (1.0 - product));
    factors[2] = (float)(1.0 / (1.0 - pow(o->beta_2, step)));
}

static heed_rest nadam_rests(const void *config) { return HEED_WEIGHTS_REST; }

static void nadam_update(const void *config, const heed_stretch *s)
{
    const moments_config *o = config;
    float *m = s->slots[0], *v = s->slots[1], epsilon = (float)o->epsilon;
    float fresh_1 = 1.0f - (float)o->beta_1, fresh_2 = 1.0f - (float)o->beta_2;
    for (int64_t i = 0; i < s->n; i++) {
        float g = s->g[i];
        m[i] += (g - m[i]) * fresh_1;
        v[i] += (square_at(s, i) - v[i]) * fresh_2;
        s->w[i] -= (s->factors[0] * m[i] + s->factors[1] * g) / (sqrtf(v[i] * s->factors[2]) + epsilon);
    }
}

static void lamb_prepare(const void *config, double rate, double step, float product, float *factors)
{
    const moments_config *o = config;
    factors[0] = (float)rate;
    factors[1] = (float)(1.0 / (1.0 - pow(o->beta_1, step)));
    factors[2] = (float)(1.0 / (1.0 - pow(o->beta_2, step)));
}

static float lamb_direction(const moments_config *o, const heed_stretch *s, int64_t i)
{
    return s->slots[0][i] * s->factors[1] / (sqrtf(s->slots[1][i] * s->factors[2]) + (float)o->epsilon);
}

static void lamb_update(const void *config, const heed_stretch *s)
{
    const moments_config *o = config;
    float fresh_1 = 1.0f - (float)o->beta_1, fresh_2 = 1.0f - (float)o->beta_2;
    double weight_squares = s->kernels->sum_of_squares(s->n, s->w), squares = 0.0;
    for (int64_t i = 0; i < s->n; i++) {
        float g = s->g[i];
        s->slots[0][i] += (g - s->slots[0][i]) * fresh_1;
        s->slots[1][i] += (square_at(s, i) - s->slots[1][i]) * fresh_2;
        float direction = lamb_direction(o, s, i);
        squares += (double)direction * direction;
    }
    double ratio = weight_squares > 0.0 && squares > 0.0 ? sqrt(weight_squares / squares) : 1.0;
    float rate = (float)(ratio * s->factors[0]);
    for (int64_t i = 0; i < s->n; i++)
        s->w[i] -= rate * lamb_direction(o, s, i);
}

/* ---- schedule-free adamw (Defazio et al. 2024, arXiv:2405.15682, equations 3 to 5 with Adam's divisor)
 *
 * z takes the steps, x is the mean of all z so far, and y = (1 - beta_1) z + beta_1 x is where gradients are taken: the weights. */

#define SCHEDULE_FREE_OPTIONS(X, C)                                                                                    \
    HEED_RATE_OPTION(X, C, 0.0025)                                                                                     \
    X(C, FLOAT, beta_1, 0.9, "(0,1]", "share of the mean in the weights")                                              \
    X(C, FLOAT, beta_2, 0.999, "[0,1)", "share of the mean square that stays")                                         \
    X(C, FLOAT, epsilon, 1e-8, "", "added to the root")                                                                \
    X(C, INT, warmup_steps, 0, "[0,)", "steps in which the rate rises from 0")                                         \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(schedule_free_config, SCHEDULE_FREE_OPTIONS)

static int schedule_free_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum", .copies = true};
    slots[1] = (heed_slot){.name = "velocity"};
    return 2;
}

/* factors: size of the step, 1 / (1 - beta_2^t), share of the newest z in the mean */
static void schedule_free_prepare(const void *config, double rate, double step, float product, float *factors)
{
    const schedule_free_config *o = config;
    factors[0] = (float)(o->warmup_steps > 0 ? rate * fmin(step / o->warmup_steps, 1.0) : rate);
    factors[1] = (float)(1.0 / (1.0 - pow(o->beta_2, step)));
    factors[2] = (float)(1.0 / step);
}

static void schedule_free_update(const void *config, const heed_stretch *s)
{
    const schedule_free_config *o = config;
    float *z = s->slots[0], *v = s->slots[1], epsilon = (float)o->epsilon;
    float beta = (float)o->beta_1, fresh = 1.0f - (float)o->beta_2, newest = s->factors[2];
    for (int64_t i = 0; i < s->n; i++) {
        float mean = (s->w[i] - (1.0f - beta) * z[i]) / beta;
        v[i] += (square_at(s, i) - v[i]) * fresh;
        z[i] -= s->factors[0] * s->g[i] / (sqrtf(v[i] * s->factors[1]) + epsilon);
        mean += newest * (z[i] - mean);
        s->w[i] = (1.0f - beta) * z[i] + beta * mean;
    }
}

/* ---- adagrad, adadelta */

#define ADAGRAD_OPTIONS(X, C)                                                                                          \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, initial_accumulator_value, 0.1, "[0,)", "what the sum of squares begins with")                         \
    X(C, FLOAT, epsilon, 1e-7, "", "added under the root")                                                             \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(adagrad_config, ADAGRAD_OPTIONS)

static int adagrad_slots(const void *config, heed_slot *slots)
{
    slots[0] =
        (heed_slot){.name = "accumulator", .initial = ((const adagrad_config *)config)->initial_accumulator_value};
    return 1;
}

static void adagrad_update(const void *config, const heed_stretch *s)
{
    make_up(s, s->slots[0], 1.0, 1.0);
    s->kernels->adagrad(s->n, s->w, s->g, s->slots[0], s->factors[0], (float)((const adagrad_config *)config)->epsilon);
}

#define ADADELTA_OPTIONS(X, C)                                                                                         \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, rho, 0.95, "[0,1]", "share of the mean squares that stays")                                            \
    X(C, FLOAT, epsilon, 1e-7, "", "added under the roots")                                                            \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(adadelta_config, ADADELTA_OPTIONS)

static int adadelta_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "accumulated_grad"};
    slots[1] = (heed_slot){.name = "accumulated_delta_var"};
    return 2;
}

static void adadelta_update(const void *config, const heed_stretch *s)
{
    const adadelta_config *o = config;
    float rho = (float)o->rho, epsilon = (float)o->epsilon;
    float *squares = s->slots[0], *deltas = s->slots[1];
    for (int64_t i = 0; i < s->n; i++) {
        float square = square_at(s, i);
        squares[i] = rho * squares[i] + (1.0f - rho) * square;
        float step = -sqrtf(deltas[i] + epsilon) / sqrtf(squares[i] + epsilon);
        deltas[i] = rho * deltas[i] + (1.0f - rho) * step * step * square;
        s->w[i] += s->factors[0] * step * s->g[i];
    }
}

/* ---- ftrl */

#define FTRL_OPTIONS(X, C)                                                                                             \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, learning_rate_power, -0.5, "(,0]", "how the rate shrinks as squares add up")                           \
    X(C, FLOAT, initial_accumulator_value, 0.1, "[0,)", "what the sum of squares begins with")                         \
    X(C, FLOAT, l1_regularization_strength, 0.0, "[0,)", "")                                                           \
    X(C, FLOAT, l2_regularization_strength, 0.0, "[0,)", "")                                                           \
    X(C, FLOAT, l2_shrinkage_regularization_strength, 0.0, "[0,)", "")                                                 \
    X(C, FLOAT, beta, 0.0, "", "")                                                                                     \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(ftrl_config, FTRL_OPTIONS)

static int ftrl_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "accumulator", .initial = ((const ftrl_config *)config)->initial_accumulator_value};
    slots[1] = (heed_slot){.name = "linear"};
    return 2;
}

static void ftrl_update(const void *config, const heed_stretch *s)
{
    const ftrl_config *o = config;
    float power = (float)-o->learning_rate_power, rate = s->factors[0], l1 = (float)o->l1_regularization_strength;
    float l2 = (float)o->l2_regularization_strength + (float)o->beta / (2.0f * rate);
    float shrink = 2.0f * (float)o->l2_shrinkage_regularization_strength;
    float *sum = s->slots[0], *linear = s->slots[1];
    for (int64_t i = 0; i < s->n; i++) {
        float g = s->g[i], more = sum[i] + square_at(s, i);
        float raised = powf(more, power);
        linear[i] += g + shrink * s->w[i] - (raised - powf(sum[i], power)) / rate * s->w[i];
        float clipped = fminf(fmaxf(linear[i], -l1), l1);
        s->w[i] = (clipped - linear[i]) / (raised / rate + 2.0f * l2);
        sum[i] = more;
    }
}

/* ---- lion */

#define LION_OPTIONS(X, C)                                                                                             \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, beta_1, 0.9, "(0,1]", "share of the mean gradient in the direction")                                   \
    X(C, FLOAT, beta_2, 0.99, "[0,1]", "share of the mean gradient that stays")                                        \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(lion_config, LION_OPTIONS)

static void lion_update(const void *config, const heed_stretch *s)
{
    const lion_config *o = config;
    float b1 = (float)o->beta_1, b2 = (float)o->beta_2, *m = s->slots[0];
    for (int64_t i = 0; i < s->n; i++) {
        float g = s->g[i], direction = m[i] * b1 + g * (1.0f - b1);
        s->w[i] -= s->factors[0] * (float)((direction > 0.0f) - (direction < 0.0f));
        m[i] = m[i] * b2 + g * (1.0f - b2);
    }
}

static int lion_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "momentum"};
    return 1;
}

/* ---- adafactor */

#define ADAFACTOR_OPTIONS(X, C)                                                                                        \
    HEED_RATE_OPTION(X, C, 0.001)                                                                                      \
    X(C, FLOAT, beta_2_decay, -0.8, "(,0]", "how the share of the mean square that stays grows")                       \
    X(C, FLOAT, epsilon_1, 1e-30, "", "added to squares")                                                              \
    X(C, FLOAT, epsilon_2, 1e-3, "", "least size of a weight in steps relative to it")                                 \
    X(C, FLOAT, clip_threshold, 1.0, "(0,)", "largest root mean square of a step")                                     \
    X(C, BOOL, relative_step, true, "", "whether the rate falls with the root of the step's number")                   \
    HEED_OPTIMIZER_OPTIONS(X, C, INFINITY)
CONFIG(adafactor_config, ADAFACTOR_OPTIONS)

static int adafactor_slots(const void *config, heed_slot *slots)
{
    slots[0] = (heed_slot){.name = "row", .drops = 1};
    slots[1] = (heed_slot){.name = "column", .drops = 2};
    slots[2] = (heed_slot){.name = "velocity"};
    return 3;
}

/* factors: rate, share of the mean squares that stays */
static void adafactor_prepare(const void *config, double rate, double step, float product, float *factors)
{
    factors[0] = (float)fmin(rate, 1.0 / sqrt(step));
    factors[1] = (float)(1.0 - pow(step, ((const adafactor_config *)config)->beta_2_decay));
}

/* The mean squares of one matrix, from those of its rows and of its columns. */
static void factor_squares(const heed_stretch *s, float epsilon, int64_t rows, int64_t columns, int64_t at)
{
    float keep = s->factors[1], *r = s->slots[0] + at * rows, *c = s->slots[1] + at * columns;
    const float *g = s->g + at * rows * columns;
    float *v = s->slots[2] + at * rows * columns;
    double mean = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < columns; j++)
            sum += (double)g[i * columns + j] * g[i * columns + j] + epsilon;
        r[i] = keep * r[i] + (1.0f - keep) * (float)(sum / (double)columns);
        mean += r[i] / (double)rows;
    }
    for (int64_t j = 0; j < columns; j++) {
        double sum = 0.0;
        for (int64_t i = 0; i < rows; i++)
            sum += (double)g[i * columns + j] * g[i * columns + j] + epsilon;
        c[j] = keep * c[j] + (1.0f - keep) * (float)(sum / (double)rows);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            v[i * columns + j] = (float)(r[i] / mean) * c[j];
}

static void adafactor_update(const void *config, const heed_stretch *s)
{
    const adafactor_config *o = config;
    float epsilon = (float)o->epsilon_1, keep = s->factors[1], *v = s->slots[2];
    int rank = s->shape->rank;
    double weights = s->kernels->sum_of_squares(s->n, s->w), squares = 0.0, n = (double)s->n;
    if (rank >= 2) {
        int64_t rows = s->shape->dims[rank - 2], columns = s->shape->dims[rank - 1];
        for (int64_t at = 0; at < s->n / (rows * columns); at++)
            factor_squares(s, epsilon, rows, columns, at);
    }
    for (int64_t i = 0; i < s->n && rank < 2; i++)
        v[i] = keep * v[i] + (1.0f - keep) * (s->g[i] * s->g[i] + epsilon);
    for (int64_t i = 0; i < s->n; i++)
        squares += (double)s->g[i] * s->g[i] / v[i];
    double size = fmax(o->epsilon_2, sqrt(weights / n)) * s->factors[0];
    float scale = (float)(size / fmax(1.0, sqrt(squares / n) / o->clip_threshold));
    for (int64_t i = 0; i < s->n; i++)
        s->w[i] -= scale * s->g[i] / sqrtf(v[i]);
}

/* ---- the table */

#define OPTIMIZER(id, title, config, LIST, ...)                                                                        \
    static const heed_optimizer_class id = {                                                                           \
        .class = {.name = #id, .keras = title, HEED_CLASS_OPTIONS(config, LIST)}, __VA_ARGS__};

OPTIMIZER(sgd, "SGD", sgd_config, SGD_OPTIONS, .slots = sgd_slots, .prepare = sgd_prepare, .update = sgd_update,
          .rests = all_rests)
OPTIMIZER(rmsprop, "RMSprop", rmsprop_config, RMSPROP_OPTIONS, .slots = rmsprop_slots, .prepare = sgd_prepare,
          .update = rmsprop_update, .squares = true, .rests = rmsprop_rests)
OPTIMIZER(adam, "Adam", adam_config, ADAM_OPTIONS, .slots = adam_slots, .prepare = adam_prepare,
          .update = adam_update, .squares = true)
OPTIMIZER(adamw, "AdamW", adam_config, ADAMW_OPTIONS, .slots = adam_slots, .prepare = adam_prepare,
          .update = adam_update, .squares = true)
OPTIMIZER(adamax, "Adamax", moments_config, MOMENTS_OPTIONS, .slots = adamax_slots, .prepare = adamax_prepare,
          .update = adamax_update, .rests = all_rests)
OPTIMIZER(nadam, "Nadam", moments_config, MOMENTS_OPTIONS, .slots = moments_slots, .prepare = nadam_prepare,
          .update = nadam_update, .squares = true, .growth = nadam_growth, .rests = nadam_rests)
OPTIMIZER(lamb, "Lamb", moments_config, MOMENTS_OPTIONS, .slots = moments_slots, .prepare = lamb_prepare,
          .update = lamb_update, .squares = true, .whole = true)
OPTIMIZER(adagrad, "Adagrad", adagrad_config, ADAGRAD_OPTIONS, .slots = adagrad_slots, .prepare = sgd_prepare,
          .update = adagrad_update, .squares = true)
OPTIMIZER(adadelta, "Adadelta", adadelta_config, ADADELTA_OPTIONS, .slots = adadelta_slots, .prepare = sgd_prepare,
          .update = adadelta_update, .squares = true, .rests = all_rests)
OPTIMIZER(ftrl, "Ftrl", ftrl_config, FTRL_OPTIONS, .slots = ftrl_slots, .prepare = sgd_prepare,
          .update = ftrl_update, .squares = true, .interleaved = true, .rests = all_rests)
OPTIMIZER(lion, "Lion", lion_config, LION_OPTIONS, .slots = lion_slots, .prepare = sgd_prepare, .update = lion_update)

OPTIMIZER(adafactor, "Adafactor", adafactor_config, ADAFACTOR_OPTIONS, .slots = adafactor_slots,
          .prepare = adafactor_prepare, .update = adafactor_update, .whole = true)
OPTIMIZER(schedulefreeadamw, "ScheduleFreeAdamW", schedule_free_config, SCHEDULE_FREE_OPTIONS, .slots = schedule_free_slots,
          .prepare = schedule_free_prepare, .update = schedule_free_update, .squares = true)

static const heed_object_class *const classes[] = {
    &sgd.class,  &rmsprop.class, &adam.class,      &adamw.class,    &adagrad.class,           &adadelta.class, &adamax.class, &nadam.class,
    &ftrl.class, &lion.class,    &lamb.class,      &adafactor.class, &schedulefreeadamw.class, &heed_muon.class, NULL};
const heed_object_family heed_optimizers = {"optimizer", "keras.optimizers", classes, NULL};
