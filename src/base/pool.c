#define _GNU_SOURCE
#include "base/pool.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>

/* A worker looks for new work this many times before it sleeps: the gap between two kernels is shorter than a wake-up. */
enum { SPINS = 4000 };

struct heed_pool {
    int        threads; /* the caller is thread 0, so threads-1 workers */
    pthread_t *workers;

    /* the work at hand; written by the caller before `round` moves on */
    heed_tile_function *function;
    void               *work;
    int64_t             tiles;
    atomic_int_least64_t next;  /* the next tile nobody took */
    atomic_int           busy;  /* workers still on this round */
    atomic_uint          round; /* counts calls of heed_parallel */
    atomic_bool          quit;

    pthread_mutex_t mutex;
    pthread_cond_t  wake, done;
    int             asleep;         /* workers in pthread_cond_wait(wake) */
    bool            caller_asleep;  /* the caller is in pthread_cond_wait(done) */
};

typedef struct worker_start {
    heed_pool *pool;
    int        thread;
} worker_start;

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_tiles(heed_pool *p, int thread)
{
    for (;;) {
        int64_t tile = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (tile >= p->tiles)
            return;
        p->function(p->work, tile, thread);
    }
}

static unsigned wait_for_round(heed_pool *p, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        unsigned round = atomic_load_explicit(&p->round, memory_order_acquire);
        if (round != seen)
            return round;
        pause_briefly();
    }
    pthread_mutex_lock(&p->mutex);
    unsigned round;
    p->asleep++;
    while ((round = atomic_load(&p->round)) == seen)
        pthread_cond_wait(&p->wake, &p->mutex);
    p->asleep--;
    pthread_mutex_unlock(&p->mutex);
    return round;
}

static void *worker_main(void *argument)
{
    worker_start *start = argument;
    heed_pool *p = start->pool;
    int thread = start->thread;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_round(p, seen);
        if (atomic_load(&p->quit))
            return NULL;
        take_tiles(p, thread);
        if (atomic_fetch_sub(&p->busy, 1) == 1) {
            pthread_mutex_lock(&p->mutex);
            if (p->caller_asleep)
                pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->mutex);
        }
    }
}

static void start_round(heed_pool *p)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->round, 1);
    if (p->asleep > 0)
        pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static void stop_workers(heed_pool *p, int started)
{
    atomic_store(&p->quit, true);
    start_round(p);
    for (int i = 0; i < started; i++)
        pthread_join(p->workers[i], NULL);
}

static void free_parts(heed_context *c, heed_pool *p)
{
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    heed_release(c, p->workers);
    heed_release(c, p);
}

heed_status heed_pool_create(heed_context *c, int threads, heed_pool **out)
{
    *out = NULL;
    heed_pool *p = heed_alloc(c, 1, sizeof *p);
    if (p == NULL)
        return HEED_ENOMEM;
    p->threads = threads;
    /* what each worker is told lives behind the handles, so that it outlasts this call */
    size_t count = (size_t)threads - 1;
    p->workers = heed_alloc(c, count, sizeof(pthread_t) + sizeof(worker_start));
    if (p->workers == NULL) {
        heed_release(c, p);
        return HEED_ENOMEM;
    }
    worker_start *starts = (worker_start *)(p->workers + count);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 0; i < threads - 1; i++) {
        starts[i] = (worker_start){p, i + 1};
        if (pthread_create(&p->workers[i], NULL, worker_main, &starts[i]) != 0) {
            stop_workers(p, i);
            free_parts(c, p);
            return heed_fail(c, HEED_EINTERNAL, "no thread to be had (%d of %d started)", i + 1, threads);
        }
    }
    *out = p;
    return HEED_OK;
}

void heed_pool_free(heed_context *c, heed_pool *p)
{
    if (p == NULL)
        return;
    stop_workers(p, p->threads - 1);
    free_parts(c, p);
}

int heed_pool_threads(const heed_pool *p) { return p->threads; }

void heed_parallel(heed_pool *p, int64_t tiles, heed_tile_function *function, void *work)
{
    if (p == NULL || p->threads == 1 || tiles <= 1) {
        for (int64_t tile = 0; tile < tiles; tile++)
            function(work, tile, 0);
        return;
    }
    p->function = function;
    p->work = work;
    p->tiles = tiles;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store(&p->busy, p->threads - 1);
    start_round(p);
    take_tiles(p, 0);
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->busy) == 0)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&p->mutex);
    p->caller_asleep = true;
    while (atomic_load(&p->busy) > 0)
        pthread_cond_wait(&p->done, &p->mutex);
    p->caller_asleep = false;
    pthread_mutex_unlock(&p->mutex);
}
