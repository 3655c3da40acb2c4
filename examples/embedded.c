/* A model inside of a program: embedded MODEL. The bytes come from memory, the numbers lie in the program's own buffers,
 * and nothing is allocated once a shape was met. A build with -DHEED_MINIMAL=ON is enough for it. */
#include <heed/files.h>

#include <stdio.h>

static unsigned char bytes[1 << 20]; /* of the model, from wherever it is kept */

int main(int argc, char **argv)
{
    int32_t words[2][5] = {{3, 1, 4, 1, 5}, {2, 7, 1, 8, 0}};
    float   tags[2][5][4];
    heed_context *c;
    heed_model   *m;
    char  text[128];
    FILE *file = fopen(argc > 1 ? argv[1] : "model.keras", "rb");
    size_t size = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file == NULL || fclose(file) != 0 || heed_context_create(NULL, &c) != HEED_OK)
        return 2;
    heed_status status = heed_load_model_memory(c, "the model", bytes, size, NULL, &m);
    if (status == HEED_OK)
        printf("%s\n", heed_model_text(m, text, sizeof text));
    const heed_array x = {HEED_INT32, {2, {2, 5}}, words};
    heed_array y = {HEED_FLOAT32, {3, {2, 5, 4}}, tags};
    if (status == HEED_OK)
        status = heed_predict_on_batch(m, &x, 1, &y, 1);
    for (int t = 0; t < 5 && status == HEED_OK; t++)
        printf("%.4f %.4f %.4f %.4f\n", tags[0][t][0], tags[0][t][1], tags[0][t][2], tags[0][t][3]);
    if (status != HEED_OK)
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(m);
    heed_context_free(c);
    return status != HEED_OK;
}
