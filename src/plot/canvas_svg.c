/* The .svg kind: shapes and text as such, so that any viewer can search and copy it. */
#include "plot/canvas.h"
#include "plot/label.h"
#include "plot/scale.h"

#include <string.h>

enum { DECIMALS = 2 }; /* a hundredth of a point is below what can be seen */

typedef struct heed_svg {
#ifdef HEED_PICTURES
    heed_typesetter *typesetter; /* NULL: there are no fonts here; the viewer may have some */
#endif
} heed_svg;

static void put(heed_canvas *v, const char *text) { heed_text_append(v->out, text, strlen(text)); }

static void put_attribute(heed_canvas *v, const char *name, double value)
{
    heed_text_printf(v->out, " %s=\"", name);
    heed_scale_number(v->out, value, DECIMALS);
    put(v, "\"");
}

static void put_colour(heed_canvas *v, const char *name, heed_colour colour)
{
    heed_colour_bytes rgb = heed_colour_to_bytes(colour);
    heed_text_printf(v->out, " %s=\"#%02x%02x%02x\"", name, rgb.red, rgb.green, rgb.blue);
}

static void put_escaped(heed_canvas *v, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<': put(v, "&lt;"); break;
        case '>': put(v, "&gt;"); break;
        case '&': put(v, "&amp;"); break;
        case '"': put(v, "&quot;"); break;
        default: heed_text_append(v->out, text, 1); break;
        }
}

static double measure(heed_canvas *v, const char *text, const heed_text_style *style)
{
#ifdef HEED_PICTURES
    heed_svg *own = v->own;
    if (own->typesetter != NULL)
        return heed_typesetter_measure(own->typesetter, text, style);
#endif
    const double column = 0.62; /* of the font's size; what most letters stay below */
    return heed_label_columns(text) * column * style->size;
}

static void begin_page(heed_canvas *v)
{
    put(v, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    put_attribute(v, "width", v->width);
    put_attribute(v, "height", v->height);
    put(v, " viewBox=\"0 0 ");
    heed_scale_number(v->out, v->width, DECIMALS);
    put(v, " ");
    heed_scale_number(v->out, v->height, DECIMALS);
    put(v, "\" font-family=\"");
    put_escaped(v, v->font);
    put(v, "\">\n");
    v->calls->rectangle(v, 0, 0, v->width, v->height, (heed_colour){1, 1, 1});
}

static void rectangle(heed_canvas *v, double x, double y, double width, double height, heed_colour colour)
{
    put(v, "<rect");
    put_attribute(v, "x", x);
    put_attribute(v, "y", y);
    put_attribute(v, "width", width);
    put_attribute(v, "height", height);
    put_colour(v, "fill", colour);
    put(v, "/>\n");
}

static void line(heed_canvas *v, const heed_point *points, size_t count, const heed_line_style *style)
{
    put(v, "<polyline fill=\"none\" stroke-linejoin=\"round\"");
    put_colour(v, "stroke", style->colour);
    put_attribute(v, "stroke-width", style->width);
    if (style->dashed)
        put(v, " stroke-dasharray=\"5 3\"");
    put(v, " points=\"");
    for (size_t i = 0; i < count; i++) {
        put(v, i > 0 ? " " : "");
        heed_scale_number(v->out, points[i].x, DECIMALS);
        put(v, ",");
        heed_scale_number(v->out, points[i].y, DECIMALS);
    }
    put(v, "\"/>\n");
}

static void put_text(heed_canvas *v, double x, double y, const char *text, const heed_text_style *style)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    put(v, "<text");
    put_attribute(v, "x", x);
    put_attribute(v, "y", y);
    put_attribute(v, "font-size", style->size);
    put_colour(v, "fill", style->colour);
    if (style->anchor != HEED_ANCHOR_LEFT)
        heed_text_printf(v->out, " text-anchor=\"%s\"", anchors[style->anchor]);
    if (style->bold)
        put(v, " font-weight=\"bold\"");
    if (style->angle != 0) {
        put(v, " transform=\"rotate(");
        heed_scale_number(v->out, -style->angle, DECIMALS);
        put(v, " ");
        heed_scale_number(v->out, x, DECIMALS);
        put(v, " ");
        heed_scale_number(v->out, y, DECIMALS);
        put(v, ")\"");
    }
    put(v, ">");
    put_escaped(v, text);
    put(v, "</text>\n");
}

static void end_page(heed_canvas *v) { put(v, "</svg>\n"); }

static void close_svg(heed_canvas *v)
{
#ifdef HEED_PICTURES
    heed_svg *own = v->own;
    heed_typesetter_free(v->context, own->typesetter);
#endif
    heed_release(v->context, v->own);
}

static const heed_canvas_calls calls = {measure, begin_page, rectangle, line, put_text, end_page, close_svg};

heed_status heed_canvas_open_svg(heed_canvas *v)
{
    heed_svg *own = heed_alloc(v->context, 1, sizeof *own);
    if (own == NULL)
        return HEED_ENOMEM;
#ifdef HEED_PICTURES
    heed_status status = heed_typesetter_create(v->context, v->font, &own->typesetter);
    if (status != HEED_OK && status != HEED_EUNSUPPORTED) {
        heed_release(v->context, own);
        return status;
    }
#endif
    v->own = own;
    v->calls = &calls;
    return HEED_OK;
}
