/* Running a model, and asking about it. */
#include "model/data.h"
#include "model/training.h"

#include <stdio.h>
#include <string.h>

/* ---- asking */

int         heed_model_input_count(const heed_model *m) { return m->input_count; }
int         heed_model_output_count(const heed_model *m) { return m->output_count; }
const char *heed_model_input_name(const heed_model *m, int i)
{
    return i >= 0 && i < m->input_count ? m->inputs[i]->wire->layer->name : NULL;
}
const char *heed_model_output_name(const heed_model *m, int i)
{
    return i >= 0 && i < m->output_count ? m->output_names[i] : NULL;
}
const heed_shape *heed_model_input_shape(const heed_model *m, int i)
{
    return i >= 0 && i < m->input_count ? &m->inputs[i]->shape : NULL;
}
const heed_shape *heed_model_output_shape(const heed_model *m, int i)
{
    return i >= 0 && i < m->output_count ? &m->outputs[i]->shape : NULL;
}
heed_dtype heed_model_input_dtype(const heed_model *m, int i)
{
    return heed_symbol_dtype(i >= 0 && i < m->input_count ? m->inputs[i] : NULL);
}
heed_dtype heed_model_output_dtype(const heed_model *m, int i)
{
    return heed_symbol_dtype(i >= 0 && i < m->output_count ? m->outputs[i] : NULL);
}

char *heed_model_text(const heed_model *m, char *text, size_t size)
{
    size_t used = 0;
    if (size > 0)
        text[0] = '\0';
    for (int i = 0; i < m->input_count + m->output_count && used < size; i++) {
        bool output = i >= m->input_count;
        int k = output ? i - m->input_count : i;
        char shape[128];
        used += (size_t)snprintf(text + used, size - used, "%s%s %s %s", i == 0 ? "" : k == 0 ? " -> " : ", ",
                                 output ? heed_model_output_name(m, k) : heed_model_input_name(m, k),
                                 heed_dtype_name(output ? heed_model_output_dtype(m, k) : heed_model_input_dtype(m, k)),
                                 heed_shape_text(output ? heed_model_output_shape(m, k) : heed_model_input_shape(m, k), shape,
                                                 sizeof shape));
    }
    return text;
}

/* Keras counts the input of a functional model among the layers, and not that of a sequential one. */
static int hidden_layers(const heed_model *m) { return m->sequential && m->closed ? 1 : 0; }

int heed_model_layer_count(const heed_model *m)
{
    return m->closed ? (int)m->layer->child_count - hidden_layers(m) : (int)m->stack_count;
}

heed_layer *heed_model_layer_at(const heed_model *m, int index)
{
    if (index < 0 || index >= heed_model_layer_count(m))
        return NULL;
    return m->closed ? m->layer->children[index + hidden_layers(m)].layer : m->stack[index];
}

heed_layer *heed_model_find_layer(const heed_model *m, const char *name)
{
    for (int i = 0; i < heed_model_layer_count(m); i++)
        if (strcmp(heed_layer_name(heed_model_layer_at(m, i)), name) == 0)
            return heed_model_layer_at(m, i);
    return NULL;
}

/* ---- running */

/* A sequential model whose input was not declared learns it from the first data. */
heed_status heed_model_ready(heed_model *m, const heed_dtype *dtypes, const heed_shape *shapes, int count)
{
    HEED_TRY(heed_model_status(m));
    if (!m->closed && m->sequential && m->input_count == 0 && count == 1 && shapes[0].rank > 0) {
        heed_shape shape = shapes[0];
        shape.dims[0] = HEED_ANY;
        bool floats = dtypes[0] == HEED_FLOAT32 || dtypes[0] == HEED_FLOAT64;
        HEED_TRY(heed_model_chain(m, floats ? HEED_FLOAT32 : dtypes[0] == HEED_BOOL ? HEED_BOOL : HEED_INT32, &shape));
    }
    return heed_build(m);
}

heed_status heed_model_ready_for(heed_model *m, const heed_arrays *x)
{
    if (m == NULL || x->count != 1)
        return heed_build(m);
    return heed_model_ready(m, &x->items[0].array->dtype, &x->items[0].array->shape, 1);
}

static heed_status copy_output(heed_model *m, int index, const heed_tensor *t, heed_array *out)
{
    char expected[128], found[128];
    if (out->dtype != t->dtype || !heed_shape_equal(&out->shape, &t->shape))
        return heed_fail(m->context, HEED_ESHAPE,
                         "%s: the array for output '%s' does not fit (expected %s %s, found %s %s)", heed_model_name(m),
                         m->output_names[index], heed_dtype_name(t->dtype),
                         heed_shape_text(&t->shape, expected, sizeof expected), heed_dtype_name(out->dtype),
                         heed_shape_text(&out->shape, found, sizeof found));
    memcpy(out->data, heed_tensor_data(t), (size_t)t->count * heed_dtype_size(t->dtype));
    return HEED_OK;
}

heed_status heed_predict_on_batch(heed_model *m, const heed_array *inputs, int input_count, heed_array *outputs,
                                  int output_count)
{
    HEED_TRY(input_count == 1 ? heed_model_ready(m, &inputs[0].dtype, &inputs[0].shape, 1) : heed_build(m));
    if (output_count != m->output_count)
        return heed_fail(m->context, HEED_EINVAL, "%s: the number of outputs does not fit (expected %d, found %d)",
                         heed_model_name(m), m->output_count, output_count);
    heed_batch batch = {.inputs = inputs, .input_count = input_count};
    heed_program *p;
    HEED_TRY(heed_program_find(m, HEED_FOR_PREDICTION, &batch, &p));
    HEED_TRY(heed_program_run(m, p, inputs));
    for (int k = 0; k < output_count; k++)
        HEED_TRY(copy_output(m, k, p->outputs[k], &outputs[k]));
    return HEED_OK;
}

/* Appends a batch's rows to the array of that name, which the first batch makes. */
static heed_status append_rows(heed_arrays *arrays, const char *name, const heed_tensor *t, int64_t begin, int64_t size,
                               int64_t rows)
{
    heed_context *c = arrays->context;
    if (t->shape.rank < 1 || t->shape.dims[0] != size)
        return heed_fail(c, HEED_ESHAPE, "%s: the result has no row for each example", name);
    heed_array *a = heed_arrays_get(arrays, name);
    if (a == NULL) {
        heed_shape shape = t->shape;
        shape.dims[0] = rows;
        HEED_TRY(heed_array_create(c, t->dtype, &shape, &a));
        HEED_TRY(heed_arrays_add(arrays, name, a));
    }
    size_t bytes = (size_t)(t->count / size) * heed_dtype_size(t->dtype);
    memcpy((char *)a->data + (size_t)begin * bytes, heed_tensor_data(t), (size_t)size * bytes);
    return HEED_OK;
}

static heed_status append_attention(heed_arrays *arrays, const heed_program *p, int64_t begin, int64_t size,
                                    int64_t rows)
{
    for (size_t i = 0; i < p->pass.attention_count; i++)
        HEED_TRY(append_rows(arrays, p->pass.attention[i].name, p->pass.attention[i].weights, begin, size, rows));
    return HEED_OK;
}

static heed_status predict_rows(heed_model *m, const heed_columns *x, heed_arrays *y, const heed_predict_config *config)
{
    int64_t batch_size = config->batch_size > 0 ? config->batch_size : 32;
    heed_purpose purpose = config->attention == NULL ? HEED_FOR_PREDICTION : HEED_FOR_ATTENTION;
    for (int64_t begin = 0; begin < x->rows; begin += batch_size) {
        int64_t size = x->rows - begin < batch_size ? x->rows - begin : batch_size;
        heed_array inputs[HEED_MAX_OUTPUTS];
        heed_columns_slice(x, begin, size, inputs);
        heed_batch batch = {.inputs = inputs, .input_count = x->count};
        heed_program *p;
        HEED_TRY(heed_program_find(m, purpose, &batch, &p));
        HEED_TRY(heed_program_run(m, p, inputs));
        for (int k = 0; k < m->output_count; k++)
            HEED_TRY(append_rows(y, m->output_names[k], p->outputs[k], begin, size, x->rows));
        if (config->attention != NULL)
            HEED_TRY(append_attention(config->attention, p, begin, size, x->rows));
    }
    return HEED_OK;
}

heed_status heed_predict_with(heed_model *m, const heed_arrays *x, heed_arrays *y, const heed_predict_config *config)
{
    HEED_TRY(heed_model_ready_for(m, x));
    heed_wanted wanted;
    heed_columns columns;
    heed_wanted_inputs(m, &wanted);
    heed_status status = heed_columns_find(m, &wanted, x, &columns);
    if (status == HEED_OK)
        status = predict_rows(m, &columns, y, config);
    heed_columns_free(&columns);
    return status;
}

/* ---- memory */

static void fill_shape(heed_array *a, const heed_shape *shape, heed_dtype dtype, int64_t batch, int64_t length)
{
    *a = (heed_array){.dtype = dtype, .shape = *shape};
    for (int i = 0; i < a->shape.rank; i++)
        if (i == 0 || a->shape.dims[i] == HEED_ANY)
            a->shape.dims[i] = i == 0 ? batch : length;
}

static heed_status bytes_for(heed_model *m, heed_purpose purpose, const heed_batch *batch, size_t *out)
{
    heed_program *p;
    HEED_TRY(heed_program_make(m, purpose, batch, &p));
    *out = heed_graph_bytes(p->graph);
    heed_graph_free(p->graph);
    return HEED_OK;
}

heed_status heed_model_memory(heed_model *m, int64_t batch, int64_t length, heed_memory *out)
{
    *out = (heed_memory){0};
    HEED_TRY(heed_model_complete(m));
    if (batch < 1 || length < 1)
        return heed_fail(m->context, HEED_EINVAL,
                         "%s: batch and length are out of range (expected [1,), found %lld and %lld)",
                         heed_model_name(m), (long long)batch, (long long)length);
    heed_array inputs[HEED_MAX_OUTPUTS], targets[HEED_MAX_OUTPUTS];
    for (int i = 0; i < m->input_count; i++)
        fill_shape(&inputs[i], &m->inputs[i]->shape, m->inputs[i]->dtype, batch, length);
    heed_batch b = {.inputs = inputs, .input_count = m->input_count};
    out->weights = (size_t)heed_parameter_count(m, false) * sizeof(float);
    HEED_TRY(bytes_for(m, HEED_FOR_PREDICTION, &b, &out->inference));
    if (m->training == NULL)
        return HEED_OK;
    HEED_TRY(heed_training_resolve(m));
    b.targets = targets;
    b.target_count = heed_training_targets(m, batch, length, targets);
    out->optimizer = heed_training_optimizer_bytes(m);
    return bytes_for(m, HEED_FOR_TRAINING, &b, &out->training);
}
