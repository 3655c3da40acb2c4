/* What the programs of snippets share: any model is tried out on data made up for its inputs and outputs. */
#ifndef EXAMPLES_SNIPPETS_H
#define EXAMPLES_SNIPPETS_H

#include <heed/attention.h>
#include <heed/convolution.h>
#include <heed/files.h>
#include <heed/layers.h>
#include <heed/model.h>

#include <math.h>
#include <stdio.h>

enum { EXAMPLES = 8, STEPS = 6, IDS = 4 }; /* STEPS stands for a size that varies */

/* An array (EXAMPLES, ...) of that shape with the batch, but for the last `cut` sizes. */
static heed_array *made_up(heed_arrays *all, const char *name, heed_dtype dtype, heed_shape shape, int cut)
{
    heed_array *a = NULL;
    shape.rank -= cut;
    shape.dims[0] = EXAMPLES;
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 0 ? STEPS : shape.dims[i];
    if (heed_array_create(all->context, dtype, &shape, &a) != HEED_OK || heed_arrays_add(all, name, a) != HEED_OK)
        return NULL;
    return a;
}

/* Ids from 0 on, or waves. */
static bool make_inputs(const heed_model *m, heed_arrays *x)
{
    for (int k = 0; k < heed_model_input_count(m); k++) {
        heed_array *a = made_up(x, heed_model_input_name(m, k), heed_model_input_dtype(m, k),
                                *heed_model_input_shape(m, k), 0);
        for (int64_t i = 0; a != NULL && i < heed_array_count(a); i++)
            if (a->dtype == HEED_INT32)
                ((int32_t *)a->data)[i] = (int32_t)(i % IDS);
            else
                ((float *)a->data)[i] = sinf((float)i);
        if (a == NULL)
            return false;
    }
    return true;
}

/* A class for each place, as its number or one-hot. */
static bool make_targets(const heed_model *m, bool numbers, heed_arrays *y)
{
    for (int k = 0; k < heed_model_output_count(m); k++) {
        const heed_shape *shape = heed_model_output_shape(m, k);
        int64_t classes = shape->dims[shape->rank - 1];
        heed_array *a = made_up(y, heed_model_output_name(m, k), numbers ? HEED_INT32 : HEED_FLOAT32, *shape, numbers);
        for (int64_t i = 0; a != NULL && i < heed_array_count(a); i++)
            if (numbers)
                ((int32_t *)a->data)[i] = (int32_t)(i % classes);
            else
                ((float *)a->data)[i] = i / classes % classes == i % classes ? 1.0f : 0.0f;
        if (a == NULL)
            return false;
    }
    return true;
}

/* Prints the model's table and trains it for some steps, if it is compiled; frees it. Tells whether all went well.
 * `numbers`: whether its loss wants classes by number. */
static inline bool try_out(heed_model *m, bool numbers)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_history history = {0};
    char *table = NULL;
    heed_status status = heed_build(m);
    if (status == HEED_OK)
        status = heed_summary_text(m, 0, &table);
    if (status == HEED_OK) {
        puts(table);
        status = make_inputs(m, &x) && make_targets(m, numbers, &y) ? HEED_OK : HEED_ENOMEM;
    }
    heed_arrays found = {.context = c};
    if (status == HEED_OK && heed_is_compiled(m))
        status = heed_fit(m, &x, &y, .epochs = 3, .history = &history);
    if (status == HEED_OK)
        status = heed_predict(m, &x, &found);
    for (int i = 0; i < history.rows; i++)
        printf("%s: loss %g\n", heed_model_name(m), heed_history_get(&history, "loss", i));
    if (status != HEED_OK)
        fprintf(stderr, "%s: %s\n", heed_model_name(m), heed_error(c));
    heed_free(c, table);
    heed_history_free(&history);
    heed_arrays_free(&found);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_model_free(m);
    return status == HEED_OK;
}

#endif
