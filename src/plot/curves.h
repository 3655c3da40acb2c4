/* Training curves as the renderers need them: checked, and sorted into panels. */
#ifndef HEED_PLOT_CURVES_H
#define HEED_PLOT_CURVES_H

#include "base/memory.h"
#include "heed/plot.h"
#include "plot/scale.h"

enum { HEED_MOST_PANELS = 16 };

typedef struct heed_curve_panel {
    const char        *name;   /* borrowed from the curves */
    const heed_curve **curves; /* (count) */
    size_t             count;
    heed_scale         scale;  /* of the values; of their decimal logarithms where log_scale */
    bool               log_scale;
} heed_curve_panel;

typedef struct heed_curve_panels {
    heed_curve_panel panels[HEED_MOST_PANELS];
    size_t           count;
    size_t           epochs; /* values of the longest curve; the same for all panels */
    const double    *across; /* (epochs): where they stand; NULL: at 1, 2, 3 ... */
} heed_curve_panels;

/* Checks the curves (HEED_EINVAL, with the reason) and sorts them, in the order in which their panels first come up. */
heed_status heed_curves_arrange(heed_context *c, heed_zone *zone, const heed_curves *curves, bool log_scale, int ticks,
                                heed_curve_panels *out);

/* Whether the curve belongs to validation: its name starts with "val_". */
bool heed_curve_validates(const heed_curve *curve);

/* How high the value of epoch `i` (from 0) stands on the panel's scale, 0..1; NAN for a gap. */
double heed_curve_height(const heed_curve_panel *p, const heed_curve *curve, size_t i);

/* Where values `i` stand on the axis, and how far to the right a place on it is: 0..1. */
double heed_curve_place(const heed_curve_panels *p, size_t i);
double heed_curve_across(const heed_curve_panels *p, double place);

/* About `wanted` ticks of that axis. */
heed_scale heed_curve_places(const heed_curve_panels *p, int wanted);

/* The panel's i-th tick as text in the zone; NULL without memory. */
char *heed_curve_tick(heed_zone *zone, const heed_curve_panel *p, int i);

/* Whether the panel's name does not already say which curve it shows. */
bool heed_curve_panel_needs_legend(const heed_curve_panel *p);

#endif
