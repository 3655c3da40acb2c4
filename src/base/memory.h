/* Memory: single blocks, zones that are freed as a whole, growing arrays and strings.
 * Sizes are checked for overflow here, so that callers multiply without fear. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include "base/context.h"

/* `count` elements of `size` bytes, zeroed and aligned to 64; NULL (with the error recorded) when there is no memory or
 * the product overflows. A count or size of 0 gives a valid pointer. */
void *heed_alloc(heed_context *c, size_t count, size_t size);
/* As heed_alloc, but the bytes are not set. */
void *heed_alloc_raw(heed_context *c, size_t count, size_t size);
/* NULL is allowed. */
void heed_release(heed_context *c, void *memory);
/* A copy to be released by the caller; NULL when there is no memory. */
char *heed_strdup(heed_context *c, const char *text);

/* A zone hands out memory that lives until the zone does: no single frees, no leaks on the way out of a failure. */
typedef struct heed_zone {
    heed_context *context;
    struct heed_zone_block *blocks;
} heed_zone;

void  heed_zone_init(heed_zone *z, heed_context *c);
void  heed_zone_free(heed_zone *z);
void *heed_zone_alloc(heed_zone *z, size_t count, size_t size); /* zeroed, aligned to 16 */
char *heed_zone_strdup(heed_zone *z, const char *text);
char *heed_zone_printf(heed_zone *z, const char *format, ...) HEED_PRINTF(2, 3);

/* Makes room for one more element in a growing array: HEED_TRY(heed_grow(c, (void **)&items, &capacity, count, sizeof *items)).
 * The array is owned by the caller and released with heed_release. */
heed_status heed_grow(heed_context *c, void **items, size_t *capacity, size_t count, size_t size);

/* A growing string. Zero-initialise but for the context; failures are remembered: ask heed_text_status once at the end. */
typedef struct heed_text {
    heed_context *context;
    char         *bytes; /* NUL-terminated once anything was appended; NULL before */
    size_t        length, capacity;
    bool          failed;
} heed_text;

void        heed_text_append(heed_text *t, const char *bytes, size_t length);
void        heed_text_printf(heed_text *t, const char *format, ...) HEED_PRINTF(2, 3);
void        heed_text_vprintf(heed_text *t, const char *format, va_list args) HEED_PRINTF(2, 0);
heed_status heed_text_status(const heed_text *t);
void        heed_text_free(heed_text *t);

#endif
