/* Lines cut into tokens as sacreBLEU's tokenizers cut them. */
#ifndef HEED_TEXT_SCORE_TOKENS_H
#define HEED_TEXT_SCORE_TOKENS_H

#include "heed/text.h"
#include "text/table.h"

typedef enum heed_score_kind { HEED_SCORE_NONE, HEED_SCORE_CHAR, HEED_SCORE_13A, HEED_SCORE_INTL } heed_score_kind;

/* By kind: "none", "char", "13a", "intl". */
extern const char *const heed_score_kind_names[4];

typedef struct heed_score_tokens {
    heed_ids   buffers[2]; /* code points on their way */
    heed_table table;      /* tokens met so far, as their code points: the index is a token's number */
} heed_score_tokens;

void heed_score_tokens_init(heed_score_tokens *t, heed_context *c);
void heed_score_tokens_free(heed_score_tokens *t);

/* The line's tokens, numbers that are equal where the tokens are; the first goes to the front of `out`. */
heed_status heed_score_tokenize(heed_score_tokens *t, heed_score_kind kind, const heed_ids *points, heed_ids *out);
/* Words as chrF++ takes them: between white space, a mark of punctuation at an end by itself. */
heed_status heed_score_words(heed_score_tokens *t, const heed_ids *points, heed_ids *out);
/* The code points without white space. */
heed_status heed_score_visible(const heed_ids *points, heed_ids *out);

#endif
