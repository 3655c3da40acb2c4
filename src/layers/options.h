/* Options by their table: checks, copies, and the way from and to values. Layers have them, and initializers,
 * regularizers, constraints and activations. */
#ifndef HEED_LAYERS_OPTIONS_H
#define HEED_LAYERS_OPTIONS_H

#include "base/value.h"
#include "heed/layer.h"

typedef struct heed_option_table {
    const heed_option *rows;
    int                count;
    size_t             size;     /* of the config struct */
    const void        *defaults; /* such a struct; NULL where size is 0 */
} heed_option_table;

/* The table of anything that holds HEED_CLASS_OPTIONS. */
#define HEED_TABLE_OF(c) ((heed_option_table){(c)->options, (c)->option_count, (c)->config_size, (c)->defaults})

/* A copy of the config (the defaults for NULL) in the zone, with all texts and nested layers; NULL when there is no
 * memory. */
void *heed_options_copy(heed_zone *z, heed_option_table t, const void *config);

/* Checks each option's range, words and expression: "who: units is out of range (expected [1,), found 0)". */
heed_status heed_options_check(heed_context *c, const char *who, heed_option_table t, const void *config);

/* Sets the options that a dict or call gives in `config`, whose texts then live in the zone. Positional arguments go to
 * the rows from `first` on. An unknown key is refused, naming the nearest there is. */
heed_status heed_options_read(heed_zone *z, const char *who, heed_option_table t, int first, const heed_value *given,
                              void *config);
/* Adds every option to a dict, in Keras' form. */
heed_status heed_options_write(heed_zone *z, heed_option_table t, const void *config, heed_value *dict);

/* Whether its range says so; an option whose default is None takes it besides. */
bool heed_option_takes_none(const heed_option *o);
/* The row of that name; NULL when there is none. */
const heed_option *heed_options_find(heed_option_table t, const char *name);
/* The option of that name and type in a config; NULL when there is none. */
void *heed_options_field(heed_option_table t, void *config, const char *name, heed_option_type type);
/* Copies the fields that both tables have, name and type agreeing; texts stay shared. */
void heed_options_transfer(heed_option_table from, const void *source, heed_option_table to, void *target);

#endif
