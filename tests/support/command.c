#define _POSIX_C_SOURCE 200809L
#include "support/command.h"

#include "support/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char *heed_test_out, *heed_test_err;

static void forget(void)
{
    free(heed_test_out);
    free(heed_test_err);
    heed_test_out = heed_test_err = NULL;
}

int heed_test_run(const char *line)
{
    char command[2048];
    int length = snprintf(command, sizeof command,
                          "heed() { \"$HEED_BINARY\" \"$@\"; }\n{ %s\n} >cli_out.tmp 2>cli_err.tmp </dev/null", line);
    assert_in_range(length, 1, sizeof command - 1);
    forget();
    int status = system(command);
    heed_test_out = heed_test_read_file("cli_out.tmp", NULL);
    heed_test_err = heed_test_read_file("cli_err.tmp", NULL);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void heed_test_fails(const char *line, int status, const char *error)
{
    int found = heed_test_run(line);
    if (found != status || strcmp(heed_test_err, error) != 0 || heed_test_out[0] != '\0')
        fail_msg("%s\n  exit status %d, expected %d\n  printed \"%s\"\n  said \"%s\"\n  expected \"%s\"", line, found,
                 status, heed_test_out, heed_test_err, error);
}

void heed_test_prints(const char *line, const char *expected)
{
    int found = heed_test_run(line);
    if (found != 0 || strcmp(heed_test_out, expected) != 0 || heed_test_err[0] != '\0')
        fail_msg("%s\n  exit status %d\n  printed \"%s\"\n  expected \"%s\"\n  said \"%s\"", line, found, heed_test_out,
                 expected, heed_test_err);
}

bool heed_test_exists(const char *path) { return access(path, F_OK) == 0; }

bool heed_test_has_command(void)
{
    bool there = getenv("HEED_BINARY") != NULL && heed_test_exists(getenv("HEED_BINARY"));
    if (!there)
        fputs("HEED_BINARY does not name the program to test\n", stderr);
    return there;
}

int heed_test_forget_command(void **state)
{
    (void)state;
    forget();
    remove("cli_out.tmp");
    remove("cli_err.tmp");
    return 0;
}
