/* A recurrent cell of one's own: the minimal gated unit (Zhou, Wu, Zhang and Zhou, "Minimal gated unit for recurrent
 * neural networks", 2016), which has one gate where the GRU has two.
 *
 *     f  = sigmoid(x Wf + h Uf + bf)
 *     h~ = tanh(x Wh + (f h) Uh + bh)
 *     h' = (1 - f) h + f h~
 *
 * Given to heed_rnn(), it runs over time. What needs no state (the products with x) is taken out of the loop and
 * computed for all steps at once, as for the built-in cells; gradients, masks and saving come by themselves. */
#include <heed/layers.h>
#include <heed/model.h>

#include <stdio.h>

#define MGU_OPTIONS(X, config)                                                                                         \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, INT, units, 0, "[1,)", "size of the state and the output")                                               \
    X(config, ACTIVATION, activation, "tanh", "", "of the candidate")
typedef struct mgu_config { MGU_OPTIONS(HEED_OPTION_FIELD, ) } mgu_config;

typedef struct mgu {
    heed_variable *forget_kernel, *forget_recurrent, *forget_bias; /* (F, units), (units, units), (units) */
    heed_variable *kernel, *recurrent, *bias;                      /* the same */
} mgu;

static heed_status mgu_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    (void)count;
    const mgu_config *o = heed_layer_config(layer);
    mgu *w = heed_layer_alloc(layer, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    heed_shape kernel = {2, {inputs->dims[inputs->rank - 1], o->units}}, recurrent = {2, {o->units, o->units}};
    heed_shape bias = {1, {o->units}};
    w->forget_kernel = heed_layer_weight(layer, "forget_kernel", &kernel, "glorot_uniform", NULL, NULL, true);
    w->forget_recurrent = heed_layer_weight(layer, "forget_recurrent", &recurrent, "orthogonal", NULL, NULL, true);
    w->forget_bias = heed_layer_weight(layer, "forget_bias", &bias, "zeros", NULL, NULL, true);
    w->kernel = heed_layer_weight(layer, "kernel", &kernel, "glorot_uniform", NULL, NULL, true);
    w->recurrent = heed_layer_weight(layer, "recurrent", &recurrent, "orthogonal", NULL, NULL, true);
    w->bias = heed_layer_weight(layer, "bias", &bias, "zeros", NULL, NULL, true);
    return HEED_OK;
}

static void mgu_state_shape(const heed_layer *layer, int state, heed_shape *shape)
{
    (void)state;
    const mgu_config *o = heed_layer_config(layer);
    *shape = (heed_shape){1, {o->units}};
}

/* x W + h U + b, for a batch of rows */
static heed_tensor *weigh(heed_graph *g, heed_tensor *x, heed_variable *W, heed_tensor *h, heed_variable *U,
                          heed_variable *b)
{
    heed_tensor *from_input = heed_op_dense(x, heed_graph_variable(g, W), heed_graph_variable(g, b));
    return heed_op_add(from_input, heed_op_matmul(h, heed_graph_variable(g, U)));
}

static heed_status mgu_step(heed_layer *layer, const heed_loop *loop, heed_step *step)
{
    (void)loop;
    const mgu_config *o = heed_layer_config(layer);
    const mgu *w = heed_layer_state(layer);
    heed_graph *g = step->graph;
    heed_tensor *x = step->inputs[0], *h = step->states[0];

    heed_tensor *f = heed_op_sigmoid(weigh(g, x, w->forget_kernel, h, w->forget_recurrent, w->forget_bias));
    heed_tensor *z = weigh(g, x, w->kernel, heed_op_multiply(f, h), w->recurrent, w->bias);
    heed_tensor *candidate = heed_activate(z, o->activation);
    /* (1 - f) h + f h~ = h + f (h~ - h) */
    step->outputs[0] = step->new_states[0] = heed_op_add(h, heed_op_multiply(f, heed_op_subtract(candidate, h)));
    return HEED_OK; /* an operation that failed is noticed by the caller */
}

static const heed_cell_functions mgu_cell = {.state_shape = mgu_state_shape, .step = mgu_step};

static const heed_layer_class mgu_class = {
    .name = "MGUCell",
    .collection = "examples",
    HEED_CLASS_OPTIONS(mgu_config, MGU_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .build = mgu_build,
    .cell = &mgu_cell,
    .equation = "f = sigmoid(x Wf + h Uf + bf); h' = (1 - f) h + f tanh(x Wh + (f h) Uh + bh)",
    .source = "Zhou et al. 2016",
};

/* mgu(.units = 5), as for the built-in layers */
#define mgu(...) ((heed_spec){&mgu_class, &(const mgu_config){MGU_OPTIONS(HEED_OPTION_DEFAULT, ) __VA_ARGS__}})

/* ---- something to remember: which of the symbols a sequence began with */

enum { SEQUENCES = 500, LENGTH = 10, SYMBOLS = 6 };

static heed_status make_data(heed_context *c, heed_arrays *x, heed_arrays *y)
{
    heed_array *sequences, *firsts;
    heed_status status = heed_array_create(c, HEED_INT32, &(heed_shape){2, {SEQUENCES, LENGTH}}, &sequences);
    if (status == HEED_OK)
        status = heed_arrays_add(x, "symbols", sequences);
    if (status == HEED_OK)
        status = heed_array_create(c, HEED_INT32, &(heed_shape){1, {SEQUENCES}}, &firsts);
    if (status == HEED_OK)
        status = heed_arrays_add(y, "first", firsts);
    if (status != HEED_OK)
        return status;
    uint32_t random = 7;
    int32_t *symbol = sequences->data, *first = firsts->data;
    for (int i = 0; i < SEQUENCES * LENGTH; i++) {
        random = random * 1664525 + 1013904223;
        symbol[i] = (int32_t)(random >> 16) % SYMBOLS;
    }
    for (int i = 0; i < SEQUENCES; i++)
        first[i] = symbol[i * LENGTH];
    return HEED_OK;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_history scores = {0};
    heed_status status = make_data(c, &x, &y);

    heed_model *m = heed_sequential(c, "memory");
    heed_add(m, heed_embedding(.input_dim = SYMBOLS, .output_dim = 16));
    heed_add(m, heed_rnn(mgu(.units = 32)));
    heed_add(m, heed_dense(.units = SYMBOLS, .activation = "softmax"));
    if (status == HEED_OK)
        status = heed_compile(m, .optimizer = "adam(learning_rate=0.01)", .loss = "sparse_categorical_crossentropy",
                              .metrics = {"accuracy"});
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .epochs = 20);
    if (status == HEED_OK)
        status = heed_evaluate(m, &x, &y, &scores);
    double accuracy = status == HEED_OK ? heed_history_get(&scores, "accuracy", 0) : 0.0;

    if (status == HEED_OK)
        printf("remembers the first of %d symbols in %.1f %% of the sequences\n", LENGTH, 100 * accuracy);
    else
        fprintf(stderr, "%s\n", heed_error(c));
    heed_history_free(&scores);
    heed_model_free(m);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return accuracy > 0.95 ? 0 : 1;
}
