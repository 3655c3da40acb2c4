/* Options that a layer's configuration in a file does not have, though the layer cannot do without. */
#ifndef HEED_FORMATS_KERAS_MISSING_H
#define HEED_FORMATS_KERAS_MISSING_H

#include "formats/keras_config.h"

/* Adds to the options of a layer what its weights in the file tell. */
heed_status heed_keras_complete(heed_zone *z, const char *class_name, const char *name, const heed_keras_reading *r,
                                heed_value *options);

#endif
