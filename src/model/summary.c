/* The summary of a model, as Keras prints it. */
#include "model/table.h"
#include "model/training.h"

#include <stdio.h>
#include <string.h>

/* The wiring as Keras sees it: where a mask is handed to a layer, the operations that make it are among the layers. */
typedef struct picture {
    heed_model  *model;
    heed_zone    zone;
    heed_symbol **symbols; /* the picture's, by the model's index */
    heed_symbol **masks;   /* what rides on them, by the same */
    heed_wires   wires;
    heed_index   made;     /* by layer */
    heed_made  **layers;
    size_t       layer_count;
    int          not_equal, any; /* how many of these operations there are */
    bool         plain;          /* a chain: connections go without saying */
    /* rows of the table */
    const char **cells;
    size_t       row_count, row_capacity;
    const heed_summary_config *config;
    int          columns;
} picture;

/* ---- wires and operations */

static const heed_layer_class not_equal_class = {.name = "NotEqual"}, any_class = {.name = "Any"};

static heed_symbol *new_symbol(picture *p, heed_wire *w, const heed_shape *shape)
{
    heed_symbol *s = heed_zone_alloc(&p->zone, 1, sizeof *s);
    if (s != NULL)
        *s = (heed_symbol){.model = p->model, .wire = w, .shape = *shape};
    return s;
}

/* The picture's record of a layer. */
static heed_made *made_of(picture *p, heed_layer *layer)
{
    heed_made *made = heed_index_find_address(&p->made, layer);
    if (made != NULL || (made = heed_zone_alloc(&p->zone, 1, sizeof *made)) == NULL)
        return made;
    made->layer = layer;
    return heed_index_put_address(&p->made, &p->zone, layer, made) == HEED_OK ? made : NULL;
}

static heed_wire *new_wire(picture *p, heed_layer *layer, int inputs, int outputs)
{
    heed_wire *w = heed_zone_alloc(&p->zone, 1, sizeof *w);
    heed_symbol **ends = heed_zone_alloc(&p->zone, (size_t)(inputs + outputs), sizeof *ends);
    heed_made *made = made_of(p, layer);
    if (w == NULL || ends == NULL || made == NULL)
        return NULL;
    *w = (heed_wire){.layer = layer, .made = made, .call = made->calls++, .input_count = inputs, .output_count = outputs,
                     .inputs = ends, .outputs = ends + inputs};
    p->wires.items[p->wires.count++] = w;
    return w;
}

static heed_symbol *add_operation(picture *p, const heed_layer_class *class, int *number, heed_symbol *x,
                                  const heed_shape *shape)
{
    heed_layer *operation = heed_zone_alloc(&p->zone, 1, sizeof *operation);
    char base[32];
    if (operation == NULL)
        return NULL;
    operation->layer_class = class;
    heed_snake_case(class->name, base, sizeof base);
    operation->name = heed_zone_printf(&p->zone, *number == 0 ? "%s" : "%s_%d", base, *number);
    ++*number;
    heed_wire *w = operation->name == NULL ? NULL : new_wire(p, operation, 1, 1);
    if (w == NULL)
        return NULL;
    w->inputs[0] = x;
    return w->outputs[0] = new_symbol(p, w, shape);
}

/* The mask that a layer makes anew: Embedding by comparing ids, Masking by comparing and reducing. NULL: it makes none.
 */
static heed_status make_mask(picture *p, const heed_wire *w, heed_symbol *input, heed_symbol **out)
{
    const char *name = w->layer->layer_class->name;
    heed_shape shape = input->shape;
    *out = NULL;
    if (strcmp(name, "Embedding") != 0 && strcmp(name, "Masking") != 0)
        return HEED_OK;
    *out = add_operation(p, &not_equal_class, &p->not_equal, input, &shape);
    if (*out != NULL && name[0] == 'M') {
        shape.rank--;
        *out = add_operation(p, &any_class, &p->any, *out, &shape);
    }
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Layers that Keras hands the mask of their one input. */
static bool takes_mask(const heed_wire *w)
{
    static const char *const names[] = {"LSTM",
                                        "GRU",
                                        "SimpleRNN",
                                        "RNN",
                                        "Bidirectional",
                                        "TimeDistributed",
                                        "Softmax",
                                        "BatchNormalization",
                                        "GlobalAveragePooling1D"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (w->input_count == 1 && strcmp(names[i], w->layer->layer_class->name) == 0)
            return true;
    return false;
}

static heed_status copy_wire(picture *p, const heed_wire *w)
{
    heed_symbol *mask = w->input_count > 0 && takes_mask(w) ? p->masks[w->inputs[0]->index] : NULL, *made = NULL;
    if (w->masks != NULL && w->masks[0] != NULL)
        mask = p->symbols[w->masks[0]->index];
    heed_wire *copy = new_wire(p, w->layer, w->input_count + (mask != NULL), w->output_count);
    if (copy == NULL)
        return HEED_ENOMEM;
    for (int i = 0; i < w->input_count; i++)
        copy->inputs[i] = p->symbols[w->inputs[i]->index];
    if (mask != NULL)
        copy->inputs[w->input_count] = mask;
    for (int k = 0; k < w->output_count; k++) {
        heed_symbol *s = copy->outputs[k] = new_symbol(p, copy, &w->outputs[k]->shape);
        if (s == NULL)
            return HEED_ENOMEM;
        s->output = k;
        p->symbols[w->outputs[k]->index] = s;
    }
    if (w->input_count > 0 && w->outputs[0]->masked)
        HEED_TRY(make_mask(p, w, copy->inputs[0], &made));
    for (int k = 0; k < w->output_count && w->input_count > 0; k++)
        if (w->outputs[k]->masked)
            p->masks[w->outputs[k]->index] = made != NULL ? made : p->masks[w->inputs[0]->index];
    return HEED_OK;
}

static heed_symbol **pick(picture *p, heed_symbol *const *symbols, int count)
{
    heed_symbol **out = heed_zone_alloc(&p->zone, (size_t)count, sizeof *out);
    for (int i = 0; i < count && out != NULL; i++)
        out[i] = p->symbols[symbols[i]->index];
    return out;
}

static heed_status copy_wires(picture *p)
{
    heed_model *m = p->model;
    p->symbols = heed_zone_alloc(&p->zone, (size_t)m->symbol_count, sizeof *p->symbols);
    p->masks = heed_zone_alloc(&p->zone, (size_t)m->symbol_count, sizeof *p->masks);
    p->wires.items = heed_zone_alloc(&p->zone, 3 * m->wires.count, sizeof *p->wires.items);
    if (p->symbols == NULL || p->masks == NULL || p->wires.items == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->wires.count; i++)
        HEED_TRY(copy_wire(p, m->wires.items[i]));
    heed_symbol **inputs = pick(p, m->inputs, m->input_count), **outputs = pick(p, m->outputs, m->output_count);
    if (inputs == NULL || outputs == NULL)
        return HEED_ENOMEM;
    heed_ends ends = {inputs, outputs, m->input_count, m->output_count};
    heed_order order;
    HEED_TRY(heed_order_wires(&p->zone, &ends, &p->wires, &order));
    p->layers = order.layers;
    p->layer_count = order.layer_count;
    return HEED_OK;
}

/* No layer with several inputs, none called twice, and each but the first behind the one before. */
static bool is_chain(const picture *p)
{
    for (size_t i = 0; i < p->wires.count; i++) {
        const heed_wire *w = p->wires.items[i];
        if (w->input_count > 1 || (i > 0 && w->input_count == 0) || w->call > 0)
            return false;
        if (i > 0 && w->inputs[0]->wire != p->wires.items[i - 1])
            return false;
    }
    return true;
}

/* ---- cells */

static void write_shape(heed_text *text, const heed_shape *shape)
{
    char sizes[200];
    heed_text_printf(text, "%s", heed_shape_text(shape, sizes, sizeof sizes));
}

static const char *finish(picture *p, heed_text *text)
{
    const char *copy =
        heed_text_status(text) == HEED_OK ? heed_zone_strdup(&p->zone, text->length == 0 ? "" : text->bytes) : NULL;
    heed_text_free(text);
    return copy;
}

/* Of the last call, as Keras does; several in brackets. */
static const char *shape_cell(picture *p, const heed_made *made)
{
    const heed_wire *w = made->last;
    if (w == NULL)
        return "?";
    heed_text text = {.context = p->zone.context};
    bool tuple = strstr(made->layer->layer_class->name, "Attention") != NULL;
    if (w->output_count > 1)
        heed_text_printf(&text, tuple ? "(" : "[");
    for (int k = 0; k < w->output_count; k++) {
        heed_text_printf(&text, k == 0 ? "" : ", ");
        write_shape(&text, &w->outputs[k]->shape);
    }
    if (w->output_count > 1)
        heed_text_printf(&text, tuple ? ")" : "]");
    return finish(p, &text);
}

/* 12345 as 12,345. */
static const char *number_text(int64_t value, char *out, size_t size)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)value), at = 0;
    for (int i = 0; i < length && (size_t)at + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static int64_t parameters_of(const heed_layer *layer)
{
    int64_t count = 0;
    for (int i = 0; i < heed_layer_weight_count(layer); i++)
        count += heed_layer_weight_at(layer, i)->count;
    return count;
}

static const char *parameter_cell(picture *p, const heed_layer *layer)
{
    char number[40];
    bool operation = layer->config == NULL;
    if (!operation && !layer->built)
        return "0 (unbuilt)";
    return heed_zone_strdup(&p->zone, number_text(operation ? 0 : parameters_of(layer), number, sizeof number));
}

static const char *connection_cell(picture *p, const heed_made *made)
{
    heed_text text = {.context = p->zone.context};
    for (const heed_wire *w = made->first; w != NULL; w = w->next)
        for (int k = 0; k < w->input_count; k++) {
            const heed_symbol *s = w->inputs[k];
            heed_text_printf(&text, "%s%s[%d][%d]", text.length == 0 ? "" : ", ", s->wire->layer->name, s->wire->call,
                             s->output);
        }
    if (text.length == 0)
        heed_text_printf(&text, "-");
    return finish(p, &text);
}

static const char *trainable_cell(const heed_layer *layer)
{
    if (layer->config == NULL || heed_layer_weight_count(layer) == 0)
        return "-";
    return layer->trainable ? "Y" : "N";
}

/* ---- rows */

/* Room for a row's cells behind the others. */
static const char **new_row(picture *p)
{
    size_t columns = (size_t)p->columns;
    if (p->row_count == p->row_capacity) {
        size_t capacity = p->row_capacity == 0 ? 64 : 2 * p->row_capacity;
        const char **cells = heed_zone_alloc(&p->zone, capacity * columns, sizeof *cells);
        if (cells == NULL)
            return NULL;
        if (p->row_count > 0)
            memcpy(cells, p->cells, p->row_count * columns * sizeof *cells);
        p->cells = cells;
        p->row_capacity = capacity;
    }
    return p->cells + p->row_count++ * columns;
}

static heed_status add_row(picture *p, const heed_made *made, int level)
{
    const heed_layer *layer = made->layer;
    const char **row = new_row(p);
    int k = 0;
    if (row == NULL)
        return HEED_ENOMEM;
    row[k++] = heed_zone_printf(&p->zone, "%*s%s%s (%s)", 3 * level, "", level == 0 ? "" : "└ ", layer->name,
                                layer->layer_class->name);
    row[k++] = shape_cell(p, made);
    row[k++] = parameter_cell(p, layer);
    if (!p->plain)
        row[k++] = level == 0 ? connection_cell(p, made) : "-";
    if (p->config->show_trainable)
        row[k++] = trainable_cell(layer);
    for (int i = 0; i < k; i++)
        if (row[i] == NULL)
            return HEED_ENOMEM;
    return HEED_OK;
}

static heed_status add_rows(picture *p, const heed_made *made, int level);

/* The layers of a model. */
static heed_status add_layers(picture *p, const heed_model *m, int level)
{
    for (int i = 0; i < heed_model_layer_count(m); i++)
        HEED_TRY(add_rows(p, heed_model_made(m, heed_model_layer_at(m, i)), level));
    return HEED_OK;
}

static heed_status add_rows(picture *p, const heed_made *made, int level)
{
    const heed_model *inner = made->layer->config == NULL ? NULL : heed_layer_model(made->layer);
    HEED_TRY(add_row(p, made, level));
    return inner == NULL || !p->config->expand_nested ? HEED_OK : add_layers(p, inner, level + 1);
}

/* ---- the whole */

static void set_columns(const picture *p, heed_table *t, const char **head)
{
    static const double plain[] = {0.45, 0.80, 1.0}, wired[] = {0.3, 0.56, 0.74, 1.0};
    static const char *const names[] = {"Layer (type)", "Output Shape", "Param #", "Connected to"};
    const double *positions = p->plain ? plain : wired;
    int count = p->plain ? 3 : 4, length = p->config->line_length, current = 0;
    bool more = p->config->show_trainable;
    if (length <= 0)
        length = (p->plain ? 88 : 108) + (more ? 12 : 0);
    t->columns = count + more;
    for (int k = 0; k < t->columns; k++) {
        double position = k == count ? 1.0 : more ? positions[k] * 0.90 : positions[k];
        int end = (int)(position * length);
        t->widths[k] = end - current;
        t->justify[k] = k == count ? HEED_CENTER : k == 2 ? HEED_RIGHT : HEED_LEFT;
        head[k] = k == count ? "Trainable" : names[k];
        current = end;
    }
    heed_table_fit(t, length);
}

static void write_total(heed_text *out, const char *what, int64_t count, double bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    char number[40];
    int unit = 0;
    while (bytes >= 1024.0 && unit < 5) {
        bytes /= 1024.0;
        unit++;
    }
    heed_text_printf(out, " %s params: %s (%.2f %s)\n", what, number_text(count, number, sizeof number), bytes,
                     units[unit]);
}

static void write_totals(heed_model *m, heed_text *out)
{
    int64_t trainable = heed_parameter_count(m, true), fixed = heed_parameter_count(m, false) - trainable, kept = 0;
    double kept_bytes = 0.0;
    bool optimizer = m->training != NULL && heed_optimizer_prepared(m->training->optimizer);
    for (int i = 0; optimizer && i < heed_optimizer_count(m); i++) {
        const heed_array *a = heed_optimizer_array(m, i);
        kept += heed_array_count(a);
        kept_bytes += (double)heed_array_count(a) * (double)heed_dtype_size(a->dtype);
    }
    write_total(out, "Total", trainable + fixed + kept, 4.0 * (double)(trainable + fixed) + kept_bytes);
    write_total(out, "Trainable", trainable, 4.0 * (double)trainable);
    write_total(out, "Non-trainable", fixed, 4.0 * (double)fixed);
    if (optimizer)
        write_total(out, "Optimizer", kept, kept_bytes);
}

static heed_status draw(picture *p)
{
    heed_model *m = p->model;
    if (m->closed && !m->sequential)
        HEED_TRY(copy_wires(p));
    p->plain = m->sequential || is_chain(p);
    p->columns = (p->plain ? 3 : 4) + p->config->show_trainable;
    if (m->sequential)
        HEED_TRY(add_layers(p, m, 0));
    for (size_t i = 0; i < p->layer_count; i++)
        HEED_TRY(add_rows(p, p->layers[i], 0));
    return HEED_OK;
}

heed_status heed_summary_with(heed_model *m, const heed_summary_config *config, char **text)
{
    *text = NULL;
    HEED_TRY(heed_model_status(m));
    if (!m->sequential || m->input_count > 0)
        HEED_TRY(heed_model_complete(m));
    if (config->line_length > 0 && config->line_length < 32)
        return heed_fail(m->context, HEED_EINVAL, "%s: a summary needs at least 32 columns (found %d)",
                         heed_model_name(m), config->line_length);
    picture p = {.model = m, .config = config};
    heed_zone_init(&p.zone, m->context);
    heed_text out = {.context = m->context};
    heed_status status = draw(&p);
    if (status == HEED_OK) {
        heed_table table;
        const char *head[HEED_TABLE_COLUMNS];
        set_columns(&p, &table, head);
        heed_text_printf(&out, "Model: \"%s\"\n", heed_model_name(m));
        heed_table_write(&table, head, p.cells, p.row_count, &out);
        write_totals(m, &out);
        status = heed_text_status(&out);
    }
    heed_zone_free(&p.zone);
    if (status == HEED_OK)
        *text = out.bytes;
    else
        heed_text_free(&out);
    return status;
}

heed_status heed_summary_text(heed_model *m, int line_length, char **text)
{
    return heed_summary_with(m, &(heed_summary_config){.line_length = line_length}, text);
}
