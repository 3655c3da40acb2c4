#include "settings.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(char *text, size_t size, const char *format, const char *name, const char *value)
{
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, size - used, "%s", used > 0 ? ", " : "");
    snprintf(text + used, size - used, format, name, value);
}

int cli_settings_join(const cli_list *items, const cli_setting *others, size_t count, char **out)
{
    size_t size = 1;
    *out = NULL;
    for (size_t i = 0; i < count; i++)
        size += others[i].value == NULL ? 0 : strlen(others[i].name) + strlen(others[i].value) + sizeof "='', ";
    for (size_t i = 0; i < items->count; i++) {
        const char *item = items->items[i], *sign = strchr(item, '=');
        if (sign == NULL || sign == item || sign[1] == '\0')
            return cli_error(CLI_WRONG_USAGE, NULL, "--set: not a setting (expected NAME=VALUE, found \"%s\")", item);
        size += strlen(item) + sizeof ", ";
    }
    if (size == 1)
        return CLI_DONE;
    char *text = calloc(1, size);
    if (text == NULL)
        return cli_error(CLI_FAILED, NULL, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (others[i].value != NULL)
            append(text, size, "%s='%s'", others[i].name, others[i].value);
    for (size_t i = 0; i < items->count; i++)
        append(text, size, "%s%s", items->items[i], "");
    *out = text;
    return CLI_DONE;
}
