/* Files that travel with a model. */
#include "model/model.h"

#include <string.h>

static heed_asset_file *find_asset(const heed_model *m, const char *name)
{
    for (size_t i = 0; i < m->asset_count; i++)
        if (strcmp(m->assets[i].name, name) == 0)
            return &m->assets[i];
    return NULL;
}

static void remove_asset(heed_model *m, heed_asset_file *a)
{
    heed_release(m->context, a->name);
    heed_release(m->context, a->bytes);
    size_t behind = (size_t)(m->assets + m->asset_count - a) - 1;
    memmove(a, a + 1, behind * sizeof *a);
    m->asset_count--;
}

/* Relative, and of parts that stay below the folder. */
static bool name_is_safe(const char *name)
{
    for (const char *part = name;; part = strchr(part, '/') + 1) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (part[length] == '\0')
            return strpbrk(name, "\\:") == NULL;
    }
}

heed_status heed_set_asset(heed_model *m, const char *name, const void *bytes, size_t size)
{
    HEED_TRY(heed_model_status(m));
    if (!name_is_safe(name))
        return heed_fail(m->context, HEED_EINVAL, "%s: not a name for an asset (expected a relative path)", name);
    heed_asset_file *before = find_asset(m, name);
    if (bytes == NULL) {
        if (before != NULL)
            remove_asset(m, before);
        return HEED_OK;
    }
    heed_asset_file a = {heed_strdup(m->context, name), heed_alloc_raw(m->context, size, 1), size};
    void *assets = m->assets;
    heed_status status = a.name == NULL || a.bytes == NULL
                             ? HEED_ENOMEM
                             : heed_grow(m->context, &assets, &m->asset_capacity, m->asset_count, sizeof *m->assets);
    m->assets = assets;
    if (status != HEED_OK) {
        heed_release(m->context, a.name);
        heed_release(m->context, a.bytes);
        return status;
    }
    memcpy(a.bytes, bytes, size);
    if ((before = find_asset(m, name)) != NULL)
        remove_asset(m, before);
    m->assets[m->asset_count++] = a;
    return HEED_OK;
}

const void *heed_asset(const heed_model *m, const char *name, size_t *size)
{
    const heed_asset_file *a = find_asset(m, name);
    if (size != NULL)
        *size = a == NULL ? 0 : a->size;
    return a == NULL ? NULL : a->bytes;
}

int         heed_asset_count(const heed_model *m) { return (int)m->asset_count; }
const char *heed_asset_name(const heed_model *m, int index)
{
    return index >= 0 && (size_t)index < m->asset_count ? m->assets[index].name : NULL;
}
