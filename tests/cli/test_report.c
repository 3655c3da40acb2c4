/* What appears on a terminal and what in a log, seen from the other end of a pseudo-terminal or a pipe. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef void speaker(const cli_session *s);

/* What `speak` says on standard error, which goes to `writer` and is read from `reader`; both are closed. */
static void listen_to(speaker *speak, const cli_session *s, int reader, int writer, char *heard, size_t size)
{
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(writer, STDERR_FILENO) >= 0);
    close(writer);
    speak(s);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    size_t used = 0;
    for (ssize_t got; (got = read(reader, heard + used, size - 1 - used)) > 0;) /* a terminal ends with an error */
        used += (size_t)got;
    heard[used] = '\0';
    close(reader);
}

static void hear_terminal(speaker *speak, const cli_session *s, char *heard, size_t size)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        skip(); /* a machine without pseudo-terminals */
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    listen_to(speak, s, master, terminal, heard, size);
}

static void hear_log(speaker *speak, const cli_session *s, char *heard, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    listen_to(speak, s, ends[0], ends[1], heard, size);
}

static void speak_of_progress(const cli_session *s)
{
    const struct timespec longer_than_between_two_drawings = {.tv_nsec = 150 * 1000 * 1000};
    cli_progress p;
    cli_progress_start(&p, s, "epoch 1", 8);
    cli_progress_update(&p, 1, "loss %.1f", 9.0); /* too early to be worth a drawing */
    nanosleep(&longer_than_between_two_drawings, NULL);
    cli_progress_update(&p, 4, "loss %.1f", 2.5);
    cli_note(s, "epoch 1: loss 2.0");
    nanosleep(&longer_than_between_two_drawings, NULL);
    cli_progress_update(&p, 8, "loss %.1f", 2.0);
    cli_progress_end(&p);
    cli_error(CLI_FAILED, "do that", "m.keras: %s", "bad");
}

static void test_terminal(void **state)
{
    (void)state;
    char heard[1024];
    hear_terminal(speak_of_progress, &(cli_session){0}, heard, sizeof heard);
    assert_string_equal(heard, "epoch 1 [===============>              ]  50 %  0:00 left  loss 2.5"
                               "\r\033[Kepoch 1: loss 2.0\r\n"
                               "epoch 1 [==============================] 100 %  0:00 left  loss 2.0"
                               "\r\033[Kheed: m.keras: bad\r\nhint: do that\r\n");
    hear_terminal(speak_of_progress, &(cli_session){.quiet = true}, heard, sizeof heard);
    assert_string_equal(heard, "heed: m.keras: bad\r\nhint: do that\r\n");
}

static void test_log(void **state)
{
    (void)state;
    char heard[1024];
    hear_log(speak_of_progress, &(cli_session){0}, heard, sizeof heard);
    assert_string_equal(heard, "epoch 1: loss 2.0\nheed: m.keras: bad\nhint: do that\n");
}

static void speak_of_messages(const cli_session *s)
{
    cli_session copy = *s;
    cli_log(&copy, HEED_LOG_WARNING, "mind this");
    cli_log(&copy, HEED_LOG_NOTE, "by the way");
    cli_log(&copy, HEED_LOG_DEBUG, "inside");
}

static void test_messages(void **state)
{
    (void)state;
    char heard[1024];
    hear_log(speak_of_messages, &(cli_session){0}, heard, sizeof heard);
    assert_string_equal(heard, "heed: mind this\nby the way\n");
    hear_log(speak_of_messages, &(cli_session){.quiet = true}, heard, sizeof heard);
    assert_string_equal(heard, "heed: mind this\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
