/* Programs: a model's graphs of concrete shape, kept by the shapes they are for. All graphs of a model share one arena.
 */
#ifndef HEED_MODEL_PROGRAM_H
#define HEED_MODEL_PROGRAM_H

#include "model/model.h"

typedef enum heed_purpose {
    HEED_FOR_PREDICTION,
    HEED_FOR_ATTENTION, /* prediction that also keeps the weights of attention layers */
    HEED_FOR_TEST,
    HEED_FOR_TRAINING,
} heed_purpose;

/* One graph, and where in it everything is. Lives in the graph's zone, and ends with the graph. */
typedef struct heed_program {
    heed_graph  *graph;
    heed_purpose purpose;
    int64_t     *key; /* purpose, types and shapes */
    size_t       key_length;
    uint64_t     used; /* when: for giving up the one that was not used for longest */
    heed_tensor *inputs[HEED_MAX_OUTPUTS], *outputs[HEED_MAX_OUTPUTS], *output_masks[HEED_MAX_OUTPUTS];
    heed_pass    pass;
    /* for test and training: see step.c */
    heed_tensor **targets, **sample_weights; /* by output; NULL where there is none */
    heed_tensor  *loss;                      /* (), with all penalties */
    heed_tensor **losses;                    /* (), by output with a loss, before weighting */
    heed_tensor **sums;                      /* vectors, by metric */
    heed_tensor **gradients;                 /* by trained variable; NULL where nothing depends on it */
    heed_tensor **squares;                   /* of the gradients' shares; NULL where these do not matter */
} heed_program;

/* The program for such a batch, made if it is not there. */
heed_status heed_program_find(heed_model *m, heed_purpose purpose, const heed_batch *batch, heed_program **out);
/* Makes one that is not kept, and plans it without memory: to be asked, and freed by heed_graph_free(program->graph).
 */
heed_status heed_program_make(heed_model *m, heed_purpose purpose, const heed_batch *batch, heed_program **out);
/* Binds inputs, runs, and takes over states that layers carry on. The caller has bound targets and sample weights. */
heed_status heed_program_run(heed_model *m, heed_program *p, const heed_array *inputs);
/* Targets as they would be for such a batch, without numbers; returns how many. What the optimizer keeps, in bytes. */
int    heed_training_targets(const heed_model *m, int64_t batch, int64_t length, heed_array *targets);
size_t heed_training_optimizer_bytes(const heed_model *m);
/* While weights are held, they stay as they are: matrices among them are packed once and not at every run. */
heed_status heed_model_hold_weights(heed_model *m);
void        heed_model_release_weights(heed_model *m);
/* Forgets all programs, as they were made for another loss or other weights to train. */
void heed_programs_clear(heed_model *m);

/* Appends what test and training compute beside the outputs: losses, metrics, gradients. */
heed_status heed_program_train(heed_model *m, heed_program *p, const heed_batch *batch);
/* What of it is to be kept readable, and at most how much that is; returns the number written to `wanted`. */
size_t heed_program_wanted(const heed_model *m, const heed_program *p, heed_tensor **wanted);
size_t heed_program_wants(const heed_model *m);

#endif
