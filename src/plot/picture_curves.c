/* Curves on a canvas: panels below one another, each with its name, its legend and its axes. */
#include "plot/curves.h"
#include "plot/label.h"
#include "plot/picture.h"

#include <math.h>

typedef struct heed_curves_layout {
    heed_canvas       *canvas;
    heed_zone         *zone;
    const heed_curves *curves;
    heed_curve_panels  panels;
    heed_picture_title title;
    const char        *x_label;
    double             font;
    heed_text_style    name, small;
    double             left, width, height; /* of a panel's plot */
    double             page_width;
} heed_curves_layout;

static const double line_width = 0.5;

static heed_status widest_tick(heed_curves_layout *l, double *widest)
{
    *widest = 0;
    for (size_t p = 0; p < l->panels.count; p++)
        for (int i = 0; i < l->panels.panels[p].scale.count; i++) {
            char *text = heed_curve_tick(l->zone, &l->panels.panels[p], i);
            if (text == NULL)
                return HEED_ENOMEM;
            *widest = fmax(*widest, heed_canvas_measure(l->canvas, text, &l->small));
        }
    return HEED_OK;
}

static double legend_line(const heed_curves_layout *l) { return 1.6 * l->font; }

static double sample_width(const heed_curves_layout *l) { return 2.2 * l->font; }

static heed_line_style curve_style(const heed_curves_layout *l, const heed_curve_panel *p, size_t k)
{
    return (heed_line_style){0.14 * l->font, heed_colour_series(k), heed_curve_validates(p->curves[k])};
}

/* Walks over the panel's name and legend, which flow from left to right and on to the next line, and draws them where
 * *y says, if `draw`. *y moves down to the last line's baseline. */
static heed_status flow_legend(heed_curves_layout *l, const heed_curve_panel *p, double *y, bool draw)
{
    char *name = heed_label_show(l->zone, p->name, false);
    if (name == NULL)
        return HEED_ENOMEM;
    if (draw)
        heed_canvas_text(l->canvas, l->left, *y, name, &l->name);
    double x = l->left + heed_canvas_measure(l->canvas, name, &l->name) + 1.8 * l->font;
    size_t entries = heed_curve_panel_needs_legend(p) ? p->count : 0;
    for (size_t k = 0; k < entries; k++) {
        char *curve = heed_label_show(l->zone, p->curves[k]->name, false);
        if (curve == NULL)
            return HEED_ENOMEM;
        double width = sample_width(l) + 0.5 * l->font + heed_canvas_measure(l->canvas, curve, &l->small);
        if (x + width > l->left + l->width && x > l->left) {
            x = l->left;
            *y += legend_line(l);
        }
        if (draw) {
            heed_line_style style = curve_style(l, p, k);
            double middle = *y - 0.3 * l->small.size;
            heed_canvas_line(l->canvas, (heed_point[]){{x, middle}, {x + sample_width(l), middle}}, 2, &style);
            heed_canvas_text(l->canvas, x + sample_width(l) + 0.5 * l->font, *y, curve, &l->small);
        }
        x += width + 1.4 * l->font;
    }
    return HEED_OK;
}

static heed_status put_axes(heed_curves_layout *l, const heed_curve_panel *p, double top)
{
    double bottom = top + l->height;
    heed_line_style grid = {line_width, heed_picture_faint, false}, axis = {line_width, heed_picture_grey, false};
    heed_text_style style = l->small;
    style.anchor = HEED_ANCHOR_RIGHT;
    for (int i = 0; i < p->scale.count; i++) {
        double y = bottom - l->height * i / (p->scale.count - 1);
        char *text = heed_curve_tick(l->zone, p, i);
        if (text == NULL)
            return HEED_ENOMEM;
        heed_canvas_line(l->canvas, (heed_point[]){{l->left, y}, {l->left + l->width, y}}, 2, i > 0 ? &grid : &axis);
        heed_canvas_text(l->canvas, l->left - 0.6 * l->font, y + 0.35 * style.size, text, &style);
    }
    style.anchor = HEED_ANCHOR_CENTRE;
    heed_scale places = heed_curve_places(&l->panels, 10);
    for (int i = 0; i < places.count; i++) {
        double place = heed_scale_tick(&places, i), x = l->left + l->width * heed_curve_across(&l->panels, place);
        heed_canvas_line(l->canvas, (heed_point[]){{x, bottom}, {x, bottom + 0.3 * l->font}}, 2, &axis);
        HEED_TRY(heed_picture_put_number(l->canvas, l->zone, x, bottom + 1.4 * l->font, place, places.decimals, &style));
    }
    return HEED_OK;
}

static heed_status put_curve(heed_curves_layout *l, const heed_curve_panel *p, size_t k, double top)
{
    const heed_curve *curve = p->curves[k];
    heed_line_style style = curve_style(l, p, k);
    heed_point *points = heed_zone_alloc(l->zone, curve->count, sizeof *points);
    if (points == NULL)
        return HEED_ENOMEM;
    size_t run = 0; /* points since the last gap */
    for (size_t i = 0; i <= curve->count; i++) {
        double height = i < curve->count ? heed_curve_height(p, curve, i) : (double)NAN;
        if (!isnan(height)) {
            points[run++] = (heed_point){l->left + l->width * heed_curve_across(&l->panels, heed_curve_place(&l->panels, i)),
                                         top + l->height * (1 - height)};
            continue;
        }
        heed_canvas_line(l->canvas, points, run, &style);
        double dot = 0.4 * l->font;
        if (run == 1)
            heed_canvas_rectangle(l->canvas, points[0].x - dot / 2, points[0].y - dot / 2, dot, dot, style.colour);
        run = 0;
    }
    return HEED_OK;
}

/* The panel's parts from *y on, or only their height; *y moves behind them. */
static heed_status flow_panel(heed_curves_layout *l, const heed_curve_panel *p, double *y, bool draw)
{
    *y += l->font;
    HEED_TRY(flow_legend(l, p, y, draw));
    double top = *y + 1.1 * l->font;
    if (draw) {
        HEED_TRY(put_axes(l, p, top));
        for (size_t k = 0; k < p->count; k++)
            HEED_TRY(put_curve(l, p, k, top));
    }
    *y = top + l->height + 2.6 * l->font;
    return HEED_OK;
}

static heed_status flow_panels(heed_curves_layout *l, double *y, bool draw)
{
    for (size_t p = 0; p < l->panels.count; p++)
        HEED_TRY(flow_panel(l, &l->panels.panels[p], y, draw));
    return HEED_OK;
}

static heed_status put_curves(heed_curves_layout *l, bool log_scale)
{
    double font = l->font, margin = heed_picture_margin(font), widest;
    HEED_TRY(heed_curves_arrange(l->canvas->context, l->zone, l->curves, log_scale, 6, &l->panels));
    HEED_TRY(widest_tick(l, &widest));
    l->x_label = heed_label_show(l->zone, l->curves->x_label != NULL ? l->curves->x_label : "epoch", false);
    if (l->x_label == NULL)
        return HEED_ENOMEM;
    l->left = ceil(margin + widest + 0.6 * font);
    l->page_width = ceil(l->left + l->width + 1.5 * margin);
    double title_width = l->page_width - 2 * margin;
    HEED_TRY(heed_picture_wrap_title(l->canvas, l->zone, l->curves->title, font, title_width, &l->title));

    double top = margin + heed_picture_title_height(&l->title, font), bottom = top;
    HEED_TRY(flow_panels(l, &bottom, false));
    HEED_TRY(heed_canvas_begin_page(l->canvas, l->page_width, ceil(bottom + 0.4 * font + margin)));
    heed_picture_put_title(l->canvas, &l->title, font);
    HEED_TRY(flow_panels(l, &top, true));
    heed_text_style style = l->small;
    style.anchor = HEED_ANCHOR_CENTRE;
    heed_canvas_text(l->canvas, l->left + l->width / 2, bottom + 0.4 * font, l->x_label, &style);
    heed_canvas_end_page(l->canvas);
    return l->canvas->status;
}

heed_status heed_picture_curves(heed_canvas *v, const heed_curves *curves, const heed_plot_options *options)
{
    heed_zone zone;
    heed_zone_init(&zone, v->context);
    double font = options->font_size;
    heed_curves_layout layout = {
        .canvas = v,
        .zone = &zone,
        .curves = curves,
        .font = font,
        .name = {.size = font, .bold = true, .colour = heed_picture_ink},
        .small = {.size = 0.85 * font, .colour = heed_picture_grey},
        .width = 42 * font,
        .height = 15 * font,
    };
    heed_status status = put_curves(&layout, options->log_scale);
    heed_zone_free(&zone);
    return status;
}
