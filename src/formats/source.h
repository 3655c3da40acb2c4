/* Bytes that are read in order: of a file, of standard input, of a member of an archive, of memory. */
#ifndef HEED_FORMATS_SOURCE_H
#define HEED_FORMATS_SOURCE_H

#include "formats/zip.h"

enum { HEED_SOURCE_HEAD = 8 };

typedef struct heed_source {
    heed_context        *context;
    const char          *name;       /* what errors call it; borrowed */
    int                  descriptor; /* of a file, or -1 */
    bool                 standard;   /* it is standard input, which stays open */
    heed_zip_stream     *member;     /* or NULL */
    const unsigned char *memory;     /* bytes that come before all others */
    size_t               memory_size, memory_used;
    unsigned char        head[HEED_SOURCE_HEAD]; /* a file's first bytes, where memory looks */
} heed_source;

/* Opens a file ("-": standard input); memory holds its first bytes, which tell what it is. */
heed_status heed_source_open(heed_context *c, const char *path, heed_source *out);
/* Leaves nothing at its old place. */
void heed_source_move(heed_source *from, heed_source *to);
/* A member of an archive, which must outlive the source. */
heed_status heed_source_open_member(heed_zip *z, size_t index, const char *name, heed_source *out);
/* Bytes that outlive the source; it needs no closing. */
void heed_source_of_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_source *out);
/* Up to `size` bytes; fewer only where they end. */
heed_status heed_source_read(heed_source *s, void *bytes, size_t size, size_t *got);
/* How many bytes there are in all; false where only the end tells. */
bool heed_source_size(const heed_source *s, size_t *size);
/* A zeroed source is allowed. */
void heed_source_close(heed_source *s);

#endif
