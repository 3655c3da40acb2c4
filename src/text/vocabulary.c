#include "text/vocabulary.h"

#include "base/number.h"
#include "text/table.h"

#include <math.h>
#include <string.h>

/* By their ids; the first two as in Keras. */
static const char *const specials[HEED_SPECIALS] = {"", "[UNK]", "[START]", "[END]"};

bool heed_vocabulary_reserved(const char *token)
{
    for (size_t i = 0; i < HEED_SPECIALS; i++)
        if (strcmp(specials[i], token) == 0)
            return true;
    return false;
}

struct heed_vocabulary {
    heed_context *context;
    heed_table    tokens; /* a token's index is its id */
    float        *scores; /* by id; NULL: there are none */
    size_t        score_capacity;
};

static heed_status create_empty(heed_context *c, heed_vocabulary **out)
{
    *out = heed_alloc(c, 1, sizeof **out);
    if (*out == NULL)
        return HEED_ENOMEM;
    (*out)->context = c;
    heed_table_init(&(*out)->tokens, c);
    return HEED_OK;
}

static heed_status add_score(heed_vocabulary *v, float score)
{
    void *scores = v->scores;
    heed_status status = heed_grow(v->context, &scores, &v->score_capacity, v->tokens.count - 1, sizeof *v->scores);
    v->scores = scores;
    if (status == HEED_OK)
        v->scores[v->tokens.count - 1] = score;
    return status;
}

/* A token takes the next id; *fresh tells whether it was not there before. */
static heed_status add(heed_vocabulary *v, const char *token, size_t length, bool *fresh)
{
    size_t before = v->tokens.count;
    int32_t id;
    HEED_TRY(heed_table_add(&v->tokens, token, length, &id));
    *fresh = v->tokens.count > before;
    return HEED_OK;
}

static heed_status add_tokens(heed_vocabulary *v, const char *const *tokens, const float *scores, size_t count)
{
    bool fresh;
    for (size_t i = 0; i < HEED_SPECIALS; i++) {
        HEED_TRY(add(v, specials[i], strlen(specials[i]), &fresh));
        if (scores != NULL)
            HEED_TRY(add_score(v, 0));
    }
    for (size_t i = 0; i < count; i++) {
        HEED_TRY(add(v, tokens[i], strlen(tokens[i]), &fresh));
        if (!fresh)
            return heed_fail(v->context, HEED_EINVAL, "vocabulary: token %zu is there already (found \"%s\")", i,
                             tokens[i]);
        if (scores != NULL)
            HEED_TRY(add_score(v, scores[i]));
    }
    return HEED_OK;
}

heed_status heed_vocabulary_create(heed_context *c, const char *const *tokens, size_t count, heed_vocabulary **out)
{
    return heed_vocabulary_create_scored(c, tokens, NULL, count, out);
}

heed_status heed_vocabulary_create_scored(heed_context *c, const char *const *tokens, const float *scores, size_t count,
                                          heed_vocabulary **out)
{
    heed_vocabulary *v;
    *out = NULL;
    HEED_TRY(create_empty(c, &v));
    heed_status status = add_tokens(v, tokens, scores, count);
    if (status == HEED_OK)
        *out = v;
    else
        heed_vocabulary_free(v);
    return status;
}

heed_status heed_vocabulary_copy(const heed_vocabulary *v, heed_vocabulary **out)
{
    size_t count = v->tokens.count - HEED_SPECIALS;
    const char **tokens = heed_alloc(v->context, count, sizeof *tokens);
    *out = NULL;
    if (tokens == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++)
        tokens[i] = v->tokens.entries[HEED_SPECIALS + i].text;
    const float *scores = v->scores != NULL ? v->scores + HEED_SPECIALS : NULL;
    heed_status status = heed_vocabulary_create_scored(v->context, tokens, scores, count, out);
    heed_release(v->context, tokens);
    return status;
}

void heed_vocabulary_free(heed_vocabulary *v)
{
    if (v == NULL)
        return;
    heed_table_free(&v->tokens);
    heed_release(v->context, v->scores);
    heed_release(v->context, v);
}

int32_t heed_vocabulary_size(const heed_vocabulary *v) { return (int32_t)v->tokens.count; }

const char *heed_vocabulary_token(const heed_vocabulary *v, int32_t id)
{
    bool known = id >= 0 && (size_t)id < v->tokens.count;
    return v->tokens.entries[known ? id : HEED_UNKNOWN].text;
}

int32_t heed_vocabulary_id(const heed_vocabulary *v, const char *token, size_t length)
{
    int32_t id = heed_table_find(&v->tokens, token, length);
    return id < HEED_SPECIALS ? HEED_UNKNOWN : id;
}

const float *heed_vocabulary_scores(const heed_vocabulary *v) { return v->scores; }

size_t heed_vocabulary_longest(const heed_vocabulary *v)
{
    size_t longest = 0;
    for (size_t i = HEED_SPECIALS; i < v->tokens.count; i++)
        longest = v->tokens.entries[i].length > longest ? v->tokens.entries[i].length : longest;
    return longest;
}

/* ---- as text: a token a line, and its score ---- */

/* What cannot stand in a line as it is, and the letter that stands for it behind a backslash. */
static const char escaped[] = "\n\r\t\\", letters[] = "nrt\\";

heed_status heed_vocabulary_save(const heed_vocabulary *v, char **bytes, size_t *size)
{
    heed_text text = {.context = v->context};
    for (size_t i = 0; i < v->tokens.count; i++) {
        const heed_table_entry *token = &v->tokens.entries[i];
        for (size_t at = 0; at < token->length; at++) {
            const char *found = memchr(escaped, token->text[at], sizeof escaped - 1);
            if (found != NULL)
                heed_text_printf(&text, "\\%c", letters[found - escaped]);
            else
                heed_text_append(&text, token->text + at, 1);
        }
        char score[HEED_NUMBER_SIZE];
        if (v->scores != NULL && i >= HEED_SPECIALS)
            heed_text_printf(&text, "\t%s", heed_number_write_float(v->scores[i], score));
        heed_text_append(&text, "\n", 1);
    }
    heed_status status = heed_text_status(&text);
    if (status != HEED_OK) {
        heed_text_free(&text);
        return status;
    }
    *bytes = text.bytes;
    *size = text.length;
    return HEED_OK;
}

/* Undoes the escapes of one line; false when there is one that nobody wrote. */
static bool unescape(const char *line, size_t length, heed_text *token)
{
    token->length = 0;
    for (size_t i = 0; i < length; i++) {
        const char *byte = line + i;
        if (*byte == '\\') {
            const char *letter = ++i < length ? memchr(letters, line[i], sizeof letters - 1) : NULL;
            if (letter == NULL)
                return false;
            byte = escaped + (letter - letters);
        }
        heed_text_append(token, byte, 1);
    }
    return true;
}

static heed_status fail_line(heed_vocabulary *v, const char *name, const char *what)
{
    return heed_fail(v->context, HEED_EFORMAT, "%s:%zu: %s", name, v->tokens.count + 1, what);
}

/* Takes the score off a line's end. */
static heed_status load_score(heed_vocabulary *v, const char *name, const char *line, size_t *length, float *score)
{
    const char *tab = memchr(line, '\t', *length), *end = NULL;
    double found = 0;
    if (tab == NULL)
        return fail_line(v, name, "a token without a score among tokens with scores");
    if (memchr("-0123456789", tab[1], 11) != NULL) /* then reading ends at the newline, if not before */
        found = heed_number_read(tab + 1, &end);
    if (end != line + *length || !isfinite((float)found))
        return fail_line(v, name, "the score is not a number");
    *score = (float)found;
    *length = (size_t)(tab - line);
    return HEED_OK;
}

static heed_status load_line(heed_vocabulary *v, const char *name, const char *line, size_t length, bool scored,
                             heed_text *token)
{
    size_t id = v->tokens.count;
    float score = 0;
    if (scored && id >= HEED_SPECIALS)
        HEED_TRY(load_score(v, name, line, &length, &score));
    if (!unescape(line, length, token))
        return fail_line(v, name, "an unknown escape (expected \\n, \\r, \\t or \\\\)");
    heed_text_append(token, "", 1);
    HEED_TRY(heed_text_status(token));
    if (id < HEED_SPECIALS && strcmp(token->bytes, specials[id]) != 0)
        return fail_line(v, name, "not a vocabulary (expected the special tokens first)");
    bool fresh;
    HEED_TRY(add(v, token->bytes, token->length - 1, &fresh));
    if (!fresh)
        return fail_line(v, name, "a token that was there before");
    return scored ? add_score(v, score) : HEED_OK;
}

static heed_status load_lines(heed_vocabulary *v, const char *name, const char *bytes, size_t size, heed_text *token)
{
    HEED_TRY(heed_utf8_check(v->context, name, bytes, size));
    bool scored = size > 0 && memchr(bytes, '\t', size) != NULL; /* in tokens TABs are escaped */
    while (size > 0) {
        const char *end = memchr(bytes, '\n', size);
        if (end == NULL)
            return fail_line(v, name, "the last line is cut off");
        HEED_TRY(load_line(v, name, bytes, (size_t)(end - bytes), scored, token));
        size -= (size_t)(end + 1 - bytes);
        bytes = end + 1;
    }
    if (v->tokens.count < HEED_SPECIALS)
        return fail_line(v, name, "the special tokens are cut off");
    return HEED_OK;
}

heed_status heed_vocabulary_load(heed_context *c, const char *name, const char *bytes, size_t size,
                                 heed_vocabulary **out)
{
    heed_vocabulary *v;
    *out = NULL;
    HEED_TRY(create_empty(c, &v));
    heed_text token = {.context = c};
    heed_status status = load_lines(v, name, bytes, size, &token);
    heed_text_free(&token);
    if (status == HEED_OK)
        *out = v;
    else
        heed_vocabulary_free(v);
    return status;
}
