/* Lines as code points, and rules that rewrite them: each reads one list and writes another. A class takes a code point. */
#ifndef HEED_TEXT_REWRITE_H
#define HEED_TEXT_REWRITE_H

#include "heed/text.h"

typedef bool heed_point_class(int32_t point);

/* White space as Python has it: Unicode's, and the four separators among the control characters. */
bool heed_point_is_space(int32_t point);
bool heed_point_is_number(int32_t point);
bool heed_point_is_ascii_digit(int32_t point);

/* The code points of a text that is UTF-8, in the place of what was there. */
heed_status heed_rewrite_points(const char *text, size_t length, heed_ids *out);
heed_status heed_rewrite_add(heed_ids *out, const int32_t *points, size_t count);

/* Spaces around each character of a class. */
heed_status heed_rewrite_apart(const heed_ids *in, heed_ids *out, heed_point_class *test);
/* A space between two characters of these classes and one before or after them. From left to right; a character belongs to
 * one pair at most. */
heed_status heed_rewrite_part(const heed_ids *in, heed_ids *out, heed_point_class *first, heed_point_class *second,
                              bool before);
/* Puts `with` (one character, or nothing when it is 0) in the place of each `what`. */
heed_status heed_rewrite_replace(const heed_ids *in, heed_ids *out, const char *what, int32_t with);
/* The next part without white space at or after *at: its length, 0 behind the last; *at is where it begins. */
size_t heed_rewrite_word(const heed_ids *line, size_t *at);

#endif
