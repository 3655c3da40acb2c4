/* Loads a model that Keras saved, says what it takes and gives, and runs it in the program's own buffers: predict MODEL. */
#include <heed/files.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    heed_context *c;
    heed_model   *m;
    char    text[200];
    int32_t words[1][5] = {{3, 1, 4, 1, 5}};
    float   tags[1][5][4];
    const heed_array x = {HEED_INT32, {2, {1, 5}}, words};
    heed_array       y = {HEED_FLOAT32, {3, {1, 5, 4}}, tags};
    if (argc < 2 || heed_context_create(NULL, &c) != HEED_OK)
        return 2;
    heed_status status = heed_load_model(c, argv[1], &m);
    if (status == HEED_OK)
        status = heed_predict_on_batch(m, &x, 1, &y, 1);
    if (status == HEED_OK)
        printf("%s\n%.4f %.4f ...\n", heed_model_text(m, text, sizeof text), tags[0][0][0], tags[0][0][1]);
    else
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(m);
    heed_context_free(c);
    return status != HEED_OK;
}
