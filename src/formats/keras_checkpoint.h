/* Models as TensorFlow 2 saved them: a folder with a SavedModel, of which Keras' own description is read and not the graphs of
 * operations, and checkpoints of weights. */
#ifndef HEED_FORMATS_KERAS_CHECKPOINT_H
#define HEED_FORMATS_KERAS_CHECKPOINT_H

#include "formats/checkpoint.h"
#include "formats/hdf5.h"
#include "model/model.h"

/* Whether a folder holds a SavedModel. */
bool heed_saved_model_is(const char *path);
/* What it says of the model, as the attributes that Keras' models in HDF5 have: model_config, training_config, keras_version.
 * HEED_EUNSUPPORTED: one that Keras did not save, or a class of its own, of which there is no config. */
heed_status heed_saved_model_describe(heed_context *c, const char *path, heed_hdf5 **out);
/* The prefix of the checkpoint in it; NULL when there is no memory. */
const char *heed_saved_model_checkpoint(heed_zone *z, const char *path);

/* Adds to `tree` what a checkpoint holds of the model's weights and, with `state`, of its optimizer's state where it is compiled,
 * as Keras' files have them (model_weights, and optimizer_weights or optimizer/vars). Objects are told by what they hang on:
 * layer_with_weights-0 is the first layer that has weights. */
heed_status heed_checkpoint_to_tree(heed_checkpoint *p, heed_model *m, bool state, heed_hdf5 *tree);

#endif
