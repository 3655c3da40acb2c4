#include "seq2seq/examples.h"

#include <stdio.h>
#include <string.h>

typedef heed_status pair_function(void *user, const heed_pair *pair);

/* Where pairs come from, and what of them is left out. */
typedef struct pair_source {
    const heed_recipe_settings *settings;
    const char                 *pairs, *targets;
    int64_t                     skipped[HEED_PAIR_FAULTS], first[HEED_PAIR_FAULTS]; /* how many; the first one's line */
} pair_source;

static heed_status for_each_pair(heed_context *c, pair_source *from, pair_function *f, void *user)
{
    heed_corpus *corpus;
    HEED_TRY(heed_corpus_open(c, from->pairs, from->targets, &corpus));
    if (strcmp(from->settings->bad_pairs, "skip") == 0)
        heed_corpus_skip_faults(corpus);
    bool more = true;
    heed_status status = HEED_OK;
    while (status == HEED_OK && more) {
        heed_pair pair;
        status = heed_corpus_next(corpus, &more, &pair);
        if (status == HEED_OK && more)
            status = f(user, &pair);
    }
    for (int i = 0; i < HEED_PAIR_FAULTS; i++) {
        from->skipped[i] = heed_corpus_skipped(corpus, (heed_pair_fault)i);
        from->first[i] = heed_corpus_first_skipped(corpus, (heed_pair_fault)i);
    }
    heed_corpus_free(corpus);
    return status;
}

/* ---- vocabularies */

typedef struct learning {
    heed_tokenizer *source, *target;
} learning;

static heed_status count_pair(void *user, const heed_pair *p)
{
    learning *l = user;
    HEED_TRY(heed_tokenizer_count(l->source, p->source, p->source_length));
    return heed_tokenizer_count(l->target, p->target, p->target_length);
}

static heed_status learn_vocabularies(heed_context *c, const learning *l, bool shared)
{
    int64_t counted, learnt;
    heed_tokenizer_texts(l->source, &counted, &learnt);
    if (learnt < counted)
        heed_log(c, HEED_LOG_NOTE, "the vocabulary is learnt from %lld of %lld lines", (long long)learnt,
                 (long long)counted);
    if (shared)
        return heed_tokenizer_learn_shared(l->source, l->target);
    HEED_TRY(heed_tokenizer_learn(l->source));
    return heed_tokenizer_learn(l->target);
}

heed_status heed_examples_learn(heed_context *c, const heed_recipe_settings *s, const char *pairs, const char *targets,
                                heed_tokenizer **source, heed_tokenizer **target)
{
    learning l = {NULL, NULL};
    heed_tokenizer_config sides[] = {heed_recipe_tokenizer(s, true), heed_recipe_tokenizer(s, false)};
    heed_status status = heed_tokenizer_create(c, &sides[0], &l.source);
    if (status == HEED_OK)
        status = heed_tokenizer_create(c, &sides[1], &l.target);
    if (status == HEED_OK)
        status = for_each_pair(c, &(pair_source){.settings = s, .pairs = pairs, .targets = targets}, count_pair, &l);
    if (status == HEED_OK)
        status = learn_vocabularies(c, &l, s->shared_vocabulary);
    if (status != HEED_OK) {
        heed_tokenizer_free(l.target);
        heed_tokenizer_free(l.source);
        l = (learning){NULL, NULL};
    }
    *source = l.source;
    *target = l.target;
    return status;
}

/* ---- ids */

typedef struct reading {
    heed_examples  *e;
    heed_tokenizer *source, *target;
    const heed_recipe_settings *settings;
    const char                 *path;
} reading;

/* Room for two sides and the end. */
static heed_status make_room(heed_examples *e)
{
    void *begins = e->begins;
    for (size_t i = 0; i < 3; i++) {
        heed_status status =
            heed_grow(e->context, &begins, &e->begin_capacity, 2 * (size_t)e->count + i, sizeof *e->begins);
        e->begins = begins;
        HEED_TRY(status);
    }
    return HEED_OK;
}

static heed_status spool_ids(heed_examples *e)
{
    if (!e->spool.open)
        HEED_TRY(heed_spool_open(e->context, &e->spool));
    HEED_TRY(heed_spool_write(&e->spool, e->ids.ids, e->ids.count * sizeof *e->ids.ids));
    e->spooled += e->ids.count;
    e->ids.count = 0;
    return HEED_OK;
}

/* A pair whose ids stand from `begin` on, `source` of them its source's. There is room for it. */
static heed_status add_pair(heed_examples *e, size_t begin, size_t source, const heed_recipe_settings *s)
{
    size_t *begins = e->begins + 2 * e->count++;
    begins[0] = e->spooled + begin;
    begins[1] = begins[0] + source;
    begins[2] = e->spooled + e->ids.count;
    e->tokens[0] += (int64_t)source;
    e->tokens[1] += (int64_t)(begins[2] - begins[1]);
    size_t kept = (size_t)s->corpus_megabytes << 20;
    return e->ids.count * sizeof *e->ids.ids > kept ? spool_ids(e) : HEED_OK;
}

static heed_status too_long(const reading *r, const heed_pair *p, size_t tokens)
{
    heed_fail(r->e->context, HEED_EFORMAT, "%s:%lld: too long a pair (expected at most %d tokens a side, found %zu)",
              r->path, (long long)p->number, r->settings->longest, tokens);
    heed_hint(r->e->context, "leave such pairs out by long_pairs=skip, or allow more by longest=%zu", tokens);
    return HEED_EFORMAT;
}

static heed_status read_pair(void *user, const heed_pair *p)
{
    reading *r = user;
    heed_examples *e = r->e;
    HEED_TRY(make_room(e));
    size_t begin = e->ids.count, longest = (size_t)r->settings->longest;
    HEED_TRY(heed_tokenizer_encode(r->source, p->source, p->source_length, &e->ids));
    size_t source = e->ids.count - begin;
    HEED_TRY(heed_tokenizer_encode(r->target, p->target, p->target_length, &e->ids));
    size_t target = e->ids.count - begin - source;
    if (source > longest || target > longest || source == 0 || target == 0) {
        if (strcmp(r->settings->long_pairs, "error") == 0 && source > 0 && target > 0)
            return too_long(r, p, source > target ? source : target);
        if (e->left_out++ == 0)
            e->first_left_out = p->number;
        e->ids.count = begin;
        return HEED_OK;
    }
    for (size_t i = 0; i < source + target; i++)
        e->unknown[i >= source] += e->ids.ids[begin + i] == HEED_UNKNOWN;
    return add_pair(e, begin, source, r->settings);
}

/* Makes all ids one array, and the lengths. */
static heed_status finish(heed_examples *e)
{
    const void *map = e->ids.ids;
    if (e->spool.open) {
        HEED_TRY(spool_ids(e));
        HEED_TRY(heed_spool_map(&e->spool, &map));
        heed_ids_free(&e->ids);
    }
    e->all = map;
    e->source_lengths = heed_alloc(e->context, (size_t)e->count, sizeof(int32_t));
    e->target_lengths = heed_alloc(e->context, (size_t)e->count, sizeof(int32_t));
    if (e->source_lengths == NULL || e->target_lengths == NULL)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < e->count; i++) {
        e->source_lengths[i] = (int32_t)(e->begins[2 * i + 1] - e->begins[2 * i]);
        e->target_lengths[i] = (int32_t)(e->begins[2 * i + 2] - e->begins[2 * i + 1]);
        if (e->target_lengths[i] > e->longest_target)
            e->longest_target = e->target_lengths[i];
    }
    return HEED_OK;
}

static void tell_one(const heed_examples *e, const pair_source *from, int64_t left_out, int64_t first, const char *why)
{
    bool two = from->targets != NULL;
    int64_t all = e->count + e->left_out;
    for (int i = 0; i < HEED_PAIR_FAULTS; i++)
        all += from->skipped[i];
    if (left_out > 0)
        heed_log(e->context, HEED_LOG_WARNING, "%s%s%s: %lld of %lld pairs left out (%s), the first in line %lld",
                 from->pairs, two ? ", " : "", two ? from->targets : "", (long long)left_out, (long long)all, why,
                 (long long)first);
}

/* What is not learnt from, or tried. */
static void tell_left_out(const heed_examples *e, const pair_source *from)
{
    static const char *const faults[] = {[HEED_PAIR_NOT_TEXT] = "no UTF-8", [HEED_PAIR_NOT_TWO] = "not one TAB",
                                         [HEED_PAIR_EMPTY] = "an empty side"};
    for (int i = 0; i < HEED_PAIR_FAULTS; i++)
        tell_one(e, from, from->skipped[i], from->first[i], faults[i]);
    char too_long[64];
    snprintf(too_long, sizeof too_long, "a side of more than %d tokens, or none", from->settings->longest);
    tell_one(e, from, e->left_out, e->first_left_out, too_long);
    for (int side = 0; side < 2; side++)
        if (e->unknown[side] > 0)
            heed_log(e->context, HEED_LOG_NOTE, "%s: %lld of the %s's %lld tokens (%.2f %%) are not in the vocabulary",
                     side == 1 && from->targets != NULL ? from->targets : from->pairs, (long long)e->unknown[side],
                     side == 0 ? "source" : "target", (long long)e->tokens[side],
                     100 * (double)e->unknown[side] / (double)e->tokens[side]);
}

heed_status heed_examples_read(heed_context *c, const heed_recipe_settings *s, const char *pairs, const char *targets,
                               heed_tokenizer *source, heed_tokenizer *target, heed_examples *out)
{
    *out = (heed_examples){.context = c, .ids = {.context = c}, .spool.context = c};
    reading r = {out, source, target, s, pairs};
    pair_source from = {.settings = s, .pairs = pairs, .targets = targets};
    heed_status status = for_each_pair(c, &from, read_pair, &r);
    if (status == HEED_OK)
        tell_left_out(out, &from);
    if (status == HEED_OK && out->count == 0)
        status = out->left_out == 0
                     ? heed_fail(c, HEED_EFORMAT, "%s: no pair to learn from", pairs)
                     : heed_fail(c, HEED_EFORMAT, "%s: no pair to learn from (%lld left out for their length)", pairs,
                                 (long long)out->left_out);
    if (status == HEED_OK)
        status = finish(out);
    if (status != HEED_OK)
        heed_examples_free(out);
    return status;
}

/* ---- the same cut again */

typedef struct cutting {
    const heed_examples        *from;
    heed_examples              *to;
    const heed_recipe_settings *settings;
    heed_tokenizer             *sides[2];
    heed_random                 random;
} cutting;

/* A side that is not of bpe, or would become too long, stays as it is. */
static heed_status cut_side(cutting *u, int64_t example, int side)
{
    heed_ids *out = &u->to->ids;
    const int32_t *ids = heed_example(u->from, example, side);
    int32_t length = (side == 0 ? u->from->source_lengths : u->from->target_lengths)[example];
    heed_chance chance = {u->settings->piece_dropout, &u->random};
    size_t first = out->count;
    if (heed_tokenizer_cuts_by_chance(u->sides[side]))
        HEED_TRY(heed_tokenizer_cut_again(u->sides[side], ids, (size_t)length, &chance, out));
    if (out->count > first && out->count - first <= (size_t)u->settings->longest)
        return HEED_OK;
    out->count = first;
    for (int32_t i = 0; i < length; i++)
        HEED_TRY(heed_ids_add(out, ids[i]));
    return HEED_OK;
}

static heed_status cut_pair(cutting *u, int64_t example)
{
    heed_examples *e = u->to;
    HEED_TRY(make_room(e));
    size_t begin = e->ids.count;
    HEED_TRY(cut_side(u, example, 0));
    size_t source = e->ids.count - begin;
    HEED_TRY(cut_side(u, example, 1));
    return add_pair(e, begin, source, u->settings);
}

heed_status heed_examples_cut_again(const heed_examples *from, const heed_recipe_settings *s, heed_tokenizer *source,
                                    heed_tokenizer *target, uint64_t seed, uint64_t epoch, heed_examples *out)
{
    static const uint64_t stream_pieces = 0x706965636573;
    heed_context *c = from->context;
    *out = (heed_examples){.context = c, .ids = {.context = c}, .spool.context = c};
    cutting u = {from, out, s, {source, target}, {.seed = seed, .stream = stream_pieces ^ epoch << 48}};
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < from->count && status == HEED_OK; i++)
        status = cut_pair(&u, i);
    if (status == HEED_OK)
        status = finish(out);
    if (status != HEED_OK)
        heed_examples_free(out);
    return status;
}

void heed_examples_free(heed_examples *e)
{
    if (e->context == NULL)
        return;
    heed_release(e->context, e->target_lengths);
    heed_release(e->context, e->source_lengths);
    heed_release(e->context, e->begins);
    heed_spool_close(&e->spool);
    heed_ids_free(&e->ids);
    *e = (heed_examples){0};
}

int64_t heed_examples_fill(const heed_examples *e, const heed_text_batch *b, int32_t *source, int32_t *given,
                           int32_t *answer)
{
    size_t columns = (size_t)b->target_length + 1;
    int64_t tokens = 0;
    memset(source, 0, (size_t)b->count * (size_t)b->source_length * sizeof *source);
    memset(given, 0, (size_t)b->count * columns * sizeof *given);
    memset(answer, 0, (size_t)b->count * columns * sizeof *answer);
    for (int64_t i = 0; i < b->count; i++) {
        int64_t n = b->examples[i];
        size_t length = (size_t)e->target_lengths[n];
        memcpy(source + i * b->source_length, heed_example(e, n, 0), (size_t)e->source_lengths[n] * sizeof *source);
        given[(size_t)i * columns] = HEED_START;
        memcpy(given + (size_t)i * columns + 1, heed_example(e, n, 1), length * sizeof *given);
        memcpy(answer + (size_t)i * columns, heed_example(e, n, 1), length * sizeof *answer);
        answer[(size_t)i * columns + length] = HEED_END;
        tokens += (int64_t)length + 1;
    }
    return tokens;
}
