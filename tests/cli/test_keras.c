/* heed predict, fit, evaluate and convert on files that Keras wrote, as people type them. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/files.h"
#include "heed/layers.h"
#include "support/background.h"
#include "support/command.h"
#include "support/files.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODELS HEED_FIXTURES "/models/"
#define TAGGER MODELS "tagger_trained_keras3.keras"
#define ENDS MODELS "two_ends_trained_keras3.keras"
#define ENDS_TF MODELS "two_ends_trained_tfkeras.keras"

static heed_context *context;

/* ---- arrays of the fixtures as files of their own ---- */

static void load(const char *path, heed_arrays *out)
{
    if (heed_arrays_load(context, path, out) != HEED_OK)
        fail_msg("%s", heed_error(context));
}

/* Saves arrays of `from` under other names: "x0=features,..." */
static void save_as(const heed_arrays *from, const char *names, const char *path)
{
    heed_arrays out = {.context = context};
    char text[200], *rest = NULL;
    snprintf(text, sizeof text, "%s", names);
    for (char *pair = strtok_r(text, ",", &rest); pair != NULL; pair = strtok_r(NULL, ",", &rest)) {
        char *sign = strchr(pair, '=');
        *sign = '\0';
        const heed_array *a = heed_arrays_get(from, pair);
        heed_array *copy;
        assert_non_null(a);
        assert_int_equal(heed_array_convert(context, a, a->dtype, &copy), HEED_OK);
        assert_int_equal(heed_arrays_add(&out, sign + 1, copy), HEED_OK);
    }
    if (heed_arrays_save(&out, path) != HEED_OK)
        fail_msg("%s", heed_error(context));
    heed_arrays_free(&out);
}

/* Takes the array over. */
static void save_one(heed_array *a, const char *path)
{
    heed_arrays one = {.context = context};
    assert_int_equal(heed_arrays_add(&one, "whatever", a), HEED_OK);
    assert_int_equal(heed_arrays_save(&one, path), HEED_OK);
    heed_arrays_free(&one);
}

static void save_converted(const heed_array *a, heed_dtype dtype, const char *path)
{
    heed_array *copy;
    assert_int_equal(heed_array_convert(context, a, dtype, &copy), HEED_OK);
    save_one(copy, path);
}

/* The rows of an array again and again. */
static void save_repeated(const heed_array *a, int64_t times, const char *path)
{
    heed_array *many;
    heed_shape  shape = a->shape;
    shape.dims[0] *= times;
    assert_int_equal(heed_array_create(context, a->dtype, &shape, &many), HEED_OK);
    size_t size = (size_t)heed_array_count(a) * heed_dtype_size(a->dtype);
    for (int64_t i = 0; i < times; i++)
        memcpy((char *)many->data + (size_t)i * size, a->data, size);
    save_one(many, path);
}

static void check_near(const heed_array *a, const heed_array *b, double tolerance)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_true(heed_shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < heed_array_count(a); i++) {
        double x = ((const float *)a->data)[i], y = ((const float *)b->data)[i];
        if (!(fabs(x - y) <= tolerance * fmax(1, fabs(y))))
            fail_msg("element %lld: %g, expected %g", (long long)i, x, y);
    }
}

/* The files of the whole program: x.npz, y.npz (targets), with the names that the models have. */
static int write_files(void **state)
{
    (void)state;
    heed_arrays tagger, ends;
    load(TAGGER ".npz", &tagger);
    load(ENDS ".npz", &ends);
    const heed_array *x = heed_arrays_get(&tagger, "x0");
    save_as(&tagger, "x0=words", "words.npz");
    save_as(&tagger, "t0=tags", "tags.npz");
    save_repeated(x, 2000, "many_words.npz");
    save_repeated(heed_arrays_get(&tagger, "t0"), 2000, "many_tags.npz");
    save_as(&ends, "x0=features", "features.npz");
    save_as(&ends, "t0=left,t1=right", "targets.npz");
    save_as(&ends, "t0=left", "left.npy");
    save_as(&ends, "t1=right", "right.csv");
    save_converted(x, HEED_INT32, "i4.npy");
    save_converted(x, HEED_INT64, "i8.npy");
    save_converted(x, HEED_FLOAT32, "f4.npz");
    save_converted(x, HEED_FLOAT64, "f8.npy");
    save_converted(x, HEED_UINT8, "a name with spaces.npy");
    save_converted(x, HEED_INT32, "i4.csv");
    heed_arrays_free(&tagger);
    heed_arrays_free(&ends);
    return 0;
}

static int remove_files(void **state)
{
    heed_test_run("rm -rf *.npz *.npy *.csv *.keras *.h5 *.json *.svg run.tmp log.tmp");
    return heed_test_forget_command(state);
}

/* ---- predict ---- */

static void test_predict(void **state)
{
    (void)state;
    heed_arrays expected, found;
    heed_test_prints("heed predict " TAGGER " --input i4.npy --output y.npz", "");
    load(TAGGER ".npz", &expected);
    load("y.npz", &found);
    assert_int_equal(found.count, 1);
    check_near(heed_arrays_get(&found, "tags"), heed_arrays_get(&expected, "y0"), 1e-4);
    heed_arrays_free(&expected);
    heed_arrays_free(&found);
    static const char *const same[] = {
        "heed predict " TAGGER " --input i8.npy -o again.npz",
        "heed predict " TAGGER " --input f4.npz -o again.npz --batch-size 1",
        "heed predict " TAGGER " --input f8.npy -o again.npz --batch-size 3",
        "heed predict " TAGGER " --input 'a name with spaces.npy' -o again.npz --threads 1",
        "heed predict " TAGGER " --input i4.csv -o again.npz --batch-size 2",
        "heed predict " TAGGER " --input ./i4.csv -o - >again.npz",
        "heed predict " TAGGER " --input - -o again.npz <i4.csv",
        "heed predict " TAGGER " --input - -o again.npz <i8.npy",
        "cat f4.npz | heed predict " TAGGER " --input - -o again.npz",
        "heed predict " TAGGER " --input whatever=- -o again.npz <i4.npy",
        "heed predict " MODELS "tagger_trained_keras3.h5 --input i4.npy -o again.npz",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char line[400];
        snprintf(line, sizeof line, "rm -f again.npz; %s && cmp y.npz again.npz", same[i]);
        heed_test_prints(line, "");
    }
}

static void test_several_outputs(void **state)
{
    (void)state;
    heed_arrays expected, found;
    heed_test_prints("heed predict " ENDS " --input features.npz --output y.npz --batch-size 3", "");
    load(ENDS ".npz", &expected);
    load("y.npz", &found);
    assert_int_equal(found.count, 2);
    check_near(heed_arrays_get(&found, "left"), heed_arrays_get(&expected, "y0"), 1e-4);
    check_near(heed_arrays_get(&found, "right"), heed_arrays_get(&expected, "y1"), 1e-4);
    heed_arrays_free(&expected);
    heed_arrays_free(&found);
    heed_test_fails("heed predict " ENDS " --input features.npz -o y.csv", 1,
                    "heed: y.csv: it takes one array (found 2)\nhint: write them to an .npz\n");
}

static void test_attention(void **state)
{
    (void)state;
    heed_arrays all, weights;
    load(MODELS "translator_keras3.keras.npz", &all);
    save_as(&all, "x0=source,x1=target", "both.npz");
    save_as(&all, "x0=source", "source.npy");
    save_as(&all, "x1=target", "target.npy");
    heed_arrays_free(&all);
    heed_test_prints("heed predict " MODELS "translator_keras3.keras --input both.npz -o y.npz --attention w.npz", "");
    heed_test_prints("heed predict " MODELS "translator_keras3.keras --input source.npy --input target.npy -o z.npz && "
                     "heed predict " MODELS "translator_keras3.keras --input target=target.npy "
                     "--input source=source.npy -o z2.npz --batch-size 1 && cmp y.npz z.npz && cmp y.npz z2.npz", "");
    load("w.npz", &weights);
    assert_int_equal(weights.count, 1);
    const heed_array *w = heed_arrays_get(&weights, "attend");
    assert_non_null(w);
    assert_true(heed_shape_equal(&w->shape, &(heed_shape){3, {4, 3, 5}}));
    for (int row = 0; row < 12; row++) {
        double sum = 0;
        for (int k = 0; k < 5; k++)
            sum += ((const float *)w->data)[row * 5 + k];
        assert_true(fabs(sum - 1) < 1e-5);
    }
    heed_arrays_free(&weights);
}

static void test_predict_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int         status;
        const char *error;
    } cases[] = {
        {TAGGER " -o y.npz", 2, "--input is missing\nhint: heed predict --help lists arguments and options"},
        {TAGGER " --input none.npy -o y.npz", 1, "none.npy: cannot open: No such file or directory"},
        {TAGGER " --input . -o y.npz", 1, ".: cannot read: it is a directory"},
        {TAGGER " --input /dev/null -o y.npz", 1, "/dev/null: not a file of arrays (expected .npy, .npz or .csv)"},
        {TAGGER " --input empty.csv -o y.npz", 1, "empty.csv: no numbers in it"},
        {TAGGER " --input =i4.npy -o y.npz", 2, "--input: not a file (expected FILE or NAME=FILE, found \"=i4.npy\")"},
        {TAGGER " --input - --input a=- -o y.npz", 2, "--input: standard input can be read once only"},
        {TAGGER " --input i4.npy -o y.txt", 2,
         "y.txt: what to write is not clear (expected a name in .npy, .npz or .csv)"},
        {TAGGER " --input i4.npy -o no/y.npz", 1, "no/y.npz: cannot write: No such file or directory"},
        {TAGGER " --input i4.npy -o y.csv", 1,
         "y.csv: an array of shape (4, 5, 4) (expected at most 2 dimensions)\nhint: write it as .npy or .npz"},
        {TAGGER " --input i4.npy -o y.npz --attention y.npz", 2, "y.npz: cannot be both --output and --attention"},
        {ENDS " --input i4.npy -o y.npz", 1,
         "two_ends: the shape of input 'features' does not fit (expected (None, 3), found (4, 5))"},
        {ENDS " --input features.npz --input features=features.npz -o y.npz", 1,
         "--input: two arrays are called \"features\"\nhint: NAME=FILE gives an array another name"},
        {ENDS " --input features.npz --input i4.npy -o y.npz", 1, "two_ends: there is no input 'i4'"},
        {ENDS " --input x=targets.npz -o y.npz", 1,
         "targets.npz: it holds 2 arrays (expected one, to be called \"x\")\n"
         "hint: give the .npz without a name: it has names of its own"},
        {MODELS "translator_keras3.keras --input source.npy -o y.npz", 1,
         "translator: input 'target' is missing (found source)"},
        {"none.keras --input i4.npy -o y.npz", 1, "none.keras: cannot open: No such file or directory"},
    };
    heed_test_run(": >empty.csv; rm -f y.npz");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512], error[512];
        snprintf(line, sizeof line, "heed predict %s", cases[i].arguments);
        snprintf(error, sizeof error, "heed: %s\n", cases[i].error);
        heed_test_fails(line, cases[i].status, error);
    }
    assert_false(heed_test_exists("y.npz"));
}

/* ---- more rows than memory ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
enum { WIDTH = 1 << 16, ROWS = 1024 };

static void write_wide_model(const char *path)
{
    heed_model *m = heed_sequential(context, "wide");
    heed_input(m, .name = "x", .shape = {1, {WIDTH}});
    heed_add(m, heed_dense(.units = 1, .kernel_initializer = "ones", .bias_initializer = "ones"));
    if (heed_save(m, path) != HEED_OK)
        fail_msg("%s", heed_error(context));
    heed_model_free(m);
}

/* 256 MB of zeros that take no room on the disk. */
static void write_sparse(const char *path)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1024, 65536), }";
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\1\0\166\0", 10);
    memcpy(header + 10, text, strlen(text));
    header[127] = '\n';
    assert_int_equal(fwrite(header, 1, 128, f), 128);
    assert_int_equal(fflush(f), 0);
    assert_int_equal(ftruncate(fileno(f), 128 + (off_t)ROWS * WIDTH * 4), 0);
    assert_int_equal(fclose(f), 0);
}
#endif

/* The process may have 160 MB in all, the file has 256. */
static void test_larger_than_memory(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip(); /* sanitizers take more address space than there is */
#else
    heed_arrays y;
    write_wide_model("wide.keras");
    write_sparse("wide.npy");
    heed_test_prints("ulimit -v 160000; heed predict wide.keras --input wide.npy -o y.npy --threads 1 --quiet", "");
    load("y.npy", &y);
    assert_true(heed_shape_equal(&y.items[0].array->shape, &(heed_shape){2, {ROWS, 1}}));
    for (int i = 0; i < ROWS; i++)
        assert_true(((const float *)y.items[0].array->data)[i] == 1.0f);
    heed_arrays_free(&y);
    /* the limit is one: at once, it does not fit */
    assert_int_equal(
        heed_test_run("ulimit -v 160000; heed predict wide.keras --input wide.npy -o y.npy --batch-size 1024"), 1);
    assert_int_equal(strncmp(heed_test_err, "heed: out of memory", 19), 0);
#endif
}

/* ---- evaluate and fit ---- */

static void test_evaluate(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed evaluate " ENDS " --x features.npz --y targets.npz --json"), 0);
    double loss, left, right;
    assert_int_equal(sscanf(heed_test_out, "{\"loss\": %lf, \"left_loss\": %lf, \"right_loss\": %lf}", &loss, &left,
                            &right), 3);
    assert_true(fabs(left + 0.5 * right - loss) < 1e-4);
    assert_int_equal(heed_test_run("heed evaluate " ENDS " --x features.npz --y left=left.npy --y right=right.csv "
                                   "--loss left=mae --loss right=mae --metrics right=mse --json"), 0);
    assert_non_null(strstr(heed_test_out, "\"right_mse\": "));
    heed_test_fails("heed evaluate " ENDS " --x features.npz --y left.npy", 1,
                    "heed: two_ends: target 'right' is missing (found left)\n");
    heed_test_fails("heed evaluate " MODELS "translator_keras3.keras --x both.npz --y tags.npz", 1,
                    "heed: translator: the model is not compiled, and no --loss is given\n"
                    "hint: --loss says what to make small, --optimizer how\n");
    heed_test_fails("heed evaluate " ENDS " --x features.npz --y targets.npz --loss middle=mae", 2,
                    "heed: --loss: the model has no output 'middle'\n");
}

/* The column of a name in a history file. */
static double history_value(const char *path, const char *name, int epoch)
{
    char *text = heed_test_read_file(path, NULL), *rest = NULL, *line = strtok_r(text, "\n", &rest), *row = NULL;
    int column = -1, at = 0;
    for (char *field = strtok_r(line, ",", &row); field != NULL; field = strtok_r(NULL, ",", &row), at++)
        if (strcmp(field, name) == 0)
            column = at;
    assert_true(column > 0);
    for (int i = 0; i <= epoch; i++)
        assert_non_null(line = strtok_r(NULL, "\n", &rest));
    for (at = 0; at < column; at++)
        line = strchr(line, ',') + 1;
    double value = atof(line);
    free(text);
    return value;
}

static void check_curve(const char *history, const char *fixture)
{
    heed_arrays expected;
    load(fixture, &expected);
    static const char *const names[] = {"loss", "left_loss", "right_loss"};
    for (int k = 0; k < 3; k++) {
        char name[40];
        snprintf(name, sizeof name, "h_%s", names[k]);
        const heed_array *a = heed_arrays_get(&expected, name);
        for (int epoch = 0; epoch < 3; epoch++)
            assert_true(fabs(history_value(history, names[k], epoch) - ((const double *)a->data)[epoch]) < 1e-3);
    }
    heed_arrays_free(&expected);
}

#define FIT_ENDS " --x features.npz --y targets.npz --batch-size 2 --quiet"

/* Three epochs behind those that Keras did before it saved the file, as Keras goes on. */
static void test_fit_goes_on(void **state)
{
    (void)state;
    heed_test_prints("heed fit " ENDS FIT_ENDS " --no-shuffle --epochs 3 --save out.keras --history h.csv", "");
    check_curve("h.csv", ENDS ".npz");
    heed_test_prints("heed fit " ENDS_TF FIT_ENDS " --no-shuffle --epochs 3 --save out.keras --history h.csv", "");
    check_curve("h.csv", ENDS_TF ".npz");
    /* two epochs, a file, and one more are three epochs */
    heed_test_prints("heed fit " ENDS FIT_ENDS " --no-shuffle --epochs 3 --save out.keras &&"
                     "heed fit " ENDS FIT_ENDS " --no-shuffle --epochs 2 --save two.keras &&"
                     "heed fit two.keras" FIT_ENDS " --no-shuffle --epochs 1 --save three.keras && "
                     "cmp out.keras three.keras", "");
}

/* ---- runs that are stopped: "fit ..." and further options ---- */

static void run_whole(const char *fit, const char *more)
{
    char line[1600];
    snprintf(line, sizeof line, "rm -rf run.tmp; heed %s %s --save whole.keras --history whole.csv", fit, more);
    heed_test_prints(line, "");
}

/* The run that was saved ends as the whole one did, to the bit. */
static void check_goes_on(const char *fit, const char *more)
{
    char line[1600];
    snprintf(line, sizeof line, "heed %s %s --save part.keras --history part.csv --checkpoint run.tmp --resume && "
             "cmp whole.keras part.keras && cmp whole.csv part.csv", fit, more);
    heed_test_prints(line, "");
}

/* A run that is stopped and goes on ends with the same bits, whatever it was stopped for. */
static void test_resume(void **state)
{
    (void)state;
    static const char fit[] = "fit " TAGGER " --x words.npz --y tags.npz --batch-size 1 --quiet --seed 7 "
                              "--early-stopping 3 --validation-split 0.5";
    char line[1200];
    run_whole(fit, "--epochs 6");
    snprintf(line, sizeof line, "heed %s --epochs 2 --save part.keras --checkpoint run.tmp --resume", fit);
    heed_test_prints(line, "");
    snprintf(line, sizeof line, "heed %s --epochs 4 --save part.keras --checkpoint run.tmp --resume", fit);
    heed_test_prints(line, "");
    check_goes_on(fit, "--epochs 6");
    snprintf(line, sizeof line, "heed %s --epochs 6 --save part.keras --checkpoint run.tmp", fit);
    heed_test_fails(line, 1, "heed: run.tmp/fit.keras: a run is saved there\n"
                             "hint: --resume goes on with it; to begin anew, remove it\n");
    snprintf(line, sizeof line, "heed %s --epochs 6 --save part.keras --checkpoint run.tmp --resume --seed 8", fit);
    heed_test_fails(line, 1, "heed: run.tmp/fit.keras: not the run that was begun (expected seed 7, found 8)\n");
    snprintf(line, sizeof line, "heed %s --epochs 6 --save part.keras --resume", fit);
    heed_test_fails(line, 2, "heed: --resume: --checkpoint DIR says from where\n");
    heed_test_fails("heed fit " TAGGER " --x none.npz --y tags.npz --checkpoint empty.tmp --save part.keras", 1,
                    "heed: none.npz: cannot open: No such file or directory\n");
    heed_test_prints("ls -d empty.tmp 2>/dev/null || true", ""); /* nothing is left of a run that could not begin */
}

/* Killed again and again, within epochs too, a run ends with the same bits. */
static void test_killed(void **state)
{
    (void)state;
    static const char fit[] = "fit " TAGGER " --x words.npz --y tags.npz --batch-size 1 --quiet --seed 7 --epochs 120 "
                              "--metrics accuracy --validation-split 0.5";
    char line[1600];
    run_whole(fit, "");
    for (int kills = 0; kills < 4; kills++) {
        snprintf(line, sizeof line,
                 "\"$HEED_BINARY\" %s --save part.keras --history part.csv --checkpoint run.tmp --checkpoint-seconds 0 --resume "
                 "& p=$!; sleep 0.%d; kill -%s $p 2>/dev/null; wait $p; true", fit, 1 + kills, kills == 2 ? "INT" : "KILL");
        assert_int_equal(heed_test_run(line), 0);
    }
    check_goes_on(fit, "");
}

/* Killed before an epoch ended, too: when there is nothing yet in its history. */
static void test_killed_at_first(void **state)
{
    (void)state;
    static const char fit[] = "fit " TAGGER " --x many_words.npz --y many_tags.npz --batch-size 1 --quiet --seed 7";
    char line[1200];
    run_whole(fit, "");
    snprintf(line, sizeof line, "%s --save part.keras --checkpoint run.tmp --checkpoint-seconds 0", fit);
    pid_t child = heed_test_start_quietly(line);
    int   status = 0;
    assert_false(heed_test_wait_for_new_file(child, "run.tmp/fit.keras", &status));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    check_goes_on(fit, "");
}

/* Asked to stop, it finishes the step and says how to go on; what was saved stays. */
static void test_interrupt(void **state)
{
    (void)state;
    static const char line[] =
        "rm -rf run.tmp; \"$HEED_BINARY\" fit " TAGGER " --x words.npz --y tags.npz --quiet --epochs 1000000 "
        "--checkpoint run.tmp --save never.keras & p=$!; while [ ! -e run.tmp/fit.keras ]; do sleep 0.05; done; "
        "kill -TERM $p; wait $p";
    assert_int_equal(heed_test_run(line), 1);
    assert_int_equal(strncmp(heed_test_err, "heed: small_tagger: training was stopped on request after ", 58), 0);
    assert_non_null(strstr(heed_test_err, "\nhint: the same command with --resume goes on\n"));
    assert_false(heed_test_exists("never.keras"));
    assert_true(heed_test_exists("run.tmp/fit.keras"));
}

static void test_fit_options(void **state)
{
    (void)state;
    /* other settings, and what is left out stays */
    assert_int_equal(heed_test_run("heed fit " ENDS FIT_ENDS " --optimizer 'adam(learning_rate=cosine_decay(0.1, 9))' "
                                   "--learning-rate 0.01 --metrics left=mae,right=mse --save out.keras "
                                   "--history h.csv"), 0);
    assert_string_equal(heed_test_err, "");
    assert_true(history_value("h.csv", "left_mae", 0) > 0);
    assert_true(history_value("h.csv", "right_mse", 0) > 0);
    heed_test_fails("heed fit " ENDS FIT_ENDS " --sample-weight none.csv --save w.keras", 1,
                    "heed: none.csv: cannot open: No such file or directory\n");
    heed_test_fails("heed fit " ENDS FIT_ENDS " --class-weight 0=1,1=5 --save w.keras", 1,
                    "heed: two_ends: class weights are for models with one output (found 2)\n");
    heed_test_fails("heed fit " ENDS FIT_ENDS " --class-weight 0:1 --save w.keras", 2,
                    "heed: --class-weight: expected CLASS=WEIGHT with commas between, found \"0:1\"\n");
    heed_test_fails("heed fit " ENDS FIT_ENDS " --validation-x features.npz --save w.keras", 2,
                    "heed: --validation-x and --validation-y go together\nhint: see heed fit --help\n");
    assert_int_equal(heed_test_run("heed fit " ENDS FIT_ENDS " --learning-rate 1e9 --epochs 20 --save diverged.keras"),
                     1);
    assert_int_equal(strncmp(heed_test_err, "heed: two_ends: the loss is ", 28), 0);
    assert_false(heed_test_exists("diverged.keras"));
    /* a line an epoch where nobody watches */
    assert_int_equal(heed_test_run("heed fit " ENDS " --x features.npz --y targets.npz --epochs 2 --save out.keras"),
                     0);
    assert_non_null(strstr(heed_test_err, "epoch 1/2, "));
    assert_non_null(strstr(heed_test_err, "epoch 2/2, "));
    assert_non_null(strstr(heed_test_err, "out.keras is written\n"));
}

/* Weights of classes are those of their rows. */
static void test_class_weights(void **state)
{
    (void)state;
    heed_model *m = heed_sequential(context, "classes");
    heed_input(m, .name = "x", .shape = {1, {3}});
    heed_add(m, heed_dense(.units = 3, .activation = "softmax"));
    assert_int_equal(heed_compile(m, .loss = "sparse_categorical_crossentropy", .optimizer = "sgd"), HEED_OK);
    assert_int_equal(heed_save(m, "classes.keras"), HEED_OK);
    heed_model_free(m);
    static const char fit[] = "heed fit classes.keras --x features.npz --y classes.csv --epochs 3 --quiet --save ";
    char line[700];
    snprintf(line, sizeof line, "printf '0\\n2\\n1\\n0\\n' >classes.csv; printf '2.5\\n1\\n0.5\\n2.5\\n' >weights.csv; "
             "%sa.keras --class-weight 0=2.5,1=0.5 --history a.csv && %sb.keras --sample-weight weights.csv "
             "--history b.csv && cmp a.keras b.keras && cmp a.csv b.csv", fit, fit);
    heed_test_prints(line, "");
    snprintf(line, sizeof line, "%sc.keras --history c.csv; cmp -s a.csv c.csv", fit);
    assert_int_equal(heed_test_run(line), 1);
}

static void test_tensorboard(void **state)
{
    (void)state;
    heed_test_prints("rm -rf log.tmp; "
                     "heed fit " ENDS FIT_ENDS " --epochs 3 --validation-split 0.5 --tensorboard log.tmp/a "
                     "--save o.keras && "
                     "ls log.tmp/a && cat log.tmp/a/*/events* | tr -cd 'a-z_' | grep -o 'epoch_loss' | wc -l",
                     "train\nvalidation\n6\n");
}

/* ---- convert ---- */

static void test_convert(void **state)
{
    (void)state;
    static const char *const roads[] = {
        "heed convert " TAGGER " a.npz && heed convert " TAGGER " a.keras --weights a.npz && "
        "heed convert a.keras b.npz",
        "heed convert " TAGGER " a.json && heed convert " TAGGER " a.weights.h5 && "
        "heed convert a.json b.npz --weights a.weights.h5",
        "heed convert " MODELS "tagger_trained_keras3.h5 b.npz",
        "heed convert " TAGGER " a.h5 && heed convert a.h5 b.npz",
        "heed convert " TAGGER " a.h5 --keras 2 && heed convert a.h5 b.npz",
        "heed convert " TAGGER " a.keras --keras 2 && heed convert a.keras b.npz",
    };
    for (size_t i = 0; i < sizeof roads / sizeof *roads; i++) {
        char line[700];
        snprintf(line, sizeof line, "rm -f b.npz; %s && cmp a.npz b.npz", roads[i]);
        heed_test_prints(line, "");
    }
    heed_test_prints("heed convert " TAGGER " a.h5 && heed convert a.h5 b.keras && heed convert " TAGGER " c.keras && "
                     "cmp b.keras c.keras", "");
    heed_test_prints("heed convert " TAGGER " a.keras --set embed.mask_zero=False && "
                     "! heed summary a.keras --json | grep mask", "");
    heed_test_fails("heed convert " TAGGER " b.keras --set none.units=3", 1,
                    "heed: none.units=3: there is no such layer\n");
    heed_test_fails("heed convert " TAGGER " b.keras --set units=3", 2,
                    "heed: --set: expected LAYER.OPTION=VALUE, found \"units=3\"\n");
    heed_test_fails("heed convert " TAGGER " no/b.keras", 1,
                    "heed: no/b.keras: cannot write: No such file or directory\n");
    heed_test_fails("heed convert " TAGGER, 2,
                    "heed: OUT is missing\nhint: heed convert --help lists arguments and options\n");
}

/* ---- summary ---- */

static void test_summary(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed summary " TAGGER " --memory 32,20"), 0);
    static const char *const told[] = {
        "Model: \"small_tagger\"\n", "\nMasks: made by embed; passed on by gru, tags\n",
        "  embed                Embedding(input_dim=9, output_dim=4, mask_zero=True)\n", "\ntraining  ",
        "\noptimizer  "};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (strstr(heed_test_out, told[i]) == NULL)
            fail_msg("not in the summary: %s", told[i]);
    assert_int_equal(heed_test_run("heed summary " MODELS "translator_keras3.h5 --json --graph g.svg"), 0);
    static const char *const keys[] = {
        "\"inputs\": [{\"name\": \"source\", \"dtype\": \"int32\", \"shape\": [null, null]}", "\"attention\": true",
        "{\"name\": \"symbols\", \"dtype\": \"float32\", \"shape\": [null, null, 6]}",
        "\"inputs\": [\"decoder\", \"encoder\"]"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strstr(heed_test_out, keys[i]) == NULL)
            fail_msg("not in the object: %s", keys[i]);
    char *svg = heed_test_read_file("g.svg", NULL);
    assert_non_null(strstr(svg, ">AdditiveAttention<"));
    assert_non_null(strstr(svg, ">(None, None, 6)<"));
    free(svg);
    heed_test_fails("heed summary " TAGGER " --memory 32", 2,
                    "heed: --memory: expected BATCH,LENGTH, two whole numbers from 1 on, found \"32\"\n");
    heed_test_fails("heed summary " TAGGER " --graph g.txt", 1,
                    "heed: g.txt: a diagram cannot be text (expected a name ending in .png, .svg or .pdf)\n");
}

int main(void)
{
    if (!heed_test_has_command() || heed_context_create(NULL, &context) != HEED_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_several_outputs),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_predict_refuses),
        cmocka_unit_test(test_larger_than_memory),
        cmocka_unit_test(test_evaluate),
        cmocka_unit_test(test_fit_goes_on),
        cmocka_unit_test(test_resume), cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_at_first),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_fit_options),
        cmocka_unit_test(test_class_weights),
        cmocka_unit_test(test_tensorboard),
        cmocka_unit_test(test_convert),
        cmocka_unit_test(test_summary),
    };
    int failed = cmocka_run_group_tests(tests, write_files, remove_files);
    heed_context_free(context);
    return failed;
}
