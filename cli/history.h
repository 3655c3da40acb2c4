/* The results of a training run, a row an epoch, as text and back. */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include "heed/model.h"

typedef struct cli_history {
    char  **names; /* of the columns; they are those of the first row */
    int     columns, rows, capacity;
    double *values; /* rows x columns; NaN where a row has no such value */
} cli_history;

/* The next epoch's. False when there is no memory. */
bool cli_history_add(cli_history *h, const heed_logs *logs);
/* A row as it was added. */
heed_logs cli_history_row(const cli_history *h, int row);
/* As Keras' CSVLogger writes it: "epoch", then the names in order; NA for NaN. Freed by the caller; NULL when there is
 * no memory. */
char *cli_history_text(const cli_history *h);
/* Reads what cli_history_text wrote, exactly; false when it is something else. */
bool cli_history_read(cli_history *h, const char *text, size_t size);
void cli_history_free(cli_history *h);

#endif
