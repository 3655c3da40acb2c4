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

/* One context for all inputs. */
static inline heed_context *heed_fuzz_context(void)
{
    static heed_context *c;
    if (c == NULL)
        FUZZ_CHECK(heed_context_create(&(heed_context_config){.threads = 1}, &c) == HEED_OK);
    return c;
}

#endif
