#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What weights are read into: the layers of tests/fixtures/make/make_saved_models.py, one after the other. */
static const char architecture[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"whole\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"x\", \"batch_shape\": [null, 4]}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"begin\"}},"
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"inner\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"y\", \"batch_shape\": [null, 4]}},"
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"first\", \"units\": 4, \"use_bias\": false}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"normal\"}},"
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"second\", \"units\": 4}}]}},"
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"out\", \"units\": 2}}]}}";

/* The first `*size` bytes, or as many as are left; moves on behind them. */
static const uint8_t *cut(const uint8_t **bytes, size_t *left, size_t *size)
{
    const uint8_t *first = *bytes;
    *size = *size < *left ? *size : *left;
    *bytes += *size;
    *left -= *size;
    return first;
}

/* SavedModels and checkpoints. The input is the sizes of the index and of the metadata, 4 bytes each, then these, then the file of
 * numbers. Builds for libFuzzer pass over checksums. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { SIZES = 8 };
    static char folder[256], prefix[300];
    heed_model *m;
    if (size < SIZES)
        return 0;
    size_t left = size - SIZES, index = heed_fuzz_number(bytes, 4), metadata = heed_fuzz_number(bytes + 4, 4);
    bytes += SIZES;
    const uint8_t *index_bytes = cut(&bytes, &left, &index), *metadata_bytes = cut(&bytes, &left, &metadata);
    heed_model *model = heed_fuzz_model(architecture);
    if (folder[0] == '\0') {
        snprintf(prefix, sizeof prefix, "%s", heed_fuzz_file("saved_model.pb", "", 0));
        snprintf(folder, sizeof folder, "%s", dirname(prefix));
        snprintf(prefix, sizeof prefix, "%s/variables", folder);
        mkdir(prefix, 0777);
        snprintf(prefix, sizeof prefix, "%s/variables/variables", folder);
    }
    heed_fuzz_file("keras_metadata.pb", metadata_bytes, metadata);
    heed_fuzz_file("variables/variables.index", index_bytes, index);
    heed_fuzz_file("variables/variables.data-00000-of-00001", bytes, left);
    heed_fuzz_begin();
    heed_fuzz_end(heed_load_weights(model, prefix));
    heed_fuzz_begin();
    heed_status status = heed_load_model(heed_fuzz_context(), folder, &m);
    if (status == HEED_OK) {
        heed_fuzz_run(m);
        heed_model_free(m);
    }
    heed_fuzz_end(status);
    return 0;
}
