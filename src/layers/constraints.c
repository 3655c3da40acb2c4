#include "layers/layer.h"
#include "layers/regularizers.h"

#include <math.h>

typedef struct constraint_class {
    heed_object_class class;
    /* The new value of a vector from its length; NULL for constraints that look at single numbers. */
    double (*scale)(double length, const void *config);
} constraint_class;

static const double epsilon = 1e-7; /* Keras' backend.epsilon() */

#define AXIS_OPTION(X, config)                                                                                         \
    X(config, SHAPE, axis, HEED_DIMS(1, 0), "", "the axes along which a length is taken")

#define MAX_NORM_OPTIONS(X, config)                                                                                    \
    X(config, FLOAT, max_value, 2.0, "[0,)", "the greatest length") AXIS_OPTION(X, config)
#define UNIT_NORM_OPTIONS(X, config) AXIS_OPTION(X, config)
#define MIN_MAX_NORM_OPTIONS(X, config)                                                                                \
    X(config, FLOAT, min_value, 0.0, "[0,)", "the least length")                                                       \
    X(config, FLOAT, max_value, 1.0, "[0,)", "the greatest length")                                                    \
    X(config, FLOAT, rate, 1.0, "[0,1]", "how much of the way is gone at once")                                        \
    AXIS_OPTION(X, config)

typedef struct max_norm_config { MAX_NORM_OPTIONS(HEED_OPTION_FIELD, ) } max_norm_config;
typedef struct unit_norm_config { UNIT_NORM_OPTIONS(HEED_OPTION_FIELD, ) } unit_norm_config;
typedef struct min_max_norm_config { MIN_MAX_NORM_OPTIONS(HEED_OPTION_FIELD, ) } min_max_norm_config;

static double max_norm_scale(double length, const void *config)
{
    return fmin(length, ((const max_norm_config *)config)->max_value) / (epsilon + length);
}

static double unit_norm_scale(double length, const void *config) { return 1.0 / (epsilon + length); }

static double min_max_norm_scale(double length, const void *config)
{
    const min_max_norm_config *o = config;
    double wanted = fmin(fmax(length, o->min_value), o->max_value);
    return (o->rate * wanted + (1.0 - o->rate) * length) / (epsilon + length);
}

static const constraint_class max_norm = {
    {.name = "max_norm", .keras = "MaxNorm", HEED_CLASS_OPTIONS(max_norm_config, MAX_NORM_OPTIONS)}, max_norm_scale};
static const constraint_class unit_norm = {
    {.name = "unit_norm", .keras = "UnitNorm", HEED_CLASS_OPTIONS(unit_norm_config, UNIT_NORM_OPTIONS)},
    unit_norm_scale};
static const constraint_class min_max_norm = {
    {.name = "min_max_norm", .keras = "MinMaxNorm", HEED_CLASS_OPTIONS(min_max_norm_config, MIN_MAX_NORM_OPTIONS)},
    min_max_norm_scale};
static const constraint_class non_neg = {{.name = "non_neg", .keras = "NonNeg"}, NULL};

static const heed_object_class *const classes[] = {&max_norm.class, &non_neg.class, &unit_norm.class,
                                                   &min_max_norm.class,
                                                   NULL};
static const char *const aliases[][2] = {{"maxnorm", "max_norm"}, {"nonneg", "non_neg"}, {"unitnorm", "unit_norm"},
                                         {"unit_normalization", "unit_norm"}, {NULL, NULL}};
const heed_object_family heed_constraints = {"constraint", "keras.constraints", classes, aliases};

/* ---- vectors along some axes of an array ---- */

typedef struct strided {
    int     rank;
    int64_t sizes[HEED_MAX_RANK], strides[HEED_MAX_RANK];
} strided;

static int64_t count_of(const strided *s)
{
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++)
        count *= s->sizes[i];
    return count;
}

/* Where the index-th element of the walk lies. */
static int64_t offset_of(const strided *s, int64_t index)
{
    int64_t offset = 0;
    for (int i = s->rank - 1; i >= 0; i--) {
        offset += index % s->sizes[i] * s->strides[i];
        index /= s->sizes[i];
    }
    return offset;
}

/* Shares the dimensions out: those named by `axes` are walked along, the others tell vectors apart. */
static void split_axes(const heed_shape *shape, const heed_shape *axes, strided *along, strided *others)
{
    *along = *others = (strided){0};
    bool chosen[HEED_MAX_RANK] = {false};
    for (int i = 0; i < axes->rank; i++) {
        int axis = heed_axis(shape->rank, (int)axes->dims[i]);
        if (axis >= 0)
            chosen[axis] = true;
    }
    int64_t stride = 1;
    int64_t strides[HEED_MAX_RANK];
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape->dims[i];
    }
    for (int i = 0; i < shape->rank; i++) {
        strided *s = chosen[i] ? along : others;
        s->sizes[s->rank] = shape->dims[i];
        s->strides[s->rank++] = strides[i];
    }
}

static void scale_vector(const heed_object *o, const strided *along, float *data)
{
    double sum = 0;
    int64_t count = count_of(along);
    for (int64_t i = 0; i < count; i++) {
        double value = data[offset_of(along, i)];
        sum += value * value;
    }
    double factor = ((const constraint_class *)o->object_class)->scale(sqrt(sum), o->config);
    for (int64_t i = 0; i < count; i++)
        data[offset_of(along, i)] = (float)(data[offset_of(along, i)] * factor);
}

/* The option `axis` of the classes that have it. */
static const heed_shape *axes_of(const heed_object *o)
{
    const heed_option *row = heed_options_find(HEED_TABLE_OF(o->object_class), "axis");
    return (const heed_shape *)((const char *)o->config + row->offset);
}

void heed_constrain(const heed_object *o, const heed_shape *shape, float *data)
{
    if (o->object_class == &non_neg.class) {
        for (int64_t i = 0, count = heed_shape_count(shape); i < count; i++)
            data[i] = data[i] >= 0.0f ? data[i] : 0.0f;
        return;
    }
    strided along, others;
    split_axes(shape, axes_of(o), &along, &others);
    for (int64_t i = 0, count = count_of(&others); i < count; i++)
        scale_vector(o, &along, data + offset_of(&others, i));
}

void heed_variable_constrain(heed_variable *v)
{
    if (v->constraint != NULL)
        heed_constrain(v->constraint, &v->shape, v->data);
}
