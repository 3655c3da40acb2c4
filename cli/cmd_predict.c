#define _POSIX_C_SOURCE 200809L
#include "command.h"
#include "inputs.h"
#include "model.h"
#include "report.h"

#include <inttypes.h>
#include <string.h>

typedef struct predict_values {
    cli_model_options model;
    cli_list          input;
    const char       *output, *attention;
    int64_t           batch_size;
} predict_values;

static const cli_option options[] = {
    CLI_MODEL_ARGUMENT(predict_values, model),
    {"--input", CLI_BIND(predict_values, input), CLI_ARRAYS_VALUE,
     .help = "the arrays to run it on: an .npz with the names of the model's inputs, or an .npy or .csv for each; may "
             "be repeated. For an input behind which a layer for texts stands: a file of texts, one a line",
     .required = true},
    {"--output", CLI_BIND(predict_values, output), "FILE", .letter = 'o', .required = true,
     .help = "where the outputs go, under Keras' names: .npz, or .npy or .csv for a single one; - is standard output"},
    {"--batch-size", CLI_BIND(predict_values, batch_size), "N", "32", "rows that are run at once",
     CLI_BETWEEN(1, 1 << 20)},
    {"--attention", CLI_BIND(predict_values, attention), "FILE",
     .help = "also write the weights of every attention layer, under the layers' names (.npz)"},
    CLI_MODEL_ROWS(predict_values, model),
    {0},
};

static const cli_example examples[] = {
    {"heed predict old.h5 --input x.npz --output y.npz", "the outputs of a model for the arrays in x.npz"},
    {"heed predict m.keras --input left=a.npy --input right=b.npy --output y.npz", "a model with two inputs"},
    {"heed predict m.keras --input rows.csv --output y.csv --attention w.npz", "tables, and what was attended to"},
    {"heed predict reviews.keras --input lines.txt --output y.csv", "a model that begins with TextVectorization"},
    {"heed predict m.keras --input title=titles.txt --input year=y.npy --output y.npz", "texts and numbers"},
    {"heed predict model.json --weights w.h5 --input x.npy --output -", "an architecture and weights apart"},
    {0},
};

/* A run: rows are read, run and written batch by batch, so that memory does not depend on their number. */
typedef struct prediction {
    cli_session          *session;
    const predict_values *values;
    heed_model           *model;
    cli_streams           streams;
    heed_array_writer    *output, *attention;
    cli_progress          progress;
    int64_t               done;
} prediction;

static heed_status run_rows(prediction *p, const heed_arrays *x, heed_arrays *y, heed_arrays *weights)
{
    heed_status status = heed_predict(p->model, x, y, .batch_size = (int)p->values->batch_size,
                                      .attention = p->attention != NULL ? weights : NULL);
    if (status == HEED_OK)
        status = heed_array_writer_add(p->output, y);
    if (status == HEED_OK && p->attention != NULL)
        status = heed_array_writer_add(p->attention, weights);
    return status;
}

/* The next batch; *more is false behind the last. */
static int run_batch(prediction *p, bool *more)
{
    heed_context *c = p->session->context;
    heed_arrays x, y = {.context = c}, weights = {.context = c};
    int exit_status = cli_streams_next(p->session, &p->streams, p->values->batch_size, &x);
    *more = exit_status == CLI_DONE && x.count > 0;
    if (*more) {
        int64_t rows = x.items[0].array->shape.dims[0];
        exit_status = run_rows(p, &x, &y, &weights) == HEED_OK ? CLI_DONE : cli_failed(p->session);
        p->done += rows;
        cli_progress_update(&p->progress, (double)p->done, "%" PRId64 " rows", p->done);
    }
    heed_arrays_free(&weights);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    return exit_status;
}

static int run_all(prediction *p)
{
    bool more = true;
    int exit_status = CLI_DONE;
    cli_progress_start(&p->progress, p->session, "predicting", p->streams.rows > 0 ? (double)p->streams.rows : 0);
    while (more && exit_status == CLI_DONE)
        exit_status = run_batch(p, &more);
    cli_progress_end(&p->progress);
    if (exit_status == CLI_DONE && p->done == 0)
        return cli_error(CLI_FAILED, NULL, "%s: there are no rows in it", p->values->input.items[0]);
    return exit_status;
}

static int open_outputs(prediction *p)
{
    const predict_values *v = p->values;
    heed_status status = heed_array_writer_open(p->session->context, v->output, &p->output);
    if (status == HEED_OK && v->attention != NULL)
        status = heed_array_writer_open(p->session->context, v->attention, &p->attention);
    return status == HEED_OK ? CLI_DONE : cli_refused(p->session, status);
}

static int commit(prediction *p)
{
    heed_status status = heed_array_writer_commit(p->output);
    if (status == HEED_OK && p->attention != NULL)
        status = heed_array_writer_commit(p->attention);
    return status == HEED_OK ? CLI_DONE : cli_failed(p->session);
}

static int run(cli_session *s, const void *values)
{
    const predict_values *v = values;
    prediction p = {.session = s, .values = v};
    if (v->attention != NULL && strcmp(v->attention, v->output) == 0)
        return cli_error(CLI_WRONG_USAGE, NULL, "%s: cannot be both --output and --attention", v->output);
    int exit_status = open_outputs(&p);
    if (exit_status == CLI_DONE)
        exit_status = cli_model_load(s, &v->model, &p.model);
    if (exit_status == CLI_DONE)
        exit_status = cli_streams_open(s, p.model, "--input", &v->input, &p.streams);
    if (exit_status == CLI_DONE)
        exit_status = run_all(&p);
    if (exit_status == CLI_DONE)
        exit_status = commit(&p);
    heed_array_writer_free(p.attention);
    heed_array_writer_free(p.output);
    cli_streams_close(&p.streams);
    heed_model_free(p.model);
    return exit_status;
}

const cli_command cli_predict = {
    .name = "predict",
    .purpose = "run a Keras model",
    .description = "Runs a model in inference mode and writes its outputs under Keras' own names; a layer's second "
                   "output is NAME_1. Arrays of float32, float64, int32, int64, uint8 and bool are read and converted; a "
                   "single array of any name serves a model with one input.\n\n"
                   "Rows are read, run and written batch by batch, so that files may be larger than memory: .npy and "
                   ".npz (in C order) and .csv. The output appears whole or not at all.\n\n"
                   "Where a model begins with TextVectorization or StringLookup, it takes texts, one a line, from a file whose "
                   "name does not end in .npz, .npy or .csv. From one that does it takes what the layer would give. Of "
                   "several inputs the name says for which the texts are: NAME=FILE.",
    .options = options,
    .values_size = sizeof(predict_values),
    .examples = examples,
    .run = run,
};
