/* heed layers: the list, the pages, two layers of one name, and a name that there is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/command.h"

#include <stdbool.h>
#include <string.h>

static void check_order(const char *const *parts, int count)
{
    const char *at = heed_test_out;
    for (int i = 0; i < count; i++) {
        const char *found = strstr(at, parts[i]);
        if (found == NULL)
            fail_msg("\"%s\" is not there, or not in its place", parts[i]);
        at = found + strlen(parts[i]);
    }
}

#define CHECK_ORDER(...)                                                                                               \
    check_order((const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void test_list(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed layers"), 0);
    CHECK_ORDER("keras\n", "  LSTM ", "keras-self-attention\n", "  SeqSelfAttention ", "keras-multi-head\n");
    assert_string_equal(heed_test_err, "");
}

static void test_page(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed layers GRU"), 0);
    CHECK_ORDER("GRU (keras)\n", "    z = s(x W_z", "Inputs and outputs:\n    x (B, T, F)", "Masks:\n", "Weights, in order:\n",
                "    kernel (F, 3 units)\n", "    recurrent_kernel", "Options:\n", "  units, required    in [1,)\n",
                "  activation = \"tanh\"\n", "What differs from the original:\n", "Source:\n", "Cho et al. 2014");
    assert_int_equal(heed_test_run("heed layers SeqSelfAttention --markdown"), 0);
    CHECK_ORDER("# SeqSelfAttention\n", "```\nadditive: e_ij", "## Weights, in order\n", "## Options\n",
                "| `attention_width` | `None` |", "| additive\\|multiplicative |", "## Source\n");
}

static void test_layers_of_one_name(void **state)
{
    (void)state;
    assert_int_equal(heed_test_run("heed layers MultiHeadAttention"), 0);
    CHECK_ORDER("MultiHeadAttention (keras)\n", "  num_heads, required", "MultiHeadAttention (keras-multi-head)\n",
                "  head_num, required");
    assert_int_equal(heed_test_run("heed layers MultiHeadAttention --from keras-multi-head"), 0);
    assert_null(strstr(heed_test_out, "num_heads"));
    assert_non_null(strstr(heed_test_out, "head_num"));
}

static void test_no_such_layer(void **state)
{
    (void)state;
    heed_test_fails("heed layers LTSM", 2, "heed: LTSM: no such layer\nhint: did you mean LSTM?\n");
    heed_test_fails("heed layers LSTM --from keras-multi-head", 2,
                    "heed: LSTM: keras-multi-head has no such layer\nhint: heed layers lists them all\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_layers_of_one_name),
        cmocka_unit_test(test_no_such_layer),
    };
    return heed_test_has_command() ? cmocka_run_group_tests(tests, NULL, heed_test_forget_command) : 1;
}
