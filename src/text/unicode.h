/* Code points, and text in a standard form. */
#ifndef HEED_TEXT_UNICODE_H
#define HEED_TEXT_UNICODE_H

#include "base/memory.h"

/* Bytes of the code point that `text` begins with, length >= 1; 0 when it begins with none. *point may be NULL. */
size_t heed_utf8_next(const char *text, size_t length, uint32_t *point);
/* Bytes of the first word's leading white space, and of the word after it; both 0 at the end. `text` is UTF-8. */
typedef struct heed_word {
    size_t space, length;
} heed_word;
heed_word heed_utf8_word(const char *text, size_t length);

/* Unicode's normal forms; text as it was written may be in none of them. */
typedef enum heed_normal_form { HEED_AS_WRITTEN, HEED_NFC, HEED_NFKC } heed_normal_form;

/* Brings texts into a normal form, lower case, both or neither. Keeps its buffers from one text to the next. Start with
 * {.context = c, ...}. */
typedef struct heed_normalizer {
    heed_context    *context;
    heed_normal_form form;
    bool             lowercase;
    heed_text        text;     /* the last result */
    uint16_t        *units[2]; /* UTF-16 on the way */
    size_t           capacity[2];
} heed_normalizer;

/* *out is valid until the next call, and as long as `text` is: it may be that. `text` is UTF-8. */
heed_status heed_normalize(heed_normalizer *n, const char *text, size_t length, const char **out, size_t *out_length);
void        heed_normalizer_free(heed_normalizer *n);

#endif
