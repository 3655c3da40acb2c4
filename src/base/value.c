#include "base/value.h"

#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static heed_value *new_value(heed_zone *z, heed_value_type type)
{
    heed_value *v = heed_zone_alloc(z, 1, sizeof *v);
    if (v != NULL)
        v->type = type;
    return v;
}

static heed_value *new_with_text(heed_zone *z, heed_value_type type, const char *text)
{
    heed_value *v = new_value(z, type);
    if (v == NULL || (v->text = heed_zone_strdup(z, text)) == NULL)
        return NULL;
    return v;
}

heed_value *heed_value_null(heed_zone *z) { return new_value(z, HEED_VALUE_NULL); }
heed_value *heed_value_list(heed_zone *z) { return new_value(z, HEED_VALUE_LIST); }
heed_value *heed_value_dict(heed_zone *z) { return new_value(z, HEED_VALUE_DICT); }
heed_value *heed_value_call(heed_zone *z, const char *name) { return new_with_text(z, HEED_VALUE_CALL, name); }

heed_value *heed_value_text(heed_zone *z, const char *text)
{
    return text == NULL ? heed_value_null(z) : new_with_text(z, HEED_VALUE_TEXT, text);
}

heed_value *heed_value_bool(heed_zone *z, bool value)
{
    heed_value *v = new_value(z, HEED_VALUE_BOOL);
    if (v != NULL)
        v->boolean = value;
    return v;
}

heed_value *heed_value_int(heed_zone *z, int64_t value)
{
    heed_value *v = new_value(z, HEED_VALUE_INT);
    if (v != NULL)
        v->integer = value;
    return v;
}

heed_value *heed_value_real(heed_zone *z, double value)
{
    heed_value *v = new_value(z, HEED_VALUE_REAL);
    if (v != NULL)
        v->real = value;
    return v;
}

heed_status heed_value_append(heed_value *list, heed_value *item)
{
    if (list == NULL || item == NULL)
        return HEED_ENOMEM;
    item->next = NULL;
    *(list->last == NULL ? &list->first : &list->last->next) = item;
    list->last = item;
    list->count++;
    return HEED_OK;
}

heed_value *heed_value_ints(heed_zone *z, const int64_t *numbers, int64_t count)
{
    heed_value *list = heed_value_list(z);
    for (int64_t i = 0; i < count; i++)
        if (heed_value_append(list, heed_value_int(z, numbers[i])) != HEED_OK)
            return NULL;
    return list;
}

heed_value *heed_value_reals(heed_zone *z, const double *numbers, int64_t count)
{
    heed_value *list = heed_value_list(z);
    for (int64_t i = 0; i < count; i++)
        if (heed_value_append(list, heed_value_real(z, numbers[i])) != HEED_OK)
            return NULL;
    return list;
}

/* Puts `item` where `old` was. */
static void replace(heed_value *dict, heed_value *old, heed_value *item)
{
    heed_value **link = &dict->first;
    while (*link != old)
        link = &(*link)->next;
    *link = item;
    item->next = old->next;
    if (dict->last == old)
        dict->last = item;
}

heed_status heed_value_set(heed_zone *z, heed_value *dict, const char *key, heed_value *item)
{
    if (dict == NULL || item == NULL || (item->key = heed_zone_strdup(z, key)) == NULL)
        return HEED_ENOMEM;
    heed_value *old = heed_value_find(dict, key);
    if (old == NULL)
        return heed_value_append(dict, item);
    replace(dict, old, item);
    return HEED_OK;
}

heed_value *heed_value_copy(heed_zone *z, const heed_value *v)
{
    heed_value *copy = new_value(z, v->type);
    if (copy == NULL)
        return NULL;
    *copy = *v;
    copy->key = NULL;
    copy->next = copy->first = copy->last = NULL;
    copy->count = 0;
    if (v->text != NULL && (copy->text = heed_zone_strdup(z, v->text)) == NULL)
        return NULL;
    for (const heed_value *item = v->first; item != NULL; item = item->next) {
        heed_value *twin = heed_value_copy(z, item);
        if (twin != NULL && item->key != NULL && (twin->key = heed_zone_strdup(z, item->key)) == NULL)
            return NULL;
        if (heed_value_append(copy, twin) != HEED_OK)
            return NULL;
    }
    return copy;
}

/* ---- looking ---- */

heed_value *heed_value_find(const heed_value *v, const char *key)
{
    for (heed_value *item = v == NULL ? NULL : v->first; item != NULL; item = item->next)
        if (item->key != NULL && strcmp(item->key, key) == 0)
            return item;
    return NULL;
}

bool heed_value_is(const heed_value *v, heed_value_type type) { return v != NULL && v->type == type; }

heed_status heed_value_unexpected(heed_context *c, const heed_value *v, const char *what, const char *expected)
{
    heed_text found = {.context = c};
    heed_value_write(&found, v);
    heed_status status = heed_text_status(&found);
    if (status == HEED_OK)
        status = heed_fail(c, HEED_EINVAL, "%s is not what it should be (expected %s, found %.100s)", what, expected,
                           found.bytes);
    heed_text_free(&found);
    return status;
}

heed_status heed_value_as_bool(heed_context *c, const heed_value *v, const char *what, bool *out)
{
    if (v->type == HEED_VALUE_INT && (v->integer == 0 || v->integer == 1))
        *out = v->integer == 1;
    else if (v->type == HEED_VALUE_BOOL)
        *out = v->boolean;
    else
        return heed_value_unexpected(c, v, what, "True or False");
    return HEED_OK;
}

heed_status heed_value_as_int(heed_context *c, const heed_value *v, const char *what, int64_t *out)
{
    const double limit = 9223372036854774784.0; /* the last double below 2^63 */
    if (v->type == HEED_VALUE_INT)
        *out = v->integer;
    else if (v->type == HEED_VALUE_REAL && v->real == floor(v->real) && fabs(v->real) <= limit)
        *out = (int64_t)v->real;
    else
        return heed_value_unexpected(c, v, what, "an integer");
    return HEED_OK;
}

heed_status heed_value_as_real(heed_context *c, const heed_value *v, const char *what, double *out)
{
    if (v->type == HEED_VALUE_REAL)
        *out = v->real;
    else if (v->type == HEED_VALUE_INT)
        *out = (double)v->integer;
    else
        return heed_value_unexpected(c, v, what, "a number");
    return HEED_OK;
}

heed_status heed_value_as_text(heed_context *c, const heed_value *v, const char *what, const char **out)
{
    if (v->type != HEED_VALUE_TEXT && v->type != HEED_VALUE_NULL)
        return heed_value_unexpected(c, v, what, "a text");
    *out = v->text;
    return HEED_OK;
}

/* ---- reading ---- */

typedef struct parser {
    heed_zone  *zone;
    const char *what, *text, *at;
} parser;

static heed_status parse_value(parser *p, int depth, heed_value **out);

static bool is_letter(char b) { return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || b == '_'; }
static bool is_digit(char b) { return b >= '0' && b <= '9'; }
static bool is_name(char b) { return is_letter(b) || is_digit(b) || b == '.'; }

static void skip_space(parser *p) { p->at += strspn(p->at, " \t\r\n"); }

static bool take(parser *p, char byte)
{
    skip_space(p);
    if (*p->at != byte)
        return false;
    p->at++;
    return true;
}

static heed_status refuse(parser *p, const char *expected)
{
    if (*p->at == '\0')
        return heed_fail(p->zone->context, HEED_EINVAL,
                         "%s: the expression ends too early (expected %s, found \"%.100s\")",
                         p->what, expected, p->text);
    return heed_fail(p->zone->context, HEED_EINVAL, "%s: cannot read the expression at \"%.40s\" (expected %s)",
                     p->what,
                     p->at, expected);
}

static heed_status given(heed_value *v, heed_value **out)
{
    *out = v;
    return v == NULL ? HEED_ENOMEM : HEED_OK;
}

/* What a backslash and this byte stand for; 0 when nothing. */
static char unescape(char byte)
{
    static const char from[] = "nrt\\'\"", to[] = "\n\r\t\\'\"";
    const char *place = byte == '\0' ? NULL : strchr(from, byte);
    return place == NULL ? '\0' : to[place - from];
}

static heed_status parse_text(parser *p, heed_value **out)
{
    char quote = *p->at++;
    char *text = heed_zone_alloc(p->zone, strlen(p->at) + 1, 1), *to = text;
    if (text == NULL)
        return HEED_ENOMEM;
    for (; *p->at != quote; p->at++) {
        if (*p->at == '\0')
            return refuse(p, "a closing quote");
        *to = *p->at;
        if (*p->at == '\\') {
            *to = unescape(p->at[1]);
            if (*to == '\0')
                return refuse(p, "\\n, \\r, \\t, \\\\, \\' or \\\"");
            p->at++;
        }
        to++;
    }
    p->at++;
    *out = new_value(p->zone, HEED_VALUE_TEXT);
    if (*out == NULL)
        return HEED_ENOMEM;
    (*out)->text = text;
    return HEED_OK;
}

static heed_status parse_number(parser *p, heed_value **out)
{
    const char *end;
    double real = heed_number_read(p->at, &end);
    if (end == p->at || is_letter(*end))
        return refuse(p, "a number");
    size_t sign = *p->at == '-' || *p->at == '+';
    errno = 0;
    int64_t integer = strtoll(p->at, NULL, 10);
    bool whole = errno == 0 && p->at + sign + strspn(p->at + sign, "0123456789") == end;
    p->at = end;
    return given(whole ? heed_value_int(p->zone, integer) : heed_value_real(p->zone, real), out);
}

static const char *expected_behind_item(char close)
{
    switch (close) {
    case ']': return "a comma or ]";
    case '}': return "a comma or }";
    case ')': return "a comma or )";
    default: return "a comma";
    }
}

/* Items up to `close`; each may be "key=value" in a call, must be "key: value" in a dict. */
static heed_status parse_items(parser *p, int depth, char close, heed_value *into)
{
    if (depth >= HEED_VALUE_MAX_DEPTH)
        return heed_fail(p->zone->context, HEED_EINVAL,
                         "%s: the expression is nested too deeply (expected at most %d levels)",
                         p->what, HEED_VALUE_MAX_DEPTH);
    while (!take(p, close)) {
        heed_value *item, *key = NULL;
        HEED_TRY(parse_value(p, depth + 1, &item));
        if (into->type == HEED_VALUE_DICT || (into->type == HEED_VALUE_CALL && take(p, '='))) {
            key = item;
            if (key->type != HEED_VALUE_TEXT || (into->type == HEED_VALUE_DICT && !take(p, ':')))
                return refuse(p, "a key and its value");
            HEED_TRY(parse_value(p, depth + 1, &item));
            if (heed_value_find(into, key->text) != NULL)
                return heed_fail(p->zone->context, HEED_EINVAL, "%s: %s is given twice", p->what, key->text);
            item->key = key->text;
        } else if (into->last != NULL && into->last->key != NULL) {
            return heed_fail(p->zone->context, HEED_EINVAL,
                             "%s: an argument without a name follows one with a name (%s)",
                             p->what, into->last->key);
        }
        heed_value_append(into, item);
        if (take(p, close))
            return HEED_OK;
        if (!take(p, ','))
            return refuse(p, expected_behind_item(close));
    }
    return HEED_OK;
}

static heed_status parse_group(parser *p, int depth, heed_value_type type, char close, heed_value **out)
{
    p->at++;
    HEED_TRY(given(new_value(p->zone, type), out));
    return parse_items(p, depth, close, *out);
}

static bool is_word(const char *name, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(name, word, length) == 0;
}

static heed_status parse_name(parser *p, int depth, heed_value **out)
{
    const char *name = p->at;
    while (is_name(*p->at))
        p->at++;
    size_t length = (size_t)(p->at - name);
    if (is_word(name, length, "None") || is_word(name, length, "null"))
        return given(heed_value_null(p->zone), out);
    if (is_word(name, length, "True") || is_word(name, length, "true"))
        return given(heed_value_bool(p->zone, true), out);
    if (is_word(name, length, "False") || is_word(name, length, "false"))
        return given(heed_value_bool(p->zone, false), out);
    if (is_word(name, length, "nan") || is_word(name, length, "inf"))
        return given(heed_value_real(p->zone, *name == 'n' ? NAN : INFINITY), out);
    char *copy = heed_zone_printf(p->zone, "%.*s", (int)length, name);
    heed_value *v = new_value(p->zone, HEED_VALUE_TEXT);
    if (copy == NULL || v == NULL)
        return HEED_ENOMEM;
    v->text = copy;
    *out = v;
    if (!take(p, '('))
        return HEED_OK;
    v->type = HEED_VALUE_CALL;
    return parse_items(p, depth, ')', v);
}

static heed_status parse_value(parser *p, int depth, heed_value **out)
{
    skip_space(p);
    switch (*p->at) {
    case '\'':
    case '"': return parse_text(p, out);
    case '[': return parse_group(p, depth, HEED_VALUE_LIST, ']', out);
    case '(': return parse_group(p, depth, HEED_VALUE_LIST, ')', out);
    case '{': return parse_group(p, depth, HEED_VALUE_DICT, '}', out);
    default: break;
    }
    if (is_letter(*p->at))
        return parse_name(p, depth, out);
    if (is_digit(*p->at) || (*p->at != '\0' && strchr("+-.", *p->at) != NULL))
        return parse_number(p, out);
    return refuse(p, "a value");
}

heed_status heed_value_parse(heed_zone *z, const char *what, const char *text, heed_value **out)
{
    parser p = {z, what, text, text};
    HEED_TRY(parse_value(&p, 0, out));
    skip_space(&p);
    return *p.at == '\0' ? HEED_OK : refuse(&p, "the end");
}

heed_status heed_value_parse_arguments(heed_zone *z, const char *what, const char *text, heed_value **out)
{
    parser p = {z, what, text, text};
    HEED_TRY(given(heed_value_call(z, ""), out));
    return parse_items(&p, 0, '\0', *out);
}

/* ---- writing ---- */

static void put(heed_text *t, const char *text) { heed_text_append(t, text, strlen(text)); }

static void write_text(heed_text *t, const char *text)
{
    put(t, "'");
    for (; *text != '\0'; text++) {
        const char *escape = *text == '\n' ? "\\n" : *text == '\r' ? "\\r" : *text == '\t' ? "\\t"
                             : *text == '\\' ? "\\\\" : *text == '\'' ? "\\'" : NULL;
        if (escape != NULL)
            put(t, escape);
        else
            heed_text_append(t, text, 1);
    }
    put(t, "'");
}

static void write_real(heed_text *t, double value)
{
    char text[HEED_NUMBER_SIZE];
    put(t, heed_number_write_double(value, text));
    if (strpbrk(text, ".en") == NULL) /* neither a fraction, an exponent, nan nor inf */
        put(t, ".0");
}

static void write_key(heed_text *t, heed_value_type type, const char *key)
{
    if (type == HEED_VALUE_DICT) {
        write_text(t, key);
        put(t, ": ");
    } else if (key != NULL) {
        put(t, key);
        put(t, "=");
    }
}

void heed_value_write(heed_text *t, const heed_value *v)
{
    switch (v->type) {
    case HEED_VALUE_NULL: put(t, "None"); return;
    case HEED_VALUE_BOOL: put(t, v->boolean ? "True" : "False"); return;
    case HEED_VALUE_INT: heed_text_printf(t, "%" PRId64, v->integer); return;
    case HEED_VALUE_REAL: write_real(t, v->real); return;
    case HEED_VALUE_TEXT: write_text(t, v->text); return;
    case HEED_VALUE_LIST: put(t, "["); break;
    case HEED_VALUE_DICT: put(t, "{"); break;
    case HEED_VALUE_CALL:
        put(t, v->text);
        put(t, "(");
        break;
    }
    for (const heed_value *item = v->first; item != NULL; item = item->next) {
        write_key(t, v->type, item->key);
        heed_value_write(t, item);
        if (item->next != NULL)
            put(t, ", ");
    }
    put(t, v->type == HEED_VALUE_LIST ? "]" : v->type == HEED_VALUE_DICT ? "}" : ")");
}

char *heed_value_expression(heed_zone *z, const heed_value *v)
{
    heed_text t = {.context = z->context};
    heed_value_write(&t, v);
    char *copy = heed_text_status(&t) == HEED_OK ? heed_zone_strdup(z, t.bytes) : NULL;
    heed_text_free(&t);
    return copy;
}
