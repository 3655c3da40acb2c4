/* Sorting a step's nodes, and putting each class where it is computed best. */
#include "graph/scan.h"

#include "ops/matmul.h"

#include <string.h>

/* ---- positions and traces */

heed_tensor *heed_trace_at(const heed_trace *t, heed_position p)
{
    if (p.node == -1)
        return t->leaves[p.output];
    return p.node < 0 ? NULL : t->nodes[p.node]->outputs[p.output];
}

static heed_position position_of(const heed_trace *t, int leaf_count, const heed_tensor *x)
{
    if (x == NULL)
        return HEED_NOWHERE;
    if (x->node != NULL)
        return (heed_position){x->node->index - (int)t->begin, x->output};
    for (int i = 0; i < leaf_count; i++)
        if (t->leaves[i] == x)
            return (heed_position){-1, i};
    return HEED_NOWHERE; /* a variable or a constant: the same in every trace */
}

static bool same(heed_position a, heed_position b) { return a.node == b.node && a.output == b.output; }

static heed_status trace_step(const heed_scan *l, heed_graph *g, int64_t rows, heed_trace *t)
{
    uint32_t draws = g->draws;
    g->draws = l->recipe.draws;
    *t = (heed_trace){.graph = g, .begin = g->node_count};
    t->leaves = heed_zone_alloc(&g->zone, (size_t)l->recipe.leaf_count, sizeof *t->leaves);
    t->results = heed_zone_alloc(&g->zone, (size_t)l->recipe.result_count, sizeof *t->results);
    if (t->leaves == NULL || t->results == NULL)
        return g->status = HEED_ENOMEM;
    t->derived = t->begin;
    heed_status status = l->recipe.trace(l->recipe.user, g, rows, t);
    t->end = g->node_count;
    g->draws = draws;
    if (status == HEED_OK)
        status = g->status;
    if (status == HEED_OK) {
        t->nodes = heed_zone_alloc(&g->zone, t->end - t->begin, sizeof *t->nodes);
        if (t->nodes == NULL)
            status = HEED_ENOMEM;
        else if (t->end > t->begin)
            memcpy(t->nodes, g->nodes + t->begin, (t->end - t->begin) * sizeof *t->nodes);
    }
    if (status != HEED_OK && l->outer->status == HEED_OK)
        l->outer->status = status;
    return status;
}

/* ---- classes */

enum { ON_STEP = 1, ON_STATE = 2, ON_ROWS = 4 };

static int role_flag(heed_role role)
{
    return role == HEED_ROLE_STATE ? ON_STATE : role == HEED_ROLE_ROWS ? ON_ROWS : ON_STEP;
}

/* Whether a value is made by a node of this class, or by one that each trace has for itself. */
static bool made_by(const heed_scan *l, heed_position p, heed_class c)
{
    return p.node >= 0 && (l->classes[p.node] == c || l->classes[p.node] == HEED_FREE);
}

static bool is_external(const heed_scan *l, heed_position p)
{
    return p.node == -1 || (p.node >= 0 && l->classes[p.node] == HEED_PRIOR);
}

/* Role and (unless NULL) outer tensor of an external value. */
static heed_status external_value(const heed_scan *l, heed_position p, heed_role *role, heed_tensor **outer)
{
    if (p.node == -1 && (l->recipe.leaf_outer[p.output] != NULL || heed_scan_is_state(l, p) || l->recipe.resolve == NULL)) {
        *role = l->recipe.leaf_roles[p.output];
        if (outer != NULL)
            *outer = l->recipe.leaf_outer[p.output];
        return HEED_OK;
    }
    return l->recipe.resolve(l->recipe.user, p, role, outer);
}

/* Which nodes some result depends on: class FREE for now; the rest stay UNUSED. */
static void find_used(heed_scan *l, const heed_trace *t, const heed_position *results)
{
    size_t derived = t->derived - t->begin;
    for (size_t i = 0; i < derived; i++)
        l->classes[i] = l->recipe.prior[i] == HEED_FREE ? HEED_FREE : HEED_PRIOR;
    for (int i = 0; i < l->recipe.result_count; i++)
        if (results[i].node >= (int)derived)
            l->classes[results[i].node] = HEED_FREE;
    for (size_t i = (size_t)l->node_count; i-- > derived;) {
        const heed_node *n = t->graph->nodes[t->begin + i];
        for (int k = 0; k < n->input_count && l->classes[i] != HEED_UNUSED; k++) {
            heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
            if (p.node >= (int)derived)
                l->classes[p.node] = HEED_FREE;
        }
    }
}

/* On what each node depends, which gives a first class. */
static heed_status find_dependencies(heed_scan *l, const heed_trace *t, unsigned char *depends)
{
    for (size_t i = t->derived - t->begin; i < (size_t)l->node_count; i++) {
        const heed_node *n = t->graph->nodes[t->begin + i];
        for (int k = 0; k < n->input_count && l->classes[i] != HEED_UNUSED; k++) {
            heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
            heed_role role;
            if (is_external(l, p)) {
                HEED_TRY(external_value(l, p, &role, NULL));
                depends[i] |= (unsigned char)role_flag(role);
            } else if (p.node >= 0) {
                depends[i] |= depends[p.node];
            }
        }
        if (l->classes[i] != HEED_UNUSED)
            l->classes[i] = depends[i] == 0 ? HEED_FREE : depends[i] == ON_ROWS ? HEED_ONCE
                            : depends[i] == ON_STEP ? HEED_PRE : HEED_POST;
    }
    return HEED_OK;
}

/* The gradient of rows (R, Tk, D) that a product summed over one query a step makes, a^T dc: over all steps it is one
 * product per row of the batch, with the steps in place of the queries. */
static bool sums_over_steps(const heed_node *n)
{
    if (n->op != &heed_kind_matmul || n->input_count != 2)
        return false;
    const heed_shape *a = &n->inputs[0]->shape, *b = &n->inputs[1]->shape, *c = &n->outputs[0]->shape;
    /* transposed first operand (R, q, m), plain second (R, q, n) */
    return a->rank == 3 && b->rank == 3 && c->rank == 3 && a->dims[0] == b->dims[0] && a->dims[1] == b->dims[1] &&
           c->dims[1] == a->dims[2] && c->dims[2] == b->dims[2] && a->dims[1] == 1;
}

static void need_in_loop(heed_scan *l, heed_position p)
{
    if (p.node >= 0 && l->classes[p.node] == HEED_POST)
        l->classes[p.node] = HEED_LOOP;
}

/* What reads rows that are there once for all steps cannot be done for all steps at once. */
static heed_status reads_rows(const heed_scan *l, const heed_trace *t, const heed_node *n, bool *reads)
{
    *reads = false;
    for (int k = 0; k < n->input_count; k++) {
        heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
        heed_role role;
        if (is_external(l, p)) {
            HEED_TRY(external_value(l, p, &role, NULL));
            *reads |= role == HEED_ROLE_ROWS;
        } else if (p.node >= 0) {
            *reads |= l->classes[p.node] == HEED_ONCE;
        }
    }
    return HEED_OK;
}

/* ---- sums over rows: the gradients of weights, which have no rows themselves */

/* The step traced for one row more, which tells what has rows: its sizes differ. NULL nodes: nothing sums. */
static heed_status trace_one_row_more(const heed_scan *l, heed_graph **g, heed_trace *more)
{
    bool sums = false;
    for (int i = 0; i < l->recipe.result_count; i++)
        sums |= l->recipe.result_kinds[i] == HEED_RESULT_WHOLE_SUM;
    *more = (heed_trace){.graph = NULL};
    *g = NULL;
    if (!sums)
        return HEED_OK;
    HEED_TRY(heed_graph_create(l->outer->context, g));
    return trace_step(l, *g, l->bodies[0].rows + 1, more);
}

static bool has_rows(const heed_scan *l, const heed_trace *t, const heed_trace *more, heed_position p)
{
    const heed_shape *shape = &heed_trace_at(t, p)->shape;
    if (more->end - more->begin == t->end - t->begin)
        return !heed_shape_equal(shape, &heed_trace_at(more, p)->shape);
    return shape->rank > 0 && shape->dims[0] == l->bodies[0].rows; /* a single row can make another operation */
}

static bool reads_sum(const heed_scan *l, const heed_trace *t, const heed_trace *more, const heed_node *n)
{
    for (int k = 0; k < n->input_count; k++) {
        heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
        if (p.node >= 0 && l->classes[p.node] == HEED_LOOP && !has_rows(l, t, more, p))
            return true;
    }
    return false;
}

/* What the loop sums over its rows cannot leave it step by step, as a sequence: what is made of it is made in the loop too. */
static void keep_sums_inside(heed_scan *l, const heed_trace *t, const heed_trace *more)
{
    size_t derived = t->derived - t->begin, count = t->end - t->begin;
    for (bool again = more->graph != NULL; again;) {
        again = false;
        for (size_t i = derived; i < count; i++)
            if (l->classes[i] == HEED_POST && reads_sum(l, t, more, t->graph->nodes[t->begin + i])) {
                l->classes[i] = HEED_LOOP;
                again = true;
            }
        for (size_t i = count; again && i-- > derived;) {
            const heed_node *n = t->graph->nodes[t->begin + i];
            for (int k = 0; k < n->input_count && l->classes[i] == HEED_LOOP; k++)
                need_in_loop(l, position_of(t, l->recipe.leaf_count, n->inputs[k]));
        }
    }
}

static heed_status classify(heed_scan *l, const heed_trace *t, const heed_position *results)
{
    size_t count = t->end - t->begin;
    unsigned char *depends = heed_zone_alloc(&l->outer->zone, count, 1);
    l->classes = heed_zone_alloc(&l->outer->zone, count, sizeof *l->classes);
    if (depends == NULL || l->classes == NULL)
        return HEED_ENOMEM;
    l->node_count = (int)count;
    find_used(l, t, results);
    HEED_TRY(find_dependencies(l, t, depends));
    for (int i = 0; i < l->recipe.result_count; i++) {
        heed_result_kind kind = l->recipe.result_kinds[i];
        heed_position p = results[i];
        if (kind == HEED_RESULT_STATE)
            need_in_loop(l, p);
        else if (kind == HEED_RESULT_ROW_SUM && p.node >= 0 && l->classes[p.node] != HEED_PRIOR &&
                 !(l->classes[p.node] == HEED_POST && sums_over_steps(t->graph->nodes[t->begin + (size_t)p.node])))
            l->classes[p.node] = HEED_LOOP;
    }
    for (size_t i = count; i-- > t->derived - t->begin;) {
        const heed_node *n = t->graph->nodes[t->begin + i];
        bool rows = false;
        if (l->classes[i] == HEED_POST)
            HEED_TRY(reads_rows(l, t, n, &rows));
        if (rows)
            l->classes[i] = HEED_LOOP;
        for (int k = 0; k < n->input_count && l->classes[i] == HEED_LOOP; k++)
            need_in_loop(l, position_of(t, l->recipe.leaf_count, n->inputs[k]));
    }
    heed_graph *scratch;
    heed_trace more;
    heed_status status = trace_one_row_more(l, &scratch, &more);
    if (status == HEED_OK)
        keep_sums_inside(l, t, &more);
    heed_graph_free(scratch);
    return status;
}

/* ---- the outer graph's part */

/* (T*B, ...) seen as (T, B, ...), or the other way. */
static heed_tensor *with_rows(heed_tensor *x, int dims_now, heed_shape rows)
{
    if (x == NULL)
        return NULL;
    heed_shape s = rows;
    for (int i = dims_now; i < x->shape.rank; i++)
        s.dims[s.rank++] = x->shape.dims[i];
    return heed_op_reshape(x, &s);
}

static heed_tensor *flat(const heed_scan *l, heed_tensor *x) { return with_rows(x, 2, (heed_shape){1, {l->steps * l->batch}}); }

static heed_tensor *unflat(const heed_scan *l, heed_tensor *x) { return with_rows(x, 1, (heed_shape){2, {l->steps, l->batch}}); }

/* Moves the nodes from `from` on, made while rewiring, to before `t`, whose nodes read them. */
static heed_status move_before(heed_trace *t, size_t from)
{
    heed_graph *g = t->graph;
    size_t moved = g->node_count - from;
    if (moved == 0)
        return HEED_OK;
    heed_node **late = heed_zone_alloc(&g->zone, moved, sizeof *late);
    if (late == NULL)
        return HEED_ENOMEM;
    memcpy(late, g->nodes + from, moved * sizeof *late);
    memmove(g->nodes + t->begin + moved, g->nodes + t->begin, (from - t->begin) * sizeof *late);
    memcpy(g->nodes + t->begin, late, moved * sizeof *late);
    for (size_t i = t->begin; i < g->node_count; i++)
        g->nodes[i]->index = (int)i;
    t->begin += moved;
    t->derived += moved;
    t->end += moved;
    return HEED_OK;
}

static void refresh_aliases(const heed_trace *t)
{
    for (size_t i = t->begin; i < t->end; i++) {
        heed_node *n = t->graph->nodes[i];
        if (n->op->alias && n->outputs[0]->node != NULL)
            n->outputs[0]->storage = n->inputs[0]->storage;
    }
}

/* Makes the nodes of class `which` in an outer trace read outer values in place of the trace's stand-ins. */
static heed_status rewire(heed_scan *l, heed_trace *t, heed_class which)
{
    heed_graph *g = t->graph;
    size_t before = g->node_count;
    for (size_t i = t->derived; i < t->end; i++) {
        heed_node *n = g->nodes[i];
        for (int k = 0; k < n->input_count && l->classes[i - t->begin] == which; k++) {
            heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
            if (made_by(l, p, which) || same(p, HEED_NOWHERE))
                continue;
            heed_role role;
            heed_tensor *outer;
            HEED_TRY(heed_scan_value(l, p, &role, &outer));
            n->inputs[k] = role == HEED_ROLE_SEQUENCE ? flat(l, outer) : outer;
            if (n->inputs[k] == NULL)
                return g->status != HEED_OK ? g->status : heed_fail(g->context, HEED_EINTERNAL, "scan: a value is missing");
        }
    }
    HEED_TRY(move_before(t, before));
    refresh_aliases(t);
    return HEED_OK;
}

static bool any_of_class(const heed_scan *l, heed_class which)
{
    for (int i = 0; i < l->node_count; i++)
        if (l->classes[i] == which)
            return true;
    return false;
}

/* Puts the nodes of a class into the outer graph. The trace has all nodes of the step, but nothing reads the others. */
static heed_status trace_outside(heed_scan *l, heed_class which, int64_t rows, heed_trace *t)
{
    if (!any_of_class(l, which))
        return HEED_OK;
    HEED_TRY(trace_step(l, l->outer, rows, t));
    return rewire(l, t, which);
}

/* ---- the loop's part */

static heed_tensor *loop_tensor(heed_graph *g, heed_node *n, heed_dtype dtype, const heed_shape *shape)
{
    heed_tensor *t = heed_tensor_leaf(g, HEED_PLACE_ARENA, dtype, shape);
    if (t == NULL)
        return NULL;
    heed_tensor **outputs = heed_zone_alloc(&g->zone, (size_t)n->output_count + 1, sizeof *outputs);
    if (outputs == NULL) {
        g->status = HEED_ENOMEM;
        return NULL;
    }
    memcpy(outputs, n->outputs, (size_t)n->output_count * sizeof *outputs);
    t->node = n;
    t->output = n->output_count;
    t->last_use = -1;
    outputs[n->output_count++] = t;
    n->outputs = outputs;
    return t;
}

static heed_status add_input(heed_scan *l, heed_tensor *outer, int *index)
{
    heed_node *n = l->node;
    heed_tensor **inputs = heed_zone_alloc(&l->outer->zone, (size_t)n->input_count + 1, sizeof *inputs);
    if (inputs == NULL)
        return HEED_ENOMEM;
    if (n->input_count > 0)
        memcpy(inputs, n->inputs, (size_t)n->input_count * sizeof *inputs);
    inputs[n->input_count] = outer;
    *index = n->input_count++;
    n->inputs = inputs;
    return HEED_OK;
}

/* Turns the body tensors at `p` into leaves that are given from outside. */
static heed_status add_loop_input(heed_scan *l, heed_position p)
{
    for (size_t i = 0; i < l->input_count; i++)
        if (same(l->inputs[i].position, p))
            return HEED_OK;
    heed_scan_input in = {.position = p};
    heed_tensor *outer;
    HEED_TRY(heed_scan_value(l, p, &in.role, &outer));
    if (outer == NULL)
        return heed_fail(l->outer->context, HEED_EINTERNAL, "scan: a value is missing");
    for (int b = 0; b < l->body_count; b++) {
        heed_tensor *t = heed_trace_at(&l->bodies[b].trace, p);
        if (p.node >= 0) {
            t->node = NULL;
            t->place = HEED_PLACE_BOUND;
            t->storage = t;
            t->slot = l->bodies[b].graph->slots++;
        }
        in.slot = t->slot;
        in.row_bytes = (size_t)(t->count / l->bodies[b].rows) * heed_dtype_size(t->dtype);
    }
    HEED_TRY(add_input(l, outer, &in.input));
    void *inputs = l->inputs;
    HEED_TRY(heed_grow(l->outer->context, &inputs, &l->input_capacity, l->input_count, sizeof in));
    l->inputs = inputs;
    l->inputs[l->input_count++] = in;
    return HEED_OK;
}

/* What the loop's nodes read from outside. */
static heed_status find_loop_inputs(heed_scan *l)
{
    const heed_trace *t = &l->bodies[0].trace;
    for (size_t i = t->derived; i < t->end; i++) {
        heed_node *n = t->graph->nodes[i];
        for (int k = 0; k < n->input_count && l->classes[i - t->begin] == HEED_LOOP; k++) {
            heed_position p = position_of(t, l->recipe.leaf_count, n->inputs[k]);
            if (!heed_scan_is_state(l, p) && !made_by(l, p, HEED_LOOP) && !same(p, HEED_NOWHERE))
                HEED_TRY(add_loop_input(l, p));
        }
    }
    return HEED_OK;
}

static heed_status find_states(heed_scan *l, const heed_position *results)
{
    const heed_trace *t = &l->bodies[0].trace;
    l->states = heed_zone_alloc(&l->outer->zone, (size_t)l->recipe.leaf_count, sizeof *l->states);
    if (l->states == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < l->recipe.leaf_count; i++) {
        if (l->recipe.leaf_roles[i] != HEED_ROLE_STATE)
            continue;
        heed_scan_state *s = &l->states[l->state_count];
        const heed_tensor *leaf = t->leaves[i];
        *s = (heed_scan_state){.leaf = {-1, i}, .next = results[l->state_count], .input = -1, .slot = leaf->slot,
                               .row_bytes = (size_t)(leaf->count / l->bodies[0].rows) * heed_dtype_size(leaf->dtype)};
        l->state_count++;
        if (same(s->next, HEED_NOWHERE))
            return heed_fail(l->outer->context, HEED_EINVAL, "scan: state %d has no next value", l->state_count);
        if (!heed_scan_is_state(l, s->next) && !made_by(l, s->next, HEED_LOOP))
            HEED_TRY(add_loop_input(l, s->next));
        if (l->recipe.leaf_outer[i] != NULL)
            HEED_TRY(add_input(l, l->recipe.leaf_outer[i], &s->input));
        heed_shape shape = leaf->shape;
        shape.dims[0] = l->batch;
        heed_tensor *final = loop_tensor(l->outer, l->node, leaf->dtype, &shape);
        if (final == NULL)
            return l->outer->status;
        s->output = final->output;
    }
    return HEED_OK;
}

static heed_tensor *add_emit(heed_scan *l, heed_position p, heed_result_kind kind)
{
    for (size_t i = 0; i < l->emit_count; i++)
        if (same(l->emits[i].position, p) && l->emits[i].kind == kind)
            return l->node->outputs[l->emits[i].output];
    const heed_tensor *t = heed_trace_at(&l->bodies[0].trace, p);
    heed_shape shape = t->shape;
    if (kind == HEED_RESULT_OUTPUT) {
        shape.rank = 2;
        shape.dims[0] = l->steps;
        shape.dims[1] = l->batch;
        if (t->shape.rank < 1 || t->shape.rank + 1 > HEED_MAX_RANK)
            return heed_graph_fail(l->outer, HEED_ESHAPE, "scan: an output of a step has no rows, or too many dimensions");
        for (int i = 1; i < t->shape.rank; i++)
            shape.dims[shape.rank++] = t->shape.dims[i];
    } else if (kind == HEED_RESULT_ROW_SUM) {
        shape.dims[0] = l->batch;
    }
    heed_scan_emit e = {.position = p, .kind = kind};
    e.bytes = (size_t)(kind == HEED_RESULT_WHOLE_SUM ? t->count : t->count / l->bodies[0].rows) * heed_dtype_size(t->dtype);
    void *emits = l->emits;
    if (heed_grow(l->outer->context, &emits, &l->emit_capacity, l->emit_count, sizeof e) != HEED_OK) {
        l->outer->status = HEED_ENOMEM;
        return NULL;
    }
    l->emits = emits;
    heed_tensor *out = loop_tensor(l->outer, l->node, t->dtype, &shape);
    if (out == NULL)
        return NULL;
    e.output = out->output;
    l->emits[l->emit_count++] = e;
    return out;
}

heed_status heed_scan_value(heed_scan *l, heed_position p, heed_role *role, heed_tensor **outer)
{
    if (is_external(l, p) && !heed_scan_is_state(l, p))
        return external_value(l, p, role, outer);
    heed_class c = p.node == -1 ? HEED_LOOP : l->classes[p.node];
    *role = c == HEED_ONCE                      ? HEED_ROLE_ROWS
            : c == HEED_PRE || c == HEED_POST ? HEED_ROLE_STACKED
                                              : HEED_ROLE_SEQUENCE;
    if (outer == NULL)
        return HEED_OK;
    *outer = c == HEED_ONCE   ? heed_trace_at(&l->once, p)
             : c == HEED_PRE  ? heed_trace_at(&l->pre, p)
             : c == HEED_POST ? heed_trace_at(&l->post, p)
                              : add_emit(l, p, HEED_RESULT_OUTPUT);
    return l->outer->status;
}

static void free_loop(void *thing)
{
    heed_scan *l = thing;
    for (int b = 0; b < l->body_count; b++)
        heed_graph_free(l->bodies[b].graph);
    heed_release(l->outer->context, l->inputs);
    heed_release(l->outer->context, l->emits);
}

static heed_status make_bodies(heed_scan *l)
{
    l->tiles = heed_tiles(l->batch, HEED_SCAN_ROWS);
    l->rows = l->tiles == 0 ? 1 : heed_tiles(l->batch, l->tiles);
    l->tiles = heed_tiles(l->batch, l->rows);
    int64_t last = l->tiles == 0 ? l->rows : l->batch - l->rows * (l->tiles - 1);
    int64_t rows[2] = {l->rows, last};
    for (int b = 0; b < (last == l->rows ? 1 : 2); b++) {
        heed_body *body = &l->bodies[b];
        HEED_TRY(heed_graph_create(l->outer->context, &body->graph));
        l->body_count++;
        body->rows = rows[b];
        HEED_TRY(trace_step(l, body->graph, rows[b], &body->trace));
    }
    if (l->body_count == 2 && l->bodies[0].trace.end != l->bodies[1].trace.end)
        return heed_fail(l->outer->context, HEED_EINVAL, "scan: a step builds different operations for %lld and %lld rows",
                         (long long)rows[0], (long long)rows[1]);
    return HEED_OK;
}

/* A row sum that is one product over all steps: see sums_over_steps. */
static heed_tensor *product_over_steps(const heed_scan *l, heed_position p)
{
    const heed_node *n = heed_trace_at(&l->post, p)->node;
    heed_tensor *operands[2];
    for (int i = 0; i < 2; i++) {
        heed_shape by_step = {3, {l->steps, l->batch, n->inputs[i]->shape.dims[2]}};
        operands[i] = heed_op_transpose(heed_op_reshape(n->inputs[i], &by_step), (int[]){1, 0, 2});
    }
    return heed_op_matmul_transposed(operands[0], true, operands[1], false);
}

static heed_tensor *result_of(heed_scan *l, heed_result_kind kind, heed_position p)
{
    if (same(p, HEED_NOWHERE))
        return NULL;
    heed_class c = p.node >= 0 ? l->classes[p.node] : HEED_PRIOR;
    if (c == HEED_POST && kind == HEED_RESULT_ROW_SUM)
        return product_over_steps(l, p);
    if (c == HEED_POST || c == HEED_PRE) {
        heed_tensor *all = heed_trace_at(c == HEED_POST ? &l->post : &l->pre, p);
        return kind == HEED_RESULT_OUTPUT ? unflat(l, all) : all;
    }
    if (c != HEED_LOOP && c != HEED_FREE && !heed_scan_is_state(l, p)) {
        heed_role role;
        heed_tensor *outer;
        if ((l->outer->status = heed_scan_value(l, p, &role, &outer)) != HEED_OK)
            return NULL;
        if (kind == HEED_RESULT_OUTPUT && role != HEED_ROLE_ROWS) /* a step's input, passed on */
            return role == HEED_ROLE_STACKED ? unflat(l, outer) : outer;
        if ((l->outer->status = add_loop_input(l, p)) != HEED_OK)
            return NULL;
    }
    return add_emit(l, p, kind);
}

static heed_status lower(heed_scan *l, heed_tensor *mask, heed_tensor **results)
{
    heed_graph *outer = l->outer;
    HEED_TRY(make_bodies(l));
    const heed_trace *t = &l->bodies[0].trace;
    heed_position *where = heed_zone_alloc(&outer->zone, (size_t)l->recipe.result_count, sizeof *where);
    if (where == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < l->recipe.result_count; i++)
        where[i] = position_of(t, l->recipe.leaf_count, t->results[i]);
    HEED_TRY(classify(l, t, where));
    /* what ONCE and PRE read is outside of the loop, so they stand before its node */
    HEED_TRY(trace_outside(l, HEED_ONCE, l->batch, &l->once));
    HEED_TRY(trace_outside(l, HEED_PRE, l->steps * l->batch, &l->pre));
    l->node = heed_node_add(outer, &heed_kind_scan, &l, sizeof l, NULL, 0, 0);
    if (l->node == NULL)
        return outer->status;
    HEED_TRY(find_loop_inputs(l));
    HEED_TRY(find_states(l, where));
    /* weights are read from inside the bodies; as inputs of the node they let gradients through */
    for (size_t i = 0; i < t->graph->variable_count; i++) {
        heed_tensor *leaf = heed_graph_variable(outer, t->graph->variables[i]->variable);
        int index;
        if (leaf == NULL)
            return outer->status;
        HEED_TRY(add_input(l, leaf, &index));
    }
    l->mask_input = -1;
    if (mask != NULL)
        HEED_TRY(add_input(l, mask, &l->mask_input));
    HEED_TRY(trace_outside(l, HEED_POST, l->steps * l->batch, &l->post));
    for (int i = 0; i < l->recipe.result_count; i++)
        results[i] = i < l->state_count ? l->node->outputs[l->states[i].output]
                                        : result_of(l, l->recipe.result_kinds[i], where[i]);
    for (int b = 0; b < l->body_count; b++)
        refresh_aliases(&l->bodies[b].trace);
    return outer->status;
}

heed_status heed_scan_lower(heed_graph *outer, const heed_scan_body *recipe, int64_t batch, int64_t steps, bool reverse,
                            heed_tensor *mask, heed_scan **out, heed_tensor **results)
{
    heed_scan *l = *out = heed_zone_alloc(&outer->zone, 1, sizeof *l);
    if (l == NULL || heed_graph_keep(outer, free_loop, l) != HEED_OK)
        return outer->status = HEED_ENOMEM;
    *l = (heed_scan){.outer = outer, .recipe = *recipe, .batch = batch, .steps = steps, .reverse = reverse};
    heed_status status = lower(l, mask, results);
    if (outer->status == HEED_OK)
        outer->status = status;
    return outer->status;
}
