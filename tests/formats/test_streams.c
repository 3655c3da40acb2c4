/* Arrays read and written some rows at a time: as if read and written at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/files.h"
#include "support/damage.h"
#include "support/failing_allocator.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE(name) HEED_FIXTURES "/formats/" name

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

/* Appends rows to an array. */
static void append(heed_context *c, heed_array **to, heed_array *rows)
{
    heed_array *from = *to, *both;
    heed_shape shape = rows->shape;
    if (from == NULL) {
        *to = rows;
        return;
    }
    shape.dims[0] += from->shape.dims[0];
    assert_int_equal(heed_array_create(c, rows->dtype, &shape, &both), HEED_OK);
    size_t size = heed_dtype_size(rows->dtype), first = (size_t)heed_array_count(from) * size;
    memcpy(both->data, from->data, first);
    memcpy((char *)both->data + first, rows->data, (size_t)heed_array_count(rows) * size);
    heed_array_free(c, from);
    heed_array_free(c, rows);
    *to = both;
}

static void check_equal(const heed_array *a, const heed_array *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->dtype, b->dtype);
    assert_true(heed_shape_equal(&a->shape, &b->shape));
    assert_memory_equal(a->data, b->data, (size_t)heed_array_count(a) * heed_dtype_size(a->dtype));
}

/* All arrays of the file in turns, `rows` at a time. */
static void check_reading(heed_context *c, const char *path, int64_t rows)
{
    heed_arrays whole;
    heed_array_reader *r;
    heed_array *found[8] = {NULL};
    assert_int_equal(heed_arrays_load(c, path, &whole), HEED_OK);
    if (heed_array_reader_open(c, path, &r) != HEED_OK)
        fail_msg("%s", heed_error(c));
    assert_int_equal(heed_array_reader_count(r), whole.count);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < heed_array_reader_count(r); i++) {
            heed_array *a;
            if (heed_array_reader_next(r, i, rows, &a) != HEED_OK)
                fail_msg("%s", heed_error(c));
            if (a == NULL)
                continue;
            assert_in_range(a->shape.dims[0], 1, rows);
            append(c, &found[i], a);
            more = true;
        }
    }
    for (int i = 0; i < heed_array_reader_count(r); i++) {
        const heed_array *expected = heed_arrays_get(&whole, heed_array_reader_name(r, i));
        int64_t told = heed_array_reader_shape(r, i)->dims[0];
        assert_int_equal(heed_array_reader_dtype(r, i), expected->dtype);
        assert_true(told == HEED_ANY || told == expected->shape.dims[0]);
        if (expected->shape.dims[0] > 0)
            check_equal(found[i], expected);
        else
            assert_null(found[i]);
        heed_array_free(c, found[i]);
    }
    heed_array_reader_close(r);
    heed_arrays_free(&whole);
}

static void test_reading(void **state)
{
    (void)state;
    static const char *const files[] = {
        SAMPLE("float32.npy"), SAMPLE("fortran.npy"), SAMPLE("version2.npy"), SAMPLE("version3.npy"),
        SAMPLE("bool.npy"), SAMPLE("big.npy"), SAMPLE("half.npy"), SAMPLE("empty.npy"), "t.csv"};
    static const char text[] = "\xef\xbb\xbf" "a,\"b\"\r\n1,2\r\n\r\n\"3\",4\n5,-6e-1\n7,8\n9,10";
    heed_context *c = new_context();
    size_t before = heed_memory_used(c);
    heed_test_write_file("t.csv", text, strlen(text));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (int64_t rows = 1; rows < 5; rows++)
            check_reading(c, files[i], rows);
    assert_int_equal(heed_memory_used(c), before);
    heed_context_free(c);
    remove("t.csv");
}

/* A table larger than any buffer, with lines that fall across their ends. */
static void test_long_csv(void **state)
{
    (void)state;
    heed_context *c = new_context();
    FILE *f = fopen("long.csv", "w");
    assert_non_null(f);
    for (int i = 0; i < 20000; i++)
        fprintf(f, "%d,%g\n", i, i / 7.0);
    assert_int_equal(fclose(f), 0);
    check_reading(c, "long.csv", 999);
    heed_context_free(c);
    remove("long.csv");
}

/* ---- writing ---- */

static heed_array *counted(heed_context *c, heed_dtype dtype, heed_shape shape)
{
    heed_array *a;
    assert_int_equal(heed_array_create(c, dtype, &shape, &a), HEED_OK);
    for (size_t i = 0; i < (size_t)heed_array_count(a) * heed_dtype_size(dtype); i++)
        ((unsigned char *)a->data)[i] = (unsigned char)(dtype == HEED_BOOL ? i & 1 : i * 37 % 101);
    return a;
}

/* Rows begin..end-1 of all arrays. */
static void slice(const heed_arrays *all, int64_t begin, int64_t end, heed_arrays *out)
{
    *out = (heed_arrays){.context = all->context};
    for (size_t i = 0; i < all->count; i++) {
        const heed_array *a = all->items[i].array;
        heed_shape shape = a->shape;
        heed_array *part;
        size_t row = (size_t)heed_array_count(a) / (size_t)shape.dims[0] * heed_dtype_size(a->dtype);
        shape.dims[0] = end - begin;
        assert_int_equal(heed_array_create(all->context, a->dtype, &shape, &part), HEED_OK);
        memcpy(part->data, (char *)a->data + (size_t)begin * row, (size_t)(end - begin) * row);
        assert_int_equal(heed_arrays_add(out, all->items[i].name, part), HEED_OK);
    }
}

static void check_writing(const heed_arrays *all, const char *path, int64_t rows)
{
    heed_array_writer *w;
    int64_t total = all->items[0].array->shape.dims[0];
    size_t sizes[2];
    assert_int_equal(heed_arrays_save(all, path), HEED_OK);
    char *expected = heed_test_read_file(path, &sizes[0]);
    assert_int_equal(heed_array_writer_open(all->context, path, &w), HEED_OK);
    for (int64_t begin = 0; begin < total; begin += rows) {
        heed_arrays part;
        slice(all, begin, begin + rows < total ? begin + rows : total, &part);
        assert_int_equal(heed_array_writer_add(w, &part), HEED_OK);
        heed_arrays_free(&part);
    }
    assert_int_equal(heed_array_writer_commit(w), HEED_OK);
    heed_array_writer_free(w);
    char *found = heed_test_read_file(path, &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(expected, found, sizes[0]);
    free(expected);
    free(found);
    remove(path);
}

static void test_writing(void **state)
{
    (void)state;
    heed_context *c = new_context();
    size_t before = heed_memory_used(c);
    heed_arrays one = {.context = c}, three = {.context = c};
    assert_int_equal(heed_arrays_add(&one, "x", counted(c, HEED_FLOAT32, (heed_shape){2, {11, 3}})), HEED_OK);
    assert_int_equal(heed_arrays_add(&three, "a/b", counted(c, HEED_INT32, (heed_shape){1, {11}})), HEED_OK);
    assert_int_equal(heed_arrays_add(&three, "y", counted(c, HEED_BOOL, (heed_shape){4, {11, 2, 1, 5}})), HEED_OK);
    assert_int_equal(heed_arrays_add(&three, "z", counted(c, HEED_INT64, (heed_shape){3, {11, 0, 5}})), HEED_OK);
    for (int64_t rows = 1; rows < 13; rows += 3) {
        check_writing(&one, "t.npy", rows);
        check_writing(&one, "t.csv", rows);
        check_writing(&one, "t.npz", rows);
        check_writing(&three, "t.npz", rows);
    }
    heed_arrays_free(&one);
    heed_arrays_free(&three);
    assert_int_equal(heed_memory_used(c), before);
    heed_context_free(c);
}

static void test_writing_refuses(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_array_writer *w;
    heed_arrays good = {.context = c}, other = {.context = c}, none = {.context = c};
    assert_int_equal(heed_arrays_add(&good, "x", counted(c, HEED_FLOAT32, (heed_shape){2, {2, 3}})), HEED_OK);
    assert_int_equal(heed_arrays_add(&other, "x", counted(c, HEED_FLOAT32, (heed_shape){2, {2, 4}})), HEED_OK);
    assert_int_equal(heed_array_writer_open(c, "t.dat", &w), HEED_EINVAL);
    assert_int_equal(heed_array_writer_open(c, "no/t.npy", &w), HEED_EIO);
    assert_int_equal(heed_array_writer_open(c, "t.npy", &w), HEED_OK);
    assert_int_equal(heed_array_writer_commit(w), HEED_EINVAL);
    assert_int_equal(heed_array_writer_add(w, &none), HEED_EINVAL);
    assert_int_equal(heed_array_writer_add(w, &good), HEED_OK);
    assert_int_equal(heed_array_writer_add(w, &other), HEED_ESHAPE);
    assert_string_equal(heed_error(c), "t.npy: rows of x do not fit those before (expected (None, 3), found (2, 4))");
    heed_array_writer_free(w);
    FILE *f = fopen("t.npy", "rb");
    assert_null(f); /* nothing was committed */
    heed_arrays_free(&good);
    heed_arrays_free(&other);
    heed_context_free(c);
}

/* ---- damage and no memory ---- */

static heed_status read_file(heed_context *c, const char *path)
{
    heed_array_reader *r;
    heed_status status = heed_array_reader_open(c, path, &r);
    for (int i = 0; status == HEED_OK && i < heed_array_reader_count(r); i++) {
        heed_array *a = NULL;
        do {
            heed_array_free(c, a);
            status = heed_array_reader_next(r, i, 2, &a);
        } while (status == HEED_OK && a != NULL);
    }
    heed_array_reader_close(r);
    return status;
}

static heed_status read_damaged(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    heed_test_write_file(user, bytes, size);
    return read_file(c, user);
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *file, *as;
    } cases[] = {{SAMPLE("float32.npy"), "d.npy"}, {SAMPLE("fortran.npy"), "d.npy"}, {SAMPLE("deflated.npz"), "d.npz"},
                 {SAMPLE("stored.npz"), "d.npz"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        char *bytes = heed_test_read_file(cases[i].file, &size);
        assert_int_equal(heed_test_truncate(read_damaged, (void *)(uintptr_t)cases[i].as, bytes, size, 1 << 16), 1);
        heed_test_flip(read_damaged, (void *)(uintptr_t)cases[i].as, bytes, size, 1 << 16, 200, i);
        free(bytes);
        remove(cases[i].as);
    }
}

static heed_status read_and_write(heed_context *c, void *user)
{
    const char *path = user;
    heed_array_writer *w = NULL;
    heed_arrays all;
    heed_status status = read_file(c, path);
    if (status == HEED_OK)
        status = heed_arrays_load(c, path, &all);
    if (status != HEED_OK)
        return status;
    status = heed_array_writer_open(c, "again.npz", &w);
    if (status == HEED_OK)
        status = heed_array_writer_add(w, &all);
    if (status == HEED_OK)
        status = heed_array_writer_add(w, &all);
    if (status == HEED_OK)
        status = heed_array_writer_commit(w);
    heed_array_writer_free(w);
    heed_arrays_free(&all);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_write_file("m.csv", "1,2\n3,4\n5,6\n", 12);
    heed_test_each_allocation_fails(read_and_write, SAMPLE("float32.npy"));
    heed_test_each_allocation_fails(read_and_write, SAMPLE("fortran.npy"));
    heed_test_each_allocation_fails(read_and_write, "m.csv");
    remove("m.csv");
    remove("again.npz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),         cmocka_unit_test(test_long_csv), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_writing_refuses), cmocka_unit_test(test_damage),   cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
