/* The rules by which optimizers update weights; one row each in the table of optimizers. */
#ifndef HEED_MODEL_OPTIMIZER_RULES_H
#define HEED_MODEL_OPTIMIZER_RULES_H

#include "kernels/kernels.h"
#include "layers/object.h"

enum { HEED_MAX_SLOTS = 3, HEED_MAX_FACTORS = 6 };

/* An array that a rule keeps for each variable. */
typedef struct heed_slot {
    const char *name;
    double      initial;
    int         group; /* slots of one group stand variable by variable, groups one behind the other */
    bool plain_only; /* kept for variables that go by the plain rule, see heed_optimizer_class.is_plain */
    bool copies;     /* it begins as the variable itself */
    int drops; /* a dimension of the variable that it is without, from the end (1: the last); 0: none. Of a variable
                  of fewer than two dimensions nothing is left then */
} heed_slot;

/* A stretch of one variable, and what goes with it. */
typedef struct heed_stretch {
    const heed_kernels *kernels;
    int64_t             n;
    float              *w;
    const float        *g;
    const float        *squares; /* of g's shares, see heed_optimizer_apply; NULL: g's own */
    float               squares_factor; /* what they are to be multiplied with */
    float              *slots[HEED_MAX_SLOTS];
    const float        *factors; /* as `prepare` set them */
    const heed_shape   *shape;   /* of the variable */
    bool                plain;   /* it goes by the plain rule */
    unsigned char      *room;    /* heed_optimizer_class.room bytes, aligned to 64 */
} heed_stretch;

/* What of a table's row rests in a step that did not look it up, in tf.keras before 2.11. */
typedef enum heed_rest { HEED_NOTHING_RESTS, HEED_WEIGHTS_REST, HEED_ALL_RESTS } heed_rest;

typedef struct heed_optimizer_class {
    heed_object_class class;
    /* How many slots, and which, for this config. NULL: none. */
    int (*slots)(const void *config, heed_slot *slots);
    /* Numbers that all stretches of a variable share: rate of this step, step number from 1, the product of the steps'
     * `growth` up to this one. */
    void (*prepare)(const void *config, double rate, double step, float product, float *factors);
    void (*update)(const void *config, const heed_stretch *s);
    double (*growth)(const void *config, double step); /* NULL: there is no product */
    heed_rest (*rests)(const void *config); /* NULL: nothing, or a gradient of zeros changes nothing */
    /* Some optimizers leave some variables to a plain rule. Whether this one, by its path and shape; HEED_EINVAL if the
     * config does not say so clearly. NULL: all go by one rule. */
    heed_status (*is_plain)(heed_context *c, const void *config, const char *path, const heed_shape *shape, bool *out);
    double (*plain_decay)(const void *config); /* in place of weight_decay; infinite: none. Where is_plain is */
    size_t (*room)(const heed_kernels *k, const heed_shape *shape); /* bytes to work in; NULL: none */
    bool interleaved;   /* before Keras 2.11 too, its slots stood variable by variable in files */
    bool squares;       /* it keeps squares of gradients, by heed_stretch.squares where these are given */
    bool whole;         /* a stretch must be a whole variable: the rule looks at its norm */
} heed_optimizer_class;

extern const heed_object_family   heed_optimizers;
extern const heed_optimizer_class heed_muon;

/* Adam's rule on slots 0 and 1, its step's size made up for the averages' beginnings. `most`: the largest mean squares so far;
 * NULL: the present ones are used. */
void heed_adam_rule(const heed_stretch *s, float *most, double beta_1, double beta_2, double epsilon);
double heed_adam_step(double rate, double step, double beta_1, double beta_2); /* factors[0] for it */

/* What every optimizer's config ends with; `learning_rate` begins it. A limit of infinity is none. */
#define HEED_OPTIMIZER_OPTIONS(X, C, decay)                                                                            \
    X(C, FLOAT, weight_decay, decay, "(,)|None", "share of each weight that a step takes off, times the rate")                 \
    X(C, FLOAT, clipnorm, INFINITY, "(0,)", "largest norm of a variable's gradient")                                   \
    X(C, FLOAT, clipvalue, INFINITY, "(0,)", "largest size of a gradient's element")                                   \
    X(C, FLOAT, global_clipnorm, INFINITY, "(0,)", "largest norm of all gradients together")                           \
    X(C, BOOL, use_ema, false, "", "whether moving averages of the weights are kept, and are the weights in the end")  \
    X(C, FLOAT, ema_momentum, 0.99, "[0,1]", "share of the average that stays at each step")                           \
    X(C, INT, ema_overwrite_frequency, HEED_NONE, "[1,)",                                                              \
      "steps after which the averages become the weights; None: at the end")                                           \
    X(C, FLOAT, loss_scale_factor, INFINITY, "", "without effect in float32")                                          \
    X(C, BOOL, is_legacy_optimizer, false, "", "whether it computes as before Keras 2.11")                             \
    X(C, INT, gradient_accumulation_steps, HEED_NONE, "[2,)", "steps whose gradients are averaged into one update")    \
    X(C, TEXT, name, NULL, "", "")

#define HEED_RATE_OPTION(X, C, rate) X(C, FLOAT, learning_rate, rate, "[0,)", "size of a step, or a schedule")

#endif
