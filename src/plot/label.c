#include "plot/label.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

enum { REPLACEMENT = 0xFFFD, DOTTED_CIRCLE = 0x25CC };

static bool is_mark(uint32_t code_point)
{
    return (U_GET_GC_MASK((UChar32)code_point) & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_MC_MASK)) != 0;
}

/* What stands for a code point that would not show, or could steer a terminal; the code point itself if it is fine.
 * `edge`: it is the first or the last of its token. */
static uint32_t stand_in(uint32_t code_point, bool edge)
{
    switch (code_point) {
    case ' ': return edge ? 0x2423 : ' ';
    case '\n':
    case '\r':
    case 0x2028:
    case 0x2029: return 0x21B5;
    case '\t': return 0x21E5;
    case 0x00A0:
    case 0x3000: return 0x2423;
    case 0x200C: /* joiners belong to the words of some scripts and to emoji */
    case 0x200D: return edge ? REPLACEMENT : code_point;
    default: break;
    }
    uint32_t unseen = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CN_MASK;
    return (U_GET_GC_MASK((UChar32)code_point) & unseen) != 0 ? REPLACEMENT : code_point;
}

static void put(heed_text *out, uint32_t code_point)
{
    char bytes[U8_MAX_LENGTH];
    size_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, code_point);
    heed_text_append(out, bytes, length);
}

static void put_ascii(heed_text *out, uint32_t code_point)
{
    switch (code_point) {
    case 0x2423: heed_text_append(out, "_", 1); return;
    case 0x21B5: heed_text_append(out, "\\n", 2); return;
    case 0x21E5: heed_text_append(out, "\\t", 2); return;
    default: break;
    }
    if (code_point < 0x80) {
        put(out, code_point);
        return;
    }
    for (int i = heed_label_columns_of(code_point); i > 0; i--)
        heed_text_append(out, "?", 1);
}

static char *to_zone(heed_zone *zone, heed_text *text)
{
    char *copy = heed_text_status(text) == HEED_OK ? heed_zone_strdup(zone, text->bytes ? text->bytes : "") : NULL;
    heed_text_free(text);
    return copy;
}

char *heed_label_show(heed_zone *zone, const char *text, bool ascii)
{
    if (text[0] == '\0')
        return heed_zone_strdup(zone, ascii ? "''" : "\xE2\x88\x85");
    void (*put_one)(heed_text *, uint32_t) = ascii ? put_ascii : put;
    heed_text out = {.context = zone->context};
    const uint8_t *bytes = (const uint8_t *)text;
    size_t length = strlen(text);
    for (size_t i = 0; i < length;) {
        bool first = i == 0;
        UChar32 code_point;
        U8_NEXT(bytes, i, length, code_point);
        uint32_t shown = code_point < 0 ? REPLACEMENT : stand_in((uint32_t)code_point, first || i == length);
        if (first && is_mark(shown))
            put_one(&out, DOTTED_CIRCLE);
        put_one(&out, shown);
    }
    return to_zone(zone, &out);
}

uint32_t heed_label_next(const char **text)
{
    if (**text == '\0')
        return 0;
    const uint8_t *bytes = (const uint8_t *)*text;
    size_t i = 0;
    uint32_t code_point;
    U8_NEXT_UNSAFE(bytes, i, code_point);
    *text += i;
    return code_point;
}

int heed_label_columns_of(uint32_t code_point)
{
    UChar32 p = (UChar32)code_point;
    if ((U_GET_GC_MASK(p) & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK | U_GC_CC_MASK)) != 0)
        return 0;
    int syllable = u_getIntPropertyValue(p, UCHAR_HANGUL_SYLLABLE_TYPE);
    if (syllable == U_HST_VOWEL_JAMO || syllable == U_HST_TRAILING_JAMO) /* drawn into the syllable before */
        return 0;
    int width = u_getIntPropertyValue(p, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_FULLWIDTH || width == U_EA_WIDE ? 2 : 1;
}

int heed_label_columns(const char *text)
{
    int columns = 0;
    for (uint32_t p; (p = heed_label_next(&text)) != 0;)
        columns += heed_label_columns_of(p);
    return columns;
}

char *heed_label_cut(heed_zone *zone, const char *text, int columns, bool ascii)
{
    if (heed_label_columns(text) <= columns)
        return heed_zone_strdup(zone, text);
    int left = columns - 1; /* one for the ellipsis */
    const char *end = text;
    for (const char *next = text;; end = next) {
        left -= heed_label_columns_of(heed_label_next(&next));
        if (left < 0)
            break;
    }
    return heed_zone_printf(zone, "%.*s%s", (int)(end - text), text, ascii ? "~" : "\xE2\x80\xA6");
}

bool heed_label_stacks(const char *text)
{
    for (uint32_t p; (p = heed_label_next(&text)) != 0;) {
        UErrorCode error = U_ZERO_ERROR;
        switch (uscript_getScript((UChar32)p, &error)) {
        case USCRIPT_COMMON:
        case USCRIPT_INHERITED:
        case USCRIPT_LATIN:
        case USCRIPT_GREEK:
        case USCRIPT_CYRILLIC:
        case USCRIPT_ARMENIAN:
        case USCRIPT_GEORGIAN:
        case USCRIPT_HAN:
        case USCRIPT_HIRAGANA:
        case USCRIPT_KATAKANA:
        case USCRIPT_BOPOMOFO:
        case USCRIPT_HANGUL: break;
        default: return false;
        }
    }
    return true;
}

bool heed_label_is_word(const char *text) { return u_isalnum((UChar32)heed_label_next(&text)) != 0; }

bool heed_label_right_to_left(const char *text)
{
    for (uint32_t p; (p = heed_label_next(&text)) != 0;) {
        UCharDirection direction = u_charDirection((UChar32)p);
        if (direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC)
            return true;
    }
    return false;
}

int heed_label_characters(const char *text)
{
    int count = 0;
    for (uint32_t p; (p = heed_label_next(&text)) != 0;)
        count += !is_mark(p) && heed_label_columns_of(p) > 0;
    return count;
}
