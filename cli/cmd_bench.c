#include "bench.h"
#include "heed/seq2seq.h"
#include "report.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"WHAT", CLI_BIND(bench_values, what), .choices = "attention|additive|lstm|gru|gemm|train|decode",
     .help = "the work to time; by default all, one after the other, and their backward passes"},
    {"--recipe", CLI_BIND(bench_values, recipe), "NAME", "gru-attention", .help = "train, decode: whose model"},
    {"--set", CLI_BIND(bench_values, set), "NAME=VALUE", .help = "train, decode: change a setting of the recipe"},
    {"--batch", CLI_BIND(bench_values, batch), "N",
     .help = "sequences at a time (default: the recipe's; decode: 32; else 1)", CLI_BETWEEN(1, 1e9)},
    {"--length", CLI_BIND(bench_values, length), "N",
     .help = "train, decode: source tokens (default: 16); lstm, gru: steps (30)", CLI_BETWEEN(1, 1e8)},
    {"--target-length", CLI_BIND(bench_values, target_length), "N", "11", "train, decode: target tokens",
     CLI_BETWEEN(1, 1e8)},
    {"--vocabulary", CLI_BIND(bench_values, vocabulary), "N", "1000", "train, decode: source tokens there are",
     CLI_BETWEEN(5, 1e9)},
    {"--target-vocabulary", CLI_BIND(bench_values, target_vocabulary), "N", "15",
     "train, decode: target tokens there are, unless both sides share theirs", CLI_BETWEEN(5, 1e9)},
    {"--beam", CLI_BIND(bench_values, beam), "N", "4", "decode: hypotheses of each sequence", CLI_BETWEEN(1, 64)},
    {"--model", CLI_BIND(bench_values, model), "MODEL",
     .help = "decode: a translator, which translates the lines of --input"},
    {"--input", CLI_BIND(bench_values, input), "FILE", .help = "decode: lines for --model"},
    {"--heads", CLI_BIND(bench_values, heads), "N", "8", "attention: heads", CLI_BETWEEN(1, 1e6)},
    {"--query-length", CLI_BIND(bench_values, query_length), "N", "512", "attention, additive: queries",
     CLI_BETWEEN(1, 1e8)},
    {"--key-length", CLI_BIND(bench_values, key_length), "N", .help = "attention, additive: keys (default: as queries)",
     CLI_BETWEEN(1, 1e8)},
    {"--head-size", CLI_BIND(bench_values, head_size), "N", "64", "attention: features of a head", CLI_BETWEEN(1, 1e6)},
    {"--causal", CLI_BIND(bench_values, causal), .help = "attention, additive: no key after the query is seen"},
    {"--lengths", CLI_BIND(bench_values, lengths), .help = "attention, additive: the keys are padded, by up to half"},
    {"--width", CLI_BIND(bench_values, width), "N", .help = "attention, additive: a window of so many keys is seen",
     CLI_BETWEEN(1, 1e8)},
    {"--weights", CLI_BIND(bench_values, weights), .help = "attention, additive: the weights are returned too"},
    {"--backward", CLI_BIND(bench_values, backward), .help = "attention, additive, lstm, gru: with the gradients"},
    {"--units", CLI_BIND(bench_values, units), "N",
     .help = "additive: size of the sum (default: 128); lstm, gru: of the state (256)", CLI_BETWEEN(1, 1e6)},
    {"--inputs", CLI_BIND(bench_values, inputs), "N", "256", "lstm, gru: features of a step", CLI_BETWEEN(1, 1e6)},
    {"--m", CLI_BIND(bench_values, m), "N", "512", "gemm: rows of the product", CLI_BETWEEN(1, 1e6)},
    {"--n", CLI_BIND(bench_values, n), "N", "512", "gemm: columns of the product", CLI_BETWEEN(1, 1e6)},
    {"--k", CLI_BIND(bench_values, k), "N", "512", "gemm: terms of a sum", CLI_BETWEEN(1, 1e6)},
    {"--steps", CLI_BIND(bench_values, steps), "N", "20", "runs that are timed", CLI_BETWEEN(1, 1e6)},
    {"--json", CLI_BIND(bench_values, json), .help = "print a JSON object a work"},
    {0},
};

static const cli_example examples[] = {
    {"heed bench train --recipe dates --batch 128 --length 16 --json", "a training step of the date translator"},
    {"heed bench attention --heads 8 --query-length 2048 --causal --backward", "a layer's share of such a step"},
    {"heed bench additive --query-length 20000 --width 15 --backward", "attention within windows"},
    {"heed bench decode --recipe transformer --vocabulary 10000 --batch 32 --beam 4 --json", "translating, a batch"},
    {"heed bench decode --model ende.keras --input test.en --batch 64 --steps 3", "translating a file"},
    {0},
};

static int bench_train(cli_session *s, const bench_values *v)
{
    char *settings, work[80], more[240];
    int exit_status = cli_settings_join(&v->set, NULL, 0, &settings);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_train_load load = {.recipe = v->recipe, .settings = settings, .batch = v->batch,
                            .source_length = v->length > 0 ? v->length : 16,
                            .target_length = v->target_length, .source_vocabulary = (int32_t)v->vocabulary,
                            .target_vocabulary = (int32_t)v->target_vocabulary, .steps = (int)v->steps};
    heed_train_timing t;
    heed_status status = heed_time_training(s->context, &load, &t);
    free(settings);
    if (status != HEED_OK)
        return cli_refused(s, status);
    snprintf(work, sizeof work, "train %s", v->recipe);
    snprintf(more, sizeof more, ", \"weights\": %lld, \"products\": %.3f, \"attention\": %.3f, \"recurrence\": %.3f, "
             "\"output\": %.3f, \"rest\": %.3f", (long long)t.weights, t.products, t.attention, t.recurrence, t.output,
             t.rest);
    bench_print(s, v, &(bench_result){.work = work, .best = t.best, .median = t.median, .rate = "tokens_per_second",
                                      .amount = (double)t.batch * (double)v->target_length, .more = more});
    if (!v->json)
        printf("of the time %.1f %% goes to products, %.1f %% to attention, %.1f %% to recurrent layers, %.1f %% to "
               "the output layer, %.1f %% to the rest\n", 100 * t.products, 100 * t.attention, 100 * t.recurrence,
               100 * t.output, 100 * t.rest);
    return CLI_DONE;
}

static const bench_work works[] = {{"attention", bench_attention, true}, {"additive", bench_additive, true},
                                   {"lstm", bench_lstm, true}, {"gru", bench_gru, true}, {"gemm", bench_gemm, false},
                                   {"train", bench_train, false}, {"decode", bench_decode, false}};

static int run(cli_session *s, const void *values)
{
    const bench_values *v = values;
    bench_values backward = *v;
    int exit_status = CLI_DONE;
    backward.backward = true;
    for (size_t i = 0; i < sizeof works / sizeof *works && exit_status == CLI_DONE; i++) {
        if (v->what != NULL && strcmp(v->what, works[i].name) != 0)
            continue;
        exit_status = works[i].run(s, v);
        if (v->what == NULL && works[i].backward && !v->backward && exit_status == CLI_DONE)
            exit_status = works[i].run(s, &backward);
    }
    return exit_status;
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
