/* Reading: layers are made in the order of the file, then their calls are wired as soon as what they need is there. */
#include "formats/keras_config.h"
#include "formats/keras_operation.h"
#include "formats/keras_operation_old.h"

#include <string.h>

/* A layer of the file, and how far its calls are wired. */
typedef struct entry {
    const char      *name;
    const heed_json *object;
    heed_layer      *layer; /* NULL: an operation that heed cannot run, or of such; `object` is the one to blame */
    const heed_json *next;  /* the next call to wire */
    heed_wire      **calls;
    size_t           call_count;
    int64_t          first_call; /* what files of Keras 2 call it: 1 for most models, whose own wiring is 0 */
} entry;

typedef struct reader {
    heed_context *context;
    heed_zone     zone;
    heed_model   *model;
    const heed_keras_reading *reading;
    entry        *entries;
    size_t        count;
} reader;

/* ---- functional: looking up */

static entry *find_entry(const reader *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->entries[i].name, name) == 0)
            return &r->entries[i];
    return NULL;
}

/* Where a tensor comes from: ["layer", call, output], perhaps with more behind. */
typedef struct origin {
    entry  *from;
    int64_t call, output;
} origin;

static heed_status read_origin(const reader *r, const heed_json *list, origin *out)
{
    heed_context *c = r->context;
    const heed_json *name = heed_json_at(list, 0), *call = heed_json_at(list, 1), *output = heed_json_at(list, 2);
    if (!heed_json_is(name, HEED_JSON_STRING) || call == NULL || output == NULL)
        return heed_json_fail(c, list, HEED_EFORMAT, "expected a layer's name, a call and an output");
    HEED_TRY(heed_json_as_int(c, call, &out->call));
    HEED_TRY(heed_json_as_int(c, output, &out->output));
    out->from = find_entry(r, name->text);
    if (out->from == NULL)
        return heed_json_fail(c, list, HEED_EFORMAT, "there is no layer '%s'", name->text);
    return HEED_OK;
}

/* The symbol, or NULL if that call is not wired yet. */
static heed_status find_symbol(const reader *r, const heed_json *where, const origin *o, heed_symbol **out)
{
    *out = NULL;
    if (o->call < 0 || (uint64_t)o->call >= o->from->call_count)
        return HEED_OK;
    const heed_wire *w = o->from->calls[o->call];
    if (o->output < 0 || o->output >= w->output_count)
        return heed_json_fail(r->context, where, HEED_EFORMAT, "layer '%s' has no output %lld", o->from->name,
                              (long long)o->output);
    *out = w->outputs[o->output];
    return HEED_OK;
}

/* Keras 3 counts a functional model's own wiring as its first call where it lists outputs. */
static void skip_own_wiring(origin *o)
{
    const heed_layer *layer = o->from->layer;
    if (layer != NULL && layer->layer_class == &heed_functional_class && o->call > 0)
        o->call--;
}

/* A tensor as Keras 2 writes it: ["layer", call, output], perhaps with {kwargs} behind. */
static bool is_old_tensor(const reader *r, const heed_json *v)
{
    const heed_json *name = heed_json_at(v, 0);
    return heed_json_is(name, HEED_JSON_STRING) && (v->count == 3 || v->count == 4) &&
           heed_json_is(heed_json_at(v, 1), HEED_JSON_INT) && heed_json_is(heed_json_at(v, 2), HEED_JSON_INT) &&
           find_entry(r, name->text) != NULL;
}

/* Every call of a layer is used by something, so the smallest number that is spoken of is that of its first call. */
static void note_calls(const reader *r, const heed_json *v)
{
    if (v == NULL || (v->type != HEED_JSON_ARRAY && v->type != HEED_JSON_OBJECT))
        return;
    if (v->type == HEED_JSON_ARRAY && is_old_tensor(r, v)) {
        entry *e = find_entry(r, heed_json_at(v, 0)->text);
        int64_t call = heed_json_at(v, 1)->integer;
        if (e->first_call < 0 || call < e->first_call)
            e->first_call = call;
    }
    for (const heed_json *item = v->first; item != NULL; item = item->next)
        note_calls(r, item);
}

/* ---- functional: calls */

/* What a call is made of, once everything it needs is there. */
typedef struct arguments {
    heed_symbol *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    int          count;
    bool         masked; /* a mask was given */
    heed_value  *keywords;
    bool         waits;
    const entry *refused; /* an operation among them that heed cannot run */
} arguments;

/* The three numbers of a tensor in an argument; NULL for what is none. */
static const heed_json *tensor_history(const heed_json *v)
{
    const heed_json *class_name = heed_json_find(v, "class_name");
    if (heed_json_is_string(class_name, "__keras_tensor__"))
        return heed_json_find(heed_json_find(v, "config"), "keras_history");
    return NULL;
}

static heed_status take_tensor(const reader *r, const heed_json *where, const heed_json *history, arguments *a)
{
    origin o;
    HEED_TRY(read_origin(r, history, &o));
    if (history == where) /* as Keras 2 writes it */
        o.call -= o.from->first_call;
    if (o.from->layer == NULL) {
        a->refused = o.from;
        return HEED_OK;
    }
    if (a->count == HEED_MAX_OUTPUTS)
        return heed_json_fail(r->context, where, HEED_EUNSUPPORTED, "a call with more than %d tensors",
                              HEED_MAX_OUTPUTS);
    HEED_TRY(find_symbol(r, where, &o, &a->inputs[a->count]));
    a->waits |= a->inputs[a->count++] == NULL;
    return HEED_OK;
}

/* The same of a tensor in either form: what take_tensor is to be given. */
static const heed_json *any_history(const reader *r, const heed_json *v)
{
    const heed_json *history = tensor_history(v);
    return history == NULL && heed_json_is(v, HEED_JSON_ARRAY) && is_old_tensor(r, v) ? v : history;
}

/* Tensors in an argument, however nested. */
static heed_status take_tensors(const reader *r, const heed_json *v, arguments *a, int depth)
{
    const heed_json *history = any_history(r, v);
    if (history != NULL)
        return take_tensor(r, v, history, a);
    if (v->type == HEED_JSON_NULL)
        return HEED_OK;
    if (v->type != HEED_JSON_ARRAY || depth == 0)
        return heed_json_fail(r->context, v, HEED_EUNSUPPORTED, "expected a tensor (found %s)",
                              heed_json_type_name(v->type));
    for (const heed_json *item = v->first; item != NULL; item = item->next)
        HEED_TRY(take_tensors(r, item, a, depth - 1));
    return HEED_OK;
}

static bool is_mask(const char *key)
{
    size_t length = strlen(key);
    return length >= 4 && strcmp(key + length - 4, "mask") == 0 && strcmp(key, "use_causal_mask") != 0;
}

/* The wire that makes the mask riding on a symbol. */
static const heed_wire *mask_maker(const heed_symbol *s)
{
    while (s->masked) {
        const char *name = s->wire->layer->layer_class->name;
        if (s->wire->input_count == 0 || strcmp(name, "Embedding") == 0 || strcmp(name, "Masking") == 0)
            return s->wire;
        s = s->wire->inputs[0];
    }
    return NULL;
}

/* Keras notes the masks that it found by itself as results of operations: NotEqual of what Embedding or Masking was
 * given, then perhaps Any; or a merge of masks. heed finds those by itself, in a form that may be cheaper. */
static bool rides_anyway(const heed_symbol *mask, const heed_symbol *input)
{
    const heed_wire *w = mask->wire, *maker = mask_maker(input);
    if (!heed_is_operation(w->layer) || !input->masked)
        return false;
    if (strcmp(w->layer->layer_class->name, "Any") == 0)
        w = w->inputs[0]->wire;
    if (strcmp(w->layer->layer_class->name, "NotEqual") != 0)
        return true;
    return maker != NULL && maker->input_count > 0 && maker->inputs[0] == w->inputs[0];
}

/* "mask" is of the first input, or a list of one for each; the others are named after their input. */
static int masked_input(const char *key)
{
    static const char *const keys[] = {"query_mask", "value_mask", "key_mask"};
    for (int i = 0; i < 3; i++)
        if (strcmp(keys[i], key) == 0)
            return i;
    return strcmp(key, "mask") == 0 ? 0 : -1;
}

static heed_status take_mask(const reader *r, const heed_json *v, int input, arguments *a)
{
    const heed_json *history = any_history(r, v);
    heed_symbol *s;
    origin o;
    if (history == NULL && v->type == HEED_JSON_ARRAY) {
        int at = 0;
        for (const heed_json *item = v->first; item != NULL; item = item->next)
            HEED_TRY(take_mask(r, item, at++, a));
        return HEED_OK;
    }
    if (history == NULL)
        return HEED_OK;
    if (input < 0)
        return heed_json_fail(r->context, v, HEED_EUNSUPPORTED, "masks of this kind are not supported");
    HEED_TRY(read_origin(r, history, &o));
    if (history == v)
        o.call -= o.from->first_call;
    if (o.from->layer == NULL && input < a->count && a->inputs[input] != NULL && a->inputs[input]->masked)
        return HEED_OK; /* as rides_anyway */
    if (o.from->layer == NULL)
        return heed_operation_refuse(r->context, o.from->object);
    HEED_TRY(find_symbol(r, v, &o, &s));
    a->waits |= s == NULL;
    if (a->waits || input >= a->count || rides_anyway(s, a->inputs[input]))
        return HEED_OK;
    a->masks[input] = s;
    a->masked = true;
    return HEED_OK;
}

static bool holds_tensor(const reader *r, const heed_json *v)
{
    if (any_history(r, v) != NULL)
        return true;
    if (v->type == HEED_JSON_ARRAY)
        for (const heed_json *item = v->first; item != NULL; item = item->next)
            if (holds_tensor(r, item))
                return true;
    return false;
}

static heed_status set_keyword(const reader *r, arguments *a, const char *key, heed_value *value)
{
    heed_zone *z = &r->model->zone;
    if (a->keywords == NULL && (a->keywords = heed_value_dict(z)) == NULL)
        return HEED_ENOMEM;
    return heed_value_set(z, a->keywords, key, value);
}

/* An attention mask is the fourth input, behind a key, which is the value where none is given. */
static heed_status take_attention_mask(const reader *r, const heed_json *v, arguments *a)
{
    if (a->count == 2) {
        a->inputs[2] = a->inputs[1];
        a->count++;
    }
    return take_tensors(r, v, a, 8);
}

static heed_status read_keyword(const reader *r, const heed_json *v, arguments *a)
{
    if (strcmp(v->key, "training") == 0 || strcmp(v->key, "verbose") == 0 || v->type == HEED_JSON_NULL)
        return HEED_OK;
    if (strcmp(v->key, "attention_mask") == 0 && holds_tensor(r, v))
        return take_attention_mask(r, v, a);
    if (is_mask(v->key))
        return take_mask(r, v, masked_input(v->key), a);
    if (holds_tensor(r, v))
        return take_tensors(r, v, a, 8);
    return set_keyword(r, a, v->key, heed_value_of_json(&r->model->zone, v));
}

/* Tensors among the keywords come in this order, whatever the order of the call was. */
static const char *const tensor_keywords[] = {"query", "value", "key", "initial_state", "constants"};
enum { TENSOR_KEYWORDS = sizeof tensor_keywords / sizeof *tensor_keywords };

static bool is_tensor_keyword(const char *key)
{
    for (int i = 0; i < TENSOR_KEYWORDS; i++)
        if (strcmp(tensor_keywords[i], key) == 0)
            return true;
    return false;
}

static heed_status read_keywords(const reader *r, const heed_json *kwargs, arguments *a)
{
    if (!heed_json_is(kwargs, HEED_JSON_OBJECT))
        return HEED_OK;
    for (int i = 0; i < TENSOR_KEYWORDS; i++) {
        const heed_json *v = heed_json_find(kwargs, tensor_keywords[i]);
        if (v != NULL)
            HEED_TRY(read_keyword(r, v, a));
    }
    for (const heed_json *item = kwargs->first; item != NULL; item = item->next)
        if (!is_tensor_keyword(item->key))
            HEED_TRY(read_keyword(r, item, a));
    return HEED_OK;
}

/* An argument of an operation: a tensor becomes an input, for which the argument then stands; so in lists. */
static heed_status read_operand(const reader *r, const heed_json *v, arguments *a, int depth, heed_value **out)
{
    heed_zone *z = &r->model->zone;
    const heed_json *history = tensor_history(v);
    *out = NULL;
    if (history != NULL) {
        HEED_TRY(take_tensor(r, v, history, a));
        *out = heed_operand_of_input(z, a->count - 1);
    } else if (holds_tensor(r, v) && depth > 0) {
        *out = heed_value_list(z);
        for (const heed_json *item = v->first; item != NULL; item = item->next) {
            heed_value *inner;
            HEED_TRY(read_operand(r, item, a, depth - 1, &inner));
            HEED_TRY(heed_value_append(*out, inner));
        }
    } else {
        *out = heed_value_of_json(z, v);
    }
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The arguments of an operation, in their places. */
static heed_status read_operands(const reader *r, const heed_json *args, arguments *a)
{
    heed_value *list = heed_value_list(&r->model->zone), *operand;
    for (const heed_json *item = args->first; item != NULL; item = item->next) {
        HEED_TRY(read_operand(r, item, a, 8, &operand));
        HEED_TRY(heed_value_append(list, operand));
    }
    return set_keyword(r, a, "arguments", list);
}

/* {"args": [...], "kwargs": {...}}: Keras 3. */
static heed_status read_call(const reader *r, const entry *e, arguments *a)
{
    const heed_json *node = e->next, *args = heed_json_find(node, "args"), *kwargs = heed_json_find(node, "kwargs");
    if (!heed_json_is(args, HEED_JSON_ARRAY))
        return heed_json_fail(r->context, node, HEED_EFORMAT, "a call without args");
    if (heed_is_operation(e->layer))
        HEED_TRY(read_operands(r, args, a));
    for (const heed_json *item = heed_is_operation(e->layer) ? NULL : args->first; item != NULL; item = item->next)
        HEED_TRY(take_tensors(r, item, a, 8));
    return read_keywords(r, kwargs, a);
}

/* [["layer", 0, 0, {kwargs}], ...], or one such without the list around it: Keras 2. */
static heed_status read_old_call(const reader *r, const heed_json *node, arguments *a)
{
    if (heed_json_is(heed_json_at(node, 0), HEED_JSON_STRING)) {
        HEED_TRY(take_tensor(r, node, node, a));
        return read_keywords(r, heed_json_at(node, 3), a);
    }
    for (const heed_json *item = node->first; item != NULL; item = item->next) {
        if (item->type != HEED_JSON_ARRAY)
            return heed_json_fail(r->context, item, HEED_EFORMAT, "expected a tensor's origin");
        HEED_TRY(read_old_call(r, item, a));
    }
    return HEED_OK;
}

/* A leaf of Keras 2's: ["layer", call, output, {...}], or ["_CONSTANT_VALUE", -1, value, {...}]. */
static heed_status read_old_operand(const reader *r, const heed_json *v, arguments *a, heed_value **out)
{
    const heed_json *first = heed_json_at(v, 0);
    heed_zone *z = &r->model->zone;
    if (heed_json_is_string(first, "_CONSTANT_VALUE") && heed_json_at(v, 2) != NULL) {
        *out = heed_old_operand_value(z, heed_json_at(v, 2));
    } else if (heed_json_is(first, HEED_JSON_STRING)) {
        HEED_TRY(take_tensor(r, v, v, a));
        *out = heed_operand_of_input(z, a->count - 1);
    } else {
        *out = heed_old_operand_value(z, v);
    }
    return *out == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The call of a node of TensorFlow's graph: all tensors; the arguments that they are part of are known already. */
static heed_status read_node_call(const reader *r, const heed_json *node, const char *list, arguments *a)
{
    heed_value *value;
    HEED_TRY(read_old_call(r, node, a));
    HEED_TRY(heed_value_parse(&r->model->zone, "arguments", list, &value));
    return set_keyword(r, a, "arguments", value);
}

/* The call of an operation: its first operand, or a list of them; the others are keywords of the first tensor. */
static heed_status read_old_operation(const reader *r, const heed_json *node, const char *names, arguments *a)
{
    heed_value *list = heed_value_list(&r->model->zone), *operand;
    if (names[0] == '=')
        return read_node_call(r, node, names + 1, a);
    bool several = !heed_json_is(heed_json_at(node, 0), HEED_JSON_STRING);
    const heed_json *keywords = heed_json_at(several ? heed_json_at(node, 0) : node, 3);
    heed_value *first = several ? heed_value_list(&r->model->zone) : NULL;
    for (const heed_json *item = several ? node->first : node; item != NULL; item = several ? item->next : NULL) {
        HEED_TRY(read_old_operand(r, item, a, &operand));
        if (several)
            HEED_TRY(heed_value_append(first, operand));
    }
    HEED_TRY(heed_value_append(list, several ? first : operand));
    for (const char *end; *names != '\0'; names = end + strspn(end, " ")) {
        end = names + strcspn(names, " ");
        for (const heed_json *v = keywords == NULL ? NULL : keywords->first; v != NULL; v = v->next)
            if (strlen(v->key) == (size_t)(end - names) && strncmp(v->key, names, (size_t)(end - names)) == 0) {
                HEED_TRY(read_old_operand(r, v, a, &operand));
                HEED_TRY(heed_value_append(list, operand));
            }
    }
    return set_keyword(r, a, "arguments", list);
}

static heed_status add_call(reader *r, entry *e, heed_wire *w)
{
    heed_wire **calls = heed_zone_alloc(&r->zone, e->call_count + 1, sizeof *calls);
    if (calls == NULL)
        return HEED_ENOMEM;
    if (e->call_count > 0)
        memcpy(calls, e->calls, e->call_count * sizeof *calls);
    calls[e->call_count++] = w;
    e->calls = calls;
    return HEED_OK;
}

/* What an operation makes of one that cannot be run cannot be had either, which matters only to what needs it. */
static heed_status pass_refusal_on(const reader *r, entry *e, const entry *refused)
{
    if (!heed_is_operation(e->layer))
        return heed_operation_refuse(r->context, refused->object);
    heed_layer_release(e->layer);
    e->layer = NULL;
    e->object = refused->object;
    return HEED_OK;
}

/* Before Keras 2.11 this was an option of attention layers. */
static bool is_causal(const heed_json *object)
{
    const heed_json *causal = heed_json_find(heed_json_find(object, "config"), "causal");
    return heed_json_is(causal, HEED_JSON_BOOL) && causal->boolean;
}

/* Wires an entry's next call if it can be; *wired tells. */
static heed_status wire_next(reader *r, entry *e, bool *wired)
{
    arguments a = {.count = 0};
    *wired = false;
    if (e->next->type != HEED_JSON_ARRAY)
        HEED_TRY(read_call(r, e, &a));
    else if (heed_is_operation(e->layer))
        HEED_TRY(read_old_operation(r, e->next, heed_operation_operands(e->layer), &a));
    else
        HEED_TRY(read_old_call(r, e->next, &a));
    if (a.refused != NULL)
        return pass_refusal_on(r, e, a.refused);
    if (is_causal(e->object))
        HEED_TRY(set_keyword(r, &a, "use_causal_mask", heed_value_bool(&r->model->zone, true)));
    if (a.waits)
        return HEED_OK;
    heed_wire *w = heed_wire_layer(r->model, e->layer, a.inputs, a.masked ? a.masks : NULL, a.count, a.keywords);
    if (w == NULL)
        return heed_model_status(r->model);
    *wired = true;
    e->next = e->next->next;
    return add_call(r, e, w);
}

static heed_status wire_calls(reader *r)
{
    bool waiting = true;
    while (waiting) {
        bool progress = false;
        const entry *stuck = NULL;
        for (size_t i = 0; i < r->count; i++) {
            entry *e = &r->entries[i];
            bool wired = true;
            while (e->next != NULL && e->layer != NULL && wired) {
                HEED_TRY(wire_next(r, e, &wired));
                progress |= wired;
            }
            if (e->next != NULL && e->layer != NULL)
                stuck = e;
        }
        waiting = stuck != NULL;
        if (waiting && !progress)
            return heed_json_fail(r->context, stuck->object, HEED_EFORMAT, "layer '%s' waits for itself", stuck->name);
    }
    return HEED_OK;
}

/* ---- functional: the whole */

/* Keras 3 leaves out in HDF5 whether something is an operation or a layer: what says nothing of training, and is no layer
 * that heed knows, must be an operation that it does not know. */
static bool is_unknown_operation(const reader *r, const heed_json *object)
{
    const heed_json *call = heed_json_at(heed_json_find(object, "inbound_nodes"), 0), *name = heed_json_find(object, "class_name");
    const heed_json *config = heed_json_find(object, "config");
    return heed_json_find(call, "args") != NULL && heed_json_find(object, "module") == NULL &&
           heed_json_find(config, "trainable") == NULL &&
           heed_json_is(name, HEED_JSON_STRING) && !heed_keras_is_model_class(name->text) &&
           heed_find_layer(r->context, name->text, NULL) == NULL;
}

static heed_status read_entry(reader *r, const heed_json *object, entry *e)
{
    heed_context *c = r->context;
    const heed_json *nodes = heed_json_find(object, "inbound_nodes"), *config = heed_json_find(object, "config");
    const heed_json *name = heed_json_find(object, "name");
    if (name == NULL)
        name = heed_json_find(config, "name");
    if (!heed_json_is(name, HEED_JSON_STRING))
        return heed_json_fail(c, object, HEED_EFORMAT, "a layer without a name");
    e->object = object;
    e->name = name->text;
    e->first_call = -1;
    e->next = heed_json_is(nodes, HEED_JSON_ARRAY) ? nodes->first : NULL;
    if (find_entry(r, e->name) != NULL)
        return heed_json_fail(c, object, HEED_EFORMAT, "two layers are called '%s'", e->name);
    if (heed_is_operation_object(object))
        return heed_operation_create(c, object, &e->layer);
    return is_unknown_operation(r, object) ? HEED_OK : heed_keras_read_layer(c, object, r->reading, &e->layer);
}

/* The elements of a list, or the members of an object by their sorted names, as Keras orders them. */
static heed_status list_items(reader *r, const heed_json *list, const heed_json ***out)
{
    size_t count = 0;
    const heed_json **items = *out = heed_zone_alloc(&r->zone, list->count, sizeof *items);
    if (items == NULL)
        return HEED_ENOMEM;
    for (const heed_json *item = list->first; item != NULL; item = item->next) {
        size_t at = count++;
        for (; list->type == HEED_JSON_OBJECT && at > 0 && strcmp(items[at - 1]->key, item->key) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
    return HEED_OK;
}

/* Input layers become inputs in the order that input_layers says, not in that of the list. */
static heed_status read_inputs(reader *r, const heed_json *list)
{
    if (heed_json_is(heed_json_at(list, 0), HEED_JSON_STRING)) { /* one input, without the list around it */
        origin o;
        HEED_TRY(read_origin(r, list, &o));
        if (o.from->layer == NULL || !heed_is_input_layer(o.from->layer))
            return heed_json_fail(r->context, list, HEED_EFORMAT, "'%s' is no input layer", o.from->name);
        heed_symbol *s = heed_wire_input(r->model, o.from->layer);
        return s == NULL ? heed_model_status(r->model) : add_call(r, o.from, s->wire);
    }
    if (list == NULL || (list->type != HEED_JSON_ARRAY && list->type != HEED_JSON_OBJECT))
        return heed_fail(r->context, HEED_EFORMAT, "%s: the model has no list of inputs", heed_model_name(r->model));
    const heed_json **items;
    HEED_TRY(list_items(r, list, &items));
    for (size_t i = 0; i < list->count; i++) {
        if (items[i]->type != HEED_JSON_ARRAY)
            return heed_json_fail(r->context, items[i], HEED_EFORMAT, "expected a layer's name, a call and an output");
        HEED_TRY(read_inputs(r, items[i]));
    }
    return HEED_OK;
}

typedef struct outputs {
    heed_symbol *symbols[HEED_MAX_OUTPUTS];
    int          count;
} outputs;

static heed_status read_outputs(reader *r, const heed_json *list, outputs *out)
{
    if (heed_json_is(heed_json_at(list, 0), HEED_JSON_STRING)) {
        origin o;
        HEED_TRY(read_origin(r, list, &o));
        if (heed_keras_is_old(r->reading))
            o.call -= o.from->first_call;
        else
            skip_own_wiring(&o);
        if (out->count == HEED_MAX_OUTPUTS)
            return heed_json_fail(r->context, list, HEED_EUNSUPPORTED, "more than %d outputs", HEED_MAX_OUTPUTS);
        if (o.from->layer == NULL)
            return heed_operation_refuse(r->context, o.from->object);
        HEED_TRY(find_symbol(r, list, &o, &out->symbols[out->count]));
        if (out->symbols[out->count++] == NULL)
            return heed_json_fail(r->context, list, HEED_EFORMAT, "layer '%s' has no call %lld", o.from->name,
                                  (long long)o.call);
        return HEED_OK;
    }
    if (list == NULL || (list->type != HEED_JSON_ARRAY && list->type != HEED_JSON_OBJECT))
        return heed_fail(r->context, HEED_EFORMAT, "%s: the model has no list of outputs", heed_model_name(r->model));
    const heed_json **items;
    HEED_TRY(list_items(r, list, &items));
    for (size_t i = 0; i < list->count; i++) {
        if (items[i]->type != HEED_JSON_ARRAY)
            return heed_json_fail(r->context, items[i], HEED_EFORMAT, "expected a layer's name, a call and an output");
        HEED_TRY(read_outputs(r, items[i], out));
    }
    return HEED_OK;
}

/* The layers in the file's order: Keras numbers weights in files by it. Those that nothing uses are left out. */
static heed_status close_in_file_order(reader *r, const outputs *o)
{
    heed_layer **layers = heed_zone_alloc(&r->zone, r->count, sizeof *layers);
    size_t count = 0;
    if (layers == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i].call_count > 0)
            layers[count++] = r->entries[i].layer;
    return heed_model_close(r->model, o->symbols, o->count, layers, count);
}

static void find_first_calls(reader *r, const heed_json *ends)
{
    for (size_t i = 0; i < r->count; i++)
        note_calls(r, heed_json_find(r->entries[i].object, "inbound_nodes"));
    note_calls(r, ends);
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i].first_call < 0)
            r->entries[i].first_call = 0;
}

static heed_status read_functional(reader *r, const heed_json *config)
{
    heed_json *layers;
    HEED_TRY(heed_json_need(r->context, config, "layers", HEED_JSON_ARRAY, &layers));
    r->entries = heed_zone_alloc(&r->zone, layers->count, sizeof *r->entries);
    if (r->entries == NULL)
        return HEED_ENOMEM;
    for (const heed_json *item = layers->first; item != NULL; item = item->next) {
        entry e = {0};
        HEED_TRY(read_entry(r, item, &e));
        r->entries[r->count++] = e;
    }
    find_first_calls(r, heed_json_find(config, "output_layers"));
    HEED_TRY(read_inputs(r, heed_json_find(config, "input_layers")));
    HEED_TRY(wire_calls(r));
    outputs o = {.count = 0};
    HEED_TRY(read_outputs(r, heed_json_find(config, "output_layers"), &o));
    return close_in_file_order(r, &o);
}

static heed_status read_wired(heed_context *c, const heed_json *config, const heed_keras_reading *reading, heed_model *m)
{
    reader r = {.context = c, .model = m, .reading = reading};
    heed_zone_init(&r.zone, c);
    heed_status status = read_functional(&r, config);
    for (size_t i = 0; i < r.count; i++)
        heed_layer_release(r.entries[i].layer); /* the model holds what it uses */
    heed_zone_free(&r.zone);
    return status;
}

static heed_status read_model(heed_context *c, const heed_json *object, const heed_keras_reading *r, heed_model **out)
{
    const char *class_name;
    HEED_TRY(heed_keras_class_of(c, object, &class_name));
    if (!heed_keras_is_model_class(class_name))
        return heed_json_fail(c, object, HEED_EUNSUPPORTED,
                              "only Functional and Sequential models can be read (found %s)", class_name);
    const heed_json *config = heed_json_find(object, "config"), *name = heed_json_find(config, "name");
    const heed_json *trainable = heed_json_find(config, "trainable");
    const char *own = heed_json_is(name, HEED_JSON_STRING) ? name->text : NULL;
    bool sequential = strcmp(class_name, "Sequential") == 0;
    if (config == NULL)
        return heed_json_fail(c, object, HEED_EFORMAT, "a model without a config");
    heed_model *m = sequential ? heed_sequential(c, own) : heed_functional(c, own);
    if (m == NULL)
        return HEED_ENOMEM;
    m->layer->keras = heed_keras_number(r->version);
    if (heed_json_is(trainable, HEED_JSON_BOOL))
        heed_layer_set_trainable(m->layer, trainable->boolean);
    heed_status status = sequential ? heed_keras_read_sequential(object, r, m) : read_wired(c, config, r, m);
    if (status == HEED_OK)
        *out = m;
    else
        heed_model_free(m);
    return status;
}

heed_status heed_keras_read_model(heed_context *c, const heed_json *object, const heed_keras_reading *r, heed_model **out)
{
    heed_keras_reading known = r == NULL ? (heed_keras_reading){0} : *r;
    const heed_json *own_version = heed_json_find(object, "keras_version");
    *out = NULL;
    if (known.version == NULL)
        known.version = heed_json_is(own_version, HEED_JSON_STRING) ? own_version->text : NULL;
    return read_model(c, object, &known, out);
}
