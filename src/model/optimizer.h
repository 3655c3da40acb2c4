/* Optimizers: how gradients change weights. What one keeps is a list of arrays in Keras' order, which files hold too.
 */
#ifndef HEED_MODEL_OPTIMIZER_H
#define HEED_MODEL_OPTIMIZER_H

#include "layers/layer.h"
#include "model/schedule.h"

typedef struct heed_optimizer heed_optimizer;

/* From an expression ("adam(learning_rate=0.01)") or what Keras saves. */
heed_status heed_optimizer_create(heed_context *c, const heed_value *v, heed_optimizer **out);
void        heed_optimizer_free(heed_optimizer *o); /* NULL is allowed */
/* What Keras saves; NULL when there is no memory. */
heed_value *heed_optimizer_value(heed_zone *z, const heed_optimizer *o);

/* Makes room for these variables, once. `paths` name them: "lstm/lstm_cell/kernel". */
heed_status heed_optimizer_prepare(heed_optimizer *o, heed_variable *const *variables, const char *const *paths,
                                   size_t count);
bool        heed_optimizer_prepared(const heed_optimizer *o);

/* One step. gradients[i] is of variable i; NULL where nothing depends on it: such a variable stays as it is. On TensorFlow a
 * row of a table that is looked up several times has a share of its gradient from each time, and Keras takes norms (from 2.3
 * on) and squares (from 3 on) of these shares, before it adds them: squares[i] is heed_squared_shares(); NULL: the gradient's
 * own squares count. `keras`: whose version's rules they are, as heed_layer.keras. */
void heed_optimizer_apply(heed_optimizer *o, const float *const *gradients, const float *const *squares, int keras);
/* Whether these squares make a difference. */
bool heed_optimizer_squares_shares(const heed_optimizer *o, int keras);
/* At the end of training: moving averages become the weights, where they are kept. */
void heed_optimizer_finish(heed_optimizer *o);

double      heed_optimizer_rate(const heed_optimizer *o); /* of the next step */
heed_status heed_optimizer_set_rate(heed_optimizer *o, double rate);
/* Makes the rate a number, where a schedule decides. */
heed_status heed_optimizer_drop_schedule(heed_optimizer *o);
int64_t     heed_optimizer_iterations(const heed_optimizer *o);

/* What it keeps. */
int         heed_optimizer_arrays(const heed_optimizer *o);
const char *heed_optimizer_array_name(const heed_optimizer *o, int index);
heed_array *heed_optimizer_array_at(heed_optimizer *o, int index);
/* Which of them is the learning rate; -1: none, a schedule decides. */
int heed_optimizer_rate_index(const heed_optimizer *o);
/* Which variable an array is kept for, if for one, and as what: a number below HEED_KEPT_KINDS, the same in all optimizers
 * of a class and settings. */
enum { HEED_KEPT_KINDS = 5 };
bool heed_optimizer_array_of(const heed_optimizer *o, int index, size_t *variable, int *kind);
/* Whether an array is slot `slot` of variable `variable`. */
bool heed_optimizer_slot_of(const heed_optimizer *o, int index, size_t *variable, int *slot);
size_t heed_optimizer_variables(const heed_optimizer *o);
/* Whether it counts and keeps as before Keras 2.11, and whether its slots stood variable by variable then. */
bool heed_optimizer_is_old(const heed_optimizer *o);
bool heed_optimizer_interleaved(const heed_optimizer *o);
bool heed_optimizer_keeps_product(const heed_optimizer *o);
const char *heed_optimizer_class_name(const heed_optimizer *o); /* "adam" */
/* Works out from the number of steps what a state lacks that was kept without it: Nadam's product, before Keras 3. `keras` as
 * for heed_optimizer_apply. */
void heed_optimizer_restore_product(heed_optimizer *o, int keras);
/* Bytes that it keeps, or will. */
size_t heed_optimizer_bytes(const heed_optimizer *o, heed_variable *const *variables, size_t count);

#endif
