/* Layers that take texts: they stand before a model, and are read by heed_vectorizer (heed/vectorizer.h). What is left of
 * them in the model is its input: numbers of tokens, or a row of numbers for each text. */
#ifndef HEED_FORMATS_KERAS_TEXT_H
#define HEED_FORMATS_KERAS_TEXT_H

#include "formats/hdf5.h"
#include "formats/json.h"
#include "heed/model.h"

/* A text layer that was taken out of an architecture. */
typedef struct heed_keras_text {
    const char      *input; /* of the model, behind which it stood */
    const heed_json *layer; /* as the file has it */
    const char      *path;  /* of what it saved: "layers/text_vectorization" */
} heed_keras_text;

typedef struct heed_keras_texts {
    heed_keras_text *items;
    size_t           count;
} heed_keras_texts;

/* Takes the text layers behind string inputs out of a model's architecture, which it changes: the inputs become what the
 * layers give. */
heed_status heed_keras_take_texts(heed_zone *z, heed_json *object, heed_keras_texts *out);
/* Keeps them with the model, for heed_vectorizer_of: the asset "text/INPUT.json". `weights` may be NULL. */
heed_status heed_keras_keep_texts(heed_zone *z, heed_model *m, const heed_keras_texts *texts, const heed_hdf5 *weights);

#endif
