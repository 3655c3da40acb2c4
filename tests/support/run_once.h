/* For tests and the harnesses of fuzz/. */
#ifndef HEED_TEST_SUPPORT_RUN_ONCE_H
#define HEED_TEST_SUPPORT_RUN_ONCE_H

#include "heed/model.h"

/* What stands for a length that is not known. */
enum { HEED_TEST_STEPS = 3 };

/* Runs a model once, on as small an input as it takes: one example, so many steps. */
heed_status heed_test_run_once(heed_model *m);

#endif
