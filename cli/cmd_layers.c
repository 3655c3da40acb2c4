#include "command.h"
#include "heed/layers.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

typedef struct layers_values {
    const char *name, *from;
} layers_values;

static const cli_option options[] = {
    {"NAME", CLI_BIND(layers_values, name), .help = "a layer; without it, the list of all"},
    {"--from", CLI_BIND(layers_values, from), "COLLECTION", .help = "whose layer, where several have the name"},
    {0},
};

static const cli_example examples[] = {
    {"heed layers", "every layer that heed has"},
    {"heed layers GRU", "its equation, options, ranges and defaults"},
    {0},
};

static int list(void)
{
    const char *collection = "";
    const heed_layer_class *c;
    for (int i = 0; (c = heed_layer_class_at(i)) != NULL; i++) {
        if (strcmp(collection, c->collection) != 0)
            printf("%s%s\n", i == 0 ? "" : "\n", c->collection);
        collection = c->collection;
        /* the first line of the equation says in short what the layer does */
        int first = c->equation == NULL ? 0 : (int)strcspn(c->equation, "\n");
        printf("  %-22s %.*s\n", c->name, first, c->equation == NULL ? "" : c->equation);
    }
    return CLI_DONE;
}

static void print_shape(const heed_shape *s)
{
    char text[128];
    printf("%s", s->rank == 0 ? "None" : heed_shape_text(s, text, sizeof text));
}

static void print_int(int value)
{
    if (value == HEED_NONE)
        printf("None");
    else
        printf("%d", value);
}

/* An option's default, as it would be written in Python. */
static void print_default(const heed_layer_class *c, const heed_option *o)
{
    const void *field = (const char *)c->defaults + o->offset;
    const char *text;
    switch (o->type) {
    case HEED_OPTION_INT: print_int(*(const int *)field); break;
    case HEED_OPTION_FLOAT: printf("%g", *(const double *)field); break;
    case HEED_OPTION_BOOL: printf("%s", *(const bool *)field ? "True" : "False"); break;
    case HEED_OPTION_SHAPE: print_shape(field); break;
    case HEED_OPTION_LAYER:
    case HEED_OPTION_LAYERS: printf("None"); break;
    case HEED_OPTION_TEXT:
    case HEED_OPTION_ACTIVATION:
    case HEED_OPTION_INITIALIZER:
    case HEED_OPTION_REGULARIZER:
    case HEED_OPTION_CONSTRAINT:
        text = *(const char *const *)field;
        printf(text == NULL ? "None" : "\"%s\"", text);
        break;
    }
}

static void print_indented(const char *text)
{
    while (*text != '\0') {
        size_t line = strcspn(text, "\n");
        printf("    %.*s\n", (int)line, text);
        text += line + (text[line] == '\n');
    }
}

static void describe(const heed_layer_class *c)
{
    printf("%s (%s)\n", c->name, c->collection);
    if (c->equation != NULL && *c->equation != '\0') {
        printf("\n");
        print_indented(c->equation);
    }
    printf("\ninputs: ");
    if (c->max_inputs == 0)
        printf("%d or more", c->min_inputs);
    else if (c->min_inputs == c->max_inputs)
        printf("%d", c->min_inputs);
    else
        printf("%d to %d", c->min_inputs, c->max_inputs);
    printf("\nmask: %s\n", c->passes_mask ? "passed on" : "made or consumed by the layer");
    if (c->source != NULL && *c->source != '\0')
        printf("source: %s\n", c->source);
    printf("\noptions:\n");
    for (int i = 0; i < c->option_count; i++) {
        const heed_option *o = &c->options[i];
        printf("  %s = ", o->name);
        print_default(c, o);
        printf("%s%s\n      %s\n", *o->range != '\0' ? "    in " : "", o->range, o->meaning);
    }
}

static int run(cli_session *s, const void *values)
{
    const layers_values *v = values;
    if (v->name == NULL)
        return list();
    const heed_layer_class *c = heed_find_layer(s->context, v->name, v->from);
    if (c != NULL) {
        describe(c);
        return CLI_DONE;
    }
    heed_guess guess = {.word = v->name};
    const heed_layer_class *other;
    for (int i = 0; (other = heed_layer_class_at(i)) != NULL; i++)
        heed_guess_offer(&guess, other->name);
    char hint[128] = "heed layers lists them all";
    if (guess.best != NULL)
        snprintf(hint, sizeof hint, "did you mean %s?", guess.best);
    return cli_error(CLI_WRONG_USAGE, hint, "%s: no such layer", v->name);
}

const cli_command cli_layers = {
    .name = "layers",
    .purpose = "list the layers, or explain one",
    .description = "For a layer: its equation, inputs, what it does with masks, source, and options with ranges and defaults.",
    .options = options,
    .values_size = sizeof(layers_values),
    .examples = examples,
    .run = run,
};
