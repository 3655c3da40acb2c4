/* A walk over a dense result, along which operands of other strides are followed: the way of every op that broadcasts,
 * permutes or repeats. Dimensions that lie together are merged first, so that equal shapes become one long run. */
#ifndef HEED_OPS_WALK_H
#define HEED_OPS_WALK_H

#include "ops/op.h"

enum { HEED_WALK_OPERANDS = 3 };

typedef struct heed_walk {
    int     rank, operands;
    int64_t count;                                        /* elements of the result */
    int64_t dims[HEED_MAX_RANK];                          /* of the result, outermost first; the last one is a run */
    int64_t strides[HEED_WALK_OPERANDS][HEED_MAX_RANK];   /* in elements */
} heed_walk;

/* n elements of the result from element `at` on: operand k starts at offsets[k] and goes on in steps[k]. */
typedef void heed_walk_run(void *work, int64_t n, int64_t at, const int64_t *offsets, const int64_t *steps);

/* LOOP(p, q) with steps p and q, as constants where they are the common ones: then it compiles to vector code. */
#define HEED_WITH_STEPS(p, q, LOOP)                                                                                    \
    do {                                                                                                               \
        if ((p) == 1 && (q) == 1)                                                                                      \
            LOOP(1, 1);                                                                                                \
        else if ((p) == 1 && (q) == 0)                                                                                 \
            LOOP(1, 0);                                                                                                \
        else if ((p) == 0 && (q) == 1)                                                                                 \
            LOOP(0, 1);                                                                                                \
        else                                                                                                           \
            LOOP(p, q);                                                                                                \
    } while (0)

void heed_walk_start(heed_walk *w, const heed_shape *result);
/* Adds an operand by its stride along each dimension of the result (0: the same element again). */
void heed_walk_strides(heed_walk *w, const int64_t *strides);
/* Adds a dense operand that is broadcast to the result. Its step within a run will be 0 or 1. */
void heed_walk_broadcast(heed_walk *w, const heed_shape *operand);
/* Walks in tiles of `per_tile` elements; the walk is used up. */
void heed_walk_parallel(const heed_exec *x, heed_walk *w, int64_t per_tile, heed_walk_run *run, void *work);

/* Strides of a dense array of this shape. */
void heed_dense_strides(const heed_shape *shape, int64_t *strides);

/* The walk of an op that only moves elements of `size` bytes (1 or 4): result element by element from `source`, by the
 * first operand. */
void heed_walk_copy(const heed_exec *x, heed_walk *w, size_t size, const void *source, void *result);

/* Copies `rows` rows of `size` bytes; the strides are the bytes from one row to the next. */
void heed_copy_rows(const heed_exec *x, int64_t rows, size_t size, const void *source, size_t source_stride,
                    void *result, size_t result_stride);
/* `count` elements of `size` bytes (1 or 4), each *value. */
void heed_fill(const heed_exec *x, int64_t count, size_t size, const void *value, void *result);

/* A shape seen from one axis: (before, n, after). */
typedef struct heed_around {
    int64_t before, n, after;
} heed_around;

heed_around heed_shape_around(const heed_shape *shape, int axis);

/* The last dimension as rows: everything before it counts them. A scalar is one row of one. */
static inline int64_t heed_row_size(const heed_tensor *t)
{
    return t->shape.rank == 0 ? 1 : t->shape.dims[t->shape.rank - 1];
}

heed_shape heed_shape_of_rows(const heed_shape *shape); /* without the last dimension */
int64_t    heed_row_count(const heed_tensor *t);

/* Rows that a tile should have when each has n elements. */
static inline int64_t heed_tile_rows(int64_t n)
{
    return n >= HEED_TILE_ELEMENTS ? 1 : n <= 1 ? HEED_TILE_ELEMENTS : HEED_TILE_ELEMENTS / n;
}

/* For shape rules: the broadcast of all inputs, refused in the name of the public function. */
heed_status heed_node_broadcast(heed_node *n, const char *function, heed_shape *out);
/* Refuses an input that has no dimension to work along. */
heed_status heed_node_expect_rows(heed_node *n, int input);

enum { HEED_SHAPE_TEXT = 128 };

/* heed_shape_text into an array of HEED_SHAPE_TEXT characters. */
static inline char *heed_text_of(const heed_tensor *t, char *text)
{
    return heed_shape_text(&t->shape, text, HEED_SHAPE_TEXT);
}

/* For public functions: the axis counted from the start, or -1 with the graph told that there is no such axis. */
int heed_op_axis(heed_tensor *x, const char *function, int axis);

#endif
