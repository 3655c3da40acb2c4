/* Event files as TensorBoard reads them: records of protocol buffers. */
#define _POSIX_C_SOURCE 200809L
#include "formats/events.h"

#include "base/memory.h"
#include "formats/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct heed_events {
    heed_context *context;
    heed_text     path;
    FILE         *file;
};

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

/* ---- events ---- */

/* The fields of an event and of what is in it. */
enum { WALL_TIME = 1, STEP = 2, FILE_VERSION = 3, SUMMARY = 5, SESSION_LOG = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2 };
enum { SESSION_STATUS = 1, SESSION_START = 1 };

static heed_status cannot_write(const heed_events *e)
{
    return heed_fail(e->context, HEED_EIO, "%s: cannot write: %s", e->path.bytes, strerror(errno));
}

static heed_status write_record(const heed_events *e, const message *event)
{
    message head = {.length = 0}, tail = {.length = 0};
    put_little(&head, event->length, 8);
    put_little(&head, heed_masked_crc32c(head.bytes, 8), 4);
    put_little(&tail, heed_masked_crc32c(event->bytes, event->length), 4);
    bool written = fwrite(head.bytes, 1, head.length, e->file) == head.length &&
                   fwrite(event->bytes, 1, event->length, e->file) == event->length &&
                   fwrite(tail.bytes, 1, tail.length, e->file) == tail.length;
    return written ? HEED_OK : cannot_write(e);
}

static void begin_event(message *m)
{
    struct timespec now;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(m, WALL_TIME, FIXED64);
    put_little(m, bits, 8);
}

static void put_step(message *m, int64_t step)
{
    put_key(m, STEP, VARINT);
    put_varint(m, (uint64_t)step);
}

static heed_status write_version(const heed_events *e)
{
    static const char version[] = "brain.Event:2";
    message event = {.length = 0};
    begin_event(&event);
    put_field(&event, FILE_VERSION, version, strlen(version));
    return write_record(e, &event);
}

heed_status heed_events_scalar(heed_events *e, const char *tag, double value, int64_t step)
{
    enum { MOST_TAG = 200 };
    message inner = {.length = 0}, summary = {.length = 0}, event = {.length = 0};
    float number = (float)value;
    uint32_t bits;
    size_t length = strlen(tag);
    memcpy(&bits, &number, sizeof bits);
    put_field(&inner, VALUE_TAG, tag, length < MOST_TAG ? length : MOST_TAG);
    put_key(&inner, VALUE_SIMPLE, FIXED32);
    put_little(&inner, bits, 4);
    put_field(&summary, SUMMARY_VALUE, inner.bytes, inner.length);
    begin_event(&event);
    put_step(&event, step);
    put_field(&event, SUMMARY, summary.bytes, summary.length);
    return write_record(e, &event);
}

heed_status heed_events_resume(heed_events *e, int64_t step)
{
    message session = {.length = 0}, event = {.length = 0};
    put_key(&session, SESSION_STATUS, VARINT);
    put_varint(&session, SESSION_START);
    begin_event(&event);
    put_step(&event, step + 1); /* the first that does not count any more */
    put_field(&event, SESSION_LOG, session.bytes, session.length);
    return write_record(e, &event);
}

/* ---- files ---- */

/* With those that it lies in. `path` is cut for a moment on the way. */
static heed_status make_folder(heed_context *c, char *path)
{
    for (char *end = path + 1;; end++) {
        char next = *end;
        if (next != '/' && next != '\0')
            continue;
        *end = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        heed_status status = HEED_OK;
        if (!made)
            status = heed_fail(c, HEED_EIO, "%s: cannot make the directory: %s", path, strerror(errno));
        *end = next;
        if (status != HEED_OK || next == '\0')
            return status;
    }
}

/* Makes the folder and the file in it, whose name tells TensorBoard what it is and in which order to read. */
static heed_status open_file(heed_events *e, const char *folder)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    heed_text_append(&e->path, folder, strlen(folder));
    HEED_TRY(heed_text_status(&e->path));
    HEED_TRY(make_folder(e->context, e->path.bytes));
    heed_text_printf(&e->path, "/events.out.tfevents.%010lld.%s.%ld.0.v2", (long long)time(NULL), host, (long)getpid());
    HEED_TRY(heed_text_status(&e->path));
    e->file = fopen(e->path.bytes, "ab");
    return e->file == NULL ? cannot_write(e) : write_version(e);
}

heed_status heed_events_open(heed_context *c, const char *folder, heed_events **out)
{
    *out = NULL;
    heed_events *e = heed_alloc(c, 1, sizeof *e);
    if (e == NULL)
        return HEED_ENOMEM;
    *e = (heed_events){.context = c, .path.context = c};
    heed_status status = open_file(e, folder);
    if (status != HEED_OK) {
        heed_events_close(e);
        return status;
    }
    *out = e;
    return HEED_OK;
}

heed_status heed_events_flush(heed_events *e) { return fflush(e->file) == 0 ? HEED_OK : cannot_write(e); }

void heed_events_close(heed_events *e)
{
    if (e == NULL)
        return;
    if (e->file != NULL)
        fclose(e->file);
    heed_text_free(&e->path);
    heed_release(e->context, e);
}
