#include "fuzz.h"

#include "formats/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { LIMIT = 1 << 24 };
    heed_context *c = heed_fuzz_context();
    heed_zip *z;
    heed_fuzz_begin();
    heed_status status = heed_zip_open_memory(c, "fuzz", bytes, size, &z);
    if (status == HEED_OK) {
        for (size_t i = 0; i < heed_zip_count(z); i++) {
            unsigned char *member;
            size_t member_size, found;
            FUZZ_CHECK(heed_zip_name_is_safe(heed_zip_name(z, i)));
            FUZZ_CHECK(heed_zip_find(z, heed_zip_name(z, i), &found) && found == i);
            if (heed_zip_read(z, i, LIMIT, &member, &member_size) == HEED_OK)
                FUZZ_CHECK(member_size <= LIMIT);
            heed_release(c, member);
        }
        heed_zip_close(z);
    }
    heed_fuzz_end(status);
    return 0;
}
