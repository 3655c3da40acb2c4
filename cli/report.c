#define _POSIX_C_SOURCE 200809L
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 512, DETAILS = 256, SHORTEST_BAR = 5, BAR = 30, WIDTH = 80 };
static const double redraw_seconds = 0.1, line_seconds = 10.0;

/* Standard error is one stream, so whether a bar stands on its last line is known to all that write there. */
static bool bar_shown;

static void clear_bar(void)
{
    if (bar_shown)
        fputs("\r\033[K", stderr);
    bar_shown = false;
}

int cli_error(int exit_status, const char *hint, const char *format, ...)
{
    clear_bar();
    fputs("heed: ", stderr);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (hint != NULL && *hint != '\0')
        fprintf(stderr, "hint: %s\n", hint);
    return exit_status;
}

int cli_failed(const cli_session *s)
{
    return cli_error(CLI_FAILED, heed_error_hint(s->context), "%s", heed_error(s->context));
}

int cli_refused(const cli_session *s, heed_status status)
{
    bool usage = status == HEED_EINVAL || status == HEED_ENOTFOUND;
    return cli_error(usage ? CLI_WRONG_USAGE : CLI_FAILED, heed_error_hint(s->context), "%s", heed_error(s->context));
}

void cli_note(const cli_session *s, const char *format, ...)
{
    if (s->quiet)
        return;
    clear_bar();
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void cli_log(void *user, heed_log_level level, const char *message)
{
    const cli_session *s = user;
    if (level == HEED_LOG_WARNING)
        cli_error(CLI_DONE, NULL, "%s", message);
    else if (level == HEED_LOG_NOTE)
        cli_note(s, "%s", message);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : WIDTH;
}

void cli_progress_start(cli_progress *p, const cli_session *s, const char *what, double total)
{
    double now = seconds_now();
    *p = (cli_progress){
        .session = s, .what = what, .total = total, .started = now, .drawn = now, .begun = NAN, .terminal = isatty(STDERR_FILENO)};
}

const char *cli_duration(double seconds, char text[CLI_DURATION])
{
    long whole = (long)(seconds + 0.5);
    if (whole < 3600)
        snprintf(text, CLI_DURATION, "%ld:%02ld", whole / 60, whole % 60);
    else
        snprintf(text, CLI_DURATION, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
}

/* "1:05 left", "" when nothing can be said yet */
static void describe_time_left(const cli_progress *p, double done, double now, char *text, size_t size)
{
    text[0] = '\0';
    double since = done - p->begun;
    if (p->total <= 0 || !(since > 0) || done > p->total)
        return;
    char duration[CLI_DURATION];
    snprintf(text, size, "%s left", cli_duration((now - p->started) * (p->total - done) / since, duration));
}

static void draw_bar(const cli_progress *p, double share, const char *left, const char *details)
{
    char line[LINE], bar[BAR + 1], numbers[DETAILS + 64];
    snprintf(numbers, sizeof numbers, "%3d %%  %s%s%s", (int)(100 * share), left, *left != '\0' ? "  " : "", details);
    int width = terminal_width() - 1, room = width - (int)(strlen(p->what) + strlen(" [] ") + strlen(numbers));
    int length = room > BAR ? BAR : room < SHORTEST_BAR ? SHORTEST_BAR : room, full = (int)(share * length);
    memset(bar, ' ', (size_t)length);
    memset(bar, '=', (size_t)full);
    if (full < length)
        bar[full] = '>';
    bar[length] = '\0';
    snprintf(line, sizeof line, "%s [%s] %s", p->what, bar, numbers);
    clear_bar();
    fprintf(stderr, "%.*s", width, line);
    bar_shown = true;
}

void cli_progress_update(cli_progress *p, double done, const char *format, ...)
{
    double now = seconds_now();
    if (isnan(p->begun))
        p->begun = done;
    if (p->session->quiet || now - p->drawn < (p->terminal ? redraw_seconds : line_seconds))
        return;
    p->drawn = now;
    char left[CLI_DURATION + 8], details[DETAILS];
    va_list args;
    va_start(args, format);
    vsnprintf(details, sizeof details, format, args);
    va_end(args);
    describe_time_left(p, done, now, left, sizeof left);
    double share = p->total > 0 ? (done < p->total ? done / p->total : 1) : 0;
    if (p->terminal && p->total > 0)
        draw_bar(p, share, left, details);
    else if (p->total > 0)
        cli_note(p->session, "%s: %d %%, %s%s%s", p->what, (int)(100 * share), left, *left != '\0' ? ", " : "",
                 details);
    else
        cli_note(p->session, "%s: %.0f  %s", p->what, done, details);
}

void cli_progress_end(cli_progress *p)
{
    (void)p;
    clear_bar();
}
