/* Dense layers with the numbers of a collection's layer. */
#include "formats/builtin.h"

#include <string.h>

const heed_variable *heed_builtin_weight(const heed_builtin *b, const char *name)
{
    for (size_t i = 0; i < b->layer->variable_count; i++)
        if (strcmp(b->layer->variables[i]->name, name) == 0)
            return b->layer->variables[i];
    return NULL;
}

/* Numbers in a row of a weight. */
static int64_t width_of(const heed_variable *v) { return v->shape.rank == 0 ? 1 : v->shape.dims[v->shape.rank - 1]; }

static int64_t rows_of(const heed_weight_part *p)
{
    int64_t width = width_of(p->variable);
    return p->rows > 0 || width == 0 ? p->rows : p->variable->count / width;
}

static int64_t columns_of(const heed_weight_part *p) { return p->columns == 0 ? width_of(p->variable) : p->columns; }

void heed_builtin_copy_part(float *to, const float *from, const heed_weight_part *p)
{
    int64_t width = width_of(p->variable), columns = columns_of(p);
    for (int64_t i = 0; i < rows_of(p); i++)
        memcpy(to + i * columns, from + (p->row + i) * width + p->column, (size_t)columns * sizeof *to);
}

static heed_status keep_part(heed_builtin_target *target, const heed_variable *v, const heed_weight_part *part)
{
    heed_weight_part *kept = heed_zone_alloc(&target->zone, 1, sizeof *kept);
    if (kept == NULL)
        return HEED_ENOMEM;
    *kept = *part;
    return heed_index_put_address(&target->parts, &target->zone, v, kept);
}

heed_status heed_builtin_fill(heed_builtin *b, heed_layer *layer, int index, heed_weight_part part)
{
    HEED_TRY(heed_model_status(b->model));
    heed_variable *v = heed_layer_weight_at(layer, index);
    if (v == NULL || part.variable == NULL || v->count != rows_of(&part) * columns_of(&part))
        return heed_layer_fail(b->layer, HEED_EINTERNAL, "weight %d of '%s' does not fit", index, layer->name);
    HEED_TRY(heed_variable_claim(v));
    heed_builtin_copy_part(v->data, part.variable->data, &part);
    v->drawn = true;
    return keep_part(b->target, v, &part);
}

heed_symbol *heed_builtin_dense(heed_builtin *b, heed_symbol *x, int64_t units, heed_weight_part kernel,
                                heed_weight_part bias, const heed_dense_manner *manner)
{
    static const heed_dense_manner plain = {.kernel_initializer = "glorot_uniform", .bias_initializer = "zeros"};
    const heed_dense_manner *o = manner == NULL ? &plain : manner;
    heed_spec spec = heed_dense(.name = o->name, .units = (int)units, .use_bias = bias.variable != NULL,
                                .activation = o->activation, .kernel_initializer = o->kernel_initializer,
                                .kernel_regularizer = o->kernel_regularizer, .kernel_constraint = o->kernel_constraint,
                                .bias_initializer = o->bias_initializer, .bias_regularizer = o->bias_regularizer,
                                .bias_constraint = o->bias_constraint);
    heed_layer *dense = heed_make(b->model, spec);
    heed_symbol *y = dense == NULL ? NULL : heed_call_layer(dense, &x, 1, NULL, NULL, 0);
    if (y == NULL || heed_model_remember(b->model, heed_builtin_fill(b, dense, 0, kernel)) != HEED_OK)
        return NULL;
    if (bias.variable != NULL && heed_model_remember(b->model, heed_builtin_fill(b, dense, 1, bias)) != HEED_OK)
        return NULL;
    return y;
}

heed_symbol *heed_builtin_additive_scores(heed_builtin *b, heed_symbol *q, heed_symbol *k, heed_weight_part kernel,
                                          heed_weight_part bias, const heed_dense_manner *manner)
{
    heed_symbol *sums = heed_formula_of("Add", heed_formula("ExpandDims", "axis=2", q, NULL),
                                        heed_formula("ExpandDims", "axis=1", k, NULL));
    heed_symbol *e = heed_builtin_dense(b, heed_formula("Tanh", NULL, sums, NULL), 1, kernel, bias, manner);
    return heed_formula("Squeeze", "axis=-1", e, NULL);
}

heed_status heed_builtin_attend(heed_builtin *b, heed_symbol *const query_value_key[3], const heed_variable *scale,
                                bool causal, bool wanted)
{
    static const char *const keywords[2][2] = {{NULL, "return_attention_scores=True"},
                                               {"use_causal_mask=True",
                                                "use_causal_mask=True, return_attention_scores=True"}};
    heed_layer *attention = heed_make(b->model, scale == NULL ? heed_attention() : heed_additive_attention());
    b->output_count = wanted ? 2 : 1;
    if (attention != NULL)
        heed_call_layer(attention, query_value_key, 3, keywords[causal][wanted], b->outputs, b->output_count);
    return scale == NULL ? heed_model_status(b->model) : heed_builtin_fill(b, attention, 0, HEED_WHOLE(scale));
}
