#include "command.h"
#include "help.h"
#include "heed/output.h"
#include "heed/seq2seq.h"
#include "report.h"
#include "settings.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_values {
    const char *pairs, *source, *target, *save, *recipe, *source_tokens, *target_tokens, *validation, *checkpoint;
    const char *validation_target, *tensorboard, *history;
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
    {"--set", CLI_BIND(train_values, set), "NAME=VALUE", .help = "change a setting of the recipe"},
    {"--list-recipes", CLI_BIND(train_values, list_recipes), .help = "explain the recipes and their settings"},
    {"--source-tokens", CLI_BIND(train_values, source_tokens), .choices = "characters|words|bpe|unigram",
     .help = "what the source is cut into (default: the recipe's)"},
    {"--target-tokens", CLI_BIND(train_values, target_tokens), .choices = "characters|words|bpe|unigram",
     .help = "what the target is cut into (default: the recipe's)"},
    {"--validation", CLI_BIND(train_values, validation), "FILE",
     .help = "pairs to try along the way; the weights that do best on them are kept"},
    {"--validation-target", CLI_BIND(train_values, validation_target), "FILE",
     .help = "target lines of --validation, which then holds the source lines"},
    {"--epochs", CLI_BIND(train_values, epochs), "N",
     .help = "passes over the pairs (default: the recipe's, unless --steps or --minutes)", CLI_ABOVE(0)},
    {"--steps", CLI_BIND(train_values, steps), "N", .help = "training steps", CLI_AT_LEAST(1)},
    {"--minutes", CLI_BIND(train_values, minutes), "N", .help = "time to train", CLI_ABOVE(0)},
    {"--checkpoint", CLI_BIND(train_values, checkpoint), "DIR",
     .help = "where the run is saved along the way (default: SAVE.checkpoint, removed at the end)"},
    {"--checkpoint-seconds", CLI_BIND(train_values, checkpoint_seconds), "N", "60", "time between two checkpoints",
     CLI_ABOVE(0)},
    {"--tensorboard", CLI_BIND(train_values, tensorboard), "DIR", .help = "write event files for TensorBoard"},
    {"--history", CLI_BIND(train_values, history), "FILE.csv",
     .help = "write a line a validation (or a pass over the pairs), for heed plot --history"},
    {"--resume", CLI_BIND(train_values, resume), .help = "go on from the checkpoint, if there is one"},
    {0},
};

static const cli_example examples[] = {
    {"heed train pairs.tsv --recipe dates --minutes 3 --save dates.keras", "a translator of dates"},
    {"heed train --source train.en --target train.de --validation val.en --validation-target val.de --recipe transformer "
     "--set validate_by=bleu --epochs 20 --save en-de.keras",
     "from two files of sentences, in pieces of words; the weights with the best BLEU are kept"},
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

enum { SUMMARY = 18, MEANING = 21 }; /* columns */

static void list_settings(int recipe, int first, int end)
{
    for (int i = first; i < end; i++) {
        const heed_setting_info *s = heed_setting_at(recipe, i);
        printf("  %-19s%s%s%s%s\n%*s", s->name, s->standard, *s->range != '\0' ? "  (" : "", s->range,
               *s->range != '\0' ? ")" : "", MEANING, "");
        cli_write_wrapped(s->meaning, MEANING, MEANING);
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
        printf("  %-*s", SUMMARY - 2, r->name);
        cli_write_wrapped(r->summary, SUMMARY, SUMMARY);
        if (*r->changes != '\0') {
            char changes[1024];
            snprintf(changes, sizeof changes, "%s with %s", r->model, r->changes);
            printf("%*s", SUMMARY, "");
            cli_write_wrapped(changes, SUMMARY, SUMMARY);
        }
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
    double             minutes;
} train_watch;

enum { SCORES = 96, LOSS = 32 };

/* Adds ", bleu 38.11" unless the value is negative: not measured. */
static void add_score(char text[SCORES], const char *name, double value, const char *unit)
{
    size_t used = strlen(text);
    if (value >= 0)
        snprintf(text + used, SCORES - used, ", %s %.2f%s", name, value, unit);
}

/* A loss with as many digits as tell something, always as wide. */
static const char *describe_loss(double loss, char text[LOSS])
{
    snprintf(text, LOSS, loss < 0.1 ? "%.5f" : "%.3f", loss);
    return text;
}

/* What tells which weights are best, if it is not the loss. */
static void add_score_of_best(char text[SCORES], const heed_train_progress *p)
{
    if (strcmp(p->validated_by, "exact") == 0)
        add_score(text, "exact", 100 * p->validation.exact, " %");
    else if (strcmp(p->validated_by, "bleu") == 0)
        add_score(text, "bleu", p->validation.bleu, "");
    else if (strcmp(p->validated_by, "chrf") == 0)
        add_score(text, "chrf", p->validation.chrf, "");
}

/* What people look at: with exact answers neither BLEU nor chrF, and the other way round. */
static void add_scores(char text[SCORES], const heed_train_progress *p, const heed_validation *v)
{
    bool exact = strcmp(p->validated_by, "exact") == 0;
    if (exact)
        add_score(text, "exact", 100 * v->exact, " %");
    if (!exact)
        add_score(text, "bleu", v->bleu, "");
    if (!exact)
        add_score(text, "chrf", v->chrf, "");
}

/* A line that stays. */
static void note_milestone(const train_watch *w, const heed_train_progress *p)
{
    char scores[SCORES] = "", loss[LOSS], duration[CLI_DURATION];
    if (p->validated_by != NULL) {
        snprintf(scores, sizeof scores, ", validation %s", describe_loss(p->validation.loss, loss));
        add_scores(scores, p, &p->validation);
    } else {
        snprintf(scores, sizeof scores, ", %.0f tokens/s", p->tokens_per_second);
    }
    bool best = p->validated_by != NULL && p->best.step == p->validation.step;
    cli_note(w->session, "step %lld, epoch %.2f, %s: loss %s%s%s", (long long)p->step, p->epoch,
             cli_duration(p->seconds, duration), describe_loss(p->loss, loss), scores, best ? ", best" : "");
}

static void watch(void *user, const heed_train_progress *p)
{
    train_watch *w = user;
    char scores[SCORES] = "", loss[LOSS];
    if (p->milestone)
        note_milestone(w, p);
    double done = w->minutes > 0 ? p->seconds : (double)p->step;
    w->progress.total = w->minutes > 0 ? 60 * w->minutes : (double)p->steps;
    if (p->validation.pairs > 0)
        add_score_of_best(scores, p);
    cli_progress_update(&w->progress, done, "loss %s%s, %.0f tokens/s", describe_loss(p->loss, loss), scores,
                        p->tokens_per_second);
}

static void summarize(const cli_session *s, const heed_train_progress *p)
{
    char scores[SCORES] = "", loss[LOSS], duration[CLI_DURATION];
    if (p->best.pairs > 0) {
        add_scores(scores, p, &p->best);
        cli_note(s, "best after step %lld: loss %s%s on %lld validation pairs", (long long)p->best.step,
                 describe_loss(p->best.loss, loss), scores, (long long)p->best.pairs);
    }
    cli_note(s, "trained for %s: %lld steps, %.2f epochs, %lld target tokens", cli_duration(p->seconds, duration),
             (long long)p->step, p->epoch, (long long)p->tokens);
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
    if (v->validation_target != NULL && v->validation == NULL)
        return cli_error(CLI_WRONG_USAGE, hint, "--validation-target goes with --validation, the source lines");
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
        .targets = v->pairs != NULL ? NULL : v->target, .validation = v->validation,
        .validation_targets = v->validation_target, .epochs = v->epochs, .steps = v->steps,
        .minutes = v->minutes, .seed = (uint64_t)s->seed, .checkpoint = checkpoint,
        .checkpoint_seconds = v->checkpoint_seconds, .resume = v->resume, .tensorboard = v->tensorboard,
        .history = v->history, .report = watch, .user = &w};
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
        summarize(s, heed_trainer_progress(t));
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
    .description = "Learns from lines `source TAB target`, or from two files whose lines belong together, and writes a translator, one .keras file, for heed translate and "
                   "heed plot. A recipe picks the whole model; --set changes any of its settings.\n\n"
                   "The run is saved along the way. Interrupted by Ctrl-C or anything else, the same command with --resume "
                   "goes on where it was, or begins if nothing was saved yet; when its length was given in epochs or steps it ends with the same bits as a run "
                   "that was never stopped.",
    .options = options,
    .values_size = sizeof(train_values),
    .examples = examples,
    .run = run,
};
