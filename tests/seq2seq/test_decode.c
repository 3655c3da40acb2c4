/* What `heed_decode_config` promises, asked of translators of each kind: lengths, coverage, n-best, sampling, and that
 * a line's translations are the same bits whatever is decoded beside it. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/seq2seq.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAIRS "test_decode_pairs.tsv"

enum { LINES = 41, LONGEST = 9, MOST = 12 };

static const struct {
    const char *recipe, *settings, *file;
} translators[] = {
    {"gru-attention", "units=12, embedding=8, target_embedding=6, output_units=10, batch_size=16",
     "test_decode_1.keras"},
    {"transformer",
     "source_tokens='characters', target_tokens='characters', batch_tokens=0, batch_size=16, warmup_steps=5, "
     "longest=20, size=16, heads=4, feed_forward=24, encoder_layers=1, decoder_layers=2, kernel_size=3",
     "test_decode_2.keras"},
};
enum { TRANSLATORS = sizeof translators / sizeof *translators };

static char        texts[LINES][LONGEST + 1];
static const char *lines[LINES];

static void must(heed_context *c, heed_status status)
{
    if (status != HEED_OK)
        print_error("%s\n", heed_error(c));
    assert_int_equal(status, HEED_OK);
}

static void write_pairs(void)
{
    FILE *f = fopen(PAIRS, "w");
    assert_non_null(f);
    heed_random r = {.seed = 2};
    for (int i = 0; i < 200; i++) {
        char source[LONGEST + 1] = "";
        int length = 1 + (int)heed_random_below(&r, LONGEST);
        for (int k = 0; k < length; k++)
            source[k] = (char)('a' + heed_random_below(&r, 5));
        fprintf(f, "%s\t%s\n", source, source);
        if (i < LINES)
            lines[i] = strcpy(texts[i], source);
    }
    assert_int_equal(fclose(f), 0);
    lines[7] = ""; /* an empty one among them */
}

static int train_all(void **state)
{
    (void)state;
    write_pairs();
    for (int i = 0; i < TRANSLATORS; i++) {
        heed_context *c;
        heed_trainer *t;
        assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
        heed_train_config config = {.recipe = translators[i].recipe, .settings = translators[i].settings,
                                    .pairs = PAIRS, .steps = 40, .seed = 3};
        must(c, heed_trainer_create(c, &config, &t));
        must(c, heed_trainer_run(t));
        must(c, heed_trainer_save(t, translators[i].file));
        heed_trainer_free(t);
        heed_context_free(c);
    }
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    for (int i = 0; i < TRANSLATORS; i++)
        unlink(translators[i].file);
    return unlink(PAIRS);
}

typedef struct session {
    heed_context     *c;
    heed_translator  *d;
    heed_translation *r;
} session;

static session open_translator(int which, int threads)
{
    session s = {.c = NULL};
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads}, &s.c), HEED_OK);
    must(s.c, heed_translator_load(s.c, translators[which].file, &s.d));
    return s;
}

static void close_translator(session *s)
{
    heed_translator_free(s->d);
    heed_context_free(s->c);
}

static const heed_translation *translate(session *s, const heed_decode_config *config)
{
    must(s->c, heed_translate(s->d, lines, LINES, config, &s->r));
    return s->r;
}

static void forget(session *s) { heed_translations_free(s->d, s->r, LINES); }

/* ---- what does not matter */

static void assert_same(const heed_translation *a, const heed_translation *b)
{
    assert_int_equal(a->hypothesis_count, b->hypothesis_count);
    for (int k = 0; k < a->hypothesis_count; k++) {
        const heed_hypothesis *x = &a->hypotheses[k], *y = &b->hypotheses[k];
        assert_string_equal(x->text, y->text);
        assert_memory_equal(&x->score, &y->score, sizeof x->score);
        assert_memory_equal(&x->rank, &y->rank, sizeof x->rank);
        if (x->map_count > 0)
            assert_memory_equal(x->maps, y->maps, (size_t)(x->map_count * x->token_count * a->source_count) *
                                                      sizeof *x->maps);
    }
}

static const heed_decode_config ways[] = {
    {.beam = 1, .max_length = MOST},
    {.beam = 4, .n_best = 4, .max_length = MOST, .no_weights = true},
    {.beam = 5, .n_best = 3, .max_length = MOST, .coverage_penalty = 0.3, .min_ratio = 0.5},
    {.n_best = 3, .max_length = MOST, .sample = true, .seed = 9, .top_p = 0.95, .temperature = 0.8},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* Bit for bit the same in batches of any size, at any number of threads, and alone. */
static void test_batches_do_not_matter(void **state)
{
    (void)state;
    static const struct {
        int threads, batch_size;
    } cases[] = {{1, 64}, {2, 1}, {3, 2}, {1, 7}, {2, 30}};
    for (int which = 0; which < TRANSLATORS; which++)
        for (int way = 0; way < WAYS; way++) {
            session all = open_translator(which, 2);
            translate(&all, &ways[way]);
            for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                session s = open_translator(which, cases[i].threads);
                heed_decode_config config = ways[way];
                config.batch_size = cases[i].batch_size;
                translate(&s, &config);
                for (int k = 0; k < LINES; k++)
                    assert_same(&s.r[k], &all.r[k]);
                forget(&s);
                heed_translation *one; /* a line by itself that says which it is */
                config.first_line = 21;
                must(s.c, heed_translate(s.d, &lines[20], 1, &config, &one));
                assert_same(one, &all.r[20]);
                heed_translations_free(s.d, one, 1);
                close_translator(&s);
            }
            forget(&all);
            close_translator(&all);
        }
}

/* ---- what does */

static void test_lengths(void **state)
{
    (void)state;
    static const heed_decode_config cases[] = {
        {.min_length = 6, .max_length = MOST}, {.max_length = 3},           {.min_length = 4, .max_length = 4},
        {.min_ratio = 1.5, .max_length = MOST}, {.max_ratio = 0.5, .max_length = MOST},
        {.min_ratio = 1, .max_ratio = 1, .max_length = MOST},
    };
    for (int which = 0; which < TRANSLATORS; which++) {
        session s = open_translator(which, 2);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (int sample = 0; sample < 2; sample++) {
                heed_decode_config config = cases[i];
                config.n_best = 3;
                config.sample = sample == 1;
                translate(&s, &config);
                for (int k = 0; k < LINES; k++)
                    for (int n = 0; n < s.r[k].hypothesis_count && s.r[k].source_count > 0; n++) {
                        double source = s.r[k].source_count, most = config.max_length, least = config.min_length;
                        if (config.max_ratio > 0)
                            most = fmin(most, fmax(1, floor(config.max_ratio * source)));
                        least = fmin(most, fmax(least, ceil(config.min_ratio * source)));
                        assert_in_range(s.r[k].hypotheses[n].token_count, least, most);
                    }
                forget(&s);
            }
        close_translator(&s);
    }
}

/* The formula by hand, from what a hypothesis tells of itself. */
static void test_coverage(void **state)
{
    (void)state;
    for (int which = 0; which < TRANSLATORS; which++) {
        session s = open_translator(which, 2);
        heed_decode_config config = {.n_best = 4, .max_length = 30, .length_penalty = 0.6, .coverage_penalty = 0.4,
                                     .patience = 3};
        translate(&s, &config);
        for (int k = 0; k < LINES; k++)
            for (int n = 0; n < s.r[k].hypothesis_count && s.r[k].source_count > 0; n++) {
                const heed_hypothesis *h = &s.r[k].hypotheses[n];
                double covered = 0;
                for (int i = 0; i < s.r[k].source_count; i++) {
                    double sum = 0;
                    for (int j = 0; j < h->token_count; j++)
                        sum += (double)h->weights[j * s.r[k].source_count + i];
                    covered += log(fmin(fmax(sum, 1.17549435e-38), 1));
                }
                int length = h->token_count + (h->token_count < 30);
                double expected = h->score / pow(length, 0.6) + 0.4 * covered;
                assert_true(fabs(h->rank - expected) < 1e-4 * fabs(expected));
                assert_true(n == 0 || s.r[k].hypotheses[n - 1].rank >= h->rank);
            }
        forget(&s);
        close_translator(&s);
    }
}

static void test_n_best(void **state)
{
    (void)state;
    for (int which = 0; which < TRANSLATORS; which++) {
        session s = open_translator(which, 2);
        translate(&s, &(heed_decode_config){.beam = 6, .n_best = 6, .max_length = MOST});
        for (int k = 0; k < LINES; k++)
            for (int n = 0; n < s.r[k].hypothesis_count; n++)
                for (int i = 0; i < n; i++) {
                    assert_string_not_equal(s.r[k].hypotheses[i].text, s.r[k].hypotheses[n].text);
                    assert_true(s.r[k].hypotheses[i].rank >= s.r[k].hypotheses[n].rank);
                }
        heed_translation *six = s.r; /* fewer that are wanted are the best of those, or what ended soon enough */
        translate(&s, &(heed_decode_config){.beam = 6, .n_best = 1, .max_length = MOST, .length_penalty = 1});
        for (int k = 0; k < LINES; k++)
            assert_same(&(heed_translation){.hypothesis_count = 1, .hypotheses = six[k].hypotheses,
                                            .source_count = six[k].source_count}, &s.r[k]);
        heed_translations_free(s.d, six, LINES);
        forget(&s);
        close_translator(&s);
    }
}

/* Cold sampling is greedy; another seed is another draw, and each of a line's samples is one of its own. */
static void test_sampling(void **state)
{
    (void)state;
    for (int which = 0; which < TRANSLATORS; which++) {
        session s = open_translator(which, 2);
        translate(&s, &(heed_decode_config){.beam = 1, .max_length = MOST});
        heed_translation *greedy = s.r;
        static const heed_decode_config cold[] = {{.sample = true, .max_length = MOST, .temperature = 1e-6},
                                                  {.sample = true, .max_length = MOST, .top_k = 1},
                                                  {.sample = true, .max_length = MOST, .top_p = 1e-5}};
        for (int i = 0; i < 3; i++) {
            translate(&s, &cold[i]);
            for (int k = 0; k < LINES; k++)
                assert_string_equal(greedy[k].hypotheses[0].text, s.r[k].hypotheses[0].text);
            forget(&s);
        }
        heed_translations_free(s.d, greedy, LINES);
        translate(&s, &(heed_decode_config){.sample = true, .max_length = MOST, .seed = 1, .n_best = 2});
        heed_translation *first = s.r;
        translate(&s, &(heed_decode_config){.sample = true, .max_length = MOST, .seed = 2, .n_best = 2});
        int equal = 0, twins = 0;
        for (int k = 0; k < LINES; k++) {
            equal += strcmp(first[k].hypotheses[0].text, s.r[k].hypotheses[0].text) == 0;
            twins += s.r[k].hypothesis_count == 2 &&
                     strcmp(s.r[k].hypotheses[0].text, s.r[k].hypotheses[1].text) == 0;
        }
        assert_true(equal < LINES / 2 && twins < LINES / 2);
        heed_translations_free(s.d, first, LINES);
        forget(&s);
        close_translator(&s);
    }
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        heed_decode_config config;
        const char        *error;
    } cases[] = {
        {{.beam = 65}, "beam is out of range (expected 1 to 64, found 65)"},
        {{.beam = 2, .n_best = 3}, "n_best is out of range (expected 1 to 2, found 3)"},
        {{.sample = true, .n_best = 65}, "n_best is out of range (expected 1 to 64, found 65)"},
        {{.temperature = -1}, "temperature is out of range (expected 1e-06 or more, found -1)"},
        {{.temperature = NAN}, "temperature is out of range (expected 1e-06 or more, found nan)"},
        {{.top_p = 1.5}, "top_p is out of range (expected 1e-06 to 1, found 1.5)"},
        {{.top_k = -2}, "top_k is out of range (expected 0 or more, found -2)"},
        {{.min_length = 5, .max_length = 4}, "min_length is out of range (expected 0 to 4, found 5)"},
        {{.min_ratio = 2, .max_ratio = 1}, "min_ratio is out of range (expected 0 to 1, found 2)"},
        {{.coverage_penalty = -1}, "coverage_penalty is out of range (expected 0 or more, found -1)"},
        {{.batch_size = 5000}, "batch_size is out of range (expected 1 to 4096, found 5000)"},
    };
    session s = open_translator(0, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(heed_translate(s.d, lines, LINES, &cases[i].config, &s.r), HEED_EINVAL);
        assert_string_equal(heed_error(s.c), cases[i].error);
    }
    close_translator(&s);
}

static heed_status translate_some(heed_context *c, void *user)
{
    heed_translator *d;
    heed_translation *r;
    heed_status status = heed_translator_load(c, translators[0].file, &d);
    if (status == HEED_OK) {
        status = heed_translate(d, lines, 9, user, &r);
        if (status == HEED_OK)
            heed_translations_free(d, r, 9);
    }
    heed_translator_free(d);
    return status;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    heed_decode_config config = {.sample = true, .n_best = 2, .coverage_penalty = 1, .max_length = 2};
    heed_test_each_allocation_fails(translate_some, &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_do_not_matter),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_n_best),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, train_all, remove_all);
}
