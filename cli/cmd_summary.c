#include "command.h"
#include "heed/model.h"
#include "json.h"
#include "report.h"

#include <errno.h>
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
    {"--width", CLI_BIND(summary_values, width), "N", .help = "columns of the table (default: as Keras has them)",
     CLI_BETWEEN(40, 400)},
    {"--memory", CLI_BIND(summary_values, memory), "BATCH,LENGTH",
     .help = "tell the bytes that running takes for such data, before anything runs"},
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

/* What --memory asks for and finds. */
typedef struct memory_use {
    int64_t     batch, length;
    heed_memory bytes;
} memory_use;

static const char *read_size(const char *text, int64_t *size)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *size = value;
    return end == text || errno != 0 || value < 1 ? NULL : end;
}

static bool read_sizes(const char *text, memory_use *use)
{
    const char *comma = read_size(text, &use->batch);
    const char *end = comma != NULL && *comma == ',' ? read_size(comma + 1, &use->length) : NULL;
    return end != NULL && *end == '\0';
}

/* Calls f for each of the sizes there are. */
static void each_size(const heed_model *m, const heed_memory *bytes,
                      void (*f)(void *user, const char *what, size_t bytes), void *user)
{
    f(user, "weights", bytes->weights);
    f(user, "inference", bytes->inference);
    if (heed_is_compiled(m)) {
        f(user, "training", bytes->training);
        f(user, "optimizer", bytes->optimizer);
    }
}

static void write_size(void *user, const char *what, size_t bytes)
{
    heed_writer_printf(user, "%-12s%14zu bytes (%.1f MB)\n", what, bytes, (double)bytes / 1e6);
}

static void write_json_size(void *user, const char *what, size_t bytes)
{
    heed_writer_printf(user, ", \"%s\": %zu", what, bytes);
}

static void write_json(heed_writer *w, heed_model *m, const memory_use *use)
{
    heed_writer_printf(w, "{\"name\": ");
    cli_json_text(w, heed_model_name(m));
    heed_writer_printf(w, ", \"parameters\": %" PRId64 ", \"trainable_parameters\": %" PRId64 ", \"layers\": [",
                       heed_parameter_count(m, false), heed_parameter_count(m, true));
    for (int i = 0; i < heed_model_layer_count(m); i++) {
        const heed_layer *l = heed_model_layer_at(m, i);
        heed_writer_printf(w, i == 0 ? "{\"name\": " : ", {\"name\": ");
        cli_json_text(w, heed_layer_name(l));
        heed_writer_printf(w, ", \"class\": ");
        cli_json_text(w, heed_layer_class_of(l)->name);
        heed_writer_printf(w, ", \"parameters\": %" PRId64 "}", layer_parameters(l));
    }
    heed_writer_printf(w, "]");
    if (use != NULL) {
        heed_writer_printf(w, ", \"memory\": {\"batch\": %" PRId64 ", \"length\": %" PRId64, use->batch, use->length);
        each_size(m, &use->bytes, write_json_size, w);
        heed_writer_printf(w, "}");
    }
    heed_writer_printf(w, "}\n");
}

static heed_status write_table(heed_writer *w, cli_session *s, heed_model *m, int width, const memory_use *use)
{
    char *table;
    heed_status status = heed_summary_text(m, width, &table);
    if (status != HEED_OK)
        return status;
    heed_writer_printf(w, "%s", table);
    heed_free(s->context, table);
    if (use != NULL) {
        heed_writer_printf(w, "\nA batch of %" PRId64 ", sizes that vary set to %" PRId64 ":\n", use->batch,
                           use->length);
        each_size(m, &use->bytes, write_size, w);
    }
    return HEED_OK;
}

/* Everything is known before anything is printed. */
static heed_status show(cli_session *s, const summary_values *v, memory_use *use)
{
    heed_model *m;
    heed_writer *w = NULL;
    heed_status status = heed_load(s->context, v->model, &m);
    if (status != HEED_OK)
        return status;
    if (use != NULL)
        status = heed_model_memory(m, use->batch, use->length, &use->bytes);
    if (status == HEED_OK)
        status = heed_writer_open(s->context, "-", &w);
    if (status == HEED_OK && v->json)
        write_json(w, m, use);
    else if (status == HEED_OK)
        status = write_table(w, s, m, (int)v->width, use);
    if (status == HEED_OK)
        status = heed_writer_commit(w);
    heed_writer_free(w);
    heed_model_free(m);
    return status;
}

static int run(cli_session *s, const void *values)
{
    const summary_values *v = values;
    memory_use use;
    if (v->memory != NULL && !read_sizes(v->memory, &use))
        return cli_error(CLI_WRONG_USAGE, NULL,
                         "--memory: expected BATCH,LENGTH, two whole numbers from 1 on, found \"%s\"", v->memory);
    return show(s, v, v->memory != NULL ? &use : NULL) == HEED_OK ? CLI_DONE : cli_failed(s);
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
