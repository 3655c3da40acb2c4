/* Initial numbers of weights. What a variable gets depends on the seed, its stream and its shape alone. */
#include "base/random.h"
#include "layers/layer.h"
#include "layers/object.h"

#include <math.h>
#include <string.h>

/* What is to be filled, and where its numbers come from. */
typedef struct drawing {
    heed_context     *context;
    const heed_shape *shape;
    float            *data;
    int64_t           count;
    heed_random       random;
    double            fan_in, fan_out; /* 0: as the shape tells */
} drawing;

typedef struct initializer_class {
    heed_object_class class;
    heed_status (*draw)(drawing *d, const void *config);
} initializer_class;

static void fill(drawing *d, double value)
{
    for (int64_t i = 0; i < d->count; i++)
        d->data[i] = (float)value;
}

static void draw_normal(drawing *d, double mean, double deviation)
{
    for (int64_t i = 0; i < d->count; i++)
        d->data[i] = (float)(mean + deviation * heed_random_normal(&d->random));
}

/* What lies more than two deviations off is drawn again. */
static void draw_truncated(drawing *d, double mean, double deviation)
{
    for (int64_t i = 0; i < d->count; i++) {
        double z = heed_random_normal(&d->random);
        while (fabs(z) > 2.0)
            z = heed_random_normal(&d->random);
        d->data[i] = (float)(mean + deviation * z);
    }
}

static void draw_uniform(drawing *d, double low, double high)
{
    for (int64_t i = 0; i < d->count; i++)
        d->data[i] = (float)(low + (high - low) * heed_random_double(&d->random));
}

/* ---- constants ---- */

#define CONSTANT_OPTIONS(X, config) X(config, FLOAT, value, 0.0, "", "the number everywhere")
typedef struct constant_config { CONSTANT_OPTIONS(HEED_OPTION_FIELD, ) } constant_config;

static heed_status draw_zeros(drawing *d, const void *config)
{
    fill(d, 0.0);
    return HEED_OK;
}

static heed_status draw_ones(drawing *d, const void *config)
{
    fill(d, 1.0);
    return HEED_OK;
}

static heed_status draw_constant(drawing *d, const void *config)
{
    fill(d, ((const constant_config *)config)->value);
    return HEED_OK;
}

static const initializer_class zeros = {{.name = "zeros", .keras = "Zeros"}, draw_zeros};
static const initializer_class ones = {{.name = "ones", .keras = "Ones"}, draw_ones};
static const initializer_class constant = {
    {.name = "constant", .keras = "Constant", HEED_CLASS_OPTIONS(constant_config, CONSTANT_OPTIONS)}, draw_constant};

#define IDENTITY_OPTIONS(X, config) X(config, FLOAT, gain, 1.0, "", "the number on the diagonal")
typedef struct identity_config { IDENTITY_OPTIONS(HEED_OPTION_FIELD, ) } identity_config;

static heed_status draw_identity(drawing *d, const void *config)
{
    char text[128];
    if (d->shape->rank != 2)
        return heed_fail(d->context, HEED_ESHAPE, "identity: only for matrices (expected rank 2, found %s)",
                         heed_shape_text(d->shape, text, sizeof text));
    fill(d, 0.0);
    int64_t columns = d->shape->dims[1];
    for (int64_t i = 0; i < d->shape->dims[0] && i < columns; i++)
        d->data[i * columns + i] = (float)((const identity_config *)config)->gain;
    return HEED_OK;
}

static const initializer_class identity = {
    {.name = "identity", .keras = "Identity", HEED_CLASS_OPTIONS(identity_config, IDENTITY_OPTIONS)}, draw_identity};

/* ---- random numbers of a given width ---- */

#define NORMAL_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, mean, 0.0, "", "mean")                                                                            \
    X(config, FLOAT, stddev, 0.05, "[0,)", "standard deviation (before what is far off is drawn again)")
typedef struct normal_config { NORMAL_OPTIONS(HEED_OPTION_FIELD, ) } normal_config;

static heed_status draw_random_normal(drawing *d, const void *config)
{
    const normal_config *o = config;
    draw_normal(d, o->mean, o->stddev);
    return HEED_OK;
}

static heed_status draw_truncated_normal(drawing *d, const void *config)
{
    const normal_config *o = config;
    draw_truncated(d, o->mean, o->stddev);
    return HEED_OK;
}

#define UNIFORM_OPTIONS(X, config)                                                                                     \
    X(config, FLOAT, minval, -0.05, "", "from here")                                                                   \
    X(config, FLOAT, maxval, 0.05, "", "to here")
typedef struct uniform_config { UNIFORM_OPTIONS(HEED_OPTION_FIELD, ) } uniform_config;

static heed_status draw_random_uniform(drawing *d, const void *config)
{
    const uniform_config *o = config;
    draw_uniform(d, o->minval, o->maxval);
    return HEED_OK;
}

static const initializer_class random_normal =
    {{.name = "random_normal", .keras = "RandomNormal", .passed_over = "seed",
                                                 HEED_CLASS_OPTIONS(normal_config, NORMAL_OPTIONS)},
                                                draw_random_normal};
static const initializer_class truncated_normal = {{.name = "truncated_normal", .keras = "TruncatedNormal",
                                                    .passed_over = "seed",
                                                    HEED_CLASS_OPTIONS(normal_config, NORMAL_OPTIONS)},
                                                   draw_truncated_normal};
static const initializer_class random_uniform =
    {{.name = "random_uniform", .keras = "RandomUniform", .passed_over = "seed",
                                                  HEED_CLASS_OPTIONS(uniform_config, UNIFORM_OPTIONS)},
                                                 draw_random_uniform};

/* ---- variance scaling: the width follows from the number of inputs and outputs ---- */

#define SCALING_OPTIONS(X, config)                                                                                     \
    X(config, FLOAT, scale, 1.0, "(0,)", "variance times fan")                                                         \
    X(config, TEXT, mode, "fan_in", "fan_in|fan_out|fan_avg", "which fan")                                             \
    X(config, TEXT, distribution, "truncated_normal", "truncated_normal|normal|untruncated_normal|uniform",            \
      "which distribution")
typedef struct scaling_config { SCALING_OPTIONS(HEED_OPTION_FIELD, ) } scaling_config;

static void fans(const drawing *d, double *in, double *out)
{
    const heed_shape *shape = d->shape;
    *in = d->fan_in;
    *out = d->fan_out;
    if (*in > 0.0)
        return;
    if (shape->rank < 2) {
        *in = *out = shape->rank == 0 ? 1.0 : (double)shape->dims[0];
        return;
    }
    double receptive = 1.0;
    for (int i = 0; i < shape->rank - 2; i++)
        receptive *= (double)shape->dims[i];
    *in = receptive * (double)shape->dims[shape->rank - 2];
    *out = receptive * (double)shape->dims[shape->rank - 1];
}

static heed_status draw_variance_scaling(drawing *d, const void *config)
{
    const double truncated_deviation = 0.87962566103423978; /* of a standard normal cut at two */
    const scaling_config *o = config;
    double in, out;
    fans(d, &in, &out);
    double fan = strcmp(o->mode, "fan_in") == 0 ? in : strcmp(o->mode, "fan_out") == 0 ? out : (in + out) / 2.0;
    double variance = o->scale / fmax(1.0, fan);
    if (strcmp(o->distribution, "uniform") == 0)
        draw_uniform(d, -sqrt(3.0 * variance), sqrt(3.0 * variance));
    else if (strcmp(o->distribution, "untruncated_normal") == 0)
        draw_normal(d, 0.0, sqrt(variance));
    else
        draw_truncated(d, 0.0, sqrt(variance) / truncated_deviation);
    return HEED_OK;
}

static const initializer_class variance_scaling = {{.name = "variance_scaling", .keras = "VarianceScaling",
                                                    .passed_over = "seed",
                                                    HEED_CLASS_OPTIONS(scaling_config, SCALING_OPTIONS)},
                                                   draw_variance_scaling};

/* glorot_uniform and its like: the same with everything chosen. */
#define SCALING(initializer, keras_name, scale_value, mode_word, distribution_word)                                    \
    static heed_status draw_##initializer(drawing *d, const void *config)                                              \
    {                                                                                                                  \
        return draw_variance_scaling(d, &(scaling_config){scale_value, mode_word, distribution_word});                 \
    }                                                                                                                  \
    static const initializer_class initializer = {                                                                     \
        {.name = #initializer, .keras = keras_name, .passed_over = "seed"}, draw_##initializer};

SCALING(glorot_uniform, "GlorotUniform", 1.0, "fan_avg", "uniform")
SCALING(glorot_normal, "GlorotNormal", 1.0, "fan_avg", "truncated_normal")
SCALING(he_uniform, "HeUniform", 2.0, "fan_in", "uniform")
SCALING(he_normal, "HeNormal", 2.0, "fan_in", "truncated_normal")
SCALING(lecun_uniform, "LecunUniform", 1.0, "fan_in", "uniform")
SCALING(lecun_normal, "LecunNormal", 1.0, "fan_in", "truncated_normal")

/* ---- orthogonal ---- */

#define ORTHOGONAL_OPTIONS(X, config) X(config, FLOAT, gain, 1.0, "", "length of the rows or columns")
typedef struct orthogonal_config { ORTHOGONAL_OPTIONS(HEED_OPTION_FIELD, ) } orthogonal_config;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Makes `count` vectors of `n` numbers orthonormal (modified Gram and Schmidt, each vector twice, which suffices). The
 * factor R that is taken out has a positive diagonal: what Keras gets by Q sign(diag R). */
static void orthonormalize(double *vectors, int64_t count, int64_t n)
{
    for (int64_t j = 0; j < count; j++) {
        double *v = vectors + j * n;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < j; i++) {
                const double *u = vectors + i * n;
                double along = dot(u, v, n);
                for (int64_t k = 0; k < n; k++)
                    v[k] -= along * u[k];
            }
        double length = sqrt(dot(v, v, n));
        for (int64_t k = 0; k < n; k++)
            v[k] /= length;
    }
}

static heed_status draw_orthogonal(drawing *d, const void *config)
{
    char text[128];
    if (d->shape->rank < 2)
        return heed_fail(d->context, HEED_ESHAPE, "orthogonal: only for two dimensions and more (found %s)",
                         heed_shape_text(d->shape, text, sizeof text));
    int64_t columns = d->shape->dims[d->shape->rank - 1];
    int64_t rows = columns == 0 ? 0 : d->count / columns;
    bool wide = rows < columns; /* then the rows are orthonormal, else the columns */
    int64_t count = wide ? rows : columns, n = wide ? columns : rows;
    double *vectors = heed_alloc_raw(d->context, (size_t)d->count, sizeof *vectors);
    if (vectors == NULL)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < d->count; i++)
        vectors[i] = heed_random_normal(&d->random);
    orthonormalize(vectors, count, n);
    double gain = ((const orthogonal_config *)config)->gain;
    for (int64_t j = 0; j < count; j++)
        for (int64_t k = 0; k < n; k++)
            d->data[wide ? j * n + k : k * count + j] = (float)(gain * vectors[j * n + k]);
    heed_release(d->context, vectors);
    return HEED_OK;
}

static const initializer_class orthogonal = {{.name = "orthogonal", .keras = "Orthogonal", .passed_over = "seed",
                                              HEED_CLASS_OPTIONS(orthogonal_config, ORTHOGONAL_OPTIONS)},
                                             draw_orthogonal};

/* ---- the bias of an LSTM: as another initializer has it, but ones for the forget gate, the second quarter ---- */

#define FORGET_OPTIONS(X, config) X(config, INITIALIZER, initializer, "zeros", "", "of the other gates")
typedef struct forget_config { FORGET_OPTIONS(HEED_OPTION_FIELD, ) } forget_config;

static heed_status draw_by(drawing *d, const heed_object *initializer)
{
    return ((const initializer_class *)initializer->object_class)->draw(d, initializer->config);
}

static heed_status draw_unit_forget(drawing *d, const void *config)
{
    heed_zone z;
    heed_zone_init(&z, d->context);
    heed_object *inner;
    heed_status status = heed_object_parse(&z, &heed_initializers, ((const forget_config *)config)->initializer,
                                           &inner);
    if (status == HEED_OK)
        status = draw_by(d, inner);
    heed_zone_free(&z);
    for (int64_t i = d->count / 4; i < d->count / 2; i++)
        d->data[i] = 1.0f;
    return status;
}

static const initializer_class unit_forget = {
    {.name = "unit_forget", HEED_CLASS_OPTIONS(forget_config, FORGET_OPTIONS)}, draw_unit_forget};

/* ---- all of them ---- */

static const heed_object_class *const classes[] = {
    &zeros.class, &ones.class, &constant.class, &identity.class, &random_normal.class, &random_uniform.class,
    &truncated_normal.class, &variance_scaling.class, &glorot_uniform.class, &glorot_normal.class, &he_uniform.class,
    &he_normal.class, &lecun_uniform.class, &lecun_normal.class, &orthogonal.class, &unit_forget.class, NULL};
static const char *const aliases[][2] = {
    {"uniform", "random_uniform"}, {"normal", "random_normal"},           {"zero", "zeros"},
    {"one", "ones"},               {"IdentityInitializer", "identity"},   {"OrthogonalInitializer", "orthogonal"},
    {NULL, NULL}};
const heed_object_family heed_initializers = {"initializer", "keras.initializers", classes, aliases};

heed_status heed_variable_initialize(heed_context *c, heed_variable *v, uint64_t seed, uint64_t stream)
{
    HEED_TRY(heed_variable_claim(v));
    drawing d = {c, &v->shape, v->data, v->count, {.seed = seed, .stream = stream}, v->fan_in, v->fan_out};
    if (v->initializer == NULL || v->count == 0)
        return HEED_OK;
    heed_status status = draw_by(&d, v->initializer);
    return status == HEED_OK ? HEED_OK : heed_fail_in(c, status, v->name);
}
