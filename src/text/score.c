#include "heed/text.h"

#include "text/rewrite.h"
#include "text/score_overlap.h"
#include "text/unicode.h"

#include <math.h>
#include <string.h>

static const char separator[] = " | ";

/* A part of a text. */
typedef struct slice {
    const char *text;
    size_t      length;
} slice;

struct heed_scorer {
    heed_context     *context;
    bool              alternatives, lowercase;
    heed_score_kind   kind;         /* of the error rate's tokens */
    heed_normalizer   hypothesis_form, reference_form; /* each keeps its last text */
    heed_scores       scores;
    heed_score_tokens tokens;
    heed_ids          points, hypothesis, reference;
    int64_t          *distances; /* the row of the edit distance at hand */
    size_t            distances_size;
    heed_overlap      overlap;
};

static heed_status find_kind(heed_context *c, const char *name, heed_score_kind *out)
{
    enum { KINDS = sizeof heed_score_kind_names / sizeof *heed_score_kind_names };
    for (int i = 0; i < KINDS; i++)
        if (strcmp(heed_score_kind_names[i], name) == 0) {
            *out = (heed_score_kind)i;
            return HEED_OK;
        }
    return heed_fail(c, HEED_ENOTFOUND, "tokenize: no such way (expected 13a, intl, none or char, found \"%s\")", name);
}

heed_status heed_scorer_create(heed_context *c, const heed_scorer_config *config, heed_scorer **out)
{
    heed_score_kind kind = HEED_SCORE_NONE, bleu_kind = HEED_SCORE_13A;
    *out = NULL;
    if (config->tokenize != NULL) {
        HEED_TRY(find_kind(c, config->tokenize, &kind));
        bleu_kind = kind;
    }
    if (config->chrf_word_order < 0 || config->chrf_word_order > HEED_CHRF_MOST_WORDS)
        return heed_fail(c, HEED_EINVAL, "chrf_word_order is out of range (expected 0 to %d, found %d)",
                         HEED_CHRF_MOST_WORDS, config->chrf_word_order);
    heed_scorer *s = heed_alloc(c, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    *s = (heed_scorer){.context = c, .alternatives = config->alternatives, .lowercase = config->lowercase, .kind = kind};
    s->hypothesis_form = s->reference_form = (heed_normalizer){.context = c, .lowercase = config->lowercase};
    s->points.context = s->hypothesis.context = s->reference.context = c;
    heed_score_tokens_init(&s->tokens, c);
    heed_overlap_init(&s->overlap, c, bleu_kind, config->chrf_word_order);
    *out = s;
    return HEED_OK;
}

void heed_scorer_free(heed_scorer *s)
{
    if (s == NULL)
        return;
    heed_overlap_free(&s->overlap);
    heed_score_tokens_free(&s->tokens);
    heed_normalizer_free(&s->hypothesis_form);
    heed_normalizer_free(&s->reference_form);
    heed_ids_free(&s->points);
    heed_ids_free(&s->hypothesis);
    heed_ids_free(&s->reference);
    heed_release(s->context, s->distances);
    heed_release(s->context, s);
}

/* Tokens of the error rate: characters with the white space between them, which in a date is part of the answer. */
static heed_status tokenize(heed_scorer *s, slice text, heed_ids *out)
{
    if (s->kind == HEED_SCORE_CHAR)
        return heed_rewrite_points(text.text, text.length, out);
    HEED_TRY(heed_rewrite_points(text.text, text.length, &s->points));
    return heed_score_tokenize(&s->tokens, s->kind, &s->points, out);
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
static heed_status edit_distance(heed_scorer *s, heed_sequence a, heed_sequence b, int64_t *out)
{
    while (a.count > 0 && b.count > 0 && a.items[0] == b.items[0]) {
        a.items++, a.count--;
        b.items++, b.count--;
    }
    while (a.count > 0 && b.count > 0 && a.items[a.count - 1] == b.items[b.count - 1])
        a.count--, b.count--;
    HEED_TRY(start_row(s, b.count));
    int64_t *row = s->distances;
    for (size_t i = 0; i < a.count; i++) {
        int64_t diagonal = row[0]++;
        for (size_t j = 0; j < b.count; j++) {
            int64_t replaced = diagonal + (a.items[i] != b.items[j]);
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
    HEED_TRY(heed_overlap_line(&s->overlap, hypothesis.text, hypothesis.length));
    while (references.text != NULL) {
        slice reference = next_reference(s, &references);
        int64_t edits;
        HEED_TRY(tokenize(s, reference, &s->reference));
        HEED_TRY(edit_distance(s, (heed_sequence){s->hypothesis.ids, s->hypothesis.count},
                               (heed_sequence){s->reference.ids, s->reference.count}, &edits));
        HEED_TRY(heed_overlap_reference(&s->overlap, reference.text, reference.length));
        int64_t tokens = (int64_t)s->reference.count;
        if (best_edits < 0 || edits < best_edits || (edits == best_edits && tokens < best_tokens)) {
            best_edits = edits;
            best_tokens = tokens;
        }
        exact = exact || equal(hypothesis, reference);
    }
    HEED_TRY(heed_overlap_compare(&s->overlap));
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
    heed_overlap_result(&s->overlap, &r);
    return r;
}

/* ---- signatures ---- */

static const char *case_of(const heed_scorer *s) { return s->lowercase ? "lc" : "mixed"; }

static heed_status sign(const heed_scorer *s, char **out, const char *format, ...) HEED_PRINTF(3, 4);

static heed_status sign(const heed_scorer *s, char **out, const char *format, ...)
{
    const heed_overlap *o = &s->overlap;
    heed_text text = {.context = s->context};
    if (o->most_references == o->fewest_references)
        heed_text_printf(&text, "nrefs:%lld", (long long)o->most_references);
    else
        heed_text_printf(&text, "nrefs:var");
    va_list args;
    va_start(args, format);
    heed_text_vprintf(&text, format, args);
    va_end(args);
    heed_text_printf(&text, "|version:2.6.0"); /* of the sacreBLEU that gives the same */
    heed_status status = heed_text_status(&text);
    if (status != HEED_OK)
        heed_text_free(&text);
    *out = text.bytes;
    return status;
}

heed_status heed_scorer_bleu_signature(const heed_scorer *s, char **text)
{
    return sign(s, text, "|case:%s|eff:no|tok:%s|smooth:exp", case_of(s), heed_score_kind_names[s->overlap.kind]);
}

heed_status heed_scorer_chrf_signature(const heed_scorer *s, char **text)
{
    return sign(s, text, "|case:%s|eff:yes|nc:%d|nw:%d|space:no", case_of(s), HEED_CHRF_CHARACTERS, s->overlap.word_order);
}
