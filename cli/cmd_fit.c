#define _POSIX_C_SOURCE 200809L
#include "checkpoint.h"
#include "command.h"
#include "compile.h"
#include "heed/output.h"
#include "inputs.h"
#include "model.h"
#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct fit_values {
    cli_model_options   model;
    cli_compile_options compile;
    cli_list            x, y, sample_weight, validation_x, validation_y, validation_weight;
    const char         *save, *class_weight, *history, *checkpoint, *tensorboard, *monitor;
    int64_t             epochs, batch_size, early_stopping;
    double              validation_split, checkpoint_seconds;
    bool                no_shuffle, resume;
} fit_values;

static const cli_option options[] = {
    CLI_MODEL_ARGUMENT(fit_values, model),
    {"--x", CLI_BIND(fit_values, x), CLI_ARRAYS_VALUE, .required = true,
     .help = "the inputs, as heed predict takes them, texts included; may be repeated"},
    {"--y", CLI_BIND(fit_values, y), CLI_ARRAYS_VALUE, .required = true,
     .help = "the targets, by the outputs' names; may be repeated"},
    {"--save", CLI_BIND(fit_values, save), "FILE", .required = true,
     .help = "where the trained model goes: .keras, .h5, .weights.h5"},
    {"--epochs", CLI_BIND(fit_values, epochs), "N", "1", "passes over the rows", CLI_BETWEEN(1, 1e9)},
    {"--batch-size", CLI_BIND(fit_values, batch_size), "N", "32", "rows a step", CLI_BETWEEN(1, 1 << 20)},
    {"--no-shuffle", CLI_BIND(fit_values, no_shuffle), .help = "take the rows as they lie in every epoch"},
    {"--validation-split", CLI_BIND(fit_values, validation_split), "SHARE",
     .help = "share of the rows, the last ones, that is kept from training and evaluated after each epoch",
     CLI_BETWEEN(0, 0.999999)},
    {"--validation-x", CLI_BIND(fit_values, validation_x), CLI_ARRAYS_VALUE,
     .help = "inputs to evaluate after each epoch, instead of a share"},
    {"--validation-y", CLI_BIND(fit_values, validation_y), CLI_ARRAYS_VALUE, .help = "their targets"},
    {"--validation-sample-weight", CLI_BIND(fit_values, validation_weight), CLI_ARRAYS_VALUE,
     .help = "what each of their rows counts"},
    {"--sample-weight", CLI_BIND(fit_values, sample_weight), CLI_ARRAYS_VALUE,
     .help = "what each row counts, by output or one for all"},
    {"--class-weight", CLI_BIND(fit_values, class_weight), "CLASS=WEIGHT,...",
     .help = "what the rows of a class count, for instance 0=1,1=5; classes not named count 1"},
    CLI_COMPILE_ROWS(fit_values, compile),
    {"--history", CLI_BIND(fit_values, history), "FILE.csv",
     .help = "write the results of each epoch, under Keras' names"},
    {"--early-stopping", CLI_BIND(fit_values, early_stopping), "PATIENCE",
     .help = "stop after so many epochs without improvement", CLI_BETWEEN(1, 1e9)},
    {"--monitor", CLI_BIND(fit_values, monitor), "NAME",
     .help = "what has to improve (default: val_loss, without validation loss)"},
    {"--checkpoint", CLI_BIND(fit_values, checkpoint), "DIR", .help = "save the run there, along the way and after each epoch"},
    {"--checkpoint-seconds", CLI_BIND(fit_values, checkpoint_seconds), "N", "60", "time between two within an epoch",
     CLI_BETWEEN(0, 1e9)},
    {"--resume", CLI_BIND(fit_values, resume), .help = "go on with the run in --checkpoint, if there is one"},
    {"--tensorboard", CLI_BIND(fit_values, tensorboard), "DIR", .help = "write event files for TensorBoard"},
    CLI_MODEL_ROWS(fit_values, model),
    {0},
};

static const cli_example examples[] = {
    {"heed fit m.keras --x x.npz --y y.npz --epochs 5 --save trained.keras", "with the settings that the file holds"},
    {"heed fit m.h5 --x x.npy --y y.npy --loss mse --optimizer adam --validation-split 0.1 --early-stopping 3 "
     "--epochs 100 --save m.keras --history h.csv", "with other settings, until it no longer improves"},
    {"heed fit m.keras --x x.npz --y y.npz --epochs 50 --checkpoint run --resume --save m.keras",
     "a run that can be interrupted: the same line goes on with it and ends with the same bits"},
    {0},
};

/* ---- what is given ---- */

typedef struct fit_data {
    heed_arrays x, y, weight, validation_x, validation_y, validation_weight;
    double     *class_weight;
    int         class_count;
} fit_data;

/* "0=1,1=5" */
static int read_class_weights(const char *text, fit_data *d)
{
    enum { MOST_CLASSES = 1 << 20 };
    while (text != NULL && *text != '\0') {
        char *end;
        long class = strtol(text, &end, 10);
        bool fine = end != text && *end == '=' && class >= 0 && class < MOST_CLASSES;
        const char *number = fine ? end + 1 : text;
        double weight = fine ? strtod(number, &end) : 0;
        if (!fine || end == number || !(weight >= 0) || (*end != ',' && *end != '\0'))
            return cli_error(CLI_WRONG_USAGE, NULL,
                             "--class-weight: expected CLASS=WEIGHT with commas between, found \"%s\"", text);
        if (class >= d->class_count) {
            double *wider = realloc(d->class_weight, ((size_t)class + 1) * sizeof *wider);
            if (wider == NULL)
                return cli_error(CLI_FAILED, NULL, "out of memory");
            for (long i = d->class_count; i <= class; i++)
                wider[i] = 1;
            d->class_weight = wider;
            d->class_count = (int)class + 1;
        }
        d->class_weight[class] = weight;
        text = end + (*end == ',');
    }
    return CLI_DONE;
}

static int load_data(cli_session *s, const fit_values *v, heed_model *m, fit_data *d)
{
    const struct {
        const char     *option;
        const cli_list *items;
        heed_arrays    *out;
        bool            input;
    } lists[] = {
        {"--x", &v->x, &d->x, true},
        {"--y", &v->y, &d->y, false},
        {"--sample-weight", &v->sample_weight, &d->weight, false},
        {"--validation-x", &v->validation_x, &d->validation_x, true},
        {"--validation-y", &v->validation_y, &d->validation_y, false},
        {"--validation-sample-weight", &v->validation_weight, &d->validation_weight, false},
    };
    int exit_status = read_class_weights(v->class_weight, d);
    for (size_t i = 0; i < sizeof lists / sizeof *lists && exit_status == CLI_DONE; i++)
        exit_status = cli_inputs_load(s, lists[i].input ? m : NULL, lists[i].option, lists[i].items, lists[i].out);
    return exit_status;
}

static void free_data(fit_data *d)
{
    heed_arrays *all[] = {&d->x, &d->y, &d->weight, &d->validation_x, &d->validation_y, &d->validation_weight};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->context != NULL)
            heed_arrays_free(all[i]);
    free(d->class_weight);
}

static int check(cli_session *s, const fit_values *v)
{
    const char *hint = "see heed fit --help";
    if ((v->validation_x.count > 0) != (v->validation_y.count > 0))
        return cli_error(CLI_WRONG_USAGE, hint, "--validation-x and --validation-y go together");
    if (v->validation_x.count > 0 && v->validation_split > 0)
        return cli_error(CLI_WRONG_USAGE, hint, "--validation-split and --validation-x are two ways to say the same");
    if (v->class_weight != NULL && v->sample_weight.count > 0)
        return cli_error(CLI_WRONG_USAGE, hint, "--class-weight and --sample-weight exclude each other");
    if (!cli_can_write(s, v->save) || (v->history != NULL && !cli_can_write(s, v->history)))
        return cli_failed(s);
    return CLI_DONE;
}

/* ---- the run ---- */

/* For the signal handler. */
static heed_model           *running;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
    if (running != NULL)
        heed_interrupt(running);
    signal(SIGINT, SIG_DFL); /* asked again, it ends at once */
}

typedef struct fit_run {
    cli_session      *session;
    const fit_values *values;
    heed_model       *model;
    fit_data          data;
    cli_checkpoint    checkpoint;
    cli_history       history;
    cli_progress      progress;
    char              title[48];
    double            epoch_began, saved; /* when */
    heed_callback    *patience; /* early stopping, or NULL */
} fit_run;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* "loss 0.1234, accuracy 0.9", cut to size; returns text. */
static const char *describe(const heed_logs *logs, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < logs->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s %.4g", i == 0 ? "" : ", ", logs->names[i],
                                 logs->values[i]);
    return text;
}

/* Writes the run down, with so many batches of an epoch done; 0: none of the next. */
static heed_status save_run(fit_run *r, int64_t batch)
{
    r->checkpoint.batch = batch;
    r->saved = seconds_now();
    return cli_checkpoint_save(&r->checkpoint, r->model, &r->history);
}

static heed_status begin_epoch(void *user, heed_model *m, int epoch)
{
    fit_run *r = user;
    (void)m;
    snprintf(r->title, sizeof r->title, "epoch %d/%d", epoch + 1, (int)r->values->epochs);
    r->epoch_began = seconds_now();
    cli_progress_start(&r->progress, r->session, r->title, 1);
    return HEED_OK;
}

static heed_status end_batch(void *user, heed_model *m, int64_t batch, int64_t batches, const heed_logs *logs)
{
    fit_run *r = user;
    char text[200];
    (void)m;
    r->progress.total = (double)batches;
    cli_progress_update(&r->progress, (double)batch + 1, "%s", describe(logs, text, sizeof text));
    bool due = interrupted || seconds_now() - r->saved >= r->values->checkpoint_seconds;
    return due ? save_run(r, batch + 1) : HEED_OK;
}

static heed_status write_history(const fit_run *r)
{
    heed_writer *w;
    if (r->values->history == NULL)
        return HEED_OK;
    char *text = cli_history_text(&r->history);
    if (text == NULL)
        return HEED_ENOMEM;
    heed_status status = heed_writer_open(r->session->context, r->values->history, &w);
    if (status == HEED_OK) {
        heed_writer_write(w, text, strlen(text));
        status = heed_writer_commit(w);
        heed_writer_free(w);
    }
    free(text);
    return status;
}

static heed_status end_epoch(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    fit_run *r = user;
    char text[1024];
    (void)epoch;
    cli_progress_end(&r->progress);
    cli_note(r->session, "%s, %.1f s: %s", r->title, seconds_now() - r->epoch_began, describe(logs, text, sizeof text));
    if (!cli_history_add(&r->history, logs))
        return HEED_ENOMEM;
    heed_status status = save_run(r, 0);
    bool file = r->values->history != NULL && strcmp(r->values->history, "-") != 0;
    return status == HEED_OK && file ? write_history(r) : status;
}

/* Early stopping, which learns first what a resumed run had before. */
static heed_status begin_patience(void *user, heed_model *m)
{
    fit_run *r = user;
    heed_status status = r->patience->train_begin(r->patience->user, m);
    for (int row = 0; row < r->history.rows && status == HEED_OK; row++) {
        heed_logs logs = cli_history_row(&r->history, row);
        status = r->patience->epoch_end(r->patience->user, m, row, &logs);
    }
    return status;
}

static heed_status end_patience(void *user, heed_model *m, int epoch, const heed_logs *logs)
{
    fit_run *r = user;
    return r->patience->epoch_end(r->patience->user, m, epoch, logs);
}

static heed_status fit_with(fit_run *r, heed_callback *const *callbacks, int count)
{
    const fit_values *v = r->values;
    fit_data *d = &r->data;
    return heed_fit(r->model, &d->x, &d->y, .epochs = (int)v->epochs, .initial_epoch = r->history.rows,
                    .initial_batch = r->checkpoint.batch,
                    .batch_size = (int)v->batch_size, .no_shuffle = v->no_shuffle,
                    .validation_split = v->validation_split,
                    .validation_x = d->validation_x.count > 0 ? &d->validation_x : NULL,
                    .validation_y = &d->validation_y,
                    .validation_weight = d->validation_weight.count > 0 ? &d->validation_weight : NULL,
                    .sample_weight = d->weight.count > 0 ? &d->weight : NULL, .class_weight = d->class_weight,
                    .class_count = d->class_count, .callbacks = callbacks, .callback_count = count);
}

static heed_status train(fit_run *r)
{
    const fit_values *v = r->values;
    heed_context *c = r->session->context;
    bool validates = v->validation_split > 0 || v->validation_x.count > 0;
    heed_callback *own[3] = {NULL}, *callbacks[4];
    heed_callback patience = {.user = r, .train_begin = begin_patience, .epoch_end = end_patience};
    heed_callback watch = {.user = r, .epoch_begin = begin_epoch, .batch_end = end_batch, .epoch_end = end_epoch};
    int count = 0;
    heed_status status = heed_terminate_on_nan(c, &own[0]);
    if (status == HEED_OK && v->early_stopping > 0)
        status = heed_early_stopping(c, &own[1], .patience = (int)v->early_stopping,
                                     .monitor = v->monitor != NULL ? v->monitor : validates ? "val_loss" : "loss");
    if (status == HEED_OK && v->tensorboard != NULL)
        status = heed_tensorboard(c, v->tensorboard, &own[2]);
    r->patience = own[1];
    callbacks[count++] = own[0];
    if (own[1] != NULL)
        callbacks[count++] = &patience;
    if (own[2] != NULL)
        callbacks[count++] = own[2];
    callbacks[count++] = &watch; /* last: what it writes down includes what the others did */
    running = r->model;
    r->saved = seconds_now();
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    if (status == HEED_OK)
        status = fit_with(r, callbacks, count);
    running = NULL;
    cli_progress_end(&r->progress);
    for (int i = 0; i < 3; i++)
        heed_callback_free(own[i]);
    return status;
}

static int finish(fit_run *r, heed_status status)
{
    if (status == HEED_EINTERRUPTED && r->checkpoint.folder != NULL)
        return cli_error(CLI_FAILED, "the same command with --resume goes on", "%s", heed_error(r->session->context));
    if (status == HEED_OK)
        status = write_history(r);
    if (status == HEED_OK)
        status = heed_save_model(r->model, r->values->save);
    if (status != HEED_OK)
        return cli_failed(r->session);
    cli_note(r->session, "%s is written", r->values->save);
    return CLI_DONE;
}

/* The model of the file, or as the run left it. */
static int take_model(fit_run *r)
{
    cli_model_options again = {.path = r->checkpoint.path};
    return cli_model_load(r->session, r->checkpoint.found ? &again : &r->values->model, &r->model);
}

static int take_up(fit_run *r)
{
    r->checkpoint.rows = r->data.x.items[0].array->shape.dims[0];
    r->checkpoint.batch_size = r->values->batch_size;
    if (r->checkpoint.found)
        return cli_checkpoint_restore(&r->checkpoint, r->model, &r->history);
    int exit_status = cli_compile(r->session, r->model, &r->values->compile);
    return exit_status == CLI_DONE ? cli_checkpoint_begin(&r->checkpoint) : exit_status;
}

static int run(cli_session *s, const void *values)
{
    fit_run r = {.session = s, .values = values};
    int exit_status = check(s, r.values);
    if (exit_status == CLI_DONE)
        exit_status = cli_checkpoint_open(&r.checkpoint, s, r.values->checkpoint, r.values->resume);
    if (exit_status == CLI_DONE)
        exit_status = take_model(&r);
    if (exit_status == CLI_DONE)
        exit_status = load_data(s, r.values, r.model, &r.data);
    if (exit_status == CLI_DONE)
        exit_status = take_up(&r);
    if (exit_status == CLI_DONE)
        exit_status = finish(&r, train(&r));
    cli_checkpoint_close(&r.checkpoint);
    cli_history_free(&r.history);
    free_data(&r.data);
    heed_model_free(r.model);
    return exit_status;
}

const cli_command cli_fit = {
    .name = "fit",
    .purpose = "train a Keras model",
    .description = "Trains a model as Keras' fit does, with the optimizer, loss and metrics that its file was compiled "
                   "with or that are given here, going on from the optimizer's saved state.\n\n"
                   "With --checkpoint the run is saved after each epoch, each minute within one, and when it is stopped by "
                   "Ctrl-C. Whatever it was interrupted by, the same command with --resume goes on from there, and ends "
                   "with the same bits as a run that was never stopped.",
    .options = options,
    .values_size = sizeof(fit_values),
    .examples = examples,
    .run = run,
};
