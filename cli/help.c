#include "help.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, HELP_COLUMN = 28, NAME = 128, MEANING = 1024 };

void cli_write_wrapped(const char *text, int column, int indent)
{
    bool first = true;
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        first = false;
        text += length;
        if (strncmp(text, "\n\n", 2) == 0) {
            printf("\n\n%*s", indent, "");
            column = indent;
            first = true;
        }
        text += strspn(text, " \n");
    }
    putchar('\n');
}

/* "--name VALUE", "-n, --name VALUE" */
static void describe_name(const cli_option *o, char *text, size_t size)
{
    const char *value = cli_value_name(o);
    char letter[8] = "";
    if (o->letter != '\0')
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(text, size, "%s%s%s%s", letter, o->name, value != NULL ? " " : "", value != NULL ? value : "");
}

/* the help, then what the row itself tells: the default, and whether it is required or may be repeated */
static void describe_meaning(const cli_option *o, char *text, size_t size)
{
    int length = snprintf(text, size, "%s", o->help);
    if (length < 0 || (size_t)length >= size)
        return;
    if (o->standard != NULL)
        snprintf(text + length, size - (size_t)length, " (default: %s)", o->standard);
    else if (!cli_is_argument(o) && (o->required || o->type == CLI_LIST))
        snprintf(text + length, size - (size_t)length, " (%s)", o->required ? "required" : "may be repeated");
}

typedef bool row_filter(const cli_option *o);
typedef void row_writer(const char *name, const char *meaning);

static bool is_option(const cli_option *o) { return !cli_is_argument(o); }

static void write_rows(const cli_option *options, row_filter *wanted, row_writer *writer)
{
    char name[NAME], meaning[MEANING];
    for (const cli_option *o = options; o->name != NULL; o++) {
        if (!wanted(o))
            continue;
        describe_name(o, name, sizeof name);
        describe_meaning(o, meaning, sizeof meaning);
        writer(name, meaning);
    }
}

static void write_help_row(const char *name, const char *meaning)
{
    int column = printf("  %s", name);
    if (column >= HELP_COLUMN - 1) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", HELP_COLUMN - column, "");
    cli_write_wrapped(meaning, HELP_COLUMN, HELP_COLUMN);
}

static bool has_arguments(const cli_option *options)
{
    while (options->name != NULL && !cli_is_argument(options))
        options++;
    return options->name != NULL;
}

static void write_usage(const cli_command *command)
{
    printf("heed %s", command->name);
    for (const cli_option *o = command->options; o->name != NULL; o++) {
        const char *dots = o->type == CLI_LIST ? "..." : "";
        if (cli_is_argument(o))
            printf(o->required ? " %s%s" : " [%s%s]", o->name, dots);
        else if (o->required)
            printf(" %s %s", o->name, cli_value_name(o));
    }
    puts(" [options]");
}

void cli_help(const cli_command *command, const cli_option *shared)
{
    printf("heed %s: %s\n\nusage: ", command->name, command->purpose);
    write_usage(command);
    if (command->description != NULL) {
        putchar('\n');
        cli_write_wrapped(command->description, 0, 0);
    }
    if (has_arguments(command->options)) {
        puts("\narguments:");
        write_rows(command->options, cli_is_argument, write_help_row);
    }
    puts("\noptions:");
    write_rows(command->options, is_option, write_help_row);
    write_rows(shared, is_option, write_help_row);
    if (command->examples != NULL)
        puts("\nexamples:");
    for (const cli_example *e = command->examples; e != NULL && e->line != NULL; e++)
        printf("  %s\n      %s\n", e->line, e->meaning);
}

void cli_help_overview(const cli_command *const *commands, size_t count, const cli_option *shared)
{
    puts("heed: sequence models with attention\n\n"
         "usage: heed SUB-COMMAND [arguments] [options]\n       heed --version\n\nsub-commands:");
    for (size_t i = 0; i < count; i++)
        printf("  %-12s%s\n", commands[i]->name, commands[i]->purpose);
    puts("\noptions of every sub-command:");
    write_rows(shared, is_option, write_help_row);
}

/* ---- man pages ---- */

/* In roff a backslash and a hyphen are escaped, and a line must not begin with a dot or a quote. */
static void write_roff(const char *text)
{
    for (bool start = true; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else if (strncmp(text, "\n\n", 2) == 0)
            fputs("\n.PP", stdout);
        else
            putchar(*text);
        start = *text == '\n';
    }
}

static void write_man_row(const char *name, const char *meaning)
{
    fputs(".TP\n\\fB", stdout);
    write_roff(name);
    fputs("\\fR\n", stdout);
    write_roff(meaning);
    putchar('\n');
}

void cli_man(const cli_command *command, const cli_option *shared)
{
    printf(".TH HEED\\-%s 1 \"\" \"heed %s\"\n", command->name, heed_version());
    printf(".SH NAME\nheed\\-%s \\- %s\n.SH SYNOPSIS\n", command->name, command->purpose);
    write_usage(command);
    puts(".SH DESCRIPTION");
    write_roff(command->description != NULL ? command->description : command->purpose);
    putchar('\n');
    if (has_arguments(command->options)) {
        puts(".SH ARGUMENTS");
        write_rows(command->options, cli_is_argument, write_man_row);
    }
    puts(".SH OPTIONS");
    write_rows(command->options, is_option, write_man_row);
    write_rows(shared, is_option, write_man_row);
    if (command->examples != NULL)
        puts(".SH EXAMPLES");
    for (const cli_example *e = command->examples; e != NULL && e->line != NULL; e++)
        write_man_row(e->line, e->meaning);
    puts(".SH EXIT STATUS\n0 done, 1 the work failed, 2 wrong usage.");
}

void cli_man_overview(const cli_command *const *commands, size_t count, const cli_option *shared)
{
    printf(".TH HEED 1 \"\" \"heed %s\"\n.SH NAME\nheed \\- sequence models with attention\n.SH SYNOPSIS\n"
           "heed SUB\\-COMMAND [arguments] [options]\n.SH SUB\\-COMMANDS\n", heed_version());
    for (size_t i = 0; i < count; i++)
        write_man_row(commands[i]->name, commands[i]->purpose);
    puts(".SH OPTIONS OF EVERY SUB\\-COMMAND");
    write_rows(shared, is_option, write_man_row);
    puts(".SH EXIT STATUS\n0 done, 1 the work failed, 2 wrong usage.");
}
