/* What readers of lines need beyond heed/text.h. */
#ifndef HEED_TEXT_LINES_H
#define HEED_TEXT_LINES_H

#include "base/context.h"
#include "heed/text.h"

/* A failure at the line read last: HEED_EFORMAT, and the error begins "FILE:LINE: ". */
heed_status heed_lines_fail(const heed_lines *l, const char *format, ...) HEED_PRINTF(2, 3);

#endif
