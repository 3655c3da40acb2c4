#include "command.h"
#include "heed/output.h"
#include "heed/text.h"
#include "report.h"

#include <math.h>
#include <string.h>

typedef struct score_values {
    const char *hypothesis, *reference, *tokenize;
    bool        alternatives, lowercase, json;
} score_values;

static const cli_option options[] = {
    {"HYPOTHESIS", CLI_BIND(score_values, hypothesis), .required = true, .help = "lines to be scored"},
    {"REFERENCE", CLI_BIND(score_values, reference), .required = true, .help = "as many lines that are right"},
    {"--alternatives", CLI_BIND(score_values, alternatives),
     .help = "a reference line holds several, with \" | \" between; the best one counts"},
    {"--lowercase", CLI_BIND(score_values, lowercase), .help = "compare lower-cased text"},
    {"--tokenize", CLI_BIND(score_values, tokenize), .standard = "none", .choices = "none|char",
     .help = "the tokens of the error rate: between white space, or single characters"},
    {"--json", CLI_BIND(score_values, json), .help = "print one JSON object"},
    {0},
};

static const cli_example examples[] = {
    {"heed score output.txt reference.txt", "how much of the output is right"},
    {"heed translate g2p.keras words.txt | heed score - phonemes.txt --alternatives", "the error of a pipeline"},
    {0},
};

/* What is open while lines are compared. */
typedef struct comparison {
    heed_scorer *scorer;
    heed_lines  *hypotheses, *references;
} comparison;

static heed_status open_all(comparison *c, const cli_session *s, const score_values *v)
{
    const heed_scorer_config config = {
        .alternatives = v->alternatives, .lowercase = v->lowercase, .tokenize = v->tokenize};
    heed_status status = heed_scorer_create(s->context, &config, &c->scorer);
    if (status == HEED_OK)
        status = heed_lines_open(s->context, v->hypothesis, 0, &c->hypotheses);
    if (status == HEED_OK)
        status = heed_lines_open(s->context, v->reference, 0, &c->references);
    return status;
}

static void close_all(comparison *c)
{
    heed_lines_free(c->references);
    heed_lines_free(c->hypotheses);
    heed_scorer_free(c->scorer);
}

/* Scores all lines. *surplus tells which side has more lines than the other: 1 the hypotheses, -1 the references. */
static heed_status compare_all(comparison *c, int *surplus)
{
    bool more = true, more_references = true;
    heed_status status = HEED_OK;
    *surplus = 0;
    while (status == HEED_OK && more) {
        heed_line hypothesis, reference;
        status = heed_lines_next(c->hypotheses, &more, &hypothesis);
        if (status == HEED_OK)
            status = heed_lines_next(c->references, &more_references, &reference);
        if (status == HEED_OK && more != more_references) {
            *surplus = more ? 1 : -1;
            return HEED_OK;
        }
        if (status == HEED_OK && more)
            status = heed_scorer_add(c->scorer, hypothesis.text, reference.text);
    }
    return status;
}

/* JSON has no NaN. */
static void write_json_number(heed_writer *w, const char *name, double value)
{
    if (isnan(value))
        heed_writer_printf(w, ", \"%s\": null", name);
    else
        heed_writer_printf(w, ", \"%s\": %.6g", name, value);
}

static heed_status write_scores(cli_session *s, const heed_scores *r, bool json)
{
    heed_writer *w;
    heed_status status = heed_writer_open(s->context, "-", &w);
    if (status != HEED_OK)
        return status;
    if (json) {
        heed_writer_printf(w, "{\"lines\": %lld", (long long)r->lines);
        write_json_number(w, "exact_match", r->exact_match);
        write_json_number(w, "token_error_rate", r->token_error_rate);
        heed_writer_printf(w, "}\n");
    } else {
        heed_writer_printf(w, "exact match       %6.2f %%  (%lld of %lld lines)\n", 100 * r->exact_match,
                           (long long)r->exact, (long long)r->lines);
        heed_writer_printf(w, "token error rate  %6.2f %%  (%lld edits, %lld tokens)\n", 100 * r->token_error_rate,
                           (long long)r->edits, (long long)r->reference_tokens);
    }
    status = heed_writer_commit(w);
    heed_writer_free(w);
    return status;
}

static int run(cli_session *s, const void *values)
{
    const score_values *v = values;
    if (strcmp(v->hypothesis, "-") == 0 && strcmp(v->reference, "-") == 0)
        return cli_error(CLI_WRONG_USAGE, NULL, "standard input: cannot be both hypothesis and reference");
    comparison c = {0};
    int surplus = 0;
    heed_status status = open_all(&c, s, v);
    if (status == HEED_OK)
        status = compare_all(&c, &surplus);
    heed_scores scores = status == HEED_OK ? heed_scorer_result(c.scorer) : (heed_scores){0};
    close_all(&c);
    if (surplus != 0)
        return cli_error(CLI_FAILED, NULL, "%s: more lines than %s (expected %lld)",
                         surplus > 0 ? v->hypothesis : v->reference, surplus > 0 ? v->reference : v->hypothesis,
                         (long long)scores.lines);
    if (status == HEED_OK)
        status = write_scores(s, &scores, v->json);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

const cli_command cli_score = {
    .name = "score",
    .purpose = "compare lines with references",
    .description = "Tells how many lines equal their reference, and the token error rate: insertions, deletions and "
                   "replacements of tokens that lead to the reference, divided by its tokens.",
    .options = options,
    .values_size = sizeof(score_values),
    .examples = examples,
    .run = run,
};
