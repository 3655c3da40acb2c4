#include "command.h"
#include "heed/output.h"
#include "heed/seq2seq.h"
#include "heed/text.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct translate_values {
    const char *model, *file, *output, *alignments, *reference;
    int64_t     beam, n_best, max_length;
    double      length_penalty;
    bool        scores;
} translate_values;

static const cli_option options[] = {
    {"MODEL", CLI_BIND(translate_values, model), .required = true, .help = "a translator made by heed train"},
    {"FILE", CLI_BIND(translate_values, file), .standard = "-", .help = "the lines to translate"},
    {"--output", CLI_BIND(translate_values, output), "FILE", "-", .help = "where the translations go, a line for a line", .letter = 'o'},
    {"--beam", CLI_BIND(translate_values, beam), "N", "4", "hypotheses kept at each step; 1 is greedy", CLI_BETWEEN(1, 64)},
    {"--n-best", CLI_BIND(translate_values, n_best), "N", "1", "translations written for each line, best first", CLI_BETWEEN(1, 64)},
    {"--length-penalty", CLI_BIND(translate_values, length_penalty), "A", "1", "hypotheses are ranked by log probability / length^A", CLI_AT_LEAST(0)},
    {"--max-length", CLI_BIND(translate_values, max_length), "N", .help = "target tokens at most (default: half as many again as in training)", CLI_AT_LEAST(1)},
    {"--scores", CLI_BIND(translate_values, scores), .help = "begin each line with the natural logarithm of its probability and a TAB"},
    {"--alignments", CLI_BIND(translate_values, alignments), "FILE", .help = "also write source tokens, target tokens and weights: a JSON object a line"},
    {"--reference", CLI_BIND(translate_values, reference), "FILE", .help = "also score the translations against these lines, on standard error"},
    {0},
};

static const cli_example examples[] = {
    {"echo '3 mai 1979' | heed translate dates.keras", "one line"},
    {"heed translate dates.keras dates.txt --beam 1 --alignments dates.jsonl", "a file, greedily, with what was attended to"},
    {0},
};

/* Lines are taken in groups, for speed; a person who types gets an answer to each line. */
enum { GROUP = 1024 };

typedef struct translating {
    const translate_values *values;
    heed_context    *context;
    heed_translator *translator;
    heed_lines      *lines, *references;
    heed_scorer     *scorer;
    heed_writer     *output, *alignments;
    int              group;
} translating;

static void write_json_text(heed_writer *w, const char *text)
{
    heed_writer_write(w, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            heed_writer_printf(w, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            heed_writer_printf(w, "\\u%04x", (unsigned)*c);
        else
            heed_writer_write(w, c, 1);
    }
    heed_writer_write(w, "\"", 1);
}

static void write_json_texts(heed_writer *w, const char *name, char **texts, int count)
{
    heed_writer_printf(w, "\"%s\": [", name);
    for (int i = 0; i < count; i++) {
        heed_writer_printf(w, i == 0 ? "" : ", ");
        write_json_text(w, texts[i]);
    }
    heed_writer_printf(w, "]");
}

static void write_alignment(heed_writer *w, const heed_translation *t, const heed_hypothesis *h)
{
    heed_writer_printf(w, "{");
    write_json_texts(w, "source", t->source_tokens, t->source_count);
    heed_writer_printf(w, ", ");
    write_json_texts(w, "target", h->tokens, h->token_count);
    heed_writer_printf(w, ", \"score\": %.6g, \"weights\": [", h->score);
    for (int i = 0; i < h->token_count; i++) {
        heed_writer_printf(w, i == 0 ? "[" : ", [");
        for (int k = 0; k < t->source_count; k++)
            heed_writer_printf(w, "%s%.6g", k == 0 ? "" : ", ", (double)h->weights[i * t->source_count + k]);
        heed_writer_printf(w, "]");
    }
    heed_writer_printf(w, "]}\n");
}

static heed_status score(translating *t, const heed_translation *translation)
{
    heed_line reference;
    bool more;
    heed_status status = heed_lines_next(t->references, &more, &reference);
    if (status != HEED_OK || !more)
        return status;
    return heed_scorer_add(t->scorer, translation->hypotheses[0].text, reference.text);
}

static heed_status write_group(translating *t, const heed_translation *translations, int count)
{
    heed_status status = HEED_OK;
    for (int i = 0; i < count && status == HEED_OK; i++) {
        for (int k = 0; k < translations[i].hypothesis_count; k++) {
            const heed_hypothesis *h = &translations[i].hypotheses[k];
            if (t->values->scores)
                heed_writer_printf(t->output, "%.6f\t", h->score);
            heed_writer_printf(t->output, "%s\n", h->text);
            if (t->alignments != NULL)
                write_alignment(t->alignments, &translations[i], h);
        }
        if (t->scorer != NULL)
            status = score(t, &translations[i]);
    }
    return status == HEED_OK ? heed_writer_flush(t->output) : status;
}

static heed_status translate_group(translating *t, char **lines, int count)
{
    const translate_values *v = t->values;
    heed_decode_config config = {.beam = (int)v->beam, .n_best = (int)(v->n_best < v->beam ? v->n_best : v->beam),
                                 .length_penalty = v->length_penalty == 0 ? -1 : v->length_penalty, .max_length = (int)v->max_length};
    heed_translation *translations;
    heed_status status = heed_translate(t->translator, (const char *const *)lines, count, &config, &translations);
    if (status != HEED_OK)
        return status;
    status = write_group(t, translations, count);
    heed_translations_free(t->translator, translations, count);
    return status;
}

static heed_status translate_all(translating *t)
{
    char *lines[GROUP];
    bool more = true;
    heed_status status = HEED_OK;
    while (more && status == HEED_OK) {
        int count = 0;
        heed_line line;
        while (count < t->group && status == HEED_OK) {
            status = heed_lines_next(t->lines, &more, &line);
            if (status != HEED_OK || !more)
                break;
            lines[count] = malloc(line.length + 1);
            if (lines[count] == NULL) {
                status = HEED_ENOMEM;
                break;
            }
            memcpy(lines[count++], line.text, line.length + 1);
        }
        /* what came before a bad line is translated all the same */
        if (count > 0) {
            heed_status done = translate_group(t, lines, count);
            status = status == HEED_OK ? done : status;
        }
        for (int i = 0; i < count; i++)
            free(lines[i]);
    }
    return status;
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
        status = heed_scorer_create(t->context, NULL, &t->scorer);
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

static int run(cli_session *s, const void *values)
{
    const translate_values *v = values;
    translating t = {.values = v, .context = s->context};
    t.group = strcmp(v->file, "-") == 0 && isatty(STDIN_FILENO) ? 1 : GROUP;
    heed_status status = open_all(&t);
    if (status == HEED_OK)
        status = translate_all(&t);
    if (status == HEED_OK)
        status = heed_writer_commit(t.output);
    if (status == HEED_OK && t.alignments != NULL)
        status = heed_writer_commit(t.alignments);
    int exit_status = status == HEED_OK ? CLI_DONE : cli_failed(s);
    if (status == HEED_OK && t.scorer != NULL) {
        heed_scores r = heed_scorer_result(t.scorer);
        cli_note(s, "%lld lines, exact match %.2f %%, token error rate %.2f %%", (long long)r.lines, 100 * r.exact_match,
                 100 * r.token_error_rate);
    }
    close_all(&t);
    return exit_status;
}

const cli_command cli_translate = {
    .name = "translate",
    .purpose = "translate lines with a translator that heed train made",
    .description = "A line in, a line out, in order. With --n-best N a line gives up to N lines.",
    .options = options,
    .values_size = sizeof(translate_values),
    .examples = examples,
    .run = run,
};
