#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "formats/hdf5_reader.h"
#include "support/damage.h"
#include "support/failing_allocator.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct sample {
    heed_context  *c;
    unsigned char *bytes;
    size_t         size;
    heed_hdf5     *tree;
} sample;

static heed_context *new_context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static void load(sample *s, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, HEED_FIXTURES "/formats/%s", name);
    s->c = new_context();
    assert_int_equal(heed_file_read(s->c, path, 1 << 24, &s->bytes, &s->size), HEED_OK);
}

static void drop(sample *s)
{
    heed_hdf5_free(s->tree);
    heed_release(s->c, s->bytes);
    heed_context_free(s->c);
    *s = (sample){0};
}

static void load_tree(sample *s, const char *name)
{
    *s = (sample){0};
    load(s, name);
    if (heed_hdf5_read(s->c, name, s->bytes, s->size, &s->tree) != HEED_OK)
        fail_msg("%s", heed_error(s->c));
}

/* ---- files of others ---- */

static void test_keras3(void **state)
{
    (void)state;
    static const char *const files[] = {"keras3.h5", "keras3_v108.h5", "keras3_latest.h5"};
    for (size_t k = 0; k < 3; k++) {
        sample s;
        load_tree(&s, files[k]);
        for (int i = 0; i < 12; i++) {
            char path[64], name[32];
            snprintf(path, sizeof path, i == 0 ? "layers/dense/vars" : "layers/dense_%d/vars", i);
            const heed_hdf5 *vars = heed_hdf5_find(s.tree, path);
            assert_non_null(vars);
            const char *found;
            assert_int_equal(heed_hdf5_get_string(vars, "name", &found), HEED_OK);
            snprintf(name, sizeof name, "layer %d", i);
            assert_string_equal(found, name);
            const heed_array *kernel = heed_hdf5_find(vars, "0")->array, *bias = heed_hdf5_find(vars, "1")->array;
            assert_true(heed_shape_equal(&kernel->shape, &(heed_shape){2, {2, 3}}));
            for (int j = 0; j < 6; j++)
                assert_true(((float *)kernel->data)[j] == (float)(i + j));
            for (int j = 0; j < 3; j++)
                assert_true(((float *)bias->data)[j] == (float)-i);
        }
        const heed_hdf5 *vars = heed_hdf5_find(s.tree, "vars");
        assert_true(vars != NULL && vars->first == NULL && vars->array == NULL);
        assert_null(heed_hdf5_find(s.tree, "layers/none"));
        drop(&s);
    }
}

static void expect_numbers(const heed_hdf5 *tree, const char *name, heed_dtype dtype, int64_t count, const double *values)
{
    const heed_hdf5 *node = heed_hdf5_find(tree, name);
    if (node == NULL || node->array == NULL || node->array->dtype != dtype || heed_array_count(node->array) != count)
        fail_msg("%s: not found, or of another type or shape", name);
    heed_array *a;
    assert_int_equal(heed_array_convert(node->zone->context, node->array, HEED_FLOAT64, &a), HEED_OK);
    for (int64_t i = 0; i < count; i++) {
        double found = ((double *)a->data)[i];
        if (!(found == values[i] && signbit(found) == signbit(values[i])) && !(isnan(found) && isnan(values[i])))
            fail_msg("%s[%d]: expected %g, found %g", name, (int)i, values[i], found);
    }
    heed_array_free(node->zone->context, a);
}

static void test_types(void **state)
{
    (void)state;
    static const char *const files[] = {"types.h5", "types_v108.h5"};
    static const struct {
        const char *name;
        heed_dtype  dtype;
    } types[] = {
        {"int8", HEED_INT32},      {"int16", HEED_INT32},     {"int32", HEED_INT32},     {"int64", HEED_INT64},
        {"float16", HEED_FLOAT32}, {"float32", HEED_FLOAT32}, {"float64", HEED_FLOAT64}, {">i2", HEED_INT32},
        {">i4", HEED_INT32},       {">f2", HEED_FLOAT32},     {">f4", HEED_FLOAT32},     {">f8", HEED_FLOAT64},
    };
    static const struct {
        const char *name;
        heed_dtype  dtype;
    } unsigned_types[] = {{"uint8", HEED_UINT8}, {"uint16", HEED_INT32}, {"uint32", HEED_INT64}, {"uint64", HEED_INT64}};
    for (size_t k = 0; k < 2; k++) {
        sample s;
        load_tree(&s, files[k]);
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            expect_numbers(s.tree, types[i].name, types[i].dtype, 4, (double[]){-2, 0, 1, 100});
        for (size_t i = 0; i < 4; i++)
            expect_numbers(s.tree, unsigned_types[i].name, unsigned_types[i].dtype, 4, (double[]){0, 0, 1, 100});
        expect_numbers(s.tree, "bool", HEED_BOOL, 2, (double[]){1, 0});
        expect_numbers(s.tree, "bfloat16", HEED_FLOAT32, 2, (double[]){1, -2.5});
        expect_numbers(s.tree, "scalar", HEED_FLOAT32, 1, (double[]){7});
        expect_numbers(s.tree, "empty", HEED_FLOAT32, 0, NULL);
        expect_numbers(s.tree, "no_chunks", HEED_FLOAT32, 0, NULL);
        double smallest = 0x1p-24, subnormal = 1023 * 0x1p-24;
        expect_numbers(s.tree, "half", HEED_FLOAT32, 6,
                       (double[]){65504, smallest, -0.0, (double)INFINITY, (double)NAN, subnormal});
        double counting[1000];
        for (int i = 0; i < 1000; i++)
            counting[i] = i;
        expect_numbers(s.tree, "gzip", HEED_INT32, 35, counting);
        expect_numbers(s.tree, "chunked", HEED_INT32, 35, counting);
        expect_numbers(s.tree, "one_chunk", HEED_INT32, 35, counting);
        expect_numbers(s.tree, "many_chunks", HEED_INT32, 1000, counting);
        drop(&s);
    }
}

static void expect_strings(const heed_hdf5 *node, const char *name, size_t count, const char *const *expected)
{
    const char *const *found;
    size_t found_count;
    if (heed_hdf5_get_strings(node, name, &found, &found_count) != HEED_OK)
        fail_msg("%s", heed_error(node->zone->context));
    assert_int_equal(found_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(found[i], expected[i]);
}

static void test_attributes(void **state)
{
    (void)state;
    static const char *const files[] = {"attributes.h5", "attributes_v108.h5"};
    for (size_t k = 0; k < 2; k++) {
        sample s;
        load_tree(&s, files[k]);
        const char *text;
        assert_int_equal(heed_hdf5_get_string(s.tree, "text", &text), HEED_OK);
        assert_string_equal(text, "variable \xc3\xa9");
        assert_int_equal(heed_hdf5_get_string(s.tree, "fixed", &text), HEED_OK);
        assert_string_equal(text, "fixed");
        assert_int_equal(heed_hdf5_get_string(s.tree, "long", &text), HEED_OK);
        assert_int_equal(strlen(text), 20000);
        expect_strings(s.tree, "list", 3, (const char *[]){"one", "three", ""});
        expect_strings(s.tree, "texts", 3, (const char *[]){"eins", "", "drei"});
        expect_strings(s.tree, "empty", 0, NULL);
        expect_strings(s.tree, "split", 6,
                       (const char *[]){"part 0.0", "part 0.1", "part 1.0", "part 1.1", "part 2.0", "part 2.1"});
        const heed_array *numbers = heed_hdf5_attribute_of(s.tree, "numbers")->array;
        assert_int_equal(numbers->dtype, HEED_INT64);
        assert_true(heed_shape_equal(&numbers->shape, &(heed_shape){2, {2, 2}}));
        assert_int_equal(((int64_t *)numbers->data)[3], 4);
        assert_true(*(double *)heed_hdf5_attribute_of(s.tree, "number")->array->data == 3.5);
        assert_int_equal(heed_hdf5_attribute_of(s.tree, "true")->array->dtype, HEED_BOOL);
        assert_null(heed_hdf5_attribute_of(s.tree, "complex"));
        assert_int_equal(heed_hdf5_get_string(s.tree, "none", &text), HEED_EFORMAT);
        assert_string_equal(heed_error(s.c), "/: attribute none: missing (expected a string)");
        assert_int_equal(heed_hdf5_get_string(s.tree, "list", &text), HEED_EFORMAT);
        assert_string_equal(heed_error(s.c), "/: attribute list: of the wrong type (expected a string)");
        drop(&s);
    }
}

static void test_many(void **state)
{
    (void)state;
    static const char *const groups[] = {"new", "old"};
    sample s;
    load_tree(&s, "many.h5");
    for (size_t k = 0; k < 2; k++) {
        const heed_hdf5 *group = heed_hdf5_find(s.tree, groups[k]);
        size_t children = 0;
        for (const heed_hdf5 *child = group->first; child != NULL; child = child->next)
            children++;
        assert_int_equal(children, 800);
        for (int i = 0; i < 800; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%d", i);
            expect_numbers(group, name, HEED_FLOAT32, 1, (double[]){7});
        }
        for (int i = 0; i < 60; i++) {
            char name[16];
            snprintf(name, sizeof name, "a%d", i);
            assert_int_equal(*(int32_t *)heed_hdf5_attribute_of(group, name)->array->data, i);
        }
    }
    drop(&s);
}

static void test_legacy(void **state)
{
    (void)state;
    sample s;
    load_tree(&s, "legacy.h5");
    const heed_hdf5 *weights = heed_hdf5_find(s.tree, "model_weights"), *lstm = heed_hdf5_find(weights, "lstm");
    expect_strings(weights, "layer_names", 2, (const char *[]){"lstm", "dropout"});
    expect_strings(lstm, "weight_names", 2, (const char *[]){"lstm/lstm_cell/kernel:0", "lstm/lstm_cell/bias:0"});
    expect_strings(heed_hdf5_find(weights, "dropout"), "weight_names", 0, NULL);
    const char *config;
    assert_int_equal(heed_hdf5_get_string(s.tree, "model_config", &config), HEED_OK);
    assert_true(config[0] == '{');
    const heed_hdf5 *kernel = heed_hdf5_find(lstm, "lstm/lstm_cell/kernel:0");
    assert_int_equal(heed_array_count(kernel->array), 8);
    char path[128];
    assert_string_equal(heed_hdf5_path(kernel, path, sizeof path), "model_weights/lstm/lstm/lstm_cell/kernel:0");
    drop(&s);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        heed_status status;
        const char *error;
    } refused[] = {
        {"refused_soft_link.h5", HEED_EUNSUPPORTED, "soft link"},
        {"refused_external_link.h5", HEED_EUNSUPPORTED, "external link"},
        {"refused_external_data.h5", HEED_EUNSUPPORTED, "data in another file"},
        {"refused_virtual.h5", HEED_EUNSUPPORTED, "laid out"},
        {"refused_unwritten.h5", HEED_EFORMAT, "not all there (expected 4398046511104 bytes, found 0)"},
        {"refused_sparse_chunks.h5", HEED_EFORMAT, "not all there"},
        {"refused_lzf.h5", HEED_EUNSUPPORTED, "filter 32000"},
        {"refused_fletcher.h5", HEED_EUNSUPPORTED, "filter 3 "},
        {"refused_cycle.h5", HEED_EFORMAT, "nested too deeply"},
        {"float32.npy", HEED_EFORMAT, "not an HDF5 file"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        sample s = {0};
        load(&s, refused[i].file);
        assert_int_equal(heed_hdf5_read(s.c, refused[i].file, s.bytes, s.size, &s.tree), refused[i].status);
        assert_null(s.tree);
        if (strstr(heed_error(s.c), refused[i].error) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", refused[i].error, heed_error(s.c));
        assert_true(strncmp(heed_error(s.c), refused[i].file, strlen(refused[i].file)) == 0);
        drop(&s);
    }
}

/* Programs beside Keras keep what they like in its files. */
static void test_arrays_of_other_things(void **state)
{
    (void)state;
    static const char *const files[] = {"refused_compound.h5", "refused_strings.h5"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sample s = {0};
        load(&s, files[i]);
        assert_int_equal(heed_hdf5_read(s.c, files[i], s.bytes, s.size, &s.tree), HEED_OK);
        const heed_hdf5 *a = heed_hdf5_find(s.tree, "a");
        assert_non_null(a);
        assert_null(a->array);
        drop(&s);
    }
}

static heed_status read_bytes(heed_context *c, const unsigned char *bytes, size_t size, void *user)
{
    heed_hdf5 *tree;
    heed_status status = heed_hdf5_read(c, user, bytes, size, &tree);
    heed_hdf5_free(tree);
    return status;
}

static void test_damage(void **state)
{
    (void)state;
    static const char *const files[] = {"keras3.h5",  "keras3_v108.h5", "keras3_latest.h5", "types.h5",
                                        "types_v108.h5", "attributes.h5",  "attributes_v108.h5", "legacy.h5",
                                        "many.h5"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sample s = {0};
        load(&s, files[i]);
        /* gzip may unpack a thousandfold, so that is what a forged size may cost */
        size_t most = 16 * s.size + (1 << 20);
        size_t good = heed_test_truncate(read_bytes, (void *)files[i], s.bytes, s.size, most);
        assert_true(good == 1);
        heed_test_flip(read_bytes, (void *)files[i], s.bytes, s.size, 1100 * s.size, 2000, i);
        drop(&s);
    }
}

/* ---- files of ours ---- */

static heed_status new_array(heed_context *c, heed_dtype dtype, heed_shape shape, heed_array **out)
{
    HEED_TRY(heed_array_create(c, dtype, &shape, out));
    unsigned char *bytes = (*out)->data;
    for (size_t i = 0; i < (size_t)heed_array_count(*out) * heed_dtype_size(dtype); i++)
        bytes[i] = dtype == HEED_BOOL ? i % 2 : (unsigned char)(i * 37 % 64);
    return HEED_OK;
}

enum { LONG_LIST = 3000 }; /* names of 30 bytes: more than one attribute holds */

static heed_status fill_tree(heed_hdf5 *root, size_t names)
{
    heed_context *c = root->zone->context;
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_INT32, HEED_BOOL, HEED_FLOAT64, HEED_INT64, HEED_UINT8};
    heed_array *a;
    for (size_t i = 0; i < 6; i++) {
        char path[64];
        snprintf(path, sizeof path, "layers/group/%s", heed_dtype_name(dtypes[i]));
        HEED_TRY(new_array(c, dtypes[i], (heed_shape){3, {2, 3, 4}}, &a));
        HEED_TRY(heed_hdf5_put(root, path, a));
    }
    HEED_TRY(new_array(c, HEED_FLOAT32, (heed_shape){0}, &a));
    HEED_TRY(heed_hdf5_put(root, "scalar", a));
    HEED_TRY(new_array(c, HEED_FLOAT32, (heed_shape){2, {0, 5}}, &a));
    HEED_TRY(heed_hdf5_put(root, "empty", a));
    heed_hdf5 *group;
    HEED_TRY(heed_hdf5_group(root, "layers/group", &group));
    HEED_TRY(heed_hdf5_set_string(group, "name", "replaced"));
    HEED_TRY(heed_hdf5_set_string(group, "name", "l\xc3\xb6nger"));
    HEED_TRY(heed_hdf5_set_strings(group, "none", NULL, 0));
    HEED_TRY(heed_hdf5_set_strings(group, "weight_names", (const char *[]){"a", "", "ccc"}, 3));
    HEED_TRY(new_array(c, HEED_INT64, (heed_shape){1, {3}}, &a));
    HEED_TRY(heed_hdf5_set_numbers(group, "numbers", a));
    HEED_TRY(heed_hdf5_set_string(heed_hdf5_find(root, "scalar"), "dtype", "float32"));
    char (*text)[48] = heed_zone_alloc(root->zone, names, sizeof *text);
    const char **list = heed_zone_alloc(root->zone, names, sizeof *list);
    if (text == NULL || list == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < names; i++) {
        snprintf(text[i], sizeof text[i], "a_name_of_thirty_bytes_%07zu", i);
        list[i] = text[i];
    }
    return heed_hdf5_set_strings(root, "layer_names", list, names);
}

static void expect_equal_arrays(const heed_array *a, const heed_array *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a == NULL)
        return;
    assert_int_equal(a->dtype, b->dtype);
    assert_true(heed_shape_equal(&a->shape, &b->shape));
    assert_memory_equal(a->data, b->data, (size_t)heed_array_count(a) * heed_dtype_size(a->dtype));
}

static void expect_equal_attributes(const heed_hdf5 *a, const heed_hdf5 *b)
{
    for (const heed_hdf5_attribute *x = a->attributes; x != NULL; x = x->next) {
        if (x->array != NULL)
            expect_equal_arrays(x->array, heed_hdf5_attribute_of(b, x->name)->array);
        else
            expect_strings(b, x->name, x->count, x->strings);
    }
}

/* Writes a tree, reads it, and finds in it all that was written. Returns how many nodes there are; `again` is the tree as
 * it was read. */
static size_t expect_round_trip(const heed_hdf5 *tree, heed_hdf5 **again)
{
    heed_context *c = tree->zone->context;
    unsigned char *bytes;
    size_t size;
    if (heed_hdf5_write(tree, &bytes, &size) != HEED_OK || heed_hdf5_read(c, "ours.h5", bytes, size, again) != HEED_OK)
        fail_msg("%s", heed_error(c));
    heed_release(c, bytes);
    size_t nodes = 0;
    const heed_hdf5 *y = *again;
    for (const heed_hdf5 *x = tree; x != NULL; x = heed_hdf5_walk(tree, x), y = heed_hdf5_walk(*again, y), nodes++) {
        assert_non_null(y);
        assert_string_equal(y->name, x->name);
        expect_equal_arrays(x->array, y->array);
        expect_equal_attributes(x, y);
    }
    assert_null(y);
    return nodes;
}

static void test_round_trip(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_hdf5 *a, *b;
    assert_int_equal(heed_hdf5_create(c, &a), HEED_OK);
    assert_int_equal(fill_tree(a, LONG_LIST), HEED_OK);
    assert_int_equal(expect_round_trip(a, &b), 11);
    assert_null(heed_hdf5_attribute_of(b, "layer_names"));
    assert_non_null(heed_hdf5_attribute_of(b, "layer_names1"));
    const heed_hdf5_attribute *name = heed_hdf5_attribute_of(heed_hdf5_find(b, "layers/group"), "name");
    assert_true(name->scalar);
    heed_hdf5_free(a);
    heed_hdf5_free(b);
    heed_context_free(c);
}

/* A text of `length` bytes; released by the caller. */
static char *long_text(heed_context *c, size_t length)
{
    char *text = heed_alloc(c, length + 1, 1);
    assert_non_null(text);
    memset(text, 'x', length);
    return text;
}

static void put_new(heed_hdf5 *from, const char *path, heed_dtype dtype, heed_shape shape)
{
    heed_array *a;
    assert_int_equal(new_array(from->zone->context, dtype, shape, &a), HEED_OK);
    assert_int_equal(heed_hdf5_put(from, path, a), HEED_OK);
}

static void test_large_trees(void **state)
{
    (void)state;
    enum { CHILDREN = 3000, ATTRIBUTES = 2000 };
    heed_context *c = new_context();
    heed_hdf5 *a, *b, *group;
    char path[3 * HEED_HDF5_MAX_DEPTH] = "d", *name = long_text(c, 60000), *text = long_text(c, 3 << 20);
    assert_int_equal(heed_hdf5_create(c, &a), HEED_OK);
    put_new(a, "big", HEED_FLOAT32, (heed_shape){2, {1250, 1000}});
    put_new(a, name, HEED_UINT8, (heed_shape){1, {13}});
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(path, sizeof path, "many/n%d/v", i);
        put_new(a, path, HEED_INT32, (heed_shape){1, {i % 7}});
        assert_int_equal(heed_hdf5_set_string(heed_hdf5_find(a, "many")->last, "name", path), HEED_OK);
    }
    assert_int_equal(heed_hdf5_group(a, "attributes", &group), HEED_OK);
    for (int i = 0; i < ATTRIBUTES; i++) {
        heed_array *number;
        snprintf(path, sizeof path, "a%d", i);
        assert_int_equal(new_array(c, HEED_INT64, (heed_shape){0}, &number), HEED_OK);
        *(int64_t *)number->data = i;
        assert_int_equal(i % 2 == 0 ? heed_hdf5_set_numbers(group, path, number)
                                    : heed_hdf5_set_string(group, path, i % 3 == 0 ? "" : path), HEED_OK);
        if (i % 2 != 0)
            heed_array_free(c, number);
    }
    assert_int_equal(heed_hdf5_set_string(group, "long", text), HEED_OK);
    snprintf(path, sizeof path, "d");
    for (int depth = 1; depth < HEED_HDF5_MAX_DEPTH; depth++)
        strcat(path, "/d");
    put_new(a, path, HEED_INT32, (heed_shape){0});
    assert_int_equal(expect_round_trip(a, &b), 1 + 2 + 1 + 2 * CHILDREN + 1 + HEED_HDF5_MAX_DEPTH);
    heed_hdf5_free(a);
    heed_hdf5_free(b);
    heed_release(c, name);
    heed_release(c, text);
    heed_context_free(c);
}

/* The whole of an empty file, by the format's specification. */
static void test_bytes(void **state)
{
    (void)state;
    static const unsigned char expected[] = {
        0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n',
        0, 0, 0, 0, 0, 8, 8, 0, /* versions; bytes of an address and of a length */
        4, 0, 16, 0, 0, 0, 0, 0, /* sizes of symbol tables; flags */
        0, 0, 0, 0, 0, 0, 0, 0,
        255, 255, 255, 255, 255, 255, 255, 255, /* no free space */
        160, 0, 0, 0, 0, 0, 0, 0, /* end of the file */
        255, 255, 255, 255, 255, 255, 255, 255, /* no driver */
        0, 0, 0, 0, 0, 0, 0, 0,
        96, 0, 0, 0, 0, 0, 0, 0, /* the root */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        1, 0, 2, 0, 1, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, /* an object header: two messages, 48 bytes */
        2, 0, 24, 0, 0, 0, 0, 0, /* link info, 24 bytes: neither heap nor tree */
        0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0,
        10, 0, 8, 0, 0, 0, 0, 0, /* group info, 8 bytes */
        0, 0, 0, 0, 0, 0, 0, 0,
    };
    heed_context *c = new_context();
    heed_hdf5 *tree;
    unsigned char *bytes, *again;
    size_t size, size_again;
    assert_int_equal(heed_hdf5_create(c, &tree), HEED_OK);
    assert_int_equal(heed_hdf5_write(tree, &bytes, &size), HEED_OK);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(bytes, expected, size);
    heed_release(c, bytes);
    assert_int_equal(fill_tree(tree, LONG_LIST), HEED_OK);
    assert_int_equal(heed_hdf5_write(tree, &bytes, &size), HEED_OK);
    assert_int_equal(heed_hdf5_write(tree, &again, &size_again), HEED_OK);
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    heed_release(c, bytes);
    heed_release(c, again);
    heed_hdf5_free(tree);
    heed_context_free(c);
}

static void test_damage_to_ours(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_hdf5 *tree;
    unsigned char *bytes;
    size_t size;
    assert_int_equal(heed_hdf5_create(c, &tree), HEED_OK);
    assert_int_equal(fill_tree(tree, 20), HEED_OK);
    assert_int_equal(heed_hdf5_write(tree, &bytes, &size), HEED_OK);
    assert_int_equal(heed_test_truncate(read_bytes, "ours.h5", bytes, size, 16 * size + (1 << 20)), 1);
    heed_test_flip(read_bytes, "ours.h5", bytes, size, 1100 * size, 2000, 99);
    heed_release(c, bytes);
    heed_hdf5_free(tree);
    heed_context_free(c);
}

/* What the format has no room for. */
static void expect_no_room(void (*fill)(heed_hdf5 *root), const char *error)
{
    heed_context *c = new_context();
    heed_hdf5 *root;
    unsigned char *bytes;
    size_t size;
    assert_int_equal(heed_hdf5_create(c, &root), HEED_OK);
    fill(root);
    assert_int_equal(heed_hdf5_write(root, &bytes, &size), HEED_EINVAL);
    assert_null(bytes);
    if (strstr(heed_error(c), error) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", error, heed_error(c));
    heed_hdf5_free(root);
    heed_context_free(c);
}

static void fill_long_attribute(heed_hdf5 *root)
{
    heed_array *a;
    put_new(root, "x/y", HEED_INT32, (heed_shape){0});
    assert_int_equal(new_array(root->zone->context, HEED_FLOAT64, (heed_shape){1, {8192}}, &a), HEED_OK);
    assert_int_equal(heed_hdf5_set_numbers(heed_hdf5_find(root, "x/y"), "n", a), HEED_OK);
}

static void fill_long_string_in_list(heed_hdf5 *root)
{
    char *text = long_text(root->zone->context, 70000);
    assert_int_equal(heed_hdf5_set_strings(root, "n", (const char *[]){"a", text}, 2), HEED_OK);
    heed_release(root->zone->context, text);
}

static void fill_long_name(heed_hdf5 *root)
{
    heed_hdf5 *group;
    char *name = long_text(root->zone->context, 65536);
    assert_int_equal(heed_hdf5_group(root, name, &group), HEED_OK);
    heed_release(root->zone->context, name);
}

static void fill_deep(heed_hdf5 *root)
{
    for (int depth = 0; depth <= HEED_HDF5_MAX_DEPTH; depth++)
        assert_int_equal(heed_hdf5_group(root, "d", &root), HEED_OK);
}

/* With two messages that every group has, one too many. */
static void fill_many(heed_hdf5 *root)
{
    heed_hdf5 *group, *child;
    assert_int_equal(heed_hdf5_group(root, "many", &group), HEED_OK);
    for (int i = 0; i < 65534; i++)
        assert_int_equal(heed_hdf5_add(group, "n", 1, &child), HEED_OK);
}

static void test_no_room(void **state)
{
    (void)state;
    expect_no_room(fill_long_attribute,
                   "x/y: bytes of an attribute are more than HDF5 allows (expected at most 65528, found 65584)");
    expect_no_room(fill_long_string_in_list,
                   "/: bytes of an attribute are more than HDF5 allows (expected at most 65528, found 70040)");
    expect_no_room(fill_long_name,
                   "/: bytes of a name are more than HDF5 allows (expected at most 65528, found 65552)");
    expect_no_room(fill_deep, "d/d/d: nested too deeply (expected at most 64, found 65)");
    expect_no_room(fill_many, "many: children and attributes are more than HDF5 allows (expected at most 65535, found 65536)");
}

static void test_misuse_of_a_tree(void **state)
{
    (void)state;
    heed_context *c = new_context();
    heed_hdf5 *root, *group;
    heed_array *a;
    assert_int_equal(heed_hdf5_create(c, &root), HEED_OK);
    size_t before = heed_memory_used(c);
    assert_int_equal(new_array(c, HEED_FLOAT32, (heed_shape){0}, &a), HEED_OK);
    assert_int_equal(heed_hdf5_put(root, "x", a), HEED_OK);
    assert_int_equal(heed_hdf5_group(root, "x", &group), HEED_EINVAL);
    assert_int_equal(heed_hdf5_group(root, "x/y", &group), HEED_EINVAL);
    assert_string_equal(heed_error(c), "x: an array stands where a group should be");
    assert_int_equal(new_array(c, HEED_FLOAT32, (heed_shape){0}, &a), HEED_OK);
    assert_int_equal(heed_hdf5_put(root, "x", a), HEED_EINVAL);
    assert_int_equal(new_array(c, HEED_FLOAT32, (heed_shape){0}, &a), HEED_OK);
    assert_int_equal(heed_hdf5_put(root, "x/", a), HEED_EINVAL);
    assert_true(heed_memory_used(c) > before);
    heed_hdf5_free(root);
    heed_context_free(c);
}

static heed_status build_write_read(heed_context *c, void *user)
{
    (void)user;
    heed_hdf5 *a = NULL, *b = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    heed_status status = heed_hdf5_create(c, &a);
    if (status == HEED_OK)
        status = fill_tree(a, 20);
    if (status == HEED_OK)
        status = heed_hdf5_write(a, &bytes, &size);
    if (status == HEED_OK)
        status = heed_hdf5_read(c, "ours.h5", bytes, size, &b);
    heed_release(c, bytes);
    heed_hdf5_free(a);
    heed_hdf5_free(b);
    return status;
}

static heed_status read_sample(heed_context *c, void *user)
{
    const sample *s = user;
    return read_bytes(c, s->bytes, s->size, "sample");
}

static void test_no_memory(void **state)
{
    (void)state;
    heed_test_each_allocation_fails(build_write_read, NULL);
    static const char *const files[] = {"types.h5", "attributes_v108.h5", "keras3.h5"};
    for (size_t i = 0; i < 3; i++) {
        sample s = {0};
        load(&s, files[i]);
        heed_test_each_allocation_fails(read_sample, &s);
        drop(&s);
    }
}

static void *write_and_read_often(void *user)
{
    heed_context *c;
    bool *good = user;
    *good = heed_context_create(&(heed_context_config){.threads = 1}, &c) == HEED_OK;
    for (int i = 0; i < 20 && *good; i++)
        *good = build_write_read(c, NULL) == HEED_OK;
    heed_context_free(c);
    return NULL;
}

static void test_contexts_in_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    bool good[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_read_often, &good[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(good[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keras3),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_arrays_of_other_things),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_large_trees),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_damage_to_ours),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_misuse_of_a_tree),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_contexts_in_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
