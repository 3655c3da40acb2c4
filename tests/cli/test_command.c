/* The command as a user meets it: what it prints where, its exit status, the files it leaves. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* ---- help ---- */

static void test_version(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("HEED_CPU=generic heed --version"), 0);
    assert_ptr_equal(strstr(heed_test_out, "heed 0."), heed_test_out);
    assert_non_null(strstr(heed_test_out, "\ninstruction set: generic\n"));
    assert_non_null(strstr(heed_test_out, "\nlibraries: libzip "));
    assert_string_equal(heed_test_err, "");
}

/* For every sub-command there is: what all helps have in common. */
static void test_help(void **state)
{
    (void)state;
    static const char *const everywhere[] = {"usage: heed ", "options:\n", "--threads N", "--seed N", "--quiet",
                                             "--help", "(default: 0)", "examples:\n"};
    assert_int_equal(heed_test_run("heed --help"), 0);
    assert_string_equal(heed_test_err, "");
    char *overview = heed_test_out;
    heed_test_out = NULL;
    int commands = 0;
    char *rest;
    char *line = strstr(overview, "sub-commands:\n");
    assert_non_null(line);
    strtok_r(line, "\n", &rest);
    for (line = strtok_r(NULL, "\n", &rest); line != NULL && strncmp(line, "  ", 2) == 0;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[32], command[128];
        assert_int_equal(sscanf(line, " %31s", name), 1);
        snprintf(command, sizeof command, "heed %s --help", name);
        assert_int_equal(heed_test_run(command), 0);
        assert_string_equal(heed_test_err, "");
        for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++)
            if (strstr(heed_test_out, everywhere[i]) == NULL)
                fail_msg("%s: no \"%s\" in\n%s", command, everywhere[i], heed_test_out);
        snprintf(command, sizeof command, "heed --man %s", name);
        assert_int_equal(heed_test_run(command), 0);
        assert_ptr_equal(strstr(heed_test_out, ".TH HEED"), heed_test_out);
        assert_non_null(strstr(heed_test_out, ".SH OPTIONS\n"));
        commands++;
    }
    free(overview);
    assert_true(commands >= 2);
    assert_int_equal(heed_test_run("heed --man"), 0);
    assert_non_null(strstr(heed_test_out, ".SH SUB\\-COMMANDS\n"));
    assert_int_equal(heed_test_run("heed dates --nonsense --help"), 0); /* whoever asks for help gets it */
}

static void test_wrong_usage(void **state)
{
    (void)state;
    static const char see_dates[] = "hint: heed dates --help lists arguments and options\n";
    char error[512];
    heed_test_fails("heed", 2, "heed: a sub-command is missing\nhint: heed --help lists the sub-commands\n");
    heed_test_fails("heed dtaes 3", 2, "heed: dtaes: no such sub-command\nhint: did you mean heed dates?\n");
    heed_test_fails("heed nothing", 2, "heed: nothing: no such sub-command\nhint: heed --help lists the sub-commands\n");
    heed_test_fails("heed dates 3 --sed 4", 2, "heed: --sed: no such option of heed dates\nhint: did you mean --seed?\n");
    heed_test_fails("heed dates 3 --local=en", 2,
                "heed: --local: no such option of heed dates\nhint: did you mean --locales?\n");
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"heed dates", "N is missing"},
        {"heed dates 1 2", "2: one argument too many for heed dates"},
        {"heed dates x", "N: not a value it can take (expected a whole number of 0 or more, found \"x\")"},
        {"heed dates -1", "N: not a value it can take (expected a whole number of 0 or more, found \"-1\")"},
        {"heed dates -- -1", "N: not a value it can take (expected a whole number of 0 or more, found \"-1\")"},
        {"heed dates ''", "N: not a value it can take (expected a whole number of 0 or more, found \"\")"},
        {"heed dates 1e3", "N: not a value it can take (expected a whole number of 0 or more, found \"1e3\")"},
        {"heed dates 99999999999999999999",
         "N: not a value it can take (expected a whole number of 0 or more, found \"99999999999999999999\")"},
        {"heed dates 3 --threads 0",
         "--threads: not a value it can take (expected a whole number from 1 to 256, found \"0\")"},
        {"heed dates 3 --threads=257",
         "--threads: not a value it can take (expected a whole number from 1 to 256, found \"257\")"},
        {"heed dates 3 --seed", "--seed: its value is missing (expected --seed N)"},
        {"heed dates 3 --seed --quiet", "--seed: its value is missing (expected --seed N)"},
        {"heed dates 3 --quiet=yes", "--quiet: takes no value (found \"yes\")"},
        {"heed dates 3 --nonsense", "--nonsense: no such option of heed dates"},
        {"heed dates 3 -x", "-x: no such option of heed dates"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(error, sizeof error, "heed: %s\n%s", cases[i].error, see_dates);
        heed_test_fails(cases[i].line, 2, error);
    }
    heed_test_fails("heed score a b --tokenize words", 2,
                "heed: --tokenize: not a value it can take (expected 13a|intl|none|char, found \"words\")\n"
                "hint: heed score --help lists arguments and options\n");
    heed_test_fails("HEED_CPU=z80 heed dates 3", 2,
                "heed: HEED_CPU: this processor has no such instruction set "
                "(expected generic, avx2 or avx512, found \"z80\")\n");
}

/* ---- dates ---- */

static void test_dates(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed dates 200 --seed 3 --locales en,fr"), 0);
    assert_int_equal(count_lines(heed_test_out), 200);
    assert_string_equal(heed_test_err, "");
    char *first = heed_test_out;
    heed_test_out = NULL;
    /* the same on every machine: its language, its time zone, the number of threads and the spelling do not matter */
    static const char *const same[] = {
        "heed dates --locales=en,fr --seed=3 200",
        "TZ=Pacific/Kiritimati LC_ALL=tr_TR.UTF-8 LANG=fa_IR heed dates 200 --seed 3 --locales en,fr",
        "heed dates 200 --seed 3 --locales en,fr --threads 1",
        "heed dates --seed 9 --seed 3 --locales en,fr -- 200",
        "heed dates 200 --seed 3 --locales en,fr -o -",
        "heed dates 200 --seed 3 --locales en,fr -ocli_dates.tmp && cat cli_dates.tmp",
        "HEED_CPU=generic heed dates 200 --seed 3 --locales en,fr",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        heed_test_prints(same[i], first);
    assert_int_equal(heed_test_run("heed dates 200 --seed 4 --locales en,fr"), 0);
    assert_string_not_equal(heed_test_out, first);
    free(first);
    heed_test_prints("heed dates 0", "");
    heed_test_prints("heed dates --ceiling --locales en_US", "99.77 % of the dates can be told from their text\n");
    heed_test_fails("heed dates 3 --ceiling", 2,
                    "heed: N and --ceiling: only one can be asked for\nhint: see heed dates --help\n");
    heed_test_fails("heed dates 3 --locales en,xx", 2,
                "heed: --locales: no such locale (expected all, or names of ICU such as en or pt_BR, found \"xx\")\n");
    heed_test_fails("heed dates 3 --locales zh_Hamt", 2,
                "heed: --locales: no such locale "
                "(expected all, or names of ICU such as en or pt_BR, found \"zh_Hamt\")\n"
                "hint: did you mean zh_Hant?\n");
    remove("cli_dates.tmp");
}

/* ---- outputs ---- */

static void test_full_disk(void **state)
{
    (void)state;
    static const char full[] = "heed: standard output: cannot write: No space left on device\n";
    heed_test_fails("heed dates 3 >/dev/full", 1, full);
    heed_test_fails("heed dates 100000 >/dev/full", 1, full);
    heed_test_fails("heed --help >/dev/full", 1, full);
    heed_test_fails("heed score --help >/dev/full", 1, full);
    heed_test_fails("heed dates 3 --output /dev/full", 1, "heed: /dev/full: cannot write: No space left on device\n");
    heed_test_fails("heed dates 3 >&-", 1, "heed: standard output: cannot write: Bad file descriptor\n");
    struct stat info;
    assert_int_equal(stat("/dev/full", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

/* A file that cannot be finished: what stood there before is kept, and nothing is left beside it. */
static void test_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char *const setup = "rm -rf cli_folder.tmp; mkdir cli_folder.tmp; echo before >cli_folder.tmp/f";
    assert_int_equal(heed_test_run(setup), 0);
    heed_test_fails("trap '' XFSZ; ulimit -f 8; heed dates 100000 -o cli_folder.tmp/f", 1,
                "heed: cli_folder.tmp/f: cannot write: File too large\n");
    heed_test_prints("ls cli_folder.tmp; cat cli_folder.tmp/f", "f\nbefore\n");
    heed_test_fails("heed dates 3 -o cli_folder.tmp", 1, "heed: cli_folder.tmp: cannot write: Is a directory\n");
    heed_test_fails("heed dates 3 -o cli_folder.tmp/no/f", 1,
                "heed: cli_folder.tmp/no/f: cannot write: No such file or directory\n");
    heed_test_prints("umask 027; heed dates 0 -o cli_folder.tmp/f; ls cli_folder.tmp; stat -c %a,%s cli_folder.tmp/f",
                 "f\n640,0\n");
    assert_int_equal(heed_test_run("rm -r cli_folder.tmp"), 0);
}

static void test_reader_that_stops(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed dates 1000000 | head -n 1"), 0);
    assert_int_equal(count_lines(heed_test_out), 1);
    assert_string_equal(heed_test_err, "");
    assert_int_equal(heed_test_run("trap '' PIPE; heed dates 1000000 | head -n 1"), 0);
    assert_int_equal(count_lines(heed_test_out), 1);
    assert_string_equal(heed_test_err, "");
}

/* ---- scores ---- */

static void test_score(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("printf 'a b c\\nx y\\n' >cli_h.tmp; printf 'a b d | a b c\\nX y z\\n' >cli_r.tmp"), 0);
    heed_test_prints("heed score cli_h.tmp cli_r.tmp",
                     "exact match         0.00 %  (0 of 2 lines)\n"
                     "token error rate   60.00 %  (6 edits, 10 tokens)\n"
                     "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 0.00 80.0/66.7/100.0/0.0 "
                     "(BP = 0.368 ratio = 0.500 hyp_len = 5 ref_len = 10)\n"
                     "chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0 = 31.43\n");
    heed_test_prints("heed score cli_h.tmp cli_r.tmp --alternatives --lowercase --json --width 4 --chrf-word-order 2",
                     "{\"lines\": 2, \"exact_match\": 0.5, \"token_error_rate\": 0.166667, \"bleu\": 0, "
                     "\"bleu_brevity_penalty\": 0.818731, \"bleu_length\": 5, \"bleu_reference_length\": 6, "
                     "\"chrf\": 77.4648, \"bleu_line\": \"BLEU|nrefs:var|case:lc|eff:no|tok:13a|smooth:exp|version:2.6.0 "
                     "= 0.0000 100.0/100.0/100.0/0.0 (BP = 0.819 ratio = 0.833 hyp_len = 5 ref_len = 6)\", "
                     "\"chrf_line\": \"chrF2++|nrefs:var|case:lc|eff:yes|nc:6|nw:2|space:no|version:2.6.0 = 77.4648\"}\n");
    const char *same = "{\"lines\": 2, \"exact_match\": 1, \"token_error_rate\": 0, \"bleu\": 100, ";
    heed_test_prints("heed score - cli_r.tmp <cli_r.tmp --tokenize char --json | head -c 67", same);
    heed_test_prints("gzip -c cli_r.tmp | heed score cli_r.tmp - --json | head -c 67", same);
    heed_test_prints("heed score /dev/null /dev/null --json | head -c 76",
                     "{\"lines\": 0, \"exact_match\": null, \"token_error_rate\": null, \"bleu\": null, \"b");
    remove("cli_r.tmp");
    heed_test_fails("heed score cli_h.tmp cli_r.tmp", 1, "heed: cli_r.tmp: cannot open: No such file or directory\n");
    heed_test_fails("printf 'a\\n' >cli_r.tmp; heed score cli_h.tmp cli_r.tmp", 1,
                "heed: cli_h.tmp: more lines than cli_r.tmp (expected 1)\n");
    heed_test_fails("heed score cli_r.tmp cli_h.tmp", 1,
                "heed: cli_h.tmp: more lines than cli_r.tmp (expected 1)\n");
    heed_test_fails("printf 'a\\ncaf\\351\\n' >cli_r.tmp; heed score cli_h.tmp cli_r.tmp", 1,
                "heed: cli_r.tmp:2: not UTF-8 (found 0xE9 at byte 4)\n"
                "hint: if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8\n");
    heed_test_fails("heed score - -", 2, "heed: standard input: cannot be both hypothesis and reference\n");
    heed_test_fails("heed score only_one", 2,
                "heed: REFERENCE is missing\nhint: heed score --help lists arguments and options\n");
    remove("cli_h.tmp");
    remove("cli_r.tmp");
}

int main(void)
{
    if (!heed_test_has_command())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_whole_or_not_at_all),
        cmocka_unit_test(test_reader_that_stops),
        cmocka_unit_test(test_score),
    };
    return cmocka_run_group_tests(tests, NULL, heed_test_forget_command);
}
