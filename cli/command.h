/* What a sub-command is. Each lives in cli/cmd_NAME.c, defines `const cli_command cli_NAME`, and has a row in
 * CLI_COMMANDS; main.c does the rest. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "heed/base.h"
#include "options.h"

/* Every sub-command, in the order of `heed --help`. */
#define CLI_COMMANDS(X) \
    X(predict)          \
    X(convert)          \
    X(fit)              \
    X(evaluate)         \
    X(train)            \
    X(translate)        \
    X(score)            \
    X(plot)             \
    X(summary)          \
    X(layers)           \
    X(dates)            \
    X(bench)

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_WRONG_USAGE = 2 };

/* What every sub-command gets: the context, and the options that all of them share. */
typedef struct cli_session {
    heed_context *context;
    int64_t       threads; /* 0: as many as the process may use; heed_threads(context) tells */
    int64_t       seed;    /* >= 0 */
    bool          quiet, help;
} cli_session;

typedef struct cli_example {
    const char *line, *meaning;
} cli_example;

typedef struct cli_command {
    const char        *name;
    const char        *purpose;     /* half a sentence, for the list of commands */
    const char        *description; /* paragraphs with an empty line between; may be NULL */
    const cli_option  *options;     /* the last row is {0} */
    size_t             values_size; /* of the struct that the rows point into */
    const cli_example *examples;    /* the last row is {0}; may be NULL */
    /* Does the work and returns an exit status, having said what went wrong (cli_failed, cli_wrong_usage). */
    int (*run)(cli_session *s, const void *values);
} cli_command;

#define CLI_DECLARE(name) extern const cli_command cli_##name;
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

#endif
