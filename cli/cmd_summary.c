#include "command.h"
#include "heed/model.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct summary_values {
    const char *model, *memory;
    int64_t     width;
    bool        json;
} summary_values;

static const cli_option options[] = {
    {"MODEL", CLI_BIND(summary_values, model), .required = true, .help = "a .keras file"},
    {"--width", CLI_BIND(summary_values, width), "N", .help = "columns of the table (default: as Keras has them)", CLI_BETWEEN(40, 400)},
    {"--memory", CLI_BIND(summary_values, memory), "BATCH,LENGTH", .help = "tell the bytes that running takes for such data, before anything runs"},
    {"--json", CLI_BIND(summary_values, json), .help = "print one JSON object instead of the table"},
    {0},
};

static const cli_example examples[] = {
    {"heed summary dates.keras", "the layers, their shapes and weights"},
    {"heed summary dates.keras --memory 128,20", "what a batch of 128 sequences of 20 takes"},
    {0},
};

static int64_t layer_parameters(const heed_layer *layer)
{
    int64_t total = 0;
    for (int i = 0; i < heed_layer_weight_count(layer); i++)
        total += heed_shape_count(heed_variable_shape(heed_layer_weight_at(layer, i)));
    return total;
}

static void print_json(heed_model *m)
{
    printf("{\"name\": \"%s\", \"parameters\": %" PRId64 ", \"trainable_parameters\": %" PRId64 ", \"layers\": [", heed_model_name(m),
           heed_parameter_count(m, false), heed_parameter_count(m, true));
    for (int i = 0; i < heed_model_layer_count(m); i++) {
        const heed_layer *l = heed_model_layer_at(m, i);
        printf("%s{\"name\": \"%s\", \"class\": \"%s\", \"parameters\": %" PRId64 "}", i == 0 ? "" : ", ", heed_layer_name(l),
               heed_layer_class_of(l)->name, layer_parameters(l));
    }
    printf("]}\n");
}

static void print_bytes(const char *what, size_t bytes)
{
    printf("%-20s%14zu bytes (%.1f MB)\n", what, bytes, (double)bytes / 1e6);
}

static int show_memory(cli_session *s, heed_model *m, const char *text)
{
    int64_t batch, length;
    char rest;
    if (sscanf(text, "%" SCNd64 ",%" SCNd64 "%c", &batch, &length, &rest) != 2 || batch < 1 || length < 1)
        return cli_error(CLI_WRONG_USAGE, NULL, "--memory: expected BATCH,LENGTH, two whole numbers from 1 on, found \"%s\"", text);
    heed_memory memory;
    if (heed_model_memory(m, batch, length, &memory) != HEED_OK)
        return cli_failed(s);
    printf("\nA batch of %" PRId64 ", sizes that vary set to %" PRId64 ":\n", batch, length);
    print_bytes("weights", memory.weights);
    print_bytes("inference", memory.inference);
    if (heed_is_compiled(m)) {
        print_bytes("training step", memory.training);
        print_bytes("optimizer", memory.optimizer);
    }
    return CLI_DONE;
}

static int run(cli_session *s, const void *values)
{
    const summary_values *v = values;
    heed_model *m;
    if (heed_load(s->context, v->model, &m) != HEED_OK)
        return cli_failed(s);
    char *table = NULL;
    int exit_status = CLI_DONE;
    if (v->json)
        print_json(m);
    else if (heed_summary_text(m, (int)v->width, &table) != HEED_OK)
        exit_status = cli_failed(s);
    else
        fputs(table, stdout);
    if (exit_status == CLI_DONE && v->memory != NULL)
        exit_status = show_memory(s, m, v->memory);
    heed_free(s->context, table);
    heed_model_free(m);
    return exit_status;
}

const cli_command cli_summary = {
    .name = "summary",
    .purpose = "show a model's layers, shapes and weights",
    .description = "Prints the table that Keras prints.",
    .options = options,
    .values_size = sizeof(summary_values),
    .examples = examples,
    .run = run,
};
