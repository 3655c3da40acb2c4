/* Runs a model that Keras or heed saved: run_model MODEL.keras INPUT.npz|.npy|.csv [OUTPUT.npz]
 * No custom_objects, no Python: the layers are known. */
#include <heed/files.h>
#include <heed/model.h>

#include <stdio.h>

static void tell(const char *name, const heed_array *a)
{
    char shape[128];
    printf("%s %s:", name, heed_shape_text(&a->shape, shape, sizeof shape));
    for (int64_t i = 0; i < heed_array_count(a) && i < 8; i++)
        printf(" %g", ((const float *)a->data)[i]);
    puts(heed_array_count(a) > 8 ? " ..." : "");
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: run_model MODEL.keras INPUT.npz|.npy|.csv [OUTPUT.npz]\n");
        return 2;
    }
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    heed_model *m = NULL;
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_status status = heed_load(c, argv[1], &m);
    if (status == HEED_OK)
        status = heed_arrays_load(c, argv[2], &x); /* by the inputs' names; any name serves a model with one input */
    if (status == HEED_OK)
        status = heed_predict(m, &x, &y);
    for (size_t i = 0; status == HEED_OK && i < y.count; i++)
        tell(y.items[i].name, y.items[i].array);
    if (status == HEED_OK && argc > 3)
        status = heed_arrays_save(&y, argv[3]);

    if (status != HEED_OK)
        fprintf(stderr, "%s\n%s\n", heed_error(c), heed_error_hint(c));
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_model_free(m);
    heed_context_free(c);
    return status == HEED_OK ? 0 : 1;
}
