/* Boxes with text, and curved arrows between them. */
#include "plot/diagram.h"
#include "plot/label.h"
#include "plot/picture.h"

#include <math.h>
#include <string.h>

enum { LINES = 6, CURVE = 12 };

/* What is written in a box. */
typedef struct box_text {
    const char *lines[LINES];
    int         count;
} box_text;

typedef struct drawing {
    heed_canvas        *canvas;
    heed_zone          *zone;
    const heed_diagram *diagram;
    heed_diagram_layout layout;
    box_text           *texts;
    double             *row_tops, *row_heights;
    double              font, top;
    heed_picture_title  title;
} drawing;

static heed_text_style line_style(const drawing *d, int line)
{
    bool first = line == 0;
    return (heed_text_style){.size = first ? d->font : 0.85 * d->font, .bold = first, .anchor = HEED_ANCHOR_CENTRE,
                             .colour = first ? heed_picture_ink : heed_picture_grey};
}

static double line_height(const drawing *d, int line) { return (line == 0 ? 1.4 : 1.25) * d->font; }

static double padding(const drawing *d) { return 0.7 * d->font; }

/* ---- measuring ---- */

/* Adds a line, cut to a sensible width. */
static heed_status add_line(drawing *d, box_text *t, const char *text)
{
    heed_text_style style = line_style(d, t->count);
    char *shown = heed_label_show(d->zone, text, false);
    if (shown == NULL || t->count == LINES)
        return shown == NULL ? HEED_ENOMEM : HEED_OK;
    t->lines[t->count] = heed_canvas_cut(d->canvas, d->zone, shown, &style, 30 * d->font);
    return t->lines[t->count++] == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status add_lines(drawing *d, box_text *t, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = heed_zone_printf(d->zone, "%.*s", (int)length, text);
        if (line == NULL)
            return HEED_ENOMEM;
        HEED_TRY(add_line(d, t, line));
        text += length + (text[length] == '\n');
    }
    return HEED_OK;
}

static double text_width(const drawing *d, const box_text *t)
{
    double widest = 4 * d->font;
    for (int i = 0; i < t->count; i++) {
        heed_text_style style = line_style(d, i);
        widest = fmax(widest, heed_canvas_measure(d->canvas, t->lines[i], &style));
    }
    return ceil(widest + 2 * padding(d));
}

static double text_height(const drawing *d, const box_text *t)
{
    double height = padding(d);
    for (int i = 0; i < t->count; i++)
        height += line_height(d, i);
    return height;
}

static heed_status arrange(drawing *d)
{
    size_t count = d->diagram->box_count;
    double *widths = heed_zone_alloc(d->zone, count, sizeof *widths);
    d->texts = heed_zone_alloc(d->zone, count, sizeof *d->texts);
    if (widths == NULL || d->texts == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const heed_diagram_box *box = &d->diagram->boxes[i];
        HEED_TRY(add_line(d, &d->texts[i], box->name));
        HEED_TRY(add_lines(d, &d->texts[i], box->kind));
        HEED_TRY(add_lines(d, &d->texts[i], box->detail));
        widths[i] = text_width(d, &d->texts[i]);
    }
    return heed_diagram_arrange(d->zone, d->diagram, widths, 1.6 * d->font, &d->layout);
}

static heed_status stack_rows(drawing *d, double *bottom)
{
    heed_diagram_layout *l = &d->layout;
    d->row_tops = heed_zone_alloc(d->zone, (size_t)l->rows, sizeof *d->row_tops);
    d->row_heights = heed_zone_alloc(d->zone, (size_t)l->rows, sizeof *d->row_heights);
    if (d->row_tops == NULL || d->row_heights == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < l->place_count; i++)
        if (l->places[i].box >= 0)
            d->row_heights[l->places[i].row] =
                fmax(d->row_heights[l->places[i].row], text_height(d, &d->texts[l->places[i].box]));
    *bottom = d->top;
    for (int row = 0; row < l->rows; row++) {
        d->row_tops[row] = *bottom;
        *bottom += d->row_heights[row] + (row + 1 < l->rows ? 2.4 * d->font : 0);
    }
    return HEED_OK;
}

/* ---- drawing ---- */

static double left_of(const drawing *d) { return heed_picture_margin(d->font); }

static void put_frame(const drawing *d, double x, double y, double width, double height, bool accent)
{
    static const heed_colour plain = {0.96, 0.96, 0.97};
    heed_line_style edge = {.width = accent ? 1.2 : 0.7, .colour = accent ? heed_colour_ramp(0.75) : heed_picture_grey};
    heed_point corners[] = {{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}, {x, y}};
    heed_canvas_rectangle(d->canvas, x, y, width, height, accent ? heed_colour_ramp(0.12) : plain);
    heed_canvas_line(d->canvas, corners, 5, &edge);
}

/* A box stands at the top of its row. */
static void put_box(const drawing *d, const heed_diagram_place *p)
{
    const box_text *t = &d->texts[p->box];
    double x = left_of(d) + p->x, y = d->row_tops[p->row];
    put_frame(d, x - p->width / 2, y, p->width, text_height(d, t), d->diagram->boxes[p->box].accent);
    y += padding(d) / 2;
    for (int i = 0; i < t->count; i++) {
        heed_text_style style = line_style(d, i);
        y += line_height(d, i);
        heed_canvas_text(d->canvas, x, y - 0.3 * line_height(d, i), t->lines[i], &style);
    }
}

/* Where an arrow leaves a place, and where it comes to one. */
static heed_point leaving(const drawing *d, const heed_diagram_place *p)
{
    double height = p->box >= 0 ? text_height(d, &d->texts[p->box]) : d->row_heights[p->row];
    return (heed_point){left_of(d) + p->x, d->row_tops[p->row] + height};
}

static heed_point coming(const drawing *d, const heed_diagram_place *p)
{
    return (heed_point){left_of(d) + p->x, d->row_tops[p->row]};
}

/* A curve that leaves and comes vertically. */
static size_t add_curve(heed_point *points, heed_point a, heed_point b)
{
    double middle = (a.y + b.y) / 2;
    for (int i = 0; i <= CURVE; i++) {
        double t = (double)i / CURVE, s = 1 - t;
        double ease = s * s * s, end = t * t * t, first = 3 * s * s * t, second = 3 * s * t * t;
        points[i] = (heed_point){(ease + first) * a.x + (second + end) * b.x,
                                 ease * a.y + (first + second) * middle + end * b.y};
    }
    return CURVE + 1;
}

static heed_status put_arrow(const drawing *d, size_t arrow)
{
    const heed_diagram_layout *l = &d->layout;
    int first = l->first[arrow], count = l->first[arrow + 1] - first;
    heed_point *points = heed_zone_alloc(d->zone, (size_t)count * (CURVE + 2), sizeof *points);
    heed_line_style style = {.width = 0.9, .colour = heed_picture_grey};
    size_t used = 0;
    if (points == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < count; i++) {
        const heed_diagram_stretch *s = &l->stretches[first + i];
        used += add_curve(points + used, leaving(d, &l->places[s->from]), coming(d, &l->places[s->to]));
    }
    heed_canvas_line(d->canvas, points, used, &style);
    heed_point tip = points[used - 1];
    double wing = 0.35 * d->font;
    heed_point head[] = {{tip.x - 0.7 * wing, tip.y - 1.4 * wing}, tip, {tip.x + 0.7 * wing, tip.y - 1.4 * wing}};
    heed_canvas_line(d->canvas, head, 3, &style);
    return HEED_OK;
}

static heed_status put_all(drawing *d)
{
    double margin = heed_picture_margin(d->font), bottom;
    HEED_TRY(arrange(d));
    double width = ceil(d->layout.width + 2 * margin);
    HEED_TRY(heed_picture_wrap_title(d->canvas, d->zone, d->diagram->title, d->font, width - 2 * margin, &d->title));
    d->top = margin + heed_picture_title_height(&d->title, d->font);
    HEED_TRY(stack_rows(d, &bottom));
    HEED_TRY(heed_canvas_begin_page(d->canvas, width, ceil(bottom + margin)));
    heed_picture_put_title(d->canvas, &d->title, d->font);
    for (size_t i = 0; i < d->diagram->arrow_count; i++)
        HEED_TRY(put_arrow(d, i));
    for (int i = 0; i < d->layout.place_count; i++)
        if (d->layout.places[i].box >= 0)
            put_box(d, &d->layout.places[i]);
    heed_canvas_end_page(d->canvas);
    return d->canvas->status;
}

heed_status heed_picture_diagram(heed_canvas *v, const heed_diagram *diagram, const heed_plot_options *options)
{
    heed_zone zone;
    heed_zone_init(&zone, v->context);
    drawing d = {.canvas = v, .zone = &zone, .diagram = diagram, .font = options->font_size};
    heed_status status = put_all(&d);
    heed_zone_free(&zone);
    return status;
}
