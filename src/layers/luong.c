#include "layers/luong.h"

#include "layers/attend.h"

#include <string.h>

static bool is_concat(const heed_luong_options *o) { return strcmp(o->score, "concat") == 0; }
static bool is_general(const heed_luong_options *o) { return strcmp(o->score, "general") == 0; }

bool heed_luong_is_local(const heed_luong_options *o) { return strcmp(o->window, "global") != 0; }
bool heed_luong_predicts(const heed_luong_options *o) { return strcmp(o->window, "local-p") == 0; }

/* ---- weights ---- */

static heed_variable *weight(heed_layer *layer, const char *name, heed_shape shape)
{
    const heed_luong_options *o = heed_layer_config(layer);
    return heed_layer_weight(layer, name, &shape, o->kernel_initializer, o->kernel_regularizer, o->kernel_constraint,
                             true);
}

heed_status heed_luong_build(heed_layer *layer, heed_luong *l, int64_t query_size, int64_t source_size, int64_t units)
{
    const heed_luong_options *o = heed_layer_config(layer);
    int64_t inner = o->score_units == HEED_NONE ? query_size : o->score_units;
    if (is_general(o))
        l->w_a = weight(layer, "W_a", (heed_shape){2, {query_size, source_size}});
    else if (is_concat(o)) {
        l->w_a = weight(layer, "W_a", (heed_shape){2, {query_size + source_size, inner}});
        l->v_a = weight(layer, "v_a", (heed_shape){1, {inner}});
    } else if (query_size != source_size)
        return heed_layer_fail(layer, HEED_ESHAPE, "the score \"dot\" needs queries as wide as the source (expected "
                               "%lld features, found %lld)", (long long)source_size, (long long)query_size);
    if (heed_luong_predicts(o)) {
        l->w_p = weight(layer, "W_p", (heed_shape){2, {query_size, inner}});
        l->v_p = weight(layer, "v_p", (heed_shape){1, {inner}});
    }
    l->w_c = weight(layer, "W_c", (heed_shape){2, {source_size + query_size, units}});
    return HEED_OK;
}

/* ---- where a query looks ---- */

/* Positions of keys, as floats: at the places of windows, (B or 1, T, 2 D + 1), or of all, (1, 1, S). */
typedef struct sight {
    heed_tensor *starts; /* NULL: all */
    heed_tensor *positions;
    int64_t      width;
} sight;

static sight look(heed_graph *g, int64_t reach, heed_tensor *centre, int64_t keys, bool windows)
{
    sight s = {.width = 2 * reach + 1};
    if (!windows) {
        s.positions = heed_positions(g, keys, &(heed_shape){3, {1, 1, keys}});
        return s;
    }
    heed_tensor *whole = heed_op_cast(heed_op_cast(centre, HEED_INT32), HEED_FLOAT32); /* it is not below 0 */
    heed_tensor *first = heed_op_scale(whole, 1.0f, -(float)reach);
    s.starts = heed_op_cast(heed_op_squeeze(first, -1), HEED_INT32);
    s.positions = heed_op_add(first, heed_positions(g, s.width, &(heed_shape){3, {1, 1, s.width}}));
    return s;
}

/* Equation 9: p = S sigmoid(v_p . tanh(W_p h)), (B, T, 1), S being the number of valid steps. */
static heed_tensor *predicted(const heed_luong *l, heed_tensor *query, const heed_luong_source *source)
{
    heed_graph *g = query->graph;
    const int steps = 1;
    heed_tensor *inner = heed_op_tanh(heed_op_matmul(query, heed_graph_variable(g, l->w_p)));
    heed_tensor *share = heed_op_sigmoid(heed_op_matmul(inner, heed_op_expand(heed_graph_variable(g, l->v_p), 1)));
    if (source->mask == NULL)
        return heed_op_scale(share, (float)heed_tensor_dim(source->states, 1), 0.0f);
    heed_tensor *valid = heed_op_sum(heed_op_cast(source->mask, HEED_FLOAT32), &steps, 1, true);
    return heed_op_multiply(share, heed_op_expand(valid, -1));
}

/* Which keys count: bool, broadcast against the scores; NULL: all. */
static heed_tensor *visible(const heed_luong_options *o, const sight *s, heed_tensor *centre,
                            const heed_luong_source *source)
{
    heed_tensor *there = source->mask == NULL ? NULL : heed_op_expand(source->mask, 1);
    if (s->starts != NULL)
        there = heed_window_visible(s->starts, source->mask, heed_tensor_dim(source->states, 1), s->width);
    if (!heed_luong_is_local(o) || centre == NULL)
        return there;
    heed_tensor *away = heed_op_abs(heed_op_subtract(s->positions, centre));
    heed_tensor *near = heed_op_less_equal(away, heed_graph_scalar(centre->graph, (float)o->reach));
    return there == NULL ? near : heed_op_and(there, near);
}

/* ---- scores, equations 7 and 6 ---- */

heed_tensor *heed_luong_keys(const heed_luong_options *o, const heed_luong *l, heed_tensor *states)
{
    if (!is_concat(o) || states == NULL)
        return states;
    heed_tensor *w = heed_graph_variable(states->graph, l->w_a);
    int64_t size = heed_tensor_dim(states, -1);
    return heed_op_matmul(states, heed_op_slice(w, 0, heed_tensor_dim(w, 0) - size, size));
}

static heed_tensor *scores(const heed_luong_options *o, const heed_luong *l, heed_tensor *query, const sight *s,
                           heed_tensor *keys)
{
    heed_graph *g = query->graph;
    heed_tensor *w = l->w_a == NULL ? NULL : heed_graph_variable(g, l->w_a);
    if (is_concat(o)) {
        heed_tensor *q = heed_op_matmul(query, heed_op_slice(w, 0, 0, heed_tensor_dim(query, -1)));
        heed_tensor *v = heed_graph_variable(g, l->v_a);
        return s->starts == NULL ? heed_op_additive_scores(q, keys, v)
                                 : heed_op_window_additive_scores(q, keys, v, s->starts, s->width);
    }
    heed_tensor *q = w == NULL ? query : heed_op_matmul(query, w);
    return s->starts == NULL ? heed_op_matmul_transposed(q, false, keys, true)
                             : heed_op_window_scores(q, keys, s->starts, s->width);
}

/* Equation 10: weights around p, with a deviation of D / 2. */
static heed_tensor *favour(heed_tensor *weights, const sight *s, heed_tensor *centre, int64_t reach)
{
    float deviation = 0.5f * (float)reach;
    heed_tensor *square = heed_op_square(heed_op_subtract(s->positions, centre));
    return heed_op_multiply(weights, heed_op_exp(heed_op_scale(square, -0.5f / (deviation * deviation), 0.0f)));
}

heed_luong_result heed_luong_attend(const heed_luong_options *o, const heed_luong *l, heed_tensor *query,
                                    heed_tensor *step, const heed_luong_source *source, bool windows)
{
    heed_luong_result r = {0};
    if (query == NULL || source->states == NULL)
        return r;
    heed_tensor *centre = heed_luong_predicts(o) ? predicted(l, query, source) : step;
    sight s = look(query->graph, o->reach, centre, heed_tensor_dim(source->states, 1), windows);
    r.starts = s.starts;
    r.weights = heed_op_softmax(scores(o, l, query, &s, source->keys), visible(o, &s, centre, source));
    if (heed_luong_predicts(o))
        r.weights = favour(r.weights, &s, centre, o->reach);
    heed_tensor *context = windows ? heed_op_window_sum(r.weights, source->states, s.starts)
                                   : heed_op_matmul(r.weights, source->states);
    heed_tensor *both = heed_op_concatenate((heed_tensor *const[]){context, query}, 2, -1);
    r.vector = heed_op_tanh(heed_op_matmul(both, heed_graph_variable(query->graph, l->w_c))); /* equation 5 */
    return r;
}
