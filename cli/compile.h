/* The options that say how a model is trained and measured, in place of what its file says. */
#ifndef CLI_COMPILE_H
#define CLI_COMPILE_H

#include "command.h"
#include "heed/model.h"

typedef struct cli_compile_options {
    const char *optimizer, *metrics;
    cli_list    loss;
    double      learning_rate; /* 0: not given */
} cli_compile_options;

#define CLI_MEASURE_ROWS(type, field)                                                                                  \
    {"--loss", CLI_BIND(type, field.loss), "[OUTPUT=]LOSS",                                                            \
     .help = "the loss, or that of one output, in place of the file's: mse, 'huber(delta=2)'; may be repeated"},       \
    {"--metrics", CLI_BIND(type, field.metrics), "NAMES",                                                              \
     .help = "the metrics, with commas between, in place of the file's: accuracy,mae or OUTPUT=accuracy"}
#define CLI_COMPILE_ROWS(type, field)                                                                                  \
    {"--optimizer", CLI_BIND(type, field.optimizer), "NAME",                                                           \
     .help = "the optimizer, in place of the file's and its state: adam, 'sgd(momentum=0.9)' (default: the file's, "   \
             "else rmsprop)"},                                                                                         \
    {"--learning-rate", CLI_BIND(type, field.learning_rate), "RATE",                                                   \
     .help = "the learning rate, in place of the optimizer's or its schedule's", CLI_ABOVE(0)},                        \
    CLI_MEASURE_ROWS(type, field)

/* Changes how the model is compiled as the options say; compiles one that is not. Returns an exit status. */
int cli_compile(cli_session *s, heed_model *m, const cli_compile_options *o);

#endif
