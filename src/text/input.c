#define _POSIX_C_SOURCE 200809L
#include "text/input.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 65536 };

typedef enum input_kind { NOT_KNOWN, PLAIN, GZIP } input_kind;

struct heed_input {
    heed_context *context;
    char         *name;
    int           descriptor;
    input_kind    kind;
    bool          ended;     /* the descriptor has no more */
    size_t        used;      /* bytes in `raw` */
    z_stream      inflating; /* GZIP: its input is in `raw` */
    bool          member_ended;
    unsigned char raw[CHUNK], inflated[CHUNK];
};

heed_status heed_input_open(heed_context *c, const char *path, heed_input **out)
{
    *out = NULL;
    heed_input *in = heed_alloc(c, 1, sizeof *in);
    if (in == NULL)
        return HEED_ENOMEM;
    in->context = c;
    bool standard = strcmp(path, "-") == 0;
    in->name = heed_strdup(c, standard ? "standard input" : path);
    if (in->name == NULL) {
        heed_release(c, in);
        return HEED_ENOMEM;
    }
    in->descriptor = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (in->descriptor < 0) {
        heed_status status = heed_fail(c, HEED_EIO, "%s: cannot open: %s", in->name, strerror(errno));
        heed_input_close(in);
        return status;
    }
    *out = in;
    return HEED_OK;
}

const char *heed_input_name(const heed_input *in) { return in->name; }

void heed_input_close(heed_input *in)
{
    if (in == NULL)
        return;
    if (in->kind == GZIP)
        inflateEnd(&in->inflating);
    if (in->descriptor >= 0)
        close(in->descriptor);
    heed_release(in->context, in->name);
    heed_release(in->context, in);
}

/* Puts what there is to read behind the bytes in `raw`. */
static heed_status read_more(heed_input *in)
{
    ssize_t got;
    do
        got = read(in->descriptor, in->raw + in->used, CHUNK - in->used);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return heed_fail(in->context, HEED_EIO, "%s: cannot read: %s", in->name, strerror(errno));
    in->ended = got == 0;
    in->used += (size_t)got;
    return HEED_OK;
}

static void *allocate(void *context, unsigned count, unsigned size) { return heed_alloc_raw(context, count, size); }
static void  release(void *context, void *memory) { heed_release(context, memory); }

/* Gzip begins with two bytes that no text in UTF-8 begins with. */
static heed_status find_kind(heed_input *in)
{
    while (in->used < 2 && !in->ended)
        HEED_TRY(read_more(in));
    if (in->used < 2 || in->raw[0] != 0x1f || in->raw[1] != 0x8b) {
        in->kind = PLAIN;
        return HEED_OK;
    }
    in->inflating = (z_stream){.zalloc = allocate,
                               .zfree = release,
                               .opaque = in->context,
                               .next_in = in->raw,
                               .avail_in = (unsigned)in->used};
    if (inflateInit2(&in->inflating, 16 + MAX_WBITS) != Z_OK)
        return heed_fail(in->context, HEED_ENOMEM, "%s: out of memory", in->name);
    in->kind = GZIP;
    return HEED_OK;
}

static heed_status fill_inflating(heed_input *in)
{
    if (in->inflating.avail_in > 0 || in->ended)
        return HEED_OK;
    in->used = 0;
    HEED_TRY(read_more(in));
    in->inflating.next_in = in->raw;
    in->inflating.avail_in = (unsigned)in->used;
    return HEED_OK;
}

/* A gzip file is one member after another. */
static heed_status next_inflated(heed_input *in, const char **bytes, size_t *size)
{
    z_stream *z = &in->inflating;
    z->next_out = in->inflated;
    z->avail_out = CHUNK;
    while (z->avail_out == CHUNK) {
        HEED_TRY(fill_inflating(in));
        if (z->avail_in == 0 && in->member_ended)
            break;
        if (z->avail_in == 0)
            return heed_fail(in->context, HEED_EFORMAT, "%s: broken gzip (it ends too early)", in->name);
        if (in->member_ended)
            inflateReset(z);
        int result = inflate(z, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
            return HEED_ENOMEM;
        if (result != Z_OK && result != Z_STREAM_END)
            return heed_fail(in->context, HEED_EFORMAT, "%s: broken gzip (%s)", in->name,
                             z->msg != NULL ? z->msg : "its data make no sense");
        in->member_ended = result == Z_STREAM_END;
    }
    *bytes = (const char *)in->inflated;
    *size = CHUNK - z->avail_out;
    return HEED_OK;
}

heed_status heed_input_next(heed_input *in, const char **bytes, size_t *size)
{
    *size = 0;
    bool first = in->kind == NOT_KNOWN;
    if (first)
        HEED_TRY(find_kind(in));
    if (in->kind == GZIP)
        return next_inflated(in, bytes, size);
    if (!first) {
        in->used = 0;
        if (!in->ended)
            HEED_TRY(read_more(in));
    }
    *bytes = (const char *)in->raw;
    *size = in->used;
    return HEED_OK;
}

bool heed_input_waits(const heed_input *in)
{
    if (in->ended || (in->kind == GZIP && in->inflating.avail_in > 0))
        return false;
    return poll(&(struct pollfd){.fd = in->descriptor, .events = POLLIN}, 1, 0) == 0;
}
