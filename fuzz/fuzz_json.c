#include "fuzz.h"

#include "formats/json.h"

#include <string.h>

/* What was read is written, and what was written is read and written again: to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    heed_zone z;
    heed_json *v;
    heed_fuzz_begin();
    heed_zone_init(&z, c);
    heed_status status = heed_json_parse(&z, "fuzz", bytes, size, &v);
    if (status == HEED_OK) {
        heed_text one = {.context = c}, two = {.context = c};
        heed_json_write(&one, v, 0);
        FUZZ_CHECK(heed_json_parse(&z, "again", one.bytes, one.length, &v) == HEED_OK);
        heed_json_write(&two, v, 0);
        FUZZ_CHECK(one.length == two.length && memcmp(one.bytes, two.bytes, one.length) == 0);
        heed_text_free(&one);
        heed_text_free(&two);
    }
    heed_zone_free(&z);
    heed_fuzz_end(status);
    return 0;
}
