/* heed bench as a user meets it: each work tells what COMMAND promises, whatever its sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/json.h"
#include "support/command.h"
#include "support/context.h"

#include <stdio.h>
#include <string.h>

#define ATTENTION "--batch 2 --query-length 9 --key-length 7 --steps 2 --json"
#define WITHIN ATTENTION " --width 3 --lengths --causal --weights --backward"
#define RECURRENT "--batch 3 --length 4 --inputs 5 --units 6 --steps 2 --json"

static const struct {
    const char *line, *work, *rate;
    int         objects; /* lines of output */
} works[] = {
    {"heed bench attention --heads 2 --head-size 8 " ATTENTION, "attention", "gflops", 1},
    {"heed bench attention --heads 2 --head-size 8 " WITHIN, "attention", "gflops", 1},
    {"heed bench additive --units 5 " ATTENTION, "additive", "ns_per_element", 1},
    {"heed bench additive --units 5 --lengths --causal --weights --backward " ATTENTION, "additive", "ns_per_element",
     1},
    {"heed bench additive --units 5 " WITHIN, "additive", "ns_per_element", 1},
    {"heed bench lstm " RECURRENT, "lstm", "gflops", 1},
    {"heed bench lstm --backward " RECURRENT, "lstm", "gflops", 1},
    {"heed bench gru --backward " RECURRENT, "gru", "gflops", 1},
    {"heed bench gemm --m 5 --n 6 --k 7 --steps 1 --json", "gemm", "gflops", 1},
    {"heed bench decode --recipe transformer --set size=8 --vocabulary 30 --batch 2 --beam 3 --steps 1 --json",
     "decode transformer", "tokens_per_second", 1},
    {"heed bench --steps 1 --batch 2 --length 3 --target-length 3 --query-length 5 --units 4 --inputs 4 --json "
     "--set units=4 --set embedding=4", "attention", "gflops", 11},
};

static double number(const heed_json *object, const char *key, const char *line)
{
    const heed_json *v = heed_json_find(object, key);
    double value = 0;
    if (v == NULL || heed_json_as_real(NULL, v, &value) != HEED_OK || !(value > 0))
        fail_msg("%s: %s is no number above 0: %s", line, key, heed_test_out);
    return value;
}

static void test_works(void **state)
{
    heed_context *c = *state;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        if (heed_test_run(works[i].line) != 0)
            fail_msg("%s: %s", works[i].line, heed_test_err);
        heed_zone z;
        heed_json *object;
        heed_zone_init(&z, c);
        int lines = 0;
        for (const char *end = heed_test_out; (end = strchr(end, '\n')) != NULL; end++)
            lines++;
        assert_int_equal(lines, works[i].objects);
        assert_int_equal(heed_json_parse(&z, "bench", heed_test_out, strcspn(heed_test_out, "\n"), &object), HEED_OK);
        assert_string_equal(heed_json_find(object, "work")->text, works[i].work);
        number(object, "threads", works[i].line);
        double ms = number(object, "ms", works[i].line);
        assert_true(number(object, "median_ms", works[i].line) >= ms);
        number(object, works[i].rate, works[i].line);
        bool backward = strstr(works[i].line, "--backward") != NULL;
        assert_int_equal(heed_json_find(object, "backward") != NULL, backward);
        heed_zone_free(&z);
    }
}

/* What a training step's time goes to: shares of one whole. */
static void test_shares(void **state)
{
    static const char *const shares[] = {"products", "attention", "recurrence", "output", "rest"};
    static const char *const lines[] = {
        "heed bench train --recipe transformer --set size=8 --set heads=2 --set encoder_layers=1 "
        "--set decoder_layers=1 --batch 3 --target-vocabulary 1100 --vocabulary 1100 --steps 2 --json",
        "heed bench train --recipe dates --set units=4 --batch 3 --steps 2 --json"};
    for (int i = 0; i < 2; i++) {
        heed_zone z;
        heed_json *object;
        double sum = 0;
        assert_int_equal(heed_test_run(lines[i]), 0);
        heed_zone_init(&z, *state);
        assert_int_equal(heed_json_parse(&z, "bench", heed_test_out, strlen(heed_test_out), &object), HEED_OK);
        for (int k = 0; k < 5; k++) {
            double share;
            assert_int_equal(heed_json_as_real(*state, heed_json_find(object, shares[k]), &share), HEED_OK);
            assert_true(share >= 0 && share < 1);
            assert_true(share > 0 || (k == 2 && i == 0));
            sum += share;
        }
        assert_float_equal(sum, 1, 0.01);
        heed_zone_free(&z);
    }
    assert_int_equal(heed_test_run("heed bench train --recipe dates --set units=4 --batch 3 --steps 2"), 0);
    assert_non_null(strstr(heed_test_out, "of the time "));
}

static void test_refusals(void **state)
{
    (void)state;
    heed_test_fails("heed bench addittive", 2,
                    "heed: WHAT: not a value it can take (expected attention|additive|lstm|gru|gemm|train|decode, found "
                    "\"addittive\")\nhint: heed bench --help lists arguments and options\n");
    heed_test_fails("heed bench gemm --m 0", 2, "heed: --m: not a value it can take (expected a whole number from 1 to "
                    "1e+06, found \"0\")\nhint: heed bench --help lists arguments and options\n");
    heed_test_fails("heed bench decode --model m.keras", 2,
                    "heed: --model and --input: each needs the other\nhint: see heed bench --help\n");
    heed_test_fails("heed bench decode --model no.keras --input no.txt", 1,
                    "heed: no.keras: cannot open: No such file or directory\n");
    heed_test_fails("heed bench lstm --batch 100000000 --length 100000000", 1,
                    "heed: bench: out of memory\nhint: smaller sizes take less\n");
}

static int tear_down(void **state)
{
    heed_test_without_context(state);
    return heed_test_forget_command(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_works),
                                       cmocka_unit_test(test_refusals)};
    return heed_test_has_command() ? cmocka_run_group_tests(tests, heed_test_with_context, tear_down) : 1;
}
