#include "heed/output.h"

#include "base/file.h"
#include "base/memory.h"

#include <string.h>

enum { BUFFER = 65536 };

struct heed_writer {
    heed_context *context;
    heed_output   output; /* without a temporary name: written as it stands */
    heed_status   status;
    heed_text     line;   /* what heed_writer_printf formats */
    size_t        used;
    char          buffer[BUFFER];
};

/* Streaming: what cannot be replaced is written at once, without a temporary file between. */
static heed_status open_as_it_stands(heed_context *c, const char *path, heed_output *out)
{
    *out = (heed_output){.context = c, .special = true, .descriptor = -1, .path = heed_strdup(c, path)};
    heed_status status = out->path == NULL ? HEED_ENOMEM : heed_output_open_special(c, path, &out->descriptor);
    if (status != HEED_OK)
        heed_output_abandon(out);
    return status;
}

heed_status heed_writer_open(heed_context *c, const char *path, heed_writer **out)
{
    *out = NULL;
    heed_writer *w = heed_alloc(c, 1, sizeof *w);
    if (w == NULL)
        return HEED_ENOMEM;
    w->context = c;
    w->line.context = c;
    heed_status status = heed_output_is_special(path) ? open_as_it_stands(c, path, &w->output)
                                                      : heed_output_open(c, path, &w->output);
    if (status != HEED_OK) {
        heed_release(c, w);
        return status;
    }
    *out = w;
    return HEED_OK;
}

heed_status heed_writer_flush(heed_writer *w)
{
    if (w->status == HEED_OK)
        w->status = heed_output_write(&w->output, w->buffer, w->used);
    w->used = 0;
    return w->status;
}

heed_status heed_writer_write(heed_writer *w, const void *bytes, size_t size)
{
    if (size > BUFFER - w->used)
        heed_writer_flush(w);
    if (w->status != HEED_OK)
        return w->status;
    if (size > BUFFER)
        return w->status = heed_output_write(&w->output, bytes, size);
    if (size > 0)
        memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
    return HEED_OK;
}

heed_status heed_writer_printf(heed_writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    w->line.length = 0;
    heed_text_vprintf(&w->line, format, args);
    va_end(args);
    if (w->status == HEED_OK)
        w->status = heed_text_status(&w->line);
    return w->status == HEED_OK ? heed_writer_write(w, w->line.bytes, w->line.length) : w->status;
}

heed_status heed_writer_commit(heed_writer *w)
{
    if (heed_writer_flush(w) != HEED_OK)
        return w->status;
    bool whole = w->output.temporary != NULL;
    return w->status = whole ? heed_output_commit(&w->output) : heed_output_close(&w->output);
}

void heed_writer_free(heed_writer *w)
{
    if (w == NULL)
        return;
    heed_output_abandon(&w->output);
    heed_text_free(&w->line);
    heed_release(w->context, w);
}
