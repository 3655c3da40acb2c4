/* Words and marks set apart, and put together again, by the rules of the Moses tokenizer and detokenizer; without the
 * escapes that stand for characters of XML. */
#ifndef HEED_TEXT_MOSES_H
#define HEED_TEXT_MOSES_H

#include "text/rewrite.h"
#include "text/table.h"

typedef enum heed_moses_apostrophe { HEED_MOSES_ALONE, HEED_MOSES_WITH_NEXT, HEED_MOSES_WITH_PREVIOUS } heed_moses_apostrophe;

typedef struct heed_moses {
    heed_context         *context;
    char                  language[4];  /* "" : the texts are left as they are */
    heed_moses_apostrophe apostrophe;   /* between letters: don 't, l' homme */
    const struct heed_moses_prefixes *prefixes; /* what a period stays with; NULL: not known of the language */
    heed_ids              buffers[2];
    heed_text             text;         /* the last result */
} heed_moses;

/* `language` is a code of two or three letters; abbreviations are known of "en", "de" and "fr". */
heed_status heed_moses_init(heed_moses *m, heed_context *c, const char *language);
void        heed_moses_free(heed_moses *m);
/* The tokens with single spaces between, NUL-terminated; valid until the next call. `text` is UTF-8. */
heed_status heed_moses_tokenize(heed_moses *m, const char *text, size_t length, const char **out, size_t *out_length);
/* The text of tokens; valid until the next call. */
heed_status heed_moses_join(heed_moses *m, const char *tokens, size_t length, const char **out, size_t *out_length);

#endif
