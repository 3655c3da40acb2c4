/* What the terminal forms of heatmaps and curves share. */
#ifndef HEED_PLOT_TERMINAL_H
#define HEED_PLOT_TERMINAL_H

#include "base/memory.h"
#include "heed/plot.h"

/* The options with their defaults filled in; HEED_EINVAL where one is out of its range. */
heed_status heed_terminal_options(heed_context *c, const heed_plot_terminal_options *given,
                                  heed_plot_terminal_options *out);

void heed_terminal_repeat(heed_text *out, const char *text, int count);
/* A line break, without the spaces before it. */
void heed_terminal_newline(heed_text *out);
/* The title, cut to the width, and an empty line; nothing when it is NULL. */
heed_status heed_terminal_title(heed_text *out, heed_zone *zone, const char *title,
                                const heed_plot_terminal_options *o);

/* Draws into `out`; heed_plot_terminal and heed_plot_curves_terminal do this and then write. */
heed_status heed_terminal_heatmap(heed_context *c, const heed_alignment *a, const heed_plot_terminal_options *options,
                                  heed_text *out);
heed_status heed_terminal_curves(heed_context *c, const heed_curves *curves, const heed_plot_terminal_options *options,
                                 heed_text *out);

#endif
