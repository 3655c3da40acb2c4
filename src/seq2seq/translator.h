/* The inside of a translator. */
#ifndef HEED_SEQ2SEQ_TRANSLATOR_H
#define HEED_SEQ2SEQ_TRANSLATOR_H

#include "seq2seq/recipe.h"

struct heed_translator {
    heed_context        *context;
    heed_zone            zone;
    heed_model          *model;
    bool                 borrowed; /* the model belongs to a trainer */
    heed_recipe          recipe;
    const char          *settings_text; /* its settings */
    int32_t              longest_target; /* tokens, in training */
    heed_tokenizer      *source, *target;
    heed_decoding_models decoding[2]; /* made when first needed; the second tell what they attend to */
};

/* What a model file holds beside the model, under assets/. */
#define HEED_ASSET_RECIPE "translator.txt"
#define HEED_ASSET_SOURCE "source.txt"
#define HEED_ASSET_TARGET "target.txt"

/* A translator around a model, its recipe and tokenizers, all of which it takes over (also on failure) but for a
 * borrowed model. */
heed_status heed_translator_wrap(heed_context *c, heed_model *model, bool borrowed, const heed_recipe *recipe,
                                 int32_t longest_target, heed_tokenizer *source, heed_tokenizer *target,
                                 heed_translator **out);
/* Forgets what was made of the model's weights for decoding, as they are others now. */
void heed_translator_renew(heed_translator *t);
/* Puts vocabularies and recipe among the model's assets. */
heed_status heed_translator_write_assets(heed_translator *t);
/* A translator of a model that has such assets; takes the model over. `path` is for errors. */
heed_status heed_translator_from_model(heed_context *c, const char *path, heed_model *model, heed_translator **out);

#endif
