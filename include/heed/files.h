/**
 * @file files.h
 * Arrays in files: NumPy's `.npy` and `.npz`, and `.csv`. Models in files: everything that Keras wrote, with the
 * choices that a file leaves open.
 */
#ifndef HEED_FILES_H
#define HEED_FILES_H

#include "heed/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads all arrays of a file into @p out, which must be empty; free it with heed_arrays_free(). "-" is standard input.
 *
 * What a file is, its first bytes tell: `.npz` (stored or deflated) holds named arrays; the array of an `.npy` takes
 * the file's name without folder and ending ("array" from standard input). Anything else is read as `.csv` if it is
 * called so or comes from standard input: rows of numbers with commas between, quoted or not, become a float32 array
 * (rows, columns); a first row that is not all numbers is taken for a header and left out.
 *
 * Any byte order and memory order is read. float16 becomes float32; int8, int16 and uint16 become int32; uint32 and
 * uint64 become int64. Arrays of Python objects are refused, for reading them would run code: HEED_EUNSUPPORTED.
 */
HEED_API heed_status heed_arrays_load(heed_context *c, const char *path, heed_arrays *out);

/**
 * Writes the arrays as the name of the file says: `.npz` takes any number, `.npy` and `.csv` one. A `.csv` takes up
 * to two dimensions (one is a column); its numbers are the shortest that read back the same. "-" writes an `.npz` to
 * standard output. The file appears whole or not at all, and equal arrays give equal bytes.
 */
HEED_API heed_status heed_arrays_save(const heed_arrays *a, const char *path);

/**
 * The arrays of a file, some rows (of the first dimension) at a time: for more than memory holds. Memory does not
 * depend on the number of rows, but for an `.npz` from standard input and for arrays in Fortran's order, which are
 * read whole. What files are read, and how arrays are named and converted, is as heed_arrays_load() says.
 */
typedef struct heed_array_reader heed_array_reader;

HEED_API heed_status heed_array_reader_open(heed_context *c, const char *path, heed_array_reader **out);
HEED_API int         heed_array_reader_count(const heed_array_reader *r);
/** Of the arrays in the file; index in 0..count-1. The shape's first size is HEED_ANY where only the end tells it. */
HEED_API const char       *heed_array_reader_name(const heed_array_reader *r, int index);
HEED_API const heed_shape *heed_array_reader_shape(const heed_array_reader *r, int index);
HEED_API heed_dtype        heed_array_reader_dtype(const heed_array_reader *r, int index);
/** The next rows of an array: as many as asked for, fewer only at the end, and NULL behind it. The caller frees
 * *out. */
HEED_API heed_status heed_array_reader_next(heed_array_reader *r, int index, int64_t rows, heed_array **out);
HEED_API void        heed_array_reader_close(heed_array_reader *r); /**< NULL is allowed */

/**
 * Writes arrays some rows at a time, to the same bytes that heed_arrays_save() writes. The rows wait in temporary files
 * beside `path`, for an `.npz` twice; the file appears whole at the commit, or not at all.
 */
typedef struct heed_array_writer heed_array_writer;

HEED_API heed_status heed_array_writer_open(heed_context *c, const char *path, heed_array_writer **out);
/** More rows of the same arrays, by name; the first call says which there are, of what types and sizes. */
HEED_API heed_status heed_array_writer_add(heed_array_writer *w, const heed_arrays *rows);
HEED_API heed_status heed_array_writer_commit(heed_array_writer *w);
/** Without a commit before it, leaves no file behind. NULL is allowed. */
HEED_API void heed_array_writer_free(heed_array_writer *w);

/* ------------------------------------------------------------------------------------------------ models */

/** What to do where a file alone does not say it. Texts are read during the call only. */
typedef struct heed_load_config {
    int unused; /**< so that the macro can give a first value */
    /** NULL, or where the weights are instead of the file's own: `.h5`, `.weights.h5`, `.weights.json` with its
     *  shards, `.keras`, `.npz` (by path, as heed_save_model() writes it), a checkpoint of TensorFlow 2 (its prefix, one of its
     *  files, or the SavedModel around it). Needed by an architecture in JSON, which has none; without
     * it such a
     *  model begins with weights drawn by its seed. */
    const char *weights;
    /** Whether weights of an older `.h5` go to layers of the same name, whatever else is in file and model. By
     * default they go
     *  by order, and all of them have to fit. */
    bool weights_by_name;
    /** Whose layer a name means that several have, as "COLLECTION" or "COLLECTION=VERSION", and which version's behaviour:
     *  "keras-self-attention=0.45". Ends with NULL; NULL: as the file tells. */
    const char *const *from;
    /** "LAYER.OPTION=VALUE": supplies or replaces an option of a layer, lists with commas. Ends with NULL. */
    const char *const *set;
    /** "NAME=OPERATION": what a Lambda layer of this name does, as an expression over x: "lambda_1=x ** 2 + 1". The code in
     *  the file is never run. Ends with NULL. */
    const char *const *lambda;
} heed_load_config;

/**
 * Reads a model in any of Keras' forms, told by its bytes and not by its name: a `.keras` archive (or a folder of its
 * members), a whole model in HDF5 by Keras 1.2 and later, a SavedModel (the folder that model.save("name") left with
 * TensorFlow 2, of a model made of layers), or an architecture in JSON.
 *
 *     heed_load_model(c, "old.h5", &m);
 *     heed_load_model(c, "model.json", &m, .weights = "model.h5", .weights_by_name = true);
 *
 * A layer that heed does not know is HEED_ENOTFOUND; the sentence names it, where it stands and its options, and the
 * hint what could take its place. No weight is read before all layers are known.
 *
 * Where versions of Keras differ, the model runs and learns as in the one that wrote the file, with TensorFlow below
 * it: masks end at layers where they ended, names of losses and metrics mean what they meant, statistics, penalties,
 * means and the rows of an Embedding are taken as there. docs/keras.md lists it all, and what is not followed. A model
 * that was made here, and saved, has penalties of an example, passes over masked steps, takes means by rows, and
 * squares the sum of what the uses of an Embedding's row have for a gradient.
 */
#define heed_load_model(context, path, out, ...)                                                                       \
    heed_load_model_with((context), (path), &(heed_load_config){0, __VA_ARGS__}, (out))
HEED_API heed_status heed_load_model_with(heed_context *c, const char *path, const heed_load_config *config,
                                          heed_model **out);
/** The same from memory: an archive, HDF5 or JSON. `name` is what errors call it; the bytes may go when it returns. */
HEED_API heed_status heed_load_model_memory(heed_context *c, const char *name, const void *bytes, size_t size,
                                            const heed_load_config *config, heed_model **out);

/**
 * A model over the weights of `m` in another context: so several threads run one loaded model at the same time, each
 * with a context, working memory and states of its own. The weights are not copied. Call it where both contexts may be
 * used; what it gives belongs to `c` alone. It can be run and saved, but not be trained, nor be given other weights
 * (HEED_ESTATE). `m` must outlive it and must not be trained meanwhile.
 */
HEED_API heed_status heed_share_model(heed_model *m, heed_context *c, heed_model **out);

typedef struct heed_save_config {
    int unused; /**< so that the macro can give a first value */
    int keras;  /**< 2: what Keras 2 (tf-keras) reads; 3 or 0: Keras 3 */
    /** Whether only layers of Keras are written. A collection's layer becomes a functional model of its name that computes
     *  the same, masks included: one of Keras' attention layers with dense layers around it, or operations where padding has
     *  to be treated as the original does. HEED_EUNSUPPORTED names a layer that Keras has no equal of. The optimizer's
     *  state goes along with the weights; where it cannot (Adafactor's, of a matrix that is cut into heads), it is left out,
     *  and the context's log receives a warning. */
    bool builtin;
} heed_save_config;

/**
 * Writes what the name of the file says: `.keras`, `.h5` or `.hdf5` (whole models: architecture, weights, training
 * settings, the optimizer's state), `.weights.h5` (weights alone; `_weights.h5`: in the form from before Keras 3),
 * `.npz` (weights by path), `.json` (the architecture). Any other name, and "-", is an archive as of `.keras`. The file
 * appears whole or not at all.
 */
#define heed_save_model(model, path, ...) heed_save_model_with((model), (path), &(heed_save_config){0, __VA_ARGS__})
HEED_API heed_status heed_save_model_with(heed_model *m, const char *path, const heed_save_config *config);

#ifdef __cplusplus
}
#endif
#endif
