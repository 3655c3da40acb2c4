/**
 * @file base.h
 * What every other heed header stands on: status codes, the context, memory, threads and random numbers.
 *
 * A *context* owns what a program wants to set once: the allocator, the number of threads, the instruction set and
 * where messages go. Every other handle is made from a context and must be freed before it.
 *
 * Errors are values. A function that can fail returns a ::heed_status; the sentence that explains the last failure is
 * kept in the context (heed_error()). Nothing in heed prints, exits or aborts.
 *
 * Threads: a context, and all handles made from it, may be used by one thread at a time. Several contexts may be used
 * by several threads at once. heed starts its own worker threads inside a call and never returns while they run.
 */
#ifndef HEED_BASE_H
#define HEED_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HEED_API __attribute__((visibility("default")))
#define HEED_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define HEED_API
#define HEED_PRINTF(fmt, args)
#endif

#define HEED_VERSION_MAJOR 0
#define HEED_VERSION_MINOR 1
#define HEED_VERSION_PATCH 0

/** Every status: name, value, sentence. The values are pinned; new ones are added at the end. */
#define HEED_STATUS_MAP(X)                                                      \
    X(HEED_OK, 0, "done")                                                       \
    X(HEED_ENOMEM, 1, "out of memory")                                          \
    X(HEED_EINVAL, 2, "an argument or option is out of its range")              \
    X(HEED_ESHAPE, 3, "shapes do not fit")                                      \
    X(HEED_EIO, 4, "a file could not be read or written")                       \
    X(HEED_EFORMAT, 5, "a file's content is not what it should be")             \
    X(HEED_ENOTFOUND, 6, "no such thing by that name")                          \
    X(HEED_ESTATE, 7, "the call does not fit the state of the handle")          \
    X(HEED_EUNSUPPORTED, 8, "heed cannot do this")                              \
    X(HEED_EDIVERGED, 9, "training diverged")                                   \
    X(HEED_EINTERRUPTED, 10, "stopped on request")                              \
    X(HEED_EINTERNAL, 11, "heed broke a promise to itself; please report it")

typedef enum heed_status {
#define HEED_STATUS_ENUM(name, value, text) name = value,
    HEED_STATUS_MAP(HEED_STATUS_ENUM)
#undef HEED_STATUS_ENUM
} heed_status;

/** The sentence of a status; a static string, never NULL, also for values that are none of the above. */
HEED_API const char *heed_status_text(heed_status status);

/** Where heed's memory comes from. All three members are set, or none. */
typedef struct heed_allocator {
    /** @return @p size bytes (> 0) aligned to 64, or NULL. May be called by one thread at a time only. */
    void *(*allocate)(void *user, size_t size);
    /** Gives back what allocate() returned; never called with NULL. */
    void (*release)(void *user, void *memory);
    void *user; /**< passed to both, may be NULL */
} heed_allocator;

typedef enum heed_log_level { HEED_LOG_WARNING, HEED_LOG_NOTE, HEED_LOG_DEBUG } heed_log_level;

/** Receives a message (UTF-8, one line, no newline). Called on the thread that uses the context. */
typedef void heed_log_function(void *user, heed_log_level level, const char *message);

/** Instruction sets, rising. Each includes the ones before. */
typedef enum heed_cpu { HEED_CPU_GENERIC, HEED_CPU_AVX2, HEED_CPU_AVX512 } heed_cpu;

/** Settings of a context. Zero means default for every member: `heed_context_config c = {0};` is a good start. */
typedef struct heed_context_config {
    int               threads;   /**< 1..256, or 0: as many as the process may use (at most 256) */
    const char       *cpu;       /**< "generic", "avx2", "avx512", or NULL: $HEED_CPU, else the best there is */
    heed_allocator    allocator; /**< default: the C library */
    size_t            memory;    /**< most bytes in use at a time, HEED_ENOMEM beyond; 0: as many as the machine has */
    heed_log_function *log;      /**< default: messages are dropped */
    void             *log_user;
} heed_context_config;

typedef struct heed_context heed_context;

/**
 * Makes a context. @p config may be NULL. On failure *out is NULL and there is no error text to ask for:
 * HEED_ENOMEM, HEED_EINVAL (threads out of range, unknown or unavailable cpu), HEED_EINTERNAL (no threads to be had).
 */
HEED_API heed_status heed_context_create(const heed_context_config *config, heed_context **out);

/** Frees the context; NULL is allowed. Every handle made from it must be gone. */
HEED_API void heed_context_free(heed_context *context);

/** What the last failure on this context was, as one line; "" when none. Valid until the next failure. */
HEED_API const char *heed_error(const heed_context *context);

/** What to do about it, as one line; "" when there is nothing to say. */
HEED_API const char *heed_error_hint(const heed_context *context);

/** Forgets the last failure. */
HEED_API void heed_error_clear(heed_context *context);

HEED_API int         heed_threads(const heed_context *context);  /**< threads in use, >= 1 */
HEED_API heed_cpu    heed_cpu_used(const heed_context *context); /**< instruction set in use */
HEED_API const char *heed_cpu_name(heed_cpu cpu);                /**< "generic", "avx2" or "avx512" */
HEED_API const char *heed_version(void);                         /**< "MAJOR.MINOR.PATCH" */
HEED_API const char *heed_build_info(void); /**< compiler and libraries built with, a line each, no newline at the end */

/** Bytes allocated through the context now, and the most there ever were. */
HEED_API size_t heed_memory_used(const heed_context *context);
HEED_API size_t heed_memory_peak(const heed_context *context);

/** Gives back what a function of heed says is "freed with heed_free()"; NULL is allowed. */
HEED_API void heed_free(heed_context *context, void *memory);

/** What a misspelt name was meant to be, for hints. Start with {.word = "..."} and offer every name there is; then `best`
 *  is the nearest one, or NULL when none is near. The candidate is borrowed as long as the guess is. */
typedef struct heed_guess {
    const char *word, *best;
    int         distance;
} heed_guess;

HEED_API void heed_guess_offer(heed_guess *g, const char *candidate);

#ifdef __cplusplus
}
#endif
#endif
