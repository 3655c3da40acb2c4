/* The waves that tell a token's place. */
#ifndef HEED_LAYERS_POSITIONS_H
#define HEED_LAYERS_POSITIONS_H

#include <stdint.h>

/* rows (steps, size): sin of the place and cos beside it, each pair slower than the one before (Vaswani et al. 2017,
 * arXiv:1706.03762, section 3.5, with 10000 for `max_wavelength`). Places count from 0. */
void heed_position_waves(int64_t steps, int64_t size, double max_wavelength, float *rows);

#endif
