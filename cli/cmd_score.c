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

/* Scores all lines. *longer is set to the file that still has some when the other has no more. */
static heed_status score_lines(heed_scorer *scorer, heed_lines *hypotheses, heed_lines *references, int *longer)
{
    for (;;) {
        bool more_hypotheses, more_references;
        heed_line hypothesis, reference;
        heed_status status = heed_lines_next(hypotheses, &more_hypotheses, &hypothesis);
        if (status == HEED_OK)
            status = heed_lines_next(references, &more_references, &reference);
        if (status == HEED_OK && more_hypotheses && more_references)
            status = heed_scorer_add(scorer, hypothesis.text, reference.text);
        else if (status == HEED_OK)
            *longer = more_hypotheses - more_references;
        if (status != HEED_OK || !more_hypotheses || !more_references)
            return status;
    }
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
    heed_scorer *scorer = NULL;
    heed_lines *hypotheses = NULL, *references = NULL;
    const heed_scorer_config config = {
        .alternatives = v->alternatives, .lowercase = v->lowercase, .tokenize = v->tokenize};
    int longer = 0;
    heed_status status = heed_scorer_create(s->context, &config, &scorer);
    if (status == HEED_OK)
        status = heed_lines_open(s->context, v->hypothesis, 0, &hypotheses);
    if (status == HEED_OK)
        status = heed_lines_open(s->context, v->reference, 0, &references);
    if (status == HEED_OK)
        status = score_lines(scorer, hypotheses, references, &longer);
    heed_scores scores = scorer != NULL ? heed_scorer_result(scorer) : (heed_scores){0};
    heed_lines_free(references);
    heed_lines_free(hypotheses);
    heed_scorer_free(scorer);
    if (longer != 0)
        return cli_error(CLI_FAILED, NULL, "%s: more lines than %s (expected as many, found more than %lld)",
                         longer > 0 ? v->hypothesis : v->reference, longer > 0 ? v->reference : v->hypothesis,
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
