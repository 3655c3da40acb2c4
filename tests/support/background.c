#define _POSIX_C_SOURCE 200809L
#include "support/background.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pid_t heed_test_start(const char *line, int input, int output, int errors)
{
    char command[2048];
    snprintf(command, sizeof command, "exec \"$HEED_BINARY\" %s", line);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(input, STDIN_FILENO);
        dup2(output, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return child;
}

pid_t heed_test_start_quietly(const char *line)
{
    int nothing = open("/dev/null", O_RDWR), errors = open("cli_err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(nothing >= 0 && errors >= 0);
    pid_t child = heed_test_start(line, nothing, nothing, errors);
    close(nothing);
    close(errors);
    return child;
}

void heed_test_nap(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static ino_t file_number(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_ino : 0;
}

bool heed_test_wait_for_new_file(pid_t child, const char *path, int *status)
{
    ino_t before = file_number(path);
    for (long naps = 0; naps < HEED_TEST_PATIENCE * 1000L; naps++) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child)
            return true;
        if (file_number(path) != before)
            return false;
        heed_test_nap(1);
    }
    kill(child, SIGKILL);
    fail_msg("%s: nothing new for %d s", path, HEED_TEST_PATIENCE);
    return true;
}
