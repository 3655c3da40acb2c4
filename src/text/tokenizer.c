#include "text/tokenizer.h"

#include "text/moses.h"
#include "text/subwords.h"
#include "text/unicode.h"

#include <stdlib.h>
#include <string.h>

/* What a text is cut into first, and whether these units are tokens or are cut further. */
typedef struct tokenizer_kind {
    const char *name;
    heed_word (*next)(const char *text, size_t length);
    const char *separator; /* between units when they become text again */
    bool        subwords;
    heed_pieces_kind pieces; /* of subwords */
} tokenizer_kind;

static heed_word next_character(const char *text, size_t length)
{
    return (heed_word){.length = length > 0 ? heed_utf8_next(text, length, NULL) : 0};
}

/* The mark that stands for a space among pieces is one in texts as well. */
static heed_word next_unmarked_word(const char *text, size_t length)
{
    static const char mark[] = HEED_PIECE_SPACE;
    enum { MARK = sizeof mark - 1 };
    heed_word word = heed_utf8_word(text, length);
    while (word.length >= MARK && memcmp(text + word.space, mark, MARK) == 0) {
        size_t skipped = word.space + MARK;
        word = heed_utf8_word(text + skipped, length - skipped);
        word.space += skipped;
    }
    for (size_t i = 0; i + MARK <= word.length; i++)
        if (memcmp(text + word.space + i, mark, MARK) == 0)
            word.length = i;
    return word;
}

static const tokenizer_kind kinds[] = {
    {"characters", next_character, "", false, 0},
    {"words", heed_utf8_word, " ", false, 0},
    {"bpe", next_unmarked_word, " ", true, HEED_PIECES_BPE},
    {"unigram", next_unmarked_word, " ", true, HEED_PIECES_UNIGRAM},
};

static const char *const normal_forms[] = {
    [HEED_AS_WRITTEN] = "none", [HEED_NFC] = "nfc", [HEED_NFKC] = "nfkc"};

enum { SUBWORDS = 8000, LONGEST_PIECE = 16, MOST_LONGEST_PIECE = 64, LEARNING_BYTES = 64 << 20 };
static const double LEAST_COVERAGE = 0.98; /* SentencePiece's */

struct heed_tokenizer {
    heed_context         *context;
    const tokenizer_kind *kind;
    heed_tokenizer_config config; /* its defaults settled; the texts are not kept */
    heed_normalizer       normalizer, lowering; /* before and after Moses */
    heed_moses            moses;
    bool                  uses_moses;
    heed_table            counts;     /* before learning: of tokens */
    heed_sample           sample;     /* the same, of subwords: texts */
    heed_text             line;       /* a text's words with single spaces between */
    int64_t               texts;
    heed_vocabulary      *vocabulary; /* after it */
    heed_pieces           pieces;     /* the same, of subwords */
};

/* ---- ids ---- */

heed_status heed_ids_add(heed_ids *list, int32_t id)
{
    HEED_TRY(heed_grow(list->context, (void **)&list->ids, &list->capacity, list->count, sizeof *list->ids));
    list->ids[list->count++] = id;
    return HEED_OK;
}

void heed_ids_free(heed_ids *list)
{
    if (list->context != NULL)
        heed_release(list->context, list->ids);
    *list = (heed_ids){.context = list->context};
}

/* ---- making and learning ---- */

static heed_status find_kind(heed_context *c, const char *name, const tokenizer_kind **out)
{
    if (name == NULL)
        name = kinds[0].name;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *out = &kinds[i];
        if (strcmp(kinds[i].name, name) == 0)
            return HEED_OK;
    }
    return heed_fail(c, HEED_ENOTFOUND, "tokens: no such kind (expected characters, words, bpe or unigram, found \"%s\")",
                     name);
}

static heed_status find_normal_form(heed_context *c, const char *name, heed_normal_form *out)
{
    *out = HEED_NFC;
    for (size_t i = 0; name != NULL && i < sizeof normal_forms / sizeof *normal_forms; i++) {
        *out = (heed_normal_form)i;
        if (strcmp(normal_forms[i], name) == 0)
            return HEED_OK;
    }
    return name == NULL ? HEED_OK : heed_fail(c, HEED_ENOTFOUND,
                                              "text: no such normal form (expected nfc, nfkc or none, found \"%s\")", name);
}

static void settle(heed_tokenizer_config *config, const tokenizer_kind *kind)
{
    config->kind = config->normal_form = config->moses = NULL;
    if (config->most_tokens == 0 && kind->subwords)
        config->most_tokens = SUBWORDS;
    if (config->character_coverage == 0)
        config->character_coverage = 1;
    if (config->longest_piece == 0)
        config->longest_piece = LONGEST_PIECE;
    if (config->learning_bytes == 0)
        config->learning_bytes = LEARNING_BYTES;
}

static heed_status check(heed_context *c, const heed_tokenizer_config *config)
{
    if (config->most_tokens < 0 || (config->most_tokens > 0 && config->most_tokens <= HEED_SPECIALS))
        return heed_fail(c, HEED_EINVAL, "vocabulary: too small (expected more than the %d special tokens, found %d)",
                         HEED_SPECIALS, (int)config->most_tokens);
    if (config->least_count < 0)
        return heed_fail(c, HEED_EINVAL, "vocabulary: the least count is negative (found %lld)",
                         (long long)config->least_count);
    if (!(config->character_coverage >= LEAST_COVERAGE && config->character_coverage <= 1))
        return heed_fail(c, HEED_EINVAL, "vocabulary: the character coverage is out of range (expected %g to 1, found %g)",
                         LEAST_COVERAGE, config->character_coverage);
    if (config->longest_piece < 1 || config->longest_piece > MOST_LONGEST_PIECE)
        return heed_fail(c, HEED_EINVAL, "vocabulary: the longest piece is out of range (expected 1 to %d, found %d)",
                         MOST_LONGEST_PIECE, (int)config->longest_piece);
    if (config->learning_bytes < 1)
        return heed_fail(c, HEED_EINVAL, "vocabulary: no text to learn from is allowed (found %lld bytes)",
                         (long long)config->learning_bytes);
    return HEED_OK;
}

heed_status heed_tokenizer_create(heed_context *c, const heed_tokenizer_config *config, heed_tokenizer **out)
{
    const tokenizer_kind *kind;
    heed_normal_form form;
    heed_tokenizer_config settled = *config;
    *out = NULL;
    HEED_TRY(find_kind(c, config->kind, &kind));
    HEED_TRY(find_normal_form(c, config->normal_form, &form));
    settle(&settled, kind);
    HEED_TRY(check(c, &settled));
    heed_moses moses;
    HEED_TRY(heed_moses_init(&moses, c, config->moses != NULL ? config->moses : ""));
    heed_tokenizer *t = heed_alloc(c, 1, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    t->context = c;
    t->kind = kind;
    t->config = settled;
    t->moses = moses;
    t->uses_moses = moses.language[0] != '\0';
    t->normalizer = (heed_normalizer){.context = c, .form = form, .lowercase = config->lowercase && !t->uses_moses};
    t->lowering = (heed_normalizer){.context = c, .lowercase = config->lowercase};
    t->sample = (heed_sample){.context = c, .limit = (size_t)settled.learning_bytes, .texts.context = c};
    t->line.context = t->pieces.context = c;
    heed_table_init(&t->counts, c);
    *out = t;
    return HEED_OK;
}

void heed_tokenizer_free(heed_tokenizer *t)
{
    if (t == NULL)
        return;
    heed_pieces_free(&t->pieces);
    heed_vocabulary_free(t->vocabulary);
    heed_sample_free(&t->sample);
    heed_table_free(&t->counts);
    heed_text_free(&t->line);
    heed_moses_free(&t->moses);
    heed_normalizer_free(&t->lowering);
    heed_normalizer_free(&t->normalizer);
    heed_release(t->context, t);
}

/* Does something with each unit of a text. */
typedef heed_status unit_function(heed_tokenizer *t, void *user, const char *unit, size_t length);

static heed_status each_unit(heed_tokenizer *t, const char *text, size_t length, unit_function *function, void *user)
{
    HEED_TRY(heed_utf8_check(t->context, "text", text, length));
    HEED_TRY(heed_normalize(&t->normalizer, text, length, &text, &length));
    if (t->uses_moses) { /* which needs the capitals */
        HEED_TRY(heed_moses_tokenize(&t->moses, text, length, &text, &length));
        HEED_TRY(heed_normalize(&t->lowering, text, length, &text, &length));
    }
    for (;;) {
        heed_word word = t->kind->next(text, length);
        if (word.length == 0)
            return HEED_OK;
        HEED_TRY(function(t, user, text + word.space, word.length));
        text += word.space + word.length;
        length -= word.space + word.length;
    }
}

static heed_status count_unit(heed_tokenizer *t, void *user, const char *unit, size_t length)
{
    (void)user;
    int32_t index;
    HEED_TRY(heed_table_add(&t->counts, unit, length, &index));
    t->counts.entries[index].count++;
    return HEED_OK;
}

static heed_status append_unit(heed_tokenizer *t, void *user, const char *unit, size_t length)
{
    heed_text *line = user;
    if (line->length > 0)
        heed_text_append(line, " ", 1);
    heed_text_append(line, unit, length);
    return heed_text_status(line);
}

heed_status heed_tokenizer_count(heed_tokenizer *t, const char *text, size_t length)
{
    if (t->vocabulary != NULL)
        return heed_fail(t->context, HEED_ESTATE, "tokenizer: it has learnt already");
    t->line.length = 0;
    if (!t->kind->subwords)
        HEED_TRY(each_unit(t, text, length, count_unit, NULL));
    else
        HEED_TRY(each_unit(t, text, length, append_unit, &t->line));
    t->texts++;
    return t->line.length == 0 ? HEED_OK : heed_sample_add(&t->sample, t->line.bytes, t->line.length);
}

void heed_tokenizer_texts(const heed_tokenizer *t, int64_t *counted, int64_t *learnt)
{
    *counted = t->texts;
    *learnt = t->kind->subwords ? t->texts - t->sample.seen + t->sample.kept : t->texts; /* those without words are not seen */
}

/* The most frequent first; bytes of UTF-8 are in the order of code points. */
static int compare_entries(const void *a, const void *b)
{
    const heed_table_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

static heed_status learn_units(heed_tokenizer *t)
{
    const char **tokens = heed_alloc(t->context, t->counts.count, sizeof *tokens);
    if (tokens == NULL)
        return HEED_ENOMEM;
    if (t->counts.count > 0)
        qsort(t->counts.entries, t->counts.count, sizeof *t->counts.entries, compare_entries);
    size_t count = 0, most = t->config.most_tokens > 0 ? (size_t)(t->config.most_tokens - HEED_SPECIALS) : t->counts.count;
    for (size_t i = 0; i < t->counts.count && count < most; i++) {
        const heed_table_entry *entry = &t->counts.entries[i];
        if (entry->count >= t->config.least_count && !heed_vocabulary_reserved(entry->text))
            tokens[count++] = entry->text;
    }
    heed_status status = heed_vocabulary_create(t->context, tokens, count, &t->vocabulary);
    heed_release(t->context, tokens);
    return status;
}

static heed_status learn_subwords(heed_tokenizer *t, const heed_tokenizer *other)
{
    const heed_sample *samples[] = {&t->sample, other != NULL ? &other->sample : NULL};
    const heed_subwords_config config = {
        .kind = t->kind->pieces, .tokens = t->config.most_tokens, .character_coverage = t->config.character_coverage,
        .longest_piece = t->config.longest_piece, .split_digits = t->config.split_digits, .fewer = t->config.fewer_tokens};
    return heed_subwords_learn(t->context, &config, samples, other != NULL ? 2 : 1, &t->vocabulary);
}

/* What was counted is done with; the vocabulary, which is there now, can be used. */
static heed_status finish_learning(heed_tokenizer *t, const char *name)
{
    heed_table_free(&t->counts);
    heed_table_init(&t->counts, t->context);
    heed_sample_free(&t->sample);
    return t->kind->subwords ? heed_pieces_init(&t->pieces, t->context, t->kind->pieces, name, t->vocabulary) : HEED_OK;
}

static heed_status add_counts(heed_tokenizer *t, const heed_tokenizer *other)
{
    for (size_t i = 0; i < other->counts.count; i++) {
        const heed_table_entry *entry = &other->counts.entries[i];
        int32_t index;
        HEED_TRY(heed_table_add(&t->counts, entry->text, entry->length, &index));
        t->counts.entries[index].count += entry->count;
    }
    return HEED_OK;
}

/* `other` may be NULL. */
static heed_status learn(heed_tokenizer *t, heed_tokenizer *other)
{
    if (t->vocabulary != NULL || (other != NULL && other->vocabulary != NULL))
        return heed_fail(t->context, HEED_ESTATE, "tokenizer: it has learnt already");
    if (other != NULL)
        HEED_TRY(add_counts(t, other));
    HEED_TRY(t->kind->subwords ? learn_subwords(t, other) : learn_units(t));
    if (other != NULL)
        HEED_TRY(heed_vocabulary_copy(t->vocabulary, &other->vocabulary));
    HEED_TRY(finish_learning(t, "vocabulary"));
    return other != NULL ? finish_learning(other, "vocabulary") : HEED_OK;
}

heed_status heed_tokenizer_learn(heed_tokenizer *t) { return learn(t, NULL); }

heed_status heed_tokenizer_learn_shared(heed_tokenizer *t, heed_tokenizer *other)
{
    if (t->kind != other->kind)
        return heed_fail(t->context, HEED_EINVAL, "vocabulary: %s and %s cannot share one", t->kind->name, other->kind->name);
    return learn(t, other);
}

heed_status heed_tokenizer_load(heed_context *c, const heed_tokenizer_config *config, const char *name,
                                const char *bytes, size_t size, heed_tokenizer **out)
{
    HEED_TRY(heed_tokenizer_create(c, config, out));
    heed_status status = heed_vocabulary_load(c, name, bytes, size, &(*out)->vocabulary);
    if (status == HEED_OK)
        status = finish_learning(*out, name);
    if (status != HEED_OK) {
        heed_tokenizer_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- using ---- */

static heed_status check_learnt(const heed_tokenizer *t)
{
    return t->vocabulary != NULL ? HEED_OK : heed_fail(t->context, HEED_ESTATE, "tokenizer: it has not learnt yet");
}

heed_status heed_tokenizer_save(const heed_tokenizer *t, char **bytes, size_t *size)
{
    HEED_TRY(check_learnt(t));
    return heed_vocabulary_save(t->vocabulary, bytes, size);
}

static heed_status encode_unit(heed_tokenizer *t, void *list, const char *unit, size_t length)
{
    if (t->kind->subwords)
        return heed_pieces_cut(&t->pieces, unit, length, list);
    return heed_ids_add(list, heed_vocabulary_id(t->vocabulary, unit, length));
}

heed_status heed_tokenizer_encode(heed_tokenizer *t, const char *text, size_t length, heed_ids *out)
{
    HEED_TRY(check_learnt(t));
    return each_unit(t, text, length, encode_unit, out);
}

bool heed_tokenizer_cuts_by_chance(const heed_tokenizer *t)
{
    return t->kind->subwords && t->kind->pieces == HEED_PIECES_BPE;
}

heed_status heed_tokenizer_cut_again(heed_tokenizer *t, const int32_t *ids, size_t count, const heed_chance *chance,
                                     heed_ids *out)
{
    return heed_pieces_cut_again(&t->pieces, ids, count, chance, out);
}

/* The mark becomes a space, but for the one before the first word. */
static void append_piece(heed_text *out, const char *piece)
{
    for (const char *mark; (mark = strstr(piece, HEED_PIECE_SPACE)) != NULL; piece = mark + sizeof HEED_PIECE_SPACE - 1) {
        heed_text_append(out, piece, (size_t)(mark - piece));
        if (out->length > 0)
            heed_text_append(out, " ", 1);
    }
    heed_text_append(out, piece, strlen(piece));
}

/* The text of ids, its tokens still apart. */
static heed_status join_tokens(const heed_tokenizer *t, const int32_t *ids, size_t count, heed_text *out)
{
    heed_text_append(out, "", 0);
    for (size_t i = 0; i < count && ids[i] != HEED_END; i++) {
        const char *token = heed_vocabulary_token(t->vocabulary, ids[i]);
        if (ids[i] == HEED_PADDING || ids[i] == HEED_START)
            continue;
        if (t->kind->subwords)
            append_piece(out, token);
        else
            heed_text_printf(out, "%s%s", out->length > 0 ? t->kind->separator : "", token);
    }
    return heed_text_status(out);
}

heed_status heed_tokenizer_decode(const heed_tokenizer *t, const int32_t *ids, size_t count, char **text)
{
    HEED_TRY(check_learnt(t));
    heed_text out = {.context = t->context};
    heed_status status = join_tokens(t, ids, count, &out);
    if (status == HEED_OK && t->uses_moses) {
        heed_moses moses; /* with buffers of its own: this tokenizer stays as it is */
        const char *joined;
        size_t length;
        status = heed_moses_init(&moses, t->context, t->moses.language);
        if (status == HEED_OK)
            status = heed_moses_join(&moses, out.bytes, out.length, &joined, &length);
        if (status == HEED_OK) {
            out.length = 0;
            heed_text_append(&out, joined, length);
            status = heed_text_status(&out);
        }
        heed_moses_free(&moses);
    }
    if (status != HEED_OK)
        heed_text_free(&out);
    *text = out.bytes;
    return status;
}

int32_t heed_tokenizer_size(const heed_tokenizer *t)
{
    return t->vocabulary != NULL ? heed_vocabulary_size(t->vocabulary) : 0;
}

const char *heed_tokenizer_token(const heed_tokenizer *t, int32_t id)
{
    return t->vocabulary != NULL ? heed_vocabulary_token(t->vocabulary, id) : "";
}
