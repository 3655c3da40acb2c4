/* Threads. Work is cut into tiles whose number depends on the sizes alone, never on the number of threads, and a tile's
 * result never depends on which thread ran it: so the bits are the same at any number of threads. */
#ifndef HEED_BASE_POOL_H
#define HEED_BASE_POOL_H

#include "base/context.h"

enum { HEED_MAX_THREADS = 256 };

typedef struct heed_pool heed_pool;

/* Does tile `tile`; `thread` is in 0..threads-1 and picks scratch memory. Must not call heed_parallel. */
typedef void heed_tile_function(void *work, int64_t tile, int thread);

heed_status heed_pool_create(heed_context *c, int threads, heed_pool **out);
void        heed_pool_free(heed_context *c, heed_pool *pool);
int         heed_pool_threads(const heed_pool *pool);

/* Calls function(work, t, thread) for every t in 0..tiles-1, in any order, and returns when all are done. Allocates
 * nothing. With pool NULL the caller does them all in order, as thread 0. */
void heed_parallel(heed_pool *pool, int64_t tiles, heed_tile_function *function, void *work);

#endif
