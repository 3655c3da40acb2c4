#include "model/work.h"

void heed_model_count_work(heed_model *m, double *work) { m->work = work; }

static bool looks_like(const heed_tensor *t, const heed_tensor *output)
{
    return t->count == output->count && t->shape.rank > 1 && output->shape.rank > 1 &&
           heed_tensor_dim(t, -1) == heed_tensor_dim(output, -1);
}

/* A node of the output layer makes an output, or its loss; or it takes in what looks like an output: its gradient. */
static bool is_of_output(const heed_program *p, const heed_node *n)
{
    bool is = n->op == &heed_kind_output_loss;
    for (int k = 0; k < HEED_MAX_OUTPUTS && p->outputs[k] != NULL; k++) {
        is |= looks_like(n->outputs[0], p->outputs[k]);
        for (int i = 0; i < n->input_count; i++)
            is |= looks_like(n->inputs[i], p->outputs[k]);
    }
    return is;
}

static heed_work work_of(const heed_program *p, const heed_node *n)
{
    static const struct {
        const heed_op *op;
        heed_work      work;
    } rows[] = {
        {&heed_kind_attention, HEED_WORK_ATTENTION},
        {&heed_kind_attention_gradient, HEED_WORK_ATTENTION},
        {&heed_kind_additive_exp, HEED_WORK_ATTENTION},
        {&heed_kind_additive_scores, HEED_WORK_ATTENTION},
        {&heed_kind_additive_scores_gradient, HEED_WORK_ATTENTION},
        {&heed_kind_scan, HEED_WORK_RECURRENCE},
        {&heed_kind_matmul, HEED_WORK_PRODUCTS},
        {&heed_kind_convolution, HEED_WORK_PRODUCTS},
        {&heed_kind_convolution_transpose, HEED_WORK_PRODUCTS},
        {&heed_kind_convolution_kernel_gradient, HEED_WORK_PRODUCTS},
    };
    if (is_of_output(p, n))
        return HEED_WORK_OUTPUT;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (n->op == rows[i].op)
            return rows[i].work;
    return HEED_WORK_REST;
}

void heed_work_add(void *watch, const heed_node *n, double seconds)
{
    const heed_work_watch *w = watch;
    w->work[work_of(w->program, n)] += seconds;
}
