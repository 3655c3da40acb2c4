#include "command.h"
#include "heed/output.h"
#include "heed/seq2seq.h"
#include "heed/text.h"
#include "json.h"
#include "report.h"
#include "score_lines.h"

#include <stdlib.h>
#include <string.h>

typedef struct translate_values {
    const char *model, *file, *output, *alignments, *reference;
    int64_t     beam, n_best, min_length, max_length, top_k, batch_size;
    double      length_penalty, coverage_penalty, patience, min_ratio, max_ratio, temperature, top_p;
    bool        sample, scores;
} translate_values;

static const cli_option options[] = {
    {"MODEL", CLI_BIND(translate_values, model), .required = true, .help = "a translator made by heed train"},
    {"FILE", CLI_BIND(translate_values, file), .standard = "-", .help = "the lines to translate"},
    {"--output", CLI_BIND(translate_values, output), "FILE", "-",
     .help = "where the translations go, a line for a line", .letter = 'o'},
    {"--beam", CLI_BIND(translate_values, beam), "N", "4", "hypotheses kept at each step; 1 is greedy",
     CLI_BETWEEN(1, 64)},
    {"--n-best", CLI_BIND(translate_values, n_best), "N", "1",
     "translations written for each line, best first; at most as many as --beam, unless they are drawn",
     CLI_BETWEEN(1, 64)},
    {"--length-penalty", CLI_BIND(translate_values, length_penalty), "A", "1",
     "translations are ranked by log probability / length^A", CLI_AT_LEAST(0)},
    {"--coverage-penalty", CLI_BIND(translate_values, coverage_penalty), "B", "0",
     "to which B times the sum of log(min(1, attention it got)) over the source's tokens is added", CLI_AT_LEAST(0)},
    {"--patience", CLI_BIND(translate_values, patience), "F", "1",
     "the search is over when F times --beam hypotheses have ended; a large one searches to the end", CLI_ABOVE(0)},
    {"--min-length", CLI_BIND(translate_values, min_length), "N", "0", "target tokens at least", CLI_AT_LEAST(0)},
    {"--max-length", CLI_BIND(translate_values, max_length), "N",
     .help = "target tokens at most (default: half as many again as in training)", CLI_AT_LEAST(1)},
    {"--min-ratio", CLI_BIND(translate_values, min_ratio), "R", "0", "target tokens at least, for each of the source",
     CLI_AT_LEAST(0)},
    {"--max-ratio", CLI_BIND(translate_values, max_ratio), "R",
     .help = "target tokens at most, for each of the source (default: --max-length alone)", CLI_ABOVE(0)},
    {"--sample", CLI_BIND(translate_values, sample),
     .help = "draw --n-best translations by their probability, instead of searching for the likeliest; they depend on "
             "--seed and the line's number"},
    {"--temperature", CLI_BIND(translate_values, temperature), "T", "1",
     "tokens are drawn in proportion to probability^(1/T)", CLI_ABOVE(0)},
    {"--top-k", CLI_BIND(translate_values, top_k), "K", .help = "draw among the K likeliest tokens (default: all)",
     CLI_AT_LEAST(1)},
    {"--top-p", CLI_BIND(translate_values, top_p), "P", "1",
     "draw among the likeliest tokens that have a share of P together", .above = true, CLI_BETWEEN(0, 1)},
    {"--batch-size", CLI_BIND(translate_values, batch_size), "N",
     .help = "lines translated together at most (default: as many as make 256 hypotheses)", CLI_BETWEEN(1, 4096)},
    {"--scores", CLI_BIND(translate_values, scores),
     .help = "begin each line with the natural logarithm of its probability and a TAB"},
    {"--alignments", CLI_BIND(translate_values, alignments), "FILE",
     .help = "also write source tokens, target tokens and weights: a JSON object a line"},
    {"--reference", CLI_BIND(translate_values, reference), "FILE",
     .help = "also score the translations against these lines, on standard error"},
    {0},
};

static const cli_example examples[] = {
    {"echo '3 mai 1979' | heed translate dates.keras", "one line"},
    {"heed translate dates.keras dates.txt --beam 1 --alignments dates.jsonl",
     "a file, greedily, with what was attended to"},
    {"heed translate ende.keras in.txt --sample --top-p 0.9 --n-best 3 --seed 7 --scores", "three that it might say"},
    {0},
};

/* Lines are taken in groups, for speed, but no group waits for a line that is still to be typed or sent. */
enum { GROUP = 1024 };

typedef struct translating {
    const translate_values *values;
    heed_context    *context;
    heed_translator *translator;
    heed_lines      *lines, *references;
    heed_scorer     *scorer;
    heed_writer     *output, *alignments;
    uint64_t         seed;
    int64_t          done;    /* lines */
    int              surplus; /* 1: there are more lines than references; -1: fewer */
} translating;

static void write_json_texts(heed_writer *w, const char *name, char **texts, int count)
{
    heed_writer_printf(w, "\"%s\": [", name);
    for (int i = 0; i < count; i++) {
        heed_writer_printf(w, i == 0 ? "" : ", ");
        cli_json_text(w, texts[i]);
    }
    heed_writer_printf(w, "]");
}

static void write_weights(heed_writer *w, const float *weights, int targets, int sources)
{
    heed_writer_printf(w, "[");
    for (int i = 0; i < targets; i++) {
        heed_writer_printf(w, i == 0 ? "[" : ", [");
        for (int k = 0; k < sources; k++) {
            heed_writer_printf(w, k == 0 ? "" : ", ");
            cli_json_number(w, (double)weights[i * sources + k]);
        }
        heed_writer_printf(w, "]");
    }
    heed_writer_printf(w, "]");
}

/* With several maps also each of them, by name. */
static void write_alignment(heed_writer *w, const heed_translator *translator, const heed_translation *t,
                            const heed_hypothesis *h)
{
    heed_writer_printf(w, "{");
    write_json_texts(w, "source", t->source_tokens, t->source_count);
    heed_writer_printf(w, ", ");
    write_json_texts(w, "target", h->tokens, h->token_count);
    heed_writer_printf(w, ", \"score\": ");
    cli_json_number(w, h->score);
    heed_writer_printf(w, ", \"weights\": ");
    write_weights(w, h->weights, h->token_count, t->source_count);
    for (int map = 0; map < h->map_count && h->map_count > 1; map++) {
        char name[64];
        heed_translator_map_name(translator, map, name, sizeof name);
        heed_writer_printf(w, map == 0 ? ", \"maps\": {" : ", ");
        cli_json_text(w, name);
        heed_writer_printf(w, ": ");
        write_weights(w, h->maps + (size_t)map * (size_t)h->token_count * (size_t)t->source_count, h->token_count,
                      t->source_count);
    }
    heed_writer_printf(w, h->map_count > 1 ? "}}\n" : "}\n");
}

/* Compares a translation with the next reference; NULL stands for the end of the lines. */
static heed_status score(translating *t, const char *text)
{
    heed_line reference;
    bool more;
    if (t->scorer == NULL || t->surplus != 0)
        return HEED_OK;
    heed_status status = heed_lines_next(t->references, &more, &reference);
    if (status == HEED_OK && more && text != NULL)
        return heed_scorer_add(t->scorer, text, reference.text);
    t->surplus = text != NULL ? 1 : more ? -1 : 0;
    return status;
}

/* N lines, or fewer than N translations and empty lines: so the line that comes next begins where one expects it. */
static void write_translation(translating *t, const heed_translation *translation)
{
    for (int k = 0; k < t->values->n_best; k++) {
        const heed_hypothesis *h = k < translation->hypothesis_count ? &translation->hypotheses[k] : NULL;
        if (t->values->scores && h != NULL)
            heed_writer_printf(t->output, "%.6f\t", h->score);
        heed_writer_printf(t->output, "%s\n", h != NULL ? h->text : "");
        if (t->alignments != NULL && h != NULL)
            write_alignment(t->alignments, t->translator, translation, h);
    }
}

static heed_decode_config config_of(const translating *t)
{
    const translate_values *v = t->values;
    return (heed_decode_config){.beam = (int)v->beam,
                                .n_best = (int)v->n_best,
                                .length_penalty = v->length_penalty == 0 ? -1 : v->length_penalty,
                                .coverage_penalty = v->coverage_penalty,
                                .patience = v->patience,
                                .sample = v->sample,
                                .temperature = v->temperature,
                                .top_k = (int)v->top_k,
                                .top_p = v->top_p,
                                .seed = t->seed,
                                .min_length = (int)v->min_length,
                                .max_length = (int)v->max_length,
                                .min_ratio = v->min_ratio,
                                .max_ratio = v->max_ratio,
                                .batch_size = (int)v->batch_size,
                                .first_line = t->done + 1,
                                .no_weights = t->alignments == NULL};
}

static heed_status translate_group(translating *t, char **lines, int count)
{
    heed_decode_config config = config_of(t);
    heed_translation *translations;
    heed_status status = heed_translate(t->translator, (const char *const *)lines, count, &config, &translations);
    if (status != HEED_OK)
        return status;
    for (int i = 0; i < count && status == HEED_OK; i++) {
        write_translation(t, &translations[i]);
        status = score(t, translations[i].hypotheses[0].text);
    }
    heed_translations_free(t->translator, translations, count);
    t->done += count;
    return status == HEED_OK ? heed_writer_flush(t->output) : status;
}

/* Where a group cannot be translated, its lines are tried one by one: those before the bad one have their answers. */
static heed_status translate_lines(translating *t, char **lines, int count)
{
    int64_t done = t->done;
    heed_status status = translate_group(t, lines, count);
    for (int i = 0; i < count && count > 1 && t->done == done + i; i++)
        status = translate_group(t, &lines[i], 1);
    return status;
}

/* Reads up to GROUP lines, each freed by the caller; *more is false at the end. */
static heed_status read_lines(translating *t, char **lines, int *count, bool *more)
{
    for (*count = 0, *more = true; *count == 0 || (*count < GROUP && !heed_lines_wait(t->lines));) {
        heed_line line;
        heed_status status = heed_lines_next(t->lines, more, &line);
        if (status != HEED_OK || !*more)
            return status;
        char *copy = malloc(line.length + 1);
        if (copy == NULL)
            return HEED_ENOMEM;
        memcpy(copy, line.text, line.length + 1);
        lines[(*count)++] = copy;
    }
    return HEED_OK;
}

static heed_status translate_all(translating *t)
{
    char *lines[GROUP];
    bool more = true;
    heed_status status = HEED_OK;
    while (more && status == HEED_OK) {
        int count;
        status = read_lines(t, lines, &count, &more);
        /* what came before a bad line is translated all the same */
        heed_status done = count > 0 ? translate_lines(t, lines, count) : HEED_OK;
        status = status == HEED_OK ? done : status;
        for (int i = 0; i < count; i++)
            free(lines[i]);
    }
    return status == HEED_OK ? score(t, NULL) : status;
}

static heed_status open_all(translating *t)
{
    const translate_values *v = t->values;
    heed_status status = heed_translator_load(t->context, v->model, &t->translator);
    if (status == HEED_OK)
        status = heed_lines_open(t->context, v->file, 0, &t->lines);
    if (status == HEED_OK && v->reference != NULL)
        status = heed_lines_open(t->context, v->reference, 0, &t->references);
    if (status == HEED_OK && v->reference != NULL)
        status = heed_scorer_create(t->context, &(heed_scorer_config){0}, &t->scorer);
    if (status == HEED_OK)
        status = heed_writer_open(t->context, v->output, &t->output);
    if (status == HEED_OK && v->alignments != NULL)
        status = heed_writer_open(t->context, v->alignments, &t->alignments);
    return status;
}

static void close_all(translating *t)
{
    heed_writer_free(t->alignments);
    heed_writer_free(t->output);
    heed_scorer_free(t->scorer);
    heed_lines_free(t->references);
    heed_lines_free(t->lines);
    heed_translator_free(t->translator);
}

static int check(const translate_values *v)
{
    const char *hint = "see heed translate --help";
    if (!v->sample && (v->temperature != 1 || v->top_k > 0 || v->top_p != 1))
        return cli_error(CLI_WRONG_USAGE, hint, "--temperature, --top-k, --top-p: say how to draw (expected --sample)");
    if (!v->sample && v->n_best > v->beam)
        return cli_error(CLI_WRONG_USAGE, hint, "--n-best: more than --beam keeps (expected at most %lld, found %lld)",
                         (long long)v->beam, (long long)v->n_best);
    if (v->max_length > 0 && v->min_length > v->max_length)
        return cli_error(CLI_WRONG_USAGE, hint, "--min-length: more than --max-length");
    if (v->max_ratio > 0 && v->min_ratio > v->max_ratio)
        return cli_error(CLI_WRONG_USAGE, hint, "--min-ratio: more than --max-ratio");
    if (v->reference != NULL && strcmp(v->file, "-") == 0 && strcmp(v->reference, "-") == 0)
        return cli_error(CLI_WRONG_USAGE, hint, "standard input: cannot be both FILE and --reference");
    if (v->alignments != NULL && strcmp(v->alignments, v->output) == 0)
        return cli_error(CLI_WRONG_USAGE, hint, "--alignments: needs a file other than the translations'");
    return CLI_DONE;
}

/* The scores; fails when the references do not match the lines. */
static int finish_scores(const cli_session *s, const translating *t)
{
    const char *input = strcmp(t->values->file, "-") == 0 ? "standard input" : t->values->file;
    const char *reference = strcmp(t->values->reference, "-") == 0 ? "standard input" : t->values->reference;
    heed_scores r = heed_scorer_result(t->scorer);
    if (t->surplus != 0)
        return cli_error(CLI_FAILED, NULL, "%s: more lines than %s (expected %lld)", t->surplus > 0 ? input : reference,
                         t->surplus > 0 ? reference : input, (long long)r.lines);
    char bleu[CLI_SCORE_LINE], chrf[CLI_SCORE_LINE];
    if (cli_bleu_line(s->context, t->scorer, 2, bleu) != HEED_OK ||
        cli_chrf_line(s->context, t->scorer, 2, chrf) != HEED_OK)
        return cli_failed(s);
    cli_note(s, "%lld lines, exact match %.2f %%, token error rate %.2f %%", (long long)r.lines, 100 * r.exact_match,
             100 * r.token_error_rate);
    cli_note(s, "%s", bleu);
    cli_note(s, "%s", chrf);
    return CLI_DONE;
}

static int run(cli_session *s, const void *values)
{
    const translate_values *v = values;
    translating t = {.values = v, .context = s->context, .seed = (uint64_t)s->seed};
    int exit_status = check(v);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_status status = open_all(&t);
    if (status == HEED_OK)
        status = translate_all(&t);
    if (status == HEED_OK)
        status = heed_writer_commit(t.output);
    if (status == HEED_OK && t.alignments != NULL)
        status = heed_writer_commit(t.alignments);
    if (status != HEED_OK)
        exit_status = cli_failed(s);
    else if (t.scorer != NULL)
        exit_status = finish_scores(s, &t);
    close_all(&t);
    return exit_status;
}

const cli_command cli_translate = {
    .name = "translate",
    .purpose = "translate lines with a translator that heed train made",
    .description = "A line in, a line out, in order; each as soon as no further line is waiting to be read. With --n-best N each "
                   "line gives N lines, empty ones where there are fewer translations.\n\n"
                   "A line's translation does not depend on the lines around it; one that is drawn depends on its number.",
    .options = options,
    .values_size = sizeof(translate_values),
    .examples = examples,
    .run = run,
};
