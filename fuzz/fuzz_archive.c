#include "fuzz.h"

#include "formats/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_archive a;
    heed_fuzz_begin();
    heed_status status = heed_archive_open_memory(heed_fuzz_context(), "fuzz", bytes, size, &a);
    if (status == HEED_OK)
        status = heed_archive_read(&a);
    FUZZ_CHECK(status != HEED_OK || (a.config != NULL && a.weights != NULL));
    heed_archive_free(&a);
    heed_fuzz_end(status);
    return 0;
}
