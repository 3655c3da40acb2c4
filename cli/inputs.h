/* Arrays that the command line names: FILE (.npz, .npy, .csv) or NAME=FILE, again and again. Where a model's input takes
 * texts, FILE may be one of texts, one a line. */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

#include "command.h"
#include "heed/files.h"
#include "text_lines.h"

#define CLI_ARRAYS_VALUE "[NAME=]FILE"

/* All arrays at once, into *out, which is freed with heed_arrays_free() also on failure. `option` ("--x") is what
 * errors call the list. Returns an exit status, having said what is wrong. */
int cli_arrays_load(cli_session *s, const char *option, const cli_list *items, heed_arrays *out);
/* Those that go into the model. */
int cli_inputs_load(cli_session *s, heed_model *m, const char *option, const cli_list *items, heed_arrays *out);

/* The same, read some rows at a time. */
typedef struct cli_stream {
    heed_array_reader *reader; /* NULL: texts are read */
    cli_text_lines     texts;
    const char        *name; /* in place of its only array's; NULL: as the file says */
    const char        *path; /* borrowed */
} cli_stream;

typedef struct cli_streams {
    cli_stream *items;
    size_t      count;
    int64_t     rows; /* in all; HEED_ANY where only the end tells */
} cli_streams;

int cli_streams_open(cli_session *s, heed_model *m, const char *option, const cli_list *items, cli_streams *out);
/* The next rows of all; none at the end. *out is freed with heed_arrays_free() also on failure. */
int  cli_streams_next(cli_session *s, const cli_streams *streams, int64_t rows, heed_arrays *out);
void cli_streams_close(cli_streams *streams);

#endif
