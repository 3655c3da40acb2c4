/* What every layer owes to the frame around it: options, names, weights, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/layers.h"
#include "layers/layer.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 1}, (heed_context **)state);
}

static int tear_down(void **state)
{
    heed_context_free(*state);
    return 0;
}

static void check_refused(heed_context *c, heed_spec spec, heed_status status, const char *error)
{
    heed_layer *layer;
    assert_int_equal(heed_layer_create(c, spec, &layer), status);
    assert_null(layer);
    assert_string_equal(heed_error(c), error);
}

static void test_options_out_of_range_are_refused(void **state)
{
    heed_context *c = *state;
    check_refused(c, (heed_spec){0}, HEED_EINVAL, "a layer is missing (its spec names no class)");
    check_refused(c, heed_dense(.name = "x"), HEED_EINVAL,
                  "Dense layer 'x': units is out of range (expected [1,), found 0)");
    check_refused(c, heed_dense(.units = -3), HEED_EINVAL,
                  "Dense layer: units is out of range (expected [1,), found -3)");
    check_refused(c, heed_dropout(.rate = 1.5), HEED_EINVAL,
                  "Dropout layer: rate is out of range (expected [0,1], found 1.5)");
    check_refused(c, heed_input_layer(.dtype = "float16"), HEED_EINVAL,
                  "InputLayer layer: dtype is not one of its words (expected float32|int32|bool, found float16)");
    check_refused(c, heed_input_layer(.dtype = "int"), HEED_EINVAL,
                  "InputLayer layer: dtype is not one of its words (expected float32|int32|bool, found int)");
    check_refused(c, heed_dense(.units = 1, .activation = "rellu"), HEED_ENOTFOUND,
                  "Dense layer: activation: no activation of this name: rellu");
    assert_string_equal(heed_error_hint(c), "did you mean relu?");
    check_refused(c, heed_dense(.units = 1, .kernel_regularizer = "l2(-1)"), HEED_EINVAL,
                  "Dense layer: kernel_regularizer: l2: l2 is out of range (expected [0,), found -1)");
    check_refused(c, heed_dense(.units = 1, .kernel_initializer = "glorot_uniform(3)"), HEED_EINVAL,
                  "Dense layer: kernel_initializer: glorot_uniform: too many options without a name (found 1)");
}

static void test_text_makes_layers(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    assert_int_equal(heed_layer_create_text(c, "Dense", "7, activation='tanh', use_bias=False", &layer), HEED_OK);
    const heed_dense_config *o = heed_layer_config(layer);
    assert_int_equal(o->units, 7);
    assert_string_equal(o->activation, "tanh");
    assert_string_equal(o->kernel_initializer, "glorot_uniform");
    assert_false(o->use_bias);
    heed_layer_release(layer);
    assert_int_equal(heed_layer_create_text(c, "Dense", "unit=7", &layer), HEED_EINVAL);
    assert_string_equal(heed_error(c), "Dense: no option of this name: unit");
    assert_string_equal(heed_error_hint(c), "did you mean units?");
    assert_int_equal(heed_layer_create_text(c, "Denes", "", &layer), HEED_ENOTFOUND);
    assert_string_equal(heed_error_hint(c), "did you mean Dense?");
    assert_int_equal(heed_layer_create_text(c, "Dense", "units='many'", &layer), HEED_EINVAL);
    assert_string_equal(heed_error(c), "Dense: units is not what it should be (expected an integer, found 'many')");
}

static void test_files_of_keras_are_understood(void **state)
{
    heed_context *c = *state;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *config;
    static const char text[] =
        "{'name': 'dense_3', 'trainable': False, 'dtype': {'module': 'keras', 'class_name': 'DTypePolicy'}, 'units': 4,"
        " 'activation': {'class_name': 'function', 'config': 'relu', 'module': 'builtins'},"
        " 'kernel_initializer': {'module': 'keras.initializers', 'class_name': 'GlorotUniform',"
        "   'config': {'seed': None, 'input_axes': None}, 'registered_name': None},"
        " 'kernel_regularizer': {'class_name': 'L2', 'config': {'l2': 0.25}}, 'quantization_config': None}";
    assert_int_equal(heed_value_parse(&z, "config", text, &config), HEED_OK);
    heed_layer *layer;
    assert_int_equal(heed_layer_create_value(c, "Dense", "keras", config, &layer), HEED_OK);
    const heed_dense_config *o = heed_layer_config(layer);
    assert_string_equal(heed_layer_name(layer), "dense_3");
    assert_string_equal(o->activation, "relu");
    assert_string_equal(o->kernel_initializer, "glorot_uniform");
    assert_string_equal(o->kernel_regularizer, "l2(l2=0.25)");
    assert_false(heed_layer_trainable(layer));
    heed_value *written = heed_layer_options_value(&z, layer);
    assert_non_null(written);
    heed_value *regularizer = heed_value_find(written, "kernel_regularizer");
    assert_string_equal(heed_value_find(regularizer, "class_name")->text, "L2");
    assert_true(heed_value_find(heed_value_find(regularizer, "config"), "l2")->real == 0.25);
    assert_int_equal(heed_value_find(written, "kernel_constraint")->type, HEED_VALUE_NULL);
    heed_layer *again;
    assert_int_equal(heed_layer_create_value(c, "Dense", "keras", written, &again), HEED_OK);
    assert_string_equal(heed_value_expression(&z, heed_layer_options_value(&z, again)),
                        heed_value_expression(&z, written));
    heed_layer_release(again);
    heed_layer_release(layer);
    heed_zone_free(&z);
}

static void test_snake_case(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"Dense", "dense"}, {"LSTM", "lstm"}, {"Conv1D", "conv1d"}, {"SimpleRNN", "simple_rnn"}, {"PReLU", "p_re_lu"},
        {"LeakyReLU", "leaky_re_lu"}, {"RMSNormalization", "rms_normalization"},
        {"StackedRNNCells", "stacked_rnn_cells"},
        {"LSTMCell", "lstm_cell"}, {"TimeDistributed", "time_distributed"},
        {"GlobalAveragePooling1D", "global_average_pooling1d"},
        {"ELU", "elu"}, {"GRU", "gru"}};
    char text[80];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(heed_snake_case(names[i][0], text, sizeof text), names[i][1]);
    assert_string_equal(heed_snake_case("AVeryLongName", text, 6), "a_ve");
}

/* ---- a layer of one's own ---- */

#define SCALE_OPTIONS(X, config)                                                                                       \
    HEED_LAYER_OPTIONS(X, config)                                                                                      \
    X(config, FLOAT, factor, 2.0, "(0,)", "what the input is multiplied with")
typedef struct scale_config { SCALE_OPTIONS(HEED_OPTION_FIELD, ) } scale_config;

static heed_status scale_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    heed_shape one = {1, {inputs->dims[inputs->rank - 1]}};
    heed_layer_weight(layer, "count", &one, "zeros", NULL, NULL, false);
    heed_layer_weight(layer, "offset", &one, "ones", NULL, NULL, true);
    return HEED_OK;
}

static heed_status scale_call(heed_layer *layer, heed_call *call)
{
    const scale_config *o = heed_layer_config(layer);
    heed_tensor *offset = heed_graph_variable(call->graph, heed_layer_weight_at(layer, 0));
    call->outputs[0] = heed_op_add(heed_op_scale(call->inputs[0], (float)o->factor, 0.0f), offset);
    return HEED_OK;
}

static const heed_layer_class scale_class = {.name = "Scale", .collection = "mine", .min_inputs = 1, .max_inputs = 1,
                                             .passes_mask = true, .build = scale_build, .call = scale_call,
                                             HEED_CLASS_OPTIONS(scale_config, SCALE_OPTIONS)};

static heed_status call_scale(heed_context *c, heed_layer *layer, float *result)
{
    heed_graph *g;
    HEED_TRY(heed_graph_create(c, &g));
    heed_shape shape = {2, {1, 2}};
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &shape);
    heed_inner inner;
    heed_call outer = {.graph = g};
    heed_status status = x == NULL ? HEED_ENOMEM : heed_inner_call(&inner, &outer, layer, &x, NULL, 1, NULL);
    if (status == HEED_OK)
        status = heed_variable_initialize(c, heed_layer_weight_at(layer, 0), 1, 1);
    if (status == HEED_OK)
        status = heed_graph_plan(g, inner.outputs, 1);
    if (status == HEED_OK) {
        heed_graph_bind(x, (const float[]){1.0f, -3.0f});
        status = heed_graph_run(g, 0, 0);
    }
    if (status == HEED_OK)
        memcpy(result, heed_tensor_data(inner.outputs[0]), 2 * sizeof *result);
    heed_graph_free(g);
    return status;
}

static heed_status own_layer(heed_context *c, void *user)
{
    float *result = user;
    heed_layer *layer;
    scale_config config = {.name = "s", .trainable = true, .factor = 3.0};
    HEED_TRY(heed_layer_create(c, (heed_spec){&scale_class, &config}, &layer));
    heed_status status = call_scale(c, layer, result);
    heed_layer_release(layer);
    return status;
}

static void test_a_layer_of_ones_own(void **state)
{
    float result[2];
    assert_int_equal(own_layer(*state, result), HEED_OK);
    assert_true(result[0] == 4.0f && result[1] == -8.0f);
    heed_layer *layer;
    assert_int_equal(heed_layer_create_text(*state, "Scale", "factor=3", &layer), HEED_ENOTFOUND);
    assert_int_equal(heed_register_layer(*state, &scale_class), HEED_OK);
    assert_int_equal(heed_layer_create_text(*state, "Scale", "factor=3", &layer), HEED_OK);
    assert_true(((const scale_config *)heed_layer_config(layer))->factor == 3.0);
    heed_layer_release(layer);
    assert_ptr_equal(heed_find_layer(*state, "Scale", "mine"), &scale_class);
    assert_null(heed_find_layer(*state, "Scale", "keras"));
}

static void test_own_layer_when_memory_fails(void **state)
{
    (void)state;
    float result[2];
    heed_test_each_allocation_fails(own_layer, result);
}

static void test_weights_made_to_be_trained_come_first(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    assert_int_equal(heed_layer_create(c, (heed_spec){&scale_class, NULL}, &layer), HEED_OK);
    assert_int_equal(heed_layer_build(layer, &(heed_shape){2, {HEED_ANY, 3}}, 1), HEED_OK);
    assert_int_equal(heed_layer_weight_count(layer), 2);
    assert_string_equal(heed_variable_name(heed_layer_weight_at(layer, 0)), "offset");
    assert_string_equal(heed_variable_name(heed_layer_weight_at(layer, 1)), "count");
    assert_true(heed_variable_trainable(heed_layer_weight_at(layer, 0)));
    assert_false(heed_variable_trainable(heed_layer_weight_at(layer, 1)));
    heed_layer_set_trainable(layer, false);
    assert_false(heed_variable_trainable(heed_layer_weight_at(layer, 0)));
    heed_layer_set_trainable(layer, true);
    assert_true(heed_variable_trainable(heed_layer_weight_at(layer, 0)));
    assert_false(heed_variable_trainable(heed_layer_weight_at(layer, 1)));
    assert_null(heed_layer_weight_at(layer, 2));
    assert_null(heed_layer_weight_at(layer, -1));
    heed_layer_release(layer);
}

static void test_mistakes_while_calling_name_the_layer(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    heed_graph *g;
    assert_int_equal(heed_layer_create(c, heed_dense(.name = "d", .units = 2), &layer), HEED_OK);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x[2] = {heed_graph_input(g, HEED_FLOAT32, &(heed_shape){1, {4}}), NULL};
    heed_inner inner;
    heed_call outer = {.graph = g};
    assert_int_equal(heed_inner_call(&inner, &outer, layer, x, NULL, 1, NULL), HEED_ESHAPE);
    assert_string_equal(heed_error(c),
                        "Dense layer 'd': the input has too few dimensions (expected 2 or more, found (None,))");
    heed_graph_free(g);
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    outer.graph = g;
    x[0] = x[1] = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){2, {4, 3}});
    assert_int_equal(heed_inner_call(&inner, &outer, layer, x, NULL, 2, NULL), HEED_EINVAL);
    assert_string_equal(heed_error(c),
                        "Dense layer 'd': it is given another number of inputs than it takes (expected 1, found 2)");
    heed_graph_free(g);
    heed_layer_release(layer);
}

static void test_every_class_is_told(void **state)
{
    heed_context *c = *state;
    for (int i = 0; heed_layer_class_at(i) != NULL; i++) {
        const heed_layer_class *class = heed_layer_class_at(i);
        assert_ptr_equal(heed_find_layer(c, class->name, class->collection), class);
        assert_non_null(class->equation);
        assert_non_null(class->source);
        assert_non_null(class->call);
        assert_true(class->option_count >= 2);
        assert_string_equal(class->options[0].name, "name");
        assert_string_equal(class->options[1].name, "trainable");
        for (int k = 0; k < class->option_count; k++) {
            assert_true(class->options[k].meaning[0] != '\0');
            for (int n = 0; n < k; n++)
                assert_string_not_equal(class->options[k].name, class->options[n].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_options_out_of_range_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_makes_layers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_of_keras_are_understood, set_up, tear_down),
        cmocka_unit_test(test_snake_case),
        cmocka_unit_test_setup_teardown(test_a_layer_of_ones_own, set_up, tear_down),
        cmocka_unit_test(test_own_layer_when_memory_fails),
        cmocka_unit_test_setup_teardown(test_weights_made_to_be_trained_come_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_while_calling_name_the_layer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_class_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
