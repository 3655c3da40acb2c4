#include "formats/keras_lambda.h"

#include "base/number.h"
#include "layers/layer.h"

#include <string.h>

#define LAMBDA_OPTIONS(X, C)                                                                                           \
    HEED_LAYER_OPTIONS(X, C)                                                                                           \
    X(C, TEXT, expression, NULL, "", "what is computed of x")
typedef struct heed_lambda_config {
    LAMBDA_OPTIONS(HEED_OPTION_FIELD, )
} heed_lambda_config;

enum { MOST_DEPTH = 32, MOST_ARGUMENTS = 8 };

/* What an expression comes to. */
typedef struct operand {
    heed_tensor *tensor; /* NULL: a number */
    double       number;
    bool         inputs; /* the inputs of a layer that has several, of which one is yet to be taken */
} operand;

/* Reads the text and builds operations as it goes. The first mistake ends it: the graph remembers. */
typedef struct parser {
    heed_call  *call;
    const char *at;
    int         depth;
    bool        failed;
} parser;

static operand fail(parser *p, const char *what)
{
    if (!p->failed)
        heed_graph_fail(p->call->graph, HEED_EINVAL, "the expression cannot be read: %s at \"%.20s\"", what, p->at);
    p->failed = true;
    return (operand){0};
}

static bool take(parser *p, const char *text)
{
    p->at += strspn(p->at, " ");
    if (strncmp(p->at, text, strlen(text)) != 0)
        return false;
    p->at += strlen(text);
    return true;
}

static void need(parser *p, const char *text)
{
    if (!take(p, text))
        fail(p, text);
}

static heed_tensor *tensor_of(parser *p, operand o)
{
    if (o.inputs)
        fail(p, "one of several inputs is to be chosen, x[0],");
    return p->failed ? NULL : o.tensor != NULL ? o.tensor : heed_graph_scalar(p->call->graph, (float)o.number);
}

static operand of_tensor(heed_tensor *t) { return (operand){.tensor = t}; }
static operand of_number(double number) { return (operand){.number = number}; }

static operand read_sum(parser *p);

/* ---- arithmetic ---- */

static operand apply(parser *p, char operator, operand a, operand b)
{
    if (a.tensor == NULL && b.tensor == NULL && !a.inputs && !b.inputs)
        return of_number(operator == '+'   ? a.number + b.number
                         : operator == '-' ? a.number - b.number
                         : operator == '*' ? a.number * b.number
                                          : a.number / b.number);
    heed_tensor *s = tensor_of(p, a), *t = tensor_of(p, b);
    if (p->failed)
        return (operand){0};
    switch (operator) {
    case '+': return of_tensor(heed_op_add(s, t));
    case '-': return of_tensor(heed_op_subtract(s, t));
    case '*': return of_tensor(heed_op_multiply(s, t));
    case '/': return of_tensor(heed_op_divide(s, t));
    default: return of_tensor(heed_op_matmul(s, t));
    }
}

/* ---- functions ---- */

typedef struct arguments {
    operand values[MOST_ARGUMENTS];
    int     count, axes[HEED_MAX_RANK], axis_count;
    bool    keep;
} arguments;

static void read_axis(parser *p, arguments *a)
{
    bool list = take(p, "[") || take(p, "(");
    do {
        operand o = read_sum(p);
        if (o.tensor != NULL || o.inputs || a->axis_count == HEED_MAX_RANK)
            fail(p, "an axis is a number,");
        else
            a->axes[a->axis_count++] = (int)o.number;
    } while (list && !p->failed && take(p, ","));
    if (list && !take(p, "]"))
        need(p, ")");
}

static void read_arguments(parser *p, arguments *a)
{
    while (!p->failed && !take(p, ")")) {
        if (take(p, "axis="))
            read_axis(p, a);
        else if (take(p, "keepdims="))
            a->keep = take(p, "True") || (take(p, "False"), false);
        else if (a->count < MOST_ARGUMENTS)
            a->values[a->count++] = read_sum(p);
        else
            fail(p, "too many arguments");
        if (!take(p, ",") && *(p->at += strspn(p->at, " ")) != ')')
            fail(p, "expected , or )");
    }
}

typedef heed_tensor *unary(heed_tensor *x);
typedef heed_tensor *reduction(heed_tensor *x, const int *axes, int count, bool keep);

static operand call_function(parser *p, const char *name, const arguments *a)
{
    static const struct { const char *name; unary *function; } of_one[] = {
        {"abs", heed_op_abs}, {"square", heed_op_square}, {"sqrt", heed_op_sqrt}, {"exp", heed_op_exp}, {"log",
                                                                                                         heed_op_log},
        {"sign", heed_op_sign}, {"negative", heed_op_negative}};
    static const struct { const char *name; reduction *function; } reductions[] = {
        {"sum", heed_op_sum}, {"mean", heed_op_mean}, {"max", heed_op_max}, {"min", heed_op_min}};
    heed_tensor *x = a->count > 0 ? tensor_of(p, a->values[0]) : NULL;
    if (x == NULL)
        return fail(p, "a function of nothing");
    for (size_t i = 0; i < sizeof of_one / sizeof *of_one; i++)
        if (strcmp(of_one[i].name, name) == 0)
            return of_tensor(of_one[i].function(x));
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(reductions[i].name, name) == 0)
            return of_tensor(reductions[i].function(x, a->axes, a->axis_count, a->keep));
    if (strcmp(name, "maximum") == 0 && a->count == 2)
        return of_tensor(heed_op_maximum(x, tensor_of(p, a->values[1])));
    if (strcmp(name, "minimum") == 0 && a->count == 2)
        return of_tensor(heed_op_minimum(x, tensor_of(p, a->values[1])));
    if (strcmp(name, "clip") == 0 && a->count == 3)
        return of_tensor(heed_op_clip(x, (float)a->values[1].number, (float)a->values[2].number));
    if (strcmp(name, "random_normal") == 0) /* its mean, 0, where nothing is trained */
        return p->call->training ? of_tensor(heed_op_random_normal(x->graph, &x->shape)) : of_number(0.0);
    if (strcmp(name, "expand_dims") == 0)
        return of_tensor(heed_op_expand(x, a->axis_count == 1 ? a->axes[0] : -1));
    if (strcmp(name, "squeeze") == 0)
        return of_tensor(heed_op_squeeze(x, a->axis_count == 1 ? a->axes[0] : -1));
    if (strcmp(name, "concatenate") == 0) {
        heed_tensor *parts[MOST_ARGUMENTS];
        for (int i = 0; i < a->count; i++)
            parts[i] = tensor_of(p, a->values[i]);
        return p->failed ? (operand){0} : of_tensor(heed_op_concatenate(parts, a->count,
                                                                        a->axis_count == 1 ? a->axes[0] : -1));
    }
    return a->count == 1 ? of_tensor(heed_activate(x, name)) : fail(p, "no such function");
}

/* ---- slices ---- */

/* A bound, where there is one. */
static bool read_bound(parser *p, int64_t *out)
{
    p->at += strspn(p->at, " ");
    if (*p->at == ':' || *p->at == ',' || *p->at == ']')
        return false;
    operand o = read_sum(p);
    if (o.tensor != NULL || o.inputs)
        fail(p, "an index is a number,");
    *out = (int64_t)o.number;
    return true;
}

static int64_t within(int64_t at, int64_t size)
{
    at = at < 0 ? at + size : at;
    return at < 0 ? 0 : at > size ? size : at;
}

static heed_tensor *take_slices(parser *p, heed_tensor *x)
{
    for (int axis = 0; !p->failed && !take(p, "]");) {
        int64_t size = x == NULL ? 0 : heed_tensor_dim(x, axis), begin = 0, end = size;
        if (x == NULL || axis >= x->shape.rank) {
            fail(p, "too many indices");
            return NULL;
        }
        bool given = read_bound(p, &begin), range = take(p, ":");
        if (range)
            read_bound(p, &end);
        if (!range && (!given || begin < -size || begin >= size))
            fail(p, "an index is out of range,");
        begin = within(begin, size);
        end = range ? within(end, size) : begin + 1;
        if (p->failed)
            return NULL;
        x = heed_op_slice(x, axis, begin, end < begin ? 0 : end - begin);
        x = range ? x : heed_op_squeeze(x, axis);
        axis += range;
        take(p, ",");
    }
    return x;
}

static operand read_slices(parser *p, operand o)
{
    if (!o.inputs)
        return of_tensor(take_slices(p, tensor_of(p, o)));
    int64_t index = -1;
    if (!read_bound(p, &index) || index < 0 || index >= p->call->input_count)
        return fail(p, "no such input");
    need(p, "]");
    return of_tensor(p->call->inputs[index]);
}

/* ---- the grammar ---- */

static operand read_name(parser *p)
{
    char name[32];
    size_t length = strspn(p->at, "abcdefghijklmnopqrstuvwxyz_0123456789");
    if (length == 0 || length >= sizeof name)
        return fail(p, "expected x, a number or a function");
    memcpy(name, p->at, length);
    name[length] = '\0';
    p->at += length;
    if (strcmp(name, "x") == 0)
        return p->call->input_count > 1 ? (operand){.inputs = true} : of_tensor(p->call->inputs[0]);
    arguments a = {.count = 0};
    need(p, "(");
    read_arguments(p, &a);
    return p->failed ? (operand){0} : call_function(p, name, &a);
}

static operand read_atom(parser *p)
{
    p->at += strspn(p->at, " ");
    operand o;
    if (take(p, "(")) {
        o = read_sum(p);
        need(p, ")");
    } else if ((*p->at >= '0' && *p->at <= '9') || *p->at == '.') {
        const char *end;
        o = of_number(heed_number_read(p->at, &end));
        p->at = end > p->at ? end : p->at + 1;
    } else {
        o = read_name(p);
    }
    while (!p->failed && take(p, "["))
        o = read_slices(p, o);
    return o;
}

static operand read_power(parser *p)
{
    if (take(p, "-"))
        return apply(p, '*', of_number(-1.0), read_power(p));
    operand base = read_atom(p);
    if (!take(p, "**"))
        return base;
    operand exponent = read_power(p);
    if (exponent.tensor != NULL || exponent.inputs)
        return fail(p, "an exponent is a number,");
    heed_tensor *x = tensor_of(p, base);
    if (p->failed)
        return (operand){0};
    return of_tensor(exponent.number == 2.0 ? heed_op_square(x) : heed_op_power(x, (float)exponent.number));
}

static operand read_product(parser *p)
{
    operand o = read_power(p);
    while (!p->failed) {
        char operator = take(p, "*") ? '*' : take(p, "/") ? '/' : take(p, "@") ? '@' : '\0';
        if (operator == '\0')
            break;
        o = apply(p, operator, o, read_power(p));
    }
    return o;
}

static operand read_sum(parser *p)
{
    if (++p->depth > MOST_DEPTH)
        return fail(p, "nested too deeply");
    operand o = read_product(p);
    while (!p->failed) {
        char operator = take(p, "+") ? '+' : take(p, "-") ? '-' : '\0';
        if (operator == '\0')
            break;
        o = apply(p, operator, o, read_product(p));
    }
    p->depth--;
    return o;
}

/* ---- the layer ---- */

static heed_status lambda_call(heed_layer *layer, heed_call *call)
{
    const heed_lambda_config *o = heed_layer_config(layer);
    parser p = {.call = call, .at = o->expression == NULL ? "" : o->expression};
    operand result = read_sum(&p);
    p.at += strspn(p.at, " ");
    if (*p.at != '\0')
        fail(&p, "expected its end");
    call->outputs[0] = tensor_of(&p, result);
    return heed_graph_status(call->graph);
}

const heed_layer_class heed_lambda_class = {
    .name = "Lambda", .collection = "keras", HEED_CLASS_OPTIONS(heed_lambda_config, LAMBDA_OPTIONS), .min_inputs = 1,
    .call = lambda_call};

heed_status heed_lambda_create(heed_context *c, const char *name, const char *expression, heed_layer **out)
{
    heed_lambda_config config = {.name = name, .trainable = true, .expression = expression};
    return heed_layer_create(c, (heed_spec){&heed_lambda_class, &config}, out);
}
