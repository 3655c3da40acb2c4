/* Running a loop: each tile of rows goes through all steps on one thread, in memory of its own. */
#include "graph/scan.h"

#include "ops/matmul.h"

#include <string.h>

/* Below this many steps packing a matrix does not pay. */
enum { PACK_STEPS = 4 };

/* Where a tile's failure waits until the caller can record it: tiles must not touch the context. */
typedef struct failure {
    heed_status  status;
    heed_context stub;
} failure;

/* ---- planning */

/* Has the body write what it emits where it goes, wherever a value has memory of its own. */
static void place_emits(heed_scan *l, heed_body *body)
{
    for (size_t i = 0; i < l->emit_count; i++) {
        heed_scan_emit *e = &l->emits[i];
        heed_tensor *t = heed_trace_at(&body->trace, e->position);
        e->slot = -1;
        if (e->kind != HEED_RESULT_OUTPUT || t->node == NULL || t->storage != t || t->place != HEED_PLACE_ARENA)
            continue;
        t->place = HEED_PLACE_BOUND;
        e->slot = t->slot = body->graph->slots++;
    }
    for (int k = 0; k < l->state_count; k++) {
        heed_scan_state *s = &l->states[k];
        const heed_tensor *next = heed_trace_at(&body->trace, s->next);
        s->emit = -1;
        for (size_t i = 0; i < l->emit_count && s->emit < 0; i++)
            if (l->emits[i].slot >= 0 && next == heed_trace_at(&body->trace, l->emits[i].position))
                s->emit = (int)i;
    }
}

static heed_status plan_body(heed_scan *l, heed_body *body)
{
    heed_graph *g = body->graph;
    place_emits(l, body);
    size_t count = (size_t)l->state_count + l->emit_count;
    heed_tensor **wanted = heed_zone_alloc(&g->zone, count, sizeof *wanted);
    if (wanted == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < l->state_count; i++)
        wanted[i] = heed_trace_at(&body->trace, l->states[i].next);
    for (size_t i = 0; i < l->emit_count; i++)
        wanted[(size_t)l->state_count + i] = heed_trace_at(&body->trace, l->emits[i].position);
    HEED_TRY(heed_plan(g, wanted, count, 1));
    body->work = heed_zone_alloc(&g->zone, g->node_count, sizeof *body->work);
    if (body->work == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < g->node_count; i++)
        if (g->nodes[i]->live && !g->nodes[i]->op->alias)
            body->work[body->work_count++] = (heed_scan_work){g->nodes[i], -1};
    return HEED_OK;
}

/* Products with a weight: the weight is packed once for all steps. */
static heed_status plan_packs(heed_scan *l)
{
    heed_body *body = &l->bodies[0];
    const heed_kernels *kernels = heed_kernels_for(l->outer->context->cpu);
    l->packs = heed_zone_alloc(&l->outer->zone, body->work_count, sizeof *l->packs);
    if (l->packs == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < body->work_count && l->steps >= PACK_STEPS; i++) {
        const heed_node *n = body->work[i].node;
        if (!heed_matmul_packable(n) || n->inputs[1]->storage->place != HEED_PLACE_VARIABLE)
            continue;
        int node = n->index - (int)body->trace.begin;
        l->packs[l->pack_count] = (struct heed_pack){{node, 0}, l->packed_size};
        l->packed_size += heed_aligned(heed_matmul_packed_size(n, kernels) * sizeof(float)) / sizeof(float);
        for (int b = 0; b < l->body_count; b++)
            for (size_t k = 0; k < l->bodies[b].work_count; k++)
                if (l->bodies[b].work[k].node->index - (int)l->bodies[b].trace.begin == node)
                    l->bodies[b].work[k].pack = (int)l->pack_count;
        l->pack_count++;
    }
    return HEED_OK;
}

static void plan_room(heed_scan *l)
{
    size_t arena = 0, slots = 0, states = 0;
    for (int b = 0; b < l->body_count; b++) {
        const heed_graph *g = l->bodies[b].graph;
        arena = g->bytes > arena ? g->bytes : arena;
        slots = (size_t)g->slots > slots ? (size_t)g->slots : slots;
    }
    for (int i = 0; i < l->state_count; i++)
        states += heed_aligned(l->states[i].row_bytes * (size_t)l->rows);
    heed_scan_room *r = &l->room;
    r->bound = heed_aligned(arena);
    r->states = r->bound + heed_aligned(slots * sizeof(void *));
    r->shadow = r->states + states;
    r->failure = r->shadow + states;
    r->bytes = r->failure + heed_aligned(sizeof(failure));
    for (size_t i = 0; i < l->emit_count; i++)
        if (l->emits[i].kind == HEED_RESULT_WHOLE_SUM)
            l->partial_bytes += heed_aligned(l->emits[i].bytes);
}

static heed_status plan_loop(heed_scan *l)
{
    for (int b = 0; b < l->body_count; b++)
        HEED_TRY(plan_body(l, &l->bodies[b]));
    HEED_TRY(plan_packs(l));
    plan_room(l);
    return HEED_OK;
}

static size_t scan_scratch(const heed_node *n, int threads)
{
    heed_scan *l = heed_scan_of(n);
    l->planned = plan_loop(l); /* told when the loop runs: here there is no way to fail */
    return l->packed_size * sizeof(float) + (size_t)threads * l->room.bytes + (size_t)l->tiles * l->partial_bytes;
}

/* ---- running */

typedef struct loop_work {
    const heed_exec *x;
    const heed_node *node;
    heed_scan       *loop;
    float           *packed;
    unsigned char   *threads, *partials;
    const uint8_t   *mask; /* (B, T), or NULL */
} loop_work;

/* One thread's view of its tile. */
typedef struct tile_run {
    const loop_work *work;
    const heed_body *body;
    int64_t          first, rows; /* of the batch */
    unsigned char   *memory, *partials;
    const void     **bound;
    heed_exec        exec;
} tile_run;

static unsigned char *input_of(const loop_work *w, int input) { return heed_data(w->x, w->node->inputs[input]); }
static unsigned char *output_of(const loop_work *w, int output) { return heed_data(w->x, w->node->outputs[output]); }

/* The tile's rows of step t in a sequence. */
static size_t row_at(const tile_run *r, int64_t t) { return (size_t)(t * r->work->loop->batch + r->first); }

/* Steps until every row of the tile has ended. */
static int64_t tile_steps(const tile_run *r)
{
    const heed_scan *l = r->work->loop;
    int64_t end = r->work->mask == NULL ? l->steps : 0;
    for (int64_t i = 0; i < r->rows && end < l->steps; i++) {
        const uint8_t *row = r->work->mask + (r->first + i) * l->steps;
        for (int64_t t = l->steps; t > end; t--)
            if (row[t - 1] != 0)
                end = t;
    }
    return end;
}

static void start_tile(tile_run *r)
{
    const heed_scan *l = r->work->loop;
    unsigned char *at = r->memory + l->room.states;
    for (int i = 0; i < l->state_count; i++) {
        const heed_scan_state *s = &l->states[i];
        size_t bytes = s->row_bytes * (size_t)r->rows;
        if (s->input >= 0)
            memcpy(at, input_of(r->work, s->input) + s->row_bytes * (size_t)r->first, bytes);
        else
            memset(at, 0, bytes);
        r->bound[s->slot] = at;
        at += heed_aligned(s->row_bytes * (size_t)l->rows);
    }
    for (size_t i = 0; i < l->input_count; i++)
        if (l->inputs[i].role == HEED_ROLE_ROWS)
            r->bound[l->inputs[i].slot] = input_of(r->work, l->inputs[i].input) + l->inputs[i].row_bytes * (size_t)r->first;
    at = r->partials;
    for (size_t i = 0; i < l->emit_count; i++) {
        const heed_scan_emit *e = &l->emits[i];
        if (e->kind == HEED_RESULT_ROW_SUM) {
            memset(output_of(r->work, e->output) + e->bytes * (size_t)r->first, 0, e->bytes * (size_t)r->rows);
        } else if (e->kind == HEED_RESULT_WHOLE_SUM) {
            memset(at, 0, e->bytes);
            at += heed_aligned(e->bytes);
        }
    }
}

/* Points the body to this step's slices of what it reads and writes. */
static void bind_step(tile_run *r, int64_t t)
{
    const heed_scan *l = r->work->loop;
    for (size_t i = 0; i < l->input_count; i++) {
        const heed_scan_input *in = &l->inputs[i];
        if (in->role != HEED_ROLE_ROWS)
            r->bound[in->slot] = input_of(r->work, in->input) + in->row_bytes * row_at(r, t);
    }
    for (size_t i = 0; i < l->emit_count; i++) {
        const heed_scan_emit *e = &l->emits[i];
        if (e->slot >= 0)
            r->bound[e->slot] = output_of(r->work, e->output) + e->bytes * row_at(r, t);
    }
}

static heed_status run_nodes(tile_run *r)
{
    const heed_scan *l = r->work->loop;
    for (size_t i = 0; i < r->body->work_count; i++) {
        const heed_scan_work *w = &r->body->work[i];
        if (w->pack >= 0)
            heed_matmul_run_packed(&r->exec, w->node, r->work->packed + l->packs[w->pack].offset);
        else
            HEED_TRY(w->node->op->forward(&r->exec, w->node));
    }
    return HEED_OK;
}

/* Hands out what the step made; nothing when the step was not run: then zeros. */
static void emit(tile_run *r, int64_t t, bool ran)
{
    const heed_scan *l = r->work->loop;
    const heed_kernels *k = r->work->x->kernels;
    unsigned char *partial = r->partials;
    for (size_t i = 0; i < l->emit_count; i++) {
        const heed_scan_emit *e = &l->emits[i];
        const unsigned char *from = ran ? heed_data(&r->exec, heed_trace_at(&r->body->trace, e->position)) : NULL;
        unsigned char *to = output_of(r->work, e->output);
        if (e->kind == HEED_RESULT_OUTPUT) {
            size_t bytes = e->bytes * (size_t)r->rows;
            if (!ran)
                memset(to + e->bytes * row_at(r, t), 0, bytes);
            else if (e->slot < 0)
                memcpy(to + e->bytes * row_at(r, t), from, bytes);
        } else if (e->kind == HEED_RESULT_ROW_SUM) {
            if (ran)
                k->axpy((int64_t)(e->bytes / sizeof(float)) * r->rows, 1.0f, (const float *)from,
                        (float *)(to + e->bytes * (size_t)r->first));
        } else {
            if (ran)
                k->axpy((int64_t)(e->bytes / sizeof(float)), 1.0f, (const float *)from, (float *)partial);
            partial += heed_aligned(e->bytes);
        }
    }
}

/* Each state's next value becomes its present one. Those that are another state's present value are put aside first. */
static void advance_states(tile_run *r)
{
    const heed_scan *l = r->work->loop;
    for (int pass = 0; pass < 2; pass++) {
        unsigned char *own = r->memory + l->room.states, *aside = r->memory + l->room.shadow;
        for (int i = 0; i < l->state_count; i++) {
            const heed_scan_state *s = &l->states[i];
            const void *next = heed_data(&r->exec, heed_trace_at(&r->body->trace, s->next));
            size_t bytes = s->row_bytes * (size_t)r->rows;
            bool moved = heed_scan_is_state(l, s->next);
            if (pass == 0 && moved)
                memcpy(aside, next, bytes);
            if (pass == 1 && s->emit >= 0)
                r->bound[s->slot] = next;
            else if (pass == 1)
                r->bound[s->slot] = memcpy(own, moved ? aside : next, bytes);
            own += heed_aligned(s->row_bytes * (size_t)l->rows);
            aside += heed_aligned(s->row_bytes * (size_t)l->rows);
        }
    }
}

static void finish_tile(tile_run *r)
{
    const heed_scan *l = r->work->loop;
    for (int i = 0; i < l->state_count; i++) {
        const heed_scan_state *s = &l->states[i];
        memcpy(output_of(r->work, s->output) + s->row_bytes * (size_t)r->first, r->bound[s->slot],
               s->row_bytes * (size_t)r->rows);
    }
}

static void scan_tile(void *work, int64_t tile, int thread)
{
    const loop_work *w = work;
    const heed_scan *l = w->loop;
    tile_run r = {.work = w, .memory = w->threads + (size_t)thread * l->room.bytes,
                  .partials = w->partials + (size_t)tile * l->partial_bytes};
    failure *f = (failure *)(r.memory + l->room.failure);
    r.rows = heed_tile_range(l->batch, l->rows, tile, &r.first);
    r.body = &l->bodies[r.rows == l->bodies[0].rows ? 0 : 1];
    r.bound = (const void **)(r.memory + l->room.bound);
    r.exec = *w->x;
    r.exec.context = &f->stub;
    r.exec.pool = NULL;
    r.exec.threads = 1;
    r.exec.packs = NULL; /* not for several threads at a time */
    r.exec.arena = r.memory;
    r.exec.bound = r.bound;
    start_tile(&r);
    int64_t end = tile_steps(&r);
    for (int64_t s = 0; s < l->steps && f->status == HEED_OK; s++) {
        int64_t t = l->reverse ? l->steps - 1 - s : s;
        if (t >= end) {
            emit(&r, t, false);
            continue;
        }
        r.exec.draw_offset = w->x->draw_offset + ((uint64_t)(t * l->tiles + tile + 1) << 32);
        bind_step(&r, t);
        heed_status status = run_nodes(&r);
        if (status != HEED_OK)
            f->status = status;
        emit(&r, t, true);
        advance_states(&r);
    }
    finish_tile(&r);
}

/* The tiles' sums, added in the order of the tiles whoever made them. */
static void add_partials(const loop_work *w)
{
    const heed_scan *l = w->loop;
    size_t at = 0;
    for (size_t i = 0; i < l->emit_count; i++) {
        const heed_scan_emit *e = &l->emits[i];
        if (e->kind != HEED_RESULT_WHOLE_SUM)
            continue;
        float *sum = (float *)output_of(w, e->output);
        memset(sum, 0, e->bytes);
        for (int64_t tile = 0; tile < l->tiles; tile++)
            w->x->kernels->axpy((int64_t)(e->bytes / sizeof(float)), 1.0f,
                                (const float *)(w->partials + (size_t)tile * l->partial_bytes + at), sum);
        at += heed_aligned(e->bytes);
    }
}

static heed_status scan_forward(const heed_exec *x, const heed_node *n)
{
    heed_scan *l = heed_scan_of(n);
    if (l->planned != HEED_OK)
        return l->planned;
    unsigned char *scratch = heed_scratch(x, n);
    loop_work w = {.x = x, .node = n, .loop = l, .packed = (float *)scratch};
    w.threads = scratch + l->packed_size * sizeof(float);
    w.partials = w.threads + (size_t)x->threads * l->room.bytes;
    w.mask = l->mask_input < 0 ? NULL : heed_data(x, n->inputs[l->mask_input]);
    for (int i = 0; i < x->threads; i++) {
        failure *f = (failure *)(w.threads + (size_t)i * l->room.bytes + l->room.failure);
        f->status = HEED_OK;
        f->stub.error[0] = f->stub.hint[0] = '\0';
    }
    for (size_t i = 0; i < l->pack_count; i++) {
        const heed_node *product = heed_trace_at(&l->bodies[0].trace, l->packs[i].product)->node;
        heed_exec inside = *x; /* the matrix is a weight, the same in every view */
        heed_matmul_pack(&inside, product, heed_data(&inside, product->inputs[1]), w.packed + l->packs[i].offset);
    }
    heed_parallel(x->pool, l->tiles, scan_tile, &w);
    for (int i = 0; i < x->threads; i++) {
        const failure *f = (const failure *)(w.threads + (size_t)i * l->room.bytes + l->room.failure);
        if (f->status != HEED_OK)
            return heed_fail(x->context, f->status, "%s", f->stub.error);
    }
    add_partials(&w);
    return HEED_OK;
}

/* Outputs are added while the loop is lowered. */
static heed_status scan_shape(heed_node *n)
{
    (void)n;
    return HEED_OK;
}

const heed_op heed_kind_scan = {.name = "scan", .shape = scan_shape, .scratch = scan_scratch, .forward = scan_forward,
                                .gradient = heed_scan_gradient};
