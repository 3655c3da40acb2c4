/* Reading: the calls of a functional model's layers. */
#include "formats/keras_wiring.h"

#include "formats/keras_operation.h"
#include "formats/keras_operation_old.h"

#include <string.h>

/* ---- looking up */

heed_wiring_entry *heed_wiring_find(const heed_wiring *r, const char *name)
{
    return heed_index_find_text(&r->names, name);
}

heed_status heed_wiring_add(heed_wiring *r, const heed_wiring_entry *e)
{
    r->entries[r->count] = *e;
    return heed_index_put_text(&r->names, &r->zone, e->name, &r->entries[r->count++]);
}

heed_status heed_wiring_origin(const heed_wiring *r, const heed_json *list, heed_wiring_place *out)
{
    heed_context *c = r->context;
    const heed_json *name = heed_json_at(list, 0), *call = heed_json_at(list, 1), *output = heed_json_at(list, 2);
    if (!heed_json_is(name, HEED_JSON_STRING) || call == NULL || output == NULL)
        return heed_json_fail(c, list, HEED_EFORMAT, "expected a layer's name, a call and an output");
    HEED_TRY(heed_json_as_int(c, call, &out->call));
    HEED_TRY(heed_json_as_int(c, output, &out->output));
    out->from = heed_wiring_find(r, name->text);
    if (out->from == NULL)
        return heed_json_fail(c, list, HEED_EFORMAT, "there is no layer '%s'", name->text);
    return HEED_OK;
}

heed_status heed_wiring_symbol(const heed_wiring *r, const heed_json *where, const heed_wiring_place *o,
                               heed_symbol **out)
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

void heed_wiring_skip_own(heed_wiring_place *o)
{
    const heed_layer *layer = o->from->layer;
    if (layer != NULL && layer->layer_class == &heed_functional_class && o->call > 0)
        o->call--;
}

/* A tensor as Keras 2 writes it: ["layer", call, output], perhaps with {kwargs} behind. */
static bool is_old_tensor(const heed_wiring *r, const heed_json *v)
{
    const heed_json *name = heed_json_at(v, 0);
    return heed_json_is(name, HEED_JSON_STRING) && (v->count == 3 || v->count == 4) &&
           heed_json_is(heed_json_at(v, 1), HEED_JSON_INT) && heed_json_is(heed_json_at(v, 2), HEED_JSON_INT) &&
           heed_wiring_find(r, name->text) != NULL;
}

void heed_wiring_note_calls(const heed_wiring *r, const heed_json *v)
{
    if (v == NULL || (v->type != HEED_JSON_ARRAY && v->type != HEED_JSON_OBJECT))
        return;
    if (v->type == HEED_JSON_ARRAY && is_old_tensor(r, v)) {
        heed_wiring_entry *e = heed_wiring_find(r, heed_json_at(v, 0)->text);
        int64_t call = heed_json_at(v, 1)->integer;
        if (e->first_call < 0 || call < e->first_call)
            e->first_call = call;
    }
    for (const heed_json *item = v->first; item != NULL; item = item->next)
        heed_wiring_note_calls(r, item);
}

/* ---- calls */

/* What a call is made of, once everything it needs is there. */
typedef struct arguments {
    heed_symbol *inputs[HEED_MAX_OUTPUTS], *masks[HEED_MAX_OUTPUTS];
    int          count;
    bool         masked; /* a mask was given */
    heed_value  *keywords;
    heed_wiring_place waits_for; /* the first call it needs that is not wired yet; from NULL: none */
    const heed_wiring_entry *refused; /* an operation among them that heed cannot run */
} arguments;

/* The three numbers of a tensor in an argument; NULL for what is none. */
static const heed_json *tensor_history(const heed_json *v)
{
    const heed_json *class_name = heed_json_find(v, "class_name");
    if (heed_json_is_string(class_name, "__keras_tensor__"))
        return heed_json_find(heed_json_find(v, "config"), "keras_history");
    return NULL;
}

/* The symbol at a place; NULL where its call is to be wired first, which `a` notes. */
static heed_status find_symbol(const heed_wiring *r, const heed_json *where, const heed_wiring_place *o, arguments *a,
                               heed_symbol **out)
{
    HEED_TRY(heed_wiring_symbol(r, where, o, out));
    if (*out == NULL && a->waits_for.from == NULL)
        a->waits_for = *o;
    return HEED_OK;
}

static heed_status take_tensor(const heed_wiring *r, const heed_json *where, const heed_json *history, arguments *a)
{
    heed_wiring_place o;
    HEED_TRY(heed_wiring_origin(r, history, &o));
    if (history == where) /* as Keras 2 writes it */
        o.call -= o.from->first_call;
    if (o.from->layer == NULL) {
        a->refused = o.from;
        return HEED_OK;
    }
    if (a->count == HEED_MAX_OUTPUTS)
        return heed_json_fail(r->context, where, HEED_EUNSUPPORTED, "a call with more than %d tensors",
                              HEED_MAX_OUTPUTS);
    return find_symbol(r, where, &o, a, &a->inputs[a->count++]);
}

/* The same of a tensor in either form: what take_tensor is to be given. */
static const heed_json *any_history(const heed_wiring *r, const heed_json *v)
{
    const heed_json *history = tensor_history(v);
    return history == NULL && heed_json_is(v, HEED_JSON_ARRAY) && is_old_tensor(r, v) ? v : history;
}

/* Tensors in an argument, however nested. */
static heed_status take_tensors(const heed_wiring *r, const heed_json *v, arguments *a, int depth)
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

static bool makes_mask(const heed_wire *w)
{
    const char *name = w->layer->layer_class->name;
    return w->input_count == 0 || strcmp(name, "Embedding") == 0 || strcmp(name, "Masking") == 0;
}

/* The wire that makes the mask riding on a symbol; one without inputs where there is none. The answer is noted for all
 * symbols on the way, so that each is passed once. */
static heed_status mask_maker(heed_wiring *r, const heed_symbol *s, const heed_wire **out)
{
    static const heed_wire nobody;
    const heed_symbol *at = s;
    while ((*out = heed_index_find_address(&r->mask_makers, at)) == NULL && at->masked && !makes_mask(at->wire))
        at = at->wire->inputs[0];
    if (*out == NULL)
        *out = at->masked ? at->wire : &nobody;
    for (; s != at; s = s->wire->inputs[0])
        HEED_TRY(heed_index_put_address(&r->mask_makers, &r->zone, s, (void *)(uintptr_t)*out));
    return HEED_OK;
}

/* Keras notes the masks that it found by itself as results of operations: NotEqual of what Embedding or Masking was
 * given, then perhaps Any; or a merge of masks. heed finds those by itself, in a form that may be cheaper; but for a model
 * in which the mask may have been taken off by then. */
static heed_status rides_anyway(heed_wiring *r, const heed_symbol *mask, const heed_symbol *input, bool *out)
{
    const heed_wire *w = mask->wire, *maker;
    *out = false;
    if (!heed_is_operation(w->layer) || !input->masked || r->takes_masks_off)
        return HEED_OK;
    if (strcmp(w->layer->layer_class->name, "Any") == 0)
        w = w->inputs[0]->wire;
    *out = strcmp(w->layer->layer_class->name, "NotEqual") != 0;
    if (*out)
        return HEED_OK;
    HEED_TRY(mask_maker(r, input, &maker));
    *out = maker->input_count > 0 && maker->inputs[0] == w->inputs[0];
    return HEED_OK;
}

/* "mask" is of the first input, or a list of one for each; the others are named after their input. */
static int masked_input(const char *key)
{
    static const struct {
        const char *key;
        int         input;
    } named[] = {{"mask", 0},         {"query_mask", 0},           {"value_mask", 1},          {"key_mask", 2},
                 {"padding_mask", 0}, {"decoder_padding_mask", 0}, {"encoder_padding_mask", 1}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(named[i].key, key) == 0)
            return named[i].input;
    return -1;
}

/* For one of several tensors Keras notes a mask only where it was given by hand. */
static bool is_given(const heed_json *v, const arguments *a)
{
    return v->key != NULL && strcmp(v->key, "mask") == 0 && a->count > 1;
}

static heed_status take_mask(heed_wiring *r, const heed_json *v, int input, arguments *a)
{
    const heed_json *history = any_history(r, v);
    heed_symbol *s;
    heed_wiring_place o;
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
    HEED_TRY(heed_wiring_origin(r, history, &o));
    if (history == v)
        o.call -= o.from->first_call;
    if (o.from->layer == NULL && input < a->count && a->inputs[input] != NULL && a->inputs[input]->masked)
        return HEED_OK; /* as rides_anyway */
    if (o.from->layer == NULL)
        return heed_operation_refuse(r->context, o.from->object);
    HEED_TRY(find_symbol(r, v, &o, a, &s));
    if (a->waits_for.from != NULL || input >= a->count)
        return HEED_OK;
    bool rides = false;
    if (!is_given(v, a))
        HEED_TRY(rides_anyway(r, s, a->inputs[input], &rides));
    if (rides)
        return HEED_OK;
    a->masks[input] = s;
    a->masked = true;
    return HEED_OK;
}

static bool holds_tensor(const heed_wiring *r, const heed_json *v)
{
    if (any_history(r, v) != NULL)
        return true;
    if (v->type == HEED_JSON_ARRAY)
        for (const heed_json *item = v->first; item != NULL; item = item->next)
            if (holds_tensor(r, item))
                return true;
    return false;
}

static heed_status set_keyword(const heed_wiring *r, arguments *a, const char *key, heed_value *value)
{
    heed_zone *z = &r->model->zone;
    if (a->keywords == NULL && (a->keywords = heed_value_dict(z)) == NULL)
        return HEED_ENOMEM;
    return heed_value_set(z, a->keywords, key, value);
}

/* An attention mask is the fourth input, behind a key, which is the value where none is given. */
static heed_status take_attention_mask(const heed_wiring *r, const heed_json *v, arguments *a)
{
    if (a->count == 2) {
        a->inputs[2] = a->inputs[1];
        a->count++;
    }
    return take_tensors(r, v, a, 8);
}

static heed_status read_keyword(heed_wiring *r, const heed_json *v, arguments *a)
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

static heed_status read_keywords(heed_wiring *r, const heed_json *kwargs, arguments *a)
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
static heed_status read_operand(const heed_wiring *r, const heed_json *v, arguments *a, int depth, heed_value **out)
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

static bool is_among(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* The call of an operation: its arguments, in their places; those that come as keywords stand behind, or None. */
static heed_status read_operation(heed_wiring *r, const heed_layer *operation, const heed_json *args, const heed_json *kwargs,
                                  arguments *a)
{
    heed_zone *z = &r->model->zone;
    heed_value *list = heed_value_list(z), *operand;
    const char *const *names = heed_operation_parameters(operation), *const *name = names;
    for (const heed_json *item = args->first; item != NULL; item = item->next, name += *name != NULL) {
        HEED_TRY(read_operand(r, item, a, 8, &operand));
        HEED_TRY(heed_value_append(list, operand));
    }
    for (; *name != NULL; name++) {
        const heed_json *v = heed_json_find(kwargs, *name);
        if (v != NULL)
            HEED_TRY(read_operand(r, v, a, 8, &operand));
        HEED_TRY(heed_value_append(list, v != NULL ? operand : heed_value_null(z)));
    }
    const heed_json *others = heed_json_is(kwargs, HEED_JSON_OBJECT) ? kwargs->first : NULL;
    for (const heed_json *item = others; item != NULL; item = item->next)
        if (!is_among(names, item->key))
            HEED_TRY(read_keyword(r, item, a));
    return set_keyword(r, a, "arguments", list);
}

/* {"args": [...], "kwargs": {...}}: Keras 3. */
static heed_status read_call(heed_wiring *r, const heed_wiring_entry *e, arguments *a)
{
    const heed_json *node = e->next, *args = heed_json_find(node, "args"), *kwargs = heed_json_find(node, "kwargs");
    if (!heed_json_is(args, HEED_JSON_ARRAY))
        return heed_json_fail(r->context, node, HEED_EFORMAT, "a call without args");
    if (heed_is_operation(e->layer))
        return read_operation(r, e->layer, args, kwargs, a);
    for (const heed_json *item = args->first; item != NULL; item = item->next)
        HEED_TRY(take_tensors(r, item, a, 8));
    return read_keywords(r, kwargs, a);
}

/* [["layer", 0, 0, {kwargs}], ...], or one such without the list around it: Keras 2. */
static heed_status read_old_call(heed_wiring *r, const heed_json *node, arguments *a)
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
static heed_status read_old_operand(const heed_wiring *r, const heed_json *v, arguments *a, heed_value **out)
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
static heed_status read_node_call(heed_wiring *r, const heed_json *node, const char *list, arguments *a)
{
    heed_value *value;
    HEED_TRY(read_old_call(r, node, a));
    HEED_TRY(heed_value_parse(&r->model->zone, "arguments", list, &value));
    return set_keyword(r, a, "arguments", value);
}

/* The call of an operation: its first operand, or a list of them; the others are keywords of the first tensor. */
static heed_status read_old_operation(heed_wiring *r, const heed_json *node, const char *names, arguments *a)
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

heed_status heed_wiring_add_call(heed_wiring *r, heed_wiring_entry *e, heed_wire *w)
{
    size_t count = e->call_count;
    if ((count & (count - 1)) == 0) { /* 0 or a power of two: as many as there is room for */
        heed_wire **calls = heed_zone_alloc(&r->zone, count == 0 ? 1 : 2 * count, sizeof *calls);
        if (calls == NULL)
            return HEED_ENOMEM;
        if (count > 0)
            memcpy(calls, e->calls, count * sizeof *calls);
        e->calls = calls;
    }
    e->calls[e->call_count++] = w;
    return HEED_OK;
}

/* What an operation makes of one that cannot be run cannot be had either, which matters only to what needs it. */
static heed_status pass_refusal_on(const heed_wiring *r, heed_wiring_entry *e, const heed_wiring_entry *refused)
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

/* Wires an entry's next call if it can be; else *waits_for is what has to be wired before. */
static heed_status wire_next(heed_wiring *r, heed_wiring_entry *e, heed_wiring_place *waits_for)
{
    arguments a = {.count = 0};
    *waits_for = (heed_wiring_place){NULL, 0, 0};
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
    *waits_for = a.waits_for;
    if (waits_for->from != NULL)
        return HEED_OK;
    heed_wire *w = heed_wire_layer(r->model, e->layer, a.inputs, a.masked ? a.masks : NULL, a.count, a.keywords);
    if (w == NULL)
        return heed_model_status(r->model);
    e->next = e->next->next;
    return heed_wiring_add_call(r, e, w);
}

/* An entry whose calls are being wired, up to the one that somebody waits for. */
typedef struct under_way {
    heed_wiring_entry *entry;
    int64_t            call;
} under_way;

static bool is_done(const under_way *u)
{
    return u->entry->next == NULL || u->entry->layer == NULL || (int64_t)u->entry->call_count > u->call;
}

/* Why what an entry waits for will never be there; HEED_OK: it may. */
static heed_status check_wait(const heed_wiring *r, const heed_wiring_entry *e, const heed_wiring_place *o)
{
    if (o->from->under_way)
        return heed_json_fail(r->context, e->object, HEED_EFORMAT, "layer '%s' waits for itself", e->name);
    if (o->call < 0 || o->from->next == NULL)
        return heed_json_fail(r->context, e->object, HEED_EFORMAT, "layer '%s' needs call %lld of layer '%s', which has %zu",
                              e->name, (long long)o->call, o->from->name, o->from->call_count);
    return HEED_OK;
}

/* Wires all calls of an entry, and before each what it needs: depth first, without recursion. `stack` has room for all
 * entries, for none is on it twice. */
static heed_status wire_all(heed_wiring *r, heed_wiring_entry *e, under_way *stack)
{
    size_t height = 0;
    heed_wiring_place need;
    stack[height++] = (under_way){e, INT64_MAX};
    while (height > 0) {
        under_way *top = &stack[height - 1];
        top->entry->under_way = !is_done(top);
        if (!top->entry->under_way) {
            height--;
            continue;
        }
        HEED_TRY(wire_next(r, top->entry, &need));
        if (need.from == NULL)
            continue;
        HEED_TRY(check_wait(r, top->entry, &need));
        stack[height++] = (under_way){need.from, need.call};
    }
    return HEED_OK;
}

heed_status heed_wiring_run(heed_wiring *r)
{
    under_way *stack = heed_zone_alloc(&r->zone, r->count, sizeof *stack);
    if (stack == NULL)
        return HEED_ENOMEM;
    for (size_t i = 0; i < r->count; i++)
        r->takes_masks_off |= r->entries[i].layer != NULL && heed_takes_masks_off(r->entries[i].layer);
    for (size_t i = 0; i < r->count; i++)
        HEED_TRY(wire_all(r, &r->entries[i], stack));
    return HEED_OK;
}
