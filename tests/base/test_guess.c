#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/base.h"

#include <string.h>

static void check(const char *word, const char *expected)
{
    static const char *const names[] = {"train", "translate", "evaluate", "fit", "sgd", "categorical_crossentropy"};
    heed_guess guess = {.word = word};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        heed_guess_offer(&guess, names[i]);
    if (expected == NULL)
        assert_null(guess.best);
    else
        assert_string_equal(guess.best, expected);
}

static void test_guesses(void **state)
{
    (void)state;
    check("tarin", "train");       /* a swap */
    check("trian", "train");
    check("trai", "train");        /* a missing letter */
    check("trainn", "train");      /* one too many */
    check("trsin", "train");       /* another one */
    check("train", "train");
    check("translator", "translate");
    check("evalate", "evaluate");
    check("categorical_cross_entropy", "categorical_crossentropy");
    check("sdg", "sgd");
    check("predict", NULL);
    check("x", NULL);
    check("", NULL);
    char word[200];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    check(word, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guesses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
