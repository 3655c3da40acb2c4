/* What a model's table does not tell: who makes masks and who uses them, which layers attend, which options are set. */
#ifndef CLI_DETAILS_H
#define CLI_DETAILS_H

#include "heed/model.h"
#include "heed/output.h"

bool cli_details_attends(const heed_layer *layer);

/* As lines below the table. */
heed_status cli_details_write(heed_writer *w, const heed_model *m);
/* As members of a JSON object, behind others: , "inputs": [...], "outputs": [...], "layers": [...]. */
heed_status cli_details_json(heed_writer *w, const heed_model *m);
/* As a picture: .svg, .png or .pdf. */
heed_status cli_details_draw(heed_model *m, const char *path);

#endif
