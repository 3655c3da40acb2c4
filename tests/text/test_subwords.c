#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/text.h"
#include "support/damage.h"
#include "support/failing_allocator.h"
#include "support/files.h"
#include "text/sample.h"
#include "text/subwords.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE(name) HEED_FIXTURES "/text/" name

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static heed_tokenizer *load(heed_context *c, const char *kind)
{
    char path[512];
    snprintf(path, sizeof path, FIXTURE("%s.txt"), kind);
    size_t size;
    char *bytes = heed_test_read_file(path, &size);
    heed_tokenizer *t;
    assert_int_equal(heed_tokenizer_load(c, &(heed_tokenizer_config){.kind = kind}, kind, bytes, size, &t), HEED_OK);
    free(bytes);
    return t;
}

/* ---- against SentencePiece */

static void check_ids(heed_context *c, heed_tokenizer *t, const char *text, size_t length, const char *expected)
{
    heed_ids ids = {.context = c};
    char found[2048] = "";
    assert_int_equal(heed_tokenizer_encode(t, text, length, &ids), HEED_OK);
    for (size_t i = 0, used = 0; i < ids.count; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, i > 0 ? " %d" : "%d", (int)ids.ids[i]);
    assert_string_equal(found, expected);
    heed_ids_free(&ids);
}

static void check_as_sentencepiece(const char *kind)
{
    heed_context *c = context();
    heed_tokenizer *t = load(c, kind);
    char path[512];
    snprintf(path, sizeof path, FIXTURE("%s.tsv"), kind);
    char *lines = heed_test_read_file(path, NULL);
    int count = 0;
    for (int round = 0; round < 2; round++) { /* the second time the words are known */
        for (char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
            char *tab = memchr(line, '\t', (size_t)(end - line));
            assert_non_null(tab);
            *end = '\0';
            check_ids(c, t, line, (size_t)(tab - line), tab + 1);
            *end = '\n';
        }
    }
    assert_int_equal(count, 2 * 31);
    free(lines);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_bpe_as_sentencepiece(void **state)
{
    (void)state;
    check_as_sentencepiece("bpe");
}

static void test_unigram_as_sentencepiece(void **state)
{
    (void)state;
    check_as_sentencepiece("unigram");
}

static void check_round(const char *kind, const char *text, const char *expected)
{
    heed_context *c = context();
    heed_tokenizer *t = load(c, kind);
    heed_ids ids = {.context = c};
    char *decoded;
    assert_int_equal(heed_tokenizer_encode(t, text, strlen(text), &ids), HEED_OK);
    assert_int_equal(heed_tokenizer_decode(t, ids.ids, ids.count, &decoded), HEED_OK);
    assert_string_equal(decoded, expected);
    heed_free(c, decoded);
    heed_ids_free(&ids);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

/* ---- cut by chance */

enum { THEIR_DRAWS = 200000, OUR_DRAWS = 50000 }; /* make_subwords.py's, and those here */

typedef struct draws {
    heed_ids ids; /* all, one draw after another */
    size_t   begins[OUR_DRAWS + 1];
} draws;

static void draw_cuts(heed_context *c, heed_tokenizer *t, const char *word, size_t length, double rate, draws *d)
{
    heed_ids whole = {.context = c};
    heed_random random = {.seed = 7};
    d->ids = (heed_ids){.context = c};
    assert_int_equal(heed_tokenizer_encode(t, word, length, &whole), HEED_OK);
    for (int i = 0; i < OUR_DRAWS; i++) {
        d->begins[i] = d->ids.count;
        assert_int_equal(heed_tokenizer_cut_again(t, whole.ids, whole.count, &(heed_chance){rate, &random}, &d->ids), HEED_OK);
    }
    d->begins[OUR_DRAWS] = d->ids.count;
    heed_ids_free(&whole);
}

static int times_drawn(const draws *d, const heed_ids *cut)
{
    int times = 0;
    for (int i = 0; i < OUR_DRAWS; i++)
        times += d->begins[i + 1] - d->begins[i] == cut->count &&
                 memcmp(d->ids.ids + d->begins[i], cut->ids, cut->count * sizeof *cut->ids) == 0;
    return times;
}

static heed_ids read_ids(heed_context *c, char *text)
{
    heed_ids ids = {.context = c};
    for (char *end; *text != '\0' && *text != '\n'; text = end)
        assert_int_equal(heed_ids_add(&ids, (int32_t)strtol(text, &end, 10)), HEED_OK);
    return ids;
}

/* Each way that SentencePiece cuts a word comes as often here, within five deviations of the difference. */
static void test_chance_as_sentencepiece(void **state)
{
    (void)state;
    static draws d;
    heed_context *c = context();
    heed_tokenizer *t = load(c, "bpe");
    assert_true(heed_tokenizer_cuts_by_chance(t));
    char *lines = heed_test_read_file(FIXTURE("bpe_dropout.tsv"), NULL), word[32] = "", next[32];
    int ways = 0, ours = 0;
    for (char *line = lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, ways++) {
        int times, used;
        assert_int_equal(sscanf(line, "%31s\t%d\t%n", next, &times, &used), 2);
        if (strcmp(next, word) != 0) {
            assert_int_equal(ours, ways == 0 ? 0 : OUR_DRAWS);
            heed_ids_free(&d.ids);
            draw_cuts(c, t, next, strlen(next), 0.2, &d);
            ours = 0;
        }
        strcpy(word, next);
        heed_ids cut = read_ids(c, line + used);
        int found = times_drawn(&d, &cut);
        double p = (double)times / THEIR_DRAWS, deviation = sqrt(p * (1 - p) * (1.0 / THEIR_DRAWS + 1.0 / OUR_DRAWS));
        if (fabs((double)found / OUR_DRAWS - p) > 5 * deviation)
            fail_msg("%.*s: %d of %d, not %d of %d", (int)(end - line), line, found, OUR_DRAWS, times, THEIR_DRAWS);
        ours += found;
        heed_ids_free(&cut);
    }
    assert_true(ways > 50);
    heed_ids_free(&d.ids);
    free(lines);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

/* However it is cut, the text stays; unknown characters stay where they are. */
static void test_chance_leaves_the_text(void **state)
{
    (void)state;
    static const char text[] = "Two boats \xce\xa9mega waiting, waiting for Flut\xe6\xbc\xa2 the late tide.";
    static const double rates[] = {0, 0.5, 0.999};
    heed_context *c = context();
    heed_tokenizer *t = load(c, "bpe"), *unigram = load(c, "unigram");
    assert_false(heed_tokenizer_cuts_by_chance(unigram));
    heed_ids whole = {.context = c};
    assert_int_equal(heed_tokenizer_encode(t, text, strlen(text), &whole), HEED_OK);
    char *expected, *found;
    assert_int_equal(heed_tokenizer_decode(t, whole.ids, whole.count, &expected), HEED_OK);
    size_t before = 0;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        heed_random random = {.seed = i};
        heed_ids cut = {.context = c};
        assert_int_equal(heed_tokenizer_cut_again(t, whole.ids, whole.count, &(heed_chance){rates[i], &random}, &cut), HEED_OK);
        assert_int_equal(heed_tokenizer_decode(t, cut.ids, cut.count, &found), HEED_OK);
        assert_string_equal(found, expected);
        assert_true(i == 0 ? cut.count == whole.count && memcmp(cut.ids, whole.ids, cut.count * sizeof *cut.ids) == 0
                           : cut.count > before);
        before = cut.count;
        heed_free(c, found);
        heed_ids_free(&cut);
    }
    heed_free(c, expected);
    heed_ids_free(&whole);
    heed_tokenizer_free(unigram);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_decoding(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *kind = i == 0 ? "bpe" : "unigram";
        check_round(kind, "", "");
        check_round(kind, " the  boat\twaits\xc2\xa0in ", "the boat waits in");
        check_round(kind, "\xe6\xbc\xa2 a\xe6\xbc\xa2\xe5\xad\x97", "[UNK] a[UNK]");
        check_round(kind, "a\xe2\x96\x81" "boat", "a boat");
    }
}

/* One word of 300,000 characters: in time that does not grow with its square, and not kept. */
static void test_endless_word(void **state)
{
    (void)state;
    enum { LENGTH = 300000 };
    heed_context *c = context();
    char *word = malloc(LENGTH);
    for (int i = 0; i < LENGTH; i++)
        word[i] = "wait"[i % 4];
    for (int i = 0; i < 2; i++) {
        heed_tokenizer *t = load(c, i == 0 ? "bpe" : "unigram");
        heed_ids ids = {.context = c};
        assert_int_equal(heed_tokenizer_encode(t, word, LENGTH, &ids), HEED_OK);
        assert_in_range(ids.count, LENGTH / 16, LENGTH);
        heed_ids_free(&ids);
        heed_tokenizer_free(t);
    }
    free(word);
    heed_context_free(c);
}

/* ---- vocabularies from outside */

static heed_status read(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    static const char text[] = "The waiter \xe6\xbc\xa2 of the 12 boats";
    heed_tokenizer *t;
    HEED_TRY(heed_tokenizer_load(c, &(heed_tokenizer_config){.kind = user}, "v", (const char *)bytes, size, &t));
    heed_ids ids = {.context = c};
    heed_status status = heed_tokenizer_encode(t, text, strlen(text), &ids);
    heed_ids_free(&ids);
    heed_tokenizer_free(t);
    return status;
}

static void test_damage(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t size;
        char *kind = i == 0 ? "bpe" : "unigram";
        char *bytes = heed_test_read_file(i == 0 ? FIXTURE("bpe.txt") : FIXTURE("unigram.txt"), &size);
        heed_test_truncate(read, kind, bytes, size, 1 << 18);
        heed_test_flip(read, kind, bytes, size, 1 << 18, 2000, 1);
        free(bytes);
    }
}

static void check_load_fails(const char *kind, const char *tokens, const char *error)
{
    heed_context *c = context();
    char text[1024];
    heed_tokenizer *t;
    snprintf(text, sizeof text, "\n[UNK]\n[START]\n[END]\n%s", tokens);
    assert_int_equal(heed_tokenizer_load(c, &(heed_tokenizer_config){.kind = kind}, "v", text, strlen(text), &t),
                     HEED_EFORMAT);
    assert_string_equal(heed_error(c), error);
    assert_null(t);
    heed_context_free(c);
}

static void test_bad_vocabularies(void **state)
{
    (void)state;
    char piece[300];
    memset(piece, 'a', sizeof piece);
    memcpy(piece + 261, "\n", 2);
    check_load_fails("bpe", piece, "v: a piece is too long (expected at most 260 bytes, found 261)");
    check_load_fails("unigram", "a\nb\n", "v: the pieces have no scores");
    check_load_fails("unigram", "a\t-1\nb\n", "v:6: a token without a score among tokens with scores");
    check_load_fails("unigram", "b\na\t-1\n", "v:5: a token without a score among tokens with scores");
    check_load_fails("unigram", "a\t-1\nb\t-1x\n", "v:6: the score is not a number");
    check_load_fails("unigram", "a\t\n", "v:5: the score is not a number");
    check_load_fails("unigram", "a\tnan\n", "v:5: the score is not a number");
    check_load_fails("unigram", "a\t1e99\n", "v:5: the score is not a number");
}

/* ---- learning */

static const char *const boats[] = {
    "The boats are waiting for the tide, and the boat waits too.", "Waiting boats: the harbour is full of them.",
    "A boat, two boats, twelve boats in 12 harbours.", "They waited, we are waiting, he waits.",
    "[UNK] is no word, nor is [END].", " unknown  <unk> \xe2\x96\x85 is none either"};
enum { BOATS = sizeof boats / sizeof *boats };

static void count_boats(heed_tokenizer *t)
{
    for (int i = 0; i < BOATS; i++)
        assert_int_equal(heed_tokenizer_count(t, boats[i], strlen(boats[i])), HEED_OK);
}

static heed_status learn_boats(heed_context *c, const heed_tokenizer_config *config, heed_tokenizer **out)
{
    assert_int_equal(heed_tokenizer_create(c, config, out), HEED_OK);
    count_boats(*out);
    return heed_tokenizer_learn(*out);
}

#if HEED_SENTENCEPIECE

static char *saved(heed_tokenizer *t)
{
    char *bytes;
    size_t size;
    assert_int_equal(heed_tokenizer_save(t, &bytes, &size), HEED_OK);
    return bytes;
}

/* A vocabulary of the wanted size, the same each time, which reads back as itself. */
static void check_learning(const char *kind)
{
    heed_context *c = context();
    heed_tokenizer_config config = {.kind = kind, .most_tokens = 60};
    heed_tokenizer *t, *again, *loaded;
    assert_int_equal(learn_boats(c, &config, &t), HEED_OK);
    assert_int_equal(learn_boats(c, &config, &again), HEED_OK);
    assert_int_equal(heed_tokenizer_size(t), 60);
    char *bytes = saved(t), *same = saved(again);
    assert_string_equal(bytes, same);
    assert_int_equal(heed_tokenizer_load(c, &config, "v", bytes, strlen(bytes), &loaded), HEED_OK);
    heed_ids one = {.context = c}, two = {.context = c};
    assert_int_equal(heed_tokenizer_encode(t, boats[0], strlen(boats[0]), &one), HEED_OK);
    assert_int_equal(heed_tokenizer_encode(loaded, boats[0], strlen(boats[0]), &two), HEED_OK);
    assert_int_equal(one.count, two.count);
    assert_memory_equal(one.ids, two.ids, one.count * sizeof *one.ids);
    char *text;
    assert_int_equal(heed_tokenizer_decode(t, one.ids, one.count, &text), HEED_OK);
    assert_string_equal(text, boats[0]);
    heed_free(c, text);
    heed_ids_free(&one);
    heed_ids_free(&two);
    heed_free(c, bytes);
    heed_free(c, same);
    heed_tokenizer_free(loaded);
    heed_tokenizer_free(again);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_learning(void **state)
{
    (void)state;
    check_learning("bpe");
    check_learning("unigram");
}

/* The error tells the largest vocabulary that fits, which does, and the same comes of fewer_tokens. */
static void check_too_large(const char *kind)
{
    heed_context *c = context();
    heed_tokenizer_config config = {.kind = kind, .most_tokens = 5000};
    heed_tokenizer *t;
    int32_t most;
    assert_int_equal(learn_boats(c, &config, &t), HEED_EINVAL);
    assert_int_equal(sscanf(heed_error(c), "vocabulary: too large for the text (expected at most %d tokens, found 5000)",
                            &most), 1);
    heed_tokenizer_free(t);
    config.fewer_tokens = true;
    assert_int_equal(learn_boats(c, &config, &t), HEED_OK);
    assert_in_range(heed_tokenizer_size(t), most - 2, most); /* pieces that read as "[UNK]" and "[END]" are left out */
    heed_tokenizer_free(t);
    config.fewer_tokens = false;
    config.most_tokens = most;
    assert_int_equal(learn_boats(c, &config, &t), HEED_OK);
    heed_tokenizer_free(t);
    config.most_tokens = most + 1;
    assert_int_equal(learn_boats(c, &config, &t), HEED_EINVAL);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_vocabulary_that_does_not_fit(void **state)
{
    (void)state;
    check_too_large("bpe");
    check_too_large("unigram");
    heed_context *c = context();
    heed_tokenizer *t;
    assert_int_equal(learn_boats(c, &(heed_tokenizer_config){.kind = "bpe", .most_tokens = 20}, &t), HEED_EINVAL);
    assert_non_null(strstr(heed_error(c), "vocabulary: too small for the characters of the text (expected more than "));
    heed_tokenizer_free(t);
    heed_tokenizer_create(c, &(heed_tokenizer_config){.kind = "unigram"}, &t);
    assert_int_equal(heed_tokenizer_count(t, " ", 1), HEED_OK);
    assert_int_equal(heed_tokenizer_learn(t), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "vocabulary: there is no text to learn it from");
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_settings(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer_config config = {.kind = "bpe", .most_tokens = 90, .longest_piece = 3, .split_digits = true,
                                    .fewer_tokens = true};
    heed_tokenizer *t;
    assert_int_equal(learn_boats(c, &config, &t), HEED_OK);
    for (int32_t id = HEED_SPECIALS; id < heed_tokenizer_size(t); id++) {
        const char *token = heed_tokenizer_token(t, id);
        size_t characters = 0;
        for (const char *p = token; *p != '\0'; p++)
            characters += (*p & 0xc0) != 0x80;
        assert_in_range(characters, 1, 3);
        assert_null(strstr(token, "12"));
    }
    heed_tokenizer_free(t);
    config = (heed_tokenizer_config){.kind = "bpe", .fewer_tokens = true, .character_coverage = 0.98};
    assert_int_equal(learn_boats(c, &config, &t), HEED_OK);
    heed_ids ids = {.context = c};
    assert_int_equal(heed_tokenizer_encode(t, "t v", 3, &ids), HEED_OK);
    assert_int_equal(ids.ids[ids.count - 1], HEED_UNKNOWN);
    heed_ids_free(&ids);
    heed_tokenizer_free(t);
    heed_context_free(c);
}

static void test_shared(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer_config config = {.kind = "unigram", .most_tokens = 70};
    heed_tokenizer *one, *two, *words;
    heed_tokenizer_create(c, &config, &one);
    heed_tokenizer_create(c, &config, &two);
    heed_tokenizer_create(c, &(heed_tokenizer_config){.kind = "words"}, &words);
    count_boats(one);
    assert_int_equal(heed_tokenizer_count(two, "Zw\xc3\xb6lf Boote", 12), HEED_OK);
    assert_int_equal(heed_tokenizer_learn_shared(one, words), HEED_EINVAL);
    assert_string_equal(heed_error(c), "vocabulary: unigram and words cannot share one");
    assert_int_equal(heed_tokenizer_learn_shared(one, two), HEED_OK);
    char *bytes = saved(one), *same = saved(two);
    assert_string_equal(bytes, same);
    assert_non_null(strstr(bytes, "\xc3\xb6"));
    heed_free(c, bytes);
    heed_free(c, same);
    assert_int_equal(heed_tokenizer_learn_shared(one, two), HEED_ESTATE);
    heed_tokenizer_free(words);
    heed_tokenizer_free(two);
    heed_tokenizer_free(one);
    heed_context_free(c);
}

static heed_status learning(heed_context *c, void *user)
{
    heed_tokenizer *t, *other = NULL;
    heed_status status = heed_tokenizer_create(c, user, &t);
    if (status == HEED_OK)
        status = heed_tokenizer_create(c, user, &other);
    for (int i = 0; i < BOATS && status == HEED_OK; i++)
        status = heed_tokenizer_count(t, boats[i], strlen(boats[i]));
    if (status == HEED_OK)
        status = heed_tokenizer_learn_shared(t, other);
    heed_ids ids = {.context = c};
    if (status == HEED_OK)
        status = heed_tokenizer_encode(other, boats[0], strlen(boats[0]), &ids);
    heed_ids_free(&ids);
    heed_tokenizer_free(other);
    heed_tokenizer_free(t);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(learning, &(heed_tokenizer_config){.kind = "bpe", .most_tokens = 45});
    heed_test_each_allocation_fails(learning, &(heed_tokenizer_config){.kind = "unigram", .most_tokens = 45});
}

#else

static void test_without_sentencepiece(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_tokenizer *t;
    assert_int_equal(learn_boats(c, &(heed_tokenizer_config){.kind = "bpe"}, &t), HEED_EUNSUPPORTED);
    assert_string_equal(heed_error(c), "vocabulary: this build of heed cannot learn subwords (expected one with "
                                       "SentencePiece)");
    heed_tokenizer_free(t);
    heed_context_free(c);
}

#endif

/* ---- more text than is wanted */

static void test_sample(void **state)
{
    (void)state;
    enum { TEXTS = 20000, LIMIT = 10000 };
    heed_context *c = context();
    heed_sample one = {.context = c, .limit = LIMIT, .texts.context = c}, two = one;
    for (int i = 0; i < TEXTS; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "text %d", i);
        assert_int_equal(heed_sample_add(&one, text, (size_t)length), HEED_OK);
        assert_int_equal(heed_sample_add(&two, text, (size_t)length), HEED_OK);
        assert_in_range(one.texts.length, 1, LIMIT);
    }
    assert_int_equal(one.seen, TEXTS);
    assert_in_range(one.texts.length, LIMIT / 3, LIMIT);
    assert_int_equal(one.texts.length, two.texts.length);
    assert_memory_equal(one.texts.bytes, two.texts.bytes, one.texts.length);
    /* each text whole, in order, from the whole range */
    size_t at = 0, length;
    int64_t kept = 0;
    int last = -1, number = -1;
    for (const char *text; (text = heed_sample_next(&one, &at, &length)) != NULL; kept++, last = number) {
        assert_int_equal(sscanf(text, "text %d", &number), 1);
        assert_int_equal(length, strlen(text));
        assert_true(number > last && number - last < TEXTS / 10);
    }
    assert_int_equal(kept, one.kept);
    assert_true(last > TEXTS * 9 / 10);
    heed_sample_free(&one);
    heed_sample_free(&two);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe_as_sentencepiece),
        cmocka_unit_test(test_unigram_as_sentencepiece),
        cmocka_unit_test(test_chance_as_sentencepiece),
        cmocka_unit_test(test_chance_leaves_the_text),
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_endless_word),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bad_vocabularies),
        cmocka_unit_test(test_sample),
#if HEED_SENTENCEPIECE
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_vocabulary_that_does_not_fit),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_no_memory),
#else
        cmocka_unit_test(test_without_sentencepiece),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
