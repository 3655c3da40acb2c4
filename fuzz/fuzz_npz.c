#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"

/* Archives of arrays. What was read is written, and what was written is read: as many arrays. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    heed_arrays all, again;
    unsigned char *mended = heed_fuzz_mended(bytes, size);
    heed_fuzz_begin();
    heed_status status = heed_arrays_load(c, heed_fuzz_file("arrays.npz", mended, size), &all);
    if (status == HEED_OK) {
        const char *path = heed_fuzz_file("arrays.npz", "", 0);
        if (heed_arrays_save(&all, path) == HEED_OK) {
            FUZZ_CHECK(heed_arrays_load(c, path, &again) == HEED_OK && again.count == all.count);
            heed_arrays_free(&again);
        }
        heed_arrays_free(&all);
    }
    heed_fuzz_end(status);
    free(mended);
    return 0;
}
