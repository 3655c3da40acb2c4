#include "command.h"
#include "heed/seq2seq.h"
#include "report.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct bench_values {
    const char *what, *recipe;
    cli_list    set;
    int64_t     batch, length, target_length, vocabulary, target_vocabulary, steps;
    bool        json;
} bench_values;

static const cli_option options[] = {
    {"WHAT", CLI_BIND(bench_values, what), .standard = "train", .choices = "train", .help = "the work to time"},
    {"--recipe", CLI_BIND(bench_values, recipe), "NAME", "gru-attention", .help = "whose model is trained"},
    {"--set", CLI_BIND(bench_values, set), "NAME=VALUE", .help = "change a setting of the recipe"},
    {"--batch", CLI_BIND(bench_values, batch), "N", .help = "pairs a step (default: the recipe's)", CLI_AT_LEAST(1)},
    {"--length", CLI_BIND(bench_values, length), "N", "16", "source tokens", CLI_AT_LEAST(1)},
    {"--target-length", CLI_BIND(bench_values, target_length), "N", "11", "target tokens", CLI_AT_LEAST(1)},
    {"--vocabulary", CLI_BIND(bench_values, vocabulary), "N", "1000", "source tokens there are", CLI_BETWEEN(5, 1e9)},
    {"--target-vocabulary", CLI_BIND(bench_values, target_vocabulary), "N", "15", "target tokens there are",
     CLI_BETWEEN(5, 1e9)},
    {"--steps", CLI_BIND(bench_values, steps), "N", "20", "steps that are timed", CLI_BETWEEN(1, 1e6)},
    {"--json", CLI_BIND(bench_values, json), .help = "print one JSON object"},
    {0},
};

static const cli_example examples[] = {
    {"heed bench train --recipe dates --batch 128 --length 16 --json", "a training step of the date translator"},
    {0},
};

static int run(cli_session *s, const void *values)
{
    const bench_values *v = values;
    char *settings;
    int exit_status = cli_settings_join(&v->set, NULL, 0, &settings);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_train_load load = {.recipe = v->recipe, .settings = settings, .batch = v->batch, .source_length = v->length,
                            .target_length = v->target_length, .source_vocabulary = (int32_t)v->vocabulary,
                            .target_vocabulary = (int32_t)v->target_vocabulary, .steps = (int)v->steps};
    heed_train_timing t;
    heed_status status = heed_time_training(s->context, &load, &t);
    free(settings);
    if (status != HEED_OK)
        return cli_refused(s, status);
    double tokens = (double)t.batch * (double)v->target_length;
    if (v->json)
        printf("{\"work\": \"train %s\", \"threads\": %d, \"ms\": %.4f, \"median_ms\": %.4f, \"tokens_per_second\": %.0f, \"weights\": %lld}\n",
               v->recipe, heed_threads(s->context), 1e3 * t.best, 1e3 * t.median, tokens / t.best, (long long)t.weights);
    else
        printf("train %s, %d threads: %.3f ms a step at best, %.3f median; %.0f target tokens/s; %lld weights\n",
               v->recipe, heed_threads(s->context), 1e3 * t.best, 1e3 * t.median, tokens / t.best, (long long)t.weights);
    return CLI_DONE;
}

const cli_command cli_bench = {
    .name = "bench",
    .purpose = "time a piece of work on this machine",
    .description = "Runs the work several times on random numbers and tells the best and the median time.",
    .options = options,
    .values_size = sizeof(bench_values),
    .examples = examples,
    .run = run,
};
