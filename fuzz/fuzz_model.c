#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"

/* Whole model files, .keras and .h5: read, run once, written. */
static void use(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    char *text;
    heed_fuzz_run(m);
    if (heed_model_to_json(m, &text) == HEED_OK)
        heed_free(c, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    unsigned char *mended = heed_fuzz_mended(bytes, size);
    heed_model *m;
    heed_fuzz_begin();
    heed_status status = heed_load_model_memory(c, "fuzz", mended, size, NULL, &m);
    if (status == HEED_OK) {
        use(m);
        heed_model_free(m);
    }
    heed_fuzz_end(status);
    free(mended);
    return 0;
}
