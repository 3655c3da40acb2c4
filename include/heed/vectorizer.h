/**
 * @file vectorizer.h
 * Texts for models of Keras that begin with a layer for texts, TextVectorization or StringLookup. In heed such a model
 * begins behind it: its input is what the layer gives, numbers of tokens (B, T) or a row of numbers for each text, and a
 * vectorizer makes that of texts, as the layer did.
 *
 *     heed_vectorizer *v;
 *     heed_array      *ids;
 *     const char *texts[] = {"good", "not so good"};
 *     heed_vectorizer_of(m, 0, &v);
 *     heed_vectorize(v, texts, 2, &ids);
 *
 * Files that heed writes have the layer again, so that Keras runs them on texts.
 */
#ifndef HEED_VECTORIZER_H
#define HEED_VECTORIZER_H

#include "heed/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Belongs to the context of its model, which it no longer needs. */
typedef struct heed_vectorizer heed_vectorizer;

/** Whether texts go to the model's input: a text layer stood before it. */
HEED_API bool heed_takes_texts(const heed_model *m, int input);
/** The text layer before an input. HEED_ENOTFOUND: there was none; HEED_EUNSUPPORTED: it did what heed does not know;
 *  HEED_EFORMAT: the file lacks its vocabulary. */
HEED_API heed_status heed_vectorizer_of(const heed_model *m, int input, heed_vectorizer **out);
/** What the layer makes of so many texts, which are UTF-8: an array that the model's input takes, freed with
 *  heed_array_free(). Sequences are padded at their end with 0, to the layer's length or the longest. */
HEED_API heed_status heed_vectorize(const heed_vectorizer *v, const char *const *texts, int64_t count, heed_array **out);
HEED_API void        heed_vectorizer_free(heed_vectorizer *v); /**< NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
