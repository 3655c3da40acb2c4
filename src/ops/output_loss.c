/* The cross entropy of softmax(x W + b), summed over rows, and its gradients in one go (see output_loss.h).
 *
 * What is known before the loss, the weight of each row, is all that the gradient needs. So the rows that count are taken
 * a chunk at a time, and the classes a block: a tile makes a block of logits, which stays in the second cache, and their
 * exponentials; between tiles each row's sum is put together; then the same blocks become the gradient of the logits,
 * which meets x for that of W, and W for that of x. A tile owns a block of W, whose gradient it adds to chunk by chunk,
 * and its own share of x's gradient, which are summed in order: so the bits do not depend on threads. */
#include "ops/output_loss.h"

#include "ops/matmul.h"
#include "ops/walk.h"

#include <math.h>
#include <string.h>

enum {
    CHUNK = 384,   /* rows */
    BLOCK = 512,   /* classes: a multiple of every table's gemm_columns */
    FEWEST = 1024, /* classes from which on it pays to leave the logits out */
};

enum { X, KERNEL, LABELS, FURTHER }; /* operands; then bias and weights where there are any */
enum { LOSS, DX, DKERNEL, DBIAS, OUTPUTS };

typedef struct output_loss_attributes {
    float smoothing, consistency;
    bool  transposed; /* the kernel is (n, d), not (d, n) */
    bool  has_bias, has_weights;
    bool  wants[OUTPUTS]; /* gradients that are made beside the loss; their sizes are 0 else */
} output_loss_attributes;

static const heed_tensor *bias_of(const heed_node *n)
{
    return ((const output_loss_attributes *)n->attributes)->has_bias ? n->inputs[FURTHER] : NULL;
}

static const heed_tensor *weights_of(const heed_node *n)
{
    return ((const output_loss_attributes *)n->attributes)->has_weights ? n->inputs[n->input_count - 1] : NULL;
}

static int64_t classes_of(const heed_node *n)
{
    const output_loss_attributes *at = n->attributes;
    return n->inputs[KERNEL]->shape.dims[at->transposed ? 0 : 1];
}

/* ---- shapes */

/* The operand whose gradient an output is. */
static const int operand_of[OUTPUTS] = {[DX] = X, [DKERNEL] = KERNEL, [DBIAS] = FURTHER};

static void set_gradients(heed_node *n)
{
    const output_loss_attributes *at = n->attributes;
    for (int i = DX; i < OUTPUTS; i++)
        heed_node_set(n, i, HEED_FLOAT32, at->wants[i] ? &n->inputs[operand_of[i]]->shape : &(heed_shape){1, {0}});
}

static heed_status output_loss_shape(heed_node *n)
{
    const output_loss_attributes *at = n->attributes;
    heed_shape rows = heed_shape_of_rows(&n->inputs[X]->shape);
    char expected[HEED_SHAPE_TEXT], found[HEED_SHAPE_TEXT];
    HEED_TRY(heed_node_expect(n, LABELS, HEED_INT32));
    const heed_tensor *of_rows[] = {n->inputs[LABELS], weights_of(n)};
    for (int i = 0; i < 2; i++)
        if (of_rows[i] != NULL && !heed_shape_equal(&of_rows[i]->shape, &rows))
            return heed_node_fail(n, "%s do not fit the logits (expected %s, found %s)", i == 0 ? "labels" : "weights",
                                  heed_shape_text(&rows, expected, sizeof expected), heed_text_of(of_rows[i], found));
    if (at->consistency != 0 && n->inputs[LABELS]->count % 2 != 0)
        return heed_node_fail(n, "consistency: no two halves (expected an even number of rows, found %lld)",
                              (long long)n->inputs[LABELS]->count);
    heed_node_set(n, LOSS, HEED_FLOAT32, &(heed_shape){0});
    set_gradients(n);
    return HEED_OK;
}

/* ---- what it works on */

/* Of a row, and a block of classes. */
typedef struct part {
    float top, total; /* the block's largest logit, and the sum of e^(logit - top) */
    float sum;        /* of logits, where smoothing needs it */
    float apart;      /* the sum of e^(logit - top) (logit - the twin's logit), where consistency needs it */
    float factor;     /* dloss/dlogit = factor e^(logit - top) - ... */
} part;

/* With consistency, rows that count stand in pairs: one, and its twin in the other half. */
typedef struct twin {
    double log_total;  /* log sum e^logit */
    double apart;      /* the mean of logit - the twin's logit */
    float  shift;      /* what turns logit - the twin's logit into log p - log the twin's p */
    float  divergence; /* KL(p, the twin's p) */
} twin;

typedef struct output_loss_work {
    const heed_kernels           *k;
    const output_loss_attributes *at;
    const float                  *x, *kernel, *bias, *weights; /* bias, weights: NULL where there are none */
    const int32_t                *labels;
    float                        *dx, *dkernel, *dbias; /* NULL where not wanted */
    bool                          gradient;             /* any of them is wanted */
    int64_t                       n, d, blocks;
    int64_t                       count, chunks; /* of rows that count */
    int64_t                       chunk;         /* at hand */
    /* scratch */
    int64_t *rows;          /* (count): which rows those are */
    float   *some;          /* (count, d): them, one under another */
    float   *some_packed;   /* the same, packed chunk by chunk, for the kernel's gradient */
    float   *across;        /* the kernel packed for x W */
    float   *back;          /* and, block by block, for its transpose */
    float   *logits;        /* (blocks, CHUNK, BLOCK) */
    float   *apart;         /* (blocks, CHUNK/2, BLOCK): a row's logits less its twin's */
    twin    *twins;         /* (CHUNK) */
    float   *shares;        /* (blocks, CHUNK, d): of dx */
    part    *parts;         /* (CHUNK, blocks) */
    float   *right;         /* (CHUNK): the logit of the label */
    double  *losses;        /* (CHUNK) */
} output_loss_work;

/* The kernel's columns, or those of its transpose, as a matrix to be packed. */
static int64_t class_stride(const output_loss_work *w) { return w->at->transposed ? w->d : 1; }
static int64_t feature_stride(const output_loss_work *w) { return w->at->transposed ? 1 : w->n; }

/* Columns of a packed matrix with a column for each feature. */
static int64_t wide(const output_loss_work *w) { return heed_round_up(w->d, w->k->gemm_columns); }

static size_t lay_out(output_loss_work *w, unsigned char *memory, int64_t rows)
{
    const int64_t chunk = rows < CHUNK ? rows : CHUNK;
    const bool dx = w->at->wants[DX], dkernel = w->at->wants[DKERNEL];
    size_t used = 0;
    w->rows = heed_take(memory, &used, rows, sizeof *w->rows);
    w->some = heed_take(memory, &used, rows * w->d, sizeof(float));
    w->some_packed = heed_take(memory, &used, dkernel ? rows * wide(w) : 0, sizeof(float));
    w->across = heed_take(memory, &used, w->blocks * BLOCK * w->d, sizeof(float));
    w->back = heed_take(memory, &used, dx ? w->n * wide(w) : 0, sizeof(float));
    w->logits = heed_take(memory, &used, w->blocks * chunk * BLOCK, sizeof(float));
    w->apart = heed_take(memory, &used, w->at->consistency != 0 ? w->blocks * (chunk / 2) * BLOCK : 0, sizeof(float));
    w->twins = heed_take(memory, &used, w->at->consistency != 0 ? chunk : 0, sizeof *w->twins);
    w->shares = heed_take(memory, &used, dx ? w->blocks * chunk * w->d : 0, sizeof(float));
    w->parts = heed_take(memory, &used, chunk * w->blocks, sizeof *w->parts);
    w->right = heed_take(memory, &used, chunk, sizeof(float));
    w->losses = heed_take(memory, &used, chunk, sizeof(double));
    return used;
}

static output_loss_work describe(const heed_node *n, const heed_kernels *k)
{
    output_loss_work w = {.k = k, .at = n->attributes, .n = classes_of(n), .d = heed_row_size(n->inputs[X])};
    w.blocks = heed_tiles(w.n, BLOCK);
    w.gradient = w.at->wants[DX] || w.at->wants[DKERNEL] || w.at->wants[DBIAS];
    return w;
}

static size_t output_loss_scratch(const heed_node *n, int threads)
{
    output_loss_work w = describe(n, heed_kernels_for(n->graph->context->cpu));
    return lay_out(&w, NULL, n->inputs[LABELS]->count);
}

static float weight_of(const output_loss_work *w, int64_t row) { return w->weights == NULL ? 1.0f : w->weights[row]; }

static int64_t rows_of_chunk(const output_loss_work *w, int64_t chunk, int64_t *first)
{
    return heed_tile_range(w->count, CHUNK, chunk, first);
}

/* Which of a row's classes in a block is the label; -1: none. */
static int64_t label_in(const output_loss_work *w, int64_t row, int64_t first, int64_t columns)
{
    int64_t at = w->labels[row] - first;
    return at >= 0 && at < columns ? at : -1;
}

/* ---- making ready */

static bool counts(const output_loss_work *w, int64_t row)
{
    return label_in(w, row, 0, w->n) >= 0 && weight_of(w, row) != 0;
}

/* With consistency those of the first half, each followed by its twin. */
static int64_t rows_that_count(const output_loss_work *w, int64_t rows)
{
    const bool twins = w->at->consistency != 0;
    const int64_t half = twins ? rows / 2 : rows;
    int64_t count = 0;
    for (int64_t row = 0; row < half; row++) {
        if (!counts(w, row) || (twins && !counts(w, row + half)))
            continue;
        w->rows[count++] = row;
        if (twins)
            w->rows[count++] = row + half;
    }
    return count;
}

static void pack_block(const output_loss_work *w, int64_t block)
{
    int64_t first, columns = heed_tile_range(w->n, BLOCK, block, &first);
    const float *kernel = w->kernel + first * class_stride(w);
    w->k->gemm_pack(columns, w->d, kernel, feature_stride(w), class_stride(w), w->across + first * w->d);
    if (w->dx != NULL)
        w->k->gemm_pack(w->d, columns, kernel, class_stride(w), feature_stride(w),
                        w->back + first * wide(w));
}

static void collect_chunk(const output_loss_work *w, int64_t chunk)
{
    int64_t first, rows = rows_of_chunk(w, chunk, &first);
    float *some = w->some + first * w->d;
    for (int64_t i = 0; i < rows; i++)
        memcpy(some + i * w->d, w->x + w->rows[first + i] * w->d, (size_t)w->d * sizeof *some);
    if (w->dkernel != NULL)
        w->k->gemm_pack(w->d, rows, some, w->d, 1, w->some_packed + first * wide(w));
}

static void prepare_tile(void *work, int64_t tile, int thread)
{
    const output_loss_work *w = work;
    if (tile < w->blocks)
        pack_block(w, tile);
    else
        collect_chunk(w, tile - w->blocks);
}

/* ---- a block of a chunk */

/* Rows that there is room for in a block. */
static int64_t room(const output_loss_work *w) { return w->count < CHUNK ? w->count : CHUNK; }

static float *logits_of(const output_loss_work *w, int64_t block)
{
    return w->logits + block * room(w) * BLOCK;
}

static float *share_of(const output_loss_work *w, int64_t block)
{
    return w->shares + block * room(w) * w->d;
}

/* A row's logits less those of its twin, for each pair of rows of a block. */
static float *apart_of(const output_loss_work *w, int64_t block, int64_t row)
{
    return w->apart + (block * (room(w) / 2) + row / 2) * BLOCK;
}

static void make_logits(const output_loss_work *w, int64_t chunk, int64_t block)
{
    int64_t start, rows = rows_of_chunk(w, chunk, &start), first, columns = heed_tile_range(w->n, BLOCK, block, &first);
    const bool twins = w->at->consistency != 0;
    float *logits = logits_of(w, block);
    w->k->gemm_packed(rows, columns, w->d, w->some + start * w->d, w->d, 1, w->across + first * w->d, logits, BLOCK,
                      w->bias == NULL ? NULL : w->bias + first, 0);
    for (int64_t i = 0; i < rows; i++) {
        float *row = logits + i * BLOCK;
        part *p = &w->parts[i * w->blocks + block];
        int64_t label = label_in(w, w->rows[start + i], first, columns);
        if (label >= 0)
            w->right[i] = row[label];
        if (twins && i % 2 == 0)
            w->k->binary(HEED_BINARY_SUBTRACT, columns, row, 1, row + BLOCK, 1, apart_of(w, block, i));
        p->sum = w->at->smoothing != 0 ? w->k->sum(columns, row) : 0;
        p->total = w->k->exponentials(columns, row, row, &p->top);
        p->apart = !twins ? 0 : w->k->dot(columns, row, apart_of(w, block, i)) * (i % 2 == 0 ? 1 : -1);
    }
}

/* The gradient of (c/2) (KL(p, q) + KL(q, p)) for a row and its twin, in whose place their weighted probabilities p, q
 * stand; and of what smoothing spreads. */
static void add_consistency(const output_loss_work *w, int64_t block, int64_t i, int64_t columns, float *row,
                            float spread)
{
    const float share = 0.5f * w->at->consistency, *apart = apart_of(w, block, i);
    const twin a = w->twins[i], b = w->twins[i + 1];
    float *other = row + BLOCK;
    for (int64_t k = 0; k < columns; k++) {
        float p = row[k], q = other[k];
        row[k] = p - spread + share * (p * (apart[k] + a.shift - a.divergence) + (p - q));
        other[k] = q - spread + share * (q * (b.shift - apart[k] - b.divergence) + (q - p));
    }
}

/* dlogits = weight (softmax - (1 - s) one_hot(label) - s/n), in place of the exponentials */
static void make_gradient(const output_loss_work *w, int64_t chunk, int64_t block)
{
    int64_t start, rows = rows_of_chunk(w, chunk, &start), first, columns = heed_tile_range(w->n, BLOCK, block, &first);
    const float smoothing = w->at->smoothing;
    const bool twins = w->at->consistency != 0;
    for (int64_t i = 0; i < rows; i++) {
        float *row = logits_of(w, block) + i * BLOCK;
        float spread = weight_of(w, w->rows[start + i]) * smoothing / (float)w->n;
        w->k->unary(HEED_UNARY_SCALE, columns, row, w->parts[i * w->blocks + block].factor, twins ? 0 : -spread, row);
        if (twins && i % 2 == 1)
            add_consistency(w, block, i - 1, columns, row - BLOCK, spread);
    }
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = w->rows[start + i], label = label_in(w, row, first, columns);
        if (label >= 0)
            logits_of(w, block)[i * BLOCK + label] -= weight_of(w, row) * (1 - smoothing);
    }
}

/* The first chunk sets the gradients of kernel and bias, the others add to them. */
static void spread_gradient(const output_loss_work *w, int64_t chunk, int64_t block)
{
    int64_t start, rows = rows_of_chunk(w, chunk, &start), first, columns = heed_tile_range(w->n, BLOCK, block, &first);
    const float *logits = logits_of(w, block);
    float *dkernel = w->dkernel == NULL ? NULL : w->dkernel + first * class_stride(w);
    const float *so_far = chunk == 0 ? NULL : dkernel;
    if (dkernel != NULL && w->at->transposed)
        w->k->gemm_packed(columns, w->d, rows, logits, 1, BLOCK, w->some_packed + start * wide(w), dkernel, w->d, so_far,
                          w->d);
    else if (dkernel != NULL)
        w->k->gemm(w->d, columns, rows, w->some + start * w->d, 1, w->d, logits, BLOCK, 1, dkernel, w->n, so_far, w->n);
    if (w->dbias != NULL && chunk == 0)
        memset(w->dbias + first, 0, (size_t)columns * sizeof *w->dbias);
    if (w->dbias != NULL)
        w->k->add_columns(rows, columns, logits, BLOCK, w->dbias + first);
    if (w->dx != NULL)
        w->k->gemm_packed(rows, w->d, columns, logits, BLOCK, 1, w->back + first * wide(w), share_of(w, block), w->d, NULL, 0);
}

/* Of the chunk before, the gradient; of the one at hand, the logits. */
static void block_tile(void *work, int64_t block, int thread)
{
    const output_loss_work *w = work;
    if (w->chunk > 0 && w->gradient) {
        make_gradient(w, w->chunk - 1, block);
        spread_gradient(w, w->chunk - 1, block);
    }
    if (w->chunk < w->chunks)
        make_logits(w, w->chunk, block);
}

/* ---- a row of a chunk */

static void finish_row(const output_loss_work *w, int64_t i, int64_t row)
{
    part *parts = w->parts + i * w->blocks;
    const double smoothing = (double)w->at->smoothing, weight = (double)weight_of(w, row);
    double top = -INFINITY, total = 0, sum = 0, apart = 0, right = (double)w->right[i];
    for (int64_t b = 0; b < w->blocks; b++)
        top = parts[b].top <= top ? top : (double)parts[b].top; /* not a number stays */
    for (int64_t b = 0; b < w->blocks; b++) {
        double lift = exp((double)parts[b].top - top);
        total += (double)parts[b].total * lift;
        apart += (double)parts[b].apart * lift;
        sum += (double)parts[b].sum;
    }
    w->losses[i] = weight * (log(total) + top - right + smoothing * (right - sum / (double)w->n));
    if (w->at->consistency != 0)
        w->twins[i] = (twin){.log_total = log(total) + top, .apart = apart / total};
    for (int64_t b = 0; b < w->blocks && w->gradient; b++)
        parts[b].factor = (float)(weight * exp((double)parts[b].top - top) / total);
}

static void finish_twins(const output_loss_work *w, int64_t i)
{
    for (int k = 0; k < 2; k++) {
        twin *t = &w->twins[i + k];
        const twin *other = &w->twins[i + 1 - k];
        double shift = other->log_total - t->log_total, divergence = t->apart + shift;
        t->shift = (float)shift;
        t->divergence = (float)divergence;
        w->losses[i + k] += 0.5 * (double)w->at->consistency * divergence *
                            (double)weight_of(w, w->rows[w->chunk * CHUNK + i + k]);
    }
}

static void gather_share(const output_loss_work *w, int64_t i, int64_t row)
{
    float *dx = w->dx + row * w->d;
    memset(dx, 0, (size_t)w->d * sizeof *dx);
    w->k->add_columns(w->blocks, w->d, w->shares + i * w->d, share_of(w, 1) - share_of(w, 0), dx);
}

enum { ROWS_OF_TILE = 16 };

static void row_tile(void *work, int64_t tile, int thread)
{
    const output_loss_work *w = work;
    for (int64_t i = tile * ROWS_OF_TILE; i < (tile + 1) * ROWS_OF_TILE; i++) {
        if (w->chunk > 0 && w->dx != NULL && (w->chunk - 1) * CHUNK + i < w->count)
            gather_share(w, i, w->rows[(w->chunk - 1) * CHUNK + i]);
        if (w->chunk * CHUNK + i >= w->count)
            continue;
        finish_row(w, i, w->rows[w->chunk * CHUNK + i]);
        if (w->at->consistency != 0 && i % 2 == 1)
            finish_twins(w, i - 1);
    }
}

/* ---- all of it */

static void clear(const heed_exec *x, const heed_tensor *t, bool when)
{
    if (when && t->count > 0)
        memset(heed_data(x, t), 0, (size_t)t->count * sizeof(float));
}

static heed_status output_loss_forward(const heed_exec *x, const heed_node *n)
{
    output_loss_work w = describe(n, x->kernels);
    const int64_t rows = n->inputs[LABELS]->count;
    w.x = heed_data(x, n->inputs[X]);
    w.kernel = heed_data(x, n->inputs[KERNEL]);
    w.labels = heed_data(x, n->inputs[LABELS]);
    w.bias = bias_of(n) == NULL ? NULL : heed_data(x, bias_of(n));
    w.weights = weights_of(n) == NULL ? NULL : heed_data(x, weights_of(n));
    w.dx = w.at->wants[DX] ? heed_data(x, n->outputs[DX]) : NULL;
    w.dkernel = w.at->wants[DKERNEL] ? heed_data(x, n->outputs[DKERNEL]) : NULL;
    w.dbias = w.at->wants[DBIAS] ? heed_data(x, n->outputs[DBIAS]) : NULL;
    lay_out(&w, heed_scratch(x, n), rows);
    w.count = rows_that_count(&w, rows);
    w.chunks = heed_tiles(w.count, CHUNK);
    clear(x, n->outputs[DX], w.count < rows);
    clear(x, n->outputs[DKERNEL], w.count == 0);
    clear(x, n->outputs[DBIAS], w.count == 0);
    heed_parallel(x->pool, w.blocks + w.chunks, prepare_tile, &w);
    double total = 0;
    for (w.chunk = 0; w.chunk <= w.chunks && w.count > 0; w.chunk++) {
        int64_t first, some = rows_of_chunk(&w, w.chunk, &first);
        heed_parallel(x->pool, w.blocks, block_tile, &w);
        heed_parallel(x->pool, heed_tiles(CHUNK, ROWS_OF_TILE), row_tile, &w);
        for (int64_t i = 0; i < some; i++)
            total += w.losses[i];
    }
    *(float *)heed_data(x, n->outputs[LOSS]) = (float)total;
    return HEED_OK;
}

/* ---- building */

/* Nothing is appended but the products with dloss: the node itself is told to make the gradients for dloss = 1. */
static heed_status output_loss_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    output_loss_attributes *at = n->attributes;
    for (int i = DX; i < OUTPUTS; i++)
        at->wants[i] |= (i != DBIAS || at->has_bias) && n->inputs[operand_of[i]]->needs_gradient;
    set_gradients(n);
    for (int i = DX; i < OUTPUTS; i++) {
        n->outputs[i]->count = heed_shape_count(&n->outputs[i]->shape);
        if (at->wants[i])
            dx[operand_of[i]] = heed_op_multiply(n->outputs[i], dy[LOSS]);
    }
    return n->graph->status;
}

const heed_op heed_kind_output_loss = {.name = "output_loss", .shape = output_loss_shape, .scratch = output_loss_scratch,
                                       .forward = output_loss_forward, .gradient = output_loss_gradient};

/* By a node other than `reader`. */
static bool is_read(const heed_tensor *t, const heed_node *reader)
{
    const heed_graph *g = t->graph;
    for (size_t i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->input_count; k++)
            if (g->nodes[i]->inputs[k] == t && g->nodes[i] != reader)
                return true;
    return false;
}

bool heed_output_loss_fits(const heed_tensor *logits, const heed_tensor *prediction)
{
    bool transposed;
    return logits != NULL && logits->node != NULL && heed_matmul_is_dense(logits->node, &transposed) &&
           logits->shape.dims[logits->shape.rank - 1] >= FEWEST && !is_read(logits, prediction->node) &&
           !is_read(prediction, NULL);
}

heed_tensor *heed_op_output_loss(const heed_tensor *logits, heed_tensor *labels, heed_tensor *weights, float smoothing,
                                 float consistency)
{
    if (logits == NULL)
        return NULL;
    const heed_node *product = logits->node;
    output_loss_attributes at = {.smoothing = smoothing, .consistency = consistency, .has_bias = product->input_count == 3,
                                 .has_weights = weights != NULL};
    heed_matmul_is_dense(product, &at.transposed);
    heed_tensor *inputs[5] = {product->inputs[0], product->inputs[1], labels};
    int count = FURTHER;
    if (at.has_bias)
        inputs[count++] = product->inputs[2];
    if (at.has_weights)
        inputs[count++] = weights;
    heed_node *n = heed_node_add(NULL, &heed_kind_output_loss, &at, sizeof at, inputs, count, OUTPUTS);
    return n == NULL ? NULL : n->outputs[LOSS];
}
