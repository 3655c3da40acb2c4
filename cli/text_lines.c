#define _POSIX_C_SOURCE 200809L
#include "text_lines.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

bool cli_names_texts(const char *path)
{
    static const char *const arrays[] = {".npz", ".npy", ".csv"};
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (length >= 4 && strcmp(path + length - 4, arrays[i]) == 0)
            return false;
    return true;
}

int cli_text_lines_open(cli_session *s, heed_model *m, int input, const char *path, cli_text_lines *out)
{
    out->name = heed_model_input_name(m, input);
    heed_status status = heed_vectorizer_of(m, input, &out->vectorizer);
    if (status == HEED_OK)
        status = heed_lines_open(s->context, path, 0, &out->lines);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

/* Lines of a file, in the process's own memory. */
typedef struct texts {
    char  **items;
    int64_t count, capacity;
} texts;

static heed_status add_text(texts *t, const char *text)
{
    if (t->count == t->capacity) {
        int64_t capacity = t->capacity == 0 ? 32 : 2 * t->capacity;
        char **items = realloc(t->items, (size_t)capacity * sizeof *items);
        if (items == NULL)
            return HEED_ENOMEM;
        t->items = items;
        t->capacity = capacity;
    }
    t->items[t->count] = strdup(text);
    return t->items[t->count] == NULL ? HEED_ENOMEM : (t->count++, HEED_OK);
}

static heed_status read_lines(const cli_text_lines *l, int64_t most, texts *out)
{
    heed_line line;
    bool more = true;
    while (out->count < most) {
        heed_status status = heed_lines_next(l->lines, &more, &line);
        if (status == HEED_OK && more)
            status = add_text(out, line.text);
        if (status != HEED_OK || !more)
            return status;
    }
    return HEED_OK;
}

int cli_text_lines_next(cli_session *s, const cli_text_lines *l, int64_t most, heed_array **out)
{
    texts t = {0};
    *out = NULL;
    heed_status status = read_lines(l, most, &t);
    if (status == HEED_OK && t.count > 0)
        status = heed_vectorize(l->vectorizer, (const char *const *)t.items, t.count, out);
    for (int64_t i = 0; i < t.count; i++)
        free(t.items[i]);
    free(t.items);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

void cli_text_lines_close(cli_text_lines *t)
{
    heed_lines_free(t->lines);
    heed_vectorizer_free(t->vectorizer);
    *t = (cli_text_lines){0};
}
