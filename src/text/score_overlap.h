/* BLEU and chrF: the n-grams that lines share with their references. */
#ifndef HEED_TEXT_SCORE_OVERLAP_H
#define HEED_TEXT_SCORE_OVERLAP_H

#include "text/ngrams.h"
#include "text/score_tokens.h"

enum { HEED_CHRF_CHARACTERS = 6, HEED_CHRF_MOST_WORDS = 8, HEED_CHRF_ORDERS = HEED_CHRF_CHARACTERS + HEED_CHRF_MOST_WORDS };

/* A line in the forms in which it is compared. */
typedef struct heed_score_line {
    heed_ids points;
    heed_ids tokens;  /* of BLEU */
    heed_ids visible; /* code points, of chrF */
    heed_ids words;   /* of chrF, if it counts them */
} heed_score_line;

/* n-grams of an order: in the lines, in their references, in both. */
typedef struct heed_overlap_counts {
    int64_t own, reference, match;
} heed_overlap_counts;

typedef struct heed_overlap {
    heed_context       *context;
    heed_score_kind     kind; /* of BLEU's tokens */
    int                 word_order;
    heed_score_tokens   tokens;
    heed_ngrams         ngrams;
    heed_score_line     line, *references; /* (capacity), of which the first `count` are of the line at hand */
    heed_sequence      *sequences;         /* (capacity) */
    size_t              count, capacity;
    int64_t             lines, most_references, fewest_references; /* of a line */
    int64_t             length, reference_length;
    heed_overlap_counts bleu[HEED_BLEU_ORDERS], chrf[HEED_CHRF_ORDERS];
} heed_overlap;

void        heed_overlap_init(heed_overlap *o, heed_context *c, heed_score_kind kind, int word_order);
void        heed_overlap_free(heed_overlap *o);
/* A line is added by its text, then each of its references, then the comparison. */
heed_status heed_overlap_line(heed_overlap *o, const char *text, size_t length);
heed_status heed_overlap_reference(heed_overlap *o, const char *text, size_t length);
heed_status heed_overlap_compare(heed_overlap *o);
/* Fills in what is BLEU's and chrF's. */
void        heed_overlap_result(const heed_overlap *o, heed_scores *out);

#endif
