#include "command.h"
#include "heed/output.h"
#include "heed/seq2seq.h"
#include "report.h"
#include "settings.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_values {
    const char *pairs, *source, *target, *save, *recipe, *source_tokens, *target_tokens, *validation, *checkpoint;
    cli_list    set;
    double      epochs, minutes, checkpoint_seconds;
    int64_t     steps;
    bool        resume, list_recipes;
} train_values;

static const cli_option options[] = {
    {"PAIRS", CLI_BIND(train_values, pairs), .help = "lines `source TAB target` to learn from"},
    {"--source", CLI_BIND(train_values, source), "FILE", .help = "source lines, with --target instead of PAIRS"},
    {"--target", CLI_BIND(train_values, target), "FILE", .help = "target lines, one for each source line"},
    {"--save", CLI_BIND(train_values, save), "FILE", .help = "where the translator is written: a .keras file"},
    {"--recipe", CLI_BIND(train_values, recipe), "NAME", .help = "the model and its settings (default: gru-attention)"},
    {"--set", CLI_BIND(train_values, set), "NAME=VALUE", .help = "change a setting of the recipe; may be repeated"},
    {"--list-recipes", CLI_BIND(train_values, list_recipes), .help = "explain the recipes and their settings"},
    {"--source-tokens", CLI_BIND(train_values, source_tokens), .choices = "characters|words|bpe|unigram",
     .help = "what the source is cut into (default: the recipe's)"},
    {"--target-tokens", CLI_BIND(train_values, target_tokens), .choices = "characters|words|bpe|unigram",
     .help = "what the target is cut into (default: the recipe's)"},
    {"--validation", CLI_BIND(train_values, validation), "FILE",
     .help = "pairs to try along the way; the weights that do best on them are kept"},
    {"--epochs", CLI_BIND(train_values, epochs), "N",
     .help = "passes over the pairs (default: 10, unless --steps or --minutes)", CLI_ABOVE(0)},
    {"--steps", CLI_BIND(train_values, steps), "N", .help = "training steps", CLI_AT_LEAST(1)},
    {"--minutes", CLI_BIND(train_values, minutes), "N", .help = "time to train", CLI_ABOVE(0)},
    {"--checkpoint", CLI_BIND(train_values, checkpoint), "DIR",
     .help = "where the run is saved along the way (default: SAVE.checkpoint, removed at the end)"},
    {"--checkpoint-seconds", CLI_BIND(train_values, checkpoint_seconds), "N", "60", "time between two checkpoints",
     CLI_ABOVE(0)},
    {"--resume", CLI_BIND(train_values, resume), .help = "go on from the checkpoint, if there is one"},
    {0},
};

static const cli_example examples[] = {
    {"heed train pairs.tsv --recipe dates --minutes 3 --save dates.keras", "a translator of dates"},
    {"heed train --source en.txt --target de.txt --source-tokens bpe --target-tokens bpe --set vocabulary=8000 "
     "--set shared_vocabulary=True --save en-de.keras",
     "from two files, in pieces of words"},
    {"heed train pairs.tsv --save m.keras --resume", "go on with a run that was interrupted"},
    {0},
};

/* For the signal handler. */
static heed_trainer *running;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    if (running != NULL)
        heed_trainer_interrupt(running);
    signal(SIGINT, SIG_DFL); /* asked again, it ends at once */
}

static void list_settings(int recipe, int first, int end)
{
    for (int i = first; i < end; i++) {
        const heed_setting_info *s = heed_setting_at(recipe, i);
        printf("  %-18s%s%s%s%s\n%20s%s\n", s->name, s->standard, *s->range != '\0' ? "  (" : "", s->range,
               *s->range != '\0' ? ")" : "", "", s->meaning);
    }
}

/* Whether a recipe before this one has the same settings. */
static bool told_already(int recipe)
{
    bool told = false;
    for (int i = 0; i < recipe; i++)
        told = told || strcmp(heed_recipe_at(i)->model, heed_recipe_at(recipe)->model) == 0;
    return told;
}

static int list_recipes(void)
{
    printf("Recipes:\n");
    for (int i = 0; i < heed_recipe_count(); i++) {
        const heed_recipe_info *r = heed_recipe_at(i);
        printf("  %-16s%s\n", r->name, r->summary);
        if (*r->changes != '\0')
            printf("  %-16s%s with %s\n", "", r->model, r->changes);
    }
    int common = heed_common_setting_count();
    printf("\nSettings of every recipe (--set NAME=VALUE), with their defaults and ranges:\n");
    list_settings(0, 0, common);
    for (int i = 0; i < heed_recipe_count(); i++)
        if (!told_already(i)) {
            printf("\nSettings of %s:\n", heed_recipe_at(i)->model);
            list_settings(i, common, heed_setting_count(i));
        }
    return CLI_DONE;
}

/* ---- progress */

typedef struct train_watch {
    const cli_session *session;
    cli_progress       progress;
    double             minutes, noted;
    char               score[64]; /* of the last validation; "" before */
} train_watch;

static void describe_score(const heed_train_progress *p, char *text, size_t size)
{
    if (strcmp(p->validated_by, "exact") == 0)
        snprintf(text, size, ", exact match %.2f %%", 100 * p->validation);
    else
        snprintf(text, size, ", validation %s %.4f", p->validated_by, p->validation);
}

static void watch(void *user, const heed_train_progress *p)
{
    train_watch *w = user;
    if (p->validated)
        describe_score(p, w->score, sizeof w->score);
    if (p->validated || (*w->score == '\0' && floor(p->epoch) > w->noted))
        cli_note(w->session, "step %lld, epoch %.2f, %.0f s: loss %.4f%s, %.0f tokens/s", (long long)p->step, p->epoch,
                 p->seconds, p->loss, w->score, p->tokens_per_second);
    w->noted = floor(p->epoch);
    double done = w->minutes > 0 ? p->seconds : (double)p->step;
    w->progress.total = w->minutes > 0 ? 60 * w->minutes : (double)p->steps;
    if (*w->score == '\0')
        cli_progress_update(&w->progress, done, "loss %.4f, %.0f tokens/s", p->loss, p->tokens_per_second);
    else
        cli_progress_update(&w->progress, done, "loss %.4f%s", p->loss, w->score);
}

/* ---- the run */

static int check(const train_values *v)
{
    const char *hint = "see heed train --help";
    if (v->pairs == NULL && (v->source == NULL || v->target == NULL))
        return cli_error(CLI_WRONG_USAGE, hint,
                         "what to learn from is missing (expected PAIRS, or --source and --target)");
    if (v->pairs != NULL && (v->source != NULL || v->target != NULL))
        return cli_error(CLI_WRONG_USAGE, hint, "PAIRS and --source, --target are two ways to say the same");
    if (v->save == NULL)
        return cli_error(CLI_WRONG_USAGE, hint, "--save is missing: where the translator goes");
    if (!cli_ends_with(v->save, ".keras"))
        return cli_error(CLI_WRONG_USAGE, hint,
                         "--save: not a translator's name (expected it to end in .keras, found \"%s\")", v->save);
    if ((v->epochs > 0) + (v->steps > 0) + (v->minutes > 0) > 1)
        return cli_error(CLI_WRONG_USAGE, hint, "only one of --epochs, --steps and --minutes says how long to train");
    return CLI_DONE;
}

/* Whether the translator can be written where it shall go: better known before the work than after. */
static bool can_save(cli_session *s, const char *path)
{
    heed_writer *trial;
    if (heed_writer_open(s->context, path, &trial) != HEED_OK)
        return false;
    heed_writer_free(trial);
    return true;
}

static int train(cli_session *s, const train_values *v, const char *settings, const char *checkpoint)
{
    train_watch w = {.session = s, .minutes = v->minutes};
    heed_train_config config = {
        .recipe = v->recipe, .settings = settings, .pairs = v->pairs != NULL ? v->pairs : v->source,
        .targets = v->pairs != NULL ? NULL : v->target, .validation = v->validation, .epochs = v->epochs, .steps = v->steps,
        .minutes = v->minutes, .seed = (uint64_t)s->seed, .checkpoint = checkpoint,
        .checkpoint_seconds = v->checkpoint_seconds, .resume = v->resume, .report = watch, .user = &w};
    heed_trainer *t;
    if (!can_save(s, v->save))
        return cli_failed(s);
    heed_status status = heed_trainer_create(s->context, &config, &t);
    if (status != HEED_OK)
        return cli_refused(s, status);
    cli_note(s, "%lld weights, %d threads", (long long)heed_parameter_count(heed_trainer_model(t), false),
             heed_threads(s->context));
    cli_progress_start(&w.progress, s, "training", 0);
    running = t;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    status = heed_trainer_run(t);
    running = NULL;
    cli_progress_end(&w.progress);
    int exit_status = CLI_DONE;
    if (status == HEED_OK)
        status = heed_trainer_save(t, v->save);
    if (status == HEED_EINTERRUPTED) {
        char hint[4352];
        snprintf(hint, sizeof hint, "it goes on from there with the same command and --resume; the run is saved in %s",
                 checkpoint);
        exit_status = cli_error(CLI_FAILED, hint, "%s", heed_error(s->context));
    } else if (status != HEED_OK) {
        exit_status = cli_failed(s);
    } else {
        cli_note(s, "%s is written", v->save);
        if (v->checkpoint == NULL)
            heed_trainer_remove_checkpoint(t);
    }
    heed_trainer_free(t);
    return exit_status;
}

static int run(cli_session *s, const void *values)
{
    const train_values *v = values;
    if (v->list_recipes)
        return list_recipes();
    int exit_status = check(v);
    if (exit_status != CLI_DONE)
        return exit_status;
    char checkpoint[4096], *settings = NULL;
    const cli_setting tokens[] = {{"source_tokens", v->source_tokens}, {"target_tokens", v->target_tokens}};
    exit_status = cli_settings_join(&v->set, tokens, 2, &settings);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (v->checkpoint != NULL)
        snprintf(checkpoint, sizeof checkpoint, "%s", v->checkpoint);
    else
        snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", v->save);
    exit_status = train(s, v, settings, checkpoint);
    free(settings);
    return exit_status;
}

const cli_command cli_train = {
    .name = "train",
    .purpose = "make a translator from pairs of sequences",
    .description = "Learns from lines `source TAB target` and writes a translator, one .keras file, for heed translate and "
                   "heed plot. A recipe picks the whole model; --set changes any of its settings.\n\n"
                   "The run is saved along the way. Interrupted by Ctrl-C or anything else, the same command with --resume "
                   "goes on where it was, or begins if nothing was saved yet; when its length was given in epochs or steps it ends with the same bits as a run "
                   "that was never stopped.",
    .options = options,
    .values_size = sizeof(train_values),
    .examples = examples,
    .run = run,
};
