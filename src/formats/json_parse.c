#include "formats/json.h"

#include "base/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LENGTH = 512 }; /* longest number read, in bytes */

typedef struct parser {
    heed_zone           *zone;
    const char          *name;
    const unsigned char *begin, *next, *end;
    int                  depth;
} parser;

static heed_status syntax_error(parser *p, const unsigned char *at, const char *what)
{
    size_t line = 1;
    const unsigned char *line_begin = p->begin;
    for (const unsigned char *q = p->begin; q < at; q++) {
        if (*q == '\n') {
            line++;
            line_begin = q + 1;
        }
    }
    return heed_fail(p->zone->context, HEED_EFORMAT, "%s: line %zu, column %zu: %s", p->name, line,
                     (size_t)(at - line_begin) + 1, at < p->end ? what : "the text ends too early");
}

static void skip_space(parser *p)
{
    while (p->next < p->end && (*p->next == ' ' || *p->next == '\n' || *p->next == '\t' || *p->next == '\r'))
        p->next++;
}

/* Takes `word` if it comes next. */
static bool accept(parser *p, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(p->end - p->next) < length || memcmp(p->next, word, length) != 0)
        return false;
    p->next += length;
    return true;
}

/* ---- strings ---- */

/* Bytes of the UTF-8 character at q, 0 if it is none: too long, a surrogate, beyond U+10FFFF or cut off. */
static size_t utf8_length(const unsigned char *q, const unsigned char *end)
{
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*q < forms[i].low || *q > forms[i].high)
            continue;
        size_t length = forms[i].length;
        if ((size_t)(end - q) < length || (length > 1 && (q[1] < forms[i].second_low || q[1] > forms[i].second_high)))
            return 0;
        for (size_t k = 2; k < length; k++)
            if ((q[k] & 0xc0) != 0x80)
                return 0;
        return length;
    }
    return 0;
}

static char *write_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

static bool read_hex4(parser *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, p->next++) {
        if (p->next == p->end)
            return false;
        unsigned char digit = *p->next;
        if (digit >= '0' && digit <= '9')
            *code = *code << 4 | (uint32_t)(digit - '0');
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            *code = *code << 4 | (uint32_t)((digit | 0x20) - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* What stands behind a backslash. A character above U+FFFF is two escapes, a high and a low surrogate. */
static heed_status read_escape(parser *p, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const unsigned char *at = p->next;
    if (at == p->end)
        return syntax_error(p, at, "");
    const char *simple = *at == '\0' ? NULL : strchr(from, *at);
    p->next++;
    if (simple != NULL) {
        *(*to)++ = into[simple - from];
        return HEED_OK;
    }
    uint32_t code, low;
    if (*at != 'u' || !read_hex4(p, &code))
        return syntax_error(p, *at == 'u' ? p->next : at, "an unknown escape in a string");
    if (code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || !accept(p, "\\u") || !read_hex4(p, &low) || low < 0xdc00 || low >= 0xe000)
            return syntax_error(p, at, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = write_utf8(*to, code);
    return HEED_OK;
}

/* The bytes up to the closing quote, still escaped: no shorter than what they stand for. */
static size_t raw_length(const parser *p)
{
    const unsigned char *q = p->next;
    for (; q < p->end && *q != '"'; q++)
        if (*q == '\\' && q + 1 < p->end)
            q++;
    return (size_t)(q - p->next);
}

/* The parser stands behind the opening quote. */
static heed_status parse_string(parser *p, char **text, size_t *length)
{
    char *to = *text = heed_zone_alloc(p->zone, raw_length(p) + 1, 1);
    if (to == NULL)
        return HEED_ENOMEM;
    while (!accept(p, "\"")) {
        if (p->next == p->end)
            return syntax_error(p, p->end, "");
        if (accept(p, "\\")) {
            HEED_TRY(read_escape(p, &to));
            continue;
        }
        size_t bytes = *p->next < ' ' ? 0 : utf8_length(p->next, p->end);
        if (bytes == 0)
            return syntax_error(p, p->next, "a string holds a control character or invalid UTF-8");
        memcpy(to, p->next, bytes);
        to += bytes;
        p->next += bytes;
    }
    *length = (size_t)(to - *text);
    return HEED_OK;
}

/* ---- numbers ---- */

static void skip_digits(parser *p)
{
    while (p->next < p->end && *p->next >= '0' && *p->next <= '9')
        p->next++;
}

static heed_status parse_number(parser *p, heed_json *v)
{
    const unsigned char *begin = p->next;
    bool integral = true;
    accept(p, "-");
    const unsigned char *digits = p->next;
    skip_digits(p);
    if (p->next > digits + 1 && *digits == '0')
        return syntax_error(p, digits, "a number begins with 0");
    bool good = p->next > digits;
    if (good && accept(p, ".")) {
        integral = false;
        digits = p->next;
        skip_digits(p);
        good = p->next > digits;
    }
    if (good && (accept(p, "e") || accept(p, "E"))) {
        integral = false;
        if (!accept(p, "+"))
            accept(p, "-");
        digits = p->next;
        skip_digits(p);
        good = p->next > digits;
    }
    if (!good)
        return syntax_error(p, p->next, "not a number");
    char text[NUMBER_LENGTH];
    size_t length = (size_t)(p->next - begin);
    if (length >= sizeof text)
        return syntax_error(p, begin, "a number of too many digits");
    memcpy(text, begin, length);
    text[length] = '\0';
    errno = 0;
    v->type = HEED_JSON_INT;
    v->integer = integral ? strtoll(text, NULL, 10) : 0;
    if (!integral || errno == ERANGE) {
        const char *end;
        v->type = HEED_JSON_REAL;
        v->real = heed_number_read(text, &end);
    }
    return HEED_OK;
}

/* ---- values ---- */

static heed_status parse_value(parser *p, heed_json **out);

/* Elements or members up to the closing bracket; the parser stands behind the opening one. */
static heed_status parse_members(parser *p, heed_json *v)
{
    bool object = v->type == HEED_JSON_OBJECT;
    const char *close = object ? "}" : "]";
    skip_space(p);
    if (accept(p, close))
        return HEED_OK;
    do {
        char *key = NULL;
        size_t length;
        skip_space(p);
        const unsigned char *at = p->next;
        if (object) {
            if (!accept(p, "\""))
                return syntax_error(p, at, "expected a name in double quotes");
            HEED_TRY(parse_string(p, &key, &length));
            if (strlen(key) != length)
                return syntax_error(p, at, "a name holds a NUL character");
            skip_space(p);
            if (!accept(p, ":"))
                return syntax_error(p, p->next, "expected a colon");
        }
        heed_json *value;
        HEED_TRY(parse_value(p, &value));
        HEED_TRY(heed_json_append(v, value));
        value->key = key;
        skip_space(p);
    } while (accept(p, ","));
    return accept(p, close) ? HEED_OK : syntax_error(p, p->next, object ? "expected a comma or }" : "expected a comma or ]");
}

static heed_status parse_nested(parser *p, heed_json *v, heed_json_type type)
{
    v->type = type;
    if (p->depth == HEED_JSON_MAX_DEPTH)
        return syntax_error(p, p->next - 1, "lists and objects are nested too deeply");
    p->depth++;
    HEED_TRY(parse_members(p, v));
    p->depth--;
    return HEED_OK;
}

static heed_status parse_value(parser *p, heed_json **out)
{
    static const struct {
        const char    *word;
        heed_json_type type;
        double         value;
    } words[] = {
        {"null", HEED_JSON_NULL, 0},       {"true", HEED_JSON_BOOL, 1},           {"false", HEED_JSON_BOOL, 0},
        {"NaN", HEED_JSON_REAL, (double)NAN}, {"Infinity", HEED_JSON_REAL, (double)INFINITY},
        {"-Infinity", HEED_JSON_REAL, -(double)INFINITY},
    };
    heed_json *v = *out = heed_json_null(p->zone);
    if (v == NULL)
        return HEED_ENOMEM;
    skip_space(p);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!accept(p, words[i].word))
            continue;
        v->type = words[i].type;
        if (v->type == HEED_JSON_BOOL)
            v->boolean = words[i].value != 0;
        else if (v->type == HEED_JSON_REAL)
            v->real = words[i].value;
        return HEED_OK;
    }
    if (accept(p, "{"))
        return parse_nested(p, v, HEED_JSON_OBJECT);
    if (accept(p, "["))
        return parse_nested(p, v, HEED_JSON_ARRAY);
    if (accept(p, "\"")) {
        char *text;
        v->type = HEED_JSON_STRING;
        HEED_TRY(parse_string(p, &text, &v->length));
        v->text = text;
        return HEED_OK;
    }
    if (p->next < p->end && (*p->next == '-' || (*p->next >= '0' && *p->next <= '9')))
        return parse_number(p, v);
    return syntax_error(p, p->next, "expected a value");
}

heed_status heed_json_parse(heed_zone *z, const char *name, const void *bytes, size_t size, heed_json **out)
{
    *out = NULL;
    if (size > HEED_JSON_MAX_BYTES)
        return heed_fail(z->context, HEED_EFORMAT, "%s: too large for JSON (expected at most %d bytes, found %zu)", name,
                         HEED_JSON_MAX_BYTES, size);
    parser p = {.zone = z, .name = name, .begin = bytes, .next = bytes};
    p.end = p.begin + size;
    accept(&p, "\xef\xbb\xbf");
    heed_json *root;
    HEED_TRY(parse_value(&p, &root));
    skip_space(&p);
    if (p.next != p.end)
        return syntax_error(&p, p.next, "something follows the end of the value");
    root->key = heed_zone_strdup(z, name);
    if (root->key == NULL)
        return HEED_ENOMEM;
    *out = root;
    return HEED_OK;
}
