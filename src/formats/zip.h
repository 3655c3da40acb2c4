/* Zip archives, over libzip: .keras and .npz files.
 *
 * Reading trusts nothing: members are stored or deflated and not encrypted; no name leads out of the folder that the
 * archive stands for; no two members have one name; no member claims more than its bytes can unpack to. */
#ifndef HEED_FORMATS_ZIP_H
#define HEED_FORMATS_ZIP_H

#include "base/context.h"

typedef struct heed_zip heed_zip; /* an archive open for reading */

/* Whether the bytes begin as a zip archive does. */
bool heed_zip_is(const void *bytes, size_t size);

/* Opens a file, or bytes that must outlive the handle (`name` is what errors call them). */
heed_status heed_zip_open(heed_context *c, const char *path, heed_zip **out);
heed_status heed_zip_open_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_zip **out);
void        heed_zip_close(heed_zip *z); /* NULL is allowed */

/* Members in the order of the archive's directory; names are relative, with '/' between parts; folders end in '/'. */
size_t      heed_zip_count(const heed_zip *z);
const char *heed_zip_name(const heed_zip *z, size_t index); /* lives as long as the handle */
bool        heed_zip_find(const heed_zip *z, const char *name, size_t *index);

/* The unpacked bytes, followed by a NUL, to be released by the caller. HEED_EFORMAT if there are more than `limit`, or if
 * the checksum does not fit. */
heed_status heed_zip_read(heed_zip *z, size_t index, size_t limit, unsigned char **out, size_t *size);

/* A member's bytes in order, for what does not fit in memory. The archive must outlive the stream. */
typedef struct heed_zip_stream heed_zip_stream;

heed_status heed_zip_stream_open(heed_zip *z, size_t index, heed_zip_stream **out);
/* Appends to the *got bytes that are there, up to `size`; fewer only at the end, and then the checksum is right and the
 * size is what the archive claims. */
heed_status heed_zip_stream_read(heed_zip_stream *s, unsigned char *bytes, size_t size, size_t *got);
size_t      heed_zip_stream_size(const heed_zip_stream *s); /* unpacked, as the archive claims */
void        heed_zip_stream_close(heed_zip_stream *s);      /* NULL is allowed */

heed_context *heed_zip_context(const heed_zip *z);

/* Whether a member's or an asset's name is relative, stays below its folder and has no empty, "." or ".." part, no
 * backslash and no colon. */
bool heed_zip_name_is_safe(const char *name);

typedef struct heed_zip_member {
    const char *name;
    const void *bytes;
    size_t      size;
} heed_zip_member;

/* Writes the members, at least one, stored and in that order, all dated 1980-01-01, so that equal content gives equal
 * bytes. The file appears whole or not at all; "-" is standard output. */
heed_status heed_zip_write(heed_context *c, const char *path, const heed_zip_member *members, size_t count);

/* The same of files that hold the members' bytes. */
typedef struct heed_zip_file {
    const char *name, *path;
} heed_zip_file;

heed_status heed_zip_write_files(heed_context *c, const char *path, const heed_zip_file *files, size_t count);

#endif
