/* A surface to draw on: pages of rectangles, lines and text, in points (1/72 inch) from the top left corner. The kinds
 * are .png and .pdf (cairo and pango) and .svg (written here). */
#ifndef HEED_PLOT_CANVAS_H
#define HEED_PLOT_CANVAS_H

#include "base/memory.h"
#include "heed/plot.h"

#include "plot/colour.h"

typedef enum heed_canvas_kind { HEED_CANVAS_PNG, HEED_CANVAS_SVG, HEED_CANVAS_PDF } heed_canvas_kind;

/* Where the given point lies on the text: on its left, centre or right, always on the baseline. */
typedef enum heed_anchor { HEED_ANCHOR_LEFT, HEED_ANCHOR_CENTRE, HEED_ANCHOR_RIGHT } heed_anchor;

typedef struct heed_text_style {
    double      size; /* points */
    bool        bold;
    heed_colour colour;
    heed_anchor anchor;
    double      angle; /* degrees, anticlockwise around the point */
} heed_text_style;

typedef struct heed_line_style {
    double      width;
    heed_colour colour;
    bool        dashed;
} heed_line_style;

typedef struct heed_point {
    double x, y;
} heed_point;

typedef struct heed_canvas heed_canvas;

/* What each kind does. Failures are kept in canvas->status; after one, nothing is drawn any more. */
typedef struct heed_canvas_calls {
    double (*measure)(heed_canvas *v, const char *text, const heed_text_style *style); /* its width */
    void (*begin_page)(heed_canvas *v);
    void (*rectangle)(heed_canvas *v, double x, double y, double width, double height, heed_colour colour);
    void (*line)(heed_canvas *v, const heed_point *points, size_t count, const heed_line_style *style);
    void (*text)(heed_canvas *v, double x, double y, const char *text, const heed_text_style *style);
    void (*end_page)(heed_canvas *v);
    void (*close)(heed_canvas *v); /* also after a failure: gives back what the kind holds */
} heed_canvas_calls;

struct heed_canvas {
    heed_context            *context;
    const heed_canvas_calls *calls;
    const char              *font;
    double                   resolution; /* pixels an inch */
    heed_text               *out;        /* gets the file's bytes */
    double                   width, height; /* of the page */
    heed_status              status;
    void                    *own; /* the kind's */
};

/* Opens a canvas whose bytes are appended to `out`. HEED_EUNSUPPORTED: this heed has no such kind. `options` are filled
 * in (heed_picture_options). heed_canvas_close ends it on every way out, after a failed open too, and says how
 * it went. */
heed_status heed_canvas_open(heed_context *c, heed_canvas_kind kind, const heed_plot_options *options, heed_text *out,
                             heed_canvas *v);
heed_status heed_canvas_close(heed_canvas *v);

/* Pages, one after another; .png and .svg have one. Text can be measured before the first. */
heed_status heed_canvas_begin_page(heed_canvas *v, double width, double height);
void        heed_canvas_end_page(heed_canvas *v);

void heed_canvas_rectangle(heed_canvas *v, double x, double y, double width, double height, heed_colour colour);
void heed_canvas_line(heed_canvas *v, const heed_point *points, size_t count, const heed_line_style *style);
/* `text` is one line that heed_label_show made. */
void   heed_canvas_text(heed_canvas *v, double x, double y, const char *text, const heed_text_style *style);
double heed_canvas_measure(heed_canvas *v, const char *text, const heed_text_style *style);

/* `text` cut so that it fits the width, with an ellipsis if anything was cut; NULL without memory. */
char *heed_canvas_cut(heed_canvas *v, heed_zone *zone, const char *text, const heed_text_style *style, double width);

/* `text` broken into lines no wider than `width`, where its script allows it; at most `most`, the last one cut. */
heed_status heed_canvas_wrap(heed_canvas *v, heed_zone *zone, const char *text, const heed_text_style *style,
                             double width, size_t most, const char **lines, size_t *count);

/* The kinds. `open` sets v->calls and v->own. */
heed_status heed_canvas_open_svg(heed_canvas *v);
#ifdef HEED_PICTURES
heed_status heed_canvas_open_cairo(heed_canvas *v, heed_canvas_kind kind);
/* Widths as pango finds them, for the .svg kind too. */
typedef struct heed_typesetter heed_typesetter;
heed_status heed_typesetter_create(heed_context *c, const char *font, heed_typesetter **out);
void        heed_typesetter_free(heed_context *c, heed_typesetter *t);
double      heed_typesetter_measure(heed_typesetter *t, const char *text, const heed_text_style *style);
#endif

#endif
