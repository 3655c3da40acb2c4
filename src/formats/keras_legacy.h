/* Keras' files in HDF5 from before .keras: a whole model, or the weights of one.
 *
 * The root of a whole model has its architecture and training settings as JSON in attributes; the groups
 * model_weights and optimizer_weights hold arrays in the order of lists of names. A file of weights is what
 * model_weights is. */
#ifndef HEED_FORMATS_KERAS_LEGACY_H
#define HEED_FORMATS_KERAS_LEGACY_H

#include "formats/hdf5.h"
#include "formats/keras_config.h"

/* The group that lists layers and their weights; NULL where there is none. */
const heed_hdf5 *heed_legacy_weights_group(const heed_hdf5 *root);

/* The model_config, and the version of Keras that wrote it, which lives as long as the tree. */
heed_status heed_legacy_read_architecture(heed_zone *z, const heed_hdf5 *root, heed_json **object,
                                          const char **version);
/* The training_config as a compile_config; null where there is none. */
heed_status heed_legacy_read_settings(heed_zone *z, const heed_hdf5 *root, const heed_keras_reading *r,
                                      heed_json **out);

/* What a compile_config's optimizer was before Keras 2.11 is said in today's options: its decay, its clipping. One that scales
 * the loss for another, as half precision needs, gives way to the other. */
heed_status heed_legacy_read_optimizer_config(heed_zone *z, const heed_keras_reading *r, heed_json *compile);

/* The attribute of that name, in JSON. */
heed_status heed_legacy_set_json(heed_hdf5 *root, const char *name, const heed_json *value);

/* Weights go to layers in order, those without any left out on both sides; or to those of the same names. */
heed_status heed_legacy_read_weights(heed_model *m, const heed_hdf5 *group, bool by_name);
enum { HEED_LEGACY_GATES = 4 }; /* at most, of a cell */

/* How a file calls a weight of the model: one name, or one for each gate of a cell that Keras 1 kept apart, in the order in
 * which they stand in the weight. */
typedef struct heed_legacy_called {
    const char *names[HEED_LEGACY_GATES];
    size_t      count;
} heed_legacy_called;

/* That of the weights, by variable, where it can be told. In the zone. */
heed_status heed_legacy_names(heed_zone *z, heed_model *m, const heed_hdf5 *group, heed_index *out);
/* A state that is not there, or of another optimizer, leaves the optimizer as it is, with a warning. */
heed_status heed_legacy_read_optimizer(heed_model *m, const heed_hdf5 *root);

/* Writes a whole model, or the weights alone, below `root`. */
heed_status heed_legacy_write_model(heed_model *m, const heed_keras_form *form, heed_hdf5 *root);
heed_status heed_legacy_write_weights(heed_model *m, const heed_keras_form *form, heed_hdf5 *root);

/* A weight, and the layer whose own it is. */
typedef struct heed_legacy_weight {
    heed_layer    *owner;
    heed_variable *variable;
} heed_legacy_weight;

/* The weights of a layer and all below it, each once, as files list them: all that are trained first. In the zone. */
heed_status heed_legacy_order(heed_zone *z, heed_layer *layer, heed_legacy_weight **out, size_t *count);

#endif
