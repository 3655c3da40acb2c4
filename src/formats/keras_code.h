/* What compiled Python code in a file deals with: told, and never run. */
#ifndef HEED_FORMATS_KERAS_CODE_H
#define HEED_FORMATS_KERAS_CODE_H

#include "formats/json.h"

/* "tf, reduce_sum, -1": the names and numbers that a Lambda's code holds, cut to size. Empty where there are none, or the
 * code is of a Python that is not known. */
void heed_keras_code_text(const heed_json *function, char *text, size_t size);

#endif
