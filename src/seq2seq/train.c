/* A training run: what it needs, made anew or taken from a checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include "seq2seq/trainer.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

heed_status heed_trainer_make_batches(heed_trainer *t, const heed_examples *e, int64_t count, uint64_t epoch,
                                      heed_batches **out)
{
    const heed_recipe_settings *s = t->translator->recipe.settings;
    heed_batches_config config = {.count = (size_t)count, .source_lengths = e->source_lengths,
                                  .target_lengths = e->target_lengths,
                                  .unit = s->batch_tokens > 0 ? HEED_BATCH_TOKENS : HEED_BATCH_EXAMPLES,
                                  .size = s->batch_tokens > 0 ? s->batch_tokens : s->batch_size,
                                  .seed = heed_trainer_seed(t), .epoch = epoch};
    return heed_batches_create(t->context, &config, out);
}

/* What the arrays held is lost. */
static heed_status reserve(heed_trainer *t, int64_t ids)
{
    int32_t **arrays[] = {&t->source, &t->given, &t->answer};
    bool enough = true;
    for (int i = 0; i < 3 && t->room < ids; i++) {
        heed_release(t->context, *arrays[i]);
        *arrays[i] = heed_alloc(t->context, (size_t)ids, sizeof(int32_t));
        enough &= *arrays[i] != NULL;
    }
    if (!enough)
        return HEED_ENOMEM;
    t->room = ids > t->room ? ids : t->room;
    return HEED_OK;
}

/* The first half of the ids once more. */
static void repeat(int32_t *ids, int64_t count) { memcpy(ids + count, ids, (size_t)count * sizeof *ids); }

heed_status heed_trainer_fill(heed_trainer *t, const heed_examples *e, const heed_text_batch *b, bool twice,
                              heed_trainer_batch *out, int64_t *tokens)
{
    int64_t rows = twice ? 2 * b->count : b->count;
    heed_shape source = {2, {rows, b->source_length}}, target = {2, {rows, b->target_length + 1}};
    int64_t longer = b->source_length > b->target_length + 1 ? b->source_length : b->target_length + 1;
    HEED_TRY(reserve(t, rows * longer));
    *out = (heed_trainer_batch){.inputs = {{HEED_INT32, source, t->source}, {HEED_INT32, target, t->given}},
                                .targets = {{HEED_INT32, target, t->answer}}};
    out->batch = (heed_batch){.inputs = out->inputs, .input_count = 2, .targets = out->targets, .target_count = 1};
    *tokens = heed_examples_fill(e, b, t->source, t->given, t->answer);
    if (twice) {
        repeat(t->source, b->count * b->source_length);
        repeat(t->given, b->count * (b->target_length + 1));
        repeat(t->answer, b->count * (b->target_length + 1));
    }
    return HEED_OK;
}

heed_status heed_trainer_start_epoch(heed_trainer *t)
{
    const heed_translator *tr = t->translator;
    heed_batches_free(t->batches);
    t->batches = NULL;
    if (!heed_trainer_recuts(t))
        return heed_trainer_make_batches(t, &t->training, t->training.count, (uint64_t)t->state.epoch, &t->batches);
    heed_examples_free(&t->cut);
    HEED_TRY(heed_examples_cut_again(&t->training, tr->recipe.settings, tr->source, tr->target, heed_trainer_seed(t),
                                     (uint64_t)t->state.epoch, &t->cut));
    return heed_trainer_make_batches(t, &t->cut, t->cut.count, (uint64_t)t->state.epoch, &t->batches);
}

static heed_status count_batches(heed_trainer *t)
{
    double epoch = t->state.epoch;
    t->state.epoch = 0;
    heed_status status = heed_trainer_start_epoch(t);
    t->state.epoch = epoch;
    HEED_TRY(status);
    t->batches_an_epoch = heed_batches_count(t->batches);
    t->padding = heed_batches_padding(t->batches);
    return epoch == 0 ? HEED_OK : heed_trainer_start_epoch(t); /* which the run begins with, or goes on with */
}

double heed_trainer_steps_asked_for(const heed_trainer *t, const heed_train_config *config)
{
    return config->steps > 0 ? (double)config->steps : ceil(config->epochs * (double)t->batches_an_epoch);
}

/* Pairs are read twice: for the vocabularies, then as tokens. */
static heed_status check_readable_twice(heed_context *c, const char *path)
{
    struct stat info;
    bool stream = path != NULL && (strcmp(path, "-") == 0 ||
                                   (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)));
    if (!stream)
        return HEED_OK;
    heed_fail(c, HEED_EINVAL, "%s: cannot be read twice, as pairs to learn from are (expected a file)", path);
    heed_hint(c, "write it to a file first; a file may be compressed by gzip");
    return HEED_EINVAL;
}

static heed_status make_model(heed_trainer *t, const heed_train_config *config)
{
    heed_context *c = t->context;
    HEED_TRY(check_readable_twice(c, config->pairs));
    HEED_TRY(check_readable_twice(c, config->targets));
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
    heed_run_begin(t, config->seed);
    return heed_recipe_begin(t->model, &t->translator->recipe);
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

/* How long: steps, epochs or minutes, whichever was said; else as the recipe has it. */
static void make_plan(heed_trainer *t, const heed_train_config *config)
{
    t->state.pairs = (double)t->training.count;
    t->state.validation_pairs = (double)t->validation.count;
    t->state.minutes = config->minutes;
    t->state.steps = heed_trainer_steps_asked_for(t, config);
    if (t->state.steps == 0 && config->minutes == 0)
        t->state.steps = t->translator->recipe.settings->epochs * (double)t->batches_an_epoch;
}

static heed_status check_recut(heed_trainer *t)
{
    const heed_translator *tr = t->translator;
    bool cuts = heed_tokenizer_cuts_by_chance(tr->source) || heed_tokenizer_cuts_by_chance(tr->target);
    if (cuts || !heed_trainer_recuts(t))
        return HEED_OK;
    return heed_fail(t->context, HEED_EINVAL, "piece_dropout: neither side is cut into pieces of bpe (found %s and %s)",
                     tr->recipe.settings->source_tokens, tr->recipe.settings->target_tokens);
}

static heed_status make_room(heed_trainer *t)
{
    const heed_recipe_settings *s = t->translator->recipe.settings;
    bool validates = t->validation.count > 0, averages = validates && s->average > 1;
    if (validates)
        t->best = heed_alloc(t->context, heed_weight_total(t->model), sizeof(float));
    if (averages)
        t->mean = heed_alloc(t->context, heed_weight_total(t->model), sizeof(float));
    return (validates && t->best == NULL) || (averages && t->mean == NULL) ? HEED_ENOMEM : HEED_OK;
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
    HEED_TRY(heed_checkpoint_name(t, config));
    HEED_TRY(t->resumed ? resume_model(t, config) : make_model(t, config));
    if (config->validation != NULL)
        HEED_TRY(heed_examples_read(t->context, t->translator->recipe.settings, config->validation,
                                    config->validation_targets,
                                    t->translator->source,
                                    t->translator->target, &t->validation));
    HEED_TRY(make_room(t));
    if (t->resumed)
        HEED_TRY(heed_checkpoint_restore(t));
    HEED_TRY(check_recut(t));
    HEED_TRY(count_batches(t));
    if (t->resumed)
        HEED_TRY(heed_checkpoint_check(t, config));
    else
        make_plan(t, config);
    t->tokens_before = t->state.tokens;
    t->seconds_before = t->state.step_seconds;
    t->progress.validated_by = t->validation.count > 0 ? t->translator->recipe.settings->validate_by : NULL;
    heed_trainer_tell(t, t->state.seconds);
    HEED_TRY(heed_checkpoint_prepare(t));
    return heed_train_log_open(t, config);
}

heed_status heed_trainer_create(heed_context *c, const heed_train_config *config, heed_trainer **out)
{
    *out = NULL;
    heed_trainer *t = heed_alloc(c, 1, sizeof *t);
    if (t == NULL)
        return HEED_ENOMEM;
    t->context = c;
    t->checkpoint_seconds = config->checkpoint_seconds > 0 ? config->checkpoint_seconds : 60;
    t->log.history.context = c;
    t->report = config->report;
    t->user = config->user;
    heed_status status = create(t, config);
    if (status != HEED_OK) {
        heed_trainer_free(t);
        return status;
    }
    heed_log(c, HEED_LOG_NOTE, "%lld pairs in %lld batches; %.1f %% of their tokens are padding",
             (long long)t->training.count, (long long)t->batches_an_epoch, 100 * t->padding);
    *out = t;
    return HEED_OK;
}

void heed_trainer_free(heed_trainer *t)
{
    if (t == NULL)
        return;
    heed_context *c = t->context;
    heed_train_log_close(t);
    heed_batches_free(t->batches);
    bool owned = t->translator != NULL && !t->translator->borrowed;
    heed_translator_free(t->translator);
    if (!owned)
        heed_model_free(t->model);
    heed_examples_free(&t->cut);
    heed_examples_free(&t->validation);
    heed_examples_free(&t->training);
    if (t->made_directory)
        rmdir(t->directory); /* which works when no checkpoint was needed */
    heed_release(c, t->directory);
    heed_release(c, t->checkpoint);
    heed_release(c, t->mean);
    heed_release(c, t->best);
    heed_release(c, t->answer);
    heed_release(c, t->given);
    heed_release(c, t->source);
    heed_release(c, t);
}

heed_model *heed_trainer_model(heed_trainer *t) { return t->model; }
const heed_train_progress *heed_trainer_progress(const heed_trainer *t) { return &t->progress; }
void heed_trainer_interrupt(heed_trainer *t) { atomic_store(&t->stop, true); }
