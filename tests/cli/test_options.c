#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "options.h"

#include <string.h>

typedef struct values {
    const char *model, *output, *kind;
    cli_list    rest;
    int64_t     beam;
    double      penalty;
    bool        scores;
} values;

static const cli_option options[] = {
    {"MODEL", CLI_BIND(values, model), .required = true, .help = "h"},
    {"REST", CLI_BIND(values, rest), .help = "h"},
    {"--beam", CLI_BIND(values, beam), "N", "4", "h", CLI_BETWEEN(1, 64)},
    {"--penalty", CLI_BIND(values, penalty), "A", "0.5", "h", CLI_AT_LEAST(0)},
    {"--kind", CLI_BIND(values, kind), .standard = "words", .choices = "characters|words", .help = "h"},
    {"--output", CLI_BIND(values, output), "FILE", .help = "h", .letter = 'o'},
    {"--scores", CLI_BIND(values, scores), .help = "h", .letter = 's'},
    {0},
};

typedef struct shared_values {
    cli_list    inputs;
    const char *save;
} shared_values;

static const cli_option shared[] = {
    {"--input", CLI_BIND(shared_values, inputs), "FILE", .help = "h", .required = true},
    {"--save", CLI_BIND(shared_values, save), "FILE", .help = "h", .required = true},
    {0},
};

enum { WORDS = 16 };

typedef struct parsed {
    values        own;
    shared_values others;
    cli_binding   bindings[2];
    bool          fine;
} parsed;

/* Parses words that are separated by single spaces. */
static void parse(parsed *p, char *line)
{
    static char *words[WORDS];
    int count = 0;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    *p = (parsed){.fine = false};
    p->bindings[0] = (cli_binding){options, &p->own};
    p->bindings[1] = (cli_binding){shared, &p->others};
    p->fine = cli_options_parse(p->bindings, 2, "test", count, words);
}

static void check_refused(const char *text)
{
    char line[256];
    parsed p;
    strcpy(line, text);
    parse(&p, line);
    if (p.fine)
        fail_msg("taken: %s", text);
    cli_options_free(p.bindings, 2);
}

static void test_defaults(void **state)
{
    (void)state;
    char line[] = "m --input a --save s";
    parsed p;
    parse(&p, line);
    assert_true(p.fine);
    assert_string_equal(p.own.model, "m");
    assert_int_equal(p.own.beam, 4);
    assert_true(p.own.penalty == 0.5);
    assert_string_equal(p.own.kind, "words");
    assert_null(p.own.output);
    assert_false(p.own.scores);
    assert_int_equal(p.own.rest.count, 0);
    cli_options_free(p.bindings, 2);
}

static void test_every_kind_of_value(void **state)
{
    (void)state;
    char line[] = "--input=a --beam 7 m --penalty=1e-3 -o f --kind characters x --input b=c -s -- --save -";
    parsed p;
    parse(&p, line);
    assert_false(p.fine); /* behind -- there are no options, so --save is missing */
    cli_options_free(p.bindings, 2);
    char again[] = "--input=a --beam 7 m --penalty=1e-3 -of --kind characters x --input b=c -s --save=--s - -- --beam";
    parse(&p, again);
    assert_true(p.fine);
    assert_int_equal(p.own.beam, 7);
    assert_true(p.own.penalty == 1e-3);
    assert_string_equal(p.own.output, "f");
    assert_string_equal(p.own.kind, "characters");
    assert_true(p.own.scores);
    assert_string_equal(p.others.save, "--s");
    assert_int_equal(p.others.inputs.count, 2);
    assert_string_equal(p.others.inputs.items[0], "a");
    assert_string_equal(p.others.inputs.items[1], "b=c");
    assert_string_equal(p.own.model, "m");
    assert_int_equal(p.own.rest.count, 3);
    assert_string_equal(p.own.rest.items[0], "x");
    assert_string_equal(p.own.rest.items[1], "-");
    assert_string_equal(p.own.rest.items[2], "--beam");
    cli_options_free(p.bindings, 2);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "--input a --save s",
        "m --save s",
        "m --input a",
        "m --input a --save s --beam 0",
        "m --input a --save s --beam 65",
        "m --input a --save s --beam 1.5",
        "m --input a --save s --penalty -0.1",
        "m --input a --save s --penalty nan",
        "m --input a --save s --penalty inf",
        "m --input a --save s --penalty 1x",
        "m --input a --save s --kind word",
        "m --input a --save s --kind words|characters",
        "m --input a --save s --kind=",
        "m --input a --save s --scores=1",
        "m --input a --save s --score",
        "m --input a --save",
        "m --input a --save s -z",
        "m --input a --save s --beam",
        "m --input a --save s --=3",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        check_refused(lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_kind_of_value),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
