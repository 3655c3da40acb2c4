/* Pictures into files: the name's ending picks the form. Everything is drawn in memory and then written at once. */
#include "base/file.h"
#include "plot/alignment.h"
#include "plot/diagram.h"
#include "plot/page.h"
#include "plot/picture.h"
#include "plot/terminal.h"

#include <string.h>

typedef enum heed_plot_form { FORM_PNG, FORM_SVG, FORM_PDF, FORM_HTML, FORM_TXT, FORMS } heed_plot_form;

static const struct {
    const char      *ending;
    heed_canvas_kind kind;    /* of the first three */
    bool             several; /* heatmaps in one file */
    bool             curves;
} forms[FORMS] = {
    [FORM_PNG] = {".png", HEED_CANVAS_PNG, false, true},
    [FORM_SVG] = {".svg", HEED_CANVAS_SVG, false, true},
    [FORM_PDF] = {".pdf", HEED_CANVAS_PDF, true, true},
    [FORM_HTML] = {".html", 0, true, false},
    [FORM_TXT] = {".txt", 0, false, true},
};

/* FORMS when the name tells none. */
static heed_plot_form form_by_name(const char *path)
{
    int f = 0;
    while (f < FORMS && (strlen(path) <= strlen(forms[f].ending) || !heed_file_ends_with(path, forms[f].ending)))
        f++;
    return (heed_plot_form)f;
}

bool heed_plot_holds_several(const char *path)
{
    heed_plot_form form = form_by_name(path);
    return form < FORMS && forms[form].several;
}

static heed_status form_of(heed_context *c, const char *path, bool curves, heed_plot_form *out)
{
    *out = form_by_name(path);
    if (*out < FORMS && (forms[*out].curves || !curves))
        return HEED_OK;
    return heed_fail(c, HEED_EINVAL, "%s: cannot tell what kind of picture to make (expected a name ending in .png, "
                     ".svg, .pdf%s or .txt)", path, curves ? "" : ", .html");
}

/* Writes what was drawn, if it was, and frees it. */
static heed_status deliver(heed_context *c, heed_status status, const char *path, heed_text *bytes)
{
    if (status == HEED_OK)
        status = heed_text_status(bytes);
    if (status == HEED_OK)
        status = heed_file_write(c, path, bytes->bytes, bytes->length);
    heed_text_free(bytes);
    return status;
}

/* Draws heatmaps, or curves where they are not NULL. */
static heed_status draw(heed_context *c, heed_canvas_kind kind, const heed_alignment *alignments, size_t count,
                        const heed_curves *curves, const heed_plot_options *options, heed_text *out)
{
    heed_canvas canvas;
    heed_status status = heed_canvas_open(c, kind, options, out, &canvas);
    for (size_t i = 0; status == HEED_OK && i < count; i++)
        status = heed_picture_heatmap(&canvas, &alignments[i], options);
    if (status == HEED_OK && curves != NULL)
        status = heed_picture_curves(&canvas, curves, options);
    heed_status closed = heed_canvas_close(&canvas);
    return status != HEED_OK ? status : closed;
}

heed_status heed_plot_save(heed_context *c, const char *path, const heed_alignment *alignments, size_t count,
                           const heed_plot_options *options)
{
    heed_plot_options filled;
    heed_plot_form form;
    HEED_TRY(heed_picture_options(c, options, &filled));
    HEED_TRY(form_of(c, path, false, &form));
    if (count == 0 || (count > 1 && !forms[form].several))
        return heed_fail(c, HEED_EINVAL, "%s: wrong number of heatmaps (expected %s, found %zu)", path,
                         forms[form].several ? "1 or more" : "1; .pdf and .html take several", count);
    for (size_t i = 0; i < count; i++)
        HEED_TRY(heed_alignment_check(c, &alignments[i], filled.maximum));

    heed_text bytes = {.context = c};
    heed_plot_terminal_options plain = {.width = 1000, .maximum = filled.maximum};
    heed_status status = form == FORM_HTML  ? heed_page_heatmaps(c, alignments, count, &filled, &bytes)
                         : form == FORM_TXT ? heed_terminal_heatmap(c, alignments, &plain, &bytes)
                                            : draw(c, forms[form].kind, alignments, count, NULL, &filled, &bytes);
    return deliver(c, status, path, &bytes);
}

heed_status heed_plot_curves_save(heed_context *c, const char *path, const heed_curves *curves,
                                  const heed_plot_options *options)
{
    heed_plot_options filled;
    heed_plot_form form;
    HEED_TRY(heed_picture_options(c, options, &filled));
    HEED_TRY(form_of(c, path, true, &form));
    heed_text bytes = {.context = c};
    heed_plot_terminal_options plain = {.log_scale = filled.log_scale};
    heed_status status = form == FORM_TXT ? heed_terminal_curves(c, curves, &plain, &bytes)
                                          : draw(c, forms[form].kind, NULL, 0, curves, &filled, &bytes);
    return deliver(c, status, path, &bytes);
}

heed_status heed_plot_diagram_save(heed_context *c, const char *path, const heed_diagram *diagram,
                                   const heed_plot_options *options)
{
    heed_plot_options filled;
    heed_plot_form form;
    heed_canvas canvas;
    HEED_TRY(heed_picture_options(c, options, &filled));
    HEED_TRY(form_of(c, path, true, &form));
    if (form == FORM_TXT)
        return heed_fail(c, HEED_EINVAL, "%s: a diagram cannot be text (expected a name ending in .png, .svg or .pdf)", path);
    HEED_TRY(heed_diagram_check(c, diagram));
    heed_text bytes = {.context = c};
    heed_status status = heed_canvas_open(c, forms[form].kind, &filled, &bytes, &canvas);
    if (status == HEED_OK)
        status = heed_picture_diagram(&canvas, diagram, &filled);
    heed_status closed = heed_canvas_close(&canvas);
    return deliver(c, status != HEED_OK ? status : closed, path, &bytes);
}
