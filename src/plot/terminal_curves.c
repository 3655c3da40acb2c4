/* Curves made of characters: braille dots, or a mark a curve. */
#include "plot/colour.h"
#include "plot/curves.h"
#include "plot/label.h"
#include "plot/terminal.h"

#include <math.h>
#include <string.h>

/* A panel's cells: what is drawn in each, and by which curve. */
typedef struct heed_raster {
    int            columns, rows;
    int            across, down; /* dots a cell: 2 and 4 of braille, 1 and 1 of marks */
    unsigned char *dots;         /* (rows, columns): bits of U+2800; 1 of marks */
    unsigned char *owner;        /* (rows, columns): the curve drawn last, from 1; 0: none */
} heed_raster;

typedef struct heed_curves_form {
    const heed_plot_terminal_options *options;
    heed_zone        *zone;
    heed_text        *out;
    heed_curve_panels panels;
    heed_raster       raster;
    int               label_columns;
    const char       *x_label;
} heed_curves_form;

static const char marks[] = "*o+x#%&@";
enum { MARKS = sizeof marks - 1, MOST_OWNERS = 255 };

static bool coloured(const heed_curves_form *f) { return f->options->colour != HEED_PLOT_MONOCHROME; }

/* Braille cannot tell curves apart by itself. */
static bool in_braille(const heed_curves_form *f, const heed_curve_panel *p)
{
    return !f->options->ascii && (coloured(f) || p->count == 1);
}

/* The dot at (x, y), from the top left. */
static void set_dot(heed_raster *r, int x, int y, size_t curve)
{
    static const unsigned char braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int cell = y / r->down * r->columns + x / r->across;
    r->dots[cell] |= braille[y % r->down][x % r->across];
    r->owner[cell] = (unsigned char)(curve % MOST_OWNERS + 1);
}

static void draw_line(heed_raster *r, double x0, double y0, double x1, double y1, size_t curve)
{
    int steps = (int)ceil(fmax(fabs(x1 - x0), fabs(y1 - y0)));
    for (int i = 0; i <= steps; i++) {
        double share = steps > 0 ? (double)i / steps : 0;
        set_dot(r, (int)lround(x0 + share * (x1 - x0)), (int)lround(y0 + share * (y1 - y0)), curve);
    }
}

static void draw_curve(heed_curves_form *f, const heed_curve_panel *p, size_t k)
{
    heed_raster *r = &f->raster;
    double right = r->columns * r->across - 1, bottom = r->rows * r->down - 1, x0 = 0, y0 = NAN;
    for (size_t i = 0; i < p->curves[k]->count; i++) {
        double x = heed_curve_across(&f->panels, heed_curve_place(&f->panels, i)) * right;
        double y = (1 - heed_curve_height(p, p->curves[k], i)) * bottom;
        if (!isnan(y))
            draw_line(r, isnan(y0) ? x : x0, isnan(y0) ? y : y0, x, y, k);
        x0 = x;
        y0 = y;
    }
}

static void put_colour(heed_curves_form *f, size_t curve)
{
    heed_colour_bytes rgb = heed_colour_to_bytes(heed_colour_series(curve));
    switch (f->options->colour) {
    case HEED_PLOT_MONOCHROME: break;
    case HEED_PLOT_256: heed_text_printf(f->out, "\033[38;5;%dm", heed_colour_series_index(curve)); break;
    case HEED_PLOT_TRUECOLOUR: heed_text_printf(f->out, "\033[38;2;%d;%d;%dm", rgb.red, rgb.green, rgb.blue); break;
    }
}

static void put_cell(heed_curves_form *f, const heed_curve_panel *p, int cell)
{
    unsigned char dots = f->raster.dots[cell];
    if (dots == 0) {
        heed_text_append(f->out, " ", 1);
        return;
    }
    size_t curve = (size_t)f->raster.owner[cell] - 1;
    put_colour(f, curve);
    if (in_braille(f, p)) {
        const char utf8[] = {(char)0xE2, (char)(0xA0 + (dots >> 6)), (char)(0x80 + (dots & 0x3F))};
        heed_text_append(f->out, utf8, sizeof utf8);
    } else {
        heed_text_append(f->out, &marks[curve % MARKS], 1);
    }
    if (coloured(f))
        heed_text_printf(f->out, "\033[0m");
}

/* The panel's tick that belongs on a row; -1: none. */
static int tick_of_row(const heed_curve_panel *p, int row, int rows)
{
    int distance = (rows - 1) / (p->scale.count - 1), up = rows - 1 - row;
    return up % distance == 0 ? up / distance : -1;
}

/* Text on the right of `columns`. */
static void put_right(heed_text *out, const char *text, int columns)
{
    heed_terminal_repeat(out, " ", columns - (int)strlen(text));
    heed_text_append(out, text, strlen(text));
}

static heed_status put_rows(heed_curves_form *f, const heed_curve_panel *p)
{
    static const char *const axis[2][2] = {{"\xE2\x94\x82", "\xE2\x94\xA4"}, {"|", "+"}}; /* [ascii][tick] */
    const heed_raster *r = &f->raster;
    for (int row = 0; row < r->rows; row++) {
        int tick = tick_of_row(p, row, r->rows);
        const char *text = tick >= 0 ? heed_curve_tick(f->zone, p, tick) : "";
        if (text == NULL)
            return HEED_ENOMEM;
        put_right(f->out, text, f->label_columns);
        heed_text_printf(f->out, " %s", axis[f->options->ascii][tick >= 0]);
        for (int column = 0; column < r->columns; column++)
            put_cell(f, p, row * r->columns + column);
        heed_terminal_newline(f->out);
    }
    return HEED_OK;
}

/* Under the rows: the axis, and numbers below their places. */
static heed_status put_places(heed_curves_form *f)
{
    int columns = f->raster.columns, used = 0;
    heed_terminal_repeat(f->out, " ", f->label_columns + 1);
    heed_text_printf(f->out, "%s", f->options->ascii ? "+" : "\xE2\x94\x94");
    heed_terminal_repeat(f->out, f->options->ascii ? "-" : "\xE2\x94\x80", columns);
    heed_text_append(f->out, "\n", 1);
    heed_terminal_repeat(f->out, " ", f->label_columns + 2);
    heed_scale places = heed_curve_places(&f->panels, columns / 8 + 1);
    for (int i = 0; i < places.count; i++) {
        double tick = heed_scale_tick(&places, i);
        const char *number = heed_scale_text(f->zone, tick, places.decimals);
        if (number == NULL)
            return HEED_ENOMEM;
        int length = (int)strlen(number);
        int place = (int)lround(heed_curve_across(&f->panels, tick) * (columns - 1)) - length / 2;
        place = place < 0 ? 0 : place + length > columns ? columns - length : place;
        if (place < used + (used > 0)) /* would touch the one before */
            continue;
        heed_terminal_repeat(f->out, " ", place - used);
        heed_text_append(f->out, number, (size_t)length);
        used = place + length;
    }
    heed_terminal_newline(f->out);
    return HEED_OK;
}

static heed_status put_name(heed_curves_form *f, const char *name)
{
    char *shown = heed_label_show(f->zone, name, f->options->ascii);
    if (shown == NULL)
        return HEED_ENOMEM;
    heed_text_printf(f->out, "%s", shown);
    return HEED_OK;
}

static heed_status put_legend(heed_curves_form *f, const heed_curve_panel *p)
{
    HEED_TRY(put_name(f, p->name));
    size_t entries = heed_curve_panel_needs_legend(p) ? p->count : 0;
    for (size_t k = 0; k < entries; k++) {
        heed_text_printf(f->out, "   ");
        put_colour(f, k);
        if (in_braille(f, p))
            heed_terminal_repeat(f->out, "\xE2\xA0\xA4", 2);
        else
            heed_text_append(f->out, &marks[k % MARKS], 1);
        heed_text_printf(f->out, "%s ", coloured(f) ? "\033[0m" : "");
        HEED_TRY(put_name(f, p->curves[k]->name));
    }
    heed_terminal_newline(f->out);
    return HEED_OK;
}

/* As many rows as asked for, but for what it takes to have ticks at equal distances. */
static heed_status prepare_raster(heed_curves_form *f, const heed_curve_panel *p)
{
    heed_raster *r = &f->raster;
    int intervals = p->scale.count - 1, distance = (int)lround((f->options->height - 1.0) / intervals);
    r->rows = intervals * (distance > 1 ? distance : 1) + 1;
    r->columns = f->options->width - f->label_columns - 2;
    r->across = in_braille(f, p) ? 2 : 1;
    r->down = in_braille(f, p) ? 4 : 1;
    r->dots = heed_zone_alloc(f->zone, (size_t)r->columns, (size_t)r->rows);
    r->owner = heed_zone_alloc(f->zone, (size_t)r->columns, (size_t)r->rows);
    return r->dots != NULL && r->owner != NULL ? HEED_OK : HEED_ENOMEM;
}

static heed_status put_panel(heed_curves_form *f, const heed_curve_panel *p)
{
    HEED_TRY(prepare_raster(f, p));
    for (size_t k = p->count; k-- > 0;) /* the first comes out on top */
        draw_curve(f, p, k);
    HEED_TRY(put_legend(f, p));
    HEED_TRY(put_rows(f, p));
    return put_places(f);
}

static heed_status prepare(heed_curves_form *f, heed_context *c, const heed_curves *curves)
{
    HEED_TRY(heed_curves_arrange(c, f->zone, curves, f->options->log_scale, (f->options->height + 1) / 3, &f->panels));
    for (size_t p = 0; p < f->panels.count; p++)
        for (int i = 0; i < f->panels.panels[p].scale.count; i++) {
            const char *text = heed_curve_tick(f->zone, &f->panels.panels[p], i);
            if (text == NULL)
                return HEED_ENOMEM;
            int columns = (int)strlen(text);
            f->label_columns = columns > f->label_columns ? columns : f->label_columns;
        }
    f->x_label = heed_label_show(f->zone, curves->x_label != NULL ? curves->x_label : "epoch", f->options->ascii);
    return f->x_label != NULL ? HEED_OK : HEED_ENOMEM;
}

static heed_status put_curves(heed_curves_form *f, heed_context *c, const heed_curves *curves)
{
    HEED_TRY(prepare(f, c, curves));
    HEED_TRY(heed_terminal_title(f->out, f->zone, curves->title, f->options));
    for (size_t p = 0; p < f->panels.count; p++)
        HEED_TRY(put_panel(f, &f->panels.panels[p]));
    int beside = (f->raster.columns - heed_label_columns(f->x_label)) / 2;
    heed_terminal_repeat(f->out, " ", f->label_columns + 2 + beside);
    heed_text_printf(f->out, "%s\n", f->x_label);
    return HEED_OK;
}

heed_status heed_terminal_curves(heed_context *c, const heed_curves *curves, const heed_plot_terminal_options *options,
                                 heed_text *out)
{
    heed_plot_terminal_options filled;
    HEED_TRY(heed_terminal_options(c, options, &filled));
    heed_zone zone;
    heed_zone_init(&zone, c);
    heed_status status = put_curves(&(heed_curves_form){.options = &filled, .zone = &zone, .out = out}, c, curves);
    heed_zone_free(&zone);
    return status;
}
