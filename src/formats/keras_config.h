/* A model's architecture and training settings as Keras writes them in config.json. */
#ifndef HEED_FORMATS_KERAS_CONFIG_H
#define HEED_FORMATS_KERAS_CONFIG_H

#include "base/value.h"
#include "formats/json.h"
#include "model/model.h"

/* JSON and option values hold the same things. In the zone; NULL when there is no memory. */
heed_value *heed_value_of_json(heed_zone *z, const heed_json *v);
heed_json  *heed_json_of_value(heed_zone *z, const heed_value *v);

/* The model of {"class_name": "Functional", "config": {...}, ...}; not compiled. What some words mean depends on the
 * version of Keras that wrote it; NULL: as the object says under "keras_version", else 3. */
heed_status heed_keras_read_model(heed_context *c, const heed_json *object, const char *keras_version,
                                  heed_model **out);
/* Compiles as "compile_config" says; null, or nothing in it, leaves the model as it is. */
heed_status heed_keras_read_compile(heed_model *m, const heed_json *compile_config);

/* The object of a whole model. */
heed_status heed_keras_write_model(heed_zone *z, heed_model *m, heed_json **out);
/* What compile_config holds; NULL for a model that is not compiled. */
heed_status heed_keras_write_compile(heed_zone *z, heed_model *m, heed_json **out);

#endif
