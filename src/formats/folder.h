/* A folder, seen as an archive: the files in it and below, by their relative names. */
#ifndef HEED_FORMATS_FOLDER_H
#define HEED_FORMATS_FOLDER_H

#include "base/context.h"

typedef struct heed_folder heed_folder;

/* Lists all files below `path`, sorted by name; links are followed, what is no file is left out. HEED_EFORMAT for more than
 * 100,000 files or folders nested deeper than 32. */
heed_status heed_folder_open(heed_context *c, const char *path, heed_folder **out);
void        heed_folder_close(heed_folder *f); /* NULL is allowed */

size_t      heed_folder_count(const heed_folder *f);
const char *heed_folder_name(const heed_folder *f, size_t index); /* "assets/vocabulary.txt" */
bool        heed_folder_find(const heed_folder *f, const char *name, size_t *index);
/* As heed_file_read. */
heed_status heed_folder_read(const heed_folder *f, size_t index, size_t limit, unsigned char **out, size_t *size);

#endif
