/* The gradient of scaled dot product attention: the weights are made anew, block by block, from the scores and the norm
 * that the forward left (Dao et al. 2022, algorithm 4). */
#include "ops/attention.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 96, /* queries whose scores of a block are kept at a time */
    UNITS = 16,
};

static heed_status gradient_shape(heed_node *n)
{
    for (int i = 0; i < HEED_MASKS; i++)
        heed_node_set(n, i, HEED_FLOAT32, &n->inputs[i]->shape);
    return HEED_OK;
}

typedef struct gradient_work {
    const heed_exec                 *x;
    const heed_node                 *node;
    const heed_attention_attributes *at;
    heed_attention_sizes             z;
    const float                     *q, *k, *v, *o, *norm, *d_o, *weights, *d_weights;
    float                           *dq, *dk, *dv;
    float                           *more_dk, *more_dv; /* (B, tiles-1, Tk, M, ..): of all tiles but the first, which write dk, dv */
    int64_t                          rows, tiles; /* queries of a unit, units of an item's head of keys */
    unsigned char                   *scratch;
    size_t                           scratch_size;
} gradient_work;

/* What a thread works on: some queries of the heads that share one head of keys. */
typedef struct unit {
    float   *delta;               /* (group, count): sum of o do, times scale */
    uint8_t *blind;               /* (group, count) */
    float   *scores, *d_weights;  /* (ROWS, KEYS) */
    float   *keys, *keys_across, *values_across; /* packed; across: transposed, and the keys scaled */
    float   *queries, *d_o;       /* packed */
    float   *dk, *dv;             /* the unit's own, of rows as k and v */
    int64_t  item, key_head, begin, count;
    heed_sight sight;
} unit;

static int64_t tile_rows(const heed_attention_sizes *z)
{
    int64_t items = z->batch * z->key_heads, tiles = items > 0 ? (UNITS + items - 1) / items : 1;
    int64_t rows = heed_round_up((z->tq + tiles - 1) / tiles, ROWS);
    return rows < ROWS ? ROWS : rows;
}

static unit lay_out(unsigned char *memory, const heed_attention_sizes *z, int64_t panel, size_t *used)
{
    int64_t queries = tile_rows(z) < z->tq ? tile_rows(z) : z->tq, keys = heed_round_up(HEED_ATTENTION_KEYS, panel);
    int64_t d = heed_round_up(z->d, panel), dv = heed_round_up(z->dv, panel);
    *used = 0;
    return (unit){
        .delta = heed_take(memory, used, z->group * queries, sizeof(float)),
        .blind = heed_take(memory, used, z->group * queries, 1),
        .scores = heed_take(memory, used, ROWS * HEED_ATTENTION_KEYS, sizeof(float)),
        .d_weights = heed_take(memory, used, ROWS * HEED_ATTENTION_KEYS, sizeof(float)),
        .keys = heed_take(memory, used, HEED_ATTENTION_KEYS * d, sizeof(float)),
        .keys_across = heed_take(memory, used, keys * z->d, sizeof(float)),
        .values_across = heed_take(memory, used, keys * z->dv, sizeof(float)),
        .queries = heed_take(memory, used, ROWS * d, sizeof(float)),
        .d_o = heed_take(memory, used, ROWS * dv, sizeof(float)),
    };
}

static size_t gradient_scratch(const heed_node *n, int threads)
{
    heed_attention_sizes z = heed_attention_sizes_of(n);
    size_t used;
    lay_out(NULL, &z, heed_kernels_for(n->graph->context->cpu)->gemm_columns, &used);
    int64_t more = heed_tiles(z.tq, tile_rows(&z)) - 1, rows = more > 0 ? z.batch * more * z.tk * z.key_heads : 0;
    return used * (size_t)threads + heed_aligned((size_t)(rows * z.d) * sizeof(float)) +
           heed_aligned((size_t)(rows * z.dv) * sizeof(float));
}

static int64_t head_of(const gradient_work *w, const unit *u, int64_t h) { return u->key_head * w->z.group + h; }

/* Of (B, Tq, N), and of (B, N, Tq): the unit's query i of its head h. */
static int64_t row_of(const gradient_work *w, const unit *u, int64_t h, int64_t i)
{
    return (u->item * w->z.tq + u->begin + i) * w->z.heads + head_of(w, u, h);
}

static int64_t line_of(const gradient_work *w, const unit *u, int64_t h, int64_t i)
{
    return (u->item * w->z.heads + head_of(w, u, h)) * w->z.tq + u->begin + i;
}

/* What softmax takes from the gradient of each of a query's weights: their mean by those weights. */
static float mean_gradient(const gradient_work *w, const unit *u, int64_t h, int64_t i)
{
    const int64_t row = row_of(w, u, h, i) * w->z.dv, line = line_of(w, u, h, i) * w->z.tk;
    float mean = w->x->kernels->dot(w->z.dv, w->o + row, w->d_o + row);
    if (w->d_weights != NULL)
        mean += w->x->kernels->dot(w->z.tk, w->weights + line, w->d_weights + line);
    return mean;
}

static void start(const gradient_work *w, unit *u)
{
    const heed_attention_sizes *z = &w->z;
    for (int64_t h = 0; h < z->group; h++) {
        heed_sight_turn(&u->sight, head_of(w, u, h));
        for (int64_t i = 0; i < u->count; i++) {
            u->blind[h * u->count + i] = heed_sight_is_blind(&u->sight, u->begin + i);
            u->delta[h * u->count + i] = mean_gradient(w, u, h, i);
            memset(w->dq + row_of(w, u, h, i) * z->d, 0, (size_t)z->d * sizeof(float));
        }
    }
    for (int64_t j = 0; j < z->tk; j++) {
        memset(u->dk + j * z->key_heads * z->d, 0, (size_t)z->d * sizeof(float));
        memset(u->dv + j * z->key_heads * z->dv, 0, (size_t)z->dv * sizeof(float));
    }
}

/* The weights of queries i..i+m-1 over n keys from j on, into u->scores, and their scores' gradient into u->d_weights. */
static void differentiate(const gradient_work *w, unit *u, int64_t h, int64_t i, int64_t m, int64_t block, int64_t j,
                          int64_t n)
{
    const heed_kernels *k = w->x->kernels;
    const heed_attention_sizes *z = &w->z;
    const int64_t ld = HEED_ATTENTION_KEYS, head = u->item * z->heads + head_of(w, u, h), row = h * u->count + i;
    k->gemm_packed(m, n, z->d, w->q + row_of(w, u, h, i) * z->d, z->heads * z->d, 1,
                   u->keys_across + (j - block) * z->d, u->scores, ld, NULL, 0);
    k->gemm_packed(m, n, z->dv, w->d_o + row_of(w, u, h, i) * z->dv, z->heads * z->dv, 1,
                   u->values_across + (j - block) * z->dv, u->d_weights, ld, NULL, 0);
    if (w->at->dropout > 0.0f)
        heed_attention_drop(w->x, w->at, z, head, u->begin + i, m, j, n, u->d_weights, ld);
    for (int64_t r = 0; r < m; r++) {
        heed_sight_cover(&u->sight, u->begin + i + r, u->blind[row + r], j, n, u->scores + r * ld);
        if (w->d_weights != NULL)
            k->axpy(n, 1.0f, w->d_weights + line_of(w, u, h, i + r) * z->tk + j, u->d_weights + r * ld);
    }
    k->attention_gradient(m, n, u->scores, u->d_weights, ld, w->norm + line_of(w, u, h, i), u->delta + row, w->at->scale);
    for (int64_t r = 0; r < m && w->at->blind == HEED_BLIND_EVEN_FIXED; r++)
        if (u->blind[row + r])
            memset(u->d_weights + r * ld, 0, (size_t)n * sizeof(float));
    if (w->at->dropout > 0.0f)
        heed_attention_drop(w->x, w->at, z, head, u->begin + i, m, j, n, u->scores, ld);
}

/* Queries i..i+m-1 of head h against what they see of a packed block of n keys from j on. */
static void attend(const gradient_work *w, unit *u, int64_t h, int64_t i, int64_t m, int64_t j, int64_t n)
{
    const heed_kernels *k = w->x->kernels;
    const heed_attention_sizes *z = &w->z;
    const int64_t row = row_of(w, u, h, i), ld = HEED_ATTENTION_KEYS, key_row = z->key_heads;
    heed_range seen = heed_sight_range(&u->sight, u->begin + i, m, u->blind + h * u->count + i);
    seen = heed_range_cut(seen, j, n, k->gemm_columns);
    const int64_t some = seen.end - seen.begin;
    if (some <= 0)
        return;
    const float *q = w->q + row * z->d, *d_o = w->d_o + row * z->dv;
    differentiate(w, u, h, i, m, j, seen.begin, some);
    k->gemm_pack(z->d, m, q, z->heads * z->d, 1, u->queries);
    k->gemm_pack(z->dv, m, d_o, z->heads * z->dv, 1, u->d_o);
    float *dk = u->dk + seen.begin * key_row * z->d, *dv = u->dv + seen.begin * key_row * z->dv;
    k->gemm_packed(some, z->dv, m, u->scores, 1, ld, u->d_o, dv, key_row * z->dv, dv, key_row * z->dv);
    k->gemm_packed(some, z->d, m, u->d_weights, 1, ld, u->queries, dk, key_row * z->d, dk, key_row * z->d);
    heed_attention_product(k, m, z->d, some, u->d_weights, ld, u->keys, n, seen.begin - j, w->dq + row * z->d,
                           z->heads * z->d);
}

static void attend_block(const gradient_work *w, unit *u, int64_t j, int64_t n)
{
    const heed_kernels *k = w->x->kernels;
    const heed_attention_sizes *z = &w->z;
    const int64_t key = (u->item * z->tk + j) * z->key_heads + u->key_head;
    k->gemm_pack(z->d, n, w->k + key * z->d, z->key_heads * z->d, 1, u->keys);
    heed_attention_pack_keys(k, z, w->k + key * z->d, n, w->at->scale, u->keys_across);
    k->gemm_pack(n, z->dv, w->v + key * z->dv, 1, z->key_heads * z->dv, u->values_across);
    for (int64_t h = 0; h < z->group; h++) {
        heed_sight_turn(&u->sight, head_of(w, u, h));
        for (int64_t i = 0; i < u->count; i += ROWS)
            attend(w, u, h, i, u->count - i < ROWS ? u->count - i : ROWS, j, n);
    }
}

static void gradient_unit(void *work, int64_t index, int thread)
{
    const gradient_work *w = work;
    const heed_attention_sizes *z = &w->z;
    const int64_t tile = index % w->tiles;
    size_t used;
    unit u = lay_out(w->scratch + (size_t)thread * w->scratch_size, z, w->x->kernels->gemm_columns, &used);
    u.count = heed_tile_range(z->tq, w->rows, tile, &u.begin);
    u.item = index / w->tiles / z->key_heads;
    u.key_head = index / w->tiles % z->key_heads;
    u.sight = heed_sight_of(w->x, w->node, u.item);
    const int64_t item = tile == 0 ? u.item : u.item * (w->tiles - 1) + tile - 1, row = item * z->tk * z->key_heads + u.key_head;
    u.dk = (tile == 0 ? w->dk : w->more_dk) + row * z->d;
    u.dv = (tile == 0 ? w->dv : w->more_dv) + row * z->dv;
    start(w, &u);
    heed_range seen = heed_sight_range_of_heads(&u.sight, u.begin, u.count, z->group, u.blind);
    for (int64_t j = heed_range_first_block(seen); j < seen.end; j += HEED_ATTENTION_KEYS)
        attend_block(w, &u, j, seen.end - j < HEED_ATTENTION_KEYS ? seen.end - j : HEED_ATTENTION_KEYS);
}

/* Adds to dk and dv of an item what its other tiles gave. */
static void add_tiles(void *work, int64_t item, int thread)
{
    const gradient_work *w = work;
    const int64_t rows = w->z.tk * w->z.key_heads, more = w->tiles - 1;
    const int64_t k = rows * w->z.d, v = rows * w->z.dv;
    (void)thread;
    w->x->kernels->add_columns(more, k, w->more_dk + item * more * k, k, w->dk + item * k);
    w->x->kernels->add_columns(more, v, w->more_dv + item * more * v, v, w->dv + item * v);
}

static heed_status gradient_forward(const heed_exec *x, const heed_node *n)
{
    const heed_attention_attributes *at = n->attributes;
    heed_tensor *const *saved = n->inputs + at->own;
    gradient_work w = {.x = x, .node = n, .at = at, .z = heed_attention_sizes_of(n),
                       .q = heed_data(x, n->inputs[HEED_QUERY]), .k = heed_data(x, n->inputs[HEED_KEY]),
                       .v = heed_data(x, n->inputs[HEED_VALUE]), .o = heed_data(x, saved[HEED_OF_RESULT]),
                       .norm = heed_data(x, saved[HEED_OF_NORM]), .d_o = heed_data(x, saved[HEED_OF_GRADIENT]),
                       .dq = heed_data(x, n->outputs[HEED_QUERY]), .dk = heed_data(x, n->outputs[HEED_KEY]),
                       .dv = heed_data(x, n->outputs[HEED_VALUE]), .scratch = heed_scratch(x, n)};
    if (n->input_count > at->own + HEED_OF_WEIGHTS) {
        w.weights = heed_data(x, saved[HEED_OF_WEIGHTS]);
        w.d_weights = heed_data(x, saved[HEED_OF_WEIGHTS + 1]);
    }
    w.rows = tile_rows(&w.z);
    w.tiles = heed_tiles(w.z.tq, w.rows);
    lay_out(NULL, &w.z, x->kernels->gemm_columns, &w.scratch_size);
    int64_t more = w.tiles > 1 ? w.z.batch * (w.tiles - 1) * w.z.tk * w.z.key_heads : 0;
    unsigned char *behind = w.scratch + w.scratch_size * (size_t)x->threads;
    w.more_dk = (float *)behind;
    w.more_dv = (float *)(behind + heed_aligned((size_t)(more * w.z.d) * sizeof(float)));
    if (w.tiles == 0) {
        memset(w.dk, 0, (size_t)n->outputs[HEED_KEY]->count * sizeof(float));
        memset(w.dv, 0, (size_t)n->outputs[HEED_VALUE]->count * sizeof(float));
    }
    heed_parallel(x->pool, w.z.batch * w.z.key_heads * w.tiles, gradient_unit, &w);
    if (w.tiles > 1)
        heed_parallel(x->pool, w.z.batch, add_tiles, &w);
    return HEED_OK;
}

const heed_op heed_kind_attention_gradient = {
    .name = "attention_gradient", .shape = gradient_shape, .scratch = gradient_scratch, .forward = gradient_forward,
    .no_gradient = "second derivatives are not taken"};
