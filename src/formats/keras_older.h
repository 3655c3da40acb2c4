/* Configs of Keras 1 and 2, as Keras 3 would say them. */
#ifndef HEED_FORMATS_KERAS_OLDER_H
#define HEED_FORMATS_KERAS_OLDER_H

#include "base/value.h"

/* Today's name of a class. */
const char *heed_older_class(const char *class_name);
/* The same of layers among a layer's options, in place. */
void heed_older_classes(heed_value *options);
/* Rescaling that has a scale or an offset for each feature, as pictures for EfficientNet: the Normalization that does the
 * same. Leaves others as they are. */
heed_status heed_rescaling_by_feature(heed_zone *z, const char **class_name, heed_value **options);
/* Renames what a config of Keras 1 says, in layers within it too. */
heed_status heed_keras1_config(heed_zone *z, const char *class_name, heed_value *config);

#endif
