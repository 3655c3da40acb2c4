/* In place of what files say of training, where heed is built with HEED_MINIMAL: it is passed over. */
#include "formats/keras_config.h"
#include "formats/keras_legacy.h"
#include "formats/keras_weights.h"

heed_status heed_keras_read_compile(heed_model *m, const heed_json *compile_config) { return HEED_OK; }
heed_status heed_keras_read_optimizer(heed_model *m, const heed_hdf5 *root) { return HEED_OK; }
heed_status heed_legacy_read_optimizer(heed_model *m, const heed_hdf5 *root) { return HEED_OK; }

heed_status heed_keras_write_compile(heed_zone *z, heed_model *m, heed_json **out)
{
    *out = NULL;
    return HEED_OK;
}
