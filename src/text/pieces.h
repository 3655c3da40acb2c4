/* Words cut into the pieces of a vocabulary, as SentencePiece cuts them. */
#ifndef HEED_TEXT_PIECES_H
#define HEED_TEXT_PIECES_H

#include "base/random.h"
#include "text/table.h"
#include "text/vocabulary.h"

typedef enum heed_pieces_kind { HEED_PIECES_BPE, HEED_PIECES_UNIGRAM } heed_pieces_kind;

/* What stands before each word in the place of a space: U+2581, "lower one eighth block". */
#define HEED_PIECE_SPACE "\xe2\x96\x81"

typedef struct heed_pieces {
    heed_context          *context;
    heed_pieces_kind       kind;
    const heed_vocabulary *vocabulary;
    size_t                 longest; /* bytes of a piece */
    float                  unknown; /* score of a character that is no piece */
    heed_text              word;    /* the one at hand, the mark before it */
    void                  *work;    /* for cutting it */
    size_t                 work_size;
    heed_table             known; /* words met before; an entry's count is where in `ids` its own begin */
    heed_ids               ids;
} heed_pieces;

/* The vocabulary is borrowed. HEED_EFORMAT, beginning with `name`, when it cannot serve. */
heed_status heed_pieces_init(heed_pieces *p, heed_context *c, heed_pieces_kind kind, const char *name,
                             const heed_vocabulary *vocabulary);
void        heed_pieces_free(heed_pieces *p); /* one that is zeroed but for the context is allowed */
/* Appends the ids of a word, given without the mark. Unknown characters that follow one another share an id. */
heed_status heed_pieces_cut(heed_pieces *p, const char *word, size_t length, heed_ids *out);

/* With what probability neighbours are not joined, and the numbers that decide it. */
typedef struct heed_chance {
    double       rate;
    heed_random *random;
} heed_chance;

/* Appends the ids of the same text cut by chance; of BPE. The text begins with a word. */
heed_status heed_pieces_cut_again(heed_pieces *p, const int32_t *ids, size_t count, const heed_chance *chance,
                                  heed_ids *out);

#endif
