/* What a decoder's rows left at their steps: keys and values. Rows that went on from one row share what it left, so
 * nothing is copied when hypotheses part; a place is free again when it is in no row's past. */
#ifndef HEED_SEQ2SEQ_CACHES_H
#define HEED_SEQ2SEQ_CACHES_H

#include "seq2seq/recipe.h"

typedef struct heed_caches heed_caches;

/* For at most so many rows. Lives in the zone, with all that it allocates. */
heed_status heed_caches_start(heed_zone *z, const heed_decoding_models *models, int rows, heed_caches **out);
/* Writes the step model's position, past and caches to `in`; returns how many arrays. Rows behind those that live have no
 * past. */
int heed_caches_inputs(heed_caches *c, int rows, heed_array *in);
/* Takes in what the step left, of the first `rows`: left[i] (rows, D) for each cache. */
heed_status heed_caches_keep(heed_caches *c, int rows, const float *const *left);
/* Row i of the next step goes on from row parents[i] of the one just kept. */
void heed_caches_reorder(heed_caches *c, int rows, const int *parents);

#endif
