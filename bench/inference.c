/* Times inference of models that have arrays for their inputs beside them (x0, x1, ... in FILE.npz).
 * usage: bench_inference BATCH RUNS THREADS FILE...      prints a JSON object a file: best and median of the runs */
#define _POSIX_C_SOURCE 200809L
#include "heed/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 16 };

typedef struct trial {
    heed_context *context;
    heed_model   *model;
    heed_arrays   numbers;
    int           input_count, output_count;
    heed_array    inputs[MOST], outputs[MOST]; /* their data are the trial's */
} trial;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* counted from the start, so that a double tells nanoseconds */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* `batch` rows of an array, which repeat if it has fewer. */
static heed_status repeat_rows(heed_context *c, const heed_array *a, heed_dtype dtype, int64_t batch, heed_array *out)
{
    heed_array *as;
    heed_status status = heed_array_convert(c, a, dtype, &as);
    if (status != HEED_OK)
        return status;
    int64_t rows = as->shape.dims[0];
    size_t row = (size_t)(heed_array_count(as) / rows) * heed_dtype_size(dtype);
    *out = (heed_array){dtype, as->shape, calloc((size_t)batch, row)};
    out->shape.dims[0] = batch;
    for (int64_t i = 0; i < batch && out->data != NULL; i++)
        memcpy((char *)out->data + (size_t)i * row, (char *)as->data + (size_t)(i % rows) * row, row);
    heed_array_free(c, as);
    return out->data == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status prepare(trial *t, const char *file, int64_t batch)
{
    char numbers[1024], name[16];
    heed_context *c = t->context;
    snprintf(numbers, sizeof numbers, "%s.npz", file);
    heed_status status = heed_load(c, file, &t->model);
    if (status == HEED_OK)
        status = heed_arrays_load(c, numbers, &t->numbers);
    heed_arrays x = {.context = c}, y = {.context = c};
    int count = 0;
    for (const heed_array *a; status == HEED_OK && count < MOST; count++) {
        snprintf(name, sizeof name, "x%d", count);
        if ((a = heed_arrays_get(&t->numbers, name)) == NULL)
            break;
        heed_dtype own = heed_model_input_count(t->model) > count ? heed_model_input_dtype(t->model, count) : a->dtype;
        heed_array *copy;
        status = repeat_rows(c, a, own, batch, &t->inputs[count]);
        t->input_count++;
        if (status == HEED_OK)
            status = heed_array_convert(c, &t->inputs[count], own, &copy);
        const char *called = heed_model_input_count(t->model) > count ? heed_model_input_name(t->model, count) : name;
        if (status == HEED_OK)
            status = heed_arrays_add(&x, called, copy);
    }
    if (status == HEED_OK) /* which tells the outputs' shapes */
        status = heed_predict(t->model, &x, &y, .batch_size = (int)batch);
    for (size_t k = 0; status == HEED_OK && k < y.count && k < MOST; k++) {
        t->outputs[k] = *y.items[k].array;
        t->outputs[k].data = calloc((size_t)heed_array_count(&t->outputs[k]) + 1, sizeof(double));
        t->output_count++;
    }
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}

static heed_status measure(trial *t, int runs, double *seconds)
{
    heed_status status = HEED_OK;
    for (int i = -3; i < runs && status == HEED_OK; i++) {
        double begin = now();
        status = heed_predict_on_batch(t->model, t->inputs, t->input_count, t->outputs, t->output_count);
        if (i >= 0)
            seconds[i] = now() - begin;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_size);
    return status;
}

static void finish(trial *t)
{
    for (int i = 0; i < t->input_count; i++)
        free(t->inputs[i].data);
    for (int k = 0; k < t->output_count; k++)
        free(t->outputs[k].data);
    if (t->numbers.context != NULL)
        heed_arrays_free(&t->numbers);
    heed_model_free(t->model);
}

int main(int argc, char **argv)
{
    int batch = argc > 4 ? atoi(argv[1]) : 0, runs = argc > 4 ? atoi(argv[2]) : 0;
    heed_context *c;
    if (batch < 1 || runs < 1 ||
        heed_context_create(&(heed_context_config){.threads = atoi(argv[3])}, &c) != HEED_OK) {
        fprintf(stderr, "usage: bench_inference BATCH RUNS THREADS FILE...\n");
        return 2;
    }
    double *seconds = calloc((size_t)runs, sizeof *seconds);
    for (int i = 4; i < argc && seconds != NULL; i++) {
        trial t = {.context = c};
        heed_status status = prepare(&t, argv[i], batch);
        if (status == HEED_OK)
            status = measure(&t, runs, seconds);
        if (status == HEED_OK)
            printf("{\"file\": \"%s\", \"batch\": %d, \"ms\": %.8f, \"median_ms\": %.8f}\n", argv[i], batch,
                   1e3 * seconds[0], 1e3 * seconds[runs / 2]);
        else
            fprintf(stderr, "%s: %s\n", argv[i], heed_error(c));
        finish(&t);
    }
    free(seconds);
    heed_context_free(c);
    return 0;
}
