/* Every fixture that Keras made: outputs, gradients, training. tests/fixtures/make/README.md describes the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/json.h"
#include "formats/keras_config.h"
#include "heed/formats.h"
#include "model/program.h"
#include "model/training.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far numbers may be off, as a share of the larger of 1 and the number itself. */
static const double OUTPUTS = 1e-5, GRADIENTS = 1e-4, CURVES = 1e-4;
