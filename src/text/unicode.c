#include "text/unicode.h"

#include "heed/text.h"

#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

size_t heed_utf8_next(const char *text, size_t length, uint32_t *point)
{
    int32_t next = 0, most = length < U8_MAX_LENGTH ? (int32_t)length : U8_MAX_LENGTH;
    UChar32 found;
    U8_NEXT(text, next, most, found);
    if (found < 0)
        return 0;
    if (point != NULL)
        *point = (uint32_t)found;
    return (size_t)next;
}

heed_word heed_utf8_word(const char *text, size_t length)
{
    heed_word word = {0};
    uint32_t point;
    size_t size;
    while (word.space < length) {
        size = heed_utf8_next(text + word.space, length - word.space, &point);
        if (!u_isUWhiteSpace((UChar32)point))
            break;
        word.space += size;
    }
    while (word.space + word.length < length) {
        size = heed_utf8_next(text + word.space + word.length, length - word.space - word.length, &point);
        if (u_isUWhiteSpace((UChar32)point))
            break;
        word.length += size;
    }
    return word;
}

heed_status heed_utf8_check(heed_context *c, const char *name, const char *text, size_t length)
{
    size_t at = 0, size = 1;
    while (at < length && text[at] != '\0' && (size = heed_utf8_next(text + at, length - at, NULL)) > 0)
        at += size;
    if (at == length)
        return HEED_OK;
    if (text[at] == '\0') {
        heed_fail(c, HEED_EFORMAT, "%s: not text (expected UTF-8, found a NUL at byte %zu)", name, at + 1);
        heed_hint(c, "if it is UTF-16, convert it: iconv -f UTF-16 -t UTF-8");
    } else {
        heed_fail(c, HEED_EFORMAT, "%s: not UTF-8 (found 0x%02X at byte %zu)", name, (unsigned char)text[at], at + 1);
        heed_hint(c, "if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8");
    }
    return HEED_EFORMAT;
}

/* ---- normal forms ---- */

static heed_status fail_icu(const heed_normalizer *n, UErrorCode error)
{
    return heed_fail(n->context, error == U_MEMORY_ALLOCATION_ERROR ? HEED_ENOMEM : HEED_EINTERNAL,
                     "text: ICU cannot bring it into a standard form (%s)", u_errorName(error));
}

static heed_status reserve(heed_normalizer *n, int which, size_t count)
{
    if (count <= n->capacity[which])
        return HEED_OK;
    heed_release(n->context, n->units[which]);
    n->capacity[which] = 0;
    n->units[which] = heed_alloc_raw(n->context, count, sizeof *n->units[which]);
    if (n->units[which] == NULL)
        return HEED_ENOMEM;
    n->capacity[which] = count;
    return HEED_OK;
}

/* One step from units[0] to units[1]; returns the length there, which may be more than its capacity. */
typedef int32_t convert(const uint16_t *from, int32_t length, uint16_t *to, int32_t capacity, UErrorCode *error);

static int32_t to_lower(const uint16_t *from, int32_t length, uint16_t *to, int32_t capacity, UErrorCode *error)
{
    return u_strToLower((UChar *)to, capacity, (const UChar *)from, length, "", error);
}

static int32_t to_nfc(const uint16_t *from, int32_t length, uint16_t *to, int32_t capacity, UErrorCode *error)
{
    return unorm2_normalize(unorm2_getNFCInstance(error), (const UChar *)from, length, (UChar *)to, capacity, error);
}

static int32_t to_nfkc(const uint16_t *from, int32_t length, uint16_t *to, int32_t capacity, UErrorCode *error)
{
    return unorm2_normalize(unorm2_getNFKCInstance(error), (const UChar *)from, length, (UChar *)to, capacity, error);
}

/* Does a step and swaps the buffers, so that the result is in units[0]. */
static heed_status step(heed_normalizer *n, convert *converted, int32_t *length)
{
    for (;;) {
        UErrorCode error = U_ZERO_ERROR;
        int32_t wanted = converted(n->units[0], *length, n->units[1], (int32_t)n->capacity[1], &error);
        if (error == U_BUFFER_OVERFLOW_ERROR) {
            HEED_TRY(reserve(n, 1, (size_t)wanted));
            continue;
        }
        if (U_FAILURE(error))
            return fail_icu(n, error);
        uint16_t *units = n->units[0];
        size_t capacity = n->capacity[0];
        n->units[0] = n->units[1];
        n->capacity[0] = n->capacity[1];
        n->units[1] = units;
        n->capacity[1] = capacity;
        *length = wanted;
        return HEED_OK;
    }
}

static heed_status normalize_units(heed_normalizer *n, const char *text, size_t length)
{
    if (length > INT32_MAX / 4)
        return heed_fail(n->context, HEED_EINVAL, "text: too long to bring into a standard form (%zu bytes)", length);
    HEED_TRY(reserve(n, 0, length + 1)); /* no code point has more units than bytes */
    HEED_TRY(reserve(n, 1, length + 1));
    UErrorCode error = U_ZERO_ERROR;
    int32_t count;
    u_strFromUTF8((UChar *)n->units[0], (int32_t)n->capacity[0], &count, text, (int32_t)length, &error);
    if (U_FAILURE(error))
        return fail_icu(n, error);
    if (n->form == HEED_NFKC) /* it may bring in capitals: a letter's mathematical variants are that letter */
        HEED_TRY(step(n, to_nfkc, &count));
    if (n->lowercase)
        HEED_TRY(step(n, to_lower, &count));
    if (n->form != HEED_AS_WRITTEN)
        HEED_TRY(step(n, to_nfc, &count));
    n->text.context = n->context;
    n->text.length = 0;
    heed_text_append(&n->text, "", 0); /* so that nothing of the last one is behind an empty one's end */
    for (int32_t i = 0; i < count;) {
        UChar32 point;
        U16_NEXT(n->units[0], i, count, point);
        char bytes[U8_MAX_LENGTH];
        int32_t size = 0;
        U8_APPEND_UNSAFE(bytes, size, point);
        heed_text_append(&n->text, bytes, (size_t)size);
    }
    return heed_text_status(&n->text);
}

/* Below U+0300 nothing composes with what stands before it, so such text is in form C; ASCII is in form KC. */
static bool is_in_form(heed_normal_form form, const char *text, size_t length)
{
    unsigned char limit = form == HEED_NFKC ? 0x80 : 0xcc;
    for (size_t i = 0; i < length && form != HEED_AS_WRITTEN; i++)
        if ((unsigned char)text[i] >= limit)
            return false;
    return true;
}

heed_status heed_normalize(heed_normalizer *n, const char *text, size_t length, const char **out, size_t *out_length)
{
    *out = text;
    *out_length = length;
    if (!n->lowercase && is_in_form(n->form, text, length))
        return HEED_OK;
    HEED_TRY(normalize_units(n, text, length));
    *out = n->text.bytes;
    *out_length = n->text.length;
    return HEED_OK;
}

void heed_normalizer_free(heed_normalizer *n)
{
    heed_text_free(&n->text);
    heed_release(n->context, n->units[0]);
    heed_release(n->context, n->units[1]);
    *n = (heed_normalizer){0};
}
