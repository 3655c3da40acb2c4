#include "fuzz.h"

#include <string.h>

static void use(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_model *again;
    char *text;
    if (heed_summary(m, &text) == HEED_OK)
        heed_free(c, text);
    heed_fuzz_run(m);
    if (heed_model_to_json(m, &text) != HEED_OK)
        return;
    if (heed_model_from_json(c, text, &again) == HEED_OK)
        heed_model_free(again);
    heed_free(c, text);
}

/* Architectures as JSON: wired, summed up, run once; what was read is written, and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    heed_model *m;
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, bytes, size);
    text[size] = '\0';
    heed_fuzz_begin();
    heed_status status = heed_model_from_json(c, text, &m);
    if (status == HEED_OK) {
        use(m);
        heed_model_free(m);
    }
    heed_fuzz_end(status);
    free(text);
    return 0;
}
