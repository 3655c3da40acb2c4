/* "Show, attend and tell" (Xu et al. 2015) in small, with keras-layer-collection's ExternalAttentionRNNWrapper, as its second
 * application: a recurrent layer tells the things in a picture from left to right, and for each word shows where it looked. A
 * picture is a row of regions, each empty or with one thing; its features say which thing and where, blurred by noise. */
#include <heed/attention.h>
#include <heed/layers.h>
#include <heed/model.h>

#include <stdio.h>

enum { PICTURES = 1200, REGIONS = 6, THINGS = 5, MOST = 3, FEATURES = THINGS + REGIONS, EPOCHS = 30 };
enum { LENGTH = MOST + 1, END = THINGS, BEGIN, WORDS = END + 1 }; /* a caption is up to MOST things, then END */

static const char *const names[] = {"cat", "tree", "house", "bird", "boat", "."};

/* ---- the model ---- */

static heed_model *build(heed_context *c, heed_model **looking)
{
    /* [Words from a picture, and where each looks] */
    heed_model *m = heed_functional(c, "captions");
    heed_symbol *picture = heed_input(m, .name = "picture", .shape = {2, {REGIONS, FEATURES}});
    heed_symbol *words = heed_input(m, .name = "words", .dtype = HEED_INT32, .shape = {1, {HEED_ANY}});
    heed_symbol *x = heed_apply(heed_embedding(.input_dim = WORDS + 1, .output_dim = 24), words);
    heed_layer *layer = heed_make(m, heed_external_attention_rnn_wrapper(
        heed_lstm(.units = 48, .return_sequences = true, .return_state = true), .return_attention = true));
    heed_symbol *out[4];
    heed_call_layer(layer, (heed_symbol *[]){x, picture}, 2, NULL, out, 4);
    heed_symbol *y = heed_apply(heed_time_distributed(heed_dense(.units = WORDS, .activation = "softmax")), out[0]);
    heed_outputs(m, y);
    heed_compile(m, .optimizer = "adam(0.01)", .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"});
    heed_submodel(m, "looking", (heed_symbol *[]){picture, words}, 2, (heed_symbol *[]){y, out[3]}, 2, looking);
    /* [end] */
    return m;
}

/* ---- data ---- */

static uint32_t draw(uint32_t *random, uint32_t count)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 16) % count;
}

typedef struct data {
    float   *picture;        /* (PICTURES, REGIONS, FEATURES) */
    int32_t *words, *wanted; /* (PICTURES, LENGTH): what was told before, what is to be told */
    int32_t  place[PICTURES * LENGTH]; /* where the thing is; -1 for the end */
} data;

static void paint(data *d, int picture, uint32_t *random)
{
    int told = 0, first = picture * LENGTH, open = REGIONS;
    for (int r = 0; r < REGIONS; r++, open--) {
        float *region = d->picture + (picture * REGIONS + r) * FEATURES;
        for (int k = 0; k < FEATURES; k++)
            region[k] = (float)draw(random, 1000) * 2e-4f;
        region[THINGS + r] += 1.0f;
        if (told == MOST || draw(random, (uint32_t)open) >= (uint32_t)(MOST - told))
            continue;
        int thing = (int)draw(random, THINGS);
        region[thing] += 1.0f;
        d->place[first + told] = r;
        d->wanted[first + told++] = thing;
    }
    for (int t = told; t < LENGTH; t++) {
        d->wanted[first + t] = END;
        d->place[first + t] = -1;
    }
    for (int t = 0; t < LENGTH; t++)
        d->words[first + t] = t == 0 ? BEGIN : d->wanted[first + t - 1];
}

static void *add(heed_arrays *all, const char *name, heed_dtype dtype, heed_shape shape)
{
    heed_array *a;
    return heed_array_create(all->context, dtype, &shape, &a) == HEED_OK && heed_arrays_add(all, name, a) == HEED_OK
               ? a->data
               : NULL;
}

static bool make_data(heed_arrays *x, heed_arrays *y, uint32_t random, data *d)
{
    heed_shape caption = {2, {PICTURES, LENGTH}};
    d->picture = add(x, "picture", HEED_FLOAT32, (heed_shape){3, {PICTURES, REGIONS, FEATURES}});
    d->words = add(x, "words", HEED_INT32, caption);
    d->wanted = add(y, "caption", HEED_INT32, caption);
    for (int i = 0; i < PICTURES && d->picture != NULL && d->words != NULL && d->wanted != NULL; i++)
        paint(d, i, &random);
    return d->picture != NULL && d->words != NULL && d->wanted != NULL;
}

/* ---- what it tells ---- */

static int greatest(const float *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

/* How many words are right, and for how many things it looked most at the region where the thing is. */
static heed_status judge(heed_model *looking, const heed_arrays *x, const data *d, double *right, double *looked)
{
    heed_arrays y = {.context = x->context};
    heed_status status = heed_predict(looking, x, &y);
    int good = 0, things = 0, seen = 0;
    for (int i = 0; i < PICTURES * LENGTH && status == HEED_OK; i++) {
        const float *shares = (const float *)y.items[0].array->data + i * WORDS;
        const float *attention = (const float *)y.items[1].array->data + i * REGIONS;
        int word = greatest(shares, WORDS), region = greatest(attention, REGIONS);
        good += word == d->wanted[i];
        things += d->place[i] >= 0;
        seen += d->place[i] >= 0 && region == d->place[i];
        if (i < LENGTH)
            printf("%-6s %.2f of its attention at region %d\n", names[word], (double)attention[region], region);
    }
    *right = (double)good / (PICTURES * LENGTH);
    *looked = things == 0 ? 0.0 : (double)seen / things;
    heed_arrays_free(&y);
    return status;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    static data trained, judged;
    heed_arrays x = {.context = c}, y = {.context = c}, new_x = {.context = c}, new_y = {.context = c};
    heed_model *looking = NULL, *m = build(c, &looking);
    double right = 0.0, looked = 0.0;
    heed_status status = make_data(&x, &y, 1, &trained) && make_data(&new_x, &new_y, 2, &judged) ? HEED_OK : HEED_ENOMEM;
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .epochs = EPOCHS);
    if (status == HEED_OK)
        status = judge(looking, &new_x, &judged, &right, &looked);
    if (status == HEED_OK)
        printf("%.1f %% of the words right; looked where the thing is for %.1f %%\n", 100 * right, 100 * looked);
    else
        fprintf(stderr, "%s\n", heed_error(c));
    heed_model_free(looking);
    heed_model_free(m);
    heed_arrays_free(&new_y);
    heed_arrays_free(&new_x);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return right > 0.9 ? 0 : 1;
}
