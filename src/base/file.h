/* Whole files: read at once, and written so that they appear whole or not at all. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include "base/context.h"

/* Reads all of `path` ("-": standard input). *out is NUL-terminated behind its *size bytes and released by the caller
 * with heed_release. HEED_EIO names the path and the system's reason; more than `limit` bytes are HEED_EFORMAT. */
heed_status heed_file_read(heed_context *c, const char *path, size_t limit, unsigned char **out, size_t *size);

/* Whether there is a file of that path and ending together that may be read. */
bool heed_file_is_readable(const char *path, const char *ending);

/* A file being written. Its bytes have no name until heed_output_commit makes them durable (fsync) and gives them theirs, so
 * that a killed program leaves nothing behind; where a file system cannot do that, they have a temporary name beside `path`.
 * heed_output_abandon gives them up, and is allowed after a commit and on a zeroed struct, so that a function can end with
 * it on every way out. Where the destination is special the bytes stand in $TMPDIR or /tmp, and heed_output_commit copies
 * them there. */
typedef struct heed_output {
    heed_context *context;
    char         *path;
    char         *temporary;  /* a name to open the bytes by; NULL: they go to the destination as they come */
    int           descriptor; /* open for reading and writing */
    bool          special;    /* to standard output or a device */
    bool          named;      /* the temporary name stands in a folder, and is to be removed */
} heed_output;

heed_status heed_output_open(heed_context *c, const char *path, heed_output *out);
heed_status heed_output_write(heed_output *o, const void *bytes, size_t size);
/* Replaces the first bytes. */
heed_status heed_output_write_at_begin(heed_output *o, const void *bytes, size_t size);
heed_status heed_output_commit(heed_output *o);
/* Closes the descriptor, for outputs without a temporary file; that is when some systems report a failed write. */
heed_status heed_output_close(heed_output *o);
void        heed_output_abandon(heed_output *o);

/* Whether `path` is what a renamed file must not replace: standard output ("-"), or a device, a pipe, a folder. */
bool heed_output_is_special(const char *path);
/* Opens such a path to write it as it stands; the descriptor is the caller's to close. */
heed_status heed_output_open_special(heed_context *c, const char *path, int *out);

/* Whether a file's name ends so, ".npz", in small letters or capitals; `ending` has none. */
bool heed_file_ends_with(const char *path, const char *ending);

/* heed_output_open, _write and _commit in one. */
heed_status heed_file_write(heed_context *c, const char *path, const void *bytes, size_t size);

#endif
