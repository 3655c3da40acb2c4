#include "command.h"
#include "help.h"
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLI_ROW(name) &cli_##name,
static const cli_command *const commands[] = {CLI_COMMANDS(CLI_ROW)};
#undef CLI_ROW
enum { COMMANDS = sizeof commands / sizeof *commands };

static const cli_option shared[] = {
    {"--threads", CLI_BIND(cli_session, threads), "N", .help = "threads to work with (default: the processor's cores)",
     CLI_BETWEEN(1, 256)},
    {"--seed", CLI_BIND(cli_session, seed), "N", "0",
     "start of the random numbers; the same seed gives the same result", CLI_AT_LEAST(0)},
    {"--quiet", CLI_BIND(cli_session, quiet), .help = "no progress and no notes, only errors"},
    {"--help", CLI_BIND(cli_session, help), .help = "show this"},
    {0},
};

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    heed_guess guess = {.word = name};
    for (size_t i = 0; i < COMMANDS; i++)
        heed_guess_offer(&guess, commands[i]->name);
    char hint[96] = "heed --help lists the sub-commands";
    if (guess.best != NULL)
        snprintf(hint, sizeof hint, "did you mean heed %s?", guess.best);
    return cli_error(CLI_WRONG_USAGE, hint, "%s: no such sub-command", name);
}

/* A context has no text for what kept it from being made. */
static int open_context(cli_session *s)
{
    heed_context_config config = {.threads = (int)s->threads, .log = cli_log, .log_user = s};
    heed_status status = heed_context_create(&config, &s->context);
    const char *cpu = getenv("HEED_CPU");
    if (status == HEED_EINVAL && cpu != NULL)
        return cli_error(CLI_WRONG_USAGE, NULL, "HEED_CPU: this processor has no such instruction set "
                         "(expected generic, avx2 or avx512, found \"%s\")", cpu);
    if (status != HEED_OK)
        return cli_error(CLI_FAILED, NULL, "cannot start: %s", heed_status_text(status));
    return CLI_DONE;
}

static int show_version(void)
{
    cli_session s = {0};
    int exit_status = open_context(&s);
    if (exit_status != CLI_DONE)
        return exit_status;
    printf("heed %s\ninstruction set: %s\nthreads: %d\n%s\n", heed_version(), heed_cpu_name(heed_cpu_used(s.context)),
           heed_threads(s.context), heed_build_info());
    heed_context_free(s.context);
    return CLI_DONE;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    if (asks_for_help(argc, argv)) {
        cli_help(command, shared);
        return CLI_DONE;
    }
    cli_session session = {0};
    void *values = calloc(1, command->values_size);
    if (values == NULL)
        return cli_error(CLI_FAILED, NULL, "out of memory");
    const cli_binding bindings[] = {{command->options, values}, {shared, &session}};
    int exit_status = CLI_WRONG_USAGE;
    if (cli_options_parse(bindings, 2, command->name, argc, argv)) {
        exit_status = open_context(&session);
        if (exit_status == CLI_DONE)
            exit_status = command->run(&session, values);
        heed_context_free(session.context);
    }
    cli_options_free(bindings, 2);
    free(values);
    return exit_status;
}

/* heed --man [SUB-COMMAND]: for the build, which installs the pages. */
static int show_man(const char *name)
{
    const cli_command *command = name != NULL ? find_command(name) : NULL;
    if (name != NULL && command == NULL)
        return unknown_command(name);
    if (command != NULL)
        cli_man(command, shared);
    else
        cli_man_overview(commands, COMMANDS, shared);
    return CLI_DONE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2)
        return cli_error(CLI_WRONG_USAGE, "heed --help lists the sub-commands", "a sub-command is missing");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        cli_help_overview(commands, COMMANDS, shared);
        return CLI_DONE;
    }
    if (strcmp(name, "--version") == 0)
        return show_version();
    if (strcmp(name, "--man") == 0)
        return show_man(argv[2]);
    const cli_command *command = find_command(name);
    if (command == NULL)
        return unknown_command(name);
    return run_command(command, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    /* a reader that has seen enough (head) ends the command quietly, even where the caller ignores the signal */
    signal(SIGPIPE, SIG_DFL);
    int exit_status = dispatch(argc, argv);
    if (fflush(stdout) != 0 && exit_status == CLI_DONE)
        exit_status = cli_error(CLI_FAILED, NULL, "standard output: cannot write: %s", strerror(errno));
    return exit_status;
}
