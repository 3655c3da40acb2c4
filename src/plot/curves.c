#include "plot/curves.h"

#include <math.h>
#include <string.h>

static const char validation[] = "val_";

bool heed_curve_validates(const heed_curve *curve)
{
    return strncmp(curve->name, validation, sizeof validation - 1) == 0;
}

static const char *panel_name(const heed_curve *curve)
{
    if (curve->panel != NULL)
        return curve->panel;
    return heed_curve_validates(curve) ? curve->name + sizeof validation - 1 : curve->name;
}

static heed_status check(heed_context *c, const heed_curves *curves)
{
    if (curves->count == 0 || curves->items == NULL)
        return heed_fail(c, HEED_EINVAL, "curves: there are none (expected 1 or more)");
    for (size_t i = 0; i < curves->count; i++) {
        const heed_curve *curve = &curves->items[i];
        if (curve->name == NULL)
            return heed_fail(c, HEED_EINVAL, "curves: curve %zu has no name", i);
        if (curve->values == NULL && curve->count > 0)
            return heed_fail(c, HEED_EINVAL, "curves: %s: values is NULL", curve->name);
    }
    return HEED_OK;
}

/* The value on the axis; NAN for a gap. */
static double axis_value(const heed_curve *curve, size_t i, bool log_scale)
{
    double value = i < curve->count ? curve->values[i] : NAN;
    if (log_scale)
        value = value > 0 ? log10(value) : NAN;
    return isfinite(value) ? value : NAN;
}

static heed_status add_to_panel(heed_context *c, heed_zone *zone, const heed_curves *curves, const heed_curve *curve,
                                heed_curve_panels *out)
{
    const char *name = panel_name(curve);
    size_t p = 0;
    while (p < out->count && strcmp(out->panels[p].name, name) != 0)
        p++;
    if (p == HEED_MOST_PANELS)
        return heed_fail(c, HEED_EINVAL, "curves: too many panels (expected at most %d)", HEED_MOST_PANELS);
    heed_curve_panel *panel = &out->panels[p];
    if (p == out->count) {
        panel->name = name;
        panel->curves = heed_zone_alloc(zone, curves->count, sizeof(const heed_curve *));
        if (panel->curves == NULL)
            return HEED_ENOMEM;
        out->count++;
    }
    panel->curves[panel->count++] = curve;
    out->epochs = curve->count > out->epochs ? curve->count : out->epochs;
    return HEED_OK;
}

static heed_status check_across(heed_context *c, const heed_curves *curves, heed_curve_panels *out)
{
    out->across = curves->across;
    for (size_t i = 0; i < out->epochs && out->across != NULL; i++)
        if (!isfinite(out->across[i]) || (i > 0 && out->across[i] < out->across[i - 1]))
            return heed_fail(c, HEED_EINVAL, "curves: place %zu of the values (expected a number not below the one before, "
                             "found %g)", i, out->across[i]);
    return HEED_OK;
}

/* Whole decades, few enough to be labelled. */
static heed_scale decades(double low, double high, int ticks)
{
    double first = floor(low), last = fmax(ceil(high), first + 1), step = ceil((last - first) / ticks);
    return (heed_scale){first, step, (int)ceil((last - first) / step) + 1, 0};
}

/* Sets the scale; false when there is no value to be seen (then it is 0..1). */
static bool find_scale(heed_curve_panel *p, bool log_scale, int ticks)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < p->count; k++)
        for (size_t i = 0; i < p->curves[k]->count; i++) {
            double value = axis_value(p->curves[k], i, log_scale);
            low = fmin(low, value); /* fmin and fmax pass over NAN */
            high = fmax(high, value);
        }
    bool any = low <= high;
    if (!any) {
        low = 0;
        high = 1;
    }
    p->log_scale = log_scale;
    p->scale = log_scale ? decades(low, high, ticks) : heed_scale_around(low, high, ticks);
    return any;
}

heed_status heed_curves_arrange(heed_context *c, heed_zone *zone, const heed_curves *curves, bool log_scale, int ticks,
                                heed_curve_panels *out)
{
    *out = (heed_curve_panels){.count = 0};
    HEED_TRY(check(c, curves));
    for (size_t i = 0; i < curves->count; i++)
        HEED_TRY(add_to_panel(c, zone, curves, &curves->items[i], out));
    HEED_TRY(check_across(c, curves, out));
    bool any = false;
    for (size_t p = 0; p < out->count; p++)
        any |= find_scale(&out->panels[p], log_scale, ticks);
    if (!any)
        return heed_fail(c, HEED_EINVAL, "curves: there is no finite %svalue in them", log_scale ? "positive " : "");
    return HEED_OK;
}

double heed_curve_height(const heed_curve_panel *p, const heed_curve *curve, size_t i)
{
    return (axis_value(curve, i, p->log_scale) - p->scale.first) / (heed_scale_end(&p->scale) - p->scale.first);
}

double heed_curve_place(const heed_curve_panels *p, size_t i) { return p->across != NULL ? p->across[i] : (double)i + 1; }

static double last_place(const heed_curve_panels *p) { return heed_curve_place(p, p->epochs - 1); }

double heed_curve_across(const heed_curve_panels *p, double place)
{
    double first = heed_curve_place(p, 0), range = last_place(p) - first;
    return range > 0 ? (place - first) / range : 0.5;
}

heed_scale heed_curve_places(const heed_curve_panels *p, int wanted)
{
    return p->across != NULL ? heed_scale_within(heed_curve_place(p, 0), last_place(p), wanted)
                             : heed_scale_epochs(p->epochs, wanted);
}

char *heed_curve_tick(heed_zone *zone, const heed_curve_panel *p, int i)
{
    double tick = heed_scale_tick(&p->scale, i);
    return p->log_scale ? heed_scale_text(zone, pow(10, tick), tick < 0 ? (int)-tick : 0)
                        : heed_scale_text(zone, tick, p->scale.decimals);
}

bool heed_curve_panel_needs_legend(const heed_curve_panel *p)
{
    return p->count > 1 || strcmp(p->curves[0]->name, p->name) != 0;
}
