/* Runs the models that decode: reads a group of sentences, then computes step after step for all of their hypotheses,
 * and carries on what each of them remembers. Which hypotheses live is the caller's affair. */
#ifndef HEED_SEQ2SEQ_STEPPER_H
#define HEED_SEQ2SEQ_STEPPER_H

#include "seq2seq/recipe.h"

/* S: sentences not yet finished; W: rows a sentence; R = S W rows, those of a sentence one after another. */
typedef struct heed_stepper heed_stepper;

typedef struct heed_step_result {
    float       *fits;    /* (R, V): the next token's, as the step model tells them; the caller may change them */
    const float *weights; /* (R, maps, Ts), what each row attended to; NULL where the step model has none */
} heed_step_result;

/* Reads the sentences: source (S, Ts) ids, padded. Each begins with all of its rows alike. Lives in the
 * zone, all that it allocates included. */
heed_status heed_stepper_start(heed_zone *z, const heed_decoding_models *models, const int32_t *source, int sentences,
                               int64_t length, int width, heed_stepper **out);
/* Alignments that a row has at each step: 0 where the step model tells none. */
int heed_stepper_maps(const heed_stepper *s);
/* Computes the step after these tokens (R). The result is valid until the next call. */
heed_status heed_stepper_step(heed_stepper *s, const int32_t *tokens, heed_step_result *out);
/* What the rows of the next step go on from: `sentences` of those before stay, the i-th now is kept[i] of them, which is
 * i or none of the first `sentences`; its row k goes on from the old row parents[i W + k]. */
void heed_stepper_reorder(heed_stepper *s, const int *kept, int sentences, const int *parents);

#endif
