/* Recipes: the settings, the models that are built of them, and the models that decode with the same weights. */
#ifndef HEED_SEQ2SEQ_RECIPE_H
#define HEED_SEQ2SEQ_RECIPE_H

#include "heed/seq2seq.h"
#include "heed/text.h"
#include "layers/options.h"

/* Every setting, once: X(config, TYPE, name, default, range, meaning). */
#define HEED_RECIPE_SETTINGS(X, config)                                                                                \
    X(config, TEXT, source_tokens, "characters", "characters|words", "what the source is cut into")                    \
    X(config, TEXT, target_tokens, "characters", "characters|words", "what the target is cut into")                    \
    X(config, BOOL, lowercase, false, "", "whether the source is lower-cased")                                         \
    X(config, INT, vocabulary, 20000, "[8,)", "tokens a side at most, the most frequent ones")                         \
    X(config, INT, least_count, 1, "[1,)", "a token seen less often is unknown")                                       \
    X(config, INT, embedding, 64, "[1,)", "size of the source's token vectors")                                        \
    X(config, INT, target_embedding, 32, "[1,)", "size of the target's token vectors")                                 \
    X(config, INT, units, 128, "[1,)", "state of each direction of the encoder; the decoder's has twice as many")      \
    X(config, TEXT, attention, "additive", "additive|dot", "how decoder and encoder states are compared")              \
    X(config, INT, output_units, 128, "[1,)", "units between attention and the output layer")                          \
    X(config, FLOAT, dropout, 0.0, "[0,1)", "of the token vectors and before the output layer")                        \
    X(config, INT, batch_size, 128, "[1,)", "pairs a training step")                                                   \
    X(config, FLOAT, learning_rate, 0.002, "(0,)", "of Adam, at its highest")                                          \
    X(config, TEXT, schedule, "cosine", "cosine|linear|constant", "how the rate falls after the warm-up")              \
    X(config, FLOAT, final_rate, 0.01, "[0,1]", "share of the rate that is left at the end")                           \
    X(config, INT, warmup_steps, 200, "[0,)", "steps in which the rate rises from zero")                               \
    X(config, FLOAT, clip_norm, 1.0, "(0,)", "the length to which the gradient is cut")                                \
    X(config, INT, longest, 400, "[1,)", "pairs with more tokens on a side are left out, and counted")                 \
    X(config, INT, validation_lines, 1000, "[1,)", "validation pairs that are tried along the way; all at the end")

typedef struct heed_recipe_settings { HEED_RECIPE_SETTINGS(HEED_OPTION_FIELD, ) } heed_recipe_settings;

extern const heed_option_table heed_recipe_table;

/* The settings of a recipe (NULL: the first) with changes (NULL: none) applied; texts live in the zone. HEED_ENOTFOUND for
 * an unknown recipe, HEED_EINVAL for a setting out of its range. *name receives the recipe's own. */
heed_status heed_recipe_read(heed_zone *z, const char *recipe, const char *changes, const char **name,
                             heed_recipe_settings *out);
/* All settings as text that reads back as the same; NULL when there is no memory. */
char *heed_recipe_write(heed_zone *z, const heed_recipe_settings *s);

/* The tokenizer's settings for one side. */
heed_tokenizer_config heed_recipe_tokenizer(const heed_recipe_settings *s, bool source);

/* The model to be trained: inputs `source` (B, Ts) and `target` (B, Tt) ids, output the probabilities (B, Tt, target_size) of
 * the token after each of target's. Compiled. */
heed_status heed_recipe_build(heed_context *c, const heed_recipe_settings *s, int32_t source_size, int32_t target_size,
                              heed_model **out);

/* The two halves that decode, over the trained model's layers.
 * encoder: source (B, Ts) -> memory (B, Ts, D), state (B, D).
 * step: memory (B, Ts, D), token (B, 1), state (B, D) -> probabilities (B, 1, V), weights (B, 1, Ts), state (B, D). */
typedef struct heed_decoding_models {
    heed_model *encoder, *step;
    int64_t     size; /* D */
} heed_decoding_models;

heed_status heed_recipe_decoding_models(heed_model *trained, heed_decoding_models *out);
void        heed_decoding_models_free(heed_decoding_models *d);

#endif
