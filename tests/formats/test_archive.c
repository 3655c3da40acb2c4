#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "formats/archive.h"
#include "formats/zip.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char written[] = "test_archive.tmp";

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* All of an archive. */
static heed_status read_path(heed_context *c, const char *path, heed_archive *out)
{
    heed_status status = heed_archive_open(c, path, out);
    return status == HEED_OK ? heed_archive_read(out) : status;
}

static heed_status read_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_archive *out)
{
    heed_status status = heed_archive_open_memory(c, name, bytes, size, out);
    return status == HEED_OK ? heed_archive_read(out) : status;
}

static void expect_sample(const heed_archive *a)
{
    assert_string_equal(a->keras_version, "3.15.1");
    assert_string_equal(a->date_saved, "2026-01-02@03:04:05");
    assert_non_null(strstr(a->config, "\"class_name\": \"Sequential\""));
    assert_int_equal(a->config[a->config_size], 0);
    const heed_hdf5 *kernel = heed_hdf5_find(a->weights, "layers/dense_3/vars/0");
    assert_true(((float *)kernel->array->data)[5] == 8);
    assert_int_equal(a->asset_count, 1);
    const heed_archive_asset *asset = heed_archive_asset_of(a, "layers/text/vocabulary.txt");
    assert_string_equal((char *)asset->bytes, "a\nb\n");
    assert_int_equal(asset->size, 4);
    assert_null(heed_archive_asset_of(a, "vocabulary.txt"));
}

static void test_archives_of_keras(void **state)
{
    (void)state;
    static const char *const files[] = {HEED_FIXTURES "/formats/stored.keras", HEED_FIXTURES "/formats/deflated.keras"};
    heed_context *c = new_context();
    for (size_t i = 0; i < 2; i++) {
        heed_archive a;
        if (read_path(c, files[i], &a) != HEED_OK)
            fail_msg("%s", heed_error(c));
        expect_sample(&a);
        heed_archive_free(&a);
    }
    heed_context_free(c);
}

static void unzip_here(heed_context *c, const char *archive, const char *folder)
{
    heed_zip *z;
    assert_int_equal(heed_zip_open(c, archive, &z), HEED_OK);
    for (size_t i = 0; i < heed_zip_count(z); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, heed_zip_name(z, i));
        for (char *slash = path; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
            *slash = '\0';
            mkdir(path, 0777);
        }
        unsigned char *bytes;
        size_t size;
        assert_int_equal(heed_zip_read(z, i, 1 << 20, &bytes, &size), HEED_OK);
        assert_int_equal(heed_file_write(c, path, bytes, size), HEED_OK);
        heed_release(c, bytes);
    }
    heed_zip_close(z);
}

static void test_folder(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_archive a;
    unzip_here(c, HEED_FIXTURES "/formats/stored.keras", "test_archive.folder");
    if (read_path(c, "test_archive.folder", &a) != HEED_OK)
        fail_msg("%s", heed_error(c));
    expect_sample(&a);
    heed_archive_free(&a);
    remove("test_archive.folder/config.json");
    assert_int_equal(read_path(c, "test_archive.folder", &a), HEED_EFORMAT);
    assert_string_equal(heed_error(c), "test_archive.folder: config.json is missing (expected a Keras archive)");
    static const char *const rest[] = {"/assets/layers/text/vocabulary.txt", "/assets/layers/text", "/assets/layers", "/assets",
                                       "/metadata.json", "/model.weights.h5", ""};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char path[128];
        snprintf(path, sizeof path, "test_archive.folder%s", rest[i]);
        assert_int_equal(remove(path), 0);
    }
    heed_context_free(c);
}

static heed_status build(heed_context *c, heed_archive *a)
{
    *a = (heed_archive){.context = c};
    HEED_TRY(heed_archive_set_metadata(a, "3.0.0", "yesterday"));
    HEED_TRY(heed_archive_set_config(a, "{\"a\": 1}", 8));
    HEED_TRY(heed_archive_set_config(a, "{\"a\": 22}", 9));
    HEED_TRY(heed_archive_set_asset(a, "recipe.json", "{}", 2));
    HEED_TRY(heed_archive_set_asset(a, "source/vocabulary.txt", "old", 3));
    HEED_TRY(heed_archive_set_asset(a, "source/vocabulary.txt", "x\ny\n", 4));
    HEED_TRY(heed_hdf5_create(c, &a->weights));
    heed_array *array;
    HEED_TRY(heed_array_create(c, HEED_FLOAT32, &(heed_shape){1, {3}}, &array));
    return heed_hdf5_put(a->weights, "vars/0", array);
}

static void test_round_trip(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_archive a, b;
    assert_int_equal(build(c, &a), HEED_OK);
    assert_int_equal(heed_archive_write(&a, written), HEED_OK);
    unsigned char *one, *two;
    size_t size_one, size_two;
    assert_int_equal(heed_file_read(c, written, 1 << 20, &one, &size_one), HEED_OK);
    assert_int_equal(heed_archive_write(&a, written), HEED_OK);
    assert_int_equal(heed_file_read(c, written, 1 << 20, &two, &size_two), HEED_OK);
    assert_int_equal(size_one, size_two);
    assert_memory_equal(one, two, size_one);
    if (read_path(c, written, &b) != HEED_OK)
        fail_msg("%s", heed_error(c));
    assert_string_equal(b.keras_version, "3.0.0");
    assert_string_equal(b.date_saved, "yesterday");
    assert_string_equal(b.config, "{\"a\": 22}");
    assert_int_equal(b.asset_count, 2);
    assert_string_equal((char *)heed_archive_asset_of(&b, "source/vocabulary.txt")->bytes, "x\ny\n");
    assert_non_null(heed_hdf5_find(b.weights, "vars/0")->array);

    /* Keras' order of members */
    static const char *const order[] = {"metadata.json", "config.json", "model.weights.h5", "assets/recipe.json",
                                        "assets/source/vocabulary.txt"};
    heed_zip *z;
    assert_int_equal(heed_zip_open(c, written, &z), HEED_OK);
    assert_int_equal(heed_zip_count(z), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(heed_zip_name(z, i), order[i]);
    heed_zip_close(z);
    remove(written);
    heed_release(c, one);
    heed_release(c, two);
    heed_archive_free(&a);
    heed_archive_free(&b);
    heed_context_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_archive a;
    assert_int_equal(read_path(c, "/no/such/file", &a), HEED_EIO);
    assert_int_equal(read_path(c, HEED_FIXTURES "/formats/legacy.h5", &a), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(c), "not a Keras archive"));
    static const struct {
        heed_zip_member members[3];
        size_t          count;
        heed_status     status;
        const char     *error;
    } bad[] = {
        {{{"metadata.json", "{}", 2}}, 1, HEED_EFORMAT, "config.json is missing"},
        {{{"config.json", "{}", 2}}, 1, HEED_EFORMAT, "model.weights.h5 is missing"},
        {{{"metadata.json", "{", 1}, {"config.json", "{}", 2}}, 2, HEED_EFORMAT, "t.keras: metadata.json: line 1, column 2"},
        {{{"config.json", "{}", 2}, {"model.weights.h5", "x", 1}}, 2, HEED_EFORMAT, ": model.weights.h5: not an HDF5 file"},
        {{{"config.json", "{}", 2}, {"model.weights.npz", "x", 1}}, 2, HEED_EUNSUPPORTED, "pickled"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(heed_zip_write(c, written, bad[i].members, bad[i].count), HEED_OK);
        unsigned char *bytes;
        size_t size;
        assert_int_equal(heed_file_read(c, written, 1 << 20, &bytes, &size), HEED_OK);
        assert_int_equal(read_memory(c, "t.keras", bytes, size, &a), bad[i].status);
        if (strstr(heed_error(c), bad[i].error) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", bad[i].error, heed_error(c));
        heed_release(c, bytes);
        heed_archive_free(&a);
    }
    remove(written);
    a = (heed_archive){.context = c};
    assert_int_equal(heed_archive_set_asset(&a, "../x", "", 0), HEED_EINVAL);
    assert_int_equal(heed_archive_write(&a, written), HEED_ESTATE);
    heed_file_kind kind;
    assert_int_equal(heed_file_kind_of(c, HEED_FIXTURES "/formats/legacy.h5", &kind), HEED_OK);
    assert_int_equal(kind, HEED_FILE_HDF5);
    assert_int_equal(heed_file_kind_of(c, HEED_FIXTURES "/formats/stored.npz", &kind), HEED_OK);
    assert_int_equal(kind, HEED_FILE_ZIP);
    assert_int_equal(heed_file_kind_of(c, HEED_FIXTURES "/formats/make.py", &kind), HEED_OK);
    assert_int_equal(kind, HEED_FILE_OTHER);
    assert_int_equal(heed_file_kind_of(c, HEED_FIXTURES, &kind), HEED_OK);
    assert_int_equal(kind, HEED_FILE_FOLDER);
    heed_context_free(c);
}

static heed_status read_bytes(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    (void)user;
    heed_archive a;
    heed_status status = read_memory(c, "t.keras", bytes, size, &a);
    heed_archive_free(&a);
    return status;
}

static void test_damage(void **state)
{
    (void)state;
    heed_context *c = new_context();
    unsigned char *bytes;
    size_t size;
    assert_int_equal(heed_file_read(c, HEED_FIXTURES "/formats/deflated.keras", 1 << 20, &bytes, &size), HEED_OK);
    assert_int_equal(heed_test_truncate(read_bytes, NULL, bytes, size, 1 << 21), 1);
    heed_test_flip(read_bytes, NULL, bytes, size, 1 << 23, 5000, 3);
    heed_release(c, bytes);
    heed_context_free(c);
}

static heed_status build_write_read(heed_context *c, void *user)
{
    (void)user;
    heed_archive a, b = {0};
    heed_status status = build(c, &a);
    if (status == HEED_OK)
        status = heed_archive_write(&a, written);
    if (status == HEED_OK)
        status = read_path(c, written, &b);
    heed_archive_free(&a);
    heed_archive_free(&b);
    return status;
}

/* Each is looked for among those before it. */
static void test_too_many_assets(void **state)
{
    (void)state;
    enum { MOST = 4096 };
    heed_context *c = new_context();
    heed_archive a = {.context = c}, b;
    assert_int_equal(heed_archive_set_metadata(&a, "3.15.1", "2026-01-02@03:04:05"), HEED_OK);
    assert_int_equal(heed_archive_set_config(&a, "{}", 2), HEED_OK);
    assert_int_equal(heed_hdf5_create(c, &a.weights), HEED_OK);
    for (int i = 0; i <= MOST; i++) {
        char name[20];
        snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(heed_archive_set_asset(&a, name, "x", 1), HEED_OK);
    }
    assert_int_equal(heed_archive_write(&a, written), HEED_OK);
    assert_int_equal(read_path(c, written, &b), HEED_EUNSUPPORTED);
    assert_string_equal(heed_error(c), "test_archive.tmp: more than 4096 assets");
    heed_archive_free(&a);
    heed_archive_free(&b);
    remove(written);
    heed_context_free(c);
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(build_write_read, NULL);
    remove(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archives_of_keras), cmocka_unit_test(test_folder),  cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),          cmocka_unit_test(test_damage), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_too_many_assets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
