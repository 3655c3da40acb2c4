/* Beam search for one sentence: which hypotheses live, which have ended, and where each came from. */
#ifndef HEED_SEQ2SEQ_BEAM_H
#define HEED_SEQ2SEQ_BEAM_H

#include "base/memory.h"

enum { HEED_BEAM_MOST = 64 };

/* A hypothesis that has not ended: its last token, and the entry of the step before that it goes on from. */
typedef struct heed_beam_entry {
    int32_t token;
    int     parent; /* index among the entries of the step before */
    double  score;  /* natural log of the probability so far */
} heed_beam_entry;

/* A hypothesis that has ended, or ran into the limit: `parent` among the entries after `length` steps is its last. */
typedef struct heed_beam_end {
    int    length, parent;
    double score, rank; /* rank: score / length^penalty, by which they are ordered; the end counts as a token */
} heed_beam_end;

typedef struct heed_beam {
    int              width, steps, most_steps; /* steps done so far */
    double           penalty;
    heed_beam_entry *entries; /* (most_steps, width) */
    int              live;    /* entries of the last step */
    heed_beam_end    ends[HEED_BEAM_MOST]; /* best first */
    int              end_count;
    bool             done;
} heed_beam;

heed_status heed_beam_start(heed_zone *z, int width, int most_steps, double penalty, heed_beam *out);
/* Takes the next token's probabilities of each live entry (of the first step: of one), row i at p + i*stride, (live,
 * size). Afterwards entries of this step tell which row each new one goes on from; `done` when no better end comes. */
void heed_beam_advance(heed_beam *b, const float *p, int64_t stride, int32_t size);
/* The entries of step `step`, 0 first. */
const heed_beam_entry *heed_beam_step(const heed_beam *b, int step);
/* Ends the search when no steps are left; what still lives counts only if nothing has ended by itself. */
void heed_beam_finish(heed_beam *b);

#endif
