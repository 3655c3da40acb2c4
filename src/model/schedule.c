#include "model/schedule.h"

#include <math.h>
#include <string.h>

typedef struct schedule_class {
    heed_object_class class;
    double (*rate)(const void *config, double step);
} schedule_class;

/* A piecewise constant schedule holds lists, which options cannot; the others are objects. */
struct heed_schedule {
    const heed_object *object; /* NULL: piecewise */
    const char        *text;   /* the object's expression */
    double            *boundaries, *values; /* one more value than boundaries */
    size_t             count;               /* boundaries */
};

/* ---- exponential and inverse time decay */

#define DECAY_OPTIONS(X, C, title)                                                                                     \
    X(C, FLOAT, initial_learning_rate, NAN, "(0,)", "rate of the first step")                                          \
    X(C, FLOAT, decay_steps, NAN, "(0,)", "steps in which it decays once")                                             \
    X(C, FLOAT, decay_rate, NAN, "[0,)", "how much it decays then")                                                    \
    X(C, BOOL, staircase, false, "", "it decays at once after so many steps")                                          \
    X(C, TEXT, name, title, "", "")
#define EXPONENTIAL_OPTIONS(X, C)  DECAY_OPTIONS(X, C, "ExponentialDecay")
#define INVERSE_TIME_OPTIONS(X, C) DECAY_OPTIONS(X, C, "InverseTimeDecay")
typedef struct decay_config {
    EXPONENTIAL_OPTIONS(HEED_OPTION_FIELD, )
} decay_config;

static double periods(const decay_config *o, double step)
{
    double p = step / o->decay_steps;
    return o->staircase ? floor(p) : p;
}

static double exponential_rate(const void *config, double step)
{
    const decay_config *o = config;
    return o->initial_learning_rate * pow(o->decay_rate, periods(o, step));
}

static double inverse_time_rate(const void *config, double step)
{
    const decay_config *o = config;
    return o->initial_learning_rate / (1.0 + o->decay_rate * periods(o, step));
}

/* ---- polynomial decay */

#define POLYNOMIAL_OPTIONS(X, C)                                                                                       \
    X(C, FLOAT, initial_learning_rate, NAN, "(0,)", "rate of the first step")                                          \
    X(C, FLOAT, decay_steps, NAN, "(0,)", "steps until the last rate")                                                 \
    X(C, FLOAT, end_learning_rate, 0.0001, "[0,)", "the last rate")                                                    \
    X(C, FLOAT, power, 1.0, "", "1: along a line")                                                                     \
    X(C, BOOL, cycle, false, "", "it starts again, for longer, when it is done")                                       \
    X(C, TEXT, name, "PolynomialDecay", "", "")
typedef struct polynomial_config {
    POLYNOMIAL_OPTIONS(HEED_OPTION_FIELD, )
} polynomial_config;

static double polynomial_rate(const void *config, double step)
{
    const polynomial_config *o = config;
    double steps = o->decay_steps;
    if (o->cycle)
        steps *= step == 0.0 ? 1.0 : ceil(step / steps);
    else
        step = fmin(step, steps);
    return (o->initial_learning_rate - o->end_learning_rate) * pow(1.0 - step / steps, o->power) + o->end_learning_rate;
}

/* ---- along a cosine */

static const double PI = 3.14159265358979323846;

#define COSINE_OPTIONS(X, C)                                                                                           \
    X(C, FLOAT, initial_learning_rate, NAN, "[0,)", "rate of the first step")                                          \
    X(C, FLOAT, decay_steps, NAN, "(0,)", "steps until the last rate, warm-up apart")                                  \
    X(C, FLOAT, alpha, 0.0, "", "the last rate, as a share of the highest")                                            \
    X(C, TEXT, name, "CosineDecay", "", "")                                                                            \
    X(C, FLOAT, warmup_target, INFINITY, "", "rate at the end of the warm-up; None: no warm-up")                       \
    X(C, FLOAT, warmup_steps, 0.0, "[0,)", "steps of the warm-up")
typedef struct cosine_config {
    COSINE_OPTIONS(HEED_OPTION_FIELD, )
} cosine_config;

static double cosine_rate(const void *config, double step)
{
    const cosine_config *o = config;
    double highest = o->initial_learning_rate;
    if (!isinf(o->warmup_target)) {
        highest = o->warmup_target;
        if (step < o->warmup_steps)
            return (highest - o->initial_learning_rate) * (step / o->warmup_steps) + o->initial_learning_rate;
        step -= o->warmup_steps;
    }
    double share = fmin(step, o->decay_steps) / o->decay_steps;
    return highest * ((1.0 - o->alpha) * 0.5 * (1.0 + cos(PI * share)) + o->alpha);
}

#define RESTARTS_OPTIONS(X, C)                                                                                         \
    X(C, FLOAT, initial_learning_rate, NAN, "(0,)", "rate of the first step")                                          \
    X(C, FLOAT, first_decay_steps, NAN, "(0,)", "steps until the first restart")                                       \
    X(C, FLOAT, t_mul, 2.0, "[1,)", "how much longer each period is than the one before")                              \
    X(C, FLOAT, m_mul, 1.0, "[0,)", "how much higher each restart is than the one before")                             \
    X(C, FLOAT, alpha, 0.0, "", "the last rate, as a share of the first")                                              \
    X(C, TEXT, name, "SGDRDecay", "", "")
typedef struct restarts_config {
    RESTARTS_OPTIONS(HEED_OPTION_FIELD, )
} restarts_config;

static double restarts_rate(const void *config, double step)
{
    const restarts_config *o = config;
    double share = step / o->first_decay_steps, restarts = floor(share);
    if (o->t_mul != 1.0) {
        restarts = floor(log(1.0 - share * (1.0 - o->t_mul)) / log(o->t_mul));
        double before = (1.0 - pow(o->t_mul, restarts)) / (1.0 - o->t_mul);
        share = (share - before) / pow(o->t_mul, restarts);
    } else {
        share -= restarts;
    }
    double decayed = 0.5 * pow(o->m_mul, restarts) * (1.0 + cos(PI * share));
    return o->initial_learning_rate * ((1.0 - o->alpha) * decayed + o->alpha);
}

#define SCHEDULE(id, word, title, config, OPTIONS, function)                                                           \
    static const schedule_class id = {{.name = word, .keras = title, HEED_CLASS_OPTIONS(config, OPTIONS)}, function};

SCHEDULE(exponential, "exponential_decay", "ExponentialDecay", decay_config, EXPONENTIAL_OPTIONS, exponential_rate)
SCHEDULE(inverse_time, "inverse_time_decay", "InverseTimeDecay", decay_config, INVERSE_TIME_OPTIONS, inverse_time_rate)
SCHEDULE(polynomial, "polynomial_decay", "PolynomialDecay", polynomial_config, POLYNOMIAL_OPTIONS, polynomial_rate)
SCHEDULE(cosine, "cosine_decay", "CosineDecay", cosine_config, COSINE_OPTIONS, cosine_rate)
SCHEDULE(restarts, "cosine_decay_restarts", "CosineDecayRestarts", restarts_config, RESTARTS_OPTIONS, restarts_rate)

static const heed_object_class *const classes[] = {&exponential.class, &inverse_time.class, &polynomial.class,
                                                   &cosine.class,      &restarts.class,     NULL};
const heed_object_family heed_schedules = {"learning rate schedule", "keras.optimizers.schedules", classes, NULL};

/* ---- piecewise constant */

static heed_status read_list(heed_zone *z, const heed_value *v, const char *what, double **out, size_t *count)
{
    if (!heed_value_is(v, HEED_VALUE_LIST))
        return v == NULL ? heed_fail(z->context, HEED_EINVAL, "piecewise_constant_decay: %s is missing", what)
                         : heed_value_unexpected(z->context, v, what, "a list of numbers");
    *out = heed_zone_alloc(z, v->count, sizeof **out);
    *count = 0;
    if (*out == NULL)
        return HEED_ENOMEM;
    for (const heed_value *item = v->first; item != NULL; item = item->next)
        HEED_TRY(heed_value_as_real(z->context, item, what, &(*out)[(*count)++]));
    return HEED_OK;
}

static heed_status read_piecewise(heed_zone *z, const heed_value *options, heed_schedule *s)
{
    const heed_value *boundaries = heed_value_find(options, "boundaries"), *values = heed_value_find(options, "values");
    const heed_value *first = options->first;
    if (boundaries == NULL && first != NULL && first->key == NULL) {
        boundaries = first;
        if (values == NULL && first->next != NULL && first->next->key == NULL)
            values = first->next;
    }
    size_t value_count;
    HEED_TRY(read_list(z, boundaries, "boundaries", &s->boundaries, &s->count));
    HEED_TRY(read_list(z, values, "values", &s->values, &value_count));
    if (s->count < 1 || value_count != s->count + 1)
        return heed_fail(z->context, HEED_EINVAL,
                         "piecewise_constant_decay: there is one value more than boundaries (expected "
                         "%zu values, found %zu)",
                         s->count + 1, value_count);
    return HEED_OK;
}

static double piecewise_rate(const heed_schedule *s, double step)
{
    size_t i = 0;
    while (i < s->count && step > s->boundaries[i])
        i++;
    return s->values[i];
}

static heed_value *piecewise_value(heed_zone *z, const heed_schedule *s)
{
    heed_value *saved = heed_value_dict(z), *config = heed_value_dict(z);
    if (heed_value_set(z, config, "boundaries", heed_value_reals(z, s->boundaries, (int64_t)s->count)) != HEED_OK ||
        heed_value_set(z, config, "values", heed_value_reals(z, s->values, (int64_t)s->count + 1)) != HEED_OK ||
        heed_value_set(z, config, "name", heed_value_text(z, "PiecewiseConstant")) != HEED_OK ||
        heed_value_set(z, saved, "module", heed_value_text(z, heed_schedules.module)) != HEED_OK ||
        heed_value_set(z, saved, "class_name", heed_value_text(z, "PiecewiseConstantDecay")) != HEED_OK ||
        heed_value_set(z, saved, "config", config) != HEED_OK ||
        heed_value_set(z, saved, "registered_name", heed_value_null(z)) != HEED_OK)
        return NULL;
    return saved;
}

/* ---- any */

heed_status heed_schedule_read(heed_zone *z, const heed_value *v, heed_schedule **out)
{
    heed_schedule *s = *out = heed_zone_alloc(z, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    const heed_value *class_name = heed_value_find(v, "class_name");
    if (heed_value_is(v, HEED_VALUE_CALL) && strcmp(v->text, "piecewise_constant_decay") == 0)
        return read_piecewise(z, v, s);
    if (heed_value_is(class_name, HEED_VALUE_TEXT) && strcmp(class_name->text, "PiecewiseConstantDecay") == 0 &&
        heed_value_is(heed_value_find(v, "config"), HEED_VALUE_DICT))
        return read_piecewise(z, heed_value_find(v, "config"), s);
    HEED_TRY(heed_object_expression(z, &heed_schedules, v, "learning_rate", &s->text));
    heed_object *object;
    HEED_TRY(heed_object_parse(z, &heed_schedules, s->text, &object));
    s->object = object;
    return HEED_OK;
}

double heed_schedule_rate(const heed_schedule *s, int64_t steps)
{
    if (s->object == NULL)
        return piecewise_rate(s, (double)steps);
    return ((const schedule_class *)s->object->object_class)->rate(s->object->config, (double)steps);
}

heed_value *heed_schedule_value(heed_zone *z, const heed_schedule *s)
{
    return s->object == NULL ? piecewise_value(z, s) : heed_object_value(z, &heed_schedules, s->text);
}
