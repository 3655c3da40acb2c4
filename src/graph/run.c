/* Running a planned graph. */
#include "graph/graph.h"

#include "base/clock.h"

void heed_graph_lend(heed_graph *g, void *arena)
{
    if (!g->arena_lent)
        heed_release(g->context, g->arena);
    g->arena = arena;
    g->arena_lent = true;
}

void heed_graph_bind(heed_tensor *input, const void *data)
{
    if (input != NULL && input->place == HEED_PLACE_BOUND && input->graph->planned)
        input->graph->bound[input->slot] = data;
}

void heed_graph_watch(heed_graph *g, heed_node_watch *watch, void *user)
{
    g->watch = watch;
    g->watch_user = user;
}

static heed_status run_watched(const heed_graph *g, const heed_exec *x, const heed_node *n)
{
    double start = heed_seconds();
    HEED_TRY(n->op->forward(x, n));
    g->watch(g->watch_user, n, heed_seconds() - start);
    return HEED_OK;
}

heed_status heed_graph_execute(const heed_graph *g, const heed_exec *x)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const heed_node *n = g->nodes[i];
        if (n->live && !n->op->alias)
            HEED_TRY(g->watch == NULL ? n->op->forward(x, n) : run_watched(g, x, n));
    }
    return HEED_OK;
}

static heed_status check_bound(const heed_graph *g)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const heed_node *n = g->nodes[i];
        for (int k = 0; k < n->input_count && n->live; k++) {
            const heed_tensor *t = n->inputs[k]->storage;
            if (t->place == HEED_PLACE_BOUND && g->bound[t->slot] == NULL && t->count > 0)
                return heed_fail(g->context, HEED_ESTATE, "run: input %d has no value (heed_graph_bind)", t->slot + 1);
        }
    }
    return HEED_OK;
}

heed_status heed_graph_run(heed_graph *g, uint64_t seed, uint64_t training_step)
{
    if (g->status != HEED_OK)
        return g->status;
    heed_context *c = g->context;
    if (!g->planned)
        return heed_fail(c, HEED_ESTATE, "run: the graph is not planned (heed_graph_plan)");
    if (g->arena == NULL) {
        g->arena = heed_alloc_raw(c, g->bytes, 1);
        if (g->arena == NULL)
            return HEED_ENOMEM;
    }
    HEED_TRY(check_bound(g));
    for (size_t i = 0; i < g->variable_count; i++)
        HEED_TRY(heed_variable_claim(g->variables[i]->variable));
    heed_exec x = {.context = c, .kernels = heed_kernels_for(c->cpu), .pool = c->pool, .threads = heed_threads(c),
                   .arena = g->arena, .bound = g->bound, .packs = g->packs, .seed = seed, .step = training_step};
    return heed_graph_execute(g, &x);
}

const void *heed_tensor_data(const heed_tensor *t)
{
    const heed_graph *g = t->graph;
    heed_exec x = {.arena = g->arena, .bound = g->bound};
    return heed_data(&x, t);
}
