/* Usage, --help and man pages, all from the option tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "command.h"

/* Both write to standard output; `shared` are the options that all sub-commands have. */
void cli_help(const cli_command *command, const cli_option *shared);
void cli_help_overview(const cli_command *const *commands, size_t count, const cli_option *shared);

/* The same as pages for man, section 1. */
void cli_man(const cli_command *command, const cli_option *shared);
void cli_man_overview(const cli_command *const *commands, size_t count, const cli_option *shared);

/* Writes words from `column` on, wrapped before column 80, following lines indented to `indent`; ends the line. An empty
 * line in the text starts a new paragraph. */
void cli_write_wrapped(const char *text, int column, int indent);

#endif
