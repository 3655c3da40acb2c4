#define _POSIX_C_SOURCE 200809L
#include "inputs.h"

#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- NAME=FILE ---- */

typedef struct item {
    char       *name; /* a copy; NULL: as the file says */
    const char *path;
} item;

/* A part before "=" is a name unless it holds a slash: ./a=b.npy is a file. */
static int read_item(const char *option, const char *text, item *out)
{
    const char *sign = strchr(text, '='), *slash = strchr(text, '/');
    *out = (item){.path = text};
    if (sign == NULL || (slash != NULL && slash < sign))
        return CLI_DONE;
    if (sign == text || sign[1] == '\0')
        return cli_error(CLI_WRONG_USAGE, NULL, "%s: not a file (expected FILE or NAME=FILE, found \"%s\")", option,
                         text);
    out->path = sign + 1;
    out->name = strndup(text, (size_t)(sign - text));
    return out->name == NULL ? cli_error(CLI_FAILED, NULL, "out of memory") : CLI_DONE;
}

/* Standard input can be read once. */
static int check_items(const char *option, const cli_list *items)
{
    int standard = 0;
    for (size_t i = 0; i < items->count; i++) {
        const char *sign = strchr(items->items[i], '=');
        standard += strcmp(sign != NULL ? sign + 1 : items->items[i], "-") == 0;
    }
    return standard <= 1 ? CLI_DONE
                         : cli_error(CLI_WRONG_USAGE, NULL, "%s: standard input can be read once only", option);
}

static int refuse_name(const item *k, size_t count)
{
    return cli_error(CLI_FAILED, "give the .npz without a name: it has names of its own",
                     "%s: it holds %zu arrays (expected one, to be called \"%s\")", k->path, count, k->name);
}

static int refuse_twice(const char *option, const char *name)
{
    return cli_error(CLI_FAILED, "NAME=FILE gives an array another name", "%s: two arrays are called \"%s\"", option,
                     name);
}

/* The model's input that takes the item as texts; -1: arrays are in it. Without a name it is the only one that there is. */
static int find_text_input(heed_model *m, const item *k, int *out)
{
    int count = 0;
    *out = -1;
    for (int i = 0; m != NULL && i < heed_model_input_count(m) && cli_names_texts(k->path); i++)
        if (heed_takes_texts(m, i) && (k->name == NULL || strcmp(k->name, heed_model_input_name(m, i)) == 0)) {
            *out = i;
            count++;
        }
    return count <= 1 ? CLI_DONE
                      : cli_error(CLI_FAILED, "NAME=FILE says it", "%s: several inputs take texts (expected the name of one)",
                                  k->path);
}

/* ---- all at once ---- */

/* Takes the arrays over, under their names. */
static int take_arrays(cli_session *s, const char *option, const item *k, heed_arrays *from, heed_arrays *out)
{
    if (k->name != NULL && from->count != 1)
        return refuse_name(k, from->count);
    for (size_t i = 0; i < from->count; i++) {
        const char *name = k->name != NULL ? k->name : from->items[i].name;
        if (heed_arrays_get(out, name) != NULL)
            return refuse_twice(option, name);
        heed_array *a = from->items[i].array;
        from->items[i].array = NULL;
        if (heed_arrays_add(out, name, a) != HEED_OK)
            return cli_failed(s);
    }
    return CLI_DONE;
}

static int add_row_array(cli_session *s, const char *option, const char *name, heed_array *a, heed_arrays *out)
{
    if (heed_arrays_get(out, name) != NULL) {
        heed_array_free(s->context, a);
        return refuse_twice(option, name);
    }
    return heed_arrays_add(out, name, a) == HEED_OK ? CLI_DONE : cli_failed(s);
}

static int load_texts(cli_session *s, heed_model *m, int input, const char *option, const item *k, heed_arrays *out)
{
    cli_text_lines lines = {0};
    heed_array *a = NULL;
    int exit_status = cli_text_lines_open(s, m, input, k->path, &lines);
    if (exit_status == CLI_DONE)
        exit_status = cli_text_lines_next(s, &lines, INT64_MAX, &a);
    if (exit_status == CLI_DONE)
        exit_status = a == NULL ? cli_error(CLI_FAILED, NULL, "%s: there are no lines in it", k->path)
                                : add_row_array(s, option, lines.name, a, out);
    cli_text_lines_close(&lines);
    return exit_status;
}

static int load_arrays(cli_session *s, const char *option, const item *k, heed_arrays *out)
{
    heed_arrays loaded = {.context = s->context};
    int exit_status = heed_arrays_load(s->context, k->path, &loaded) == HEED_OK ? CLI_DONE : cli_failed(s);
    if (exit_status == CLI_DONE)
        exit_status = take_arrays(s, option, k, &loaded, out);
    heed_arrays_free(&loaded);
    return exit_status;
}

static int load_item(cli_session *s, heed_model *m, const char *option, const char *text, heed_arrays *out)
{
    item k;
    int input = -1, exit_status = read_item(option, text, &k);
    if (exit_status == CLI_DONE)
        exit_status = find_text_input(m, &k, &input);
    if (exit_status == CLI_DONE)
        exit_status = input >= 0 ? load_texts(s, m, input, option, &k, out) : load_arrays(s, option, &k, out);
    free(k.name);
    return exit_status;
}

int cli_inputs_load(cli_session *s, heed_model *m, const char *option, const cli_list *items, heed_arrays *out)
{
    *out = (heed_arrays){.context = s->context};
    int exit_status = check_items(option, items);
    for (size_t i = 0; i < items->count && exit_status == CLI_DONE; i++)
        exit_status = load_item(s, m, option, items->items[i], out);
    return exit_status;
}

int cli_arrays_load(cli_session *s, const char *option, const cli_list *items, heed_arrays *out)
{
    return cli_inputs_load(s, NULL, option, items, out);
}

/* ---- some rows at a time ---- */

/* Arrays that come of a stream. */
static int count_of(const cli_stream *k) { return k->reader == NULL ? 1 : heed_array_reader_count(k->reader); }

static const char *name_of(const cli_stream *k, int i)
{
    if (k->reader == NULL)
        return k->texts.name;
    return k->name != NULL ? k->name : heed_array_reader_name(k->reader, i);
}

static bool is_taken(const cli_streams *streams, const cli_stream *until, int index, const char *name)
{
    for (const cli_stream *k = streams->items; k <= until; k++)
        for (int i = 0; i < count_of(k) && (k < until || i < index); i++)
            if (strcmp(name_of(k, i), name) == 0)
                return true;
    return false;
}

static int check_stream(const char *option, cli_streams *streams, const cli_stream *k)
{
    int count = count_of(k);
    if (k->name != NULL && count != 1)
        return refuse_name(&(item){(char *)(uintptr_t)k->name, k->path}, (size_t)count);
    for (int i = 0; i < count; i++) {
        int64_t rows = k->reader == NULL ? HEED_ANY : heed_array_reader_shape(k->reader, i)->dims[0];
        if (is_taken(streams, k, i, name_of(k, i)))
            return refuse_twice(option, name_of(k, i));
        if (rows == HEED_ANY)
            continue;
        if (streams->rows != HEED_ANY && streams->rows != rows)
            return cli_error(CLI_FAILED, NULL, "%s: %s has another number of rows than the arrays before it (expected %"
                             PRId64 ", found %" PRId64 ")", k->path, name_of(k, i), streams->rows, rows);
        streams->rows = rows;
    }
    return CLI_DONE;
}

static int open_stream(cli_session *s, heed_model *m, const char *option, const item *found, cli_streams *all)
{
    cli_stream *k = &all->items[all->count++];
    int input;
    *k = (cli_stream){.name = found->name, .path = found->path};
    int exit_status = find_text_input(m, found, &input);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (input >= 0)
        exit_status = cli_text_lines_open(s, m, input, k->path, &k->texts);
    else if (heed_array_reader_open(s->context, k->path, &k->reader) != HEED_OK)
        exit_status = cli_failed(s);
    return exit_status == CLI_DONE ? check_stream(option, all, k) : exit_status;
}

int cli_streams_open(cli_session *s, heed_model *m, const char *option, const cli_list *items, cli_streams *out)
{
    *out = (cli_streams){.rows = HEED_ANY, .items = calloc(items->count, sizeof *out->items)};
    if (out->items == NULL)
        return cli_error(CLI_FAILED, NULL, "out of memory");
    int exit_status = check_items(option, items);
    for (size_t i = 0; i < items->count && exit_status == CLI_DONE; i++) {
        item found;
        exit_status = read_item(option, items->items[i], &found);
        if (exit_status == CLI_DONE)
            exit_status = open_stream(s, m, option, &found, out);
    }
    return exit_status;
}

/* The next rows of one of a stream's arrays; NULL at the end. */
static int read_rows(cli_session *s, const cli_stream *k, int index, int64_t rows, heed_array **out)
{
    if (k->reader == NULL)
        return cli_text_lines_next(s, &k->texts, rows, out);
    return heed_array_reader_next(k->reader, index, rows, out) == HEED_OK ? CLI_DONE : cli_failed(s);
}

int cli_streams_next(cli_session *s, const cli_streams *streams, int64_t rows, heed_arrays *out)
{
    int64_t found = -1;
    *out = (heed_arrays){.context = s->context};
    for (const cli_stream *k = streams->items; k < streams->items + streams->count; k++) {
        for (int i = 0; i < count_of(k); i++) {
            heed_array *a;
            int exit_status = read_rows(s, k, i, rows, &a);
            if (exit_status != CLI_DONE)
                return exit_status;
            int64_t got = a == NULL ? 0 : a->shape.dims[0];
            if (found >= 0 && got != found) {
                heed_array_free(s->context, a);
                return cli_error(CLI_FAILED, NULL, "%s: %s has %s rows than the arrays before it", k->path,
                                 name_of(k, i), got < found ? "fewer" : "more");
            }
            found = got;
            if (a != NULL && heed_arrays_add(out, name_of(k, i), a) != HEED_OK)
                return cli_failed(s);
        }
    }
    return CLI_DONE;
}

void cli_streams_close(cli_streams *streams)
{
    for (size_t i = 0; i < streams->count; i++) {
        heed_array_reader_close(streams->items[i].reader);
        cli_text_lines_close(&streams->items[i].texts);
        free((char *)(uintptr_t)streams->items[i].name);
    }
    free(streams->items);
    *streams = (cli_streams){0};
}
