#include "text/score_overlap.h"

#include "text/rewrite.h"

#include <math.h>
#include <stdlib.h>

/* Recall counts so many times as much as precision in chrF. */
static const double CHRF_BETA = 2;

static void init_line(heed_score_line *l, heed_context *c)
{
    *l = (heed_score_line){{.context = c}, {.context = c}, {.context = c}, {.context = c}};
}

static void free_line(heed_score_line *l)
{
    heed_ids_free(&l->points);
    heed_ids_free(&l->tokens);
    heed_ids_free(&l->visible);
    heed_ids_free(&l->words);
}

void heed_overlap_init(heed_overlap *o, heed_context *c, heed_score_kind kind, int word_order)
{
    *o = (heed_overlap){.context = c, .kind = kind, .word_order = word_order, .ngrams.context = c};
    heed_score_tokens_init(&o->tokens, c);
    init_line(&o->line, c);
}

void heed_overlap_free(heed_overlap *o)
{
    for (size_t i = 0; i < o->capacity; i++)
        free_line(&o->references[i]);
    free_line(&o->line);
    heed_release(o->context, o->references);
    heed_release(o->context, o->sequences);
    heed_ngrams_free(&o->ngrams);
    heed_score_tokens_free(&o->tokens);
}

static heed_status read_line(heed_overlap *o, heed_score_line *l, const char *text, size_t length)
{
    HEED_TRY(heed_rewrite_points(text, length, &l->points));
    HEED_TRY(heed_score_tokenize(&o->tokens, o->kind, &l->points, &l->tokens));
    HEED_TRY(heed_score_visible(&l->points, &l->visible));
    return o->word_order > 0 ? heed_score_words(&o->tokens, &l->points, &l->words) : HEED_OK;
}

heed_status heed_overlap_line(heed_overlap *o, const char *text, size_t length)
{
    o->count = 0;
    return read_line(o, &o->line, text, length);
}

static heed_status make_room(heed_overlap *o)
{
    size_t capacity = o->capacity == 0 ? 1 : 2 * o->capacity;
    heed_sequence *sequences = heed_alloc(o->context, capacity, sizeof *sequences);
    heed_score_line *references = heed_alloc(o->context, capacity, sizeof *references);
    if (sequences == NULL || references == NULL) {
        heed_release(o->context, sequences);
        heed_release(o->context, references);
        return HEED_ENOMEM;
    }
    for (size_t i = 0; i < capacity; i++)
        if (i < o->capacity)
            references[i] = o->references[i];
        else
            init_line(&references[i], o->context);
    heed_release(o->context, o->references);
    heed_release(o->context, o->sequences);
    o->references = references;
    o->sequences = sequences;
    o->capacity = capacity;
    return HEED_OK;
}

heed_status heed_overlap_reference(heed_overlap *o, const char *text, size_t length)
{
    if (o->count == o->capacity)
        HEED_TRY(make_room(o));
    return read_line(o, &o->references[o->count++], text, length);
}

static heed_sequence sequence(const heed_ids *ids) { return (heed_sequence){ids->ids, ids->count}; }

/* ---- BLEU */

/* The reference whose length is nearest, the shorter one of two. */
static size_t nearest_length(const heed_overlap *o)
{
    size_t own = o->line.tokens.count, nearest = 0, least = SIZE_MAX;
    for (size_t r = 0; r < o->count; r++) {
        size_t length = o->references[r].tokens.count, distance = length > own ? length - own : own - length;
        if (distance < least || (distance == least && length < nearest))
            nearest = length;
        least = distance < least ? distance : least;
    }
    return nearest;
}

static heed_status compare_bleu(heed_overlap *o)
{
    int64_t matches[HEED_BLEU_ORDERS];
    for (size_t r = 0; r < o->count; r++)
        o->sequences[r] = sequence(&o->references[r].tokens);
    HEED_TRY(heed_ngrams_match(&o->ngrams, sequence(&o->line.tokens), o->sequences, o->count, HEED_BLEU_ORDERS, matches));
    for (int n = 0; n < HEED_BLEU_ORDERS; n++) {
        o->bleu[n].own += heed_ngram_count(o->line.tokens.count, n + 1);
        o->bleu[n].match += matches[n];
    }
    o->length += (int64_t)o->line.tokens.count;
    o->reference_length += (int64_t)nearest_length(o);
    return HEED_OK;
}

/* What no n-gram matches counts as half a match, then a quarter, and so on ("exp" smoothing). */
static void result_bleu(const heed_overlap *o, heed_scores *out)
{
    double length = (double)o->length, reference_length = (double)o->reference_length, missing = 1, sum = 0;
    int64_t matches = 0;
    out->bleu_length = o->length;
    out->bleu_reference_length = o->reference_length;
    out->bleu_brevity = o->length >= o->reference_length ? 1 : o->length > 0 ? exp(1 - reference_length / length) : 0;
    for (int n = 0; n < HEED_BLEU_ORDERS; n++)
        matches += o->bleu[n].match;
    for (int n = 0; n < HEED_BLEU_ORDERS && matches > 0; n++) {
        double own = (double)o->bleu[n].own, match = (double)o->bleu[n].match;
        if (own > 0)
            out->bleu_precisions[n] = match > 0 ? 100 * match / own : 100 / ((missing *= 2) * own);
        sum += log(out->bleu_precisions[n]);
    }
    out->bleu = matches > 0 ? out->bleu_brevity * exp(sum / HEED_BLEU_ORDERS) : 0;
}

/* ---- chrF */

/* Mean precision and recall over the orders that both sides have, put together. */
static double chrf_of(const heed_overlap_counts *counts, int orders)
{
    double precision = 0, recall = 0, weight = CHRF_BETA * CHRF_BETA;
    int found = 0;
    for (int n = 0; n < orders; n++) {
        if (counts[n].own == 0 || counts[n].reference == 0)
            continue;
        precision += (double)counts[n].match / (double)counts[n].own;
        recall += (double)counts[n].match / (double)counts[n].reference;
        found++;
    }
    if (precision + recall == 0)
        return 0;
    precision /= found;
    recall /= found;
    return 100 * ((1 + weight) * precision * recall / (weight * precision + recall));
}

static heed_status count_chrf(heed_overlap *o, const heed_ids *own, const heed_ids *reference, int orders,
                              heed_overlap_counts *out)
{
    int64_t matches[HEED_CHRF_ORDERS];
    heed_sequence other = sequence(reference);
    HEED_TRY(heed_ngrams_match(&o->ngrams, sequence(own), &other, 1, orders, matches));
    for (int n = 0; n < orders; n++) {
        int64_t there = heed_ngram_count(reference->count, n + 1);
        out[n] = (heed_overlap_counts){there > 0 ? heed_ngram_count(own->count, n + 1) : 0, there, matches[n]};
    }
    return HEED_OK;
}

/* Of several references the best one counts, the first of equals. */
static heed_status compare_chrf(heed_overlap *o)
{
    heed_overlap_counts best[HEED_CHRF_ORDERS] = {{0}}, counts[HEED_CHRF_ORDERS];
    int orders = HEED_CHRF_CHARACTERS + o->word_order;
    double best_score = -1;
    for (size_t r = 0; r < o->count; r++) {
        const heed_score_line *l = &o->references[r];
        HEED_TRY(count_chrf(o, &o->line.visible, &l->visible, HEED_CHRF_CHARACTERS, counts));
        HEED_TRY(count_chrf(o, &o->line.words, &l->words, o->word_order, counts + HEED_CHRF_CHARACTERS));
        double score = chrf_of(counts, orders);
        for (int n = 0; n < orders && score > best_score; n++)
            best[n] = counts[n];
        best_score = score > best_score ? score : best_score;
    }
    for (int n = 0; n < orders; n++) {
        o->chrf[n].own += best[n].own;
        o->chrf[n].reference += best[n].reference;
        o->chrf[n].match += best[n].match;
    }
    return HEED_OK;
}

/* ---- both */

heed_status heed_overlap_compare(heed_overlap *o)
{
    int64_t count = (int64_t)o->count;
    HEED_TRY(compare_bleu(o));
    HEED_TRY(compare_chrf(o));
    o->most_references = o->lines == 0 || count > o->most_references ? count : o->most_references;
    o->fewest_references = o->lines == 0 || count < o->fewest_references ? count : o->fewest_references;
    o->lines++;
    return HEED_OK;
}

void heed_overlap_result(const heed_overlap *o, heed_scores *out)
{
    out->bleu = out->chrf = (double)NAN;
    out->chrf_word_order = o->word_order;
    if (o->lines == 0)
        return;
    result_bleu(o, out);
    out->chrf = chrf_of(o->chrf, HEED_CHRF_CHARACTERS + o->word_order);
}
