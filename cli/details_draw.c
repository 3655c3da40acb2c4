/* A model as boxes and arrows. */
#include "details.h"

#include "heed/plot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL = 256 };

/* A box for each call; the texts of their details follow one another. */
typedef struct graph {
    heed_diagram_box   *boxes;
    heed_diagram_arrow *arrows;
    size_t              arrow_count;
    char               *details;
} graph;

static size_t count_arrows(const heed_model *m)
{
    size_t count = 0;
    for (int call = 0; call < heed_model_call_count(m); call++)
        count += (size_t)heed_model_call_input_count(m, call);
    return count;
}

/* A line for each output: its shape, and whether a mask rides on it. */
static void describe_outputs(const heed_model *m, int call, char text[DETAIL])
{
    size_t used = 0;
    for (int i = 0; i < heed_model_call_output_count(m, call) && used < DETAIL; i++) {
        const heed_symbol *s = heed_model_call_output(m, call, i);
        char shape[128];
        used += (size_t)snprintf(text + used, DETAIL - used, "%s%s%s", i == 0 ? "" : "\n",
                                 heed_shape_text(heed_symbol_shape(s), shape, sizeof shape),
                                 heed_symbol_masked(s) ? " masked" : "");
    }
}

static void fill(const heed_model *m, graph *g)
{
    for (int call = 0; call < heed_model_call_count(m); call++) {
        const heed_layer *layer = heed_model_call_layer(m, call);
        char *detail = g->details + (size_t)call * DETAIL;
        describe_outputs(m, call, detail);
        g->boxes[call] = (heed_diagram_box){.name = heed_layer_name(layer), .kind = heed_layer_class_of(layer)->name,
                                            .detail = detail, .accent = cli_details_attends(layer)};
        for (int i = 0; i < heed_model_call_input_count(m, call); i++) {
            int from = heed_symbol_call(heed_model_call_input(m, call, i));
            g->arrows[g->arrow_count++] = (heed_diagram_arrow){(size_t)from, (size_t)call};
        }
    }
}

heed_status cli_details_draw(heed_model *m, const char *path)
{
    size_t count = (size_t)heed_model_call_count(m);
    graph g = {.boxes = calloc(count + 1, sizeof *g.boxes), .arrows = calloc(count_arrows(m) + 1, sizeof *g.arrows),
               .details = calloc(count + 1, DETAIL)};
    heed_status status = g.boxes == NULL || g.arrows == NULL || g.details == NULL ? HEED_ENOMEM : HEED_OK;
    if (status == HEED_OK) {
        fill(m, &g);
        heed_diagram d = {.title = heed_model_name(m), .boxes = g.boxes, .box_count = count, .arrows = g.arrows,
                          .arrow_count = g.arrow_count};
        status = heed_plot_diagram_save(heed_model_context(m), path, &d, NULL);
    }
    free(g.boxes);
    free(g.arrows);
    free(g.details);
    return status;
}
