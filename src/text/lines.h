/* What readers of lines need beyond heed/text.h. */
#ifndef HEED_TEXT_LINES_H
#define HEED_TEXT_LINES_H

#include "base/context.h"
#include "heed/text.h"

/* A failure at the line read last: HEED_EFORMAT, and the error begins "FILE:LINE: ". */
heed_status heed_lines_fail(const heed_lines *l, const char *format, ...) HEED_PRINTF(2, 3);

/* What errors call the file. */
const char *heed_lines_name(const heed_lines *l);

/* heed_lines_next in two steps: the line as it stands in the file, and the check that it is text. */
heed_status heed_lines_read(heed_lines *l, bool *more, heed_line *line);
heed_status heed_lines_check(const heed_lines *l, const heed_line *line);

#endif
