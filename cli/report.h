/* What the command says on standard error: errors, notes, progress. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "command.h"
#include "heed/base.h"

/* Says "heed: ...", and "hint: ..." on a line below unless `hint` is NULL or empty. Returns `exit_status`, so that a
 * sub-command ends with return cli_error(CLI_WRONG_USAGE, "...", "..."). */
int cli_error(int exit_status, const char *hint, const char *format, ...) HEED_PRINTF(3, 4);

/* The error that the session's context holds; returns CLI_FAILED. */
int cli_failed(const cli_session *s);
/* The same; CLI_WRONG_USAGE when the status tells of a value or name that the command line gave. */
int cli_refused(const cli_session *s, heed_status status);

/* A line of information, above the progress bar if there is one. Nothing with --quiet. */
void cli_note(const cli_session *s, const char *format, ...) HEED_PRINTF(2, 3);

/* For heed_context_config.log; `user` is the session. */
heed_log_function cli_log;

/* Seconds as people read them, rounded: "0:05", "1:02:03". Returns text. */
enum { CLI_DURATION = 32 };
const char *cli_duration(double seconds, char text[CLI_DURATION]);

/* How far a long piece of work is: a bar on a terminal, a line every 10 s elsewhere, nothing with --quiet. One at a
 * time. A line that should stay (an epoch's results) is a cli_note. */
typedef struct cli_progress {
    const cli_session *session;
    const char        *what;  /* borrowed */
    double             total; /* 0: unknown */
    double             started, drawn; /* seconds */
    double             begun; /* what was done at the first update: a resumed run has done some; NaN before */
    bool               terminal;
} cli_progress;

void cli_progress_start(cli_progress *p, const cli_session *s, const char *what, double total);
/* Cheap enough to call after every step. The format tells what else to show, e.g. "loss %.3f". */
void cli_progress_update(cli_progress *p, double done, const char *format, ...) HEED_PRINTF(3, 4);
void cli_progress_end(cli_progress *p);

#endif
