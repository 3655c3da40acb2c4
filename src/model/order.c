/* The order in which Keras lists the layers of a functional model: by depth, the number of calls between a layer and
 * the outputs, deepest first; among equals in the order in which a walk from the outputs meets them. Weights, summaries
 * and files follow this order. */
#include "model/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct place {
    heed_layer *layer;
    int         depth;
    int         met; /* when the walk came by; -1: an input that nothing uses */
} place;

typedef struct walk {
    heed_wire **wires; /* finished ones, each after those it needs */
    int        *depths;
    int        *turns; /* when its depth was first asked for; 0: not yet */
    size_t      wire_count;
    place      *places;
    size_t      place_count;
} walk;

static place *find_place(const walk *w, const heed_layer *layer)
{
    for (size_t i = 0; i < w->place_count; i++)
        if (w->places[i].layer == layer)
            return &w->places[i];
    return NULL;
}

static void meet(walk *w, heed_layer *layer, int met)
{
    if (find_place(w, layer) == NULL)
        w->places[w->place_count++] = (place){layer, 0, met};
}

/* What a wire needs: its inputs, then the masks given to it; NULL where none is. */
static int need_count(const heed_wire *w) { return w->masks == NULL ? w->input_count : 2 * w->input_count; }

static const heed_symbol *need_at(const heed_wire *w, int index)
{
    return index < w->input_count ? w->inputs[index] : w->masks[index - w->input_count];
}

static size_t position(const walk *w, const heed_wire *wire)
{
    for (size_t i = 0; i < w->wire_count; i++)
        if (w->wires[i] == wire)
            return i;
    return SIZE_MAX;
}

/* Depth first, without recursion: models may be thousands of layers deep. `stack` holds wires under way. */
static void visit(walk *w, heed_wire *start, heed_wire **stack, int *next)
{
    size_t height = 0;
    if (position(w, start) != SIZE_MAX)
        return;
    stack[height] = start;
    next[height++] = 0;
    meet(w, start->layer, (int)w->place_count);
    while (height > 0) {
        heed_wire *wire = stack[height - 1];
        if (next[height - 1] == need_count(wire)) {
            w->wires[w->wire_count++] = wire;
            height--;
            continue;
        }
        const heed_symbol *s = need_at(wire, next[height - 1]++);
        if (s == NULL || position(w, s->wire) != SIZE_MAX)
            continue;
        heed_wire *needed = s->wire;
        meet(w, needed->layer, (int)w->place_count);
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
    meet(w, wire->layer, -1);
    if (position(w, wire) == SIZE_MAX)
        w->wires[w->wire_count++] = wire;
}

static void measure_depths(walk *w)
{
    int turns = 0;
    for (size_t i = w->wire_count; i-- > 0;) {
        heed_wire *wire = w->wires[i];
        take_turn(w, i, &turns);
        place *p = find_place(w, wire->layer);
        if (p->depth < w->depths[i])
            p->depth = w->depths[i];
        w->depths[i] = p->depth;
        for (int k = 0; k < need_count(wire); k++) {
            if (need_at(wire, k) == NULL)
                continue;
            size_t needed = position(w, need_at(wire, k)->wire);
            take_turn(w, needed, &turns);
            if (w->depths[needed] < w->depths[i] + 1)
                w->depths[needed] = w->depths[i] + 1;
        }
    }
}

static int deepest_first(const void *a, const void *b)
{
    const place *p = a, *q = b;
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

static heed_status order(heed_zone *z, heed_zone *scratch, const heed_ends *ends, heed_wires *wires, heed_order *out)
{
    size_t most = wires->count;
    walk w = {.wires = heed_zone_alloc(z, most, sizeof *w.wires)};
    w.depths = heed_zone_alloc(scratch, most, sizeof *w.depths);
    w.turns = heed_zone_alloc(scratch, most, sizeof *w.turns);
    w.places = heed_zone_alloc(scratch, most + (size_t)ends->input_count, sizeof *w.places);
    heed_wire **stack = heed_zone_alloc(scratch, most, sizeof *stack);
    int *next = heed_zone_alloc(scratch, most, sizeof *next);
    heed_wire **kept = heed_zone_alloc(z, most, sizeof *kept);
    *out = (heed_order){.walked = w.wires, .running = heed_zone_alloc(z, most, sizeof *out->running)};
    out->layers = heed_zone_alloc(z, most + (size_t)ends->input_count, sizeof *out->layers);
    if (w.wires == NULL || w.depths == NULL || w.turns == NULL || w.places == NULL || stack == NULL || next == NULL ||
        kept == NULL || out->running == NULL || out->layers == NULL)
        return HEED_ENOMEM;
    for (int k = 0; k < ends->output_count; k++)
        visit(&w, ends->outputs[k]->wire, stack, next);
    measure_depths(&w);
    for (int i = 0; i < ends->input_count; i++)
        keep_input(&w, ends->inputs[i]->wire);
    HEED_TRY(order_runs(scratch, &w, out->running));
    qsort(w.places, w.place_count, sizeof *w.places, deepest_first);
    for (size_t i = 0; i < w.place_count; i++)
        out->layers[i] = w.places[i].layer;
    out->layer_count = w.place_count;
    /* the numbers of a layer's calls follow from the order in which they were made, which the walk does not change */
    size_t count = 0;
    for (size_t i = 0; i < wires->count; i++)
        if (position(&w, wires->items[i]) != SIZE_MAX)
            kept[count++] = wires->items[i];
    *wires = (heed_wires){.items = kept, .count = count};
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
