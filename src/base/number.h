/* Numbers as text, written and read the same way whatever locale the program around us has set. */
#ifndef HEED_BASE_NUMBER_H
#define HEED_BASE_NUMBER_H

#include "base/context.h"

enum { HEED_NUMBER_SIZE = 40 }; /* room for any number written here, and its NUL */

/* The shortest decimal that reads back as the same value; "nan", "inf" and "-inf" for those. Return `text`. */
char *heed_number_write_double(double value, char text[HEED_NUMBER_SIZE]);
char *heed_number_write_float(float value, char text[HEED_NUMBER_SIZE]);

/* Reads the number at the start of NUL-terminated `text`, as strtod does; *end is behind it, or `text` if there is none. */
double heed_number_read(const char *text, const char **end);

/* The double whose shortest decimal is the float's: 0.001f gives 0.001, not 0.0010000000474974513. */
double heed_number_from_float(float value);

#endif
