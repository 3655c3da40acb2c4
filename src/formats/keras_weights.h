/* A model's weights in the tree of a Keras 3 .weights.h5: layers/lstm/cell/vars/0. */
#ifndef HEED_FORMATS_KERAS_WEIGHTS_H
#define HEED_FORMATS_KERAS_WEIGHTS_H

#include "formats/hdf5.h"
#include "formats/keras_config.h"

heed_status heed_keras_write_weights(heed_model *m, const heed_keras_form *form, heed_hdf5 *root);
heed_status heed_keras_read_weights(heed_model *m, const heed_hdf5 *root);

/* optimizer/vars/0, 1, ... A state that is not there, or of another optimizer, leaves the optimizer as it is, with a
 * warning. */
heed_status heed_keras_write_optimizer(heed_model *m, const heed_keras_form *form, heed_hdf5 *root);
heed_status heed_keras_read_optimizer(heed_model *m, const heed_hdf5 *root);
/* Whether the optimizer counts and keeps as before Keras 2.11. */
bool heed_keras_has_old_optimizer(const heed_model *m);
/* The arrays that a file in that form keeps, in its order, and names for them. In the zone, but for the model's own
 * arrays. */
heed_status heed_keras_list_state(heed_zone *z, heed_model *m, const heed_keras_form *form, const heed_array ***arrays,
                                  const char ***names, size_t *count);

/* An .npz of all weights by path. */
heed_status heed_npz_write_weights(heed_model *m, const char *path);
heed_status heed_npz_read_weights(heed_model *m, const char *path);

#endif
