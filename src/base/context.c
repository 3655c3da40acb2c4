#include "base/context.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEED_STRINGIFY_(x) #x
#define HEED_STRINGIFY(x) HEED_STRINGIFY_(x)

const char *heed_version(void)
{
    return HEED_STRINGIFY(HEED_VERSION_MAJOR) "." HEED_STRINGIFY(HEED_VERSION_MINOR) "." HEED_STRINGIFY(
        HEED_VERSION_PATCH);
}

const char *heed_status_text(heed_status status)
{
    switch (status) {
#define HEED_STATUS_CASE(name, value, text) \
    case name:                              \
        return text;
        HEED_STATUS_MAP(HEED_STATUS_CASE)
#undef HEED_STATUS_CASE
    }
    return "unknown status";
}

static void *libc_allocate(void *user, size_t size)
{
    (void)user;
    return size > SIZE_MAX - 63 ? NULL : aligned_alloc(64, (size + 63) & ~(size_t)63);
}

static void libc_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

heed_status heed_context_create(const heed_context_config *config, heed_context **out)
{
    static const heed_context_config defaults;
    if (config == NULL)
        config = &defaults;
    *out = NULL;
    if (config->threads < 0 || config->threads > HEED_MAX_THREADS)
        return HEED_EINVAL;
    heed_allocator allocator = config->allocator;
    if (allocator.allocate == NULL && allocator.release == NULL)
        allocator = (heed_allocator){libc_allocate, libc_release, NULL};
    else if (allocator.allocate == NULL || allocator.release == NULL)
        return HEED_EINVAL;

    heed_cpu cpu = heed_cpu_detect();
    const char *wanted = config->cpu != NULL ? config->cpu : getenv("HEED_CPU");
    if (wanted != NULL && *wanted != '\0') {
        heed_cpu best = cpu;
        if (!heed_cpu_parse(wanted, &cpu) || cpu > best)
            return HEED_EINVAL;
    }

    heed_context *c = allocator.allocate(allocator.user, sizeof *c);
    if (c == NULL)
        return HEED_ENOMEM;
    memset(c, 0, sizeof *c);
    c->allocator = allocator;
    c->memory_most = config->memory > 0 ? config->memory : heed_machine_memory();
    c->cpu = cpu;
    c->log = config->log;
    c->log_user = config->log_user;
    int threads = config->threads > 0 ? config->threads : heed_cpu_count();
    heed_status status = heed_pool_create(c, threads, &c->pool);
    if (status != HEED_OK) {
        allocator.release(allocator.user, c);
        return status;
    }
    *out = c;
    return HEED_OK;
}

void heed_context_free(heed_context *c)
{
    if (c == NULL)
        return;
    heed_pool_free(c, c->pool);
    heed_release(c, c->registered);
    c->allocator.release(c->allocator.user, c);
}

const char *heed_error(const heed_context *c) { return c->error; }
const char *heed_error_hint(const heed_context *c) { return c->hint; }
heed_cpu    heed_cpu_used(const heed_context *c) { return c->cpu; }
int         heed_threads(const heed_context *c) { return heed_pool_threads(c->pool); }
size_t      heed_memory_used(const heed_context *c) { return c->memory_used; }
size_t      heed_memory_peak(const heed_context *c) { return c->memory_peak; }

void heed_error_clear(heed_context *c) { c->error[0] = c->hint[0] = '\0'; }

/* An error is one line whatever names went into it: control characters become spaces. */
static void flatten(char *line)
{
    for (; *line != '\0'; line++)
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            *line = ' ';
}

heed_status heed_vfail(heed_context *c, heed_status status, const char *format, va_list args)
{
    /* formatted aside first: an argument may be the current error text itself */
    char text[HEED_ERROR_SIZE];
    vsnprintf(text, sizeof text, format, args);
    flatten(text);
    memcpy(c->error, text, sizeof text);
    c->hint[0] = '\0';
    return status;
}

heed_status heed_fail(heed_context *c, heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    heed_vfail(c, status, format, args);
    va_end(args);
    return status;
}

heed_status heed_fail_in(heed_context *c, heed_status status, const char *who)
{
    enum { ROOM = HEED_ERROR_SIZE / 2 };
    char text[HEED_ERROR_SIZE];
    size_t length = strlen(c->error);
    const char *kept = length < ROOM ? c->error : strstr(c->error + length - ROOM, ": "), *gap = "";
    if (kept == NULL) /* no part ends there */
        kept = c->error;
    else if (kept != c->error)
        gap = "...";
    while (*gap != '\0' && strncmp(kept, ": ...", 5) == 0) /* left out before */
        kept += 5;
    snprintf(text, sizeof text, "%.*s: %s%.*s", HEED_WHO_SIZE - 1, who, gap, ROOM, kept);
    flatten(text);
    memcpy(c->error, text, sizeof text);
    return status;
}

void heed_hint(heed_context *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->hint, sizeof c->hint, format, args);
    va_end(args);
    flatten(c->hint);
}

void heed_log(heed_context *c, heed_log_level level, const char *format, ...)
{
    if (c->log == NULL)
        return;
    char text[HEED_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    flatten(text);
    c->log(c->log_user, level, text);
}
