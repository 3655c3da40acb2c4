#include "model/optimizer.h"

#include "base/index.h"
#include "model/optimizer_rules.h"

#include <math.h>
#include <string.h>

typedef struct common_config {
    HEED_RATE_OPTION(HEED_OPTION_FIELD, , )
    HEED_OPTIMIZER_OPTIONS(HEED_OPTION_FIELD, , )
} common_config;

/* What a variable has beside its numbers. NULL where it is not kept. */
typedef struct kept {
    heed_variable *variable;
    float         *average, *accumulator;
    float         *slots[HEED_MAX_SLOTS];
    float          factor; /* of this step's gradient: clipping, averaging */
    float          factors[HEED_MAX_FACTORS]; /* of this step's rule: heed_optimizer_class.prepare */
    bool           plain;  /* it goes by the plain rule: heed_optimizer_class.is_plain */
    double         decay;  /* its weight_decay; infinite: none */
    size_t         first_stretch, stretch_count;
} kept;

typedef struct stretch {
    size_t  variable;
    int64_t begin, n;
    double  squares; /* of this step's gradient */
} stretch;

struct heed_optimizer {
    heed_context               *context;
    heed_zone                   zone;
    const heed_optimizer_class *class;
    const void                 *config;
    const char                 *text; /* the expression, without rate */
    common_config               common;
    heed_schedule              *schedule; /* NULL: the rate is a number */
    heed_arrays                 arrays;   /* what is kept, by name; iteration and rate come first */
    bool                        prepared;
    kept                       *variables;
    heed_index                  places; /* by the address of an array's numbers */
    size_t                      variable_count;
    stretch                    *stretches;
    size_t                      stretch_count;
    float                      *product; /* of heed_optimizer_class.growth; NULL: there is none */
    unsigned char              *scratch; /* for each thread, where a rule needs whole variables: a gradient, and the rule's room */
    size_t                      longest, room; /* bytes of these */
};

/* ---- making */

static bool passed_over(const char *key)
{
    static const char *const keys[] = {"learning_rate", "lr", "jit_compile", "decay", "schedule_decay"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* Takes the rate, which may be a schedule, out of a call. */
static heed_status split_rate(heed_zone *z, const heed_value *call, heed_value **rest, const heed_value **rate)
{
    *rest = heed_value_call(z, call->text);
    *rate = heed_value_find(call, "learning_rate");
    if (*rate == NULL)
        *rate = heed_value_find(call, "lr"); /* Keras 2 */
    if (*rest == NULL)
        return HEED_ENOMEM;
    for (const heed_value *item = call->first; item != NULL; item = item->next) {
        if (item->key == NULL && item == call->first)
            *rate = item;
        else if (item->key == NULL)
            return heed_fail(z->context, HEED_EINVAL, "%s: only the learning rate goes without a name", call->text);
        else if (!passed_over(item->key))
            HEED_TRY(heed_value_set(z, *rest, item->key, heed_value_copy(z, item)));
    }
    return HEED_OK;
}

static heed_status read_rate(heed_optimizer *o, const heed_value *rate)
{
    if (rate == NULL)
        return HEED_OK;
    if (rate->type != HEED_VALUE_INT && rate->type != HEED_VALUE_REAL)
        return heed_schedule_read(&o->zone, rate, &o->schedule);
    HEED_TRY(heed_value_as_real(o->context, rate, "learning_rate", &o->common.learning_rate));
    if (!(o->common.learning_rate >= 0.0) || isinf(o->common.learning_rate))
        return heed_fail(o->context, HEED_EINVAL, "%s: learning_rate is out of range (expected [0,), found %g)",
                         o->class->class.name, o->common.learning_rate);
    return HEED_OK;
}

static const heed_option common_rows[] = {HEED_RATE_OPTION(HEED_OPTION_ROW, common_config, )
                                              HEED_OPTIMIZER_OPTIONS(HEED_OPTION_ROW, common_config, )};
static const heed_option_table common_table = {common_rows, sizeof common_rows / sizeof *common_rows,
                                               sizeof(common_config), NULL};

static heed_status check_common(heed_optimizer *o)
{
    const common_config *k = &o->common;
    if (!isinf(k->clipnorm) + !isinf(k->clipvalue) + !isinf(k->global_clipnorm) > 1)
        return heed_fail(o->context, HEED_EINVAL, "%s: only one of clipnorm, clipvalue and global_clipnorm may be set",
                         o->class->class.name);
    return HEED_OK;
}

static heed_status add_array(heed_optimizer *o, heed_dtype dtype, const heed_shape *shape, const char *name,
                             double initial, void **data)
{
    heed_array *a;
    HEED_TRY(heed_array_create(o->context, dtype, shape, &a));
    int64_t count = heed_array_count(a);
    for (int64_t i = 0; i < count && initial != 0.0; i++)
        ((float *)a->data)[i] = (float)initial;
    *data = a->data;
    return heed_arrays_add(&o->arrays, name, a);
}

static const char *own_name(const heed_optimizer *o)
{
    return o->common.name == NULL ? o->class->class.name : o->common.name;
}

static heed_status add_counter(heed_optimizer *o, heed_dtype dtype, const char *name, double initial)
{
    static const heed_shape scalar = {0};
    void *data;
    name = heed_zone_printf(&o->zone, "%s/%s", own_name(o), name);
    return name == NULL ? HEED_ENOMEM : add_array(o, dtype, &scalar, name, initial, &data);
}

static heed_status add_rate(heed_optimizer *o)
{
    return add_counter(o, HEED_FLOAT32, "learning_rate", o->common.learning_rate);
}

static heed_status add_counters(heed_optimizer *o)
{
    HEED_TRY(add_counter(o, HEED_INT64, "iteration", 0.0));
    return o->schedule != NULL ? HEED_OK : add_rate(o);
}

static heed_status set_up(heed_optimizer *o, const heed_value *v)
{
    heed_zone *z = &o->zone;
    const char *text;
    heed_value *call, *rest;
    const heed_value *rate;
    heed_object *object;
    HEED_TRY(heed_object_expression(z, &heed_optimizers, v, "optimizer", &text));
    HEED_TRY(heed_value_parse(z, "optimizer", text == NULL ? "rmsprop" : text, &call));
    HEED_TRY(split_rate(z, call, &rest, &rate));
    o->text = heed_value_expression(z, rest);
    if (o->text == NULL)
        return HEED_ENOMEM;
    HEED_TRY(heed_object_parse(z, &heed_optimizers, o->text, &object));
    o->class = (const heed_optimizer_class *)object->object_class;
    o->config = object->config;
    heed_options_transfer(HEED_TABLE_OF(object->object_class), o->config, common_table, &o->common);
    HEED_TRY(check_common(o));
    HEED_TRY(read_rate(o, rate));
    return add_counters(o);
}

heed_status heed_optimizer_create(heed_context *c, const heed_value *v, heed_optimizer **out)
{
    *out = NULL;
    heed_optimizer *o = heed_alloc(c, 1, sizeof *o);
    if (o == NULL)
        return HEED_ENOMEM;
    o->context = c;
    o->arrays.context = c;
    heed_zone_init(&o->zone, c);
    heed_status status = set_up(o, v);
    if (status == HEED_OK)
        *out = o;
    else
        heed_optimizer_free(o);
    return status;
}

void heed_optimizer_free(heed_optimizer *o)
{
    if (o == NULL)
        return;
    heed_arrays_free(&o->arrays);
    heed_release(o->context, o->scratch);
    heed_zone_free(&o->zone);
    heed_release(o->context, o);
}

heed_value *heed_optimizer_value(heed_zone *z, const heed_optimizer *o)
{
    heed_value *saved = heed_object_value(z, &heed_optimizers, o->text), *config = heed_value_find(saved, "config");
    heed_value *rate =
        o->schedule != NULL ? heed_schedule_value(z, o->schedule) : heed_value_real(z, heed_optimizer_rate(o));
    if (config == NULL || heed_value_set(z, config, "learning_rate", rate) != HEED_OK ||
        heed_value_set(z, config, "name", heed_value_text(z, own_name(o))) != HEED_OK)
        return NULL;
    return saved;
}

/* ---- preparing */

static heed_shape slot_shape(const heed_variable *v, int drops)
{
    heed_shape shape = v->shape;
    if (drops == 0)
        return shape;
    if (shape.rank < 2)
        return (heed_shape){0};
    for (int i = shape.rank - drops; i + 1 < shape.rank; i++)
        shape.dims[i] = shape.dims[i + 1];
    shape.rank--;
    return shape;
}

/* What an array is kept as: the number of a slot, or one of these. */
enum { KEPT_AVERAGE = HEED_MAX_SLOTS, KEPT_ACCUMULATOR, KEPT_KINDS };
_Static_assert((int)KEPT_KINDS == (int)HEED_KEPT_KINDS, "as the header says");

/* Where an array belongs. */
typedef struct array_place {
    size_t variable;
    int    kind;
} array_place;

static heed_status add_kept(heed_optimizer *o, size_t variable, int kind, const heed_slot *slot, const char *path,
                            float **data)
{
    const heed_variable *v = o->variables[variable].variable;
    char *flat = heed_zone_strdup(&o->zone, path);
    array_place *place = heed_zone_alloc(&o->zone, 1, sizeof *place);
    if (flat == NULL || place == NULL)
        return HEED_ENOMEM;
    for (char *p = flat; *p != '\0'; p++)
        if (*p == '/')
            *p = '_';
    const char *name = heed_zone_printf(&o->zone, "%s/%s_%s", own_name(o), flat, slot->name);
    heed_shape shape = slot_shape(v, slot->drops);
    void *memory = NULL;
    if (name == NULL)
        return HEED_ENOMEM;
    HEED_TRY(add_array(o, HEED_FLOAT32, &shape, name, slot->initial, &memory));
    *data = memory;
    *place = (array_place){variable, kind};
    if (slot->copies)
        memcpy(memory, v->data, (size_t)v->count * sizeof(float));
    return heed_index_put_address(&o->places, &o->zone, memory, place);
}

static heed_status add_slots(heed_optimizer *o, const char *const *paths)
{
    heed_slot slots[HEED_MAX_SLOTS];
    int count = o->class->slots(o->config, slots);
    int groups = count == 0 ? 0 : slots[count - 1].group + 1;
    for (int group = 0; group < groups; group++)
        for (size_t i = 0; i < o->variable_count; i++)
            for (int k = 0; k < count; k++)
                if (slots[k].group == group && (!slots[k].plain_only || o->variables[i].plain))
                    HEED_TRY(add_kept(o, i, k, &slots[k], paths[i], &o->variables[i].slots[k]));
    return HEED_OK;
}

static heed_status add_product(heed_optimizer *o)
{
    static const heed_shape scalar = {0};
    void *data;
    if (o->class->growth == NULL)
        return HEED_OK;
    HEED_TRY(add_array(o, HEED_FLOAT32, &scalar, "u_product", 1.0, &data));
    o->product = data;
    return HEED_OK;
}

/* Which variables go by the plain rule. */
static heed_status choose_rules(heed_optimizer *o, const char *const *paths)
{
    const heed_optimizer_class *class = o->class;
    for (size_t i = 0; i < o->variable_count; i++) {
        kept *k = &o->variables[i];
        if (class->is_plain != NULL)
            HEED_TRY(class->is_plain(o->context, o->config, paths[i], &k->variable->shape, &k->plain));
        k->decay = k->plain ? class->plain_decay(o->config) : o->common.weight_decay;
    }
    return HEED_OK;
}

static int64_t stretch_size(const heed_optimizer *o, const kept *k)
{
    return o->class->whole && !k->plain && k->variable->count > 0 ? k->variable->count : HEED_TILE_ELEMENTS;
}

/* What each thread needs for the greatest variable that a rule takes whole. */
static heed_status add_scratch(heed_optimizer *o)
{
    const heed_kernels *kernels = heed_kernels_for(o->context->cpu);
    if (!o->class->whole)
        return HEED_OK;
    for (size_t i = 0; i < o->variable_count; i++) {
        const heed_variable *v = o->variables[i].variable;
        size_t gradient = heed_aligned((size_t)v->count * sizeof(float));
        size_t room = o->class->room == NULL ? 0 : heed_aligned(o->class->room(kernels, &v->shape));
        o->longest = o->longest < gradient ? gradient : o->longest;
        o->room = o->room < room ? room : o->room;
    }
    o->scratch = heed_alloc_raw(o->context, (size_t)heed_threads(o->context), o->longest + o->room);
    return o->scratch == NULL ? HEED_ENOMEM : HEED_OK;
}

static heed_status cut(heed_optimizer *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->variable_count; i++) {
        kept *k = &o->variables[i];
        k->first_stretch = count;
        k->stretch_count = (size_t)heed_tiles(k->variable->count, stretch_size(o, k));
        count += k->stretch_count;
    }
    o->stretches = heed_zone_alloc(&o->zone, count, sizeof *o->stretches);
    if (o->stretches == NULL)
        return HEED_ENOMEM;
    o->stretch_count = count;
    for (size_t i = 0; i < o->variable_count; i++)
        for (size_t s = 0; s < o->variables[i].stretch_count; s++) {
            stretch *at = &o->stretches[o->variables[i].first_stretch + s];
            const kept *k = &o->variables[i];
            at->variable = i;
            at->n = heed_tile_range(k->variable->count, stretch_size(o, k), (int64_t)s, &at->begin);
        }
    return add_scratch(o);
}

static heed_status prepare(heed_optimizer *o, heed_variable *const *variables, const char *const *paths, size_t count)
{
    o->variables = heed_zone_alloc(&o->zone, count, sizeof *o->variables);
    if (o->variables == NULL)
        return HEED_ENOMEM;
    static const heed_slot average = {.name = "average"}, accumulator = {.name = "gradient_accumulator"};
    o->variable_count = count;
    o->places = (heed_index){NULL};
    for (size_t i = 0; i < count; i++)
        o->variables[i].variable = variables[i];
    HEED_TRY(choose_rules(o, paths));
    for (size_t i = 0; i < count && o->common.use_ema; i++)
        HEED_TRY(add_kept(o, i, KEPT_AVERAGE, &average, paths[i], &o->variables[i].average));
    for (size_t i = 0; i < count && o->common.gradient_accumulation_steps > 0; i++)
        HEED_TRY(add_kept(o, i, KEPT_ACCUMULATOR, &accumulator, paths[i], &o->variables[i].accumulator));
    HEED_TRY(add_slots(o, paths));
    HEED_TRY(add_product(o));
    return cut(o);
}

heed_status heed_optimizer_prepare(heed_optimizer *o, heed_variable *const *variables, const char *const *paths,
                                   size_t count)
{
    size_t before = o->arrays.count;
    heed_status status = prepare(o, variables, paths, count);
    o->prepared = status == HEED_OK;
    if (!o->prepared)
        while (o->arrays.count > before) {
            heed_array_free(o->context, o->arrays.items[--o->arrays.count].array);
            heed_release(o->context, o->arrays.items[o->arrays.count].name);
        }
    return status;
}

bool heed_optimizer_prepared(const heed_optimizer *o) { return o->prepared; }

size_t heed_optimizer_bytes(const heed_optimizer *o, heed_variable *const *variables, size_t count)
{
    heed_slot slots[HEED_MAX_SLOTS];
    size_t copies = (size_t)o->class->slots(o->config, slots) + o->common.use_ema +
                    (o->common.gradient_accumulation_steps > 0), bytes = sizeof(int64_t) + sizeof(float);
    for (size_t i = 0; i < count; i++)
        bytes += copies * (size_t)variables[i]->count * sizeof(float);
    return bytes;
}

/* ---- a step */

typedef struct step_work {
    heed_optimizer      *optimizer;
    const heed_kernels  *kernels;
    const float *const  *gradients, *const *squares;
    bool                 squares_shares; /* in updates, too, not only in norms */
    heed_rest            rest; /* of rows that have no shares */
    double               rate;
    float                limit;   /* of a gradient's elements; infinite: none */
    float                average; /* share of the moving average that stays */
    bool                 updates; /* false while gradients are being collected */
    bool                 overwrites; /* the averages become the weights */
} step_work;

/* Where the gradient of a stretch lies; NULL when there is none. */
static const float *gradient_of(const step_work *w, const stretch *s)
{
    const float *gradient = w->gradients[s->variable];
    const float *collected = w->optimizer->variables[s->variable].accumulator;
    return gradient == NULL ? NULL : (collected != NULL ? collected : gradient) + s->begin;
}

/* The squares of its shares; NULL where these are not asked for. */
static const float *shares_of(const step_work *w, const stretch *s)
{
    const float *squares = w->squares[s->variable];
    return squares == NULL ? NULL : squares + s->begin;
}

static void collect_tile(void *work, int64_t tile, int thread)
{
    const step_work *w = work;
    const stretch *s = &w->optimizer->stretches[tile];
    const float *gradient = w->gradients[s->variable];
    if (gradient != NULL)
        w->kernels->axpy(s->n, 1.0f, gradient + s->begin, w->optimizer->variables[s->variable].accumulator + s->begin);
}

static void square_tile(void *work, int64_t tile, int thread)
{
    const step_work *w = work;
    stretch *s = &w->optimizer->stretches[tile];
    const float *g = gradient_of(w, s);
    const float *shares = shares_of(w, s);
    s->squares = g == NULL || shares != NULL ? 0.0 : w->kernels->sum_of_squares(s->n, g);
    for (int64_t i = 0; i < s->n && shares != NULL; i++)
        s->squares += shares[i];
}

/* The gradient as it is to be used: itself, or scaled and cut in `buffer`. */
static const float *used_gradient(const step_work *w, const stretch *s, const float *g, float factor, float *buffer)
{
    if (factor == 1.0f && isinf(w->limit))
        return g;
    for (int64_t i = 0; i < s->n; i++) {
        float scaled = factor * g[i]; /* not a number stays so, to be noticed */
        buffer[i] = scaled > w->limit ? w->limit : scaled < -w->limit ? -w->limit : scaled;
    }
    return buffer;
}

static bool is_zero(const float *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (numbers[i] != 0.0f)
            return false;
    return true;
}

/* `count` numbers of a piece, from `begin` on. */
static heed_stretch part_of(const heed_stretch *piece, int64_t begin, int64_t count)
{
    heed_stretch part = *piece;
    part.n = count;
    part.w += begin;
    part.g += begin;
    part.squares = piece->squares == NULL ? NULL : piece->squares + begin;
    for (int i = 0; i < HEED_MAX_SLOTS; i++)
        part.slots[i] = piece->slots[i] == NULL ? NULL : piece->slots[i] + begin;
    return part;
}

/* A piece of a table, in which rows rest that were not looked up: whose gradient has no shares but zeros. */
static void update_rows(const step_work *w, const stretch *s, const heed_stretch *piece)
{
    const heed_optimizer_class *class = w->optimizer->class;
    int64_t width = piece->shape->rank == 0 ? 1 : heed_shape_count(piece->shape) / piece->shape->dims[0];
    float resting[HEED_TILE_ELEMENTS];
    for (int64_t at = 0, next; at < s->n; at = next) {
        int64_t row = (s->begin + at) / width;
        next = (row + 1) * width - s->begin;
        next = next < s->n ? next : s->n;
        heed_stretch part = part_of(piece, at, next - at);
        bool rests = is_zero(w->squares[s->variable] + row * width, width);
        if (rests && w->rest == HEED_ALL_RESTS)
            continue;
        if (rests)
            part.w = memcpy(resting, part.w, (size_t)part.n * sizeof *resting);
        class->update(w->optimizer->config, &part);
    }
}

static void update_weights(const step_work *w, const stretch *s, const float *g, int thread)
{
    heed_optimizer *o = w->optimizer;
    kept *k = &o->variables[s->variable];
    unsigned char *scratch = o->scratch == NULL ? NULL : o->scratch + (size_t)thread * (o->longest + o->room);
    float local[HEED_TILE_ELEMENTS], *buffer = scratch == NULL ? local : (float *)scratch;
    float decay = isinf(k->decay) ? 0.0f : (float)(k->decay * w->rate); /* share of a weight that is taken off first */
    heed_stretch piece = {.kernels = w->kernels, .n = s->n, .w = k->variable->data + s->begin, .factors = k->factors,
                          .g = used_gradient(w, s, g, k->factor, buffer), .shape = &k->variable->shape, .plain = k->plain,
                          .room = scratch == NULL ? NULL : scratch + o->longest};
    if (w->squares_shares)
        piece.squares = shares_of(w, s);
    piece.squares_factor = k->factor * k->factor;
    for (int i = 0; i < HEED_MAX_SLOTS; i++)
        piece.slots[i] = k->slots[i] == NULL ? NULL : k->slots[i] + s->begin;
    for (int64_t i = 0; i < s->n && decay != 0.0f; i++)
        piece.w[i] -= piece.w[i] * decay;
    if (w->rest != HEED_NOTHING_RESTS && shares_of(w, s) != NULL)
        update_rows(w, s, &piece);
    else
        o->class->update(o->config, &piece);
    if (k->accumulator != NULL)
        memset(k->accumulator + s->begin, 0, (size_t)s->n * sizeof(float));
}

static void update_average(const step_work *w, const stretch *s)
{
    const kept *k = &w->optimizer->variables[s->variable];
    float *weights = k->variable->data + s->begin, *average = k->average + s->begin;
    for (int64_t i = 0; i < s->n; i++)
        average[i] = w->average * average[i] + (1.0f - w->average) * weights[i];
    if (w->overwrites)
        memcpy(weights, average, (size_t)s->n * sizeof(float));
}

static void update_tile(void *work, int64_t tile, int thread)
{
    const step_work *w = work;
    const stretch *s = &w->optimizer->stretches[tile];
    const float *g = gradient_of(w, s);
    if (w->updates && g != NULL)
        update_weights(w, s, g, thread);
    if (w->optimizer->common.use_ema)
        update_average(w, s);
}

static void run_tiles(const step_work *w, heed_tile_function *function)
{
    heed_parallel(w->optimizer->context->pool, (int64_t)w->optimizer->stretch_count, function, (void *)(uintptr_t)w);
}

static double squares_of(const heed_optimizer *o, size_t variable)
{
    const kept *k = &o->variables[variable];
    double sum = 0.0;
    for (size_t s = 0; s < k->stretch_count; s++)
        sum += o->stretches[k->first_stretch + s].squares;
    return sum;
}

/* What each gradient is multiplied with: 1/steps where several were collected, and what clipping by norm asks for. */
static void set_factors(heed_optimizer *o, const step_work *w, float scale)
{
    const common_config *k = &o->common;
    bool by_norm = !isinf(k->clipnorm), by_all = !isinf(k->global_clipnorm);
    double all = 0.0;
    if (by_norm || by_all)
        run_tiles(w, square_tile);
    for (size_t i = 0; i < o->variable_count && by_all; i++)
        all += squares_of(o, i);
    double shared = by_all ? k->global_clipnorm / fmax(scale * sqrt(all), k->global_clipnorm) : 1.0;
    for (size_t i = 0; i < o->variable_count; i++) {
        double own = by_norm ? k->clipnorm / fmax(scale * sqrt(squares_of(o, i)), k->clipnorm) : 1.0;
        o->variables[i].factor = (float)(scale * own * shared);
    }
}

/* Whether a step multiplies the product before it comes to a variable. Once, before the first; but from Keras 2.11 on, before
 * 3, for each of the n variables: what is to keep a compiled step from doing so twice compares the number of the step with a
 * counter that stood still when the step was compiled, at n + i for variable i, and is right in that one step. */
static bool grows_for(const heed_optimizer *o, int keras, int64_t step, size_t variable)
{
    bool for_each = heed_keras_within(keras, 211, 300) && !o->common.is_legacy_optimizer;
    return for_each ? step != (int64_t)(o->variable_count + variable) : variable == 0;
}

static void prepare_rule(heed_optimizer *o, double rate, int64_t step, int keras)
{
    for (size_t i = 0; i < o->variable_count; i++) {
        float *factors = o->variables[i].factors;
        bool grows = o->product != NULL && grows_for(o, keras, step, i);
        if (grows)
            *o->product *= (float)o->class->growth(o->config, (double)step);
        if (i == 0 || grows)
            o->class->prepare(o->config, rate, (double)step, o->product == NULL ? 1.0f : *o->product, factors);
        else
            memcpy(factors, o->variables[i - 1].factors, sizeof o->variables[i].factors);
    }
}

static int64_t *iteration(const heed_optimizer *o) { return o->arrays.items[0].array->data; }

/* tf.keras before 2.11, and its legacy optimizers since. */
static heed_rest what_rests(const heed_optimizer *o, int keras)
{
    bool rests = heed_keras_within(keras, 204, o->common.is_legacy_optimizer ? 300 : 211);
    return rests && o->class->rests != NULL ? o->class->rests(o->config) : HEED_NOTHING_RESTS;
}

bool heed_optimizer_squares_shares(const heed_optimizer *o, int keras)
{
    const common_config *k = &o->common;
    bool clips = !isinf(k->clipnorm) || !isinf(k->global_clipnorm), collects = k->gradient_accumulation_steps > 0;
    return !collects && ((clips && keras >= 203) || (o->class->squares && keras >= 300) ||
                         what_rests(o, keras) != HEED_NOTHING_RESTS);
}

void heed_optimizer_apply(heed_optimizer *o, const float *const *gradients, const float *const *squares, int keras)
{
    const common_config *k = &o->common;
    int64_t done = *iteration(o), every = k->gradient_accumulation_steps, updates = heed_optimizer_iterations(o);
    double rate = heed_optimizer_rate(o);
    step_work w = {.optimizer = o, .kernels = heed_kernels_for(o->context->cpu), .gradients = gradients,
                   .squares = squares, .squares_shares = keras >= 300, .rest = what_rests(o, keras),
                   .updates = every <= 0 || (done + 1) % every == 0, .limit = (float)k->clipvalue,
                   .rate = rate,
                   .average = updates == 0 ? 0.0f : (float)k->ema_momentum,
                   .overwrites = k->ema_overwrite_frequency > 0 && (updates + 1) % k->ema_overwrite_frequency == 0};
    if (every > 0)
        run_tiles(&w, collect_tile);
    if (w.updates) {
        set_factors(o, &w, every > 0 ? 1.0f / (float)every : 1.0f);
        prepare_rule(o, rate, updates + 1, keras);
    }
    if (w.updates || k->use_ema)
        run_tiles(&w, update_tile);
    for (size_t i = 0; i < o->variable_count; i++)
        if (gradients[i] != NULL && o->variables[i].variable->constraint != NULL)
            heed_variable_constrain(o->variables[i].variable);
    ++*iteration(o);
}

void heed_optimizer_finish(heed_optimizer *o)
{
    for (size_t i = 0; i < o->variable_count && o->common.use_ema; i++)
        memcpy(o->variables[i].variable->data, o->variables[i].average,
               (size_t)o->variables[i].variable->count * sizeof(float));
}

/* ---- asking */

int64_t heed_optimizer_iterations(const heed_optimizer *o)
{
    int64_t every = o->common.gradient_accumulation_steps;
    return every > 0 ? *iteration(o) / every : *iteration(o);
}

double heed_optimizer_rate(const heed_optimizer *o)
{
    return o->schedule != NULL ? heed_schedule_rate(o->schedule, *iteration(o))
                               : *(float *)o->arrays.items[1].array->data;
}

heed_status heed_optimizer_set_rate(heed_optimizer *o, double rate)
{
    if (o->schedule != NULL)
        return heed_fail(o->context, HEED_ESTATE, "%s: a schedule decides the learning rate", own_name(o));
    if (!(rate >= 0.0) || isinf(rate))
        return heed_fail(o->context, HEED_EINVAL, "%s: the learning rate is out of range (expected [0,), found %g)",
                         own_name(o), rate);
    *(float *)o->arrays.items[1].array->data = (float)rate;
    return HEED_OK;
}

heed_status heed_optimizer_drop_schedule(heed_optimizer *o)
{
    if (o->schedule == NULL)
        return HEED_OK;
    double rate = heed_optimizer_rate(o);
    HEED_TRY(add_rate(o));
    o->schedule = NULL;
    heed_arrays *a = &o->arrays; /* the rate's place is the second */
    for (size_t i = a->count - 1; i > 1; i--) {
        void *array = a->items[i].array;
        char *name = a->items[i].name;
        a->items[i] = a->items[i - 1];
        a->items[i - 1].array = array;
        a->items[i - 1].name = name;
    }
    return heed_optimizer_set_rate(o, rate);
}

int heed_optimizer_arrays(const heed_optimizer *o) { return (int)o->arrays.count; }

const char *heed_optimizer_array_name(const heed_optimizer *o, int index)
{
    return index >= 0 && (size_t)index < o->arrays.count ? o->arrays.items[index].name : NULL;
}

heed_array *heed_optimizer_array_at(heed_optimizer *o, int index)
{
    return index >= 0 && (size_t)index < o->arrays.count ? o->arrays.items[index].array : NULL;
}

int heed_optimizer_rate_index(const heed_optimizer *o) { return o->schedule == NULL ? 1 : -1; }

bool heed_optimizer_array_of(const heed_optimizer *o, int index, size_t *variable, int *kind)
{
    const array_place *place = heed_index_find_address(&o->places, o->arrays.items[index].array->data);
    if (place == NULL)
        return false;
    *variable = place->variable;
    *kind = place->kind;
    return true;
}

bool heed_optimizer_slot_of(const heed_optimizer *o, int index, size_t *variable, int *slot)
{
    return heed_optimizer_array_of(o, index, variable, slot) && *slot < HEED_MAX_SLOTS;
}

size_t heed_optimizer_variables(const heed_optimizer *o) { return o->variable_count; }
bool   heed_optimizer_is_old(const heed_optimizer *o) { return o->common.is_legacy_optimizer; }
bool   heed_optimizer_interleaved(const heed_optimizer *o) { return o->class->interleaved; }

void heed_optimizer_restore_product(heed_optimizer *o, int keras)
{
    double product = 1.0;
    if (o->product == NULL)
        return;
    for (int64_t step = 1; step <= heed_optimizer_iterations(o) && product > 0.0; step++) {
        double growth = o->class->growth(o->config, (double)step);
        for (size_t i = 0; i < o->variable_count; i++)
            product *= grows_for(o, keras, step, i) ? growth : 1.0;
    }
    *o->product = (float)product;
}

bool        heed_optimizer_keeps_product(const heed_optimizer *o) { return o->class->growth != NULL; }
const char *heed_optimizer_class_name(const heed_optimizer *o) { return o->class->class.name; }
