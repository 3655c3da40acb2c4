/* A Keras archive: the zip file (or the folder of the same members) that Keras 3 calls .keras. */
#ifndef HEED_FORMATS_ARCHIVE_H
#define HEED_FORMATS_ARCHIVE_H

#include "formats/hdf5.h"

struct heed_zip;
struct heed_folder;

typedef struct heed_archive_asset {
    char          *name;  /* below assets/, e.g. "source/vocabulary.txt" */
    unsigned char *bytes; /* followed by a NUL */
    size_t         size;
} heed_archive_asset;

/* Start an archive to be written as {.context = c}; everything in it is its own and freed by heed_archive_free. */
typedef struct heed_archive {
    heed_context *context;
    char         *keras_version; /* of metadata.json; NULL where it is not told */
    char         *date_saved;    /* "2026-01-02@03:04:05", or NULL */
    char         *config;        /* the text of config.json */
    size_t        config_size;
    heed_hdf5    *weights; /* the tree of model.weights.h5 */
    heed_archive_asset *assets;
    size_t        asset_count, asset_capacity;
    const char         *name;   /* of a file that is being read, borrowed, for errors */
    struct heed_zip    *zip;    /* where the rest of it is */
    struct heed_folder *folder;
} heed_archive;

/* Opens the archive or the folder at `path`, and reads what it says of the model: config and metadata. Members are
 * "PATH: MEMBER" in errors. Path, name and bytes are borrowed until heed_archive_read or heed_archive_free. */
heed_status heed_archive_open(heed_context *c, const char *path, heed_archive *out);
heed_status heed_archive_open_memory(heed_context *c, const char *name, const void *bytes, size_t size, heed_archive *out);
/* Reads the rest, weights and assets, and closes the file. */
heed_status heed_archive_read(heed_archive *a);
void        heed_archive_free(heed_archive *a); /* a zeroed one is allowed */

/* Writes the zip file, whole or not at all; equal content gives equal bytes. config and weights must be there. */
heed_status heed_archive_write(const heed_archive *a, const char *path);

/* Copies text or bytes in, replacing what was there. */
heed_status heed_archive_set_metadata(heed_archive *a, const char *keras_version, const char *date_saved);
heed_status heed_archive_set_config(heed_archive *a, const char *text, size_t size);
heed_status heed_archive_set_asset(heed_archive *a, const char *name, const void *bytes, size_t size);
/* The asset of that name, or NULL. */
const heed_archive_asset *heed_archive_asset_of(const heed_archive *a, const char *name);

typedef enum heed_file_kind {
    HEED_FILE_ZIP,
    HEED_FILE_FOLDER,
    HEED_FILE_HDF5,
    HEED_FILE_JSON,
    HEED_FILE_SAVED_MODEL, /* a folder too */
    HEED_FILE_OTHER
} heed_file_kind;

/* What a file is, by its first bytes and not by its name. */
heed_status heed_file_kind_of(heed_context *c, const char *path, heed_file_kind *out);
/* The same of bytes in memory; the first 16 are enough. */
heed_file_kind heed_file_kind_of_bytes(const void *bytes, size_t size);

#endif
