/* Nothing that heed knows by name goes without a fixture: every layer, operation, loss, metric, optimizer, schedule,
 * initializer, regularizer, constraint and activation is in the description of some file that real Keras made. */
#define _POSIX_C_SOURCE 200809L /* scandir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "formats/keras_operation_run.h"
#include "heed/files.h"
#include "layers/object.h"
#include "model/measure.h"
#include "model/optimizer_rules.h"
#include "model/schedule.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Keras has no word of its own for, and two layers that no file can rebuild (tests/layers/test_convolution.c). */
static const char *const own[] = {"unit_forget", "hard_sigmoid_keras2", "Resize2D", "DiscreteResize2D"};

typedef struct everything {
    heed_context *context;
    heed_text     text; /* the descriptions of all fixtures */
    int           missing;
} everything;

static int is_visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static void read_file(everything *all, const char *path)
{
    heed_arrays arrays = {.context = all->context};
    assert_int_equal(heed_arrays_load(all->context, path, &arrays), HEED_OK);
    const heed_array *json = heed_arrays_get(&arrays, "json");
    assert_non_null(json);
    heed_text_append(&all->text, json->data, (size_t)heed_array_count(json));
    heed_arrays_free(&arrays);
}

static void read_folder(everything *all, const char *folder)
{
    struct dirent **entries;
    char path[600];
    int count = scandir(folder, &entries, is_visible, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (strstr(entries[i]->d_name, ".npz") != NULL)
            read_file(all, path);
        else
            read_folder(all, path);
        free(entries[i]);
    }
    free(entries);
}

static bool is_said(const everything *all, const char *name)
{
    char quoted[200];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    return strstr(all->text.bytes, quoted) != NULL;
}

static void need(everything *all, const char *what, const char *name, const char *keras)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i], name) == 0)
            return;
    if (is_said(all, name) || (keras != NULL && is_said(all, keras)))
        return;
    print_error("no fixture has the %s %s\n", what, name);
    all->missing++;
}

static void need_family(everything *all, const heed_object_family *f)
{
    for (const heed_object_class *const *class = f->classes; *class != NULL; class++)
        need(all, f->word, (*class)->name, (*class)->keras);
}

static void need_rows(everything *all, const heed_operation_row *rows)
{
    for (; rows->run != NULL; rows++)
        need(all, "operation", rows->class.name, NULL);
}

static void test_every_name_has_a_fixture(void **state)
{
    static const heed_object_family *const families[] = {&heed_losses,      &heed_metrics,      &heed_optimizers, &heed_schedules,
                                                         &heed_activations, &heed_initializers, &heed_regularizers,
                                                         &heed_constraints};
    everything all = {.missing = 0};
    const heed_layer_class *class;
    (void)state;
    assert_int_equal(heed_context_create(NULL, &all.context), HEED_OK);
    all.text.context = all.context;
    read_folder(&all, HEED_FIXTURES "/keras");
    read_folder(&all, HEED_FIXTURES "/initializers");
    assert_non_null(all.text.bytes);
    for (int i = 0; (class = heed_layer_class_at(i)) != NULL; i++)
        need(&all, "layer", class->name, NULL);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        need_family(&all, families[i]);
    need_rows(&all, heed_number_operations);
    need_rows(&all, heed_shape_operations);
    need_rows(&all, heed_product_operations);
    heed_text_free(&all.text);
    heed_context_free(all.context);
    assert_int_equal(all.missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_name_has_a_fixture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
