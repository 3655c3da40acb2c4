/* A graph's life, and differentiation. */
#include "graph/graph.h"

#include <string.h>

struct heed_kept {
    struct heed_kept *next;
    void (*cleanup)(void *thing);
    void *thing;
};

heed_status heed_graph_create(heed_context *c, heed_graph **out)
{
    heed_graph *g = *out = heed_alloc(c, 1, sizeof *g);
    if (g == NULL)
        return HEED_ENOMEM;
    g->context = c;
    heed_zone_init(&g->zone, c);
    return HEED_OK;
}

void heed_graph_free(heed_graph *g)
{
    if (g == NULL)
        return;
    for (struct heed_kept *k = g->kept; k != NULL; k = k->next)
        k->cleanup(k->thing);
    heed_context *c = g->context;
    if (!g->arena_lent)
        heed_release(c, g->arena);
    heed_release(c, g->nodes);
    heed_release(c, g->variables);
    heed_zone_free(&g->zone);
    heed_release(c, g);
}

heed_status heed_graph_keep(heed_graph *g, void (*cleanup)(void *), void *thing)
{
    struct heed_kept *k = heed_zone_alloc(&g->zone, 1, sizeof *k);
    if (k == NULL)
        return HEED_ENOMEM;
    *k = (struct heed_kept){g->kept, cleanup, thing};
    g->kept = k;
    return HEED_OK;
}

static void add_gradient(heed_tensor *t, heed_tensor *gradient)
{
    if (t->needs_gradient && gradient != NULL)
        t->gradient = t->gradient == NULL ? gradient : heed_op_add(t->gradient, gradient);
}

static bool includes(heed_node_range range, size_t i) { return range.include == NULL || range.include[i - range.begin]; }

/* Which values in the range depend on what is asked for. */
static void mark_needed(heed_graph *g, heed_node_range range)
{
    for (size_t i = range.begin; i < range.end; i++) {
        heed_node *n = g->nodes[i];
        if (!includes(range, i))
            continue;
        bool needed = false;
        for (int k = 0; k < n->input_count && n->op->gradient != NULL; k++)
            needed |= n->inputs[k]->needs_gradient;
        for (int k = 0; k < n->output_count; k++)
            n->outputs[k]->needs_gradient |= needed && n->outputs[k]->dtype == HEED_FLOAT32;
    }
}

static heed_status propagate(heed_node *n)
{
    heed_graph *g = n->graph;
    bool reached = false;
    for (int k = 0; k < n->output_count; k++)
        reached |= n->outputs[k]->gradient != NULL;
    if (!reached || n->op->gradient == NULL)
        return HEED_OK;
    int count = n->input_count + n->output_count;
    heed_tensor **dx = heed_zone_alloc(&g->zone, (size_t)count, sizeof *dx);
    if (dx == NULL)
        return g->status = HEED_ENOMEM;
    heed_tensor **dy = dx + n->input_count;
    for (int k = 0; k < n->output_count; k++)
        dy[k] = n->outputs[k]->gradient;
    HEED_TRY(n->op->gradient(n, dy, dx));
    for (int k = 0; k < n->input_count; k++)
        add_gradient(n->inputs[k], dx[k]);
    return g->status;
}

heed_status heed_differentiate(heed_graph *g, heed_node_range range, heed_tensor *const *outputs,
                               heed_tensor *const *seeds, size_t output_count, heed_tensor *const *of, size_t of_count,
                               heed_tensor **gradients)
{
    if (g->status != HEED_OK)
        return g->status;
    /* the leaves may be in use by a differentiation around this one: their marks are put back at the end */
    struct leaf_mark {
        heed_tensor *gradient;
        bool         needs_gradient;
    } *saved = heed_zone_alloc(&g->zone, of_count, sizeof *saved);
    if (saved == NULL)
        return g->status = HEED_ENOMEM;
    for (size_t j = 0; j < of_count; j++)
        saved[j] = (struct leaf_mark){of[j]->gradient, of[j]->needs_gradient};
    for (size_t j = 0; j < of_count; j++) {
        of[j]->gradient = NULL;
        of[j]->needs_gradient = true;
    }
    mark_needed(g, range);
    for (size_t i = 0; i < output_count; i++)
        add_gradient(outputs[i], seeds[i]);
    heed_status status = g->status;
    for (size_t i = range.end; i-- > range.begin && status == HEED_OK;)
        if (includes(range, i))
            status = propagate(g->nodes[i]);
    for (size_t j = 0; j < of_count; j++)
        gradients[j] = of[j]->gradient;
    for (size_t i = range.begin; i < range.end; i++) {
        for (int k = 0; k < g->nodes[i]->output_count; k++) {
            g->nodes[i]->outputs[k]->gradient = NULL;
            g->nodes[i]->outputs[k]->needs_gradient = false;
        }
    }
    for (size_t j = 0; j < of_count; j++) {
        of[j]->gradient = saved[j].gradient;
        of[j]->needs_gradient = saved[j].needs_gradient;
    }
    if (status == HEED_OK)
        status = g->status;
    return status;
}

heed_status heed_graph_gradients(heed_tensor *loss, heed_tensor *seed, heed_tensor *const *of, size_t count,
                                 heed_tensor **gradients)
{
    if (loss == NULL)
        return HEED_ESTATE;
    heed_graph *g = loss->graph;
    if (seed == NULL) {
        if (loss->count != 1) {
            char text[128];
            heed_graph_fail(g, HEED_ESHAPE, "gradients: without a seed the loss is a single number (found %s)",
                            heed_shape_text(&loss->shape, text, sizeof text));
            return g->status;
        }
        seed = heed_graph_fill(g, &loss->shape, 1.0f);
    } else if (!heed_shape_equal(&seed->shape, &loss->shape)) {
        char a[128], b[128];
        heed_graph_fail(g, HEED_ESHAPE, "gradients: the seed has not the loss's shape (expected %s, found %s)",
                        heed_shape_text(&loss->shape, a, sizeof a), heed_shape_text(&seed->shape, b, sizeof b));
        return g->status;
    }
    for (size_t i = 0; i < count; i++) {
        if (of[i] == NULL || of[i]->graph != g) {
            heed_graph_fail(g, HEED_EINVAL, "gradients: tensor %zu is not of the loss's graph", i + 1);
            return g->status;
        }
    }
    return heed_differentiate(g, (heed_node_range){0, g->node_count, NULL}, &loss, &seed, 1, of, count, gradients);
}
