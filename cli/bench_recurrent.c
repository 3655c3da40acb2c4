/* A recurrent layer alone, LSTM or GRU: all its outputs, and the gradients of its input and weights. */
#include "bench.h"
#include "heed/layers.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_WEIGHTS = 3 }; /* kernel, recurrent kernel, bias */

typedef struct recurrent_bench {
    int64_t     batch, length, inputs, units;
    heed_layer *layer;
    heed_graph *graph;
    float      *data; /* the input, then the gradient of the outputs */
} recurrent_bench;

static heed_status build(recurrent_bench *b, bool backward)
{
    const heed_shape in = {3, {b->batch, b->length, b->inputs}}, out = {3, {b->batch, b->length, b->units}};
    heed_graph *g = b->graph;
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &in), *seed = heed_graph_input(g, HEED_FLOAT32, &out);
    heed_tensor *none = NULL, *outputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    heed_call call = {.graph = g, .training = backward, .input_count = 1, .inputs = &x, .masks = &none,
                      .outputs = outputs, .output_masks = masks};
    heed_status status = heed_layer_call(b->layer, &call);
    if (status != HEED_OK)
        return status;
    heed_tensor *of[1 + MOST_WEIGHTS] = {x}, *wanted[2 + MOST_WEIGHTS] = {outputs[0]};
    int weights = heed_layer_weight_count(b->layer);
    for (int i = 0; i < weights && i < MOST_WEIGHTS; i++) {
        heed_variable *v = heed_layer_weight_at(b->layer, i);
        int64_t count = heed_shape_count(heed_variable_shape(v));
        bench_fill(heed_variable_data(v), count);
        for (int64_t k = 0; k < count; k++) /* so small that the gates do not saturate */
            heed_variable_data(v)[k] *= 0.05f;
        of[1 + i] = heed_graph_variable(g, v);
    }
    size_t count = backward ? 2 + (size_t)weights : 1;
    if (backward)
        status = heed_graph_gradients(outputs[0], seed, of, count - 1, wanted + 1);
    if (status == HEED_OK)
        status = heed_graph_plan(g, wanted, count);
    if (status != HEED_OK)
        return status;
    heed_graph_bind(x, b->data);
    heed_graph_bind(seed, b->data + heed_shape_count(&in));
    return HEED_OK;
}

static heed_status open_bench(cli_session *s, recurrent_bench *b, heed_spec layer)
{
    b->data = bench_floats((double)b->batch * (double)b->length * (double)(b->inputs + b->units));
    if (b->data == NULL)
        return HEED_ENOMEM;
    heed_status status = heed_layer_create(s->context, layer, &b->layer);
    return status == HEED_OK ? heed_graph_create(s->context, &b->graph) : status;
}

/* `gates` products of the input and of the state a step. */
static int time_layer(cli_session *s, const bench_values *v, recurrent_bench *b, heed_spec layer, const char *name,
                      int gates)
{
    double steps = (double)b->batch * (double)b->length;
    double products = 2.0 * gates * steps * (double)b->units * (double)(b->inputs + b->units);
    char more[200];
    snprintf(more, sizeof more, ", \"batch\": %lld, \"length\": %lld, \"inputs\": %lld, \"units\": %lld",
             (long long)b->batch, (long long)b->length, (long long)b->inputs, (long long)b->units);
    bench_result r = {.work = name, .backward = v->backward, .rate = "gflops",
                      .amount = 1e-9 * products * (v->backward ? 3 : 1), .more = more};
    heed_status status = open_bench(s, b, layer);
    if (status == HEED_OK)
        status = build(b, v->backward);
    if (status == HEED_OK)
        status = bench_graph(b->graph, v->steps, &r.best, &r.median);
    if (status == HEED_OK)
        bench_print(s, v, &r);
    heed_graph_free(b->graph);
    heed_layer_release(b->layer);
    free(b->data);
    return status == HEED_OK ? CLI_DONE : bench_refused(s, status);
}

static recurrent_bench sizes(const bench_values *v)
{
    return (recurrent_bench){.batch = v->batch > 0 ? v->batch : 64, .length = v->length > 0 ? v->length : 30,
                             .inputs = v->inputs > 0 ? v->inputs : 256, .units = v->units > 0 ? v->units : 256};
}

int bench_lstm(cli_session *s, const bench_values *v)
{
    recurrent_bench b = sizes(v);
    return time_layer(s, v, &b, heed_lstm(.units = (int)b.units, .return_sequences = true), "lstm", 4);
}

int bench_gru(cli_session *s, const bench_values *v)
{
    recurrent_bench b = sizes(v);
    return time_layer(s, v, &b, heed_gru(.units = (int)b.units, .return_sequences = true), "gru", 3);
}
