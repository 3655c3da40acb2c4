/* Texts kept to learn from: all of them, or as many as fit, picked at random but always the same. */
#ifndef HEED_TEXT_SAMPLE_H
#define HEED_TEXT_SAMPLE_H

#include "base/memory.h"

typedef struct heed_sample {
    heed_context *context;
    size_t        limit;   /* bytes */
    unsigned      halvings; /* a text stays with a chance of 2^-halvings */
    int64_t       seen, kept;
    heed_text     texts; /* each as its number in 8 bytes, then the text, then a NUL */
} heed_sample;

/* Adds a text without NUL. When they no longer fit, about half of what was added so far is dropped. */
heed_status heed_sample_add(heed_sample *s, const char *text, size_t length);
/* The text at *at, a place that begins as 0; NULL behind the last. */
const char *heed_sample_next(const heed_sample *s, size_t *at, size_t *length);
void        heed_sample_free(heed_sample *s);

#endif
