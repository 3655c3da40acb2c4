/* Operations that are sums of products. */
#include "formats/keras_operation_run.h"

#include "layers/einsum.h"

#include <string.h>

typedef heed_operation_use use;

static heed_tensor *run_matmul(const use *u) { return heed_op_matmul(heed_as_floats(heed_use_operand(u, 0)), heed_as_floats(heed_use_operand(u, 1))); }

static heed_tensor *by_equation(const use *u, const char *text, heed_tensor *const *x, int count)
{
    heed_equation e;
    int ranks[HEED_MAX_TERMS];
    for (int i = 0; i < count; i++) {
        if (x[i] == NULL)
            return NULL;
        ranks[i] = x[i]->shape.rank;
    }
    const char *wrong = heed_equation_read(text, ranks, count, &e);
    if (wrong != NULL)
        return heed_graph_fail(u->call->graph, HEED_EINVAL, "the equation %s cannot be computed: %s", text, wrong);
    return heed_einsum(&e, x);
}

static heed_tensor *run_einsum(const use *u)
{
    heed_tensor *x[HEED_MAX_TERMS];
    const heed_value *subscripts = heed_use_option(u, "subscripts");
    int count = u->arguments == NULL ? 0 : (int)u->arguments->count;
    if (!heed_value_is(subscripts, HEED_VALUE_TEXT) || count < 1 || count > HEED_MAX_TERMS)
        return heed_use_refuse(u, "only equations of one or two operands are supported");
    for (int i = 0; i < count; i++)
        x[i] = heed_as_floats(heed_use_operand(u, i));
    return by_equation(u, subscripts->text, x, count);
}

/* The last axis of a against the last but one of b, or its only one. */
static heed_tensor *run_dot(const use *u)
{
    heed_tensor *x[] = {heed_as_floats(heed_use_operand(u, 0)), heed_as_floats(heed_use_operand(u, 1))};
    if (x[0] == NULL || x[1] == NULL)
        return NULL;
    if (x[0]->shape.rank == 0 || x[1]->shape.rank == 0)
        return heed_op_multiply(x[0], x[1]);
    if (x[1]->shape.rank > 2)
        return heed_use_refuse(u, "the second operand may have two dimensions at most");
    return by_equation(u, x[1]->shape.rank == 1 ? "...x,x->..." : "...x,xy->...y", x, 2);
}

/* "abc,cde->abde" for the axes 2 and 0. */
static heed_tensor *run_tensordot(const use *u)
{
    heed_tensor *x[] = {heed_as_floats(heed_use_operand(u, 0)), heed_as_floats(heed_use_operand(u, 1))};
    const heed_value *axes = heed_use_option(u, "axes");
    int64_t pairs[2][HEED_MAX_RANK];
    char text[4 * HEED_MAX_RANK + 4], names[2][HEED_MAX_RANK];
    int count = 0, at = 0;
    if (x[0] == NULL || x[1] == NULL)
        return NULL;
    if (heed_value_is(axes, HEED_VALUE_LIST) && axes->count == 2) {
        count = heed_use_ints(u, axes->first, pairs[0]);
        if (heed_use_ints(u, axes->last, pairs[1]) != count)
            return heed_use_refuse(u, "axes must be as many of each operand");
    } else {
        count = heed_use_int(u, "axes", 2);
        for (int i = 0; i < count && i < HEED_MAX_RANK; i++) {
            pairs[0][i] = x[0]->shape.rank - count + i;
            pairs[1][i] = i;
        }
    }
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < x[t]->shape.rank; i++)
            names[t][i] = (char)((t == 0 ? 'a' : 'k') + i);
    for (int i = 0; i < count; i++) {
        int a = heed_axis(x[0]->shape.rank, (int)pairs[0][i]), b = heed_axis(x[1]->shape.rank, (int)pairs[1][i]);
        if (a < 0 || b < 0)
            return heed_use_refuse(u, "there is no such axis");
        names[1][b] = names[0][a];
    }
    for (int t = 0; t < 2; t++) {
        memcpy(text + at, names[t], (size_t)x[t]->shape.rank);
        at += x[t]->shape.rank;
        text[at++] = t == 0 ? ',' : '-';
    }
    text[at++] = '>';
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < x[t]->shape.rank; i++)
            if (memchr(names[1 - t], names[t][i], (size_t)x[1 - t]->shape.rank) == NULL)
                text[at++] = names[t][i];
    text[at] = '\0';
    return by_equation(u, text, x, 2);
}

const heed_operation_row heed_product_operations[] = {
    HEED_OPERATION(Matmul, numpy, "", run_matmul)
    HEED_OPERATION(Einsum, numpy, "subscripts", run_einsum)
    HEED_OPERATION(Dot, numpy, "", run_dot)
    HEED_OPERATION(Tensordot, numpy, "axes", run_tensordot)
    {.run = NULL},
};
