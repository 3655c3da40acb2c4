/* Products over the last two dimensions, with an optional bias. */
#include "ops/matmul.h"

#include <string.h>

typedef struct matmul_attributes {
    bool transpose_a, transpose_b;
} matmul_attributes;

/* One product c (m, n) = a (m, k) b (k, n), done `batch` times. */
typedef struct product {
    int64_t batch, m, n, k;
    int64_t a_row, a_column, b_row, b_column;
    bool    shared; /* the same b for the whole batch */
} product;

/* From here on a matrix that is shared by enough rows is packed: the copy pays for itself. */
enum { PACK_ROWS = 24, TILE_ROWS = 64, TILE_PANELS = 4 };

static heed_status matmul_shape(heed_node *n)
{
    const matmul_attributes *at = n->attributes;
    for (int i = 0; i < n->input_count; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    const heed_shape *a = &n->inputs[0]->shape, *b = &n->inputs[1]->shape;
    char p[128], q[128];
    heed_shape_text(a, p, sizeof p);
    heed_shape_text(b, q, sizeof q);
    if (a->rank < 2 || b->rank < 2)
        return heed_node_fail(n, "operands have at least two dimensions (found %s and %s)", p, q);
    int64_t m = a->dims[a->rank - 2], k = a->dims[a->rank - 1], k2 = b->dims[b->rank - 2], columns = b->dims[b->rank - 1];
    if (at->transpose_a) {
        int64_t t = m;
        m = k;
        k = t;
    }
    if (at->transpose_b) {
        int64_t t = k2;
        k2 = columns;
        columns = t;
    }
    if (k != k2)
        return heed_node_fail(n, "%s and %s do not fit%s%s (expected %lld, found %lld)", p, q,
                              at->transpose_a ? ", first transposed" : "", at->transpose_b ? ", second transposed" : "",
                              (long long)k, (long long)k2);
    heed_shape left = *a, right = *b, out;
    left.rank -= 2;
    right.rank -= 2;
    if (!heed_shape_broadcast(&left, &right, &out))
        return heed_node_fail(n, "%s and %s do not fit before the last two dimensions", p, q);
    if (out.rank > HEED_MAX_RANK - 2)
        return heed_node_fail(n, "too many dimensions");
    out.dims[out.rank++] = m;
    out.dims[out.rank++] = columns;
    if (n->input_count == 3 && (n->inputs[2]->shape.rank != 1 || n->inputs[2]->shape.dims[0] != columns))
        return heed_node_fail(n, "bias %s does not fit (expected (%lld,))", heed_shape_text(&n->inputs[2]->shape, p, sizeof p),
                              (long long)columns);
    heed_node_set(n, 0, HEED_FLOAT32, &out);
    return HEED_OK;
}

static product describe(const heed_node *n)
{
    const matmul_attributes *at = n->attributes;
    const heed_shape *a = &n->inputs[0]->shape, *b = &n->inputs[1]->shape, *c = &n->outputs[0]->shape;
    product p = {.batch = 1, .m = c->dims[c->rank - 2], .n = c->dims[c->rank - 1],
                 .k = at->transpose_a ? a->dims[a->rank - 2] : a->dims[a->rank - 1]};
    p.a_row = at->transpose_a ? 1 : p.k;
    p.a_column = at->transpose_a ? p.m : 1;
    p.b_row = at->transpose_b ? 1 : p.n;
    p.b_column = at->transpose_b ? p.k : 1;
    for (int i = 0; i < c->rank - 2; i++)
        p.batch *= c->dims[i];
    p.shared = n->inputs[1]->count == p.k * p.n && b->rank <= c->rank;
    if (p.shared && !at->transpose_a && n->inputs[0]->count == p.batch * p.m * p.k) { /* the rows of all of a, one under another */
        p.m *= p.batch;
        p.batch = 1;
    }
    return p;
}

/* Where batch entry i of an operand of this shape begins, in elements: broadcast dimensions do not advance. */
static int64_t batch_offset(const heed_shape *operand, const heed_shape *c, int64_t i)
{
    int64_t offset = 0, stride = operand->dims[operand->rank - 1] * operand->dims[operand->rank - 2];
    for (int d = 3; d <= c->rank; d++) {
        int64_t index = i % c->dims[c->rank - d];
        i /= c->dims[c->rank - d];
        if (d > operand->rank)
            continue;
        if (operand->dims[operand->rank - d] != 1)
            offset += index * stride;
        stride *= operand->dims[operand->rank - d];
    }
    return offset;
}

typedef struct matmul_work {
    const heed_exec *x;
    const heed_node *node;
    product          p;
    const float     *a, *b, *bias;
    float           *c, *packed;
    int64_t          row_tiles, column_tiles, tile_columns;
} matmul_work;

static void pack_tile(void *work, int64_t tile, int thread)
{
    const matmul_work *w = work;
    const heed_kernels *k = w->x->kernels;
    int64_t j, columns = heed_tile_range(w->p.n, k->gemm_columns, tile, &j);
    k->gemm_pack(columns, w->p.k, w->b + j * w->p.b_column, w->p.b_row, w->p.b_column, w->packed + j * w->p.k);
}

/* One block of c of one batch entry. */
static void product_tile(void *work, int64_t tile, int thread)
{
    const matmul_work *w = work;
    const product *p = &w->p;
    int64_t per_entry = w->row_tiles * w->column_tiles, entry = tile / per_entry, rest = tile % per_entry;
    int64_t i, rows = heed_tile_range(p->m, TILE_ROWS, rest / w->column_tiles, &i);
    int64_t j, columns = heed_tile_range(p->n, w->tile_columns, rest % w->column_tiles, &j);
    const heed_shape *out = &w->node->outputs[0]->shape;
    const float *a = w->a, *b = w->b;
    if (p->batch > 1) {
        a += batch_offset(&w->node->inputs[0]->shape, out, entry);
        b += batch_offset(&w->node->inputs[1]->shape, out, entry);
    }
    a += i * p->a_row;
    float *c = w->c + entry * p->m * p->n + i * p->n + j;
    const float *bias = w->bias == NULL ? NULL : w->bias + j;
    if (w->packed != NULL)
        w->x->kernels->gemm_packed(rows, columns, p->k, a, p->a_row, p->a_column, w->packed + j * p->k, c, p->n, bias, 0);
    else
        w->x->kernels->gemm(rows, columns, p->k, a, p->a_row, p->a_column, b + j * p->b_column, p->b_row, p->b_column, c,
                            p->n, bias, 0);
}

static bool packs(const product *p) { return p->shared && p->batch == 1 && p->m >= PACK_ROWS; }

static size_t matmul_scratch(const heed_node *n, int threads)
{
    product p = describe(n);
    return packs(&p) ? heed_matmul_packed_size(n, heed_kernels_for(n->graph->context->cpu)) * sizeof(float) : 0;
}

/* ---- matrices kept packed */

typedef struct pack {
    const float *b;
    int64_t      row, column, n, k;
    float       *packed;
} pack;

struct heed_packs {
    heed_context *context;
    pack         *items;
    size_t        count, capacity;
};

heed_status heed_packs_create(heed_context *c, heed_packs **out)
{
    *out = heed_alloc(c, 1, sizeof **out);
    if (*out == NULL)
        return HEED_ENOMEM;
    (*out)->context = c;
    return HEED_OK;
}

void heed_packs_free(heed_packs *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->count; i++)
        heed_release(p->context, p->items[i].packed);
    heed_release(p->context, p->items);
    heed_release(p->context, p);
}

static float *kept_pack(const heed_packs *packs, const matmul_work *w)
{
    for (size_t i = 0; i < packs->count; i++) {
        const pack *p = &packs->items[i];
        if (p->b == w->b && p->row == w->p.b_row && p->column == w->p.b_column && p->n == w->p.n && p->k == w->p.k)
            return p->packed;
    }
    return NULL;
}

static void pack_all(matmul_work *w)
{
    heed_parallel(w->x->pool, heed_tiles(w->p.n, w->x->kernels->gemm_columns), pack_tile, w);
}

/* Sets w->packed to the matrix as it is kept, or comes to be. */
static heed_status keep_packed(heed_packs *packs, matmul_work *w)
{
    w->packed = kept_pack(packs, w);
    if (w->packed != NULL)
        return HEED_OK;
    HEED_TRY(heed_grow(packs->context, (void **)&packs->items, &packs->capacity, packs->count, sizeof *packs->items));
    w->packed = heed_alloc_raw(packs->context, heed_matmul_packed_size(w->node, w->x->kernels), sizeof(float));
    if (w->packed == NULL)
        return HEED_ENOMEM;
    packs->items[packs->count++] = (pack){w->b, w->p.b_row, w->p.b_column, w->p.n, w->p.k, w->packed};
    pack_all(w);
    return HEED_OK;
}

static bool keeps(const heed_exec *x, const heed_node *n, const product *p)
{
    return x->packs != NULL && p->shared && p->batch == 1 && n->inputs[1]->storage->place == HEED_PLACE_VARIABLE;
}

static heed_status matmul_forward(const heed_exec *x, const heed_node *n)
{
    matmul_work w = {.x = x, .node = n, .p = describe(n), .a = heed_data(x, n->inputs[0]), .b = heed_data(x, n->inputs[1]),
                     .bias = n->input_count == 3 ? heed_data(x, n->inputs[2]) : NULL, .c = heed_data(x, n->outputs[0])};
    if (keeps(x, n, &w.p)) {
        HEED_TRY(keep_packed(x->packs, &w));
    } else if (packs(&w.p)) {
        w.packed = heed_scratch(x, n);
        pack_all(&w);
    }
    /* a batch is shared out entry by entry; one large product in blocks */
    w.tile_columns = w.p.batch > 1 ? w.p.n : TILE_PANELS * x->kernels->gemm_columns;
    w.row_tiles = heed_tiles(w.p.m, TILE_ROWS);
    w.column_tiles = heed_tiles(w.p.n, w.tile_columns);
    heed_parallel(x->pool, w.p.batch * w.row_tiles * w.column_tiles, product_tile, &w);
    return HEED_OK;
}

/* x seen as rows: (everything before, last). */
static heed_tensor *rows_of(heed_tensor *x)
{
    return x->shape.rank == 2 ? x : heed_op_reshape(x, &(heed_shape){2, {HEED_ANY, x->shape.dims[x->shape.rank - 1]}});
}

static heed_status matmul_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const matmul_attributes *at = n->attributes;
    bool ta = at->transpose_a, tb = at->transpose_b;
    heed_tensor *a = n->inputs[0], *b = n->inputs[1], *dc = dy[0];
    if (a->needs_gradient)
        dx[0] = heed_unbroadcast(ta ? heed_op_matmul_transposed(b, tb, dc, true) : heed_op_matmul_transposed(dc, false, b, !tb), a);
    if (b->needs_gradient) {
        if (b->shape.rank == 2 && !ta) { /* one product over all rows instead of a sum over the batch */
            a = rows_of(a);
            dc = rows_of(dc);
        }
        dx[1] = heed_unbroadcast(tb ? heed_op_matmul_transposed(dc, true, a, ta) : heed_op_matmul_transposed(a, !ta, dc, false), b);
    }
    if (n->input_count == 3 && n->inputs[2]->needs_gradient)
        dx[2] = heed_op_sum(rows_of(dy[0]), (int[]){0}, 1, false);
    return n->graph->status;
}

const heed_op heed_kind_matmul = {.name = "matmul", .shape = matmul_shape, .scratch = matmul_scratch,
                                  .forward = matmul_forward, .gradient = matmul_gradient};

heed_tensor *heed_op_matmul_transposed(heed_tensor *a, bool transpose_a, heed_tensor *b, bool transpose_b)
{
    matmul_attributes at = {transpose_a, transpose_b};
    heed_tensor *inputs[] = {a, b};
    return heed_node_output(NULL, &heed_kind_matmul, &at, sizeof at, inputs, 2);
}

heed_tensor *heed_op_matmul(heed_tensor *a, heed_tensor *b) { return heed_op_matmul_transposed(a, false, b, false); }

heed_tensor *heed_op_dense(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias)
{
    matmul_attributes at = {false, false};
    heed_tensor *inputs[] = {x, kernel, bias};
    return heed_node_output(NULL, &heed_kind_matmul, &at, sizeof at, inputs, bias == NULL ? 2 : 3);
}

/* ---- the matrix packed ahead */

bool heed_matmul_is_dense(const heed_node *n, bool *transposed)
{
    const matmul_attributes *at = n->attributes;
    bool is_dense = heed_matmul_packable(n) && n->inputs[1]->shape.rank == 2 && !at->transpose_a;
    *transposed = is_dense && at->transpose_b;
    return is_dense;
}

bool heed_matmul_packable(const heed_node *n)
{
    if (n->op != &heed_kind_matmul)
        return false;
    product p = describe(n);
    return p.shared && p.batch == 1;
}

size_t heed_matmul_packed_size(const heed_node *n, const heed_kernels *k)
{
    product p = describe(n);
    return (size_t)(heed_tiles(p.n, k->gemm_columns) * k->gemm_columns * p.k);
}

void heed_matmul_pack(const heed_exec *x, const heed_node *n, const float *b, float *packed)
{
    matmul_work w = {.x = x, .node = n, .p = describe(n), .b = b, .packed = packed};
    pack_all(&w);
}

void heed_matmul_run_packed(const heed_exec *x, const heed_node *n, const float *packed)
{
    product p = describe(n);
    x->kernels->gemm_packed(p.m, p.n, p.k, heed_data(x, n->inputs[0]), p.a_row, p.a_column, packed, heed_data(x, n->outputs[0]),
                            p.n, n->input_count == 3 ? heed_data(x, n->inputs[2]) : NULL, 0);
}
