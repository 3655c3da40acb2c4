/* Option tables. A sub-command declares a struct of values and one table of rows, and gets parsing, range errors, its
 * usage line, --help and its man page from it:
 *
 *     typedef struct translate_values {
 *         const char *model, *file;
 *         int64_t     beam;
 *         bool        scores;
 *     } translate_values;
 *
 *     static const cli_option options[] = {
 *         {"MODEL", CLI_BIND(translate_values, model), .required = true, .help = "a translator made by heed train"},
 *         {"FILE", CLI_BIND(translate_values, file), .standard = "-", .help = "the lines to translate"},
 *         {"--beam", CLI_BIND(translate_values, beam), "N", "4", "how many hypotheses to keep", CLI_AT_LEAST(1)},
 *         {"--scores", CLI_BIND(translate_values, scores), .help = "also write each line's log probability"},
 *         {0},
 *     };
 *
 * A name that begins with dashes is an option, written --beam 4 or --beam=4; any other is an argument, taken in the
 * order of the rows. The type of the field says what is read: bool (a flag), int64_t, double, const char *, or
 * cli_list (an option given again and again, or the rest of the arguments). */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_list {
    const char **items; /* borrowed from the command line; NULL behind the last, and where there is none */
    size_t       count;
} cli_list;

typedef enum cli_type { CLI_FLAG, CLI_INTEGER, CLI_NUMBER, CLI_TEXT, CLI_LIST } cli_type;

typedef struct cli_option {
    const char *name;
    size_t      offset;
    cli_type    type;
    const char *value;    /* what --help calls the value; unset for flags, arguments and choices */
    const char *standard; /* the default, as it would be typed; NULL: the field stays zero */
    const char *help;     /* one sentence, no capital, no full stop */
    bool        limited;  /* then minimum <= value <= maximum */
    bool        above;    /* then minimum itself is not allowed */
    double      minimum, maximum;
    const char *choices;  /* "characters|words": the values there are */
    char        letter;   /* a short form, 'o' for -o */
    bool        required;
    size_t      unless;   /* not required when this flag is set: CLI_UNLESS(type, field) */
} cli_option;

#define CLI_BIND(type_, field)                                                                                    \
    .offset = offsetof(type_, field),                                                                             \
    .type = _Generic(((type_ *)0)->field,                                                                         \
        bool: CLI_FLAG, int64_t: CLI_INTEGER, double: CLI_NUMBER, const char *: CLI_TEXT, cli_list: CLI_LIST)
#define CLI_UNLESS(type_, field) .required = true, .unless = offsetof(type_, field)
#define CLI_AT_LEAST(least) .limited = true, .minimum = (least), .maximum = HUGE_VAL
#define CLI_ABOVE(limit) .above = true, CLI_AT_LEAST(limit)
#define CLI_BETWEEN(least, most) .limited = true, .minimum = (least), .maximum = (most)

/* A table and the struct its rows point into. */
typedef struct cli_binding {
    const cli_option *options;
    void             *values; /* zeroed; cli_options_free afterwards, also when parsing failed */
} cli_binding;

/* Fills the values with what the rows call standard, then with what `argv` says. Returns false when the command line is
 * wrong, having said so on standard error; `command` is named in the hint. */
bool cli_options_parse(const cli_binding *bindings, size_t count, const char *command, int argc, char **argv);
void cli_options_free(const cli_binding *bindings, size_t count);

/* Whether a file's name ends so, ".keras" or ".KERAS", and is more than that. */
bool cli_ends_with(const char *text, const char *end);

static inline bool cli_is_argument(const cli_option *o) { return o->name[0] != '-'; }
/* What stands for the value in usage and help. */
static inline const char *cli_value_name(const cli_option *o) { return o->choices != NULL ? o->choices : o->value; }

#endif
