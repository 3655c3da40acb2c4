/* Event files as TensorBoard reads them: records of protocol buffers, one file for training and one for validation. */
#define _POSIX_C_SOURCE 200809L
#include "base/memory.h"
#include "heed/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TRAIN, VALIDATION, FILES };

typedef struct event_log {
    heed_callback callback; /* first, so that one is the other */
    heed_context *context;
    heed_zone     zone;
    const char   *folder;
    FILE         *files[FILES]; /* opened when there is something to write */
} event_log;

/* ---- bytes ---- */

/* A message under way; no event that is written here comes near the end. */
typedef struct message {
    unsigned char bytes[512];
    size_t        length;
} message;

static void put_byte(message *m, unsigned byte)
{
    if (m->length < sizeof m->bytes)
        m->bytes[m->length++] = (unsigned char)byte;
}

static void put_bytes(message *m, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put_byte(m, ((const unsigned char *)bytes)[i]);
}

static void put_little(message *m, uint64_t word, int size)
{
    for (int i = 0; i < size; i++)
        put_byte(m, (unsigned)(word >> 8 * i) & 0xff);
}

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(m, (unsigned)(value & 0x7f) | 0x80);
    put_byte(m, (unsigned)value);
}

/* The types of fields, as protocol buffers number them. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_key(message *m, unsigned field, unsigned type) { put_varint(m, field << 3 | type); }

static void put_field(message *m, unsigned field, const void *bytes, size_t size)
{
    put_key(m, field, BYTES);
    put_varint(m, size);
    put_bytes(m, bytes, size);
}

/* CRC-32C, turned and shifted so that a record may hold records. */
static uint32_t masked_crc(const void *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= ((const unsigned char *)bytes)[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* ---- events ---- */

static heed_status cannot_write(const event_log *log, const char *path)
{
    return heed_fail(log->context, HEED_EIO, "%s: cannot write: %s", path, strerror(errno));
}

static heed_status write_record(const event_log *log, FILE *file, const message *event)
{
    message head = {.length = 0}, tail = {.length = 0};
    put_little(&head, event->length, 8);
    put_little(&head, masked_crc(head.bytes, 8), 4);
    put_little(&tail, masked_crc(event->bytes, event->length), 4);
    bool written = fwrite(head.bytes, 1, head.length, file) == head.length &&
                   fwrite(event->bytes, 1, event->length, file) == event->length &&
                   fwrite(tail.bytes, 1, tail.length, file) == tail.length;
    return written ? HEED_OK : cannot_write(log, log->folder);
}

static void begin_event(message *m)
{
    enum { WALL_TIME = 1 };
    struct timespec now;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(m, WALL_TIME, FIXED64);
    put_little(m, bits, 8);
}

static heed_status write_version(const event_log *log, FILE *file)
{
    enum { FILE_VERSION = 3 };
    static const char version[] = "brain.Event:2";
    message event = {.length = 0};
    begin_event(&event);
    put_field(&event, FILE_VERSION, version, strlen(version));
    return write_record(log, file, &event);
}

/* With those that it lies in. `path` is cut for a moment on the way. */
static heed_status make_folder(const event_log *log, char *path)
{
    for (char *end = path + 1;; end++) {
        char next = *end;
        if (next != '/' && next != '\0')
            continue;
        *end = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        heed_status status = HEED_OK;
        if (!made)
            status = heed_fail(log->context, HEED_EIO, "%s: cannot make the directory: %s", path, strerror(errno));
        *end = next;
        if (status != HEED_OK || next == '\0')
            return status;
    }
}

static heed_status open_file(event_log *log, int which)
{
    char host[64] = "";
    if (log->files[which] != NULL)
        return HEED_OK;
    gethostname(host, sizeof host - 1);
    char *folder = heed_zone_printf(&log->zone, "%s/%s", log->folder, which == TRAIN ? "train" : "validation");
    if (folder == NULL)
        return HEED_ENOMEM;
    const char *path = heed_zone_printf(&log->zone, "%s/events.out.tfevents.%010lld.%s.%ld.%d.v2", folder,
                                        (long long)time(NULL), host, (long)getpid(), which);
    if (path == NULL)
        return HEED_ENOMEM;
    HEED_TRY(make_folder(log, folder));
    log->files[which] = fopen(path, "ab");
    return log->files[which] == NULL ? cannot_write(log, path) : write_version(log, log->files[which]);
}

/* A number under the tag PREFIX NAME SUFFIX. */
static heed_status write_scalar(event_log *log, int which, const char *const tag[3], double value, int64_t step)
{
    enum { STEP = 2, SUMMARY = 5, VALUE = 1, TAG = 1, SIMPLE_VALUE = 2 };
    message inner = {.length = 0}, summary = {.length = 0}, event = {.length = 0};
    char text[200];
    float number = (float)value;
    uint32_t bits;
    int length = snprintf(text, sizeof text, "%s%.120s%s", tag[0], tag[1], tag[2]);
    memcpy(&bits, &number, sizeof bits);
    put_field(&inner, TAG, text, (size_t)length);
    put_key(&inner, SIMPLE_VALUE, FIXED32);
    put_little(&inner, bits, 4);
    put_field(&summary, VALUE, inner.bytes, inner.length);
    begin_event(&event);
    put_key(&event, STEP, VARINT);
    put_varint(&event, (uint64_t)step);
    put_field(&event, SUMMARY, summary.bytes, summary.length);
    HEED_TRY(open_file(log, which));
    return write_record(log, log->files[which], &event);
}

/* ---- the callback ---- */

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
        if (log->files[i] != NULL && fflush(log->files[i]) != 0)
            return cannot_write(log, log->folder);
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
        if (log->files[i] != NULL)
            fclose(log->files[i]);
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
