/* Planning: what must run, how long each value lives, and where in the arena it lies. */
#include "graph/graph.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A stretch of the arena that something needs from node `first` to node `last`. */
typedef struct block {
    size_t  bytes, offset;
    int     first, last;
    size_t *where; /* receives the offset */
} block;

static heed_tensor *root(heed_tensor *t)
{
    while (t->storage != t)
        t = t->storage;
    return t;
}

static void mark_live(heed_graph *g)
{
    for (size_t i = 0; i < g->wanted_count; i++) {
        heed_tensor *t = g->wanted[i];
        t->wanted = true;
        if (t->node != NULL)
            t->node->live = true;
        root(t)->last_use = INT_MAX;
    }
    for (size_t i = g->node_count; i-- > 0;) {
        heed_node *n = g->nodes[i];
        for (int k = 0; k < n->input_count && n->live; k++) {
            heed_tensor *t = n->inputs[k], *s = root(t);
            if (t->node != NULL)
                t->node->live = true;
            if (s->last_use < n->index)
                s->last_use = n->index;
        }
    }
}

static size_t bytes_of(const heed_tensor *t) { return (size_t)t->count * heed_dtype_size(t->dtype); }

/* Lets elementwise nodes write over an operand that dies with them. */
static void share_in_place(heed_graph *g)
{
    for (size_t i = 0; i < g->node_count; i++) {
        heed_node *n = g->nodes[i];
        if (!n->live || n->op->in_place == 0 || n->op->in_place > n->input_count)
            continue;
        heed_tensor *from = root(n->inputs[n->op->in_place - 1]), *to = n->outputs[0];
        if (from->place != HEED_PLACE_ARENA || to->place != HEED_PLACE_ARENA || from->last_use != n->index || bytes_of(from) != bytes_of(to))
            continue;
        bool twice = false; /* another operand looks at the same memory, maybe in another order */
        for (int k = 0; k < n->input_count; k++)
            twice |= k != n->op->in_place - 1 && root(n->inputs[k]) == from;
        if (twice)
            continue;
        to->storage = from;
        if (to->last_use > n->index) /* else nobody reads it, but the node itself still reads and writes here */
            from->last_use = to->last_use;
    }
}

static int larger_first(const void *a, const void *b)
{
    const block *p = a, *q = b;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? 1 : -1;
    return p->first != q->first ? (p->first < q->first ? -1 : 1) : (p->last < q->last ? -1 : p->last > q->last);
}

/* Largest first, each into the lowest gap among those that live at the same time. `placed` is scratch, kept by offset. */
static size_t place(block *blocks, size_t count, block **placed)
{
    size_t total = 0, placed_count = 0;
    for (size_t i = 0; i < count; i++) {
        block *b = &blocks[i];
        size_t offset = 0;
        for (size_t j = 0; j < placed_count; j++) {
            const block *p = placed[j];
            if (p->last < b->first || b->last < p->first)
                continue;
            if (p->offset >= offset + b->bytes)
                break;
            if (p->offset + p->bytes > offset)
                offset = p->offset + p->bytes;
        }
        b->offset = *b->where = offset;
        size_t j = placed_count++;
        for (; j > 0 && placed[j - 1]->offset > offset; j--)
            placed[j] = placed[j - 1];
        placed[j] = b;
        if (offset + b->bytes > total)
            total = offset + b->bytes;
    }
    return total;
}

/* Whether sizes that no memory has are wanted, with which counting bytes would overflow. */
static bool is_beyond_counting(const heed_graph *g)
{
    const int64_t most = (int64_t)1 << 48;
    for (size_t i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->output_count && g->nodes[i]->live; k++)
            if (g->nodes[i]->outputs[k]->count > most)
                return true;
    return false;
}

static size_t collect(heed_graph *g, block *blocks, int threads)
{
    size_t count = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        heed_node *n = g->nodes[i];
        if (!n->live)
            continue;
        for (int k = 0; k < n->output_count; k++) {
            heed_tensor *t = n->outputs[k];
            if (t->storage != t || t->place != HEED_PLACE_ARENA)
                continue;
            int last = t->last_use < n->index ? n->index : t->last_use;
            blocks[count++] = (block){.bytes = heed_aligned(bytes_of(t)), .first = n->index, .last = last, .where = &t->offset};
        }
        n->scratch = n->op->scratch == NULL ? 0 : heed_aligned(n->op->scratch(n, threads));
        if (n->scratch > 0)
            blocks[count++] = (block){.bytes = n->scratch, .first = n->index, .last = n->index, .where = &n->scratch_offset};
    }
    return count;
}

/* False when the bytes of all blocks together cannot be counted. */
static bool is_countable(const block *blocks, size_t count)
{
    size_t all = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(all, blocks[i].bytes, &all))
            return false;
    return true;
}

heed_status heed_plan(heed_graph *g, heed_tensor *const *wanted, size_t count, int threads)
{
    if (g->status != HEED_OK)
        return g->status;
    if (g->planned)
        return g->status = heed_fail(g->context, HEED_ESTATE, "plan: the graph is planned already");
    for (size_t i = 0; i < count; i++)
        if (wanted[i] == NULL || wanted[i]->graph != g)
            return g->status = heed_fail(g->context, HEED_EINVAL, "plan: tensor %zu is not of this graph", i + 1);
    g->wanted = heed_zone_alloc(&g->zone, count, sizeof *g->wanted);
    g->bound = heed_zone_alloc(&g->zone, (size_t)g->slots, sizeof *g->bound);
    size_t most = g->node_count;
    for (size_t i = 0; i < g->node_count; i++) {
        heed_node *n = g->nodes[i];
        most += (size_t)n->output_count;
        for (int k = 0; k < n->output_count; k++)
            n->outputs[k]->last_use = -1;
    }
    block *blocks = heed_alloc_raw(g->context, most, sizeof(block) + sizeof(block *));
    if (g->wanted == NULL || g->bound == NULL || blocks == NULL) {
        heed_release(g->context, blocks);
        return g->status = HEED_ENOMEM;
    }
    if (count > 0)
        memcpy(g->wanted, wanted, count * sizeof *wanted);
    g->wanted_count = count;
    mark_live(g);
    share_in_place(g);
    for (size_t i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i]->output_count; k++)
            g->nodes[i]->outputs[k]->storage = root(g->nodes[i]->outputs[k]);
    size_t used = is_beyond_counting(g) ? SIZE_MAX : collect(g, blocks, threads);
    if (used == SIZE_MAX || !is_countable(blocks, used)) {
        heed_release(g->context, blocks);
        return g->status = heed_fail(g->context, HEED_ENOMEM,
                                     "plan: running this takes more memory than can be counted");
    }
    qsort(blocks, used, sizeof *blocks, larger_first);
    g->bytes = place(blocks, used, (block **)(blocks + most));
    heed_release(g->context, blocks);
    g->planned = true;
    return HEED_OK;
}

heed_status heed_graph_plan(heed_graph *g, heed_tensor *const *wanted, size_t count)
{
    return heed_plan(g, wanted, count, heed_threads(g->context));
}

size_t heed_graph_bytes(const heed_graph *g) { return g->bytes; }
