/* The order in which Keras lists the layers of a functional model: by depth, the number of calls between a layer and
 * the outputs, deepest first; among equals in the order in which a walk from the outputs meets them. Weights, summaries
 * and files follow this order. */
#include "model/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct walk {
    heed_wire **wires; /* finished ones, each after those it needs */
    int        *depths;
    int        *turns; /* when its depth was first asked for; 0: not yet */
    size_t      wire_count;
    heed_made **layers; /* those met */
    size_t      layer_count;
} walk;

static void meet(walk *w, heed_made *layer, int met)
{
    if (layer->met != 0)
        return;
    layer->met = met;
    w->layers[w->layer_count++] = layer;
}

static void finish(walk *w, heed_wire *wire)
{
    w->wires[w->wire_count++] = wire;
    wire->walked = w->wire_count;
}

/* What a wire needs: its inputs, then the masks given to it; NULL where none is. */
static int need_count(const heed_wire *w) { return w->masks == NULL ? w->input_count : 2 * w->input_count; }

static const heed_symbol *need_at(const heed_wire *w, int index)
{
    return index < w->input_count ? w->inputs[index] : w->masks[index - w->input_count];
}

/* What an order before this one has left. */
static void forget(const heed_wires *wires)
{
    for (size_t i = 0; i < wires->count; i++) {
        heed_wire *w = wires->items[i];
        w->walked = 0;
        w->next = w->made->first = w->made->last = NULL;
        w->made->met = w->made->depth = 0;
    }
}

/* Depth first, without recursion: models may be thousands of layers deep. `stack` holds wires under way. */
static void visit(walk *w, heed_wire *start, heed_wire **stack, int *next)
{
    size_t height = 0;
    if (start->walked > 0)
        return;
    stack[height] = start;
    next[height++] = 0;
    meet(w, start->made, (int)w->layer_count + 1);
    while (height > 0) {
        heed_wire *wire = stack[height - 1];
        if (next[height - 1] == need_count(wire)) {
            finish(w, wire);
            height--;
            continue;
        }
        const heed_symbol *s = need_at(wire, next[height - 1]++);
        if (s == NULL || s->wire->walked > 0)
            continue;
        heed_wire *needed = s->wire;
        meet(w, needed->made, (int)w->layer_count + 1);
        stack[height] = needed;
        next[height++] = 0;
    }
}

static void take_turn(walk *w, size_t wire, int *turns)
{
    if (w->turns[wire] == 0)
        w->turns[wire] = ++*turns;
}

/* An input stays one though nothing uses it. */
static void keep_input(walk *w, heed_wire *wire)
{
    meet(w, wire->made, -1);
    if (wire->walked == 0)
        finish(w, wire);
}

static void measure_depths(walk *w)
{
    int turns = 0;
    for (size_t i = w->wire_count; i-- > 0;) {
        heed_wire *wire = w->wires[i];
        take_turn(w, i, &turns);
        if (wire->made->depth < w->depths[i])
            wire->made->depth = w->depths[i];
        w->depths[i] = wire->made->depth;
        for (int k = 0; k < need_count(wire); k++) {
            if (need_at(wire, k) == NULL)
                continue;
            size_t needed = need_at(wire, k)->wire->walked - 1;
            take_turn(w, needed, &turns);
            if (w->depths[needed] < w->depths[i] + 1)
                w->depths[needed] = w->depths[i] + 1;
        }
    }
}

static int deepest_first(const void *a, const void *b)
{
    const heed_made *p = *(heed_made *const *)a, *q = *(heed_made *const *)b;
    if (p->depth != q->depth)
        return p->depth < q->depth ? 1 : -1;
    return p->met < q->met ? -1 : p->met > q->met;
}

/* A wire's place in the order in which Keras runs them: deepest first, then by turns. */
typedef struct run_place {
    heed_wire *wire;
    int        depth, turn;
} run_place;

static int runs_first(const void *a, const void *b)
{
    const run_place *p = a, *q = b;
    return p->depth != q->depth ? (p->depth < q->depth ? 1 : -1) : (p->turn > q->turn) - (p->turn < q->turn);
}

static heed_status order_runs(heed_zone *scratch, const walk *w, heed_wire **running)
{
    run_place *places = heed_zone_alloc(scratch, w->wire_count, sizeof *places);
    if (places == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < w->wire_count; i++)
        places[i] = (run_place){w->wires[i], w->depths[i], w->turns[i]};
    qsort(places, w->wire_count, sizeof *places, runs_first);
    for (size_t i = 0; i < w->wire_count; i++)
        running[i] = places[i].wire;
    return HEED_OK;
}

/* Leaves out what the outputs do not need. The numbers of a layer's calls follow from the order in which they were made,
 * which stays. */
static void keep(heed_wires *wires, heed_wire **kept)
{
    size_t count = 0;
    for (size_t i = 0; i < wires->count; i++) {
        heed_wire *w = wires->items[i];
        if (w->walked == 0)
            continue;
        w->number = w->made->last == NULL ? 0 : w->made->last->number + 1;
        *(w->made->last == NULL ? &w->made->first : &w->made->last->next) = w;
        w->made->last = w;
        kept[count++] = w;
    }
    *wires = (heed_wires){.items = kept, .count = count};
}

static heed_status order(heed_zone *z, heed_zone *scratch, const heed_ends *ends, heed_wires *wires, heed_order *out)
{
    size_t most = wires->count;
    walk w = {.wires = heed_zone_alloc(z, most, sizeof *w.wires)};
    w.depths = heed_zone_alloc(scratch, most, sizeof *w.depths);
    w.turns = heed_zone_alloc(scratch, most, sizeof *w.turns);
    w.layers = heed_zone_alloc(z, most + (size_t)ends->input_count, sizeof *w.layers);
    heed_wire **stack = heed_zone_alloc(scratch, most, sizeof *stack);
    int *next = heed_zone_alloc(scratch, most, sizeof *next);
    heed_wire **kept = heed_zone_alloc(z, most, sizeof *kept);
    *out = (heed_order){.walked = w.wires, .running = heed_zone_alloc(z, most, sizeof *out->running), .layers = w.layers};
    if (w.wires == NULL || w.depths == NULL || w.turns == NULL || w.layers == NULL || stack == NULL || next == NULL ||
        kept == NULL || out->running == NULL)
        return HEED_ENOMEM;
    forget(wires);
    for (int k = 0; k < ends->output_count; k++)
        visit(&w, ends->outputs[k]->wire, stack, next);
    measure_depths(&w);
    for (int i = 0; i < ends->input_count; i++)
        keep_input(&w, ends->inputs[i]->wire);
    HEED_TRY(order_runs(scratch, &w, out->running));
    qsort(w.layers, w.layer_count, sizeof *w.layers, deepest_first);
    out->layer_count = w.layer_count;
    keep(wires, kept);
    return HEED_OK;
}

heed_status heed_order_wires(heed_zone *z, const heed_ends *ends, heed_wires *wires, heed_order *out)
{
    heed_zone scratch;
    heed_zone_init(&scratch, z->context);
    heed_status status = order(z, &scratch, ends, wires, out);
    heed_zone_free(&scratch);
    return status;
}
