/* The inside of layers, for the layers themselves and for models. */
#ifndef HEED_LAYERS_LAYER_H
#define HEED_LAYERS_LAYER_H

#include "base/memory.h"
#include "graph/graph.h"
#include "heed/layer.h"

struct heed_layer {
    heed_context           *context;
    const heed_layer_class *layer_class;
    int                     references;
    heed_zone               zone;   /* config, names, what the class keeps */
    char                   *name;   /* set by the model where the options give none; then in config too */
    void                   *config; /* a copy, its texts and nested specs copied too */
    bool                    built;
    heed_shape             *built_shapes; /* the input shapes it was built for */
    int                     built_count;
    heed_variable         **variables; /* own, in order of creation */
    size_t                  variable_count, variable_capacity;
    struct heed_child {
        const char *attribute;
        heed_layer *layer;
    }     *children; /* in order of creation */
    size_t child_count, child_capacity;
    void  *state;    /* of the class */
};

/* What a whole pass collects; behind heed_call's `arguments`. One for a graph, shared by all calls in it. */
typedef struct heed_pass {
    heed_graph   *graph;
    heed_tensor **losses;  /* scalars from heed_call_add_loss */
    size_t        loss_count, loss_capacity;
    struct heed_update {
        heed_variable *variable;
        heed_tensor   *value;
    }     *updates;
    size_t update_count, update_capacity;
    /* attention weights that layers publish when asked: see heed_call_publish */
    bool   wants_attention;
    struct heed_published {
        const heed_layer *layer;
        heed_tensor      *weights;
    }     *attention;
    size_t attention_count, attention_capacity;
} heed_pass;

typedef struct heed_call_arguments {
    heed_pass               *pass;
    const struct heed_value *keywords; /* a dict, or NULL */
} heed_call_arguments;

/* Draws a variable's numbers by its initializer: a function of (seed, stream) and the shape. */
heed_status heed_variable_initialize(heed_context *c, heed_variable *v, uint64_t seed, uint64_t stream);

#endif
