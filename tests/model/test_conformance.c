/* Models as their real writers saved them, against what those computed: tests/fixtures/conformance, an archive a
 * writer. HEED_CONFORMANCE=text chooses the files whose names hold the text. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/json.h"
#include "formats/zip.h"
#include "heed/files.h"
#include "support/files.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char numbers_file[] = "test_conformance.npz";
static const double output_tolerance = 1e-4, curve_tolerance = 1e-3;

typedef struct trial {
    heed_context *context;
    heed_zip     *archive;
    const char   *writer, *file; /* "nested.h5" */
    heed_arrays   numbers;
    heed_zone     zone;
    heed_json    *json;
    heed_model   *model;
    char          problem[700]; /* the first one */
} trial;

static void complain(trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(trial *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (t->problem[0] == '\0')
        vsnprintf(t->problem, sizeof t->problem, format, args);
    va_end(args);
}

/* ---- files in the archive ---- */

static bool read_member(trial *t, const char *name, unsigned char **bytes, size_t *size)
{
    size_t index;
    if (!heed_zip_find(t->archive, name, &index) ||
        heed_zip_read(t->archive, index, (size_t)1 << 30, bytes, size) != HEED_OK) {
        complain(t, "%s is missing in the archive", name);
        return false;
    }
    return true;
}

/* Writes a member to where the test runs, under its own name. */
static bool extract(trial *t, const char *name, const char *target)
{
    unsigned char *bytes;
    size_t size;
    if (!read_member(t, name, &bytes, &size))
        return false;
    heed_test_write_file(target, bytes, size);
    heed_free(t->context, bytes);
    return true;
}

static bool read_numbers(trial *t)
{
    char name[300];
    snprintf(name, sizeof name, "%s.npz", t->file);
    if (!extract(t, name, numbers_file))
        return false;
    if (heed_arrays_load(t->context, numbers_file, &t->numbers) != HEED_OK) {
        complain(t, "%s", heed_error(t->context));
        return false;
    }
    const heed_array *text = heed_arrays_get(&t->numbers, "json");
    return text != NULL && heed_json_parse(&t->zone, name, text->data, (size_t)heed_array_count(text),
                                           &t->json) == HEED_OK;
}

static heed_array *numbered(trial *t, const char *prefix, int index)
{
    char name[40];
    snprintf(name, sizeof name, "%s%d", prefix, index);
    return heed_arrays_get(&t->numbers, name);
}

/* ---- loading ---- */

/* What the file cannot tell. */
typedef struct told {
    const char *from[2], *set[4]; /* each ends with NULL */
    bool        by_name;
} told;

static void read_told(const trial *t, told *out)
{
    const heed_json *from = heed_json_find(t->json, "from"), *set = heed_json_find(t->json, "set");
    size_t count = 0;
    *out = (told){{from == NULL ? NULL : from->text, NULL}, {NULL}, heed_json_find(t->json, "weights_by_name") != NULL};
    for (const heed_json *item = set == NULL ? NULL : set->first; item != NULL && count < 3; item = item->next)
        out->set[count++] = item->text;
}

/* Weights that lie apart, perhaps in several files, are written out. */
static heed_status load_apart(trial *t, const char *architecture, const told *said)
{
    size_t stem = strcspn(t->file, ".");
    for (size_t i = 0; i < heed_zip_count(t->archive); i++) {
        const char *name = heed_zip_name(t->archive, i);
        bool ours = strncmp(name, t->file, stem) == 0 && strstr(name, ".npz") == NULL && strstr(name,
                                                                                                "weights") != NULL;
        if (ours && !extract(t, name, name))
            return HEED_EFORMAT;
    }
    if (!extract(t, architecture, architecture))
        return HEED_EFORMAT;
    heed_status status = heed_load_model(t->context, architecture, &t->model, .weights = t->file, .from = said->from,
                                         .set = said->set, .weights_by_name = said->by_name);
    remove(architecture);
    for (size_t i = 0; i < heed_zip_count(t->archive); i++)
        if (strncmp(heed_zip_name(t->archive, i), t->file, stem) == 0)
            remove(heed_zip_name(t->archive, i));
    return status;
}

static heed_status load_model(trial *t)
{
    const heed_json *architecture = heed_json_find(t->json, "architecture");
    told said;
    read_told(t, &said);
    if (heed_json_is(architecture, HEED_JSON_STRING))
        return load_apart(t, architecture->text, &said);
    unsigned char *bytes;
    size_t size;
    if (!read_member(t, t->file, &bytes, &size))
        return HEED_EFORMAT;
    heed_status status = heed_load_model_memory(t->context, t->file, bytes, size, &(heed_load_config){.from = said.from, .set = said.set},
                                                &t->model);
    heed_free(t->context, bytes);
    return status;
}

/* ---- comparing ---- */

static double value_at(const heed_array *a, int64_t i)
{
    switch (a->dtype) {
    case HEED_FLOAT32: return ((const float *)a->data)[i];
    case HEED_FLOAT64: return ((const double *)a->data)[i];
    case HEED_INT32: return ((const int32_t *)a->data)[i];
    case HEED_INT64: return (double)((const int64_t *)a->data)[i];
    default: return ((const uint8_t *)a->data)[i];
    }
}

static double distance(double found, double expected) { return fabs(found - expected) / fmax(1.0, fabs(expected)); }

static void compare_output(trial *t, const char *which, int k, const heed_array *found, double tolerance)
{
    const heed_array *expected = numbered(t, which, k);
    char a[128], b[128];
    if (expected == NULL || found == NULL) {
        complain(t, "output %d is %s", k, found == NULL ? "missing" : "not known");
        return;
    }
    if (!heed_shape_equal(&expected->shape, &found->shape)) {
        complain(t, "output %d has shape %s, expected %s", k, heed_shape_text(&found->shape, a, sizeof a),
                 heed_shape_text(&expected->shape, b, sizeof b));
        return;
    }
    double worst = 0.0;
    int64_t at = 0;
    for (int64_t i = 0; i < heed_array_count(expected); i++) {
        double d = distance(value_at(found, i), value_at(expected, i));
        if (!(d <= worst)) {
            worst = d;
            at = i;
        }
    }
    if (!(worst <= tolerance))
        complain(t, "output %s%d [%d] is %.7g, expected %.7g", which, k, (int)at, value_at(found, at), value_at(expected, at));
}

static heed_status take_named(trial *t, const char *prefix, bool inputs, heed_arrays *out)
{
    int count = inputs ? heed_model_input_count(t->model) : heed_model_output_count(t->model);
    *out = (heed_arrays){.context = t->context};
    for (int i = 0; i < count; i++) {
        heed_array *a = numbered(t, prefix, i), *copy;
        if (a == NULL)
            continue;
        if (heed_array_convert(t->context, a, a->dtype, &copy) != HEED_OK)
            return HEED_ENOMEM;
        heed_status status = heed_arrays_add(
            out, inputs ? heed_model_input_name(t->model, i) : heed_model_output_name(t->model, i), copy);
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

/* `which`: y, before training, or a, after it. */
static void check_outputs(trial *t, const char *which, double tolerance)
{
    heed_arrays x, y = {.context = t->context};
    heed_status status = take_named(t, "x", true, &x);
    if (status == HEED_OK)
        status = heed_predict(t->model, &x, &y, .batch_size = 1000);
    if (status != HEED_OK)
        complain(t, "%s", heed_error(t->context));
    for (int k = 0; status == HEED_OK && k < heed_model_output_count(t->model); k++)
        compare_output(t, which, k, heed_arrays_get(&y, heed_model_output_name(t->model, k)), tolerance);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
}

/* The column of that name. Keras 2 before 2.3 spelt the metrics' names out, and "accuracy" short. */
static int column_of(const heed_history *h, const char *name)
{
    static const char *const others[][2] = {
        {"acc", "accuracy"}, {"mean_absolute_error", "mae"}, {"mean_squared_error", "mse"},
        {"weighted_mean_squared_error", "mse"}};
    for (int k = 0; k < h->columns; k++)
        if (strcmp(h->names[k], name) == 0)
            return k;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t length = strlen(name), tail = strlen(others[i][0]);
        char other[200];
        if (length < tail || strcmp(name + length - tail, others[i][0]) != 0)
            continue;
        snprintf(other, sizeof other, "%.*s%s", (int)(length - tail), name, others[i][1]);
        for (int k = 0; k < h->columns; k++)
            if (strcmp(h->names[k], other) == 0)
                return k;
    }
    return -1;
}

static void check_history(trial *t, const heed_history *h)
{
    const heed_json *names = heed_json_find(heed_json_find(t->json, "fit"), "history");
    for (const heed_json *item = names->first; item != NULL; item = item->next) {
        char key[200];
        snprintf(key, sizeof key, "h_%s", item->text);
        const heed_array *expected = heed_arrays_get(&t->numbers, key);
        int column = column_of(h, item->text);
        if (column < 0)
            complain(t, "the history has no '%s' (it begins with %s, %s)", item->text, h->names[0],
                     h->columns > 1 ? h->names[1] : "nothing else");
        for (int row = 0; column >= 0 && row < h->rows; row++) {
            double found = h->values[row * h->columns + column], wanted = value_at(expected, row);
            if (!(distance(found, wanted) <= curve_tolerance))
                complain(t, "%s of epoch %d is %.7g, expected %.7g", item->text, row, found, wanted);
        }
    }
}

/* Training goes on where the file left it. */
static void check_training(trial *t)
{
    heed_arrays x = {.context = t->context}, y = x, weights = x;
    heed_history h = {0};
    if (!heed_json_is(heed_json_find(t->json, "fit"), HEED_JSON_OBJECT))
        return;
    if (!heed_is_compiled(t->model)) {
        complain(t, "it is not compiled");
        return;
    }
    heed_status status = take_named(t, "x", true, &x);
    if (status == HEED_OK)
        status = take_named(t, "t", false, &y);
    if (status == HEED_OK)
        status = take_named(t, "s", false, &weights);
    if (status == HEED_OK)
        status = heed_fit(t->model, &x, &y, .epochs = 2, .batch_size = 2, .no_shuffle = true, .history = &h,
                          .sample_weight = weights.count > 0 ? &weights : NULL);
    if (status != HEED_OK)
        complain(t, "fit: %s", heed_error(t->context));
    else
        check_history(t, &h);
    if (status == HEED_OK && numbered(t, "a", 0) != NULL)
        check_outputs(t, "a", curve_tolerance);
    heed_history_free(&h);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    heed_arrays_free(&weights);
}

/* ---- a file ---- */

/* A file that heed must not take for what it may not be. */
static void check_refused(trial *t, const char *reason)
{
    if (load_model(t) == HEED_OK)
        complain(t, "it is read, expected to be refused");
    else if (strstr(heed_error(t->context), reason) == NULL)
        complain(t, "refused for '%s', expected '%s'", heed_error(t->context), reason);
}

static void check_model(trial *t)
{
    if (load_model(t) != HEED_OK)
        complain(t, "load: %s", heed_error(t->context));
    else
        check_outputs(t, "y", output_tolerance);
    if (t->problem[0] == '\0')
        check_training(t);
}

static bool check_file(heed_context *c, heed_zip *archive, const char *writer, const char *file)
{
    trial t = {.context = c, .archive = archive, .writer = writer, .file = file, .numbers = {.context = c}};
    heed_zone_init(&t.zone, c);
    if (read_numbers(&t)) {
        const heed_json *refused = heed_json_find(t.json, "refused");
        if (refused != NULL)
            check_refused(&t, refused->text);
        else
            check_model(&t);
    } else {
        complain(&t, "its numbers cannot be read");
    }
    if (t.problem[0] != '\0')
        print_error("%s/%s: %s\n", writer, file, t.problem);
    heed_model_free(t.model);
    heed_arrays_free(&t.numbers);
    heed_zone_free(&t.zone);
    return t.problem[0] == '\0';
}

static void check_writer(void **state)
{
    const char *writer = *state, *chosen = getenv("HEED_CONFORMANCE");
    char path[600];
    int count = 0, bad = 0;
    heed_context *c;
    heed_zip *archive;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    snprintf(path, sizeof path, "%s/conformance/%s", HEED_FIXTURES, writer);
    if (heed_zip_open(c, path, &archive) != HEED_OK)
        fail_msg("%s", heed_error(c));
    for (size_t i = 0; i < heed_zip_count(archive); i++) {
        char file[300];
        const char *ending;
        snprintf(file, sizeof file, "%s", heed_zip_name(archive, i));
        ending = strstr(file, ".npz");
        if (ending == NULL || (chosen != NULL && strstr(file, chosen) == NULL))
            continue;
        file[ending - file] = '\0';
        count++;
        bad += !check_file(c, archive, writer, file);
    }
    heed_zip_close(archive);
    heed_context_free(c);
    remove(numbers_file);
    print_message("%s: %d of %d files as their writer has them\n", writer, count - bad, count);
    if (bad > 0)
        fail_msg("%s: %d of %d files differ", writer, bad, count);
}

static int is_archive(const struct dirent *e) { return strstr(e->d_name, ".zip") != NULL; }

int main(void)
{
    struct dirent **writers;
    struct CMUnitTest tests[100];
    int count = scandir(HEED_FIXTURES "/conformance", &writers, is_archive, alphasort);
    if (count <= 0 || count > 100)
        return 1;
    for (int i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){writers[i]->d_name, check_writer, NULL, NULL, writers[i]->d_name};
    int failed = _cmocka_run_group_tests("conformance", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(writers[i]);
    free(writers);
    return failed;
}
