/* The program under test, as the shell runs it. HEED_BINARY names it. */
#ifndef HEED_TEST_COMMAND_H
#define HEED_TEST_COMMAND_H

#include <stdbool.h>

extern char *heed_test_out, *heed_test_err; /* what the last line wrote */

/* Runs a line of the shell, in which "heed" is the program under test; returns its exit status. */
int heed_test_run(const char *line);
/* The line fails with the status and exactly this on standard error (hint included), and prints nothing else. */
void heed_test_fails(const char *line, int status, const char *error);
/* The line succeeds, prints this, and says nothing on standard error. */
void heed_test_prints(const char *line, const char *expected);
bool heed_test_exists(const char *path);
/* For main(): false, having said so, when HEED_BINARY is not there; and what the last test ends with. */
bool heed_test_has_command(void);
int  heed_test_forget_command(void **state);

#endif
