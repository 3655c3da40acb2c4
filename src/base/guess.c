#include "heed/base.h"

#include <string.h>

/* In bytes. Everything is near a name of two letters, and nobody misspells names of sixty by a letter or two. */
enum { SHORTEST = 3, LONGEST = 63 };

static int smaller(int a, int b) { return a < b ? a : b; }

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static int distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int rows[3][LONGEST + 1];
    int *older = rows[0], *old = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        old[j] = (int)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= b_length; j++) {
            int best = smaller(old[j - 1] + (a[i - 1] != b[j - 1]), smaller(old[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, older[j - 2] + 1);
            row[j] = best;
        }
        int *spare = older;
        older = old;
        old = row;
        row = spare;
    }
    return old[b_length];
}

void heed_guess_offer(heed_guess *g, const char *candidate)
{
    size_t word_length = strlen(g->word), length = strlen(candidate);
    if (word_length < SHORTEST || word_length > LONGEST || length > LONGEST)
        return;
    int d = distance(g->word, word_length, candidate, length);
    int most = 1 + (int)(word_length > length ? word_length : length) / 4;
    if (d <= most && (g->best == NULL || d < g->distance)) {
        g->best = candidate;
        g->distance = d;
    }
}
