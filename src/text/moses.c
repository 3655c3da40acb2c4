#include "text/moses.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

/* What keeps its period, whatever follows: single letters, ordinal numbers, and abbreviations, with spaces around; and what
 * keeps it before a number. */
typedef struct heed_moses_prefixes {
    const char *language;
    bool        small_letters, ordinals;
    const char *words, *before_numbers;
} heed_moses_prefixes;

#define TITLES                                                                                                          \
    " Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Ens Gen Gov Hon Hosp Insp Lt MM MR "  \
    "MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc Sgt Sr St "      \
    "Supt Surg vs rev "

static const heed_moses_prefixes known_prefixes[] = {
    {"en", false, false, TITLES "Drs Hr Nos Nr v ", " No Art pp "},
    {"de", true, true, TITLES "Chr Co Dipl Dkr Ing Ltd Mio Mrd Nr Std bzgl bzw ca dergl dgl etc evtl ff ggf inkl jun sen "
                       "sog spp usf usw vgl zzgl ", ""},
    {"fr", true, false, " adj adm adv apr art av bibl cf chap dir doc ed env etc ex fig ibid id inf int max min mod moy obs "
                        "op ord pag pl pp prov ref rem sec sing spec suiv sup vol vs ", ""},
};

heed_status heed_moses_init(heed_moses *m, heed_context *c, const char *language)
{
    *m = (heed_moses){.context = c, .text.context = c, .buffers = {{.context = c}, {.context = c}}};
    size_t length = strlen(language);
    if (length == 1 || length >= sizeof m->language)
        return heed_fail(c, HEED_EINVAL, "moses: not a language (expected a code of two or three letters, found \"%s\")",
                         language);
    memcpy(m->language, language, length + 1);
    if (strcmp(language, "en") == 0)
        m->apostrophe = HEED_MOSES_WITH_NEXT;
    else if (strcmp(language, "fr") == 0 || strcmp(language, "it") == 0)
        m->apostrophe = HEED_MOSES_WITH_PREVIOUS;
    for (size_t i = 0; i < sizeof known_prefixes / sizeof *known_prefixes; i++)
        if (strcmp(known_prefixes[i].language, language) == 0)
            m->prefixes = &known_prefixes[i];
    return HEED_OK;
}

void heed_moses_free(heed_moses *m)
{
    heed_ids_free(&m->buffers[0]);
    heed_ids_free(&m->buffers[1]);
    heed_text_free(&m->text);
}

/* ---- classes; dots in a row are one number below zero, of which no class is true but "not ..." */

static bool is_comma(int32_t point) { return point == ','; }
static bool is_apostrophe(int32_t point) { return point == '\''; }
static bool is_s(int32_t point) { return point == 's'; }
static bool is_no_number(int32_t point) { return !heed_point_is_number(point); }

/* Letters with what is written above, below and between them in the scripts of India. */
static bool is_letter(int32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
    uint8_t combining = u_getCombiningClass(point);
    return u_hasBinaryProperty(point, UCHAR_ALPHABETIC) || combining == 7 || combining == 9;
}

static bool is_no_letter(int32_t point) { return !is_letter(point); }
static bool is_neither(int32_t point) { return !is_letter(point) && !heed_point_is_number(point); }
static bool is_lower(int32_t point) { return u_hasBinaryProperty(point, UCHAR_LOWERCASE); }

/* Of Chinese, Japanese and Korean. */
static bool is_eastern(int32_t point)
{
    UErrorCode error = U_ZERO_ERROR;
    UScriptCode script = point < 0x1100 ? USCRIPT_COMMON : uscript_getScript(point, &error);
    return script == USCRIPT_HAN || script == USCRIPT_HANGUL || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA;
}

/* Everything but letters, digits, white space and the marks that have rules of their own. */
static bool is_mark_in_the_east(int32_t point)
{
    if (point < 0x80 && strchr(".'`,-", point) != NULL)
        return false;
    return !is_letter(point) && u_charType(point) != U_DECIMAL_DIGIT_NUMBER && !heed_point_is_space(point);
}

/* Elsewhere an eastern character is a token by itself. */
static bool is_mark(int32_t point) { return is_mark_in_the_east(point) || is_eastern(point); }

static bool is_eastern_language(const char *language)
{
    return strcmp(language, "zh") == 0 || strcmp(language, "ja") == 0 || strcmp(language, "ko") == 0;
}

/* ---- into tokens */

/* White space becomes single spaces, none at the ends; other control characters go. */
static heed_status clean(const heed_ids *in, heed_ids *out)
{
    out->count = 0;
    for (size_t at = 0, size; (size = heed_rewrite_word(in, &at)) > 0; at += size) {
        if (out->count > 0)
            HEED_TRY(heed_ids_add(out, ' '));
        for (size_t i = at; i < at + size; i++)
            if (in->ids[i] < 0 || in->ids[i] >= ' ')
                HEED_TRY(heed_ids_add(out, in->ids[i]));
    }
    return HEED_OK;
}

/* Two dots and more stay together: a number below zero tells how many. */
static heed_status join_dots(const heed_ids *in, heed_ids *out)
{
    out->count = 0;
    for (size_t i = 0, dots; i < in->count; i += dots > 0 ? dots : 1) {
        dots = 0;
        while (i + dots < in->count && in->ids[i + dots] == '.')
            dots++;
        if (dots < 2)
            HEED_TRY(heed_ids_add(out, in->ids[i]));
        else
            HEED_TRY(heed_rewrite_add(out, (int32_t[]){' ', -(int32_t)dots, ' '}, 3));
    }
    return HEED_OK;
}

/* A comma belongs to no word; within a number it stays. */
static heed_status part_commas(heed_ids *a, heed_ids *b)
{
    HEED_TRY(heed_rewrite_part(a, b, is_no_number, is_comma, false));
    HEED_TRY(heed_rewrite_part(b, a, is_comma, is_no_number, true));
    size_t count = a->count;
    if (count < 2 || a->ids[count - 1] != ',' || is_no_number(a->ids[count - 2]))
        return HEED_OK;
    a->count--;
    return heed_rewrite_add(a, (int32_t[]){' ', ','}, 2);
}

/* Spaces at an apostrophe between characters of these classes; from left to right, each character in one group at most. */
static heed_status part_apostrophe(const heed_ids *in, heed_ids *out, heed_point_class *first, heed_point_class *last,
                                   bool before, bool after)
{
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        const int32_t *p = in->ids + i;
        HEED_TRY(heed_ids_add(out, p[0]));
        if (i + 2 >= in->count || !first(p[0]) || !is_apostrophe(p[1]) || !last(p[2]))
            continue;
        if (before)
            HEED_TRY(heed_ids_add(out, ' '));
        HEED_TRY(heed_ids_add(out, '\''));
        if (after)
            HEED_TRY(heed_ids_add(out, ' '));
        HEED_TRY(heed_ids_add(out, p[2]));
        i += 2;
    }
    return HEED_OK;
}

/* The result is in `a` in any case. */
static heed_status part_apostrophes(const heed_moses *m, heed_ids *a, heed_ids *b)
{
    bool english = m->apostrophe == HEED_MOSES_WITH_NEXT;
    if (m->apostrophe == HEED_MOSES_ALONE) {
        HEED_TRY(heed_rewrite_apart(a, b, is_apostrophe));
        return clean(b, a);
    }
    HEED_TRY(part_apostrophe(a, b, is_no_letter, is_no_letter, true, true));
    HEED_TRY(part_apostrophe(b, a, english ? is_neither : is_no_letter, is_letter, true, true));
    HEED_TRY(part_apostrophe(a, b, is_letter, is_no_letter, true, true));
    HEED_TRY(part_apostrophe(b, a, is_letter, is_letter, english, !english));
    if (!english)
        return HEED_OK;
    HEED_TRY(part_apostrophe(a, b, heed_point_is_number, is_s, true, false));
    return clean(b, a);
}

/* Whether a word is in a list. */
static bool is_among(const char *list, const int32_t *word, size_t length)
{
    for (const char *at = list; (at = strchr(at, ' ')) != NULL; at++) {
        size_t same = 0;
        while (same < length && word[same] == (unsigned char)at[1 + same])
            same++;
        if (same == length && at[1 + same] == ' ')
            return true;
    }
    return false;
}

static bool is_prefix(const heed_moses_prefixes *p, const int32_t *word, size_t length)
{
    bool letter = length == 1 && word[0] < 0x80 && is_letter(word[0]);
    bool ordinal = length <= 2 && word[0] != '0' && heed_point_is_ascii_digit(word[0]) &&
                   heed_point_is_ascii_digit(word[length - 1]);
    if (letter && (p->small_letters || word[0] <= 'Z'))
        return word[0] != 'a' || strcmp(p->language, "fr") != 0; /* a verb */
    return (p->ordinals && ordinal) || is_among(p->words, word, length);
}

/* Whether the period at the end of line[at..at + size) belongs to the word. */
static bool keeps_period(const heed_moses *m, const heed_ids *line, size_t at, size_t size)
{
    const int32_t *word = line->ids + at;
    size_t next = at + size;
    bool more = heed_rewrite_word(line, &next) > 0, dot = false, letter = false;
    for (size_t i = 0; i + 1 < size; i++) {
        dot = dot || word[i] == '.';
        letter = letter || is_letter(word[i]);
    }
    if ((dot && letter) || (more && is_lower(line->ids[next])))
        return true;
    if (m->prefixes == NULL)
        return false;
    return is_prefix(m->prefixes, word, size - 1) || (more && heed_point_is_ascii_digit(line->ids[next]) &&
                                                      is_among(m->prefixes->before_numbers, word, size - 1));
}

static heed_status part_periods(const heed_moses *m, const heed_ids *in, heed_ids *out)
{
    out->count = 0;
    for (size_t at = 0, size; (size = heed_rewrite_word(in, &at)) > 0; at += size) {
        bool split = size > 1 && in->ids[at + size - 1] == '.' && !keeps_period(m, in, at, size);
        if (out->count > 0)
            HEED_TRY(heed_ids_add(out, ' '));
        HEED_TRY(heed_rewrite_add(out, in->ids + at, size - split));
        if (split)
            HEED_TRY(heed_rewrite_add(out, (int32_t[]){' ', '.'}, 2));
    }
    size_t count = out->count; /* a quotation's end: .' */
    if (count < 2 || out->ids[count - 2] != '.' || out->ids[count - 1] != '\'')
        return HEED_OK;
    out->count -= 2;
    return heed_rewrite_add(out, (int32_t[]){' ', '.', ' ', '\''}, 4);
}

static heed_status write_points(heed_text *text, const int32_t *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char bytes[U8_MAX_LENGTH];
        int32_t size = 0;
        for (int32_t dots = points[i]; dots < 0; dots++)
            heed_text_append(text, ".", 1);
        if (points[i] < 0)
            continue;
        U8_APPEND_UNSAFE(bytes, size, points[i]);
        heed_text_append(text, bytes, (size_t)size);
    }
    return heed_text_status(text);
}

static void start_text(heed_moses *m)
{
    m->text.length = 0;
    heed_text_append(&m->text, "", 0);
}

heed_status heed_moses_tokenize(heed_moses *m, const char *text, size_t length, const char **out, size_t *out_length)
{
    heed_ids *a = &m->buffers[0], *b = &m->buffers[1];
    HEED_TRY(heed_rewrite_points(text, length, a));
    HEED_TRY(clean(a, b));
    HEED_TRY(heed_rewrite_apart(b, a, is_eastern_language(m->language) ? is_mark_in_the_east : is_mark));
    HEED_TRY(join_dots(a, b));
    HEED_TRY(clean(b, a));
    HEED_TRY(part_commas(a, b));
    HEED_TRY(part_apostrophes(m, a, b));
    HEED_TRY(part_periods(m, a, b));
    start_text(m);
    HEED_TRY(write_points(&m->text, b->ids, b->count));
    *out = m->text.bytes;
    *out_length = m->text.length;
    return HEED_OK;
}

/* ---- and back */

static bool is_cjk(int32_t point)
{
    static const int32_t ranges[][2] = {
        {0x1100, 0x11ff}, {0x2e80, 0xa4cf}, {0xa840, 0xa87f}, {0xac00, 0xd7af}, {0xf900, 0xfaff}, {0xfe30, 0xfe4f},
        {0xff65, 0xffdc}, {0x17000, 0x18aff}, {0x1b000, 0x1b0ff}, {0x1b170, 0x1b2ff}, {0x20000, 0x2ffff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i][0] && point <= ranges[i][1])
            return true;
    return false;
}

static bool is_opening(int32_t point)
{
    return u_charType(point) == U_CURRENCY_SYMBOL || (point < 0x80 && point > 0 && strchr("([{", point) != NULL) || point == 0xbf || point == 0xa1;
}

static bool is_closing(int32_t point) { return point > 0 && point < 0x80 && strchr(",.?!:;\\%}])", point) != NULL; }
static bool is_closing_in_french(int32_t point) { return point > 0 && point < 0x80 && strchr("?!:;\\%", point) != NULL; }
static bool is_curled_quote(int32_t point) { return point == 0x201e || point == 0x201c || point == 0x201d; }

static bool is_quote(int32_t point)
{
    return point == '\'' || point == '"' || point == '`' || point == 0x201e || point == 0x201c;
}

/* Whether a word is of one class. */
static bool all(const int32_t *word, size_t size, heed_point_class *test)
{
    for (size_t i = 0; i < size; i++)
        if (!test(word[i]))
            return false;
    return true;
}

/* A word on its way into the text. */
typedef struct joining {
    heed_moses     *moses;
    heed_table      quotes;  /* an entry's count: how often it stood there */
    const int32_t  *before;  /* the word before; NULL: none */
    size_t          before_size;
    bool            spaced;  /* whether a space goes before the next word */
} joining;

static heed_status put(joining *j, const int32_t *word, size_t size, bool space_before, bool space_after)
{
    if (space_before)
        heed_text_append(&j->moses->text, " ", 1);
    j->spaced = space_after;
    return write_points(&j->moses->text, word, size);
}

/* Quotation marks open and close by turns. */
static heed_status put_quote(joining *j, const int32_t *word, size_t size)
{
    static const int32_t straight = '"';
    int32_t index;
    bool curled = all(word, size, is_curled_quote);
    HEED_TRY(heed_table_add(&j->quotes, (const char *)(curled ? &straight : word),
                            (curled ? 1 : size) * sizeof *word, &index));
    int64_t *count = &j->quotes.entries[index].count;
    bool possessive = strcmp(j->moses->language, "en") == 0 && size == 1 && word[0] == '\'' && j->before != NULL &&
                      j->before[j->before_size - 1] == 's';
    if (*count % 2 == 0 && possessive)
        return put(j, word, size, false, true);
    bool opens = (*count)++ % 2 == 0;
    return put(j, word, size, opens && j->spaced, !opens);
}

static heed_status put_word(joining *j, const int32_t *word, size_t size, const int32_t *next)
{
    const char *language = j->moses->language;
    bool french = strcmp(language, "fr") == 0, elides = french || strcmp(language, "it") == 0 || strcmp(language, "ga") == 0;
    if (is_cjk(word[0]) && strcmp(language, "ko") != 0)
        return put(j, word, size, j->spaced && (j->before == NULL || !is_cjk(j->before[j->before_size - 1])), true);
    if (all(word, size, is_opening))
        return put(j, word, size, j->spaced, false);
    if (all(word, size, is_closing))
        return put(j, word, size, french && size == 1 && is_closing_in_french(word[0]), true);
    if (strcmp(language, "en") == 0 && j->before != NULL && size > 1 && word[0] == '\'' && is_letter(word[1]))
        return put(j, word, size, false, true);
    if (elides && next != NULL && size > 1 && word[size - 1] == '\'' && is_letter(word[size - 2]) && is_letter(*next))
        return put(j, word, size, j->spaced, false);
    if (all(word, size, is_quote))
        return put_quote(j, word, size);
    return put(j, word, size, j->spaced, true);
}

static heed_status join_words(heed_moses *m, const heed_ids *line)
{
    joining j = {.moses = m};
    heed_status status = HEED_OK;
    heed_table_init(&j.quotes, m->context);
    for (size_t at = 0, size; status == HEED_OK && (size = heed_rewrite_word(line, &at)) > 0; at += size) {
        size_t next = at + size;
        const int32_t *after = heed_rewrite_word(line, &next) > 0 ? line->ids + next : NULL;
        status = put_word(&j, line->ids + at, size, after);
        j.before = line->ids + at;
        j.before_size = size;
    }
    heed_table_free(&j.quotes);
    return status;
}

heed_status heed_moses_join(heed_moses *m, const char *tokens, size_t length, const char **out, size_t *out_length)
{
    HEED_TRY(heed_rewrite_points(tokens, length, &m->buffers[0]));
    start_text(m);
    HEED_TRY(join_words(m, &m->buffers[0]));
    size_t blank = m->text.bytes[0] == ' '; /* before the first word, if that was French "?" */
    *out = m->text.bytes + blank;
    *out_length = m->text.length - blank;
    return HEED_OK;
}
