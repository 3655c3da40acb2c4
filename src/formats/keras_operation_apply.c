/* Operations applied in C. */
#include "formats/keras_operation.h"

#include "heed/model.h"
#include "model/model.h"

/* "arguments=[{'input': 0}, 0]": the inputs, and behind them constants. */
static heed_status write_arguments(heed_text *text, int count, const char *constants)
{
    heed_text_printf(text, "arguments=[");
    for (int i = 0; i < count; i++)
        heed_text_printf(text, "%s{'input': %d}", i == 0 ? "" : ", ", i);
    if (constants != NULL)
        heed_text_printf(text, ", %s", constants);
    heed_text_printf(text, "]");
    return heed_text_status(text);
}

static heed_status apply(heed_model *m, const char *operation, const char *options, heed_symbol *const *inputs,
                         int count, const char *constants, heed_symbol **out)
{
    heed_text arguments = {.context = m->context};
    heed_layer *layer;
    HEED_TRY(heed_operation_named(m->context, operation, options, &layer));
    heed_status status = write_arguments(&arguments, count, constants);
    if (status == HEED_OK)
        status = heed_model_adopt(m, layer);
    if (status == HEED_OK)
        *out = heed_call_layer(layer, inputs, count, arguments.bytes, NULL, 1);
    heed_layer_release(layer);
    heed_text_free(&arguments);
    return status;
}

heed_symbol *heed_operate(heed_model *m, const char *operation, const char *options, heed_symbol *const *inputs,
                          int count, const char *constants)
{
    heed_symbol *out = NULL;
    if (heed_model_status(m) != HEED_OK)
        return NULL;
    heed_model_remember(m, apply(m, operation, options, inputs, count, constants, &out));
    return out;
}
