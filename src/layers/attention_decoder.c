/* datalogue's AttentionDecoder: equations 1 to 8 of Bahdanau, Cho and Bengio (2015), as one layer. */
#include "heed/layers.h"
#include "layers/layer.h"
#include "layers/mask.h"

/* The weights, in the order in which files have them. F: features of the input, u: units, o: output_dim. */
enum weight {
    V_A, W_A, U_A, B_A,      /* the alignment: (u), (u, u), (F, u), (u) */
    C_R, U_R, W_R, B_R,      /* reset gate: (F, u), (u, u), (o, u), (u) */
    C_Z, U_Z, W_Z, B_Z,      /* update gate */
    C_P, U_P, W_P, B_P,      /* proposed state */
    C_O, U_O, W_O, B_O,      /* output: (F, o), (u, o), (o, o), (o) */
    W_S,                     /* first state: (F, u) */
    WEIGHTS,
};

typedef struct decoder {
    heed_variable *w[WEIGHTS];
} decoder;

static heed_status decoder_init(heed_layer *layer)
{
    return heed_layer_alloc(layer, sizeof(decoder)) == NULL ? HEED_ENOMEM : HEED_OK;
}

typedef enum role { KERNEL, RECURRENT, BIAS } role;

static heed_variable *add_weight(heed_layer *layer, const char *name, heed_shape shape, role r)
{
    const heed_attention_decoder_config *o = heed_layer_config(layer);
    switch (r) {
    case KERNEL:
        return heed_layer_weight(layer, name, &shape, o->kernel_initializer, o->kernel_regularizer,
                                 o->kernel_constraint, true);
    case RECURRENT:
        return heed_layer_weight(layer, name, &shape, o->recurrent_initializer, o->recurrent_regularizer,
                                 o->recurrent_constraint, true);
    default:
        return heed_layer_weight(layer, name, &shape, o->bias_initializer, o->bias_regularizer, o->bias_constraint,
                                 true);
    }
}

static heed_status decoder_build(heed_layer *layer, const heed_shape *inputs, int count)
{
    static const char *const names[WEIGHTS] = {
        "V_a", "W_a", "U_a", "b_a", "C_r", "U_r", "W_r", "b_r", "C_z", "U_z", "W_z",
        "b_z", "C_p", "U_p", "W_p", "b_p", "C_o", "U_o", "W_o", "b_o", "W_s"};
    const heed_attention_decoder_config *o = heed_layer_config(layer);
    decoder *d = heed_layer_state(layer);
    char text[128];
    if (inputs->rank != 3)
        return heed_layer_fail(layer, HEED_ESHAPE, "the input is no sequence (expected rank 3, found %s)",
                               heed_shape_text(inputs, text, sizeof text));
    int64_t f = inputs->dims[2], u = o->units, out = o->output_dim;
    for (int i = 0; i < WEIGHTS; i++) {
        if (i == V_A) {
            d->w[i] = add_weight(layer, names[i], (heed_shape){1, {u}}, KERNEL);
            continue;
        }
        int64_t columns = i >= C_O && i <= B_O ? out : u;
        int64_t rows[] = {f, u, out}; /* what C, U and W are multiplied by */
        bool bias = i % 4 == 3;
        int64_t height = i == W_A ? u : i == U_A || i == W_S ? f : rows[i % 4 % 3];
        role r = bias ? BIAS : i <= B_A ? KERNEL : RECURRENT;
        d->w[i] = add_weight(layer, names[i], bias ? (heed_shape){1, {columns}} : (heed_shape){2, {height, columns}},
                             r);
    }
    return HEED_OK;
}

/* What a step is given beside the layer; lives in the graph. */
typedef struct decoding {
    const decoder *d;
    bool           corrected, masked;
} decoding;

static heed_tensor *weight(heed_graph *g, const decoder *d, int which) { return heed_graph_variable(g, d->w[which]); }

/* y W + s U + c C + b of one gate. */
static heed_tensor *gate(heed_graph *g, const decoder *d, int first, heed_tensor *y, heed_tensor *s, heed_tensor *c)
{
    heed_tensor *from_context = heed_op_dense(c, weight(g, d, first), weight(g, d, first + 3));
    heed_tensor *from_state = heed_op_matmul(s, weight(g, d, first + 1));
    return heed_op_add(heed_op_add(from_context, from_state), heed_op_matmul(y, weight(g, d, first + 2)));
}

/* States: s (R, u), y (R, o). Constants: the input x (R, T, F), x U_a + b_a (R, T, u), and the mask (R, T) if there is
 * one. Outputs: y, and the attention (R, T). */
static heed_status decoder_step(void *user, heed_step *step)
{
    const decoding *run = user;
    const decoder *d = run->d;
    heed_graph *g = step->graph;
    heed_tensor *s = step->states[0], *y = step->states[1], *x = step->constants[0], *keys = step->constants[1];
    heed_tensor *query = heed_op_expand(heed_op_matmul(s, weight(g, d, W_A)), 1);
    heed_tensor *mask = run->masked ? heed_op_expand(step->constants[2], 1) : NULL;
    heed_tensor *a = heed_op_softmax(heed_op_additive_scores(query, keys, weight(g, d, V_A)), mask);
    heed_tensor *c = heed_op_squeeze(heed_op_matmul(a, x), 1);
    heed_tensor *r = heed_op_sigmoid(gate(g, d, C_R, y, s, c)), *z = heed_op_sigmoid(gate(g, d, C_Z, y, s, c));
    heed_tensor *p = heed_op_tanh(gate(g, d, C_P, y, heed_op_multiply(r, s), c));
    heed_tensor *new_s = heed_op_add(s, heed_op_multiply(z, heed_op_subtract(p, s))); /* (1 - z) s + z p */
    heed_tensor *new_y = heed_op_softmax(gate(g, d, C_O, y, run->corrected ? new_s : s, c), NULL);
    step->new_states[0] = new_s;
    step->new_states[1] = step->outputs[0] = new_y;
    step->outputs[1] = heed_op_squeeze(a, 1);
    return HEED_OK;
}

static heed_status decoder_call(heed_layer *layer, heed_call *call)
{
    const heed_attention_decoder_config *o = heed_layer_config(layer);
    const decoder *d = heed_layer_state(layer);
    heed_graph *g = call->graph;
    heed_tensor *x = call->inputs[0], *mask = o->corrected ? call->masks[0] : NULL;
    decoding *run = heed_zone_alloc(&g->zone, 1, sizeof *run);
    if (run == NULL)
        return HEED_ENOMEM;
    *run = (decoding){d, o->corrected, mask != NULL};
    heed_tensor *first = heed_op_squeeze(heed_op_slice(x, 1, 0, 1), 1);
    heed_tensor *s = heed_op_tanh(heed_op_matmul(first, weight(g, d, W_S)));
    heed_tensor *y = heed_graph_fill(g, &(heed_shape){2, {heed_tensor_dim(x, 0), o->output_dim}}, 0.0f);
    heed_tensor *keys = heed_op_dense(x, weight(g, d, U_A), weight(g, d, B_A));
    heed_tensor *constants[] = {x, keys, heed_mask_bool(mask, heed_tensor_dim(x, 1))};
    heed_tensor *states[] = {s, y}, *outputs[2];
    HEED_TRY(heed_graph_status(g));
    heed_scan_config scan = {.step = decoder_step, .cell = run, .states = states, .state_count = 2,
                             .constants = constants,
                             .constant_count = mask == NULL ? 2 : 3, .output_count = 2, .steps = heed_tensor_dim(x, 1)};
    HEED_TRY(heed_op_scan(g, &scan, outputs, NULL));
    heed_call_publish(call, layer, outputs[1]);
    call->outputs[0] = outputs[0];
    if (o->return_probabilities) /* as first written with a size of 1 behind */
        call->outputs[0] = o->corrected ? outputs[1] : heed_op_expand(outputs[1], -1);
    return HEED_OK;
}

const heed_layer_class heed_attention_decoder_class = {
    .name = "AttentionDecoder",
    .collection = "datalogue",
    HEED_CLASS_OPTIONS(heed_attention_decoder_config, HEED_ATTENTION_DECODER_OPTIONS),
    .min_inputs = 1,
    .max_inputs = 1,
    .passes_mask = true,
    .init = decoder_init,
    .build = decoder_build,
    .call = decoder_call,
    .equation = "e_j = V_a tanh(s W_a + x_j U_a + b_a); a = softmax(e); c = sum_j a_j x_j\n"
                "r = sigmoid(y W_r + s U_r + c C_r + b_r); z = sigmoid(y W_z + s U_z + c C_z + b_z)\n"
                "p = tanh(y W_p + (r s) U_p + c C_p + b_p); s' = (1 - z) s + z p\n"
                "y' = softmax(y W_o + s' U_o + c C_o + b_o), with s for s' as first written",
    .shapes = "x (B, T, F) -> y (B, T, output_dim), or with return_probabilities a (B, T, T)",
    .masks = "masked steps get no attention, a row masked whole attends to nothing; the mask goes on",
    .weights = "V_a (units)\n"
               "W_a (units, units)\n"
               "U_a (F, units)\n"
               "b_a (units)\n"
               "C_r (F, units)\n"
               "U_r (units, units)\n"
               "W_r (output_dim, units)\n"
               "b_r (units)\n"
               "C_z (F, units)\n"
               "U_z (units, units)\n"
               "W_z (output_dim, units)\n"
               "b_z (units)\n"
               "C_p (F, units)\n"
               "U_p (units, units)\n"
               "W_p (output_dim, units)\n"
               "b_p (units)\n"
               "C_o (F, output_dim)\n"
               "U_o (units, output_dim)\n"
               "W_o (output_dim, output_dim)\n"
               "b_o (output_dim)\n"
               "W_s (F, units)",
    .source = "Bahdanau et al. 2015, equations 1 to 8; datalogue/keras-attention, models/custom_recurrents.py",
    .differs = "corrected=True computes y' from the new state s' and leaves padding out; as first written y' came "
               "from s, padding was attended to, and return_probabilities gave (B, T, T, 1). The softmax of the "
               "original overflows for large e; this one does not. All options are saved.",
};
