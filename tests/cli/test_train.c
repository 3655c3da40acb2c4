/* heed train as a user meets it: killed, interrupted, short of space, fed with nonsense; and what it shows meanwhile. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "support/background.h"
#include "support/command.h"
#include "support/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TINY "--set units=4 --set embedding=4 --set target_embedding=4 --set output_units=4 --set batch_size=8"
#define OFTEN "--checkpoint-seconds 1e-6" /* after each step */
#define CHECKPOINT "run/checkpoint.keras"

static void must_run(const char *line)
{
    if (heed_test_run(line) != 0)
        fail_msg("%s\n%s", line, heed_test_err);
}

static void check_same(const char *a, const char *b)
{
    char line[256];
    snprintf(line, sizeof line, "cmp %s %s", a, b);
    heed_test_prints(line, "");
}

static int make_pairs(void **state)
{
    (void)state;
    must_run("rm -rf *.keras* run; heed dates 60 --seed 1 --locales en,fr >pairs.tsv; "
             "heed dates 5 --seed 2 --locales en,fr >few.tsv");
    return 0;
}

static int remove_all(void **state)
{
    must_run("rm -rf *.keras* run *.tsv *.txt");
    return heed_test_forget_command(state);
}

/* ---- killed */

/* A run that is killed or interrupted again and again, at any moment, ends with the same bytes as one that was left alone. */
static void test_killed_runs_end_with_the_same_bytes(void **state)
{
    (void)state;
    enum { KILLS = 8 };
    static const int signals[] = {SIGKILL, SIGKILL, SIGKILL, SIGINT, SIGTERM};
    must_run("heed train pairs.tsv --validation few.tsv --save straight.keras --steps 120 --threads 2 " TINY);
    must_run("rm -rf run");
    heed_random r = {.seed = 7};
    int status = 0;
    for (int kills = 0; kills < KILLS; kills++) {
        char line[512];
        snprintf(line, sizeof line, "train pairs.tsv --validation few.tsv --save killed.keras --steps 120 --threads %u "
                 "--checkpoint run --resume " OFTEN " " TINY, 1 + heed_random_below(&r, 3));
        pid_t child = heed_test_start_quietly(line);
        /* now and then before anything is saved, else in the midst of a step or of saving */
        bool ended = kills % 4 != 0 && heed_test_wait_for_new_file(child, CHECKPOINT, &status);
        if (ended)
            break;
        heed_test_nap((long)heed_random_below(&r, 12));
        kill(child, signals[heed_random_below(&r, 5)]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) <= 1);
    }
    must_run("heed train pairs.tsv --validation few.tsv --save killed.keras --steps 120 --threads 3 --checkpoint run --resume " TINY);
    check_same("straight.keras", "killed.keras");
    /* nothing is left of the checkpoints that were under way, and a run that is over may be resumed to save it again */
    heed_test_prints("ls run", "checkpoint.keras\n");
    must_run("rm killed.keras; heed train pairs.tsv --validation few.tsv --save killed.keras --checkpoint run --resume");
    check_same("straight.keras", "killed.keras");
    must_run("rm -r run");
}

/* Ctrl-C: the step is finished, the run saved, and the way on told. */
static void test_interrupt(void **state)
{
    (void)state;
    static const char endless[] = "train pairs.tsv --save endless.keras --steps 100000000 " OFTEN " " TINY;
    static const int signals[] = {SIGINT, SIGTERM};
    static const char saved[] = "endless.keras.checkpoint/checkpoint.keras";
    for (int i = 0; i < 2; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s%s", endless, i > 0 ? " --resume" : "");
        int status;
        pid_t child = heed_test_start_quietly(line);
        assert_false(heed_test_wait_for_new_file(child, saved, &status));
        kill(child, signals[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        char *said = heed_test_read_file("cli_err.txt", NULL);
        const char *error = strstr(said, "heed: training was interrupted after step ");
        assert_non_null(error);
        assert_non_null(strstr(error,
                               "\nhint: it goes on from there with the same command and --resume; the run is saved in "
                                      "endless.keras.checkpoint\n"));
        free(said);
        assert_false(heed_test_exists("endless.keras"));
    }
    /* a run is not lost by forgetting --resume, nor continued as what it was not */
    heed_test_fails("heed train pairs.tsv --save endless.keras --steps 5", 1,
                    "heed: endless.keras.checkpoint/checkpoint.keras: a run is saved there\n"
                    "hint: --resume goes on with it; to begin anew, remove it\n");
    heed_test_fails("heed train pairs.tsv --save endless.keras --steps 5 --resume", 2,
                    "heed: endless.keras.checkpoint/checkpoint.keras: not the run that was begun "
                    "(expected 100000000 steps of training, found 5)\n");
    heed_test_fails("heed train few.tsv --save endless.keras --resume --quiet", 2,
                    "heed: endless.keras.checkpoint/checkpoint.keras: not the run that was begun "
                    "(expected 60 pairs to learn from, found 5)\n");
    heed_test_fails("heed train pairs.tsv --save endless.keras --resume --set units=5", 2,
                    "heed: endless.keras.checkpoint/checkpoint.keras: the run was begun with another recipe or other settings\n"
                    "hint: give the same, or none: the checkpoint knows them\n");
    must_run("rm -r endless.keras.checkpoint");
}

/* ---- no space */

static void test_full_disk(void **state)
{
    (void)state;
    must_run("heed train pairs.tsv --save straight.keras --steps 20 " TINY);
    /* while the run is saved: the first time, then over what was saved before */
    heed_test_fails("trap '' XFSZ; ulimit -f 8; heed train pairs.tsv --quiet --save full.keras --steps 20 --checkpoint run " TINY, 1,
                    "heed: " CHECKPOINT ": cannot write: Write error: File too large\n");
    assert_false(heed_test_exists("full.keras"));
    assert_false(heed_test_exists("run"));
    /* at the end: the run is kept, and saved when there is space */
    must_run("ln -s /dev/full full.keras");
    heed_test_fails("heed train pairs.tsv --quiet --save full.keras --steps 20 " TINY, 1,
                    "heed: full.keras: cannot write: No space left on device\n");
    heed_test_prints("ls full.keras.checkpoint", "checkpoint.keras\n");
    must_run("rm full.keras; heed train pairs.tsv --save full.keras --steps 20 --resume " TINY);
    check_same("straight.keras", "full.keras");
    assert_false(heed_test_exists("full.keras.checkpoint"));
}

static void test_full_disk_keeps_the_checkpoint(void **state)
{
    (void)state;
    int status;
    pid_t child = heed_test_start_quietly("train pairs.tsv --save full.keras --steps 100000000 --checkpoint run " OFTEN " " TINY);
    assert_false(heed_test_wait_for_new_file(child, CHECKPOINT, &status));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    must_run("cp " CHECKPOINT " before.keras");
    heed_test_fails("trap '' XFSZ; ulimit -f 8; heed train pairs.tsv --quiet --save full.keras --checkpoint run --resume " OFTEN, 1,
                    "heed: " CHECKPOINT ": cannot write: Write error: File too large\n");
    check_same(CHECKPOINT, "before.keras");
    heed_test_prints("ls run", "checkpoint.keras\n");
    child = heed_test_start_quietly("train pairs.tsv --save full.keras --checkpoint run --resume " OFTEN);
    assert_false(heed_test_wait_for_new_file(child, CHECKPOINT, &status)); /* it goes on */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    must_run("rm -r run");
}

/* ---- divergence */

static void test_divergence(void **state)
{
    (void)state;
    static const char line[] = "heed train pairs.tsv --quiet --save wild.keras --steps 1000 --checkpoint run --resume --set learning_rate=1e6 "
                               "--set warmup_steps=0 " OFTEN " " TINY;
    assert_int_equal(heed_test_run(line), 1);
    assert_ptr_equal(strstr(heed_test_err, "heed: training diverged at step "), heed_test_err);
    assert_non_null(strstr(heed_test_err, ")\nhint: try a smaller learning rate: --set learning_rate=333333\n"));
    char *first = heed_test_err;
    heed_test_err = NULL;
    must_run("cp " CHECKPOINT " before.keras");
    heed_test_fails(line, 1, first);
    free(first);
    check_same(CHECKPOINT, "before.keras");
    assert_false(heed_test_exists("wild.keras"));
    must_run("rm -r run");
    /* no checkpoint, no directory */
    assert_int_equal(heed_test_run("heed train pairs.tsv --save wild.keras --steps 1000 --set learning_rate=1e6 " TINY), 1);
    assert_false(heed_test_exists("wild.keras.checkpoint"));
}

/* ---- nonsense */

/* What is left out is counted; a corpus that memory does not hold gives the same translator. */
static void test_faults_and_large_corpora(void **state)
{
    (void)state;
    must_run("heed train pairs.tsv --save straight.keras --steps 5 --quiet " TINY);
    must_run("cp pairs.tsv faulty.tsv; printf 'a\\tb\\tc\\n\\tx\\ny\\t\\377\\nz\\t \\n' >>faulty.tsv; yes a | head -n 500 | "
             "tr '\\n' a >>faulty.tsv; printf '\\tb\\n' >>faulty.tsv");
    must_run("heed train faulty.tsv --save skipped.keras --steps 5 --set bad_pairs=skip --set corpus_megabytes=0 " TINY);
    static const char *const told[] = {
        "faulty.tsv: 1 of 65 pairs left out (no UTF-8), the first in line 63\n", "faulty.tsv: 1 of 65 pairs left out (not one TAB), the first in line 61\n",
        "faulty.tsv: 2 of 65 pairs left out (an empty side), the first in line 62\n",
        "faulty.tsv: 1 of 65 pairs left out (a side of more than 400 tokens, or none), the first in line 65\n"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        assert_non_null(strstr(heed_test_err, told[i]));
    heed_test_fails("heed train faulty.tsv --save m.keras --set bad_pairs=skip --set long_pairs=error " TINY, 1,
                    "heed: faulty.tsv:65: too long a pair (expected at most 400 tokens a side, found 1000)\n"
                    "hint: leave such pairs out by long_pairs=skip, or allow more by longest=1000\n");
    must_run("heed train pairs.tsv --save spooled.keras --steps 5 --quiet --set corpus_megabytes=0 " TINY);
    must_run("for m in straight spooled; do cut -f 1 pairs.tsv | heed translate $m.keras --scores >$m.txt; done; "
             "cmp straight.txt spooled.txt");
    must_run("rm -f *.keras straight.txt spooled.txt faulty.tsv");
    /* two files are the same as one; what the vocabulary does not have is counted */
    must_run("for f in pairs few; do cut -f 1 $f.tsv >$f.source.txt; cut -f 2 $f.tsv >$f.target.txt; done; "
             "heed train --source pairs.source.txt --target pairs.target.txt --validation few.source.txt "
             "--validation-target few.target.txt --save two.keras --steps 5 " TINY);
    must_run("heed train pairs.tsv --validation few.tsv --save one.keras --steps 5 " TINY);
    check_same("one.keras", "two.keras");
    must_run("heed train pairs.tsv --save m.keras --steps 1 --set vocabulary=12 " TINY);
    assert_non_null(strstr(heed_test_err, "%) are not in the vocabulary\n"));
    must_run("rm -f *.keras *.txt");
}

#define SAME_LINE "hint: a line of one file must belong to the line of the same number in the other\n"
#define SKIPPING "--set bad_pairs=skip leaves such pairs out, and counts them\n"

static void test_bad_input(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int         status;
        const char *error;
    } cases[] = {
        {"heed train no.tsv --save m.keras", 1, "no.tsv: cannot open: No such file or directory\n"},
        {"heed train . --save m.keras", 1, ".: cannot read: Is a directory\n"},
        {": >bad.tsv; heed train bad.tsv --save m.keras", 1, "bad.tsv: no pair to learn from\n"},
        {"heed train - --save m.keras <pairs.tsv", 2,
         "-: cannot be read twice, as pairs to learn from are (expected a file)\n"
         "hint: write it to a file first; a file may be compressed by gzip\n"},
        {"heed train pairs.tsv --validation-target few.tsv --save m.keras", 2,
         "--validation-target goes with --validation, the source lines\nhint: see heed train --help\n"},
        {"printf 'a\\tb\\nc\\n' >bad.tsv; heed train bad.tsv --save m.keras", 1,
         "bad.tsv:2: no TAB (expected source TAB target, found one text)\nhint: " SKIPPING},
        {"printf 'a\\tb\\nc\\td\\te\\n' >bad.tsv; heed train bad.tsv --save m.keras", 1,
         "bad.tsv:2: more than one TAB (expected source TAB target, found a third text)\nhint: " SKIPPING},
        {"printf 'a\\tb\\ncaf\\351\\td\\n' >bad.tsv; heed train bad.tsv --save m.keras", 1,
         "bad.tsv:2: not UTF-8 (found 0xE9 at byte 4)\nhint: if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8; " SKIPPING},
        {"printf 'a\\nb\\n' >bad.txt; printf 'c\\n' >short.txt; heed train --source bad.txt --target short.txt --save m.keras", 1,
         "short.txt: too few lines (expected 2, as bad.txt has, found 1)\n" SAME_LINE},
        {"heed train --source short.txt --target bad.txt --save m.keras", 1,
         "short.txt: too few lines (expected 2, as bad.txt has, found 1)\n" SAME_LINE},
        {"heed train pairs.tsv --validation no.tsv --save m.keras", 1,
         "no.tsv: cannot open: No such file or directory\n"},
        {"heed train pairs.tsv --save no/m.keras", 1, "no/m.keras: cannot write: No such file or directory\n"},
        {"mkdir m.keras; heed train pairs.tsv --save m.keras; s=$?; rmdir m.keras; (exit $s)", 1,
         "m.keras: cannot write: Is a directory\n"},
        {"heed train pairs.tsv --save m.keras --checkpoint no/run", 1,
         "no/run: cannot make the directory: No such file or directory\n"},
        {"heed train pairs.tsv --save m.keras --checkpoint pairs.tsv", 1,
         "pairs.tsv/checkpoint.keras: cannot write: Not a directory\n"},
        {"mkdir -p run; cp pairs.tsv run/checkpoint.keras; heed train pairs.tsv --save m.keras --checkpoint run --resume; s=$?; "
         "rm -r run; (exit $s)", 1,
         "run/checkpoint.keras: not a model file (expected a .keras archive, HDF5 or JSON)\n"},
        {"heed train pairs.tsv --save m.keras --recipe alchemy", 2,
         "alchemy: no recipe of this name\n"
         "hint: the recipes are gru-attention, dates, bahdanau, luong, attention-keras, transformer and pronunciation; heed train --list-recipes explains them\n"},
        {"heed train pairs.tsv --save m.keras --set unit=3", 2,
         "gru-attention: no option of this name: unit\nhint: did you mean units?\n"},
        {"heed train pairs.tsv --save m.keras --set units=0", 2,
         "gru-attention: units is out of range (expected [1,), found 0)\n"},
        {"heed train pairs.tsv --save m.keras --recipe luong --source-tokens characters --target-tokens characters "
         "--set units=5", 2,
         "luong: both directions share the units, which are odd (expected an even number, found 5)\n"},
        {"heed train pairs.tsv --save m.keras --recipe transformer --source-tokens characters --target-tokens characters "
         "--set shared_vocabulary=False --set share=none --set local_layers=5", 2,
         "transformer: local_layers is more than encoder_layers (found 5 and 4)\n"},
        {"heed train pairs.tsv --save m.keras --set units", 2,
         "--set: not a setting (expected NAME=VALUE, found \"units\")\n"},
        {"heed train pairs.tsv --save m.keras --set =3", 2,
         "--set: not a setting (expected NAME=VALUE, found \"=3\")\n"},
        {"heed train pairs.tsv --save m.keras --set units=", 2,
         "--set: not a setting (expected NAME=VALUE, found \"units=\")\n"},
        {"heed train pairs.tsv --save m.h5", 2,
         "--save: not a translator's name (expected it to end in .keras, found \"m.h5\")\nhint: see heed train --help\n"},
        {"heed train pairs.tsv", 2, "--save is missing: where the translator goes\nhint: see heed train --help\n"},
        {"heed train --save m.keras", 2,
         "what to learn from is missing (expected PAIRS, or --source and --target)\nhint: see heed train --help\n"},
        {"heed train pairs.tsv --save m.keras --epochs 1 --steps 1", 2,
         "only one of --epochs, --steps and --minutes says how long to train\nhint: see heed train --help\n"},
        {"heed train pairs.tsv --save m.keras --epochs 0", 2,
         "--epochs: not a value it can take (expected a number above 0, found \"0\")\n"
         "hint: heed train --help lists arguments and options\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512];
        snprintf(error, sizeof error, "heed: %s", cases[i].error);
        heed_test_fails(cases[i].line, cases[i].status, error);
        heed_test_prints("ls -d m.* run 2>/dev/null || true", ""); /* nothing is begun */
    }
}

/* ---- what is seen meanwhile */

/* One frame of the bar, between what clears the line. */
static bool tells_everything(const char *frame)
{
    return strstr(frame, "training [") != NULL && strstr(frame, " %  ") != NULL && strstr(frame, " left  ") != NULL &&
           strstr(frame, "loss ") != NULL && strstr(frame, " %, ") != NULL && strstr(frame, "exact ") != NULL &&
           strstr(frame, " tokens/s") != NULL;
}

/* Reads what a terminal shows until a frame of the bar tells everything; no line may fill the width. */
static bool watch_terminal(int master, size_t width)
{
    char shown[4096];
    size_t used = 0;
    struct pollfd ready = {.fd = master, .events = POLLIN};
    while (poll(&ready, 1, HEED_TEST_PATIENCE * 1000) == 1) {
        char c;
        if (read(master, &c, 1) != 1)
            return false;
        if (c != '\r' && c != '\n') {
            assert_true(used < sizeof shown - 1);
            shown[used++] = c;
            continue;
        }
        shown[used] = '\0';
        const char *frame = strncmp(shown, "\033[K", 3) == 0 ? shown + 3 : shown;
        assert_true(strlen(frame) < width);
        if (tells_everything(frame))
            return true;
        used = 0;
    }
    return false;
}

static void test_terminal(void **state)
{
    (void)state;
    enum { WIDTH = 80 };
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        skip(); /* a machine without pseudo-terminals */
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = WIDTH}), 0);
    /* more steps than are done before it is seen; a twentieth of them comes before the first validation */
    pid_t child = heed_test_start("train pairs.tsv --validation few.tsv --save seen.keras --steps 20000 " TINY, terminal,
                        terminal, terminal);
    close(terminal);
    bool seen = watch_terminal(master, WIDTH);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(master);
    assert_true(seen);
    must_run("rm -rf seen.keras*");
}

static void test_log(void **state)
{
    (void)state;
    must_run("heed train pairs.tsv --save log.keras --epochs 3 --seed 5 " TINY);
    assert_string_equal(heed_test_out, "");
    int lines = 0, epoch = 0;
    char *rest;
    for (char *line = strtok_r(heed_test_err, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), lines++) {
        int found;
        if (sscanf(line, "step %*d, epoch %d", &found) == 1)
            assert_int_equal(found, ++epoch);
    }
    assert_int_equal(epoch, 3);
    assert_true(lines >= epoch + 2);
    must_run("heed train pairs.tsv --save quiet.keras --epochs 3 --seed 5 --quiet " TINY);
    assert_string_equal(heed_test_err, "");
    check_same("log.keras", "quiet.keras");
    assert_false(heed_test_exists("quiet.keras.checkpoint"));
}

/* Numbers of a validation: what the log tells, the history has too, and TensorBoard gets. */
static void test_history(void **state)
{
    (void)state;
    static const char line[] = "train pairs.tsv --validation few.tsv --steps 40 --set validations=4 --set validate_by=bleu "
                               "--checkpoint run --resume --history h.csv --tensorboard events " TINY;
    must_run("rm -rf run events; heed train pairs.tsv --validation few.tsv --steps 40 --set validations=4 --set validate_by=bleu "
             "--history straight.csv --save straight.keras " TINY);
    assert_non_null(strstr(heed_test_err, "\nstep 11, epoch 1.38, 0:0"));
    assert_non_null(strstr(heed_test_err, "\nbest after step "));
    assert_non_null(strstr(heed_test_err, " on 5 validation pairs\ntrained for 0:0"));
    assert_non_null(strstr(heed_test_err, ": 40 steps, 5.00 epochs, "));
    int status = 0;
    char whole[512];
    snprintf(whole, sizeof whole, "%s %s --save killed.keras", line, OFTEN);
    for (int kills = 0; kills < 3; kills++) {
        pid_t child = heed_test_start_quietly(whole);
        if (!heed_test_wait_for_new_file(child, CHECKPOINT, &status)) {
            heed_test_nap(20);
            kill(child, SIGKILL);
            assert_int_equal(waitpid(child, &status, 0), child);
        }
    }
    snprintf(whole, sizeof whole, "heed %s --save killed.keras", line);
    must_run(whole);
    /* but for the time that it took */
    must_run("for f in straight h; do cut -d , -f 1,2,4-9 $f.csv >$f.txt; done; cmp straight.txt h.txt");
    heed_test_prints("head -n 1 h.csv; wc -l <h.csv",
                     "epoch,step,seconds,loss,val_loss,val_exact_match,val_bleu,val_chrf,learning_rate,tokens_per_second\n5\n");
    heed_test_prints("ls events; cat events/train/* | tr -cd a-z_ | grep -c tokens_per_second; "
                     "cat events/validation/* | tr -cd a-z_ | grep -c bleu", "train\nvalidation\n1\n1\n");
    heed_test_fails("heed train pairs.tsv --save m.keras --history no/h.csv", 1,
                    "heed: no/h.csv: cannot write: No such file or directory\n");
    heed_test_fails("heed train pairs.tsv --save m.keras --tensorboard pairs.tsv", 1,
                    "heed: pairs.tsv/train: cannot make the directory: Not a directory\n");
    must_run("rm -rf run events straight.keras killed.keras *.csv *.txt");
}

/* Of five lines' scores the best is luck: the average of the last weights is kept for its loss, one validation alone is not. */
static void test_average(void **state)
{
    (void)state;
    static const char line[] = "heed train pairs.tsv --validation few.tsv --save mean.keras --steps 120 --set validations=8 "
                               "--set validate_by=bleu --set bleu_tokens=char --set learning_rate=0.02 --seed 5 --history h.csv "
                               "--set average=%d " TINY;
    /* the steps of the least loss and of the best BLEU */
    static const char judged[] = "tail -n +2 h.csv | sort -t , -g -k 5 | head -n 1 | cut -d , -f 2; "
                                 "tail -n +2 h.csv | sort -t , -gr -k 7 | head -n 1 | cut -d , -f 2";
    static const struct {
        int         average;
        const char *kept;
    } cases[] = {{3, "\nbest after step 120: "}, {1, "\nbest after step 46: "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char whole[512];
        snprintf(whole, sizeof whole, line, cases[i].average);
        must_run(whole);
        assert_non_null(strstr(heed_test_err, cases[i].kept));
        heed_test_prints(judged, "120\n46\n");
    }
    must_run("rm mean.keras h.csv");
}

/* A run that ends early is over as any other: it may be resumed to be saved again. */
static void test_patience(void **state)
{
    (void)state;
    static const char line[] = "heed train pairs.tsv --validation few.tsv --save early.keras --steps 400 --set validate_by=loss "
                               "--set validations=100 --set patience=2 --set learning_rate=0.5 --checkpoint run " TINY;
    must_run(line);
    assert_non_null(strstr(heed_test_err, "2 validations in a row were no better than that after step "));
    assert_null(strstr(heed_test_err, "step 400,"));
    must_run("mv early.keras first.keras");
    char again[512];
    snprintf(again, sizeof again, "%s --resume", line);
    must_run(again);
    check_same("first.keras", "early.keras");
    must_run("rm -rf run first.keras early.keras");
}

int main(void)
{
    if (!heed_test_has_command())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_runs_end_with_the_same_bytes),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_disk_keeps_the_checkpoint),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_faults_and_large_corpora),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, make_pairs, remove_all);
}
