/* And, or, not, of bools; broadcast. */
#include "ops/walk.h"

typedef enum logical_function { LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT } logical_function;

static heed_status logical_shape(heed_node *n)
{
    static const char *const names[] = {"and", "or", "not"};
    for (int i = 0; i < n->input_count; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_BOOL));
    heed_shape shape;
    HEED_TRY(heed_node_broadcast(n, names[*(const logical_function *)n->attributes], &shape));
    heed_node_set(n, 0, HEED_BOOL, &shape);
    return HEED_OK;
}

typedef struct logical_work {
    logical_function function;
    const uint8_t   *a, *b; /* no b for not */
    uint8_t         *y;
} logical_work;

static void logical_run(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps)
{
    const logical_work *w = work;
    const uint8_t *a = w->a + offsets[0], *b = w->b + offsets[1];
    uint8_t *y = w->y + at;
    switch (w->function) {
    case LOGICAL_AND:
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i * steps[0]] & b[i * steps[1]];
        break;
    case LOGICAL_OR:
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i * steps[0]] | b[i * steps[1]];
        break;
    case LOGICAL_NOT:
        for (int64_t i = 0; i < n; i++)
            y[i] = !a[i];
        break;
    }
}

static heed_status logical_forward(const heed_exec *x, const heed_node *n)
{
    logical_work work = {.function = *(const logical_function *)n->attributes, .a = heed_data(x, n->inputs[0]),
                         .b = heed_data(x, n->inputs[n->input_count - 1]), .y = heed_data(x, n->outputs[0])};
    heed_walk walk;
    heed_walk_start(&walk, &n->outputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[0]->shape);
    heed_walk_broadcast(&walk, &n->inputs[n->input_count - 1]->shape);
    heed_walk_parallel(x, &walk, HEED_TILE_ELEMENTS, logical_run, &work);
    return HEED_OK;
}

const heed_op heed_kind_logical = {.name = "logical", .shape = logical_shape, .forward = logical_forward, .in_place = 1,
                                   .no_gradient = "its operands are no numbers"};

static heed_tensor *logical(logical_function f, heed_tensor *const *operands, int count)
{
    return heed_node_output(NULL, &heed_kind_logical, &f, sizeof f, operands, count);
}

heed_tensor *heed_op_and(heed_tensor *a, heed_tensor *b) { return logical(LOGICAL_AND, (heed_tensor *[]){a, b}, 2); }
heed_tensor *heed_op_or(heed_tensor *a, heed_tensor *b) { return logical(LOGICAL_OR, (heed_tensor *[]){a, b}, 2); }
heed_tensor *heed_op_not(heed_tensor *a) { return logical(LOGICAL_NOT, &a, 1); }
