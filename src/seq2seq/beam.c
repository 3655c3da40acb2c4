#include "seq2seq/beam.h"

#include "heed/text.h"

#include <math.h>
#include <string.h>

heed_status heed_beam_start(heed_zone *z, int width, int most_steps, double penalty, heed_beam *out)
{
    *out = (heed_beam){.width = width, .most_steps = most_steps, .penalty = penalty};
    out->entries = heed_zone_alloc(z, (size_t)width * (size_t)most_steps, sizeof *out->entries);
    out->done = most_steps == 0;
    return out->entries == NULL ? HEED_ENOMEM : HEED_OK;
}

const heed_beam_entry *heed_beam_step(const heed_beam *b, int step)
{
    return b->entries + (size_t)step * (size_t)b->width;
}

static double rank(const heed_beam *b, double score, int length)
{
    return score / pow(length < 1 ? 1 : length, b->penalty);
}

/* Keeps the best `width` ends in order; among equals the earlier one stays first. */
static void add_end(heed_beam *b, heed_beam_end end)
{
    int at = b->end_count;
    while (at > 0 && b->ends[at - 1].rank < end.rank)
        at--;
    if (at >= b->width)
        return;
    int last = b->end_count < b->width ? b->end_count++ : b->width - 1;
    memmove(&b->ends[at + 1], &b->ends[at], (size_t)(last - at) * sizeof end);
    b->ends[at] = end;
}

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

void heed_beam_advance(heed_beam *b, const float *p, int64_t stride, int32_t size)
{
    /* of twice the width at most half end, so there are always enough to go on with */
    heed_beam_entry best[2 * HEED_BEAM_MOST + 1];
    const heed_beam_entry *before = b->steps == 0 ? NULL : heed_beam_step(b, b->steps - 1);
    int rows = before == NULL ? 1 : b->live, count = 0, most = 2 * b->width;
    for (int row = 0; row < rows; row++) {
        double so_far = before == NULL ? 0 : before[row].score;
        double least = count < most ? 0 : exp(best[count - 1].score - so_far); /* a better one has more probability */
        for (int32_t token = HEED_END; token < size; token++) { /* padding, unknown and start are no answers */
            float probability = p[row * stride + token];
            if (!(probability > least))
                continue;
            count = insert(best, count, most, (heed_beam_entry){token, row, so_far + log((double)probability)});
            least = count < most ? 0 : exp(best[count - 1].score - so_far);
        }
    }
    heed_beam_entry *now = b->entries + (size_t)b->steps * (size_t)b->width;
    b->live = 0;
    for (int i = 0; i < count && b->live < b->width; i++) {
        if (best[i].token == HEED_END)
            add_end(b, (heed_beam_end){b->steps, best[i].parent, best[i].score, rank(b, best[i].score, b->steps + 1)});
        else
            now[b->live++] = best[i];
    }
    b->steps++;
    /* a longer hypothesis can only lose probability; what it may gain by its length, the longest there is bounds */
    double hope = b->live == 0 ? -INFINITY : rank(b, now[0].score, b->penalty > 0 ? b->most_steps + 1 : b->steps + 1);
    b->done = b->live == 0 || (b->end_count == b->width && b->ends[b->end_count - 1].rank >= hope) ||
              (b->width == 1 && b->end_count == 1);
    if (b->steps == b->most_steps && !b->done)
        heed_beam_finish(b);
}

void heed_beam_finish(heed_beam *b)
{
    const heed_beam_entry *last = b->steps == 0 ? NULL : heed_beam_step(b, b->steps - 1);
    for (int i = 0, ended = b->end_count; i < b->live && ended == 0; i++) /* cut short is better than nothing */
        add_end(b, (heed_beam_end){b->steps, i, last[i].score, rank(b, last[i].score, b->steps)});
    b->done = true;
}
