/* How long layers take: bench_layers THREADS SECONDS <cases
 * A case is a line of three fields with a tab between: COLLECTION ("-": the one that the name alone means), a layer as in
 * Python ("LSTM(64, return_sequences=True)") and the shapes of its inputs with the batch ("32,50,64 32,50,64"; with an i
 * behind for ids). Each is answered by a line: the best milliseconds of a forward run and of a training step (squared error
 * of the first output, SGD), "-" where there is nothing to train; or what is wrong. bench/layers.py sets them beside the
 * originals. */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"
#include "heed/model.h"
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 1000, MOST = 4, IDS = 100 };

typedef struct bench_case {
    char       *collection, *layer;
    heed_array  inputs[MOST];
    int         count;
    heed_array  output, target;
    heed_model *model;
} bench_case;

/* ---- reading ---- */

static bool read_shape(const char *text, heed_array *a)
{
    char *end;
    *a = (heed_array){HEED_FLOAT32, {0, {0}}, NULL};
    do
        a->shape.dims[a->shape.rank++] = strtoll(text, &end, 10);
    while (*end == ',' && a->shape.rank < HEED_MAX_RANK && (text = end + 1));
    a->dtype = *end == 'i' ? HEED_INT32 : HEED_FLOAT32;
    int64_t count = heed_array_count(a);
    if (count < 1 || (a->data = malloc((size_t)count * sizeof(float))) == NULL)
        return false;
    for (int64_t i = 0; i < count; i++)
        if (a->dtype == HEED_INT32)
            ((int32_t *)a->data)[i] = (int32_t)(i * 7 % IDS);
        else
            ((float *)a->data)[i] = sinf((float)i);
    return true;
}

static bool read_case(char *line, bench_case *b)
{
    line[strcspn(line, "\n")] = '\0';
    char *shapes = strrchr(line, '\t');
    b->collection = line;
    b->layer = strchr(line, '\t');
    if (shapes == NULL || b->layer == NULL || b->layer == shapes)
        return false;
    *b->layer++ = *shapes++ = '\0';
    for (char *s = strtok(shapes, " "); s != NULL && b->count < MOST; s = strtok(NULL, " "))
        if (!read_shape(s, &b->inputs[b->count++]))
            return false;
    return b->count > 0;
}

/* ---- building ---- */

/* "LSTM(64)" of a collection; "LSTM" alone has no options. */
static heed_status make_layer(heed_context *c, const bench_case *b, heed_layer **out)
{
    heed_zone z;
    heed_value *given;
    heed_zone_init(&z, c);
    heed_status status = heed_value_parse(&z, "the case", b->layer, &given);
    if (status == HEED_OK)
        status = heed_layer_create_value(c, given->text, strcmp(b->collection, "-") == 0 ? NULL : b->collection, given,
                                         out);
    heed_zone_free(&z);
    return status;
}

static heed_status wire(heed_context *c, bench_case *b)
{
    heed_layer *layer;
    heed_symbol *x[MOST];
    HEED_TRY(make_layer(c, b, &layer));
    b->model = heed_functional(c, "bench");
    for (int i = 0; i < b->count; i++) {
        heed_shape shape = b->inputs[i].shape;
        memmove(shape.dims, shape.dims + 1, (size_t)--shape.rank * sizeof *shape.dims);
        x[i] = heed_input(b->model, .shape = shape, .dtype = b->inputs[i].dtype);
    }
    heed_symbol *y = heed_call_layer(layer, x, b->count, NULL, NULL, 1);
    heed_layer_release(layer);
    return heed_outputs(b->model, y);
}

/* Room for the output, and a target of its shape, all zero. */
static heed_status make_room(bench_case *b)
{
    b->output = (heed_array){HEED_FLOAT32, *heed_model_output_shape(b->model, 0), NULL};
    b->output.shape.dims[0] = b->inputs[0].shape.dims[0];
    b->target = b->output;
    b->output.data = calloc((size_t)heed_array_count(&b->output), sizeof(float));
    b->target.data = calloc((size_t)heed_array_count(&b->target), sizeof(float));
    return b->output.data == NULL || b->target.data == NULL ? HEED_ENOMEM : HEED_OK;
}

/* ---- timing ---- */

typedef heed_status work(bench_case *b);

static heed_status forward(bench_case *b)
{
    return heed_predict_on_batch(b->model, b->inputs, b->count, &b->output, 1);
}

static heed_status train(bench_case *b)
{
    heed_batch batch = {.inputs = b->inputs, .input_count = b->count, .targets = &b->target, .target_count = 1};
    return heed_train_on_batch(b->model, &batch, NULL);
}

/* The shortest of the runs that fit into the time, of at least three, behind one that builds the graph. */
static heed_status best_of(work *f, bench_case *b, double seconds, double *best)
{
    HEED_TRY(f(b));
    *best = INFINITY;
    double begun = heed_seconds();
    for (int runs = 0; runs < 3 || heed_seconds() - begun < seconds; runs++) {
        double start = heed_seconds();
        HEED_TRY(f(b));
        *best = fmin(*best, heed_seconds() - start);
    }
    return HEED_OK;
}

static heed_status measure(heed_context *c, bench_case *b, double seconds)
{
    double run, step = NAN;
    HEED_TRY(wire(c, b));
    HEED_TRY(make_room(b));
    HEED_TRY(best_of(forward, b, seconds, &run));
    if (heed_parameter_count(b->model, true) > 0) {
        HEED_TRY(heed_compile(b->model, .optimizer = "sgd(1e-6)", .loss = "mse"));
        HEED_TRY(best_of(train, b, seconds, &step));
    }
    printf("%.4f\t", 1e3 * run);
    printf(isnan(step) ? "-\n" : "%.4f\n", 1e3 * step);
    return HEED_OK;
}

static void free_case(bench_case *b)
{
    heed_model_free(b->model);
    for (int i = 0; i < b->count; i++)
        free(b->inputs[i].data);
    free(b->output.data);
    free(b->target.data);
}

int main(int argc, char **argv)
{
    char line[LINE];
    heed_context *c;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_layers THREADS SECONDS <cases\n");
        return 2;
    }
    if (heed_context_create(&(heed_context_config){.threads = atoi(argv[1])}, &c) != HEED_OK)
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        bench_case b = {0};
        if (!read_case(line, &b))
            puts("not a case");
        else if (measure(c, &b, atof(argv[2])) != HEED_OK)
            printf("%s\n", heed_error(c));
        fflush(stdout);
        free_case(&b);
    }
    heed_context_free(c);
    return 0;
}
