/* The tables of the instruction sets that heed_kernels_for() picks from. */
#ifndef HEED_KERNELS_TABLES_H
#define HEED_KERNELS_TABLES_H

#include "kernels/generic.h"

extern const heed_kernels heed_kernels_avx2, heed_kernels_avx512;

#endif
