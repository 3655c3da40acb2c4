/* SentencePiece's trainer behind a C interface. What it learns leaves as pieces and scores; it is never handed bytes of a
 * model file, and is not needed to use what was learnt. */
#ifndef HEED_TEXT_SENTENCEPIECE_H
#define HEED_TEXT_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_sentencepiece_job {
    bool    unigram;            /* otherwise BPE */
    int32_t pieces;             /* wanted; fewer come when the text has no more */
    double  character_coverage; /* (0,1] */
    int32_t longest_piece;      /* code points, 1..64 */
    bool    split_digits;
    void   *user;               /* of both functions */
    /* The next text: UTF-8, words with single spaces between. False at the end. */
    bool (*next)(void *user, const char **text, size_t *length);
    /* Takes a piece, in the order of their ids, each valid during the call. False ends the job. */
    bool (*take)(void *user, const char *piece, size_t length, float score);
} heed_sentencepiece_job;

/* Whether all pieces were taken. Otherwise `error` says why not, and is empty when take() ended the job. The result is a
 * function of the texts and the settings. */
bool heed_sentencepiece_train(const heed_sentencepiece_job *job, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
