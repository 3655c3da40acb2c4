/* What the harnesses share. Each feeds its input to one parser of untrusted bytes, as libFuzzer calls it; the same harness
 * linked with driver.c reads files instead, and so is a test. */
#ifndef HEED_FUZZ_H
#define HEED_FUZZ_H

#include "base/memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Stops where a promise is broken that no sanitizer knows of. */
#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition))     \
            abort();          \
    } while (0)

static heed_context *heed_fuzz_shared;

static inline void heed_fuzz_end(void) { heed_context_free(heed_fuzz_shared); }

/* One context for all inputs, with so little memory that a size which is believed without bytes behind it shows. */
static inline heed_context *heed_fuzz_context(void)
{
    if (heed_fuzz_shared == NULL) {
        const heed_context_config config = {.threads = 1, .memory = (size_t)200 << 20};
        FUZZ_CHECK(heed_context_create(&config, &heed_fuzz_shared) == HEED_OK);
        atexit(heed_fuzz_end);
    }
    return heed_fuzz_shared;
}

#endif
