/* Axes: round ticks, and numbers as text (the same in every locale). */
#ifndef HEED_PLOT_SCALE_H
#define HEED_PLOT_SCALE_H

#include "base/memory.h"

/* Ticks at first, first + step, ..., `count` of them. */
typedef struct heed_scale {
    double first, step;
    int    count;
    int    decimals; /* that tell the ticks apart */
} heed_scale;

/* About `wanted` (>= 1) steps of 1, 2 or 5 times a power of ten, from the last round value at or below `low` to the
 * first at or above `high`. Finite numbers, low <= high. */
heed_scale heed_scale_around(double low, double high, int wanted);
/* Ticks within 1..last, about `wanted` of them: the multiples of a round whole number. */
heed_scale heed_scale_epochs(size_t last, int wanted);
/* Ticks within low..high, about `wanted` of them. */
heed_scale heed_scale_within(double low, double high, int wanted);

double heed_scale_tick(const heed_scale *s, int i);
double heed_scale_end(const heed_scale *s); /* the last tick */

/* Appends `value` with that many decimals; very large and very small ones as 1.5e-07. No "-0". */
void heed_scale_number(heed_text *out, double value, int decimals);
/* The same as text in the zone; NULL without memory. */
char *heed_scale_text(heed_zone *zone, double value, int decimals);

#endif
