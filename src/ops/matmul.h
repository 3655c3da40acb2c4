/* Products whose second operand is packed once and used often: what scan does with the weights of a loop. */
#ifndef HEED_OPS_MATMUL_H
#define HEED_OPS_MATMUL_H

#include "ops/op.h"

/* Is this node a product of rows with one matrix, (d, n), or (n, d) transposed? */
bool heed_matmul_is_dense(const heed_node *n, bool *transposed);
/* Is this node a product of rows with one matrix that could be packed ahead? */
bool heed_matmul_packable(const heed_node *n);
/* Floats that the packed matrix takes. */
size_t heed_matmul_packed_size(const heed_node *n, const heed_kernels *k);
/* Packs the matrix b, the node's second operand, panel by panel over the pool. */
void heed_matmul_pack(const heed_exec *x, const heed_node *n, const float *b, float *packed);
/* The node's forward with its matrix packed ahead, on the calling thread. */
void heed_matmul_run_packed(const heed_exec *x, const heed_node *n, const float *packed);

/* Matrices of variables, packed once for the products of many runs: the variables must not change as long. A graph that
 * has such a store uses it by itself. Not for several threads at a time. */
typedef struct heed_packs heed_packs;

heed_status heed_packs_create(heed_context *c, heed_packs **out);
void        heed_packs_free(heed_packs *p); /* NULL is allowed */

#endif
