#include "seq2seq/draw.h"

#include <math.h>

/* Does a come before b? The likelier one; among equals the first token. */
static bool before(const heed_candidate *a, const heed_candidate *b)
{
    return a->weight > b->weight || (a->weight == b->weight && a->token < b->token);
}

/* Lets the candidate at `at` sink in a heap of `count` whose top comes before all others. */
static void sink(heed_candidate *heap, int32_t count, int32_t at)
{
    heed_candidate moved = heap[at];
    for (int32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

/* What may be drawn, each by its weight, the likeliest having 1. */
static int32_t weigh(const heed_drawing *d, const float *x, int32_t first, int32_t size, heed_candidate *c)
{
    int32_t count = 0;
    double most = -INFINITY;
    for (int32_t token = first; token < size; token++)
        most = fmax(most, (double)x[token]);
    for (int32_t token = first; token < size; token++)
        if (x[token] > -INFINITY)
            c[count++] = (heed_candidate){token, exp(((double)x[token] - most) / d->temperature)};
    return count;
}

/* Moves the top of what is left of a heap of `count` behind it, which is where the n-th of the likeliest belongs. */
static double take(heed_candidate *heap, int32_t count, int32_t n)
{
    heed_candidate *place = &heap[count - 1 - n], top = heap[0];
    heap[0] = *place;
    sink(heap, count - 1 - n, 0);
    *place = top;
    return top.weight;
}

/* Brings the likeliest, as many as may be drawn, to the end of c; returns how many. */
static int32_t likeliest(const heed_drawing *d, heed_candidate *c, int32_t count)
{
    int32_t most = d->top_k > 0 && d->top_k < count ? d->top_k : count, taken = 0, n = 0;
    double total = 0, mass = 0;
    for (int32_t i = count / 2; i-- > 0;)
        sink(c, count, i);
    if (most < count)
        for (; taken < most; taken++)
            total += take(c, count, taken);
    else
        for (int32_t i = 0; i < count; i++)
            total += c[i].weight;
    for (; n < most && mass < d->top_p * total; n++)
        mass += n < taken ? c[count - 1 - n].weight : take(c, count, n);
    return n;
}

int32_t heed_draw_token(const heed_drawing *d, const float *x, int32_t first, int32_t size, double chance,
                        heed_candidate *spare)
{
    int32_t count = weigh(d, x, first, size, spare);
    int32_t n = d->top_k > 0 || d->top_p < 1 ? likeliest(d, spare, count) : count;
    const heed_candidate *c = spare + (count - n);
    double total = 0;
    for (int32_t i = 0; i < n; i++)
        total += c[i].weight;
    double at = chance * total;
    for (int32_t i = 0; i < n; i++) {
        at -= c[i].weight;
        if (at < 0)
            return c[i].token;
    }
    return n == 0 ? -1 : c[n - 1].token; /* what rounding has left */
}
