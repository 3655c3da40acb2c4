#include "command.h"
#include "heed/files.h"
#include "model.h"
#include "report.h"

typedef struct convert_values {
    cli_model_options model;
    const char       *output;
    int64_t           keras;
    bool              builtin;
} convert_values;

static const cli_option options[] = {
    {"IN", CLI_BIND(convert_values, model.path), .required = true,
     .help = "any Keras file (.keras, .h5, a SavedModel or another folder), or a .json of the architecture with --weights"},
    {"OUT", CLI_BIND(convert_values, output), .required = true,
     .help = "what its name says: .keras, .h5, .weights.h5, .npz (weights by path), .json (the architecture)"},
    {"--keras", CLI_BIND(convert_values, keras), "N", "3", "write what this version of Keras reads", CLI_BETWEEN(2, 3)},
    {"--builtin", CLI_BIND(convert_values, builtin),
     .help = "write layers of the collections as equal layers of Keras, where there are such"},
    CLI_MODEL_ROWS(convert_values, model),
    {0},
};

static const cli_example examples[] = {
    {"heed convert old.h5 new.keras", "a model of Keras 1 or 2 for Keras 3"},
    {"heed convert m.keras m.h5 --keras 2", "the other way"},
    {"heed convert saved_model new.keras", "a folder that TensorFlow 2 left: model.save(\"saved_model\")"},
    {"heed convert m.keras weights.npz", "the weights by path, for NumPy"},
    {"heed convert m.keras changed.keras --weights weights.npz", "and back into the model"},
    {0},
};

static int run(cli_session *s, const void *values)
{
    const convert_values *v = values;
    heed_model *m = NULL;
    if (!cli_can_write(s, v->output))
        return cli_failed(s);
    int exit_status = cli_model_load(s, &v->model, &m);
    if (exit_status == CLI_DONE &&
        heed_save_model(m, v->output, .keras = (int)v->keras, .builtin = v->builtin) != HEED_OK)
        exit_status = cli_failed(s);
    heed_model_free(m);
    return exit_status;
}

const cli_command cli_convert = {
    .name = "convert",
    .purpose = "rewrite a Keras model in another format",
    .description = "Reads a model, or an architecture and weights, and writes it as the name of OUT says. Compile "
                   "settings and the optimizer's state go along; reading and writing again changes no bit of a weight. What has "
                   "to be left out, a warning says.",
    .options = options,
    .values_size = sizeof(convert_values),
    .examples = examples,
    .run = run,
};
