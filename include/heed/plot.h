/**
 * @file plot.h
 * Pictures for people to look at: what a model attended to (heatmaps), and how training went (curves).
 *
 * Every picture can go to a terminal or to a file; the file's name says which kind it becomes:
 *
 *     heed_alignment a = {source, source_count, target, target_count, weights, .title = "3 may 1979"};
 *     heed_plot_save(c, "alignment.png", &a, 1, NULL);
 *
 * | name ends in | what it becomes                                                                             |
 * | ------------ | ------------------------------------------------------------------------------------------- |
 * | .png         | one picture, 144 pixels an inch unless told otherwise                                       |
 * | .pdf         | a page a heatmap, fonts embedded                                                            |
 * | .svg         | one picture; its text stays text                                                            |
 * | .html        | one page that needs no network: all heatmaps to choose from, weights shown under the pointer |
 * | .txt         | what heed_plot_terminal() writes in 1000 columns without colour                             |
 *
 * .png and .pdf need a heed built with cairo and pango; without them they are HEED_EUNSUPPORTED, and the other forms
 * work. Labels may be in any script for which a font is installed. Equal input gives equal bytes, on one machine.
 *
 * Colour: lightness alone tells weights apart, so pictures survive a greyscale printer and colour-blind eyes. On paper
 * weight 0 is the lightest; on a terminal it is the darkest, unless its background is light.
 */
#ifndef HEED_PLOT_H
#define HEED_PLOT_H

#include "heed/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What each target token attended to. All pointers are borrowed for the length of a call. Text is UTF-8; tokens that
 *  would not show (a space, a line break, a control character) get a visible stand-in. Pieces of words as SentencePiece
 *  marks them lose the mark of a word's begin; those that go on with a word get a dot, if words are what most begin. */
typedef struct heed_alignment {
    const char *const *source; /**< the tokens attended to, shown across; none NULL */
    size_t             source_count; /**< 1 or more */
    const char *const *target; /**< the tokens that attended, shown down; none NULL */
    size_t             target_count; /**< 1 or more */
    const float       *weights; /**< (target_count, source_count); each 0..1, give or take 0.001 for rounding */
    const char        *title; /**< NULL: none. In an .html page also what the heatmap is chosen by */
    const char        *source_label, *target_label; /**< of the axes; NULL: none */
    /** One of several heatmaps of the same tokens: "layer 1, head 2"; NULL: there is but one. Stands behind the title. In an
     *  .html page heatmaps in a row with the same `source` and `target` (the same pointers) are chosen by it, and those
     *  that begin alike ("layer 1, ") are seen side by side. */
    const char        *part;
} heed_alignment;

/** Takes text as it is made; returns false to stop, which the call then reports as HEED_EIO. */
typedef bool heed_plot_write(void *user, const char *bytes, size_t size);

typedef enum heed_plot_colour {
    HEED_PLOT_MONOCHROME, /**< no escape sequences: shades by characters */
    HEED_PLOT_256,        /**< the 256 colours that nearly every terminal has */
    HEED_PLOT_TRUECOLOUR, /**< 24 bit */
} heed_plot_colour;

/** How to draw on a terminal. Zero means default for every member. */
typedef struct heed_plot_terminal_options {
    int              width;  /**< columns, 20..1000; default 80. What is wider is folded into panels, or shrunk */
    int              height; /**< of curves, lines a panel (about), 3..100; default 12 */
    heed_plot_colour colour;
    bool             ascii;            /**< write nothing but ASCII; what is not becomes '?' */
    bool             light_background; /**< weight 0 is the lightest colour, not the darkest */
    float            maximum; /**< the weight shown strongest, 0..1; default: the largest there is, rounded up */
    bool             log_scale; /**< of curves: the vertical axis is logarithmic (values <= 0 become gaps) */
} heed_plot_terminal_options;

/** Draws a heatmap with characters. HEED_EINVAL: no tokens, a NULL token, a weight outside 0..1 or not a number, an
 *  option out of its range; HEED_EIO: @p write returned false. @p options may be NULL. */
HEED_API heed_status heed_plot_terminal(heed_context *c, const heed_alignment *alignment,
                                        const heed_plot_terminal_options *options, heed_plot_write *write, void *user);

/** How to draw pictures. Zero means default for every member. */
typedef struct heed_plot_options {
    float       maximum;    /**< as in heed_plot_terminal_options */
    double      font_size;  /**< points, 4..72; default 11 */
    const char *font;       /**< font families, best first: "Noto Sans, Arial"; default: the system's sans-serif */
    double      resolution; /**< of .png, pixels an inch, 36..1200; default 144 */
    bool        log_scale;  /**< as in heed_plot_terminal_options */
} heed_plot_options;

/** Draws heatmaps into a file, which appears whole or not at all. .png, .svg and .txt hold one (@p count must be 1).
 *  Fails as heed_plot_terminal() does; HEED_EINVAL too when the name's ending is none of those above, or when a picture
 *  would be too large; HEED_EUNSUPPORTED: this heed cannot make such files; HEED_EIO: the file cannot be written.
 *  @p options may be NULL. */
HEED_API heed_status heed_plot_save(heed_context *c, const char *path, const heed_alignment *alignments, size_t count,
                                    const heed_plot_options *options);

/** Whether a file of this name holds several heatmaps: a .pdf or an .html page. */
HEED_API bool heed_plot_holds_several(const char *path);

/** One line of a training history. */
typedef struct heed_curve {
    const char   *name;   /**< e.g. "loss", "val_loss" */
    const double *values; /**< one an epoch; what is not a finite number leaves a gap */
    size_t        count;  /**< curves may differ in length; 0 is allowed while another has values */
    /** Curves with the same panel share axes; panels stand below one another. NULL: the name without "val_", so that
     *  "loss" and "val_loss" meet, and "accuracy" gets axes of its own. */
    const char   *panel;
} heed_curve;

/** A training history. */
typedef struct heed_curves {
    const heed_curve *items;
    size_t            count;   /**< 1 or more; 16 panels at most */
    const char       *title;   /**< NULL: none */
    const char       *x_label; /**< NULL: "epoch" */
    const double     *across;  /**< where values stand: one for each value of the longest curve, rising; NULL: 1, 2, 3 ... */
} heed_curves;

/** Draws curves with characters: braille dots or, where only ASCII may be written or a panel has several curves and
 *  there is no colour to tell them apart, a mark a curve. HEED_EINVAL: no curves, no finite value at all, an option out
 *  of its range. */
HEED_API heed_status heed_plot_curves_terminal(heed_context *c, const heed_curves *curves,
                                               const heed_plot_terminal_options *options, heed_plot_write *write,
                                               void *user);

/** Draws curves into a .png, .svg, .pdf or .txt file. Fails as the functions above do. */
HEED_API heed_status heed_plot_curves_save(heed_context *c, const char *path, const heed_curves *curves,
                                           const heed_plot_options *options);

enum { HEED_DIAGRAM_MOST = 4000 };

/** A box of a diagram: a layer, say. */
typedef struct heed_diagram_box {
    const char *name;
    const char *kind, *detail; /**< below it, in lines; NULL: nothing */
    bool        accent;        /**< drawn so that it is seen first */
} heed_diagram_box;

typedef struct heed_diagram_arrow {
    size_t from, to; /**< boxes, by number; from < to */
} heed_diagram_arrow;

/** Boxes and arrows between them, which all point downwards. */
typedef struct heed_diagram {
    const char               *title; /**< NULL: none */
    const heed_diagram_box   *boxes;
    size_t                    box_count; /**< 1 .. HEED_DIAGRAM_MOST */
    const heed_diagram_arrow *arrows;
    size_t                    arrow_count;
} heed_diagram;

/** Draws a diagram into a .png, .svg or .pdf file. Fails as heed_plot_save() does. */
HEED_API heed_status heed_plot_diagram_save(heed_context *c, const char *path, const heed_diagram *diagram,
                                            const heed_plot_options *options);

#ifdef __cplusplus
}
#endif
#endif
