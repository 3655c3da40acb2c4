#include "layers/regularizers.h"

#include "layers/layer.h"

typedef struct regularizer_class {
    heed_object_class class;
    heed_tensor *(*penalty)(heed_tensor *x, const void *config);
} regularizer_class;

static heed_tensor *sum_all(heed_tensor *x) { return heed_op_sum(x, NULL, 0, false); }
static heed_tensor *scaled(heed_tensor *x, double factor) { return heed_op_scale(x, (float)factor, 0.0f); }

/* ---- l1, l2, l1_l2 ---- */

#define L1_OPTIONS(X, config) X(config, FLOAT, l1, 0.01, "[0,)", "factor of the sum of absolute values")
#define L2_OPTIONS(X, config) X(config, FLOAT, l2, 0.01, "[0,)", "factor of the sum of squares")
#define L1_L2_OPTIONS(X, config) L1_OPTIONS(X, config) L2_OPTIONS(X, config)

typedef struct l1_config { L1_OPTIONS(HEED_OPTION_FIELD, ) } l1_config;
typedef struct l2_config { L2_OPTIONS(HEED_OPTION_FIELD, ) } l2_config;
typedef struct l1_l2_config { L1_L2_OPTIONS(HEED_OPTION_FIELD, ) } l1_l2_config;

static heed_tensor *l1_penalty(heed_tensor *x, const void *config)
{
    return scaled(sum_all(heed_op_abs(x)), ((const l1_config *)config)->l1);
}

static heed_tensor *l2_penalty(heed_tensor *x, const void *config)
{
    return scaled(sum_all(heed_op_square(x)), ((const l2_config *)config)->l2);
}

static heed_tensor *l1_l2_penalty(heed_tensor *x, const void *config)
{
    const l1_l2_config *o = config;
    return heed_op_add(scaled(sum_all(heed_op_abs(x)), o->l1), scaled(sum_all(heed_op_square(x)), o->l2));
}

static const regularizer_class l1 = {{.name = "l1", .keras = "L1", HEED_CLASS_OPTIONS(l1_config, L1_OPTIONS)},
                                     l1_penalty};
static const regularizer_class l2 = {{.name = "l2", .keras = "L2", HEED_CLASS_OPTIONS(l2_config, L2_OPTIONS)},
                                     l2_penalty};
static const regularizer_class l1_l2 = {
    {.name = "l1_l2", .keras = "L1L2", HEED_CLASS_OPTIONS(l1_l2_config, L1_L2_OPTIONS)}, l1_l2_penalty};

/* ---- orthogonal ---- */

#define ORTHOGONAL_OPTIONS(X, config)                                                                                  \
    X(config, FLOAT, factor, 0.01, "[0,)", "factor of the mean absolute cosine between different rows")                \
    X(config, TEXT, mode, "rows", "rows|columns", "what is to be orthogonal")

typedef struct orthogonal_config { ORTHOGONAL_OPTIONS(HEED_OPTION_FIELD, ) } orthogonal_config;

/* factor sum |off-diagonal of W W'| / (n (n - 1)), W's n rows (or columns) scaled to length 1. */
static heed_tensor *orthogonal_penalty(heed_tensor *x, const void *config)
{
    const orthogonal_config *o = config;
    char text[128];
    if (x == NULL)
        return NULL;
    if (x->shape.rank != 2)
        return heed_graph_fail(x->graph, HEED_ESHAPE,
                               "orthogonal_regularizer: only for matrices (expected rank 2, found %s)",
                               heed_shape_text(&x->shape, text, sizeof text));
    bool rows = o->mode[0] == 'r';
    const int along = rows ? 1 : 0;
    int64_t n = x->shape.dims[1 - along];
    heed_tensor *length = heed_op_sqrt(heed_op_sum(heed_op_square(x), &along, 1, true));
    heed_tensor *unit = heed_op_divide(x, heed_op_maximum(length, heed_graph_scalar(x->graph, 1e-6f)));
    heed_tensor *cosines = heed_op_abs(heed_op_matmul_transposed(unit, !rows, unit, rows));
    heed_tensor *squares = heed_op_sum(heed_op_square(unit), &along, 1, false); /* the diagonal */
    heed_tensor *beside = heed_op_subtract(sum_all(cosines), sum_all(squares));
    double pairs = n > 1 ? (double)n * (double)(n - 1) : 1.0;
    return scaled(beside, o->factor / pairs);
}

static const regularizer_class orthogonal = {{.name = "orthogonal_regularizer", .keras = "OrthogonalRegularizer",
                                              HEED_CLASS_OPTIONS(orthogonal_config, ORTHOGONAL_OPTIONS)},
                                             orthogonal_penalty};

static const heed_object_class *const classes[] = {&l1.class, &l2.class, &l1_l2.class, &orthogonal.class, NULL};
static const char *const aliases[][2] = {{"L1", "l1"}, {"L2", "l2"}, {"l1l2", "l1_l2"}, {NULL, NULL}};
const heed_object_family heed_regularizers = {"regularizer", "keras.regularizers", classes, aliases};

heed_tensor *heed_penalty(heed_tensor *x, const heed_object *regularizer)
{
    return ((const regularizer_class *)regularizer->object_class)->penalty(x, regularizer->config);
}

heed_tensor *heed_variable_penalty(heed_graph *g, heed_variable *v)
{
    return v->regularizer == NULL ? NULL : heed_penalty(heed_graph_variable(g, v), v->regularizer);
}
