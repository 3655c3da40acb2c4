/* The generator of dates, a step at a time: for what goes through all that it can draw. */
#ifndef HEED_TEXT_DATES_H
#define HEED_TEXT_DATES_H

#include "heed/text.h"

#include "base/context.h"

enum {
    HEED_DATES_DAYS = 20819, /* from 1970-01-01, day 0, to 2026-12-31 */
    HEED_DATES_FORMATS = 15,
    HEED_DATES_CASES = 4, /* 0 is upper case, 1 is lower case, 2 and 3 leave the text as it is */
};

heed_context *heed_dates_context(const heed_dates *d);
size_t        heed_dates_locales(const heed_dates *d);

/* Picks a locale and a format; then a day; then a case, which gives the text, valid until the next call. */
heed_status heed_dates_choose(heed_dates *d, size_t locale, uint32_t format);
heed_status heed_dates_format(heed_dates *d, int64_t day);
heed_status heed_dates_spell(heed_dates *d, uint32_t letter_case, const char **human);

/* heed_dates_ceiling over `days` days from `first` on, as the weight of what can be told and the weight of all draws. The
 * texts are counted in a table of up to `most_slots` (a power of two), in as many passes as that takes. */
heed_status heed_dates_count(heed_dates *d, int64_t first, int64_t days, size_t most_slots, uint64_t *told, uint64_t *all);

#endif
