/* Files for tests, in the folder where the test runs. */
#ifndef HEED_TEST_FILES_H
#define HEED_TEST_FILES_H

#include <stddef.h>

/* Writes the bytes; asserts (cmocka) that it worked. */
void heed_test_write_file(const char *path, const void *bytes, size_t size);
/* The file's bytes and a NUL, to be freed with free(); asserts that it could be read. *size may be NULL. */
char *heed_test_read_file(const char *path, size_t *size);

#endif
