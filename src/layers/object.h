/* Things that an expression names: initializers, regularizers, constraints and activations.
 * "l2(0.01)" is the class l2 of the family of regularizers with its config {.l2 = 0.01}. */
#ifndef HEED_LAYERS_OBJECT_H
#define HEED_LAYERS_OBJECT_H

#include "layers/options.h"

typedef struct heed_object_class {
    const char        *name;    /* in expressions: "l2" */
    const char        *keras;   /* Keras' class: "L2"; NULL for a function, which files hold by its name */
    const char        *passed_over; /* a key of Keras' config that says nothing here: "seed"; NULL: none */
    const heed_option *options;
    int                option_count;
    size_t             config_size;
    const void        *defaults;
} heed_object_class;

typedef struct heed_object_family {
    const char *word;   /* "regularizer" */
    const char *module; /* "keras.regularizers" */
    const heed_object_class *const *classes; /* up to NULL; each begins the family's own struct of functions */
    const char *const (*aliases)[2];         /* {other name, name} up to {NULL, NULL}; NULL: none */
} heed_object_family;

typedef struct heed_object {
    const heed_object_class *object_class;
    const void              *config;
} heed_object;

extern const heed_object_family heed_activations, heed_initializers, heed_regularizers, heed_constraints;

/* The object that an expression names; HEED_ENOTFOUND with a hint for a name there is not. */
heed_status heed_object_parse(heed_zone *z, const heed_object_family *f, const char *expression, heed_object **out);

/* The expression that a value means: a name, a call, or what Keras saves, {"class_name": "L2", "config": {"l2": 0.01}};
 * NULL for None. In the zone. */
heed_status heed_object_expression(heed_zone *z, const heed_object_family *f, const heed_value *v, const char *what,
                                   const char **out);
/* What Keras saves for an expression; NULL when there is no memory. */
heed_value *heed_object_value(heed_zone *z, const heed_object_family *f, const char *expression);

#endif
