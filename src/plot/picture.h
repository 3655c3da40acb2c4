/* Heatmaps and curves on a canvas: one page each. */
#ifndef HEED_PLOT_PICTURE_H
#define HEED_PLOT_PICTURE_H

#include "heed/plot.h"
#include "plot/canvas.h"

/* The options with their defaults filled in; HEED_EINVAL where one is out of its range. */
heed_status heed_picture_options(heed_context *c, const heed_plot_options *given, heed_plot_options *out);

/* What is drawn was checked before. `options` are filled in. */
heed_status heed_picture_heatmap(heed_canvas *v, const heed_alignment *a, const heed_plot_options *options);
heed_status heed_picture_curves(heed_canvas *v, const heed_curves *curves, const heed_plot_options *options);

heed_status heed_picture_diagram(heed_canvas *v, const heed_diagram *diagram, const heed_plot_options *options);

/* The parts that heatmaps and curves share. All lengths grow with the font's size. */
enum { HEED_TITLE_LINES = 4 };

typedef struct heed_picture_title {
    const char *lines[HEED_TITLE_LINES];
    size_t      count;
} heed_picture_title;

/* The title in lines of at most that width; none when `text` is NULL. */
heed_status heed_picture_wrap_title(heed_canvas *v, heed_zone *zone, const char *text, double font_size, double width,
                                    heed_picture_title *out);
double heed_picture_title_height(const heed_picture_title *t, double font_size);
/* Draws it at the top left of the page. */
void   heed_picture_put_title(heed_canvas *v, const heed_picture_title *t, double font_size);
double heed_picture_margin(double font_size);

/* A number beside a tick. `style` says where the point lies. */
heed_status heed_picture_put_number(heed_canvas *v, heed_zone *zone, double x, double y, double value, int decimals,
                                    const heed_text_style *style);

extern const heed_colour heed_picture_ink, heed_picture_grey, heed_picture_faint; /* text, axes, grid */

#endif
