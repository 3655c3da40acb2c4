/* Bytes of a file as they arrive; gzip is undone on the way. */
#ifndef HEED_TEXT_INPUT_H
#define HEED_TEXT_INPUT_H

#include "base/context.h"

typedef struct heed_input heed_input;

/* "-" is standard input. */
heed_status heed_input_open(heed_context *c, const char *path, heed_input **out);
/* The next bytes, valid until the next call; *size is 0 at the end. */
heed_status heed_input_next(heed_input *in, const char **bytes, size_t *size);
/* Whether heed_input_next would have to wait for a pipe or a person. */
bool heed_input_waits(const heed_input *in);
/* The path, or "standard input". */
const char *heed_input_name(const heed_input *in);
void        heed_input_close(heed_input *in); /* NULL is allowed */

#endif
