#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"

#include <string.h>

/* As small an input as the model takes: one example, three steps. */
static heed_array *small_input(heed_context *c, const heed_model *m, int index)
{
    heed_array *a;
    heed_shape shape = *heed_model_input_shape(m, index);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] == HEED_ANY)
            shape.dims[i] = i == 0 ? 1 : 3;
    return heed_array_create(c, heed_model_input_dtype(m, index), &shape, &a) == HEED_OK ? a : NULL;
}

static void run(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_array *a = NULL;
    heed_status status = HEED_OK;
    for (int i = 0; i < heed_model_input_count(m) && status == HEED_OK; i++) {
        a = small_input(c, m, i);
        status = a == NULL ? HEED_ENOMEM : heed_arrays_add(&x, heed_model_input_name(m, i), a);
    }
    if (status == HEED_OK)
        heed_predict(m, &x, &y);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
}

/* What was read can be written, and is read again. */
static void write_again(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_model *again;
    char *json;
    if (heed_model_to_json(m, &json) != HEED_OK)
        return;
    if (heed_model_from_json(c, json, &again) == HEED_OK)
        heed_model_free(again);
    heed_free(c, json);
}

/* Whole model files: read, run once, written. A zip's checksums are put right first, so that what was changed is read. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    size_t used = heed_memory_used(c);
    unsigned char *mended = malloc(size > 0 ? size : 1);
    heed_model *m;
    FUZZ_CHECK(mended != NULL);
    if (size > 0)
        memcpy(mended, bytes, size);
    heed_fuzz_mend_zip(mended, size);
    if (heed_load_model_memory(c, "fuzz", mended, size, NULL, &m) == HEED_OK) {
        run(m);
        write_again(m);
        heed_model_free(m);
    } else {
        FUZZ_CHECK(*heed_error(c) != '\0');
    }
    free(mended);
    FUZZ_CHECK(heed_memory_used(c) == used);
    return 0;
}
