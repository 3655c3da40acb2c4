/* The program under test while it runs: watched, interrupted, killed. */
#ifndef HEED_TEST_BACKGROUND_H
#define HEED_TEST_BACKGROUND_H

#include <stdbool.h>
#include <sys/types.h>

/* Seconds after which a program that says nothing is taken for dead; nothing is ever waited for that long otherwise. */
enum { HEED_TEST_PATIENCE = 300 };

/* Starts a line of the shell, arguments of the program, in a process of its own, which becomes the program; its standard
 * streams are as given. */
pid_t heed_test_start(const char *line, int input, int output, int errors);
/* The same without streams, but for errors, which go to cli_err.txt. */
pid_t heed_test_start_quietly(const char *line);
void  heed_test_nap(long milliseconds);
/* Waits until the file was replaced, or the program ended (then true, and *status is how). */
bool heed_test_wait_for_new_file(pid_t child, const char *path, int *status);

#endif
