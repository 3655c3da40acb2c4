#include "plot/picture.h"

#include "plot/label.h"
#include "plot/scale.h"

const heed_colour heed_picture_ink = {0.13, 0.13, 0.15}, heed_picture_grey = {0.45, 0.45, 0.48},
                  heed_picture_faint = {0.87, 0.87, 0.88};

static heed_status in_range(heed_context *c, const char *name, double value, double low, double high)
{
    if (value >= low && value <= high)
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "picture: %s is out of its range (expected %g..%g, found %g)", name, low, high,
                     value);
}

heed_status heed_picture_options(heed_context *c, const heed_plot_options *given, heed_plot_options *out)
{
    *out = given != NULL ? *given : (heed_plot_options){0};
    if (out->font_size == 0)
        out->font_size = 11;
    if (out->resolution == 0)
        out->resolution = 144;
    if (out->font == NULL)
        out->font = "sans-serif";
    HEED_TRY(in_range(c, "font_size", out->font_size, 4, 72));
    return in_range(c, "resolution", out->resolution, 36, 1200);
}

double heed_picture_margin(double font_size) { return 1.4 * font_size; }

static heed_text_style title_style(double font_size)
{
    return (heed_text_style){.size = 1.2 * font_size, .bold = true, .colour = heed_picture_ink};
}

static double title_line(double font_size) { return 1.6 * font_size; }

heed_status heed_picture_wrap_title(heed_canvas *v, heed_zone *zone, const char *text, double font_size, double width,
                                    heed_picture_title *out)
{
    out->count = 0;
    if (text == NULL)
        return HEED_OK;
    char *shown = heed_label_show(zone, text, false);
    if (shown == NULL)
        return HEED_ENOMEM;
    heed_text_style style = title_style(font_size);
    return heed_canvas_wrap(v, zone, shown, &style, width, HEED_TITLE_LINES, out->lines, &out->count);
}

double heed_picture_title_height(const heed_picture_title *t, double font_size)
{
    return t->count == 0 ? 0 : (double)t->count * title_line(font_size) + 0.6 * font_size;
}

void heed_picture_put_title(heed_canvas *v, const heed_picture_title *t, double font_size)
{
    heed_text_style style = title_style(font_size);
    double margin = heed_picture_margin(font_size);
    for (size_t i = 0; i < t->count; i++)
        heed_canvas_text(v, margin, margin + 0.9 * style.size + (double)i * title_line(font_size), t->lines[i], &style);
}

heed_status heed_picture_put_number(heed_canvas *v, heed_zone *zone, double x, double y, double value, int decimals,
                                    const heed_text_style *style)
{
    char *number = heed_scale_text(zone, value, decimals);
    if (number == NULL)
        return HEED_ENOMEM;
    heed_canvas_text(v, x, y, number, style);
    return HEED_OK;
}
