/* Alignments as the renderers need them: checked, with labels that can be shown. */
#ifndef HEED_PLOT_ALIGNMENT_H
#define HEED_PLOT_ALIGNMENT_H

#include "base/memory.h"
#include "heed/plot.h"

#include "plot/scale.h"

/* HEED_EINVAL, with the reason, where the alignment or `maximum` is not what heed/plot.h asks for. */
heed_status heed_alignment_check(heed_context *c, const heed_alignment *a, float maximum);

/* The scale of the weights: from 0 to `maximum` or, when that is 0, to a round value that covers all weights. */
heed_scale heed_alignment_scale(const heed_alignment *a, float maximum);

/* The weight of (target, source), as a share of the scale's end: 0..1. */
double heed_alignment_depth(const heed_alignment *a, const heed_scale *s, size_t target, size_t source);

/* Each token as something to show; NULL without memory. */
const char **heed_alignment_labels(heed_zone *zone, const char *const *tokens, size_t count, bool ascii);

/* Title and part; *out is NULL when there is neither. */
heed_status heed_alignment_title(heed_zone *zone, const heed_alignment *a, const char **out);

#endif
