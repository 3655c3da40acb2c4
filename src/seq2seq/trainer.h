/* The inside of a training run. */
#ifndef HEED_SEQ2SEQ_TRAINER_H
#define HEED_SEQ2SEQ_TRAINER_H

#include "base/memory.h"
#include "formats/events.h"
#include "model/model.h"
#include "seq2seq/decode.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What a run is doing: saved with every checkpoint, restored by a resumed run. */
#define HEED_RUN_STATE(X, config)                                                                                      \
    X(config, TEXT, seed, "0", "", "")                                                                                 \
    X(config, FLOAT, step, 0, "", "steps done")                                                                        \
    X(config, FLOAT, steps, 0, "", "planned; 0: not known yet")                                                        \
    X(config, FLOAT, epoch, 0, "", "the pass under way")                                                               \
    X(config, FLOAT, batch, 0, "", "batches of it that are done")                                                      \
    X(config, FLOAT, minutes, 0, "", "planned; 0: the plan is in steps")                                               \
    X(config, FLOAT, seconds, 0, "", "spent so far")                                                                   \
    X(config, FLOAT, next_validation, 0, "", "the step after which it is due")                                         \
    X(config, FLOAT, validations, 0, "", "done")                                                                       \
    X(config, FLOAT, best_pairs, 0, "", "of the best weights: validation pairs tried with them")                       \
    X(config, FLOAT, best_step, 0, "", "the step after which they were")                                               \
    X(config, FLOAT, best_loss, -1, "", "as in heed_validation")                                                       \
    X(config, FLOAT, best_exact, -1, "", "")                                                                           \
    X(config, FLOAT, best_bleu, -1, "", "")                                                                            \
    X(config, FLOAT, best_chrf, -1, "", "")                                                                            \
    X(config, FLOAT, worse, 0, "", "validations since then")                                                           \
    X(config, BOOL, over, false, "", "ended before its plan: no better weights were found for too long")               \
    X(config, FLOAT, averaged, 0, "", "weights that the average is of")                                                \
    X(config, FLOAT, tokens, 0, "", "target tokens, without padding")                                                  \
    X(config, FLOAT, step_seconds, 0, "", "spent in steps: neither in validations nor in checkpoints")                 \
    X(config, FLOAT, loss, 0, "", "its running mean")                                                                  \
    X(config, FLOAT, pairs, 0, "", "trained on")                                                                       \
    X(config, FLOAT, validation_pairs, 0, "", "tried along the way")

typedef struct heed_run_state { HEED_RUN_STATE(HEED_OPTION_FIELD, ) } heed_run_state;

/* What a run writes for those who look at it. */
typedef struct heed_train_log {
    heed_events *training, *validation; /* for TensorBoard; NULL: not asked for */
    char        *history_path;          /* NULL: not asked for */
    heed_text    history;               /* what stands there, or is to stand there */
    double       loss, tokens, seconds, steps; /* as of the last event: sums over all steps */
    double       written;               /* when that was */
} heed_train_log;

struct heed_trainer {
    heed_context    *context;
    heed_model      *model;
    heed_translator *translator; /* around the model */
    heed_examples    training, validation;
    heed_examples    cut; /* training's, as chance cuts them in the epoch under way; empty where nothing is left to it */
    heed_run_state   state;
    char             seed[24]; /* state.seed */
    heed_batches    *batches; /* of the epoch under way */
    int32_t         *source, *given, *answer; /* the batch under way */
    int64_t          room;    /* ids in each of these */
    float           *best; /* all weights, when validation was best; NULL without validation */
    float           *mean; /* of the weights of the last validations; NULL: not asked for */
    int64_t          batches_an_epoch; /* as of the first */
    double           padding; /* the share of its tokens */
    char            *directory, *checkpoint; /* of checkpoints, and the file there; NULL: none */
    bool             made_directory, resumed;
    double           checkpoint_seconds;
    heed_train_report *report;
    void            *user;
    atomic_bool      stop;
    heed_train_progress progress;
    double           tokens_before, seconds_before; /* tokens and step_seconds when this process began */
    heed_train_log   log;
};

static inline uint64_t heed_trainer_seed(const heed_trainer *t) { return strtoull(t->seed, NULL, 10); }

/* Whether chance cuts the examples, anew in each epoch. */
static inline bool heed_trainer_recuts(const heed_trainer *t)
{
    return t->translator->recipe.settings->piece_dropout > 0;
}

/* Makes the batches of the epoch under way. */
heed_status heed_trainer_start_epoch(heed_trainer *t);
/* The first `count` examples as batches of an epoch. */
heed_status heed_trainer_make_batches(heed_trainer *t, const heed_examples *e, int64_t count, uint64_t epoch,
                                      heed_batches **out);
/* A batch in the trainer's arrays, as the model takes it; valid until the next one. */
typedef struct heed_trainer_batch {
    heed_array inputs[2], targets[1];
    heed_batch batch;
} heed_trainer_batch;
/* `twice`: a second half repeats the first. *tokens: those of the target that are no padding, counted once. */
heed_status heed_trainer_fill(heed_trainer *t, const heed_examples *e, const heed_text_batch *b, bool twice,
                              heed_trainer_batch *out, int64_t *tokens);

/* How many steps `config` asks for; 0: it says nothing of them. */
double heed_trainer_steps_asked_for(const heed_trainer *t, const heed_train_config *config);
bool   heed_trainer_finished(const heed_trainer *t);
/* Brings t->progress up to date; the run took so many seconds so far. */
void heed_trainer_tell(heed_trainer *t, double seconds);

/* ---- checkpoints (checkpoint.c) */

/* The state that a run begins with, its seed set. */
void heed_run_begin(heed_trainer *t, uint64_t seed);
/* Where the run is saved; whether it is a resumed one. */
heed_status heed_checkpoint_name(heed_trainer *t, const heed_train_config *config);
/* Takes the run's state over from the checkpoint that t->model was read from. */
heed_status heed_checkpoint_restore(heed_trainer *t);
/* What was asked for anew must be what the run was begun with. */
heed_status heed_checkpoint_check(heed_trainer *t, const heed_train_config *config);
/* Makes the directory when all else is well, and tries it: better now than after an hour. */
heed_status heed_checkpoint_prepare(heed_trainer *t);
heed_status heed_checkpoint_save(heed_trainer *t);

/* ---- validation (validate.c) */

/* Tries some pairs along the way, and keeps the weights if they do best by validate_by; or their average, once it has begun,
 * if it does so or, with a score as good within its error, has the least loss. */
heed_status heed_trainer_validate(heed_trainer *t);
/* At the end: tries the best weights on all pairs, unless that is done. */
heed_status heed_trainer_validate_best(heed_trainer *t);
/* How the weights that are kept did. */
heed_validation heed_trainer_best(const heed_trainer *t);

/* ---- event files and history (train_log.c) */

heed_status heed_train_log_open(heed_trainer *t, const heed_train_config *config);
/* After each step, once progress tells of it; `loss` is the batch's. */
heed_status heed_train_log_step(heed_trainer *t, double loss);
void        heed_train_log_close(heed_trainer *t);

#endif
