/* Windows: query i sees `width` keys that follow one another, from number starts[i] on. Those that do not exist (before
 * the first key, behind the last) have their places all the same, and weigh nothing there. */
#ifndef HEED_OPS_WINDOW_H
#define HEED_OPS_WINDOW_H

#include "ops/walk.h"

/* The keys of a window that there are: `count` from number `first` on, from place `skip` of the window on. */
typedef struct heed_window_part {
    int64_t first, count, skip;
} heed_window_part;

static inline heed_window_part heed_window_within(int64_t start, int64_t width, int64_t begin, int64_t end)
{
    int64_t first = start > begin ? start : begin, last = start + width < end ? start + width : end;
    return last <= first ? (heed_window_part){0} : (heed_window_part){first, last - first, first - start};
}

/* For shape rules: refuses starts that are not int32 (B, Tq), B possibly 1. */
heed_status heed_window_expect_starts(heed_node *n, int input, int64_t batch, int64_t queries);

/* Elements of `starts` from one item of the batch to the next. */
static inline int64_t heed_window_starts_step(const heed_tensor *starts)
{
    return starts->shape.dims[0] == 1 ? 0 : starts->shape.dims[1];
}

#endif
