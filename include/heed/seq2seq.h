/**
 * @file seq2seq.h
 * From pairs of sequences to a translator: whole models by recipe, the training run, decoding with alignments.
 *
 *     heed_trainer *t;
 *     heed_trainer_create(c, &(heed_train_config){.recipe = "dates", .pairs = "pairs.tsv", .epochs = 3}, &t);
 *     heed_trainer_run(t);
 *     heed_trainer_save(t, "dates.keras");
 *
 *     heed_translator *d;
 *     heed_translator_load(c, "dates.keras", &d);
 *     heed_translation *r;
 *     heed_translate(d, &(const char *){"3 mai 1979"}, 1, NULL, &r);
 *     puts(r->hypotheses[0].text);
 *
 * A translator is one .keras file: the model as Keras opens it, with the vocabularies and the recipe under assets/.
 * Every handle here belongs to one thread at a time and is freed before its context.
 */
#ifndef HEED_SEQ2SEQ_H
#define HEED_SEQ2SEQ_H

#include "heed/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ recipes */

/** A whole model and how it is trained, by name. */
typedef struct heed_recipe_info {
    const char *name;
    const char *summary; /**< one sentence */
    const char *model;   /**< the kind of its model: recipes of one kind have the same settings */
    const char *changes; /**< settings in which it differs from its model's defaults: "units=192, lowercase=True"; or "" */
} heed_recipe_info;

HEED_API int                     heed_recipe_count(void);
HEED_API const heed_recipe_info *heed_recipe_at(int index);

/** One setting of a recipe. */
typedef struct heed_setting_info {
    const char *name, *standard, *range, *meaning;
} heed_setting_info;

/** Settings that every recipe has, and which come first in each. */
HEED_API int                      heed_common_setting_count(void);
HEED_API int                      heed_setting_count(int recipe);
HEED_API const heed_setting_info *heed_setting_at(int recipe, int index); /**< NULL behind the last */

/* ------------------------------------------------------------------------------------------------ translating */

typedef struct heed_translator heed_translator;

/** Opens a translator. HEED_EFORMAT when the file is a model but no translator. */
HEED_API heed_status heed_translator_load(heed_context *c, const char *path, heed_translator **out);
HEED_API void        heed_translator_free(heed_translator *t); /**< NULL is allowed */
/** The model that was trained; owned by the translator. Ask again after changing its weights: a translator keeps what it
 *  makes of them to decode. */
HEED_API heed_model *heed_translator_model(heed_translator *t);
/** The recipe's name and its settings as text, owned by the translator. */
HEED_API const char *heed_translator_recipe(const heed_translator *t);
HEED_API const char *heed_translator_settings(const heed_translator *t);

/** What a map of heed_hypothesis shows: "layer 1, head 2"; cut to size. */
HEED_API void heed_translator_map_name(const heed_translator *t, int map, char *text, size_t size);

/** How to decode. Zero means default for every member. */
typedef struct heed_decode_config {
    int    beam;             /**< hypotheses kept at each step, 1..64; default 4. 1 is greedy */
    int    n_best;           /**< hypotheses returned for each line, 1..beam, or 1..64 with sample; default 1 */
    double length_penalty;   /**< a; default 1; negative for 0. Hypotheses are ranked by log P / length^a + b C, where
                                  the end counts as a token */
    double coverage_penalty; /**< b, 0 or more; default 0. C is the sum over the source's tokens of log(min(1, all that
                                  they got of attention)), of the mean of all maps (Wu et al. 2016, eq. 14) */
    double patience;         /**< the search is over when patience x beam hypotheses have ended, or when none can come
                                  to a better end; default 1 (Kasai et al. 2022) */
    bool   sample;           /**< draws n_best translations, instead of searching for the likeliest. They depend on the
                                  seed and the line's number, on nothing else */
    double temperature;      /**< T: tokens are drawn in proportion to p^(1/T); default 1 */
    int    top_k;            /**< of the k likeliest tokens; default: of all */
    double top_p;            /**< of the likeliest that have such a share together, (0,1]; default 1. T, then k, then p */
    uint64_t seed;           /**< of what is drawn */
    int    min_length, max_length; /**< target tokens; default 0; and as many as any training target had, and half as
                                  many again. What has not ended by then is cut, and counts only where nothing has */
    double min_ratio, max_ratio;   /**< the same as multiples of the source's tokens; max_length holds before min_ratio.
                                  Default: none */
    int    batch_size;       /**< lines decoded together at most; default: 256 hypotheses */
    int64_t first_line;      /**< number of the first line, for errors and sampling; default 1 */
    bool   no_weights;       /**< whether to leave out what was attended to, which takes some time */
} heed_decode_config;

/** One line's possible translation. */
typedef struct heed_hypothesis {
    char   *text;
    double  score;        /**< log P: natural log of its probability, the end included */
    double  rank;         /**< what hypotheses are ordered by */
    int     token_count;  /**< without the end */
    char  **tokens;       /**< as they may be shown */
    float  *weights;      /**< (token_count, source_count): what each token attended to, the mean of all maps; each row sums
                               to 1. NULL with no_weights */
    int     map_count;    /**< alignments that the model has: one for each layer and head, say */
    float  *maps;         /**< (map_count, token_count, source_count): each of them */
} heed_hypothesis;

typedef struct heed_translation {
    int              source_count;
    char           **source_tokens;
    int              hypothesis_count; /**< best first */
    heed_hypothesis *hypotheses;
} heed_translation;

/** Translates lines together. *out is an array of `count`, freed by heed_translations_free(). An empty line has an empty
 *  translation; one that is no UTF-8 is HEED_EFORMAT. `config` may be NULL. */
HEED_API heed_status heed_translate(heed_translator *t, const char *const *lines, int count,
                                    const heed_decode_config *config, heed_translation **out);
HEED_API void        heed_translations_free(heed_translator *t, heed_translation *translations, int count);

/* ------------------------------------------------------------------------------------------------ training */

typedef struct heed_trainer heed_trainer;

/** How weights do on validation pairs. Negative where it was not measured: only `loss` is without decoding. */
typedef struct heed_validation {
    int64_t pairs, step;   /**< of how many pairs, and after which step */
    double  loss;          /**< nats a target token, each target given up to its token */
    double  exact;         /**< the share of pairs translated exactly, greedily: 0..1 */
    double  bleu, chrf;    /**< of the same translations, 0..100 */
} heed_validation;

/** What is known while training goes on. */
typedef struct heed_train_progress {
    int64_t step, steps;        /**< done, and planned; 0 planned: not known yet */
    double  epoch;              /**< passes over the data, a fraction in the midst of one */
    double  loss;               /**< running mean over some fifty steps, nats a target token */
    double  seconds, seconds_left; /**< left: an estimate, NaN before there is one */
    int64_t tokens;             /**< target tokens that are no padding, trained on so far */
    double  tokens_per_second;  /**< of these, in the time that steps took: neither validation nor checkpoints count */
    double  learning_rate;
    bool    milestone;          /**< whether a validation is just done or, without validation pairs, a pass over the data */
    const char *validated_by;   /**< the member of heed_validation that tells the best weights: "exact", "loss", "bleu",
                                     "chrf"; NULL: there are no validation pairs */
    heed_validation validation; /**< the last one, of the first pairs (setting validation_lines); step 0: none yet */
    heed_validation best;       /**< of the weights that are kept; after the last step, of all pairs */
    int64_t worse;              /**< validations since then */
} heed_train_progress;

/** Called after each step. */
typedef void heed_train_report(void *user, const heed_train_progress *p);

/** What to train on, and for how long. Zero means default for every member. Texts are borrowed until
 *  heed_trainer_create() returns. */
typedef struct heed_train_config {
    const char *recipe;     /**< default "gru-attention" */
    const char *settings;   /**< "units=128, learning_rate=0.002": changes to the recipe's settings */
    const char *pairs;      /**< file of `source TAB target` lines; or, with `targets`, of the source lines */
    const char *targets;    /**< file of the target lines */
    const char *validation; /**< file of pairs; or, with `validation_targets`, of source lines; default: none */
    const char *validation_targets; /**< file of the target lines */
    double      epochs;     /**< passes over the data; default the recipe's, unless steps or minutes are given */
    int64_t     steps;
    double      minutes;    /**< the planned number of steps follows from the speed; see heed_trainer_run() */
    uint64_t    seed;       /**< of everything random */
    const char *checkpoint; /**< directory for checkpoints; default: none */
    double      checkpoint_seconds; /**< between two of them; default 60. One is made at the end in any case */
    bool        resume;     /**< go on from the checkpoint, if there is one. Data, and what else is given, must be as it was.
                                 Without this a directory that holds a checkpoint is HEED_ESTATE */
    const char *tensorboard; /**< directory for event files that TensorBoard reads, of `train` and `validation`: about one
                                  event a second and one a validation; default: none */
    const char *history;     /**< a .csv file, written anew with one line more at each milestone; default: none */
    heed_train_report *report;
    void       *user;
} heed_train_config;

/** Reads the data, learns the vocabularies, makes the model; or takes all that from the checkpoint. */
HEED_API heed_status heed_trainer_create(heed_context *c, const heed_train_config *config, heed_trainer **out);
/**
 * Trains to the end of the plan. A run that was interrupted at any moment and resumed gives the same bits as one that was
 * never stopped, at any number of threads, if its length was given by epochs or steps; with minutes the plan depends on
 * the machine's speed, and the resumed run follows the plan as it stood.
 * HEED_EINTERRUPTED after heed_trainer_interrupt(): the step was finished and a checkpoint written. HEED_EDIVERGED when
 * the loss is no number any more or stays far above that of guessing; the last checkpoint is left as it was.
 */
HEED_API heed_status heed_trainer_run(heed_trainer *t);
/** Asks a run to stop; may be called from a signal handler. */
HEED_API void heed_trainer_interrupt(heed_trainer *t);
/** As of the last step, also before the first and after the last; owned by the trainer. */
HEED_API const heed_train_progress *heed_trainer_progress(const heed_trainer *t);
/** Writes the translator: the weights that did best on validation, or the last without one. */
HEED_API heed_status heed_trainer_save(heed_trainer *t, const char *path);
/** For a run that is over and saved: removes the checkpoint, and its directory when nothing else is in it. */
HEED_API void heed_trainer_remove_checkpoint(heed_trainer *t);
HEED_API heed_model *heed_trainer_model(heed_trainer *t); /**< owned by the trainer */
HEED_API void        heed_trainer_free(heed_trainer *t);  /**< NULL is allowed */

/* ------------------------------------------------------------------------------------------------ measuring */

/** Training steps to be timed: random tokens, all sequences of full length. */
typedef struct heed_train_load {
    const char *recipe, *settings; /**< as in heed_train_config */
    int64_t     batch;             /**< default: the recipe's */
    int64_t     source_length, target_length; /**< tokens, START included in the target's; default 16 and 11 */
    int32_t     source_vocabulary, target_vocabulary; /**< default 1000 and 15; a shared one has the source's size */
    int         steps;             /**< timed, after two that are not; default 20 */
} heed_train_load;

typedef struct heed_train_timing {
    int64_t weights; /**< of the model */
    int64_t batch;   /**< pairs a step */
    double  best, median; /**< seconds a step */
    /** Shares of the whole time, together 1: products (convolutions too), attention, recurrent layers, the output layer with its
     *  loss, and the rest, which is elementwise work, sums, the optimizer and the making of batches. */
    double products, attention, recurrence, output, rest;
} heed_train_timing;

HEED_API heed_status heed_time_training(heed_context *c, const heed_train_load *load, heed_train_timing *out);

/** Decoding to be timed: random weights and random lines, all sequences of full length. */
typedef struct heed_decode_load {
    const char *recipe, *settings; /**< as in heed_train_config */
    int         batch, beam;       /**< lines together, default 32, and hypotheses of each, default 4 */
    int         source_length, target_length; /**< tokens; default 16 and 11 */
    int32_t     source_vocabulary, target_vocabulary; /**< default 1000 and 15; a shared one has the source's size */
    int         steps;             /**< batches that are timed, after one that is not; default 20 */
} heed_decode_load;

typedef struct heed_decode_timing {
    int64_t weights; /**< of the model */
    double  best, median; /**< seconds a batch */
} heed_decode_timing;

HEED_API heed_status heed_time_decoding(heed_context *c, const heed_decode_load *load, heed_decode_timing *out);

#ifdef __cplusplus
}
#endif
#endif
