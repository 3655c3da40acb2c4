#define _POSIX_C_SOURCE 200809L
#include "formats/zip.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* Deflate cannot do better than 258 bytes for 2 bits, and a few for the block around them. */
enum { DEFLATE_RATIO = 1032, DEFLATE_SLACK = 1024 };

struct heed_zip {
    heed_context *context;
    char         *name;
    zip_t        *zip;
    zip_uint64_t  unclaimed; /* bytes of the file that no member so far says are its own */
};

/* ---- failing ---- */

static heed_status status_of(const zip_error_t *e)
{
    switch (zip_error_code_zip(e)) {
    case ZIP_ER_MEMORY: return HEED_ENOMEM;
    case ZIP_ER_OPEN:
    case ZIP_ER_READ:
    case ZIP_ER_SEEK:
    case ZIP_ER_WRITE:
    case ZIP_ER_CLOSE:
    case ZIP_ER_RENAME:
    case ZIP_ER_TMPOPEN:
    case ZIP_ER_NOENT: return HEED_EIO;
    default: return HEED_EFORMAT;
    }
}

static heed_status fail(heed_context *c, const char *name, const char *what, zip_error_t *e)
{
    return heed_fail(c, status_of(e), "%s: %s: %s", name, what, zip_error_strerror(e));
}

/* ---- reading ---- */

bool heed_zip_is(const void *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

bool heed_zip_name_is_safe(const char *name)
{
    if (strpbrk(name, "\\:") != NULL)
        return false;
    for (const char *part = name;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
        if (part[0] == '\0' || part[1] == '\0')
            return true; /* a '/' at the very end says that this is a folder */
    }
}

static heed_status check_member(heed_zip *z, size_t index)
{
    const char *name = zip_get_name(z->zip, index, 0);
    if (name == NULL)
        return fail(z->context, z->name, "a member has no name", zip_get_error(z->zip));
    if (!heed_zip_name_is_safe(name))
        return heed_fail(z->context, HEED_EFORMAT, "%s: a member's name leads elsewhere or has an empty part: \"%.200s\"",
                         z->name, name);
    if (zip_name_locate(z->zip, name, 0) != (zip_int64_t)index)
        return heed_fail(z->context, HEED_EFORMAT, "%s: two members are called \"%.200s\"", z->name, name);
    /* members that share their bytes would unpack to many times what the file can hold */
    zip_stat_t s;
    if (zip_stat_index(z->zip, index, 0, &s) != 0 || (s.valid & ZIP_STAT_COMP_SIZE) == 0 || s.comp_size > z->unclaimed)
        return heed_fail(z->context, HEED_EFORMAT, "%s: %.200s: the members claim more than the file's size", z->name,
                         name);
    z->unclaimed -= s.comp_size;
    return HEED_OK;
}

static zip_uint64_t source_size(zip_source_t *source)
{
    zip_stat_t s;
    return zip_source_stat(source, &s) == 0 && (s.valid & ZIP_STAT_SIZE) != 0 ? s.size : 0;
}

/* Takes over `source`. */
static heed_status open_source(heed_context *c, const char *name, zip_source_t *source, heed_zip **out)
{
    zip_error_t error;
    zip_error_init(&error);
    heed_status status = HEED_OK;
    heed_zip *z = heed_alloc(c, 1, sizeof *z);
    if (z != NULL)
        *z = (heed_zip){.context = c, .name = heed_strdup(c, name), .unclaimed = source_size(source)};
    if (z == NULL || z->name == NULL)
        status = HEED_ENOMEM;
    else if ((z->zip = zip_open_from_source(source, ZIP_RDONLY, &error)) == NULL)
        status = fail(c, name, "cannot open as a zip archive", &error);
    zip_error_fini(&error);
    if (z == NULL || z->zip == NULL)
        zip_source_free(source);
    size_t count = status == HEED_OK ? heed_zip_count(z) : 0;
    if (status == HEED_OK && count == 0)
        status = heed_fail(c, HEED_EFORMAT, "%s: an archive of no members", name); /* libzip takes an empty file for one */
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = check_member(z, i);
    if (status != HEED_OK) {
        heed_zip_close(z);
        z = NULL;
    }
    *out = z;
    return status;
}

/* As open_source, for a source whose making may have failed. */
static heed_status open_if_made(heed_context *c, const char *name, zip_source_t *source, zip_error_t *error, heed_zip **out)
{
    *out = NULL;
    heed_status status = source != NULL ? open_source(c, name, source, out) : fail(c, name, "cannot open", error);
    zip_error_fini(error);
    return status;
}

heed_status heed_zip_open(heed_context *c, const char *path, heed_zip **out)
{
    zip_error_t error;
    zip_error_init(&error);
    return open_if_made(c, path, zip_source_file_create(path, 0, -1, &error), &error, out);
}

heed_status heed_zip_open_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_zip **out)
{
    zip_error_t error;
    zip_error_init(&error);
    return open_if_made(c, name, zip_source_buffer_create(bytes, size, 0, &error), &error, out);
}

void heed_zip_close(heed_zip *z)
{
    if (z == NULL)
        return;
    if (z->zip != NULL)
        zip_discard(z->zip);
    heed_release(z->context, z->name);
    heed_release(z->context, z);
}

size_t heed_zip_count(const heed_zip *z) { return (size_t)zip_get_num_entries(z->zip, 0); }

const char *heed_zip_name(const heed_zip *z, size_t index) { return zip_get_name(z->zip, index, 0); }

bool heed_zip_find(const heed_zip *z, const char *name, size_t *index)
{
    zip_int64_t found = zip_name_locate(z->zip, name, 0);
    *index = found < 0 ? 0 : (size_t)found;
    return found >= 0;
}

/* The size a member claims, once it is one that its packed bytes can unpack to. */
static heed_status claimed_size(heed_zip *z, size_t index, size_t limit, size_t *size)
{
    heed_context *c = z->context;
    const char *name = heed_zip_name(z, index);
    zip_stat_t s;
    if (zip_stat_index(z->zip, index, 0, &s) != 0)
        return fail(c, z->name, name, zip_get_error(z->zip));
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((s.valid & needed) != needed)
        return heed_fail(c, HEED_EFORMAT, "%s: %s: its size is not told", z->name, name);
    if (s.encryption_method != ZIP_EM_NONE)
        return heed_fail(c, HEED_EUNSUPPORTED, "%s: %s: it is encrypted", z->name, name);
    if (s.comp_method != ZIP_CM_STORE && s.comp_method != ZIP_CM_DEFLATE)
        return heed_fail(c, HEED_EUNSUPPORTED, "%s: %s: packed by method %u (expected stored or deflated)", z->name, name,
                         (unsigned)s.comp_method);
    zip_uint64_t most = s.comp_size;
    if (s.comp_method == ZIP_CM_DEFLATE)
        most = most > UINT64_MAX / DEFLATE_RATIO - DEFLATE_SLACK ? UINT64_MAX : most * DEFLATE_RATIO + DEFLATE_SLACK;
    if (s.size > most)
        return heed_fail(c, HEED_EFORMAT, "%s: %s: claims %llu bytes from %llu packed ones", z->name, name,
                         (unsigned long long)s.size, (unsigned long long)s.comp_size);
    if (s.size > limit || s.size >= SIZE_MAX)
        return heed_fail(c, HEED_EFORMAT, "%s: %s: too large (expected at most %zu bytes, found %llu)", z->name, name, limit,
                         (unsigned long long)s.size);
    *size = (size_t)s.size;
    return HEED_OK;
}

/* Reads what is there, growing as it comes, so that a claimed size alone costs nothing. */
static heed_status read_member(heed_zip *z, zip_file_t *file, const char *name, size_t claimed, unsigned char **out)
{
    heed_context *c = z->context;
    enum { FIRST = 1 << 20 };
    size_t capacity = claimed < FIRST ? claimed : FIRST, used = 0;
    unsigned char *bytes = *out = heed_alloc_raw(c, capacity + 1, 1);
    while (bytes != NULL) {
        if (used >= capacity && used < claimed) { /* the byte more may be there already */
            capacity = claimed - capacity < capacity ? claimed : capacity * 2;
            bytes = heed_alloc_raw(c, capacity + 1, 1);
            if (bytes == NULL)
                break;
            memcpy(bytes, *out, used);
            heed_release(c, *out);
            *out = bytes;
        }
        /* one byte more than there should be: reading to the end is what checks the checksum */
        zip_int64_t got = zip_fread(file, bytes + used, capacity - used + 1);
        if (got < 0)
            return fail(c, z->name, name, zip_file_get_error(file));
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > claimed)
            break;
    }
    if (bytes == NULL)
        return HEED_ENOMEM;
    if (used != claimed)
        return heed_fail(c, HEED_EFORMAT, "%s: %s: damaged (expected %zu bytes, found %s)", z->name, name, claimed,
                         used < claimed ? "fewer" : "more");
    bytes[used] = '\0';
    return HEED_OK;
}

heed_status heed_zip_read(heed_zip *z, size_t index, size_t limit, unsigned char **out, size_t *size)
{
    *out = NULL;
    HEED_TRY(claimed_size(z, index, limit, size));
    const char *name = heed_zip_name(z, index);
    zip_file_t *file = zip_fopen_index(z->zip, index, 0);
    if (file == NULL)
        return fail(z->context, z->name, name, zip_get_error(z->zip));
    heed_status status = read_member(z, file, name, *size, out);
    zip_fclose(file);
    if (status != HEED_OK) {
        heed_release(z->context, *out);
        *out = NULL;
    }
    return status;
}

/* ---- reading in order ---- */

struct heed_zip_stream {
    heed_zip   *zip;
    size_t      index, size, done;
    zip_file_t *file;
};

heed_context *heed_zip_context(const heed_zip *z) { return z->context; }
size_t        heed_zip_stream_size(const heed_zip_stream *s) { return s->size; }

heed_status heed_zip_stream_open(heed_zip *z, size_t index, heed_zip_stream **out)
{
    size_t size = 0;
    *out = NULL;
    HEED_TRY(claimed_size(z, index, SIZE_MAX / 2, &size));
    heed_zip_stream *s = heed_alloc(z->context, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    *s = (heed_zip_stream){.zip = z, .index = index, .size = size, .file = zip_fopen_index(z->zip, index, 0)};
    if (s->file == NULL) {
        heed_release(z->context, s);
        return fail(z->context, z->name, heed_zip_name(z, index), zip_get_error(z->zip));
    }
    *out = s;
    return HEED_OK;
}

/* Up to `size` bytes more; none at the end. */
static heed_status read_piece(heed_zip_stream *s, unsigned char *bytes, size_t size, size_t *got)
{
    heed_zip *z = s->zip;
    const char *name = heed_zip_name(z, s->index);
    zip_int64_t n = zip_fread(s->file, bytes, size);
    if (n < 0)
        return fail(z->context, z->name, name, zip_file_get_error(s->file));
    *got = (size_t)n;
    s->done += *got;
    if (s->done > s->size || (n == 0 && s->done < s->size))
        return heed_fail(z->context, HEED_EFORMAT, "%s: %s: damaged (expected %zu bytes, found %s)", z->name, name,
                         s->size, n == 0 ? "fewer" : "more");
    return HEED_OK;
}

heed_status heed_zip_stream_read(heed_zip_stream *s, unsigned char *bytes, size_t size, size_t *got)
{
    size_t piece = 1;
    while (*got < size && piece > 0) {
        HEED_TRY(read_piece(s, bytes + *got, size - *got, &piece));
        *got += piece;
    }
    unsigned char none; /* reading on at the end is what checks the checksum */
    return s->done == s->size ? read_piece(s, &none, 1, &piece) : HEED_OK;
}

void heed_zip_stream_close(heed_zip_stream *s)
{
    if (s == NULL)
        return;
    zip_fclose(s->file);
    heed_release(s->zip->context, s);
}

/* ---- writing ---- */

/* Members to be written: bytes, or files. */
typedef struct content {
    const heed_zip_member *members;
    const heed_zip_file   *files; /* NULL: members */
    size_t                 count;
} content;

static heed_status add_member(heed_context *c, const char *path, zip_t *zip, const content *all, size_t i)
{
    enum { FIRST_OF_JANUARY_1980 = 1 << 5 | 1 };
    const zip_uint32_t plain_file = 0100644u << 16; /* whatever a file has that the bytes come from */
    const char *name = all->files != NULL ? all->files[i].name : all->members[i].name;
    zip_source_t *source = all->files != NULL ? zip_source_file(zip, all->files[i].path, 0, -1)
                                              : zip_source_buffer(zip, all->members[i].bytes, all->members[i].size, 0);
    zip_int64_t index = source == NULL ? -1 : zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return fail(c, path, name, zip_get_error(zip));
    }
    if (zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_external_attributes(zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX, plain_file) != 0 ||
        zip_file_set_dostime(zip, (zip_uint64_t)index, 0, FIRST_OF_JANUARY_1980, 0) != 0)
        return fail(c, path, name, zip_get_error(zip));
    return HEED_OK;
}

/* Fills and closes the archive, whatever happens. */
static heed_status write_members(heed_context *c, const char *path, zip_t *zip, const content *all)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < all->count && status == HEED_OK; i++)
        status = add_member(c, path, zip, all, i);
    if (status == HEED_OK && zip_close(zip) == 0)
        return HEED_OK;
    if (status == HEED_OK)
        status = fail(c, path, "cannot write", zip_get_error(zip));
    zip_discard(zip);
    return status;
}

/* Where libzip writes: to an output's descriptor, for it would make a temporary file of its own beside a named one. */
typedef struct sink {
    int         descriptor;
    zip_error_t error;
} sink;

static zip_int64_t sink_fail(sink *s)
{
    zip_error_set(&s->error, ZIP_ER_WRITE, errno);
    return -1;
}

static zip_int64_t sink_write(sink *s, const char *bytes, zip_uint64_t size)
{
    for (zip_uint64_t done = 0; done < size;) {
        ssize_t put = write(s->descriptor, bytes + done, (size_t)(size - done));
        if (put < 0 && errno != EINTR)
            return sink_fail(s);
        done += put > 0 ? (zip_uint64_t)put : 0;
    }
    return (zip_int64_t)size;
}

static zip_int64_t sink_seek(sink *s, void *data, zip_uint64_t size)
{
    const zip_source_args_seek_t *to = ZIP_SOURCE_GET_ARGS(zip_source_args_seek_t, data, size, &s->error);
    if (to == NULL)
        return -1;
    return lseek(s->descriptor, (off_t)to->offset, to->whence) < 0 ? sink_fail(s) : 0;
}

static zip_int64_t sink_describe(void *data)
{
    zip_stat_t *info = data;
    zip_stat_init(info);
    info->valid = ZIP_STAT_SIZE;
    info->size = 0; /* it is made anew */
    return sizeof *info;
}

static zip_int64_t serve_sink(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command)
{
    sink *s = user;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
                                              ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL,
                                              ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
                                              ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE,
                                              ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_STAT: return sink_describe(data);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&s->error, data, size);
    case ZIP_SOURCE_WRITE: return sink_write(s, data, size);
    case ZIP_SOURCE_SEEK_WRITE: return sink_seek(s, data, size);
    case ZIP_SOURCE_TELL_WRITE: return (zip_int64_t)lseek(s->descriptor, 0, SEEK_CUR);
    default: return 0; /* there is nothing to read, and what was written counts once the output is committed */
    }
}

/* Opens an archive to be written there; NULL with *error. The sink is borrowed until it is closed. */
static zip_t *open_sink(sink *s, zip_error_t *error)
{
    zip_source_t *source = zip_source_function_create(serve_sink, s, error);
    zip_t *zip = source == NULL ? NULL : zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, error);
    if (zip == NULL)
        zip_source_free(source); /* NULL is allowed */
    return zip;
}

static heed_status write_archive(heed_context *c, const char *path, const content *all)
{
    if (all->count == 0)
        return heed_fail(c, HEED_EINVAL, "%s: an archive of no members", path);
    heed_output output;
    HEED_TRY(heed_output_open(c, path, &output));
    sink s = {.descriptor = output.descriptor};
    zip_error_t error;
    zip_error_init(&s.error);
    zip_error_init(&error);
    zip_t *zip = open_sink(&s, &error);
    heed_status status = zip != NULL ? write_members(c, path, zip, all) : fail(c, path, "cannot write", &error);
    zip_error_fini(&error);
    zip_error_fini(&s.error);
    if (status == HEED_OK)
        status = heed_output_commit(&output);
    heed_output_abandon(&output);
    return status;
}

heed_status heed_zip_write(heed_context *c, const char *path, const heed_zip_member *members, size_t count)
{
    return write_archive(c, path, &(content){.members = members, .count = count});
}

heed_status heed_zip_write_files(heed_context *c, const char *path, const heed_zip_file *files, size_t count)
{
    return write_archive(c, path, &(content){.files = files, .count = count});
}
