/* The .png and .pdf kinds, drawn by cairo, and text set by pango. */
#ifdef HEED_PICTURES
#include "plot/canvas.h"

#include <math.h>
#include <pango/pangocairo.h>

#include <cairo-pdf.h>

struct heed_typesetter {
    PangoFontMap *fonts;
    PangoContext *pango;
    PangoLayout  *layout; /* one line at a time */
    const char   *font;
};

/* Whether there is any font at all; asked by name, for pango lists families that no font stands behind. */
static bool has_fonts(heed_typesetter *t)
{
    PangoFontDescription *description = pango_font_description_new();
    pango_font_description_set_family(description, t->font);
    PangoFont *font = pango_context_load_font(t->pango, description);
    pango_font_description_free(description);
    bool found = font != NULL;
    if (found)
        g_object_unref(font);
    return found;
}

heed_status heed_typesetter_create(heed_context *c, const char *font, heed_typesetter **out)
{
    *out = NULL;
    heed_typesetter *t = heed_alloc(c, 1, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    t->font = font;
    t->fonts = pango_cairo_font_map_new();
    t->pango = pango_font_map_create_context(t->fonts);
    if (!has_fonts(t)) {
        heed_typesetter_free(c, t);
        heed_status status = heed_fail(c, HEED_EUNSUPPORTED, "pictures: no fonts are installed");
        heed_hint(c, "install some (Debian: fonts-dejavu-core, fonts-noto-core), or use .svg, .html or .txt");
        return status;
    }
    /* one unit is one point, and shapes do not depend on the resolution or on the desktop's settings */
    pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(t->fonts), 72);
    pango_context_set_round_glyph_positions(t->pango, FALSE);
    pango_context_set_language(t->pango, pango_language_from_string("und"));
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(t->pango, options);
    cairo_font_options_destroy(options);
    t->layout = pango_layout_new(t->pango);
    pango_layout_set_single_paragraph_mode(t->layout, TRUE);
    *out = t;
    return HEED_OK;
}

void heed_typesetter_free(heed_context *c, heed_typesetter *t)
{
    if (t == NULL)
        return;
    if (t->layout != NULL)
        g_object_unref(t->layout);
    if (t->pango != NULL)
        g_object_unref(t->pango);
    g_object_unref(t->fonts);
    heed_release(c, t);
}

static void set_layout(heed_typesetter *t, const char *text, const heed_text_style *style)
{
    PangoFontDescription *description = pango_font_description_new();
    pango_font_description_set_family(description, t->font);
    pango_font_description_set_size(description, (int)lround(style->size * PANGO_SCALE));
    pango_font_description_set_weight(description, style->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(t->layout, description);
    pango_font_description_free(description);
    pango_layout_set_text(t->layout, text, -1);
}

static double layout_width(heed_typesetter *t)
{
    int width;
    pango_layout_get_size(t->layout, &width, NULL);
    return (double)width / PANGO_SCALE;
}

double heed_typesetter_measure(heed_typesetter *t, const char *text, const heed_text_style *style)
{
    set_layout(t, text, style);
    return layout_width(t);
}

typedef struct heed_cairo {
    heed_canvas_kind kind;
    heed_typesetter *typesetter;
    cairo_surface_t *surface; /* .pdf: of all pages; .png: of the page, on `pixels` */
    cairo_t         *cairo;
    unsigned char   *pixels;
} heed_cairo;

static double measure(heed_canvas *v, const char *text, const heed_text_style *style)
{
    heed_cairo *own = v->own;
    return heed_typesetter_measure(own->typesetter, text, style);
}

static void keep_status(heed_canvas *v, cairo_status_t status)
{
    if (v->status != HEED_OK || status == CAIRO_STATUS_SUCCESS)
        return;
    if (heed_text_status(v->out) != HEED_OK || status == CAIRO_STATUS_NO_MEMORY)
        v->status = heed_fail(v->context, HEED_ENOMEM, "picture: out of memory");
    else
        v->status = heed_fail(v->context, HEED_EINTERNAL, "picture: cairo: %s", cairo_status_to_string(status));
}

static cairo_status_t take_bytes(void *user, const unsigned char *bytes, unsigned int size)
{
    heed_text *out = user;
    heed_text_append(out, (const char *)bytes, size);
    return heed_text_status(out) == HEED_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void begin_pixels(heed_canvas *v)
{
    enum { MOST_PIXELS = 32767 }; /* a side; cairo's limit */
    heed_cairo *own = v->own;
    double scale = v->resolution / 72;
    double width = ceil(v->width * scale), height = ceil(v->height * scale);
    if (width > MOST_PIXELS || height > MOST_PIXELS) {
        v->status = heed_fail(v->context, HEED_EINVAL, "picture: too large (expected at most %d pixels a side, "
                              "found %.0f x %.0f)", MOST_PIXELS, width, height);
        heed_hint(v->context, "lower the resolution, or use .html, .svg or .pdf");
        return;
    }
    int stride = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, (int)width);
    own->pixels = heed_alloc(v->context, (size_t)stride, (size_t)height);
    if (own->pixels == NULL) {
        v->status = HEED_ENOMEM;
        return;
    }
    own->surface =
        cairo_image_surface_create_for_data(own->pixels, CAIRO_FORMAT_RGB24, (int)width, (int)height, stride);
    own->cairo = cairo_create(own->surface);
    cairo_scale(own->cairo, scale, scale);
}

static void begin_pdf_page(heed_canvas *v)
{
    heed_cairo *own = v->own;
    if (own->surface != NULL) {
        cairo_pdf_surface_set_size(own->surface, v->width, v->height);
        return;
    }
    own->surface = cairo_pdf_surface_create_for_stream(take_bytes, v->out, v->width, v->height);
    /* a fixed date: equal input gives equal bytes */
    cairo_pdf_surface_set_metadata(own->surface, CAIRO_PDF_METADATA_CREATE_DATE, "1970-01-01T00:00:00Z");
    cairo_pdf_surface_set_metadata(own->surface, CAIRO_PDF_METADATA_CREATOR, "heed");
    own->cairo = cairo_create(own->surface);
}

static void begin_page(heed_canvas *v)
{
    heed_cairo *own = v->own;
    if (own->kind == HEED_CANVAS_PNG)
        begin_pixels(v);
    else
        begin_pdf_page(v);
    if (v->status != HEED_OK)
        return;
    keep_status(v, cairo_status(own->cairo));
    heed_canvas_rectangle(v, 0, 0, v->width, v->height, (heed_colour){1, 1, 1});
}

static void set_colour(cairo_t *cairo, heed_colour colour)
{
    heed_colour_bytes rgb = heed_colour_to_bytes(colour); /* cairo would round otherwise than .svg and .html do */
    cairo_set_source_rgb(cairo, rgb.red / 255.0, rgb.green / 255.0, rgb.blue / 255.0);
}

static void rectangle(heed_canvas *v, double x, double y, double width, double height, heed_colour colour)
{
    heed_cairo *own = v->own;
    set_colour(own->cairo, colour);
    cairo_rectangle(own->cairo, x, y, width, height);
    cairo_fill(own->cairo);
}

static void line(heed_canvas *v, const heed_point *points, size_t count, const heed_line_style *style)
{
    static const double dashes[] = {5, 3};
    cairo_t *cairo = ((heed_cairo *)v->own)->cairo;
    set_colour(cairo, style->colour);
    cairo_set_line_width(cairo, style->width);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(cairo, dashes, style->dashed ? 2 : 0, 0);
    for (size_t i = 0; i < count; i++)
        cairo_line_to(cairo, points[i].x, points[i].y);
    cairo_stroke(cairo);
}

static void put_text(heed_canvas *v, double x, double y, const char *text, const heed_text_style *style)
{
    static const double shares[] = {0, 0.5, 1};
    heed_cairo *own = v->own;
    PangoLayout *layout = own->typesetter->layout;
    set_layout(own->typesetter, text, style);
    cairo_save(own->cairo);
    set_colour(own->cairo, style->colour);
    cairo_translate(own->cairo, x, y);
    cairo_rotate(own->cairo, -style->angle * G_PI / 180);
    cairo_translate(own->cairo, -shares[style->anchor] * layout_width(own->typesetter),
                    -(double)pango_layout_get_baseline(layout) / PANGO_SCALE);
    pango_cairo_show_layout(own->cairo, layout);
    cairo_restore(own->cairo);
}

static void end_page(heed_canvas *v)
{
    heed_cairo *own = v->own;
    if (own->kind == HEED_CANVAS_PDF)
        cairo_show_page(own->cairo);
    else
        keep_status(v, cairo_surface_write_to_png_stream(own->surface, take_bytes, v->out));
    keep_status(v, cairo_status(own->cairo));
}

static void close_cairo(heed_canvas *v)
{
    heed_cairo *own = v->own;
    cairo_destroy(own->cairo);
    if (own->surface != NULL) {
        cairo_surface_finish(own->surface);
        keep_status(v, cairo_surface_status(own->surface));
        cairo_surface_destroy(own->surface);
    }
    heed_release(v->context, own->pixels);
    heed_typesetter_free(v->context, own->typesetter);
    heed_release(v->context, own);
}

static const heed_canvas_calls calls = {measure, begin_page, rectangle, line, put_text, end_page, close_cairo};

heed_status heed_canvas_open_cairo(heed_canvas *v, heed_canvas_kind kind)
{
    heed_cairo *own = heed_alloc(v->context, 1, sizeof *own);
    if (own == NULL)
        return HEED_ENOMEM;
    own->kind = kind;
    heed_status status = heed_typesetter_create(v->context, v->font, &own->typesetter);
    if (status != HEED_OK) {
        heed_release(v->context, own);
        return status;
    }
    v->own = own;
    v->calls = &calls;
    return HEED_OK;
}
#else
typedef int heed_canvas_cairo_left_out; /* a translation unit may not be empty */
#endif
