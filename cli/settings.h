/* --set NAME=VALUE, again and again: the changes to a recipe as the library takes them. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "options.h"

/* A setting that has an option of its own. */
typedef struct cli_setting {
    const char *name, *value; /* NULL: not given */
} cli_setting;

/* Makes *out "name='value', NAME=VALUE", NULL when nothing is given; freed by the caller. Returns an exit status, having
 * said what is wrong with an item. */
int cli_settings_join(const cli_list *items, const cli_setting *others, size_t count, char **out);

#endif
