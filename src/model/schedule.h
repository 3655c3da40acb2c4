/* Learning rates that change with the number of steps done. */
#ifndef HEED_MODEL_SCHEDULE_H
#define HEED_MODEL_SCHEDULE_H

#include "layers/object.h"

typedef struct heed_schedule heed_schedule;

/* But for piecewise_constant_decay, whose options are lists. */
extern const heed_object_family heed_schedules;

/* From an expression's value or what Keras saves: a name with arguments, or {"class_name": ..., "config": ...}. In the
 * zone. */
heed_status heed_schedule_read(heed_zone *z, const heed_value *v, heed_schedule **out);
/* The rate of the step after `steps` steps. */
double heed_schedule_rate(const heed_schedule *s, int64_t steps);
/* What Keras saves; NULL when there is no memory. */
heed_value *heed_schedule_value(heed_zone *z, const heed_schedule *s);

#endif
