/* A model inside of a program: embedded MODEL. The bytes come from memory, the numbers lie in the program's own buffers,
 * and nothing is allocated once a shape was met. A build with -DHEED_MINIMAL=ON is enough for it. */
#include <heed/files.h>

#include <stdio.h>

static char bytes[1 << 20];

static heed_array around(void *data, heed_dtype dtype, const heed_shape *shape, int64_t batch, int64_t length)
{
    heed_array a = {dtype, *shape, data};
    for (int i = 0; i < a.shape.rank; i++)
        if (a.shape.dims[i] == HEED_ANY)
            a.shape.dims[i] = i == 0 ? batch : length;
    return a;
}

int main(int argc, char **argv)
{
    static int32_t words[2][5] = {{3, 1, 4, 1, 5}, {2, 7, 1, 8, 0}};
    static float   tags[2][5][4];
    heed_context  *c;
    heed_model    *m = NULL;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file == NULL || fclose(file) != 0 || heed_context_create(NULL, &c) != HEED_OK)
        return 2;
    heed_status status = heed_load_model_memory(c, argv[1], bytes, size, NULL, &m);
    if (status == HEED_OK) {
        const heed_shape *in = heed_model_input_shape(m, 0), *out = heed_model_output_shape(m, 0);
        char shapes[2][128];
        printf("%s %s -> %s %s\n", heed_model_input_name(m, 0), heed_shape_text(in, shapes[0], sizeof shapes[0]),
               heed_model_output_name(m, 0), heed_shape_text(out, shapes[1], sizeof shapes[1]));
        heed_array x = around(words, heed_model_input_dtype(m, 0), in, 2, 5), y = around(tags, HEED_FLOAT32, out, 2, 5);
        status = heed_predict_on_batch(m, &x, 1, &y, 1);
    }
    for (int t = 0; t < 5 && status == HEED_OK; t++)
        printf("%.4f %.4f %.4f %.4f\n", tags[0][t][0], tags[0][t][1], tags[0][t][2], tags[0][t][3]);
    if (status != HEED_OK)
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(m);
    heed_context_free(c);
    return status != HEED_OK;
}
