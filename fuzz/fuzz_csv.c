#include "fuzz.h"

#include "formats/csv.h"

/* What was read is written, and what was written is read: with the same shape. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    heed_array *a, *b;
    heed_fuzz_begin();
    heed_status status = heed_csv_read(c, "fuzz", bytes, size, &a);
    if (status == HEED_OK) {
        heed_text text = {.context = c};
        FUZZ_CHECK(heed_csv_write(a, &text) == HEED_OK);
        FUZZ_CHECK(heed_csv_read(c, "again", text.bytes, text.length, &b) == HEED_OK);
        FUZZ_CHECK(heed_shape_equal(&a->shape, &b->shape));
        heed_text_free(&text);
        heed_array_free(c, a);
        heed_array_free(c, b);
    }
    heed_fuzz_end(status);
    return 0;
}
