#include "formats/hdf5_reader.h"

#include <stdio.h>
#include <string.h>

heed_status heed_hdf5_create(heed_context *c, heed_hdf5 **out)
{
    *out = NULL;
    heed_zone *zone = heed_alloc(c, 1, sizeof *zone);
    if (zone == NULL)
        return HEED_ENOMEM;
    heed_zone_init(zone, c);
    heed_hdf5 *root = heed_zone_alloc(zone, 1, sizeof *root);
    if (root == NULL) {
        heed_release(c, zone);
        return HEED_ENOMEM;
    }
    *root = (heed_hdf5){.name = "", .zone = zone};
    *out = root;
    return HEED_OK;
}

heed_hdf5 *heed_hdf5_walk(const heed_hdf5 *top, const heed_hdf5 *node)
{
    if (node->first != NULL)
        return node->first;
    while (node != top && node->next == NULL)
        node = node->parent;
    return node == top ? NULL : node->next;
}

void heed_hdf5_free(heed_hdf5 *root)
{
    if (root == NULL)
        return;
    heed_zone *zone = root->zone;
    heed_context *c = zone->context;
    for (const heed_hdf5 *node = root; node != NULL; node = heed_hdf5_walk(root, node)) {
        heed_array_free(c, node->array);
        for (heed_hdf5_attribute *a = node->attributes; a != NULL; a = a->next)
            heed_array_free(c, a->array);
    }
    heed_zone_free(zone);
    heed_release(c, zone);
}

/* ---- nodes ---- */

/* The child whose name is the first part of `path`. */
static heed_hdf5 *child_named(const heed_hdf5 *parent, const char *path, size_t length)
{
    return heed_index_find(&parent->names, path, length);
}

heed_hdf5 *heed_hdf5_find(const heed_hdf5 *from, const char *path)
{
    const heed_hdf5 *node = from;
    while (node != NULL && *path != '\0') {
        size_t length = strcspn(path, "/");
        if (length > 0)
            node = child_named(node, path, length);
        path += length + (path[length] == '/');
    }
    return (heed_hdf5 *)node;
}

static heed_status fail_at(const heed_hdf5 *node, heed_status status, const char *what)
{
    char path[HEED_ERROR_SIZE / 2];
    return heed_fail(node->zone->context, status, "%s: %s", heed_hdf5_path(node, path, sizeof path), what);
}

heed_status heed_hdf5_add(heed_hdf5 *parent, const char *name, size_t length, heed_hdf5 **out)
{
    heed_zone *z = parent->zone;
    heed_hdf5 *child = *out = heed_zone_alloc(z, 1, sizeof *child);
    char *copy = heed_zone_alloc(z, length + 1, 1);
    if (child == NULL || copy == NULL)
        return HEED_ENOMEM;
    memcpy(copy, name, length);
    *child = (heed_hdf5){.name = copy, .parent = parent, .zone = z};
    *(parent->last == NULL ? &parent->first : &parent->last->next) = child;
    parent->last = child;
    return heed_index_put(&parent->names, z, name, length, child);
}

heed_status heed_hdf5_group(heed_hdf5 *from, const char *path, heed_hdf5 **out)
{
    heed_hdf5 *node = from;
    *out = NULL;
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        if (length > 0) {
            heed_hdf5 *child = child_named(node, path, length);
            if (child == NULL)
                HEED_TRY(heed_hdf5_add(node, path, length, &child));
            if (child->array != NULL)
                return fail_at(child, HEED_EINVAL, "an array stands where a group should be");
            node = child;
        }
        path += length + (path[length] == '/');
    }
    *out = node;
    return HEED_OK;
}

/* The children of one node behind those of another. */
static heed_status move_children(heed_hdf5 *from, heed_hdf5 *to)
{
    for (heed_hdf5 *child = from->first; child != NULL; child = child->next) {
        child->parent = to;
        HEED_TRY(heed_index_put_text(&to->names, to->zone, child->name, child));
    }
    if (from->first == NULL)
        return HEED_OK;
    *(to->last == NULL ? &to->first : &to->last->next) = from->first;
    to->last = from->last;
    from->first = from->last = NULL;
    from->names = (heed_index){NULL};
    return HEED_OK;
}

heed_status heed_hdf5_split_names(heed_hdf5 *root)
{
    for (heed_hdf5 *child = root->first; child != NULL; child = child->next) {
        if (child->array != NULL || strchr(child->name, '\\') == NULL)
            continue;
        char *path = heed_zone_strdup(root->zone, child->name);
        heed_hdf5 *group;
        if (path == NULL)
            return HEED_ENOMEM;
        for (char *at = path; (at = strchr(at, '\\')) != NULL;)
            *at = '/';
        HEED_TRY(heed_hdf5_group(root, path, &group));
        if (group != root)
            HEED_TRY(move_children(child, group));
    }
    return HEED_OK;
}

static heed_status put_at(heed_hdf5 *from, const char *path, heed_array *array)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    heed_hdf5 *group = from, *node;
    if (slash != NULL) {
        char *above = heed_zone_strdup(from->zone, path);
        if (above == NULL)
            return HEED_ENOMEM;
        above[slash - path] = '\0';
        HEED_TRY(heed_hdf5_group(from, above, &group));
    }
    node = child_named(group, name, strlen(name));
    if (*name == '\0' || node != NULL)
        return fail_at(node != NULL ? node : group, HEED_EINVAL, "something stands where an array should be put");
    HEED_TRY(heed_hdf5_add(group, name, strlen(name), &node));
    node->array = array;
    return HEED_OK;
}

heed_status heed_hdf5_put(heed_hdf5 *from, const char *path, heed_array *array)
{
    heed_status status = put_at(from, path, array);
    if (status != HEED_OK)
        heed_array_free(from->zone->context, array);
    return status;
}

static size_t write_path(const heed_hdf5 *node, char *text, size_t size)
{
    if (node->parent == NULL) {
        snprintf(text, size, "/");
        return 0;
    }
    size_t used = write_path(node->parent, text, size);
    if (used < size)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "/" : "", node->name);
    return used;
}

char *heed_hdf5_path(const heed_hdf5 *node, char *text, size_t size)
{
    write_path(node, text, size);
    return text;
}

/* ---- attributes ---- */

const heed_hdf5_attribute *heed_hdf5_attribute_of(const heed_hdf5 *node, const char *name)
{
    const heed_hdf5_attribute *a = node->attributes;
    while (a != NULL && strcmp(a->name, name) != 0)
        a = a->next;
    return a;
}

static heed_status no_attribute(const heed_hdf5 *node, const char *name, const char *expected)
{
    char path[HEED_ERROR_SIZE / 2];
    return heed_fail(node->zone->context, HEED_EFORMAT, "%s: attribute %s: %s (expected %s)",
                     heed_hdf5_path(node, path, sizeof path), name,
                     heed_hdf5_attribute_of(node, name) == NULL ? "missing" : "of the wrong type", expected);
}

heed_status heed_hdf5_get_string(const heed_hdf5 *node, const char *name, const char **out)
{
    const heed_hdf5_attribute *a = heed_hdf5_attribute_of(node, name);
    *out = a != NULL && a->strings != NULL && a->count == 1 ? a->strings[0] : NULL;
    return *out != NULL ? HEED_OK : no_attribute(node, name, "a string");
}

/* Part `index` of a list that was split; NULL when there is none. */
static const heed_hdf5_attribute *part_of(const heed_hdf5 *node, const char *name, size_t index)
{
    char numbered[300];
    snprintf(numbered, sizeof numbered, "%.256s%zu", name, index);
    const heed_hdf5_attribute *a = heed_hdf5_attribute_of(node, numbered);
    return a != NULL && a->strings != NULL ? a : NULL;
}

heed_status heed_hdf5_get_strings(const heed_hdf5 *node, const char *name, const char *const **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    const heed_hdf5_attribute *a = heed_hdf5_attribute_of(node, name), *part;
    if (a != NULL && (a->strings != NULL || heed_array_count(a->array) == 0)) {
        *out = a->strings;
        *count = a->count;
        return HEED_OK;
    }
    size_t parts = 0;
    for (; (part = part_of(node, name, parts)) != NULL; parts++)
        *count += part->count;
    if (parts == 0)
        return no_attribute(node, name, "a list of strings");
    const char **all = heed_zone_alloc(node->zone, *count, sizeof *all);
    if (all == NULL)
        return HEED_ENOMEM;
    *out = all;
    for (size_t i = 0; i < parts; i++) {
        part = part_of(node, name, i);
        memcpy(all, part->strings, part->count * sizeof *all);
        all += part->count;
    }
    return HEED_OK;
}

heed_hdf5_attribute *heed_hdf5_fresh_attribute(heed_hdf5 *node, const char *name)
{
    heed_hdf5_attribute **link = &node->attributes;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    if (*link != NULL) {
        heed_hdf5_attribute *old = *link;
        heed_array_free(node->zone->context, old->array);
        *old = (heed_hdf5_attribute){.next = old->next, .name = old->name};
        return old;
    }
    heed_hdf5_attribute *a = heed_zone_alloc(node->zone, 1, sizeof *a);
    char *copy = a == NULL ? NULL : heed_zone_strdup(node->zone, name);
    if (copy == NULL)
        return NULL;
    a->name = copy;
    return *link = a;
}

heed_status heed_hdf5_set_strings(heed_hdf5 *node, const char *name, const char *const *values, size_t count)
{
    const char **copies = heed_zone_alloc(node->zone, count, sizeof *copies);
    if (copies == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if ((copies[i] = heed_zone_strdup(node->zone, values[i])) == NULL)
            return HEED_ENOMEM;
    heed_hdf5_attribute *a = heed_hdf5_fresh_attribute(node, name);
    if (a == NULL)
        return HEED_ENOMEM;
    a->strings = copies;
    a->count = count;
    return HEED_OK;
}

heed_status heed_hdf5_set_string(heed_hdf5 *node, const char *name, const char *value)
{
    HEED_TRY(heed_hdf5_set_strings(node, name, &value, 1));
    ((heed_hdf5_attribute *)heed_hdf5_attribute_of(node, name))->scalar = true;
    return HEED_OK;
}

heed_status heed_hdf5_set_numbers(heed_hdf5 *node, const char *name, heed_array *array)
{
    heed_hdf5_attribute *a = heed_hdf5_fresh_attribute(node, name);
    if (a == NULL) {
        heed_array_free(node->zone->context, array);
        return HEED_ENOMEM;
    }
    a->array = array;
    a->scalar = array->shape.rank == 0;
    return HEED_OK;
}
