/* Checkpoints: translators that also hold what the run was doing. */
#define _POSIX_C_SOURCE 200809L
#include "seq2seq/trainer.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const heed_run_state fresh_state = {HEED_RUN_STATE(HEED_OPTION_DEFAULT, )};
static const heed_option state_rows[] = {HEED_RUN_STATE(HEED_OPTION_ROW, heed_run_state)};
static const heed_option_table state_table = {state_rows, sizeof state_rows / sizeof *state_rows,
                                              sizeof(heed_run_state), &fresh_state};

#define CHECKPOINT "checkpoint.keras"
#define ASSET_RUN "run.txt"
#define ASSET_BEST "best.f32"
#define ASSET_MEAN "mean.f32"
#define ASSET_HISTORY "history.csv"

void heed_run_begin(heed_trainer *t, uint64_t seed)
{
    t->state = fresh_state;
    snprintf(t->seed, sizeof t->seed, "%llu", (unsigned long long)seed);
    t->state.seed = t->seed;
}

/* Weights kept aside, by asset. */
static const char *const kept[] = {ASSET_BEST, ASSET_MEAN};
enum { KEPT = sizeof kept / sizeof *kept };

static float *kept_weights(const heed_trainer *t, int i) { return i == 0 ? t->best : t->mean; }

static heed_status put_run_assets(heed_trainer *t)
{
    heed_zone z;
    heed_zone_init(&z, t->context);
    heed_value *all = heed_value_dict(&z);
    heed_status status = all == NULL ? HEED_ENOMEM : heed_options_write(&z, state_table, &t->state, all);
    const char *text = status == HEED_OK ? heed_value_expression(&z, all) : NULL;
    if (status == HEED_OK)
        status = text == NULL ? HEED_ENOMEM : heed_set_asset(t->model, ASSET_RUN, text, strlen(text));
    for (int i = 0; i < KEPT && status == HEED_OK && t->state.validations > 0; i++)
        if (kept_weights(t, i) != NULL)
            status = heed_set_asset(t->model, kept[i], kept_weights(t, i),
                                    heed_weight_total(t->model) * sizeof(float));
    heed_zone_free(&z);
    if (status == HEED_OK && t->log.history.length > 0)
        status = heed_set_asset(t->model, ASSET_HISTORY, t->log.history.bytes, t->log.history.length);
    return status;
}

static heed_status drop_run_assets(heed_trainer *t)
{
    for (int i = 0; i < KEPT; i++)
        HEED_TRY(heed_set_asset(t->model, kept[i], NULL, 0));
    HEED_TRY(heed_set_asset(t->model, ASSET_HISTORY, NULL, 0));
    return heed_set_asset(t->model, ASSET_RUN, NULL, 0);
}

static heed_status take_kept_weights(heed_trainer *t, int i)
{
    size_t size;
    const float *saved = heed_asset(t->model, kept[i], &size);
    if (saved == NULL || kept_weights(t, i) == NULL)
        return HEED_OK;
    if (size != heed_weight_total(t->model) * sizeof(float))
        return heed_fail(t->context, HEED_EFORMAT, "%s: assets/%s has the wrong size", t->checkpoint, kept[i]);
    memcpy(kept_weights(t, i), saved, size);
    return HEED_OK;
}

heed_status heed_checkpoint_save(heed_trainer *t)
{
    if (t->checkpoint == NULL)
        return HEED_OK;
    heed_status status = put_run_assets(t);
    if (status == HEED_OK)
        status = heed_save(t->model, t->checkpoint);
    heed_status dropped = drop_run_assets(t);
    return status != HEED_OK ? status : dropped;
}

static heed_status check_same_settings(heed_trainer *t, const heed_train_config *config)
{
    if (config->recipe == NULL && config->settings == NULL)
        return HEED_OK;
    heed_zone z;
    heed_zone_init(&z, t->context);
    const char *asked = NULL;
    heed_recipe recipe;
    heed_status status = heed_recipe_read(&z, config->recipe, config->settings, &recipe);
    if (status == HEED_OK && (asked = heed_recipe_write(&z, &recipe)) == NULL)
        status = HEED_ENOMEM;
    if (status == HEED_OK &&
        (strcmp(recipe.name, t->translator->recipe.name) != 0 || strcmp(asked, t->translator->settings_text) != 0)) {
        status = heed_fail(t->context, HEED_EINVAL, "%s: the run was begun with another recipe or other settings",
                           t->checkpoint);
        heed_hint(t->context, "give the same, or none: the checkpoint knows them");
    }
    heed_zone_free(&z);
    return status;
}

heed_status heed_checkpoint_check(heed_trainer *t, const heed_train_config *config)
{
    HEED_TRY(check_same_settings(t, config));
    double steps = heed_trainer_steps_asked_for(t, config);
    const struct {
        const char *what;
        double      expected, found;
        bool        asked;
    } facts[] = {
        {"pairs to learn from", t->state.pairs, (double)t->training.count, true},
        {"validation pairs", t->state.validation_pairs, (double)t->validation.count, true},
        {"minutes of training", t->state.minutes, config->minutes, config->minutes > 0},
        {"steps of training", t->state.steps, steps, steps > 0},
        {"as seed", (double)heed_trainer_seed(t), (double)config->seed, config->seed != 0},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (facts[i].asked && facts[i].found != facts[i].expected)
            return heed_fail(t->context, HEED_EINVAL, "%s: not the run that was begun (expected %.15g %s, found %.15g)",
                             t->checkpoint, facts[i].expected, facts[i].what, facts[i].found);
    return HEED_OK;
}

heed_status heed_checkpoint_restore(heed_trainer *t)
{
    heed_context *c = t->context;
    size_t size;
    const char *text = heed_asset(t->model, ASSET_RUN, &size);
    if (text == NULL)
        return heed_fail(c, HEED_EFORMAT, "%s: a translator, but no checkpoint (expected assets/%s)", t->checkpoint,
                         ASSET_RUN);
    heed_zone z;
    heed_zone_init(&z, c);
    char *copy = heed_zone_alloc(&z, size + 1, 1);
    heed_value *given;
    heed_status status = copy == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK) {
        memcpy(copy, text, size);
        status = heed_value_parse(&z, t->checkpoint, copy, &given);
    }
    t->state = fresh_state;
    if (status == HEED_OK)
        status = heed_options_read(&z, t->checkpoint, state_table, 0, given, &t->state);
    if (status == HEED_OK) {
        snprintf(t->seed, sizeof t->seed, "%s", t->state.seed);
        t->state.seed = t->seed;
    }
    heed_zone_free(&z);
    HEED_TRY(status);
    for (int i = 0; i < KEPT; i++)
        HEED_TRY(take_kept_weights(t, i));
    const char *history = heed_asset(t->model, ASSET_HISTORY, &size);
    if (history != NULL)
        heed_text_append(&t->log.history, history, size);
    HEED_TRY(heed_text_status(&t->log.history));
    heed_set_seed(t->model, heed_trainer_seed(t));
    heed_set_training_step(t->model, (uint64_t)t->state.step);
    return drop_run_assets(t);
}

heed_status heed_checkpoint_name(heed_trainer *t, const heed_train_config *config)
{
    heed_context *c = t->context;
    if (config->checkpoint == NULL)
        return config->resume ? heed_fail(c, HEED_EINVAL,
                                          "resume: there is no checkpoint directory to resume from") : HEED_OK;
    heed_text path = {.context = c};
    heed_text_printf(&path, "%s/" CHECKPOINT, config->checkpoint);
    t->checkpoint = path.bytes;
    HEED_TRY(heed_text_status(&path));
    t->directory = heed_strdup(c, config->checkpoint);
    if (t->directory == NULL)
        return HEED_ENOMEM;
    bool saved = access(t->checkpoint, F_OK) == 0;
    if (saved && !config->resume) {
        heed_fail(c, HEED_ESTATE, "%s: a run is saved there", t->checkpoint);
        heed_hint(c, "--resume goes on with it; to begin anew, remove it");
        return HEED_ESTATE;
    }
    if (!saved && config->resume)
        heed_log(c, HEED_LOG_NOTE, "%s: nothing is saved yet, so training starts from the beginning", t->directory);
    t->resumed = saved;
    return HEED_OK;
}

/* Removes the parts of checkpoints that a killed run left. */
static void sweep(const char *directory)
{
    static const char part[] = CHECKPOINT ".";
    DIR *d = opendir(directory);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, part, sizeof part - 1) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

heed_status heed_checkpoint_prepare(heed_trainer *t)
{
    if (t->directory == NULL)
        return HEED_OK;
    t->made_directory = mkdir(t->directory, 0777) == 0;
    if (!t->made_directory && errno != EEXIST)
        return heed_fail(t->context, HEED_EIO, "%s: cannot make the directory: %s", t->directory, strerror(errno));
    sweep(t->directory);
    heed_output trial;
    HEED_TRY(heed_output_open(t->context, t->checkpoint, &trial));
    heed_output_abandon(&trial);
    return HEED_OK;
}

void heed_trainer_remove_checkpoint(heed_trainer *t)
{
    if (t->checkpoint == NULL)
        return;
    unlink(t->checkpoint);
    rmdir(t->directory); /* which works when nothing else is in it */
}
