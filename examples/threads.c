/* One loaded model, run by several threads at the same time: threads MODEL. The weights are there once; each thread has a
 * context, working memory and buffers of its own. */
#include <heed/files.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4 };

typedef struct worker {
    heed_context *context;
    heed_model   *model;
    float         tags[2][5][4];
    heed_status   status;
} worker;

static void *run(void *user)
{
    worker *w = user;
    int32_t words[2][5] = {{3, 1, 4, 1, 5}, {2, 7, 1, 8, 0}};
    const heed_array x = {HEED_INT32, {2, {2, 5}}, words};
    heed_array y = {HEED_FLOAT32, {3, {2, 5, 4}}, w->tags};
    for (int i = 0; i < 100 && w->status == HEED_OK; i++)
        w->status = heed_predict_on_batch(w->model, &x, 1, &y, 1);
    return NULL;
}

int main(int argc, char **argv)
{
    static worker workers[THREADS];
    pthread_t     threads[THREADS];
    heed_context *c;
    heed_model   *m;
    if (argc != 2 || heed_context_create(NULL, &c) != HEED_OK)
        return 2;
    heed_status status = heed_load(c, argv[1], &m);
    int begun = 0;
    for (; begun < THREADS && status == HEED_OK; begun++) {
        worker *w = &workers[begun];
        status = heed_context_create(&(heed_context_config){.threads = 1}, &w->context);
        if (status == HEED_OK)
            status = heed_share_model(m, w->context, &w->model);
    }
    for (int i = 0; i < THREADS && status == HEED_OK; i++)
        if (pthread_create(&threads[i], NULL, run, &workers[i]) != 0)
            return 2;
    for (int i = 0; i < THREADS && status == HEED_OK; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < begun; i++) {
        bool same = memcmp(workers[i].tags, workers[0].tags, sizeof workers[0].tags) == 0;
        status = status != HEED_OK ? status : same ? workers[i].status : HEED_EINTERNAL;
        heed_model_free(workers[i].model);
        heed_context_free(workers[i].context);
    }
    puts(status == HEED_OK ? "all threads found the same" : heed_error(c));
    heed_model_free(m);
    heed_context_free(c);
    return status != HEED_OK;
}
