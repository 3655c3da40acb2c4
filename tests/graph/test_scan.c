/* scan against the same step written out: values, every gradient, masks, directions, tile sizes, thread counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "graph/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { F = 3, U = 5, K = 4, MAX_TENSORS = 24 };

/* The weights of all cells. */
typedef struct weights {
    heed_variable v[6];
    float         data[6][64];
} weights;

static void draw(heed_random *r, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.7 * heed_random_normal(r));
}

static void make_weights(weights *w, const heed_shape *shapes, int count)
{
    heed_random r = {.seed = 7};
    memset(w, 0, sizeof *w);
    for (int i = 0; i < count; i++) {
        w->v[i] = (heed_variable){.name = "w", .shape = shapes[i], .count = heed_shape_count(&shapes[i]), .data = w->data[i], .trainable = true};
        assert_true(w->v[i].count <= 64);
        draw(&r, w->data[i], w->v[i].count);
    }
}

static heed_tensor *W(heed_step *s, weights *w, int i) { return heed_graph_variable(s->graph, &w->v[i]); }

/* h' = tanh(x A + h B + b): one output is the state, one is made of it after the loop, one is the input passed on. */
static const heed_shape simple_shapes[] = {{2, {F, U}}, {2, {U, U}}, {1, {U}}, {2, {U, 2}}};
static heed_status simple_step(void *cell, heed_step *s)
{
    heed_tensor *z = heed_op_add(heed_op_dense(s->inputs[0], W(s, cell, 0), W(s, cell, 2)), heed_op_matmul(s->states[0], W(s, cell, 1)));
    s->new_states[0] = s->outputs[0] = heed_op_tanh(z);
    s->outputs[1] = heed_op_sigmoid(heed_op_dense(s->outputs[0], W(s, cell, 3), NULL));
    s->outputs[2] = s->inputs[0];
    return HEED_OK;
}

static const heed_shape lstm_shapes[] = {{2, {F, 8}}, {2, {2, 8}}, {1, {8}}};
static heed_status lstm_step(void *cell, heed_step *s)
{
    heed_tensor *zx = heed_op_dense(s->inputs[0], W(s, cell, 0), W(s, cell, 2)), *zh = heed_op_matmul(s->states[0], W(s, cell, 1));
    heed_op_lstm(zx, zh, s->states[1], &s->new_states[0], &s->new_states[1]);
    s->outputs[0] = s->new_states[0];
    return HEED_OK;
}

/* Additive attention inside the step, over rows that stay the same; the keys are made in the step, once. */
static const heed_shape attention_shapes[] = {{2, {U, 6}}, {2, {K, 6}}, {1, {6}}, {2, {K, U}}, {2, {U, U}}, {2, {F, U}}};
static heed_status attention_step(void *cell, heed_step *s)
{
    heed_tensor *memory = s->constants[0], *h = s->states[0];
    heed_tensor *keys = heed_op_matmul(memory, W(s, cell, 1));
    heed_tensor *query = heed_op_expand(heed_op_matmul(h, W(s, cell, 0)), 1);
    heed_tensor *a = heed_op_softmax(heed_op_additive_scores(query, keys, W(s, cell, 2)), NULL);
    heed_tensor *context = heed_op_squeeze(heed_op_matmul(a, memory), 1);
    heed_tensor *z = heed_op_add(heed_op_matmul(context, W(s, cell, 3)), heed_op_matmul(h, W(s, cell, 4)));
    s->new_states[0] = heed_op_tanh(heed_op_add(z, heed_op_matmul(s->inputs[0], W(s, cell, 5))));
    s->outputs[0] = s->new_states[0];
    s->outputs[1] = heed_op_squeeze(a, 1);
    s->outputs[2] = h; /* the state before the step */
    return HEED_OK;
}

/* States that swap, and one that is the input. */
static const heed_shape swap_shapes[] = {{1, {F}}};
static heed_status swap_step(void *cell, heed_step *s)
{
    s->new_states[0] = s->states[1];
    s->new_states[1] = heed_op_add(heed_op_scale(s->states[0], 0.5f, 0), heed_op_multiply(s->states[2], W(s, cell, 0)));
    s->new_states[2] = s->inputs[0];
    s->outputs[0] = heed_op_multiply(s->states[0], s->states[2]);
    return HEED_OK;
}

typedef struct cell_case {
    const char         *name;
    heed_step_function *step;
    const heed_shape   *shapes;
    int                 weight_count, state_count, constant_count, output_count;
    int64_t             state_sizes[3];
} cell_case;

static const cell_case cells[] = {
    {"simple", simple_step, simple_shapes, 4, 1, 0, 3, {U}},
    {"lstm", lstm_step, lstm_shapes, 3, 2, 0, 1, {2, 2}},
    {"attention", attention_step, attention_shapes, 6, 1, 1, 3, {U}},
    {"swap", swap_step, swap_shapes, 1, 3, 0, 1, {F, F, F}},
};

typedef struct form {
    int64_t batch, steps;
    int     mask; /* 0 none, 1 lengths, 2 bool with holes, 3 bool right-padded */
    bool    zero_output, reverse, last_only, zero_start;
} form;

/* One graph's named results: outputs, final states, then gradients. */
typedef struct outcome {
    int    count;
    float *values[MAX_TENSORS];
    int64_t sizes[MAX_TENSORS];
    size_t bytes;
} outcome;

typedef struct values {
    float  *x, *memory, *states[3];
    int32_t lengths[64];
    uint8_t mask[64 * 16];
} values;

static heed_tensor *rows_of(heed_tensor *x, int64_t t)
{
    return heed_op_squeeze(heed_op_slice(x, 1, t, 1), 1);
}

/* The step written out T times with ordinary operations. */
static void unroll(const cell_case *c, weights *w, const form *f, heed_graph *g, heed_tensor *x, heed_tensor *memory,
                   heed_tensor *mask, heed_tensor **states, heed_tensor **outputs, heed_tensor **finals)
{
    heed_tensor *now[3], *last[3] = {0}, *all[3][16];
    memcpy(now, states, sizeof now);
    for (int64_t n = 0; n < f->steps; n++) {
        int64_t t = f->reverse ? f->steps - 1 - n : n;
        heed_tensor *in = rows_of(x, t), *next[3], *out[3];
        heed_step s = {.graph = g, .inputs = &in, .states = now, .constants = &memory, .new_states = next, .outputs = out};
        assert_int_equal(c->step(w, &s), HEED_OK);
        heed_tensor *m = mask == NULL ? NULL : heed_op_slice(mask, 1, t, 1); /* (B, 1) */
        for (int i = 0; i < c->output_count; i++) {
            heed_tensor *zero = heed_graph_fill(g, heed_tensor_shape(out[i]), 0);
            if (m != NULL)
                out[i] = heed_op_select(m, out[i], f->zero_output || last[i] == NULL ? zero : last[i]);
            last[i] = all[i][t] = out[i];
        }
        for (int i = 0; i < c->state_count; i++)
            now[i] = m == NULL ? next[i] : heed_op_select(m, next[i], now[i]);
    }
    for (int i = 0; i < c->output_count; i++) {
        heed_tensor *each[16];
        for (int64_t t = 0; t < f->steps; t++)
            each[t] = heed_op_expand(all[i][t], 1);
        outputs[i] = f->last_only ? last[i] : heed_op_concatenate(each, (int)f->steps, 1);
    }
    for (int i = 0; i < c->state_count; i++)
        finals[i] = now[i];
}

/* Runs one of the two forms, and keeps what it gives. */
static outcome run(heed_context *c, const cell_case *cell, weights *w, const form *f, const values *v, bool with_scan)
{
    heed_graph *g;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {f->batch, f->steps, F}});
    heed_tensor *memory = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {f->batch, 4, K}});
    heed_tensor *lengths = heed_graph_input(g, HEED_INT32, &(heed_shape){1, {f->batch}});
    heed_tensor *mask = heed_graph_input(g, HEED_BOOL, &(heed_shape){2, {f->batch, f->steps}});
    heed_tensor *states[3], *outputs[3] = {0}, *finals[3] = {0};
    for (int i = 0; i < cell->state_count; i++) {
        heed_shape s = {2, {f->batch, cell->state_sizes[i]}};
        states[i] = f->zero_start ? heed_graph_fill(g, &s, 0) : heed_graph_input(g, HEED_FLOAT32, &s);
    }
    if (with_scan) {
        heed_scan_config config = {.step = cell->step, .cell = w, .inputs = &x, .input_count = 1, .states = states,
            .state_count = cell->state_count, .constants = &memory, .constant_count = cell->constant_count,
            .output_count = cell->output_count, .mask = f->mask == 0 ? NULL : f->mask == 1 ? lengths : mask,
            .zero_output_for_mask = f->zero_output, .reverse = f->reverse, .last_output_only = f->last_only};
        heed_status status = heed_op_scan(g, &config, outputs, finals);
        if (status != HEED_OK)
            print_error("%s: %s\n", cell->name, heed_error(c));
        assert_int_equal(status, HEED_OK);
    } else {
        unroll(cell, w, f, g, x, memory, f->mask == 0 ? NULL : mask, states, outputs, finals);
    }
    /* the loss weighs every number of every result differently */
    heed_tensor *loss = heed_graph_scalar(g, 0), *wanted[MAX_TENSORS], *of[MAX_TENSORS];
    int n = 0, of_count = 0;
    for (int i = 0; i < cell->output_count + cell->state_count; i++) {
        heed_tensor *r = i < cell->output_count ? outputs[i] : finals[i - cell->output_count];
        wanted[n++] = r;
        heed_array *weight;
        assert_int_equal(heed_array_create(c, HEED_FLOAT32, heed_tensor_shape(r), &weight), HEED_OK);
        heed_random random = {.seed = 11, .stream = (uint64_t)i};
        draw(&random, weight->data, heed_array_count(weight));
        loss = heed_op_add(loss, heed_op_sum(heed_op_multiply(r, heed_graph_constant(g, weight)), NULL, 0, false));
        heed_array_free(c, weight);
    }
    of[of_count++] = x;
    if (cell->constant_count > 0)
        of[of_count++] = memory;
    for (int i = 0; i < cell->state_count && !f->zero_start; i++)
        of[of_count++] = states[i];
    for (int i = 0; i < cell->weight_count; i++)
        of[of_count++] = heed_graph_variable(g, &w->v[i]);
    heed_tensor *gradients[MAX_TENSORS];
    heed_status status = heed_graph_gradients(loss, NULL, of, (size_t)of_count, gradients);
    if (status != HEED_OK)
        print_error("%s: %s\n", cell->name, heed_error(c));
    assert_int_equal(status, HEED_OK);
    for (int i = 0; i < of_count; i++) {
        assert_non_null(gradients[i]);
        assert_true(heed_shape_equal(heed_tensor_shape(gradients[i]), heed_tensor_shape(of[i])));
        wanted[n++] = gradients[i];
    }
    assert_int_equal(heed_graph_plan(g, wanted, (size_t)n), HEED_OK);
    heed_graph_bind(x, v->x);
    heed_graph_bind(memory, v->memory);
    heed_graph_bind(lengths, v->lengths);
    heed_graph_bind(mask, v->mask);
    for (int i = 0; i < cell->state_count; i++)
        heed_graph_bind(states[i], v->states[i]);
    outcome o = {.count = n, .bytes = heed_graph_bytes(g)};
    for (int again = 0; again < 2; again++) { /* a second run finds nothing left over from the first */
        status = heed_graph_run(g, 1, 0);
        if (status != HEED_OK)
            print_error("%s: %s\n", cell->name, heed_error(c));
        assert_int_equal(status, HEED_OK);
    }
    for (int i = 0; i < n; i++) {
        o.sizes[i] = heed_shape_count(heed_tensor_shape(wanted[i]));
        o.values[i] = test_malloc((size_t)o.sizes[i] * sizeof(float));
        memcpy(o.values[i], heed_tensor_data(wanted[i]), (size_t)o.sizes[i] * sizeof(float));
    }
    heed_graph_free(g);
    return o;
}

static void free_outcome(outcome *o)
{
    for (int i = 0; i < o->count; i++)
        test_free(o->values[i]);
}

/* Relative to the size of what is summed: a gradient is a sum over batch and steps. */
static void assert_close(const outcome *a, const outcome *b, const char *what)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->sizes[i], b->sizes[i]);
        float largest = 1;
        for (int64_t k = 0; k < a->sizes[i]; k++)
            largest = fmaxf(largest, fabsf(b->values[i][k]));
        for (int64_t k = 0; k < a->sizes[i]; k++) {
            if (!(fabsf(a->values[i][k] - b->values[i][k]) <= 2e-5f * largest)) {
                print_error("%s: result %d, element %lld: %g, expected %g\n", what, i, (long long)k, (double)a->values[i][k],
                            (double)b->values[i][k]);
                fail();
            }
        }
    }
}

static void make_values(values *v, const form *f)
{
    heed_random r = {.seed = 3};
    v->x = test_malloc((size_t)(f->batch * f->steps * F) * sizeof(float));
    v->memory = test_malloc((size_t)(f->batch * 4 * K) * sizeof(float));
    draw(&r, v->x, f->batch * f->steps * F);
    draw(&r, v->memory, f->batch * 4 * K);
    for (int i = 0; i < 3; i++) {
        v->states[i] = test_malloc((size_t)(f->batch * U) * sizeof(float));
        draw(&r, v->states[i], f->batch * U);
    }
    for (int64_t b = 0; b < f->batch; b++) {
        v->lengths[b] = (int32_t)heed_random_below(&r, (uint32_t)f->steps + 1); /* 0 too: an empty row */
        for (int64_t t = 0; t < f->steps; t++)
            v->mask[b * f->steps + t] = f->mask == 2 ? heed_random_below(&r, 3) > 0 : t < v->lengths[b];
    }
}

static void free_values(values *v)
{
    test_free(v->x);
    test_free(v->memory);
    for (int i = 0; i < 3; i++)
        test_free(v->states[i]);
}

static void test_scan_equals_unrolled(void **state)
{
    (void)state;
    static const form forms[] = {
        {.batch = 2, .steps = 1}, {.batch = 1, .steps = 5}, {.batch = 5, .steps = 4, .reverse = true},
        {.batch = 17, .steps = 3}, {.batch = 40, .steps = 6, .zero_start = true}, {.batch = 3, .steps = 4, .last_only = true},
        {.batch = 5, .steps = 6, .mask = 1}, {.batch = 33, .steps = 6, .mask = 1, .zero_output = true},
        {.batch = 20, .steps = 5, .mask = 2, .zero_output = true, .reverse = true}, {.batch = 4, .steps = 7, .mask = 2},
        {.batch = 18, .steps = 5, .mask = 3, .last_only = true}, {.batch = 6, .steps = 5, .mask = 2, .zero_start = true},
        {.batch = 6, .steps = 5, .mask = 3, .zero_start = true, .last_only = true, .reverse = true},
        {.batch = 3, .steps = 1, .mask = 2, .zero_output = true},
    };
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 2}, &c), HEED_OK);
    for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
        static weights w;
        make_weights(&w, cells[k].shapes, cells[k].weight_count);
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            static values v;
            make_values(&v, &forms[i]);
            char what[64];
            snprintf(what, sizeof what, "%s, form %zu", cells[k].name, i);
            outcome a = run(c, &cells[k], &w, &forms[i], &v, true), b = run(c, &cells[k], &w, &forms[i], &v, false);
            assert_close(&a, &b, what);
            free_outcome(&a);
            free_outcome(&b);
            free_values(&v);
        }
    }
    heed_context_free(c);
}

static void test_same_bits_at_any_thread_count(void **state)
{
    (void)state;
    const form f = {.batch = 50, .steps = 9, .mask = 1, .zero_output = true};
    static values v;
    make_values(&v, &f);
    for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
        static weights w;
        make_weights(&w, cells[k].shapes, cells[k].weight_count);
        outcome first = {0};
        static const int threads[] = {1, 2, 3, 8};
        for (int i = 0; i < 4; i++) {
            heed_context *c;
            assert_int_equal(heed_context_create(&(heed_context_config){.threads = threads[i]}, &c), HEED_OK);
            outcome o = run(c, &cells[k], &w, &f, &v, true);
            for (int n = 0; n < o.count && i > 0; n++)
                assert_memory_equal(o.values[n], first.values[n], (size_t)o.sizes[n] * sizeof(float));
            if (i == 0)
                first = o;
            else
                free_outcome(&o);
            heed_context_free(c);
        }
        free_outcome(&first);
    }
    free_values(&v);
}

/* The plan of a loop does not grow with the steps beyond the sequences themselves. */
static void test_memory_grows_with_the_sequences_only(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 2}, &c), HEED_OK);
    static weights w;
    make_weights(&w, lstm_shapes, 3);
    size_t bytes[2];
    for (int i = 0; i < 2; i++) {
        form f = {.batch = 4, .steps = i == 0 ? 8 : 16};
        static values v;
        make_values(&v, &f);
        outcome o = run(c, &cells[1], &w, &f, &v, true);
        bytes[i] = o.bytes;
        free_outcome(&o);
        free_values(&v);
    }
    assert_true(bytes[1] < bytes[0] * 2);
    heed_context_free(c);
}

static heed_status wrong_state_step(void *cell, heed_step *s)
{
    (void)cell;
    s->new_states[0] = heed_op_slice(s->states[0], 1, 0, 1);
    s->outputs[0] = s->states[0];
    return HEED_OK;
}

static void test_refusals(void **state)
{
    (void)state;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    heed_graph *g;
    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    heed_tensor *x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 3, F}});
    heed_tensor *h = heed_graph_fill(g, &(heed_shape){2, {2, U}}, 0), *out = NULL;
    heed_scan_config config = {.step = wrong_state_step, .inputs = &x, .input_count = 1, .states = &h, .state_count = 1, .output_count = 1};
    assert_int_equal(heed_op_scan(g, &config, &out, NULL), HEED_ESHAPE);
    assert_null(out);
    assert_non_null(strstr(heed_error(c), "new state 1"));
    heed_graph_free(g);

    assert_int_equal(heed_graph_create(c, &g), HEED_OK);
    x = heed_graph_input(g, HEED_FLOAT32, &(heed_shape){3, {2, 3, F}});
    h = heed_graph_fill(g, &(heed_shape){2, {3, U}}, 0);
    config.inputs = &x;
    config.states = &h;
    assert_int_equal(heed_op_scan(g, &config, &out, NULL), HEED_ESHAPE);
    assert_non_null(strstr(heed_error(c), "state 1"));
    heed_graph_free(g);
    heed_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_equals_unrolled),
        cmocka_unit_test(test_same_bits_at_any_thread_count),
        cmocka_unit_test(test_memory_grows_with_the_sequences_only),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
