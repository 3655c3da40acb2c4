#include "command.h"
#include "heed/output.h"
#include "heed/text.h"
#include "report.h"

typedef struct dates_values {
    int64_t     count;
    const char *locales, *output;
} dates_values;

static const cli_option options[] = {
    {"N", CLI_BIND(dates_values, count), .required = true, .help = "how many pairs", CLI_AT_LEAST(0)},
    {"--locales", CLI_BIND(dates_values, locales), "all|en,fr,...", "all",
     "the locales to draw from, by their names in ICU"},
    {"--output", CLI_BIND(dates_values, output), "FILE", "-", "where to write", .letter = 'o'},
    {0},
};

static const cli_example examples[] = {
    {"heed dates 5", "five pairs, in any language"},
    {"heed dates 100000 --locales en,fr,bn --seed 7 > dates.tsv", "something to train on"},
    {0},
};

static heed_status write_pairs(heed_writer *w, heed_dates *dates, int64_t count)
{
    heed_status status = HEED_OK;
    const char *human, *iso;
    for (int64_t i = 0; status == HEED_OK && i < count; i++) {
        status = heed_dates_next(dates, &human, &iso);
        if (status == HEED_OK)
            status = heed_writer_printf(w, "%s\t%s\n", human, iso);
    }
    return status == HEED_OK ? heed_writer_commit(w) : status;
}

static int run(cli_session *s, const void *values)
{
    const dates_values *v = values;
    heed_dates *dates = NULL;
    heed_writer *w = NULL;
    const heed_dates_config config = {.locales = v->locales, .seed = (uint64_t)s->seed};
    heed_status status = heed_dates_create(s->context, &config, &dates);
    if (status == HEED_ENOTFOUND)
        return cli_error(CLI_WRONG_USAGE, heed_error_hint(s->context), "--%s", heed_error(s->context));
    if (status == HEED_OK)
        status = heed_writer_open(s->context, v->output, &w);
    if (status == HEED_OK)
        status = write_pairs(w, dates, v->count);
    heed_writer_free(w);
    heed_dates_free(dates);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

const cli_command cli_dates = {
    .name = "dates",
    .purpose = "make pairs of dates: as people write them, and in ISO 8601",
    .description = "Writes N lines `human TAB iso`: random days from 1970 to 2026, each in a random locale and one of "
                   "15 formats, a quarter in upper and a quarter in lower case. The same seed gives the same pairs, on "
                   "any machine with the same version of ICU.",
    .options = options,
    .values_size = sizeof(dates_values),
    .examples = examples,
    .run = run,
};
