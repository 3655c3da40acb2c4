/* Scaled dot product attention (Vaswani et al. 2017, equation 1), block by block with a running softmax (Milakov and
 * Gimelshein 2018; Dao et al. 2022). */
#include "ops/attention.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 48,       /* queries whose scores of a block are kept at a time */
    MOST_ROWS = 384, /* of a unit: more make packing the keys cheaper */
    UNITS = 16,      /* there should be, for threads to share */
};

/* ---- shapes */

static heed_status check_operands(heed_node *n)
{
    const heed_tensor *q = n->inputs[HEED_QUERY], *k = n->inputs[HEED_KEY], *v = n->inputs[HEED_VALUE];
    char a[HEED_SHAPE_TEXT], b[HEED_SHAPE_TEXT], c[HEED_SHAPE_TEXT];
    for (int i = 0; i < HEED_MASKS; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    const int64_t *x = q->shape.dims, *y = k->shape.dims, *z = v->shape.dims;
    if (q->shape.rank != 4 || k->shape.rank != 4 || v->shape.rank != 4 || x[0] != y[0] || x[0] != z[0] || x[3] != y[3] ||
        y[1] != z[1] || y[2] != z[2])
        return heed_node_fail(n, "shapes do not fit (expected (B, Tq, N, D), (B, Tk, M, D) and (B, Tk, M, E), found %s, %s and %s)",
                              heed_text_of(q, a), heed_text_of(k, b), heed_text_of(v, c));
    if (y[2] < 1 || x[2] % y[2] != 0)
        return heed_node_fail(n, "the key's heads do not divide the query's (found %lld and %lld)", (long long)y[2],
                              (long long)x[2]);
    return HEED_OK;
}

/* Lengths (B) or bools (B, steps). */
static heed_status check_positions(heed_node *n, int operand, int64_t steps)
{
    const heed_tensor *m = n->inputs[operand];
    const heed_shape expected = {m->dtype == HEED_INT32 ? 1 : 2, {n->inputs[HEED_QUERY]->shape.dims[0], steps}};
    char a[HEED_SHAPE_TEXT], b[HEED_SHAPE_TEXT];
    if (operand == 0 || (m->dtype != HEED_FLOAT32 && heed_shape_equal(&m->shape, &expected)))
        return HEED_OK;
    return heed_node_fail(n, "the mask does not fit (expected %s, found %s)",
                          heed_shape_text(&expected, a, sizeof a), heed_text_of(m, b));
}

static heed_status check_mask(heed_node *n, int operand, const heed_shape *weights)
{
    const heed_tensor *m = n->inputs[operand];
    char a[HEED_SHAPE_TEXT], b[HEED_SHAPE_TEXT];
    bool fits = m->dtype == HEED_BOOL && m->shape.rank == weights->rank;
    for (int i = 0; i < weights->rank && fits; i++)
        fits = m->shape.dims[i] == weights->dims[i] || m->shape.dims[i] == 1;
    return operand == 0 || fits ? HEED_OK
                                : heed_node_fail(n, "the mask does not fit (expected bool that broadcasts to %s, found %s)",
                                                 heed_shape_text(weights, a, sizeof a), heed_text_of(m, b));
}

static heed_status attention_shape(heed_node *n)
{
    const heed_attention_attributes *at = n->attributes;
    HEED_TRY(check_operands(n));
    heed_attention_sizes z = heed_attention_sizes_of(n);
    const heed_shape weights = {4, {z.batch, z.heads, z.tq, z.tk}};
    HEED_TRY(check_positions(n, at->key_mask, z.tk));
    HEED_TRY(check_positions(n, at->query_mask, z.tq));
    HEED_TRY(check_mask(n, at->mask, &weights));
    heed_node_set(n, HEED_RESULT, HEED_FLOAT32, &(heed_shape){4, {z.batch, z.tq, z.heads, z.dv}});
    heed_node_set(n, HEED_NORM, HEED_FLOAT32, &(heed_shape){3, {z.batch, z.heads, z.tq}});
    if (at->weights)
        heed_node_set(n, HEED_WEIGHTS, HEED_FLOAT32, &weights);
    return HEED_OK;
}

/* ---- one unit: some queries, of the heads that share one head of keys */

typedef struct attention_work {
    const heed_exec                 *x;
    const heed_node                 *node;
    const heed_attention_attributes *at;
    heed_attention_sizes             z;
    const float                     *q, *k, *v;
    float                           *result, *norm, *weights;
    int64_t                          rows, tiles; /* queries of a unit, units of an item's head of keys */
    unsigned char                   *scratch;
    size_t                           scratch_size; /* of a thread */
} attention_work;

/* What a thread works on. Rows are those of the unit's first head, then of the second, and so on. */
typedef struct unit {
    float   *o;              /* (rows, Dv), before the division */
    float   *top, *total;    /* (rows) */
    float   *tops;           /* (blocks, rows): top as it was then; with weights only */
    float   *scores;         /* (ROWS, KEYS) */
    float   *keys, *values;  /* packed; the keys scaled */
    uint8_t *blind;          /* (rows) */
    int64_t  item, key_head, begin, count; /* queries begin..begin+count-1 */
    heed_sight sight;
} unit;

static int64_t unit_rows(const heed_attention_sizes *z)
{
    int64_t items = z->batch * z->key_heads, tiles = items > 0 ? (UNITS + items - 1) / items : 1;
    int64_t rows = heed_round_up((z->tq + tiles - 1) / tiles, ROWS), most = heed_round_up(MOST_ROWS / z->group, ROWS);
    return rows > most ? most : rows > ROWS ? rows : ROWS;
}

static int64_t block_count(const heed_attention_sizes *z) { return z->tk / HEED_ATTENTION_KEYS + 2; }

static unit lay_out(unsigned char *memory, const heed_attention_sizes *z, bool weights, int64_t panel, size_t *used)
{
    int64_t queries = unit_rows(z), rows = queries * z->group;
    *used = 0;
    return (unit){
        .o = heed_take(memory, used, rows * z->dv, sizeof(float)),
        .top = heed_take(memory, used, rows, sizeof(float)),
        .total = heed_take(memory, used, rows, sizeof(float)),
        .tops = heed_take(memory, used, weights ? block_count(z) * rows : 0, sizeof(float)),
        .scores = heed_take(memory, used, ROWS * HEED_ATTENTION_KEYS, sizeof(float)),
        .keys = heed_take(memory, used, heed_round_up(HEED_ATTENTION_KEYS, panel) * z->d, sizeof(float)),
        .values = heed_take(memory, used, HEED_ATTENTION_KEYS * heed_round_up(z->dv, panel), sizeof(float)),
        .blind = heed_take(memory, used, rows, 1),
    };
}

static size_t attention_scratch(const heed_node *n, int threads)
{
    heed_attention_sizes z = heed_attention_sizes_of(n);
    const heed_attention_attributes *at = n->attributes;
    size_t used;
    lay_out(NULL, &z, at->weights, heed_kernels_for(n->graph->context->cpu)->gemm_columns, &used);
    return used * (size_t)threads;
}

/* A row of q, o or norm: of the unit's query i in its head h. */
static int64_t head_of(const attention_work *w, const unit *u, int64_t h) { return u->key_head * w->z.group + h; }

static int64_t row_of(const attention_work *w, const unit *u, int64_t h, int64_t i)
{
    return (u->item * w->z.tq + u->begin + i) * w->z.heads + head_of(w, u, h);
}

static float *weights_of(const attention_work *w, const unit *u, int64_t h, int64_t i)
{
    return w->weights + ((u->item * w->z.heads + head_of(w, u, h)) * w->z.tq + u->begin + i) * w->z.tk;
}

static void start(const attention_work *w, unit *u)
{
    const int64_t rows = w->z.group * u->count;
    for (int64_t h = 0; h < w->z.group; h++) {
        heed_sight_turn(&u->sight, head_of(w, u, h));
        for (int64_t i = 0; i < u->count; i++)
            u->blind[h * u->count + i] = heed_sight_is_blind(&u->sight, u->begin + i);
    }
    memset(u->o, 0, (size_t)(rows * w->z.dv) * sizeof(float));
    memset(u->total, 0, (size_t)rows * sizeof(float));
    for (int64_t i = 0; i < rows; i++)
        u->top[i] = -INFINITY;
}

/* Keeps the weights of a block as they are so far, and what they are relative to. */
static void keep_weights(const attention_work *w, unit *u, int64_t block, int64_t h, int64_t i, int64_t m, int64_t j,
                         int64_t n)
{
    const int64_t rows = w->z.group * u->count, row = h * u->count + i;
    memcpy(u->tops + block * rows + row, u->top + row, (size_t)m * sizeof(float));
    for (int64_t k = 0; k < m; k++)
        memcpy(weights_of(w, u, h, i + k) + j, u->scores + k * HEED_ATTENTION_KEYS, (size_t)n * sizeof(float));
}

/* Queries i..i+m-1 of head h against what they see of a packed block of n keys from j on. */
static void attend(const attention_work *w, unit *u, int64_t h, int64_t i, int64_t m, int64_t j, int64_t n)
{
    const heed_kernels *k = w->x->kernels;
    const int64_t row = h * u->count + i, d = w->z.d, dv = w->z.dv, panel = k->gemm_columns;
    heed_range seen = heed_range_cut(heed_sight_range(&u->sight, u->begin + i, m, u->blind + row), j, n, panel);
    const int64_t some = seen.end - seen.begin;
    if (some <= 0)
        return;
    k->gemm_packed(m, some, d, w->q + row_of(w, u, h, i) * d, w->z.heads * d, 1, u->keys + (seen.begin - j) * d,
                   u->scores, HEED_ATTENTION_KEYS, NULL, 0);
    for (int64_t r = 0; r < m; r++)
        heed_sight_cover(&u->sight, u->begin + i + r, u->blind[row + r], seen.begin, some,
                         u->scores + r * HEED_ATTENTION_KEYS);
    float *o = u->o + row * dv;
    k->attention_softmax(m, some, u->scores, HEED_ATTENTION_KEYS, u->top + row, u->total + row, dv, o, dv);
    if (w->weights != NULL)
        keep_weights(w, u, j / HEED_ATTENTION_KEYS, h, i, m, seen.begin, some);
    if (w->at->dropout > 0.0f)
        heed_attention_drop(w->x, w->at, &w->z, u->item * w->z.heads + head_of(w, u, h), u->begin + i, m, seen.begin,
                            some, u->scores, HEED_ATTENTION_KEYS);
    heed_attention_product(k, m, dv, some, u->scores, HEED_ATTENTION_KEYS, u->values, n, seen.begin - j, o, dv);
}

static void attend_block(const attention_work *w, unit *u, int64_t j, int64_t n)
{
    const heed_attention_sizes *z = &w->z;
    const int64_t key = ((u->item * z->tk + j) * z->key_heads + u->key_head);
    heed_attention_pack_keys(w->x->kernels, z, w->k + key * z->d, n, w->at->scale, u->keys);
    w->x->kernels->gemm_pack(z->dv, n, w->v + key * z->dv, z->key_heads * z->dv, 1, u->values);
    for (int64_t h = 0; h < z->group; h++) {
        heed_sight_turn(&u->sight, head_of(w, u, h));
        for (int64_t i = 0; i < u->count; i += ROWS)
            attend(w, u, h, i, u->count - i < ROWS ? u->count - i : ROWS, j, n);
    }
}

/* Brings the weights of row `row`, query i of head h, to its final top and sum. */
static void finish_weights(const attention_work *w, const unit *u, int64_t h, int64_t i)
{
    const int64_t rows = w->z.group * u->count, row = h * u->count + i;
    float *weights = weights_of(w, u, h, i);
    for (int64_t j = 0; j < w->z.tk; j += HEED_ATTENTION_KEYS) {
        float then = u->tops[j / HEED_ATTENTION_KEYS * rows + row];
        float factor = u->total[row] > 0.0f ? exp2f(then - u->top[row]) / u->total[row] : 0.0f;
        int64_t n = w->z.tk - j < HEED_ATTENTION_KEYS ? w->z.tk - j : HEED_ATTENTION_KEYS;
        w->x->kernels->unary(HEED_UNARY_SCALE, n, weights + j, factor, 0.0f, weights + j);
    }
}

static void finish(const attention_work *w, const unit *u)
{
    const int64_t dv = w->z.dv;
    for (int64_t h = 0; h < w->z.group; h++) {
        const int64_t row = h * u->count, line = (u->item * w->z.heads + head_of(w, u, h)) * w->z.tq + u->begin;
        w->x->kernels->attention_finish(u->count, dv, u->o + row * dv, dv, u->top + row, u->total + row,
                                        w->result + row_of(w, u, h, 0) * dv, w->z.heads * dv, w->norm + line);
        for (int64_t i = 0; i < u->count && w->weights != NULL; i++)
            finish_weights(w, u, h, i);
    }
}

static void clear_weights(const attention_work *w, unit *u)
{
    const int64_t rows = w->z.group * u->count;
    for (int64_t h = 0; h < w->z.group; h++)
        memset(weights_of(w, u, h, 0), 0, (size_t)(u->count * w->z.tk) * sizeof(float));
    for (int64_t i = 0; i < block_count(&w->z) * rows; i++)
        u->tops[i] = -INFINITY;
}

static void attention_unit(void *work, int64_t index, int thread)
{
    const attention_work *w = work;
    const heed_attention_sizes *z = &w->z;
    size_t used;
    unit u = lay_out(w->scratch + (size_t)thread * w->scratch_size, z, w->weights != NULL, w->x->kernels->gemm_columns,
                     &used);
    u.count = heed_tile_range(z->tq, w->rows, index % w->tiles, &u.begin);
    u.item = index / w->tiles / z->key_heads;
    u.key_head = index / w->tiles % z->key_heads;
    u.sight = heed_sight_of(w->x, w->node, u.item);
    start(w, &u);
    if (w->weights != NULL)
        clear_weights(w, &u);
    heed_range seen = heed_sight_range_of_heads(&u.sight, u.begin, u.count, z->group, u.blind);
    for (int64_t j = heed_range_first_block(seen); j < seen.end; j += HEED_ATTENTION_KEYS)
        attend_block(w, &u, j, seen.end - j < HEED_ATTENTION_KEYS ? seen.end - j : HEED_ATTENTION_KEYS);
    finish(w, &u);
}

static heed_status attention_forward(const heed_exec *x, const heed_node *n)
{
    attention_work w = {.x = x, .node = n, .at = n->attributes, .z = heed_attention_sizes_of(n),
                        .q = heed_data(x, n->inputs[HEED_QUERY]), .k = heed_data(x, n->inputs[HEED_KEY]),
                        .v = heed_data(x, n->inputs[HEED_VALUE]), .result = heed_data(x, n->outputs[HEED_RESULT]),
                        .norm = heed_data(x, n->outputs[HEED_NORM]), .scratch = heed_scratch(x, n)};
    if (w.at->weights)
        w.weights = heed_data(x, n->outputs[HEED_WEIGHTS]);
    lay_out(NULL, &w.z, w.at->weights, x->kernels->gemm_columns, &w.scratch_size);
    w.rows = unit_rows(&w.z);
    w.tiles = heed_tiles(w.z.tq, w.rows);
    heed_parallel(x->pool, w.z.batch * w.z.key_heads * w.tiles, attention_unit, &w);
    return HEED_OK;
}

static heed_status attention_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    enum { MOST = HEED_MASKS + 3 + HEED_OF_WEIGHTS + 2 };
    const heed_attention_attributes *at = n->attributes;
    heed_tensor *inputs[MOST], **saved = inputs + at->own;
    int count = at->own + HEED_OF_WEIGHTS;
    memcpy(inputs, n->inputs, (size_t)at->own * sizeof *inputs);
    saved[HEED_OF_RESULT] = n->outputs[HEED_RESULT];
    saved[HEED_OF_NORM] = n->outputs[HEED_NORM];
    saved[HEED_OF_GRADIENT] = dy[HEED_RESULT];
    if (dy[HEED_RESULT] == NULL)
        saved[HEED_OF_GRADIENT] = heed_graph_fill(n->graph, &n->outputs[HEED_RESULT]->shape, 0.0f);
    if (at->weights && dy[HEED_WEIGHTS] != NULL) {
        saved[HEED_OF_WEIGHTS] = n->outputs[HEED_WEIGHTS];
        saved[HEED_OF_WEIGHTS + 1] = dy[HEED_WEIGHTS];
        count += 2;
    }
    heed_node *d = heed_node_add(n->graph, &heed_kind_attention_gradient, at, sizeof *at, inputs, count, HEED_MASKS);
    for (int i = 0; i < HEED_MASKS && d != NULL; i++)
        dx[i] = d->outputs[i];
    return n->graph->status;
}

const heed_op heed_kind_attention = {.name = "attention", .shape = attention_shape, .scratch = attention_scratch,
                                     .forward = attention_forward, .gradient = attention_gradient};

/* A mask with all four dimensions of the weights. */
static heed_tensor *whole_mask(heed_tensor *mask)
{
    while (mask != NULL && mask->shape.rank < 4)
        mask = heed_op_expand(mask, 0);
    return mask;
}

heed_tensor *heed_op_attention(heed_tensor *query, heed_tensor *key, heed_tensor *value,
                               const heed_op_attention_config *config, heed_tensor **weights)
{
    heed_tensor *inputs[HEED_MASKS + 3] = {query, key, value};
    heed_attention_attributes at = {.scale = config->scale, .dropout = config->dropout, .blind = config->blind,
                                    .weights = weights != NULL, .own = HEED_MASKS};
    int64_t tk = heed_tensor_dim(key, 1), tq = heed_tensor_dim(query, 1), far = tk > tq ? tk : tq;
    if (query == NULL || key == NULL || value == NULL)
        return NULL;
    if (!(config->dropout >= 0.0f && config->dropout < 1.0f))
        return heed_graph_fail(query->graph, HEED_EINVAL,
                               "attention: the dropout is out of range (expected 0 to less than 1, found %g)",
                               (double)config->dropout);
    if (config->scale == 0.0f)
        at.scale = 1.0f / sqrtf((float)heed_tensor_dim(query, -1));
    at.behind = config->banded && config->behind < far ? config->behind : far;
    at.ahead = config->banded && config->ahead < far ? config->ahead : far;
    if (config->key_mask != NULL)
        inputs[at.key_mask = at.own++] = config->key_mask;
    if (config->query_mask != NULL)
        inputs[at.query_mask = at.own++] = config->query_mask;
    if (config->mask != NULL)
        inputs[at.mask = at.own++] = whole_mask(config->mask);
    if (config->dropout > 0.0f)
        at.draw = query->graph->draws++;
    heed_node *n = heed_node_add(NULL, &heed_kind_attention, &at, sizeof at, inputs, at.own, weights == NULL ? 2 : 3);
    if (weights != NULL)
        *weights = n == NULL ? NULL : n->outputs[HEED_WEIGHTS];
    return n == NULL ? NULL : n->outputs[HEED_RESULT];
}
