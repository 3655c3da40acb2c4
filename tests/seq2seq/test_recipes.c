/* Every recipe: what it says step by step is what the trained model says of the whole, and interrupted runs end with
 * the same bits. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "heed/seq2seq.h"
#include "heed/text.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS "test_recipes_pairs.tsv"
#define SAVED "test_recipes.keras"

typedef struct recipe_case {
    const char *recipe, *settings;
    int         maps; /* alignments at each step */
} recipe_case;

#define SMALL \
    "source_tokens='characters', target_tokens='characters', batch_tokens=0, batch_size=16, warmup_steps=5, " \
    "longest=20"
#define TRANSFORMER SMALL ", size=16, heads=4, feed_forward=24, encoder_layers=2"
#define LUONG SMALL ", units=12, embedding=8"
#define BAHDANAU SMALL ", units=12, embedding=8, attention_units=10"

static const recipe_case cases[] = {
    {"gru-attention", "units=12, embedding=8, target_embedding=6, output_units=10, batch_size=16", 1},
    {"gru-attention", "units=5, embedding=8, target_embedding=6, output_units=10, attention='dot'", 1},
    {"bahdanau", BAHDANAU, 1},
    {"bahdanau",
     BAHDANAU ", step='paper', start='last', share='none', encoder_layers=2, average=1", 1},
    {"luong", LUONG, 1},
    {"luong", LUONG ", score='concat', layers=1", 1},
    {"luong", LUONG ", score='dot', feeding=False, directions='forward', layers=3, share='none'", 1},
    {"luong", LUONG ", score='concat', feeding=False, average=1", 1},
    {"attention-keras", SMALL ", units=12, learning_rate=0.01", 1},
    {"transformer", TRANSFORMER ", decoder_layers=2", 8},
    {"transformer", TRANSFORMER ", normalize='before', positions='learned', share='target', decoder_layers=1", 4},
    {"transformer", TRANSFORMER ", decoder_layers=1, validate_by='bleu', bleu_tokens='char', average=3, patience=9", 4},
    {"transformer",
     TRANSFORMER ", decoder_layers=2, share='none', shared_vocabulary=False, activation='gelu', attention_dropout=0.1",
     8},
    {"transformer", TRANSFORMER ", kernel_size=3, decoder_layers=1", 4},
    {"transformer", TRANSFORMER ", kernel_size=3, local_layers=1, decoder_layers=1", 4},
    {"transformer", TRANSFORMER ", kernel_size=3, local_layers=2, decoder_layers=1", 4},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Pairs that can be learnt: the source backwards. */
static void write_pairs(int count)
{
    FILE *f = fopen(PAIRS, "w");
    assert_non_null(f);
    heed_random r = {.seed = 2};
    for (int i = 0; i < count; i++) {
        char source[16] = "", target[16] = "";
        int length = 1 + (int)heed_random_below(&r, 8);
        for (int k = 0; k < length; k++)
            target[length - 1 - k] = source[k] = (char)('a' + heed_random_below(&r, 5));
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

static heed_train_config config_of(const recipe_case *r, int64_t steps)
{
    return (heed_train_config){.recipe = r->recipe, .settings = r->settings, .pairs = PAIRS, .validation = PAIRS,
                               .steps = steps, .seed = 3};
}

enum { MOST_TOKENS = 12 };

/* The natural log of a hypothesis' probability, of the model that was trained: the whole at once. Characters only. */
static double whole_score(heed_translator *d, const char *const *source, int source_count, const heed_hypothesis *h,
                          heed_tokenizer *tokens)
{
    heed_model *m = heed_translator_model(d);
    heed_ids in = {.context = heed_model_context(m)}, out = {.context = in.context};
    for (int i = 0; i < source_count; i++)
        must(in.context, heed_tokenizer_encode(tokens, source[i], strlen(source[i]), &in));
    must(in.context, heed_ids_add(&out, HEED_START));
    for (int i = 0; i < h->token_count; i++)
        must(in.context, heed_tokenizer_encode(tokens, h->tokens[i], strlen(h->tokens[i]), &out));
    int64_t steps = (int64_t)out.count, size = heed_tokenizer_size(tokens);
    float *p = test_malloc((size_t)(steps * size) * sizeof *p);
    heed_array inputs[] = {{HEED_INT32, {2, {1, (int64_t)in.count}}, in.ids}, {HEED_INT32, {2, {1, steps}}, out.ids}};
    heed_array result = {HEED_FLOAT32, {3, {1, steps, size}}, p};
    must(in.context, heed_predict_on_batch(m, inputs, 2, &result, 1));
    double score = 0;
    for (int64_t t = 0; t < steps && t < MOST_TOKENS; t++) { /* one that is cut short has no end */
        double sum = 0, least = 0;
        const float *row = p + t * size;
        for (int64_t k = 0; k < size; k++)
            least = fmin(least, row[k]);
        bool logits = least < 0;
        for (int64_t k = 0; k < size; k++)
            sum += logits ? exp((double)row[k]) : (double)row[k];
        double right = row[t + 1 < steps ? out.ids[t + 1] : HEED_END];
        score += log((logits ? exp(right) : right) / sum);
    }
    test_free(p);
    heed_ids_free(&out);
    heed_ids_free(&in);
    return score;
}

static heed_tokenizer *tokenizer_of(heed_translator *d)
{
    heed_tokenizer *t;
    size_t size;
    heed_model *m = heed_translator_model(d);
    const char *bytes = heed_asset(m, "source.txt", &size);
    heed_tokenizer_config config = {.kind = "characters"};
    must(heed_model_context(m), heed_tokenizer_load(heed_model_context(m), &config, "source.txt", bytes, size, &t));
    return t;
}

static void test_steps_say_what_the_whole_says(void **state)
{
    (void)state;
    write_pairs(300);
    for (int i = 0; i < CASES; i++) {
        heed_context *c = context(2);
        heed_train_config config = config_of(&cases[i], 60);
        heed_trainer *t;
        must(c, heed_trainer_create(c, &config, &t));
        must(c, heed_trainer_run(t));
        must(c, heed_trainer_save(t, SAVED));
        heed_trainer_free(t);
        heed_translator *d;
        must(c, heed_translator_load(c, SAVED, &d));
        heed_tokenizer *tokens = tokenizer_of(d);
        static const char *const lines[] = {"abcde", "e", "ddabcae", "", "aa"};
        heed_translation *r;
        must(c,
             heed_translate(d, lines, 5, &(heed_decode_config){.beam = 3, .n_best = 3, .max_length = MOST_TOKENS}, &r));
        for (int line = 0; line < 5; line++)
            for (int k = 0; k < r[line].hypothesis_count && r[line].source_count > 0; k++) {
                const heed_hypothesis *h = &r[line].hypotheses[k];
                double whole =
                    whole_score(d, (const char *const *)r[line].source_tokens, r[line].source_count, h, tokens);
                if (!(fabs(whole - h->score) < 1e-4 * (1 + fabs(whole))))
                    print_error("%s (%s): '%s' to '%s' has %.6f step by step, %.6f as a whole\n", cases[i].recipe,
                                cases[i].settings, lines[line], h->text, h->score, whole);
                assert_true(fabs(whole - h->score) < 1e-4 * (1 + fabs(whole)));
                assert_int_equal(h->map_count, cases[i].maps);
                for (int n = 0; n < h->map_count * h->token_count; n++) {
                    double sum = 0;
                    for (int s = 0; s < r[line].source_count; s++)
                        sum += (double)h->maps[n * r[line].source_count + s];
                    assert_true(fabs(sum - 1) < 1e-4);
                }
            }
        heed_translations_free(d, r, 5);
        heed_tokenizer_free(tokens);
        heed_translator_free(d);
        heed_context_free(c);
    }
    unlink(SAVED);
    unlink(PAIRS);
}

/* All weights after a run, with a pause in the midst of it if there is a directory. */
static float *run_through(const recipe_case *r, int threads, const char *directory, size_t *count);

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

static float *run_through(const recipe_case *r, int threads, const char *directory, size_t *count)
{
    enum { STEPS = 12, STOP = 7 };
    float *all = NULL;
    for (int part = directory == NULL; part < 2; part++) {
        heed_context *c = context(threads);
        heed_train_config config = config_of(r, STEPS);
        stop_at stop = {NULL, part == 0 ? STOP : -1};
        config.checkpoint = directory;
        config.resume = directory != NULL && part == 1;
        config.report = stop_there;
        config.user = &stop;
        heed_trainer *t;
        must(c, heed_trainer_create(c, &config, &t));
        stop.trainer = t;
        assert_int_equal(heed_trainer_run(t), part == 0 ? HEED_EINTERRUPTED : HEED_OK);
        heed_model *m = heed_trainer_model(t);
        *count = (size_t)heed_parameter_count(m, false);
        if (part == 1) {
            float *at = all = test_malloc(*count * sizeof *all);
            for (int i = 0; i < heed_weight_count(m); i++) {
                size_t n = (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i)));
                memcpy(at, heed_variable_data(heed_weight_at(m, i)), n * sizeof *at);
                at += n;
            }
            heed_trainer_remove_checkpoint(t);
        }
        heed_trainer_free(t);
        heed_context_free(c);
    }
    return all;
}

static void test_interrupted_runs_end_with_the_same_bits(void **state)
{
    (void)state;
    write_pairs(100);
    for (int i = 0; i < CASES; i++) {
        char directory[] = "test_recipes_XXXXXX";
        size_t count, again;
        assert_non_null(mkdtemp(directory));
        float *straight = run_through(&cases[i], 2, NULL, &count);
        float *resumed = run_through(&cases[i], 1, directory, &again);
        assert_int_equal(count, again);
        if (memcmp(resumed, straight, count * sizeof *straight) != 0)
            print_error("%s (%s)\n", cases[i].recipe, cases[i].settings);
        assert_memory_equal(resumed, straight, count * sizeof *straight);
        test_free(resumed);
        test_free(straight);
        rmdir(directory);
    }
    unlink(PAIRS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_say_what_the_whole_says),
        cmocka_unit_test(test_interrupted_runs_end_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
