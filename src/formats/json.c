#include "formats/json.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [HEED_JSON_NULL] = "null",       [HEED_JSON_BOOL] = "a boolean", [HEED_JSON_INT] = "an integer",
    [HEED_JSON_REAL] = "a number",   [HEED_JSON_STRING] = "a string", [HEED_JSON_ARRAY] = "a list",
    [HEED_JSON_OBJECT] = "an object",
};

const char *heed_json_type_name(heed_json_type type) { return type_names[type]; }

/* ---- making ---- */

static heed_json *new_value(heed_zone *z, heed_json_type type)
{
    heed_json *v = heed_zone_alloc(z, 1, sizeof *v);
    if (v != NULL)
        v->type = type;
    return v;
}

heed_json *heed_json_null(heed_zone *z) { return new_value(z, HEED_JSON_NULL); }
heed_json *heed_json_array(heed_zone *z) { return new_value(z, HEED_JSON_ARRAY); }
heed_json *heed_json_object(heed_zone *z) { return new_value(z, HEED_JSON_OBJECT); }

heed_json *heed_json_bool(heed_zone *z, bool value)
{
    heed_json *v = new_value(z, HEED_JSON_BOOL);
    if (v != NULL)
        v->boolean = value;
    return v;
}

heed_json *heed_json_int(heed_zone *z, int64_t value)
{
    heed_json *v = new_value(z, HEED_JSON_INT);
    if (v != NULL)
        v->integer = value;
    return v;
}

heed_json *heed_json_real(heed_zone *z, double value)
{
    heed_json *v = new_value(z, HEED_JSON_REAL);
    if (v != NULL)
        v->real = value;
    return v;
}

heed_json *heed_json_string_of(heed_zone *z, const char *text, size_t length)
{
    heed_json *v = new_value(z, HEED_JSON_STRING);
    char *copy = v == NULL ? NULL : heed_zone_alloc(z, length + 1, 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    v->text = copy;
    v->length = length;
    return v;
}

heed_json *heed_json_string(heed_zone *z, const char *text)
{
    return text == NULL ? heed_json_null(z) : heed_json_string_of(z, text, strlen(text));
}

static bool holds_values(const heed_json *v) { return v->type == HEED_JSON_ARRAY || v->type == HEED_JSON_OBJECT; }

static void adopt(heed_json *parent, heed_json *value)
{
    value->parent = parent;
    value->next = NULL;
    *(parent->last == NULL ? &parent->first : &parent->last->next) = value;
    parent->last = value;
    parent->count++;
}

heed_status heed_json_append(heed_json *array, heed_json *value)
{
    if (array == NULL || value == NULL)
        return HEED_ENOMEM;
    value->key = NULL;
    adopt(array, value);
    return HEED_OK;
}

heed_status heed_json_add(heed_zone *z, heed_json *object, const char *key, heed_json *value)
{
    if (object == NULL || value == NULL || (value->key = heed_zone_strdup(z, key)) == NULL)
        return HEED_ENOMEM;
    adopt(object, value);
    return HEED_OK;
}

heed_status heed_json_set(heed_zone *z, heed_json *object, const char *key, heed_json *value)
{
    heed_json *old = heed_json_find(object, key);
    if (old == NULL || value == NULL)
        return heed_json_add(z, object, key, value);
    heed_json **link = &object->first, *before = NULL;
    for (; *link != old; link = &before->next)
        before = *link;
    value->key = old->key;
    value->parent = object;
    value->next = old->next;
    *link = value;
    if (object->last == old)
        object->last = value;
    old->parent = old->next = NULL;
    return HEED_OK;
}

heed_json *heed_json_copy(heed_zone *z, const heed_json *v)
{
    if (v->type == HEED_JSON_STRING)
        return heed_json_string_of(z, v->text, v->length);
    heed_json *copy = new_value(z, v->type);
    if (copy == NULL)
        return NULL;
    if (v->type == HEED_JSON_REAL)
        copy->real = v->real;
    else if (v->type == HEED_JSON_INT)
        copy->integer = v->integer;
    else if (v->type == HEED_JSON_BOOL)
        copy->boolean = v->boolean;
    if (!holds_values(v))
        return copy;
    for (const heed_json *child = v->first; child != NULL; child = child->next) {
        heed_json *twin = heed_json_copy(z, child);
        if (twin == NULL || (child->key != NULL && (twin->key = heed_zone_strdup(z, child->key)) == NULL))
            return NULL;
        adopt(copy, twin);
    }
    return copy;
}

/* ---- looking ---- */

bool heed_json_is(const heed_json *v, heed_json_type type) { return v != NULL && v->type == type; }

bool heed_json_is_string(const heed_json *v, const char *text)
{
    return heed_json_is(v, HEED_JSON_STRING) && v->length == strlen(text) && memcmp(v->text, text, v->length) == 0;
}

heed_json *heed_json_find(const heed_json *object, const char *key)
{
    heed_json *found = NULL;
    if (heed_json_is(object, HEED_JSON_OBJECT))
        for (heed_json *member = object->first; member != NULL; member = member->next)
            if (strcmp(member->key, key) == 0)
                found = member;
    return found;
}

const heed_json *heed_json_option(const heed_json *object, const char *key)
{
    const heed_json *v = heed_json_find(object, key);
    return heed_json_is(v, HEED_JSON_NULL) ? NULL : v;
}

heed_json *heed_json_at(const heed_json *array, size_t index)
{
    if (!heed_json_is(array, HEED_JSON_ARRAY) || index >= array->count)
        return NULL;
    heed_json *element = array->first;
    while (index-- > 0)
        element = element->next;
    return element;
}

static size_t index_in_parent(const heed_json *v)
{
    size_t index = 0;
    for (const heed_json *w = v->parent->first; w != v; w = w->next)
        index++;
    return index;
}

/* Writes the place of v behind `used` bytes of text; returns the new length, which may be more than fits. */
static size_t write_path(const heed_json *v, char *text, size_t size, size_t used)
{
    char step[160];
    if (v->parent == NULL) {
        snprintf(step, sizeof step, "%.100s", v->key != NULL ? v->key : "");
    } else {
        used = write_path(v->parent, text, size, used);
        bool top = v->parent->parent == NULL;
        const char *separator = !top ? v->parent->type == HEED_JSON_ARRAY ? "" : "." : used > 0 ? ": " : "";
        if (v->parent->type == HEED_JSON_ARRAY)
            snprintf(step, sizeof step, "%s[%zu]", separator, index_in_parent(v));
        else
            snprintf(step, sizeof step, "%s%.100s", separator, v->key);
    }
    if (used < size)
        snprintf(text + used, size - used, "%s", step);
    return used + strlen(step);
}

char *heed_json_path(const heed_json *v, char *text, size_t size)
{
    static const char cut[] = "...";
    if (write_path(v, text, size, 0) >= size && size > sizeof cut)
        memcpy(text + size - sizeof cut, cut, sizeof cut);
    return text;
}

heed_status heed_json_fail(heed_context *c, const heed_json *v, heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    heed_vfail(c, status, format, args);
    va_end(args);
    char path[HEED_WHO_SIZE];
    heed_json_path(v, path, sizeof path);
    return path[0] == '\0' ? status : heed_fail_in(c, status, path);
}

heed_status heed_json_explain(heed_context *c, const heed_json *v, heed_status status)
{
    char path[HEED_WHO_SIZE];
    heed_json_path(v, path, sizeof path);
    return strstr(heed_error(c), path) != NULL ? status : heed_fail_in(c, status, path);
}

static heed_status wrong_type(heed_context *c, const heed_json *v, const char *expected)
{
    return heed_json_fail(c, v, HEED_EFORMAT, "expected %s, found %s", expected, type_names[v->type]);
}

heed_status heed_json_need(heed_context *c, const heed_json *object, const char *key, heed_json_type type, heed_json **out)
{
    *out = NULL;
    if (object->type != HEED_JSON_OBJECT)
        return wrong_type(c, object, type_names[HEED_JSON_OBJECT]);
    heed_json *member = heed_json_find(object, key);
    if (member == NULL)
        return heed_json_fail(c, object, HEED_EFORMAT, "\"%s\" is missing (expected %s)", key, type_names[type]);
    if (member->type != type)
        return wrong_type(c, member, type_names[type]);
    *out = member;
    return HEED_OK;
}

heed_status heed_json_as_string(heed_context *c, const heed_json *v, const char **out)
{
    *out = NULL;
    if (v->type != HEED_JSON_STRING)
        return wrong_type(c, v, type_names[HEED_JSON_STRING]);
    if (strlen(v->text) != v->length)
        return heed_json_fail(c, v, HEED_EFORMAT, "the string holds a NUL character");
    *out = v->text;
    return HEED_OK;
}

heed_status heed_json_as_int(heed_context *c, const heed_json *v, int64_t *out)
{
    *out = 0;
    if (v->type == HEED_JSON_INT)
        *out = v->integer;
    else if (v->type == HEED_JSON_REAL && v->real == floor(v->real) && fabs(v->real) <= 0x1p53)
        *out = (int64_t)v->real;
    else
        return wrong_type(c, v, type_names[HEED_JSON_INT]);
    return HEED_OK;
}

heed_status heed_json_as_bool(heed_context *c, const heed_json *v, bool *out)
{
    *out = false;
    if (v->type != HEED_JSON_BOOL)
        return wrong_type(c, v, type_names[HEED_JSON_BOOL]);
    *out = v->boolean;
    return HEED_OK;
}

heed_status heed_json_as_real(heed_context *c, const heed_json *v, double *out)
{
    *out = 0;
    if (v->type == HEED_JSON_REAL)
        *out = v->real;
    else if (v->type == HEED_JSON_INT)
        *out = (double)v->integer;
    else
        return wrong_type(c, v, type_names[HEED_JSON_REAL]);
    return HEED_OK;
}

/* The member, of whatever type; its absence is told with the type wanted. */
static heed_status get_member(heed_context *c, const heed_json *object, const char *key, heed_json_type wanted,
                              const heed_json **out)
{
    *out = heed_json_find(object, key);
    heed_json *none;
    return *out != NULL ? HEED_OK : heed_json_need(c, object, key, wanted, &none);
}

heed_status heed_json_get_string(heed_context *c, const heed_json *object, const char *key, const char **out)
{
    const heed_json *member;
    HEED_TRY(get_member(c, object, key, HEED_JSON_STRING, &member));
    return heed_json_as_string(c, member, out);
}

heed_status heed_json_get_int(heed_context *c, const heed_json *object, const char *key, int64_t *out)
{
    const heed_json *member;
    HEED_TRY(get_member(c, object, key, HEED_JSON_INT, &member));
    return heed_json_as_int(c, member, out);
}

heed_status heed_json_get_bool(heed_context *c, const heed_json *object, const char *key, bool *out)
{
    const heed_json *member;
    HEED_TRY(get_member(c, object, key, HEED_JSON_BOOL, &member));
    return heed_json_as_bool(c, member, out);
}

heed_status heed_json_get_real(heed_context *c, const heed_json *object, const char *key, double *out)
{
    const heed_json *member;
    HEED_TRY(get_member(c, object, key, HEED_JSON_REAL, &member));
    return heed_json_as_real(c, member, out);
}

/* ---- writing ---- */

static void put(heed_text *t, const char *text) { heed_text_append(t, text, strlen(text)); }

static void write_string(heed_text *t, const char *text, size_t length)
{
    put(t, "\"");
    size_t plain = 0; /* where the bytes begin that need no escape and are not yet written */
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= ' ' && byte != '"' && byte != '\\' && byte != 0x7f)
            continue;
        heed_text_append(t, text + plain, i - plain);
        plain = i + 1;
        if (byte == '"' || byte == '\\')
            heed_text_printf(t, "\\%c", byte);
        else if (byte == '\n' || byte == '\t' || byte == '\r')
            put(t, byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r");
        else
            heed_text_printf(t, "\\u%04x", byte);
    }
    heed_text_append(t, text + plain, length - plain);
    put(t, "\"");
}

static void write_real(heed_text *t, double value)
{
    char text[HEED_NUMBER_SIZE];
    if (isnan(value))
        put(t, "NaN");
    else if (isinf(value))
        put(t, value < 0 ? "-Infinity" : "Infinity");
    else
        put(t, heed_number_write_double(value, text));
    if (isfinite(value) && strpbrk(text, ".e") == NULL)
        put(t, ".0"); /* so that it stays a real when read back */
}

static void new_line(heed_text *t, int spaces)
{
    put(t, "\n");
    heed_text_printf(t, "%*s", spaces, "");
}

static void write_value(heed_text *t, const heed_json *v, int indent, int margin)
{
    switch (v->type) {
    case HEED_JSON_NULL: put(t, "null"); return;
    case HEED_JSON_BOOL: put(t, v->boolean ? "true" : "false"); return;
    case HEED_JSON_INT: heed_text_printf(t, "%" PRId64, v->integer); return;
    case HEED_JSON_REAL: write_real(t, v->real); return;
    case HEED_JSON_STRING: write_string(t, v->text, v->length); return;
    case HEED_JSON_ARRAY:
    case HEED_JSON_OBJECT: break;
    }
    bool object = v->type == HEED_JSON_OBJECT;
    put(t, object ? "{" : "[");
    for (const heed_json *child = v->first; child != NULL; child = child->next) {
        if (indent > 0)
            new_line(t, margin + indent);
        if (object) {
            write_string(t, child->key, strlen(child->key));
            put(t, ": ");
        }
        write_value(t, child, indent, margin + indent);
        if (child->next != NULL)
            put(t, indent > 0 ? "," : ", ");
    }
    if (indent > 0 && v->first != NULL)
        new_line(t, margin);
    put(t, object ? "}" : "]");
}

void heed_json_write(heed_text *t, const heed_json *v, int indent) { write_value(t, v, indent, 0); }
