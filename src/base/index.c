/* A crit-bit tree: a fork for each bit in which two keys that are otherwise alike up to there differ. */
#include "base/index.h"

#include <stdint.h>
#include <string.h>

typedef struct heed_index_node {
    struct heed_index_node *below[2]; /* of a fork: the keys in which the bit is 0, and 1; of a leaf: none */
    size_t bit;    /* of a fork: its number, from the highest of the first byte */
    size_t length; /* of a leaf's key */
    void  *value;
    unsigned char key[];
} node;

static bool is_leaf(const node *n) { return n->below[0] == NULL; }

static unsigned byte_at(const unsigned char *key, size_t length, size_t at) { return at < length ? key[at] : 0; }

static bool bit_at(const unsigned char *key, size_t length, size_t bit)
{
    return byte_at(key, length, bit / 8) >> (7 - bit % 8) & 1;
}

/* The leaf whose key shares the longest beginning with this one. */
static node *nearest(const heed_index *x, const unsigned char *key, size_t length)
{
    node *n = x->root;
    while (n != NULL && !is_leaf(n))
        n = n->below[bit_at(key, length, n->bit)];
    return n;
}

/* The first bit in which they differ; SIZE_MAX: they are equal. */
static size_t first_difference(const node *leaf, const unsigned char *key, size_t length)
{
    size_t longer = leaf->length > length ? leaf->length : length;
    for (size_t at = 0; at < longer; at++) {
        unsigned difference = byte_at(leaf->key, leaf->length, at) ^ byte_at(key, length, at);
        for (size_t bit = 0; difference != 0; bit++)
            if (difference >> (7 - bit) & 1)
                return 8 * at + bit;
    }
    return SIZE_MAX;
}

static node *new_leaf(heed_zone *z, const void *key, size_t length, void *value)
{
    node *leaf = heed_zone_alloc(z, sizeof *leaf + length, 1);
    if (leaf == NULL)
        return NULL;
    leaf->length = length;
    leaf->value = value;
    memcpy(leaf->key, key, length);
    return leaf;
}

heed_status heed_index_put(heed_index *x, heed_zone *z, const void *key, size_t length, void *value)
{
    const node *other = nearest(x, key, length);
    size_t bit = other == NULL ? 0 : first_difference(other, key, length);
    if (bit == SIZE_MAX)
        return HEED_OK;
    node *leaf = new_leaf(z, key, length, value), **link = &x->root;
    if (leaf == NULL)
        return HEED_ENOMEM;
    if (other != NULL) {
        node *fork = heed_zone_alloc(z, 1, sizeof *fork);
        if (fork == NULL)
            return HEED_ENOMEM;
        while (!is_leaf(*link) && (*link)->bit < bit)
            link = &(*link)->below[bit_at(key, length, (*link)->bit)];
        bool side = bit_at(key, length, bit);
        fork->bit = bit;
        fork->below[side] = leaf;
        fork->below[!side] = *link;
        leaf = fork;
    }
    *link = leaf;
    return HEED_OK;
}

void *heed_index_find(const heed_index *x, const void *key, size_t length)
{
    const node *n = nearest(x, key, length);
    return n != NULL && n->length == length && memcmp(n->key, key, length) == 0 ? n->value : NULL;
}

heed_status heed_index_put_text(heed_index *x, heed_zone *z, const char *key, void *value)
{
    return heed_index_put(x, z, key, strlen(key), value);
}

void *heed_index_find_text(const heed_index *x, const char *key) { return heed_index_find(x, key, strlen(key)); }

heed_status heed_index_put_address(heed_index *x, heed_zone *z, const void *key, void *value)
{
    uintptr_t address = (uintptr_t)key;
    return heed_index_put(x, z, &address, sizeof address, value);
}

void *heed_index_find_address(const heed_index *x, const void *key)
{
    uintptr_t address = (uintptr_t)key;
    return heed_index_find(x, &address, sizeof address);
}
