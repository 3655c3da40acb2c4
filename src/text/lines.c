#include "text/lines.h"

#include "base/memory.h"
#include "text/input.h"

#include <stdio.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";
enum { MARK = sizeof byte_order_mark - 1 };

struct heed_lines {
    heed_context *context;
    heed_input   *input;
    size_t        limit;
    const char   *chunk;     /* bytes read and not yet handed out */
    size_t        remaining; /* of them */
    heed_text     line;
    int64_t       number;
};

heed_status heed_lines_open(heed_context *c, const char *path, size_t limit, heed_lines **out)
{
    *out = NULL;
    heed_lines *l = heed_alloc(c, 1, sizeof *l);
    if (l == NULL)
        return HEED_ENOMEM;
    *l = (heed_lines){.context = c, .limit = limit > 0 ? limit : HEED_LINE_LIMIT, .line.context = c};
    heed_status status = heed_input_open(c, path, &l->input);
    if (status != HEED_OK) {
        heed_release(c, l);
        return status;
    }
    *out = l;
    return HEED_OK;
}

void heed_lines_free(heed_lines *l)
{
    if (l == NULL)
        return;
    heed_input_close(l->input);
    heed_text_free(&l->line);
    heed_release(l->context, l);
}

const char *heed_lines_name(const heed_lines *l) { return heed_input_name(l->input); }

/* Where in the file an error is: "pairs.tsv:12". */
static const char *place(const heed_lines *l, char text[HEED_ERROR_SIZE])
{
    snprintf(text, HEED_ERROR_SIZE, "%.*s:%lld", HEED_ERROR_SIZE / 2, heed_input_name(l->input), (long long)l->number);
    return text;
}

heed_status heed_lines_fail(const heed_lines *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    heed_vfail(l->context, HEED_EFORMAT, format, args);
    va_end(args);
    char where[HEED_ERROR_SIZE];
    return heed_fail_in(l->context, HEED_EFORMAT, place(l, where));
}

static heed_status check_limit(const heed_lines *l, size_t length)
{
    if (length <= l->limit)
        return HEED_OK;
    return heed_lines_fail(l, "too long a line (expected at most %zu bytes)", l->limit);
}

/* Collects the line's bytes, without the newline; *more is false when the file ended before any. */
static heed_status collect(heed_lines *l, bool *more)
{
    for (*more = false;;) {
        if (l->remaining == 0)
            HEED_TRY(heed_input_next(l->input, &l->chunk, &l->remaining));
        if (l->remaining == 0)
            return HEED_OK;
        *more = true;
        const char *end = memchr(l->chunk, '\n', l->remaining);
        size_t length = end != NULL ? (size_t)(end - l->chunk) : l->remaining;
        size_t taken = length + (end != NULL);
        heed_text_append(&l->line, l->chunk, length);
        HEED_TRY(heed_text_status(&l->line));
        l->chunk += taken;
        l->remaining -= taken;
        if (end != NULL)
            return HEED_OK;
        HEED_TRY(check_limit(l, l->line.length));
    }
}

heed_status heed_lines_read(heed_lines *l, bool *more, heed_line *line)
{
    *line = (heed_line){0};
    l->line.length = 0;
    l->number++;
    heed_text_append(&l->line, "", 0);
    HEED_TRY(collect(l, more));
    if (!*more)
        return HEED_OK;
    const char *text = l->line.bytes;
    size_t length = l->line.length;
    if (length > 0 && text[length - 1] == '\r')
        l->line.bytes[--length] = '\0';
    if (l->number == 1 && length >= MARK && memcmp(text, byte_order_mark, MARK) == 0) {
        text += MARK;
        length -= MARK;
    }
    HEED_TRY(check_limit(l, length));
    *line = (heed_line){.text = text, .length = length, .number = l->number};
    return HEED_OK;
}

heed_status heed_lines_check(const heed_lines *l, const heed_line *line)
{
    char where[HEED_ERROR_SIZE];
    return heed_utf8_check(l->context, place(l, where), line->text, line->length);
}

heed_status heed_lines_next(heed_lines *l, bool *more, heed_line *line)
{
    HEED_TRY(heed_lines_read(l, more, line));
    return *more ? heed_lines_check(l, line) : HEED_OK;
}

bool heed_lines_wait(const heed_lines *l)
{
    bool whole = l->remaining > 0 && memchr(l->chunk, '\n', l->remaining) != NULL;
    return !whole && heed_input_waits(l->input);
}
