#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/files.h"

#include "base/file.h"
#include "base/memory.h"
#include "formats/csv.h"
#include "formats/npy.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE(name) HEED_FIXTURES "/formats/" name

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static void expect_array(const heed_array *a, heed_dtype dtype, heed_shape shape, const double *values)
{
    heed_context *c = new_context();
    heed_array *b;
    assert_non_null(a);
    assert_int_equal(a->dtype, dtype);
    assert_true(heed_shape_equal(&a->shape, &shape));
    assert_int_equal(heed_array_convert(c, a, HEED_FLOAT64, &b), HEED_OK);
    for (int64_t i = 0; i < heed_array_count(a); i++)
        if (((double *)b->data)[i] != values[i])
            fail_msg("[%d]: expected %g, found %g", (int)i, values[i], ((double *)b->data)[i]);
    heed_array_free(c, b);
    heed_context_free(c);
}

/* ---- files of NumPy ---- */

static void expect_npy(const char *path, const char *name, heed_dtype dtype, heed_shape shape, const double *values)
{
    heed_context *c = new_context();
    heed_arrays a;
    if (heed_arrays_load(c, path, &a) != HEED_OK)
        fail_msg("%s", heed_error(c));
    assert_int_equal(a.count, 1);
    assert_string_equal(a.items[0].name, name);
    expect_array(a.items[0].array, dtype, shape, values);
    heed_arrays_free(&a);
    heed_context_free(c);
}

static void test_npy_of_numpy(void **state)
{
    (void)state;
    double counting[24];
    for (int i = 0; i < 24; i++)
        counting[i] = i;
    expect_npy(SAMPLE("float32.npy"), "float32", HEED_FLOAT32, (heed_shape){2, {2, 3}}, counting);
    expect_npy(SAMPLE("fortran.npy"), "fortran", HEED_INT32, (heed_shape){3, {2, 3, 4}}, counting);
    expect_npy(SAMPLE("version2.npy"), "version2", HEED_INT64, (heed_shape){1, {4}}, counting);
    expect_npy(SAMPLE("version3.npy"), "version3", HEED_INT64, (heed_shape){1, {4}}, counting);
    expect_npy(SAMPLE("scalar.npy"), "scalar", HEED_FLOAT64, (heed_shape){0}, (double[]){2.5});
    expect_npy(SAMPLE("bool.npy"), "bool", HEED_BOOL, (heed_shape){1, {3}}, (double[]){1, 0, 1});
    expect_npy(SAMPLE("big.npy"), "big", HEED_INT32, (heed_shape){1, {3}}, (double[]){1, -2, 300});
    expect_npy(SAMPLE("half.npy"), "half", HEED_FLOAT32, (heed_shape){1, {2}}, (double[]){0.5, -1.25});
    expect_npy(SAMPLE("empty.npy"), "empty", HEED_FLOAT32, (heed_shape){2, {0, 4}}, NULL);
}

static void test_npz_of_numpy(void **state)
{
    (void)state;
    static const char *const files[] = {SAMPLE("stored.npz"), SAMPLE("deflated.npz")};
    heed_context *c = new_context();
    for (size_t i = 0; i < 2; i++) {
        heed_arrays a;
        if (heed_arrays_load(c, files[i], &a) != HEED_OK)
            fail_msg("%s", heed_error(c));
        assert_int_equal(a.count, 2);
        expect_array(heed_arrays_get(&a, "a"), HEED_FLOAT32, (heed_shape){1, {5}}, (double[]){0, 1, 2, 3, 4});
        expect_array(heed_arrays_get(&a, "b"), HEED_INT64, (heed_shape){2, {2, 2}}, (double[]){1, 2, 3, 4});
        heed_arrays_free(&a);
    }
    heed_context_free(c);
}

/* An .npy of version 1 with this header and `size` zero bytes behind it. */
static heed_status read_forged(heed_context *c, const char *header, size_t size)
{
    unsigned char bytes[512] = "\x93NUMPY\1\0";
    size_t length = strlen(header);
    bytes[8] = (unsigned char)length;
    memcpy(bytes + 10, header, length);
    heed_array *a;
    heed_status status = heed_npy_read(c, "t.npy", bytes, 10 + length + size, &a);
    heed_array_free(c, a);
    return status;
}

static void test_npy_headers(void **state)
{
    (void)state;
    heed_context *c = new_context();
    static const char *const good[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
        "{\"shape\":(2,3),\"fortran_order\":True,\"descr\":\"=f4\"}",
        "{'descr': 'f4', 'fortran_order': False, 'shape': (2L, 3L)}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(read_forged(c, good[i], 24), HEED_OK);
        assert_int_equal(read_forged(c, good[i], 23), HEED_EFORMAT);
    }
    assert_string_equal(heed_error(c), "t.npy: the file is cut off (shape (2, 3) of 4 bytes each, found 23 bytes)");
    static const struct {
        const char *header;
        heed_status status;
    } bad[] = {
        {"", HEED_EFORMAT},
        {"{}", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': ()}", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", HEED_EFORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", HEED_EUNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}", HEED_EFORMAT},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", HEED_EUNSUPPORTED},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': ()}", HEED_EUNSUPPORTED},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", HEED_EUNSUPPORTED},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': ()}", HEED_EUNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_forged(c, bad[i].header, 64) != bad[i].status)
            fail_msg("%s: \"%s\"", bad[i].header, heed_error(c));
    heed_arrays a;
    assert_int_equal(heed_arrays_load(c, SAMPLE("objects.npy"), &a), HEED_EUNSUPPORTED);
    assert_non_null(strstr(heed_error(c), "Python objects"));
    assert_int_equal(heed_arrays_load(c, SAMPLE("record.npy"), &a), HEED_EUNSUPPORTED);
    assert_int_equal(heed_arrays_load(c, SAMPLE("legacy.h5"), &a), HEED_EFORMAT);
    assert_int_equal(heed_arrays_load(c, SAMPLE("stored.keras"), &a), HEED_EFORMAT);
    assert_non_null(strstr(heed_error(c), "metadata.json: not an array"));
    heed_context_free(c);
}

/* ---- CSV ---- */

static heed_array *read_csv(heed_context *c, const char *text)
{
    heed_array *a;
    if (heed_csv_read(c, "t.csv", text, strlen(text), &a) != HEED_OK)
        fail_msg("%s: %s", text, heed_error(c));
    return a;
}

static void test_csv(void **state)
{
    (void)state;
    heed_context *c = new_context();
    static const char *const same[] = {
        "1,2.5\n-3e2,4\n", "1,2.5\r\n-3e2,4", "\xef\xbb\xbfx,b\n1,2.5\n-3e2,4\n", "\"x, \"\"y\"\"\nz\", w\n\"1\" , 2.5\n\n-300,\"4\"\n\n",
        "1,b\n1,2.5\n-300,4.0\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        heed_array *a = read_csv(c, same[i]);
        expect_array(a, HEED_FLOAT32, (heed_shape){2, {2, 2}}, (double[]){1, 2.5, -300, 4});
        heed_array_free(c, a);
    }
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "no numbers"},
        {"a,b\n", "no numbers"},
        {"1,2\n3\n", "t.csv: line 2: expected 2 fields, found 1"},
        {"a,b\n\n1,2\n3,4,5\n", "line 4: expected 2 fields, found 3"},
        {"1,2\n3,x\n", "line 2, field 2: expected a number, found \"x\""},
        {"1,2\n3,\n", "line 2, field 2: expected a number, found \"\""},
        {"1\n\"2\n", "line 2, field 1: expected a number"},
        {"1\n1 2\n", "line 2, field 1: expected a number, found \"1 2\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        heed_array *a;
        assert_int_equal(heed_csv_read(c, "t.csv", bad[i].text, strlen(bad[i].text), &a), HEED_EFORMAT);
        if (strstr(heed_error(c), bad[i].error) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", bad[i].error, heed_error(c));
    }
    heed_context_free(c);
}

/* ---- round trips ---- */

static heed_status add(heed_arrays *a, const char *name, heed_dtype dtype, heed_shape shape)
{
    heed_array *array;
    HEED_TRY(heed_array_create(a->context, dtype, &shape, &array));
    for (int64_t i = 0; i < heed_array_count(array); i++) {
        switch (dtype) {
        case HEED_FLOAT32: ((float *)array->data)[i] = (float)i / 7; break;
        case HEED_FLOAT64: ((double *)array->data)[i] = (double)i / 7; break;
        case HEED_INT32: ((int32_t *)array->data)[i] = (int32_t)(INT32_MIN + i); break;
        case HEED_INT64: ((int64_t *)array->data)[i] = INT64_MAX - i; break;
        case HEED_BOOL:
        case HEED_UINT8: ((uint8_t *)array->data)[i] = i % 2; break;
        }
    }
    return heed_arrays_add(a, name, array);
}

static heed_status fill(heed_arrays *a)
{
    HEED_TRY(add(a, "x", HEED_FLOAT32, (heed_shape){2, {3, 4}}));
    HEED_TRY(add(a, "layers/dense/vars/0", HEED_FLOAT64, (heed_shape){1, {5}}));
    HEED_TRY(add(a, "i", HEED_INT32, (heed_shape){3, {2, 2, 2}}));
    HEED_TRY(add(a, "j", HEED_INT64, (heed_shape){0}));
    HEED_TRY(add(a, "mask", HEED_BOOL, (heed_shape){2, {0, 3}}));
    return add(a, "bytes", HEED_UINT8, (heed_shape){1, {3}});
}

static const char *const npz = "test_files.tmp.npz", *const npy = "test_files.tmp.npy", *const csv = "test_files.tmp.csv";

static void expect_equal(const heed_array *a, const heed_array *b)
{
    assert_int_equal(a->dtype, b->dtype);
    assert_true(heed_shape_equal(&a->shape, &b->shape));
    assert_memory_equal(a->data, b->data, (size_t)heed_array_count(a) * heed_dtype_size(a->dtype));
}

static void test_round_trips(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_arrays a = {.context = c}, b;
    assert_int_equal(fill(&a), HEED_OK);
    assert_int_equal(heed_arrays_save(&a, npz), HEED_OK);
    assert_int_equal(heed_arrays_load(c, npz, &b), HEED_OK);
    assert_int_equal(b.count, a.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_string_equal(a.items[i].name, b.items[i].name);
        expect_equal(a.items[i].array, b.items[i].array);
    }
    heed_arrays_free(&b);

    heed_arrays one = {.context = c};
    assert_int_equal(add(&one, "x", HEED_FLOAT32, (heed_shape){2, {50, 4}}), HEED_OK);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(heed_arrays_save(&one, k == 0 ? npy : csv), HEED_OK);
        assert_int_equal(heed_arrays_load(c, k == 0 ? npy : csv, &b), HEED_OK);
        assert_string_equal(b.items[0].name, "test_files.tmp");
        expect_equal(one.items[0].array, b.items[0].array);
        heed_arrays_free(&b);
    }
    heed_arrays_free(&one);

    assert_int_equal(heed_arrays_save(&a, npy), HEED_EINVAL);
    assert_string_equal(heed_error(c), "test_files.tmp.npy: it takes one array (found 6)");
    assert_int_equal(heed_arrays_save(&a, "test_files.tmp"), HEED_EINVAL);
    assert_int_equal(heed_arrays_save(&one, npz), HEED_EINVAL);
    assert_int_equal(add(&one, "../x", HEED_FLOAT32, (heed_shape){3, {1, 1, 1}}), HEED_OK);
    assert_int_equal(heed_arrays_save(&one, npz), HEED_EINVAL);
    assert_int_equal(heed_arrays_save(&one, csv), HEED_ESHAPE);
    heed_arrays_free(&one);
    heed_arrays_free(&a);
    remove(npz);
    remove(npy);
    remove(csv);
    heed_context_free(c);
}

/* ---- damage and no memory ---- */

static heed_status read_npy(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    heed_array *a;
    heed_status status = heed_npy_read(c, user, bytes, size, &a);
    heed_array_free(c, a);
    return status;
}

static heed_status read_text(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    heed_array *a;
    heed_status status = heed_csv_read(c, user, bytes, size, &a);
    heed_array_free(c, a);
    return status;
}

static void test_damage(void **state)
{
    (void)state;
    static const char *const files[] = {SAMPLE("float32.npy"), SAMPLE("fortran.npy"), SAMPLE("half.npy"), SAMPLE("version3.npy")};
    heed_context *c = new_context();
    for (size_t i = 0; i < 4; i++) {
        unsigned char *bytes;
        size_t size;
        assert_int_equal(heed_file_read(c, files[i], 1 << 20, &bytes, &size), HEED_OK);
        assert_int_equal(heed_test_truncate(read_npy, "t.npy", bytes, size, 1 << 14), 1);
        heed_test_flip(read_npy, "t.npy", bytes, size, 1 << 14, 20000, i);
        heed_release(c, bytes);
    }
    static const char text[] = "a,\"b\"\n1,2.5\n\"3\",-4e-3\n";
    heed_test_truncate(read_text, "t.csv", text, strlen(text), 1 << 14);
    heed_test_flip(read_text, "t.csv", text, strlen(text), 1 << 14, 20000, 9);
    heed_context_free(c);
}

static heed_status save_and_load(heed_context *c, void *user)
{
    const char *path = user;
    heed_arrays a = {.context = c}, b = {.context = c};
    heed_status status = strcmp(path, npz) == 0 ? fill(&a) : add(&a, "x", HEED_FLOAT32, (heed_shape){2, {40, 3}});
    if (status == HEED_OK)
        status = heed_arrays_save(&a, path);
    if (status == HEED_OK)
        status = heed_arrays_load(c, path, &b);
    heed_arrays_free(&a);
    heed_arrays_free(&b);
    return status;
}

static heed_status load_fortran(heed_context *c, void *user)
{
    heed_arrays a;
    heed_status status = heed_arrays_load(c, user, &a);
    heed_arrays_free(&a);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(save_and_load, (void *)npz);
    heed_test_each_allocation_fails(save_and_load, (void *)npy);
    heed_test_each_allocation_fails(save_and_load, (void *)csv);
    heed_test_each_allocation_fails(load_fortran, SAMPLE("fortran.npy"));
    remove(npz);
    remove(npy);
    remove(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_of_numpy), cmocka_unit_test(test_npz_of_numpy), cmocka_unit_test(test_npy_headers),
        cmocka_unit_test(test_csv),          cmocka_unit_test(test_round_trips),  cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
