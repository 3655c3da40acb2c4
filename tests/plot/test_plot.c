#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "plot/colour.h"
#include "plot/label.h"
#include "plot/scale.h"
#include "heed/plot.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HEED_PICTURES
#include <cairo.h>
#endif

static bool to_text(void *user, const char *bytes, size_t size)
{
    heed_text_append(user, bytes, size);
    return true;
}

static bool refuse(void *user, const char *bytes, size_t size)
{
    (void)user;
    (void)bytes;
    (void)size;
    return false;
}

/* A context, a folder for files, and what was drawn last. */
typedef struct heed_bench {
    heed_context *c;
    heed_text     text;
    size_t        used; /* bytes of the context itself */
    char          folder[64], path[128];
} heed_bench;

static int set_up(void **state)
{
    static heed_bench b;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &b.c), HEED_OK);
    b.text = (heed_text){.context = b.c};
    b.used = heed_memory_used(b.c);
    strcpy(b.folder, "/tmp/heed_plot_XXXXXX");
    assert_non_null(mkdtemp(b.folder));
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    heed_bench *b = *state;
    heed_text_free(&b->text);
    assert_int_equal(heed_memory_used(b->c), b->used);
    assert_int_equal(rmdir(b->folder), 0); /* fails where a test or a temporary file left something behind */
    heed_context_free(b->c);
    return 0;
}

static const char *path_of(heed_bench *b, const char *name)
{
    snprintf(b->path, sizeof b->path, "%s/%s", b->folder, name);
    return b->path;
}

static const char *draw(heed_bench *b, const heed_alignment *a, const heed_plot_terminal_options *options)
{
    heed_text_free(&b->text);
    assert_int_equal(heed_plot_terminal(b->c, a, options, to_text, &b->text), HEED_OK);
    return b->text.bytes;
}

static const char *const letters[] = {"a", "b", "c"}, *const digits[] = {"1", "22"};
static const float weights[] = {0, 0.5f, 1, 0.1f, 0.2f, 0.7f};
static const heed_alignment small = {letters, 3, digits, 2, weights, "Title", "in", "out", NULL};

static void test_terminal_ascii(void **state)
{
    assert_string_equal(draw(*state, &small, &(heed_plot_terminal_options){.ascii = true}),
                        "Title\n"
                        "\n"
                        "    a b c\n"
                        " 1 |  ++@@|\n"
                        "22 |..::**|\n"
                        "\n"
                        "weight 0 |  ..::--==++**##%%@@| 1.0   across: in   down: out\n");
}

static void test_terminal_blocks(void **state)
{
    heed_alignment plain = {letters, 3, digits, 2, weights, NULL, NULL, NULL, NULL};
    assert_string_equal(draw(*state, &plain, NULL),
                        "    a b c\n"
                        " 1 │  ▒▒██│\n"
                        "22 │  ░░▓▓│\n"
                        "\n"
                        "weight 0 │   ░░░░░▒▒▒▒▓▓▓▓▓███│ 1.0\n");
}

static void test_terminal_colours(void **state)
{
    heed_alignment plain = {letters, 3, digits, 1, weights, NULL, NULL, NULL, NULL};
    const char *text = draw(*state, &plain, &(heed_plot_terminal_options){.colour = HEED_PLOT_256});
    assert_ptr_equal(strstr(text, "  a b c\n"
                                  "1 \033[48;5;17m  \033[0m\033[48;5;31m  \033[0m\033[48;5;230m  \033[0m\n\n"), text);
    text = draw(*state, &plain, &(heed_plot_terminal_options){.colour = HEED_PLOT_256, .light_background = true});
    assert_non_null(strstr(text, "1 \033[48;5;230m  \033[0m\033[48;5;31m  \033[0m\033[48;5;17m  \033[0m\n"));
    text = draw(*state, &plain, &(heed_plot_terminal_options){.colour = HEED_PLOT_TRUECOLOUR});
    heed_colour_bytes deep = heed_colour_to_bytes(heed_colour_ramp(1));
    char expected[64];
    snprintf(expected, sizeof expected, "1 \033[48;2;%d;%d;%dm  \033[0m", deep.red, deep.green, deep.blue);
    assert_non_null(strstr(text, expected));
}

static void test_terminal_words(void **state)
{
    const char *const source[] = {"the", "cat", "s"}, *const target[] = {"le", "chat"};
    heed_alignment a = {source, 3, target, 2, weights, NULL, NULL, NULL, NULL};
    assert_string_equal(draw(*state, &a, &(heed_plot_terminal_options){.ascii = true, .width = 40}),
                        "      the cat s\n"
                        "  le |    +++ @@|\n"
                        "chat |... ::: **|\n"
                        "\n"
                        "weight 0 |  ..::--==++**##%%@@| 1.0\n");
    /* too narrow for words side by side: upright, then in panels */
    const char *const many[] = {"one", "two", "three", "four", "five", "six", "seven"};
    float even[7] = {1, 0, 1, 0, 1, 0, 1};
    heed_alignment b = {many, 7, target, 1, even, NULL, NULL, NULL, NULL};
    assert_string_equal(draw(*state, &b, &(heed_plot_terminal_options){.ascii = true, .width = 20}),
                        "        t       s\n"
                        "        h f f   e\n"
                        "    o t r o i s v\n"
                        "    n w e u v i e\n"
                        "    e o e r e x n\n"
                        "le |@@  @@  @@  @@|\n"
                        "\n"
                        "weight 0 | :+#@| 1.0\n");
}

static void test_terminal_panels(void **state)
{
    const char *source[23];
    float row[23] = {0};
    for (int j = 0; j < 23; j++)
        source[j] = "x";
    row[22] = 1;
    heed_alignment a = {source, 23, letters, 1, row, NULL, NULL, NULL, NULL};
    assert_string_equal(draw(*state, &a, &(heed_plot_terminal_options){.ascii = true, .width = 20}),
                        "   [1-8 of 23]\n"
                        "   x x x x x x x x\n"
                        "a |                |\n"
                        "\n"
                        "   [9-16 of 23]\n"
                        "   x x x x x x x x\n"
                        "a |                |\n"
                        "\n"
                        "   [17-23 of 23]\n"
                        "   x x x x x x x\n"
                        "a |            @@|\n"
                        "\n"
                        "weight 0 | :+#@| 1.0\n");
    /* cells of one column, rather than panels */
    assert_non_null(strstr(draw(*state, &a, &(heed_plot_terminal_options){.ascii = true, .width = 27}),
                           "   xxxxxxxxxxxxxxxxxxxxxxx\n"
                           "a |                      @|\n"));
}

/* Every line of every form stays within the width. */
static void test_terminal_keeps_to_the_width(void **state)
{
    const char *const source[] = {"\u0645\u062F\u0631\u0633\u0629", "\u4ECA\u65E5\u306F", "Donaudampfschifffahrt",
                                  "e\u0301t\u00E9"};
    float even[16] = {0.25f, 0.25f, 0.25f, 0.25f, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
    heed_alignment a = {source, 4, source, 4, even, "A title of some length", "source", "the target, at length", NULL};
    heed_bench *b = *state;
    for (int width = 20; width < 70; width++) {
        char *text = heed_strdup(b->c, draw(b, &a, &(heed_plot_terminal_options){.width = width}));
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
            assert_in_range(heed_label_columns(line), 1, width);
        heed_free(b->c, text);
    }
}

static void test_terminal_is_safe_from_tokens(void **state)
{
    const char *const hostile[] = {"\033[2J", "\n", "\xC2\x9B;1m", "\xFF\xFE", "\u202Eabc", "", " "};
    float one[7] = {1, 0, 0, 0, 0, 0, 0};
    heed_alignment a = {hostile, 7, hostile, 1, one, "t\033]0;x\007", "\r", NULL, NULL};
    for (int ascii = 0; ascii < 2; ascii++) {
        const char *text = draw(*state, &a, &(heed_plot_terminal_options){.ascii = ascii == 1});
        for (const char *p = text; *p != '\0'; p++) {
            assert_true((unsigned char)*p >= ' ' || *p == '\n');
            assert_true(!ascii || (unsigned char)*p < 0x7F);
        }
        assert_null(strstr(text, "\xC2\x9B"));
        assert_null(strstr(text, "\u202E"));
    }
}

static void test_labels(void **state)
{
    heed_zone z;
    heed_zone_init(&z, ((heed_bench *)*state)->c);
    static const struct {
        const char *token, *shown, *ascii;
        int         columns;
    } cases[] = {
        {"word", "word", "word", 4},
        {" ", "\u2423", "_", 1},
        {" a b ", "\u2423a b\u2423", "_a b_", 5},
        {"\n", "\u21B5", "\\n", 1},
        {"", "\u2205", "''", 1},
        {"\u4ECA\u65E5", "\u4ECA\u65E5", "????", 4},
        {"e\u0301", "e\u0301", "e", 1},
        {"\u0301", "\u25CC\u0301", "?", 1},
        {"\u0939\u093F", "\u0939\u093F", "??", 2},
        {"\uD55C", "\uD55C", "??", 2},
        {"\u1112\u1161\u11AB", "\u1112\u1161\u11AB", "??", 2},
        {"\xE4\xBB", "\uFFFD", "?", 1},
        {"a\x7F", "a\uFFFD", "a?", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *shown = heed_label_show(&z, cases[i].token, false);
        assert_string_equal(shown, cases[i].shown);
        assert_int_equal(heed_label_columns(shown), cases[i].columns);
        assert_string_equal(heed_label_show(&z, cases[i].token, true), cases[i].ascii);
    }
    assert_string_equal(heed_label_cut(&z, "\u4ECA\u65E5\u306F", 6, false), "\u4ECA\u65E5\u306F");
    assert_string_equal(heed_label_cut(&z, "\u4ECA\u65E5\u306F", 5, false), "\u4ECA\u65E5\u2026");
    assert_string_equal(heed_label_cut(&z, "\u4ECA\u65E5\u306F", 4, false), "\u4ECA\u2026");
    assert_string_equal(heed_label_cut(&z, "abc", 2, true), "a~");
    assert_string_equal(heed_label_cut(&z, "abc", 1, true), "~");
    assert_true(heed_label_stacks("\u00E9t\u00E9"));
    assert_false(heed_label_stacks("\u0645\u062F"));
    assert_false(heed_label_stacks("\u0939\u093F"));
    assert_true(heed_label_right_to_left("\u05E9"));
    assert_false(heed_label_right_to_left("s"));
    heed_zone_free(&z);
}

static const char *number(heed_bench *b, double value, int decimals)
{
    heed_text_free(&b->text);
    heed_scale_number(&b->text, value, decimals);
    return b->text.bytes;
}

static void test_scales(void **state)
{
    heed_scale s = heed_scale_around(0, 0.83, 5);
    assert_int_equal(s.count, 6);
    assert_float_equal(heed_scale_end(&s), 1, 1e-12);
    assert_int_equal(s.decimals, 1);
    s = heed_scale_around(-3, 17, 5);
    assert_float_equal(s.first, -5, 0);
    assert_float_equal(heed_scale_end(&s), 20, 0);
    s = heed_scale_around(2, 2, 5); /* a flat curve */
    assert_true(s.first < 2 && heed_scale_end(&s) > 2);
    s = heed_scale_around(0, 0, 5);
    assert_true(s.first < 0 && heed_scale_end(&s) > 0);
    s = heed_scale_epochs(40, 10);
    assert_float_equal(s.first, 5, 0);
    assert_int_equal(s.count, 8);
    s = heed_scale_epochs(1, 10);
    assert_int_equal(s.count, 1);

    assert_string_equal(number(*state, 0.25, 2), "0.25");
    assert_string_equal(number(*state, -0.001, 2), "0.00");
    assert_string_equal(number(*state, -12.5, 1), "-12.5");
    assert_string_equal(number(*state, 0.999, 2), "1.00");
    assert_string_equal(number(*state, 2e-7, 7), "2e-07");
    assert_string_equal(number(*state, 2.5e12, 0), "2.500000e+12");
    assert_string_equal(number(*state, 0, 9), "0");
}

/* Relative luminance, which is what a greyscale print keeps. */
static double luminance(heed_colour c)
{
    return 0.2126 * pow(c.red, 2.2) + 0.7152 * pow(c.green, 2.2) + 0.0722 * pow(c.blue, 2.2);
}

static heed_colour palette(int index)
{
    static const double levels[] = {0, 95, 135, 175, 215, 255};
    int i = index - 16;
    return (heed_colour){levels[i / 36] / 255, levels[i / 6 % 6] / 255, levels[i % 6] / 255};
}

static void test_colours_grow_darker(void **state)
{
    (void)state;
    for (int i = 0; i < 255; i++)
        assert_true(luminance(heed_colour_ramp(i / 255.0)) > luminance(heed_colour_ramp((i + 1) / 255.0)));
    for (int i = 0; i + 1 < HEED_COLOUR_LEVELS; i++)
        assert_true(luminance(palette(heed_colour_indices[i])) > 1.1 * luminance(palette(heed_colour_indices[i + 1])));
}

/* A file's bytes; the file is removed. */
static char *take_file(heed_bench *b, const char *name, size_t *size)
{
    FILE *f = fopen(path_of(b, name), "rb");
    assert_non_null(f);
    char *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (1 << 20) - 1, f);
    fclose(f);
    assert_int_equal(unlink(b->path), 0);
    return bytes;
}

static char *saved(heed_bench *b, const char *name, const heed_alignment *a, size_t count, size_t *size)
{
    assert_int_equal(heed_plot_save(b->c, path_of(b, name), a, count, NULL), HEED_OK);
    return take_file(b, name, size);
}

static const double loss[] = {2, 1.5, NAN, 1, 0.5}, checked[] = {2.5, 2, 1.5}, rate[] = {1e-3, 1e-4, 1e-5};
static const heed_curve curve_items[] = {
    {"loss", loss, 5, NULL}, {"val_loss", checked, 3, NULL}, {"learning_rate", rate, 3, NULL}};
static const heed_curves history = {curve_items, 3, "History", NULL, NULL};

static char *saved_curves(heed_bench *b, const char *name, size_t *size)
{
    assert_int_equal(heed_plot_curves_save(b->c, path_of(b, name), &history, NULL), HEED_OK);
    return take_file(b, name, size);
}

static const char *const names[] = {
    "a.svg", "a.html", "a.TXT",
#ifdef HEED_PICTURES
    "a.png", "a.pdf",
#endif
};
enum { NAMES = sizeof names / sizeof *names };

static void test_equal_bytes(void **state)
{
    for (int i = 0; i < NAMES; i++) {
        size_t first, second;
        char *a = saved(*state, names[i], &small, 1, &first), *b = saved(*state, names[i], &small, 1, &second);
        assert_true(first > 100);
        assert_int_equal(first, second);
        assert_memory_equal(a, b, first);
        free(a);
        free(b);
        if (strstr(names[i], "html") != NULL)
            continue;
        a = saved_curves(*state, names[i], &first);
        b = saved_curves(*state, names[i], &second);
        assert_int_equal(first, second);
        assert_memory_equal(a, b, first);
        free(a);
        free(b);
    }
}

static void test_svg(void **state)
{
    const char *const source[] = {"<&>\"", "\u0645\u062F\u0631\u0633\u0629"};
    heed_alignment a = {source, 2, letters, 3, weights, NULL, NULL, NULL, NULL};
    a.title = "A title so long that it needs several lines, at last, at least";
    size_t size;
    char *svg = saved(*state, "a.svg", &a, 1, &size);
    assert_memory_equal(svg, "<svg xmlns=", 11);
    assert_string_equal(svg + size - 7, "</svg>\n");
    assert_non_null(strstr(svg, ">&lt;&amp;&gt;&quot;</text>"));
    assert_non_null(strstr(svg, ">\u0645\u062F\u0631\u0633\u0629</text>"));
    assert_non_null(strstr(svg, ">A title so long that"));
    assert_null(strstr(svg, "at least</text>\n<text x=\"15.4\" y=\"28"));
    assert_null(strstr(svg, "nan"));
    int open = 0, closed = 0;
    for (const char *p = svg; (p = strchr(p, '<')) != NULL; p++)
        open++;
    for (const char *p = svg; (p = strchr(p, '>')) != NULL; p++)
        closed++;
    assert_int_equal(open, closed);
    free(svg);
}

static void test_html(void **state)
{
    const char *const source[] = {"</script><b>", "\"\\", "c"};
    heed_alignment two[] = {{source, 3, digits, 2, weights, "first <1>", "in", NULL, NULL}, small};
    size_t size;
    char *html = saved(*state, "a.html", two, 2, &size);
    assert_non_null(strstr(html, "source: [\"\\u003c/script>\\u003cb>\", \"\\\"\\\\\", \"c\"]"));
    assert_non_null(strstr(html, "weights: [0,5000,10000,\n  1000,2000,7000]"));
    assert_non_null(strstr(html, "title: \"first \\u003c1>\""));
    assert_non_null(strstr(html, "across: \"in\",\n down: null"));
    assert_non_null(strstr(html, "title: \"Title\""));
    const char *end = strstr(html, "</script>");
    assert_non_null(end);
    assert_null(strstr(end + 1, "</script>"));
    assert_non_null(strstr(html, "]}, {\n title: \"Title\"")); /* a text of its own */
    assert_null(strstr(html, "http:"));
    assert_null(strstr(html, "https:"));
    free(html);
}

/* Heatmaps of the same tokens are parts of one text. */
static void test_html_parts(void **state)
{
    heed_alignment all[] = {small, small, small, small};
    all[0].part = "mean of all";
    all[1].part = "layer 1, head 2";
    all[2].part = "layer 2, head 1";
    all[2].target = letters;
    size_t size;
    char *html = saved(*state, "a.html", all, 4, &size), *at = html;
    int titles = 0;
    for (; (at = strstr(at, "title: \"Title\"")) != NULL; at++)
        titles++;
    assert_int_equal(titles, 3);
    assert_non_null(strstr(html, "]\n}, {\n name: \"layer 1, head 2\""));
    assert_non_null(strstr(html, "]\n}]}, {\n title: \"Title\""));
    free(html);
    assert_non_null(strstr(draw(*state, &all[1], NULL), "Title (layer 1, head 2)"));
    assert_true(heed_plot_holds_several("a.PDF") && heed_plot_holds_several("a.html"));
    assert_false(heed_plot_holds_several("a.png") || heed_plot_holds_several(".html") || heed_plot_holds_several("html"));
}

/* Pieces of words: the mark of a word's begin goes, and what goes on with a word is told apart. */
static void test_pieces(void **state)
{
    static const char *const words[] = {"\u2581bark", "\u2581lo", "ud", "ly", "\u2581at", "\u2581", "."};
    static const float seven[7] = {0, 0, 0, 0, 0, 0, 1};
    heed_alignment a = {words, 7, letters, 1, seven, NULL, NULL, NULL, NULL};
    assert_non_null(strstr(draw(*state, &a, NULL), "bark lo \u00B7ud \u00B7ly at \u2423  .\n"));
    assert_non_null(strstr(draw(*state, &a, &(heed_plot_terminal_options){.ascii = true}), "bark lo +ud +ly at _  .\n"));
    static const char *const joined[] = {"\u2581\u4ECA\u5929", "\u65E9\u4E0A", "\u53BB"};
    a = (heed_alignment){joined, 3, letters, 1, seven + 4, NULL, NULL, NULL, NULL};
    assert_non_null(strstr(draw(*state, &a, NULL), "\u4ECA\u5929 \u65E9\u4E0A \u53BB\n"));
}

static heed_status draw_curves(heed_bench *b, const heed_curve *items, size_t count,
                               const heed_plot_terminal_options *options)
{
    heed_text_free(&b->text);
    return heed_plot_curves_terminal(b->c, &(heed_curves){items, count, NULL, NULL, NULL}, options, to_text, &b->text);
}

static void test_curves_terminal(void **state)
{
    heed_bench *b = *state;
    const double down[] = {4, 3, 2, 1, 0}, up[] = {0, 1, NAN, 3, 4};
    const heed_curve items[] = {{"loss", down, 5, NULL}, {"val_loss", up, 5, NULL}};
    heed_plot_terminal_options options = {.ascii = true, .width = 20, .height = 5};
    const heed_curves both = {items, 2, "T", "step", NULL};
    assert_int_equal(heed_plot_curves_terminal(b->c, &both, &options, to_text, &b->text), HEED_OK);
    assert_string_equal(b->text.bytes,
                        "T\n"
                        "\n"
                        "loss   * loss   o val_loss\n"
                        "4 +**             oo\n"
                        "  |  ****      ooo\n"
                        "2 +      ****\n"
                        "  |   oo     ****\n"
                        "0 +ooo           ***\n"
                        "  +-----------------\n"
                        "       2       4\n"
                        "         step\n");
    options.ascii = false;
    assert_int_equal(draw_curves(b, items, 1, &options), HEED_OK);
    assert_string_equal(b->text.bytes,
                        "loss\n"
                        "4 ┤⠑⠢⢄⡀\n"
                        "  │   ⠉⠒⠤⣀\n"
                        "2 ┤       ⠉⠢⣀\n"
                        "  │          ⠉⠒⠤⣀\n"
                        "0 ┤              ⠑⠢⢄\n"
                        "  └─────────────────\n"
                        "       2       4\n"
                        "         epoch\n");
    /* values that stand elsewhere than at 1, 2, 3 */
    const double places[] = {0.5, 0.75, 1, 2, 2.5}, back[] = {1, 2, 1, 3, 4};
    heed_curves apart = {items, 1, NULL, NULL, places};
    heed_text_free(&b->text);
    options.ascii = true;
    assert_int_equal(heed_plot_curves_terminal(b->c, &apart, &options, to_text, &b->text), HEED_OK);
    assert_string_equal(b->text.bytes,
                        "loss\n"
                        "4 +*\n"
                        "  | **\n"
                        "2 +   *****\n"
                        "  |        ******\n"
                        "0 +              ***\n"
                        "  +-----------------\n"
                        "       1       2\n"
                        "         epoch\n");
    apart.across = back;
    assert_int_equal(heed_plot_curves_terminal(b->c, &apart, &options, to_text, &b->text), HEED_EINVAL);
}

#ifdef HEED_PICTURES
typedef struct heed_bytes {
    const char *next;
    size_t      left;
} heed_bytes;

static cairo_status_t read_bytes(void *user, unsigned char *out, unsigned int length)
{
    heed_bytes *b = user;
    if (b->left < length)
        return CAIRO_STATUS_READ_ERROR;
    memcpy(out, b->next, length);
    b->next += length;
    b->left -= length;
    return CAIRO_STATUS_SUCCESS;
}

/* The top left of the first rectangle of that colour which is at least `least` pixels wide. */
static void find_cell(cairo_surface_t *s, heed_colour colour, int least, int *x, int *y)
{
    heed_colour_bytes rgb = heed_colour_to_bytes(colour);
    uint32_t wanted = (uint32_t)rgb.red << 16 | (uint32_t)rgb.green << 8 | rgb.blue;
    const unsigned char *pixels = cairo_image_surface_get_data(s);
    for (*y = 0; *y < cairo_image_surface_get_height(s); ++*y) {
        int run = 0;
        for (*x = 0; *x < cairo_image_surface_get_width(s); ++*x) {
            uint32_t pixel;
            memcpy(&pixel, pixels + *y * cairo_image_surface_get_stride(s) + *x * 4, 4);
            run = (pixel & 0xFFFFFF) == wanted ? run + 1 : 0;
            if (run == least) {
                *x -= least - 1;
                return;
            }
        }
    }
    fail_msg("no cell of the colour #%06x", wanted);
}

static void test_png(void **state)
{
    size_t size;
    char *png = saved(*state, "a.png", &small, 1, &size);
    cairo_surface_t *s = cairo_image_surface_create_from_png_stream(read_bytes, &(heed_bytes){png, size});
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    assert_in_range(cairo_image_surface_get_width(s), 300, 800);
    assert_in_range(cairo_image_surface_get_height(s), 200, 800);
    int x[6], y[6];
    for (int i = 0; i < 6; i++)
        find_cell(s, heed_colour_ramp((double)weights[i]), 40, &x[i], &y[i]);
    for (int i = 0; i < 3; i++) { /* two rows of three, evenly spaced */
        assert_int_equal(y[i], y[0]);
        assert_int_equal(y[i + 3], y[3]);
        assert_int_equal(x[i], x[i + 3]);
        assert_int_equal(x[i], x[0] + i * (x[1] - x[0]));
    }
    assert_int_equal(y[3] - y[0], x[1] - x[0]);
    cairo_surface_destroy(s);
    free(png);
    png = saved_curves(*state, "c.png", &size);
    s = cairo_image_surface_create_from_png_stream(read_bytes, &(heed_bytes){png, size});
    assert_int_equal(cairo_surface_status(s), CAIRO_STATUS_SUCCESS);
    int cx, cy;
    find_cell(s, heed_colour_series(0), 3, &cx, &cy);
    find_cell(s, heed_colour_series(1), 3, &cx, &cy);
    cairo_surface_destroy(s);
    free(png);
}

static void test_pdf(void **state)
{
    heed_alignment three[] = {small, small, small};
    size_t size;
    char *pdf = saved(*state, "a.pdf", three, 3, &size);
    assert_memory_equal(pdf, "%PDF-", 5);
    assert_string_equal(pdf + size - 6, "%%EOF\n");
    bool counted = false; /* the text is compressed, the page tree is not */
    for (size_t i = 0; i + 8 < size; i++)
        counted |= memcmp(pdf + i, "/Count 3", 8) == 0;
    assert_true(counted);
    free(pdf);
}
#endif

static void expect(heed_bench *b, heed_status found, heed_status wanted, const char *text)
{
    assert_int_equal(found, wanted);
    if (strstr(heed_error(b->c), text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, heed_error(b->c));
}

static void test_bad_alignments(void **state)
{
    heed_bench *b = *state;
    float bad[6] = {0, 0.5f, 1, 0.1f, 0.2f, 0.7f};
    const char *const null_token[] = {"a", NULL, "c"};
    heed_alignment a = small;
    a.weights = bad;
    static const float values[] = {1.01f, -0.01f, NAN, INFINITY};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        bad[4] = values[i];
        expect(b, heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_EINVAL, "weight of target 1, source 1");
        expect(b, heed_plot_save(b->c, path_of(b, "x.svg"), &a, 1, NULL), HEED_EINVAL, "weight of target 1, source 1");
    }
    bad[4] = 1.0005f; /* rounding */
    bad[3] = -1e-7f;
    assert_int_equal(heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_OK);
    a.source = null_token;
    expect(b, heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_EINVAL, "source token 1 is NULL");
    a = small;
    a.source_count = 0;
    expect(b, heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_EINVAL, "no source tokens");
    a = small;
    a.target_count = 0;
    expect(b, heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_EINVAL, "no target tokens");
    a = small;
    a.weights = NULL;
    expect(b, heed_plot_terminal(b->c, &a, NULL, to_text, &b->text), HEED_EINVAL, "weights is NULL");
}

static void test_bad_options(void **state)
{
    heed_bench *b = *state;
    static const heed_plot_terminal_options bad[] = {{.width = 19},  {.width = 1001},   {.height = 2},
                                                     {.colour = 7}, {.maximum = 1.5f}, {.maximum = NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(b, heed_plot_terminal(b->c, &small, &bad[i], to_text, &b->text), HEED_EINVAL, "out of its range");
    static const heed_plot_options worse[] = {
        {.font_size = 3}, {.font_size = NAN}, {.resolution = 1e6}, {.maximum = -1}};
    for (size_t i = 0; i < sizeof worse / sizeof *worse; i++)
        expect(b, heed_plot_save(b->c, path_of(b, "x.svg"), &small, 1, &worse[i]), HEED_EINVAL, "out of its range");
    expect(b, heed_plot_terminal(b->c, &small, NULL, refuse, NULL), HEED_EIO, "could not be written");
}

static void test_bad_files(void **state)
{
    heed_bench *b = *state;
    static const char *const unknown[] = {"picture.gif", "picture", "png", "picture.png.bak", ".svg2"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        expect(b, heed_plot_save(b->c, path_of(b, unknown[i]), &small, 1, NULL), HEED_EINVAL,
               ".png, .svg, .pdf, .html or .txt");
    expect(b, heed_plot_curves_save(b->c, path_of(b, "c.html"), &history, NULL), HEED_EINVAL,
           ".png, .svg, .pdf or .txt");
    expect(b, heed_plot_save(b->c, path_of(b, "none/x.svg"), &small, 1, NULL), HEED_EIO, "none/x.svg");
    heed_alignment two[] = {small, small};
    expect(b, heed_plot_save(b->c, path_of(b, "x.svg"), two, 2, NULL), HEED_EINVAL, "found 2");
    expect(b, heed_plot_save(b->c, path_of(b, "x.html"), two, 0, NULL), HEED_EINVAL, "found 0");
    for (int i = 0; i < NAMES; i++) { /* a disk that is full */
        assert_int_equal(symlink("/dev/full", path_of(b, names[i])), 0);
        expect(b, heed_plot_save(b->c, b->path, &small, 1, NULL), HEED_EIO, "No space left");
        assert_int_equal(unlink(b->path), 0);
    }
#ifdef HEED_PICTURES
    static const char *many[2000];
    static float zeros[2000];
    for (int i = 0; i < 2000; i++)
        many[i] = "a";
    heed_alignment wide = {many, 2000, letters, 1, zeros, NULL, NULL, NULL, NULL};
    expect(b, heed_plot_save(b->c, path_of(b, "x.png"), &wide, 1, NULL), HEED_EINVAL, "too large");
    assert_non_null(strstr(heed_error_hint(b->c), "resolution"));
#endif
}

static void test_bad_curves(void **state)
{
    heed_bench *b = *state;
    const double none[] = {NAN, INFINITY}, negative[] = {-1, 0};
    const heed_curve gaps = {"a", none, 2, NULL}, below = {"b", negative, 2, NULL}, nameless = {NULL, none, 2, NULL};
    expect(b, draw_curves(b, &gaps, 1, NULL), HEED_EINVAL, "no finite value");
    expect(b, draw_curves(b, &below, 1, &(heed_plot_terminal_options){.log_scale = true}), HEED_EINVAL,
           "no finite positive value");
    expect(b, draw_curves(b, &nameless, 1, NULL), HEED_EINVAL, "no name");
    expect(b, draw_curves(b, NULL, 0, NULL), HEED_EINVAL, "there are none");
    heed_curve many[17];
    char panels[17][2];
    for (int i = 0; i < 17; i++) {
        panels[i][0] = (char)('a' + i);
        panels[i][1] = '\0';
        many[i] = (heed_curve){"x", negative, 2, panels[i]};
    }
    expect(b, draw_curves(b, many, 17, NULL), HEED_EINVAL, "too many panels");
}

/* Curves that stress the scales: one value, one epoch, huge and tiny values, an empty curve beside another. */
static void test_odd_curves(void **state)
{
    heed_bench *b = *state;
    static const double one[] = {3}, flat[] = {2, 2, 2}, huge[] = {1e300, -1e300}, tiny[] = {1e-300, 2e-300};
    const heed_curve odd[] = {{"one", one, 1, NULL}, {"flat", flat, 3, NULL}, {"huge", huge, 2, NULL},
                              {"tiny", tiny, 2, NULL}, {"none", NULL, 0, NULL}};
    for (int log_scale = 0; log_scale < 2; log_scale++)
        for (int first = 0; first < 4; first++) {
            heed_curves c = {odd + first, 5 - (size_t)first, NULL, NULL, NULL};
            heed_plot_terminal_options options = {
                .log_scale = log_scale == 1, .colour = HEED_PLOT_TRUECOLOUR, .height = 3};
            assert_int_equal(heed_plot_curves_terminal(b->c, &c, &options, to_text, &b->text), HEED_OK);
            heed_plot_options picture = {.log_scale = log_scale == 1};
            assert_int_equal(heed_plot_curves_save(b->c, path_of(b, "c.svg"), &c, &picture), HEED_OK);
            size_t size;
            char *svg = take_file(b, "c.svg", &size);
            assert_null(strstr(svg, "nan"));
            free(svg);
        }
}

static heed_status plot_to_terminal(heed_context *c, void *user)
{
    (void)user;
    heed_text text = {.context = c};
    heed_status status = heed_plot_terminal(c, &small, NULL, to_text, &text);
    if (status == HEED_OK)
        status = heed_text_status(&text);
    if (status == HEED_OK)
        status = heed_plot_curves_terminal(c, &history, NULL, to_text, &text);
    if (status == HEED_OK)
        status = heed_text_status(&text);
    heed_text_free(&text);
    return status;
}

static heed_status save_both(heed_context *c, void *user)
{
    const char *path = user;
    heed_status status = heed_plot_save(c, path, &small, 1, NULL);
    if (status == HEED_OK && strstr(path, "html") == NULL)
        status = heed_plot_curves_save(c, path, &history, NULL);
    unlink(path);
    return status;
}

static void test_no_memory(void **state)
{
    heed_test_each_allocation_fails(plot_to_terminal, NULL);
    for (int i = 0; i < NAMES; i++)
        heed_test_each_allocation_fails(save_both, (void *)(uintptr_t)path_of(*state, names[i]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_terminal_ascii),
        TEST(test_terminal_blocks),
        TEST(test_terminal_colours),
        TEST(test_terminal_words),
        TEST(test_terminal_panels),
        TEST(test_terminal_keeps_to_the_width),
        TEST(test_terminal_is_safe_from_tokens),
        TEST(test_labels),
        TEST(test_scales),
        TEST(test_colours_grow_darker),
        TEST(test_equal_bytes),
        TEST(test_svg),
        TEST(test_html),
        TEST(test_html_parts),
        TEST(test_pieces),
        TEST(test_curves_terminal),
        TEST(test_odd_curves),
#ifdef HEED_PICTURES
        TEST(test_png),
        TEST(test_pdf),
#endif
        TEST(test_bad_alignments),
        TEST(test_bad_options),
        TEST(test_bad_files),
        TEST(test_bad_curves),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
