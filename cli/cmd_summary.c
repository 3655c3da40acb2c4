#include "command.h"
#include "details.h"
#include "json.h"
#include "model.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct summary_values {
    cli_model_options model;
    const char       *memory, *graph;
    int64_t           width;
    bool              json;
} summary_values;

static const cli_option options[] = {
    CLI_MODEL_ARGUMENT(summary_values, model),
    {"--width", CLI_BIND(summary_values, width), "N", .help = "columns of the table (default: as Keras has them)",
     CLI_BETWEEN(40, 400)},
    {"--memory", CLI_BIND(summary_values, memory), "BATCH,LENGTH",
     .help = "tell the bytes that running takes for such data, before anything runs"},
    {"--graph", CLI_BIND(summary_values, graph), "FILE",
     .help = "also draw the layers and what connects them: .svg, .png or .pdf"},
    {"--json", CLI_BIND(summary_values, json), .help = "print one JSON object instead of the table"},
    CLI_MODEL_ROWS(summary_values, model),
    {0},
};

static const cli_example examples[] = {
    {"heed summary dates.keras", "the layers, their shapes and weights"},
    {"heed summary dates.keras --memory 128,20", "what a batch of 128 sequences of 20 takes"},
    {"heed summary old.h5 --graph old.svg", "and a picture"},
    {0},
};

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

static heed_status write_json(heed_writer *w, heed_model *m, const memory_use *use)
{
    heed_writer_printf(w, "{\"name\": ");
    cli_json_text(w, heed_model_name(m));
    heed_writer_printf(w, ", \"parameters\": %" PRId64 ", \"trainable_parameters\": %" PRId64,
                       heed_parameter_count(m, false), heed_parameter_count(m, true));
    heed_status status = cli_details_json(w, m);
    if (use != NULL) {
        heed_writer_printf(w, ", \"memory\": {\"batch\": %" PRId64 ", \"length\": %" PRId64, use->batch, use->length);
        each_size(m, &use->bytes, write_json_size, w);
        heed_writer_printf(w, "}");
    }
    heed_writer_printf(w, "}\n");
    return status;
}

static heed_status write_table(heed_writer *w, heed_model *m, int width, const memory_use *use)
{
    char *table;
    heed_status status = heed_summary_text(m, width, &table);
    if (status != HEED_OK)
        return status;
    heed_writer_printf(w, "%s", table);
    heed_free(heed_model_context(m), table);
    status = cli_details_write(w, m);
    if (use != NULL) {
        heed_writer_printf(w, "\nA batch of %" PRId64 ", sizes that vary set to %" PRId64 ":\n", use->batch,
                           use->length);
        each_size(m, &use->bytes, write_size, w);
    }
    return status;
}

/* Everything is known before anything is printed. */
static heed_status show(heed_model *m, const summary_values *v, memory_use *use)
{
    heed_writer *w = NULL;
    heed_status status = HEED_OK;
    if (use != NULL)
        status = heed_model_memory(m, use->batch, use->length, &use->bytes);
    if (status == HEED_OK && v->graph != NULL)
        status = cli_details_draw(m, v->graph);
    if (status == HEED_OK)
        status = heed_writer_open(heed_model_context(m), "-", &w);
    if (status == HEED_OK)
        status = v->json ? write_json(w, m, use) : write_table(w, m, (int)v->width, use);
    if (status == HEED_OK)
        status = heed_writer_commit(w);
    heed_writer_free(w);
    return status;
}

static int run(cli_session *s, const void *values)
{
    const summary_values *v = values;
    memory_use use;
    if (v->memory != NULL && !read_sizes(v->memory, &use))
        return cli_error(CLI_WRONG_USAGE, NULL,
                         "--memory: expected BATCH,LENGTH, two whole numbers from 1 on, found \"%s\"", v->memory);
    heed_model *m = NULL;
    int exit_status = cli_model_load(s, &v->model, &m);
    if (exit_status == CLI_DONE && show(m, v, v->memory != NULL ? &use : NULL) != HEED_OK)
        exit_status = cli_failed(s);
    heed_model_free(m);
    return exit_status;
}

const cli_command cli_summary = {
    .name = "summary",
    .purpose = "show a model's layers, shapes and weights",
    .description = "Prints the table that Keras prints, then what is special: who makes masks and who uses them, which "
                   "layers attend, and the options that are not at their defaults. --memory tells the bytes of inference "
                   "and of training before running either.",
    .options = options,
    .values_size = sizeof(summary_values),
    .examples = examples,
    .run = run,
};
