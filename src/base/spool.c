#define _POSIX_C_SOURCE 200809L
#include "base/spool.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *folder(void)
{
    const char *named = getenv("TMPDIR");
    return named != NULL && named[0] != '\0' ? named : "/tmp";
}

static heed_status fail(heed_context *c, const char *what)
{
    return heed_fail(c, HEED_EIO, "a temporary file in %s: cannot %s: %s", folder(), what, strerror(errno));
}

heed_status heed_spool_open(heed_context *c, heed_spool *out)
{
    *out = (heed_spool){.context = c};
    heed_text path = {.context = c};
    heed_text_printf(&path, "%s/heed.XXXXXX", folder());
    HEED_TRY(heed_text_status(&path));
    out->descriptor = mkstemp(path.bytes);
    heed_status status = out->descriptor < 0 ? fail(c, "make it") : HEED_OK;
    if (status == HEED_OK) {
        out->open = true;
        unlink(path.bytes);
    }
    heed_text_free(&path);
    return status;
}

heed_status heed_spool_write(heed_spool *s, const void *bytes, size_t size)
{
    for (const char *from = bytes; size > 0;) {
        ssize_t written = write(s->descriptor, from, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail(s->context, "write");
        from += written;
        size -= (size_t)written;
        s->size += (size_t)written;
    }
    return HEED_OK;
}

heed_status heed_spool_map(heed_spool *s, const void **out)
{
    *out = NULL;
    if (s->size == 0)
        return HEED_OK;
    void *map = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, s->descriptor, 0);
    if (map == MAP_FAILED)
        return fail(s->context, "read");
    *out = s->map = map;
    return HEED_OK;
}

void heed_spool_close(heed_spool *s)
{
    if (s->map != NULL)
        munmap(s->map, s->size);
    if (s->open)
        close(s->descriptor);
    *s = (heed_spool){.context = s->context};
}
