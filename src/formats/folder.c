#define _POSIX_C_SOURCE 200809L
#include "formats/folder.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILES = 100000, MAX_DEPTH = 32 };

struct heed_folder {
    heed_zone   zone; /* holds the names */
    const char *path;
    char      **names;
    size_t      count, capacity;
};

static heed_status list_folder(heed_folder *f, const char *below, int depth);

static heed_status add_entry(heed_folder *f, const char *name, int depth)
{
    heed_context *c = f->zone.context;
    const char *full = heed_zone_printf(&f->zone, "%s/%s", f->path, name);
    if (full == NULL)
        return HEED_ENOMEM;
    struct stat info;
    if (lstat(full, &info) != 0)
        return heed_fail(c, HEED_EIO, "%s: cannot open: %s", full, strerror(errno));
    if (S_ISLNK(info.st_mode)) /* a stranger's folder might have us read, and write into a copy, any file there is */
        return heed_fail(c, HEED_EUNSUPPORTED, "%s: it is a link, and nothing is followed out of a folder", full);
    if (S_ISDIR(info.st_mode))
        return list_folder(f, name, depth + 1);
    if (!S_ISREG(info.st_mode))
        return HEED_OK;
    if (f->count == MAX_FILES)
        return heed_fail(c, HEED_EFORMAT, "%s: more than %d files", f->path, MAX_FILES);
    void *names = f->names;
    heed_status status = heed_grow(c, &names, &f->capacity, f->count, sizeof *f->names);
    f->names = names;
    if (status != HEED_OK)
        return status;
    f->names[f->count] = heed_zone_strdup(&f->zone, name);
    return f->names[f->count++] != NULL ? HEED_OK : HEED_ENOMEM;
}

/* `below` is the name of a folder within, or "". */
static heed_status list_folder(heed_folder *f, const char *below, int depth)
{
    heed_context *c = f->zone.context;
    const char *full = heed_zone_printf(&f->zone, "%s/%s", f->path, below);
    if (full == NULL)
        return HEED_ENOMEM;
    if (depth > MAX_DEPTH)
        return heed_fail(c, HEED_EFORMAT, "%s: folders are nested too deeply", full);
    DIR *folder = opendir(full);
    if (folder == NULL)
        return heed_fail(c, HEED_EIO, "%s: cannot open: %s", full, strerror(errno));
    heed_status status = HEED_OK;
    const struct dirent *entry;
    while (status == HEED_OK && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const char *name = heed_zone_printf(&f->zone, "%s%s%s", below, *below == '\0' ? "" : "/", entry->d_name);
        status = name == NULL ? HEED_ENOMEM : add_entry(f, name, depth);
    }
    closedir(folder);
    return status;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

heed_status heed_folder_open(heed_context *c, const char *path, heed_folder **out)
{
    *out = NULL;
    heed_folder *f = heed_alloc(c, 1, sizeof *f);
    if (f == NULL)
        return HEED_ENOMEM;
    heed_zone_init(&f->zone, c);
    f->path = heed_zone_strdup(&f->zone, path);
    heed_status status = f->path == NULL ? HEED_ENOMEM : list_folder(f, "", 0);
    if (status != HEED_OK) {
        heed_folder_close(f);
        return status;
    }
    if (f->count > 0)
        qsort(f->names, f->count, sizeof *f->names, by_name);
    *out = f;
    return HEED_OK;
}

void heed_folder_close(heed_folder *f)
{
    if (f == NULL)
        return;
    heed_context *c = f->zone.context;
    heed_release(c, f->names);
    heed_zone_free(&f->zone);
    heed_release(c, f);
}

size_t heed_folder_count(const heed_folder *f) { return f->count; }

const char *heed_folder_name(const heed_folder *f, size_t index) { return f->names[index]; }

bool heed_folder_find(const heed_folder *f, const char *name, size_t *index)
{
    for (*index = 0; *index < f->count; ++*index)
        if (strcmp(f->names[*index], name) == 0)
            return true;
    return false;
}

heed_status heed_folder_read(const heed_folder *f, size_t index, size_t limit, unsigned char **out, size_t *size)
{
    heed_context *c = f->zone.context;
    heed_text path = {.context = c};
    heed_text_printf(&path, "%s/%s", f->path, f->names[index]);
    heed_status status = heed_text_status(&path);
    *out = NULL;
    if (status == HEED_OK)
        status = heed_file_read(c, path.bytes, limit, out, size);
    heed_text_free(&path);
    return status;
}
