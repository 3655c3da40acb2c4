/* The inside of graphs, for the rooms above: memory that graphs share, differentiation with several seeds. */
#ifndef HEED_GRAPH_GRAPH_H
#define HEED_GRAPH_GRAPH_H

#include "ops/op.h"

/* Makes `g` run in `arena` (at least heed_graph_bytes(g), aligned to 64), which must stay until the next lend or the
 * graph's end. Graphs of one model take turns in one arena: what a run computed is gone when another runs. */
void heed_graph_lend(heed_graph *g, void *arena);

/* Is told how many seconds a node took. */
typedef void heed_node_watch(void *user, const heed_node *n, double seconds);
/* From now on each run of the graph tells `watch` of its nodes; NULL: no more. */
void heed_graph_watch(heed_graph *g, heed_node_watch *watch, void *user);

/* Plans without taking memory yet: heed_graph_plan is this. `threads` decides how much scratch the nodes get. */
heed_status heed_plan(heed_graph *g, heed_tensor *const *wanted, size_t count, int threads);

/* Runs the live nodes in order. */
heed_status heed_graph_execute(const heed_graph *g, const heed_exec *x);

/* Which nodes a differentiation looks at: begin..end-1, and of these only those with include[i - begin], unless NULL. */
typedef struct heed_node_range {
    size_t      begin, end;
    const bool *include;
} heed_node_range;

/* Appends gradients of sum_i seeds[i] * outputs[i] with respect to `of`. seeds[i] NULL: zero. gradients[j] is NULL where
 * nothing depends on of[j]. May be called while another differentiation of the same graph is under way (scan does), as
 * long as outputs and the nodes in between were made since. */
heed_status heed_differentiate(heed_graph *g, heed_node_range range, heed_tensor *const *outputs,
                               heed_tensor *const *seeds, size_t output_count, heed_tensor *const *of, size_t of_count,
                               heed_tensor **gradients);

/* Runs `cleanup(thing)` when the graph is freed. On failure the caller still owns the thing. */
heed_status heed_graph_keep(heed_graph *g, void (*cleanup)(void *thing), void *thing);

#endif
