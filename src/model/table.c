#include "model/table.h"

#include <math.h>
#include <string.h>

static const char ELLIPSIS[] = "\xe2\x80\xa6";

void heed_table_fit(heed_table *t, int total)
{
    int needed = t->columns + 1;
    for (int k = 0; k < t->columns; k++)
        needed += t->widths[k] + 2;
    int excess = needed - total;
    for (int k = 0; k < t->columns && excess > 0; k++) {
        int share = (int)nearbyint((double)excess / (t->columns - k)); /* halves to even */
        int most = t->widths[k] + 2;
        share = share < most ? share : most;
        t->widths[k] -= share < t->widths[k] ? share : t->widths[k];
        excess -= share;
    }
}

/* ---- lines of a cell */

static bool continues(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

static int columns_of(const char *text, size_t bytes)
{
    int columns = 0;
    for (size_t i = 0; i < bytes; i++)
        columns += !continues(text[i]);
    return columns;
}

static size_t bytes_of(const char *text, size_t bytes, int columns)
{
    size_t i = 0;
    while (i < bytes && (columns > 0 || continues(text[i])))
        columns -= !continues(text[i++]);
    return i;
}

/* A word with the space around it: where it ends, and how long it is without the space behind. */
static size_t next_word(const char *text, size_t begin, size_t *bare)
{
    size_t i = begin;
    while (text[i] == ' ')
        i++;
    while (text[i] != '\0' && text[i] != ' ')
        i++;
    *bare = i - begin;
    while (text[i] == ' ')
        i++;
    return i;
}

/* How many bytes of text go into the next line. A word too long for any line stands alone, and is cut later. */
static size_t line_length(const char *text, int width)
{
    size_t taken = 0;
    int used = 0;
    while (text[taken] != '\0') {
        size_t bare, end = next_word(text, taken, &bare);
        if (used + columns_of(text + taken, bare) > width && taken > 0)
            break;
        used += columns_of(text + taken, end - taken);
        taken = end;
    }
    return taken;
}

static void pad(heed_text *out, int columns)
{
    while (columns-- > 0)
        heed_text_append(out, " ", 1);
}

static void write_line(heed_text *out, const char *text, size_t bytes, int width, heed_justify justify)
{
    while (bytes > 0 && text[bytes - 1] == ' ')
        bytes--;
    int columns = columns_of(text, bytes);
    bool cut = columns > width;
    if (cut) {
        bytes = bytes_of(text, bytes, width - 1);
        columns = width;
    }
    int before = justify == HEED_LEFT ? 0 : justify == HEED_RIGHT ? width - columns : (width - columns) / 2;
    pad(out, before);
    heed_text_append(out, text, bytes);
    if (cut)
        heed_text_printf(out, "%s", ELLIPSIS);
    pad(out, width - columns - before);
}

/* ---- rows */

static bool write_row_line(const heed_table *t, const char **cells, const char *bar, heed_text *out)
{
    bool more = false;
    heed_text_printf(out, "%s", bar);
    for (int k = 0; k < t->columns; k++) {
        size_t bytes = line_length(cells[k], t->widths[k]);
        heed_text_append(out, " ", 1);
        write_line(out, cells[k], bytes, t->widths[k], t->justify[k]);
        heed_text_printf(out, " %s", bar);
        cells[k] += bytes;
        more |= cells[k][0] != '\0';
    }
    heed_text_append(out, "\n", 1);
    return more;
}

static void write_row(const heed_table *t, const char *const *row, const char *bar, heed_text *out)
{
    const char *cells[HEED_TABLE_COLUMNS];
    for (int k = 0; k < t->columns; k++)
        cells[k] = row[k];
    while (write_row_line(t, cells, bar, out))
        ;
}

static void write_border(const heed_table *t, const char *left, const char *line, const char *cross, const char *right,
                         heed_text *out)
{
    for (int k = 0; k < t->columns; k++) {
        heed_text_printf(out, "%s", k == 0 ? left : cross);
        for (int i = 0; i < t->widths[k] + 2; i++)
            heed_text_printf(out, "%s", line);
    }
    heed_text_printf(out, "%s\n", right);
}

void heed_table_write(const heed_table *t, const char *const *head, const char *const *rows, size_t row_count,
                      heed_text *out)
{
    write_border(t, "┏", "━", "┳", "┓", out);
    write_row(t, head, "┃", out);
    write_border(t, "┡", "━", "╇", "┩", out);
    for (size_t i = 0; i < row_count; i++) {
        if (i > 0)
            write_border(t, "├", "─", "┼", "┤", out);
        write_row(t, rows + i * (size_t)t->columns, "│", out);
    }
    write_border(t, "└", "─", "┴", "┘", out);
}
