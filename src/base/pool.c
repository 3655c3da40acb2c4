#define _GNU_SOURCE
#include "base/pool.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>

/* A worker looks for new work so many times before it sleeps: the gap between two kernels is shorter than a wake-up. */
enum { SPINS = 4000 };

/* What `state` holds: how many workers are at the work, whether more may join, and the number of the work (a round). */
enum { ACTIVE = 0x1ff, OPEN = 0x200, ROUND = 0x400 };

struct heed_pool {
    int        threads; /* the caller is thread 0, so threads-1 workers */
    pthread_t *workers;

    /* the work at hand; written by the caller while no worker is at it */
    heed_tile_function *function;
    void               *work;
    int64_t             tiles;
    atomic_int_least64_t next;  /* the next tile nobody took */
    atomic_uint          state; /* of rounds */
    atomic_bool          quit;

    pthread_mutex_t mutex;
    pthread_cond_t  wake, done;
    atomic_int      asleep;         /* workers in pthread_cond_wait(wake), or about to be */
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

static bool take_tile(heed_pool *p, int thread)
{
    int64_t tile = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
    if (tile >= p->tiles)
        return false;
    p->function(p->work, tile, thread);
    return true;
}

/* ---- workers ---- */

static unsigned round_of(unsigned state) { return state / ROUND; }

/* Waits for a round that this worker has not seen; returns the state then. */
static unsigned wait_for_round(heed_pool *p, unsigned seen)
{
    unsigned state;
    for (int i = 0; i < SPINS; i++) {
        state = atomic_load_explicit(&p->state, memory_order_acquire);
        if (round_of(state) != seen)
            return state;
        pause_briefly();
    }
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->asleep, 1);
    while (round_of(state = atomic_load(&p->state)) == seen && !atomic_load(&p->quit))
        pthread_cond_wait(&p->wake, &p->mutex);
    atomic_fetch_sub(&p->asleep, 1);
    pthread_mutex_unlock(&p->mutex);
    return state;
}

/* Joins the round unless it is over. */
static bool join_round(heed_pool *p, unsigned state)
{
    unsigned round = round_of(state);
    while ((state & OPEN) != 0 && round_of(state) == round)
        if (atomic_compare_exchange_weak(&p->state, &state, state + 1))
            return true;
    return false;
}

static void leave_round(heed_pool *p)
{
    if ((atomic_fetch_sub(&p->state, 1) & (ACTIVE | OPEN)) != 1) /* not the last, or the caller is still at it */
        return;
    pthread_mutex_lock(&p->mutex);
    if (p->caller_asleep)
        pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->mutex);
}

static void *worker_main(void *argument)
{
    worker_start *start = argument;
    heed_pool *p = start->pool;
    unsigned seen = 0;
    for (;;) {
        unsigned state = wait_for_round(p, seen);
        seen = round_of(state);
        if (atomic_load(&p->quit))
            return NULL;
        if (!join_round(p, state))
            continue;
        while (take_tile(p, start->thread))
            continue;
        leave_round(p);
    }
}

/* ---- the caller ---- */

static void open_round(heed_pool *p)
{
    unsigned round = round_of(atomic_load_explicit(&p->state, memory_order_relaxed));
    atomic_store(&p->state, (round + 1) * ROUND | OPEN);
    if (atomic_load(&p->asleep) == 0)
        return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

/* Nobody joins any more, so that a worker which woke late keeps nobody waiting; waits for those who are still at it. */
static void close_round(heed_pool *p)
{
    unsigned state = atomic_fetch_and(&p->state, ~(unsigned)OPEN);
    for (int i = 0; i < SPINS; i++) {
        if ((state & ACTIVE) == 0)
            return;
        pause_briefly();
        state = atomic_load(&p->state);
    }
    pthread_mutex_lock(&p->mutex);
    p->caller_asleep = true;
    while ((atomic_load(&p->state) & ACTIVE) != 0)
        pthread_cond_wait(&p->done, &p->mutex);
    p->caller_asleep = false;
    pthread_mutex_unlock(&p->mutex);
}

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
    open_round(p);
    while (take_tile(p, 0))
        continue;
    close_round(p);
}

/* ---- making and freeing ---- */

static void stop_workers(heed_pool *p, int started)
{
    atomic_store(&p->quit, true);
    open_round(p);
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
