#define _POSIX_C_SOURCE 200809L
#include "compile.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

/* "OUTPUT=TEXT": where the text begins, and the name's length; 0 without a name. An expression may hold "=" in brackets. */
static const char *split_name(const char *text, size_t *length)
{
    size_t sign = strcspn(text, "=(");
    *length = text[sign] == '=' ? sign : 0;
    return *length > 0 ? text + sign + 1 : text;
}

static int find_output(const heed_model *m, const char *text, size_t length)
{
    for (int k = 0; k < heed_model_output_count(m); k++) {
        const char *name = heed_model_output_name(m, k);
        if (strlen(name) == length && memcmp(name, text, length) == 0)
            return k;
    }
    return -1;
}

static int read_losses(const heed_model *m, const cli_list *items, heed_compile_config *out)
{
    for (size_t i = 0; i < items->count; i++) {
        size_t length;
        const char *text = items->items[i], *loss = split_name(text, &length);
        if (length == 0) {
            out->loss = loss;
            continue;
        }
        int output = find_output(m, text, length);
        if (output < 0 || output >= HEED_MAX_LOSSES)
            return cli_error(CLI_WRONG_USAGE, NULL, "--loss: the model has no output '%.*s'", (int)length, text);
        out->losses[output] = loss;
    }
    return CLI_DONE;
}

/* Where the part up to the next comma ends, brackets skipped. */
static size_t part_length(const char *text)
{
    size_t length = 0;
    for (int depth = 0; text[length] != '\0' && (depth > 0 || text[length] != ','); length++)
        depth += (text[length] == '(') - (text[length] == ')');
    return length;
}

/* Into copies that the caller frees; the library writes "OUTPUT: NAME". */
static int read_metrics(const char *text, heed_compile_config *out)
{
    for (int i = 0; text != NULL && *text != '\0'; i++) {
        size_t length = part_length(text);
        char *copy = i < HEED_MAX_METRICS ? malloc(length + 2) : NULL;
        if (copy == NULL)
            return cli_error(CLI_FAILED, NULL, "--metrics: more than %d", HEED_MAX_METRICS);
        memcpy(copy, text, length);
        copy[length] = '\0';
        out->metrics[i] = copy;
        size_t name;
        split_name(copy, &name);
        if (name > 0) {
            memmove(copy + name + 2, copy + name + 1, length - name);
            memcpy(copy + name, ": ", 2);
        }
        text += length + (text[length] == ',');
    }
    return CLI_DONE;
}

static int change(cli_session *s, heed_model *m, const cli_compile_options *o, const heed_compile_config *config)
{
    bool any = config->optimizer != NULL || o->loss.count > 0 || config->metrics[0] != NULL;
    if (!heed_is_compiled(m) && o->loss.count == 0)
        return cli_error(CLI_FAILED, "--loss says what to make small, --optimizer how",
                         "%s: the model is not compiled, and no --loss is given", heed_model_name(m));
    heed_status status = any ? heed_recompile_with(m, config) : HEED_OK;
    if (status == HEED_OK && o->learning_rate > 0)
        status = heed_fix_learning_rate(m, o->learning_rate);
    return status == HEED_OK ? CLI_DONE : cli_refused(s, status);
}

int cli_compile(cli_session *s, heed_model *m, const cli_compile_options *o)
{
    heed_compile_config config = {.optimizer = o->optimizer};
    int exit_status = read_losses(m, &o->loss, &config);
    if (exit_status == CLI_DONE)
        exit_status = read_metrics(o->metrics, &config);
    if (exit_status == CLI_DONE)
        exit_status = change(s, m, o, &config);
    for (int i = 0; i < HEED_MAX_METRICS; i++)
        free((char *)(uintptr_t)config.metrics[i]);
    return exit_status;
}
