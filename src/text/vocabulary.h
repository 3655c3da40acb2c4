/* What the makers of vocabularies need beyond heed/text.h. */
#ifndef HEED_TEXT_VOCABULARY_H
#define HEED_TEXT_VOCABULARY_H

#include "heed/text.h"

/* Whether a token reads like one of the special ones, which no text may bring in. */
bool heed_vocabulary_reserved(const char *token);

#endif
