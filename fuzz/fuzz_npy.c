#include "fuzz.h"

#include "formats/npy.h"

#include <string.h>

/* What was read is written, and what was written is read: as the same array. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    heed_array *a, *b;
    heed_fuzz_begin();
    heed_status status = heed_npy_read(c, "fuzz", bytes, size, &a);
    if (status == HEED_OK) {
        unsigned char *written;
        size_t written_size;
        FUZZ_CHECK(heed_npy_write(c, a, &written, &written_size) == HEED_OK);
        FUZZ_CHECK(heed_npy_read(c, "again", written, written_size, &b) == HEED_OK);
        FUZZ_CHECK(a->dtype == b->dtype && heed_shape_equal(&a->shape, &b->shape));
        FUZZ_CHECK(memcmp(a->data, b->data, (size_t)heed_array_count(a) * heed_dtype_size(a->dtype)) == 0);
        heed_release(c, written);
        heed_array_free(c, a);
        heed_array_free(c, b);
    }
    heed_fuzz_end(status);
    return 0;
}
