#define _POSIX_C_SOURCE 200809L
#include "formats/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static heed_status cannot(const heed_source *s, const char *what, int reason)
{
    return heed_fail(s->context, HEED_EIO, "%s: cannot %s: %s", s->name, what, strerror(reason));
}

static heed_status read_descriptor(const heed_source *s, unsigned char *bytes, size_t size, size_t *got)
{
    while (*got < size) {
        ssize_t n = read(s->descriptor, bytes + *got, size - *got);
        if (n == 0)
            return HEED_OK;
        if (n > 0)
            *got += (size_t)n;
        else if (errno == EISDIR)
            return heed_fail(s->context, HEED_EIO, "%s: cannot read: it is a directory", s->name);
        else if (errno != EINTR)
            return cannot(s, "read", errno);
    }
    return HEED_OK;
}

heed_status heed_source_open(heed_context *c, const char *path, heed_source *out)
{
    bool standard = strcmp(path, "-") == 0;
    *out = (heed_source){.context = c, .name = standard ? "standard input" : path, .standard = standard};
    out->descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (out->descriptor < 0) {
        heed_status status = cannot(out, "open", errno);
        *out = (heed_source){0};
        return status;
    }
    out->memory = out->head;
    heed_status status = read_descriptor(out, out->head, sizeof out->head, &out->memory_size);
    if (status != HEED_OK)
        heed_source_close(out);
    return status;
}

void heed_source_move(heed_source *from, heed_source *to)
{
    *to = *from;
    if (from->memory == from->head)
        to->memory = to->head;
    *from = (heed_source){.descriptor = -1};
}

heed_status heed_source_open_member(heed_zip *z, size_t index, const char *name, heed_source *out)
{
    *out = (heed_source){.context = heed_zip_context(z), .name = name, .descriptor = -1};
    return heed_zip_stream_open(z, index, &out->member);
}

void heed_source_of_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_source *out)
{
    *out = (heed_source){.context = c, .name = name, .descriptor = -1, .memory = bytes, .memory_size = size};
}

heed_status heed_source_read(heed_source *s, void *bytes, size_t size, size_t *got)
{
    size_t ahead = s->memory_size - s->memory_used;
    *got = ahead < size ? ahead : size;
    if (*got > 0)
        memcpy(bytes, s->memory + s->memory_used, *got);
    s->memory_used += *got;
    if (s->member != NULL)
        return heed_zip_stream_read(s->member, bytes, size, got);
    return s->descriptor >= 0 ? read_descriptor(s, bytes, size, got) : HEED_OK;
}

bool heed_source_size(const heed_source *s, size_t *size)
{
    struct stat info;
    bool file = s->descriptor >= 0;
    bool known = !file || (!s->standard && fstat(s->descriptor, &info) == 0 && S_ISREG(info.st_mode));
    *size = s->member != NULL ? heed_zip_stream_size(s->member) : !file ? s->memory_size
            : known           ? (size_t)info.st_size : 0;
    return known;
}

void heed_source_close(heed_source *s)
{
    heed_zip_stream_close(s->member);
    if (s->context != NULL && s->descriptor >= 0 && !s->standard)
        close(s->descriptor);
    *s = (heed_source){.descriptor = -1};
}
