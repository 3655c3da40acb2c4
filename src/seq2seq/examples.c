#include "seq2seq/examples.h"

#include <string.h>

typedef heed_status pair_function(void *user, const heed_pair *pair);

static heed_status for_each_pair(heed_context *c, const char *pairs, const char *targets, pair_function *f, void *user)
{
    heed_corpus *corpus;
    HEED_TRY(heed_corpus_open(c, pairs, targets, &corpus));
    bool more = true;
    heed_status status = HEED_OK;
    while (status == HEED_OK && more) {
        heed_pair pair;
        status = heed_corpus_next(corpus, &more, &pair);
        if (status == HEED_OK && more)
            status = f(user, &pair);
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
        status = for_each_pair(c, pairs, targets, count_pair, &l);
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
    int64_t         longest;
} reading;

static heed_status read_pair(void *user, const heed_pair *p)
{
    reading *r = user;
    heed_examples *e = r->e;
    void *begins = e->begins;
    size_t used = 2 * (size_t)e->count;
    for (size_t i = 0; i < 3; i++) { /* room for two sides and the end */
        heed_status status = heed_grow(e->context, &begins, &e->begin_capacity, used + i, sizeof *e->begins);
        e->begins = begins;
        HEED_TRY(status);
    }
    size_t begin = e->ids.count;
    HEED_TRY(heed_tokenizer_encode(r->source, p->source, p->source_length, &e->ids));
    size_t middle = e->ids.count;
    HEED_TRY(heed_tokenizer_encode(r->target, p->target, p->target_length, &e->ids));
    size_t source = middle - begin, target = e->ids.count - middle;
    if (source > (size_t)r->longest || target > (size_t)r->longest || source == 0 || target == 0) {
        e->left_out++;
        e->ids.count = begin;
        return HEED_OK;
    }
    e->begins[used] = begin;
    e->begins[used + 1] = middle;
    e->begins[used + 2] = e->ids.count;
    e->count++;
    return HEED_OK;
}

heed_status heed_examples_read(heed_context *c, const heed_recipe_settings *s, const char *pairs, const char *targets,
                               heed_tokenizer *source, heed_tokenizer *target, heed_examples *out)
{
    *out = (heed_examples){.context = c, .ids = {.context = c}};
    reading r = {out, source, target, s->longest};
    heed_status status = for_each_pair(c, pairs, targets, read_pair, &r);
    if (status == HEED_OK && out->count == 0 && out->left_out == 0)
        status = heed_fail(c, HEED_EFORMAT, "%s: no pair to learn from", pairs);
    if (status == HEED_OK && out->count == 0)
        status = heed_fail(c, HEED_EFORMAT, "%s: no pair to learn from (%lld left out for their length)", pairs, (long long)out->left_out);
    if (status == HEED_OK) {
        out->source_lengths = heed_alloc(c, (size_t)out->count, sizeof(int32_t));
        out->target_lengths = heed_alloc(c, (size_t)out->count, sizeof(int32_t));
        if (out->source_lengths == NULL || out->target_lengths == NULL)
            status = HEED_ENOMEM;
    }
    for (int64_t i = 0; i < out->count && status == HEED_OK; i++) {
        out->source_lengths[i] = (int32_t)(out->begins[2 * i + 1] - out->begins[2 * i]);
        out->target_lengths[i] = (int32_t)(out->begins[2 * i + 2] - out->begins[2 * i + 1]);
        if (out->target_lengths[i] > out->longest_target)
            out->longest_target = out->target_lengths[i];
    }
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
    heed_ids_free(&e->ids);
    *e = (heed_examples){0};
}

int64_t heed_examples_fill(const heed_examples *e, const heed_text_batch *b, int32_t *source, int32_t *given, int32_t *answer)
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
