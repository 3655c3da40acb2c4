#include "plot/diagram.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEPS = 12 };

heed_status heed_diagram_check(heed_context *c, const heed_diagram *d)
{
    if (d->box_count == 0)
        return heed_fail(c, HEED_EINVAL, "diagram: there are no boxes");
    if (d->box_count > HEED_DIAGRAM_MOST || d->arrow_count > HEED_DIAGRAM_MOST)
        return heed_fail(c, HEED_EINVAL, "diagram: too large (expected at most %d boxes and arrows, found %zu and %zu)",
                         HEED_DIAGRAM_MOST, d->box_count, d->arrow_count);
    for (size_t i = 0; i < d->arrow_count; i++)
        if (d->arrows[i].from >= d->arrows[i].to || d->arrows[i].to >= d->box_count)
            return heed_fail(c, HEED_EINVAL, "diagram: arrow %zu does not go to a box behind its first", i + 1);
    return HEED_OK;
}

/* ---- rows ---- */

/* Each box one row below the lowest that leads to it; one that nothing leads to, just above where it leads. */
static void choose_rows(const heed_diagram *d, heed_diagram_layout *l)
{
    for (size_t box = 0; box < d->box_count; box++)
        for (size_t i = 0; i < d->arrow_count; i++)
            if (d->arrows[i].to == box && l->places[d->arrows[i].from].row >= l->places[box].row)
                l->places[box].row = l->places[d->arrows[i].from].row + 1;
    for (size_t box = 0; box < d->box_count; box++) {
        int nearest = -1;
        for (size_t i = 0; i < d->arrow_count && l->places[box].row == 0; i++)
            if (d->arrows[i].from == box && (nearest < 0 || l->places[d->arrows[i].to].row < nearest))
                nearest = l->places[d->arrows[i].to].row;
        if (nearest > 0)
            l->places[box].row = nearest - 1;
    }
    for (size_t box = 0; box < d->box_count; box++)
        if (l->places[box].row >= l->rows)
            l->rows = l->places[box].row + 1;
}

static int count_passes(const heed_diagram *d, const heed_diagram_layout *l)
{
    int count = 0;
    for (size_t i = 0; i < d->arrow_count; i++)
        count += l->places[d->arrows[i].to].row - l->places[d->arrows[i].from].row - 1;
    return count;
}

/* Cuts arrows at the rows that they pass. */
static heed_status cut_arrows(heed_zone *z, const heed_diagram *d, heed_diagram_layout *l)
{
    int passes = count_passes(d, l), boxes = (int)d->box_count;
    heed_diagram_place *places = heed_zone_alloc(z, d->box_count + (size_t)passes, sizeof *places);
    l->stretches = heed_zone_alloc(z, d->arrow_count + (size_t)passes, sizeof *l->stretches);
    l->first = heed_zone_alloc(z, d->arrow_count + 1, sizeof *l->first);
    if (places == NULL || l->stretches == NULL || l->first == NULL)
        return HEED_ENOMEM;
    memcpy(places, l->places, d->box_count * sizeof *places);
    l->places = places;
    l->place_count = boxes;
    for (size_t i = 0; i < d->arrow_count; i++) {
        int at = (int)d->arrows[i].from, end = (int)d->arrows[i].to;
        l->first[i] = l->stretch_count;
        for (int row = places[at].row + 1; row < places[end].row; row++) {
            places[l->place_count] = (heed_diagram_place){.row = row, .box = -1};
            l->stretches[l->stretch_count++] = (heed_diagram_stretch){at, l->place_count};
            at = l->place_count++;
        }
        l->stretches[l->stretch_count++] = (heed_diagram_stretch){at, end};
    }
    l->first[d->arrow_count] = l->stretch_count;
    return HEED_OK;
}

/* ---- columns ---- */

/* A row's places in order, and what each would like. */
typedef struct row_item {
    int    place;
    double wish;
} row_item;

static int by_wish(const void *a, const void *b)
{
    const row_item *p = a, *q = b;
    return p->wish != q->wish ? (p->wish < q->wish ? -1 : 1) : p->place - q->place;
}

static int by_column(const void *a, const void *b)
{
    const row_item *p = a, *q = b;
    return p->wish < q->wish ? -1 : p->wish > q->wish;
}

/* The mean of what `value` says of the neighbours in the row above or below; `own` where there are none. */
static double mean_of_neighbours(const heed_diagram_layout *l, int place, bool above,
                                 double (*value)(const heed_diagram_place *p), double own)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < l->stretch_count; i++) {
        const heed_diagram_stretch *s = &l->stretches[i];
        if ((above ? s->to : s->from) != place)
            continue;
        sum += value(&l->places[above ? s->from : s->to]);
        count++;
    }
    return count == 0 ? own : sum / count;
}

static double column_of(const heed_diagram_place *p) { return p->column; }
static double x_of(const heed_diagram_place *p) { return p->x; }

static int list_row(const heed_diagram_layout *l, int row, row_item *items)
{
    int count = 0;
    for (int i = 0; i < l->place_count; i++)
        if (l->places[i].row == row)
            items[count++] = (row_item){i, l->places[i].column};
    qsort(items, (size_t)count, sizeof *items, by_column);
    return count;
}

static void number_columns(heed_diagram_layout *l)
{
    for (int row = 0; row < l->rows; row++) {
        int count = 0;
        for (int i = 0; i < l->place_count; i++)
            if (l->places[i].row == row)
                l->places[i].column = count++;
    }
}

/* Sorts each row by where its neighbours stand, down and up in turns, so that few arrows cross. */
static void sort_rows(heed_diagram_layout *l, row_item *items)
{
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        bool down = sweep % 2 == 0;
        for (int k = 0; k < l->rows; k++) {
            int row = down ? k : l->rows - 1 - k, count = list_row(l, row, items);
            for (int i = 0; i < count; i++)
                items[i].wish = mean_of_neighbours(l, items[i].place, down, column_of, items[i].wish);
            qsort(items, (size_t)count, sizeof *items, by_wish);
            for (int i = 0; i < count; i++)
                l->places[items[i].place].column = i;
        }
    }
}

/* ---- how far to the right ---- */

/* Neighbours that have been pushed together. */
typedef struct block {
    double sum;   /* of what its items wish, each as if it were the first of the row */
    int    count;
} block;

static double mean(const block *b) { return b->sum / b->count; }

/* The positions nearest to the wishes that keep the order and the distances: the least sum of squares. */
static void settle_row(heed_diagram_layout *l, const row_item *items, int count, double gap, block *blocks)
{
    double offset = 0;
    int used = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0)
            offset += gap + 0.5 * (l->places[items[i - 1].place].width + l->places[items[i].place].width);
        l->places[items[i].place].x = offset;
        blocks[used++] = (block){items[i].wish - offset, 1};
        for (; used > 1 && mean(&blocks[used - 2]) >= mean(&blocks[used - 1]); used--) {
            blocks[used - 2].sum += blocks[used - 1].sum;
            blocks[used - 2].count += blocks[used - 1].count;
        }
    }
    for (int b = 0, i = 0; b < used; b++)
        for (int end = i + blocks[b].count; i < end; i++)
            l->places[items[i].place].x += mean(&blocks[b]);
}

static void choose_positions(heed_diagram_layout *l, row_item *items, block *blocks, double gap)
{
    for (int sweep = 0; sweep <= SWEEPS; sweep++) {
        bool down = sweep % 2 == 0;
        for (int k = 0; k < l->rows; k++) {
            int row = down ? k : l->rows - 1 - k, count = list_row(l, row, items);
            for (int i = 0; i < count; i++)
                items[i].wish = mean_of_neighbours(l, items[i].place, down, x_of, l->places[items[i].place].x);
            settle_row(l, items, count, gap, blocks);
        }
    }
}

static void move_to_zero(heed_diagram_layout *l)
{
    double left = 0, right = 0;
    for (int i = 0; i < l->place_count; i++) {
        const heed_diagram_place *p = &l->places[i];
        left = i == 0 || p->x - p->width / 2 < left ? p->x - p->width / 2 : left;
        right = i == 0 || p->x + p->width / 2 > right ? p->x + p->width / 2 : right;
    }
    for (int i = 0; i < l->place_count; i++)
        l->places[i].x -= left;
    l->width = right - left;
}

heed_status heed_diagram_arrange(heed_zone *z, const heed_diagram *d, const double *widths, double gap,
                                 heed_diagram_layout *out)
{
    *out = (heed_diagram_layout){.places = heed_zone_alloc(z, d->box_count, sizeof *out->places)};
    if (out->places == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < d->box_count; i++)
        out->places[i] = (heed_diagram_place){.width = widths[i], .box = (int)i};
    choose_rows(d, out);
    HEED_TRY(cut_arrows(z, d, out));
    row_item *items = heed_zone_alloc(z, (size_t)out->place_count, sizeof *items);
    block *blocks = heed_zone_alloc(z, (size_t)out->place_count, sizeof *blocks);
    if (items == NULL || blocks == NULL)
        return HEED_ENOMEM;
    number_columns(out);
    sort_rows(out, items);
    choose_positions(out, items, blocks, gap);
    move_to_zero(out);
    return HEED_OK;
}
