/* The arithmetic of layers that take a collection's place: Keras' operations and layers without weights. */
#include "formats/builtin.h"

#include <math.h>
#include <stdio.h>

heed_symbol *heed_formula(const char *operation, const char *options, heed_symbol *x, const char *constants)
{
    return x == NULL ? NULL : heed_operate(x->model, operation, options, &x, 1, constants);
}

heed_symbol *heed_formula_of(const char *operation, heed_symbol *a, heed_symbol *b)
{
    heed_symbol *const both[] = {a, b};
    return a == NULL || b == NULL ? NULL : heed_operate(a->model, operation, NULL, both, 2, NULL);
}

heed_symbol *heed_formula_matmul(heed_symbol *a, heed_symbol *b) { return heed_formula_of("Matmul", a, b); }

heed_symbol *heed_formula_where(heed_symbol *condition, heed_symbol *x, const char *otherwise)
{
    heed_symbol *const both[] = {condition, x};
    return condition == NULL || x == NULL ? NULL : heed_operate(x->model, "Where", NULL, both, 2, otherwise);
}

heed_symbol *heed_formula_softmax(heed_symbol *x) { return heed_formula("Softmax", "axis=-1", x, NULL); }

int64_t heed_formula_features(const heed_symbol *x) { return x == NULL ? HEED_ANY : x->shape.dims[x->shape.rank - 1]; }

/* Keras' Reshape lets no mask through. */
heed_symbol *heed_formula_unmasked(heed_symbol *x)
{
    heed_shape shape = {2, {-1, heed_formula_features(x)}};
    return heed_apply(heed_reshape(.target_shape = shape), x);
}

heed_symbol *heed_formula_turned(heed_symbol *x)
{
    return heed_apply(heed_permute(.dims = {2, {2, 1}}), x);
}

/* ---- masks ---- */

/* Attention to a single value, 1, gives 1; and where its query is masked, Keras puts 0. */
heed_symbol *heed_formula_mask(heed_symbol *x)
{
    heed_symbol *key = heed_formula("ZerosLike", NULL, heed_formula("Max", "axis=1, keepdims=True", x, NULL), NULL);
    heed_symbol *one = heed_formula("OnesLike", NULL, heed_formula("Max", "axis=-1, keepdims=True", key, NULL), NULL);
    heed_symbol *kept = heed_apply_to(heed_attention(), x, one, key);
    return heed_formula("Greater", NULL, heed_apply(heed_reshape(.target_shape = {1, {-1}}), kept), "0.5");
}

/* A model within the model: what is called with a mask has it on what it is called with. */
heed_symbol *heed_formula_masked(heed_symbol *y, heed_symbol *mask)
{
    if (y == NULL || mask == NULL)
        return y;
    heed_context *c = y->model->context;
    heed_shape example = {y->shape.rank - 1, {0}};
    for (int i = 0; i < example.rank; i++)
        example.dims[i] = y->shape.dims[i + 1];
    heed_model *m = heed_functional(c, NULL);
    heed_symbol *x = heed_input(m, .name = "values", .shape = example);
    heed_outputs(m, heed_apply(heed_activation(.name = "masked", .activation = "linear"), x));
    heed_status status = heed_model_status(m);
    heed_wire *w = NULL;
    if (heed_model_remember(y->model, status) == HEED_OK)
        w = heed_wire_layer(y->model, heed_model_layer(m), &y, &mask, 1, NULL);
    heed_model_free(m);
    return w == NULL ? NULL : w->outputs[0];
}

heed_symbol *heed_formula_keys(heed_symbol *mask) { return heed_formula("ExpandDims", "axis=1", mask, NULL); }

/* 1, 2, ... (B, T, 1), for x (B, T, F). */
static heed_symbol *positions(heed_symbol *x)
{
    heed_symbol *column = heed_formula("Max", "axis=-1, keepdims=True", x, NULL);
    return heed_formula("Cumsum", "axis=1", heed_formula("OnesLike", NULL, column, NULL), NULL);
}

static heed_symbol *compared(const char *operation, heed_symbol *x, double limit)
{
    char number[32];
    snprintf(number, sizeof number, "%.1f", limit);
    return isinf(limit) ? NULL : heed_formula(operation, NULL, x, number);
}

heed_symbol *heed_formula_window(heed_symbol *q, heed_symbol *k, double behind, double ahead)
{
    heed_symbol *i = positions(q), *j = q == k ? i : positions(k);
    heed_symbol *distance = heed_formula_of("Subtract", i, heed_formula_turned(j));
    heed_symbol *begun = compared("LessEqual", distance, behind), *here = compared("GreaterEqual", distance, -ahead);
    return begun == NULL ? here : here == NULL ? begun : heed_formula_of("LogicalAnd", begun, here);
}

/* ---- weights of attention ---- */

/* One number where the condition holds, another where not. */
static heed_symbol *choose(heed_symbol *condition, const char *numbers)
{
    return heed_formula("Where", NULL, condition, numbers);
}

/* Both that are there. */
static heed_symbol *joined(const char *operation, heed_symbol *a, heed_symbol *b)
{
    return a == NULL ? b : b == NULL ? a : heed_formula_of(operation, a, b);
}

static heed_symbol *corrected_weights(heed_symbol *scores, heed_symbol *const *seen, int count)
{
    heed_symbol *all = NULL;
    for (int i = 0; i < count; i++)
        all = joined("LogicalAnd", all, seen[i]);
    if (all == NULL)
        return heed_formula_softmax(scores);
    return heed_formula_where(all, heed_formula_softmax(heed_formula_where(all, scores, "-1e9")), "0.0");
}

static heed_symbol *factored_weights(heed_symbol *scores, heed_symbol *const *seen, int count)
{
    heed_symbol *most = heed_formula("Max", "axis=-1, keepdims=True", scores, NULL);
    heed_symbol *e = heed_formula("Exp", NULL, heed_formula_of("Subtract", scores, most), NULL);
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            e = heed_formula_where(seen[i], e, "0.0");
    heed_symbol *sum = heed_formula("Add", NULL, heed_formula("Sum", "axis=-1, keepdims=True", e, NULL), "1e-7");
    return heed_formula_of("TrueDivide", e, sum);
}

static heed_symbol *penalized_weights(heed_symbol *scores, heed_symbol *const *seen, int count)
{
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            scores = heed_formula_of("Add", scores, choose(seen[i], "0.0, -10000.0"));
    return heed_formula_softmax(scores);
}

static heed_symbol *counted_weights(heed_symbol *scores, heed_symbol *const *seen, int count)
{
    heed_symbol *reasons = NULL;
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            reasons = joined("Add", reasons, choose(seen[i], "0.0, 1.0"));
    if (reasons == NULL)
        return heed_formula_softmax(scores);
    heed_symbol *fewest = heed_formula("Min", "axis=-1, keepdims=True", reasons, NULL);
    return heed_formula_softmax(heed_formula_where(heed_formula_of("LessEqual", reasons, fewest), scores, "-1e9"));
}

static heed_symbol *even_weights(heed_symbol *scores, heed_symbol *const *seen, int count)
{
    for (int i = 0; i < count; i++)
        if (seen[i] != NULL)
            scores = heed_formula_where(seen[i], scores, "-1e9");
    return heed_formula_softmax(scores);
}

heed_symbol *heed_formula_weights(heed_symbol *scores, heed_symbol *const *seen, int count, heed_hiding hiding)
{
    static heed_symbol *(*const functions[])(heed_symbol *, heed_symbol *const *, int) = {
        [HEED_HIDE_CORRECTED] = corrected_weights, [HEED_HIDE_PENALIZED] = penalized_weights,
        [HEED_HIDE_FACTORED] = factored_weights, [HEED_HIDE_COUNTED] = counted_weights,
        [HEED_HIDE_EVEN] = even_weights};
    return functions[hiding](scores, seen, count);
}
