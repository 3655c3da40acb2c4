/* Whole data sets as fit, evaluate and predict are given them: arrays found by name, types converted, cut into batches.
 */
#ifndef HEED_MODEL_DATA_H
#define HEED_MODEL_DATA_H

#include "model/model.h"

/* Arrays in a model's order, converted where needed, all of the same number of rows. */
typedef struct heed_columns {
    heed_context *context;
    int           count;
    int64_t       rows;
    heed_array    arrays[HEED_MAX_OUTPUTS]; /* data NULL: none here */
    heed_array   *owned[HEED_MAX_OUTPUTS];  /* converted copies; NULL where the caller's array serves */
    void         *room[HEED_MAX_OUTPUTS];   /* as large, for batches without padding; NULL: they are as wide as the array */
} heed_columns;

/* What arrays are looked for: so many, by these names and of these types; `what` is how errors call them ("input"). */
typedef struct heed_wanted {
    const char *what;
    int         count;
    const char *names[HEED_MAX_OUTPUTS];
    heed_dtype  dtypes[HEED_MAX_OUTPUTS];
    bool        any_number[HEED_MAX_OUTPUTS]; /* float32 and int32 both serve as they are */
    bool        padded[HEED_MAX_OUTPUTS];     /* a batch is as wide as its longest row; see heed_symbol */
    bool        optional;                     /* missing arrays are allowed, and a single one serves all */
} heed_wanted;

/* Start with {0}; to be freed on failure, too. */
heed_status heed_columns_find(heed_model *m, const heed_wanted *wanted, const heed_arrays *given, heed_columns *out);
void        heed_columns_free(heed_columns *columns);
void        heed_wanted_inputs(const heed_model *m, heed_wanted *out);

/* Rows begin..begin+size-1 as they lie: arrays that look into the columns, until the next call. */
void heed_columns_slice(const heed_columns *columns, int64_t begin, int64_t size, heed_array *out);

/* A batch that gathers rows; its memory serves batch after batch. */
typedef struct heed_gather {
    heed_context *context;
    void         *rows[HEED_MAX_OUTPUTS];
} heed_gather;

heed_status heed_gather_create(heed_context *c, const heed_columns *columns, int64_t batch_size, heed_gather *out);
void heed_gather_rows(heed_gather *g, const heed_columns *columns, const int64_t *rows, int64_t count, heed_array *out);
void        heed_gather_free(heed_gather *g);

#endif
