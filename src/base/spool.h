/* What does not fit in memory: bytes that are written one after another, then read at any place. They stand in a temporary
 * file in $TMPDIR or /tmp, which has no name and so is gone when the process is. */
#ifndef HEED_BASE_SPOOL_H
#define HEED_BASE_SPOOL_H

#include "base/context.h"

typedef struct heed_spool {
    heed_context *context;
    bool          open;
    int           descriptor;
    size_t        size; /* bytes written */
    void         *map;  /* of all of them; NULL before */
} heed_spool;

heed_status heed_spool_open(heed_context *c, heed_spool *out);
heed_status heed_spool_write(heed_spool *s, const void *bytes, size_t size);
/* All that was written, readable until the spool is closed; nothing can be written any more. */
heed_status heed_spool_map(heed_spool *s, const void **out);
void        heed_spool_close(heed_spool *s); /* one that is zeroed is allowed */

#endif
