/* What the time of a model's runs goes to. */
#ifndef HEED_MODEL_WORK_H
#define HEED_MODEL_WORK_H

#include "model/program.h"

typedef enum heed_work {
    HEED_WORK_PRODUCTS, /* of matrices, convolutions among them */
    HEED_WORK_ATTENTION,
    HEED_WORK_RECURRENCE,
    HEED_WORK_OUTPUT, /* the output layer and its loss */
    HEED_WORK_REST,
    HEED_WORKS
} heed_work;

/* From now on the model's runs add their seconds to work[0..HEED_WORKS-1], the caller's; NULL: no more. */
void heed_model_count_work(heed_model *m, double *work);

/* For program.c: whom a graph tells of its nodes. */
typedef struct heed_work_watch {
    const heed_program *program;
    double             *work;
} heed_work_watch;

void heed_work_add(void *watch, const heed_node *n, double seconds);

#endif
