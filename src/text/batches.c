#include "heed/text.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

/* The examples are shuffled, cut into pools of about so many batches, and sorted by length within each pool: a larger
 * pool wastes less on padding and meets fewer shapes, a smaller one mixes more from epoch to epoch. */
enum { POOL_BATCHES = 100 };

/* Batches of more examples than this have a multiple of it, so that budgets of tokens lead to few shapes. */
enum { ROUND = 8 };

/* Two independent orders are drawn for an epoch: of the examples, and of the batches. */
static const uint64_t stream_examples = 0x6578616d70, stream_batches = 0x6261746368;

typedef struct batch_range {
    uint64_t key; /* random; the batches stand in its order */
    int64_t  first, count;
    int32_t  source_length, target_length;
} batch_range;

struct heed_batches {
    heed_context *context;
    int64_t      *examples; /* (examples) in the order of the ranges before these were shuffled */
    batch_range  *ranges;
    size_t        count, capacity;
    int64_t       tokens, padded; /* of the examples, and of all batches with their padding */
};

/* An example while it is sorted. */
typedef struct sorted_example {
    uint64_t key;
    int64_t  index;
    int32_t  source_length, target_length;
} sorted_example;

/* A number for each index that is a function of seed, epoch, stream and index alone. */
static uint64_t draw_key(const heed_batches_config *config, uint64_t stream, uint64_t index)
{
    uint32_t words[4];
    heed_random_block(config->seed, stream << 24 ^ config->epoch, index, words);
    return (uint64_t)words[0] << 32 | words[1];
}

static int compare_keys(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_random(const void *a, const void *b)
{
    const sorted_example *x = a, *y = b;
    return x->key != y->key ? compare_keys(x->key, y->key) : (x->index > y->index) - (x->index < y->index);
}

/* By target first: a step of a decoder, with attention and the output layer, costs more than one of an encoder. Sources
 * rise and fall by turns, so that a batch over two lengths of the target has similar ones. */
static int compare_lengths(const void *a, const void *b)
{
    const sorted_example *x = a, *y = b;
    if (x->target_length != y->target_length)
        return x->target_length < y->target_length ? -1 : 1;
    if (x->source_length != y->source_length)
        return (x->source_length < y->source_length) == (x->target_length % 2 == 0) ? -1 : 1;
    return compare_random(a, b);
}

static int compare_ranges(const void *a, const void *b)
{
    const batch_range *x = a, *y = b;
    return x->key != y->key ? compare_keys(x->key, y->key) : (x->first > y->first) - (x->first < y->first);
}

static int32_t longer(int32_t a, int32_t b) { return a > b ? a : b; }

static sorted_example *shuffle_examples(heed_context *c, const heed_batches_config *config)
{
    sorted_example *examples = heed_alloc_raw(c, config->count, sizeof *examples);
    for (size_t i = 0; examples != NULL && i < config->count; i++)
        examples[i] = (sorted_example){
            .key = draw_key(config, stream_examples, i),
            .index = (int64_t)i,
            .source_length = config->source_lengths[i],
            .target_length = config->target_lengths != NULL ? config->target_lengths[i] : 0,
        };
    if (examples != NULL)
        qsort(examples, config->count, sizeof *examples, compare_random);
    return examples;
}

/* What an example of these lengths adds to a batch's size. */
static int64_t weight(const heed_batches_config *config, int32_t source_length, int32_t target_length)
{
    if (config->unit == HEED_BATCH_EXAMPLES)
        return 1;
    if (config->unit == HEED_BATCH_ALL_TOKENS)
        return (int64_t)source_length + target_length;
    if (config->unit == HEED_BATCH_TARGET_TOKENS && config->target_lengths != NULL)
        return target_length;
    return longer(source_length, target_length);
}

/* Examples in a pool; of batches of so many examples only the last pool has one that is not full. */
static size_t pool_size(const heed_batches_config *config, const sorted_example *examples)
{
    double all = 0;
    for (size_t i = 0; i < config->count; i++)
        all += (double)weight(config, examples[i].source_length, examples[i].target_length);
    double batch = all > 0 ? (double)config->size * (double)config->count / all : 1;
    double pool = batch < 1 ? POOL_BATCHES : batch * POOL_BATCHES;
    return pool < (double)config->count ? (size_t)pool : config->count;
}

/* How many of the sorted examples make the next batch. */
static size_t batch_size(const heed_batches_config *config, const sorted_example *examples, size_t count)
{
    int32_t source_length = 0, target_length = 0;
    size_t size = 0;
    while (size < count) {
        source_length = longer(source_length, examples[size].source_length);
        target_length = longer(target_length, examples[size].target_length);
        if (size > 0 && (int64_t)(size + 1) * weight(config, source_length, target_length) > config->size)
            break;
        size++;
    }
    bool round = config->unit != HEED_BATCH_EXAMPLES && size < count && size > ROUND;
    return round ? size - size % ROUND : size;
}

static heed_status add_range(heed_batches *b, const heed_batches_config *config, const sorted_example *examples,
                             size_t first, size_t count)
{
    HEED_TRY(heed_grow(b->context, (void **)&b->ranges, &b->capacity, b->count, sizeof *b->ranges));
    batch_range range = {
        .key = draw_key(config, stream_batches, b->count), .first = (int64_t)first, .count = (int64_t)count};
    for (size_t i = first; i < first + count; i++) {
        range.source_length = longer(range.source_length, examples[i].source_length);
        range.target_length = longer(range.target_length, examples[i].target_length);
        b->tokens += (int64_t)examples[i].source_length + examples[i].target_length;
        b->examples[i] = examples[i].index;
    }
    b->padded += range.count * ((int64_t)range.source_length + range.target_length);
    b->ranges[b->count++] = range;
    return HEED_OK;
}

static heed_status cut(heed_batches *b, const heed_batches_config *config, sorted_example *examples)
{
    size_t pool = pool_size(config, examples);
    for (size_t first = 0; first < config->count; first += pool) {
        size_t end = config->count - first < pool ? config->count : first + pool;
        qsort(examples + first, end - first, sizeof *examples, compare_lengths);
        for (size_t at = first, size; at < end; at += size) {
            size = batch_size(config, examples + at, end - at);
            HEED_TRY(add_range(b, config, examples, at, size));
        }
    }
    qsort(b->ranges, b->count, sizeof *b->ranges, compare_ranges);
    return HEED_OK;
}

static heed_status fill(heed_batches *b, const heed_batches_config *config)
{
    b->examples = heed_alloc_raw(b->context, config->count, sizeof *b->examples);
    sorted_example *examples = shuffle_examples(b->context, config);
    heed_status status = b->examples == NULL || examples == NULL ? HEED_ENOMEM : cut(b, config, examples);
    heed_release(b->context, examples);
    return status;
}

heed_status heed_batches_create(heed_context *c, const heed_batches_config *config, heed_batches **out)
{
    *out = NULL;
    if (config->count < 1 || config->size < 1)
        return heed_fail(c, HEED_EINVAL, "batches: nothing to make them of (expected examples and a size of 1 or more, "
                         "found %zu and %lld)", config->count, (long long)config->size);
    heed_batches *b = heed_alloc(c, 1, sizeof *b);
    if (b == NULL)
        return HEED_ENOMEM;
    b->context = c;
    heed_status status = fill(b, config);
    if (status != HEED_OK) {
        heed_batches_free(b);
        return status;
    }
    *out = b;
    return HEED_OK;
}

int64_t heed_batches_count(const heed_batches *b) { return (int64_t)b->count; }

heed_text_batch heed_batches_get(const heed_batches *b, int64_t index)
{
    const batch_range *range = &b->ranges[index];
    return (heed_text_batch){.examples = b->examples + range->first,
                             .count = range->count,
                             .source_length = range->source_length,
                             .target_length = range->target_length};
}

double heed_batches_padding(const heed_batches *b)
{
    return b->padded > 0 ? (double)(b->padded - b->tokens) / (double)b->padded : 0;
}

void heed_batches_free(heed_batches *b)
{
    if (b == NULL)
        return;
    heed_release(b->context, b->examples);
    heed_release(b->context, b->ranges);
    heed_release(b->context, b);
}
