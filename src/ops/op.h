/* What an operation is made of, and what it is given when it runs.
 *
 * One operation, one file: shape rule, scratch size, forward, gradient, and the public functions that build it; one row
 * in HEED_OP_MAP. A tensor is a value of a node (or a leaf); nodes stand in the graph in an order in which they can run. */
#ifndef HEED_OPS_OP_H
#define HEED_OPS_OP_H

#include "base/context.h"
#include "base/index.h"
#include "base/memory.h"
#include "base/pool.h"
#include "heed/graph.h"
#include "kernels/kernels.h"

typedef struct heed_node heed_node;
typedef struct heed_op   heed_op;

/* A weight. Made and owned by a layer; the graph only needs where its numbers are. */
struct heed_variable {
    char      *name;  /* "kernel" */
    heed_shape shape;
    int64_t    count;
    heed_context *context;
    float     *data;  /* count numbers, once claimed: then the pointer stays; training and loading change the numbers */
    bool       trainable;
    bool       drawn;     /* its numbers were set: drawn by the initializer, or loaded */
    bool       borrowed;  /* data is another variable's, which lives longer */
    struct heed_object *initializer, *regularizer, *constraint; /* of the layers room; NULL: none */
    double     fan_in, fan_out; /* how many numbers a sum has, forwards and backwards; 0: as the shape tells */
};

/* Gives a weight memory, of zeros, if it has none. Not before there are numbers to put there, or it runs: a size that a file
 * only declares costs nothing. */
heed_status heed_variable_claim(heed_variable *v);

/* Where a tensor's numbers are. */
typedef enum heed_place {
    HEED_PLACE_ARENA,    /* arena + offset */
    HEED_PLACE_BOUND,    /* bound[slot]: given at each run */
    HEED_PLACE_VARIABLE, /* variable->data */
    HEED_PLACE_CONSTANT, /* constant */
} heed_place;

struct heed_tensor {
    heed_graph    *graph;
    heed_node     *node;    /* NULL for a leaf */
    int            output;  /* which output of the node */
    heed_dtype     dtype;
    heed_shape     shape;
    int64_t        count;   /* elements */
    heed_place     place;
    heed_tensor   *storage; /* whose memory this is: itself, or what a reshape looks at */
    int            slot;    /* of a bound leaf */
    heed_variable *variable;
    const void    *constant;
    heed_tensor   *logits; /* of a Softmax layer's output: what Keras takes a loss of instead; NULL: nothing */
    /* set by planning */
    size_t offset;
    int    last_use; /* index of the last node that reads it; -1: none */
    bool   wanted;
    /* used while differentiating */
    heed_tensor *gradient;
    bool         needs_gradient;
};

struct heed_node {
    const heed_op *op;
    heed_graph    *graph;
    int            index; /* in graph->nodes */
    int            input_count, output_count;
    heed_tensor  **inputs, **outputs;
    void          *attributes;              /* of the op's own type */
    size_t         scratch, scratch_offset; /* bytes, in the arena; set by planning */
    bool           live;                    /* something wanted depends on it; set by planning */
};

struct heed_graph {
    heed_context *context;
    heed_zone     zone; /* nodes, tensors, attributes */
    heed_node   **nodes;
    size_t        node_count, node_capacity;
    heed_status   status; /* sticky */
    int           slots;  /* bound leaves */
    uint32_t      calls;  /* of layers, so far */
    uint32_t      draws;  /* random draws handed out: each dropout has a number of its own */
    int           keras;  /* of the model's file, as 100 major + minor: what its losses do; 0: of none */
    heed_tensor **variables; /* the leaf of each variable met so far, so that a variable has one */
    heed_index    leaves;    /* the same by variable */
    size_t        variable_count, variable_capacity;
    struct heed_kept *kept; /* what is freed with the graph: see heed_graph_keep */
    /* running */
    const void   **bound;
    heed_tensor  **wanted;
    size_t         wanted_count;
    size_t         bytes; /* the arena's size, once planned */
    unsigned char *arena;
    bool           arena_lent, planned;
    struct heed_packs *packs; /* NULL: none are kept; see ops/matmul.h */
    void (*watch)(void *user, const heed_node *n, double seconds); /* NULL: nobody wants to know */
    void          *watch_user;
};

/* What a running node sees. One for a graph; one for each thread inside a scan. */
typedef struct heed_exec {
    heed_context       *context; /* for error texts; not touched from tiles */
    const heed_kernels *kernels;
    heed_pool          *pool;    /* NULL: already on a worker, tiles run in order */
    int                 threads; /* that may run tiles; 1 when pool is NULL */
    unsigned char      *arena;
    const void *const  *bound;
    struct heed_packs  *packs;       /* NULL: none are kept */
    uint64_t            seed, step;  /* random numbers: see heed_exec_stream */
    uint64_t            draw_offset; /* of a draw's first element, a multiple of 4; moved on by scan for each step and tile */
} heed_exec;

struct heed_op {
    const char *name;
    /* Sets dtype and shape of every output from inputs and attributes, or fails by heed_node_fail. */
    heed_status (*shape)(heed_node *n);
    /* Bytes of working memory during forward, for so many threads. NULL: none. */
    size_t (*scratch)(const heed_node *n, int threads);
    heed_status (*forward)(const heed_exec *x, const heed_node *n);
    /* Appends nodes that compute dx[i], the gradient of input i, from dy[j], that of output j (NULL: zero). dx comes in as
     * NULLs; what stays NULL is zero. Without this function no gradient flows, and `no_gradient` says why. */
    heed_status (*gradient)(heed_node *n, heed_tensor *const *dy, heed_tensor **dx);
    const char *no_gradient;
    /* Output 0 may take over the memory of input `in_place - 1`, if nobody needs that any more and the sizes agree. */
    int in_place;
    /* Output 0 is input 0 seen in another shape: no forward, no memory of its own. */
    bool alias;
};

/* Every operation. A row's op is heed_kind_NAME, defined in NAME's file. */
#define HEED_OP_MAP(X)                                                                                                 \
    X(fill) X(unary) X(unary_gradient) X(binary) X(compare) X(logical) X(select) X(cast)                               \
    X(matmul) X(reduce) X(argmax) X(softmax) X(softmax_gradient) X(log_softmax) X(log_softmax_gradient)                \
    X(softmax_cross_entropy) X(softmax_cross_entropy_gradient) X(output_loss) X(ctc_loss) X(ctc_loss_gradient)         \
    X(reshape) X(transpose) X(broadcast) X(concatenate) X(slice) X(pad) X(reverse) X(repeat) X(blend) X(cumsum)        \
    X(stop_gradient) X(gather) X(gather_gradient) X(one_hot) X(layer_norm) X(layer_norm_gradient) X(dropout) X(random) \
    X(additive_exp) X(additive_scores) X(additive_scores_gradient)                                                     \
    X(window_scores) X(window_sum) X(window_spread) X(window_dense) X(window_take)                                     \
    X(attention) X(attention_gradient) X(attention_step) X(attention_memory)                                           \
    X(convolution) X(convolution_transpose) X(convolution_kernel_gradient) X(pool) X(pool_gradient)                    \
    X(lstm) X(lstm_gradient) X(gru) X(gru_gradient) X(scan)

#define HEED_OP_DECLARE(name) extern const heed_op heed_kind_##name;
HEED_OP_MAP(HEED_OP_DECLARE)
#undef HEED_OP_DECLARE

extern const heed_op *const heed_op_table[];
extern const size_t heed_op_count;

/* ---- building */

/* Appends a node: attributes (size bytes) are copied, outputs made by the shape rule. NULL if an input is NULL or the
 * rule fails; the graph then remembers. `g` is needed where there are no inputs. */
heed_node *heed_node_add(heed_graph *g, const heed_op *op, const void *attributes, size_t size,
                         heed_tensor *const *inputs, int input_count, int output_count);
/* heed_node_add for one output. */
heed_tensor *heed_node_output(heed_graph *g, const heed_op *op, const void *attributes, size_t size,
                              heed_tensor *const *inputs, int input_count);

/* Whether a node applies this elementwise function. */
bool heed_node_is_unary(const heed_node *n, heed_unary_function function);
/* Whether it adds two tensors. */
bool heed_node_is_sum(const heed_node *n);

/* A table's gradient is, row by row, the sum of what each id brought that took the row: here is the sum of these shares'
 * squares. NULL where the table is used in another way too. */
heed_tensor *heed_squared_shares(const heed_tensor *gradient);

/* For shape rules. */
heed_status heed_node_fail(heed_node *n, const char *format, ...) HEED_PRINTF(2, 3);
void        heed_node_set(heed_node *n, int output, heed_dtype dtype, const heed_shape *shape);
/* Refuses an input that is not of this type. */
heed_status heed_node_expect(heed_node *n, int input, heed_dtype dtype);
/* NumPy's broadcast of two shapes. */
bool heed_shape_broadcast(const heed_shape *a, const heed_shape *b, heed_shape *out);
/* axis in 0..rank-1 from one that may count from the end; -1 when there is no such axis. */
int heed_axis(int rank, int axis);

/* A leaf; a bound one takes the next free slot. */
heed_tensor *heed_tensor_leaf(heed_graph *g, heed_place place, heed_dtype dtype, const heed_shape *shape);

/* Known to be zeros before anything runs: made by heed_graph_fill. */
bool heed_is_zero(const heed_tensor *t);

/* ---- for gradients */

/* x summed over what broadcasting had added, back to `like`'s shape; x itself when the shapes agree. */
heed_tensor *heed_unbroadcast(heed_tensor *x, heed_tensor *like);

/* ---- running */

static inline void *heed_data(const heed_exec *x, const heed_tensor *t)
{
    const heed_tensor *s = t->storage;
    switch (s->place) {
    case HEED_PLACE_ARENA: return x->arena + s->offset;
    case HEED_PLACE_BOUND: return (void *)(uintptr_t)x->bound[s->slot];
    case HEED_PLACE_VARIABLE: return s->variable->data;
    case HEED_PLACE_CONSTANT: return (void *)(uintptr_t)s->constant;
    }
    return NULL;
}

static inline void *heed_scratch(const heed_exec *x, const heed_node *n) { return x->arena + n->scratch_offset; }

/* The stream of random numbers of draw `draw` at this training step. */
static inline uint64_t heed_exec_stream(const heed_exec *x, uint32_t draw) { return x->step << 24 ^ draw; }

/* Bytes rounded up to what keeps whatever lies behind them aligned to 64. */
static inline size_t heed_aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* The next `count` of `size` bytes of scratch memory; with memory NULL they are only counted. */
static inline void *heed_take(unsigned char *memory, size_t *used, int64_t count, size_t size)
{
    void *here = memory == NULL ? NULL : memory + *used;
    *used += heed_aligned((size_t)count * size);
    return here;
}

static inline int64_t heed_round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* Elements a tile of elementwise work should have: small enough to share out, large enough to be worth it. */
enum { HEED_TILE_ELEMENTS = 8192 };

static inline int64_t heed_tiles(int64_t count, int64_t per_tile) { return (count + per_tile - 1) / per_tile; }

/* What tile `tile` of `count` things cut into `per_tile` holds: from *begin, so many. */
static inline int64_t heed_tile_range(int64_t count, int64_t per_tile, int64_t tile, int64_t *begin)
{
    *begin = tile * per_tile;
    return count - *begin < per_tile ? count - *begin : per_tile;
}

#endif
