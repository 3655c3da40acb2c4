#include "text/subwords.h"

#include "text/sentencepiece.h"
#include "text/unicode.h"

#include <string.h>

#if HEED_SENTENCEPIECE

typedef struct learning {
    heed_context             *context;
    const heed_sample *const *samples;
    size_t                    count, sample, at; /* samples, and the text to be given next */
    heed_zone                 zone;              /* of the pieces */
    const char              **pieces;
    float                    *scores;
    size_t                    taken, used, limit; /* taken: pieces that read like special tokens included */
} learning;

static bool next_text(void *user, const char **text, size_t *length)
{
    learning *l = user;
    for (; l->sample < l->count; l->sample++, l->at = 0) {
        *text = heed_sample_next(l->samples[l->sample], &l->at, length);
        if (*text != NULL)
            return true;
    }
    return false;
}

static bool take_piece(void *user, const char *piece, size_t length, float score)
{
    learning *l = user;
    char *copy = heed_zone_alloc(&l->zone, length + 1, 1);
    if (copy == NULL || l->taken == l->limit)
        return false;
    memcpy(copy, piece, length);
    l->taken++;
    if (heed_vocabulary_reserved(copy))
        return true;
    l->pieces[l->used] = copy;
    l->scores[l->used++] = score;
    return true;
}

/* Different characters in the texts. */
static heed_status count_characters(const learning *l, size_t *out)
{
    heed_table characters;
    heed_table_init(&characters, l->context);
    learning again = {.samples = l->samples, .count = l->count};
    const char *text;
    size_t length;
    int32_t index;
    heed_status status = HEED_OK;
    while (status == HEED_OK && next_text(&again, &text, &length))
        for (size_t size; status == HEED_OK && length > 0; text += size, length -= size) {
            size = heed_utf8_next(text, length, NULL);
            status = heed_table_add(&characters, text, size, &index);
        }
    *out = characters.count;
    heed_table_free(&characters);
    return status;
}

static heed_status explain(const learning *l, const heed_subwords_config *config, const char *error)
{
    size_t characters;
    HEED_TRY(count_characters(l, &characters));
    if (characters == 0)
        return heed_fail(l->context, HEED_EFORMAT, "vocabulary: there is no text to learn it from");
    if (characters < l->limit)
        return heed_fail(l->context, HEED_EINTERNAL, "vocabulary: SentencePiece cannot learn it (%s)", error);
    heed_fail(l->context, HEED_EINVAL, "vocabulary: too small for the characters of the text (expected more than %zu "
              "tokens, found %d)", characters + HEED_SPECIALS, (int)config->tokens);
    heed_hint(l->context, "or let rare characters be unknown, by a lower character_coverage");
    return HEED_EINVAL;
}

static heed_status run(learning *l, const heed_subwords_config *config)
{
    l->limit = (size_t)(config->tokens - HEED_SPECIALS);
    l->pieces = heed_zone_alloc(&l->zone, l->limit, sizeof *l->pieces);
    l->scores = heed_zone_alloc(&l->zone, l->limit, sizeof *l->scores);
    if (l->pieces == NULL || l->scores == NULL)
        return HEED_ENOMEM;
    char error[HEED_ERROR_SIZE / 2];
    bool done = heed_sentencepiece_train(
        &(heed_sentencepiece_job){.unigram = config->kind == HEED_PIECES_UNIGRAM, .pieces = (int32_t)l->limit,
                                  .character_coverage = config->character_coverage,
                                  .longest_piece = config->longest_piece, .split_digits = config->split_digits,
                                  .user = l, .next = next_text, .take = take_piece}, error, sizeof error);
    if (!done)
        return error[0] == '\0' ? HEED_ENOMEM : explain(l, config, error);
    if (l->taken == l->limit || config->fewer)
        return HEED_OK;
    heed_fail(l->context, HEED_EINVAL, "vocabulary: too large for the text (expected at most %zu tokens, found %d)",
              l->taken + HEED_SPECIALS, (int)config->tokens);
    heed_hint(l->context, "ask for fewer, or for as many as there are, by fewer_tokens=True");
    return HEED_EINVAL;
}

heed_status heed_subwords_learn(heed_context *c, const heed_subwords_config *config, const heed_sample *const *samples,
                                size_t count, heed_vocabulary **out)
{
    learning l = {.context = c, .samples = samples, .count = count};
    *out = NULL;
    heed_zone_init(&l.zone, c);
    heed_status status = run(&l, config);
    if (status == HEED_OK) /* in BPE the order says all */
        status = heed_vocabulary_create_scored(c, l.pieces, config->kind == HEED_PIECES_BPE ? NULL : l.scores, l.used,
                                               out);
    heed_zone_free(&l.zone);
    return status;
}

#else

heed_status heed_subwords_learn(heed_context *c, const heed_subwords_config *config, const heed_sample *const *samples,
                                size_t count, heed_vocabulary **out)
{
    *out = NULL;
    heed_fail(c, HEED_EUNSUPPORTED, "vocabulary: this build of heed cannot learn subwords (expected one with "
              "SentencePiece)");
    heed_hint(c, "install libsentencepiece-dev and build again; translators that were made elsewhere work all the same");
    return HEED_EUNSUPPORTED;
}

#endif
