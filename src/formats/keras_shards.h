/* Weights in several files, which a .weights.json tells of: {"weight_map": {"/layers/dense/vars":
 * "x_00000.weights.h5"}}. */
#ifndef HEED_FORMATS_KERAS_SHARDS_H
#define HEED_FORMATS_KERAS_SHARDS_H

#include "formats/hdf5.h"
#include "formats/json.h"

/* Whether a document is such a list. */
bool heed_is_shard_list(const heed_json *document);
/* All of the files, which stand beside the document at `path`, as one tree; free the root. */
heed_status heed_shards_read(heed_context *c, const char *path, const heed_json *document, heed_hdf5 **out);

#endif
