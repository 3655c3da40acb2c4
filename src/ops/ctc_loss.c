/* Connectionist temporal classification (Graves et al. 2006, section 4.1), of logarithms. A row's labels with a blank before,
 * between and behind them are 2 n + 1 states, which the frames go through in order; alpha and beta are what the frames up to
 * one, and those behind it, come to in a state. They are kept as doubles: a sequence's logarithms are large, and their
 * differences count. */
#include "ops/walk.h"

#include <math.h>
#include <string.h>

enum { LOGS, LABELS, MASK, MOST_OPERANDS, BLANK = 0 };

static heed_status expect_operands(heed_node *n, int masks)
{
    const heed_shape *x = &n->inputs[LOGS]->shape, *labels = &n->inputs[LABELS]->shape;
    char found[2][HEED_SHAPE_TEXT];
    HEED_TRY(heed_node_expect(n, LOGS, HEED_FLOAT32));
    HEED_TRY(heed_node_expect(n, LABELS, HEED_INT32));
    if (x->rank != 3 || x->dims[2] < 1 || labels->rank != 2 || labels->dims[0] != x->dims[0])
        return heed_node_fail(n, "shapes do not fit (expected frames (B, T, C) and labels (B, L), found %s and %s)",
                              heed_shape_text(x, found[0], sizeof *found), heed_shape_text(labels, found[1], sizeof *found));
    if (masks == 0)
        return HEED_OK;
    const heed_shape *mask = &n->inputs[MASK]->shape;
    HEED_TRY(heed_node_expect(n, MASK, HEED_BOOL));
    if (mask->rank != 2 || mask->dims[0] != x->dims[0] || mask->dims[1] != x->dims[1])
        return heed_node_fail(n, "the mask does not fit the frames (expected (%lld, %lld), found %s)", (long long)x->dims[0],
                              (long long)x->dims[1], heed_shape_text(mask, found[0], sizeof *found));
    return HEED_OK;
}

/* ---- one row */

/* What a thread works on. */
typedef struct lattice {
    double  *alpha;      /* (T, 2 L + 1) */
    double  *beta[2];    /* (2 L + 1) */
    int32_t *symbols;    /* (2 L + 1): a state's class */
    int32_t *frames;     /* (T): those that count */
    int64_t  states, steps; /* of the row; states 0: a label is no class */
} lattice;

static lattice lay_out(unsigned char *memory, int64_t frames, int64_t labels, size_t *used)
{
    const int64_t states = 2 * labels + 1;
    *used = 0;
    return (lattice){.alpha = heed_take(memory, used, frames * states, sizeof(double)),
                     .beta = {heed_take(memory, used, states, sizeof(double)), heed_take(memory, used, states, sizeof(double))},
                     .symbols = heed_take(memory, used, states, sizeof(int32_t)),
                     .frames = heed_take(memory, used, frames, sizeof(int32_t))};
}

typedef struct ctc_work {
    const float   *x;      /* (B, T, C) */
    const int32_t *labels; /* (B, L) */
    const bool    *mask;   /* (B, T), or NULL: all count */
    const float   *dy;     /* (B); gradient only */
    float         *out;    /* the loss (B); dx (B, T, C) */
    int64_t        frames, classes, most; /* T, C, L */
    unsigned char *scratch;
    size_t         scratch_size; /* of a thread */
} ctc_work;

static lattice lattice_of(const ctc_work *w, int64_t row, int thread)
{
    size_t used;
    lattice l = lay_out(w->scratch + (size_t)thread * w->scratch_size, w->frames, w->most, &used);
    const int32_t *labels = w->labels + row * w->most;
    bool fine = true;
    l.symbols[l.states++] = BLANK;
    for (int64_t i = 0; i < w->most; i++) {
        fine = fine && labels[i] >= 0 && labels[i] < w->classes;
        if (labels[i] == BLANK)
            continue;
        l.symbols[l.states++] = labels[i];
        l.symbols[l.states++] = BLANK;
    }
    if (!fine)
        l.states = 0;
    for (int64_t t = 0; t < w->frames; t++)
        if (w->mask == NULL || w->mask[row * w->frames + t])
            l.frames[l.steps++] = (int32_t)t;
    return l;
}

static double log_sum(double a, double b)
{
    double more = a > b ? a : b, less = a > b ? b : a;
    return less == -INFINITY ? more : more + log1p(exp(less - more));
}

/* Whether the blank before the state may be left out. */
static bool may_skip(const lattice *l, int64_t state)
{
    return state >= 2 && l->symbols[state] != BLANK && l->symbols[state] != l->symbols[state - 2];
}

static void step_forward(const lattice *l, const float *y, const double *before, double *alpha)
{
    for (int64_t s = 0; s < l->states; s++) {
        double sum = before[s];
        if (s >= 1)
            sum = log_sum(sum, before[s - 1]);
        if (may_skip(l, s))
            sum = log_sum(sum, before[s - 2]);
        alpha[s] = sum + y[l->symbols[s]];
    }
}

static void step_back(const lattice *l, const float *y, const double *behind, double *beta)
{
    for (int64_t s = 0; s < l->states; s++) {
        double sum = behind[s] + y[l->symbols[s]];
        if (s + 1 < l->states)
            sum = log_sum(sum, behind[s + 1] + y[l->symbols[s + 1]]);
        if (s + 2 < l->states && may_skip(l, s + 2))
            sum = log_sum(sum, behind[s + 2] + y[l->symbols[s + 2]]);
        beta[s] = sum;
    }
}

/* Fills alpha; returns the logarithm of all ways together. x: of the row. */
static double go_forward(const lattice *l, const float *x, int64_t classes)
{
    if (l->steps == 0)
        return l->states == 1 ? 0 : -INFINITY;
    for (int64_t s = 0; s < l->states; s++)
        l->alpha[s] = s < 2 ? x[l->frames[0] * classes + l->symbols[s]] : -INFINITY;
    for (int64_t t = 1; t < l->steps; t++)
        step_forward(l, x + l->frames[t] * classes, l->alpha + (t - 1) * l->states, l->alpha + t * l->states);
    const double *last = l->alpha + l->steps * l->states - 1;
    return l->states == 1 ? *last : log_sum(last[0], last[-1]);
}

static void ctc_row(void *work, int64_t row, int thread)
{
    const ctc_work *w = work;
    lattice l = lattice_of(w, row, thread);
    w->out[row] = l.states == 0 ? 0 : (float)-go_forward(&l, w->x + row * w->frames * w->classes, w->classes);
}

/* dx = -dy times how likely the class is at the frame, given the labels */
static void ctc_gradient_row(void *work, int64_t row, int thread)
{
    const ctc_work *w = work;
    lattice l = lattice_of(w, row, thread);
    const float *x = w->x + row * w->frames * w->classes;
    float *dx = w->out + row * w->frames * w->classes;
    memset(dx, 0, (size_t)(w->frames * w->classes) * sizeof *dx);
    double all = l.states == 0 ? -INFINITY : go_forward(&l, x, w->classes);
    if (all == -INFINITY)
        return;
    double *beta = l.beta[0], *before = l.beta[1];
    for (int64_t s = 0; s < l.states; s++)
        beta[s] = s + 2 < l.states ? -INFINITY : 0;
    for (int64_t t = l.steps - 1; t >= 0; t--) {
        const int64_t frame = l.frames[t] * w->classes;
        for (int64_t s = 0; s < l.states; s++)
            dx[frame + l.symbols[s]] -= w->dy[row] * (float)exp(l.alpha[t * l.states + s] + beta[s] - all);
        step_back(&l, x + frame, beta, before);
        double *swap = beta;
        beta = before;
        before = swap;
    }
}

/* ---- the operations */

static size_t ctc_scratch(const heed_node *n, int threads)
{
    size_t used;
    lay_out(NULL, n->inputs[LOGS]->shape.dims[1], n->inputs[LABELS]->shape.dims[1], &used);
    return (size_t)threads * used;
}

static void run_rows(const heed_exec *x, const heed_node *n, const heed_tensor *mask, const float *dy, heed_tile_function *function)
{
    const heed_shape *s = &n->inputs[LOGS]->shape;
    ctc_work w = {.x = heed_data(x, n->inputs[LOGS]), .labels = heed_data(x, n->inputs[LABELS]),
                  .mask = mask == NULL ? NULL : heed_data(x, mask), .dy = dy, .out = heed_data(x, n->outputs[0]),
                  .frames = s->dims[1], .classes = s->dims[2], .most = n->inputs[LABELS]->shape.dims[1],
                  .scratch = heed_scratch(x, n)};
    lay_out(NULL, w.frames, w.most, &w.scratch_size);
    heed_parallel(x->pool, s->dims[0], function, &w);
}

static heed_status ctc_loss_shape(heed_node *n)
{
    HEED_TRY(expect_operands(n, n->input_count - MASK));
    heed_node_set(n, 0, HEED_FLOAT32, &(heed_shape){1, {n->inputs[LOGS]->shape.dims[0]}});
    return HEED_OK;
}

static heed_status ctc_loss_forward(const heed_exec *x, const heed_node *n)
{
    run_rows(x, n, n->input_count > MASK ? n->inputs[MASK] : NULL, NULL, ctc_row);
    return HEED_OK;
}

/* The gradient's operands are those of the loss, and dy behind them. */
static heed_status ctc_loss_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_tensor *inputs[MOST_OPERANDS + 1];
    memcpy(inputs, n->inputs, (size_t)n->input_count * sizeof *inputs);
    inputs[n->input_count] = dy[0];
    dx[LOGS] = heed_node_output(n->graph, &heed_kind_ctc_loss_gradient, NULL, 0, inputs, n->input_count + 1);
    return n->graph->status;
}

const heed_op heed_kind_ctc_loss = {.name = "ctc_loss", .shape = ctc_loss_shape, .scratch = ctc_scratch,
                                    .forward = ctc_loss_forward, .gradient = ctc_loss_gradient};

static heed_status ctc_gradient_shape(heed_node *n)
{
    HEED_TRY(expect_operands(n, n->input_count - MASK - 1));
    heed_node_set(n, 0, HEED_FLOAT32, &n->inputs[LOGS]->shape);
    return HEED_OK;
}

static heed_status ctc_gradient_forward(const heed_exec *x, const heed_node *n)
{
    const int last = n->input_count - 1;
    run_rows(x, n, last > MASK ? n->inputs[MASK] : NULL, heed_data(x, n->inputs[last]), ctc_gradient_row);
    return HEED_OK;
}

const heed_op heed_kind_ctc_loss_gradient = {.name = "ctc_loss_gradient", .shape = ctc_gradient_shape, .scratch = ctc_scratch,
                                             .forward = ctc_gradient_forward, .no_gradient = "second derivatives are not taken"};

heed_tensor *heed_op_ctc_loss(heed_tensor *logs, heed_tensor *labels, heed_tensor *mask)
{
    heed_tensor *inputs[] = {logs, labels, mask};
    return heed_node_output(NULL, &heed_kind_ctc_loss, NULL, 0, inputs, mask == NULL ? MASK : MOST_OPERANDS);
}
