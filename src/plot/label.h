/* Tokens as labels: visible, harmless, and of known width. */
#ifndef HEED_PLOT_LABEL_H
#define HEED_PLOT_LABEL_H

#include "base/memory.h"

/* `text` as something to show, in the zone; NULL without memory. A space at either end becomes an open box, a line
 * break an arrow, other controls and broken bytes U+FFFD; a leading combining mark gets a dotted circle to sit on; ""
 * becomes an empty-set sign. With `ascii` only ASCII comes out: what has no stand-in there becomes a '?' a column. */
char *heed_label_show(heed_zone *zone, const char *text, bool ascii);

/* The next code point of what heed_label_show made, at *text, which moves behind it; 0 at the end. */
uint32_t heed_label_next(const char **text);

/* Columns that a terminal gives to a code point (0, 1 or 2), and to a text. */
int heed_label_columns_of(uint32_t code_point);
int heed_label_columns(const char *text);

/* `text` cut so that it fits `columns` (>= 1), with an ellipsis if anything was cut. */
char *heed_label_cut(heed_zone *zone, const char *text, int columns, bool ascii);

/* Whether a word stays readable with its characters below one another: no right-to-left text, nothing whose letters
 * join or change with their neighbours. */
bool heed_label_stacks(const char *text);

/* Whether what heed_label_show made begins with a letter or a digit. */
bool heed_label_is_word(const char *text);

/* Whether any character is written from right to left. */
bool heed_label_right_to_left(const char *text);

/* The number of characters as readers count them (a letter with its marks is one). */
int heed_label_characters(const char *text);

#endif
