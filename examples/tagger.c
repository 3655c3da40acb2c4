/* The sequence tagger that keras-self-attention's description begins with: words in, a tag for each word out. The data
 * are made up, so that there is something to learn: a word's tag depends on the word and on the one after it. */
#include <heed/attention.h>
#include <heed/layers.h>
#include <heed/model.h>

#include <stdio.h>

enum { SENTENCES = 600, LENGTH = 12, WORDS = 40, TAGS = 5, PADDING = 0 };

/* Sentences (SENTENCES, LENGTH) of 4 to LENGTH words, 1 to WORDS - 1, filled up with PADDING; and their tags. */
static heed_status make_data(heed_context *c, heed_arrays *x, heed_arrays *y)
{
    heed_shape shape = {2, {SENTENCES, LENGTH}};
    heed_array *sentences, *tags;
    heed_status status = heed_array_create(c, HEED_INT32, &shape, &sentences);
    if (status != HEED_OK)
        return status;
    status = heed_arrays_add(x, "words", sentences); /* owns it from now on */
    if (status == HEED_OK)
        status = heed_array_create(c, HEED_INT32, &shape, &tags);
    if (status == HEED_OK)
        status = heed_arrays_add(y, "tags", tags);
    if (status != HEED_OK)
        return status;

    uint32_t random = 1;
    for (int i = 0; i < SENTENCES; i++) {
        int32_t *word = (int32_t *)sentences->data + i * LENGTH, *tag = (int32_t *)tags->data + i * LENGTH;
        int length = 4 + i % (LENGTH - 3);
        for (int t = 0; t < length; t++) {
            random = random * 1664525 + 1013904223;
            word[t] = 1 + (int32_t)(random >> 16) % (WORDS - 1);
        }
        for (int t = 0; t < length; t++)
            tag[t] = (word[t] % 2 + (t + 1 < length ? word[t + 1] % TAGS : 0)) % TAGS;
    }
    return HEED_OK;
}

int main(void)
{
    heed_context *c;
    if (heed_context_create(NULL, &c) != HEED_OK)
        return 1;
    heed_arrays x = {.context = c}, y = {.context = c};
    heed_history history = {0};
    heed_status status = make_data(c, &x, &y);

    heed_model *m = heed_sequential(c, "tagger");
    heed_input(m, .dtype = HEED_INT32, .shape = {1, {HEED_ANY}}); /* sentences of any length */
    heed_add(m, heed_embedding(.input_dim = WORDS, .output_dim = 32, .mask_zero = true));
    heed_add(m, heed_bidirectional(heed_lstm(.units = 32, .return_sequences = true)));
    heed_add(m, heed_seq_self_attention(.attention_width = 3));
    heed_add(m, heed_dense(.units = TAGS, .activation = "softmax"));

    char *summary = NULL;
    if (status == HEED_OK)
        status = heed_summary_text(m, 0, &summary);
    if (status == HEED_OK)
        puts(summary);
    heed_free(c, summary);

    /* A mistake anywhere above is remembered, and told by the next call that returns a status. */
    if (status == HEED_OK)
        status = heed_compile(m, .optimizer = "adam(learning_rate=0.01)", .loss = "sparse_categorical_crossentropy",
                              .metrics = {"accuracy"});
    if (status == HEED_OK)
        status = heed_fit(m, &x, &y, .epochs = 12, .validation_split = 0.2, .history = &history);
    for (int i = 0; status == HEED_OK && i < history.rows; i++)
        printf("epoch %d: loss %.3f, accuracy %.3f; on sentences it has not seen %.3f\n", i + 1,
               heed_history_get(&history, "loss", i), heed_history_get(&history, "accuracy", i),
               heed_history_get(&history, "val_accuracy", i));
    if (status == HEED_OK)
        status = heed_save(m, "tagger.keras"); /* Keras opens it too */

    if (status != HEED_OK)
        fprintf(stderr, "%s\n", heed_error(c));
    bool learned = status == HEED_OK && heed_history_get(&history, "val_accuracy", history.rows - 1) > 0.9;
    heed_history_free(&history);
    heed_model_free(m);
    heed_arrays_free(&y);
    heed_arrays_free(&x);
    heed_context_free(c);
    return learned ? 0 : 1;
}
