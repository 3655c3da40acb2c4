#include "seq2seq/beam.h"

#include "base/random.h"
#include "heed/text.h"

#include <math.h>
#include <string.h>

heed_status heed_beam_start(heed_zone *z, const heed_beam_rules *rules, heed_beam *out)
{
    *out = (heed_beam){.rules = *rules};
    out->entries = heed_zone_alloc(z, (size_t)rules->width * (size_t)rules->most, sizeof *out->entries);
    out->done = rules->most == 0;
    return out->entries == NULL ? HEED_ENOMEM : HEED_OK;
}

const heed_beam_entry *heed_beam_step(const heed_beam *b, int step)
{
    return b->entries + (size_t)step * (size_t)b->rules.width;
}

static heed_beam_entry *step_of(heed_beam *b, int step) { return b->entries + (size_t)step * (size_t)b->rules.width; }

/* The entries that the next step goes on from; at first there is one, which has no tokens. */
static int rows_before(const heed_beam *b, const heed_beam_entry **before)
{
    static const heed_beam_entry start;
    *before = b->steps == 0 ? &start : heed_beam_step(b, b->steps - 1);
    return b->steps == 0 ? 1 : b->live;
}

static double rank(const heed_beam *b, double score, int length)
{
    return score / pow(length < 1 ? 1 : length, b->rules.length_penalty);
}

/* Keeps the best ends in order; among equals the earlier one stays first. */
static void add_end(heed_beam *b, heed_beam_end end)
{
    int at = b->end_count, width = b->rules.width;
    if (b->rules.coverage != NULL)
        end.rank += b->rules.coverage(b->rules.user, b, end.length, end.parent);
    b->ended++;
    while (at > 0 && b->ends[at - 1].rank < end.rank)
        at--;
    if (at >= width)
        return;
    int last = b->end_count < width ? b->end_count++ : width - 1;
    memmove(&b->ends[at + 1], &b->ends[at], (size_t)(last - at) * sizeof end);
    b->ends[at] = end;
}

/* One that says END after the tokens so far, which is how `candidate` goes on. */
static void end_here(heed_beam *b, const heed_beam_entry *candidate)
{
    double ranked = rank(b, candidate->score, b->steps + 1);
    add_end(b, (heed_beam_end){b->steps, candidate->parent, candidate->score, ranked});
}

/* What may be said: padding, unknown and start are no answers, and END is none too early. */
static int32_t first_token(const heed_beam *b) { return b->steps < b->rules.least ? HEED_END + 1 : HEED_END; }

/* ---- search */

/* Puts a candidate among the best so far, ordered; `count` of at most `most`. */
static int insert(heed_beam_entry *best, int count, int most, heed_beam_entry candidate)
{
    int at = count;
    while (at > 0 && best[at - 1].score < candidate.score)
        at--;
    if (at >= most)
        return count;
    int last = count < most ? count : most - 1;
    memmove(&best[at + 1], &best[at], (size_t)(last - at) * sizeof candidate);
    best[at] = candidate;
    return last + 1;
}

/* The best `most` ways to go on from all rows. */
static int find_best(const heed_beam *b, const float *x, int64_t stride, int32_t size, heed_beam_entry *best, int most)
{
    const heed_kernels *k = b->rules.kernels;
    const heed_beam_entry *before;
    int rows = rows_before(b, &before), count = 0;
    for (int row = 0; row < rows; row++, x += stride) {
        double base = before[row].score - (double)k->log_sum_exp(size, x);
        for (int32_t token = first_token(b); token < size && isfinite(base); token++) {
            float limit = count < most ? -INFINITY : nextafterf((float)(best[count - 1].score - base), -INFINITY);
            token += (int32_t)k->find_above(size - token, x + token, limit);
            if (token < size)
                count = insert(best, count, most, (heed_beam_entry){token, row, 0, base + (double)x[token]});
        }
    }
    return count;
}

/* Can nothing that lives come to a better end than what has ended? A longer hypothesis can only lose probability; what
 * it may gain by its length, the longest there is bounds. */
static bool settled(const heed_beam *b)
{
    const heed_beam_rules *r = &b->rules;
    if (b->live == 0 || b->ended >= ceil(r->patience * r->width))
        return true;
    double hope = rank(b, heed_beam_step(b, b->steps - 1)[0].score,
                       r->length_penalty > 0 ? r->most + 1 : b->steps + 1);
    return b->end_count >= r->wanted && b->ends[r->wanted - 1].rank >= hope;
}

static void search(heed_beam *b, const float *x, int64_t stride, int32_t size)
{
    /* of twice the width at most half end, so there are always enough to go on with */
    heed_beam_entry best[2 * HEED_BEAM_MOST + 1];
    int width = b->rules.width, count = find_best(b, x, stride, size, best, 2 * width), live = 0;
    heed_beam_entry *now = step_of(b, b->steps);
    for (int i = 0; i < count && live < width; i++) {
        if (best[i].token != HEED_END)
            now[live++] = best[i];
        else if (i < width) /* one that the beam would not hold does not count */
            end_here(b, &best[i]);
    }
    b->live = live;
    b->steps++;
    b->done = settled(b);
}

/* ---- drawing */

static void draw(heed_beam *b, const float *x, int64_t stride, int32_t size, heed_candidate *spare)
{
    const heed_drawing *d = b->rules.drawing;
    const heed_beam_entry *before;
    int rows = rows_before(b, &before), live = 0, count = b->steps == 0 ? b->rules.width : rows;
    heed_beam_entry *now = step_of(b, b->steps);
    for (int i = 0; i < count; i++) {
        int parent = b->steps == 0 ? 0 : i, sample = b->steps == 0 ? i : before[i].sample;
        heed_random r = {d->seed, b->rules.stream * HEED_BEAM_MOST + (uint64_t)sample, 2 * (uint64_t)b->steps};
        const float *of = x + parent * stride;
        double base = before[parent].score - (double)b->rules.kernels->log_sum_exp(size, of);
        int32_t token = heed_draw_token(d, of, first_token(b), size, heed_random_double(&r), spare);
        if (token < 0 || !isfinite(base))
            continue;
        heed_beam_entry next = {token, parent, sample, base + (double)of[token]};
        if (token == HEED_END)
            end_here(b, &next);
        else
            now[live++] = next;
    }
    b->live = live;
    b->steps++;
    b->done = live == 0;
}

/* ---- */

/* What still lives when the longest is reached counts if it was drawn, or if nothing has ended by itself: cut short is
 * better than nothing. */
static void finish(heed_beam *b)
{
    const heed_beam_entry *last = heed_beam_step(b, b->steps - 1);
    bool counts = b->rules.drawing != NULL || b->ended == 0;
    for (int i = 0; i < b->live && counts; i++)
        add_end(b, (heed_beam_end){b->steps, i, last[i].score, rank(b, last[i].score, b->steps)});
    b->done = true;
}

void heed_beam_advance(heed_beam *b, const float *x, int64_t stride, int32_t size, heed_candidate *spare)
{
    if (b->rules.drawing != NULL)
        draw(b, x, stride, size, spare);
    else
        search(b, x, stride, size);
    if (b->steps == b->rules.most && !b->done)
        finish(b);
}
