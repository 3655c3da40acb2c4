/* Beam search against all that could be said: with a beam wide enough it finds the most probable sequence. */
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

/* The best of all sequences that end within STEPS steps. */
static void search_all(int32_t *tokens, int length, double score, double penalty, answer *best)
{
    float p[SIZE];
    if (length == STEPS)
        return;
    next_probabilities(tokens, length, p);
    double ended = score + log((double)p[HEED_END]), rank = ended / pow(length + 1, penalty);
    if (rank > best->rank) {
        *best = (answer){.length = length, .score = ended, .rank = rank};
        memcpy(best->tokens, tokens, (size_t)length * sizeof *tokens);
    }
    for (int32_t t = HEED_END + 1; t < SIZE; t++) {
        tokens[length] = t;
        search_all(tokens, length + 1, score + log((double)p[t]), penalty, best);
    }
}

static void tokens_of(const heed_beam *b, int step, int entry, int32_t *tokens)
{
    for (int k = step; k >= 0; k--) {
        tokens[k] = heed_beam_step(b, k)[entry].token;
        entry = heed_beam_step(b, k)[entry].parent;
    }
}

static void run_beam(heed_zone *z, int width, double penalty, heed_beam *b)
{
    assert_int_equal(heed_beam_start(z, width, STEPS, penalty, b), HEED_OK);
    while (!b->done) {
        float p[HEED_BEAM_MOST][SIZE];
        int32_t tokens[STEPS];
        int rows = b->steps == 0 ? 1 : b->live;
        for (int row = 0; row < rows; row++) {
            if (b->steps > 0)
                tokens_of(b, b->steps - 1, row, tokens);
            next_probabilities(tokens, b->steps, p[row]);
        }
        heed_beam_advance(b, p[0], SIZE, SIZE);
    }
}

static void test_wide_beam_finds_the_best(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    static const double penalties[] = {0, 0.5, 1};
    for (int i = 0; i < 3; i++) {
        heed_zone z;
        heed_zone_init(&z, c);
        answer best = {.rank = -INFINITY};
        int32_t tokens[STEPS];
        search_all(tokens, 0, 0, penalties[i], &best);
        heed_beam b;
        run_beam(&z, HEED_BEAM_MOST, penalties[i], &b);
        assert_true(b.end_count > 0);
        assert_int_equal(b.ends[0].length, best.length);
        if (best.length > 0) {
            tokens_of(&b, best.length - 1, b.ends[0].parent, tokens);
            assert_memory_equal(tokens, best.tokens, (size_t)best.length * sizeof *tokens);
        }
        assert_true(fabs(b.ends[0].score - best.score) < 1e-9);
        for (int k = 1; k < b.end_count; k++)
            assert_true(b.ends[k - 1].rank >= b.ends[k].rank);
        heed_zone_free(&z);
    }
    heed_context_free(c);
}

static void test_greedy_takes_the_likeliest_token(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    heed_zone z;
    heed_zone_init(&z, c);
    heed_beam b;
    run_beam(&z, 1, 1, &b);
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
    heed_zone_free(&z);
    heed_context_free(c);
}

static void test_nothing_probable(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    heed_zone z;
    heed_zone_init(&z, c);
    heed_beam b;
    assert_int_equal(heed_beam_start(&z, 3, STEPS, 1, &b), HEED_OK);
    float p[SIZE];
    for (int i = 0; i < SIZE; i++)
        p[i] = NAN;
    heed_beam_advance(&b, p, SIZE, SIZE);
    assert_true(b.done); /* numbers that are none lead nowhere, and it ends */
    assert_int_equal(b.end_count, 0);
    heed_zone_free(&z);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wide_beam_finds_the_best),
        cmocka_unit_test(test_greedy_takes_the_likeliest_token),
        cmocka_unit_test(test_nothing_probable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
