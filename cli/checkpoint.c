#define _POSIX_C_SOURCE 200809L
#include "checkpoint.h"

#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = "fit.keras", asset_run[] = "fit/run.txt", asset_history[] = "fit/history.csv",
                  asset_state[] = "fit/state.txt";

int cli_checkpoint_open(cli_checkpoint *k, cli_session *s, const char *folder, bool resume)
{
    *k = (cli_checkpoint){.session = s, .folder = folder};
    if (folder == NULL)
        return resume ? cli_error(CLI_WRONG_USAGE, NULL, "--resume: --checkpoint DIR says from where") : CLI_DONE;
    size_t size = strlen(folder) + 1 + sizeof file_name;
    k->path = malloc(size);
    if (k->path == NULL)
        return cli_error(CLI_FAILED, NULL, "out of memory");
    snprintf(k->path, size, "%s/%s", folder, file_name);
    k->found = access(k->path, F_OK) == 0;
    if (k->found && !resume)
        return cli_error(CLI_FAILED, "--resume goes on with it; to begin anew, remove it", "%s: a run is saved there",
                         k->path);
    if (!k->found && resume)
        cli_note(s, "%s: nothing is saved yet, so training starts from the beginning", folder);
    return CLI_DONE;
}

int cli_checkpoint_begin(const cli_checkpoint *k)
{
    if (k->folder != NULL && mkdir(k->folder, 0777) != 0 && errno != EEXIST)
        return cli_error(CLI_FAILED, NULL, "%s: cannot make the directory: %s", k->folder, strerror(errno));
    return CLI_DONE;
}

/* ---- what is beside the model ---- */

typedef struct run_state {
    uint64_t seed, step;
    int64_t  rows, batch_size, batch;
} run_state;

static heed_status put_assets(const cli_checkpoint *k, heed_model *m, const char *history)
{
    char run[200], *state;
    static const char format[] =
        "seed %" PRIu64 "\nstep %" PRIu64 "\nrows %" PRId64 "\nbatch_size %" PRId64 "\nbatch %" PRId64 "\n";
    int length = snprintf(run, sizeof run, format, heed_seed(m), heed_training_step(m), k->rows, k->batch_size, k->batch);
    heed_status status = heed_training_state(m, &state);
    if (status == HEED_OK)
        status = heed_set_asset(m, asset_state, state, strlen(state));
    heed_free(k->session->context, state);
    if (status == HEED_OK)
        status = heed_set_asset(m, asset_run, run, (size_t)length);
    return status == HEED_OK ? heed_set_asset(m, asset_history, history, strlen(history)) : status;
}

static heed_status drop_assets(heed_model *m)
{
    static const char *const names[] = {asset_state, asset_run, asset_history};
    heed_status status = HEED_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == HEED_OK; i++)
        status = heed_set_asset(m, names[i], NULL, 0);
    return status;
}

static bool read_run(const heed_model *m, run_state *out)
{
    char   text[256] = "";
    size_t size;
    const char *bytes = heed_asset(m, asset_run, &size);
    if (bytes == NULL || size >= sizeof text)
        return false;
    memcpy(text, bytes, size);
    static const char format[] =
        "seed %" SCNu64 " step %" SCNu64 " rows %" SCNd64 " batch_size %" SCNd64 " batch %" SCNd64;
    return sscanf(text, format, &out->seed, &out->step, &out->rows, &out->batch_size, &out->batch) == 5;
}

static heed_status read_state(heed_model *m)
{
    size_t size;
    const char *bytes = heed_asset(m, asset_state, &size);
    char *text = bytes == NULL ? NULL : strndup(bytes, size);
    heed_status status = text == NULL ? HEED_ENOMEM : heed_set_training_state(m, text);
    free(text);
    return status;
}

heed_status cli_checkpoint_save(const cli_checkpoint *k, heed_model *m, const cli_history *history)
{
    if (k->folder == NULL)
        return HEED_OK;
    char *text = cli_history_text(history);
    if (text == NULL)
        return HEED_ENOMEM;
    heed_status status = put_assets(k, m, text);
    free(text);
    if (status == HEED_OK)
        status = heed_save(m, k->path);
    heed_status dropped = drop_assets(m);
    return status != HEED_OK ? status : dropped;
}

static int check_same(const cli_checkpoint *k, const char *what, int64_t expected, int64_t found)
{
    return expected == found ? CLI_DONE
                             : cli_error(CLI_FAILED, NULL, "%s: not the run that was begun (expected %s %" PRId64
                                         ", found %" PRId64 ")", k->path, what, expected, found);
}

int cli_checkpoint_restore(cli_checkpoint *k, heed_model *m, cli_history *history)
{
    run_state run;
    size_t    size = 0;
    const char *text = heed_asset(m, asset_history, &size);
    if (text == NULL || heed_asset(m, asset_state, NULL) == NULL || !read_run(m, &run) ||
        !cli_history_read(history, text, size))
        return cli_error(CLI_FAILED, NULL, "%s: a model, but no checkpoint of heed fit", k->path);
    int exit_status = check_same(k, "rows:", run.rows, k->rows);
    if (exit_status == CLI_DONE)
        exit_status = check_same(k, "batch size", run.batch_size, k->batch_size);
    if (exit_status == CLI_DONE && k->session->seed != 0)
        exit_status = check_same(k, "seed", (int64_t)run.seed, k->session->seed);
    if (exit_status != CLI_DONE)
        return exit_status;
    heed_set_seed(m, run.seed);
    heed_set_training_step(m, run.step);
    k->batch = run.batch;
    return read_state(m) == HEED_OK && drop_assets(m) == HEED_OK ? CLI_DONE : cli_failed(k->session);
}

void cli_checkpoint_close(cli_checkpoint *k)
{
    free(k->path);
    *k = (cli_checkpoint){0};
}
