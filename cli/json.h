/* Pieces of JSON. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "heed/output.h"

/* In quotes, with what has to be escaped. */
void cli_json_text(heed_writer *w, const char *text);
/* null for what is no finite number. */
void cli_json_number(heed_writer *w, double number);

#endif
