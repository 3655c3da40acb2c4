#include "model.h"

#include "heed/files.h"
#include "heed/output.h"
#include "report.h"

int cli_model_load(cli_session *s, const cli_model_options *o, heed_model **out)
{
    heed_status status = heed_load_model(s->context, o->path, out, .weights = o->weights,
                                         .weights_by_name = o->weights_by_name, .from = o->from.items,
                                         .set = o->set.items, .lambda = o->lambda.items);
    if (status == HEED_OK)
        heed_set_seed(*out, (uint64_t)s->seed);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

bool cli_can_write(cli_session *s, const char *path)
{
    heed_writer *trial;
    if (heed_writer_open(s->context, path, &trial) != HEED_OK)
        return false;
    heed_writer_free(trial);
    return true;
}
