/* Heatmaps made of characters: target tokens down, source tokens across. */
#include "plot/alignment.h"
#include "plot/colour.h"
#include "plot/label.h"
#include "plot/terminal.h"

#include <string.h>

enum { MOST_STACKED = 16 }; /* characters of a source label that stands upright */

/* How the source tokens are laid out. */
typedef struct heed_terminal_form {
    const heed_alignment             *alignment;
    const heed_plot_terminal_options *options;
    heed_zone   *zone;
    heed_text   *out;
    heed_scale   scale;
    const char **source, **target; /* as shown */
    int         *columns;          /* (source_count): of a cell */
    int          gap;              /* columns of each cell that stay empty */
    bool         stacked;          /* source labels: one character a line */
    int          label_columns;    /* of the target labels */
    int          room;             /* columns for cells */
} heed_terminal_form;

static bool framed(const heed_terminal_form *f) { return f->options->colour == HEED_PLOT_MONOCHROME; }

static int most_columns(const char *const *labels, size_t count)
{
    int most = 0;
    for (size_t i = 0; i < count; i++) {
        int columns = heed_label_columns(labels[i]);
        most = columns > most ? columns : most;
    }
    return most;
}

static bool all_stack(const char *const *labels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!heed_label_stacks(labels[i]))
            return false;
    return true;
}

/* Whether every word has room beside the others; their columns, a gap included, are set in any case. */
static bool words_fit(heed_terminal_form *f)
{
    int64_t sum = 0;
    for (size_t j = 0; j < f->alignment->source_count; j++) {
        int columns = heed_label_columns(f->source[j]);
        columns = columns < 2 ? 2 : columns > f->room - 1 ? f->room - 1 : columns;
        f->columns[j] = columns + 1;
        sum += f->columns[j];
    }
    return sum <= f->room;
}

static void set_columns(heed_terminal_form *f, int columns)
{
    for (size_t j = 0; j < f->alignment->source_count; j++)
        f->columns[j] = columns;
}

/* Characters get square cells of two columns, or narrow ones when only these fit; words stand side by side if they fit,
 * else upright if their script allows it, else side by side in several panels. */
static void choose_form(heed_terminal_form *f)
{
    size_t count = f->alignment->source_count, room = (size_t)f->room;
    int most = most_columns(f->source, count);
    if (most <= 2) {
        set_columns(f, most == 1 && 2 * count > room && count <= room ? 1 : 2);
    } else if (words_fit(f) || !all_stack(f->source, count)) {
        f->gap = 1;
    } else {
        f->stacked = true;
        set_columns(f, 2);
    }
}

static heed_status prepare(heed_terminal_form *f)
{
    const heed_alignment *a = f->alignment;
    f->scale = heed_alignment_scale(a, f->options->maximum);
    f->source = heed_alignment_labels(f->zone, a->source, a->source_count, f->options->ascii);
    f->target = heed_alignment_labels(f->zone, a->target, a->target_count, f->options->ascii);
    f->columns = heed_zone_alloc(f->zone, a->source_count, sizeof *f->columns);
    if (f->source == NULL || f->target == NULL || f->columns == NULL)
        return HEED_ENOMEM;
    int most = most_columns(f->target, a->target_count), limit = f->options->width / 3;
    f->label_columns = most > limit ? limit : most;
    f->room = f->options->width - f->label_columns - 1 - (framed(f) ? 2 : 0);
    choose_form(f);
    return HEED_OK;
}

/* A label in so many columns, on the left or the right of them. A mark after right-to-left text keeps a terminal that
 * orders such text from moving the columns. */
static heed_status put_label(heed_terminal_form *f, const char *label, int columns, bool to_the_right)
{
    char *cut = heed_label_cut(f->zone, label, columns, f->options->ascii);
    if (cut == NULL)
        return HEED_ENOMEM;
    int rest = columns - heed_label_columns(cut);
    heed_terminal_repeat(f->out, " ", to_the_right ? rest : 0);
    heed_text_append(f->out, cut, strlen(cut));
    if (heed_label_right_to_left(cut))
        heed_text_append(f->out, "\xE2\x80\x8E", 3);
    heed_terminal_repeat(f->out, " ", to_the_right ? 0 : rest);
    return HEED_OK;
}

static void indent(heed_terminal_form *f) { heed_terminal_repeat(f->out, " ", f->label_columns + 1 + framed(f)); }

/* The bytes of a label's `wanted`-th character with its marks; "" when there are fewer. */
static const char *character_at(const char *label, int wanted, size_t *length)
{
    const char *start = label, *next = label;
    int index = -1;
    for (uint32_t p; (p = heed_label_next(&next)) != 0; label = next) {
        if (heed_label_columns_of(p) == 0)
            continue;
        if (++index == wanted)
            start = label;
        else if (index > wanted)
            break;
    }
    *length = index >= wanted ? (size_t)(label - start) : 0;
    return start;
}

static heed_status put_stacked_labels(heed_terminal_form *f, size_t first, size_t end)
{
    int lines = 0;
    for (size_t j = first; j < end; j++) {
        int characters = heed_label_characters(f->source[j]);
        lines = characters > lines ? characters : lines;
    }
    lines = lines > MOST_STACKED ? MOST_STACKED : lines;
    for (int line = 0; line < lines; line++) {
        indent(f);
        for (size_t j = first; j < end; j++) {
            int characters = heed_label_characters(f->source[j]);
            int above = characters < lines ? lines - characters : 0; /* words stand on the heatmap */
            size_t length = 0;
            const char *character = line < above ? "" : character_at(f->source[j], line - above, &length);
            if (characters > lines && line == lines - 1) { /* cut */
                character = f->options->ascii ? "~" : "\xE2\x8B\xAE";
                length = strlen(character);
            }
            char *one = heed_zone_printf(f->zone, "%.*s", (int)length, character);
            if (one == NULL)
                return HEED_ENOMEM;
            HEED_TRY(put_label(f, one, f->columns[j], false));
        }
        heed_terminal_newline(f->out);
    }
    return HEED_OK;
}

static heed_status put_source_labels(heed_terminal_form *f, size_t first, size_t end)
{
    if (f->stacked)
        return put_stacked_labels(f, first, end);
    indent(f);
    for (size_t j = first; j < end; j++) {
        HEED_TRY(put_label(f, f->source[j], f->columns[j] - f->gap, false));
        heed_terminal_repeat(f->out, " ", f->gap);
    }
    heed_terminal_newline(f->out);
    return HEED_OK;
}

/* The nearest of `levels` shades, from 0. */
static int level_of(double share, int levels) { return (int)(share * (levels - 1) + 0.5); }

/* `columns` of the shade for a depth in 0..1. */
static void put_shade(heed_terminal_form *f, double depth, int columns)
{
    static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
    static const char *const blocks[] = {" ", "\xE2\x96\x91", "\xE2\x96\x92", "\xE2\x96\x93", "\xE2\x96\x88"};
    enum { ASCII_LEVELS = sizeof ascii / sizeof *ascii, BLOCK_LEVELS = sizeof blocks / sizeof *blocks };
    const heed_plot_terminal_options *o = f->options;
    double darkness = o->light_background ? depth : 1 - depth;
    heed_colour_bytes rgb;
    switch (o->colour) {
    case HEED_PLOT_MONOCHROME:
        heed_terminal_repeat(f->out, o->ascii ? ascii[level_of(depth, ASCII_LEVELS)]
                                              : blocks[level_of(depth, BLOCK_LEVELS)], columns);
        return;
    case HEED_PLOT_256:
        heed_text_printf(f->out, "\033[48;5;%dm", heed_colour_indices[level_of(darkness, HEED_COLOUR_LEVELS)]);
        break;
    case HEED_PLOT_TRUECOLOUR:
        rgb = heed_colour_to_bytes(heed_colour_ramp(darkness));
        heed_text_printf(f->out, "\033[48;2;%d;%d;%dm", rgb.red, rgb.green, rgb.blue);
        break;
    }
    heed_terminal_repeat(f->out, " ", columns);
    heed_text_printf(f->out, "\033[0m");
}

static void put_frame(heed_terminal_form *f)
{
    if (framed(f))
        heed_text_printf(f->out, "%s", f->options->ascii ? "|" : "\xE2\x94\x82");
}

static heed_status put_row(heed_terminal_form *f, size_t target, size_t first, size_t end)
{
    HEED_TRY(put_label(f, f->target[target], f->label_columns, true));
    heed_terminal_repeat(f->out, " ", 1);
    put_frame(f);
    for (size_t j = first; j < end; j++) {
        put_shade(f, heed_alignment_depth(f->alignment, &f->scale, target, j), f->columns[j] - f->gap);
        heed_terminal_repeat(f->out, " ", j + 1 < end ? f->gap : 0);
    }
    put_frame(f);
    heed_terminal_newline(f->out);
    return HEED_OK;
}

static heed_status put_panel(heed_terminal_form *f, size_t first, size_t end)
{
    size_t count = f->alignment->source_count;
    if (end - first < count) {
        indent(f);
        heed_text_printf(f->out, "[%zu-%zu of %zu]\n", first + 1, end, count);
    }
    HEED_TRY(put_source_labels(f, first, end));
    for (size_t i = 0; i < f->alignment->target_count; i++)
        HEED_TRY(put_row(f, i, first, end));
    heed_terminal_newline(f->out);
    return HEED_OK;
}

/* As many columns as fit from `first` on; at least one. */
static size_t panel_end(const heed_terminal_form *f, size_t first)
{
    size_t end = first;
    int used = 0;
    do
        used += f->columns[end++];
    while (end < f->alignment->source_count && used + f->columns[end] <= f->room);
    return end;
}

/* Appends "across: label" behind what stands in the line already, or in a line of its own. */
static heed_status put_axis(heed_terminal_form *f, const char *where, const char *label, int *used)
{
    char *shown = label != NULL ? heed_label_show(f->zone, label, f->options->ascii) : NULL;
    char *whole = shown != NULL ? heed_zone_printf(f->zone, "%s: %s", where, shown) : NULL;
    char *cut = whole != NULL ? heed_label_cut(f->zone, whole, f->options->width, f->options->ascii) : NULL;
    if (cut == NULL)
        return label != NULL ? HEED_ENOMEM : HEED_OK;
    int columns = heed_label_columns(cut);
    bool beside = *used + 3 + columns <= f->options->width;
    heed_text_printf(f->out, "%s%s", beside ? "   " : "\n", cut);
    *used = beside ? *used + 3 + columns : columns;
    return HEED_OK;
}

/* What the shades mean, and the axes. */
static heed_status put_legend(heed_terminal_form *f)
{
    char *end = heed_scale_text(f->zone, heed_scale_end(&f->scale), f->scale.decimals);
    if (end == NULL)
        return HEED_ENOMEM;
    static const char start[] = "weight 0 ";
    int used = (int)(sizeof start - 1 + 2 * framed(f) + 1 + strlen(end));
    int steps = f->options->width - used;
    steps = steps > 20 ? 20 : steps < 2 ? 2 : steps;
    used += steps;
    heed_text_printf(f->out, "%s", start);
    put_frame(f);
    for (int i = 0; i < steps; i++)
        put_shade(f, i / (steps - 1.0), 1);
    put_frame(f);
    heed_text_printf(f->out, " %s", end);
    HEED_TRY(put_axis(f, "across", f->alignment->source_label, &used));
    HEED_TRY(put_axis(f, "down", f->alignment->target_label, &used));
    heed_terminal_newline(f->out);
    return HEED_OK;
}

static heed_status put_heatmap(heed_terminal_form *f)
{
    const char *title;
    HEED_TRY(prepare(f));
    HEED_TRY(heed_alignment_title(f->zone, f->alignment, &title));
    HEED_TRY(heed_terminal_title(f->out, f->zone, title, f->options));
    for (size_t first = 0, end; first < f->alignment->source_count; first = end) {
        end = panel_end(f, first);
        HEED_TRY(put_panel(f, first, end));
    }
    return put_legend(f);
}

heed_status heed_terminal_heatmap(heed_context *c, const heed_alignment *a, const heed_plot_terminal_options *options,
                                  heed_text *out)
{
    heed_plot_terminal_options filled;
    HEED_TRY(heed_terminal_options(c, options, &filled));
    HEED_TRY(heed_alignment_check(c, a, filled.maximum));
    heed_zone zone;
    heed_zone_init(&zone, c);
    heed_terminal_form form = {.alignment = a, .options = &filled, .zone = &zone, .out = out};
    heed_status status = put_heatmap(&form);
    heed_zone_free(&zone);
    return status;
}
