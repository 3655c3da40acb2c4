/* A translator's whole life through the command: trained while it is killed, interrupted and short of space at random
 * moments, to the same bytes as one that was left alone; then it translates, is scored and drawn. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "support/background.h"
#include "support/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What is validated, averaged and given up for is part of what an interruption must not change. */
#define VALIDATED "--validation val.tsv --set validate_by=bleu --set validations=8 --set average=3 --set patience=6 "
#define DATA "--source train.en --target train.de " VALIDATED

typedef struct life {
    const char *recipe;
    const char *settings;
    const char *map; /* one of its alignments */
    bool        several; /* which a page has all */
} life;

static const life lives[] = {
    {"transformer", "--set vocabulary=200 --set encoder_layers=1 --set decoder_layers=2 --set heads=2 --set size=16 "
     "--set feed_forward=16 --set batch_tokens=256 --set warmup_steps=20 --set piece_dropout=0.2 --set r_drop=2", "layer 2, head 1", true},
    {"gru-attention", "--set source_tokens=words --set target_tokens=words --set units=12 --set embedding=8 "
     "--set target_embedding=8 --set output_units=8 --set batch_size=32", "attention", false},
    {"bahdanau", "--set vocabulary=200 --set units=12 --set embedding=8 --set attention_units=8 --set batch_tokens=256",
     "attention", false},
    {"luong", "--set vocabulary=200 --set units=12 --set embedding=8 --set batch_tokens=256 --set learning_rate=0.03",
     "attention", false}, /* at the recipe's own rate it would end with nothing to say */
    {"attention-keras", "--set vocabulary=200 --set units=12 --set batch_size=32", "attention", false},
};

static void must_run(const char *line)
{
    if (heed_test_run(line) != 0)
        fail_msg("%s\n%s", line, heed_test_err);
}

static int make_sentences(void **state)
{
    (void)state;
    must_run("rm -rf run *.keras*; \"$HEED_EXAMPLES\"/make-sentences 300 1 train; \"$HEED_EXAMPLES\"/make-sentences 20 2 val; "
             "paste val.en val.de >val.tsv");
    return 0;
}

static int remove_all(void **state)
{
    must_run("rm -rf run *.keras* train.* val.* *.txt *.html *.png");
    return heed_test_forget_command(state);
}

/* Goes on with a run, and stops it somewhere; whether it came to its end. */
static bool interrupt_once(const char *line, heed_random *r)
{
    enum { KILL, TERMINATE, FULL_DISK, WAYS };
    static const int signals[] = {[KILL] = SIGKILL, [TERMINATE] = SIGTERM};
    char whole[1200];
    int status, way = (int)heed_random_below(r, WAYS);
    if (way == FULL_DISK) { /* which ends the run by itself, once it is to be saved */
        snprintf(whole, sizeof whole, "trap '' XFSZ; ulimit -f 16; heed %s", line);
        int found = heed_test_run(whole);
        assert_in_range(found, 0, 1);
        if (found == 1)
            assert_non_null(strstr(heed_test_err, ": cannot write: "));
        return found == 0;
    }
    pid_t child = heed_test_start_quietly(line);
    if (heed_random_below(r, 4) > 0 && heed_test_wait_for_new_file(child, "run/checkpoint.keras", &status))
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    heed_test_nap((long)heed_random_below(r, 30));
    kill(child, signals[way]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void train_twice(const life *l)
{
    enum { INTERRUPTIONS = 8 };
    char line[1024], whole[1100];
    heed_random r = {.seed = 11};
    snprintf(line, sizeof line, "heed train " DATA "--recipe %s %s --steps 60 --save straight.keras", l->recipe, l->settings);
    must_run(line);
    snprintf(line, sizeof line, "train " DATA "--recipe %s %s --steps 60 --save killed.keras --checkpoint run --resume",
             l->recipe, l->settings);
    snprintf(whole, sizeof whole, "%s --checkpoint-seconds 0.01", line);
    for (int i = 0; i < INTERRUPTIONS && !interrupt_once(whole, &r); i++)
        continue;
    snprintf(whole, sizeof whole, "heed %s", line);
    must_run(whole);
    heed_test_prints("cmp straight.keras killed.keras; ls run; ls -d killed.keras*", "checkpoint.keras\nkilled.keras\n");
}

static void use(const life *l)
{
    char line[512];
    must_run("heed translate killed.keras val.en >val.txt && heed score val.txt val.de --json && test $(wc -l <val.txt) -eq 20");
    assert_non_null(strstr(heed_test_out, "\"bleu\""));
    snprintf(line, sizeof line, "s=$(head -n 1 val.en); heed plot killed.keras --text \"$s\" -o map.HTML && "
             "heed plot killed.keras --text \"$s\" --map '%s' && cat map.HTML", l->map);
    must_run(line);
    snprintf(line, sizeof line, "\n%s\n", l->map);
    assert_non_null(strstr(heed_test_out, line));
    snprintf(line, sizeof line, l->several ? "name: \"%s\"" : "name: null", l->map);
    assert_non_null(strstr(heed_test_out, line));
    must_run("rm -rf run straight.keras killed.keras val.txt map.*");
}

static void live(const life *l)
{
    train_twice(l);
    use(l);
}

static void test_transformer(void **state)
{
    (void)state;
    live(&lives[0]);
}

static void test_gru_attention(void **state)
{
    (void)state;
    live(&lives[1]);
}

static void test_bahdanau(void **state)
{
    (void)state;
    live(&lives[2]);
}

static void test_luong(void **state)
{
    (void)state;
    live(&lives[3]);
}

static void test_attention_keras(void **state)
{
    (void)state;
    live(&lives[4]);
}

int main(void)
{
    if (!heed_test_has_command())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformer),
        cmocka_unit_test(test_gru_attention),
        cmocka_unit_test(test_bahdanau),
        cmocka_unit_test(test_luong),
        cmocka_unit_test(test_attention_keras),
    };
    return cmocka_run_group_tests(tests, make_sentences, remove_all);
}
