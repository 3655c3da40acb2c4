/* Heatmaps on a canvas: title, source labels, target labels beside the cells, and the bar that explains the colours. */
#include "plot/alignment.h"
#include "plot/label.h"
#include "plot/picture.h"

#include <math.h>

/* Everything's place, in points. */
typedef struct heed_heatmap_layout {
    heed_canvas          *canvas;
    heed_zone            *zone;
    const heed_alignment *alignment;
    heed_scale            scale;
    double                font;
    heed_text_style       label, small;
    const char          **source, **target; /* as shown */
    const char           *source_label, *target_label;
    heed_picture_title    title;
    double                cell;        /* side of a cell, the line after it included */
    bool                  slanted;     /* source labels are words: written at 45 degrees */
    double                header;      /* height of the source labels */
    double                overhang;    /* how far slanted labels reach beyond the cells */
    double                left, top;   /* of the cells */
    double                width, height; /* of the cells */
    double                bar_left, bar_height;
    double                page_width, page_height;
} heed_heatmap_layout;

static const double line_width = 0.5; /* between cells: a pixel at the default resolution */
static const double sine = 0.70710678118654752440; /* and cosine, of the slant */

/* Labels as shown and cut; *widest is the width of the widest. */
static heed_status prepare_labels(heed_heatmap_layout *l, const char *const *tokens, size_t count, const char ***out,
                                  double *widest)
{
    const char **labels = heed_alignment_labels(l->zone, tokens, count, false);
    if (labels == NULL)
        return HEED_ENOMEM;
    *widest = 0;
    for (size_t i = 0; i < count; i++) {
        labels[i] = heed_canvas_cut(l->canvas, l->zone, labels[i], &l->label, 14 * l->font);
        if (labels[i] == NULL)
            return HEED_ENOMEM;
        *widest = fmax(*widest, heed_canvas_measure(l->canvas, labels[i], &l->label));
    }
    *out = labels;
    return HEED_OK;
}

static heed_status prepare_axis(heed_heatmap_layout *l, const char *text, const char **out)
{
    *out = text != NULL ? heed_label_show(l->zone, text, false) : NULL;
    return text != NULL && *out == NULL ? HEED_ENOMEM : HEED_OK;
}

static void place_source_labels(heed_heatmap_layout *l, double widest)
{
    l->slanted = widest > l->cell;
    l->header = l->slanted ? (widest + l->font) * sine + 0.3 * l->font : 1.5 * l->font;
    l->overhang = 0;
    size_t count = l->alignment->source_count;
    for (size_t j = 0; l->slanted && j < count; j++) {
        double reach = (heed_canvas_measure(l->canvas, l->source[j], &l->label) + 0.5 * l->font) * sine;
        l->overhang = fmax(l->overhang, ((double)j + 0.5) * l->cell + reach - l->width);
    }
}

static double axis_room(const heed_heatmap_layout *l, const char *label) { return label != NULL ? 1.8 * l->font : 0; }

/* Sizes first, then places from left to right and from top to bottom. */
static heed_status place(heed_heatmap_layout *l)
{
    const heed_alignment *a = l->alignment;
    double source_widest, target_widest, font = l->font, margin = heed_picture_margin(font);
    HEED_TRY(prepare_labels(l, a->source, a->source_count, &l->source, &source_widest));
    HEED_TRY(prepare_labels(l, a->target, a->target_count, &l->target, &target_widest));
    HEED_TRY(prepare_axis(l, a->source_label, &l->source_label));
    HEED_TRY(prepare_axis(l, a->target_label, &l->target_label));

    double longest = (double)(a->source_count > a->target_count ? a->source_count : a->target_count);
    l->cell = round(fmin(fmax(22 * font / longest, 1.6 * font), 2.6 * font)); /* few cells are larger */
    l->width = (double)a->source_count * l->cell;
    l->height = (double)a->target_count * l->cell;
    place_source_labels(l, source_widest);

    l->left = ceil(margin + axis_room(l, l->target_label) + target_widest + 0.6 * font);
    l->bar_left = l->left + l->width + 1.5 * font;
    l->bar_height = round(fmin(fmax(l->height, 8 * font), 24 * font));
    double right = fmax(l->bar_left + 5 * font, l->left + l->width + l->overhang);
    l->page_width = ceil(fmax(right, margin + 24 * font) + margin);

    const char *title;
    HEED_TRY(heed_alignment_title(l->zone, a, &title));
    HEED_TRY(heed_picture_wrap_title(l->canvas, l->zone, title, font, l->page_width - 2 * margin, &l->title));
    l->top = ceil(margin + heed_picture_title_height(&l->title, font) + axis_room(l, l->source_label) + l->header);
    l->page_height = ceil(l->top + fmax(l->height, l->bar_height + 1.5 * font) + margin);
    return HEED_OK;
}

static void put_cells(const heed_heatmap_layout *l)
{
    heed_canvas_rectangle(l->canvas, l->left - line_width, l->top - line_width, l->width + line_width,
                          l->height + line_width, heed_picture_faint);
    for (size_t i = 0; i < l->alignment->target_count; i++)
        for (size_t j = 0; j < l->alignment->source_count; j++)
            heed_canvas_rectangle(l->canvas, l->left + (double)j * l->cell, l->top + (double)i * l->cell,
                                  l->cell - line_width, l->cell - line_width,
                                  heed_colour_ramp(heed_alignment_depth(l->alignment, &l->scale, i, j)));
}

static void put_source_labels(const heed_heatmap_layout *l)
{
    heed_text_style style = l->label;
    style.anchor = l->slanted ? HEED_ANCHOR_LEFT : HEED_ANCHOR_CENTRE;
    style.angle = l->slanted ? 45 : 0;
    double aside = l->slanted ? 0.3 * l->font : 0;
    for (size_t j = 0; j < l->alignment->source_count; j++)
        heed_canvas_text(l->canvas, l->left + ((double)j + 0.5) * l->cell + aside, l->top - 0.5 * l->font, l->source[j],
                         &style);
}

static void put_target_labels(const heed_heatmap_layout *l)
{
    heed_text_style style = l->label;
    style.anchor = HEED_ANCHOR_RIGHT;
    for (size_t i = 0; i < l->alignment->target_count; i++)
        heed_canvas_text(l->canvas, l->left - 0.6 * l->font, l->top + ((double)i + 0.5) * l->cell + 0.35 * l->font,
                         l->target[i], &style);
}

static void put_axes(const heed_heatmap_layout *l)
{
    heed_text_style style = l->small;
    style.anchor = HEED_ANCHOR_CENTRE;
    double above = l->top - l->header - 0.5 * l->font, beside = heed_picture_margin(l->font) + 0.7 * l->font;
    if (l->source_label != NULL)
        heed_canvas_text(l->canvas, l->left + l->width / 2, above, l->source_label, &style);
    style.angle = 90;
    if (l->target_label != NULL)
        heed_canvas_text(l->canvas, beside, l->top + l->height / 2, l->target_label, &style);
}

static heed_status put_bar(const heed_heatmap_layout *l)
{
    enum { STEPS = 128 };
    double width = l->font, bottom = l->top + l->bar_height;
    for (int i = 0; i < STEPS; i++) { /* each reaches to the bottom, under the next: no seams */
        double y = l->top + l->bar_height * i / STEPS;
        heed_canvas_rectangle(l->canvas, l->bar_left, y, width, bottom - y, heed_colour_ramp(1 - i / (STEPS - 1.0)));
    }
    heed_line_style tick = {line_width, heed_picture_grey, false};
    for (int i = 0; i < l->scale.count; i++) {
        double value = heed_scale_tick(&l->scale, i);
        double y = bottom - l->bar_height * value / heed_scale_end(&l->scale), x = l->bar_left + width;
        heed_canvas_line(l->canvas, (heed_point[]){{x, y}, {x + 0.3 * l->font, y}}, 2, &tick);
        HEED_TRY(heed_picture_put_number(l->canvas, l->zone, x + 0.6 * l->font, y + 0.35 * l->small.size, value,
                                         l->scale.decimals, &l->small));
    }
    heed_canvas_text(l->canvas, l->bar_left, bottom + 1.5 * l->font, "weight", &l->small);
    return HEED_OK;
}

static heed_status put_heatmap(heed_heatmap_layout *l)
{
    HEED_TRY(place(l));
    HEED_TRY(heed_canvas_begin_page(l->canvas, l->page_width, l->page_height));
    heed_picture_put_title(l->canvas, &l->title, l->font);
    put_cells(l);
    put_source_labels(l);
    put_target_labels(l);
    put_axes(l);
    HEED_TRY(put_bar(l));
    heed_canvas_end_page(l->canvas);
    return l->canvas->status;
}

heed_status heed_picture_heatmap(heed_canvas *v, const heed_alignment *a, const heed_plot_options *options)
{
    heed_zone zone;
    heed_zone_init(&zone, v->context);
    heed_heatmap_layout layout = {
        .canvas = v,
        .zone = &zone,
        .alignment = a,
        .scale = heed_alignment_scale(a, options->maximum),
        .font = options->font_size,
        .label = {.size = options->font_size, .colour = heed_picture_ink},
        .small = {.size = 0.85 * options->font_size, .colour = heed_picture_grey},
    };
    heed_status status = put_heatmap(&layout);
    heed_zone_free(&zone);
    return status;
}
