/**
 * @file text.h
 * Text on its way into a model and out of it: lines of files, pairs of sequences, tokens and their ids, batches of
 * similar lengths, scores, and dates to learn from.
 *
 * All text is UTF-8. Where heed reads it from a file it is checked, and an error names the file, the line and the byte.
 * A text given as bytes and a length need not end with a NUL; a text that heed gives out always does.
 *
 * Every handle here belongs to one thread at a time and is freed before its context.
 */
#ifndef HEED_TEXT_H
#define HEED_TEXT_H

#include "heed/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lines ------------------------------------------------------------------------------------------------------ */

/** The lines of a file, one at a time, as they arrive. Accepted: "\n" and "\r\n", a last line without either, a byte
 *  order mark, gzip. A line that is no UTF-8, holds a NUL byte, or is longer than the limit is HEED_EFORMAT. */
typedef struct heed_lines heed_lines;

typedef struct heed_line {
    const char *text;   /**< without its end; NUL-terminated; valid until the next call */
    size_t      length; /**< bytes */
    int64_t     number; /**< counted from 1 */
} heed_line;

/** @p path "-" is standard input. @p limit: bytes a line may have, 0 for HEED_LINE_LIMIT. */
HEED_API heed_status heed_lines_open(heed_context *c, const char *path, size_t limit, heed_lines **out);
/** Reads the next line; *more is false when there is none. */
HEED_API heed_status heed_lines_next(heed_lines *l, bool *more, heed_line *line);
/** Whether the next line is not there yet, so that heed_lines_next() would wait for a pipe or a person. */
HEED_API bool heed_lines_wait(const heed_lines *l);
HEED_API void        heed_lines_free(heed_lines *l); /**< NULL is allowed */

enum { HEED_LINE_LIMIT = 1 << 20 };

/** HEED_EFORMAT unless the bytes are UTF-8 without NUL; the error begins with @p name and tells the byte. */
HEED_API heed_status heed_utf8_check(heed_context *c, const char *name, const char *text, size_t length);

/* ---- pairs ------------------------------------------------------------------------------------------------------ */

/** A corpus of pairs: either one file of lines `source TAB target`, or two files of which the lines belong together.
 *  Neither side may be empty. */
typedef struct heed_corpus heed_corpus;

/** What a pair can suffer from. */
typedef enum heed_pair_fault {
    HEED_PAIR_NOT_TEXT, /**< a side is no UTF-8 or holds a NUL byte */
    HEED_PAIR_NOT_TWO,  /**< no TAB, or more than one */
    HEED_PAIR_EMPTY,    /**< a side is empty, or white space */
    HEED_PAIR_FAULTS
} heed_pair_fault;

typedef struct heed_pair {
    const char *source, *target; /**< NUL-terminated; valid until the next call */
    size_t      source_length, target_length; /**< bytes */
    int64_t     number;          /**< of the line, counted from 1 */
} heed_pair;

/** @p target_path NULL: @p path holds both sides, with a TAB between. "-" is standard input. */
HEED_API heed_status heed_corpus_open(heed_context *c, const char *path, const char *target_path, heed_corpus **out);
/** From now on pairs with a fault are passed over, and counted. Before, they are HEED_EFORMAT. Files of different numbers of
 *  lines, and lines that are too long to be read, stay errors. */
HEED_API void heed_corpus_skip_faults(heed_corpus *s);
/** Pairs passed over for a fault. */
HEED_API int64_t heed_corpus_skipped(const heed_corpus *s, heed_pair_fault fault);
/** The line of the first of them, counted from 1; 0: there is none. */
HEED_API int64_t heed_corpus_first_skipped(const heed_corpus *s, heed_pair_fault fault);
/** Reads the next pair; *more is false when there is none. */
HEED_API heed_status heed_corpus_next(heed_corpus *s, bool *more, heed_pair *pair);
HEED_API void        heed_corpus_free(heed_corpus *s); /**< NULL is allowed */

/* ---- vocabularies ----------------------------------------------------------------------------------------------- */

/** The ids that every vocabulary begins with; the first two as in Keras' TextVectorization. */
enum {
    HEED_PADDING = 0, /**< "" */
    HEED_UNKNOWN = 1, /**< "[UNK]" */
    HEED_START = 2,   /**< "[START]" */
    HEED_END = 3,     /**< "[END]" */
    HEED_SPECIALS = 4
};

/** Tokens by id and ids by token. Immutable once made. */
typedef struct heed_vocabulary heed_vocabulary;

/** The special tokens, then @p tokens in their order; NUL-terminated, copied. A token that is empty, that is there
 *  twice, or that reads like a special one is HEED_EINVAL. */
HEED_API heed_status heed_vocabulary_create(heed_context *c, const char *const *tokens, size_t count,
                                            heed_vocabulary **out);
/** Reads what heed_vocabulary_save() wrote. HEED_EFORMAT begins with @p name and tells the line. */
HEED_API heed_status heed_vocabulary_load(heed_context *c, const char *name, const char *bytes, size_t size,
                                          heed_vocabulary **out);
/** As text: a token a line, special ones too, so that a line's number is the id plus 1. In a token, newline, carriage
 *  return, tab and backslash are written \\n, \\r, \\t and \\\\. *bytes is freed with heed_free(). */
HEED_API heed_status heed_vocabulary_save(const heed_vocabulary *v, char **bytes, size_t *size);
HEED_API void        heed_vocabulary_free(heed_vocabulary *v); /**< NULL is allowed */

HEED_API int32_t heed_vocabulary_size(const heed_vocabulary *v); /**< special tokens included */
/** The token of an id, owned by the vocabulary; that of HEED_UNKNOWN for ids that are none. */
HEED_API const char *heed_vocabulary_token(const heed_vocabulary *v, int32_t id);
/** The id of a token; HEED_UNKNOWN for what is none, and for the text of a special token. */
HEED_API int32_t heed_vocabulary_id(const heed_vocabulary *v, const char *token, size_t length);

/* ---- tokenizers ------------------------------------------------------------------------------------------------- */

/** A growing list of ids. Start with {.context = c}; end with heed_ids_free(). */
typedef struct heed_ids {
    heed_context *context;
    int32_t      *ids;
    size_t        count, capacity;
} heed_ids;

HEED_API heed_status heed_ids_add(heed_ids *list, int32_t id);
HEED_API void        heed_ids_free(heed_ids *list);

/** Settings of a tokenizer; what is zero has its default. */
typedef struct heed_tokenizer_config {
    const char *kind;        /**< "characters" (Unicode code points; the default), "words" (between white space), or the
                                  pieces of words that SentencePiece finds by "bpe" or "unigram" */
    const char *normal_form; /**< of Unicode, into which text is brought first: "nfc" (the default), "nfkc" or "none" */
    const char *moses;       /**< a language, "en": words and marks of punctuation are set apart as the Moses tokenizer does,
                                  before anything else but the normal form, and put together again in decoded text.
                                  Default, and "": not */
    bool        lowercase;   /**< by Unicode's rules that hold in every language; default: the case stays */
    int32_t     most_tokens; /**< size of the vocabulary, special tokens included; default: no limit. Of "bpe" and
                                  "unigram" the very size, and the default 8000 */
    int64_t     least_count; /**< characters, words: tokens seen less often are unknown; default: 1 */
    /* bpe, unigram: */
    double      character_coverage; /**< share of the text's characters that the vocabulary must be able to write, in
                                         [0.98,1]; the rarest beyond it are unknown. Default: 1 */
    int32_t     longest_piece;      /**< characters, 1..64; default: 16 */
    bool        split_digits;       /**< every digit is a piece of its own */
    bool        fewer_tokens;       /**< a text that has not as many pieces gives fewer; default: it is an error, which tells
                                         the most that would do */
    int64_t     learning_bytes;     /**< of text that is learnt from; from a longer one lines are picked at random, always
                                         the same ones. Default: 64 MiB */
} heed_tokenizer_config;

/** Text to ids and back. It either learns its vocabulary from texts, or is given one. */
typedef struct heed_tokenizer heed_tokenizer;

/** A tokenizer that has to learn: heed_tokenizer_count() for each text, then heed_tokenizer_learn(). */
HEED_API heed_status heed_tokenizer_create(heed_context *c, const heed_tokenizer_config *config, heed_tokenizer **out);
HEED_API heed_status heed_tokenizer_count(heed_tokenizer *t, const char *text, size_t length);
/** Makes the vocabulary of what was counted. Characters and words: the most frequent token first, equals in the order of
 *  code points. bpe, unigram: as SentencePiece does; HEED_EINVAL when most_tokens does not suit the text, HEED_EUNSUPPORTED
 *  when heed was built without SentencePiece, which only this function needs. */
HEED_API heed_status heed_tokenizer_learn(heed_tokenizer *t);
/** The same with one vocabulary for two tokenizers of a kind, from the texts of both, by the settings of the first. */
HEED_API heed_status heed_tokenizer_learn_shared(heed_tokenizer *t, heed_tokenizer *other);
/** Texts that were counted, and those of them that are or were learnt from. */
HEED_API void heed_tokenizer_texts(const heed_tokenizer *t, int64_t *counted, int64_t *learnt);

/** The vocabulary as text: a token a line, and for "unigram" its score behind a TAB. Freed with heed_free(). */
HEED_API heed_status heed_tokenizer_save(const heed_tokenizer *t, char **bytes, size_t *size);
/** A tokenizer from its settings and what heed_tokenizer_save() gave; @p name is for errors. */
HEED_API heed_status heed_tokenizer_load(heed_context *c, const heed_tokenizer_config *config, const char *name,
                                         const char *bytes, size_t size, heed_tokenizer **out);
HEED_API void        heed_tokenizer_free(heed_tokenizer *t); /**< NULL is allowed */

/** Appends the ids of a text, without start and end. HEED_EFORMAT when it is no UTF-8. */
HEED_API heed_status heed_tokenizer_encode(heed_tokenizer *t, const char *text, size_t length, heed_ids *out);
/** The text of ids, up to the first HEED_END; padding and start are left out. *text is freed with heed_free(). */
HEED_API heed_status heed_tokenizer_decode(const heed_tokenizer *t, const int32_t *ids, size_t count, char **text);
/** Ids there are, special ones included; 0 before learning. */
HEED_API int32_t heed_tokenizer_size(const heed_tokenizer *t);
/** A token as it may be shown, beside an alignment for instance; owned by the tokenizer. */
HEED_API const char *heed_tokenizer_token(const heed_tokenizer *t, int32_t id);

/* ---- batches ---------------------------------------------------------------------------------------------------- */

/** What the size of a batch counts; lengths with the padding, as they are computed with. */
typedef enum heed_batch_unit {
    HEED_BATCH_EXAMPLES,
    HEED_BATCH_TOKENS,        /**< examples times the longest side of any */
    HEED_BATCH_TARGET_TOKENS, /**< examples times the longest target; of the only side, when there is one */
    HEED_BATCH_ALL_TOKENS     /**< examples times the longest source and the longest target, added */
} heed_batch_unit;

/** What a pass over the examples looks like. */
typedef struct heed_batches_config {
    size_t          count;           /**< examples, >= 1 */
    const int32_t  *source_lengths;  /**< (count), tokens */
    const int32_t  *target_lengths;  /**< (count), tokens; NULL: there is one side */
    int64_t         size;            /**< of a batch at most, >= 1; an example that is larger is a batch of its own */
    heed_batch_unit unit;            /**< of size */
    uint64_t        seed, epoch;
} heed_batches_config;

/** Batches for one epoch: every example in exactly one of them, similar lengths together, in random order. They are a
 *  function of the settings alone, so that a resumed run meets the same ones. */
typedef struct heed_batches heed_batches;

typedef struct heed_text_batch {
    const int64_t *examples; /**< (count), owned by the batches */
    int64_t        count;
    int32_t        source_length, target_length; /**< of the longest */
} heed_text_batch;

HEED_API heed_status heed_batches_create(heed_context *c, const heed_batches_config *config, heed_batches **out);
HEED_API int64_t     heed_batches_count(const heed_batches *b);
HEED_API heed_text_batch heed_batches_get(const heed_batches *b, int64_t index); /**< index in 0..count-1 */
/** The share of all tokens, of both sides, that are padding: 0..1. */
HEED_API double heed_batches_padding(const heed_batches *b);
HEED_API void   heed_batches_free(heed_batches *b); /**< NULL is allowed */

/* ---- scores ----------------------------------------------------------------------------------------------------- */

typedef struct heed_scorer_config {
    bool        alternatives;   /**< a reference line holds several, with " | " between; the best one counts */
    bool        lowercase;      /**< compares lower-cased text */
    const char *tokenize;       /**< tokens, as sacreBLEU makes them: "13a" (as mteval-v13a), "intl" (as mteval-v14), "none"
                                     (between white space), "char". Default: "13a" for BLEU and "none" for the error rate */
    int         chrf_word_order; /**< words in a row that chrF counts too, 0..8; 2 makes it chrF++. Default: 0 */
} heed_scorer_config;

/** Compares lines with references, one after another. */
typedef struct heed_scorer heed_scorer;

enum { HEED_BLEU_ORDERS = 4 };

typedef struct heed_scores {
    int64_t lines;
    int64_t exact;            /**< lines equal to a reference */
    int64_t edits;            /**< insertions, deletions, replacements of tokens that lead to the nearest reference; with
                                   "char" white space is tokens too */
    int64_t reference_tokens; /**< tokens of those references */
    double  exact_match;      /**< exact / lines; NaN without lines */
    double  token_error_rate; /**< edits / reference_tokens; NaN without tokens */
    double  bleu;             /**< 0..100, as of sacreBLEU 2.6; NaN without lines */
    double  bleu_precisions[HEED_BLEU_ORDERS]; /**< 0..100, of n-grams of 1 to 4 tokens, smoothed */
    double  bleu_brevity;     /**< the penalty for being shorter than the references, 0..1 */
    int64_t bleu_length, bleu_reference_length; /**< tokens of the lines, and of the references nearest to them in length */
    double  chrf;             /**< 0..100, as of sacreBLEU 2.6; NaN without lines */
    int     chrf_word_order;  /**< as it was configured */
} heed_scores;

HEED_API heed_status heed_scorer_create(heed_context *c, const heed_scorer_config *config, heed_scorer **out);
HEED_API heed_status heed_scorer_add(heed_scorer *s, const char *hypothesis, const char *reference);
HEED_API heed_scores heed_scorer_result(const heed_scorer *s);
/** sacreBLEU's signatures of what was compared: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0". Freed with
 *  heed_free(). */
HEED_API heed_status heed_scorer_bleu_signature(const heed_scorer *s, char **text);
HEED_API heed_status heed_scorer_chrf_signature(const heed_scorer *s, char **text);
HEED_API void        heed_scorer_free(heed_scorer *s); /**< NULL is allowed */

/* ---- dates ------------------------------------------------------------------------------------------------------ */

/** Random dates from 1970-01-01 to 2026-12-31 as people write them in the languages of the world: a uniform draw of
 *  locale, date, one of 15 formats, and case. The formats are those of datalogue/keras-attention. */
typedef struct heed_dates heed_dates;

typedef struct heed_dates_config {
    const char *locales; /**< "all" (the default) or names with commas between: "en,pt_BR" */
    uint64_t    seed;    /**< the i-th pair is a function of locales, seed and i */
} heed_dates_config;

/** A locale that ICU does not have is HEED_ENOTFOUND. */
HEED_API heed_status heed_dates_create(heed_context *c, const heed_dates_config *config, heed_dates **out);
/** The next pair: "12 mars 2009" and "2009-03-12". Valid until the next call; without control characters. */
HEED_API heed_status heed_dates_next(heed_dates *d, const char **human, const char **iso);
/** The best exact match that any model can reach on these pairs, 0..1. Some texts stand for several dates ("03/04/96"), of
 *  which the likeliest is the best answer. Found by writing every date in every locale, format and case: about a second a
 *  locale, and 0.5 GB at most. heed_dates_next() goes on as if nothing had been asked. */
HEED_API heed_status heed_dates_ceiling(heed_dates *d, double *out);
HEED_API void        heed_dates_free(heed_dates *d); /**< NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
