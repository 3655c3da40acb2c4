/* The wiring of a functional model, while it is read: layers are made in the order of the file, then their calls are
 * wired in the same order, but each behind those it needs. */
#ifndef HEED_FORMATS_KERAS_WIRING_H
#define HEED_FORMATS_KERAS_WIRING_H

#include "base/index.h"
#include "formats/keras_config.h"

/* A layer of the file, and how far its calls are wired. */
typedef struct heed_wiring_entry {
    const char      *name;
    const heed_json *object;
    heed_layer      *layer; /* NULL: an operation that heed cannot run, or of such; `object` is the one to blame */
    const heed_json *next;  /* the next call to wire */
    heed_wire      **calls;
    size_t           call_count;
    int64_t          first_call; /* what files of Keras 2 call it: 1 for most models, whose own wiring is 0 */
    bool             under_way;  /* a call of it waits until others are wired */
} heed_wiring_entry;

typedef struct heed_wiring {
    heed_context             *context;
    heed_zone                 zone;
    heed_model               *model;
    const heed_keras_reading *reading;
    heed_wiring_entry        *entries;
    size_t                    count;
    heed_index                names;       /* of the entries */
    heed_index                mask_makers; /* by symbol; of those that were asked for */
    bool                      takes_masks_off; /* a layer of it does */
} heed_wiring;

/* Where a tensor comes from: ["layer", call, output], perhaps with more behind. */
typedef struct heed_wiring_place {
    heed_wiring_entry *from;
    int64_t            call, output;
} heed_wiring_place;

/* The layer of that name; NULL if there is none. */
heed_wiring_entry *heed_wiring_find(const heed_wiring *r, const char *name);
/* What ["layer", call, output] says. */
heed_status heed_wiring_origin(const heed_wiring *r, const heed_json *list, heed_wiring_place *out);
/* The symbol, or NULL if that call is not wired yet. */
heed_status heed_wiring_symbol(const heed_wiring *r, const heed_json *where, const heed_wiring_place *o,
                               heed_symbol **out);
/* Keras 3 counts a functional model's own wiring as its first call where it lists outputs. */
void heed_wiring_skip_own(heed_wiring_place *o);
/* Every call of a layer is used by something, so the smallest number that is spoken of is that of its first call. */
void heed_wiring_note_calls(const heed_wiring *r, const heed_json *v);
/* Takes in another layer, whose name must be new. */
heed_status heed_wiring_add(heed_wiring *r, const heed_wiring_entry *e);
/* Notes that an entry has been called once more. */
heed_status heed_wiring_add_call(heed_wiring *r, heed_wiring_entry *e, heed_wire *w);
/* Wires all calls, in the order of the file, but each behind those it needs. */
heed_status heed_wiring_run(heed_wiring *r);

#endif
