#include "seq2seq/caches.h"

#include <string.h>

/* The past has room for so many steps at first; room and places come by doubling, so that few shapes occur. */
enum { FIRST_STEPS = 32, FIRST_PLACES = 12 };

struct heed_caches {
    heed_zone *zone;
    int        count, rows, live;          /* caches; rows at most; rows that live */
    int64_t    size[HEED_MAX_OUTPUTS];     /* D */
    float     *stored[HEED_MAX_OUTPUTS];   /* (places, D) */
    int32_t   *past, *next;                /* (rows, room): each row's places, step by step; behind them -1 */
    int32_t   *position;                   /* (rows) */
    bool      *taken;                      /* (places) */
    int        places, steps, room;
};

static int32_t *make_past(heed_caches *c, int room)
{
    size_t count = (size_t)c->rows * (size_t)room;
    int32_t *past = heed_zone_alloc(c->zone, count, sizeof *past);
    if (past != NULL)
        memset(past, -1, count * sizeof *past);
    return past;
}

static heed_status grow_steps(heed_caches *c)
{
    if (c->steps < c->room)
        return HEED_OK;
    int room = c->room == 0 ? FIRST_STEPS : 2 * c->room;
    int32_t *past = make_past(c, room);
    c->next = make_past(c, room);
    if (past == NULL || c->next == NULL)
        return HEED_ENOMEM;
    for (int r = 0; r < c->rows && c->room > 0; r++)
        memcpy(past + (size_t)r * (size_t)room, c->past + (size_t)r * (size_t)c->room, (size_t)c->steps * sizeof *past);
    c->past = past;
    c->room = room;
    return HEED_OK;
}

static heed_status grow_places(heed_caches *c)
{
    int places = c->places == 0 ? FIRST_PLACES * c->rows : 2 * c->places;
    bool *taken = heed_zone_alloc(c->zone, (size_t)places, sizeof *taken);
    if (taken == NULL)
        return HEED_ENOMEM;
    if (c->places > 0)
        memcpy(taken, c->taken, (size_t)c->places * sizeof *taken);
    c->taken = taken;
    for (int i = 0; i < c->count; i++) {
        float *stored = heed_zone_alloc(c->zone, (size_t)places * (size_t)c->size[i], sizeof *stored);
        if (stored == NULL)
            return HEED_ENOMEM;
        if (c->places > 0)
            memcpy(stored, c->stored[i], (size_t)c->places * (size_t)c->size[i] * sizeof *stored);
        c->stored[i] = stored;
    }
    c->places = places;
    return HEED_OK;
}

heed_status heed_caches_start(heed_zone *z, const heed_decoding_models *models, int rows, heed_caches **out)
{
    heed_caches *c = *out = heed_zone_alloc(z, 1, sizeof *c);
    if (c == NULL)
        return HEED_ENOMEM;
    *c = (heed_caches){.zone = z, .count = models->cache_count, .rows = rows};
    int first = 1 + models->memory_count + 3;
    for (int i = 0; i < c->count; i++)
        c->size[i] = heed_model_input_shape(models->step, first + i)->dims[1];
    c->position = heed_zone_alloc(z, (size_t)rows, sizeof *c->position);
    if (c->position == NULL)
        return HEED_ENOMEM;
    HEED_TRY(grow_steps(c));
    return grow_places(c);
}

int heed_caches_inputs(heed_caches *c, int rows, heed_array *in)
{
    int n = 0;
    for (int r = 0; r < rows; r++)
        c->position[r] = c->steps + 1;
    in[n++] = (heed_array){HEED_INT32, {2, {rows, 1}}, c->position};
    in[n++] = (heed_array){HEED_INT32, {2, {rows, c->room}}, c->past};
    for (int i = 0; i < c->count; i++)
        in[n++] = (heed_array){HEED_FLOAT32, {2, {c->places, c->size[i]}}, c->stored[i]};
    return n;
}

static void put(heed_caches *c, int row, int place, const float *const *left)
{
    c->taken[place] = true;
    c->past[(size_t)row * (size_t)c->room + (size_t)c->steps] = place;
    for (int i = 0; i < c->count; i++) {
        size_t size = (size_t)c->size[i];
        memcpy(c->stored[i] + (size_t)place * size, left[i] + (size_t)row * size, size * sizeof(float));
    }
}

heed_status heed_caches_keep(heed_caches *c, int rows, const float *const *left)
{
    int place = 0;
    HEED_TRY(grow_steps(c));
    for (int r = 0; r < rows; r++, place++) {
        while (place < c->places && c->taken[place])
            place++;
        if (place == c->places)
            HEED_TRY(grow_places(c));
        put(c, r, place, left);
    }
    c->steps++;
    c->live = rows;
    return HEED_OK;
}

void heed_caches_reorder(heed_caches *c, int rows, const int *parents)
{
    memset(c->taken, 0, (size_t)c->places * sizeof *c->taken);
    for (int r = 0; r < rows; r++) {
        int32_t *to = c->next + (size_t)r * (size_t)c->room;
        memcpy(to, c->past + (size_t)parents[r] * (size_t)c->room, (size_t)c->steps * sizeof *to);
        for (int i = 0; i < c->steps; i++)
            c->taken[to[i]] = true;
    }
    int32_t *was = c->past;
    c->past = c->next;
    c->next = was;
    c->live = rows;
}
