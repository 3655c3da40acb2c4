/* Runs a harness over the files named, and over the files of folders named: a corpus as a test. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"

#include "base/file.h"
#include "formats/folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t inputs;

static void run(heed_context *c, unsigned char *bytes, size_t size)
{
    /* in a block of exactly its size, so that a sanitizer sees reads beyond it */
    unsigned char *exact = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, bytes, size);
    heed_release(c, bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs++;
}

static heed_status run_folder(heed_context *c, const char *path)
{
    heed_folder *f;
    HEED_TRY(heed_folder_open(c, path, &f));
    heed_status status = HEED_OK;
    for (size_t i = 0; i < heed_folder_count(f) && status == HEED_OK; i++) {
        unsigned char *bytes;
        size_t size;
        status = heed_folder_read(f, i, SIZE_MAX / 2, &bytes, &size);
        if (status == HEED_OK)
            run(c, bytes, size);
    }
    heed_folder_close(f);
    return status;
}

static heed_status run_path(heed_context *c, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return run_folder(c, path);
    unsigned char *bytes;
    size_t size;
    HEED_TRY(heed_file_read(c, path, SIZE_MAX / 2, &bytes, &size));
    run(c, bytes, size);
    return HEED_OK;
}

int main(int count, char **paths)
{
    heed_context *c = heed_fuzz_context();
    for (int i = 1; i < count; i++) {
        if (run_path(c, paths[i]) != HEED_OK) {
            fprintf(stderr, "%s\n", heed_error(c));
            return 1;
        }
    }
    printf("%zu inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
