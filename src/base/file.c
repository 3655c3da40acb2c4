#define _GNU_SOURCE
#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool heed_file_is_readable(const char *path, const char *ending)
{
    char whole[PATH_MAX];
    int length = snprintf(whole, sizeof whole, "%s%s", path, ending);
    return length > 0 && (size_t)length < sizeof whole && access(whole, R_OK) == 0;
}

heed_status heed_file_read(heed_context *c, const char *path, size_t limit, unsigned char **out, size_t *size)
{
    *out = NULL;
    *size = 0;
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return heed_fail(c, HEED_EIO, "%s: cannot open: %s", name, strerror(errno));

    heed_status status = HEED_OK;
    unsigned char *bytes = NULL;
    size_t used = 0, capacity = 0;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        status = heed_fail(c, HEED_EIO, "%s: cannot read: it is a directory", name);
    size_t first = status == HEED_OK && S_ISREG(info.st_mode) && (uintmax_t)info.st_size < limit
                       ? (size_t)info.st_size + 2
                       : (size_t)1 << 16;
    while (status == HEED_OK) {
        if (capacity - used < 2) {
            size_t wanted = capacity == 0 ? first : capacity * 2;
            unsigned char *bigger = heed_alloc_raw(c, wanted, 1);
            if (bigger == NULL) {
                status = HEED_ENOMEM;
                break;
            }
            if (used > 0)
                memcpy(bigger, bytes, used);
            heed_release(c, bytes);
            bytes = bigger;
            capacity = wanted;
        }
        ssize_t got = read(fd, bytes + used, capacity - used - 1);
        if (got == 0)
            break;
        if (got < 0) {
            if (errno != EINTR)
                status = heed_fail(c, HEED_EIO, "%s: cannot read: %s", name, strerror(errno));
            continue;
        }
        used += (size_t)got;
        if (used > limit)
            status = heed_fail(c, HEED_EFORMAT, "%s: too large (expected at most %zu bytes)", name, limit);
    }
    if (!standard)
        close(fd);
    if (status != HEED_OK) {
        heed_release(c, bytes);
        return status;
    }
    bytes[used] = '\0';
    *out = bytes;
    *size = used;
    return HEED_OK;
}

static const char *output_name(const char *path) { return strcmp(path, "-") == 0 ? "standard output" : path; }

bool heed_output_is_special(const char *path)
{
    struct stat info;
    return strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode));
}

heed_status heed_output_open_special(heed_context *c, const char *path, int *out)
{
    *out = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_WRONLY | O_CLOEXEC);
    if (*out < 0)
        return heed_fail(c, HEED_EIO, "%s: cannot write: %s", output_name(path), strerror(errno));
    return HEED_OK;
}

/* The folder that the bytes stand in until they are whole: the one that `path` is in or, for a special one, another. */
static char *output_folder(heed_context *c, const char *path, bool special)
{
    const char *elsewhere = getenv("TMPDIR");
    if (special)
        return heed_strdup(c, elsewhere != NULL && *elsewhere != '\0' ? elsewhere : "/tmp");
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return heed_strdup(c, ".");
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *folder = heed_alloc(c, length + 1, 1);
    if (folder != NULL)
        memcpy(folder, path, length);
    return folder;
}

/* Opens a file without a name, if the file system has such, and the system a way to give it one. */
static bool open_nameless(heed_output *o, const char *folder, char *temporary, size_t size)
{
#ifdef O_TMPFILE
    o->descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    snprintf(temporary, size, "/proc/self/fd/%d", o->descriptor);
    if (o->descriptor < 0 || access(temporary, F_OK) == 0)
        return o->descriptor >= 0;
    close(o->descriptor);
    o->descriptor = -1;
#endif
    return false;
}

static bool open_named(heed_output *o, const char *folder, char *temporary, size_t size)
{
    if (o->special)
        snprintf(temporary, size, "%s/heed.XXXXXX", folder);
    else
        snprintf(temporary, size, "%s.XXXXXX", o->path);
    o->descriptor = mkostemp(temporary, O_CLOEXEC);
    o->named = o->descriptor >= 0;
    return o->named;
}

static heed_status open_output(heed_output *o)
{
    heed_context *c = o->context;
    char *folder = output_folder(c, o->path, o->special);
    size_t size = folder == NULL ? 0 : strlen(folder) + strlen(o->path) + sizeof "/proc/self/fd/.XXXXXX" + 16;
    o->temporary = folder == NULL ? NULL : heed_alloc(c, size, 1);
    heed_status status = o->temporary == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK && !open_nameless(o, folder, o->temporary, size) && !open_named(o, folder, o->temporary, size))
        status = heed_fail(c, HEED_EIO, "%s: cannot write: %s", output_name(o->path), strerror(errno));
    heed_release(c, folder);
    return status;
}

heed_status heed_output_open(heed_context *c, const char *path, heed_output *out)
{
    *out = (heed_output){.context = c, .descriptor = -1, .special = heed_output_is_special(path)};
    struct stat info;
    if (out->special && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) /* better known before the work than after */
        return heed_fail(c, HEED_EIO, "%s: cannot write: %s", path, strerror(EISDIR));
    out->path = heed_strdup(c, path);
    heed_status status = out->path == NULL ? HEED_ENOMEM : open_output(out);
    if (status != HEED_OK)
        heed_output_abandon(out);
    return status;
}

static heed_status cannot_write(const heed_output *o)
{
    return heed_fail(o->context, HEED_EIO, "%s: cannot write: %s", output_name(o->path), strerror(errno));
}

static heed_status write_all(const heed_output *o, int descriptor, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t put = write(descriptor, next, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return cannot_write(o);
        next += put;
        size -= (size_t)put;
    }
    return HEED_OK;
}

heed_status heed_output_write(heed_output *o, const void *bytes, size_t size)
{
    return write_all(o, o->descriptor, bytes, size);
}

heed_status heed_output_write_at_begin(heed_output *o, const void *bytes, size_t size)
{
    if (lseek(o->descriptor, 0, SEEK_SET) < 0)
        return cannot_write(o);
    HEED_TRY(heed_output_write(o, bytes, size));
    return lseek(o->descriptor, 0, SEEK_END) < 0 ? cannot_write(o) : HEED_OK;
}

/* The permissions a plain open() would have given: mkostemp makes files private. */
static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static heed_status copy_bytes(const heed_output *o, int from, int to)
{
    char bytes[1 << 14];
    for (;;) {
        ssize_t got = read(from, bytes, sizeof bytes);
        if (got == 0)
            return HEED_OK;
        if (got > 0)
            HEED_TRY(write_all(o, to, bytes, (size_t)got));
        else if (errno != EINTR)
            return cannot_write(o);
    }
}

static heed_status copy_into_place(const heed_output *o)
{
    int destination;
    HEED_TRY(heed_output_open_special(o->context, o->path, &destination));
    heed_status status = lseek(o->descriptor, 0, SEEK_SET) < 0 ? cannot_write(o) : copy_bytes(o, o->descriptor, destination);
    if (close(destination) != 0 && status == HEED_OK)
        status = cannot_write(o);
    return status;
}

/* Gives bytes that have no name a temporary one, `name`, which none has yet. */
static bool name_bytes(const heed_output *o, char *name, size_t size)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    unsigned long mark = (unsigned long)now.tv_nsec ^ (unsigned long)getpid() << 8;
    for (int tries = 0; tries < 100; tries++) {
        snprintf(name, size, "%s.%06lx", o->path, (mark + (unsigned long)tries) & 0xffffff);
        if (linkat(AT_FDCWD, o->temporary, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* A name that is free is taken at once; another is replaced by a rename, which leaves the earlier file whole until then. */
static bool take_name(const heed_output *o, char *name, size_t size)
{
    if (!o->named && linkat(AT_FDCWD, o->temporary, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) == 0)
        return true;
    if (!o->named && (errno != EEXIST || !name_bytes(o, name, size)))
        return false;
    bool renamed = rename(o->named ? o->temporary : name, o->path) == 0;
    int reason = errno;
    if (!renamed && !o->named)
        unlink(name);
    errno = reason;
    return renamed;
}

/* Makes the bytes durable and gives them their name. */
static heed_status put_into_place(heed_output *o)
{
    if ((o->named && fchmod(o->descriptor, usual_mode()) != 0) || fsync(o->descriptor) != 0)
        return cannot_write(o);
    size_t size = strlen(o->path) + 8;
    char *name = heed_alloc(o->context, size, 1);
    if (name == NULL)
        return HEED_ENOMEM;
    heed_status status = take_name(o, name, size) ? HEED_OK : cannot_write(o);
    heed_release(o->context, name);
    if (status == HEED_OK)
        o->named = false; /* it is gone */
    return status;
}

heed_status heed_output_close(heed_output *o)
{
    int descriptor = o->descriptor;
    o->descriptor = -1;
    return close(descriptor) == 0 ? HEED_OK : cannot_write(o);
}

heed_status heed_output_commit(heed_output *o)
{
    heed_status status = o->special ? copy_into_place(o) : put_into_place(o);
    if (status == HEED_OK)
        heed_output_abandon(o);
    return status;
}

void heed_output_abandon(heed_output *o)
{
    if (o->context == NULL)
        return;
    if (o->descriptor >= 0)
        close(o->descriptor);
    if (o->named)
        unlink(o->temporary);
    heed_release(o->context, o->temporary);
    heed_release(o->context, o->path);
    *o = (heed_output){.descriptor = -1};
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool heed_file_ends_with(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    if (length < tail)
        return false;
    for (const char *end = path + length - tail; *ending != '\0'; end++, ending++)
        if (lower(*end) != *ending)
            return false;
    return true;
}

heed_status heed_file_write(heed_context *c, const char *path, const void *bytes, size_t size)
{
    heed_output o;
    HEED_TRY(heed_output_open(c, path, &o));
    heed_status status = heed_output_write(&o, bytes, size);
    if (status == HEED_OK)
        status = heed_output_commit(&o);
    heed_output_abandon(&o);
    return status;
}
