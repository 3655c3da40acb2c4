/* Writing: the object of a model, as Keras 3 writes it. */
#include "formats/keras_config.h"
#include "formats/keras_operation.h"
#include "heed/layers.h"
#include "heed/transformer.h"

#include <string.h>

static heed_status set(heed_zone *z, heed_json *object, const char *key, heed_json *value)
{
    return heed_json_set(z, object, key, value);
}

static heed_json *shape_json(heed_zone *z, const heed_shape *shape)
{
    heed_json *list = heed_json_array(z);
    for (int i = 0; i < shape->rank; i++) {
        heed_json *size = shape->dims[i] == HEED_ANY ? heed_json_null(z) : heed_json_int(z, shape->dims[i]);
        if (heed_json_append(list, size) != HEED_OK)
            return NULL;
    }
    return list;
}

/* {"module", "class_name", "config", "registered_name"} */
static heed_status write_object(heed_zone *z, const char *module, const char *class_name, heed_json *config,
                                const char *registered, heed_json **out)
{
    *out = heed_json_object(z);
    HEED_TRY(set(z, *out, "module", heed_json_string(z, module)));
    HEED_TRY(set(z, *out, "class_name", heed_json_string(z, class_name)));
    HEED_TRY(set(z, *out, "config", config));
    return set(z, *out, "registered_name", heed_json_string(z, registered));
}

static heed_status write_policy(heed_zone *z, heed_json **out)
{
    heed_json *config = heed_json_object(z);
    HEED_TRY(set(z, config, "name", heed_json_string(z, "float32")));
    return write_object(z, "keras", "DTypePolicy", config, NULL, out);
}

/* ---- layers */

static heed_status write_input_layer(heed_zone *z, const heed_layer *layer, heed_json **out)
{
    heed_json *config = heed_json_object(z);
    HEED_TRY(set(z, config, "batch_shape", shape_json(z, heed_input_layer_shape(layer))));
    HEED_TRY(set(z, config, "dtype", heed_json_string(z, heed_dtype_name(heed_input_layer_dtype(layer)))));
    HEED_TRY(set(z, config, "sparse", heed_json_bool(z, false)));
    HEED_TRY(set(z, config, "ragged", heed_json_bool(z, false)));
    HEED_TRY(set(z, config, "name", heed_json_string(z, layer->name)));
    HEED_TRY(set(z, config, "optional", heed_json_bool(z, false)));
    return write_object(z, "keras.layers", "InputLayer", config, NULL, out);
}

/* How a class takes several tensors, and what the class calls them, in its order, where they have names. */
typedef enum manner { AS_LIST, ONE_BY_ONE, WITH_STATES } manner;
typedef struct calling {
    const char *class_name, *collection;
    manner      manner;
    const char *shapes[3], *masks[3];
    int         before_mask; /* the tensor behind so many is "attention_mask"; 0: none is */
} calling;

#define ATTENTION_NAMES {"query_shape", "value_shape", "key_shape"}, {"query_mask", "value_mask", "key_mask"}, 3

static const calling *calling_of(const heed_layer *layer)
{
    static const calling known[] = {
        {.class_name = "LSTM", .collection = "keras", .manner = WITH_STATES},
        {.class_name = "GRU", .collection = "keras", .manner = WITH_STATES},
        {.class_name = "SimpleRNN", .collection = "keras", .manner = WITH_STATES},
        {.class_name = "RNN", .collection = "keras", .manner = WITH_STATES},
        {.class_name = "Bidirectional", .collection = "keras", .manner = WITH_STATES},
        {"MultiHeadAttention", "keras", ONE_BY_ONE, ATTENTION_NAMES},
        {"GroupQueryAttention", "keras", ONE_BY_ONE, ATTENTION_NAMES},
        {"TransformerEncoder", "keras-hub", ONE_BY_ONE, {"input_shape"}, {"padding_mask"}, 1},
        {"TransformerDecoder", "keras-hub", ONE_BY_ONE, {"decoder_sequence_shape", "encoder_sequence_shape"},
         {"decoder_padding_mask", "encoder_padding_mask"}, 0}};
    static const calling plain = {.manner = AS_LIST};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].class_name, layer->layer_class->name) == 0 &&
            strcmp(known[i].collection, layer->layer_class->collection) == 0)
            return &known[i];
    return &plain;
}

/* Of inputs with names. */
static heed_status write_named_shapes(heed_zone *z, const heed_layer *layer, heed_json *built)
{
    const calling *how = calling_of(layer);
    heed_json *shapes = heed_json_object(z);
    for (int i = 0; i < layer->built_count && i < 3 && how->shapes[i] != NULL; i++)
        HEED_TRY(set(z, shapes, how->shapes[i], shape_json(z, &layer->built_shapes[i])));
    return set(z, built, "shapes_dict", shapes);
}

static heed_status write_build_config(heed_zone *z, const heed_layer *layer, heed_json *object)
{
    const calling *how = calling_of(layer);
    bool several = how->shapes[1] != NULL && layer->built_count > 1;
    if (layer->built_count < 1 || (layer->built_count > 1 && how->shapes[0] == NULL))
        return HEED_OK;
    heed_json *built = heed_json_object(z);
    HEED_TRY(several ? write_named_shapes(z, layer, built)
                   : set(z, built, "input_shape", shape_json(z, &layer->built_shapes[0])));
    return set(z, object, "build_config", built);
}

/* As the file had it that it came from, or C. */
static heed_status write_operation(heed_zone *z, const heed_layer *layer, heed_json **out)
{
    heed_value *config;
    HEED_TRY(heed_value_parse(z, layer->name, heed_operation_saved(layer), &config));
    if (!heed_keras_within(layer->keras, 300, 311)) /* where operations took no names */
        HEED_TRY(heed_value_set(z, config, "name", heed_value_text(z, layer->name)));
    const char *class_name = layer->layer_class->name;
    return write_object(z, heed_operation_module(layer), class_name, heed_json_of_value(z, config), class_name, out);
}

/* A model within a layer is written as a model; the layer's own options do not know its inside. */
static heed_status write_inner_models(heed_zone *z, const heed_layer *layer, heed_json *config)
{
    for (size_t i = 0; i < layer->child_count; i++) {
        heed_json *inner;
        heed_model *m = heed_layer_model(layer->children[i].layer);
        if (m == NULL)
            continue;
        HEED_TRY(heed_keras_write_model(z, m, &inner));
        HEED_TRY(set(z, config, layer->children[i].attribute, inner));
    }
    return HEED_OK;
}

/* Sizes, of which -1 is not known. */
static heed_json *unknown_as_null(heed_zone *z, const heed_json *sizes)
{
    heed_json *list = heed_json_array(z);
    for (const heed_json *item = sizes->first; item != NULL; item = item->next) {
        bool unknown = item->type == HEED_JSON_INT && item->integer == HEED_ANY;
        if (heed_json_append(list, unknown ? heed_json_null(z) : heed_json_copy(z, item)) != HEED_OK)
            return NULL;
    }
    return list;
}

/* Tells heed, for Keras passes over it, the version that an object goes on to mean what it does in; 0: it was made here. */
static heed_status write_meaning(heed_zone *z, int version, heed_json *object)
{
    return set(z, object, "as_in_keras", heed_json_int(z, version));
}

/* Whether another version would mean something else. */
static bool has_own_meaning(const heed_layer *layer)
{
    const heed_layer_class *class = layer->layer_class;
    return class == &heed_multi_head_attention_class || class == &heed_group_query_attention_class ||
           class == &heed_transformer_encoder_class || class == &heed_transformer_decoder_class || heed_keras_before(layer, 304);
}

/* Options that are younger than Keras 3.0, which refuses them, go where they say something. */
static bool is_young_default(const char *class_name, const heed_json *option)
{
    static const char *const with_format[] = {"ZeroPadding1D", "Cropping1D", "UpSampling1D"};
    if (strcmp(option->key, "use_gate") == 0)
        return option->type == HEED_JSON_BOOL && !option->boolean;
    if (strcmp(option->key, "sliding_window") == 0)
        return option->type == HEED_JSON_NULL;
    for (size_t i = 0; i < sizeof with_format / sizeof *with_format; i++)
        if (strcmp(class_name, with_format[i]) == 0)
            return strcmp(option->key, "data_format") == 0 && heed_json_is_string(option, "channels_last");
    return false;
}

static heed_status leave_out_young(heed_zone *z, const char *class_name, heed_json **config)
{
    heed_json *rest = heed_json_object(z);
    for (const heed_json *item = (*config)->first; item != NULL; item = item->next)
        if (!is_young_default(class_name, item))
            HEED_TRY(set(z, rest, item->key, heed_json_copy(z, item)));
    *config = rest;
    return HEED_OK;
}

/* Where Keras finds a class, and what it is registered as. */
static heed_status write_class(heed_zone *z, const heed_layer_class *class, heed_json *config, heed_json **out)
{
    bool keras = strcmp(class->collection, "keras") == 0, hub = strcmp(class->collection, "keras-hub") == 0;
    const char *registered = hub ? heed_zone_printf(z, "keras_hub>%s", class->name) : keras ? NULL : class->name;
    return write_object(z, keras ? "keras.layers" : hub ? "keras_hub.layers" : NULL, class->name, config, registered, out);
}

static heed_status write_layer(heed_zone *z, heed_layer *layer, heed_json **out)
{
    if (heed_is_operation(layer))
        return write_operation(z, layer, out);
    if (heed_is_input_layer(layer))
        return write_input_layer(z, layer, out);
    if (heed_layer_model(layer) != NULL)
        return heed_keras_write_model(z, heed_layer_model(layer), out);
    bool keras = strcmp(layer->layer_class->collection, "keras") == 0;
    const char *class_name = layer->layer_class->name;
    heed_value *options = heed_layer_options_value(z, layer);
    heed_json *config = options == NULL ? NULL : heed_json_of_value(z, options), *policy;
    HEED_TRY(write_policy(z, &policy));
    HEED_TRY(set(z, config, "dtype", policy));
    heed_json *axes = heed_json_find(config, "axes");
    if (strcmp(class_name, "Dot") == 0 && axes != NULL &&
        axes->count == 1) /* one for both inputs goes without a list */
        HEED_TRY(set(z, config, "axes", heed_json_copy(z, axes->first)));
    heed_json *sizes = heed_json_find(config, "output_shape");
    if (strcmp(class_name, "EinsumDense") == 0 && sizes != NULL)
        HEED_TRY(set(z, config, "output_shape", unknown_as_null(z, sizes)));
    HEED_TRY(leave_out_young(z, class_name, &config));
    HEED_TRY(write_inner_models(z, layer, config));
    HEED_TRY(write_class(z, layer->layer_class, config, out));
    if (has_own_meaning(layer))
        HEED_TRY(write_meaning(z, layer->keras, *out));
    if (!keras && heed_find_layer(layer->context, class_name, "keras") != NULL) /* the name alone does not tell */
        HEED_TRY(set(z, *out, "as_in_collection", heed_json_string(z, layer->layer_class->collection)));
    return write_build_config(z, layer, *out);
}

/* ---- sequential */

static heed_status write_sequential(heed_zone *z, heed_model *m, heed_json *config)
{
    heed_json *policy, *layers = heed_json_array(z);
    HEED_TRY(write_policy(z, &policy));
    HEED_TRY(set(z, config, "dtype", policy));
    size_t count = m->closed ? m->layer->child_count : m->stack_count;
    for (size_t i = 0; i < count; i++) {
        heed_json *layer;
        HEED_TRY(write_layer(z, m->closed ? m->layer->children[i].layer : m->stack[i], &layer));
        HEED_TRY(heed_json_append(layers, layer));
    }
    HEED_TRY(set(z, config, "layers", layers));
    return m->closed ? set(z, config, "build_input_shape", shape_json(z, &m->inputs[0]->shape)) : HEED_OK;
}

/* ---- functional */

/* ["layer", call, output] */
static heed_json *history_json(heed_zone *z, const heed_symbol *s, int call)
{
    heed_json *list = heed_json_array(z);
    if (heed_json_append(list, heed_json_string(z, s->wire->layer->name)) != HEED_OK ||
        heed_json_append(list, heed_json_int(z, call)) != HEED_OK ||
        heed_json_append(list, heed_json_int(z, s->output)) != HEED_OK)
        return NULL;
    return list;
}

static heed_json *tensor_json(heed_zone *z, const heed_symbol *s)
{
    heed_json *token = heed_json_object(z), *config = heed_json_object(z);
    heed_json *history = history_json(z, s, s->wire->number);
    if (set(z, config, "shape", shape_json(z, &s->shape)) != HEED_OK ||
        set(z, config, "dtype", heed_json_string(z, heed_dtype_name(s->dtype))) != HEED_OK ||
        set(z, config, "keras_history", history) != HEED_OK ||
        set(z, token, "class_name", heed_json_string(z, "__keras_tensor__")) != HEED_OK ||
        set(z, token, "config", config) != HEED_OK)
        return NULL;
    return token;
}

static heed_status append_tensors(heed_zone *z, heed_json *list, heed_symbol *const *symbols, int count)
{
    for (int i = 0; i < count; i++)
        HEED_TRY(heed_json_append(list, tensor_json(z, symbols[i])));
    return HEED_OK;
}

/* What an operation is given: a tensor, a constant, or a list of such. */
static heed_json *operand_json(heed_zone *z, const heed_wire *w, const heed_value *v)
{
    int input = heed_operand_input(v);
    if (input >= 0 && input < w->input_count)
        return tensor_json(z, w->inputs[input]);
    if (!heed_value_is(v, HEED_VALUE_LIST))
        return heed_json_of_value(z, v);
    heed_json *list = heed_json_array(z);
    for (const heed_value *item = v->first; item != NULL; item = item->next)
        if (heed_json_append(list, operand_json(z, w, item)) != HEED_OK)
            return NULL;
    return list;
}

/* An operation's call: its arguments in their places, and keywords. */
static heed_status write_operands(heed_zone *z, const heed_wire *w, heed_json *args, heed_json *kwargs)
{
    for (const heed_value *v = w->keywords == NULL ? NULL : w->keywords->first; v != NULL; v = v->next) {
        bool arguments = strcmp(v->key, "arguments") == 0;
        for (const heed_value *item = arguments ? v->first : NULL; item != NULL; item = item->next)
            HEED_TRY(heed_json_append(args, operand_json(z, w, item)));
        if (!arguments)
            HEED_TRY(set(z, kwargs, v->key, heed_json_of_value(z, v)));
    }
    return HEED_OK;
}

/* The cells of a stack, each with states of its own; NULL for a layer over one cell. */
static const heed_layer *stack_of(const heed_layer *layer)
{
    for (size_t i = 0; i < layer->child_count; i++)
        if (strcmp(layer->children[i].layer->layer_class->name, "StackedRNNCells") == 0)
            return layer->children[i].layer;
    return NULL;
}

/* Initial states: a list, in which a stack's cells with several have lists of their own. */
static heed_status write_states(heed_zone *z, const heed_wire *w, heed_json *list)
{
    const heed_layer *stack = stack_of(w->layer);
    if (stack == NULL)
        return append_tensors(z, list, w->inputs + 1, w->input_count - 1);
    int at = 1;
    for (size_t i = 0; i < stack->child_count; i++) {
        const heed_layer *cell = stack->children[i].layer;
        const heed_cell_functions *functions = cell->layer_class->cell;
        int count = functions == NULL || functions->state_count == NULL ? 1 : functions->state_count(cell);
        heed_json *own = count == 1 ? list : heed_json_array(z);
        if (at + count > w->input_count)
            break;
        HEED_TRY(append_tensors(z, own, w->inputs + at, count));
        if (own != list)
            HEED_TRY(heed_json_append(list, own));
        at += count;
    }
    return HEED_OK;
}

static heed_status write_tensors(heed_zone *z, const heed_wire *w, heed_json *args, heed_json *kwargs)
{
    heed_json *list = heed_json_array(z);
    const calling *how = calling_of(w->layer);
    if (how->before_mask > 0 && w->input_count > how->before_mask) {
        HEED_TRY(append_tensors(z, args, w->inputs, how->before_mask));
        return set(z, kwargs, "attention_mask", tensor_json(z, w->inputs[how->before_mask]));
    }
    if (w->input_count == 1 || how->manner == ONE_BY_ONE)
        return append_tensors(z, args, w->inputs, w->input_count);
    if (how->manner == WITH_STATES) {
        HEED_TRY(append_tensors(z, args, w->inputs, 1));
        HEED_TRY(write_states(z, w, list));
        return set(z, kwargs, "initial_state", list);
    }
    HEED_TRY(append_tensors(z, list, w->inputs, w->input_count));
    return heed_json_append(args, list);
}

/* Masks that were given; those that ride along are found again. */
static heed_status write_masks(heed_zone *z, const heed_wire *w, heed_json *kwargs)
{
    heed_json *list = heed_json_array(z);
    const calling *how = calling_of(w->layer);
    bool named = how->masks[0] != NULL;
    for (int i = 0; w->masks != NULL && i < w->input_count; i++) {
        heed_json *mask = w->masks[i] == NULL ? heed_json_null(z) : tensor_json(z, w->masks[i]);
        if (named && i < 3 && how->masks[i] != NULL)
            HEED_TRY(set(z, kwargs, how->masks[i], mask));
        else if (!named && (w->input_count == 1 || how->manner == WITH_STATES))
            return set(z, kwargs, "mask", mask);
        else
            HEED_TRY(heed_json_append(list, mask));
    }
    return w->masks == NULL || named ? HEED_OK : set(z, kwargs, "mask", list);
}

static heed_status write_call(heed_zone *z, const heed_wire *w, heed_json *nodes)
{
    heed_json *node = heed_json_object(z), *args = heed_json_array(z), *kwargs = heed_json_object(z);
    if (heed_is_operation(w->layer)) {
        HEED_TRY(write_operands(z, w, args, kwargs));
    } else {
        for (const heed_value *item = w->keywords == NULL ? NULL : w->keywords->first; item != NULL; item = item->next)
            HEED_TRY(set(z, kwargs, item->key, heed_json_of_value(z, item)));
        HEED_TRY(write_tensors(z, w, args, kwargs));
        HEED_TRY(write_masks(z, w, kwargs));
    }
    HEED_TRY(set(z, node, "args", args));
    HEED_TRY(set(z, node, "kwargs", kwargs));
    return heed_json_append(nodes, node);
}

static heed_status write_wired_layer(heed_zone *z, heed_model *m, heed_layer *layer, heed_json **out)
{
    heed_json *nodes = heed_json_array(z);
    HEED_TRY(write_layer(z, layer, out));
    HEED_TRY(set(z, *out, "name", heed_json_string(z, layer->name)));
    const heed_made *made = heed_model_made(m, layer);
    for (const heed_wire *w = made == NULL ? NULL : made->first; w != NULL; w = w->next)
        if (w->input_count > 0)
            HEED_TRY(write_call(z, w, nodes));
    return set(z, *out, "inbound_nodes", nodes);
}

/* One stands for itself, several in a list. */
static heed_json *ends_json(heed_zone *z, const heed_model *m, heed_symbol *const *ends, int count)
{
    bool listed = count > 1 || heed_keras_within(m->layer->keras, 300, 305); /* all that Keras before 3.5 reads */
    heed_json *list = heed_json_array(z);
    for (int i = 0; i < count; i++) {
        const heed_layer *layer = ends[i]->wire->layer;
        /* Keras counts a functional model's own wiring as its first call here */
        int call = ends[i]->wire->number + (layer->layer_class == &heed_functional_class);
        heed_json *end = history_json(z, ends[i], call);
        if (!listed)
            return end;
        if (heed_json_append(list, end) != HEED_OK)
            return NULL;
    }
    return list;
}

static heed_status write_functional(heed_zone *z, heed_model *m, heed_json *config)
{
    heed_json *layers = heed_json_array(z);
    for (size_t i = 0; i < m->layer->child_count; i++) {
        heed_json *layer;
        HEED_TRY(write_wired_layer(z, m, m->layer->children[i].layer, &layer));
        HEED_TRY(heed_json_append(layers, layer));
    }
    HEED_TRY(set(z, config, "layers", layers));
    HEED_TRY(set(z, config, "input_layers", ends_json(z, m, m->inputs, m->input_count)));
    return set(z, config, "output_layers", ends_json(z, m, m->outputs, m->output_count));
}

heed_status heed_keras_write_model(heed_zone *z, heed_model *m, heed_json **out)
{
    heed_json *config = heed_json_object(z), *built = heed_json_object(z);
    HEED_TRY(set(z, config, "name", heed_json_string(z, heed_model_name(m))));
    HEED_TRY(set(z, config, "trainable", heed_json_bool(z, m->layer->trainable)));
    if (m->sequential) {
        HEED_TRY(write_sequential(z, m, config));
        HEED_TRY(write_object(z, "keras", "Sequential", config, NULL, out));
        HEED_TRY(set(z, built, "input_shape", m->closed ? shape_json(z, &m->inputs[0]->shape) : heed_json_null(z)));
    } else {
        HEED_TRY(write_functional(z, m, config));
        HEED_TRY(write_object(z, "keras.src.models.functional", "Functional", config, "Functional", out));
        HEED_TRY(set(z, built, "input_shape", heed_json_null(z)));
    }
    HEED_TRY(write_meaning(z, m->layer->keras, *out)); /* how it learns */
    return set(z, *out, "build_config", built);
}

/* ---- in a form ---- */

const heed_keras_form heed_keras2_form = {2, "2.15.0"}, heed_keras3_form = {3, "3.15.1"};

/* Keras before 3.5 knows this one by its longer name alone, and all later ones know both. */
static void rename_orthogonal(heed_json *v)
{
    static const char longer[] = "OrthogonalInitializer";
    if (v->type != HEED_JSON_OBJECT && v->type != HEED_JSON_ARRAY)
        return;
    heed_json *name = heed_json_find(v, "class_name");
    if (heed_json_is_string(name, "Orthogonal") && heed_json_is_string(heed_json_find(v, "module"), "keras.initializers")) {
        name->text = longer;
        name->length = strlen(longer);
    }
    for (heed_json *item = v->first; item != NULL; item = item->next)
        rename_orthogonal(item);
}

heed_status heed_keras_write_whole(heed_zone *z, heed_model *m, const heed_keras_form *form, heed_json **object,
                                   heed_json **compile)
{
    *compile = NULL;
    HEED_TRY(heed_keras_write_model(z, m, object));
    if (heed_is_compiled(m))
        HEED_TRY(heed_keras_write_compile(z, m, compile));
    if (form->keras != 2) {
        rename_orthogonal(*object);
        return heed_keras3_activations(z, *object);
    }
    HEED_TRY(heed_keras2_object(z, *object, object));
    return *compile == NULL ? HEED_OK : heed_keras2_object(z, *compile, compile);
}
