#include "plot/alignment.h"

#include "plot/label.h"

#include <math.h>

static const float rounding = 1e-3f; /* how far a weight may lie outside 0..1 */

static heed_status check_tokens(heed_context *c, const char *side, const char *const *tokens, size_t count)
{
    if (count == 0 || tokens == NULL)
        return heed_fail(c, HEED_EINVAL, "heatmap: no %s tokens (expected 1 or more)", side);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] == NULL)
            return heed_fail(c, HEED_EINVAL, "heatmap: %s token %zu is NULL", side, i);
    return HEED_OK;
}

heed_status heed_alignment_check(heed_context *c, const heed_alignment *a, float maximum)
{
    HEED_TRY(check_tokens(c, "source", a->source, a->source_count));
    HEED_TRY(check_tokens(c, "target", a->target, a->target_count));
    if (a->weights == NULL)
        return heed_fail(c, HEED_EINVAL, "heatmap: weights is NULL");
    if (!(maximum >= 0 && maximum <= 1))
        return heed_fail(c, HEED_EINVAL, "heatmap: maximum is out of its range (expected 0..1, found %g)",
                         (double)maximum);
    for (size_t i = 0; i < a->target_count; i++)
        for (size_t j = 0; j < a->source_count; j++) {
            float weight = a->weights[i * a->source_count + j];
            if (!(weight >= -rounding && weight <= 1 + rounding))
                return heed_fail(c, HEED_EINVAL, "heatmap: weight of target %zu, source %zu (expected 0..1, found %g)",
                                 i, j, (double)weight);
        }
    return HEED_OK;
}

heed_scale heed_alignment_scale(const heed_alignment *a, float maximum)
{
    enum { TICKS = 5 };
    if (maximum > 0) { /* ends where it was told to, round or not */
        heed_scale s = heed_scale_around(0, (double)maximum, TICKS);
        if (heed_scale_end(&s) > (double)maximum * (1 + 1e-6))
            s = (heed_scale){0, (double)maximum, 2, 3};
        return s;
    }
    float largest = 0;
    for (size_t i = 0; i < a->target_count * a->source_count; i++)
        largest = fmaxf(largest, a->weights[i]);
    return heed_scale_around(0, largest > 0 ? fmin((double)largest, 1) : 1, TICKS);
}

double heed_alignment_depth(const heed_alignment *a, const heed_scale *s, size_t target, size_t source)
{
    double depth = (double)a->weights[target * a->source_count + source] / heed_scale_end(s);
    return fmin(fmax(depth, 0), 1);
}

const char **heed_alignment_labels(heed_zone *zone, const char *const *tokens, size_t count, bool ascii)
{
    const char **labels = heed_zone_alloc(zone, count, sizeof *labels);
    for (size_t i = 0; labels != NULL && i < count; i++) {
        labels[i] = heed_label_show(zone, tokens[i], ascii);
        if (labels[i] == NULL)
            return NULL;
    }
    return labels;
}
