#ifndef HEED_MODEL_HISTORY_H
#define HEED_MODEL_HISTORY_H

#include "model/model.h"

/* Appends a row; names that are new become columns. */
heed_status heed_history_add(heed_context *c, heed_history *h, int epoch, const heed_logs *logs);

#endif
