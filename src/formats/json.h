/* JSON as Python writes and reads it: a tree of values in a zone.
 *
 * Ours, and not one of the C libraries for it, for four things that they lack together: all memory comes from the
 * context (so that running out of it can be tested, and no process-wide allocator is touched); NaN and Infinity, which
 * Python writes; numbers in their shortest exact form; and every value knows its place in the document, so that a
 * mistake is told as "config.json: layers[3].config.units: expected an integer, found a string". */
#ifndef HEED_FORMATS_JSON_H
#define HEED_FORMATS_JSON_H

#include "base/memory.h"

enum { HEED_JSON_MAX_DEPTH = 128, HEED_JSON_MAX_BYTES = 64 << 20 };

typedef enum heed_json_type {
    HEED_JSON_NULL,
    HEED_JSON_BOOL,
    HEED_JSON_INT,
    HEED_JSON_REAL, /* written with a point or an exponent, or too large for int64 */
    HEED_JSON_STRING,
    HEED_JSON_ARRAY,
    HEED_JSON_OBJECT,
} heed_json_type;

/* A value. Read the members freely; change a tree through the functions below only. */
typedef struct heed_json heed_json;
struct heed_json {
    heed_json_type type;
    const char    *key;    /* in an object: the member's name. At the root: the document's name, or NULL */
    heed_json     *parent; /* NULL at the root */
    heed_json     *next;   /* the next element or member of the parent, in order, or NULL */
    union {
        bool    boolean;
        int64_t integer;
        double  real;
        struct {
            const char *text;   /* UTF-8 and NUL-terminated; may hold further NULs */
            size_t      length; /* bytes */
        };
        struct {
            heed_json *first, *last; /* elements of an array, members of an object */
            size_t     count;
        };
    };
};

/* Parses a whole document into the zone. `name` is what errors call it ("config.json"). HEED_EFORMAT tells line and column
 * of what is not JSON; more than HEED_JSON_MAX_BYTES or HEED_JSON_MAX_DEPTH is HEED_EFORMAT too. Of members with equal names
 * the last counts, as in Python. */
heed_status heed_json_parse(heed_zone *z, const char *name, const void *bytes, size_t size, heed_json **out);

/* ---- looking ---- */

/* The member of that name; NULL when there is none, or when `object` is NULL or no object. */
heed_json *heed_json_find(const heed_json *object, const char *key);
/* The same, and NULL when it is null: Python's None, an option that is not set. */
const heed_json *heed_json_option(const heed_json *object, const char *key);
/* Element `index`; NULL when there is none. Takes time in proportion to the index: walk first/next to visit all. */
heed_json *heed_json_at(const heed_json *array, size_t index);
/* The member of that name, which must be there and of that type. */
heed_status heed_json_need(heed_context *c, const heed_json *object, const char *key, heed_json_type type, heed_json **out);

bool heed_json_is(const heed_json *v, heed_json_type type); /* false for NULL */
bool heed_json_is_string(const heed_json *v, const char *text);

/* The value, which must be of that type (an integral real passes for an integer, an integer for a real); HEED_EFORMAT
 * names its place in the document otherwise. v must not be NULL. Strings live in the zone and hold no NULs. */
heed_status heed_json_as_string(heed_context *c, const heed_json *v, const char **out);
heed_status heed_json_as_int(heed_context *c, const heed_json *v, int64_t *out);
heed_status heed_json_as_bool(heed_context *c, const heed_json *v, bool *out);
heed_status heed_json_as_real(heed_context *c, const heed_json *v, double *out);

/* The same for the member `key` of an object, which must be there. */
heed_status heed_json_get_string(heed_context *c, const heed_json *object, const char *key, const char **out);
heed_status heed_json_get_int(heed_context *c, const heed_json *object, const char *key, int64_t *out);
heed_status heed_json_get_bool(heed_context *c, const heed_json *object, const char *key, bool *out);
heed_status heed_json_get_real(heed_context *c, const heed_json *object, const char *key, double *out);

/* "config.json: layers[3].config.units", cut to size; returns text. */
char *heed_json_path(const heed_json *v, char *text, size_t size);
/* heed_fail with the value's place in front: heed_json_fail(c, v, HEED_EINVAL, "expected ..., found ..."). */
heed_status heed_json_fail(heed_context *c, const heed_json *v, heed_status status, const char *format, ...)
    HEED_PRINTF(4, 5);
/* Puts the value's place in front of an error that does not tell it, or one within it, already. Returns `status`. */
heed_status heed_json_explain(heed_context *c, const heed_json *v, heed_status status);
/* "an integer", "a string", ... */
const char *heed_json_type_name(heed_json_type type);

/* ---- making ---- */

/* New values; NULL when there is no memory. Text and names are copied into the zone. */
heed_json *heed_json_null(heed_zone *z);
heed_json *heed_json_bool(heed_zone *z, bool value);
heed_json *heed_json_int(heed_zone *z, int64_t value);
heed_json *heed_json_real(heed_zone *z, double value);
heed_json *heed_json_string(heed_zone *z, const char *text); /* null for NULL */
heed_json *heed_json_string_of(heed_zone *z, const char *text, size_t length);
heed_json *heed_json_array(heed_zone *z);
heed_json *heed_json_object(heed_zone *z);
heed_json *heed_json_copy(heed_zone *z, const heed_json *v); /* the whole tree below v, as a new root */

/* Put a value, which no other holds yet, behind the last one; set replaces a member of that name in its place. With a NULL
 * for either value they fail with HEED_ENOMEM, so that HEED_TRY(heed_json_set(z, o, "units", heed_json_int(z, 3))) says all. */
heed_status heed_json_append(heed_json *array, heed_json *value);
heed_status heed_json_set(heed_zone *z, heed_json *object, const char *key, heed_json *value);
/* heed_json_set for a name that is known to be new: for objects of many members, for it does not look at them all. */
heed_status heed_json_add(heed_zone *z, heed_json *object, const char *key, heed_json *value);

/* ---- writing ---- */

/* Appends the tree as text: on one line for indent 0, else indented by so many spaces a level. Spacing is Python's. */
void heed_json_write(heed_text *t, const heed_json *v, int indent);

#endif
