/* Convolutions and their way back, over one or two axes.
 *
 * Neither builds the array of all windows. A tile of target rows adds up one product for each run of taps whose source
 * rows follow on each other: the rows of a product may overlap, so windows are read where they lie. Rows at the edges,
 * whose windows reach over, take the taps they have. The way back is the same sum with the taps in the other order;
 * where windows advance by more than one, a target row sees every stride-th tap only, so rows of one remainder go
 * together. To few channels it goes by way of the products of each source row with all taps, of which the sums are then
 * made: one product with many columns instead of many with few. Where there are more entries than rows in a line, words in
 * letters or small pictures, a tile is one row of many entries: long products too, and no edges apart. */
#include "ops/convolution.h"

#include "ops/walk.h"

#include <string.h>

enum {
    TILE_ROWS = 64,
    TILE_PANELS = 4,
    NARROW_LINES = 4,      /* lines of a tile for each of a window */
    DEEPEST_GATHERED = 512 /* elements of a window; a tile of them lies near the processor */
};

/* ---- what is to be done */

/* Makes the inner axis long, which products like, where that changes nothing but the names of things. */
static void simplify(heed_convolution *c)
{
    heed_sliding_axis *inner = &c->plane.axes[HEED_INNER], *outer = &c->plane.axes[HEED_OUTER];
    const heed_sliding_axis one = {1, 1, 1, 1, 1, 0};
    bool whole = inner->out == 1 && inner->size == inner->in && inner->dilation == 1 && inner->before == 0;
    if (whole && c->groups == 1) { /* one window over the whole axis: its elements are channels */
        c->in_channels *= inner->in;
        *inner = *outer;
        *outer = one;
    }
    bool single = inner->size == 1 && inner->in == inner->out && inner->before == 0 && outer->size == 1 &&
                  outer->in == outer->out && outer->before == 0;
    if (single) { /* windows of one element: all are rows of one product */
        inner->in = inner->out = c->plane.batch * outer->in * inner->in;
        inner->stride = 1;
        *outer = one;
        c->plane.batch = 1;
    }
}

heed_convolution heed_convolution_of(const heed_plane *plane, int64_t in_channels, int64_t out_channels, int groups)
{
    heed_convolution c = {*plane, in_channels, out_channels, groups, groups > 1 && in_channels == groups &&
                          out_channels == groups};
    simplify(&c);
    return c;
}

typedef struct convolution_attributes {
    heed_plane  plane;   /* set by the shape rule */
    heed_sliding_window windows[HEED_SLIDING_AXES];
    int64_t     sizes[HEED_SLIDING_AXES]; /* of the result of a way back */
    int         groups;
} convolution_attributes;

/* A convolution seen from what it computes. */
typedef struct convolution_work {
    const heed_exec  *x;
    heed_convolution  c;
    bool              back;
    const float      *source, *kernel, *bias;
    float            *target, *packed;
    int64_t           bias_size;
    int64_t           source_channels, target_channels;
    int64_t           depth, width;  /* channels of a group: of the source, of the target */
    int64_t           stride;        /* of the inner axis */
    int64_t           taps;          /* of the inner axis */
    int64_t           rows, columns; /* of a tile */
    int64_t           row_tiles, column_tiles;
    bool              narrow;        /* back, to few channels: the source is what the products are made of */
    bool              gathered;      /* of few channels */
    bool              across;        /* a tile is of one row of many entries */
    float            *products;      /* narrow: a thread's are (source lines of a tile, rows, kernel positions, width) */
    float            *windows;       /* gathered: a thread's, see windows_size */
} convolution_work;

static convolution_work describe(const heed_node *n, bool back)
{
    const convolution_attributes *a = n->attributes;
    const heed_shape *kernel = &n->inputs[1]->shape;
    int64_t filters = kernel->dims[kernel->rank - 1], channels = kernel->dims[kernel->rank - 2] * a->groups;
    convolution_work w = {.c = heed_convolution_of(&a->plane, channels, filters, a->groups), .back = back};
    const heed_sliding_axis *inner = &w.c.plane.axes[HEED_INNER];
    w.bias_size = back ? channels : filters;
    w.source_channels = back ? w.c.out_channels : w.c.in_channels;
    w.target_channels = back ? w.c.in_channels : w.c.out_channels;
    w.depth = w.source_channels / w.c.groups;
    w.width = w.target_channels / w.c.groups;
    w.stride = inner->stride;
    w.taps = inner->size;
    bool many = a->groups == 1 && w.c.plane.axes[HEED_OUTER].size * w.taps > 1; /* taps */
    w.narrow = back && many && w.width < HEED_FEW_CHANNELS;
    w.gathered = !back && many && w.depth > 0 && w.depth < HEED_FEW_CHANNELS &&
                 w.c.plane.axes[HEED_OUTER].size * w.taps <= DEEPEST_GATHERED / w.depth;
    w.across = w.c.plane.batch > (back ? inner->in : inner->out) && !w.narrow && !w.gathered && !w.c.depthwise;
    return w;
}

static int64_t kernel_positions(const convolution_work *w) { return w->c.plane.axes[HEED_OUTER].size * w->taps; }

static int64_t panels_of(const convolution_work *w, const heed_kernels *k)
{
    return heed_tiles(w->narrow ? kernel_positions(w) * w->width : w->width, k->gemm_columns);
}

static int64_t packed_depth(const convolution_work *w) { return w->narrow ? w->depth : kernel_positions(w) * w->depth; }

/* ---- taps, in the order in which their source rows ascend: on the way back from the last to the first, those of one
 * remainder after another */

static int64_t tap_at(const convolution_work *w, int64_t place)
{
    if (!w->back)
        return place;
    int64_t remainder = 0, count;
    while (place >= (count = (w->taps - remainder + w->stride - 1) / w->stride)) {
        place -= count;
        remainder++;
    }
    return remainder + (count - 1 - place) * w->stride;
}

/* The source row under a tap for a target row, which may lie outside; false where the windows have none there. */
static bool source_at(const heed_sliding_axis *a, bool back, int64_t target, int64_t tap, int64_t *row)
{
    if (!back) {
        *row = heed_sliding_element(a, target, tap);
        return true;
    }
    int64_t distance = target + a->before - tap * a->dilation;
    *row = distance / a->stride;
    return distance % a->stride == 0;
}

/* Taps whose source rows follow on each other. */
typedef struct tap_run {
    int64_t first, count; /* places in the order above */
    int64_t row;          /* the source row under the first, for the first target row */
} tap_run;

/* The run that begins at *place or behind it, for target rows from `target` on; *place moves on. */
static bool next_run(const convolution_work *w, int64_t target, int64_t *place, tap_run *run)
{
    const heed_sliding_axis *inner = &w->c.plane.axes[HEED_INNER];
    bool joins = w->c.groups == 1 || w->c.depthwise;
    int64_t row;
    run->count = 0;
    for (; *place < w->taps; ++*place) {
        bool there = source_at(inner, w->back, target, tap_at(w, *place), &row);
        if (run->count > 0 && (!there || !joins || row != run->row + run->count))
            return true;
        if (!there)
            continue;
        if (run->count++ == 0) {
            run->first = *place;
            run->row = row;
        }
    }
    return run->count > 0;
}

/* ---- a tile */

/* Target rows `first`, first + step, ... of a line, or the row `first` of `rows` entries; the columns of one group. */
typedef struct target_block {
    int64_t entry, line, first, step, rows;
    int64_t x_row, y_row; /* from each row to the next: in the source, in the target */
    int64_t group, column, columns;
    const float *source; /* from this line of the entry on */
    int64_t source_line;
} target_block;

static float *target_of(const convolution_work *w, const target_block *b)
{
    const heed_sliding_axis *axes = w->c.plane.axes;
    int64_t lines = w->back ? axes[HEED_OUTER].in : axes[HEED_OUTER].out;
    int64_t rows = w->back ? axes[HEED_INNER].in : axes[HEED_INNER].out;
    return w->target + ((b->entry * lines + b->line) * rows + b->first) * w->target_channels + b->group * w->width +
           b->column;
}

/* The distances in a line. */
static void go_along(const convolution_work *w, target_block *b)
{
    b->x_row = (w->back ? 1 : w->stride) * w->source_channels;
    b->y_row = b->step * w->target_channels;
}

/* Adds to `rows` target rows from y on, `count` taps from place `first` on of kernel line `line`; x is the source row
 * under the first tap of the first. */
static void add_products(const convolution_work *w, const target_block *b, int64_t line, int64_t first, int64_t count,
                         int64_t rows, const float *x, float *y)
{
    const heed_kernels *k = w->x->kernels;
    if (w->c.depthwise) {
        const float *kernel = w->kernel + (line * w->taps + tap_at(w, first)) * w->target_channels + b->column;
        int64_t next_tap = (w->back ? -w->stride : 1) * w->target_channels;
        k->depthwise(rows, count, b->columns, x + b->column, b->x_row, w->source_channels, kernel, next_tap, y, b->y_row);
        return;
    }
    if (w->narrow) {
        static const float one[HEED_FEW_CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1};
        const float *product = x + (line * w->taps + tap_at(w, first)) * w->width;
        int64_t next_tap = w->source_channels - w->stride * w->width;
        k->depthwise(rows, count, w->width, product, b->x_row, next_tap, one, 0, y, b->y_row);
        return;
    }
    int64_t all = kernel_positions(w) * w->depth, begin = (line * w->taps + first) * w->depth;
    const float *packed = w->packed + (b->group * panels_of(w, k) * k->gemm_columns + b->column) * all;
    for (int64_t j = 0; j < b->columns; j += k->gemm_columns) {
        int64_t columns = b->columns - j < k->gemm_columns ? b->columns - j : k->gemm_columns;
        k->gemm_packed(rows, columns, count * w->depth, x + b->group * w->depth, b->x_row, 1,
                       packed + j * all + begin * k->gemm_columns, y + j, b->y_row, y + j, b->y_row);
    }
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* Of a run whose first tap is over `row`, those that lie within the line of `size` rows. */
static void add_within(const convolution_work *w, const target_block *b, int64_t line, const tap_run *r, int64_t row,
                       int64_t size, int64_t rows, const float *source, float *y)
{
    int64_t first = clamp(-row, 0, r->count), last = clamp(size - row, 0, r->count);
    if (first < last)
        add_products(w, b, line, r->first + first, last - first, rows, source + (row + first) * w->source_channels, y);
}

/* Rows begin..end-1, a row at a time: each takes the taps that lie within the line of `size` rows. */
static void add_edge(const convolution_work *w, const target_block *b, int64_t line, const tap_run *r,
                     const float *source, float *y, int64_t begin, int64_t end, int64_t size, int64_t step)
{
    for (int64_t i = begin; i < end; i++)
        add_within(w, b, line, r, r->row + i * step, size, 1, source, y + i * b->y_row);
}

/* Rows whose windows lie within the line go together. */
static void add_run(const convolution_work *w, const target_block *b, int64_t line, const tap_run *r,
                    const float *source, float *y)
{
    const heed_sliding_axis *inner = &w->c.plane.axes[HEED_INNER];
    int64_t size = w->back ? inner->out : inner->in, step = w->back ? 1 : w->stride, room = size - r->count - r->row;
    int64_t begin = clamp((step - 1 - r->row) / step, 0, b->rows);
    int64_t end = clamp(room < 0 ? 0 : room / step + 1, begin, b->rows);
    add_edge(w, b, line, r, source, y, 0, begin, size, step);
    if (begin < end)
        add_products(w, b, line, r->first, r->count, end - begin,
                     source + (r->row + begin * step) * w->source_channels, y + begin * b->y_row);
    add_edge(w, b, line, r, source, y, end, b->rows, size, step);
}

static void add_line(const convolution_work *w, const target_block *b, int64_t line, const float *source)
{
    float *y = target_of(w, b);
    tap_run run;
    for (int64_t place = 0; next_run(w, b->first, &place, &run);)
        add_run(w, b, line, &run, source, y);
}

/* Sets the rows to the bias, or to zeros. */
static void begin_rows(const convolution_work *w, const target_block *b)
{
    float *first = target_of(w, b), *row = first;
    int64_t column = b->group * w->width + b->column;
    for (int64_t j = 0; j < b->columns; j++)
        first[j] = w->bias == NULL ? 0.0f : w->bias[(column + j) % w->bias_size];
    for (int64_t i = 1; i < b->rows; i++)
        memcpy(row += b->y_row, first, (size_t)b->columns * sizeof *row);
}

/* To one row of many entries, which see the same taps. */
static void add_across(const convolution_work *w, const target_block *b, int64_t line, int64_t size, const float *source)
{
    float *y = target_of(w, b);
    tap_run run;
    for (int64_t place = 0; next_run(w, b->first, &place, &run);)
        add_within(w, b, line, &run, run.row, size, b->rows, source, y);
}

static void add_windows(const convolution_work *w, const target_block *b)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t lines = w->back ? outer->out : outer->in, rows = w->back ? inner->out : inner->in;
    int64_t step = w->back ? w->stride : 1;
    for (int64_t line = 0; line < outer->size; line++) {
        int64_t from;
        if (!source_at(outer, w->back, b->line, line, &from) || from < 0 || from >= lines)
            continue;
        const float *source = b->source + (from - b->source_line) * rows * w->source_channels;
        if (w->across) {
            add_across(w, b, line, rows, source);
            continue;
        }
        for (int64_t i = 0; i < step && i < b->rows; i++) {
            target_block every = *b; /* rows of one remainder */
            every.first += i;
            every.step = step;
            every.rows = (b->rows - i + step - 1) / step;
            go_along(w, &every);
            add_line(w, &every, line, source);
        }
    }
}

/* Elements of a batch entry. */
static int64_t source_size(const convolution_work *w)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    return (w->back ? outer->out * inner->out : outer->in * inner->in) * w->source_channels;
}

static int64_t target_size(const convolution_work *w)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    return (w->back ? outer->in * inner->in : outer->out * inner->out) * w->target_channels;
}

static void convolution_tile(void *work, int64_t tile, int thread)
{
    const convolution_work *w = work;
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t lines = w->back ? outer->in : outer->out;
    target_block b = {.step = 1};
    b.columns = heed_tile_range(w->width, w->columns, tile % w->column_tiles, &b.column);
    tile /= w->column_tiles;
    b.group = tile % (w->c.depthwise ? 1 : w->c.groups);
    tile /= w->c.depthwise ? 1 : w->c.groups;
    int64_t rows = w->back ? inner->in : inner->out;
    if (w->across) {
        b.rows = heed_tile_range(w->c.plane.batch, w->rows, tile % w->row_tiles, &b.entry);
        tile /= w->row_tiles;
        b.first = tile % rows;
        b.line = tile / rows;
        b.x_row = source_size(w);
        b.y_row = target_size(w);
    } else {
        b.rows = heed_tile_range(rows, w->rows, tile % w->row_tiles, &b.first);
        tile /= w->row_tiles;
        b.line = tile % lines;
        b.entry = tile / lines;
        go_along(w, &b);
    }
    b.source = w->source + b.entry * source_size(w);
    begin_rows(w, &b);
    add_windows(w, &b);
}

/* ---- a tile of few channels: some lines of an entry */

static int64_t narrow_lines(const convolution_work *w)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER];
    return outer->in < NARROW_LINES * outer->size ? outer->in : NARROW_LINES * outer->size;
}

/* Products of a thread. */
static int64_t products_size(const convolution_work *w)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER];
    int64_t lines = (narrow_lines(w) - 1 + (outer->size - 1) * outer->dilation) / outer->stride + 1;
    return (lines < outer->out ? lines : outer->out) * w->c.plane.axes[HEED_INNER].out * kernel_positions(w) * w->width;
}

/* The products of those source lines that target lines from `first` on take from; returns the first of them. */
static int64_t multiply_lines(const convolution_work *w, int64_t entry, int64_t first, int64_t lines, float *products)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER];
    int64_t lowest = first + outer->before - (outer->size - 1) * outer->dilation;
    int64_t begin = lowest > 0 ? (lowest + outer->stride - 1) / outer->stride : 0;
    int64_t end = clamp((first + lines - 1 + outer->before) / outer->stride + 1, 0, outer->out);
    int64_t columns = kernel_positions(w) * w->width, rows = w->c.plane.axes[HEED_INNER].out;
    if (begin < end)
        w->x->kernels->gemm_packed((end - begin) * rows, columns, w->depth,
                                   w->source + (entry * outer->out + begin) * rows * w->depth, w->depth, 1, w->packed,
                                   products, columns, NULL, 0);
    return begin;
}

static void narrow_tile(void *work, int64_t tile, int thread)
{
    const convolution_work *w = work;
    float *products = w->products + thread * products_size(w);
    int64_t first, tiles = heed_tiles(w->c.plane.axes[HEED_OUTER].in, narrow_lines(w));
    int64_t lines = heed_tile_range(w->c.plane.axes[HEED_OUTER].in, narrow_lines(w), tile % tiles, &first);
    target_block b = {.entry = tile / tiles, .rows = w->c.plane.axes[HEED_INNER].in, .step = 1, .columns = w->width};
    convolution_work sums = *w;
    sums.source_channels = kernel_positions(w) * w->width;
    b.source = products;
    b.source_line = multiply_lines(w, b.entry, first, lines, products);
    go_along(&sums, &b);
    for (b.line = first; b.line < first + lines; b.line++) {
        begin_rows(&sums, &b);
        add_windows(&sums, &b);
    }
}

/* ---- a tile of gathered windows */

/* Elements of a source line under so many windows, those outside of the line counted. */
static int64_t elements_under(const heed_sliding_axis *inner, int64_t windows)
{
    return (windows - 1) * inner->stride + (inner->size - 1) * inner->dilation + 1;
}

static int64_t strip_size(const convolution_work *w)
{
    const heed_sliding_axis *inner = &w->c.plane.axes[HEED_INNER];
    return elements_under(inner, inner->out < TILE_ROWS ? inner->out : TILE_ROWS) * w->depth;
}

/* Floats of a thread: the windows of a tile, then the strip of each line of the kernel. */
static int64_t windows_size(const convolution_work *w)
{
    return TILE_ROWS * packed_depth(w) + w->c.plane.axes[HEED_OUTER].size * strip_size(w);
}

/* The elements of a source line under a tile's windows, zeros where there are none. */
static void take_strip(const convolution_work *w, const target_block *b, int64_t line, float *strip)
{
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    int64_t from = heed_sliding_element(outer, b->line, line), first = heed_sliding_element(inner, b->first, 0);
    int64_t elements = elements_under(inner, b->rows);
    bool    there = from >= 0 && from < outer->in;
    int64_t begin = there ? clamp(-first, 0, elements) : elements;
    int64_t end = there ? clamp(inner->in - first, begin, elements) : elements;
    size_t  element = (size_t)w->depth * sizeof *strip;
    memset(strip, 0, (size_t)begin * element);
    if (begin < end)
        memcpy(strip + begin * w->depth, b->source + (from * inner->in + first + begin) * w->depth,
               (size_t)(end - begin) * element);
    memset(strip + end * w->depth, 0, (size_t)(elements - end) * element);
}

/* Each window's elements in the order of the kernel's. */
static void gather_windows(const convolution_work *w, const target_block *b, const float *strips, float *windows)
{
    const heed_sliding_axis *inner = &w->c.plane.axes[HEED_INNER];
    const heed_kernels *k = w->x->kernels;
    int64_t lines = w->c.plane.axes[HEED_OUTER].size, strip = strip_size(w), row = inner->stride * w->depth;
    if (inner->dilation == 1) {
        k->gather(b->rows, lines, w->taps * w->depth, strips, row, strip, windows);
        return;
    }
    for (int64_t i = 0; i < b->rows; i++)
        k->gather(lines, w->taps, w->depth, strips + i * row, strip, inner->dilation * w->depth,
                  windows + i * packed_depth(w));
}

static void gathered_tile(void *work, int64_t tile, int thread)
{
    const convolution_work *w = work;
    const heed_sliding_axis *outer = &w->c.plane.axes[HEED_OUTER], *inner = &w->c.plane.axes[HEED_INNER];
    float *windows = w->windows + thread * windows_size(w), *strips = windows + TILE_ROWS * packed_depth(w);
    target_block b = {.step = 1};
    b.rows = heed_tile_range(inner->out, w->rows, tile % w->row_tiles, &b.first);
    tile /= w->row_tiles;
    b.line = tile % outer->out;
    b.entry = tile / outer->out;
    b.source = w->source + b.entry * source_size(w);
    for (int64_t line = 0; line < outer->size; line++)
        take_strip(w, &b, line, strips + line * strip_size(w));
    gather_windows(w, &b, strips, windows);
    w->x->kernels->gemm_packed(b.rows, w->width, packed_depth(w), windows, packed_depth(w), 1, w->packed,
                               target_of(w, &b), w->target_channels, w->bias, 0);
}

/* ---- the kernel packed: a panel of a group after another, in each the taps in their order, as rows of one product */

static void pack_tile(void *work, int64_t tile, int thread)
{
    const convolution_work *w = work;
    const heed_kernels *k = w->x->kernels;
    int64_t group = tile / panels_of(w, k), panel = tile % panels_of(w, k), column;
    int64_t columns = heed_tile_range(w->width, k->gemm_columns, panel, &column);
    int64_t filters = w->c.out_channels, channels = w->c.in_channels / w->c.groups;
    float *packed = w->packed + tile * k->gemm_columns * packed_depth(w);
    if (w->narrow) { /* all taps are columns of one product */
        columns = heed_tile_range(kernel_positions(w) * w->width, k->gemm_columns, panel, &column);
        k->gemm_pack(columns, w->depth, w->kernel + column * filters, 1, filters, packed);
        return;
    }
    for (int64_t place = 0; place < kernel_positions(w); place++) {
        int64_t position = place / w->taps * w->taps + tap_at(w, place % w->taps);
        const float *from = w->kernel + position * channels * filters;
        if (w->back)
            k->gemm_pack(columns, w->depth, from + column * filters + group * w->depth, 1, filters, packed);
        else
            k->gemm_pack(columns, w->depth, from + group * w->width + column, filters, 1, packed);
        packed += w->depth * k->gemm_columns;
    }
}

static size_t packed_size(const convolution_work *w, const heed_kernels *k)
{
    if (w->c.depthwise)
        return 0;
    return heed_aligned((size_t)(w->c.groups * panels_of(w, k) * k->gemm_columns * packed_depth(w)) * sizeof(float));
}

static size_t scratch_size(const heed_node *n, bool back, int threads)
{
    convolution_work w = describe(n, back);
    int64_t floats = w.narrow ? products_size(&w) : w.gathered ? windows_size(&w) : 0; /* of a thread */
    return packed_size(&w, heed_kernels_for(n->graph->context->cpu)) + (size_t)(threads * floats) * sizeof(float);
}

static heed_status run(const heed_exec *x, const heed_node *n, bool back)
{
    convolution_work w = describe(n, back);
    const heed_plane *p = &w.c.plane;
    w.x = x;
    w.source = heed_data(x, n->inputs[0]);
    w.kernel = heed_data(x, n->inputs[1]);
    w.bias = n->input_count == 3 ? heed_data(x, n->inputs[2]) : NULL;
    w.target = heed_data(x, n->outputs[0]);
    w.rows = (w.c.depthwise ? heed_tile_rows(w.target_channels) : TILE_ROWS) * (back && !w.across ? w.stride : 1);
    w.columns = TILE_PANELS * x->kernels->gemm_columns;
    if (w.c.depthwise)
        w.width = w.columns = w.target_channels;
    else {
        w.packed = heed_scratch(x, n);
        heed_parallel(x->pool, w.c.groups * panels_of(&w, x->kernels), pack_tile, &w);
    }
    int64_t rows = back ? p->axes[HEED_INNER].in : p->axes[HEED_INNER].out;
    int64_t lines = back ? p->axes[HEED_OUTER].in : p->axes[HEED_OUTER].out;
    w.row_tiles = heed_tiles(w.across ? p->batch : rows, w.rows);
    w.column_tiles = heed_tiles(w.width, w.columns);
    int64_t groups = w.c.depthwise ? 1 : w.c.groups;
    if (w.narrow) {
        w.products = w.packed + packed_size(&w, x->kernels) / sizeof(float);
        heed_parallel(x->pool, p->batch * heed_tiles(p->axes[HEED_OUTER].in, narrow_lines(&w)), narrow_tile, &w);
        return HEED_OK;
    }
    if (w.gathered) {
        w.windows = w.packed + packed_size(&w, x->kernels) / sizeof(float);
        heed_parallel(x->pool, p->batch * lines * w.row_tiles, gathered_tile, &w);
        return HEED_OK;
    }
    int64_t tiles = lines * (w.across ? rows : p->batch) * w.row_tiles;
    heed_parallel(x->pool, tiles * groups * w.column_tiles, convolution_tile, &w);
    return HEED_OK;
}

/* ---- shapes */

static heed_status check_kernel(heed_node *n, int64_t in_channels, int64_t out_channels)
{
    const convolution_attributes *a = n->attributes;
    const heed_shape *kernel = &n->inputs[1]->shape;
    char text[128];
    int axes = n->inputs[0]->shape.rank - 2;
    heed_shape expected = {axes + 2, {0}};
    for (int i = 0; i < axes; i++)
        expected.dims[i] = a->windows[i].size;
    if (a->groups < 1 || in_channels % a->groups != 0 || out_channels % a->groups != 0)
        return heed_node_fail(n, "channels cannot be cut into groups (found %lld and %lld channels, %d groups)",
                              (long long)in_channels, (long long)out_channels, a->groups);
    expected.dims[axes] = in_channels / a->groups;
    expected.dims[axes + 1] = out_channels;
    if (heed_shape_equal(kernel, &expected))
        return HEED_OK;
    char found[128];
    return heed_node_fail(n, "the kernel does not fit (expected %s, found %s)",
                          heed_shape_text(&expected, text, sizeof text),
                          heed_shape_text(kernel, found, sizeof found));
}

static heed_status check_operands(heed_node *n, int64_t bias_size)
{
    char text[128];
    for (int i = 0; i < n->input_count; i++)
        HEED_TRY(heed_node_expect(n, i, HEED_FLOAT32));
    if (n->input_count == 3 && (n->inputs[2]->shape.rank != 1 || n->inputs[2]->count != bias_size))
        return heed_node_fail(n, "the bias does not fit (expected (%lld,), found %s)", (long long)bias_size,
                              heed_shape_text(&n->inputs[2]->shape, text, sizeof text));
    return HEED_OK;
}

static int64_t channels_of(const heed_tensor *x) { return x->shape.dims[x->shape.rank - 1]; }

/* Channels on the side of the windows that the kernel names second to last. */
static int64_t kernel_channels(const heed_node *n)
{
    const heed_shape *kernel = &n->inputs[1]->shape;
    return kernel->rank < 2 ? 0 : kernel->dims[kernel->rank - 2] * ((convolution_attributes *)n->attributes)->groups;
}

static heed_status convolution_shape(heed_node *n)
{
    convolution_attributes *a = n->attributes;
    const heed_tensor *x = n->inputs[0], *kernel = n->inputs[1];
    HEED_TRY(heed_plane_of(n, x, a->windows, &a->plane));
    int64_t filters = kernel->shape.rank == 0 ? 0 : channels_of(kernel);
    HEED_TRY(check_kernel(n, channels_of(x), filters));
    HEED_TRY(check_operands(n, filters));
    heed_shape shape = heed_plane_out(&a->plane, x->shape.rank - 2, filters);
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

static heed_status transpose_shape(heed_node *n)
{
    convolution_attributes *a = n->attributes;
    const heed_tensor *x = n->inputs[0];
    char text[128], found[128];
    int axes = x->shape.rank - 2;
    if (axes != 1 && axes != 2)
        return heed_node_fail(n, "it takes one or two axes between batch and channels (expected rank 3 or 4, found %s)",
                              heed_shape_text(&x->shape, text, sizeof text));
    HEED_TRY(heed_plane_of_sizes(n, x->shape.dims[0], axes, a->sizes, a->windows, &a->plane));
    heed_shape expected = heed_plane_out(&a->plane, axes, channels_of(x));
    if (!heed_shape_equal(&expected, &x->shape))
        return heed_node_fail(n, "the windows cut the result into another shape (expected %s, found %s)",
                              heed_shape_text(&expected, text, sizeof text),
                                  heed_shape_text(&x->shape, found, sizeof found));
    HEED_TRY(check_kernel(n, kernel_channels(n), channels_of(x)));
    HEED_TRY(check_operands(n, kernel_channels(n)));
    heed_shape shape = heed_plane_in(&a->plane, axes, kernel_channels(n));
    heed_node_set(n, 0, HEED_FLOAT32, &shape);
    return HEED_OK;
}

/* ---- the operations */

static size_t convolution_scratch(const heed_node *n, int threads) { return scratch_size(n, false, threads); }
static size_t transpose_scratch(const heed_node *n, int threads) { return scratch_size(n, true, threads); }
static heed_status convolution_forward(const heed_exec *x, const heed_node *n) { return run(x, n, false); }
static heed_status transpose_forward(const heed_exec *x, const heed_node *n) { return run(x, n, true); }

static heed_tensor *bias_gradient(const heed_node *n, heed_tensor *dy)
{
    int axes[] = {0, 1, 2};
    bool wanted = n->input_count == 3 && n->inputs[2]->needs_gradient;
    return wanted ? heed_op_sum(dy, axes, dy->shape.rank - 1, false) : NULL;
}

static heed_status convolution_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const convolution_attributes *a = n->attributes;
    heed_tensor *x = n->inputs[0], *kernel = n->inputs[1];
    if (x->needs_gradient)
        dx[0] = heed_op_convolution_transpose(dy[0], kernel, NULL, a->windows, a->groups, x->shape.dims + 1);
    if (kernel->needs_gradient)
        dx[1] = heed_op_convolution_kernel_gradient(x, dy[0], a->windows, a->groups);
    if (n->input_count == 3)
        dx[2] = bias_gradient(n, dy[0]);
    return n->graph->status;
}

static heed_status transpose_gradient(heed_node *n, heed_tensor *const *dy, heed_tensor **dx)
{
    const convolution_attributes *a = n->attributes;
    heed_tensor *x = n->inputs[0], *kernel = n->inputs[1];
    if (x->needs_gradient)
        dx[0] = heed_op_convolution(dy[0], kernel, NULL, a->windows, a->groups);
    if (kernel->needs_gradient)
        dx[1] = heed_op_convolution_kernel_gradient(dy[0], x, a->windows, a->groups);
    if (n->input_count == 3)
        dx[2] = bias_gradient(n, dy[0]);
    return n->graph->status;
}

const heed_op heed_kind_convolution = {.name = "convolution", .shape = convolution_shape,
                                       .scratch = convolution_scratch, .forward = convolution_forward,
                                       .gradient = convolution_gradient};

const heed_op heed_kind_convolution_transpose = {.name = "convolution_transpose", .shape = transpose_shape,
                                                 .scratch = transpose_scratch, .forward = transpose_forward,
                                                 .gradient = transpose_gradient};

static heed_tensor *add(const heed_op *op, heed_tensor *x, heed_tensor *kernel, heed_tensor *bias,
                        const heed_sliding_window *windows, int groups, const int64_t *sizes)
{
    convolution_attributes a = {.groups = groups};
    for (int i = 0; x != NULL && i < x->shape.rank - 2 && i < HEED_SLIDING_AXES; i++) {
        a.windows[i] = windows[i];
        a.sizes[i] = sizes == NULL ? 0 : sizes[i];
    }
    heed_tensor *inputs[] = {x, kernel, bias};
    return heed_node_output(NULL, op, &a, sizeof a, inputs, bias == NULL ? 2 : 3);
}

heed_tensor *heed_op_convolution(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias,
                                 const heed_sliding_window *windows, int groups)
{
    return add(&heed_kind_convolution, x, kernel, bias, windows, groups, NULL);
}

heed_tensor *heed_op_convolution_transpose(heed_tensor *x, heed_tensor *kernel, heed_tensor *bias,
                                           const heed_sliding_window *windows, int groups, const int64_t *sizes)
{
    return add(&heed_kind_convolution_transpose, x, kernel, bias, windows, groups, sizes);
}
