/* Event files as TensorBoard reads them: numbers under a tag, each at a step. */
#ifndef HEED_FORMATS_EVENTS_H
#define HEED_FORMATS_EVENTS_H

#include "base/context.h"

typedef struct heed_events heed_events;

/* Makes `folder`, with those that it lies in, and a new file there. A folder is one line in TensorBoard's pictures. */
heed_status heed_events_open(heed_context *c, const char *folder, heed_events **out);
/* Tags are cut to some hundred bytes. */
heed_status heed_events_scalar(heed_events *e, const char *tag, double value, int64_t step);
/* Tells that a run goes on after this step: later ones in older files of the folder, where it was before it was
 * interrupted, do not count. */
heed_status heed_events_resume(heed_events *e, int64_t step);
/* Hands on what waits in the buffer. */
heed_status heed_events_flush(heed_events *e);
void        heed_events_close(heed_events *e); /* NULL is allowed */

#endif
