/* Recipes: the settings, the models that are built of them, and the models that decode with the same weights. */
#ifndef HEED_SEQ2SEQ_RECIPE_H
#define HEED_SEQ2SEQ_RECIPE_H

#include "heed/seq2seq.h"
#include "heed/text.h"
#include "layers/options.h"

/* The settings that every recipe has: X(config, TYPE, name, default, range, meaning). Those of a kind's model follow
 * them. */
#define HEED_RECIPE_SETTINGS(X, config)                                                                                \
    X(config, TEXT, source_tokens, "characters", "characters|words|bpe|unigram", "what the source is cut into")        \
    X(config, TEXT, target_tokens, "characters", "characters|words|bpe|unigram", "what the target is cut into")        \
    X(config, TEXT, normal_form, "nfc", "nfc|nfkc|none", "of Unicode, into which both sides are brought")              \
    X(config, TEXT, source_moses, "", "",                                                                              \
      "a language, 'en': words and marks of the source are set apart as the Moses tokenizer does; '': not")            \
    X(config, TEXT, target_moses, "", "", "the same for the target, whose translations are put together again")        \
    X(config, BOOL, lowercase, false, "", "whether the source is lower-cased")                                         \
    X(config, BOOL, target_lowercase, false, "", "whether the target is lower-cased")                                  \
    X(config, INT, vocabulary, 20000, "[8,)",                                                                          \
      "tokens a side: of characters and words at most, the most frequent ones; of bpe and unigram just so many")       \
    X(config, INT, target_vocabulary, 0, "[0,)", "the same for the target; 0: as the source")                          \
    X(config, BOOL, shared_vocabulary, false, "", "one vocabulary for both sides, learnt from both")                   \
    X(config, INT, least_count, 1, "[1,)", "a character or word seen less often in the source is unknown")             \
    X(config, FLOAT, character_coverage, 1.0, "[0.98,1]", "share of the characters that bpe and unigram can write")    \
    X(config, INT, longest_piece, 16, "[1,64]", "characters in a piece of bpe and unigram")                            \
    X(config, BOOL, split_digits, false, "", "whether bpe and unigram take digits one by one")                         \
    X(config, FLOAT, piece_dropout, 0.0, "[0,1)",                                                                      \
      "in training, the probability that parts of a bpe piece are not joined, anew each time (Provilkov et al. 2020)") \
    X(config, BOOL, fewer_tokens, false, "",                                                                           \
      "whether bpe and unigram make do with fewer tokens where the text has not so many pieces; otherwise an error")   \
    X(config, INT, batch_size, 128, "[1,)", "pairs a training step")                                                   \
    X(config, INT, batch_tokens, 0, "[0,)",                                                                            \
      "tokens a training step, padding included, on the longer side; 0: as many pairs as batch_size says")             \
    X(config, FLOAT, learning_rate, 0.002, "(0,)", "of Adam, at its highest")                                          \
    X(config, FLOAT, beta_2, 0.999, "[0,1)", "Adam's memory of squared gradients")                                     \
    X(config, TEXT, schedule, "cosine", "cosine|linear|inverse_root|constant",                                         \
      "how the rate falls: to final_rate at the end, or with the root of the steps, or not at all")                    \
    X(config, FLOAT, final_rate, 0.01, "[0,1]", "share of the rate that is left at the end")                           \
    X(config, INT, warmup_steps, 200, "[0,)", "steps in which the rate rises from zero; at most a fifth of the run's") \
    X(config, FLOAT, clip_norm, 1.0, "[0,)", "the length to which the gradient is cut; 0: it is not")                  \
    X(config, FLOAT, label_smoothing, 0.0, "[0,1)", "share of the truth that is spread over all tokens")               \
    X(config, FLOAT, r_drop, 0.0, "[0,)",                                                                              \
      "weight of the difference that dropout makes: each batch is taken twice, and the predictions are to agree " \
      "(Liang et al. 2021); 0: none")                                                                                  \
    X(config, INT, longest, 400, "[1,)", "tokens a side of a pair may have")                                           \
    X(config, TEXT, long_pairs, "skip", "skip|error", "longer pairs are left out, and counted, or are an error")       \
    X(config, TEXT, bad_pairs, "error", "error|skip",                                                                  \
      "pairs that are no UTF-8, no pairs, or empty on a side are an error, or left out and counted")                   \
    X(config, INT, corpus_megabytes, 1024, "[0,)", "tokens kept in memory; beyond it a temporary file keeps them")     \
    X(config, INT, epochs, 10, "[1,)", "passes over the pairs, unless the run's length was said otherwise")            \
    X(config, INT, validations, 20, "[1,)", "times in a run that validation pairs are tried")                          \
    X(config, INT, validation_lines, 1000, "[1,)", "validation pairs that are tried along the way; all at the end")    \
    X(config, TEXT, validate_by, "exact", "exact|loss|bleu|chrf", "what the best weights are told by")                 \
    X(config, TEXT, bleu_tokens, "13a", "13a|intl|none|char", "what BLEU counts")                                      \
    X(config, INT, patience, 0, "[0,)", "validations in a row without a better one that end the run; 0: none does")    \
    X(config, INT, average, 1, "[1,)",                                                                                 \
      "the last validations of the plan whose weights are averaged; kept if better, or if as good and of less loss; 1: none")

/* What every kind's settings begin with. */
typedef struct heed_recipe_settings { HEED_RECIPE_SETTINGS(HEED_OPTION_FIELD, ) } heed_recipe_settings;

/* The two models that decode, over the trained model's layers. S sentences are decoded together, with W hypotheses
 * each: R = S W rows, those of a sentence one after another.
 *
 * encoder: source (S, Ts) ids -> each memory (S, Ts, ...), then each initial state (S, ...).
 * step: source; each memory; token (R, 1); with caches position (R, 1), of the token, from 1 on, past (R, P), and each
 * cache (M, D): row past[r][i] of it is what row r left there at its i-th step, if that is not negative; each state (R,
 * ...)
 * -> probabilities (R, 1, V), or how well each token fits before the softmax; what each cache gets of this step (R, 1, D);
 * each state; and, if they were asked for, weights: each row's alignments, (R, maps, Ts). */
typedef struct heed_decoding_models {
    heed_model *encoder, *step;
    int         memory_count, cache_count, state_count;
    bool        logits; /* before the softmax */
} heed_decoding_models;

/* A family of models: how the one to be trained is wired, and the two that decode with its layers. */
typedef struct heed_recipe_kind {
    const char              *name;
    const heed_option       *options; /* HEED_RECIPE_SETTINGS, then its own */
    int                      option_count;
    size_t                   config_size;
    const void              *defaults;
    const heed_setting_info *settings; /* the options as people read them */
    /* Wires the model: inputs `source` (B, Ts) and `target` (B, Tt) ids; *out are the probabilities (B, Tt,
     * target_size) of the token after each of target's. A mistake of the wiring itself is remembered by the model. */
    heed_status (*wire)(heed_model *m, const void *settings, int32_t source_size, int32_t target_size,
                        heed_symbol **out);
    bool logits; /* the output is before the softmax, and has no mask */
    /* Sets weights that do not begin by chance; called once they are drawn. NULL: there are none. */
    heed_status (*begin)(heed_model *m, const void *settings);
    /* Tokens that a side may have at most when translating. NULL: any number */
    int64_t (*most_tokens)(const void *settings);
    /* Names an alignment, "layer 1, head 2", cut to size. NULL: there is but one. */
    void (*map_name)(const void *settings, int map, char *text, size_t size);
    /* Wires both models that decode, which have no inputs yet, and says what they remember. */
    heed_status (*wire_decoding)(heed_model *trained, const void *settings, bool weights, heed_decoding_models *out);
} heed_recipe_kind;

#define HEED_SETTING_INFO(config, type, name, value, range, meaning) {#name, #value, range, meaning},
/* The members of a kind that follow from its settings. */
#define HEED_RECIPE_OPTIONS(config, LIST)                                                                              \
    HEED_CLASS_OPTIONS(config, LIST), .settings = (const heed_setting_info[]) { LIST(HEED_SETTING_INFO, ) }

extern const heed_recipe_kind heed_gru_attention_kind, heed_bahdanau_kind, heed_luong_kind,
    heed_attention_keras_kind, heed_transformer_kind;

/* A recipe's settings, as they are used and kept. */
typedef struct heed_recipe {
    const char                 *name;
    const heed_recipe_kind     *kind;
    const heed_recipe_settings *settings; /* of the kind's own config type */
} heed_recipe;

/* The settings of a recipe (NULL: the first) with changes (NULL: none) applied; all lives in the zone. HEED_ENOTFOUND
 * for an unknown recipe, HEED_EINVAL for a setting out of its range. */
heed_status heed_recipe_read(heed_zone *z, const char *name, const char *changes, heed_recipe *out);
/* The same from all the settings that heed_recipe_write() gave; `who` is for errors. */
heed_status heed_recipe_restore(heed_zone *z, const char *who, const char *name, const heed_value *settings,
                                heed_recipe *out);
/* All settings as text that reads back as the same; NULL when there is no memory. */
char *heed_recipe_write(heed_zone *z, const heed_recipe *r);
/* A copy in the zone. */
heed_status heed_recipe_copy(heed_zone *z, const heed_recipe *r, heed_recipe *out);

/* The tokenizer's settings for one side. */
heed_tokenizer_config heed_recipe_tokenizer(const heed_recipe_settings *s, bool source);

/* Tokens that a side may have at most when translating. */
int64_t heed_recipe_most_tokens(const heed_recipe *r);

/* The model to be trained, compiled; and its weights, drawn from the model's seed. */
heed_status heed_recipe_build(heed_context *c, const heed_recipe *r, int32_t source_size, int32_t target_size,
                              heed_model **out);
heed_status heed_recipe_begin(heed_model *m, const heed_recipe *r);

heed_status heed_recipe_decoding_models(const heed_recipe *r, heed_model *trained, bool weights,
                                        heed_decoding_models *out);
void        heed_decoding_models_free(heed_decoding_models *d);

/* For the kinds: an input of so many ids a row, or HEED_ANY. */
heed_symbol *heed_recipe_ids(heed_model *m, const char *name, int64_t length);
/* A layer of the trained model by its name, or HEED_EFORMAT; the same, or where nothing is trained yet
 * (NULL) a layer made by the spec for `m`; a layer called on one or two (b may be NULL). */
heed_status  heed_recipe_find_layer(heed_model *m, const char *name, heed_layer **out);
heed_layer  *heed_recipe_layer(heed_model *m, heed_model *trained, const char *name, heed_spec spec);
heed_symbol *heed_recipe_call(heed_layer *layer, heed_symbol *a, heed_symbol *b);

#endif
