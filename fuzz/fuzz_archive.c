#include "fuzz.h"

#include "formats/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    size_t used = heed_memory_used(c);
    heed_archive a;
    if (heed_archive_open_memory(c, "fuzz", bytes, size, &a) == HEED_OK && heed_archive_read(&a) == HEED_OK)
        FUZZ_CHECK(a.config != NULL && a.weights != NULL);
    heed_archive_free(&a);
    FUZZ_CHECK(heed_memory_used(c) == used);
    return 0;
}
