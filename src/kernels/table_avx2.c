#define TABLE heed_kernels_avx2
#define NAME "avx2"
#include "kernels/table_tmpl.h"
