/* condition ? a : b, element by element, all three broadcast. What is not chosen is not even looked at. */
#include "ops/walk.h"

static heed_status select_shape(heed_node *n)
{
    HEED_TRY(heed_node_expect(n, 0, HEED_BOOL));
    HEED_TRY(heed_node_expect(n, 2, n->inputs[1]->dtype));
    heed_shape shape;
    HEED_TRY(heed_node_broadcast(n, "select", &shape));
    heed_node_set(n, 0, n->inputs[1]->dtype, &shape);
    return HEED_OK;
}

typedef struct select_work {
    const uint8_t *condition;
    const void    *a, *b;
    void          *y;
} select_work;

#define SELECT_EACH(p, q)                                                                                              \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = condition[i] ? a[i * (p)] : b[i * (q)]
#define SELECT_ALL(p, q)                                                                                               \
    _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = chosen[i * (p)]

/* a row with one condition for all of it, or with one for each element */
#define SELECT_RUN(function_name, type)                                                                                \
    static void function_name(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps)         \
    {                                                                                                                  \
        const select_work *w = work;                                                                                   \
        const uint8_t *condition = w->condition + offsets[0];                                                          \
        const type *a = (const type *)w->a + offsets[1], *b = (const type *)w->b + offsets[2];                         \
        type *y = (type *)w->y + at;                                                                                   \
        const type *chosen = *condition ? a : b;                                                                       \
        if (steps[0] == 0)                                                                                             \
            HEED_WITH_STEPS(*condition ? steps[1] : steps[2], 0, SELECT_ALL);                                          \
        else                                                                                                           \
            HEED_WITH_STEPS(steps[1], steps[2], SELECT_EACH);                                                          \
    }

SELECT_RUN(select_float_run, float)
SELECT_RUN(select_int_run, int32_t)
SELECT_RUN(select_bool_run, uint8_t)

static heed_status select_forward(const heed_exec *x, const heed_node *n)
{
    select_work work = {.condition = heed_data(x, n->inputs[0]), .a = heed_data(x, n->inputs[1]),
                        .b = heed_data(x, n->inputs[2]), .y = heed_data(x, n->outputs[0])};
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    for (int i = 0; i < 3; i++)
        heed_walk_broadcast(&walk, &n->inputs[i]->shape);
    static heed_walk_run *const runs[] = {
        [HEED_FLOAT32] = select_float_run, [HEED_INT32] = select_int_run, [HEED_BOOL] = select_bool_run};
    heed_walk_parallel(x, &walk, HEED_TILE_ELEMENTS, runs[n->outputs[0]->dtype], &work);
    return HEED_OK;
}

static heed_status select_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *zero = heed_graph_scalar(n->graph, 0);
    dx[1] = heed_unbroadcast(heed_op_select(n->inputs[0], dy[0], zero), n->inputs[1]);
    dx[2] = heed_unbroadcast(heed_op_select(n->inputs[0], zero, dy[0]), n->inputs[2]);
    return n->graph->status;
}

const heed_op heed_kind_select = {
    .name = "select", .shape = select_shape, .forward = select_forward, .gradient = select_gradient, .in_place = 2};

heed_tensor *heed_op_select(heed_tensor *condition, heed_tensor *a, heed_tensor *b)
{
    return heed_node_output(NULL, &heed_kind_select, NULL, 0, (heed_tensor *[]){condition, a, b}, 3);
}
