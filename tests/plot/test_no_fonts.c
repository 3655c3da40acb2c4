/* A machine without any font: pictures that need one are refused, the others are drawn, and nothing crashes. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/heed_fonts_XXXXXX", path[64];

static const char *path_of(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void test_no_fonts(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    FILE *config = fopen(path_of("fonts.conf"), "w");
    assert_non_null(config);
    fputs("<?xml version=\"1.0\"?><fontconfig></fontconfig>\n", config);
    fclose(config);
    setenv("FONTCONFIG_FILE", path, 1);

    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    const char *const tokens[] = {"a", "bcd"};
    const float weights[] = {1, 0, 0.5f, 0.5f};
    heed_alignment a = {tokens, 2, tokens, 2, weights, "Title", NULL, NULL, NULL};
    static const char *const drawn[] = {"a.svg", "a.html", "a.txt"}, *const refused[] = {"a.png", "a.pdf"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(heed_plot_save(c, path_of(drawn[i]), &a, 1, NULL), HEED_OK);
        assert_int_equal(unlink(path), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(heed_plot_save(c, path_of(refused[i]), &a, 1, NULL), HEED_EUNSUPPORTED);
        assert_non_null(strstr(heed_error_hint(c), ".svg"));
    }
    heed_context_free(c);
    assert_int_equal(unlink(path_of("fonts.conf")), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_fonts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
