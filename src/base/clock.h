/* Time, for progress and measuring. */
#ifndef HEED_BASE_CLOCK_H
#define HEED_BASE_CLOCK_H

/* Seconds since some fixed moment; never goes back. */
double heed_seconds(void);

#endif
