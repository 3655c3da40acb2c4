/* The hypotheses of one sentence: which live, which have ended, and where each came from. They are searched for (beam
 * search) or drawn (sampling). */
#ifndef HEED_SEQ2SEQ_BEAM_H
#define HEED_SEQ2SEQ_BEAM_H

#include "kernels/kernels.h"
#include "seq2seq/draw.h"

enum { HEED_BEAM_MOST = 64 };

/* A hypothesis that has not ended: its last token, and the entry of the step before that it goes on from. */
typedef struct heed_beam_entry {
    int32_t token;
    int     parent; /* index among the entries of the step before */
    int     sample; /* which of those that are drawn */
    double  score;  /* natural log of the probability so far */
} heed_beam_entry;

/* A hypothesis that has ended, or ran into the limit: `parent` among the entries after `length` steps is its last. */
typedef struct heed_beam_end {
    int    length, parent;
    double score, rank; /* rank: what they are ordered by; the end counts as a token */
} heed_beam_end;

typedef struct heed_beam heed_beam;

/* What is added to the rank of a hypothesis that ends: its coverage penalty, 0 or less. */
typedef double heed_beam_coverage(void *user, const heed_beam *b, int length, int parent);

typedef struct heed_beam_rules {
    const heed_kernels *kernels;
    int    width;           /* hypotheses at a time */
    int    wanted;          /* best ones that are asked for, 1..width */
    int    least, most;     /* tokens a hypothesis may have; one with `most` is cut short */
    double length_penalty;  /* rank = score / length^a + coverage */
    double patience;        /* the search is over when so many times the width have ended */
    heed_beam_coverage *coverage; /* NULL: none */
    void  *user;
    const heed_drawing *drawing; /* NULL: they are searched for */
    uint64_t stream;        /* of random numbers: one for each sentence */
} heed_beam_rules;

struct heed_beam {
    heed_beam_rules  rules;
    int              steps;   /* done so far */
    heed_beam_entry *entries; /* (most, width) */
    int              live;    /* entries of the last step */
    heed_beam_end    ends[HEED_BEAM_MOST]; /* best first */
    int              end_count, ended; /* ended: those that are not among the best any more, too */
    bool             done;
};

heed_status heed_beam_start(heed_zone *z, const heed_beam_rules *rules, heed_beam *out);
/* Takes how well each next token fits each live entry (of the first step: one), before the softmax: row i at x +
 * i*stride, (live, size). Afterwards entries of this step tell which row each new one goes on from; `done` when no
 * better end comes. `spare` has room for `size` candidates where tokens are drawn. */
void heed_beam_advance(heed_beam *b, const float *x, int64_t stride, int32_t size, heed_candidate *spare);
/* The entries of step `step`, 0 first. */
const heed_beam_entry *heed_beam_step(const heed_beam *b, int step);

#endif
