/* Colours of the heatmaps and of the curves. */
#ifndef HEED_PLOT_COLOUR_H
#define HEED_PLOT_COLOUR_H

#include <stddef.h>

typedef struct heed_colour {
    double red, green, blue; /* sRGB, 0..1 */
} heed_colour;

/* The sequential map: depth 0 is nearly white, 1 a deep indigo. Equal steps in depth look equally large, and lightness
 * falls all the way. */
heed_colour heed_colour_ramp(double depth);

/* The same map in the colours of a 256-colour terminal, as its indices, lightest first. */
enum { HEED_COLOUR_LEVELS = 8 };
extern const unsigned char heed_colour_indices[HEED_COLOUR_LEVELS];

/* The colour of the i-th curve of a panel (they repeat), and its index on a 256-colour terminal. */
heed_colour heed_colour_series(size_t i);
int         heed_colour_series_index(size_t i);

/* 0..255 each */
typedef struct heed_colour_bytes {
    unsigned char red, green, blue;
} heed_colour_bytes;
heed_colour_bytes heed_colour_to_bytes(heed_colour colour);

#endif
