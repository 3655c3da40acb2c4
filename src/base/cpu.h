/* What the machine can do. */
#ifndef HEED_BASE_CPU_H
#define HEED_BASE_CPU_H

#include "heed/base.h"

heed_cpu heed_cpu_detect(void);                       /* the best instruction set that processor and system support */
bool     heed_cpu_parse(const char *name, heed_cpu *out); /* false when the name is none of heed_cpu_name's */
int      heed_cpu_count(void);                        /* processors this process may run on, 1..HEED_MAX_THREADS */
size_t   heed_machine_memory(void);                   /* bytes this process may come to use; SIZE_MAX: not known */

#endif
