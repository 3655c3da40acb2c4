/* A layer of one's own: attention pooling, which makes one vector of a sequence by looking at some steps more than at
 * others (as keras-self-attention's SeqWeightedAttention does).
 *
 *     e_t = x_t . v        a = softmax(e) over the steps that are not masked        y = sum_t a_t x_t
 *
 * A class is a table of functions: build makes the weights, call says what is computed. Gradients, option checks, the
 * summary and saving follow from it. The weights a are offered to whoever asks what the model looks at. */
#include <heed/layers.h>
#include <heed/model.h>

#include <stdio.h>

/* An option is written down once: its type, name, default, range and meaning. */
#define POOLING_OPTIONS(X, config)                                                                                     \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, temperature, 1.0, "(0,)", "the scores are divided by it: small looks at few steps, large at all") \
    X(config, INITIALIZER, kernel_initializer, "glorot_uniform", "", "how v begins")
typedef struct pooling_config { POOLING_OPTIONS(HEED_OPTION_FIELD, ) } pooling_config;

typedef struct pooling {
    heed_variable *v; /* (F, 1) */
} pooling;

static heed_status pooling_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    (void)count;
    const pooling_config *o = heed_layer_config(layer);
    if (inputs->rank != 3)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input is no sequence (expected 3 dimensions, found %d)",
                               inputs->rank);
    pooling *p = heed_layer_alloc(layer, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    heed_shape kernel = {2, {inputs->dims[2], 1}};
    p->v = heed_layer_weight(layer, "kernel", &kernel, o->kernel_initializer, NULL, NULL, true);
    return HEED_OK;
}

static heed_status pooling_call(heed_layer *layer, heed_call *call)
{
    const pooling_config *o = heed_layer_config(layer);
    const pooling *p = heed_layer_state(layer);
    heed_tensor *x = call->inputs[0]; /* (B, T, F) */
    heed_tensor *mask = heed_mask_bool(call->masks[0], heed_tensor_dim(x, 1)); /* (B, T), or NULL */

    heed_tensor *e = heed_op_squeeze(heed_op_matmul(x, heed_graph_variable(call->graph, p->v)), -1); /* (B, T) */
    heed_tensor *a = heed_op_softmax(heed_op_scale(e, (float)(1.0 / o->temperature), 0.0f), mask);
    heed_tensor *row = heed_op_expand(a, 1); /* (B, 1, T) */
    heed_call_publish(call, layer, row);
    call->outputs[0] = heed_op_squeeze(heed_op_matmul(row, x), 1); /* (B, F) */
    return HEED_OK; /* an operation that failed is noticed by the caller */
}

static const heed_layer_class pooling_class = {
    .name = "AttentionPooling",
    .collection = "examples",
    HEED_CLASS_OPTIONS(pooling_config, POOLING_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .build = pooling_build,
    .call = pooling_call,
    .equation = "a = softmax(x v / temperature); y = sum_t a_t x_t",
    .source = "an example",
};

/* attention_pooling(.temperature = 0.5), as for the built-in layers */
#define attention_pooling(...)                                                                                         \
    ((heed_spec){&pooling_class, &(const pooling_config){POOLING_OPTIONS(HEED_OPTION_DEFAULT, ) __VA_ARGS__}})

/* ---- something to look for: of the words of a sentence, one (a multiple of 10) decides what it is about */

enum { SENTENCES = 600, LENGTH = 9, WORDS = 50, TOPICS = 4 };

static heed_status make_data(heed_context *c, heed_arrays *x, heed_arrays *y)
{
    heed_array *sentences, *topics;
    heed_status status = heed_array_create(c, HEED_INT32, &(heed_shape){2, {SENTENCES, LENGTH}}, &sentences);
    if (status == HEED_OK)
        status = heed_arrays_add(x, "words", sentences);
    if (status == HEED_OK)
        status = heed_array_create(c, HEED_INT32, &(heed_shape){1, {SENTENCES}}, &topics);
    if (status == HEED_OK)
        status = heed_arrays_add(y, "topic", topics);
    if (status != HEED_OK)
        return status;
    uint32_t random = 3;
    for (int i = 0; i < SENTENCES; i++) {
        int32_t *word = (int32_t *)sentences->data + i * LENGTH;
        for (int t = 0; t < LENGTH; t++) {
            random = random * 1664525 + 1013904223;
            word[t] = 1 + (int32_t)(random >> 16) % 9 + 10 * ((int32_t)(random >> 24) % (WORDS / 10));
        }
        int32_t topic = (int32_t)(random >> 8) % TOPICS;
        word[(random >> 12) % LENGTH] = 10 * (topic + 1);
        ((int32_t *)topics->data)[i] = topic;
    }
    return HEED_OK;
}

/* Prints a sentence and how much of the attention each word got. */
static void show(const heed_arrays *x, const heed_arrays *attention)
{
    const int32_t *word = x->items[0].array->data;
    const float *a = attention->items[0].array->data; /* (SENTENCES, 1, LENGTH) */
    for (int t = 0; t < LENGTH; t++)
        printf("%5d", word[t]);
    printf("   the words of a sentence\n");
    for (int t = 0; t < LENGTH; t++)
        printf("%5.2f", a[t]);
    printf("   %s looks at them\n", attention->items[0].name);
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    heed_arrays x = {.context = c}, y = {.context = c}, predicted = {.context = c}, attention = {.context = c};
    heed_history scores = {0};
    heed_status status = make_data(c, &x, &y);

    heed_model *m = heed_sequential(c, "topics");
    heed_add(m, heed_embedding(.input_dim = WORDS, .output_dim = 16, .mask_zero = true));
    heed_add(m, attention_pooling(.temperature = 0.5));
    heed_add(m, heed_dense(.units = TOPICS, .activation = "softmax"));
    if (status == HEED_OK)
        status = heed_compile(m, .optimizer = "adam(learning_rate=0.02)", .loss = "sparse_categorical_crossentropy",
                              .metrics = {"accuracy"});
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .epochs = 20);
    if (status == HEED_OK)
        status = heed_evaluate(m, &x, &y, &scores);
    /* A file names the class; whoever reads it makes the class known first. */
    heed_model *loaded = NULL;
    if (status == HEED_OK)
        status = heed_save(m, "topics.keras");
    if (status == HEED_OK)
        status = heed_register_layer(c, &pooling_class);
    if (status == HEED_OK)
        status = heed_load(c, "topics.keras", &loaded);
    if (status == HEED_OK)
        status = heed_predict(loaded, &x, &predicted, .attention = &attention);
    double accuracy = status == HEED_OK ? heed_history_get(&scores, "accuracy", 0) : 0.0;

    if (status == HEED_OK) {
        show(&x, &attention);
        printf("%.1f %% of the sentences understood\n", 100 * accuracy);
    } else {
        fprintf(stderr, "%s\n", heed_error(c));
    }
    heed_history_free(&scores);
    heed_model_free(loaded);
    heed_model_free(m);
    heed_arrays_free(&attention);
    heed_arrays_free(&predicted);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return accuracy > 0.95 ? 0 : 1;
}
