#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"

#include <string.h>

/* What weights are read into: a recurrent layer in a model of its own, an embedding, a normalization. */
static const char architecture[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"whole\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"name\": \"x\", \"batch_shape\": [null, 3], \"dtype\": \"int32\"}},"
    "{\"class_name\": \"Embedding\", \"config\": {\"name\": \"embedding\", \"input_dim\": 5, \"output_dim\": 2}},"
    "{\"class_name\": \"LSTM\", \"config\": {\"name\": \"lstm\", \"units\": 2}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"batch_normalization\"}},"
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"dense\", \"units\": 2}}]}}";

/* Weights alone, in each form that there is: .weights.h5, older .h5, .keras, .npz. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_model *model = heed_fuzz_model(architecture);
    unsigned char *mended = heed_fuzz_mended(bytes, size);
    heed_fuzz_begin();
    heed_status status = heed_load_weights(model, heed_fuzz_file("weights", mended, size));
    if (status != HEED_OK && size > 4 && memcmp(bytes, "PK\3\4", 4) == 0)
        status = heed_load_weights(model, heed_fuzz_file("weights.npz", mended, size));
    heed_fuzz_end(status);
    free(mended);
    return 0;
}
