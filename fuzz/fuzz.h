/* What the harnesses share. Each feeds its input to one parser of untrusted bytes, as libFuzzer calls it; the same harness
 * linked with driver.c reads files instead, as they are or damaged, and so is a test. */
#ifndef HEED_FUZZ_H
#define HEED_FUZZ_H

#include "heed/model.h"

#include "base/memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Stops where a promise is broken that no sanitizer knows of. */
#define FUZZ_CHECK(condition) \
    do {                      \
        if (!(condition))     \
            abort();          \
    } while (0)

/* One context for all inputs, with so little memory that a size which is believed without bytes behind it shows. */
heed_context *heed_fuzz_context(void);

/* An input begins, and ends: it may take 5 s of the processor, has to give back what memory it took, and where it is refused
 * there is a sentence. */
void heed_fuzz_begin(void);
void heed_fuzz_end(heed_status status);

/* Runs a model once, unless what it asks for would take more than an input's time by itself: a file of a kilobyte may say
 * that an attention has a hundred thousand steps. */
void heed_fuzz_run(heed_model *m);

/* A model of this architecture in JSON, built; it lives as long as the process. */
heed_model *heed_fuzz_model(const char *architecture);

/* A file of that name, "weights.npz", with these bytes, in a folder of the process's own. */
const char *heed_fuzz_file(const char *name, const void *bytes, size_t size);

#endif
