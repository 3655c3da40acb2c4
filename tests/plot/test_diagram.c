/* Diagrams: where boxes and arrows go, and what files they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "plot/diagram.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOXES = 30, ARROWS = 60, TRIALS = 40 };

static const double gap = 5;

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* In a row, boxes and passing arrows keep their distance; arrows go down a row at a stretch. */
static void check_layout(const heed_diagram *d, const heed_diagram_layout *l)
{
    for (int i = 0; i < l->place_count; i++) {
        const heed_diagram_place *p = &l->places[i];
        assert_in_range(p->row, 0, l->rows - 1);
        assert_true(p->x - p->width / 2 >= -1e-9 && p->x + p->width / 2 <= l->width + 1e-9);
        for (int k = 0; k < i; k++) {
            const heed_diagram_place *q = &l->places[k];
            if (q->row == p->row)
                assert_true(fabs(p->x - q->x) >= (p->width + q->width) / 2 + gap - 1e-6);
        }
    }
    for (size_t a = 0; a < d->arrow_count; a++) {
        int first = l->first[a], last = l->first[a + 1] - 1;
        assert_int_equal(l->stretches[first].from, d->arrows[a].from);
        assert_int_equal(l->stretches[last].to, d->arrows[a].to);
        for (int i = first; i <= last; i++) {
            assert_int_equal(l->places[l->stretches[i].from].row + 1, l->places[l->stretches[i].to].row);
            assert_true(i == first || l->stretches[i - 1].to == l->stretches[i].from);
        }
    }
}

static void test_layout(void **state)
{
    (void)state;
    heed_context *c = new_context();
    for (int trial = 0; trial < TRIALS; trial++) {
        heed_random r = {.seed = (uint64_t)trial};
        heed_diagram_box boxes[BOXES];
        heed_diagram_arrow arrows[ARROWS];
        double widths[BOXES];
        heed_diagram d = {.boxes = boxes, .box_count = 1 + heed_random_below(&r, BOXES), .arrows = arrows};
        for (size_t i = 0; i < d.box_count; i++)
            widths[i] = 10 + heed_random_below(&r, 50);
        for (int i = 0; i < ARROWS && d.box_count > 1; i++) {
            size_t to = 1 + heed_random_below(&r, (uint32_t)d.box_count - 1);
            arrows[d.arrow_count++] = (heed_diagram_arrow){heed_random_below(&r, (uint32_t)to), to};
        }
        heed_zone z;
        heed_diagram_layout l;
        heed_zone_init(&z, c);
        assert_int_equal(heed_diagram_check(c, &d), HEED_OK);
        assert_int_equal(heed_diagram_arrange(&z, &d, widths, gap, &l), HEED_OK);
        check_layout(&d, &l);
        heed_zone_free(&z);
    }
    heed_context_free(c);
}

/* A chain stands in one line, and two branches to the left and to the right of what they come from. */
static void test_straight(void **state)
{
    (void)state;
    heed_context *c = new_context();
    static const heed_diagram_arrow arrows[] = {{0, 1}, {1, 2}, {1, 3}, {2, 4}, {3, 4}, {4, 5}};
    heed_diagram d = {.box_count = 6, .arrows = arrows, .arrow_count = 6};
    static const double widths[] = {30, 20, 40, 40, 10, 70};
    heed_zone z;
    heed_diagram_layout l;
    heed_zone_init(&z, c);
    assert_int_equal(heed_diagram_arrange(&z, &d, widths, gap, &l), HEED_OK);
    double middle = (l.places[2].x + l.places[3].x) / 2;
    for (int i = 0; i < 6; i++)
        if (i != 2 && i != 3)
            assert_true(fabs(l.places[i].x - middle) < 0.5);
    assert_int_equal(l.rows, 5);
    heed_zone_free(&z);
    heed_context_free(c);
}

static const heed_diagram_box boxes[] = {{"x <1>", "Input & more", "(None, 3)\n(None,)", false},
                                         {"y", NULL, NULL, true}};
static const heed_diagram_arrow arrow = {0, 1};
static const heed_diagram two = {"a title", boxes, 2, &arrow, 1};

static void test_files(void **state)
{
    (void)state;
    heed_context *c = new_context();
    assert_int_equal(heed_plot_diagram_save(c, "d.svg", &two, NULL), HEED_OK);
    char *svg = heed_test_read_file("d.svg", NULL);
    static const char *const words[] = {"a title", "x &lt;1&gt;", "Input &amp; more", "(None, 3)", "(None,)", ">y<"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(svg, words[i]));
    free(svg);
    remove("d.svg");
    assert_int_equal(heed_plot_diagram_save(c, "d.txt", &two, NULL), HEED_EINVAL);
    assert_int_equal(heed_plot_diagram_save(c, "d.html", &two, NULL), HEED_EINVAL);
    heed_diagram none = {.boxes = boxes};
    assert_int_equal(heed_plot_diagram_save(c, "d.svg", &none, NULL), HEED_EINVAL);
    heed_diagram upwards = {.boxes = boxes, .box_count = 2, .arrows = &(heed_diagram_arrow){1, 1}, .arrow_count = 1};
    assert_int_equal(heed_plot_diagram_save(c, "d.svg", &upwards, NULL), HEED_EINVAL);
    assert_string_equal(heed_error(c), "diagram: arrow 1 does not go to a box behind its first");
    heed_context_free(c);
}

static heed_status save(heed_context *c, void *user) { return heed_plot_diagram_save(c, user, &two, NULL); }

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(save, "d.svg");
    remove("d.svg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_straight),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
