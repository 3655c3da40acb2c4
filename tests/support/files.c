#include "support/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

void heed_test_write_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

char *heed_test_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t used = 0, capacity = 1 << 16;
    char *bytes = malloc(capacity + 1);
    assert_non_null(bytes);
    for (size_t got; (got = fread(bytes + used, 1, capacity - used, f)) > 0;) {
        used += got;
        if (used == capacity) {
            bytes = realloc(bytes, 2 * capacity + 1);
            assert_non_null(bytes);
            capacity *= 2;
        }
    }
    fclose(f);
    bytes[used] = '\0';
    if (size != NULL)
        *size = used;
    return bytes;
}
