#define _GNU_SOURCE
#include "base/cpu.h"

#include "base/pool.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"generic", "avx2", "avx512"};

const char *heed_cpu_name(heed_cpu cpu)
{
    return (unsigned)cpu < sizeof names / sizeof *names ? names[cpu] : "unknown";
}

bool heed_cpu_parse(const char *name, heed_cpu *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (heed_cpu)i;
            return true;
        }
    }
    return false;
}

heed_cpu heed_cpu_detect(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    /* the builtin asks XGETBV too, so that a system which does not save the registers is not trusted with them */
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return HEED_CPU_GENERIC;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return HEED_CPU_AVX2;
    return HEED_CPU_AVX512;
#else
    return HEED_CPU_GENERIC;
#endif
}

int heed_cpu_count(void)
{
    long count = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
#endif
    if (count < 1)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > HEED_MAX_THREADS ? HEED_MAX_THREADS : (int)count;
}

/* What the group of processes (a container, say) may use; SIZE_MAX: as much as there is. */
static size_t group_memory(void)
{
    unsigned long long most;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    if (f == NULL)
        return SIZE_MAX;
    bool told = fscanf(f, "%llu", &most) == 1 && most <= SIZE_MAX;
    fclose(f);
    return told ? (size_t)most : SIZE_MAX;
}

size_t heed_machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    size_t group = group_memory();
    size_t machine = pages < 1 || page_size < 1 ? SIZE_MAX : (size_t)pages * (size_t)page_size;
    return group < machine ? group : machine;
}
