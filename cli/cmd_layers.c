#include "command.h"
#include "heed/layers.h"
#include "help.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

typedef struct layers_values {
    const char *name, *from;
    bool        markdown;
} layers_values;

static const cli_option options[] = {
    {"NAME", CLI_BIND(layers_values, name), .help = "a layer; without it, the list of all"},
    {"--from", CLI_BIND(layers_values, from), "COLLECTION", .help = "whose layer, where several have the name"},
    {"--markdown", CLI_BIND(layers_values, markdown), .help = "as a page of the documentation"},
    {0},
};

static const cli_example examples[] = {
    {"heed layers", "every layer that heed has"},
    {"heed layers GRU", "its equation, shapes, masks, options, weights and source"},
    {"heed layers MultiHeadAttention --from keras-multi-head", "that of keras-multi-head alone"},
    {0},
};

/* ---- the list ---- */

/* A table's cell, from so many bytes: | would end it. */
static void print_cell(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        printf(text[i] == '|' ? "\\%c" : "%c", text[i]);
}

/* The first line of the equation says in short what the layer does. */
static void list_one(const heed_layer_class *c, bool markdown)
{
    const char *equation = c->equation == NULL ? "" : c->equation;
    size_t line = strcspn(equation, "\n");
    if (!markdown) {
        printf("  %-22s %.*s\n", c->name, (int)line, equation);
        return;
    }
    printf("| [%s](%s/%s.md) | `", c->name, c->collection, c->name);
    print_cell(equation, line);
    puts("` |");
}

static bool is_first_of_collection(int index)
{
    for (int i = 0; i < index; i++)
        if (strcmp(heed_layer_class_at(i)->collection, heed_layer_class_at(index)->collection) == 0)
            return false;
    return true;
}

static int list(bool markdown)
{
    const heed_layer_class *c, *other;
    if (markdown)
        puts("# The layers\n\nMade by `heed layers --markdown`; `heed layers NAME` prints a page in the terminal.");
    for (int i = 0; (c = heed_layer_class_at(i)) != NULL; i++) {
        if (!is_first_of_collection(i))
            continue;
        printf(markdown ? "\n## %s\n\n| layer | |\n| --- | --- |\n" : i == 0 ? "%s\n" : "\n%s\n", c->collection);
        for (int k = i; (other = heed_layer_class_at(k)) != NULL; k++)
            if (strcmp(other->collection, c->collection) == 0)
                list_one(other, markdown);
    }
    return CLI_DONE;
}

/* ---- one option ---- */

static void print_shape(const heed_shape *s)
{
    char text[128];
    printf("%s", s->rank == 0 ? "None" : heed_shape_text(s, text, sizeof text));
}

/* One number for all axes without brackets. */
static void print_sizes(const heed_shape *s)
{
    if (s->rank == 1)
        printf("%lld", (long long)s->dims[0]);
    else
        print_shape(s);
}

/* 0 stands for None too where the meaning says what None is. */
static void print_int(int value, const heed_option *o)
{
    if (value == HEED_NONE || (value == 0 && strstr(o->meaning, "None:") != NULL))
        printf("None");
    else
        printf("%d", value);
}

static void print_float(double value)
{
    if (isinf(value))
        printf("None");
    else
        printf("%g", value);
}

/* An option's default, as it would be written in Python. */
static void print_default(const heed_layer_class *c, const heed_option *o)
{
    const void *field = (const char *)c->defaults + o->offset;
    const char *text;
    switch (o->type) {
    case HEED_OPTION_INT: print_int(*(const int *)field, o); break;
    case HEED_OPTION_FLOAT: print_float(*(const double *)field); break;
    case HEED_OPTION_BOOL: printf("%s", *(const bool *)field ? "True" : "False"); break;
    case HEED_OPTION_SHAPE: print_shape(field); break;
    case HEED_OPTION_SIZES: print_sizes(field); break;
    case HEED_OPTION_LAYER:
    case HEED_OPTION_LAYERS: printf("None"); break;
    case HEED_OPTION_TEXT:
    case HEED_OPTION_NUMBERS:
    case HEED_OPTION_TEXTS:
    case HEED_OPTION_ACTIVATION:
    case HEED_OPTION_INITIALIZER:
    case HEED_OPTION_REGULARIZER:
    case HEED_OPTION_CONSTRAINT:
        text = *(const char *const *)field;
        printf(text == NULL ? "None" : "\"%s\"", text);
        break;
    }
}

/* Whether it has to be given: its default is out of its range. */
static bool is_required(const heed_layer_class *c, const heed_option *o)
{
    const void *field = (const char *)c->defaults + o->offset;
    if (o->range[0] != '[' || o->range[1] != '1' || strstr(o->meaning, "None:") != NULL)
        return false;
    return o->type == HEED_OPTION_INT ? *(const int *)field == 0
                                      : o->type == HEED_OPTION_SIZES && ((const heed_shape *)field)->rank == 0;
}

static void print_option(const heed_layer_class *c, const heed_option *o)
{
    printf("  %s", o->name);
    if (is_required(c, o))
        printf(", required");
    else {
        printf(" = ");
        print_default(c, o);
    }
    printf("%s%s\n      ", *o->range != '\0' ? "    in " : "", o->range);
    cli_write_wrapped(o->meaning, 6, 6);
}

static void print_option_row(const heed_layer_class *c, const heed_option *o)
{
    printf("| `%s` | ", o->name);
    if (is_required(c, o))
        printf("required");
    else {
        putchar('`');
        print_default(c, o);
        putchar('`');
    }
    printf(" | ");
    print_cell(o->range, strlen(o->range));
    printf(" | ");
    print_cell(o->meaning, strlen(o->meaning));
    puts(" |");
}

static void print_options(const heed_layer_class *c, bool markdown)
{
    puts(markdown ? "\n## Options\n\n| option | default | range | |\n| --- | --- | --- | --- |" : "\nOptions:");
    for (int i = 0; i < c->option_count; i++)
        (markdown ? print_option_row : print_option)(c, &c->options[i]);
}

/* ---- one layer ---- */

/* What a class tells of itself, in the order of the page. */
typedef struct section {
    const char *title;
    size_t      offset; /* of the text in the class */
    bool        lines;  /* a line for each thing; else words that may be wrapped */
} section;

static const section before_options[] = {
    {"Inputs and outputs", offsetof(heed_layer_class, shapes), true},
    {"Masks", offsetof(heed_layer_class, masks), false},
    {"Weights, in order", offsetof(heed_layer_class, weights), true},
};
static const section behind_options[] = {
    {"What differs from the original", offsetof(heed_layer_class, differs), false},
    {"Source", offsetof(heed_layer_class, source), false},
};
enum { BEFORE = sizeof before_options / sizeof *before_options, BEHIND = sizeof behind_options / sizeof *behind_options };

static void print_lines(const char *text, const char *indent)
{
    while (*text != '\0') {
        size_t line = strcspn(text, "\n");
        printf("%s%.*s\n", indent, (int)line, text);
        text += line + (text[line] == '\n');
    }
}

static void print_section(const heed_layer_class *c, const section *s, bool markdown)
{
    const char *text = *(const char *const *)(const void *)((const char *)c + s->offset);
    if (text == NULL || *text == '\0')
        return;
    printf(markdown ? "\n## %s\n\n" : "\n%s:\n", s->title);
    if (markdown)
        printf(s->lines ? "```\n%s\n```\n" : "%s\n", text);
    else if (s->lines)
        print_lines(text, "    ");
    else {
        printf("    ");
        cli_write_wrapped(text, 4, 4);
    }
}

static void describe(const heed_layer_class *c, bool markdown)
{
    printf(markdown ? "# %s\n\nA layer of %s. B: examples, T: steps, F: features.\n" : "%s (%s)\n", c->name,
           c->collection);
    if (c->equation != NULL) {
        puts(markdown ? "\n```" : "");
        print_lines(c->equation, markdown ? "" : "    ");
        if (markdown)
            puts("```");
    }
    for (size_t i = 0; i < BEFORE; i++)
        print_section(c, &before_options[i], markdown);
    print_options(c, markdown);
    for (size_t i = 0; i < BEHIND; i++)
        print_section(c, &behind_options[i], markdown);
}

static int unknown(const layers_values *v)
{
    heed_guess guess = {.word = v->name};
    const heed_layer_class *other;
    char hint[128] = "heed layers lists them all";
    for (int i = 0; (other = heed_layer_class_at(i)) != NULL; i++) {
        if (strcmp(other->name, v->name) == 0)
            return cli_error(CLI_WRONG_USAGE, hint, "%s: %s has no such layer", v->name, v->from);
        heed_guess_offer(&guess, other->name);
    }
    if (guess.best != NULL)
        snprintf(hint, sizeof hint, "did you mean %s?", guess.best);
    return cli_error(CLI_WRONG_USAGE, hint, "%s: no such layer", v->name);
}

static int run(cli_session *s, const void *values)
{
    const layers_values *v = values;
    if (v->name == NULL)
        return list(v->markdown);
    const heed_layer_class *c;
    int shown = 0;
    for (int i = 0; (c = heed_layer_class_at(i)) != NULL; i++) {
        if (strcmp(c->name, v->name) != 0 || (v->from != NULL && strcmp(c->collection, v->from) != 0))
            continue;
        if (shown++ > 0)
            puts("");
        describe(c, v->markdown);
    }
    return shown > 0 ? CLI_DONE : unknown(v);
}

const cli_command cli_layers = {
    .name = "layers",
    .purpose = "list the layers, or explain one",
    .description = "For a layer: its equation, inputs and outputs, what it does with masks, its weights, its options with "
                   "ranges and defaults, what differs from the original, and where it comes from. Where several "
                   "collections have a layer of that name, all of them.",
    .options = options,
    .values_size = sizeof(layers_values),
    .examples = examples,
    .run = run,
};
