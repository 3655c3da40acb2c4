/* What Keras' TextVectorization and StringLookup do, of bytes as TensorFlow does it: letters beyond ASCII keep their case. */
#include "heed/vectorizer.h"

#include "base/context.h"
#include "formats/json.h"
#include "text/table.h"

#include <stdio.h>
#include <string.h>

enum { MOST_WIDTHS = 16 };
typedef enum mode { AS_NUMBERS, AS_MULTI_HOT, AS_COUNT, AS_TF_IDF } mode;

struct heed_vectorizer {
    heed_context *context;
    heed_table    vocabulary; /* by number */
    bool          lowers, strips;
    enum { WHOLE, BY_SPACE, BY_CHARACTER } split;
    int           widths[MOST_WIDTHS], width_count; /* of n-grams, in this order; none: tokens alone */
    mode          mode;
    int           rank;    /* of its array: 1 for a number a text */
    int64_t       length;  /* of sequences; 0: the longest's */
    int64_t       depth;   /* numbers a text, where they are no sequence */
    int32_t       unknown; /* the number of what the vocabulary lacks */
    bool          skips_empty; /* an empty token, the mask's, does not count */
    float        *idf;     /* (vocabulary) */
};

/* ---- from the model ---- */

static const void *description_of(const heed_model *m, int input, size_t *size)
{
    char name[300];
    const char *own = heed_model_input_name(m, input);
    snprintf(name, sizeof name, "text/%s.json", own == NULL ? "" : own);
    return own == NULL ? NULL : heed_asset(m, name, size);
}

bool heed_takes_texts(const heed_model *m, int input)
{
    size_t size;
    return description_of(m, input, &size) != NULL;
}

/* Which of the words a text option is; its first where the option is missing. */
static heed_status choose(heed_context *c, const heed_json *config, const char *key, const char *const *words, int count,
                          int *out)
{
    const heed_json *v = heed_json_option(config, key);
    *out = 0;
    for (int i = 0; v != NULL && i < count; i++)
        if (heed_json_is_string(v, words[i])) {
            *out = i;
            return HEED_OK;
        }
    return v == NULL ? HEED_OK
                     : heed_fail(c, HEED_EUNSUPPORTED, "a text layer with %s=%s is not supported", key,
                                 heed_json_is(v, HEED_JSON_STRING) ? v->text : "a function of one's own");
}

static heed_status read_widths(heed_vectorizer *v, const heed_json *ngrams)
{
    heed_context *c = v->context;
    int64_t width;
    if (heed_json_is(ngrams, HEED_JSON_INT)) {
        for (width = 1; width <= ngrams->integer && width <= MOST_WIDTHS; width++)
            v->widths[v->width_count++] = (int)width;
        return ngrams->integer <= MOST_WIDTHS ? HEED_OK : heed_fail(c, HEED_EUNSUPPORTED, "n-grams that long are not supported");
    }
    if (heed_json_is(ngrams, HEED_JSON_OBJECT)) /* a tuple, in the older form of Keras 2 */
        ngrams = heed_json_find(ngrams, "items");
    for (const heed_json *item = heed_json_is(ngrams, HEED_JSON_ARRAY) ? ngrams->first : NULL; item != NULL; item = item->next) {
        HEED_TRY(heed_json_as_int(c, item, &width));
        if (width < 1 || width > 1000 || v->width_count == MOST_WIDTHS)
            return heed_fail(c, HEED_EUNSUPPORTED, "n-grams of these widths are not supported");
        v->widths[v->width_count++] = (int)width;
    }
    return HEED_OK;
}

static heed_status read_options(heed_vectorizer *v, const heed_json *config, bool lookup)
{
    static const char *const ways[] = {"none", "lower_and_strip_punctuation", "lower", "strip_punctuation"};
    static const char *const splits[] = {"none", "whitespace", "character"};
    static const char *const modes[] = {"int", "multi_hot", "count", "tf_idf", "one_hot"};
    int way, split, found;
    HEED_TRY(choose(v->context, config, "standardize", ways, 4, &way));
    HEED_TRY(choose(v->context, config, "split", splits, 3, &split));
    HEED_TRY(choose(v->context, config, "output_mode", modes, 5, &found));
    v->lowers = way == 1 || way == 2;
    v->strips = way == 1 || way == 3;
    v->split = split == 1 ? BY_SPACE : split == 2 ? BY_CHARACTER : WHOLE;
    v->mode = found == 4 ? AS_MULTI_HOT : (mode)found; /* of one token that is the same */
    v->skips_empty = !lookup && v->mode != AS_NUMBERS;
    if (lookup && v->mode == AS_NUMBERS)
        v->length = 1;
    const heed_json *length = heed_json_option(config, "output_sequence_length");
    if (length != NULL)
        HEED_TRY(heed_json_as_int(v->context, length, &v->length));
    if (v->length < 0 || v->length > INT32_MAX)
        return heed_fail(v->context, HEED_EFORMAT, "output_sequence_length is out of range");
    return read_widths(v, heed_json_option(config, "ngrams"));
}

/* ---- the vocabulary ---- */

/* A file may list a token once only: its number is its line's. */
static heed_status add_token(heed_vectorizer *v, const char *token, size_t length)
{
    size_t count = v->vocabulary.count;
    int32_t index;
    HEED_TRY(heed_table_add(&v->vocabulary, token, length, &index));
    return v->vocabulary.count > count ? HEED_OK
                                       : heed_fail(v->context, HEED_EFORMAT, "the vocabulary has '%.*s' twice",
                                                   (int)(length > 40 ? 40 : length), token);
}

/* What comes before all else: the mask's token, where sequences are given, and the unknown's. */
static heed_status add_special(heed_vectorizer *v, const char *mask, const char *unknown, bool listed)
{
    v->unknown = mask != NULL && v->mode == AS_NUMBERS;
    if (listed)
        return HEED_OK;
    if (v->unknown > 0)
        HEED_TRY(add_token(v, mask, strlen(mask)));
    return add_token(v, unknown, strlen(unknown));
}

static heed_status add_lines(heed_vectorizer *v, const char *bytes, size_t size)
{
    const char *at = bytes, *end = bytes + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop == NULL ? end : stop) - at);
        HEED_TRY(add_token(v, at, length));
        at += length + 1;
    }
    return HEED_OK;
}

static heed_status read_vocabulary(heed_vectorizer *v, const heed_model *m, const heed_json *object, bool lookup)
{
    heed_context *c = v->context;
    const heed_json *config = heed_json_find(object, "config"), *words = heed_json_option(config, "vocabulary");
    const heed_json *asset = heed_json_find(object, "vocabulary"), *mask = heed_json_option(config, "mask_token");
    const heed_json *unknown = heed_json_option(config, "oov_token"), *buckets = heed_json_option(config, "num_oov_indices");
    const char *masked = !lookup ? "" : heed_json_is(mask, HEED_JSON_STRING) ? mask->text : NULL;
    const char *other = heed_json_is(unknown, HEED_JSON_STRING) ? unknown->text : "[UNK]";
    size_t size;
    if (heed_json_is(buckets, HEED_JSON_INT) && buckets->integer != 1)
        return heed_fail(c, HEED_EUNSUPPORTED, "a text layer with num_oov_indices=%lld is not supported (expected 1)",
                         (long long)buckets->integer);
    const char *lines = heed_json_is(asset, HEED_JSON_STRING) ? heed_asset(m, asset->text, &size) : NULL;
    const char *first = masked != NULL && v->mode == AS_NUMBERS ? masked : other;
    if (lines != NULL) { /* with all that comes before */
        HEED_TRY(add_special(v, masked, other, true));
        return add_lines(v, lines, size);
    }
    if (!heed_json_is(words, HEED_JSON_ARRAY))
        return heed_fail(c, HEED_EFORMAT, "the file lacks the text layer's vocabulary (Keras keeps it in .keras files only)");
    HEED_TRY(add_special(v, masked, other, heed_json_is_string(words->first, first)));
    for (const heed_json *item = words->first; item != NULL; item = item->next)
        if (heed_json_is(item, HEED_JSON_STRING))
            HEED_TRY(add_token(v, item->text, item->length));
    return HEED_OK;
}

/* Weights for each token; those in the config lack the unknown's, which is their mean. */
static heed_status read_idf(heed_vectorizer *v, const heed_json *object)
{
    const heed_json *list = heed_json_option(object, "idf_weights");
    size_t count = v->vocabulary.count, at = 0;
    double total = 0.0, number;
    if (list == NULL)
        list = heed_json_option(heed_json_find(object, "config"), "idf_weights");
    if (!heed_json_is(list, HEED_JSON_ARRAY) || list->count + 1 < count)
        return heed_fail(v->context, HEED_EFORMAT, "the file lacks the text layer's idf_weights");
    v->idf = heed_alloc(v->context, count, sizeof *v->idf);
    if (v->idf == NULL)
        return HEED_ENOMEM;
    at = list->count + 1 == count;
    for (const heed_json *item = list->first; item != NULL && at < count; item = item->next) { /* zeros may stand behind */
        HEED_TRY(heed_json_as_real(v->context, item, &number));
        v->idf[at++] = (float)number;
        total += number;
    }
    if (list->count < count)
        v->idf[0] = (float)(total / (double)list->count);
    return HEED_OK;
}

static heed_status read_description(heed_vectorizer *v, const heed_model *m, const heed_json *object)
{
    const heed_json *config = heed_json_find(object, "config"), *most = heed_json_option(config, "max_tokens");
    const heed_json *pads = heed_json_option(config, "pad_to_max_tokens");
    bool lookup = heed_json_is_string(heed_json_find(object, "class_name"), "StringLookup");
    HEED_TRY(read_options(v, config, lookup));
    HEED_TRY(read_vocabulary(v, m, object, lookup));
    v->depth = (int64_t)v->vocabulary.count;
    if (heed_json_is(pads, HEED_JSON_BOOL) && pads->boolean && heed_json_is(most, HEED_JSON_INT) &&
        most->integer > v->depth && most->integer <= INT32_MAX)
        v->depth = most->integer;
    return v->mode == AS_TF_IDF ? read_idf(v, object) : HEED_OK;
}

heed_status heed_vectorizer_of(const heed_model *m, int input, heed_vectorizer **out)
{
    heed_context *c = heed_model_context(m);
    heed_zone z;
    heed_json *object;
    size_t size;
    const void *bytes = description_of(m, input, &size);
    *out = NULL;
    if (bytes == NULL)
        return heed_fail(c, HEED_ENOTFOUND, "%s: input %d takes no texts", heed_model_name(m), input);
    heed_vectorizer *v = heed_alloc(c, 1, sizeof *v);
    if (v == NULL)
        return HEED_ENOMEM;
    v->context = c;
    v->rank = heed_model_input_shape(m, input)->rank;
    heed_table_init(&v->vocabulary, c);
    heed_zone_init(&z, c);
    heed_status status = heed_json_parse(&z, "the text layer", bytes, size, &object);
    if (status == HEED_OK)
        status = read_description(v, m, object);
    heed_zone_free(&z);
    if (status == HEED_OK)
        *out = v;
    else
        heed_vectorizer_free(v);
    return status;
}

void heed_vectorizer_free(heed_vectorizer *v)
{
    if (v == NULL)
        return;
    heed_table_free(&v->vocabulary);
    heed_release(v->context, v->idf);
    heed_release(v->context, v);
}

/* ---- a text's tokens ---- */

typedef struct token {
    const char *text;
    size_t      length;
} token;

/* Of one text after the other; memory serves all of them. */
typedef struct reading {
    const heed_vectorizer *v;
    heed_text bytes, joined; /* of the text, of an n-gram */
    token   *tokens;
    size_t   token_count, token_capacity;
    int32_t *ids; /* of all texts that are sequences, or of the one */
    size_t   id_count, id_capacity;
} reading;

static bool is_punctuation(char c) { return c != '\0' && strchr("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'", c) != NULL; }

static heed_status standardize(reading *r, const char *text)
{
    const heed_vectorizer *v = r->v;
    r->bytes.length = 0;
    heed_text_append(&r->bytes, "", 0);
    for (; *text != '\0'; text++) {
        char c = (char)(v->lowers && *text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
        if (!(v->strips && is_punctuation(c)))
            heed_text_append(&r->bytes, &c, 1);
    }
    return heed_text_status(&r->bytes);
}

static heed_status add(reading *r, const char *text, size_t length)
{
    void *tokens = r->tokens;
    HEED_TRY(heed_grow(r->v->context, &tokens, &r->token_capacity, r->token_count, sizeof *r->tokens));
    r->tokens = tokens;
    r->tokens[r->token_count++] = (token){text, length};
    return HEED_OK;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static heed_status split_at_spaces(reading *r, const char *text, size_t length)
{
    for (size_t at = 0, stop; at < length; at = stop + 1) {
        for (stop = at; stop < length && !is_space(text[stop]);)
            stop++;
        if (stop > at)
            HEED_TRY(add(r, text + at, stop - at));
    }
    return HEED_OK;
}

/* Bytes of the character that begins here; 0: it is none. */
static size_t character_size(const char *text, size_t left)
{
    unsigned char first = (unsigned char)text[0];
    size_t size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < size; i++)
        if (i >= left || ((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static heed_status split_characters(reading *r, const char *text, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    for (size_t at = 0; at < length;) {
        size_t size = character_size(text + at, length - at);
        HEED_TRY(size == 0 ? add(r, replacement, sizeof replacement - 1) : add(r, text + at, size));
        at += size == 0 ? 1 : size;
    }
    return HEED_OK;
}

static heed_status add_id(reading *r, const char *text, size_t length)
{
    void *ids = r->ids;
    if (length == 0 && r->v->skips_empty)
        return HEED_OK;
    int32_t id = heed_table_find(&r->v->vocabulary, text, length);
    HEED_TRY(heed_grow(r->v->context, &ids, &r->id_capacity, r->id_count, sizeof *r->ids));
    r->ids = ids;
    r->ids[r->id_count++] = id < 0 ? r->v->unknown : id;
    return HEED_OK;
}

/* Tokens with a space between. */
static heed_status add_ngram(reading *r, const token *first, int width)
{
    r->joined.length = 0;
    for (int i = 0; i < width; i++) {
        heed_text_append(&r->joined, " ", i > 0);
        heed_text_append(&r->joined, first[i].text, first[i].length);
    }
    HEED_TRY(heed_text_status(&r->joined));
    return add_id(r, r->joined.bytes, r->joined.length);
}

/* Adds the numbers of one text. */
static heed_status read_text(reading *r, const char *text)
{
    const heed_vectorizer *v = r->v;
    r->token_count = 0;
    HEED_TRY(standardize(r, text));
    const char *bytes = r->bytes.bytes;
    size_t length = r->bytes.length;
    HEED_TRY(v->split == BY_SPACE       ? split_at_spaces(r, bytes, length)
             : v->split == BY_CHARACTER ? split_characters(r, bytes, length)
                                        : add(r, bytes, length));
    if (v->width_count == 0)
        for (size_t i = 0; i < r->token_count; i++)
            HEED_TRY(add_id(r, r->tokens[i].text, r->tokens[i].length));
    for (int k = 0; k < v->width_count; k++)
        for (size_t i = 0; i + (size_t)v->widths[k] <= r->token_count; i++)
            HEED_TRY(add_ngram(r, &r->tokens[i], v->widths[k]));
    return HEED_OK;
}

/* ---- arrays ---- */

/* How often each token is in each text, or whether it is. */
static heed_status count_tokens(reading *r, const char *const *texts, int64_t count, heed_array **out)
{
    const heed_vectorizer *v = r->v;
    heed_shape shape = {2, {count, v->depth}};
    HEED_TRY(heed_array_create(v->context, HEED_FLOAT32, &shape, out));
    for (int64_t row = 0; row < count; row++) {
        float *numbers = (float *)(*out)->data + row * v->depth;
        r->id_count = 0;
        HEED_TRY(read_text(r, texts[row]));
        for (size_t i = 0; i < r->id_count; i++)
            numbers[r->ids[i]] = v->mode == AS_MULTI_HOT ? 1.0f : numbers[r->ids[i]] + 1.0f;
        for (size_t k = 0; v->mode == AS_TF_IDF && k < v->vocabulary.count; k++)
            numbers[k] *= v->idf[k];
    }
    return HEED_OK;
}

static heed_status pad_rows(const heed_vectorizer *v, const reading *r, const size_t *ends, int64_t count, heed_array **out)
{
    int64_t longest = v->length;
    for (int64_t row = 0; row < count && v->length == 0; row++) {
        int64_t own = (int64_t)(ends[row] - (row == 0 ? 0 : ends[row - 1]));
        longest = own > longest ? own : longest;
    }
    heed_shape shape = {v->rank, {count, longest}};
    HEED_TRY(heed_array_create(v->context, HEED_INT32, &shape, out));
    for (int64_t row = 0; row < count; row++) {
        size_t begin = row == 0 ? 0 : ends[row - 1], own = ends[row] - begin;
        size_t width = (size_t)longest, taken = own < width ? own : width;
        if (taken > 0)
            memcpy((int32_t *)(*out)->data + (size_t)row * width, r->ids + begin, taken * sizeof(int32_t));
    }
    return HEED_OK;
}

static heed_status list_tokens(reading *r, const char *const *texts, int64_t count, heed_array **out)
{
    heed_context *c = r->v->context;
    size_t *ends = heed_alloc(c, (size_t)count, sizeof *ends);
    heed_status status = ends == NULL ? HEED_ENOMEM : HEED_OK;
    for (int64_t row = 0; row < count && status == HEED_OK; row++) {
        status = read_text(r, texts[row]);
        ends[row] = r->id_count;
    }
    if (status == HEED_OK)
        status = pad_rows(r->v, r, ends, count, out);
    heed_release(c, ends);
    return status;
}

heed_status heed_vectorize(const heed_vectorizer *v, const char *const *texts, int64_t count, heed_array **out)
{
    reading r = {.v = v, .bytes = {.context = v->context}, .joined = {.context = v->context}};
    *out = NULL;
    heed_status status = v->mode == AS_NUMBERS ? list_tokens(&r, texts, count, out) : count_tokens(&r, texts, count, out);
    heed_text_free(&r.bytes);
    heed_text_free(&r.joined);
    heed_release(v->context, r.tokens);
    heed_release(v->context, r.ids);
    if (status != HEED_OK) {
        heed_array_free(v->context, *out);
        *out = NULL;
    }
    return status;
}
