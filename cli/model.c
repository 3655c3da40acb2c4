#include "model.h"

#include "heed/files.h"
#include "heed/output.h"
#include "report.h"

#include <string.h>

/* Whether all items have the form, with something on both sides of the sign; with a dot before it if `dotted`. */
static int check_form(const char *option, const char *form, const cli_list *items, bool dotted)
{
    for (size_t i = 0; i < items->count; i++) {
        const char *text = items->items[i], *sign = strchr(text, '='), *dot = strchr(text, '.');
        bool fine = sign != NULL && sign > text && sign[1] != '\0' && (!dotted || (dot != NULL && dot < sign));
        if (!fine)
            return cli_error(CLI_WRONG_USAGE, NULL, "%s: expected %s, found \"%s\"", option, form, text);
    }
    return CLI_DONE;
}

int cli_model_load(cli_session *s, const cli_model_options *o, heed_model **out)
{
    int exit_status = check_form("--set", "LAYER.OPTION=VALUE", &o->set, true);
    if (exit_status == CLI_DONE)
        exit_status = check_form("--lambda", "NAME=OPERATION", &o->lambda, false);
    if (exit_status != CLI_DONE)
        return exit_status;
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
