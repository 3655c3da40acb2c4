#define _POSIX_C_SOURCE 200809L
#include "options.h"

#include "heed/base.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct parser {
    const cli_binding *bindings;
    size_t             count;
    const char        *command;
    int                argc;
    char             **argv;
    int                next;      /* the next of argv to look at */
    size_t             arguments; /* arguments taken so far, a list counted once */
} parser;

/* A row, and where its value goes. */
typedef struct slot {
    const cli_option *option;
    void             *value;
} slot;

static bool wrong(const parser *p, const char *format, ...) HEED_PRINTF(2, 3);

static bool wrong(const parser *p, const char *format, ...)
{
    char message[512], hint[128];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    snprintf(hint, sizeof hint, "heed %s --help lists arguments and options", p->command);
    cli_error(CLI_WRONG_USAGE, hint, "%s", message);
    return false;
}

static slot slot_of(const cli_binding *b, const cli_option *o) { return (slot){o, (char *)b->values + o->offset}; }

/* Walks all rows: start with {0}; `row` is NULL after the last. */
typedef struct walk {
    size_t            binding;
    const cli_option *row;
} walk;

static bool walk_on(const parser *p, walk *w)
{
    w->row = w->row == NULL ? p->bindings[w->binding].options : w->row + 1;
    while (w->row->name == NULL) {
        if (++w->binding == p->count)
            return false;
        w->row = p->bindings[w->binding].options;
    }
    return true;
}

static slot find_option(const parser *p, const char *name, size_t length)
{
    for (walk w = {0}; walk_on(p, &w);)
        if (!cli_is_argument(w.row) && strlen(w.row->name) == length && memcmp(w.row->name, name, length) == 0)
            return slot_of(&p->bindings[w.binding], w.row);
    return (slot){0};
}

static slot find_letter(const parser *p, char letter)
{
    for (walk w = {0}; walk_on(p, &w);)
        if (letter != '\0' && w.row->letter == letter)
            return slot_of(&p->bindings[w.binding], w.row);
    return (slot){0};
}

static slot find_argument(const parser *p, size_t index)
{
    for (walk w = {0}; walk_on(p, &w);)
        if (cli_is_argument(w.row) && index-- == 0)
            return slot_of(&p->bindings[w.binding], w.row);
    return (slot){0};
}

static bool wrong_option(const parser *p, const char *given, size_t length)
{
    char name[64], hint[128];
    snprintf(name, sizeof name, "%.*s", (int)length, given);
    heed_guess guess = {.word = name};
    for (walk w = {0}; walk_on(p, &w);)
        if (!cli_is_argument(w.row))
            heed_guess_offer(&guess, w.row->name);
    if (guess.best == NULL)
        return wrong(p, "%s: no such option of heed %s", name, p->command);
    snprintf(hint, sizeof hint, "did you mean %s?", guess.best);
    cli_error(CLI_WRONG_USAGE, hint, "%s: no such option of heed %s", name, p->command);
    return false;
}

static bool in_limits(const cli_option *o, double value)
{
    return !o->limited || (value >= o->minimum && value <= o->maximum && !(o->above && value == o->minimum));
}

/* "a whole number", "a number of 1 or more", "a whole number from 1 to 256" */
static void describe_number(const cli_option *o, char *text, size_t size)
{
    const char *kind = o->type == CLI_INTEGER ? "a whole number" : "a number";
    if (!o->limited)
        snprintf(text, size, "%s", kind);
    else if (o->maximum == HUGE_VAL)
        snprintf(text, size, o->above ? "%s above %g" : "%s of %g or more", kind, o->minimum);
    else
        snprintf(text, size, o->above ? "%s above %g, at most %g" : "%s from %g to %g", kind, o->minimum, o->maximum);
}

static bool wrong_number(const parser *p, const cli_option *o, const char *text)
{
    char expected[96];
    describe_number(o, expected, sizeof expected);
    return wrong(p, "%s: not a value it can take (expected %s, found \"%s\")", o->name, expected, text);
}

static bool take_integer(const parser *p, slot s, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || !in_limits(s.option, (double)value))
        return wrong_number(p, s.option, text);
    *(int64_t *)s.value = value;
    return true;
}

static bool take_number(const parser *p, slot s, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || !in_limits(s.option, value))
        return wrong_number(p, s.option, text);
    *(double *)s.value = value;
    return true;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *choice = choices;; choice += strcspn(choice, "|") + 1) {
        size_t end = strcspn(choice, "|");
        if (end == length && memcmp(choice, text, length) == 0)
            return true;
        if (choice[end] == '\0')
            return false;
    }
}

static bool take_text(const parser *p, slot s, const char *text)
{
    if (s.option->choices != NULL && !is_choice(s.option->choices, text))
        return wrong(p, "%s: not a value it can take (expected %s, found \"%s\")", s.option->name, s.option->choices,
                     text);
    *(const char **)s.value = text;
    return true;
}

static bool take_item(const parser *p, slot s, const char *text)
{
    cli_list *list = s.value;
    if (list->items == NULL)
        list->items = calloc((size_t)p->argc + 1, sizeof *list->items); /* no list can have more */
    if (list->items == NULL)
        return wrong(p, "%s: out of memory", s.option->name);
    list->items[list->count++] = text;
    return true;
}

static bool take(const parser *p, slot s, const char *text)
{
    switch (s.option->type) {
    case CLI_FLAG:
        *(bool *)s.value = true;
        return true;
    case CLI_INTEGER:
        return take_integer(p, s, text);
    case CLI_NUMBER:
        return take_number(p, s, text);
    case CLI_TEXT:
        return take_text(p, s, text);
    case CLI_LIST:
        return take_item(p, s, text);
    }
    return false;
}

static bool take_defaults(const parser *p)
{
    for (walk w = {0}; walk_on(p, &w);)
        if (w.row->standard != NULL && !take(p, slot_of(&p->bindings[w.binding], w.row), w.row->standard))
            return false;
    return true;
}

/* `inlined` is what follows the equals sign, or NULL: then the value is the next word. */
static bool parse_option(parser *p, slot s, const char *inlined)
{
    if (s.option->type == CLI_FLAG) {
        if (inlined != NULL)
            return wrong(p, "%s: takes no value (found \"%s\")", s.option->name, inlined);
        return take(p, s, NULL);
    }
    if (inlined == NULL && p->next < p->argc && strncmp(p->argv[p->next], "--", 2) != 0)
        inlined = p->argv[p->next++];
    if (inlined == NULL)
        return wrong(p, "%s: its value is missing (expected %s %s)", s.option->name, s.option->name,
                     cli_value_name(s.option));
    return take(p, s, inlined);
}

static bool parse_argument(parser *p, const char *text)
{
    slot s = find_argument(p, p->arguments);
    if (s.option == NULL)
        return wrong(p, "%s: one argument too many for heed %s", text, p->command);
    if (s.option->type != CLI_LIST)
        p->arguments++;
    return take(p, s, text);
}

static bool parse_word(parser *p, const char *word)
{
    if (strncmp(word, "--", 2) == 0) {
        size_t length = strcspn(word, "=");
        slot s = find_option(p, word, length);
        if (s.option == NULL)
            return wrong_option(p, word, length);
        return parse_option(p, s, word[length] == '=' ? word + length + 1 : NULL);
    }
    if (word[0] == '-' && word[1] != '\0') {
        slot s = find_letter(p, word[1]);
        if (s.option != NULL)
            return parse_option(p, s, word[2] != '\0' ? word + 2 : NULL);
        if (strchr(".0123456789", word[1]) == NULL) /* a negative number is an argument */
            return wrong_option(p, word, strlen(word));
    }
    return parse_argument(p, word);
}

static bool is_set(slot s)
{
    return s.option->type == CLI_LIST ? ((cli_list *)s.value)->count > 0 : *(const char **)s.value != NULL;
}

/* An argument is missing when it comes after all that were taken; a text or a list, when it is not set. */
static bool check_required(const parser *p)
{
    size_t argument = 0;
    for (walk w = {0}; walk_on(p, &w);) {
        slot s = slot_of(&p->bindings[w.binding], w.row);
        bool taken = cli_is_argument(w.row) && s.option->type != CLI_LIST ? argument++ < p->arguments : true;
        bool unset = (s.option->type == CLI_LIST || s.option->type == CLI_TEXT) && !is_set(s);
        bool excused = w.row->unless > 0 && *(const bool *)((const char *)p->bindings[w.binding].values + w.row->unless);
        if (w.row->required && !excused && (!taken || unset))
            return wrong(p, "%s is missing", w.row->name);
    }
    return true;
}

bool cli_options_parse(const cli_binding *bindings, size_t count, const char *command, int argc, char **argv)
{
    parser p = {.bindings = bindings, .count = count, .command = command, .argc = argc, .argv = argv};
    if (!take_defaults(&p))
        return false;
    bool options_end = false;
    while (p.next < argc) {
        const char *word = argv[p.next++];
        if (!options_end && strcmp(word, "--") == 0)
            options_end = true;
        else if (!(options_end ? parse_argument(&p, word) : parse_word(&p, word)))
            return false;
    }
    return check_required(&p);
}

void cli_options_free(const cli_binding *bindings, size_t count)
{
    parser p = {.bindings = bindings, .count = count};
    for (walk w = {0}; walk_on(&p, &w);)
        if (w.row->type == CLI_LIST)
            free(((cli_list *)slot_of(&bindings[w.binding], w.row).value)->items);
}

bool cli_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcasecmp(text + length - tail, end) == 0;
}
