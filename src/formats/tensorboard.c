/* The callback that writes event files for TensorBoard: one for training and one for validation. */
#include "base/memory.h"
#include "formats/events.h"
#include "heed/model.h"

#include <stdio.h>
#include <string.h>

enum { TRAIN, VALIDATION, FILES };

typedef struct event_log {
    heed_callback callback; /* first, so that one is the other */
    heed_context *context;
    heed_zone     zone;
    const char   *folder;
    heed_events  *files[FILES]; /* opened when there is something to write */
} event_log;

static heed_status open_file(event_log *log, int which)
{
    if (log->files[which] != NULL)
        return HEED_OK;
    const char *folder = heed_zone_printf(&log->zone, "%s/%s", log->folder, which == TRAIN ? "train" : "validation");
    return folder == NULL ? HEED_ENOMEM : heed_events_open(log->context, folder, &log->files[which]);
}

/* A number under the tag PREFIX NAME SUFFIX. */
static heed_status write_scalar(event_log *log, int which, const char *const tag[3], double value, int64_t step)
{
    char text[200];
    snprintf(text, sizeof text, "%s%.120s%s", tag[0], tag[1], tag[2]);
    HEED_TRY(open_file(log, which));
    return heed_events_scalar(log->files[which], text, value, step);
}

static int64_t iterations(heed_model *m)
{
    const heed_array *a = heed_optimizer_array(m, 0);
    return a == NULL || a->dtype != HEED_INT64 ? 0 : *(const int64_t *)a->data;
}

static heed_status write_log(event_log *log, heed_model *m, int epoch, const char *name, double value)
{
    static const char prefix[] = "val_";
    bool validation = strncmp(name, prefix, strlen(prefix)) == 0;
    if (!validation)
        return write_scalar(log, TRAIN, (const char *[]){"epoch_", name, ""}, value, epoch);
    name += strlen(prefix);
    HEED_TRY(write_scalar(log, VALIDATION, (const char *[]){"epoch_", name, ""}, value, epoch));
    return write_scalar(log, VALIDATION, (const char *[]){"evaluation_", name, "_vs_iterations"}, value, iterations(m));
}

static heed_status write_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    event_log *log = user;
    for (int i = 0; i < logs->count; i++)
        HEED_TRY(write_log(log, m, epoch, logs->names[i], logs->values[i]));
    HEED_TRY(write_log(log, m, epoch, "learning_rate", heed_learning_rate(m)));
    for (int i = 0; i < FILES; i++)
        if (log->files[i] != NULL)
            HEED_TRY(heed_events_flush(log->files[i]));
    return HEED_OK;
}

/* Before the first step, so that what cannot be written is known before the work. */
static heed_status begin_training(void *user, heed_model *m)
{
    (void)m;
    return open_file(user, TRAIN);
}

static void free_log(heed_callback *callback)
{
    event_log *log = (event_log *)callback;
    for (int i = 0; i < FILES; i++)
        heed_events_close(log->files[i]);
    heed_zone_free(&log->zone);
    heed_release(log->context, log);
}

heed_status heed_tensorboard(heed_context *c, const char *folder, heed_callback **out)
{
    *out = NULL;
    event_log *log = heed_alloc(c, 1, sizeof *log);
    if (log == NULL)
        return HEED_ENOMEM;
    log->context = c;
    heed_zone_init(&log->zone, c);
    log->callback = (heed_callback){log, .train_begin = begin_training, .epoch_end = write_epoch, .free = free_log};
    log->folder = heed_zone_strdup(&log->zone, folder);
    if (log->folder == NULL) {
        free_log(&log->callback);
        return HEED_ENOMEM;
    }
    *out = &log->callback;
    return HEED_OK;
}
