#include "support/run_once.h"

static heed_status add_input(heed_model *m, int index, heed_arrays *x)
{
    heed_array *a;
    heed_shape shape = *heed_model_input_shape(m, index);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] == HEED_ANY)
            shape.dims[i] = i == 0 ? 1 : HEED_TEST_STEPS;
    heed_status status = heed_array_create(x->context, heed_model_input_dtype(m, index), &shape, &a);
    return status == HEED_OK ? heed_arrays_add(x, heed_model_input_name(m, index), a) : status;
}

heed_status heed_test_run_once(heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_status status = HEED_OK;
    for (int i = 0; i < heed_model_input_count(m) && status == HEED_OK; i++)
        status = add_input(m, i, &x);
    if (status == HEED_OK)
        status = heed_predict(m, &x, &y);
    heed_arrays_free(&x);
    heed_arrays_free(&y);
    return status;
}
