/* What the attention layers of the collections do where the originals cannot be asked: corrected, padding gets no attention,
 * nothing to attend to gives zeros, and bad options are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/attention.h"
#include "layers/layer.h"
#include "support/context.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 2, STEPS = 5, SHORT = 3, FEATURES = 4, MOST = 4, SIZE = BATCH * STEPS * FEATURES };

/* Row 0 is cut to SHORT steps, row 1 is padding altogether. */
static const bool KEEP[BATCH * STEPS] = {true, true, true};

/* One number for each position, never 0. */
static void fill(float *x, int count)
{
    for (int i = 0; i < count; i++)
        x[i] = sinf(1.0f + 1.7f * (float)i);
}

typedef struct outcome {
    int        count;
    float      loss; /* that the layer adds */
    heed_shape shapes[MOST];
    float      data[MOST][256];
} outcome;

/* Calls a layer on `count` inputs that are all x (batch, steps, FEATURES), each with the mask. */
static heed_status call_on(heed_context *c, heed_layer *layer, int count, const float *x, const bool *keep,
                           int64_t batch,
                           int64_t steps, outcome *out)
{
    heed_graph *g;
    HEED_TRY(heed_graph_create(c, &g));
    heed_pass pass = {.graph = g};
    heed_call_arguments arguments = {.pass = &pass};
    heed_call outer = {.graph = g, .arguments = &arguments};
    heed_tensor *input = heed_graph_constant(g, &(heed_array){HEED_FLOAT32, {3, {batch, steps, FEATURES}}, (void *)x});
    heed_tensor *mask = keep == NULL ? NULL
                                     : heed_graph_constant(g, &(heed_array){HEED_BOOL, {2, {batch, steps}},
                                                                            (void *)keep});
    heed_tensor *inputs[MOST] = {input, input, input, input}, *masks[MOST] = {mask, mask, mask, mask};
    if (layer->layer_class == &heed_residual_scaled_dot_product_attention_class)
        inputs[count - 1] = heed_graph_fill(g, &(heed_shape){3, {batch, steps, steps}}, 0.25f);
    heed_inner inner;
    heed_status status = heed_inner_call(&inner, &outer, layer, inputs, masks, count, NULL);
    if (status == HEED_OK) {
        out->count = inner.call.output_count;
        for (int i = 0; i < heed_layer_weight_count(layer) && status == HEED_OK; i++)
            status = heed_variable_initialize(c, heed_layer_weight_at(layer, i), 1, (uint64_t)i);
        if (pass.loss_count > 0)
            inner.outputs[out->count] = pass.losses[0];
        status = status == HEED_OK ? heed_graph_plan(g, inner.outputs, (size_t)out->count + pass.loss_count) : status;
        status = status == HEED_OK ? heed_graph_run(g, 1, 1) : status;
    }
    for (int i = 0; i < out->count && status == HEED_OK; i++) {
        out->shapes[i] = inner.outputs[i]->shape;
        assert_true(heed_shape_count(&out->shapes[i]) <= 256);
        memcpy(out->data[i], heed_tensor_data(inner.outputs[i]),
               (size_t)heed_shape_count(&out->shapes[i]) * sizeof(float));
    }
    if (pass.loss_count > 0 && status == HEED_OK)
        out->loss = *(const float *)heed_tensor_data(pass.losses[0]);
    heed_release(c, pass.losses);
    heed_graph_free(g);
    return status;
}

/* Padded and cut, the first steps of the first row are the same; what is padding altogether gives zeros. */
static void check_padding(heed_context *c, heed_spec spec, int inputs)
{
    float padded[SIZE], cut[SHORT * FEATURES];
    outcome with = {0}, without = {0};
    heed_layer *layer;
    fill(padded, SIZE);
    memcpy(cut, padded, sizeof cut);
    assert_int_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    assert_int_equal(call_on(c, layer, inputs, padded, KEEP, BATCH, STEPS, &with), HEED_OK);
    assert_int_equal(call_on(c, layer, inputs, cut, NULL, 1, SHORT, &without), HEED_OK);
    int kept = (int)heed_shape_count(&without.shapes[0]), row = (int)heed_shape_count(&with.shapes[0]) / BATCH;
    for (int i = 0; i < kept; i++)
        assert_float_equal(with.data[0][i], without.data[0][i], 1e-6);
    for (int i = row; i < 2 * row; i++)
        assert_float_equal(with.data[0][i], 0.0f, 0.0f);
    heed_layer_release(layer);
}

static void test_padding_gets_no_attention(void **state)
{
    heed_context *c = *state;
    check_padding(c, heed_seq_self_attention(.units = 3), 1);
    check_padding(c, heed_seq_self_attention(.units = 3, .attention_width = 3, .attention_activation = "sigmoid"), 1);
    check_padding(c, heed_seq_self_attention(.attention_type = "multiplicative", .history_only = true), 1);
    check_padding(c, heed_seq_weighted_attention(), 1);
    check_padding(c, heed_self_attention_scaled_dot_product(), 1);
    check_padding(c, heed_self_attention_scaled_dot_product(.history_only = true), 3);
    check_padding(c, heed_residual_scaled_dot_product_attention(), 2);
    check_padding(c, heed_residual_scaled_dot_product_attention(.history_only = true), 4);
    check_padding(c, heed_multi_head_multi_head_attention(.head_num = 2, .activation = "tanh"), 1);
    check_padding(c, heed_multi_head_multi_head_attention(.head_num = 4, .history_only = true), 3);
    check_padding(c, heed_multi_head(.layer = heed_seq_self_attention(), .layer_num = 2), 1);
    check_padding(c, heed_attention_layer(), 2);
    check_padding(c, heed_layer_collection_scaled_dot_product(), 3);
    check_padding(c, heed_sequence_attention(), 2);
    check_padding(c, heed_sequence_attention(.similarity = "multiplicative"), 2);
    check_padding(c, heed_attention_rnn_wrapper(heed_lstm(.units = 3, .return_sequences = true)), 1);
    check_padding(c, heed_external_attention_rnn_wrapper(heed_gru(.units = 3, .return_sequences = true)), 2);
}

/* As first written, the padding changes what the other steps get: the faults are there to be seen. */
static void test_as_first_written_padding_counts(void **state)
{
    heed_context *c = *state;
    float x[SIZE];
    fill(x, SIZE);
    for (int corrected = 0; corrected < 2; corrected++) {
        heed_layer *layer;
        outcome before = {0}, after = {0};
        assert_int_equal(heed_layer_create(c, heed_seq_self_attention(.corrected = corrected != 0), &layer), HEED_OK);
        assert_int_equal(call_on(c, layer, 1, x, KEEP, BATCH, STEPS, &before), HEED_OK);
        x[(STEPS - 1) * FEATURES] += 1.0f;
        assert_int_equal(call_on(c, layer, 1, x, KEEP, BATCH, STEPS, &after), HEED_OK);
        bool same = memcmp(before.data[0], after.data[0], SHORT * FEATURES * sizeof(float)) == 0;
        assert_int_equal(same, corrected != 0);
        heed_layer_release(layer);
    }
}

/* The term that keeps heads apart, of two kernels of ones cut to one column: M is two rows of FEATURES ones, so M M^T - I has
 * FEATURES - 1 on its diagonal and FEATURES beside it. */
static void test_heads_kept_apart(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    outcome out;
    float x[SIZE];
    fill(x, SIZE);
    heed_spec head = heed_dense(.units = 2, .kernel_initializer = "ones");
    heed_spec spec = heed_multi_head(.layer = head, .layer_num = 2, .reg_index = HEED_DIMS(1, 0), .reg_slice = ":, 1:2",
                                     .reg_factor = 0.5);
    assert_int_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    assert_int_equal(call_on(c, layer, 1, x, NULL, BATCH, STEPS, &out), HEED_OK);
    assert_float_equal(out.loss, 0.5 * (2 * 9 + 2 * 16), 1e-5);
    heed_layer_release(layer);
}

/* Asked for its attention, a layer gives the same output to the bit, and weights that sum to one. */
static void test_attention_on_request(void **state)
{
    heed_context *c = *state;
    float x[SIZE];
    fill(x, SIZE);
    heed_spec pairs[][2] = {
        {heed_seq_self_attention(), heed_seq_self_attention(.return_attention = true)},
        {heed_seq_weighted_attention(), heed_seq_weighted_attention(.return_attention = true)},
        {heed_self_attention_scaled_dot_product(), heed_self_attention_scaled_dot_product(.return_attention = true)},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        outcome results[2] = {{0}};
        for (int k = 0; k < 2; k++) {
            heed_layer *layer;
            assert_int_equal(heed_layer_create(c, pairs[i][k], &layer), HEED_OK);
            assert_int_equal(call_on(c, layer, 1, x, NULL, BATCH, STEPS, &results[k]), HEED_OK);
            heed_layer_release(layer);
        }
        assert_int_equal(results[1].count, results[0].count + 1);
        size_t size = (size_t)heed_shape_count(&results[0].shapes[0]) * sizeof(float);
        assert_memory_equal(results[0].data[0], results[1].data[0], size);
        float sum = 0.0f;
        for (int k = 0; k < STEPS; k++)
            sum += results[1].data[1][k];
        assert_float_equal(sum, 1.0f, 1e-6);
    }
}

static void check_refused(heed_context *c, heed_spec spec, const char *reason)
{
    heed_layer *layer;
    assert_int_not_equal(heed_layer_create(c, spec, &layer), HEED_OK);
    if (strstr(heed_error(c), reason) == NULL)
        fail_msg("\"%s\" does not say: %s", heed_error(c), reason);
}

static void test_bad_options(void **state)
{
    heed_context *c = *state;
    heed_layer *layer;
    outcome out;
    float x[SIZE];
    fill(x, SIZE);
    check_refused(c, heed_seq_self_attention(.units = 0), "SeqSelfAttention layer: units is out of range");
    check_refused(c, heed_seq_self_attention(.attention_width = 0),
                  "SeqSelfAttention layer: attention_width is out of range (expected [1,), found 0)");
    check_refused(c, heed_seq_self_attention(.attention_type = "dot"), "attention_type");
    check_refused(c, heed_multi_head(), "its layer is missing");
    check_refused(c, heed_multi_head(.layer = heed_dense(.units = 2), .reg_slice = "0-2"),
                  "reg_slice is no list of slices");
    assert_int_equal(heed_layer_create(c, heed_multi_head_multi_head_attention(.head_num = 3), &layer), HEED_OK);
    assert_int_not_equal(call_on(c, layer, 1, x, NULL, BATCH, STEPS, &out), HEED_OK);
    assert_non_null(strstr(heed_error(c), "head_num does not divide"));
    heed_layer_release(layer);
    assert_int_equal(heed_layer_create(c, heed_self_attention_scaled_dot_product(), &layer), HEED_OK);
    assert_int_not_equal(call_on(c, layer, 2, x, NULL, BATCH, STEPS, &out), HEED_OK);
    assert_non_null(strstr(heed_error(c), "expected x, or q, k and v"));
    heed_layer_release(layer);
}

static bool *corrected_of(heed_layer *layer)
{
    return heed_options_field(HEED_TABLE_OF(layer->layer_class), layer->config, "corrected", HEED_OPTION_BOOL);
}

/* A saved config of the original is computed as first written; one written by hand, or saved by heed, as it says. */
static void test_corrected_in_files(void **state)
{
    heed_context *c = *state;
    heed_zone z;
    heed_layer *layer, *again;
    heed_zone_init(&z, c);
    heed_value *dict = heed_value_dict(&z);
    assert_int_equal(heed_value_set(&z, dict, "attention_width", heed_value_null(&z)), HEED_OK);
    assert_int_equal(heed_layer_create_value(c, "SeqSelfAttention", NULL, dict, &layer), HEED_OK);
    assert_false(*corrected_of(layer));
    assert_null(heed_value_find(heed_layer_options_value(&z, layer), "corrected"));
    heed_layer_release(layer);
    assert_int_equal(heed_layer_create_text(c, "SeqSelfAttention", "units=3, attention_width=None", &layer), HEED_OK);
    assert_true(*corrected_of(layer));
    heed_value *saved = heed_layer_options_value(&z, layer);
    assert_int_equal(heed_layer_create_value(c, "SeqSelfAttention", NULL, saved, &again), HEED_OK);
    assert_true(*corrected_of(again));
    heed_layer_release(layer);
    heed_layer_release(again);
    heed_zone_free(&z);
}

static void check_masking(heed_context *c, const char *origin, const char *class_name, const char *word)
{
    heed_zone z;
    heed_layer *layer, *again;
    heed_zone_init(&z, c);
    heed_value *dict = heed_value_dict(&z);
    assert_int_equal(heed_read_from(c, origin), HEED_OK);
    assert_int_equal(heed_layer_create_value(c, class_name, NULL, dict, &layer), HEED_OK);
    heed_option_table t = HEED_TABLE_OF(layer->layer_class);
    assert_string_equal(*(const char **)heed_options_field(t, layer->config, "masking", HEED_OPTION_TEXT), word);
    assert_int_equal(heed_read_from(c, NULL), HEED_OK); /* what is saved tells it by itself */
    assert_int_equal(heed_layer_create_value(c, class_name, NULL, heed_layer_options_value(&z, layer), &again), HEED_OK);
    assert_string_equal(*(const char **)heed_options_field(t, again->config, "masking", HEED_OPTION_TEXT), word);
    heed_layer_release(layer);
    heed_layer_release(again);
    heed_zone_free(&z);
}

static void check_owner(heed_context *c, const char *origin, const char *class_name, const char *collection)
{
    heed_zone z;
    heed_spec spec;
    heed_zone_init(&z, c);
    heed_value *saved = heed_value_dict(&z);
    assert_int_equal(heed_value_set(&z, saved, "class_name", heed_value_text(&z, class_name)), HEED_OK);
    assert_int_equal(heed_value_set(&z, saved, "config", heed_value_dict(&z)), HEED_OK);
    assert_int_equal(heed_read_from(c, origin), HEED_OK);
    assert_int_equal(heed_spec_read(&z, "x", saved, &spec), HEED_OK);
    assert_string_equal(spec.layer_class->collection, collection);
    assert_int_equal(heed_read_from(c, NULL), HEED_OK);
    heed_zone_free(&z);
}

/* By the keys that a saved config has, as text of a call; collection NULL: nobody's. */
static void check_told(heed_context *c, const char *class_name, const char *options, const char *collection)
{
    heed_zone z;
    heed_spec spec;
    heed_value *config;
    heed_zone_init(&z, c);
    heed_value *saved = heed_value_dict(&z);
    assert_int_equal(heed_value_parse(&z, "config", options, &config), HEED_OK);
    assert_int_equal(heed_value_set(&z, saved, "class_name", heed_value_text(&z, class_name)), HEED_OK);
    assert_int_equal(heed_value_set(&z, saved, "config", config), HEED_OK);
    heed_status status = heed_spec_read(&z, "x", saved, &spec);
    if (collection != NULL)
        assert_string_equal(status == HEED_OK ? spec.layer_class->collection : heed_error(c), collection);
    else
        assert_int_equal(status, HEED_ENOTFOUND);
    heed_zone_free(&z);
}

static void test_names_that_several_have(void **state)
{
    heed_context *c = *state;
    check_told(c, "ScaledDotProductAttention", "{'history_only': False, 'return_attention': False}", "keras-self-attention");
    check_told(c, "ScaledDotProductAttention", "{'return_attention': False}", "keras-layer-collection");
    check_told(c, "MultiHeadAttention", "{'num_heads': 2, 'key_dim': 3}", "keras");
    check_told(c, "MultiHeadAttention", "{'head_num': 2}", "keras-multi-head");
    check_told(c, "LayerNormalization", "{'axis': [2], 'center': True, 'epsilon': 1e-3}", "keras");
    check_told(c, "LayerNormalization", "{'name': 'n', 'trainable': True}", "keras-layer-collection");
    check_told(c, "LayerNormalization", "{'center': True, 'epsilon': 1e-3}", NULL);
    assert_string_equal(heed_error(c), "LayerNormalization with center but without axis: whose layer this is, the file does "
                                       "not tell");
    check_told(c, "LayerNormalization", "{'epsilon': 1e-3}", NULL);
    check_told(c, "Attention", "{'use_scale': True}", "keras");
    check_told(c, "Attention", "{'causal': False}", "keras");
    check_told(c, "Attention", "{'name': 'a', 'trainable': True}", "attention_keras");
    check_told(c, "AttentionLayer", "{'name': 'a'}", "attention_keras");
    assert_int_equal(heed_read_from(c, "keras"), HEED_OK);
    check_told(c, "LayerNormalization", "{'center': True, 'epsilon': 1e-3}", "keras");
    check_told(c, "LayerNormalization", "{}", "keras");
    check_told(c, "Attention", "{}", "keras");
    assert_int_equal(heed_read_from(c, "keras-layer-collection"), HEED_OK);
    check_told(c, "LayerNormalization", "{'epsilon': 1e-3}", "keras-layer-collection");
    assert_int_equal(heed_read_from(c, NULL), HEED_OK);
}

static void check_no_origin(heed_context *c, const char *origin, const char *reason, const char *hint)
{
    assert_int_not_equal(heed_read_from(c, origin), HEED_OK);
    assert_string_equal(heed_error(c), reason);
    assert_string_equal(heed_error_hint(c), hint);
}

static void test_read_from(void **state)
{
    heed_context *c = *state;
    check_masking(c, NULL, "SeqSelfAttention", "penalty");
    check_masking(c, "keras-self-attention", "SeqSelfAttention", "penalty");
    check_masking(c, "keras-self-attention=0.47", "SeqSelfAttention", "penalty");
    check_masking(c, "keras-self-attention=0.46.0", "SeqSelfAttention", "penalty_without_window");
    check_masking(c, "keras-self-attention=0.45", "SeqSelfAttention", "factor");
    check_masking(c, "keras-self-attention=0.46", "SeqWeightedAttention", "penalty");
    check_masking(c, "keras-self-attention=0.5", "SeqWeightedAttention", "factor");
    check_masking(c, "keras-self-attention=1.0", "SeqWeightedAttention", "penalty");
    check_masking(c, "keras-multi-head=0.22", "SeqWeightedAttention", "penalty");
    check_owner(c, NULL, "ScaledDotProductAttention", "keras-layer-collection");
    check_owner(c, "keras-self-attention", "ScaledDotProductAttention", "keras-self-attention");
    check_owner(c, "keras-multi-head", "MultiHeadAttention", "keras-multi-head");
    check_owner(c, "keras", "LayerNormalization", "keras");
    check_owner(c, "keras-multi-head", "Dense", "keras");
    check_no_origin(c, "keras-self-atention", "no collection of this name: keras-self-atention",
                    "did you mean keras-self-attention?");
    check_no_origin(c, "", "no collection of this name: ", "");
    static const char *const wrong[] = {"", "0", "0.", "a.b", ".45", "0.45x", "-1.0", "0.1000"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char origin[64], reason[128];
        snprintf(origin, sizeof origin, "keras-self-attention=%s", wrong[i]);
        snprintf(reason, sizeof reason, "keras-self-attention: no version (expected such as 0.45, found %s)", wrong[i]);
        check_no_origin(c, origin, reason, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding_gets_no_attention), cmocka_unit_test(test_as_first_written_padding_counts),
        cmocka_unit_test(test_attention_on_request),      cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_corrected_in_files),        cmocka_unit_test(test_heads_kept_apart),
        cmocka_unit_test(test_read_from),                 cmocka_unit_test(test_names_that_several_have),
    };
    return cmocka_run_group_tests(tests, heed_test_with_context, heed_test_without_context);
}
