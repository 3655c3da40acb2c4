/* A table as text: boxes around cells whose words are broken into lines. */
#ifndef HEED_MODEL_TABLE_H
#define HEED_MODEL_TABLE_H

#include "base/memory.h"

enum { HEED_TABLE_COLUMNS = 6 };

typedef enum heed_justify { HEED_LEFT, HEED_RIGHT, HEED_CENTER } heed_justify;

typedef struct heed_table {
    int          columns;
    int          widths[HEED_TABLE_COLUMNS]; /* of the text, without the space on both sides */
    heed_justify justify[HEED_TABLE_COLUMNS];
} heed_table;

/* Takes as much off the widths as it needs to fit into `total` columns, borders and spaces included. */
void heed_table_fit(heed_table *t, int total);
/* Head, rows (columns x row_count texts, row by row) and borders, a line each. Texts are UTF-8 of one column a
 * character. */
void heed_table_write(const heed_table *t, const char *const *head, const char *const *rows, size_t row_count,
                      heed_text *out);

#endif
