/* Drawing a token by its probability: with a temperature, among the likeliest. */
#ifndef HEED_SEQ2SEQ_DRAW_H
#define HEED_SEQ2SEQ_DRAW_H

#include "base/memory.h"

typedef struct heed_drawing {
    double   temperature; /* T: in proportion to p^(1/T) */
    int      top_k;       /* of the k likeliest alone; 0: of all */
    double   top_p;       /* of the fewest that have such a share of it together; 1: of all */
    uint64_t seed;
} heed_drawing;

typedef struct heed_candidate {
    int32_t token;
    double  weight;
} heed_candidate;

/* One of the tokens first..size-1, the logarithms of whose probabilities are x[token] plus anything, at `chance` in [0,1);
 * -1 when none is possible. `spare` has room for all. */
int32_t heed_draw_token(const heed_drawing *d, const float *x, int32_t first, int32_t size, double chance,
                        heed_candidate *spare);

#endif
