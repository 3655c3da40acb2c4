/* The gradient of a loop: a loop in the other direction, whose step is the derivative of the step. */
#include "graph/scan.h"

#include <string.h>

typedef struct derivative {
    heed_scan      *forward;
    int             forward_leaves;
    bool           *include;  /* forward nodes to be differentiated: those of the loop */
    heed_position  *of;       /* inputs of the loop, then its states; then come the variables */
    int             input_count, state_count, variable_count;
    heed_variable **variables;
    heed_position  *outputs;  /* emitted values that have a gradient, then the states' next values */
    int             output_count;
} derivative;

/* Leaves: the forward step's, then the gradients of `outputs`. Results: gradients of states, inputs, variables. */
static heed_status trace_derivative(void *user, heed_graph *g, int64_t rows, heed_trace *t)
{
    const derivative *d = user;
    const heed_scan_body *r = &d->forward->recipe;
    heed_trace step = {.graph = g, .begin = t->begin, .leaves = t->leaves};
    int of_count = d->input_count + d->state_count + d->variable_count;
    step.results = heed_zone_alloc(&g->zone, (size_t)r->result_count, sizeof *step.results);
    heed_tensor **outputs = heed_zone_alloc(&g->zone, 2 * (size_t)(d->output_count + of_count), sizeof *outputs);
    if (step.results == NULL || outputs == NULL)
        return HEED_ENOMEM;
    HEED_TRY(r->trace(r->user, g, rows, &step));
    HEED_TRY(g->status);
    t->derived = g->node_count;
    step.nodes = g->nodes + t->begin; /* good until the next node is added */

    heed_tensor **of = outputs + d->output_count, **seeds = of + of_count, **gradients = seeds + d->output_count;
    for (int i = 0; i < d->output_count; i++)
        outputs[i] = heed_trace_at(&step, d->outputs[i]);
    for (int i = 0; i < d->input_count + d->state_count; i++)
        of[i] = heed_trace_at(&step, d->of[i]);
    for (int i = 0; i < d->variable_count; i++)
        of[d->input_count + d->state_count + i] = heed_graph_variable(g, d->variables[i]);
    for (int i = 0; i < d->output_count; i++)
        seeds[i] = t->leaves[d->forward_leaves + i] = heed_tensor_leaf(g, HEED_PLACE_BOUND, HEED_FLOAT32, &outputs[i]->shape);
    HEED_TRY(g->status);
    HEED_TRY(heed_differentiate(g, (heed_node_range){t->begin, t->derived, d->include}, outputs, seeds,
                                (size_t)d->output_count, of, (size_t)of_count, gradients));
    for (int i = 0; i < d->state_count; i++) {
        heed_tensor *gradient = gradients[d->input_count + i];
        t->results[i] = gradient != NULL ? gradient : heed_graph_fill(g, &of[d->input_count + i]->shape, 0.0f);
    }
    for (int i = 0; i < d->input_count; i++)
        t->results[d->state_count + i] = gradients[i];
    for (int i = 0; i < d->variable_count; i++)
        t->results[d->state_count + d->input_count + i] = gradients[d->input_count + d->state_count + i];
    return g->status;
}

/* A forward value that the derivative reads: what went into the loop, or what it is now made to emit. */
static heed_status resolve(void *user, heed_position p, heed_role *role, heed_tensor **outer)
{
    return heed_scan_value(((const derivative *)user)->forward, p, role, outer);
}

static bool is_float(const heed_scan *l, heed_position p)
{
    return heed_trace_at(&l->bodies[0].trace, p)->dtype == HEED_FLOAT32;
}

/* Which values are differentiated, and with respect to what. `inputs[i]` is the node's input that of[i] stands for. */
static heed_status describe(heed_node *n, heed_tensor *const *dy, derivative *d, int **inputs, heed_tensor ***seeds)
{
    heed_scan *l = d->forward;
    const heed_graph *body = l->bodies[0].graph;
    heed_zone *z = &l->outer->zone;
    size_t room = l->input_count + (size_t)l->state_count + l->emit_count + body->variable_count;
    d->include = heed_zone_alloc(z, (size_t)l->node_count, sizeof *d->include);
    d->of = heed_zone_alloc(z, room, sizeof *d->of);
    d->outputs = heed_zone_alloc(z, room, sizeof *d->outputs);
    d->variables = heed_zone_alloc(z, room, sizeof *d->variables);
    *inputs = heed_zone_alloc(z, room, sizeof **inputs);
    *seeds = heed_zone_alloc(z, room, sizeof **seeds);
    if (d->include == NULL || d->of == NULL || d->outputs == NULL || d->variables == NULL || *inputs == NULL || *seeds == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < l->node_count; i++)
        d->include[i] = l->classes[i] == HEED_LOOP || l->classes[i] == HEED_FREE;
    for (size_t i = 0; i < l->input_count; i++) {
        const heed_scan_input *in = &l->inputs[i];
        if (!is_float(l, in->position) || !n->inputs[in->input]->needs_gradient)
            continue;
        (*inputs)[d->input_count] = in->input;
        d->of[d->input_count++] = in->position;
    }
    for (size_t i = 0; i < l->emit_count; i++) {
        const heed_scan_emit *e = &l->emits[i];
        if (e->kind != HEED_RESULT_OUTPUT || e->output >= n->output_count || dy[e->output] == NULL)
            continue;
        (*seeds)[d->output_count] = dy[e->output];
        d->outputs[d->output_count++] = e->position;
    }
    for (int i = 0; i < l->state_count; i++) {
        const heed_scan_state *s = &l->states[i];
        if (!is_float(l, s->leaf))
            continue;
        (*inputs)[d->input_count + d->state_count] = s->input;
        d->of[d->input_count + d->state_count++] = s->leaf;
        (*seeds)[d->output_count] = dy[s->output];
        d->outputs[d->output_count++] = s->next;
    }
    for (size_t i = 0; i < body->variable_count; i++)
        d->variables[d->variable_count++] = body->variables[i]->variable;
    return HEED_OK;
}

static heed_status make_recipe(derivative *d, heed_tensor **seeds, heed_scan_body *out)
{
    const heed_scan *l = d->forward;
    const heed_scan_body *f = &l->recipe;
    heed_zone *z = &l->outer->zone;
    int leaf_count = f->leaf_count + d->output_count;
    int result_count = d->state_count + d->input_count + d->variable_count;
    *out = (heed_scan_body){.trace = trace_derivative, .resolve = resolve, .prior = l->classes, .user = d, .draws = f->draws,
                         .leaf_count = leaf_count, .result_count = result_count};
    out->leaf_roles = heed_zone_alloc(z, (size_t)leaf_count, sizeof *out->leaf_roles);
    out->leaf_outer = heed_zone_alloc(z, (size_t)leaf_count, sizeof *out->leaf_outer);
    out->result_kinds = heed_zone_alloc(z, (size_t)result_count, sizeof *out->result_kinds);
    if (out->leaf_roles == NULL || out->leaf_outer == NULL || out->result_kinds == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < f->leaf_count; i++) {
        bool state = f->leaf_roles[i] == HEED_ROLE_STATE; /* its values before each step, which the loop emits if asked */
        out->leaf_roles[i] = state ? HEED_ROLE_SEQUENCE : f->leaf_roles[i];
        out->leaf_outer[i] = state ? NULL : f->leaf_outer[i];
    }
    int emitted = d->output_count - d->state_count;
    for (int i = 0; i < d->output_count; i++) {
        out->leaf_roles[f->leaf_count + i] = i < emitted ? HEED_ROLE_SEQUENCE : HEED_ROLE_STATE;
        out->leaf_outer[f->leaf_count + i] = seeds[i];
    }
    for (int i = 0; i < d->state_count; i++)
        out->result_kinds[i] = HEED_RESULT_STATE;
    for (int i = 0; i < d->input_count; i++) {
        heed_role role;
        HEED_TRY(heed_scan_value(d->forward, d->of[i], &role, NULL));
        out->result_kinds[d->state_count + i] = role == HEED_ROLE_ROWS ? HEED_RESULT_ROW_SUM : HEED_RESULT_OUTPUT;
    }
    for (int i = 0; i < d->variable_count; i++)
        out->result_kinds[d->state_count + d->input_count + i] = HEED_RESULT_WHOLE_SUM;
    return HEED_OK;
}

heed_status heed_scan_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    heed_scan *l = heed_scan_of(n);
    heed_graph *g = n->graph;
    if (l->recipe.resolve != NULL) {
        heed_graph_fail(g, HEED_EUNSUPPORTED, "scan: second derivatives are not taken");
        return g->status;
    }
    int input_count = n->input_count;
    derivative *d = heed_zone_alloc(&g->zone, 1, sizeof *d);
    if (d == NULL)
        return g->status = HEED_ENOMEM;
    d->forward = l;
    d->forward_leaves = l->recipe.leaf_count;
    int *inputs;
    heed_tensor **seeds;
    heed_scan_body recipe;
    heed_status status = describe(n, dy, d, &inputs, &seeds);
    if (status == HEED_OK)
        status = make_recipe(d, seeds, &recipe);
    heed_tensor **results = heed_zone_alloc(&g->zone, (size_t)(d->state_count + d->input_count + d->variable_count), sizeof *results);
    if (status != HEED_OK || results == NULL)
        return g->status = status != HEED_OK ? status : HEED_ENOMEM;
    heed_scan *backward;
    heed_tensor *mask = l->mask_input < 0 ? NULL : n->inputs[l->mask_input];
    HEED_TRY(heed_scan_lower(g, &recipe, l->batch, l->steps, !l->reverse, mask, &backward, results));

    for (int i = 0; i < d->state_count; i++)
        if (inputs[d->input_count + i] >= 0)
            dx[inputs[d->input_count + i]] = results[i];
    for (int i = 0; i < d->input_count; i++) {
        heed_tensor *r = results[d->state_count + i];
        dx[inputs[i]] = r == NULL ? NULL : heed_op_reshape(r, &n->inputs[inputs[i]]->shape);
    }
    for (int i = 0; i < d->variable_count; i++)
        for (int k = 0; k < input_count; k++)
            if (n->inputs[k]->variable == d->variables[i])
                dx[k] = results[d->state_count + d->input_count + i];
    return g->status;
}
