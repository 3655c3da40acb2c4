/* In place of what files say of training, where heed is built with HEED_MINIMAL: it is passed over; and of writing in other
 * layers, which is refused. */
#include "formats/builtin.h"
#include "formats/keras_config.h"
#include "formats/keras_legacy.h"
#include "formats/keras_weights.h"

heed_status heed_keras_read_compile(heed_model *m, const heed_json *compile_config) { return HEED_OK; }
heed_status heed_keras_read_optimizer(heed_model *m, const heed_hdf5 *root) { return HEED_OK; }
heed_status heed_keras_write_optimizer(heed_model *m, const heed_keras_form *form, heed_hdf5 *root) { return HEED_OK; }

bool heed_keras_has_old_optimizer(const heed_model *m) { return false; }

heed_status heed_keras_list_state(heed_zone *z, heed_model *m, const heed_keras_form *form, const heed_array ***arrays,
                                  const char ***names, size_t *count)
{
    *count = 0;
    return HEED_OK;
}

heed_status heed_legacy_read_optimizer(heed_model *m, const heed_hdf5 *root) { return HEED_OK; }

heed_status heed_keras_write_compile(heed_zone *z, heed_model *m, heed_json **out)
{
    *out = NULL;
    return HEED_OK;
}

heed_status heed_builtin_model(heed_model *m, int keras, heed_model **out)
{
    *out = NULL;
    return heed_fail(m->context, HEED_EUNSUPPORTED, "%s: this heed was built without other layers to write it in",
                     heed_model_name(m));
}
