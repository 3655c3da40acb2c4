/* Layers that take texts: they stand before a model, and are read by heed_vectorizer (heed/vectorizer.h). What is left of
 * them in the model is its input: numbers of tokens, or a row of numbers for each text. */
#ifndef HEED_FORMATS_KERAS_TEXT_H
#define HEED_FORMATS_KERAS_TEXT_H

#include "formats/archive.h"
#include "formats/hdf5.h"
#include "formats/keras_config.h"

/* A text layer that was taken out of an architecture. */
typedef struct heed_keras_text {
    const char      *input; /* of the model, behind which it stood */
    const heed_json *source; /* that input's layer; NULL: the file has none */
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
/* Keeps them with the model, for heed_vectorizer_of and for writing: the asset "text/INPUT.json", which has the layer's
 * class_name and config, source, place among its like, idf_weights, and under "vocabulary" the name of the asset that has it if the
 * config does not. `weights` may be NULL. */
heed_status heed_keras_keep_texts(heed_zone *z, heed_model *m, const heed_keras_texts *texts, const heed_hdf5 *weights);

/* ---- writing ---- */

/* Puts the layers back into the architecture that was written without them. `archived`: vocabularies that lay beside it go
 * there again (heed_keras_put_vocabularies); else they go into the layers' configs. */
heed_status heed_keras_put_texts(heed_zone *z, heed_model *m, const heed_keras_form *form, bool archived, heed_json *object);
/* The assets of an archive: the model's, with the vocabularies where Keras looks for them. */
heed_status heed_keras_put_assets(heed_model *m, heed_archive *archive);
/* What layers keep in a tree of weights as of Keras 3. */
heed_status heed_keras_put_text_weights(heed_model *m, heed_hdf5 *root);
/* Their groups in a file of the older form; names[] gets theirs, at most one for each input of the model. */
heed_status heed_keras_put_text_groups(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_hdf5 *root,
                                       const char **names, size_t *count);

/* ---- both ---- */

/* The names of the layers that were taken out, as keys. */
heed_status heed_keras_name_texts(heed_zone *z, const heed_model *m, heed_index *out);

/* References to a layer go to another: ["from", 0, 0]. */
void        heed_keras_rename_layer(heed_json *v, const char *from, const char *to);
/* Where the layer keeps what it saves: "layers/text_vectorization_1" is the second of its class. */
const char *heed_keras_text_path(heed_zone *z, const char *class_name, int before);

#endif
