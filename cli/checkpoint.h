/* A training run on disk: the model as it stands after an epoch or within one, with all that a resumed run needs to end
 * with the same bits. */
#ifndef CLI_CHECKPOINT_H
#define CLI_CHECKPOINT_H

#include "command.h"
#include "heed/model.h"
#include "history.h"

typedef struct cli_checkpoint {
    cli_session *session;
    const char  *folder; /* NULL: none */
    char        *path;   /* of the file in it */
    bool         found;  /* there was one */
    int64_t      rows, batch_size; /* of the training, which a resumed run must have too */
    int64_t      batch;            /* how many of the epoch under way are done */
} cli_checkpoint;

/* Looks whether a run is saved in `folder`: that is an error unless `resume`. Returns an exit status. */
int cli_checkpoint_open(cli_checkpoint *k, cli_session *s, const char *folder, bool resume);
/* Makes the folder for a run that begins: when all that it needs was found, so that nothing is left of one that cannot. */
int cli_checkpoint_begin(const cli_checkpoint *k);
/* Takes up the run that the loaded model k->path belongs to: its seed, its steps, its history, k->batch. */
int cli_checkpoint_restore(cli_checkpoint *k, heed_model *m, cli_history *history);
/* Writes the run down; does nothing without a folder. */
heed_status cli_checkpoint_save(const cli_checkpoint *k, heed_model *m, const cli_history *history);
void        cli_checkpoint_close(cli_checkpoint *k);

#endif
