/* Weights as lists: by layer in order, or by layer's name. */
#include "formats/keras_legacy.h"
#include "formats/keras_quantized.h"
#include "formats/keras_text.h"

#include <stdlib.h>
#include <string.h>

/* ---- the order ---- */

typedef struct listing {
    heed_zone          *zone;
    heed_legacy_weight *items;
    size_t              count, capacity;
    heed_index          listed; /* variables */
} listing;

/* Makes room for `more` further weights. */
static heed_status make_room(listing *l, size_t more)
{
    if (more <= l->capacity - l->count)
        return HEED_OK;
    size_t capacity = 2 * (l->count + more);
    heed_legacy_weight *items = heed_zone_alloc(l->zone, capacity, sizeof *items);
    if (items == NULL)
        return HEED_ENOMEM;
    if (l->count > 0)
        memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->capacity = capacity;
    return HEED_OK;
}

static heed_status add_own(listing *l, heed_layer *layer, size_t first, size_t end)
{
    HEED_TRY(make_room(l, end - first));
    for (size_t i = first; i < end; i++) {
        heed_variable *v = layer->variables[i];
        if (heed_index_find_address(&l->listed, v) != NULL)
            continue;
        HEED_TRY(heed_index_put_address(&l->listed, l->zone, v, v));
        l->items[l->count++] = (heed_legacy_weight){layer, v};
    }
    return HEED_OK;
}

static heed_status add_trained(listing *l, heed_layer *layer)
{
    if (!layer->trainable)
        return HEED_OK;
    HEED_TRY(add_own(l, layer, 0, layer->declared_trainable));
    for (size_t i = 0; i < layer->child_count; i++)
        HEED_TRY(add_trained(l, layer->children[i].layer));
    return HEED_OK;
}

/* A layer that is frozen lists all of its own, then each layer in it as if it stood alone. */
static heed_status add_untrained(listing *l, heed_layer *layer)
{
    HEED_TRY(add_own(l, layer, layer->trainable ? layer->declared_trainable : 0, layer->variable_count));
    for (size_t i = 0; i < layer->child_count; i++) {
        if (!layer->trainable)
            HEED_TRY(add_trained(l, layer->children[i].layer));
        HEED_TRY(add_untrained(l, layer->children[i].layer));
    }
    return HEED_OK;
}

heed_status heed_legacy_order(heed_zone *z, heed_layer *layer, heed_legacy_weight **out, size_t *count)
{
    listing l = {.zone = z};
    *out = NULL;
    *count = 0;
    HEED_TRY(make_room(&l, 1));
    HEED_TRY(add_trained(&l, layer));
    HEED_TRY(add_untrained(&l, layer));
    *out = l.items;
    *count = l.count;
    return HEED_OK;
}

/* ---- arrays to weights ---- */

/* What one layer of the file has for one of the model. */
typedef struct transfer {
    heed_context       *context;
    heed_layer         *layer;
    heed_legacy_weight *weights;
    heed_array        **arrays; /* float32 */
    size_t              weight_count, array_count;
    bool                theano; /* which turned the kernels of convolutions around */
} transfer;

static heed_status misfit(const transfer *t, const heed_legacy_weight *w, const heed_array *a)
{
    char expected[128], found[128];
    return heed_layer_fail(t->layer, HEED_ESHAPE, "the shape of the weight '%s' does not fit (expected %s, found %s)",
                           w->variable->name, heed_shape_text(&w->variable->shape, expected, sizeof expected),
                           heed_shape_text(&a->shape, found, sizeof found));
}

static bool has_shape(const heed_array *a, int rank, int64_t rows, int64_t columns)
{
    return a->shape.rank == rank && a->shape.dims[0] == rows && (rank < 2 || a->shape.dims[1] == columns);
}

/* Puts a block of `width` columns into a matrix of `total`, from column `first` on. */
static void put_columns(float *target, int64_t total, int64_t first, const float *block, int64_t rows, int64_t width)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(target + r * total + first, block + r * width, (size_t)width * sizeof *target);
}

/* Where a cell's gate stands among the triples (kernel, recurrent kernel, bias) of Keras 1: an LSTM's are i, c, f, o
 * there, and i, f, c, o now. */
static int place_in_keras1(int gates, int gate)
{
    static const int lstm[] = {0, 2, 1, 3};
    return gates == 4 ? lstm[gate] : gate;
}

/* Keras 1 kept each gate's weights apart. */
static heed_status take_gates_apart(const transfer *t, const heed_legacy_weight *w, heed_array *const *arrays,
                                    int gates)
{
    for (int part = 0; part < 3; part++) {
        heed_variable *v = w[part].variable;
        int64_t width = v->shape.dims[v->shape.rank - 1] / gates, rows = part == 2 ? 1 : v->shape.dims[0];
        for (int gate = 0; gate < gates; gate++) {
            const heed_array *a = arrays[3 * place_in_keras1(gates, gate) + part];
            if (part == 2 ? !has_shape(a, 1, width, 0) : !has_shape(a, 2, rows, width))
                return misfit(t, &w[part], a);
            HEED_TRY(heed_variable_claim(v));
            put_columns(v->data, gates * width, gate * width, a->data, rows, width);
        }
    }
    return HEED_OK;
}

/* What cuDNN keeps as a kernel (F, u) of one gate: its transpose, read column by column. `at` is its first column in
 * rows of `total`. */
static void untangle_kernel(const float *from, float *to, int64_t features, int64_t units, int64_t total)
{
    for (int64_t i = 0; i < features; i++)
        for (int64_t j = 0; j < units; j++) {
            int64_t k = i + j * features;
            to[i * total + j] = from[k / units * total + k % units];
        }
}

/* Weights of a CuDNNLSTM or CuDNNGRU. */
static heed_status take_cudnn(const transfer *t, const heed_legacy_weight *w, heed_array *const *arrays, int gates)
{
    heed_variable *kernel = w[0].variable, *recurrent = w[1].variable, *bias = w[2].variable;
    int64_t features = kernel->shape.dims[0], total = kernel->shape.dims[1], units = total / gates;
    if (!heed_shape_equal(&arrays[0]->shape, &kernel->shape))
        return misfit(t, &w[0], arrays[0]);
    if (!heed_shape_equal(&arrays[1]->shape, &recurrent->shape))
        return misfit(t, &w[1], arrays[1]);
    for (int i = 0; i < 3; i++)
        HEED_TRY(heed_variable_claim(w[i].variable));
    const float *u = arrays[1]->data, *b = arrays[2]->data;
    for (int gate = 0; gate < gates; gate++) {
        int64_t at = gate * units;
        untangle_kernel((const float *)arrays[0]->data + at, kernel->data + at, features, units, total);
        for (int64_t i = 0; i < units; i++)
            for (int64_t j = 0; j < units; j++)
                recurrent->data[i * total + at + j] = u[j * total + at + i];
    }
    for (int64_t i = 0; i < total; i++) {
        bias->data[i] = gates == 4 ? b[i] + b[total + i] : b[i];
        if (bias->count == 2 * total)
            bias->data[total + i] = b[total + i];
    }
    return HEED_OK;
}

/* The number of gates of a cell whose weights had other forms once; 0 for other layers. */
static int gates_of(const heed_layer *layer)
{
    const char *name = layer->layer_class->name;
    return strcmp(name, "LSTMCell") == 0 ? 4 : strcmp(name, "GRUCell") == 0 ? 3 : 0;
}

/* Kernels of Keras 1's one-dimensional convolutions have a second dimension of 1. */
static bool is_flat_kernel(const heed_array *a, const heed_variable *v)
{
    return a->shape.rank == 4 && v->shape.rank == 3 && a->shape.dims[1] == 1 && a->shape.dims[0] == v->shape.dims[0] &&
           a->shape.dims[2] == v->shape.dims[1] && a->shape.dims[3] == v->shape.dims[2];
}

/* Places of a kernel (k, F, u) or (h, w, F, u) in space. */
static int64_t places_of(const heed_variable *v)
{
    int64_t places = 1;
    for (int i = 0; i < v->shape.rank - 2; i++)
        places *= v->shape.dims[i];
    return places;
}

/* With channels first, Keras 1 kept kernels as (u, F, h, w), and (u, F, k, 1) for one dimension. */
static bool is_channels_first(const heed_array *a, const heed_variable *v)
{
    int last = v->shape.rank - 1;
    return a->shape.rank == 4 && last >= 2 && a->shape.dims[0] == v->shape.dims[last] &&
           a->shape.dims[1] == v->shape.dims[last - 1] && a->shape.dims[2] == v->shape.dims[0] &&
           a->shape.dims[3] == (last == 3 ? v->shape.dims[1] : 1);
}

static void put_channels_last(const float *from, heed_variable *v)
{
    int64_t places = places_of(v), pairs = v->count / places, units = v->shape.dims[v->shape.rank - 1];
    int64_t features = pairs / units;
    for (int64_t p = 0; p < places; p++)
        for (int64_t i = 0; i < features; i++)
            for (int64_t o = 0; o < units; o++)
                v->data[p * pairs + i * units + o] = from[(o * features + i) * places + p];
}

/* The first place last. */
static void turn_around(heed_variable *v)
{
    int64_t places = places_of(v), pairs = v->count / places;
    for (int64_t p = 0; p < places / 2; p++)
        for (int64_t i = 0; i < pairs; i++) {
            float *a = &v->data[p * pairs + i], *b = &v->data[(places - 1 - p) * pairs + i], kept = *a;
            *a = *b;
            *b = kept;
        }
}

static bool is_kernel(const heed_legacy_weight *w)
{
    static const char *const classes[] = {"Conv1D", "Conv2D", "Conv2DTranspose"};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(w->owner->layer_class->name, classes[i]) == 0)
            return w->variable == w->owner->variables[0] && w->variable->count > 0;
    return false;
}

static heed_status take_one(const transfer *t, const heed_legacy_weight *w, const heed_array *a)
{
    heed_variable *v = w->variable;
    bool turned = is_kernel(w) && is_channels_first(a, v);
    bool straight = heed_shape_equal(&a->shape, &v->shape) || is_flat_kernel(a, v);
    if (!straight && !turned)
        return misfit(t, w, a);
    HEED_TRY(heed_variable_claim(v));
    if (straight)
        memcpy(v->data, a->data, (size_t)v->count * sizeof(float));
    else
        put_channels_last(a->data, v);
    if (t->theano && is_kernel(w))
        turn_around(v);
    return HEED_OK;
}

/* Takes the weights from number `i` on from the arrays from number `at` on; moves both on. */
static heed_status take_next(const transfer *t, size_t *i, size_t *at)
{
    const heed_legacy_weight *w = &t->weights[*i];
    heed_array **arrays = t->arrays + *at;
    int gates = gates_of(w->owner);
    bool cell = gates > 0 && *i + 3 <= t->weight_count && w[2].owner == w->owner &&
                w->variable == w->owner->variables[0];
    size_t left = t->array_count - *at, width = (size_t)gates;
    if (cell && left >= 3 * width && arrays[0]->shape.rank == 2 &&
        arrays[0]->shape.dims[1] * gates == w->variable->shape.dims[1]) {
        HEED_TRY(take_gates_apart(t, w, arrays, gates));
        *i += 3;
        *at += 3 * width;
    } else if (cell && left >= 3 && has_shape(arrays[2], 1, 2 * w->variable->shape.dims[1], 0)) {
        HEED_TRY(take_cudnn(t, w, arrays, gates));
        *i += 3;
        *at += 3;
    } else if (left == 0) {
        return heed_layer_fail(t->layer, HEED_EFORMAT, "the weight '%s' is missing", w->variable->name);
    } else {
        HEED_TRY(take_one(t, w, arrays[0]));
        *i += 1;
        *at += 1;
    }
    return HEED_OK;
}

static heed_status take_all(const transfer *t)
{
    size_t i = 0, at = 0;
    while (i < t->weight_count)
        HEED_TRY(take_next(t, &i, &at));
    if (at < t->array_count)
        return heed_layer_fail(t->layer, HEED_EFORMAT, "the number of weights does not fit (expected %zu, found %zu)",
                               at,
                               t->array_count);
    for (i = 0; i < t->weight_count; i++)
        t->weights[i].variable->drawn = true;
    return HEED_OK;
}

static heed_status find_array(heed_context *c, const heed_hdf5 *group, const char *name, heed_array **out)
{
    const heed_hdf5 *node = heed_hdf5_find(group, name);
    char path[256];
    if (node == NULL || node->array == NULL)
        return heed_fail(c, HEED_EFORMAT, "%s/%s: the weight is missing", heed_hdf5_path(group, path, sizeof path),
                         name);
    return heed_array_convert(c, node->array, HEED_FLOAT32, out);
}

/* An array of the file on its way to a weight. */
typedef struct moving {
    heed_array *array;
    const char *name;
    size_t      place; /* 2 i + 1 for the file's i-th; 2 i: right before it */
    size_t      moved; /* when it was moved, from 1; 0: it was not */
} moving;

static int by_place(const void *a, const void *b)
{
    const moving *p = a, *q = b;
    return p->place != q->place ? (p->place < q->place ? -1 : 1) : (p->moved > q->moved) - (p->moved < q->moved);
}

/* What the array of that name is called, and the bias beside it, for a name that ends in _scale. */
static heed_status scaled_names(heed_zone *z, const char *scale, const char **weight, const char **bias)
{
    static const char ending[] = "_scale";
    size_t length = strlen(scale), tail = strlen(ending);
    *weight = *bias = NULL;
    if (length <= tail || strcmp(scale + length - tail, ending) != 0)
        return HEED_OK;
    *weight = heed_zone_printf(z, "%.*s", (int)(length - tail), scale);
    const char *slash = *weight == NULL ? NULL : strrchr(*weight, '/');
    *bias = *weight == NULL ? NULL : heed_zone_printf(z, "%.*s/bias", slash == NULL ? 0 : (int)(slash - *weight), *weight);
    return *bias == NULL ? HEED_ENOMEM : HEED_OK;
}

/* Divides the array that these are the scales of. It stands before its bias then, as weights that are trained do. */
static heed_status dequantize_one(heed_zone *z, transfer *t, const heed_index *places, moving *scales, size_t *moved)
{
    const char *name, *bias;
    HEED_TRY(scaled_names(z, scales->name, &name, &bias));
    moving *weight = name == NULL ? NULL : heed_index_find_text(places, name);
    if (weight == NULL || weight->array == NULL || scales->array == NULL)
        return HEED_OK;
    const char *slash = strrchr(name, '/');
    bool by_row = slash != NULL && strcmp(slash, "/embeddings") == 0;
    HEED_TRY(heed_dequantize(t->context, weight->array, scales->array, by_row));
    heed_array_free(t->context, scales->array);
    scales->array = NULL;
    const moving *before = heed_index_find_text(places, bias);
    if (before != NULL && before->array != NULL && before->place < weight->place) {
        weight->place = before->place - 1;
        weight->moved = ++*moved;
    }
    return HEED_OK;
}

/* Quantized weights are divided by their scales, which are left out then. */
static heed_status dequantize_all(heed_zone *z, transfer *t, const char *const *names)
{
    size_t count = t->array_count, moved = 0;
    moving *all = heed_zone_alloc(z, count, sizeof *all);
    heed_index places = {NULL};
    if (all == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        all[i] = (moving){t->arrays[i], names[i], 2 * i + 1, 0};
        HEED_TRY(heed_index_put_text(&places, z, names[i], &all[i]));
    }
    heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = dequantize_one(z, t, &places, &all[i], &moved);
    qsort(all, count, sizeof *all, by_place);
    t->array_count = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].array != NULL)
            t->arrays[t->array_count++] = all[i].array;
    return status;
}

/* As the closest group around says. */
static bool is_of_theano(const heed_hdf5 *group)
{
    const heed_hdf5_attribute *backend = NULL;
    for (; group != NULL && backend == NULL; group = group->parent)
        backend = heed_hdf5_attribute_of(group, "backend");
    return backend != NULL && backend->strings != NULL && backend->count == 1 &&
           strcmp(backend->strings[0], "theano") == 0;
}

static heed_status fill_layer(heed_zone *z, heed_layer *layer, const heed_hdf5 *group, const char *const *names,
                              size_t count)
{
    transfer t = {.context = z->context, .layer = layer, .theano = is_of_theano(group)};
    t.arrays = heed_alloc(z->context, count, sizeof *t.arrays);
    heed_status status = t.arrays == NULL ? HEED_ENOMEM : heed_legacy_order(z, layer, &t.weights, &t.weight_count);
    while (status == HEED_OK && t.array_count < count)
        if ((status = find_array(z->context, group, names[t.array_count], &t.arrays[t.array_count])) == HEED_OK)
            t.array_count++;
    if (status == HEED_OK && t.array_count > t.weight_count)
        status = dequantize_all(z, &t, names);
    if (status == HEED_OK)
        status = take_all(&t);
    for (size_t i = 0; i < t.array_count; i++)
        heed_array_free(z->context, t.arrays[i]);
    heed_release(z->context, t.arrays);
    return status;
}

/* ---- layers ---- */

/* A layer of the file that has weights, and is in the model: text layers were taken out. */
typedef struct stored {
    const char        *name;
    const heed_hdf5   *group;
    const char *const *names;
    size_t             count;
} stored;

static heed_status list_stored(heed_zone *z, const heed_model *m, const heed_hdf5 *group, stored **out, size_t *count)
{
    heed_index texts = {NULL};
    const char *const *layers;
    size_t layer_count;
    HEED_TRY(heed_hdf5_get_strings(group, "layer_names", &layers, &layer_count));
    stored *items = *out = heed_zone_alloc(z, layer_count, sizeof *items);
    *count = 0;
    if (items == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_keras_name_texts(z, m, &texts));
    for (size_t i = 0; i < layer_count; i++) {
        stored s = {.name = layers[i], .group = heed_hdf5_find(group, layers[i])};
        if (s.group == NULL)
            return heed_fail(z->context, HEED_EFORMAT, "the weights of layer '%s' are missing", s.name);
        HEED_TRY(heed_hdf5_get_strings(s.group, "weight_names", &s.names, &s.count));
        if (s.count > 0 && heed_index_find_text(&texts, s.name) == NULL)
            items[(*count)++] = s;
    }
    return HEED_OK;
}

/* The model's layers that have weights. */
static heed_status list_layers(heed_zone *z, heed_model *m, heed_layer ***out, size_t *count)
{
    heed_layer **layers = *out = heed_zone_alloc(z, m->layer->child_count, sizeof *layers);
    *count = 0;
    if (layers == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < m->layer->child_count; i++)
        if (heed_layer_weight_count(m->layer->children[i].layer) > 0)
            layers[(*count)++] = m->layer->children[i].layer;
    return HEED_OK;
}

static heed_status fill_in_order(heed_zone *z, heed_layer *const *layers, size_t layer_count, const stored *items,
                                 size_t count)
{
    if (layer_count != count) {
        heed_fail(z->context, HEED_EFORMAT, "the number of layers with weights does not fit (expected %zu, found %zu)",
                  layer_count, count);
        heed_hint(z->context, "weights can also be read by the layers' names");
        return HEED_EFORMAT;
    }
    for (size_t i = 0; i < count; i++)
        HEED_TRY(fill_layer(z, layers[i], items[i].group, items[i].names, items[i].count));
    return HEED_OK;
}

static heed_status fill_by_name(heed_zone *z, heed_layer *const *layers, size_t layer_count, const stored *items,
                                size_t count)
{
    heed_index names = {NULL};
    for (size_t i = 0; i < layer_count; i++)
        HEED_TRY(heed_index_put_text(&names, z, layers[i]->name, layers[i]));
    for (size_t i = 0; i < count; i++) {
        heed_layer *layer = heed_index_find_text(&names, items[i].name);
        if (layer != NULL)
            HEED_TRY(fill_layer(z, layer, items[i].group, items[i].names, items[i].count));
    }
    return HEED_OK;
}

static heed_status read_weights(heed_zone *z, heed_model *m, const heed_hdf5 *group, bool by_name)
{
    heed_layer **layers;
    stored *items;
    size_t layer_count, count;
    HEED_TRY(list_layers(z, m, &layers, &layer_count));
    HEED_TRY(list_stored(z, m, group, &items, &count));
    return (by_name ? fill_by_name : fill_in_order)(z, layers, layer_count, items, count);
}

heed_status heed_legacy_read_weights(heed_model *m, const heed_hdf5 *group, bool by_name)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_status status = read_weights(&z, m, group, by_name);
    heed_zone_free(&z);
    return status;
}

/* Whether weight i begins a cell whose gates the file has apart. */
static bool begins_apart(const heed_legacy_weight *weights, size_t count, size_t i)
{
    return gates_of(weights[i].owner) > 0 && i + 3 <= count && weights[i + 2].owner == weights[i].owner &&
           weights[i].variable == weights[i].owner->variables[0];
}

static heed_status note_names(heed_zone *z, const heed_variable *v, const heed_legacy_called *called, heed_index *out)
{
    heed_legacy_called *kept = heed_zone_alloc(z, 1, sizeof *kept);
    if (kept == NULL)
        return HEED_ENOMEM;
    *kept = *called;
    return heed_index_put_address(out, z, v, kept);
}

/* The names of a layer's weights; where the file has more of them, as Keras 1 has them. */
static heed_status note_layer(heed_zone *z, const heed_legacy_weight *weights, size_t count, const stored *s, heed_index *out)
{
    size_t at = 0;
    for (size_t i = 0; i < count && at < s->count;) {
        bool cell = count < s->count && begins_apart(weights, count, i);
        size_t gates = cell ? (size_t)gates_of(weights[i].owner) : 1, parts = cell ? 3 : 1;
        for (size_t part = 0; part < parts && at + parts * gates <= s->count; part++) {
            heed_legacy_called called = {.count = gates};
            for (size_t gate = 0; gate < gates; gate++)
                called.names[gate] =
                    s->names[at + (cell ? 3 * (size_t)place_in_keras1((int)gates, (int)gate) + part : 0)];
            HEED_TRY(note_names(z, weights[i + part].variable, &called, out));
        }
        at += parts * gates;
        i += parts;
    }
    return HEED_OK;
}

heed_status heed_legacy_names(heed_zone *z, heed_model *m, const heed_hdf5 *group, heed_index *out)
{
    heed_layer **layers;
    stored *items;
    size_t layer_count, count, weight_count;
    heed_legacy_weight *weights;
    HEED_TRY(list_layers(z, m, &layers, &layer_count));
    HEED_TRY(list_stored(z, m, group, &items, &count));
    for (size_t i = 0; i < count && layer_count == count; i++) {
        HEED_TRY(heed_legacy_order(z, layers[i], &weights, &weight_count));
        if (weight_count <= items[i].count)
            HEED_TRY(note_layer(z, weights, weight_count, &items[i], out));
    }
    return HEED_OK;
}
