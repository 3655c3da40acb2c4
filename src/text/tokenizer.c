#include "heed/text.h"

#include "text/table.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

/* The kinds that cut a text into pieces and look these up. Kinds that learn what the pieces are join at
 * heed_tokenizer_*, which promises no more than that what was learnt can be saved as bytes. */
typedef struct tokenizer_kind {
    const char *name;
    heed_word (*next)(const char *text, size_t length);
    const char *separator; /* between tokens when they become text again */
} tokenizer_kind;

static heed_word next_character(const char *text, size_t length)
{
    return (heed_word){.length = length > 0 ? heed_utf8_next(text, length, NULL) : 0};
}

static const tokenizer_kind kinds[] = {{"characters", next_character, ""}, {"words", heed_utf8_word, " "}};

struct heed_tokenizer {
    heed_context         *context;
    const tokenizer_kind *kind;
    heed_normalizer       normalizer;
    int32_t               most_tokens; /* 0: any number */
    int64_t               least_count;
    heed_table            counts;     /* before learning */
    heed_vocabulary      *vocabulary; /* after it */
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
    return heed_fail(c, HEED_ENOTFOUND, "tokens: no such kind (expected characters or words, found \"%s\")", name);
}

heed_status heed_tokenizer_create(heed_context *c, const heed_tokenizer_config *config, heed_tokenizer **out)
{
    const tokenizer_kind *kind;
    *out = NULL;
    HEED_TRY(find_kind(c, config->kind, &kind));
    if (config->most_tokens < 0 || (config->most_tokens > 0 && config->most_tokens <= HEED_SPECIALS))
        return heed_fail(c, HEED_EINVAL, "vocabulary: too small (expected more than the %d special tokens, found %d)",
                         HEED_SPECIALS, (int)config->most_tokens);
    if (config->least_count < 0)
        return heed_fail(c, HEED_EINVAL, "vocabulary: the least count is negative (found %lld)",
                         (long long)config->least_count);
    heed_tokenizer *t = heed_alloc(c, 1, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    t->context = c;
    t->kind = kind;
    t->normalizer = (heed_normalizer){.context = c, .compose = !config->as_written, .lowercase = config->lowercase};
    t->most_tokens = config->most_tokens;
    t->least_count = config->least_count;
    heed_table_init(&t->counts, c);
    *out = t;
    return HEED_OK;
}

void heed_tokenizer_free(heed_tokenizer *t)
{
    if (t == NULL)
        return;
    heed_vocabulary_free(t->vocabulary);
    heed_table_free(&t->counts);
    heed_normalizer_free(&t->normalizer);
    heed_release(t->context, t);
}

/* Does something with each token of a text. */
typedef heed_status token_function(heed_tokenizer *t, void *user, const char *token, size_t length);

static heed_status each_token(heed_tokenizer *t, const char *text, size_t length, token_function *function, void *user)
{
    HEED_TRY(heed_utf8_check(t->context, "text", text, length));
    HEED_TRY(heed_normalize(&t->normalizer, text, length, &text, &length));
    for (;;) {
        heed_word word = t->kind->next(text, length);
        if (word.length == 0)
            return HEED_OK;
        HEED_TRY(function(t, user, text + word.space, word.length));
        text += word.space + word.length;
        length -= word.space + word.length;
    }
}

static heed_status count_token(heed_tokenizer *t, void *user, const char *token, size_t length)
{
    (void)user;
    int32_t index;
    HEED_TRY(heed_table_add(&t->counts, token, length, &index));
    t->counts.entries[index].count++;
    return HEED_OK;
}

heed_status heed_tokenizer_count(heed_tokenizer *t, const char *text, size_t length)
{
    if (t->vocabulary != NULL)
        return heed_fail(t->context, HEED_ESTATE, "tokenizer: it has learnt already");
    return each_token(t, text, length, count_token, NULL);
}

/* The most frequent first; bytes of UTF-8 are in the order of code points. */
static int compare_entries(const void *a, const void *b)
{
    const heed_table_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

heed_status heed_tokenizer_learn(heed_tokenizer *t)
{
    if (t->vocabulary != NULL)
        return heed_fail(t->context, HEED_ESTATE, "tokenizer: it has learnt already");
    const char **tokens = heed_alloc(t->context, t->counts.count, sizeof *tokens);
    if (tokens == NULL)
        return HEED_ENOMEM;
    if (t->counts.count > 0)
        qsort(t->counts.entries, t->counts.count, sizeof *t->counts.entries, compare_entries);
    size_t count = 0, most = t->most_tokens > 0 ? (size_t)(t->most_tokens - HEED_SPECIALS) : t->counts.count;
    for (size_t i = 0; i < t->counts.count && count < most; i++) {
        const heed_table_entry *entry = &t->counts.entries[i];
        if (entry->count >= t->least_count && !heed_vocabulary_reserved(entry->text))
            tokens[count++] = entry->text;
    }
    heed_status status = heed_vocabulary_create(t->context, tokens, count, &t->vocabulary);
    heed_release(t->context, tokens);
    heed_table_free(&t->counts); /* its order is gone, and nobody needs it any more */
    heed_table_init(&t->counts, t->context);
    return status;
}

heed_status heed_tokenizer_load(heed_context *c, const heed_tokenizer_config *config, const char *name,
                                const char *bytes, size_t size, heed_tokenizer **out)
{
    HEED_TRY(heed_tokenizer_create(c, config, out));
    heed_status status = heed_vocabulary_load(c, name, bytes, size, &(*out)->vocabulary);
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

static heed_status encode_token(heed_tokenizer *t, void *list, const char *token, size_t length)
{
    return heed_ids_add(list, heed_vocabulary_id(t->vocabulary, token, length));
}

heed_status heed_tokenizer_encode(heed_tokenizer *t, const char *text, size_t length, heed_ids *out)
{
    HEED_TRY(check_learnt(t));
    return each_token(t, text, length, encode_token, out);
}

heed_status heed_tokenizer_decode(const heed_tokenizer *t, const int32_t *ids, size_t count, char **text)
{
    HEED_TRY(check_learnt(t));
    heed_text out = {.context = t->context};
    heed_text_append(&out, "", 0);
    for (size_t i = 0; i < count && ids[i] != HEED_END; i++) {
        if (ids[i] == HEED_PADDING || ids[i] == HEED_START)
            continue;
        const char *separator = out.length > 0 ? t->kind->separator : "";
        heed_text_printf(&out, "%s%s", separator, heed_vocabulary_token(t->vocabulary, ids[i]));
    }
    heed_status status = heed_text_status(&out);
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
