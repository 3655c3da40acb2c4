/**
 * @file output.h
 * Writing results: to standard output, or to a file that appears whole or not at all.
 */
#ifndef HEED_OUTPUT_H
#define HEED_OUTPUT_H

#include "heed/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A destination for bytes. Used by one thread at a time. A failure is remembered: after one, every further call
 *  returns it again and does nothing, so that it is enough to look at what heed_writer_commit() returns. */
typedef struct heed_writer heed_writer;

/**
 * Opens @p path for writing; "-" is standard output. A regular file is written under a temporary name beside it and
 * takes its own name at the commit. What exists and is no regular file (a device, a pipe) is written as it stands.
 * The path is copied.
 */
HEED_API heed_status heed_writer_open(heed_context *c, const char *path, heed_writer **out);
/** Appends; bytes may wait in a buffer until the commit. */
HEED_API heed_status heed_writer_write(heed_writer *w, const void *bytes, size_t size);
HEED_API heed_status heed_writer_printf(heed_writer *w, const char *format, ...) HEED_PRINTF(2, 3);
/** Hands on what waits in the buffer, for readers that want each line as it comes. */
HEED_API heed_status heed_writer_flush(heed_writer *w);
/** Completes the output; a file is durable and has its name after this. Nothing may be written after it. */
HEED_API heed_status heed_writer_commit(heed_writer *w);
/** Without a commit before it, leaves no file behind. NULL is allowed. */
HEED_API void heed_writer_free(heed_writer *w);

#ifdef __cplusplus
}
#endif
#endif
