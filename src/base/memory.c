#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* Every block is preceded by its size, so that the context can tell how much is in use. 64 keeps the alignment. */
enum { HEADER = 64, ZONE_BLOCK = 16384 };

void *heed_alloc_raw(heed_context *c, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - HEADER) {
        heed_fail(c, HEED_ENOMEM, "out of memory (%zu elements of %zu bytes)", count, size);
        return NULL;
    }
    if (c->memory_used > c->memory_most || bytes > c->memory_most - c->memory_used) {
        heed_fail(c, HEED_ENOMEM, "out of memory (%zu bytes wanted, %zu in use, %zu are all there may be)", bytes,
                  c->memory_used, c->memory_most);
        return NULL;
    }
    unsigned char *block = c->allocator.allocate(c->allocator.user, bytes + HEADER);
    if (block == NULL) {
        heed_fail(c, HEED_ENOMEM, "out of memory (%zu bytes wanted, %zu in use)", bytes, c->memory_used);
        return NULL;
    }
    memcpy(block, &bytes, sizeof bytes);
    c->memory_used += bytes;
    if (c->memory_used > c->memory_peak)
        c->memory_peak = c->memory_used;
    return block + HEADER;
}

void *heed_alloc(heed_context *c, size_t count, size_t size)
{
    void *memory = heed_alloc_raw(c, count, size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void heed_release(heed_context *c, void *memory)
{
    if (memory == NULL)
        return;
    unsigned char *block = (unsigned char *)memory - HEADER;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    c->memory_used -= bytes;
    c->allocator.release(c->allocator.user, block);
}

void heed_free(heed_context *c, void *memory) { heed_release(c, memory); }

char *heed_strdup(heed_context *c, const char *text)
{
    size_t length = strlen(text);
    char *copy = heed_alloc_raw(c, length + 1, 1);
    if (copy != NULL)
        memcpy(copy, text, length + 1);
    return copy;
}

struct heed_zone_block {
    struct heed_zone_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void heed_zone_init(heed_zone *z, heed_context *c) { *z = (heed_zone){.context = c}; }

void heed_zone_free(heed_zone *z)
{
    while (z->blocks != NULL) {
        struct heed_zone_block *next = z->blocks->next;
        heed_release(z->context, z->blocks);
        z->blocks = next;
    }
}

void *heed_zone_alloc(heed_zone *z, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        heed_fail(z->context, HEED_ENOMEM, "out of memory (%zu elements of %zu bytes)", count, size);
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    struct heed_zone_block *b = z->blocks;
    if (b == NULL || b->size - b->used < bytes) {
        size_t room = bytes > ZONE_BLOCK / 4 ? bytes : ZONE_BLOCK;
        b = heed_alloc_raw(z->context, 1, sizeof *b + room);
        if (b == NULL)
            return NULL;
        b->used = 0;
        b->size = room;
        /* a large block of its own goes behind the current one, which still has room */
        if (room == bytes && z->blocks != NULL) {
            b->next = z->blocks->next;
            z->blocks->next = b;
        } else {
            b->next = z->blocks;
            z->blocks = b;
        }
    }
    void *memory = b->bytes + b->used;
    b->used += bytes;
    memset(memory, 0, bytes);
    return memory;
}

char *heed_zone_strdup(heed_zone *z, const char *text)
{
    size_t length = strlen(text);
    char *copy = heed_zone_alloc(z, length + 1, 1);
    if (copy != NULL)
        memcpy(copy, text, length);
    return copy;
}

char *heed_zone_printf(heed_zone *z, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : heed_zone_alloc(z, (size_t)length + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

heed_status heed_grow(heed_context *c, void **items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return HEED_OK;
    size_t wanted = *capacity < 8 ? 8 : *capacity + *capacity / 2;
    void *bigger = heed_alloc_raw(c, wanted, size);
    if (bigger == NULL)
        return HEED_ENOMEM;
    if (count > 0)
        memcpy(bigger, *items, count * size);
    heed_release(c, *items);
    *items = bigger;
    *capacity = wanted;
    return HEED_OK;
}

/* Room for `more` bytes and the NUL. */
static bool text_reserve(heed_text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->capacity - t->length > more)
        return true;
    size_t wanted = t->length + more + 1;
    wanted += wanted / 2 + 64;
    char *bigger = heed_alloc_raw(t->context, wanted, 1);
    if (bigger == NULL) {
        t->failed = true;
        return false;
    }
    if (t->length > 0)
        memcpy(bigger, t->bytes, t->length);
    bigger[t->length] = '\0';
    heed_release(t->context, t->bytes);
    t->bytes = bigger;
    t->capacity = wanted;
    return true;
}

void heed_text_append(heed_text *t, const char *bytes, size_t length)
{
    if (!text_reserve(t, length))
        return;
    if (length > 0)
        memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

void heed_text_vprintf(heed_text *t, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0 && text_reserve(t, (size_t)length)) {
        vsnprintf(t->bytes + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
}

void heed_text_printf(heed_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    heed_text_vprintf(t, format, args);
    va_end(args);
}

heed_status heed_text_status(const heed_text *t) { return t->failed ? HEED_ENOMEM : HEED_OK; }

void heed_text_free(heed_text *t)
{
    heed_release(t->context, t->bytes);
    *t = (heed_text){.context = t->context};
}
