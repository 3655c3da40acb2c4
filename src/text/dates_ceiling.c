#include "text/dates.h"

#include "base/memory.h"

/* How often a date is written as one text: a slot of a hash table with linear probing. */
typedef struct slot {
    uint64_t hash;   /* of the text */
    uint32_t weight; /* draws of locale, format and case that give it; 0: empty */
    int32_t  day;
} slot;

/* A locale with a format. Many have all their texts in common: after the first pass one stands for the others. */
typedef struct column {
    size_t   locale;
    uint32_t format, weight;
    uint64_t hash; /* of all its texts */
} column;

/* Where not all texts fit in the table, a pass counts the share of them whose hashes end in `shard`, read as `shard_bits`
 * bits. A pass that finds the table full halves its share and goes on. */
typedef struct counter {
    heed_dates   *dates;
    heed_context *context;
    int64_t       first, days;
    column       *columns;
    size_t        column_count;
    slot         *slots;
    size_t        capacity, count, most; /* capacity: a power of two */
    uint64_t      shard;
    unsigned      shard_bits;
} counter;

/* ---- the table ---- */

static bool is_in_shard(const counter *c, uint64_t hash)
{
    return (hash & (((uint64_t)1 << c->shard_bits) - 1)) == c->shard;
}

/* By the hash's upper bits: in a shard the lower ones are all the same. */
static size_t home_of(const counter *c, uint64_t hash) { return (size_t)(hash >> 32) & (c->capacity - 1); }

static size_t next_slot(const counter *c, size_t i) { return (i + 1) & (c->capacity - 1); }

static void add(counter *c, slot new)
{
    size_t i = home_of(c, new.hash);
    while (c->slots[i].weight > 0 && (c->slots[i].hash != new.hash || c->slots[i].day != new.day))
        i = next_slot(c, i);
    c->count += c->slots[i].weight == 0;
    new.weight += c->slots[i].weight;
    c->slots[i] = new;
}

/* A table of twice the size or, where it may not grow, half of the texts. */
static heed_status make_room(counter *c)
{
    slot *old = c->slots;
    size_t old_capacity = c->capacity, capacity = 2 * old_capacity <= c->most ? 2 * old_capacity : old_capacity;
    c->slots = heed_alloc(c->context, capacity, sizeof *c->slots);
    if (c->slots == NULL) {
        c->slots = old;
        return HEED_ENOMEM;
    }
    c->shard_bits += capacity == old_capacity;
    c->capacity = capacity;
    c->count = 0;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].weight > 0 && is_in_shard(c, old[i].hash))
            add(c, old[i]);
    heed_release(c->context, old);
    return HEED_OK;
}

static heed_status count(counter *c, uint64_t hash, int64_t day, uint32_t weight)
{
    while (is_in_shard(c, hash) && c->count >= c->capacity / 4 * 3)
        HEED_TRY(make_room(c));
    if (is_in_shard(c, hash))
        add(c, (slot){.hash = hash, .day = (int32_t)day, .weight = weight});
    return HEED_OK;
}

/* The weight of the likeliest day of slot i's text; 0 where an earlier slot is of the same text. */
static uint32_t best_weight(const counter *c, size_t i)
{
    uint64_t hash = c->slots[i].hash;
    uint32_t best = 0;
    for (size_t j = home_of(c, hash); j != i; j = next_slot(c, j))
        if (c->slots[j].hash == hash)
            return 0;
    for (; c->slots[i].weight > 0; i = next_slot(c, i))
        if (c->slots[i].hash == hash && c->slots[i].weight > best)
            best = c->slots[i].weight;
    return best;
}

/* ---- passes ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio, as in Fibonacci hashing */
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0;
    for (; *text != '\0'; text++)
        hash = mix(hash, (unsigned char)*text);
    return mix(mix(hash, 0), 0);
}

static heed_status count_column(counter *c, column *k)
{
    static const struct {
        uint32_t letter_case, weight;
    } cases[] = {{0, 1}, {1, 1}, {2, HEED_DATES_CASES - 2}};
    const char *human;
    k->hash = 0;
    HEED_TRY(heed_dates_choose(c->dates, k->locale, k->format));
    for (int64_t day = c->first; day < c->first + c->days; day++) {
        HEED_TRY(heed_dates_format(c->dates, day));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            HEED_TRY(heed_dates_spell(c->dates, cases[i].letter_case, &human));
            uint64_t hash = hash_of(human);
            k->hash = mix(k->hash, hash);
            HEED_TRY(count(c, hash, day, k->weight * cases[i].weight));
        }
    }
    return HEED_OK;
}

static heed_status count_shard(counter *c, uint64_t *told)
{
    for (size_t i = 0; i < c->column_count; i++)
        if (c->columns[i].weight > 0)
            HEED_TRY(count_column(c, &c->columns[i]));
    for (size_t i = 0; i < c->capacity; i++) {
        if (c->slots[i].weight > 0)
            *told += best_weight(c, i);
    }
    for (size_t i = 0; i < c->capacity; i++)
        c->slots[i] = (slot){0};
    c->count = 0;
    return HEED_OK;
}

/* Columns with the same texts become one that weighs as much. */
static void merge_columns(counter *c)
{
    for (size_t i = 0; i < c->column_count; i++)
        for (size_t j = 0; j < i; j++)
            if (c->columns[j].weight > 0 && c->columns[j].hash == c->columns[i].hash) {
                c->columns[j].weight += c->columns[i].weight;
                c->columns[i].weight = 0;
                break;
            }
}

/* Shards are the leaves of a binary tree, which grows where a pass halves its share; bit 0 is the choice at the root. */
static bool next_shard(counter *c)
{
    while (c->shard_bits > 0 && (c->shard >> (c->shard_bits - 1) & 1) != 0)
        c->shard &= ~((uint64_t)1 << --c->shard_bits);
    if (c->shard_bits == 0)
        return false;
    c->shard |= (uint64_t)1 << (c->shard_bits - 1);
    return true;
}

static heed_status count_all(counter *c, uint64_t *told)
{
    HEED_TRY(count_shard(c, told));
    merge_columns(c);
    while (next_shard(c))
        HEED_TRY(count_shard(c, told));
    return HEED_OK;
}

heed_status heed_dates_count(heed_dates *d, int64_t first, int64_t days, size_t most_slots, uint64_t *told, uint64_t *all)
{
    enum { FEW_SLOTS = 256 };
    size_t columns = heed_dates_locales(d) * HEED_DATES_FORMATS;
    counter c = {.dates = d, .context = heed_dates_context(d), .first = first, .days = days, .column_count = columns,
                 .capacity = most_slots < FEW_SLOTS ? most_slots : FEW_SLOTS, .most = most_slots};
    *told = 0;
    *all = (uint64_t)columns * HEED_DATES_CASES * (uint64_t)days;
    c.columns = heed_alloc(c.context, columns, sizeof *c.columns);
    c.slots = heed_alloc(c.context, c.capacity, sizeof *c.slots);
    heed_status status = c.columns == NULL || c.slots == NULL ? HEED_ENOMEM : HEED_OK;
    for (size_t i = 0; status == HEED_OK && i < columns; i++)
        c.columns[i] = (column){.locale = i / HEED_DATES_FORMATS, .format = i % HEED_DATES_FORMATS, .weight = 1};
    if (status == HEED_OK)
        status = count_all(&c, told);
    heed_release(c.context, c.slots);
    heed_release(c.context, c.columns);
    return status;
}

heed_status heed_dates_ceiling(heed_dates *d, double *out)
{
    enum { SLOTS = 1 << 24 }; /* of 16 bytes; two tables while one is remade */
    uint64_t told, all;
    HEED_TRY(heed_dates_count(d, 0, HEED_DATES_DAYS, SLOTS, &told, &all));
    *out = (double)told / (double)all;
    return HEED_OK;
}
