/* Operations that are sums of products, attention among them. */
#include "formats/keras_operation_run.h"

#include "layers/einsum.h"

#include <float.h>
#include <math.h>
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

/* ---- attention: query (B, T, N, H), key and value (B, S, M, H), where M divides N ---- */

enum { QUERY, KEY, VALUE, BIAS, MASK, SCALE };

/* What may be seen, (B, N, T, S) or what broadcasts to it; NULL: all, or what lies behind. */
static heed_tensor *mask_of(const use *u)
{
    const heed_value *given = heed_use_argument(u, MASK);
    return given == NULL || given->type == HEED_VALUE_NULL ? NULL : heed_as_bools(heed_use_operand(u, MASK));
}

/* With a bias, (B, N, T, S) or what broadcasts to it, the scores are made whole. */
static heed_tensor *attend_with_bias(const use *u, heed_tensor *const *x, double scale)
{
    int64_t group = heed_tensor_dim(x[QUERY], 2) / heed_tensor_dim(x[KEY], 2);
    heed_tensor *key = heed_op_repeat(x[KEY], 2, group), *value = heed_op_repeat(x[VALUE], 2, group), *seen = mask_of(u);
    heed_tensor *scores = by_equation(u, "btnh,bsnh->bnts", (heed_tensor *[]){x[QUERY], key}, 2);
    scores = heed_op_add(heed_op_scale(scores, (float)scale, 0.0f), heed_use_optional(u, BIAS));
    if (heed_use_bool(u, "is_causal")) {
        heed_tensor *past = heed_use_triangle(u, heed_tensor_dim(x[QUERY], 1), heed_tensor_dim(x[KEY], 1), 0);
        seen = seen == NULL ? past : heed_op_and(seen, past);
    }
    if (seen != NULL)
        scores = heed_op_select(seen, scores, heed_graph_scalar(u->call->graph, -0.7f * FLT_MAX)); /* as Keras has it */
    heed_tensor *weights = heed_op_softmax(scores, NULL);
    heed_call_publish(u->call, u->layer, weights);
    return by_equation(u, "bnts,bsnh->btnh", (heed_tensor *[]){weights, value}, 2);
}

static heed_tensor *attend(const use *u, heed_tensor *const *x, double scale)
{
    heed_tensor *weights, **wanted = heed_call_wants_attention(u->call) ? &weights : NULL;
    heed_op_attention_config how = {.scale = (float)scale, .mask = mask_of(u), .banded = heed_use_bool(u, "is_causal"),
                                    .behind = INT64_MAX / 2, .blind = HEED_BLIND_EVEN_FIXED};
    heed_tensor *y = heed_op_attention(x[QUERY], x[KEY], x[VALUE], &how, wanted);
    if (wanted != NULL)
        heed_call_publish(u->call, u->layer, weights);
    return y;
}

static heed_tensor *run_attention(const use *u)
{
    heed_tensor *x[] = {heed_use_optional(u, QUERY), heed_use_optional(u, KEY), heed_use_optional(u, VALUE)};
    const heed_value *scale = heed_use_argument(u, SCALE), *bias = heed_use_argument(u, BIAS);
    if (x[QUERY] == NULL || x[KEY] == NULL || x[VALUE] == NULL || x[QUERY]->shape.rank != 4 || x[KEY]->shape.rank != 4 ||
        x[VALUE]->shape.rank != 4)
        return heed_use_refuse(u, "only operands of four dimensions are supported");
    double factor = 1 / sqrt((double)heed_tensor_dim(x[KEY], 3));
    if (scale != NULL && scale->type != HEED_VALUE_NULL &&
        heed_value_as_real(u->call->graph->context, scale, "scale", &factor) != HEED_OK)
        return heed_use_refuse(u, "the scale must be a constant");
    int64_t heads = heed_tensor_dim(x[QUERY], 2), shared = heed_tensor_dim(x[KEY], 2);
    if (shared < 1 || heads % shared != 0 || heed_tensor_dim(x[VALUE], 2) != shared)
        return heed_use_refuse(u, "the heads of the keys do not divide those of the queries");
    bool biased = bias != NULL && bias->type != HEED_VALUE_NULL;
    return biased ? attend_with_bias(u, x, factor) : attend(u, x, factor);
}

const heed_operation_row heed_product_operations[] = {
    HEED_OPERATION(Matmul, numpy, "", run_matmul)
    HEED_OPERATION(Einsum, numpy, "subscripts", run_einsum)
    HEED_OPERATION(Dot, numpy, "", run_dot)
    HEED_OPERATION(Tensordot, numpy, "axes", run_tensordot)
    HEED_OPERATION_CALLED(DotProductAttention, nn, "is_causal flash_attention", run_attention, "query", "key", "value", "bias",
                          "mask", "scale")
    {.run = NULL},
};
