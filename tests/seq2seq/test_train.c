/* A tiny translator from training to translating: the same bits however it is interrupted, what it attends to, and
 * what it refuses. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "heed/seq2seq.h"
#include "seq2seq/translator.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS "test_train_pairs.tsv"
#define SETTINGS \
    "units=6, embedding=5, target_embedding=4, output_units=7, batch_size=8, warmup_steps=2, learning_rate=0.02"

static const char *const words[] = {"ab", "ba", "abc", "cab", "bcaa", "c", "acbb", "bb"};

/* Pairs that can be learnt: the source backwards, in digits. */
static void write_pairs(const char *path, int count)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    heed_random r = {.seed = 2};
    for (int i = 0; i < count; i++) {
        char source[32] = "", target[32] = "";
        snprintf(source, sizeof source, "%s%s", words[heed_random_below(&r, 8)], words[heed_random_below(&r, 8)]);
        size_t length = strlen(source);
        for (size_t k = 0; k < length; k++)
            target[k] = (char)('1' + source[length - 1 - k] - 'a');
        fprintf(f, "%s\t%s\n", source, target);
    }
    assert_int_equal(fclose(f), 0);
}

static heed_context *context(int threads)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &c), HEED_OK);
    return c;
}

static void must(heed_context *c, heed_status status)
{
    if (status != HEED_OK)
        print_error("%s\n", heed_error(c));
    assert_int_equal(status, HEED_OK);
}

typedef struct stop_at {
    heed_trainer *trainer;
    int64_t       step;
} stop_at;

static void stop_there(void *user, const heed_train_progress *p)
{
    stop_at *s = user;
    if (p->step == s->step)
        heed_trainer_interrupt(s->trainer);
}

/* All weights after a run. */
static float *weights_of(heed_model *m, size_t *count)
{
    *count = 0;
    for (int i = 0; i < heed_weight_count(m); i++)
        *count += (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i)));
    float *all = test_malloc(*count * sizeof *all), *at = all;
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        size_t n = (size_t)heed_shape_count(heed_variable_shape(v));
        memcpy(at, heed_variable_data(v), n * sizeof *at);
        at += n;
    }
    return all;
}

static heed_train_config config_of(int64_t steps)
{
    return (heed_train_config){.settings = SETTINGS, .pairs = PAIRS, .validation = PAIRS, .steps = steps, .seed = 3};
}

static float *run_through(int threads, int64_t steps, size_t *count)
{
    heed_context *c = context(threads);
    heed_train_config config = config_of(steps);
    heed_trainer *t;
    must(c, heed_trainer_create(c, &config, &t));
    must(c, heed_trainer_run(t));
    float *all = weights_of(heed_trainer_model(t), count);
    heed_trainer_free(t);
    heed_context_free(c);
    return all;
}

static void test_interrupted_runs_end_with_the_same_bits(void **state)
{
    (void)state;
    write_pairs(PAIRS, 60);
    enum { STEPS = 23 };
    size_t count, again;
    float *straight = run_through(2, STEPS, &count);
    static const int threads[] = {1, 3, 8};
    for (int i = 0; i < 3; i++) {
        float *other = run_through(threads[i], STEPS, &again);
        assert_int_equal(count, again);
        assert_memory_equal(other, straight, count * sizeof *straight);
        test_free(other);
    }
    static const int64_t stops[][2] = {{1, 2}, {7, 8}, {8, 15}, {22, 23}};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char directory[] = "test_train_XXXXXX";
        assert_non_null(mkdtemp(directory));
        heed_trainer *t;
        for (int k = 0; k < 3;
             k++) { /* two interruptions, then to the end; each in a process of its own, so to speak */
            heed_context *c = context(1 + k);
            stop_at stop = {NULL, k < 2 ? stops[i][k] : -1};
            heed_train_config config = config_of(STEPS);
            config.checkpoint = directory;
            config.resume = k > 0;
            config.report = stop_there;
            config.user = &stop;
            must(c, heed_trainer_create(c, &config, &t));
            stop.trainer = t;
            heed_status status = heed_trainer_run(t);
            assert_int_equal(status, k < 2 && stops[i][k] < STEPS ? HEED_EINTERRUPTED : HEED_OK);
            if (k == 2) {
                float *resumed = weights_of(heed_trainer_model(t), &again);
                assert_int_equal(count, again);
                assert_memory_equal(resumed, straight, count * sizeof *straight);
                test_free(resumed);
            }
            heed_trainer_free(t);
            heed_context_free(c);
        }
        char path[64];
        snprintf(path, sizeof path, "%s/checkpoint.keras", directory);
        unlink(path);
        rmdir(directory);
    }
    test_free(straight);
    unlink(PAIRS);
}

static void test_it_learns_translates_and_shows(void **state)
{
    (void)state;
    write_pairs(PAIRS, 400);
    heed_context *c = context(2);
    heed_train_config config = config_of(900);
    config.settings = "units=32, embedding=16, target_embedding=16, output_units=32, batch_size=16, learning_rate=0.01";
    heed_trainer *t;
    must(c, heed_trainer_create(c, &config, &t));
    must(c, heed_trainer_run(t));
    must(c, heed_trainer_save(t, "test_train.keras"));
    heed_trainer_free(t);

    heed_translator *d;
    must(c, heed_translator_load(c, "test_train.keras", &d));
    assert_string_equal(heed_translator_recipe(d), "gru-attention");
    const char *lines[] = {"abba", "", "cabc", "zab"};
    heed_translation *r;
    must(c, heed_translate(d, lines, 4, &(heed_decode_config){.beam = 3, .n_best = 3}, &r));
    assert_string_equal(r[0].hypotheses[0].text, "1221");
    assert_string_equal(r[1].hypotheses[0].text, "");
    assert_string_equal(r[2].hypotheses[0].text, "3213");
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < r[i].hypothesis_count; k++) {
            const heed_hypothesis *h = &r[i].hypotheses[k];
            assert_true(h->score <= 0 && (k == 0 || isfinite(h->score)));
            for (int n = 0; n < h->token_count; n++) {
                double sum = 0;
                for (int m = 0; m < r[i].source_count; m++)
                    sum += (double)h->weights[n * r[i].source_count + m];
                assert_true(fabs(sum - 1) < 1e-4);
            }
        }
    }
    heed_translations_free(d, r, 4);
    /* a line means the same alone and among others */
    heed_translation *alone;
    must(c, heed_translate(d, &lines[2], 1, &(heed_decode_config){.beam = 3}, &alone));
    assert_string_equal(alone[0].hypotheses[0].text, "3213");
    heed_translations_free(d, alone, 1);
    assert_int_equal(heed_translate(d, &(const char *){"a\xff"}, 1, NULL, &r), HEED_EFORMAT);
    assert_int_equal(heed_translate(d, lines, 1, &(heed_decode_config){.beam = 65}, &r), HEED_EINVAL);
    assert_int_equal(heed_translate(d, lines, 1, &(heed_decode_config){.beam = 2, .n_best = 3}, &r), HEED_EINVAL);
    heed_translator_free(d);
    heed_context_free(c);
    unlink("test_train.keras");
    unlink(PAIRS);
}

static void test_refusals(void **state)
{
    (void)state;
    write_pairs(PAIRS, 10);
    heed_context *c = context(1);
    heed_trainer *t;
    static const struct {
        heed_train_config config;
        heed_status       status;
        const char       *says;
    } cases[] = {
        {{.pairs = PAIRS, .recipe = "alchemy"}, HEED_ENOTFOUND, "alchemy"},
        {{.pairs = PAIRS, .settings = "units=0"}, HEED_EINVAL, "units"},
        {{.pairs = PAIRS, .settings = "unit=3"}, HEED_EINVAL, "unit"},
        {{.pairs = PAIRS, .settings = "attention='sum'"}, HEED_EINVAL, "attention"},
        {{.pairs = PAIRS, .settings = "piece_dropout=0.1"}, HEED_EINVAL, "neither side is cut into pieces of bpe"},
        {{.pairs = "no such file"}, HEED_EIO, "no such file"},
        {{.pairs = PAIRS, .epochs = 1, .steps = 1}, HEED_EINVAL, "only one"},
        {{.pairs = PAIRS, .epochs = -1}, HEED_EINVAL, "negative"},
        {{.pairs = PAIRS, .resume = true}, HEED_EINVAL, "resume"},
        {{.pairs = PAIRS, .checkpoint = "no such directory/run"}, HEED_EIO, "no such directory"},
        {{.pairs = PAIRS, .checkpoint = PAIRS}, HEED_EIO, PAIRS},
        {{.pairs = PAIRS, .settings = "longest=1"}, HEED_EFORMAT, "no pair"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_status status = heed_trainer_create(c, &cases[i].config, &t);
        if (status != cases[i].status || strstr(heed_error(c), cases[i].says) == NULL)
            print_error("case %zu: %d, %s\n", i, (int)status, heed_error(c));
        assert_int_equal(status, cases[i].status);
        assert_non_null(strstr(heed_error(c), cases[i].says));
        assert_null(t);
    }
    must(c, heed_file_write(c, PAIRS, "a\tb\nonly one side\n", 18));
    assert_int_equal(heed_trainer_create(c, &(heed_train_config){.pairs = PAIRS}, &t), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(c), PAIRS ":2"));
    heed_translator *d;
    assert_int_equal(heed_translator_load(c, PAIRS, &d), HEED_EFORMAT);
    heed_context_free(c);
    unlink(PAIRS);
}

static void test_recipes_that_are_not_whole(void **state)
{
    (void)state;
    static const char *const recipes[] = {"", "recipe='dates'", "longest_target=3", "recipe='dates', longest_target=3",
                                          "recipe=None, longest_target=3, settings={}"};
    heed_context *c = context(1);
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        heed_translator *d;
        heed_model *m = heed_sequential(c, "m");
        must(c, heed_set_asset(m, HEED_ASSET_RECIPE, recipes[i], strlen(recipes[i])));
        assert_int_equal(heed_translator_from_model(c, "strange.keras", m, &d), HEED_EFORMAT);
        assert_non_null(strstr(heed_error(c), "strange.keras"));
        assert_null(d);
    }
    heed_context_free(c);
}

/* What the allocator was asked for by the end of each step. */
typedef struct step_calls {
    heed_test_allocator allocator;
    size_t              after[16];
} step_calls;

static void note_calls(void *user, const heed_train_progress *p)
{
    step_calls *s = user;
    s->after[p->step] = s->allocator.calls;
}

static void test_steps_of_a_known_shape_allocate_nothing(void **state)
{
    (void)state;
    enum { STEPS = 15 };
    FILE *f = fopen(PAIRS, "w");
    assert_non_null(f);
    for (int i = 0; i < 8 * STEPS; i++)
        fprintf(f, "%c%c%c\t%c%c\n", 'a' + i % 5, 'a' + i % 3, 'a' + i % 2, '1' + i % 3, '1' + i % 7);
    assert_int_equal(fclose(f), 0);
    step_calls calls = {{0}, {0}};
    heed_context_config with = {.threads = 2, .allocator = heed_test_allocator_interface(&calls.allocator)};
    heed_context *c;
    assert_int_equal(heed_context_create(&with, &c), HEED_OK);
    heed_train_config config = {
        .settings = SETTINGS ", dropout=0.1", .pairs = PAIRS, .steps = STEPS, .report = note_calls, .user = &calls};
    heed_trainer *t;
    must(c, heed_trainer_create(c, &config, &t));
    size_t created = calls.allocator.calls;
    must(c, heed_trainer_run(t));
    assert_true(calls.after[1] > created);
    for (int step = 2; step <= STEPS; step++)
        assert_int_equal(calls.after[step], calls.after[1]);
    heed_trainer_free(t);
    heed_context_free(c);
    assert_int_equal(calls.allocator.live, 0);
    unlink(PAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted_runs_end_with_the_same_bits),
        cmocka_unit_test(test_it_learns_translates_and_shows),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_recipes_that_are_not_whole),
        cmocka_unit_test(test_steps_of_a_known_shape_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
