/* Comparisons of two floats or two int32, broadcast; the result is bool. */
#include "ops/walk.h"

#define COMPARE_MAP(X) X(EQUAL, "equal") X(NOT_EQUAL, "not_equal") X(LESS, "less") X(LESS_EQUAL, "less_equal")

typedef enum compare_function {
#define COMPARE_ENUM(id, name) COMPARE_##id,
    COMPARE_MAP(COMPARE_ENUM)
#undef COMPARE_ENUM
} compare_function;

static heed_status compare_shape(heed_node *n)
{
    static const char *const names[] = {
#define COMPARE_NAME(id, name) name,
        COMPARE_MAP(COMPARE_NAME)
#undef COMPARE_NAME
    };
    if (n->inputs[0]->dtype != HEED_INT32)
        HEED_TRY(heed_node_expect(n, 0, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, 1, n->inputs[0]->dtype));
    heed_shape shape;
    HEED_TRY(heed_node_broadcast(n, names[*(const compare_function *)n->attributes], &shape));
    heed_node_set(n, 0, HEED_BOOL, &shape);
    return HEED_OK;
}

typedef struct compare_work {
    compare_function function;
    const void      *a, *b; /* floats or int32 */
    uint8_t         *y;
} compare_work;

#define COMPARE_LOOP(operator, p, q)                                                                                   \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = a[i * (p)] operator b[i * (q)]
#define COMPARE_LOOP_EQUAL(p, q) COMPARE_LOOP(==, p, q)
#define COMPARE_LOOP_NOT_EQUAL(p, q) COMPARE_LOOP(!=, p, q)
#define COMPARE_LOOP_LESS(p, q) COMPARE_LOOP(<, p, q)
#define COMPARE_LOOP_LESS_EQUAL(p, q) COMPARE_LOOP(<=, p, q)

#define COMPARE_CASE(id, name)                                                                                         \
    case COMPARE_##id:                                                                                                 \
        HEED_WITH_STEPS(steps[0], steps[1], COMPARE_LOOP_##id);                                                        \
        break;

#define COMPARE_RUN(function_name, type)                                                                               \
    static void function_name(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps)         \
    {                                                                                                                  \
        const compare_work *w = work;                                                                                  \
        const type *a = (const type *)w->a + offsets[0], *b = (const type *)w->b + offsets[1];                         \
        uint8_t *y = w->y + at;                                                                                        \
        switch (w->function) {                                                                                         \
            COMPARE_MAP(COMPARE_CASE)                                                                                  \
        }                                                                                                              \
    }

COMPARE_RUN(compare_float_run, float)
COMPARE_RUN(compare_int_run, int32_t)

static heed_status compare_forward(const heed_exec *x, const heed_node *n)
{
    compare_work work = {.function = *(const compare_function *)n->attributes, .a = heed_data(x, n->inputs[0]),
                         .b = heed_data(x, n->inputs[1]), .y = heed_data(x, n->outputs[0])};
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[1]->shape);
    heed_walk_parallel(x, &walk, HEED_TILE_ELEMENTS,
                       n->inputs[0]->dtype == HEED_INT32 ? compare_int_run : compare_float_run, &work);
    return HEED_OK;
}

const heed_op heed_kind_compare = {
    .name = "compare", .shape = compare_shape, .forward = compare_forward, .no_gradient = "its result is no number"};

static heed_tensor *compare(compare_function f, heed_tensor *a, heed_tensor *b)
{
    return heed_node_output(NULL, &heed_kind_compare, &f, sizeof f, (heed_tensor *[]){a, b}, 2);
}

heed_tensor *heed_op_equal(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_EQUAL, a, b); }
heed_tensor *heed_op_not_equal(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_NOT_EQUAL, a, b); }
heed_tensor *heed_op_less(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_LESS, a, b); }
heed_tensor *heed_op_less_equal(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_LESS_EQUAL, a, b); }
heed_tensor *heed_op_greater(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_LESS, b, a); }
heed_tensor *heed_op_greater_equal(heed_tensor *a, heed_tensor *b) { return compare(COMPARE_LESS_EQUAL, b, a); }
