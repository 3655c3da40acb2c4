/* Nothing is followed out of an archive, and no archive holds more than its file. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/folder.h"
#include "formats/zip.h"
#include "support/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int with_context(void **state)
{
    return heed_context_create(&(heed_context_config){.threads = 1}, (heed_context **)state) == HEED_OK ? 0 : -1;
}

static int without_context(void **state)
{
    heed_context_free(*state);
    return 0;
}

static heed_status open_folder(heed_context *c)
{
    heed_folder *f;
    heed_status status = heed_folder_open(c, "outside", &f);
    heed_folder_close(f);
    return status;
}

static void links_in_a_folder(void **state)
{
    mkdir("outside", 0700);
    mkdir("outside/assets", 0700);
    heed_test_write_file("outside/config.json", "{}", 2);
    assert_int_equal(open_folder(*state), HEED_OK);
    assert_int_equal(symlink("/etc/passwd", "outside/assets/secret"), 0);
    assert_int_equal(open_folder(*state), HEED_EUNSUPPORTED);
    assert_non_null(strstr(heed_error(*state), "it is a link"));
    unlink("outside/assets/secret");
    assert_int_equal(symlink("/etc", "outside/etc"), 0);
    assert_int_equal(open_folder(*state), HEED_EUNSUPPORTED);
    unlink("outside/etc");
    unlink("outside/config.json");
    rmdir("outside/assets");
    rmdir("outside");
}

/* Where the bytes `text` are behind `from`. */
static unsigned char *find(unsigned char *from, const unsigned char *end, const char *text)
{
    size_t length = strlen(text);
    while (from + length <= end && memcmp(from, text, length) != 0)
        from++;
    assert_true(from + length <= end);
    return from;
}

/* Each member reads the same bytes, which no file could pay for: a bomb of many members, each of them as it should
 * be. */
static void members_that_share_their_bytes(void **state)
{
    enum { SIZE = 5000, ENTRY = 46, WHERE = 42 };
    static char zeros[SIZE];
    const heed_zip_member members[] = {{"a", zeros, SIZE}, {"b", zeros, SIZE}};
    size_t size;
    heed_zip *z;
    assert_int_equal(heed_zip_write(*state, "outside.zip", members, 2), HEED_OK);
    unsigned char *bytes = (unsigned char *)heed_test_read_file("outside.zip", &size), *end = bytes + size;
    assert_int_equal(heed_zip_open_memory(*state, "outside", bytes, size, &z), HEED_OK);
    heed_zip_close(z);
    /* the second member's bytes are cut out; its entry says that they are the first one's */
    unsigned char *first = find(bytes, end, "PK\1\2"), *second = find(first + 1, end, "PK\1\2");
    unsigned char *local = find(find(bytes, end, "PK\3\4") + 1, end, "PK\3\4");
    size_t cut = (size_t)(first - local);
    memset(second + WHERE, 0, 4);
    unsigned char *tail = find(second, end, "PK\5\6");
    uint32_t directory = (uint32_t)(first - bytes - cut);
    for (int i = 0; i < 4; i++)
        tail[16 + i] = (unsigned char)(directory >> 8 * i);
    memmove(local, first, (size_t)(end - first));
    assert_int_not_equal(heed_zip_open_memory(*state, "outside", bytes, size - cut, &z), HEED_OK);
    assert_non_null(strstr(heed_error(*state), "claim more than the file"));
    free(bytes);
    remove("outside.zip");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_in_a_folder, with_context, without_context),
        cmocka_unit_test_setup_teardown(members_that_share_their_bytes, with_context, without_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
