/* One model's weights in several contexts, for threads of the caller's. */
#include "formats/keras_config.h"
#include "heed/files.h"

/* Classes of the program's own are known to a context: they have to be known to the other one too. */
static heed_status share_classes(const heed_context *from, heed_context *to)
{
    for (size_t i = 0; i < from->registered_count; i++) {
        const heed_layer_class *class = from->registered[i];
        if (heed_find_layer(to, class->name, class->collection) != class)
            HEED_TRY(heed_register_layer(to, class));
    }
    return HEED_OK;
}

/* The same architecture, through the words that files have for it. */
static heed_status copy_architecture(heed_model *m, heed_context *c, heed_model **out)
{
    heed_zone z;
    heed_zone_init(&z, m->context);
    heed_json *object;
    heed_status status = heed_keras_write_model(&z, m, &object);
    if (status != HEED_OK)
        heed_fail(c, status, "%s", heed_error(m->context));
    else
        status = heed_keras_read_model(c, object, NULL, out);
    heed_zone_free(&z);
    return status;
}

static heed_status share_weights(const heed_model *m, heed_model *copy)
{
    if (copy->weight_count != m->weight_count)
        return heed_fail(copy->context, HEED_EINTERNAL, "%s: the copy has other weights (expected %zu, found %zu)",
                         heed_model_name(copy), m->weight_count, copy->weight_count);
    for (size_t i = 0; i < m->weight_count; i++) {
        heed_variable *to = copy->weights[i].variable, *from = m->weights[i].variable;
        if (!heed_shape_equal(&to->shape, &from->shape))
            return heed_fail(copy->context, HEED_EINTERNAL, "%s: the copy has other weights", m->weights[i].path);
        heed_release(copy->context, to->data);
        to->data = from->data;
        to->borrowed = to->drawn = true;
    }
    return HEED_OK;
}

heed_status heed_share_model(heed_model *m, heed_context *c, heed_model **out)
{
    heed_model *copy = NULL;
    *out = NULL;
    heed_status status = heed_build(m);
    if (status != HEED_OK) {
        heed_fail(c, status, "%s", m == NULL ? "share: there is no model" : heed_error(m->context));
        return status;
    }
    HEED_TRY(share_classes(m->context, c));
    HEED_TRY(copy_architecture(m, c, &copy));
    copy->shares = true;
    copy->seed = m->seed;
    status = heed_model_complete(copy);
    if (status == HEED_OK)
        status = share_weights(m, copy);
    if (status == HEED_OK)
        *out = copy;
    else
        heed_model_free(copy);
    return status;
}
