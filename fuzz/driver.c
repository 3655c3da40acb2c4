/* Runs a harness over the files named, and over the files of folders named: a corpus as a test.
 *
 *   fuzz_NAME [--cuts N] [--flips N] PATH...
 *
 * --cuts N: also what remains of each file when it is cut at every N-th byte. --flips N: also N versions of each file with bits
 * flipped and bytes replaced, the same ones each time. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"

#include "base/file.h"
#include "formats/folder.h"
#include "support/damage.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static struct {
    size_t cuts, flips;                       /* what is asked for */
    size_t files, cut_inputs, flipped_inputs; /* what was done */
    double longest;                           /* seconds of the processor for one input */
} work;

/* In a block of exactly its size, so that a sanitizer sees reads beyond it. */
static void run_once(const unsigned char *bytes, size_t size)
{
    unsigned char *exact = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(exact != NULL);
    if (size > 0)
        memcpy(exact, bytes, size);
    clock_t begin = clock();
    LLVMFuzzerTestOneInput(exact, size);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    work.longest = seconds > work.longest ? seconds : work.longest;
    free(exact);
}

static void run_damaged(const unsigned char *bytes, size_t size)
{
    heed_random r = {.seed = 1};
    unsigned char *damaged = malloc(size > 0 ? size : 1);
    FUZZ_CHECK(damaged != NULL);
    for (size_t length = 0; work.cuts > 0 && length < size; length += work.cuts, work.cut_inputs++)
        run_once(bytes, length);
    for (size_t i = 0; i < work.flips && size > 0; i++, work.flipped_inputs++) {
        memcpy(damaged, bytes, size);
        heed_test_damage(&r, damaged, size);
        run_once(damaged, size);
    }
    free(damaged);
}

static void run(heed_context *c, unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1); /* what is the context's would count as in use */
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    heed_release(c, bytes);
    run_once(copy, size);
    run_damaged(copy, size);
    free(copy);
    work.files++;
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

static void tell(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu files, %zu cut, %zu damaged; the longest took %.3f s; %ld MB at most\n", work.files, work.cut_inputs,
           work.flipped_inputs, work.longest, usage.ru_maxrss / 1024);
}

int main(int count, char **arguments)
{
    heed_context *c = heed_fuzz_context();
    int i = 1;
    for (; i + 1 < count && strncmp(arguments[i], "--", 2) == 0; i += 2)
        *(strcmp(arguments[i], "--cuts") == 0 ? &work.cuts : &work.flips) = strtoul(arguments[i + 1], NULL, 10);
    for (; i < count; i++) {
        if (run_path(c, arguments[i]) != HEED_OK) {
            fprintf(stderr, "%s\n", heed_error(c));
            return 1;
        }
    }
    tell();
    return work.files > 0 ? 0 : 1;
}
