/* Where the boxes and arrows of a diagram go: rows from top to bottom, every arrow downwards. */
#ifndef HEED_PLOT_DIAGRAM_H
#define HEED_PLOT_DIAGRAM_H

#include "base/memory.h"
#include "heed/plot.h"

/* A box, or a place where a long arrow passes a row. */
typedef struct heed_diagram_place {
    double width; /* set by the caller for boxes */
    double x;     /* of its middle */
    int    row, column;
    int    box; /* -1: an arrow passes */
} heed_diagram_place;

/* A stretch of an arrow, from one row to the next. */
typedef struct heed_diagram_stretch {
    int from, to; /* places */
} heed_diagram_stretch;

typedef struct heed_diagram_layout {
    heed_diagram_place *places; /* the boxes come first, as they were given */
    int                 place_count;
    heed_diagram_stretch *stretches; /* those of one arrow follow each other */
    int                 stretch_count;
    int                *first; /* of arrow i: its stretches are first[i]..first[i + 1] - 1 */
    int                 rows;
    double              width; /* of everything; x goes from 0 to it */
} heed_diagram_layout;

/* Arrows go from a box to one given later; HEED_EINVAL otherwise. All memory is the zone's. */
heed_status heed_diagram_check(heed_context *c, const heed_diagram *d);
/* `widths` are the boxes'; `gap` is what is left free between neighbours at least. */
heed_status heed_diagram_arrange(heed_zone *z, const heed_diagram *d, const double *widths, double gap,
                                 heed_diagram_layout *out);

#endif
