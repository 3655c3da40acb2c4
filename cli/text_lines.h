/* Texts, one a line, for a model that begins with a layer for texts. */
#ifndef CLI_TEXT_LINES_H
#define CLI_TEXT_LINES_H

#include "command.h"
#include "heed/text.h"
#include "heed/vectorizer.h"

typedef struct cli_text_lines {
    heed_lines      *lines; /* NULL: not open */
    heed_vectorizer *vectorizer;
    const char      *name; /* of the model's input */
} cli_text_lines;

/* Whether a file is not one of arrays, by its name. */
bool cli_names_texts(const char *path);
/* Of an input that takes texts. Returns an exit status. */
int  cli_text_lines_open(cli_session *s, heed_model *m, int input, const char *path, cli_text_lines *out);
/* The next lines, at most so many, as the model's input; NULL behind the last. The caller frees *out. */
int  cli_text_lines_next(cli_session *s, const cli_text_lines *t, int64_t most, heed_array **out);
void cli_text_lines_close(cli_text_lines *t);

#endif
