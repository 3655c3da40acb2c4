/* Sums of products by an equation of letters, as in NumPy: "abc,cd->abd". */
#ifndef HEED_LAYERS_EINSUM_H
#define HEED_LAYERS_EINSUM_H

#include "heed/graph.h"

enum { HEED_MAX_TERMS = 2 };

/* An equation taken apart: a letter for each dimension, a digit for each that an ellipsis stands for, 0 the last. */
typedef struct heed_equation {
    int  count; /* of terms */
    char terms[HEED_MAX_TERMS][HEED_MAX_RANK + 1], result[HEED_MAX_RANK + 1];
} heed_equation;

/* Reads an equation for `count` operands of these ranks; a rank of HEED_ANY is as many as there are letters. Returns NULL,
 * or what is wrong with it. */
const char *heed_equation_read(const char *text, const int *ranks, int count, heed_equation *e);

/* The sum, over the letters that the result lacks, of the product of the operands. */
heed_tensor *heed_einsum(const heed_equation *e, heed_tensor *const *x);

#endif
