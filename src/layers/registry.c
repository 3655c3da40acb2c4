/* Classes by name, and layers from what files and other languages say about them. */
#include "heed/attention.h"
#include "heed/convolution.h"
#include "heed/normalization.h"
#include "heed/transformer.h"
#include "layers/layer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEED_CLASS_ROW(name) &heed_##name##_class,
static const heed_layer_class *const built_in[] = {
    HEED_LAYER_CLASS_MAP(HEED_CLASS_ROW) HEED_NORMALIZATION_CLASS_MAP(HEED_CLASS_ROW)
        HEED_CONVOLUTION_CLASS_MAP(HEED_CLASS_ROW) HEED_ATTENTION_CLASS_MAP(HEED_CLASS_ROW)
        HEED_TRANSFORMER_CLASS_MAP(HEED_CLASS_ROW)};
#undef HEED_CLASS_ROW

enum { BUILT_IN_COUNT = sizeof built_in / sizeof *built_in };

const heed_layer_class *heed_layer_class_at(int index)
{
    return index < 0 || index >= BUILT_IN_COUNT ? NULL : built_in[index];
}

static const heed_layer_class *find_in(const heed_layer_class *const *classes, size_t count, const char *name,
                                       const char *collection)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(classes[i]->name, name) == 0 &&
            (collection == NULL || strcmp(classes[i]->collection, collection) == 0))
            return classes[i];
    return NULL;
}

static const heed_layer_class *find_own(heed_context *c, const char *name, const char *collection)
{
    return find_in((const heed_layer_class *const *)c->registered, c->registered_count, name, collection);
}

const heed_layer_class *heed_find_layer(heed_context *c, const char *name, const char *collection)
{
    const heed_layer_class *own = find_own(c, name, collection);
    return own != NULL ? own : find_in(built_in, BUILT_IN_COUNT, name, collection);
}

heed_status heed_register_layer(heed_context *c, const heed_layer_class *layer_class)
{
    if (layer_class == NULL || layer_class->name == NULL || layer_class->collection == NULL ||
        layer_class->call == NULL)
        return heed_fail(c, HEED_EINVAL, "heed_register_layer: the class needs a name, a collection and a call");
    if (layer_class->defaults == NULL || layer_class->config_size < sizeof(heed_layer_common) ||
        heed_options_find(HEED_TABLE_OF(layer_class), "trainable") == NULL)
        return heed_fail(c, HEED_EINVAL, "heed_register_layer: the options of %s do not begin with HEED_LAYER_OPTIONS",
                         layer_class->name);
    void *registered = c->registered;
    heed_status status = heed_grow(c, &registered, &c->registered_capacity, c->registered_count, sizeof *c->registered);
    c->registered = registered;
    if (status == HEED_OK)
        c->registered[c->registered_count++] = layer_class;
    return status;
}

/* ---- names that several collections have ---- */

/* Whose class it is, by a key of its config that the others lack; a NULL key: where none of the rows before it fits. */
static const struct owner {
    const char *class_name, *key, *collection; /* NULL: nobody's of those known here */
    const char *called;                        /* what it is called there, where that differs */
} owners[] = {
    {"ScaledDotProductAttention", "history_only", "keras-self-attention", NULL},
    {"ScaledDotProductAttention", NULL, "keras-layer-collection", NULL},
    {"LayerNormalization", "axis", "keras", NULL},
    {"LayerNormalization", "center", NULL, NULL},
    {"LayerNormalization", "epsilon", NULL, NULL},
    {"LayerNormalization", NULL, "keras-layer-collection", NULL},
    {"MultiHeadAttention", "head_num", "keras-multi-head", NULL},
    {"Attention", "use_scale", "keras", NULL},
    {"Attention", "causal", "keras", NULL},
    {"Attention", "score_mode", "keras", NULL},
    {"Attention", NULL, "attention_keras", "AttentionLayer"},
    {"TransformerEncoder", "intermediate_dim", "keras-hub", NULL}, /* names that many give to layers of their own */
    {"TransformerEncoder", NULL, NULL, NULL},
    {"TransformerDecoder", "intermediate_dim", "keras-hub", NULL},
    {"TransformerDecoder", NULL, NULL, NULL},
    {"PositionEmbedding", "initializer", "keras-hub", NULL},
    {"PositionEmbedding", NULL, NULL, NULL},
    {"TokenAndPositionEmbedding", "vocabulary_size", "keras-hub", NULL},
    {"TokenAndPositionEmbedding", NULL, NULL, NULL},
};

/* What was written by hand, a call, may leave out any key: only a key that it has tells anything. */
static bool tells(const struct owner *o, const char *class_name, const heed_value *given)
{
    bool whole = heed_value_is(given, HEED_VALUE_DICT);
    return strcmp(o->class_name, class_name) == 0 && (whole || (o->key != NULL && o->collection != NULL)) &&
           (o->key == NULL || heed_value_find(given, o->key) != NULL);
}

/* Settles the collection that the caller tells of, or a saved config, and the class's name there; the collection is NULL
 * where the name alone tells. */
static heed_status find_owner(heed_context *c, const heed_value *given, const char **class_name, const char **collection)
{
    *collection = NULL;
    if (*c->origin.collection != '\0' && find_in(built_in, BUILT_IN_COUNT, *class_name, c->origin.collection) != NULL) {
        *collection = c->origin.collection;
        return HEED_OK;
    }
    const struct owner *o = NULL;
    for (size_t i = 0; i < sizeof owners / sizeof *owners && o == NULL; i++)
        if (tells(&owners[i], *class_name, given))
            o = &owners[i];
    if (o == NULL)
        return HEED_OK;
    if (o->collection == NULL && o->key == NULL) /* the user's own, if anybody's */
        return find_own(c, *class_name, NULL) != NULL
                   ? HEED_OK
                   : heed_fail(c, HEED_ENOTFOUND, "no layer of this class with such options: %s", *class_name);
    if (o->collection == NULL) {
        heed_fail(c, HEED_ENOTFOUND, "%s with %s but without axis: whose layer this is, the file does not tell",
                  *class_name, o->key);
        heed_hint(c, "--from keras (.from in heed_load_config) takes it for Keras' own, over the last axis, with epsilon added to the "
                     "variance");
        return HEED_ENOTFOUND;
    }
    *collection = o->collection;
    *class_name = o->called == NULL ? *class_name : o->called;
    return HEED_OK;
}

/* ---- versions of the originals that differ, which no file tells ---- */

static const struct change {
    const char *class_name, *collection;
    int         before; /* holds for versions before it, 1000 a + b */
    const char *option, *word;
} changes[] = {
    {"SeqSelfAttention", "keras-self-attention", 46, "masking", "factor"},
    {"SeqSelfAttention", "keras-self-attention", 47, "masking", "penalty_without_window"},
    {"SeqWeightedAttention", "keras-self-attention", 46, "masking", "factor"},
};

static heed_status add_changes(heed_zone *z, const heed_layer_class *class, heed_value *options)
{
    const struct heed_origin *origin = &z->context->origin;
    if (strcmp(origin->collection, class->collection) != 0)
        return HEED_OK;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *c = &changes[i];
        if (strcmp(c->class_name, class->name) == 0 && strcmp(c->collection, class->collection) == 0 &&
            origin->version < c->before && heed_value_find(options, c->option) == NULL)
            HEED_TRY(heed_value_set(z, options, c->option, heed_value_text(z, c->word)));
    }
    return HEED_OK;
}

static heed_status check_collection(heed_context *c, const char *name)
{
    heed_guess guess = {.word = name};
    for (int i = 0; i < BUILT_IN_COUNT; i++) {
        if (strcmp(built_in[i]->collection, name) == 0)
            return HEED_OK;
        heed_guess_offer(&guess, built_in[i]->collection);
    }
    heed_fail(c, HEED_ENOTFOUND, "no collection of this name: %s", name);
    if (guess.best != NULL)
        heed_hint(c, "did you mean %s?", guess.best);
    return HEED_ENOTFOUND;
}

/* "0.45" or "0.45.1"; false when it is none. */
static bool read_version(const char *text, int *version)
{
    long parts[2] = {0};
    for (int i = 0; i < 2; i++) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        parts[i] = strtol(text, &end, 10);
        if (parts[i] > 999 || (*end != '.' && *end != '\0') || (i == 0 && *end == '\0'))
            return false;
        text = end + (*end == '.');
    }
    *version = (int)(1000 * parts[0] + parts[1]);
    return text[strspn(text, "0123456789.")] == '\0';
}

heed_status heed_read_from(heed_context *c, const char *origin)
{
    struct heed_origin found = {.version = INT_MAX};
    const char *name = origin == NULL ? "" : origin, *mark = strchr(name, '=');
    size_t length = mark == NULL ? strlen(name) : (size_t)(mark - name);
    if (length >= sizeof found.collection)
        return heed_fail(c, HEED_ENOTFOUND, "no collection of this name: %s", name);
    memcpy(found.collection, name, length);
    if (mark != NULL && !read_version(mark + 1, &found.version))
        return heed_fail(c, HEED_EINVAL, "%s: no version (expected such as 0.45, found %s)", found.collection,
                         mark + 1);
    if (origin != NULL)
        HEED_TRY(check_collection(c, found.collection));
    c->origin = found;
    return HEED_OK;
}

/* ---- names that changed, and keys that say nothing here ---- */

static const struct renamed {
    const char *class_name; /* NULL: any */
    const char *key, *now;  /* now NULL: passed over */
} renamed[] = {
    {"LeakyReLU", "alpha", "negative_slope"},
    {"Dropout", "p", "rate"},
    {"Dense", "output_dim", "units"},
    {"Dense", "init", "kernel_initializer"},
    {"Dense", "W_regularizer", "kernel_regularizer"},
    {"Dense", "b_regularizer", "bias_regularizer"},
    {"Dense", "bias", "use_bias"},
    {"BatchNormalization", "renorm_clipping", NULL}, /* renorm itself is refused */
    {"BatchNormalization", "renorm_momentum", NULL},
    {"MultiHeadAttention", "query_shape", NULL}, /* what it was built for */
    {"MultiHeadAttention", "key_shape", NULL},
    {"MultiHeadAttention", "value_shape", NULL},
    {"MultiHeadAttention", "softmax_robust_masking", NULL},
    {"AttentionDecoder", "return_sequences", NULL}, /* it always does; the others never had an influence */
    {"AttentionDecoder", "return_state", NULL},
    {"AttentionDecoder", "go_backwards", NULL},
    {"AttentionDecoder", "stateful", NULL},
    {"AttentionDecoder", "unroll", NULL},
    {"MultiHead", "reg_index", NULL}, /* a constant in the loss, if it gets there at all */
    {"MultiHead", "reg_slice", NULL},
    {"MultiHead", "reg_factor", NULL},
    {"SeparableConv1D", "groups", NULL}, /* Keras 2: left over from the plain convolution */
    {"SeparableConv2D", "groups", NULL},
    {"DepthwiseConv1D", "groups", NULL},
    {"DepthwiseConv2D", "groups", NULL},
    {"Conv1DTranspose", "groups", NULL},
    {"Conv2DTranspose", "groups", NULL},
    {"ReLU", "theta", "threshold"}, /* of a ThresholdedReLU */
    {"SeparableConv1D", "kernel_initializer", NULL},
    {"SeparableConv1D", "kernel_regularizer", NULL},
    {"SeparableConv1D", "kernel_constraint", NULL},
    {"SeparableConv2D", "kernel_initializer", NULL},
    {"SeparableConv2D", "kernel_regularizer", NULL},
    {"SeparableConv2D", "kernel_constraint", NULL},
    {"SpatialDropout1D", "noise_shape", NULL},
    {"SpatialDropout2D", "noise_shape", NULL},
    {"Attention", "causal", NULL}, /* a keyword of its calls today */
    {"AdditiveAttention", "causal", NULL},
    {NULL, "dtype", NULL},
    {NULL, "batch_input_shape", NULL}, /* the model makes an input layer of it */
    {NULL, "batch_shape", NULL},
    {NULL, "input_shape", NULL},
    {NULL, "input_dtype", NULL},
    {NULL, "input_dim", NULL},
    {NULL, "input_length", NULL},
    {NULL, "ragged", NULL},
    {NULL, "sparse", NULL},
    {NULL, "optional", NULL},
    {NULL, "lora_rank", NULL}, /* merged into the weights when saved */
    {NULL, "lora_alpha", NULL},
    {NULL, "quantization_config", NULL},
    {NULL, "implementation", NULL},
    {NULL, "num_constants", NULL},
    {NULL, "use_cudnn", NULL},
    {NULL, "seed", NULL},
    {NULL, "activity_regularizer", NULL},
    {NULL, "autocast", NULL},
};

static const struct renamed *find_renamed(const char *class_name, const char *key)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].key, key) == 0 &&
            (renamed[i].class_name == NULL || strcmp(renamed[i].class_name, class_name) == 0))
            return &renamed[i];
    return NULL;
}

/* Whether this is a saved config of the original of a layer that we can correct: it does not say `corrected`. */
static bool is_original(const heed_layer_class *class, const heed_value *given)
{
    return heed_value_is(given, HEED_VALUE_DICT) && heed_value_find(given, "corrected") == NULL &&
           heed_options_find(HEED_TABLE_OF(class), "corrected") != NULL;
}

/* The options under today's names, as a call. */
static heed_status translate(heed_zone *z, const heed_layer_class *class, const heed_value *given, heed_value **out)
{
    *out = heed_value_call(z, class->name);
    if (*out == NULL)
        return HEED_ENOMEM;
    if (!heed_value_is(given, HEED_VALUE_DICT) && !heed_value_is(given, HEED_VALUE_CALL))
        return heed_value_unexpected(z->context, given, class->name, "options");
    bool original = is_original(class, given);
    for (const heed_value *item = given->first; item != NULL; item = item->next) {
        heed_value *copy = heed_value_copy(z, item);
        if (item->key == NULL) {
            HEED_TRY(heed_value_append(*out, copy));
            continue;
        }
        bool known = heed_options_find(HEED_TABLE_OF(class), item->key) != NULL;
        const struct renamed *r = find_renamed(class->name, item->key);
        if (known && r != NULL && (r->class_name == NULL || !original))
            r = NULL;
        if (r == NULL || r->now != NULL)
            HEED_TRY(heed_value_set(z, *out, r == NULL ? item->key : r->now, copy));
    }
    if (!original)
        return HEED_OK;
    HEED_TRY(add_changes(z, class, *out));
    return heed_value_set(z, *out, "corrected", heed_value_bool(z, false));
}

/* ---- from values ---- */

static heed_status need_class(heed_context *c, const char *name, const char *collection, const heed_layer_class **out)
{
    *out = heed_find_layer(c, name, collection);
    if (*out != NULL)
        return HEED_OK;
    heed_guess guess = {.word = name};
    for (int i = 0; i < BUILT_IN_COUNT; i++)
        heed_guess_offer(&guess, built_in[i]->name);
    for (size_t i = 0; i < c->registered_count; i++)
        heed_guess_offer(&guess, ((const heed_layer_class *)c->registered[i])->name);
    heed_fail(c, HEED_ENOTFOUND, "no layer of this class: %s", name);
    if (guess.best != NULL)
        heed_hint(c, "did you mean %s?", guess.best);
    return HEED_ENOTFOUND;
}

static heed_status read_config(heed_zone *z, const char *class_name, const char *collection, const heed_value *given,
                               heed_spec *out)
{
    const heed_layer_class *class;
    if (collection == NULL)
        HEED_TRY(find_owner(z->context, given, &class_name, &collection));
    HEED_TRY(need_class(z->context, class_name, collection, &class));
    heed_value *options;
    HEED_TRY(translate(z, class, given, &options));
    heed_option_table t = HEED_TABLE_OF(class);
    void *config = heed_options_copy(z, t, NULL);
    if (config == NULL)
        return HEED_ENOMEM;
    const int first = 2; /* positional arguments come behind name and trainable */
    HEED_TRY(heed_options_read(z, class->name, t, first, options, config));
    *out = (heed_spec){class, config};
    return HEED_OK;
}

/* "Foo" of "package>Foo". */
static const char *bare_name(const char *name)
{
    const char *mark = strrchr(name, '>');
    return mark == NULL ? name : mark + 1;
}

heed_status heed_spec_read(heed_zone *z, const char *who, const heed_value *v, heed_spec *out)
{
    *out = (heed_spec){0};
    if (v->type == HEED_VALUE_NULL)
        return HEED_OK;
    if (v->type == HEED_VALUE_CALL)
        return read_config(z, v->text, NULL, v, out);
    const heed_value *name = heed_value_find(v, "class_name"), *config = heed_value_find(v, "config");
    const heed_value *registered = heed_value_find(v, "registered_name");
    if (!heed_value_is(name, HEED_VALUE_TEXT) || config == NULL)
        return heed_value_unexpected(z->context, v, who, "a layer: its class_name and config");
    if (heed_value_is(registered, HEED_VALUE_TEXT))
        name = registered;
    return read_config(z, bare_name(name->text), NULL, config, out);
}

heed_status heed_layer_create_value(heed_context *c, const char *class_name, const char *collection,
                                    const heed_value *options, heed_layer **out)
{
    *out = NULL;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_spec spec;
    heed_status status = read_config(&z, bare_name(class_name), collection, options, &spec);
    if (status == HEED_OK)
        status = heed_layer_create(c, spec, out);
    heed_zone_free(&z);
    return status;
}

heed_status heed_layer_create_text(heed_context *c, const char *class_name, const char *options, heed_layer **out)
{
    *out = NULL;
    heed_zone z;
    heed_zone_init(&z, c);
    heed_value *given;
    heed_status status = heed_value_parse_arguments(&z, class_name, options == NULL ? "" : options, &given);
    if (status == HEED_OK)
        status = heed_layer_create_value(c, class_name, NULL, given, out);
    heed_zone_free(&z);
    return status;
}

/* ---- what Keras 2 wrote ---- */

/* Whether this is the config of a GRU: only a GRU says recurrent_activation and not unit_forget_bias. */
static bool is_gru_config(const heed_value *v)
{
    return heed_value_find(v, "recurrent_activation") != NULL && heed_value_find(v, "unit_forget_bias") == NULL;
}

/* Replaces, in place, in a tree that is a copy already. */
static heed_status modernize(heed_zone *z, heed_value *v)
{
    if (heed_value_is(v, HEED_VALUE_TEXT) && v->key != NULL && strstr(v->key, "activation") != NULL &&
        strcmp(v->text, "hard_sigmoid") == 0)
        v->text = "hard_sigmoid_keras2";
    if (v->type == HEED_VALUE_DICT && is_gru_config(v) && heed_value_find(v, "reset_after") == NULL)
        HEED_TRY(heed_value_set(z, v, "reset_after", heed_value_bool(z, false)));
    for (heed_value *item = v->first; item != NULL; item = item->next)
        HEED_TRY(modernize(z, item));
    return HEED_OK;
}

heed_value *heed_keras2_value(heed_zone *z, const heed_value *v)
{
    heed_value *copy = heed_value_copy(z, v);
    return copy == NULL || modernize(z, copy) != HEED_OK ? NULL : copy;
}

/* ---- to values ---- */

/* Options that Keras 3 or the original does not know: written only where they say something. */
static bool is_silent(const heed_layer_class *class, const heed_option *o, const void *config)
{
    const char *field = (const char *)config + o->offset, *usual = (const char *)class->defaults + o->offset;
    if (strncmp(class->name, "SpatialDropout", 14) == 0 && strcmp(o->name, "trainable") == 0)
        return true; /* which Keras refuses there */
    if (strcmp(o->name, "masking") == 0)
        return strcmp(*(const char *const *)field, *(const char *const *)usual) == 0;
    if (class == &heed_layer_collection_layer_normalization_class && strcmp(o->name, "epsilon") == 0)
        return memcmp(field, usual, sizeof(double)) == 0; /* its files have none, by which they are told from others */
    bool unknown = strcmp(o->name, "time_major") == 0 || strcmp(o->name, "corrected") == 0;
    return unknown && !*(const bool *)field;
}

static heed_value *options_value(heed_zone *z, const heed_layer_class *class, const void *config)
{
    heed_option_table t = HEED_TABLE_OF(class);
    heed_value *dict = heed_value_dict(z);
    for (int i = 0; i < t.count; i++) {
        heed_option_table row = {&t.rows[i], 1, t.size, t.defaults};
        if (dict == NULL || (!is_silent(class, &t.rows[i], config) && heed_options_write(z, row, config, dict) != HEED_OK))
            return NULL;
    }
    return dict;
}

heed_value *heed_layer_options_value(heed_zone *z, const heed_layer *layer)
{
    return options_value(z, layer->layer_class, layer->config);
}

heed_value *heed_spec_value(heed_zone *z, heed_spec spec)
{
    if (spec.layer_class == NULL)
        return heed_value_null(z);
    const heed_layer *shared = heed_spec_shared(spec);
    if (shared != NULL)
        spec = (heed_spec){shared->layer_class, shared->config};
    const heed_layer_class *class = spec.layer_class;
    bool keras = strcmp(class->collection, "keras") == 0;
    heed_value *v = heed_value_dict(z);
    if (heed_value_set(z, v, "module", heed_value_text(z, keras ? "keras.layers" : NULL)) != HEED_OK ||
        heed_value_set(z, v, "class_name", heed_value_text(z, class->name)) != HEED_OK ||
        heed_value_set(z, v, "config",
                       options_value(z, class, spec.config == NULL ? class->defaults : spec.config)) != HEED_OK ||
        heed_value_set(z, v, "registered_name", heed_value_text(z, keras ? NULL : class->name)) != HEED_OK)
        return NULL;
    return v;
}
