#include "plot/terminal.h"

#include "plot/label.h"

#include <string.h>

static heed_status in_range(heed_context *c, const char *name, int value, int low, int high)
{
    if (value >= low && value <= high)
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "terminal: %s is out of its range (expected %d..%d, found %d)", name, low, high,
                     value);
}

heed_status heed_terminal_options(heed_context *c, const heed_plot_terminal_options *given,
                                  heed_plot_terminal_options *out)
{
    *out = given != NULL ? *given : (heed_plot_terminal_options){0};
    if (out->width == 0)
        out->width = 80;
    if (out->height == 0)
        out->height = 12;
    HEED_TRY(in_range(c, "width", out->width, 20, 1000));
    HEED_TRY(in_range(c, "height", out->height, 3, 100));
    return in_range(c, "colour", (int)out->colour, HEED_PLOT_MONOCHROME, HEED_PLOT_TRUECOLOUR);
}

void heed_terminal_repeat(heed_text *out, const char *text, int count)
{
    for (size_t length = strlen(text); count > 0; count--)
        heed_text_append(out, text, length);
}

void heed_terminal_newline(heed_text *out)
{
    while (out->length > 0 && out->bytes[out->length - 1] == ' ')
        out->bytes[--out->length] = '\0';
    heed_text_append(out, "\n", 1);
}

heed_status heed_terminal_title(heed_text *out, heed_zone *zone, const char *title,
                                const heed_plot_terminal_options *o)
{
    if (title == NULL)
        return HEED_OK;
    char *shown = heed_label_show(zone, title, o->ascii);
    char *cut = shown != NULL ? heed_label_cut(zone, shown, o->width, o->ascii) : NULL;
    if (cut == NULL)
        return HEED_ENOMEM;
    heed_text_printf(out, "%s\n\n", cut);
    return HEED_OK;
}

/* Hands the text over, if it was drawn, and frees it. */
static heed_status deliver(heed_context *c, heed_status status, heed_text *text, heed_plot_write *write, void *user)
{
    if (status == HEED_OK)
        status = heed_text_status(text);
    if (status == HEED_OK && !write(user, text->bytes, text->length))
        status = heed_fail(c, HEED_EIO, "terminal: the text could not be written");
    heed_text_free(text);
    return status;
}

heed_status heed_plot_terminal(heed_context *c, const heed_alignment *alignment,
                               const heed_plot_terminal_options *options, heed_plot_write *write, void *user)
{
    heed_text text = {.context = c};
    return deliver(c, heed_terminal_heatmap(c, alignment, options, &text), &text, write, user);
}

heed_status heed_plot_curves_terminal(heed_context *c, const heed_curves *curves,
                                      const heed_plot_terminal_options *options, heed_plot_write *write, void *user)
{
    heed_text text = {.context = c};
    return deliver(c, heed_terminal_curves(c, curves, options, &text), &text, write, user);
}
