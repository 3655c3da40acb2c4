#include "kernels/check.h"

/* Every kernel of the table, and the file beside this one that tests it. A new kernel must be entered here: the
 * assertion below counts. */
#define KERNELS(X)                                                                                                     \
    X(gemm, "gemm") X(gemm_pack, "gemm") X(gemm_packed, "gemm")                                                        \
    X(unary, "elementwise") X(unary_gradient, "elementwise") X(binary, "elementwise") X(axpy, "elementwise")           \
    X(multiply_add, "elementwise")                                                                                     \
    X(sum, "rows") X(maximum, "rows") X(dot, "rows") X(sum_of_squares, "rows") X(add_columns, "rows")                  \
    X(depthwise, "window") X(depthwise_gradient, "window") X(gather, "window") X(claim, "window") X(blend, "window")   \
    X(softmax, "rows") X(softmax_gradient, "rows") X(log_softmax, "rows") X(log_softmax_gradient, "rows")              \
    X(layer_norm, "rows") X(layer_norm_gradient, "rows") X(exponentials, "rows") X(softmax_cross_entropy, "rows")      \
    X(log_sum_exp, "rows") X(find_above, "rows")                                                                       \
    X(lstm, "recurrent") X(lstm_gradient, "recurrent") X(gru, "recurrent") X(gru_gradient, "recurrent")                \
    X(additive_exp, "additive") X(additive_scores, "additive") X(additive_scores_tanh, "additive")                     \
    X(additive_gradient, "additive") X(additive_gradient_tanh, "additive")                                             \
    X(attention_hide, "attention") X(attention_softmax, "attention") X(attention_gradient, "attention")                \
    X(attention_row, "attention") X(attention_finish, "attention")                                                     \
    X(random_uniform, "noise") X(random_normal, "noise") X(dropout, "noise")                                           \
    X(sgd, "optimizer") X(momentum, "optimizer") X(adam, "optimizer") X(rmsprop, "optimizer") X(adagrad, "optimizer")

typedef struct entry {
    const char *name, *test;
    size_t offset;
} entry;

static const entry entries[] = {
#define ENTRY(name, test) {#name, test, offsetof(heed_kernels, name)},
    KERNELS(ENTRY)
};
enum { ENTRY_COUNT = sizeof entries / sizeof *entries };

typedef void kernel(void);
_Static_assert(sizeof(heed_kernels) == sizeof(char *) + sizeof(int64_t) + ENTRY_COUNT * sizeof(kernel *),
               "a kernel is missing in the list");

static void test_every_kernel_is_there(void **state)
{
    (void)state;
    EACH_TABLE (k) {
        assert_true(k->gemm_columns > 0);
        for (int i = 0; i < ENTRY_COUNT; i++) {
            kernel *f;
            memcpy(&f, (const char *)k + entries[i].offset, sizeof f);
            if (!f)
                fail_msg("%s has no %s", k->name, entries[i].name);
        }
    }
}

/* the tests that the list names use the kernels they are named for */
static void test_every_kernel_is_tested(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRY_COUNT; i++) {
        char path[1024], use[64];
        snprintf(path, sizeof path, "%s/../kernels/test_%s.c", HEED_FIXTURES, entries[i].test);
        snprintf(use, sizeof use, "k->%s", entries[i].name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        static char text[1 << 20];
        size_t size = fread(text, 1, sizeof text - 1, file);
        text[size] = 0;
        fclose(file);
        const char *at = text;
        do {
            at = strstr(at, use);
            if (!at)
                fail_msg("%s does not call %s", path, entries[i].name);
            at += strlen(use);
        } while (*at == '_' || (*at >= 'a' && *at <= 'z')); /* a longer name that begins so */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kernel_is_there),
        cmocka_unit_test(test_every_kernel_is_tested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
