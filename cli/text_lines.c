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

int cli_text_lines_open(cli_session *s, heed_model *m, const cli_list *files, cli_text_lines *out)
{
    const char *path = files->items[0];
    if (heed_model_input_count(m) != 1 || files->count != 1)
        return cli_error(CLI_FAILED, NULL, "%s: texts are for a model with one input, from one file", path);
    out->name = heed_model_input_name(m, 0);
    if (heed_vectorizer_of(m, 0, &out->vectorizer) != HEED_OK ||
        heed_lines_open(s->context, path, 0, &out->lines) != HEED_OK)
        return cli_failed(s);
    return CLI_DONE;
}

static heed_status read_lines(cli_text_lines *t, int64_t most, char **texts, int64_t *count)
{
    heed_line line;
    bool more = true;
    while (*count < most) {
        heed_status status = heed_lines_next(t->lines, &more, &line);
        if (status != HEED_OK || !more)
            return status;
        texts[*count] = strdup(line.text);
        if (texts[(*count)++] == NULL)
            return HEED_ENOMEM;
    }
    return HEED_OK;
}

static heed_status add_texts(const cli_text_lines *t, char **texts, int64_t count, heed_arrays *out)
{
    heed_array *a;
    heed_status status = heed_vectorize(t->vectorizer, (const char *const *)texts, count, &a);
    return status == HEED_OK ? heed_arrays_add(out, t->name, a) : status;
}

int cli_text_lines_next(cli_session *s, cli_text_lines *t, int64_t most, heed_arrays *out)
{
    int64_t count = 0;
    char  **texts = calloc((size_t)most, sizeof *texts);
    *out = (heed_arrays){.context = s->context};
    if (texts == NULL)
        return cli_error(CLI_FAILED, NULL, "out of memory");
    heed_status status = read_lines(t, most, texts, &count);
    if (status == HEED_OK && count > 0)
        status = add_texts(t, texts, count, out);
    for (int64_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

void cli_text_lines_close(cli_text_lines *t)
{
    heed_lines_free(t->lines);
    heed_vectorizer_free(t->vectorizer);
    *t = (cli_text_lines){0};
}
