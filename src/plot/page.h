/* The .html form: one page that needs nothing else. */
#ifndef HEED_PLOT_PAGE_H
#define HEED_PLOT_PAGE_H

#include "base/memory.h"
#include "heed/plot.h"

/* Appends the page to `out`. The alignments were checked; `options` are filled in. */
heed_status heed_page_heatmaps(heed_context *c, const heed_alignment *alignments, size_t count,
                               const heed_plot_options *options, heed_text *out);

#endif
