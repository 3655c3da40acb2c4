#include "heed/text.h"

#include "text/unicode.h"

#include <math.h>
#include <string.h>

static const char separator[] = " | ";

/* A token, as a part of a text. */
typedef struct slice {
    const char *text;
    size_t      length;
} slice;

typedef struct slices {
    slice *items;
    size_t count, capacity;
} slices;

struct heed_scorer {
    heed_context   *context;
    bool            alternatives, characters;
    heed_normalizer hypothesis_form, reference_form; /* each keeps its last text */
    heed_scores     scores;
    slices          hypothesis, reference;
    int64_t        *distances; /* the row of the edit distance at hand */
    size_t          distances_size;
};

heed_status heed_scorer_create(heed_context *c, const heed_scorer_config *config, heed_scorer **out)
{
    *out = NULL;
    const char *tokenize = config->tokenize != NULL ? config->tokenize : "none";
    bool characters = strcmp(tokenize, "char") == 0;
    if (!characters && strcmp(tokenize, "none") != 0)
        return heed_fail(c, HEED_ENOTFOUND, "tokenize: no such way (expected none or char, found \"%s\")", tokenize);
    heed_scorer *s = heed_alloc(c, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    *s = (heed_scorer){.context = c, .alternatives = config->alternatives, .characters = characters};
    s->hypothesis_form = s->reference_form = (heed_normalizer){.context = c, .lowercase = config->lowercase};
    *out = s;
    return HEED_OK;
}

void heed_scorer_free(heed_scorer *s)
{
    if (s == NULL)
        return;
    heed_normalizer_free(&s->hypothesis_form);
    heed_normalizer_free(&s->reference_form);
    heed_release(s->context, s->hypothesis.items);
    heed_release(s->context, s->reference.items);
    heed_release(s->context, s->distances);
    heed_release(s->context, s);
}

static heed_status tokenize(heed_scorer *s, slice text, slices *out)
{
    out->count = 0;
    while (text.length > 0) {
        heed_word word = {.length = 0};
        if (s->characters)
            word.length = heed_utf8_next(text.text, text.length, NULL);
        else
            word = heed_utf8_word(text.text, text.length);
        if (word.length == 0)
            break;
        HEED_TRY(heed_grow(s->context, (void **)&out->items, &out->capacity, out->count, sizeof *out->items));
        out->items[out->count++] = (slice){text.text + word.space, word.length};
        text.text += word.space + word.length;
        text.length -= word.space + word.length;
    }
    return HEED_OK;
}

static bool equal(slice a, slice b) { return a.length == b.length && memcmp(a.text, b.text, a.length) == 0; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Fills the row of distances from nothing, and makes it long enough. */
static heed_status start_row(heed_scorer *s, size_t count)
{
    if (count + 1 > s->distances_size) {
        heed_release(s->context, s->distances);
        s->distances_size = 0;
        s->distances = heed_alloc_raw(s->context, count + 1, sizeof *s->distances);
        if (s->distances == NULL)
            return HEED_ENOMEM;
        s->distances_size = count + 1;
    }
    for (size_t j = 0; j <= count; j++)
        s->distances[j] = (int64_t)j;
    return HEED_OK;
}

/* Insertions, deletions and replacements that turn one list into the other (Levenshtein), a row at a time. What both
 * begin and end with costs nothing and is left out. */
static heed_status edit_distance(heed_scorer *s, slices a, slices b, int64_t *out)
{
    while (a.count > 0 && b.count > 0 && equal(a.items[0], b.items[0])) {
        a.items++, a.count--;
        b.items++, b.count--;
    }
    while (a.count > 0 && b.count > 0 && equal(a.items[a.count - 1], b.items[b.count - 1]))
        a.count--, b.count--;
    HEED_TRY(start_row(s, b.count));
    int64_t *row = s->distances;
    for (size_t i = 0; i < a.count; i++) {
        int64_t diagonal = row[0]++;
        for (size_t j = 0; j < b.count; j++) {
            int64_t replaced = diagonal + !equal(a.items[i], b.items[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, least(row[j], row[j + 1]) + 1);
        }
    }
    *out = row[b.count];
    return HEED_OK;
}

/* The next of the references, taken off the front of the line; the last leaves `rest` without text. */
static slice next_reference(const heed_scorer *s, slice *rest)
{
    slice reference = *rest;
    const char *end = s->alternatives ? strstr(rest->text, separator) : NULL;
    if (end == NULL) {
        *rest = (slice){0};
        return reference;
    }
    reference.length = (size_t)(end - reference.text);
    rest->text += reference.length + sizeof separator - 1;
    rest->length -= reference.length + sizeof separator - 1;
    return reference;
}

/* Of several references the nearest counts; the shorter one, when two are as near. */
static heed_status compare(heed_scorer *s, slice hypothesis, slice references)
{
    bool exact = false;
    int64_t best_edits = -1, best_tokens = 0;
    HEED_TRY(tokenize(s, hypothesis, &s->hypothesis));
    while (references.text != NULL) {
        slice reference = next_reference(s, &references);
        int64_t edits;
        HEED_TRY(tokenize(s, reference, &s->reference));
        HEED_TRY(edit_distance(s, s->hypothesis, s->reference, &edits));
        int64_t tokens = (int64_t)s->reference.count;
        if (best_edits < 0 || edits < best_edits || (edits == best_edits && tokens < best_tokens)) {
            best_edits = edits;
            best_tokens = tokens;
        }
        exact = exact || equal(hypothesis, reference);
    }
    s->scores.lines++;
    s->scores.exact += exact;
    s->scores.edits += best_edits;
    s->scores.reference_tokens += best_tokens;
    return HEED_OK;
}

heed_status heed_scorer_add(heed_scorer *s, const char *hypothesis, const char *reference)
{
    slice h = {hypothesis, strlen(hypothesis)}, r = {reference, strlen(reference)};
    HEED_TRY(heed_utf8_check(s->context, "hypothesis", h.text, h.length));
    HEED_TRY(heed_utf8_check(s->context, "reference", r.text, r.length));
    HEED_TRY(heed_normalize(&s->hypothesis_form, h.text, h.length, &h.text, &h.length));
    HEED_TRY(heed_normalize(&s->reference_form, r.text, r.length, &r.text, &r.length));
    return compare(s, h, r);
}

heed_scores heed_scorer_result(const heed_scorer *s)
{
    heed_scores r = s->scores;
    r.exact_match = r.lines > 0 ? (double)r.exact / (double)r.lines : (double)NAN;
    r.token_error_rate = r.reference_tokens > 0 ? (double)r.edits / (double)r.reference_tokens : (double)NAN;
    return r;
}
