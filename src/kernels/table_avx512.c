#define TABLE heed_kernels_avx512
#define NAME "avx512"
#include "kernels/table_tmpl.h"
