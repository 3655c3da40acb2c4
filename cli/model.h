/* MODEL and the options that every sub-command on a Keras model has: how to read what the file leaves open. */
#ifndef CLI_MODEL_H
#define CLI_MODEL_H

#include "command.h"
#include "heed/model.h"

typedef struct cli_model_options {
    const char *path, *weights;
    cli_list    from, set, lambda;
    bool        weights_by_name;
} cli_model_options;

/* Rows for a struct of values with a field of type cli_model_options. */
#define CLI_MODEL_ARGUMENT(type, field)                                                                                \
    {"MODEL", CLI_BIND(type, field.path), .required = true,                                                            \
     .help = "any Keras file (.keras, .h5, a SavedModel or another folder), or a .json of the architecture with --weights"}
#define CLI_MODEL_ROWS(type, field)                                                                                    \
    {"--weights", CLI_BIND(type, field.weights), "FILE",                                                               \
     .help = "take the weights from this file instead (.weights.h5, .h5, .keras, .npz, a checkpoint)"},                              \
    {"--weights-by-name", CLI_BIND(type, field.weights_by_name),                                                       \
     .help = "weights of an older .h5 go to the layers of the same names (default: by order)"},                        \
    {"--from", CLI_BIND(type, field.from), "COLLECTION[=VERSION]",                                                     \
     .help = "whose layer a shared name means, for instance keras-self-attention=0.45"},                               \
    {"--set", CLI_BIND(type, field.set), "LAYER.OPTION=VALUE",                                                         \
     .help = "supply or replace a layer's option, lists with commas"},                                                 \
    {"--lambda", CLI_BIND(type, field.lambda), "NAME=OPERATION",                                                       \
     .help = "what a Lambda layer does, as an expression over x: code in files is never run"}

/* Reads the model. Returns an exit status, having said what is wrong. */
int cli_model_load(cli_session *s, const cli_model_options *o, heed_model **out);

/* Whether a file can be written where it shall go: better known before the work than after. */
bool cli_can_write(cli_session *s, const char *path);

#endif
