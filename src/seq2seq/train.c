/* The training run: batches, the rate's schedule, validation by translating, checkpoints. */
#define _POSIX_C_SOURCE 200809L
#include "seq2seq/decode.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Validation happens this often in a run; the plan of a run by minutes is looked at anew after so many steps. */
enum { VALIDATIONS = 20, PLAN_STEPS = 25 };

/* What a run is doing: saved with every checkpoint, restored by a resumed run. */
#define RUN_STATE(X, config)                                                                                           \
    X(config, TEXT, seed, "0", "", "")                                                                                 \
    X(config, FLOAT, step, 0, "", "steps done")                                                                        \
    X(config, FLOAT, steps, 0, "", "planned; 0: not known yet")                                                        \
    X(config, FLOAT, epoch, 0, "", "the pass under way")                                                               \
    X(config, FLOAT, batch, 0, "", "batches of it that are done")                                                      \
    X(config, FLOAT, minutes, 0, "", "planned; 0: the plan is in steps")                                               \
    X(config, FLOAT, seconds, 0, "", "spent so far")                                                                   \
    X(config, FLOAT, next_validation, 0, "", "the step after which it is due")                                         \
    X(config, FLOAT, best, -1.0, "", "exact match of the best weights; -1: none yet")                                  \
    X(config, FLOAT, loss, 0, "", "its running mean")                                                                  \
    X(config, FLOAT, pairs, 0, "", "trained on")                                                                       \
    X(config, FLOAT, validation_pairs, 0, "", "tried along the way")

typedef struct run_state { RUN_STATE(HEED_OPTION_FIELD, ) } run_state;

static const run_state fresh_state = {RUN_STATE(HEED_OPTION_DEFAULT, )};
static const heed_option state_rows[] = {RUN_STATE(HEED_OPTION_ROW, run_state)};
static const heed_option_table state_table = {state_rows, sizeof state_rows / sizeof *state_rows, sizeof(run_state),
                                              &fresh_state};

#define CHECKPOINT "checkpoint.keras"
#define ASSET_RUN "run.txt"
#define ASSET_BEST "best.f32"

struct heed_trainer {
    heed_context    *context;
    heed_model      *model;
    heed_translator *translator; /* around the model */
    heed_examples    training, validation;
    run_state        state;
    char             seed[24]; /* state.seed */
    heed_batches    *batches; /* of the epoch under way */
    int32_t         *source, *given, *answer; /* the batch under way */
    float           *best; /* all weights, when validation was best; NULL without validation */
    char            *directory, *checkpoint; /* of checkpoints, and the file there; NULL: none */
    bool             made_directory, resumed;
    double           checkpoint_seconds;
    heed_train_report *report;
    void            *user;
    atomic_bool      stop;
    heed_train_progress progress;
    int64_t          tokens;
    double           tokens_since; /* seconds */
};

/* ---- weights kept aside */

static size_t weight_total(heed_model *m)
{
    size_t total = 0;
    for (int i = 0; i < heed_weight_count(m); i++)
        total += (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i)));
    return total;
}

static void keep_weights(heed_model *m, float *kept)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        size_t count = (size_t)heed_shape_count(heed_variable_shape(v));
        memcpy(kept, heed_variable_data(v), count * sizeof *kept);
        kept += count;
    }
}

/* Exchanges all weights with `kept`. */
static void swap_weights(heed_model *m, float *kept)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        float *data = heed_variable_data(v);
        for (int64_t k = heed_shape_count(heed_variable_shape(v)); k-- > 0; kept++, data++) {
            float was = *data;
            *data = *kept;
            *kept = was;
        }
    }
}

/* ---- checkpoints */

static heed_status put_run_assets(heed_trainer *t)
{
    heed_zone z;
    heed_zone_init(&z, t->context);
    heed_value *all = heed_value_dict(&z);
    heed_status status = all == NULL ? HEED_ENOMEM : heed_options_write(&z, state_table, &t->state, all);
    const char *text = status == HEED_OK ? heed_value_expression(&z, all) : NULL;
    if (status == HEED_OK)
        status = text == NULL ? HEED_ENOMEM : heed_set_asset(t->model, ASSET_RUN, text, strlen(text));
    if (status == HEED_OK && t->best != NULL && t->state.best >= 0)
        status = heed_set_asset(t->model, ASSET_BEST, t->best, weight_total(t->model) * sizeof(float));
    heed_zone_free(&z);
    return status;
}

static heed_status drop_run_assets(heed_trainer *t)
{
    HEED_TRY(heed_set_asset(t->model, ASSET_RUN, NULL, 0));
    return heed_set_asset(t->model, ASSET_BEST, NULL, 0);
}

static heed_status save_checkpoint(heed_trainer *t)
{
    if (t->checkpoint == NULL)
        return HEED_OK;
    heed_status status = put_run_assets(t);
    if (status == HEED_OK)
        status = heed_save(t->model, t->checkpoint);
    heed_status dropped = drop_run_assets(t);
    return status != HEED_OK ? status : dropped;
}

static uint64_t seed_of(const heed_trainer *t) { return strtoull(t->seed, NULL, 10); }

static int64_t batches_an_epoch(const heed_trainer *t)
{
    int64_t size = t->translator->recipe.settings->batch_size;
    return (t->training.count + size - 1) / size;
}

/* How many steps `config` asks for; 0: it says nothing of them. */
static double steps_asked_for(const heed_trainer *t, const heed_train_config *config)
{
    return config->steps > 0 ? (double)config->steps : ceil(config->epochs * (double)batches_an_epoch(t));
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

/* What was asked for anew must be what the run was begun with. */
static heed_status check_same_run(heed_trainer *t, const heed_train_config *config)
{
    HEED_TRY(check_same_settings(t, config));
    double steps = steps_asked_for(t, config);
    const struct {
        const char *what;
        double      expected, found;
        bool        asked;
    } facts[] = {
        {"pairs to learn from", t->state.pairs, (double)t->training.count, true},
        {"validation pairs", t->state.validation_pairs, (double)t->validation.count, true},
        {"minutes of training", t->state.minutes, config->minutes, config->minutes > 0},
        {"steps of training", t->state.steps, steps, steps > 0},
        {"as seed", (double)seed_of(t), (double)config->seed, config->seed != 0},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (facts[i].asked && facts[i].found != facts[i].expected)
            return heed_fail(t->context, HEED_EINVAL, "%s: not the run that was begun (expected %.15g %s, found %.15g)",
                             t->checkpoint, facts[i].expected, facts[i].what, facts[i].found);
    return HEED_OK;
}

static heed_status restore_run(heed_trainer *t, const heed_train_config *config)
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
    HEED_TRY(check_same_run(t, config));
    const float *best = heed_asset(t->model, ASSET_BEST, &size);
    if (best != NULL && t->best != NULL) {
        if (size != weight_total(t->model) * sizeof(float))
            return heed_fail(c, HEED_EFORMAT, "%s: assets/%s has the wrong size", t->checkpoint, ASSET_BEST);
        memcpy(t->best, best, size);
    }
    heed_set_seed(t->model, seed_of(t));
    heed_set_training_step(t->model, (uint64_t)t->state.step);
    return drop_run_assets(t);
}

/* ---- making a trainer */

static heed_status name_checkpoint(heed_trainer *t, const heed_train_config *config)
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

/* Made when all else is well, and tried: better now than after an hour. */
static heed_status prepare_directory(heed_trainer *t)
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

static heed_status make_model(heed_trainer *t, const heed_train_config *config)
{
    heed_context *c = t->context;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_recipe recipe;
    heed_tokenizer *source = NULL, *target = NULL;
    heed_status status = heed_recipe_read(&z, config->recipe, config->settings, &recipe);
    if (status == HEED_OK)
        status = heed_examples_learn(c, recipe.settings, config->pairs, config->targets, &source, &target);
    if (status == HEED_OK)
        status = heed_examples_read(c, recipe.settings, config->pairs, config->targets, source, target, &t->training);
    if (status == HEED_OK)
        status = heed_recipe_build(c, &recipe, heed_tokenizer_size(source), heed_tokenizer_size(target), &t->model);
    if (status == HEED_OK) {
        status = heed_translator_wrap(c, t->model, true, &recipe, t->training.longest_target, source, target,
                                      &t->translator);
    } else {
        heed_tokenizer_free(target);
        heed_tokenizer_free(source);
    }
    if (status == HEED_OK)
        status = heed_translator_write_assets(t->translator);
    heed_zone_free(&z);
    HEED_TRY(status);
    heed_set_seed(t->model, config->seed);
    t->state = fresh_state;
    snprintf(t->seed, sizeof t->seed, "%llu", (unsigned long long)config->seed);
    t->state.seed = t->seed;
    return heed_build(t->model);
}

static heed_status resume_model(heed_trainer *t, const heed_train_config *config)
{
    heed_model *model;
    HEED_TRY(heed_load(t->context, t->checkpoint, &model));
    HEED_TRY(heed_translator_from_model(t->context, t->checkpoint, model, &t->translator));
    t->model = heed_translator_model(t->translator);
    return heed_examples_read(t->context, t->translator->recipe.settings, config->pairs, config->targets,
                              t->translator->source,
                              t->translator->target, &t->training);
}

/* How long: steps, epochs or minutes, whichever was said. */
static void make_plan(heed_trainer *t, const heed_train_config *config)
{
    t->state.pairs = (double)t->training.count;
    t->state.validation_pairs = (double)t->validation.count;
    t->state.minutes = config->minutes;
    t->state.steps = steps_asked_for(t, config);
    if (t->state.steps == 0 && config->minutes == 0)
        t->state.steps = 10 * (double)batches_an_epoch(t);
}

static heed_status make_room(heed_trainer *t)
{
    int64_t batch = t->translator->recipe.settings->batch_size, longest = 1;
    for (int64_t i = 0; i < t->training.count; i++) {
        longest = t->training.source_lengths[i] > longest ? t->training.source_lengths[i] : longest;
        longest = t->training.target_lengths[i] + 1 > longest ? t->training.target_lengths[i] + 1 : longest;
    }
    size_t count = (size_t)(batch * longest);
    t->source = heed_alloc(t->context, count, sizeof(int32_t));
    t->given = heed_alloc(t->context, count, sizeof(int32_t));
    t->answer = heed_alloc(t->context, count, sizeof(int32_t));
    if (t->validation.count > 0)
        t->best = heed_alloc(t->context, weight_total(t->model), sizeof(float));
    bool made = t->source != NULL && t->given != NULL && t->answer != NULL && (t->validation.count == 0 ||
                                                                               t->best != NULL);
    return made ? HEED_OK : HEED_ENOMEM;
}

static heed_status check_config(heed_context *c, const heed_train_config *config)
{
    if (config->pairs == NULL)
        return heed_fail(c, HEED_EINVAL, "train: no pairs are given");
    if (config->epochs < 0 || config->steps < 0 || config->minutes < 0 || isnan(config->epochs) ||
        isnan(config->minutes))
        return heed_fail(c, HEED_EINVAL, "train: epochs, steps and minutes are not negative");
    int given = (config->epochs > 0) + (config->steps > 0) + (config->minutes > 0);
    if (given > 1)
        return heed_fail(c, HEED_EINVAL, "train: only one of epochs, steps and minutes says how long");
    return HEED_OK;
}

static heed_status create(heed_trainer *t, const heed_train_config *config)
{
    HEED_TRY(check_config(t->context, config));
    HEED_TRY(name_checkpoint(t, config));
    HEED_TRY(t->resumed ? resume_model(t, config) : make_model(t, config));
    if (config->validation != NULL)
        HEED_TRY(heed_examples_read(t->context, t->translator->recipe.settings, config->validation, NULL,
                                    t->translator->source,
                                    t->translator->target, &t->validation));
    HEED_TRY(make_room(t));
    if (t->resumed)
        HEED_TRY(restore_run(t, config));
    else
        make_plan(t, config);
    return prepare_directory(t);
}

heed_status heed_trainer_create(heed_context *c, const heed_train_config *config, heed_trainer **out)
{
    *out = NULL;
    heed_trainer *t = heed_alloc(c, 1, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    t->context = c;
    t->checkpoint_seconds = config->checkpoint_seconds > 0 ? config->checkpoint_seconds : 60;
    t->progress.validation_exact = NAN;
    t->report = config->report;
    t->user = config->user;
    heed_status status = create(t, config);
    if (status != HEED_OK) {
        heed_trainer_free(t);
        return status;
    }
    if (t->training.left_out > 0)
        heed_log(c, HEED_LOG_WARNING, "%s: %lld of %lld pairs left out (a side of more than %d tokens, or none)",
                 config->pairs,
                 (long long)t->training.left_out, (long long)(t->training.left_out + t->training.count),
                 t->translator->recipe.settings->longest);
    *out = t;
    return HEED_OK;
}

void heed_trainer_free(heed_trainer *t)
{
    if (t == NULL)
        return;
    heed_context *c = t->context;
    heed_batches_free(t->batches);
    bool owned = t->translator != NULL && !t->translator->borrowed;
    heed_translator_free(t->translator);
    if (!owned)
        heed_model_free(t->model);
    heed_examples_free(&t->validation);
    heed_examples_free(&t->training);
    if (t->made_directory)
        rmdir(t->directory); /* which works when no checkpoint was needed */
    heed_release(c, t->directory);
    heed_release(c, t->checkpoint);
    heed_release(c, t->best);
    heed_release(c, t->answer);
    heed_release(c, t->given);
    heed_release(c, t->source);
    heed_release(c, t);
}

heed_model *heed_trainer_model(heed_trainer *t) { return t->model; }
void        heed_trainer_interrupt(heed_trainer *t) { atomic_store(&t->stop, true); }

/* ---- steps */

/* The learning rate after `done` of the planned steps. */
static double rate_at(const heed_trainer *t)
{
    const heed_recipe_settings *s = t->translator->recipe.settings;
    double step = t->state.step + 1, planned = t->state.steps > 0 ? t->state.steps : INFINITY;
    double warm = s->warmup_steps > 0 && step < s->warmup_steps ? step / s->warmup_steps : 1;
    double done = fmin(step / planned, 1), left = 1;
    if (s->schedule[0] == 'l')
        left = 1 - (1 - s->final_rate) * done;
    else if (s->schedule[1] == 'o' && s->schedule[2] == 's')
        left = s->final_rate + (1 - s->final_rate) * 0.5 * (1 + cos(acos(-1.0) * done));
    return s->learning_rate * warm * left;
}

static heed_status start_epoch(heed_trainer *t)
{
    heed_batches_free(t->batches);
    t->batches = NULL;
    heed_batches_config config = {.count = (size_t)t->training.count, .source_lengths = t->training.source_lengths,
                                  .target_lengths = t->training.target_lengths, .size = t->translator->recipe.settings->batch_size,
                                  .seed = seed_of(t), .epoch = (uint64_t)t->state.epoch};
    return heed_batches_create(t->context, &config, &t->batches);
}

static heed_status next_batch(heed_trainer *t, heed_text_batch *out)
{
    if (t->batches == NULL) /* the first step of this process, maybe in the midst of an epoch */
        HEED_TRY(start_epoch(t));
    if ((int64_t)t->state.batch >= heed_batches_count(t->batches)) {
        t->state.epoch++;
        t->state.batch = 0;
        HEED_TRY(start_epoch(t));
    }
    *out = heed_batches_get(t->batches, (int64_t)t->state.batch);
    return HEED_OK;
}

/* A run that stays this many times worse than guessing, which costs ln(tokens), is lost. The mean is over all steps at first,
 * then over about as many as MEAN_SHARE says. */
static const double HOPELESS = 10, MEAN_SHARE = 0.02;

static heed_status follow_loss(heed_trainer *t, double loss)
{
    double share = fmax(1 / (t->state.step + 1),
                        MEAN_SHARE), guessing = log(heed_tokenizer_size(t->translator->target));
    t->state.loss += share * (loss - t->state.loss);
    if (isfinite(loss) && t->state.loss < HOPELESS * guessing)
        return HEED_OK;
    heed_fail(t->context, HEED_EDIVERGED, "training diverged at step %.0f (the loss is %g, guessing would give %.3g)",
              t->state.step + 1, loss, guessing);
    heed_hint(t->context, "try a smaller learning rate: --set learning_rate=%g",
              t->translator->recipe.settings->learning_rate / 3);
    return HEED_EDIVERGED;
}

static heed_status train_step(heed_trainer *t)
{
    heed_text_batch b;
    HEED_TRY(next_batch(t, &b));
    int64_t tokens = heed_examples_fill(&t->training, &b, t->source, t->given, t->answer);
    heed_array inputs[] = {{HEED_INT32, {2, {b.count, b.source_length}}, t->source},
                           {HEED_INT32, {2, {b.count, b.target_length + 1}}, t->given}};
    heed_array targets[] = {{HEED_INT32, {2, {b.count, b.target_length + 1}}, t->answer}};
    HEED_TRY(heed_set_learning_rate(t->model, t->progress.learning_rate = rate_at(t)));
    heed_batch batch = {.inputs = inputs, .input_count = 2, .targets = targets, .target_count = 1};
    HEED_TRY(heed_train_on_batch(t->model, &batch, NULL));
    HEED_TRY(follow_loss(t, heed_batch_loss(t->model)));
    t->tokens += tokens;
    t->state.step++;
    t->state.batch++;
    return HEED_OK;
}

/* ---- validation */

/* Lines translated together, among which lengths are sorted. */
enum { VALIDATION_GROUP = 4096 };

/* Share of the first `count` validation pairs that greedy decoding gets exactly right. */
static heed_status exact_match(heed_trainer *t, int64_t count, double *out)
{
    int64_t right = 0;
    for (int64_t i = 0; i < count; i += VALIDATION_GROUP)
        HEED_TRY(heed_count_exact(t->translator, &t->validation, i,
                                  (int)(count - i < VALIDATION_GROUP ? count - i : VALIDATION_GROUP), &right));
    *out = (double)right / (double)count;
    return HEED_OK;
}

static bool finished(const heed_trainer *t) { return t->state.steps > 0 && t->state.step >= t->state.steps; }

/* Tries some pairs along the way, and keeps the weights if they do best; at the end it tells how these do on all. */
static heed_status validate(heed_trainer *t)
{
    int64_t all = t->validation.count, some = t->translator->recipe.settings->validation_lines;
    if (all == 0)
        return HEED_OK;
    double exact;
    HEED_TRY(exact_match(t, some < all ? some : all, &exact));
    if (exact >= t->state.best) {
        t->state.best = exact;
        keep_weights(t->model, t->best);
    }
    if (finished(t)) {
        swap_weights(t->model, t->best);
        heed_status status = exact_match(t, all, &exact);
        swap_weights(t->model, t->best);
        HEED_TRY(status);
    }
    t->progress.validated = true;
    t->progress.validation_exact = exact;
    t->progress.validation_best = t->state.best;
    return HEED_OK;
}

/* ---- the run */

static void report(heed_trainer *t, double started)
{
    heed_train_progress *p = &t->progress;
    double seconds = t->state.seconds + heed_seconds() - started;
    p->step = (int64_t)t->state.step;
    p->steps = (int64_t)t->state.steps;
    p->epoch = t->state.epoch + t->state.batch / (double)batches_an_epoch(t);
    p->loss = t->state.loss;
    p->seconds = seconds;
    p->tokens_per_second = (double)t->tokens / fmax(heed_seconds() - t->tokens_since, 1e-9);
    p->seconds_left = t->state.minutes > 0 ? fmax(60 * t->state.minutes - seconds, 0)
                      : t->state.steps > 0 ? seconds / t->state.step * (t->state.steps - t->state.step)
                                           : NAN;
    if (t->report != NULL)
        t->report(t->user, p);
    p->validated = false;
}

/* With minutes to spend, the number of steps follows from the speed so far. */
static void look_at_plan(heed_trainer *t, double seconds)
{
    double budget = 60 * t->state.minutes;
    if (t->state.minutes <= 0)
        return;
    if (seconds >= budget)
        t->state.steps = t->state.step;
    else if (fmod(t->state.step, PLAN_STEPS) == 0)
        t->state.steps = fmax(t->state.step + 1, floor(t->state.step * budget / seconds));
}

heed_status heed_trainer_run(heed_trainer *t)
{
    double started = heed_seconds(), saved = started;
    t->tokens = 0;
    t->tokens_since = started;
    heed_status status = HEED_OK;
    while (status == HEED_OK && !finished(t)) {
        status = train_step(t);
        if (status != HEED_OK)
            break;
        look_at_plan(t, t->state.seconds + heed_seconds() - started);
        bool validation_due = t->state.steps > 0 && t->state.step >= t->state.next_validation;
        if (finished(t) || (validation_due && t->state.next_validation > 0))
            status = validate(t);
        if (validation_due)
            t->state.next_validation = t->state.step + fmax(1, floor(t->state.steps / VALIDATIONS));
        report(t, started);
        bool stop = atomic_exchange(&t->stop, false);
        bool due = t->checkpoint != NULL && heed_seconds() - saved >= t->checkpoint_seconds;
        if (status == HEED_OK && (due || stop || finished(t))) {
            double seconds = t->state.seconds;
            t->state.seconds += heed_seconds() - started;
            status = save_checkpoint(t);
            t->state.seconds = seconds;
            saved = heed_seconds();
        }
        if (status == HEED_OK && stop && !finished(t))
            status = heed_fail(t->context, HEED_EINTERRUPTED, "training was interrupted after step %.0f",
                               t->state.step);
    }
    t->state.seconds += heed_seconds() - started;
    return status;
}

heed_status heed_trainer_save(heed_trainer *t, const char *path)
{
    bool kept = t->best != NULL && t->state.best >= 0;
    if (kept)
        swap_weights(t->model, t->best);
    heed_status status = heed_save(t->model, path);
    if (kept)
        swap_weights(t->model, t->best);
    return status;
}

void heed_trainer_remove_checkpoint(heed_trainer *t)
{
    if (t->checkpoint == NULL)
        return;
    unlink(t->checkpoint);
    rmdir(t->directory); /* which works when nothing else is in it */
}
