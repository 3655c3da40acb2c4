#include "formats/keras_older.h"

#include <string.h>

const char *heed_older_class(const char *class_name)
{
    static const char *const classes[][2] = {
        {"ThresholdedReLU", "ReLU"},      {"Convolution1D", "Conv1D"},        {"Convolution2D", "Conv2D"},
        {"AtrousConvolution1D", "Conv1D"}, {"AtrousConvolution2D", "Conv2D"}, {"SeparableConvolution2D",
                                                                               "SeparableConv2D"},
        {"CuDNNLSTM", "LSTM"},            {"CuDNNGRU", "GRU"},
        {"GroupedQueryAttention", "GroupQueryAttention"}}; /* Keras 3's own name, in HDF5 */
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i][0], class_name) == 0)
            return classes[i][1];
    return class_name;
}

void heed_older_classes(heed_value *options)
{
    for (heed_value *item = options->first; item != NULL; item = item->next) {
        if (item->key != NULL && strcmp(item->key, "class_name") == 0 && heed_value_is(item, HEED_VALUE_TEXT))
            item->text = heed_older_class(item->text);
        heed_older_classes(item);
    }
}

/* ---- scales by feature ---- */

/* Number `i` of a list, or the one for all. */
static heed_status number_at(heed_context *c, const heed_value *v, size_t i, const char *what, double *out)
{
    if (v == NULL || !heed_value_is(v, HEED_VALUE_LIST))
        return v == NULL ? HEED_OK : heed_value_as_real(c, v, what, out);
    const heed_value *item = v->first;
    while (i-- > 0 && item != NULL)
        item = item->next;
    return item != NULL ? heed_value_as_real(c, item, what, out)
                        : heed_fail(c, HEED_EINVAL, "Rescaling: scale and offset have lists of different lengths");
}

heed_status heed_rescaling_by_feature(heed_zone *z, const char **class_name, heed_value **options)
{
    heed_context *c = z->context;
    const heed_value *scales = heed_value_find(*options, "scale"), *offsets = heed_value_find(*options, "offset");
    const heed_value *list = heed_value_is(scales, HEED_VALUE_LIST) ? scales : offsets;
    if (strcmp(*class_name, "Rescaling") != 0 || !heed_value_is(list, HEED_VALUE_LIST))
        return HEED_OK;
    heed_value *mean = heed_value_list(z), *variance = heed_value_list(z), *now = heed_value_dict(z);
    for (size_t i = 0; i < list->count; i++) {
        double scale = 1.0, offset = 0.0;
        HEED_TRY(number_at(c, scales, i, "scale", &scale));
        HEED_TRY(number_at(c, offsets, i, "offset", &offset));
        if (!(scale > 0.0))
            return heed_fail(c, HEED_EUNSUPPORTED, "Rescaling: a list of scales of which one is not above 0");
        HEED_TRY(heed_value_append(mean, heed_value_real(z, -offset / scale)));
        HEED_TRY(heed_value_append(variance, heed_value_real(z, 1.0 / (scale * scale))));
    }
    for (const heed_value *item = (*options)->first; item != NULL; item = item->next)
        if (item != scales && item != offsets)
            HEED_TRY(heed_value_set(z, now, item->key, heed_value_copy(z, item)));
    *class_name = "Normalization";
    *options = now;
    HEED_TRY(heed_value_set(z, now, "mean", mean));
    return heed_value_set(z, now, "variance", variance);
}

/* ---- Keras 1 ---- */

static const struct renamed {
    const char *class_name; /* NULL: any */
    const char *key, *now;  /* now NULL: it says nothing */
} renamed[] = {
    {"Embedding", "output_dim", "output_dim"},
    {"Embedding", "init", "embeddings_initializer"},
    {"Embedding", "W_regularizer", "embeddings_regularizer"},
    {"Embedding", "W_constraint", "embeddings_constraint"},
    {"Embedding", "dropout", NULL},
    {"Embedding", "weights", NULL},
    {"BatchNormalization", "mode", NULL},
    {"BatchNormalization", "beta_init", "beta_initializer"},
    {"BatchNormalization", "gamma_init", "gamma_initializer"},
    {"PReLU", "init", "alpha_initializer"},
    {"PReLU", "weights", NULL},
    {"GaussianNoise", "sigma", "stddev"},
    {"UpSampling1D", "length", "size"},
    {"MaxPooling1D", "pool_length", "pool_size"},
    {"MaxPooling1D", "stride", "strides"},
    {"AveragePooling1D", "pool_length", "pool_size"},
    {"AveragePooling1D", "stride", "strides"},
    {"Conv1D", "filter_length", "kernel_size"},
    {"Conv1D", "subsample_length", "strides"},
    {"Conv1D", "atrous_rate", "dilation_rate"},
    {"Conv2D", "atrous_rate", "dilation_rate"},
    {NULL, "output_dim", "units"},
    {NULL, "nb_filter", "filters"},
    {NULL, "subsample", "strides"},
    {NULL, "border_mode", "padding"},
    {NULL, "dim_ordering", "data_format"},
    {NULL, "bias", "use_bias"},
    {NULL, "p", "rate"},
    {NULL, "init", "kernel_initializer"},
    {NULL, "inner_init", "recurrent_initializer"},
    {NULL, "forget_bias_init", "unit_forget_bias"},
    {NULL, "inner_activation", "recurrent_activation"},
    {NULL, "W_regularizer", "kernel_regularizer"},
    {NULL, "U_regularizer", "recurrent_regularizer"},
    {NULL, "b_regularizer", "bias_regularizer"},
    {NULL, "W_constraint", "kernel_constraint"},
    {NULL, "b_constraint", "bias_constraint"},
    {NULL, "dropout_W", "dropout"},
    {NULL, "dropout_U", "recurrent_dropout"},
    {NULL, "consume_less", NULL},
    {NULL, "input_dim", NULL},
    {NULL, "input_length", NULL},
    {NULL, "input_dtype", NULL},
    {NULL, "activity_regularizer", NULL},
};

static const struct renamed *find_renamed(const char *class_name, const char *key)
{
    bool embedding = strcmp(class_name, "Embedding") == 0;
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].key, key) == 0 && !(embedding && strcmp(key, "input_dim") == 0) &&
            (renamed[i].class_name == NULL || strcmp(renamed[i].class_name, class_name) == 0))
            return &renamed[i];
    return NULL;
}

/* Words for initializers and functions that Keras 2 renamed. */
static const char *todays_word(const char *word)
{
    static const char *const words[][2] = {{"one", "ones"}, {"zero", "zeros"}, {"uniform", "random_uniform"},
                                           {"normal", "random_normal"}, {"th", "channels_first"}, {"tf",
                                                                                                   "channels_last"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], word) == 0)
            return words[i][1];
    return word;
}

/* {"name": "L1L2Regularizer", "l1": 0, "l2": 0.01} as {"class_name": "L1L2", "config": {...}}. */
static heed_status modern_object(heed_zone *z, const heed_value *v, heed_value **out)
{
    static const char *const names[][2] = {{"L1L2Regularizer", "L1L2"}, {"WeightRegularizer", "L1L2"}};
    const char *name = heed_value_find(v, "name")->text;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        name = strcmp(names[i][0], name) == 0 ? names[i][1] : name;
    heed_value *config = heed_value_dict(z);
    *out = heed_value_dict(z);
    for (const heed_value *item = v->first; item != NULL; item = item->next)
        if (strcmp(item->key, "name") != 0)
            HEED_TRY(heed_value_set(z, config, strcmp(item->key, "m") == 0 ? "max_value" : item->key,
                                    heed_value_copy(z, item)));
    HEED_TRY(heed_value_set(z, *out, "class_name", heed_value_text(z, name)));
    return heed_value_set(z, *out, "config", config);
}

static bool is_named(const heed_value *v)
{
    return v->type == HEED_VALUE_DICT && heed_value_is(heed_value_find(v, "name"), HEED_VALUE_TEXT) &&
           heed_value_find(v, "class_name") == NULL;
}

static heed_status modern_value(heed_zone *z, const heed_value *v, heed_value **out)
{
    if (is_named(v))
        return modern_object(z, v, out);
    *out = v->type == HEED_VALUE_TEXT ? heed_value_text(z, todays_word(v->text)) : heed_value_copy(z, v);
    if (*out == NULL)
        return HEED_ENOMEM;
    heed_value *name = heed_value_find(*out, "class_name"), *config = heed_value_find(*out, "config");
    if (!heed_value_is(name, HEED_VALUE_TEXT) || config == NULL)
        return HEED_OK;
    name->text = heed_older_class(name->text); /* a layer within: of a wrapper */
    return heed_keras1_config(z, name->text, config);
}

/* A kernel's sizes, which stood apart. */
static heed_status join_sizes(heed_zone *z, heed_value *config)
{
    const heed_value *rows = heed_value_find(config, "nb_row"), *columns = heed_value_find(config, "nb_col");
    if (rows == NULL || columns == NULL)
        return HEED_OK;
    heed_value *list = heed_value_list(z);
    HEED_TRY(heed_value_append(list, heed_value_copy(z, rows)));
    HEED_TRY(heed_value_append(list, heed_value_copy(z, columns)));
    return heed_value_set(z, config, "kernel_size", list);
}

heed_status heed_keras1_config(heed_zone *z, const char *class_name, heed_value *config)
{
    heed_value *fresh = heed_value_dict(z);
    HEED_TRY(join_sizes(z, config));
    for (const heed_value *item = config->first; item != NULL; item = item->next) {
        const struct renamed *r = find_renamed(class_name, item->key);
        heed_value *value;
        if ((r != NULL && r->now == NULL) || strcmp(item->key, "nb_row") == 0 || strcmp(item->key, "nb_col") == 0)
            continue;
        if (strcmp(item->key, "forget_bias_init") == 0)
            value = heed_value_bool(z, heed_value_is(item, HEED_VALUE_TEXT) && strcmp(item->text, "one") == 0);
        else
            HEED_TRY(modern_value(z, item, &value));
        HEED_TRY(heed_value_set(z, fresh, r == NULL ? item->key : r->now, value));
    }
    heed_value *next = config->next;
    const char *key = config->key;
    *config = *fresh;
    config->next = next;
    config->key = key;
    return HEED_OK;
}
