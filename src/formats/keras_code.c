#include "formats/keras_code.h"

#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Compiled code is an object of Python's marshal: a letter, and what it is about. Lengths are trusted no further than the
 * bytes go, and tuples in tuples only so deep. */
enum { MOST_BYTES = 4096, MOST_DEPTH = 8, REFERENCED = 0x80 };

typedef struct code {
    const unsigned char *next, *end;
    char                *text;
    size_t               size, used;
    bool                 failed;
} code;

static uint64_t take(code *c, int bytes)
{
    uint64_t value = 0;
    if (c->end - c->next < bytes) {
        c->failed = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)*c->next++ << 8 * i;
    return value;
}

static const unsigned char *skip(code *c, uint64_t bytes)
{
    if (bytes > (uint64_t)(c->end - c->next)) {
        c->failed = true;
        return c->end;
    }
    c->next += bytes;
    return c->next - bytes;
}

static void tell(code *c, const void *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((const unsigned char *)text)[i] < ' ' || ((const unsigned char *)text)[i] > '~')
            return;
    if (c->used >= c->size)
        return;
    int written = snprintf(c->text + c->used, c->size - c->used, "%s%.*s", c->used > 0 ? ", " : "", (int)length,
                           (const char *)text);
    c->used += written > 0 ? (size_t)written : 0;
}

static void read_number(code *c, double value, bool told)
{
    char text[HEED_NUMBER_SIZE];
    if (!told || c->failed || !isfinite(value))
        return;
    heed_number_write_double(value, text);
    size_t length = strlen(text);
    tell(c, text, length > 2 && strcmp(text + length - 2, ".0") == 0 ? length - 2 : length);
}

static double take_double(code *c)
{
    uint64_t bits = take(c, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_object(code *c, bool told, int depth);

/* Numbers of arguments, variables and flags stand before the code's bytes: 4 in Python 2, 5 or 6 since. */
static bool skip_head(code *c)
{
    enum { LEAST = 4, MOST = 6, BYTES = 's' };
    for (int numbers = LEAST; numbers <= MOST; numbers++) {
        if (c->end - c->next <= 4 * numbers || (c->next[4 * numbers] & ~REFERENCED) != BYTES)
            continue;
        skip(c, 4 * (uint64_t)numbers);
        return true;
    }
    return false;
}

/* Of a function within the function: to its end. */
static void skip_rest(code *c, int depth)
{
    enum { OBJECTS = 5, KINDS = 1, LINE_BYTES = 4, BYTES = 's' };
    bool late = false; /* Python 3.11 tells the kinds of names, and has a table more at the end */
    for (int i = 0; i < OBJECTS && !c->failed; i++) {
        late |= i == KINDS && c->next < c->end && (*c->next & ~REFERENCED) == BYTES;
        read_object(c, false, depth);
    }
    skip(c, LINE_BYTES);
    for (int tables = late ? 2 : 1; tables > 0; tables--)
        read_object(c, false, depth);
}

static void read_code(code *c, int depth)
{
    if (!skip_head(c)) {
        c->failed = true;
        return;
    }
    read_object(c, false, depth);    /* instructions */
    read_object(c, true, depth + 1); /* constants */
    read_object(c, true, depth);     /* names */
    if (depth > 0)
        skip_rest(c, depth);
}

static void read_text(code *c, int length_bytes, bool told)
{
    uint64_t length = take(c, length_bytes);
    const unsigned char *text = skip(c, length);
    if (told && !c->failed)
        tell(c, text, (size_t)length);
}

static void read_items(code *c, int count_bytes, bool told, int depth)
{
    for (uint64_t left = take(c, count_bytes); left > 0 && !c->failed; left--)
        read_object(c, told, depth + 1);
}

static void read_object(code *c, bool told, int depth)
{
    unsigned letter = (unsigned)take(c, 1) & ~(unsigned)REFERENCED;
    c->failed |= depth > MOST_DEPTH;
    if (c->failed)
        return;
    switch (letter) {
    case 'N': case 'T': case 'F': case '.': return;
    case 'r': case 'R': skip(c, 4); return;
    case 'i': read_number(c, (int32_t)take(c, 4), told); return;
    case 'g': read_number(c, take_double(c), told); return;
    case 's': case 't': case 'u': case 'a': case 'A': read_text(c, 4, told); return;
    case 'f': case 'z': case 'Z': read_text(c, 1, told); return;
    case '(': read_items(c, 4, told, depth); return;
    case ')': read_items(c, 1, told, depth); return;
    case 'c': read_code(c, depth + 1); return;
    default: c->failed = true;
    }
}

/* ---- the text that the code is in */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* Base 64; what is no digit is passed over. */
static size_t decode(const char *text, unsigned char *out)
{
    size_t count = 0;
    uint32_t bits = 0;
    int held = 0;
    for (; *text != '\0' && count < MOST_BYTES; text++) {
        int digit = digit_of(*text);
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[count++] = (unsigned char)(bits >> held);
        }
    }
    return count;
}

/* Keras 2 has the code first in a list, Keras 3 under "code". */
static const heed_json *text_of(const heed_json *function)
{
    if (heed_json_is(function, HEED_JSON_ARRAY))
        return function->first;
    const heed_json *config = heed_json_find(function, "config");
    return heed_json_find(config == NULL ? function : config, "code");
}

void heed_keras_code_text(const heed_json *function, char *text, size_t size)
{
    unsigned char bytes[MOST_BYTES];
    const heed_json *packed = text_of(function);
    text[0] = '\0';
    if (!heed_json_is(packed, HEED_JSON_STRING))
        return;
    code c = {.next = bytes, .end = bytes + decode(packed->text, bytes), .text = text, .size = size};
    if ((take(&c, 1) & ~(unsigned)REFERENCED) == 'c')
        read_code(&c, 0);
}
