#include "text/score_tokens.h"

#include "text/rewrite.h"

#include <string.h>
#include <unicode/uchar.h>

const char *const heed_score_kind_names[4] = {
    [HEED_SCORE_NONE] = "none", [HEED_SCORE_CHAR] = "char", [HEED_SCORE_13A] = "13a", [HEED_SCORE_INTL] = "intl"};

void heed_score_tokens_init(heed_score_tokens *t, heed_context *c)
{
    *t = (heed_score_tokens){.buffers = {{.context = c}, {.context = c}}};
    heed_table_init(&t->table, c);
}

void heed_score_tokens_free(heed_score_tokens *t)
{
    heed_table_free(&t->table);
    heed_ids_free(&t->buffers[0]);
    heed_ids_free(&t->buffers[1]);
}

/* ---- classes of characters; each takes a code point */

static bool is_no_ascii_digit(int32_t point) { return !heed_point_is_ascii_digit(point); }
static bool is_period_or_comma(int32_t point) { return point == '.' || point == ','; }
static bool is_dash(int32_t point) { return point == '-'; }

static bool is_ascii_mark(int32_t point)
{
    bool alphanumeric = heed_point_is_ascii_digit(point) || (point >= 'A' && point <= 'Z') || (point >= 'a' && point <= 'z');
    return point > ' ' && point <= '~' && !alphanumeric;
}

/* All but these, which can be a part of a word or a number: ' , - . */
static bool is_mark_13a(int32_t point)
{
    return point == ' ' || (is_ascii_mark(point) && strchr("',-.", point) == NULL);
}

static bool is_no_number(int32_t point) { return !heed_point_is_number(point); }
static bool is_punctuation(int32_t point) { return (U_GET_GC_MASK(point) & U_GC_P_MASK) != 0; }
static bool is_symbol(int32_t point) { return (U_GET_GC_MASK(point) & U_GC_S_MASK) != 0; }

/* ---- rules */

/* What mteval-v13a does to Western languages, in sacreBLEU's words. */
static heed_status apply_13a(heed_score_tokens *t, const heed_ids *points)
{
    heed_ids *a = &t->buffers[0], *b = &t->buffers[1];
    HEED_TRY(heed_rewrite_replace(points, a, "<skipped>", 0));
    HEED_TRY(heed_rewrite_replace(a, b, "&quot;", '"'));
    HEED_TRY(heed_rewrite_replace(b, a, "&amp;", '&'));
    HEED_TRY(heed_rewrite_replace(a, b, "&lt;", '<'));
    HEED_TRY(heed_rewrite_replace(b, a, "&gt;", '>'));
    b->count = 0;
    HEED_TRY(heed_ids_add(b, ' '));
    HEED_TRY(heed_rewrite_add(b, a->ids, a->count));
    HEED_TRY(heed_ids_add(b, ' '));
    HEED_TRY(heed_rewrite_apart(b, a, is_mark_13a));
    HEED_TRY(heed_rewrite_part(a, b, is_no_ascii_digit, is_period_or_comma, false));
    HEED_TRY(heed_rewrite_part(b, a, is_period_or_comma, is_no_ascii_digit, true));
    return heed_rewrite_part(a, b, heed_point_is_ascii_digit, is_dash, false);
}

static heed_status apply_intl(heed_score_tokens *t, const heed_ids *points)
{
    heed_ids *a = &t->buffers[0], *b = &t->buffers[1], line = *points;
    while (line.count > 0 && heed_point_is_space(line.ids[line.count - 1]))
        line.count--;
    HEED_TRY(heed_rewrite_part(&line, b, is_no_number, is_punctuation, false));
    HEED_TRY(heed_rewrite_part(b, a, is_punctuation, is_no_number, true));
    return heed_rewrite_apart(a, b, is_symbol);
}

/* ---- tokens */

static heed_status add_token(heed_score_tokens *t, const int32_t *points, size_t count, heed_ids *out)
{
    int32_t number;
    HEED_TRY(heed_table_add(&t->table, (const char *)points, count * sizeof *points, &number));
    return heed_ids_add(out, number);
}

/* What becomes of each part between white space. */
typedef heed_status word_function(heed_score_tokens *t, const int32_t *points, size_t count, heed_ids *out);

static heed_status each_word(heed_score_tokens *t, const heed_ids *line, word_function *function, heed_ids *out)
{
    out->count = 0;
    for (size_t at = 0, size; (size = heed_rewrite_word(line, &at)) > 0; at += size)
        HEED_TRY(function(t, line->ids + at, size, out));
    return HEED_OK;
}

heed_status heed_score_tokenize(heed_score_tokens *t, heed_score_kind kind, const heed_ids *points, heed_ids *out)
{
    if (kind == HEED_SCORE_NONE)
        return each_word(t, points, add_token, out);
    if (kind == HEED_SCORE_CHAR)
        return heed_score_visible(points, out);
    HEED_TRY(kind == HEED_SCORE_13A ? apply_13a(t, points) : apply_intl(t, points));
    return each_word(t, &t->buffers[1], add_token, out);
}

/* Of a word with marks at both ends only the last stands by itself. */
static heed_status add_word(heed_score_tokens *t, const int32_t *points, size_t count, heed_ids *out)
{
    size_t cut = count == 1 ? 0 : is_ascii_mark(points[count - 1]) ? count - 1 : is_ascii_mark(points[0]);
    if (cut > 0)
        HEED_TRY(add_token(t, points, cut, out));
    return add_token(t, points + cut, count - cut, out);
}

heed_status heed_score_words(heed_score_tokens *t, const heed_ids *points, heed_ids *out)
{
    return each_word(t, points, add_word, out);
}

heed_status heed_score_visible(const heed_ids *points, heed_ids *out)
{
    out->count = 0;
    for (size_t i = 0; i < points->count; i++)
        if (!heed_point_is_space(points->ids[i]))
            HEED_TRY(heed_ids_add(out, points->ids[i]));
    return HEED_OK;
}
