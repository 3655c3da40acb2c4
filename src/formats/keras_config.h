/* A model's architecture and training settings as Keras writes them in config.json. */
#ifndef HEED_FORMATS_KERAS_CONFIG_H
#define HEED_FORMATS_KERAS_CONFIG_H

#include "base/value.h"
#include "formats/hdf5.h"
#include "formats/json.h"
#include "heed/files.h"
#include "model/model.h"

/* JSON and option values hold the same things. In the zone; NULL when there is no memory. */
heed_value *heed_value_of_json(heed_zone *z, const heed_json *v);
heed_json  *heed_json_of_value(heed_zone *z, const heed_value *v);

/* What the meaning of an object depends on. */
typedef struct heed_keras_reading {
    /* of the Keras that wrote it; NULL: as the object says under "keras_version", else today's */
    const char             *version;
    const heed_load_config *options; /* the caller's choices; NULL: none */
    const heed_hdf5        *weights; /* groups of layers in HDF5, for what configurations forget; NULL: none */
    bool                   *set_used; /* which of options->set found their layer; NULL: nobody asks */
} heed_keras_reading;

/* A version as heed_layer_set_keras takes it, 100 major + minor; 0 for none that can be read. So that they stand in the order
 * of what they do, 204 is what called itself "2.2.4-tf" (TensorFlow 1.15 and 2.0), and 2.4 is as 2.5; "2.3.0-tf" is 203 for
 * layers and 204 for how a model learns. */
int heed_keras_number(const char *version);
/* The one whose meaning an object has: as heed wrote into it, or else of the Keras that wrote the file. */
int heed_keras_meaning(const heed_json *object, const heed_keras_reading *r);
/* Whether Keras 1 or 2 wrote it. */
bool heed_keras_is_old(const heed_keras_reading *r);

/* The model of {"class_name": "Functional", "config": {...}, ...}; not compiled. NULL for `r`: nothing is known or
 * chosen. */
heed_status heed_keras_read_model(heed_context *c, const heed_json *object, const heed_keras_reading *r,
                                  heed_model **out);
/* The layer of an object, a model among them; freed by heed_layer_release. */
heed_status heed_keras_read_layer(heed_context *c, const heed_json *object, const heed_keras_reading *r,
                                  heed_layer **out);
/* Fills a sequential model. */
heed_status heed_keras_read_sequential(const heed_json *object, const heed_keras_reading *r, heed_model *m);
/* What a class is called: a registered name's last part counts more than the class's. */
heed_status heed_keras_class_of(heed_context *c, const heed_json *object, const char **out);
bool        heed_keras_is_model_class(const char *class_name);

/* Compiles as "compile_config" says; null, or nothing in it, leaves the model as it is. */
heed_status heed_keras_read_compile(heed_model *m, const heed_json *compile_config);

/* Which Keras a file is written for. */
typedef struct heed_keras_form {
    int         keras;   /* 2 or 3 */
    const char *version; /* as the file tells */
} heed_keras_form;

extern const heed_keras_form heed_keras2_form, heed_keras3_form;

/* The object of a whole model, as of Keras 3. */
heed_status heed_keras_write_model(heed_zone *z, heed_model *m, heed_json **out);
/* What compile_config holds, as of Keras 3; NULL for a model that is not compiled. */
heed_status heed_keras_write_compile(heed_zone *z, heed_model *m, heed_json **out);
/* Either as Keras 2 says it. HEED_EUNSUPPORTED for what it has not. */
heed_status heed_keras2_object(heed_zone *z, const heed_json *object, heed_json **out);
/* Activations that Keras 3 has not, within v, as objects that it has; and the name of one that such an object stands for:
 * NULL for any other value. */
heed_status heed_keras3_activations(heed_zone *z, heed_json *v);
const char *heed_keras3_activation_name(const heed_json *v);
/* Both in that form; *compile is NULL for a model that is not compiled. */
heed_status heed_keras_write_whole(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_json **object,
                                   heed_json **compile);

#endif
