#include "command.h"
#include "heed/output.h"
#include "heed/text.h"
#include "json.h"
#include "report.h"
#include "score_lines.h"

#include <string.h>

typedef struct score_values {
    const char *hypothesis, *reference, *tokenize;
    int64_t     chrf_word_order, width;
    bool        alternatives, lowercase, json;
} score_values;

static const cli_option options[] = {
    {"HYPOTHESIS", CLI_BIND(score_values, hypothesis), .required = true, .help = "lines to be scored"},
    {"REFERENCE", CLI_BIND(score_values, reference), .required = true, .help = "as many lines that are right"},
    {"--alternatives", CLI_BIND(score_values, alternatives),
     .help = "a reference line holds several, with \" | \" between; the best one counts"},
    {"--lowercase", CLI_BIND(score_values, lowercase), .help = "compare lower-cased text"},
    {"--tokenize", CLI_BIND(score_values, tokenize), .choices = "13a|intl|none|char",
     .help = "the tokens, as sacreBLEU makes them (default: 13a for BLEU, none for the error rate)"},
    {"--chrf-word-order", CLI_BIND(score_values, chrf_word_order), "N", "0",
     "words in a row that chrF counts too; 2 makes it chrF++", CLI_BETWEEN(0, 8)},
    {"--width", CLI_BIND(score_values, width), "N", "2", "digits behind the points of BLEU and chrF", CLI_BETWEEN(0, 12)},
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
        .alternatives = v->alternatives, .lowercase = v->lowercase, .tokenize = v->tokenize,
        .chrf_word_order = (int)v->chrf_word_order};
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

static void write_json_member(heed_writer *w, const char *name, double value)
{
    heed_writer_printf(w, ", \"%s\": ", name);
    cli_json_number(w, value);
}

static void write_json_line(heed_writer *w, const char *name, const char *text)
{
    heed_writer_printf(w, ", \"%s\": ", name);
    cli_json_text(w, text);
}

static void write_json(heed_writer *w, const heed_scores *r, const char *bleu, const char *chrf)
{
    heed_writer_printf(w, "{\"lines\": %lld", (long long)r->lines);
    write_json_member(w, "exact_match", r->exact_match);
    write_json_member(w, "token_error_rate", r->token_error_rate);
    write_json_member(w, "bleu", r->bleu);
    write_json_member(w, "bleu_brevity_penalty", r->bleu_brevity);
    write_json_member(w, "bleu_length", (double)r->bleu_length);
    write_json_member(w, "bleu_reference_length", (double)r->bleu_reference_length);
    write_json_member(w, "chrf", r->chrf);
    write_json_line(w, "bleu_line", bleu);
    write_json_line(w, "chrf_line", chrf);
    heed_writer_printf(w, "}\n");
}

static void write_text(heed_writer *w, const heed_scores *r, const char *bleu, const char *chrf)
{
    heed_writer_printf(w, "exact match       %6.2f %%  (%lld of %lld lines)\n", 100 * r->exact_match,
                       (long long)r->exact, (long long)r->lines);
    heed_writer_printf(w, "token error rate  %6.2f %%  (%lld edits, %lld tokens)\n", 100 * r->token_error_rate,
                       (long long)r->edits, (long long)r->reference_tokens);
    heed_writer_printf(w, "%s\n%s\n", bleu, chrf);
}

static heed_status write_scores(cli_session *s, const heed_scorer *scorer, const score_values *v)
{
    heed_scores r = heed_scorer_result(scorer);
    char bleu[CLI_SCORE_LINE], chrf[CLI_SCORE_LINE];
    heed_writer *w;
    heed_status status = cli_bleu_line(s->context, scorer, (int)v->width, bleu);
    if (status == HEED_OK)
        status = cli_chrf_line(s->context, scorer, (int)v->width, chrf);
    if (status == HEED_OK)
        status = heed_writer_open(s->context, "-", &w);
    if (status != HEED_OK)
        return status;
    (v->json ? write_json : write_text)(w, &r, bleu, chrf);
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
    int64_t lines = status == HEED_OK ? heed_scorer_result(c.scorer).lines : 0;
    if (status == HEED_OK && surplus == 0)
        status = write_scores(s, c.scorer, v);
    close_all(&c);
    if (surplus != 0)
        return cli_error(CLI_FAILED, NULL, "%s: more lines than %s (expected %lld)",
                         surplus > 0 ? v->hypothesis : v->reference, surplus > 0 ? v->reference : v->hypothesis,
                         (long long)lines);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

const cli_command cli_score = {
    .name = "score",
    .purpose = "compare lines with references",
    .description = "Tells how many lines equal their reference, and the token error rate: insertions, deletions and "
                   "replacements of tokens that lead to the reference, divided by its tokens. BLEU and chrF, with "
                   "their signatures, are those of sacreBLEU 2.6.",
    .options = options,
    .values_size = sizeof(score_values),
    .examples = examples,
    .run = run,
};
