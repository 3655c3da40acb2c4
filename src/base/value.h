/* Values as options hold them, and the text they are written in: Python's literals, names and calls.
 *
 *     relu    0.5    [1, -1]    {'a': None}    l2(0.01)    adam(learning_rate=cosine_decay(0.001, 10000), clipnorm=1)
 *
 * A tree lives in a zone. Files hold the same values as JSON; that translation is the formats room's. */
#ifndef HEED_BASE_VALUE_H
#define HEED_BASE_VALUE_H

#include "base/memory.h"

enum { HEED_VALUE_MAX_DEPTH = 64 };

typedef enum heed_value_type {
    HEED_VALUE_NULL,
    HEED_VALUE_BOOL,
    HEED_VALUE_INT,
    HEED_VALUE_REAL,
    HEED_VALUE_TEXT, /* a quoted text, or a bare name */
    HEED_VALUE_LIST,
    HEED_VALUE_DICT, /* every item has a key */
    HEED_VALUE_CALL, /* text(items): the positional arguments, which have no key, then those with one */
} heed_value_type;

/* A value. Read the members freely; change a tree through the functions below only. */
typedef struct heed_value heed_value;
struct heed_value {
    heed_value_type type;
    const char     *key;  /* as an item of a dict or call; NULL elsewhere */
    heed_value     *next; /* the next item of the same list, dict or call */
    union {
        bool    boolean;
        int64_t integer;
        double  real;
    };
    const char *text; /* of a text; the name of a call */
    heed_value *first, *last;
    size_t      count;
};

/* Parses one expression. `what` is what errors call it ("kernel_regularizer"); they are HEED_EINVAL. */
heed_status heed_value_parse(heed_zone *z, const char *what, const char *text, heed_value **out);
/* Parses arguments without a name around them, "units=5, activation='relu'"; a call whose name is "". */
heed_status heed_value_parse_arguments(heed_zone *z, const char *what, const char *text, heed_value **out);

/* ---- looking ---- */

/* The item of that key; NULL when there is none, or when `v` is NULL or has no items. */
heed_value *heed_value_find(const heed_value *v, const char *key);
bool        heed_value_is(const heed_value *v, heed_value_type type); /* false for NULL */

/* The value as that type; HEED_EINVAL "what: expected an integer, found ...". An integral real passes for an integer,
 * an integer for a real, 0 and 1 for a boolean. Texts belong to the zone; None gives NULL. */
heed_status heed_value_as_bool(heed_context *c, const heed_value *v, const char *what, bool *out);
heed_status heed_value_as_int(heed_context *c, const heed_value *v, const char *what, int64_t *out);
heed_status heed_value_as_real(heed_context *c, const heed_value *v, const char *what, double *out);
heed_status heed_value_as_text(heed_context *c, const heed_value *v, const char *what, const char **out);
/* The failure of such a conversion: expected is "an integer", "a list of layers", ... */
heed_status heed_value_unexpected(heed_context *c, const heed_value *v, const char *what, const char *expected);

/* ---- making ---- */

/* New values; NULL when there is no memory. Texts and keys are copied. */
heed_value *heed_value_null(heed_zone *z);
heed_value *heed_value_bool(heed_zone *z, bool value);
heed_value *heed_value_int(heed_zone *z, int64_t value);
heed_value *heed_value_real(heed_zone *z, double value);
heed_value *heed_value_text(heed_zone *z, const char *text); /* null for NULL */
heed_value *heed_value_list(heed_zone *z);
heed_value *heed_value_ints(heed_zone *z, const int64_t *numbers, int64_t count); /* a list */
heed_value *heed_value_reals(heed_zone *z, const double *numbers, int64_t count);
heed_value *heed_value_dict(heed_zone *z);
heed_value *heed_value_call(heed_zone *z, const char *name);
heed_value *heed_value_copy(heed_zone *z, const heed_value *v); /* the whole tree, without v's own key */

/* Put a value, which no other holds yet, behind the last item; heed_value_set replaces an item of that key. With a NULL
 * for either they fail with HEED_ENOMEM, so that HEED_TRY(heed_value_set(z, d, "units", heed_value_int(z, 3))) says
 * all. */
heed_status heed_value_append(heed_value *list, heed_value *item);
heed_status heed_value_set(heed_zone *z, heed_value *dict, const char *key, heed_value *item);

/* ---- writing ---- */

/* Appends the expression, which reads back as the same tree. */
void heed_value_write(heed_text *t, const heed_value *v);
/* The same as a text in the zone; NULL when there is no memory. */
char *heed_value_expression(heed_zone *z, const heed_value *v);

#endif
