/* Decoding: of random lines by a recipe's model, or of a file's lines by a translator. */
#include "bench.h"
#include "heed/seq2seq.h"
#include "heed/text.h"
#include "report.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, SOURCE_LENGTH = 16 };

static int of_recipe(cli_session *s, const bench_values *v)
{
    char *settings, work[80], more[128];
    int exit_status = cli_settings_join(&v->set, NULL, 0, &settings);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_decode_load load = {.recipe = v->recipe, .settings = settings, .beam = (int)v->beam,
                             .batch = v->batch > 0 ? (int)v->batch : BATCH,
                             .source_length = v->length > 0 ? (int)v->length : SOURCE_LENGTH,
                             .target_length = (int)v->target_length, .source_vocabulary = (int32_t)v->vocabulary,
                             .target_vocabulary = (int32_t)v->target_vocabulary, .steps = (int)v->steps};
    heed_decode_timing t;
    heed_status status = heed_time_decoding(s->context, &load, &t);
    free(settings);
    if (status != HEED_OK)
        return bench_refused(s, status);
    snprintf(work, sizeof work, "decode %s", v->recipe);
    snprintf(more, sizeof more, ", \"batch\": %d, \"beam\": %d, \"weights\": %lld", load.batch, load.beam,
             (long long)t.weights);
    bench_print(s, v, &(bench_result){.work = work, .best = t.best, .median = t.median, .rate = "tokens_per_second",
                                      .amount = (double)load.batch * load.target_length, .more = more});
    return CLI_DONE;
}

/* ---- a translator's */

typedef struct file_lines {
    char **items;
    size_t count, room;
} file_lines;

static void free_lines(file_lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
}

static heed_status add_line(file_lines *l, const heed_line *line)
{
    if (l->count == l->room) {
        l->room = l->room == 0 ? 1024 : 2 * l->room;
        char **items = realloc(l->items, l->room * sizeof *items);
        if (items == NULL)
            return HEED_ENOMEM;
        l->items = items;
    }
    l->items[l->count] = malloc(line->length + 1);
    if (l->items[l->count] == NULL)
        return HEED_ENOMEM;
    memcpy(l->items[l->count++], line->text, line->length + 1);
    return HEED_OK;
}

static heed_status read_lines(heed_context *c, const char *path, file_lines *out)
{
    heed_lines *lines;
    heed_status status = heed_lines_open(c, path, 0, &lines);
    for (bool more = true; status == HEED_OK && more;) {
        heed_line line;
        status = heed_lines_next(lines, &more, &line);
        if (status == HEED_OK && more)
            status = add_line(out, &line);
    }
    heed_lines_free(lines);
    return status;
}

typedef struct translating {
    heed_translator   *translator;
    file_lines         lines;
    heed_decode_config config;
    int64_t            tokens; /* of the best translations, each with its end */
} translating;

static heed_status translate(void *user)
{
    translating *t = user;
    heed_translation *r;
    int count = (int)t->lines.count;
    heed_status status = heed_translate(t->translator, (const char *const *)t->lines.items, count, &t->config, &r);
    if (status != HEED_OK)
        return status;
    t->tokens = 0;
    for (int i = 0; i < count; i++)
        t->tokens += r[i].hypotheses[0].token_count + 1;
    heed_translations_free(t->translator, r, count);
    return HEED_OK;
}

static int of_lines(cli_session *s, const bench_values *v)
{
    char more[160];
    translating t = {.config = {.beam = (int)v->beam, .batch_size = v->batch > 0 ? (int)v->batch : BATCH,
                                .no_weights = true}};
    bench_result r = {.work = "decode", .rate = "tokens_per_second", .more = more};
    heed_status status = heed_translator_load(s->context, v->model, &t.translator);
    if (status == HEED_OK)
        status = read_lines(s->context, v->input, &t.lines);
    if (status == HEED_OK)
        status = bench_time(translate, &t, v->steps, &r.best, &r.median);
    if (status == HEED_OK) {
        r.amount = (double)t.tokens;
        snprintf(more, sizeof more,
                 ", \"batch\": %d, \"beam\": %d, \"lines\": %zu, \"tokens\": %lld, \"lines_per_second\": %.6g",
                 t.config.batch_size, t.config.beam, t.lines.count, (long long)t.tokens,
                 (double)t.lines.count / r.best);
        bench_print(s, v, &r);
    }
    heed_translator_free(t.translator);
    free_lines(&t.lines);
    return status == HEED_OK ? CLI_DONE : bench_refused(s, status);
}

int bench_decode(cli_session *s, const bench_values *v)
{
    if ((v->model == NULL) != (v->input == NULL))
        return cli_error(CLI_WRONG_USAGE, "see heed bench --help", "--model and --input: each needs the other");
    return v->model == NULL ? of_recipe(s, v) : of_lines(s, v);
}
