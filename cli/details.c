#include "details.h"

#include "json.h"

#include <inttypes.h>
#include <string.h>

/* ---- asking ---- */

typedef enum mask_role { NO_MASK, MAKES_MASK, PASSES_MASK, USES_MASK, MASK_ROLES } mask_role;

static const char *const role_names[MASK_ROLES] = {NULL, "made", "passed on", "used"};

static mask_role role_of(const heed_model *m, int call)
{
    bool in = false, out = false;
    for (int i = 0; i < heed_model_call_input_count(m, call); i++)
        in |= heed_symbol_masked(heed_model_call_input(m, call, i));
    for (int i = 0; i < heed_model_call_output_count(m, call); i++)
        out |= heed_symbol_masked(heed_model_call_output(m, call, i));
    return in ? (out ? PASSES_MASK : USES_MASK) : out ? MAKES_MASK : NO_MASK;
}

bool cli_details_attends(const heed_layer *layer)
{
    const heed_layer_class *class = heed_layer_class_of(layer);
    return strstr(class->name, "Attention") != NULL || strstr(class->name, "ScaledDotProduct") != NULL;
}

static int64_t parameters_of(const heed_layer *layer)
{
    int64_t total = 0;
    for (int i = 0; i < heed_layer_weight_count(layer); i++)
        total += heed_shape_count(heed_variable_shape(heed_layer_weight_at(layer, i)));
    return total;
}

/* ---- lines ---- */

static void write_roles(heed_writer *w, const heed_model *m)
{
    bool any = false;
    for (mask_role role = MAKES_MASK; role < MASK_ROLES; role++) {
        bool first = true;
        for (int call = 0; call < heed_model_call_count(m); call++) {
            if (role_of(m, call) != role)
                continue;
            const char *joint = !first ? ", " : any ? "; " : "\nMasks: ";
            heed_writer_printf(w, "%s%s%s%s", joint, first ? role_names[role] : "", first ? " by " : "",
                               heed_layer_name(heed_model_call_layer(m, call)));
            first = false;
            any = true;
        }
    }
    if (any)
        heed_writer_printf(w, "\n");
}

static void write_attention(heed_writer *w, const heed_model *m)
{
    bool any = false;
    for (int i = 0; i < heed_model_layer_count(m); i++) {
        const heed_layer *layer = heed_model_layer_at(m, i);
        if (!cli_details_attends(layer))
            continue;
        heed_writer_printf(w, "%s%s (%s of %s)", any ? ", " : "\nAttention: ", heed_layer_name(layer),
                           heed_layer_class_of(layer)->name, heed_layer_class_of(layer)->collection);
        any = true;
    }
    if (any)
        heed_writer_printf(w, "\n");
}

static heed_status write_options(heed_writer *w, const heed_model *m)
{
    heed_context *c = heed_model_context(m);
    heed_writer_printf(w, "\nOptions that are not at their defaults:\n");
    for (int i = 0; i < heed_model_layer_count(m); i++) {
        const heed_layer *layer = heed_model_layer_at(m, i);
        char *text;
        heed_status status = heed_layer_text(layer, &text);
        if (status != HEED_OK)
            return status;
        bool input = strcmp(heed_layer_class_of(layer)->name, "InputLayer") == 0; /* the table tells its shape */
        if (!input && strstr(text, "()") == NULL)
            heed_writer_printf(w, "  %-20s %s\n", heed_layer_name(layer), text);
        heed_free(c, text);
    }
    return HEED_OK;
}

heed_status cli_details_write(heed_writer *w, const heed_model *m)
{
    write_roles(w, m);
    write_attention(w, m);
    return write_options(w, m);
}

/* ---- JSON ---- */

static void put_text(heed_writer *w, const char *name, const char *text)
{
    heed_writer_printf(w, "\"%s\": ", name);
    cli_json_text(w, text);
}

/* A shape as a list, null where a size is not known. */
static void put_shape(heed_writer *w, const heed_shape *shape)
{
    heed_writer_printf(w, "[");
    for (int i = 0; i < shape->rank; i++) {
        heed_writer_printf(w, i == 0 ? "" : ", ");
        if (shape->dims[i] == HEED_ANY)
            heed_writer_printf(w, "null");
        else
            heed_writer_printf(w, "%" PRId64, shape->dims[i]);
    }
    heed_writer_printf(w, "]");
}

static void put_ends(heed_writer *w, const char *what, const heed_model *m, int count,
                     const char *(*name)(const heed_model *m, int i),
                     const heed_shape *(*shape)(const heed_model *m, int i),
                     heed_dtype (*dtype)(const heed_model *m, int i))
{
    heed_writer_printf(w, ", \"%s\": [", what);
    for (int i = 0; i < count; i++) {
        heed_writer_printf(w, i == 0 ? "{" : ", {");
        put_text(w, "name", name(m, i));
        heed_writer_printf(w, ", \"dtype\": \"%s\", \"shape\": ", heed_dtype_name(dtype(m, i)));
        put_shape(w, shape(m, i));
        heed_writer_printf(w, "}");
    }
    heed_writer_printf(w, "]");
}

/* What a call gives and takes: of the layer's first. */
static void put_call(heed_writer *w, const heed_model *m, int call)
{
    heed_writer_printf(w, ", \"inputs\": [");
    for (int i = 0; i < heed_model_call_input_count(m, call); i++) {
        heed_writer_printf(w, i == 0 ? "" : ", ");
        int from = heed_symbol_call(heed_model_call_input(m, call, i));
        cli_json_text(w, heed_layer_name(heed_model_call_layer(m, from)));
    }
    heed_writer_printf(w, "], \"shapes\": [");
    for (int i = 0; i < heed_model_call_output_count(m, call); i++) {
        heed_writer_printf(w, i == 0 ? "" : ", ");
        put_shape(w, heed_symbol_shape(heed_model_call_output(m, call, i)));
    }
    heed_writer_printf(w, "]");
    if (role_of(m, call) != NO_MASK)
        heed_writer_printf(w, ", \"mask\": \"%s\"", role_names[role_of(m, call)]);
}

static int call_of(const heed_model *m, const heed_layer *layer)
{
    for (int call = 0; call < heed_model_call_count(m); call++)
        if (heed_model_call_layer(m, call) == layer)
            return call;
    return -1;
}

static heed_status put_layer(heed_writer *w, const heed_model *m, const heed_layer *layer)
{
    char *text;
    int call = call_of(m, layer);
    heed_status status = heed_layer_text(layer, &text);
    if (status != HEED_OK)
        return status;
    put_text(w, "name", heed_layer_name(layer));
    heed_writer_printf(w, ", ");
    put_text(w, "class", heed_layer_class_of(layer)->name);
    heed_writer_printf(w, ", ");
    put_text(w, "collection", heed_layer_class_of(layer)->collection);
    heed_writer_printf(w, ", ");
    put_text(w, "text", text);
    heed_writer_printf(w, ", \"parameters\": %" PRId64 ", \"trainable\": %s, \"attention\": %s", parameters_of(layer),
                       heed_layer_trainable(layer) ? "true" : "false", cli_details_attends(layer) ? "true" : "false");
    heed_free(heed_model_context(m), text);
    if (call >= 0)
        put_call(w, m, call);
    return HEED_OK;
}

heed_status cli_details_json(heed_writer *w, const heed_model *m)
{
    heed_status status = HEED_OK;
    put_ends(w, "inputs", m, heed_model_input_count(m), heed_model_input_name, heed_model_input_shape,
             heed_model_input_dtype);
    put_ends(w, "outputs", m, heed_model_output_count(m), heed_model_output_name, heed_model_output_shape,
             heed_model_output_dtype);
    heed_writer_printf(w, ", \"layers\": [");
    for (int i = 0; i < heed_model_layer_count(m) && status == HEED_OK; i++) {
        heed_writer_printf(w, i == 0 ? "{" : ", {");
        status = put_layer(w, m, heed_model_layer_at(m, i));
        heed_writer_printf(w, "}");
    }
    heed_writer_printf(w, "]");
    return status;
}
