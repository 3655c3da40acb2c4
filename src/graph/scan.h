/* The inside of scan: recurrence over the steps of a sequence.
 *
 * A step is *traced*: its function is called, and builds nodes, in some graph for some number of rows. The same function
 * gives the same nodes each time, so a node is known by its position in the trace, whatever the graph and the rows. The
 * nodes of one trace are sorted into classes:
 *
 *   FREE  depend on no input at all; each trace computes its own
 *   ONCE  depend on what stays the same over the steps: computed once, for B rows
 *   PRE   depend on this step's inputs only: computed for all T*B rows at once, before the loop
 *   LOOP  the rest of what a state depends on: computed step by step, in the *body*
 *   POST  no state depends on them: computed for all T*B rows at once, after the loop
 *
 * *Lowering* puts ONCE, PRE and POST into the outer graph by tracing there, and leaves the LOOP in bodies: small graphs
 * for one tile of rows, run once a step by each thread on its own.
 *
 * Inside, sequences are (T, B, ...): what a tile needs of a step lies together, so bodies read and write it where it is.
 *
 * The gradient is a loop too. Its step is the derivative of the LOOP nodes, traced as nodes behind the forward step and
 * lowered in the same way; so weight gradients, on which no state depends, fall into POST: one product over all steps. */
#ifndef HEED_GRAPH_SCAN_H
#define HEED_GRAPH_SCAN_H

#include "graph/graph.h"

/* Rows that a thread takes through the loop together. */
enum { HEED_SCAN_ROWS = 16 };

typedef struct heed_scan heed_scan;

/* A tensor of a trace, in any graph: output `output` of node `node`, or (node -1) leaf `output`. */
typedef struct heed_position {
    int node, output;
} heed_position;

static const heed_position HEED_NOWHERE = {-2, 0};

typedef struct heed_trace {
    heed_graph   *graph;
    size_t        begin, end; /* its nodes, as they stood in the graph when traced; derived ones from `derived` on */
    size_t        derived;
    heed_node   **nodes;      /* the same nodes, wherever they stand now */
    heed_tensor **leaves;     /* stand-ins for what the step is given */
    heed_tensor **results;    /* NULL: zero */
} heed_trace;

/* UNUSED: no result depends on it. PRIOR: of the forward step, in a derivative. */
typedef enum heed_class {
    HEED_UNUSED, HEED_PRIOR, HEED_FREE, HEED_ONCE, HEED_PRE, HEED_LOOP, HEED_POST
} heed_class;

/* How a leaf's value moves from step to step. */
typedef enum heed_role {
    HEED_ROLE_SEQUENCE, /* a slice of (T, B, ...) */
    HEED_ROLE_STACKED,  /* the same, given as (T*B, ...) */
    HEED_ROLE_STATE,    /* carried */
    HEED_ROLE_ROWS,     /* (B, ...): the same rows at every step */
} heed_role;

/* What a result of the step is for. */
typedef enum heed_result_kind {
    HEED_RESULT_STATE,     /* the next value of state `index` */
    HEED_RESULT_OUTPUT,    /* a slice of an output sequence */
    HEED_RESULT_ROW_SUM,   /* (R, ...), summed over the steps */
    HEED_RESULT_WHOLE_SUM, /* (...), summed over rows and steps */
} heed_result_kind;

/* What is to be lowered: the shape of the step's interface and the function that traces it. */
typedef struct heed_scan_body {
    heed_status (*trace)(void *user, heed_graph *g, int64_t rows, heed_trace *out);
    /* For a derivative, whose nodes stand behind those of the forward step: role and outer tensor (not asked for when
     * NULL) of a forward value, and the classes of the forward nodes. NULL where nodes start at the trace's begin. */
    heed_status (*resolve)(void *user, heed_position p, heed_role *role, heed_tensor **outer);
    const heed_class *prior;
    void        *user;
    int          leaf_count;
    heed_role   *leaf_roles;
    heed_tensor **leaf_outer; /* sequence (T, B, ...), rows (B, ...), initial state (B, ...) or NULL: zeros. In a derivative
                                 NULL for what resolve knows */
    int          result_count;
    heed_result_kind *result_kinds; /* states first, in the order of the leaves with ROLE_STATE */
    uint32_t     draws; /* where random draws are numbered from */
} heed_scan_body;

/* A body tensor that is given from outside at each step. */
typedef struct heed_scan_input {
    heed_position position;
    heed_role     role;      /* SEQUENCE, STACKED or ROWS */
    int           input;     /* of the scan node */
    int           slot;      /* in the body's bound leaves */
    size_t        row_bytes; /* of one row of one step */
} heed_scan_input;

typedef struct heed_scan_state {
    heed_position leaf, next;
    int           input;     /* of the scan node; -1: starts from zeros */
    int           output;    /* final state */
    int           slot;
    int           emit;      /* the emit that writes the next value in its place, where it is read then; -1: it is copied */
    size_t        row_bytes;
} heed_scan_state;

/* A body tensor that leaves the loop. */
typedef struct heed_scan_emit {
    heed_position    position;
    heed_result_kind kind; /* OUTPUT, ROW_SUM or WHOLE_SUM */
    int              output; /* of the scan node */
    size_t           bytes;  /* of a row; WHOLE_SUM: of all */
    int              slot;   /* of an OUTPUT that the body writes in its place; -1: it is copied there. Set by planning */
} heed_scan_emit;

/* A node that runs at each step. */
typedef struct heed_scan_work {
    const heed_node *node;
    int              pack; /* in loop->packs; -1: none */
} heed_scan_work;

typedef struct heed_body {
    int64_t     rows;
    heed_graph *graph;
    heed_trace  trace;
    heed_scan_work *work; /* set by planning */
    size_t      work_count;
} heed_body;

/* Room of one thread, as offsets into its memory. */
typedef struct heed_scan_room {
    size_t bound, states, shadow, failure, bytes;
} heed_scan_room;

/* A loop, lowered: what the scan node runs. */
struct heed_scan {
    heed_graph  *outer;
    heed_node   *node;
    heed_scan_body  recipe;
    int64_t      batch, steps;
    bool         reverse;
    int          mask_input; /* of the node: bool (B, T) whose rows' ends need not be run; -1: none */
    int64_t      tiles, rows; /* rows of a tile; the last may have fewer */
    heed_body    bodies[2];  /* for `rows`, and for the last tile where that differs */
    int          body_count;
    heed_class  *classes;    /* by node position */
    int          node_count;
    heed_trace   pre, once, post; /* in the outer graph; graph NULL where not needed */
    heed_scan_input *inputs;
    size_t       input_count, input_capacity;
    heed_scan_state *states;
    int          state_count;
    heed_scan_emit *emits;
    size_t       emit_count, emit_capacity;
    /* set by planning */
    struct heed_pack {
        heed_position product; /* whose matrix stays the same over the steps */
        size_t        offset;  /* floats, in the packed area */
    }             *packs;
    size_t         pack_count, packed_size;
    heed_status    planned;
    heed_scan_room room;
    size_t         partial_bytes; /* a tile's WHOLE_SUMs */
};

/* ---- scan_lower.c */

/* Lowers `recipe` into `outer`; results[i] receives the outer tensor of result i: the final state, the sequence (T, B, ...)
 * or the sum; NULL where it is zero. The recipe's arrays must live as long as the graph. */
heed_status heed_scan_lower(heed_graph *outer, const heed_scan_body *recipe, int64_t batch, int64_t steps, bool reverse,
                            heed_tensor *mask, heed_scan **out, heed_tensor **results);
/* The body's tensor at a position. */
heed_tensor *heed_trace_at(const heed_trace *t, heed_position p);
/* Role and outer tensor (not asked for when NULL) of any value that the loop's nodes read or make. What the loop makes is
 * made an output of it, if it is none yet. */
heed_status heed_scan_value(heed_scan *l, heed_position p, heed_role *role, heed_tensor **outer);

/* Whether a position is that of a state before the step. */
static inline bool heed_scan_is_state(const heed_scan *l, heed_position p)
{
    return p.node == -1 && l->recipe.leaf_roles[p.output] == HEED_ROLE_STATE;
}

/* ---- scan_gradient.c */
heed_status heed_scan_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx);

/* The scan node's attributes: the loop it runs. */
static inline heed_scan *heed_scan_of(const heed_node *n) { return *(heed_scan **)n->attributes; }

#endif
