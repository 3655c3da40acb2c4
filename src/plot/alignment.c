#include "plot/alignment.h"

#include "plot/label.h"

#include <math.h>
#include <string.h>

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

/* SentencePiece's mark of a word's begin. */
static const char word_mark[] = "\xE2\x96\x81";

static bool begins_word(const char *token) { return strncmp(token, word_mark, sizeof word_mark - 1) == 0; }

/* How tokens are shown: as they are, or as pieces, of which those within words are told apart unless nearly all are. */
typedef enum piece_form { WHOLE, PIECES, MARKED_PIECES } piece_form;

static piece_form find_form(const char *const *tokens, size_t count)
{
    size_t begins = 0;
    for (size_t i = 0; i < count; i++)
        begins += begins_word(tokens[i]);
    return begins == 0 ? WHOLE : 2 * begins >= count ? MARKED_PIECES : PIECES;
}

static char *show(heed_zone *zone, const char *token, bool first, piece_form form, bool ascii)
{
    bool begins = begins_word(token);
    if (form != WHOLE && begins)
        token = token[sizeof word_mark - 1] != '\0' ? token + sizeof word_mark - 1 : " ";
    char *label = heed_label_show(zone, token, ascii);
    bool marked = form == MARKED_PIECES && !begins && !first && label != NULL && heed_label_is_word(label);
    return marked ? heed_zone_printf(zone, "%s%s", ascii ? "+" : "\xC2\xB7", label) : label;
}

const char **heed_alignment_labels(heed_zone *zone, const char *const *tokens, size_t count, bool ascii)
{
    const char **labels = heed_zone_alloc(zone, count, sizeof *labels);
    piece_form form = find_form(tokens, count);
    for (size_t i = 0; labels != NULL && i < count; i++) {
        labels[i] = show(zone, tokens[i], i == 0, form, ascii);
        if (labels[i] == NULL)
            return NULL;
    }
    return labels;
}

heed_status heed_alignment_title(heed_zone *zone, const heed_alignment *a, const char **out)
{
    bool both = a->title != NULL && a->part != NULL;
    *out = both ? heed_zone_printf(zone, "%s (%s)", a->title, a->part) : a->title != NULL ? a->title : a->part;
    return both && *out == NULL ? HEED_ENOMEM : HEED_OK;
}
