/* The inside of a context, and the ways to fail. */
#ifndef HEED_BASE_CONTEXT_H
#define HEED_BASE_CONTEXT_H

#include "heed/base.h"

/* Of an error, and of what heed_fail_in puts in front of one. */
enum { HEED_ERROR_SIZE = 1024, HEED_WHO_SIZE = HEED_ERROR_SIZE / 2 - 5 };

struct heed_pool;

struct heed_context {
    heed_allocator     allocator;
    size_t             memory_used, memory_peak, memory_most;
    heed_cpu           cpu;
    struct heed_pool  *pool;
    heed_log_function *log;
    void              *log_user;
    const void       **registered; /* layer classes of the program's own: see layers/registry.c */
    size_t             registered_count, registered_capacity;
    struct heed_origin {
        char collection[64]; /* "": files tell */
        int  version;        /* 1000 a + b of version a.b; INT_MAX: the latest */
    } origin;                /* of what is read: see heed_read_from */
    char               error[HEED_ERROR_SIZE], hint[HEED_ERROR_SIZE];
};

/* Records what went wrong and returns `status`, so that a failure is one line: return heed_fail(c, HEED_ESHAPE, "...").
 * Drops an earlier hint. The sentence names the thing, then "(expected ..., found ...)". */
heed_status heed_fail(heed_context *c, heed_status status, const char *format, ...) HEED_PRINTF(3, 4);
heed_status heed_vfail(heed_context *c, heed_status status, const char *format, va_list args) HEED_PRINTF(3, 0);

/* Adds what to do about it; called after heed_fail. */
void heed_hint(heed_context *c, const char *format, ...) HEED_PRINTF(2, 3);

/* Puts "who: " before the recorded error, as a failure travels up through layers and files. Of a long error the end stays,
 * where the reason is. Returns `status`. */
heed_status heed_fail_in(heed_context *c, heed_status status, const char *who);

void heed_log(heed_context *c, heed_log_level level, const char *format, ...) HEED_PRINTF(3, 4);

/* For functions that return a status: passes a failure on. */
#define HEED_TRY(call)                                   \
    do {                                                 \
        heed_status heed_try_status = (call);            \
        if (heed_try_status != HEED_OK)                  \
            return heed_try_status;                      \
    } while (0)

#endif
