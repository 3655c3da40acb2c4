/* Configs of Keras 1 and 2, as Keras 3 would say them. */
#ifndef HEED_FORMATS_KERAS_OLDER_H
#define HEED_FORMATS_KERAS_OLDER_H

#include "base/value.h"

/* Today's name of a class. */
const char *heed_older_class(const char *class_name);
/* Renames what a config of Keras 1 says, in layers within it too. */
heed_status heed_keras1_config(heed_zone *z, const char *class_name, heed_value *config);

#endif
