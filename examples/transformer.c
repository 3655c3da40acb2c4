/* "Attention is all you need" (Vaswani et al. 2017) in small, of keras-layer-collection's layers, as its first application: an
 * encoder and a decoder of one layer each learn to write a row of digits backwards. */
#include <heed/attention.h>
#include <heed/layers.h>
#include <heed/model.h>

#include <stdio.h>
#include <string.h>

enum { ROWS = 1200, LENGTH = 8, DIGITS = 10, BEGIN = DIGITS, FEATURES = 32, HEADS = 4, EPOCHS = 8 };

/* ---- the model ---- */

/* [A block of the transformer] */
static heed_symbol *add_and_normalize(heed_symbol *x, heed_symbol *change)
{
    return heed_apply(heed_layer_collection_layer_normalization(), heed_apply_to(heed_merge_add(), x, change));
}

static heed_symbol *attend(heed_symbol *x, heed_symbol *to, heed_symbol *mask)
{
    heed_symbol *y = heed_layer_collection_multi_head_attention(x, to, to, .h = HEADS, .d_k = FEATURES / HEADS,
                                                                .d_v = FEATURES / HEADS, .mask = mask);
    return add_and_normalize(x, y);
}

static heed_symbol *feed_forward(heed_symbol *x)
{
    heed_symbol *hidden = heed_apply(heed_dense(.units = 4 * FEATURES, .activation = "relu"), x);
    return add_and_normalize(x, heed_apply(heed_dense(.units = FEATURES), hidden));
}
/* [end] */

static heed_symbol *embed(heed_symbol *ids, heed_symbol *places)
{
    heed_symbol *digits = heed_apply(heed_embedding(.input_dim = DIGITS + 1, .output_dim = FEATURES), ids);
    return heed_apply_to(heed_merge_add(), digits,
                         heed_apply(heed_embedding(.input_dim = LENGTH, .output_dim = FEATURES), places));
}

static heed_model *build(heed_context *c)
{
    /* [Encoder and decoder of attention alone] */
    heed_model *m = heed_functional(c, "transformer");
    heed_symbol *source = heed_input(m, .name = "source", .dtype = HEED_INT32, .shape = {1, {LENGTH}});
    heed_symbol *target = heed_input(m, .name = "target", .dtype = HEED_INT32, .shape = {1, {LENGTH}});
    heed_symbol *places = heed_input(m, .name = "places", .dtype = HEED_INT32, .shape = {1, {LENGTH}});
    heed_symbol *past = heed_input(m, .name = "past", .shape = {2, {LENGTH, LENGTH}});
    heed_symbol *x = embed(source, places), *y = embed(target, places);
    x = feed_forward(attend(x, x, NULL));
    y = attend(y, y, past);
    y = feed_forward(attend(y, x, NULL));
    heed_outputs(m, heed_apply(heed_dense(.units = DIGITS, .activation = "softmax"), y));
    heed_compile(m, .optimizer = "adam(0.003)", .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"});
    /* [end] */
    return m;
}

/* ---- data ---- */

typedef struct data {
    int32_t *source, *target, *places, *wanted;
    float   *past;
} data;

static void *add(heed_arrays *all, const char *name, heed_dtype dtype, heed_shape shape)
{
    heed_array *a;
    return heed_array_create(all->context, dtype, &shape, &a) == HEED_OK && heed_arrays_add(all, name, a) == HEED_OK
               ? a->data
               : NULL;
}

/* Rows of digits, where they stand, which places a place sees (itself and those before), and the rows backwards. */
static bool make_data(heed_arrays *x, heed_arrays *y, uint32_t random, data *d)
{
    heed_shape row = {2, {ROWS, LENGTH}};
    *d = (data){add(x, "source", HEED_INT32, row), add(x, "target", HEED_INT32, row), add(x, "places", HEED_INT32, row),
                add(y, "digits", HEED_INT32, row),
                add(x, "past", HEED_FLOAT32, (heed_shape){3, {ROWS, LENGTH, LENGTH}})};
    if (d->source == NULL || d->target == NULL || d->places == NULL || d->wanted == NULL || d->past == NULL)
        return false;
    for (int i = 0; i < ROWS * LENGTH; i++) {
        random = random * 1664525 + 1013904223;
        d->source[i] = (int32_t)((random >> 16) % DIGITS);
        d->places[i] = i % LENGTH;
        for (int k = 0; k < LENGTH; k++)
            d->past[i * LENGTH + k] = k <= i % LENGTH ? 1.0f : 0.0f;
    }
    for (int i = 0; i < ROWS * LENGTH; i++) {
        int first = i - i % LENGTH;
        d->wanted[i] = d->source[first + LENGTH - 1 - i % LENGTH];
        d->target[i] = i % LENGTH == 0 ? BEGIN : d->wanted[i - 1];
    }
    return true;
}

/* ---- writing ---- */

/* Writes digit after digit, each from those before it; the share that is right. */
static heed_status write_backwards(heed_model *m, heed_arrays *x, const data *d, double *right)
{
    int good = 0;
    for (int t = 0; t < LENGTH; t++) {
        heed_arrays y = {.context = x->context};
        heed_status status = heed_predict(m, x, &y, .batch_size = 400);
        if (status != HEED_OK)
            return status;
        const float *shares = y.items[0].array->data;
        for (int row = 0; row < ROWS; row++) {
            int place = row * LENGTH + t, best = 0;
            for (int k = 1; k < DIGITS; k++)
                best = shares[place * DIGITS + k] > shares[place * DIGITS + best] ? k : best;
            good += best == d->wanted[place];
            if (t + 1 < LENGTH)
                d->target[place + 1] = best;
        }
        heed_arrays_free(&y);
    }
    *right = (double)good / (ROWS * LENGTH);
    return HEED_OK;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    heed_arrays x = {.context = c}, y = {.context = c}, new_x = {.context = c}, new_y = {.context = c};
    data d, new_d;
    double right = 0.0;
    heed_model *m = build(c);
    heed_status status = make_data(&x, &y, 1, &d) && make_data(&new_x, &new_y, 2, &new_d) ? HEED_OK : HEED_ENOMEM;
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .epochs = EPOCHS);
    if (status == HEED_OK)
        memset(new_d.target + 1, 0, (ROWS * LENGTH - 1) * sizeof *new_d.target);
    for (int row = 0; row < ROWS && status == HEED_OK; row++)
        new_d.target[row * LENGTH] = BEGIN;
    if (status == HEED_OK)
        status = write_backwards(m, &new_x, &new_d, &right);
    if (status == HEED_OK)
        printf("%.2f %% of the digits right, in rows that it has not seen\n", 100 * right);
    else
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(m);
    heed_arrays_free(&new_y);
    heed_arrays_free(&new_x);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return right > 0.95 ? 0 : 1;
}
