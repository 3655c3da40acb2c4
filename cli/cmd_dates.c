#include "command.h"
#include "heed/output.h"
#include "heed/text.h"
#include "report.h"

typedef struct dates_values {
    int64_t     count;
    const char *locales, *output;
    bool        ceiling;
} dates_values;

static const cli_option options[] = {
    {"N", CLI_BIND(dates_values, count), CLI_UNLESS(dates_values, ceiling), .help = "how many pairs", CLI_AT_LEAST(0)},
    {"--locales", CLI_BIND(dates_values, locales), "all|en,fr,...", "all",
     "the locales to draw from, by their names in ICU"},
    {"--ceiling", CLI_BIND(dates_values, ceiling),
     .help = "instead of pairs: tell how many of the dates can be told from their text"},
    {"--output", CLI_BIND(dates_values, output), "FILE", "-", "where to write", .letter = 'o'},
    {0},
};

static const cli_example examples[] = {
    {"heed dates 5", "five pairs, in any language"},
    {"heed dates 100000 --locales en,fr,bn --seed 7 > dates.tsv", "something to train on"},
    {"heed dates --ceiling --locales en,fr,bn", "the best exact match that any model can reach on them"},
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

static heed_status write_ceiling(heed_writer *w, heed_dates *dates)
{
    double share;
    heed_status status = heed_dates_ceiling(dates, &share);
    if (status == HEED_OK)
        status = heed_writer_printf(w, "%.2f %% of the dates can be told from their text\n", 100 * share);
    return status == HEED_OK ? heed_writer_commit(w) : status;
}

static int run(cli_session *s, const void *values)
{
    const dates_values *v = values;
    if (v->ceiling && v->count > 0)
        return cli_error(CLI_WRONG_USAGE, "see heed dates --help", "N and --ceiling: only one can be asked for");
    heed_dates *dates = NULL;
    heed_writer *w = NULL;
    const heed_dates_config config = {.locales = v->locales, .seed = (uint64_t)s->seed};
    heed_status status = heed_dates_create(s->context, &config, &dates);
    if (status == HEED_ENOTFOUND)
        return cli_error(CLI_WRONG_USAGE, heed_error_hint(s->context), "--%s", heed_error(s->context));
    if (status == HEED_OK)
        status = heed_writer_open(s->context, v->output, &w);
    if (status == HEED_OK)
        status = v->ceiling ? write_ceiling(w, dates) : write_pairs(w, dates, v->count);
    heed_writer_free(w);
    heed_dates_free(dates);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

const cli_command cli_dates = {
    .name = "dates",
    .purpose = "make pairs of dates: as people write them, and in ISO 8601",
    .description = "Writes N lines `human TAB iso`: random days from 1970 to 2026, each in a random locale and one of "
                   "15 formats, a quarter in upper and a quarter in lower case. The same seed gives the same pairs, on "
                   "any machine with the same version of ICU. Some texts stand for several dates: --ceiling writes "
                   "every date in every way that the locales allow, which takes about a second a locale, and tells "
                   "what a model that knew all of them would get right.",
    .options = options,
    .values_size = sizeof(dates_values),
    .examples = examples,
    .run = run,
};
