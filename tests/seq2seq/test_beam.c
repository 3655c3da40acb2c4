/* Beam search against all that could be said: with a beam wide enough it finds the most probable sequence. And drawing:
 * what is drawn often is what is probable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/text.h"
#include "seq2seq/beam.h"

#include <math.h>
#include <string.h>

enum { SIZE = HEED_SPECIALS + 3, STEPS = 4 };

/* p of the next token after the tokens so far: any function of them will do. */
static void next_probabilities(const int32_t *tokens, int length, float *p)
{
    uint64_t history = 1;
    for (int i = 0; i < length; i++)
        history = history * SIZE + (uint64_t)tokens[i];
    heed_random r = {.seed = 5, .stream = history};
    float sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += p[i] = (float)exp(1.5 * heed_random_normal(&r));
    for (int i = 0; i < SIZE; i++)
        p[i] /= sum;
}

typedef struct answer {
    int32_t tokens[STEPS];
    int     length;
    double  score, rank;
} answer;

/* The best of all sequences that end within STEPS steps and have `least` tokens or more. */
static void search_all(int32_t *tokens, int length, double score, double penalty, int least, answer *best)
{
    float p[SIZE];
    if (length == STEPS)
        return;
    next_probabilities(tokens, length, p);
    double ended = score + log((double)p[HEED_END]), rank = ended / pow(length + 1, penalty);
    if (length >= least && rank > best->rank) {
        *best = (answer){.length = length, .score = ended, .rank = rank};
        memcpy(best->tokens, tokens, (size_t)length * sizeof *tokens);
    }
    for (int32_t t = HEED_END + 1; t < SIZE; t++) {
        tokens[length] = t;
        search_all(tokens, length + 1, score + log((double)p[t]), penalty, least, best);
    }
}

static void tokens_of(const heed_beam *b, int step, int entry, int32_t *tokens)
{
    for (int k = step; k >= 0; k--) {
        tokens[k] = heed_beam_step(b, k)[entry].token;
        entry = heed_beam_step(b, k)[entry].parent;
    }
}

/* What a model says before its softmax, which may be off by anything. */
static void logarithms(float *p, int count)
{
    for (int i = 0; i < count; i++)
        p[i] = (float)log((double)p[i]) + 3;
}

static void run_beam(heed_zone *z, const heed_beam_rules *rules, heed_beam *b)
{
    heed_candidate spare[SIZE];
    assert_int_equal(heed_beam_start(z, rules, b), HEED_OK);
    while (!b->done) {
        float p[HEED_BEAM_MOST][SIZE];
        int32_t tokens[STEPS];
        int rows = b->steps == 0 ? 1 : b->live;
        for (int row = 0; row < rows; row++) {
            if (b->steps > 0)
                tokens_of(b, b->steps - 1, row, tokens);
            next_probabilities(tokens, b->steps, p[row]);
        }
        logarithms(p[0], rows * SIZE);
        heed_beam_advance(b, p[0], SIZE, SIZE, spare);
    }
}

static heed_beam_rules rules_of(int width, double penalty)
{
    return (heed_beam_rules){.kernels = heed_kernels_for(HEED_CPU_GENERIC), .width = width, .wanted = width,
                             .most = STEPS, .length_penalty = penalty, .patience = 1};
}

/* A zone of one's own for each test. */
static int make_zone(void **state)
{
    static heed_zone z;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    heed_zone_init(&z, c);
    *state = &z;
    return 0;
}

static int free_zone(void **state)
{
    heed_zone *z = *state;
    heed_zone_free(z);
    heed_context_free(z->context);
    return 0;
}

static void test_wide_beam_finds_the_best(void **state)
{
    static const double penalties[] = {0, 0.5, 1};
    for (int i = 0; i < 9; i++) {
        double penalty = penalties[i % 3];
        answer best = {.rank = -INFINITY};
        int32_t tokens[STEPS];
        heed_beam b;
        heed_beam_rules rules = rules_of(HEED_BEAM_MOST, penalty);
        rules.least = i / 3;
        search_all(tokens, 0, 0, penalty, rules.least, &best);
        run_beam(*state, &rules, &b);
        assert_true(b.end_count > 0);
        assert_int_equal(b.ends[0].length, best.length);
        if (best.length > 0) {
            tokens_of(&b, best.length - 1, b.ends[0].parent, tokens);
            assert_memory_equal(tokens, best.tokens, (size_t)best.length * sizeof *tokens);
        }
        assert_true(fabs(b.ends[0].score - best.score) < 1e-5);
        for (int k = 1; k < b.end_count; k++)
            assert_true(b.ends[k - 1].rank >= b.ends[k].rank);
        for (int k = 0; k < b.end_count; k++)
            assert_true(b.ends[k].length >= rules.least);
    }
}

/* However narrow the beam: no two of its ends are the same, and a patient search ends no worse than a hasty one. */
static void test_ends_differ(void **state)
{
    for (int width = 1; width <= 6; width++) {
        heed_beam b, patient;
        heed_beam_rules rules = rules_of(width, 1);
        run_beam(*state, &rules, &b);
        assert_true(b.ended >= 1);
        int32_t tokens[2][STEPS];
        for (int k = 0; k < b.end_count; k++)
            for (int i = 0; i < k; i++) {
                if (b.ends[i].length != b.ends[k].length)
                    continue;
                tokens_of(&b, b.ends[i].length - 1, b.ends[i].parent, tokens[0]);
                tokens_of(&b, b.ends[k].length - 1, b.ends[k].parent, tokens[1]);
                assert_memory_not_equal(tokens[0], tokens[1], (size_t)b.ends[k].length * sizeof **tokens);
            }
        rules.patience = 100;
        run_beam(*state, &rules, &patient);
        assert_true(patient.ended >= b.ended);
        assert_true(patient.ends[0].rank >= b.ends[0].rank);
    }
}

static void test_greedy_takes_the_likeliest_token(void **state)
{
    heed_beam b;
    heed_beam_rules rules = rules_of(1, 1);
    run_beam(*state, &rules, &b);
    int32_t tokens[STEPS];
    int length = 0;
    for (; length < STEPS; length++) {
        float p[SIZE];
        next_probabilities(tokens, length, p);
        int32_t best = HEED_END;
        for (int32_t t = HEED_END + 1; t < SIZE; t++)
            best = p[t] > p[best] ? t : best;
        if (best == HEED_END)
            break;
        tokens[length] = best;
    }
    assert_int_equal(b.ends[0].length, length);
    int32_t found[STEPS];
    if (length > 0)
        tokens_of(&b, length - 1, b.ends[0].parent, found);
    assert_memory_equal(found, tokens, (size_t)length * sizeof *tokens);
}

static void test_nothing_probable(void **state)
{
    float p[SIZE];
    for (int i = 0; i < SIZE; i++)
        p[i] = NAN;
    heed_drawing drawing = {.temperature = 1, .top_p = 1};
    for (int drawn = 0; drawn < 2; drawn++) {
        heed_candidate spare[SIZE];
        heed_beam b;
        heed_beam_rules rules = rules_of(3, 1);
        rules.drawing = drawn == 1 ? &drawing : NULL;
        assert_int_equal(heed_beam_start(*state, &rules, &b), HEED_OK);
        heed_beam_advance(&b, p, SIZE, SIZE, spare);
        assert_true(b.done); /* numbers that are none lead nowhere, and it ends */
        assert_int_equal(b.end_count, 0);
    }
}

/* ---- drawing */

enum { TOKENS = 8, DRAWS = 40000 };

/* Draws often, and holds the counts against what they should be: chi-squared of 7 degrees of freedom passes 30 once in
 * 10,000 times, and with these numbers it does not. */
static void check_draws(const heed_drawing *d, const double *expected)
{
    float p[TOKENS] = {0.9f, 0.05f, 0.2f, 0.1f, 0.3f, 0.0f, 0.25f, 0.1f}; /* first: not among those drawn */
    int counts[TOKENS] = {0};
    heed_random r = {.seed = 11};
    heed_candidate spare[TOKENS];
    logarithms(p, TOKENS);
    for (int i = 0; i < DRAWS; i++) {
        int32_t token = heed_draw_token(d, p, 1, TOKENS, heed_random_double(&r), spare);
        assert_in_range(token, 1, TOKENS - 1);
        counts[token]++;
    }
    double total = 0, distance = 0;
    for (int i = 1; i < TOKENS; i++)
        total += expected[i];
    for (int i = 1; i < TOKENS; i++) {
        double mean = DRAWS * expected[i] / total;
        if (mean == 0)
            assert_int_equal(counts[i], 0);
        else
            distance += (counts[i] - mean) * (counts[i] - mean) / mean;
    }
    assert_true(distance < 30);
}

static void test_draws_are_distributed(void **state)
{
    (void)state;
    static const struct {
        heed_drawing drawing;
        double       expected[TOKENS];
    } cases[] = {
        {{1, 0, 1, 0}, {0, 0.05, 0.2, 0.1, 0.3, 0, 0.25, 0.1}},
        {{0.5, 0, 1, 0}, {0, 0.0025, 0.04, 0.01, 0.09, 0, 0.0625, 0.01}},
        {{2, 0, 1, 0}, {0, 0.2236068, 0.4472136, 0.3162278, 0.5477226, 0, 0.5, 0.3162278}},
        {{1, 1, 1, 0}, {0, 0, 0, 0, 1, 0, 0, 0}},
        {{1, 4, 1, 0}, {0, 0, 0.2, 0.1, 0.3, 0, 0.25, 0}}, /* of equals the first */
        {{1, 100, 1, 0}, {0, 0.05, 0.2, 0.1, 0.3, 0, 0.25, 0.1}},
        {{1, 0, 0.5, 0}, {0, 0, 0, 0, 0.3, 0, 0.25, 0}},
        {{1, 0, 0.6, 0}, {0, 0, 0.2, 0, 0.3, 0, 0.25, 0}},
        {{1, 0, 1e-6, 0}, {0, 0, 0, 0, 1, 0, 0, 0}},
        {{1, 3, 0.7, 0}, {0, 0, 0, 0, 0.3, 0, 0.25, 0}}, /* 0.55 of the 0.75 that three have */
        {{0.01, 0, 1, 0}, {0, 0, 0, 0, 1, 0, 0, 0}}, /* another once in 80 million draws */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_draws(&cases[i].drawing, cases[i].expected);
}

/* Whole sequences come as often as they are probable. */
static void test_sequences_are_distributed(void **state)
{
    enum { SENTENCES = 20000 };
    heed_drawing drawing = {.temperature = 1, .top_p = 1, .seed = 4};
    float p[SIZE];
    next_probabilities(NULL, 0, p);
    double all = 0;
    for (int i = HEED_END; i < SIZE; i++)
        all += (double)p[i];
    double empty = (double)p[HEED_END] / all;
    int ended_at_once = 0, drawn = 0;
    for (int i = 0; i < SENTENCES; i++) {
        heed_beam b;
        heed_beam_rules rules = rules_of(2, 0);
        rules.drawing = &drawing;
        rules.stream = (uint64_t)i;
        run_beam(*state, &rules, &b);
        assert_int_equal(b.end_count, 2);
        for (int k = 0; k < 2; k++, drawn++)
            ended_at_once += b.ends[k].length == 0;
    }
    double deviation = sqrt(drawn * empty * (1 - empty));
    assert_true(fabs(ended_at_once - drawn * empty) < 4 * deviation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wide_beam_finds_the_best, make_zone, free_zone),
        cmocka_unit_test_setup_teardown(test_ends_differ, make_zone, free_zone),
        cmocka_unit_test_setup_teardown(test_greedy_takes_the_likeliest_token, make_zone, free_zone),
        cmocka_unit_test_setup_teardown(test_nothing_probable, make_zone, free_zone),
        cmocka_unit_test(test_draws_are_distributed),
        cmocka_unit_test_setup_teardown(test_sequences_are_distributed, make_zone, free_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
