#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include "model/model.h"
#include "support/run_once.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST_MEMORY = 200 << 20, MOST_SECONDS = 5 };

static heed_context *context;
static size_t        used_before;
static char          folder[64], file[192];

static void clean_up(void)
{
    heed_context_free(context);
    if (file[0] != '\0')
        unlink(file);
    if (folder[0] != '\0')
        rmdir(folder);
}

/* Of the processor, not by the clock: how busy the machine is does not matter. */
static void out_of_time(int signal)
{
    static const char text[] = "heed: more than 5 s of the processor for one input\n";
    (void)signal;
    if (write(STDERR_FILENO, text, sizeof text - 1) >= 0)
        abort();
    abort();
}

heed_context *heed_fuzz_context(void)
{
    if (context == NULL) {
        const heed_context_config config = {.threads = 1, .memory = MOST_MEMORY};
        FUZZ_CHECK(heed_context_create(&config, &context) == HEED_OK);
        FUZZ_CHECK(sigaction(SIGPROF, &(struct sigaction){.sa_handler = out_of_time}, NULL) == 0);
        atexit(clean_up);
    }
    return context;
}

static void limit_time(int seconds)
{
    const struct itimerval limit = {.it_value.tv_sec = seconds};
    FUZZ_CHECK(setitimer(ITIMER_PROF, &limit, NULL) == 0);
}

void heed_fuzz_begin(void)
{
    used_before = heed_memory_used(heed_fuzz_context());
    heed_error_clear(context);
    limit_time(MOST_SECONDS);
}

void heed_fuzz_end(heed_status status)
{
    limit_time(0);
    FUZZ_CHECK(status == HEED_OK || heed_error(context)[0] != '\0');
    FUZZ_CHECK(status != HEED_EINTERNAL);
    FUZZ_CHECK(heed_memory_used(context) == used_before);
}

/* Products at most, taken as if each result were compared with itself, as attention does with steps: with sanitizers some
 * hundred millions take a second. */
static double most_products(const heed_model *m)
{
    double sum = 0;
    for (size_t w = 0; w < m->wires.count; w++) {
        const heed_wire *wire = m->wires.items[w];
        const heed_model *inner = heed_layer_model(wire->layer);
        sum += inner == NULL ? 0 : most_products(inner);
        for (int k = 0; k < wire->output_count; k++) {
            const heed_shape *shape = &wire->outputs[k]->shape;
            double elements = 1;
            for (int i = 1; i < shape->rank; i++)
                elements *= shape->dims[i] == HEED_ANY ? HEED_TEST_STEPS : (double)shape->dims[i];
            sum += elements * elements;
        }
    }
    return sum;
}

void heed_fuzz_run(heed_model *m)
{
    if (most_products(m) < 2e8)
        heed_test_run_once(m);
}

static heed_model *model;

static void free_model(void) { heed_model_free(model); }

heed_model *heed_fuzz_model(const char *architecture)
{
    if (model == NULL) {
        FUZZ_CHECK(heed_model_from_json(heed_fuzz_context(), architecture, &model) == HEED_OK && heed_build(model) == HEED_OK);
        atexit(free_model);
    }
    return model;
}

const char *heed_fuzz_file(const char *name, const void *bytes, size_t size)
{
    if (folder[0] == '\0') {
        strcpy(folder, "/dev/shm/heed-fuzz-XXXXXX"); /* where nothing waits for a disk */
        if (mkdtemp(folder) == NULL)
            FUZZ_CHECK(mkdtemp(strcpy(folder, "/tmp/heed-fuzz-XXXXXX")) != NULL);
    }
    snprintf(file, sizeof file, "%s/%s", folder, name);
    FILE *f = fopen(file, "wb");
    FUZZ_CHECK(f != NULL && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
    return file;
}
