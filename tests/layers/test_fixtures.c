/* Layers against real Keras: outputs, and the gradient of every weight and input. The models of the fixtures are wired here
 * by hand, a call at a time, so that layers can be held to account without models; nested models are left to tests/model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/json.h"
#include "heed/files.h"
#include "layers/layer.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 64, MOST_INPUTS = 8, MOST_WEIGHTS = 64 };

/* What one call of a layer gave. */
typedef struct result {
    bool         done;
    int          count;
    heed_tensor *outputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
} result;

typedef struct fixture_layer {
    const char      *name;
    const heed_json *json;
    heed_layer      *layer;
    result           calls[4];
} fixture_layer;

typedef struct fixture {
    heed_context *context;
    heed_arrays   arrays;
    heed_zone     zone;
    heed_json    *json;
    heed_graph   *graph;
    heed_pass     pass;
    bool          keras2;
    fixture_layer layers[MOST_LAYERS];
    int           layer_count;
    heed_tensor  *inputs[MOST_INPUTS];
    int           input_count;
    heed_tensor  *outputs[HEED_MAX_OUTPUTS];
    int           output_count;
} fixture;

/* ---- JSON as values ---- */

static heed_value *value_of(heed_zone *z, const heed_json *j)
{
    switch (j->type) {
    case HEED_JSON_NULL: return heed_value_null(z);
    case HEED_JSON_BOOL: return heed_value_bool(z, j->boolean);
    case HEED_JSON_INT: return heed_value_int(z, j->integer);
    case HEED_JSON_REAL: return heed_value_real(z, j->real);
    case HEED_JSON_STRING: return heed_value_text(z, j->text);
    default: break;
    }
    heed_value *v = j->type == HEED_JSON_ARRAY ? heed_value_list(z) : heed_value_dict(z);
    for (const heed_json *item = j->first; item != NULL; item = item->next)
        if (j->type == HEED_JSON_ARRAY)
            heed_value_append(v, value_of(z, item));
        else
            heed_value_set(z, v, item->key, value_of(z, item));
    return v;
}

static const heed_json *member(const heed_json *j, const char *key)
{
    const heed_json *found = heed_json_find(j, key);
    if (found == NULL)
        fail_msg("the fixture has no \"%s\"", key);
    return found;
}

/* ---- wiring ---- */

static fixture_layer *find_layer(fixture *f, const char *name)
{
    for (int i = 0; i < f->layer_count; i++)
        if (strcmp(f->layers[i].name, name) == 0)
            return &f->layers[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static heed_array *array_at(const fixture *f, const char *prefix, int index)
{
    char name[32];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return heed_arrays_get(&f->arrays, name);
}

/* NotEqual and its like: how Keras computes a mask, which here rides on the tensors anyway. */
static bool is_operation(const heed_json *layer)
{
    const heed_json *module = heed_json_find(layer, "module");
    return heed_json_is(module, HEED_JSON_STRING) && strncmp(module->text, "keras.src.ops", 13) == 0;
}

static heed_status make_layers(fixture *f, const heed_json *layers)
{
    for (const heed_json *j = layers->first; j != NULL; j = j->next) {
        const heed_json *config = member(j, "config");
        if (is_operation(j))
            continue;
        assert_true(f->layer_count < MOST_LAYERS);
        fixture_layer *l = &f->layers[f->layer_count++];
        l->json = j;
        l->name = member(config, "name")->text;
        heed_value *options = value_of(&f->zone, config);
        if (f->keras2)
            options = heed_keras2_value(&f->zone, options);
        HEED_TRY(heed_layer_create_value(f->context, member(j, "class_name")->text, NULL, options, &l->layer));
    }
    return HEED_OK;
}

/* [layer, call, output], wherever it stands. */
static bool is_leaf(const heed_json *j)
{
    return heed_json_is(j, HEED_JSON_ARRAY) && j->count >= 3 && j->first->type == HEED_JSON_STRING &&
           j->first->next->type == HEED_JSON_INT;
}

typedef struct call_inputs {
    heed_tensor *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    int          count;
    bool         complete;
    heed_value  *keywords;
} call_inputs;

static void take_leaf(fixture *f, const heed_json *leaf, call_inputs *c)
{
    const fixture_layer *l = find_layer(f, leaf->first->text);
    const result *r = &l->calls[leaf->first->next->integer];
    int output = (int)leaf->first->next->next->integer;
    c->complete = c->complete && r->done;
    c->inputs[c->count] = r->outputs[output];
    c->masks[c->count++] = r->masks[output];
}

/* The tensors within an argument, in order. */
static void take_tensors(fixture *f, const heed_json *j, call_inputs *c)
{
    const heed_json *class_name = heed_json_find(j, "class_name");
    if (is_leaf(j))
        take_leaf(f, j, c);
    else if (heed_json_is_string(class_name, "__keras_tensor__"))
        take_leaf(f, member(member(j, "config"), "keras_history"), c);
    else if (j->type == HEED_JSON_ARRAY)
        for (const heed_json *item = j->first; item != NULL; item = item->next)
            take_tensors(f, item, c);
}

static void take_call(fixture *f, const heed_json *node, call_inputs *c)
{
    *c = (call_inputs){.complete = true, .keywords = heed_value_dict(&f->zone)};
    if (node->type != HEED_JSON_OBJECT) { /* Keras 2 */
        take_tensors(f, node, c);
        return;
    }
    take_tensors(f, member(node, "args"), c);
    for (const heed_json *k = member(node, "kwargs")->first; k != NULL; k = k->next)
        if (strcmp(k->key, "initial_state") == 0)
            take_tensors(f, k, c);
        else if (k->type != HEED_JSON_OBJECT && k->type != HEED_JSON_ARRAY)
            heed_value_set(&f->zone, c->keywords, k->key, value_of(&f->zone, k));
}

static heed_status run_layer(fixture *f, fixture_layer *l, const call_inputs *c, result *r)
{
    heed_inner inner;
    heed_call_arguments arguments = {.pass = &f->pass};
    heed_call outer = {.graph = f->graph, .arguments = &arguments};
    HEED_TRY(heed_inner_call(&inner, &outer, l->layer, c->inputs, c->masks, c->count, c->keywords));
    memcpy(r->outputs, inner.outputs, sizeof r->outputs);
    memcpy(r->masks, inner.output_masks, sizeof r->masks);
    r->count = inner.call.output_count;
    r->done = true;
    return HEED_OK;
}

static heed_status feed_input(fixture *f, fixture_layer *l, const heed_array *x)
{
    heed_dtype dtype = x->dtype;
    heed_tensor *t = heed_graph_input(f->graph, dtype, &x->shape);
    assert_true(f->input_count < MOST_INPUTS);
    f->inputs[f->input_count++] = t;
    l->calls[0] = (result){.done = true, .count = 1, .outputs = {t}};
    return heed_graph_status(f->graph);
}

/* The layers of a model; of a sequential one in Keras 2.0 the config itself. */
static const heed_json *layers_of(const heed_json *config)
{
    return config->type == HEED_JSON_ARRAY ? config : member(config, "layers");
}

/* A chain, whose input layer may go without saying. */
static heed_status wire_sequential(fixture *f, const heed_json *config)
{
    fixture_layer outside = {.name = "outside"};
    HEED_TRY(make_layers(f, layers_of(config)));
    HEED_TRY(feed_input(f, &outside, array_at(f, "x", 0)));
    result *last = &outside.calls[0];
    for (int i = 0; i < f->layer_count; i++) {
        call_inputs c = {.count = 1, .inputs = {last->outputs[0]}, .masks = {last->masks[0]}};
        HEED_TRY(run_layer(f, &f->layers[i], &c, &f->layers[i].calls[0]));
        last = &f->layers[i].calls[0];
    }
    f->output_count = last->count;
    memcpy(f->outputs, last->outputs, sizeof f->outputs);
    return HEED_OK;
}

/* Calls whatever has its inputs ready; returns how many calls were made. */
static heed_status wire_ready(fixture *f, int *made)
{
    *made = 0;
    for (int i = 0; i < f->layer_count; i++) {
        int index = 0;
        for (const heed_json *node = member(f->layers[i].json, "inbound_nodes")->first; node != NULL; node = node->next, index++) {
            result *r = &f->layers[i].calls[index];
            assert_true(index < 4);
            call_inputs c;
            if (r->done)
                continue;
            take_call(f, node, &c);
            if (!c.complete)
                continue;
            HEED_TRY(run_layer(f, &f->layers[i], &c, r));
            ++*made;
        }
    }
    return HEED_OK;
}

static void take_outputs(fixture *f, const heed_json *j)
{
    if (is_leaf(j)) {
        const fixture_layer *l = find_layer(f, j->first->text);
        f->outputs[f->output_count++] = l->calls[j->first->next->integer].outputs[j->first->next->next->integer];
        return;
    }
    for (const heed_json *item = j->first; item != NULL; item = item->next)
        take_outputs(f, item);
}

static void count_inputs(fixture *f, const heed_json *j, heed_status *status)
{
    if (is_leaf(j)) {
        if (*status == HEED_OK)
            *status = feed_input(f, find_layer(f, j->first->text), array_at(f, "x", f->input_count));
        return;
    }
    for (const heed_json *item = j->first; item != NULL; item = item->next)
        count_inputs(f, item, status);
}

static heed_status wire_functional(fixture *f, const heed_json *config)
{
    heed_status status = HEED_OK;
    HEED_TRY(make_layers(f, member(config, "layers")));
    count_inputs(f, member(config, "input_layers"), &status);
    HEED_TRY(status);
    for (int made = 1; made > 0;)
        HEED_TRY(wire_ready(f, &made));
    take_outputs(f, member(config, "output_layers"));
    return HEED_OK;
}

/* ---- comparing ---- */

static double tolerance(const fixture *f)
{
    const heed_json *rounding = heed_json_find(f->json, "rounding");
    double known = heed_json_is(rounding, HEED_JSON_REAL) ? rounding->real : 0.0;
    return 4e-6 + 4.0 * known;
}

/* Differences are relative where the numbers are larger than 1. */
static int compare(const fixture *f, const char *what, int index, const heed_tensor *found, const heed_array *expected)
{
    char a[128], b[128];
    if (expected == NULL)
        return 0;
    heed_shape shape = expected->shape;
    if (found != NULL && !heed_shape_equal(&found->shape, &shape)) {
        print_error("%s%d: shape %s, expected %s\n", what, index, heed_shape_text(&found->shape, a, sizeof a),
                    heed_shape_text(&shape, b, sizeof b));
        return 1;
    }
    const float *x = found == NULL ? NULL : heed_tensor_data(found), *y = expected->data;
    double worst = 0.0;
    int64_t where = 0;
    for (int64_t i = 0; i < heed_array_count(expected); i++) {
        double value = x == NULL ? 0.0 : x[i], difference = fabs(value - y[i]) / fmax(1.0, fabs(y[i]));
        if (isnan(value) != isnan(y[i]))
            difference = INFINITY;
        if (difference > worst) {
            worst = difference;
            where = i;
        }
    }
    if (worst <= tolerance(f))
        return 0;
    print_error("%s%d: element %lld is %.9g, expected %.9g (difference %.2g)\n", what, index, (long long)where,
                x == NULL ? 0.0 : (double)x[where], (double)y[where], worst);
    return 1;
}

static int collect_weights(const fixture *f, heed_variable **weights)
{
    int count = 0;
    for (int i = 0; i < f->layer_count; i++)
        for (int k = 0; k < heed_layer_weight_count(f->layers[i].layer); k++) {
            assert_true(count < MOST_WEIGHTS);
            weights[count++] = heed_layer_weight_at(f->layers[i].layer, k);
        }
    return count;
}

static int set_weights(fixture *f, heed_variable **weights, int count)
{
    int bad = 0;
    for (int i = 0; i < count; i++) {
        const heed_array *w = array_at(f, "w", i);
        char a[128], b[128];
        if (w == NULL || !heed_shape_equal(&w->shape, &weights[i]->shape)) {
            print_error("w%d (%s) has shape %s, expected %s\n", i, weights[i]->name,
                        heed_shape_text(&weights[i]->shape, a, sizeof a),
                        w == NULL ? "no weight" : heed_shape_text(&w->shape, b, sizeof b));
            bad++;
            continue;
        }
        memcpy(heed_variable_data(weights[i]), w->data, (size_t)weights[i]->count * sizeof(float));
    }
    if (array_at(f, "w", count) != NULL) {
        print_error("weights are missing behind the %d there are\n", count);
        bad++;
    }
    return bad;
}

/* Appends the gradients of the sum of seed * output, and, where the fixture says so, of what layers add to the loss. */
static heed_status differentiate(fixture *f, heed_tensor *const *of, size_t count, heed_tensor **gradients)
{
    heed_tensor *loss = heed_graph_scalar(f->graph, 0.0f);
    for (int k = 0; k < f->output_count; k++) {
        const heed_array *seed = array_at(f, "seed", k);
        if (seed == NULL || f->outputs[k]->dtype != HEED_FLOAT32)
            continue;
        heed_tensor *weighted = heed_op_multiply(f->outputs[k], heed_graph_constant(f->graph, seed));
        loss = heed_op_add(loss, heed_op_sum(weighted, NULL, 0, false));
    }
    const heed_json *losses = heed_json_find(f->json, "losses");
    for (size_t i = 0; i < f->pass.loss_count && heed_json_is(losses, HEED_JSON_BOOL) && losses->boolean; i++)
        loss = heed_op_add(loss, f->pass.losses[i]);
    HEED_TRY(heed_graph_status(f->graph));
    return heed_graph_gradients(loss, NULL, of, count, gradients);
}

static void carry_on(fixture *f, heed_tensor **values)
{
    for (size_t i = 0; i < f->pass.update_count; i++)
        memcpy(f->pass.updates[i].variable->data, heed_tensor_data(values[i]),
               (size_t)f->pass.updates[i].variable->count * sizeof(float));
}

static heed_status run_case(fixture *f, int *bad)
{
    const heed_json *config = member(f->json, "config");
    const heed_json *inside = member(config, "config");
    const char *class_name = member(config, "class_name")->text;
    const heed_json *version = heed_json_find(config, "keras_version");
    f->keras2 = version != NULL && version->text[0] == '2';
    HEED_TRY(heed_graph_create(f->context, &f->graph));
    f->pass.graph = f->graph;
    HEED_TRY(strcmp(class_name, "Sequential") == 0 ? wire_sequential(f, inside) : wire_functional(f, inside));
    heed_variable *weights[MOST_WEIGHTS];
    int count = collect_weights(f, weights);
    *bad += set_weights(f, weights, count);
    heed_tensor *of[MOST_WEIGHTS + MOST_INPUTS], *gradients[MOST_WEIGHTS + MOST_INPUTS] = {NULL};
    for (int i = 0; i < count; i++)
        of[i] = heed_graph_variable(f->graph, weights[i]);
    int floats = count;
    for (int i = 0; i < f->input_count; i++)
        if (f->inputs[i]->dtype == HEED_FLOAT32)
            of[floats++] = f->inputs[i];
    HEED_TRY(differentiate(f, of, (size_t)floats, gradients));
    heed_tensor *wanted[MOST_WEIGHTS + MOST_INPUTS + 2 * HEED_MAX_OUTPUTS];
    size_t wanted_count = 0;
    for (size_t i = 0; i < f->pass.update_count; i++)
        wanted[wanted_count++] = f->pass.updates[i].value;
    for (int k = 0; k < f->output_count; k++)
        wanted[wanted_count++] = f->outputs[k];
    for (int i = 0; i < floats; i++)
        if (gradients[i] != NULL)
            wanted[wanted_count++] = gradients[i];
    HEED_TRY(heed_graph_plan(f->graph, wanted, wanted_count));
    for (int i = 0; i < f->input_count; i++)
        heed_graph_bind(f->inputs[i], array_at(f, "x", i)->data);
    HEED_TRY(heed_graph_run(f->graph, 1, 1));
    for (int k = 0; k < f->output_count; k++)
        *bad += compare(f, "y", k, f->outputs[k], array_at(f, "y", k));
    floats = count;
    for (int i = 0; i < count; i++)
        *bad += compare(f, "gw", i, gradients[i], array_at(f, "gw", i));
    for (int i = 0; i < f->input_count; i++)
        if (f->inputs[i]->dtype == HEED_FLOAT32)
            *bad += compare(f, "gx", i, gradients[floats++], array_at(f, "gx", i));
    carry_on(f, wanted);
    if (array_at(f, "again", 0) == NULL)
        return HEED_OK;
    HEED_TRY(heed_graph_run(f->graph, 1, 1));
    for (int k = 0; k < f->output_count; k++)
        *bad += compare(f, "again", k, f->outputs[k], array_at(f, "again", k));
    return HEED_OK;
}

/* Whether a model is among the layers, or in a wrapper. */
static bool has_nested_models(const heed_json *j)
{
    if (heed_json_is_string(heed_json_find(j, "class_name"), "Sequential") || heed_json_find(j, "layers") != NULL)
        return true;
    if (j->type == HEED_JSON_ARRAY || j->type == HEED_JSON_OBJECT)
        for (const heed_json *item = j->first; item != NULL; item = item->next)
            if (has_nested_models(item))
                return true;
    return false;
}

static int check_file(heed_context *c, const char *path)
{
    fixture *f = calloc(1, sizeof *f);
    f->context = c;
    f->arrays.context = c;
    heed_zone_init(&f->zone, c);
    int bad = 0;
    assert_int_equal(heed_arrays_load(c, path, &f->arrays), HEED_OK);
    const heed_array *text = heed_arrays_get(&f->arrays, "json");
    assert_int_equal(heed_json_parse(&f->zone, "json", text->data, (size_t)heed_array_count(text), &f->json), HEED_OK);
    const heed_json *layers = layers_of(member(member(f->json, "config"), "config"));
    const heed_json *origin = heed_json_find(f->json, "from");
    assert_int_equal(heed_read_from(c, origin == NULL ? NULL : origin->text), HEED_OK);
    heed_status status = has_nested_models(layers) ? HEED_OK : run_case(f, &bad);
    if (status != HEED_OK)
        print_error("%s (%s)\n", heed_error(c), heed_status_text(status));
    bad += status != HEED_OK;
    if (bad > 0)
        print_error("    in %s\n", strstr(path, "keras/"));
    heed_graph_free(f->graph);
    for (int i = 0; i < f->layer_count; i++)
        heed_layer_release(f->layers[i].layer);
    heed_release(c, f->pass.losses);
    heed_release(c, f->pass.updates);
    heed_release(c, f->pass.attention);
    heed_arrays_free(&f->arrays);
    heed_zone_free(&f->zone);
    free(f);
    return bad > 0;
}

static void check_group(const char *group)
{
    heed_context *c;
    char folder[512], path[1024];
    snprintf(folder, sizeof folder, "%s/keras/%s", HEED_FIXTURES, group);
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 2}, &c), HEED_OK);
    DIR *d = opendir(folder);
    assert_non_null(d);
    int bad = 0, cases = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strstr(entry->d_name, ".npz") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        const char *only = getenv("HEED_FIXTURE");
        if (only != NULL && strstr(path, only) == NULL)
            continue;
        bad += check_file(c, path);
        cases++;
    }
    closedir(d);
    heed_context_free(c);
    if (bad > 0)
        fail_msg("%d of %d cases differ", bad, cases);
}

#define GROUP(name) static void test_##name(void **state) { (void)state; check_group(#name); }
GROUP(core)
GROUP(recurrent)
GROUP(rnn)
GROUP(bidirectional)
GROUP(time_distributed)
GROUP(merge)
GROUP(layer_normalization)
GROUP(batch_normalization)
GROUP(group_normalization)
GROUP(rms_normalization)
GROUP(unit_normalization)
GROUP(normalization)
GROUP(einsum_dense)
GROUP(attention)
GROUP(attention_decoder)
GROUP(self_attention)
GROUP(multi_head)
GROUP(attention_layer)
GROUP(layer_collection)
GROUP(luong)
GROUP(bahdanau)
GROUP(convolution)
GROUP(pooling)
GROUP(resizing)
GROUP(borders)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core),          cmocka_unit_test(test_recurrent),     cmocka_unit_test(test_rnn),
        cmocka_unit_test(test_bidirectional), cmocka_unit_test(test_time_distributed), cmocka_unit_test(test_merge),
        cmocka_unit_test(test_layer_normalization), cmocka_unit_test(test_attention), cmocka_unit_test(test_attention_decoder),
        cmocka_unit_test(test_self_attention),      cmocka_unit_test(test_multi_head), cmocka_unit_test(test_attention_layer),
        cmocka_unit_test(test_layer_collection),      cmocka_unit_test(test_luong),    cmocka_unit_test(test_bahdanau),
        cmocka_unit_test(test_batch_normalization),
        cmocka_unit_test(test_group_normalization), cmocka_unit_test(test_rms_normalization),
        cmocka_unit_test(test_normalization),       cmocka_unit_test(test_unit_normalization),  cmocka_unit_test(test_einsum_dense),
        cmocka_unit_test(test_convolution),         cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_resizing),            cmocka_unit_test(test_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
