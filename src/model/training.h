/* What heed_compile() makes of its texts. */
#ifndef HEED_MODEL_TRAINING_H
#define HEED_MODEL_TRAINING_H

#include "model/data.h"
#include "model/measure.h"
#include "model/optimizer.h"
#include "model/program.h"

/* The loss of one output. */
typedef struct heed_output_loss {
    const char        *text;   /* the expression; NULL: none */
    const heed_object *object; /* NULL where the choice awaits the shapes ("crossentropy") */
    double             weight;
    int                slot;   /* which of the losses with a text it is; -1: none */
} heed_output_loss;

typedef struct heed_metric {
    const char        *text;
    const char        *output_name; /* NULL: of every output */
    const heed_object *object;      /* NULL where the choice awaits the shapes ("accuracy") */
    const char        *word;        /* "accuracy" */
    bool               weighted;
} heed_metric;

/* A metric on an output, and its results so far. */
typedef struct heed_tally {
    const heed_metric *metric; /* NULL: the mean of an output's loss */
    int                output;
    double            *sums;  /* what batches added up to; NULL before the first */
    int64_t            count; /* of the sums */
} heed_tally;

struct heed_training {
    heed_zone         zone;
    heed_optimizer   *optimizer;
    const char       *loss; /* of every output; NULL: by output */
    const char       *losses[HEED_MAX_LOSSES];
    const double     *loss_weights; /* NULL: 1 each */
    int               weight_count;
    heed_metric       metrics[2 * HEED_MAX_METRICS];
    int               metric_count;
    /* once the outputs are known */
    bool              resolved;
    heed_output_loss *outputs; /* by output */
    int               loss_count;
    heed_variable   **variables; /* that are trained */
    const char      **paths;
    const float     **gradients; /* of a step */
    const float     **squares;   /* of their shares; see heed_optimizer_apply */
    size_t            variable_count;
    heed_tally       *tallies; /* output losses, if there are several; then metrics */
    int               tally_count;
    const char      **log_names; /* "loss", then the tallies' */
    double           *log_values;
    double            loss_total, loss_divisor, last_loss;
};

/* heed_compile() with the optimizer as a value: an expression's, or what Keras saves. */
heed_status heed_compile_value(heed_model *m, const heed_compile_config *config, const heed_value *optimizer);
/* Settles what awaited the model's outputs and weights. */
heed_status heed_training_resolve(heed_model *m);
/* One batch: finds its program, binds everything, runs. */
heed_status heed_training_run(heed_model *m, heed_purpose purpose, const heed_batch *batch);
void        heed_training_logs(heed_model *m, heed_logs *logs);
/* As many sums as that; a metric that has some keeps their number. */
heed_status heed_tally_make_room(heed_model *m, heed_tally *tally, int64_t count);
/* What targets and sample weights fit and evaluate look for. */
void heed_wanted_targets(const heed_model *m, heed_wanted *out);
void heed_wanted_weights(const heed_model *m, heed_wanted *out);

#endif
