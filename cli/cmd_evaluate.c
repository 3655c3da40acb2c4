#include "command.h"
#include "compile.h"
#include "inputs.h"
#include "json.h"
#include "model.h"
#include "report.h"

#include <math.h>

typedef struct evaluate_values {
    cli_model_options   model;
    cli_compile_options compile;
    cli_list            x, y, sample_weight;
    int64_t             batch_size;
    bool                json;
} evaluate_values;

static const cli_option options[] = {
    CLI_MODEL_ARGUMENT(evaluate_values, model),
    {"--x", CLI_BIND(evaluate_values, x), CLI_ARRAYS_VALUE,
     .help = "the inputs, as heed predict takes them, texts included; may be repeated", .required = true},
    {"--y", CLI_BIND(evaluate_values, y), CLI_ARRAYS_VALUE, .required = true,
     .help = "the targets, by the outputs' names; may be repeated"},
    {"--sample-weight", CLI_BIND(evaluate_values, sample_weight), CLI_ARRAYS_VALUE,
     .help = "what each row counts, by output or one for all"},
    {"--batch-size", CLI_BIND(evaluate_values, batch_size), "N", "32", "rows that are run at once",
     CLI_BETWEEN(1, 1 << 20)},
    CLI_MEASURE_ROWS(evaluate_values, compile),
    {"--json", CLI_BIND(evaluate_values, json), .help = "print one JSON object, names to numbers"},
    CLI_MODEL_ROWS(evaluate_values, model),
    {0},
};

static const cli_example examples[] = {
    {"heed evaluate m.keras --x x.npz --y y.npz", "loss and metrics as the file says"},
    {"heed evaluate m.h5 --x x.npy --y y.npy --loss mse --metrics mae --json", "others, as JSON"},
    {0},
};

static heed_status print_scores(cli_session *s, const heed_history *scores, bool json)
{
    heed_writer *w;
    heed_status status = heed_writer_open(s->context, "-", &w);
    if (status != HEED_OK)
        return status;
    for (int k = 0; k < scores->columns; k++) {
        if (json) {
            heed_writer_printf(w, k == 0 ? "{" : ", ");
            cli_json_text(w, scores->names[k]);
            heed_writer_printf(w, ": ");
            if (isfinite(scores->values[k])) /* as many digits as a float has */
                heed_writer_printf(w, "%.9g", scores->values[k]);
            else
                heed_writer_printf(w, "null");
        } else {
            heed_writer_printf(w, "%-24s %.6g\n", scores->names[k], scores->values[k]);
        }
    }
    if (json)
        heed_writer_printf(w, "}\n");
    status = heed_writer_commit(w);
    heed_writer_free(w);
    return status;
}

static int evaluate(cli_session *s, const evaluate_values *v, heed_model *m, heed_arrays *x, heed_arrays *y,
                    heed_arrays *weight)
{
    heed_history scores = {0};
    int exit_status = cli_inputs_load(s, m, "--x", &v->x, x);
    if (exit_status == CLI_DONE)
        exit_status = cli_arrays_load(s, "--y", &v->y, y);
    if (exit_status == CLI_DONE)
        exit_status = cli_arrays_load(s, "--sample-weight", &v->sample_weight, weight);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_status status = heed_evaluate(m, x, y, &scores, .batch_size = (int)v->batch_size,
                                       .sample_weight = weight->count > 0 ? weight : NULL);
    if (status == HEED_OK)
        status = print_scores(s, &scores, v->json);
    heed_history_free(&scores);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

static int run(cli_session *s, const void *values)
{
    const evaluate_values *v = values;
    heed_model *m = NULL;
    heed_arrays x = {.context = s->context}, y = x, weight = x;
    int exit_status = cli_model_load(s, &v->model, &m);
    if (exit_status == CLI_DONE)
        exit_status = cli_compile(s, m, &v->compile);
    if (exit_status == CLI_DONE)
        exit_status = evaluate(s, v, m, &x, &y, &weight);
    heed_arrays_free(&weight);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_model_free(m);
    return exit_status;
}

const cli_command cli_evaluate = {
    .name = "evaluate",
    .purpose = "tell a Keras model's loss and metrics",
    .description = "Computes what Keras' evaluate computes, over all rows in inference mode, with the loss and the "
                   "metrics that the file was compiled with or that are given here.",
    .options = options,
    .values_size = sizeof(evaluate_values),
    .examples = examples,
    .run = run,
};
