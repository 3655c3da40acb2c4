#include "plot/canvas.h"

#include "plot/label.h"

#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/ustring.h>

#ifndef HEED_PICTURES
static heed_status heed_canvas_open_cairo(heed_canvas *v, heed_canvas_kind kind)
{
    const char *name = kind == HEED_CANVAS_PNG ? ".png" : ".pdf";
    heed_status status =
        heed_fail(v->context, HEED_EUNSUPPORTED, "%s pictures: this heed was built without cairo and pango", name);
    heed_hint(v->context, "use .svg, .html or .txt, or build heed where pangocairo is found");
    return status;
}
#endif

heed_status heed_canvas_open(heed_context *c, heed_canvas_kind kind, const heed_plot_options *options, heed_text *out,
                             heed_canvas *v)
{
    *v = (heed_canvas){.context = c, .font = options->font, .resolution = options->resolution, .out = out};
    v->status = kind == HEED_CANVAS_SVG ? heed_canvas_open_svg(v) : heed_canvas_open_cairo(v, kind);
    return v->status;
}

heed_status heed_canvas_close(heed_canvas *v)
{
    if (v->calls != NULL)
        v->calls->close(v);
    v->calls = NULL;
    return v->status;
}

heed_status heed_canvas_begin_page(heed_canvas *v, double width, double height)
{
    v->width = width;
    v->height = height;
    if (v->status == HEED_OK)
        v->calls->begin_page(v);
    return v->status;
}

void heed_canvas_end_page(heed_canvas *v)
{
    if (v->status == HEED_OK)
        v->calls->end_page(v);
}

void heed_canvas_rectangle(heed_canvas *v, double x, double y, double width, double height, heed_colour colour)
{
    if (v->status == HEED_OK)
        v->calls->rectangle(v, x, y, width, height, colour);
}

void heed_canvas_line(heed_canvas *v, const heed_point *points, size_t count, const heed_line_style *style)
{
    if (v->status == HEED_OK && count > 1)
        v->calls->line(v, points, count, style);
}

void heed_canvas_text(heed_canvas *v, double x, double y, const char *text, const heed_text_style *style)
{
    if (v->status == HEED_OK)
        v->calls->text(v, x, y, text, style);
}

double heed_canvas_measure(heed_canvas *v, const char *text, const heed_text_style *style)
{
    return v->status == HEED_OK ? v->calls->measure(v, text, style) : 0;
}

char *heed_canvas_cut(heed_canvas *v, heed_zone *zone, const char *text, const heed_text_style *style, double width)
{
    char *cut = heed_zone_strdup(zone, text);
    double whole = heed_canvas_measure(v, text, style);
    /* the first guess assumes characters of equal width; then column by column */
    int columns = whole > width ? (int)(heed_label_columns(text) * width / whole) + 2 : 0;
    while (cut != NULL && columns > 1 && heed_canvas_measure(v, cut, style) > width)
        cut = heed_label_cut(zone, text, --columns, false);
    return cut;
}

/* One line of text being filled, and the places at which it may be broken. */
typedef struct heed_wrap {
    heed_canvas           *canvas;
    heed_zone             *zone;
    const heed_text_style *style;
    double                 width;
    const char           **lines;
    size_t                 count, most;
} heed_wrap;

static char *slice(heed_zone *zone, const char *text, size_t length)
{
    while (length > 0 && text[length - 1] == ' ')
        length--;
    return heed_zone_printf(zone, "%.*s", (int)length, text);
}

static heed_status add_line(heed_wrap *w, const char *text, size_t length)
{
    char *whole = slice(w->zone, text, length);
    char *line = whole != NULL ? heed_canvas_cut(w->canvas, w->zone, whole, w->style, w->width) : NULL;
    if (line == NULL)
        return HEED_ENOMEM;
    w->lines[w->count++] = line;
    return HEED_OK;
}

static heed_status fill_lines(heed_wrap *w, UBreakIterator *breaks, const char *text)
{
    size_t start = 0, fits = 0, length = strlen(text);
    for (int32_t next; (next = ubrk_next(breaks)) != UBRK_DONE; fits = (size_t)next) {
        char *line = slice(w->zone, text + start, (size_t)next - start);
        if (line == NULL)
            return HEED_ENOMEM;
        if (fits == start || heed_canvas_measure(w->canvas, line, w->style) <= w->width)
            continue;
        if (w->count + 1 == w->most) /* no line is left for the rest: it is cut */
            break;
        HEED_TRY(add_line(w, text + start, fits - start));
        start = fits;
    }
    return add_line(w, text + start, length - start);
}

heed_status heed_canvas_wrap(heed_canvas *v, heed_zone *zone, const char *text, const heed_text_style *style,
                             double width, size_t most, const char **lines, size_t *count)
{
    heed_wrap wrap = {v, zone, style, width, lines, 0, most};
    UErrorCode error = U_ZERO_ERROR;
    UText *utf8 = utext_openUTF8(NULL, text, -1, &error);
    UBreakIterator *breaks = ubrk_open(UBRK_LINE, "", NULL, 0, &error);
    ubrk_setUText(breaks, utf8, &error);
    heed_status status = U_SUCCESS(error) ? fill_lines(&wrap, breaks, text)
                                          : heed_fail(v->context, HEED_ENOMEM, "title: %s", u_errorName(error));
    if (breaks != NULL)
        ubrk_close(breaks);
    utext_close(utf8);
    *count = wrap.count;
    return status;
}
