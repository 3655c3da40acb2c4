/* The public operation: a step function becomes a recipe, and the recipe a loop. */
#include "graph/scan.h"

#include <string.h>

/* What heed_op_scan was given, kept for every later tracing: only sizes and functions, no tensors. */
typedef struct step_recipe {
    heed_step_function *step;
    void       *cell;
    int         input_count, state_count, constant_count, output_count;
    heed_shape *shapes;  /* of a row: inputs, states, constants, without their leading dimensions */
    heed_dtype *dtypes;
    bool        masked, zero_output, last_only;
    /* found by the first trace: which outputs are carried as states of their own, because a masked step repeats them or
     * only the last is wanted; the others that this applies to are the very tensor of a state */
    bool        settled;
    int        *carried_by; /* by output: -1 not carried; state_count.. its own state; else the state it equals */
    heed_shape *output_shapes;
    const bool *state_starts_at_zero;
} step_recipe;

static heed_tensor *row_leaf(heed_graph *g, int64_t rows, heed_dtype dtype, const heed_shape *row)
{
    heed_shape s = {.rank = 1, .dims = {rows}};
    for (int i = 0; i < row->rank; i++)
        s.dims[s.rank++] = row->dims[i];
    return heed_tensor_leaf(g, HEED_PLACE_BOUND, dtype, &s);
}

/* mask (R) ? a : b, for a and b of any rank. */
static heed_tensor *where_kept(heed_tensor *mask, heed_tensor *a, heed_tensor *b)
{
    if (mask == NULL || a == NULL)
        return a;
    heed_shape s = {.rank = a->shape.rank, .dims = {mask->shape.dims[0]}};
    for (int i = 1; i < s.rank; i++)
        s.dims[i] = 1;
    return heed_op_select(heed_op_reshape(mask, &s), a, b);
}

static heed_tensor *zeros(heed_graph *g, const heed_tensor *like) { return heed_graph_fill(g, &like->shape, 0.0f); }

static heed_status check_step(const step_recipe *r, const heed_step *s, int64_t rows)
{
    char a[128], b[128];
    HEED_TRY(heed_graph_status(s->graph));
    for (int i = 0; i < r->state_count; i++) {
        if (s->new_states[i] == NULL || !heed_shape_equal(&s->new_states[i]->shape, &s->states[i]->shape) ||
            s->new_states[i]->dtype != s->states[i]->dtype)
            return heed_fail(s->graph->context, HEED_ESHAPE, "scan: new state %d does not fit (expected %s, found %s)", i + 1,
                             heed_shape_text(&s->states[i]->shape, a, sizeof a),
                             s->new_states[i] == NULL ? "none" : heed_shape_text(&s->new_states[i]->shape, b, sizeof b));
    }
    for (int i = 0; i < r->output_count; i++) {
        const heed_tensor *o = s->outputs[i];
        if (o == NULL || o->shape.rank < 1 || o->shape.dims[0] != rows)
            return heed_fail(s->graph->context, HEED_ESHAPE, "scan: output %d of a step has not its rows (expected %lld, found %s)",
                             i + 1, (long long)rows, o == NULL ? "none" : heed_shape_text(&o->shape, a, sizeof a));
    }
    return HEED_OK;
}

/* After the first trace: how each output is carried. */
static heed_status settle(step_recipe *r, heed_zone *zone, const heed_step *s)
{
    r->carried_by = heed_zone_alloc(zone, (size_t)r->output_count, sizeof *r->carried_by);
    r->output_shapes = heed_zone_alloc(zone, (size_t)r->output_count, sizeof *r->output_shapes);
    if (r->carried_by == NULL || r->output_shapes == NULL)
        return HEED_ENOMEM;
    bool carries = r->last_only || (r->masked && !r->zero_output);
    int next = r->state_count;
    for (int i = 0; i < r->output_count; i++) {
        const heed_shape *shape = &s->outputs[i]->shape;
        r->output_shapes[i].rank = shape->rank - 1;
        memcpy(r->output_shapes[i].dims, shape->dims + 1, (size_t)(shape->rank - 1) * sizeof shape->dims[0]);
        r->carried_by[i] = -1;
        if (!carries)
            continue;
        /* before the first step the output is zero: a state that starts there is the output's twin */
        for (int k = 0; k < r->state_count && r->carried_by[i] < 0; k++)
            if (s->new_states[k] == s->outputs[i] && (r->state_starts_at_zero[k] || !r->masked) && !(r->masked && r->zero_output))
                r->carried_by[i] = k;
        if (r->carried_by[i] < 0)
            r->carried_by[i] = next++;
    }
    r->settled = true;
    return HEED_OK;
}

static int carried_count(const step_recipe *r)
{
    int count = 0;
    for (int i = 0; i < r->output_count; i++)
        count += r->carried_by[i] >= r->state_count;
    return count;
}

/* Leaves: inputs, states, constants, [mask], carried outputs. Results: states, carried outputs, outputs. */
static heed_status trace_forward(void *user, heed_graph *g, int64_t rows, heed_trace *t)
{
    step_recipe *r = user;
    int given = r->input_count + r->state_count + r->constant_count, n = given;
    for (int i = 0; i < given; i++)
        t->leaves[i] = row_leaf(g, rows, r->dtypes[i], &r->shapes[i]);
    heed_tensor *mask = NULL;
    if (r->masked)
        mask = t->leaves[n++] = row_leaf(g, rows, HEED_BOOL, &(heed_shape){0});
    HEED_TRY(g->status);
    heed_tensor **results = t->results;
    heed_tensor **outputs = heed_zone_alloc(&g->zone, (size_t)r->output_count, sizeof *outputs);
    if (outputs == NULL)
        return HEED_ENOMEM;
    heed_step s = {.graph = g, .inputs = t->leaves, .states = t->leaves + r->input_count,
                   .constants = t->leaves + r->input_count + r->state_count, .new_states = results, .outputs = outputs};
    HEED_TRY(r->step(r->cell, &s));
    HEED_TRY(check_step(r, &s, rows));
    if (!r->settled)
        HEED_TRY(settle(r, &g->zone, &s));
    for (int i = 0; i < r->state_count; i++)
        results[i] = where_kept(mask, results[i], s.states[i]);
    int carried = r->state_count;
    heed_tensor **out = results + r->state_count + carried_count(r);
    for (int i = 0; i < r->output_count; i++) {
        if (r->carried_by[i] >= r->state_count) {
            heed_tensor *before = t->leaves[n++] = row_leaf(g, rows, outputs[i]->dtype, &r->output_shapes[i]);
            if (before == NULL)
                return g->status;
            outputs[i] = where_kept(mask, outputs[i], r->zero_output ? zeros(g, outputs[i]) : before);
            results[carried++] = outputs[i];
        } else if (r->carried_by[i] >= 0) {
            outputs[i] = results[r->carried_by[i]];
        } else if (mask != NULL) {
            outputs[i] = where_kept(mask, outputs[i], zeros(g, outputs[i]));
        }
        if (!r->last_only)
            out[i] = outputs[i];
    }
    t->derived = t->begin;
    return g->status;
}

/* ---- from the public description */

static heed_tensor *bool_mask(heed_graph *g, heed_tensor *mask, int64_t batch, int64_t steps)
{
    heed_shape expected = {2, {batch, steps}};
    char text[128], wanted[128];
    if (mask->dtype == HEED_BOOL && heed_shape_equal(&mask->shape, &expected))
        return mask;
    if (mask->dtype != HEED_INT32 || mask->shape.rank != 1 || mask->shape.dims[0] != batch)
        return heed_graph_fail(g, HEED_ESHAPE, "scan: the mask does not fit (expected bool %s or int32 lengths, found %s %s)",
                               heed_shape_text(&expected, wanted, sizeof wanted), heed_dtype_name(mask->dtype),
                               heed_shape_text(&mask->shape, text, sizeof text));
    heed_array *index;
    if (heed_array_create(g->context, HEED_INT32, &(heed_shape){2, {1, steps}}, &index) != HEED_OK)
        return heed_graph_fail(g, HEED_ENOMEM, "out of memory");
    for (int64_t i = 0; i < steps; i++)
        ((int32_t *)index->data)[i] = (int32_t)i;
    heed_tensor *t = heed_op_less(heed_graph_constant(g, index), heed_op_reshape(mask, &(heed_shape){2, {batch, 1}}));
    heed_array_free(g->context, index);
    return t;
}

typedef struct scan_sizes {
    int64_t batch, steps;
} scan_sizes;

static heed_status find_sizes(heed_graph *g, const heed_scan_config *c, scan_sizes *out)
{
    *out = (scan_sizes){-1, c->steps > 0 ? c->steps : -1};
    const struct {
        heed_tensor *const *tensors;
        int count, leading;
        const char *what;
    } groups[] = {{c->inputs, c->input_count, 2, "input"}, {c->states, c->state_count, 1, "state"},
                  {c->constants, c->constant_count, 1, "constant"}};
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < groups[k].count; i++) {
            const heed_tensor *t = groups[k].tensors[i];
            char text[128];
            if (t == NULL) {
                heed_graph_fail(g, HEED_EINVAL, "scan: %s %d is NULL", groups[k].what, i + 1);
                return g->status;
            }
            bool fits = t->graph == g && t->shape.rank >= groups[k].leading && (out->batch < 0 || t->shape.dims[0] == out->batch) &&
                        (groups[k].leading < 2 || out->steps < 0 || t->shape.dims[1] == out->steps);
            if (!fits) {
                heed_graph_fail(g, HEED_ESHAPE, "scan: %s %d does not fit the others (expected %lld rows, found %s)",
                                groups[k].what, i + 1, (long long)out->batch, heed_shape_text(&t->shape, text, sizeof text));
                return g->status;
            }
            out->batch = t->shape.dims[0];
            if (groups[k].leading == 2)
                out->steps = t->shape.dims[1];
        }
    }
    if (out->batch < 0 || out->steps < 0) {
        heed_graph_fail(g, HEED_EINVAL, "scan: nothing tells the number of %s", out->batch < 0 ? "rows" : "steps");
        return g->status;
    }
    return HEED_OK;
}

/* (B, T, ...) as (T, B, ...), or the other way. */
static heed_tensor *swap_time(heed_tensor *x)
{
    if (x == NULL)
        return NULL;
    heed_shape s = x->shape;
    int order[HEED_MAX_RANK];
    for (int i = 0; i < s.rank; i++)
        order[i] = i;
    order[0] = 1;
    order[1] = 0;
    s.dims[0] = x->shape.dims[1];
    s.dims[1] = x->shape.dims[0];
    return s.dims[0] == 1 || s.dims[1] == 1 ? heed_op_reshape(x, &s) : heed_op_transpose(x, order);
}

/* Copies what the tracings need out of the caller's description. */
static step_recipe *copy_recipe(heed_graph *g, const heed_scan_config *c)
{
    heed_zone *z = &g->zone;
    int given = c->input_count + c->state_count + c->constant_count;
    step_recipe *r = heed_zone_alloc(z, 1, sizeof *r);
    heed_shape *shapes = heed_zone_alloc(z, (size_t)given, sizeof *shapes);
    heed_dtype *dtypes = heed_zone_alloc(z, (size_t)given, sizeof *dtypes);
    bool *at_zero = heed_zone_alloc(z, (size_t)c->state_count, sizeof *at_zero);
    if (r == NULL || shapes == NULL || dtypes == NULL || at_zero == NULL)
        return NULL;
    *r = (step_recipe){.step = c->step, .cell = c->cell, .input_count = c->input_count, .state_count = c->state_count,
                       .constant_count = c->constant_count, .output_count = c->output_count, .shapes = shapes,
                       .dtypes = dtypes, .masked = c->mask != NULL, .zero_output = c->zero_output_for_mask,
                       .last_only = c->last_output_only, .state_starts_at_zero = at_zero};
    for (int i = 0; i < given; i++) {
        bool input = i < c->input_count;
        const heed_tensor *t = input ? c->inputs[i] : i < c->input_count + c->state_count ? c->states[i - c->input_count]
                                                     : c->constants[i - c->input_count - c->state_count];
        int leading = input ? 2 : 1;
        shapes[i].rank = t->shape.rank - leading;
        memcpy(shapes[i].dims, t->shape.dims + leading, (size_t)shapes[i].rank * sizeof t->shape.dims[0]);
        dtypes[i] = t->dtype;
        if (!input && i < c->input_count + c->state_count)
            at_zero[i - c->input_count] = heed_is_zero(t);
    }
    return r;
}

/* The first trace, in a graph of its own, settles how many leaves and results there are. */
static heed_status probe(heed_graph *g, step_recipe *r, int leaf_room, int result_room)
{
    heed_graph *scratch;
    HEED_TRY(heed_graph_create(g->context, &scratch));
    heed_trace t = {.graph = scratch};
    t.leaves = heed_zone_alloc(&scratch->zone, (size_t)leaf_room, sizeof *t.leaves);
    t.results = heed_zone_alloc(&scratch->zone, (size_t)result_room, sizeof *t.results);
    heed_status status = t.leaves == NULL || t.results == NULL ? HEED_ENOMEM : trace_forward(r, scratch, 1, &t);
    if (status == HEED_OK) { /* what was settled moves to where it lasts */
        int *carried = heed_zone_alloc(&g->zone, (size_t)r->output_count, sizeof *carried);
        heed_shape *shapes = heed_zone_alloc(&g->zone, (size_t)r->output_count, sizeof *shapes);
        if (carried == NULL || shapes == NULL) {
            status = HEED_ENOMEM;
        } else if (r->output_count > 0) {
            memcpy(carried, r->carried_by, (size_t)r->output_count * sizeof *carried);
            memcpy(shapes, r->output_shapes, (size_t)r->output_count * sizeof *shapes);
        }
        r->carried_by = carried;
        r->output_shapes = shapes;
    }
    heed_graph_free(scratch);
    return status;
}

static heed_status scan(heed_graph *g, const heed_scan_config *c, heed_tensor **outputs, heed_tensor **final_states)
{
    scan_sizes sizes;
    HEED_TRY(find_sizes(g, c, &sizes));
    step_recipe *r = copy_recipe(g, c);
    int given = c->input_count + c->state_count + c->constant_count;
    int leaf_room = given + 1 + c->output_count, result_room = c->state_count + 2 * c->output_count;
    if (r == NULL)
        return HEED_ENOMEM;
    HEED_TRY(probe(g, r, leaf_room, result_room));
    heed_tensor *mask = c->mask == NULL ? NULL : bool_mask(g, c->mask, sizes.batch, sizes.steps);
    HEED_TRY(g->status);

    heed_scan_body recipe = {.trace = trace_forward, .user = r, .draws = (g->draws++ + 1) << 12};
    recipe.leaf_roles = heed_zone_alloc(&g->zone, (size_t)leaf_room, sizeof *recipe.leaf_roles);
    recipe.leaf_outer = heed_zone_alloc(&g->zone, (size_t)leaf_room, sizeof *recipe.leaf_outer);
    recipe.result_kinds = heed_zone_alloc(&g->zone, (size_t)result_room, sizeof *recipe.result_kinds);
    heed_tensor **results = heed_zone_alloc(&g->zone, (size_t)result_room, sizeof *results);
    if (recipe.leaf_roles == NULL || recipe.leaf_outer == NULL || recipe.result_kinds == NULL || results == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < given; i++) {
        bool input = i < c->input_count, state = !input && i < c->input_count + c->state_count;
        recipe.leaf_roles[i] = input ? HEED_ROLE_SEQUENCE : state ? HEED_ROLE_STATE : HEED_ROLE_ROWS;
        recipe.leaf_outer[i] = input ? swap_time(c->inputs[i]) : state ? c->states[i - c->input_count]
                                                            : c->constants[i - c->input_count - c->state_count];
    }
    recipe.leaf_count = given;
    if (mask != NULL) {
        recipe.leaf_roles[given] = HEED_ROLE_SEQUENCE;
        recipe.leaf_outer[recipe.leaf_count++] = swap_time(mask);
    }
    HEED_TRY(g->status);
    int own = carried_count(r);
    for (int i = 0; i < own; i++) /* they start at zero: no outer tensor */
        recipe.leaf_roles[recipe.leaf_count++] = HEED_ROLE_STATE;
    for (int i = 0; i < c->state_count + own; i++)
        recipe.result_kinds[recipe.result_count++] = HEED_RESULT_STATE;
    for (int i = 0; i < c->output_count && !c->last_output_only; i++)
        recipe.result_kinds[recipe.result_count++] = HEED_RESULT_OUTPUT;

    heed_scan *loop;
    /* behind the end of a row nothing changes, so it need not be run where nobody looks */
    bool skips = mask != NULL && (c->output_count == 0 || c->zero_output_for_mask != c->last_output_only);
    HEED_TRY(heed_scan_lower(g, &recipe, sizes.batch, sizes.steps, c->reverse, skips ? mask : NULL, &loop, results));
    for (int i = 0; i < c->output_count && outputs != NULL; i++)
        outputs[i] = c->last_output_only ? results[r->carried_by[i]] : swap_time(results[c->state_count + own + i]);
    for (int i = 0; i < c->state_count && final_states != NULL; i++)
        final_states[i] = results[i];
    return g->status;
}

heed_status heed_op_scan(heed_graph *g, const heed_scan_config *config, heed_tensor **outputs, heed_tensor **final_states)
{
    for (int i = 0; i < config->output_count && outputs != NULL; i++)
        outputs[i] = NULL;
    for (int i = 0; i < config->state_count && final_states != NULL; i++)
        final_states[i] = NULL;
    if (g->status != HEED_OK)
        return g->status;
    heed_status status = scan(g, config, outputs, final_states);
    if (g->status == HEED_OK)
        g->status = status;
    return g->status;
}
