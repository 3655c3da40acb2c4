/* Initializers against real Keras, whose random numbers are other ones: by the statistics of a large draw. */
#define _POSIX_C_SOURCE 200809L /* scandir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/keras_config.h"
#include "heed/files.h"
#include "layers/layer.h"
#include "layers/object.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEAN, DEVIATION, LEAST, MOST, BESIDE, STATISTICS };

/* Mean, deviation, least, most; and the greatest product of two different rows (columns, where there are fewer). */
static void measure(const float *x, const heed_shape *shape, double *out)
{
    int64_t count = heed_shape_count(shape), columns = shape->dims[shape->rank - 1], rows = count / columns;
    bool wide = rows <= columns;
    double sum = 0.0, squares = 0.0;
    out[LEAST] = out[MOST] = x[0];
    for (int64_t i = 0; i < count; i++) {
        sum += x[i];
        out[LEAST] = fmin(out[LEAST], x[i]);
        out[MOST] = fmax(out[MOST], x[i]);
    }
    out[MEAN] = sum / (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (x[i] - out[MEAN]) * (x[i] - out[MEAN]);
    out[DEVIATION] = sqrt(squares / (double)count);
    out[BESIDE] = 0.0;
    for (int64_t a = 0; a < (wide ? rows : columns); a++)
        for (int64_t b = 0; b < a; b++) {
            double product = 0.0;
            for (int64_t k = 0; k < (wide ? columns : rows); k++)
                product += wide ? (double)x[a * columns + k] * x[b * columns + k] : (double)x[k * columns + a] * x[k * columns + b];
            out[BESIDE] = fmax(out[BESIDE], fabs(product));
        }
}

static bool near(double found, double expected, double allowed) { return fabs(found - expected) <= allowed; }

/* A draw of another stream: the mean by its own error, extremes of what has tails loosely. */
static bool agrees(const char *text, const double *found, const double *expected, double count)
{
    bool has_tails = strstr(text, "untruncated") != NULL || strncmp(text, "random_normal", 13) == 0;
    double width = expected[DEVIATION], tails = has_tails ? 0.25 : 0.02;
    if (strncmp(text, "orthogonal", 10) == 0)
        return near(found[DEVIATION], width, 0.01 * width) && found[BESIDE] < 1e-5 && expected[BESIDE] < 1e-5;
    double reach = fmax(fabs(expected[LEAST]), fabs(expected[MOST]));
    return near(found[MEAN], expected[MEAN], 8.0 * width / sqrt(count) + 1e-6) && near(found[DEVIATION], width, 0.015 * width + 1e-6) &&
           near(found[LEAST], expected[LEAST], tails * reach + 1e-6) && near(found[MOST], expected[MOST], tails * reach + 1e-6);
}

static heed_status check(heed_context *c, heed_zone *z, const char *file)
{
    char path[400];
    heed_arrays arrays = {.context = c};
    heed_json *json;
    const char *text;
    snprintf(path, sizeof path, "%s/initializers/%s", HEED_FIXTURES, file);
    HEED_TRY(heed_arrays_load(c, path, &arrays));
    const heed_array *bytes = heed_arrays_get(&arrays, "json"), *statistics = heed_arrays_get(&arrays, "statistics");
    HEED_TRY(heed_json_parse(z, file, bytes->data, (size_t)heed_array_count(bytes), &json));
    assert_int_equal(statistics->dtype, HEED_FLOAT32);
    heed_value *saved = heed_value_of_json(z, heed_json_find(json, "initializer"));
    HEED_TRY(heed_object_expression(z, &heed_initializers, saved, "initializer", &text));
    heed_variable v = {.name = (char[]){"kernel"}};
    for (const heed_json *dim = heed_json_find(json, "shape")->first; dim != NULL; dim = dim->next)
        v.shape.dims[v.shape.rank++] = dim->integer;
    v.count = heed_shape_count(&v.shape);
    v.data = heed_zone_alloc(z, (size_t)v.count, sizeof *v.data);
    HEED_TRY(heed_object_parse(z, &heed_initializers, text, &v.initializer));
    HEED_TRY(heed_variable_initialize(c, &v, 1, 1));
    double found[STATISTICS], expected[STATISTICS];
    for (int i = 0; i < STATISTICS; i++)
        expected[i] = ((const float *)statistics->data)[i];
    measure(v.data, &v.shape, found);
    if (!agrees(text, found, expected, (double)v.count))
        fail_msg("%s: mean %g, deviation %g, from %g to %g, beside %g; Keras': %g, %g, %g, %g, %g", text, found[MEAN],
                 found[DEVIATION], found[LEAST], found[MOST], found[BESIDE], expected[MEAN], expected[DEVIATION],
                 expected[LEAST], expected[MOST], expected[BESIDE]);
    heed_arrays_free(&arrays);
    return HEED_OK;
}

static int is_visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static void test_draws_are_as_keras_draws(void **state)
{
    struct dirent **files;
    heed_context *c;
    int count = scandir(HEED_FIXTURES "/initializers", &files, is_visible, alphasort);
    (void)state;
    assert_true(count > 30);
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    for (int i = 0; i < count; i++) {
        heed_zone z;
        heed_zone_init(&z, c);
        if (check(c, &z, files[i]->d_name) != HEED_OK)
            fail_msg("%s: %s", files[i]->d_name, heed_error(c));
        heed_zone_free(&z);
        free(files[i]);
    }
    free(files);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_draws_are_as_keras_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
