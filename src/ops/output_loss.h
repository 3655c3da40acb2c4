/* The output layer and its loss as one: logits, of which there may be as many as rows times words, are never whole in
 * memory. */
#ifndef HEED_OPS_OUTPUT_LOSS_H
#define HEED_OPS_OUTPUT_LOSS_H

#include "ops/op.h"

/* Whether logits (..., n) can be left out so: they are a product with one matrix, of many classes, and nobody has asked yet
 * for them or for the prediction, which is their softmax, or they themselves. */
bool heed_output_loss_fits(const heed_tensor *logits, const heed_tensor *prediction);

/* sum_i weights[i] heed_op_softmax_cross_entropy(logits, labels, smoothing)[i], a scalar, with respect to the operands of
 * the product that the logits are. weights like labels, NULL: ones; no gradient flows to them, and where they are 0
 * nothing is computed.
 *
 * consistency c, where the second half of all rows has the labels and weights of the first: a row and its twin there,
 * whose softmaxes are p and q, each also lose weights[i] c/2 times KL(p, q) and KL(q, p) (Liang et al. 2021, "R-Drop",
 * arXiv:2106.14448, equation 4, halved as the cross entropies are, which are two means in one). */
heed_tensor *heed_op_output_loss(const heed_tensor *logits, heed_tensor *labels, heed_tensor *weights, float smoothing,
                                 float consistency);

#endif
