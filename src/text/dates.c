#include "text/dates.h"

#include "base/memory.h"
#include "base/random.h"

#include <string.h>
#include <unicode/udat.h>
#include <unicode/uloc.h>
#include <unicode/ustring.h>

enum {
    STYLES = 4,
    UNITS = 512, /* UTF-16; the longest dates have about 100 */
    DRAWS = 8,   /* random words set aside for a pair */
};
static const double   day_milliseconds = 86400e3;
static const uint64_t stream = 0x6461746573; /* "dates" */

/* A locale's own style, or a pattern of CLDR where `pattern` is set. Y is the week-based year: wrong around New Year,
 * as it is in the generator that is followed here. "d MMMM YYY" stands there twice. */
typedef struct date_format {
    UDateFormatStyle style;
    const UChar     *pattern;
} date_format;

static const date_format formats[] = {
    {.style = UDAT_SHORT},        {.style = UDAT_MEDIUM},        {.style = UDAT_LONG},
    {.style = UDAT_FULL},         {.pattern = u"d MMM YYY"},     {.pattern = u"d MMMM YYY"},
    {.pattern = u"dd MMM YYY"},   {.pattern = u"d MMM, YYY"},    {.pattern = u"d MMMM, YYY"},
    {.pattern = u"dd, MMM YYY"},  {.pattern = u"d MM YY"},       {.pattern = u"d MMMM YYY"},
    {.pattern = u"MMMM d YYY"},   {.pattern = u"MMMM d, YYY"},   {.pattern = u"dd.MM.YY"},
};
_Static_assert(sizeof formats / sizeof *formats == HEED_DATES_FORMATS, "datalogue's generator has 15 formats");
_Static_assert(UDAT_FULL == 0 && UDAT_SHORT == STYLES - 1, "styles count from full to short");

/* Opening a formatter takes a hundred times as long as using it, so there is one a locale, opened at first use, which
 * is given the pattern for each date. */
typedef struct date_locale {
    const char  *name;             /* ICU's */
    UDateFormat *formatter;        /* NULL before the first use */
    UChar       *patterns[STYLES]; /* of the locale's own styles; NULL before the first use */
} date_locale;

struct heed_dates {
    heed_context *context;
    heed_zone     zone; /* holds patterns */
    date_locale  *locales;
    size_t        count, capacity;
    uint64_t      seed, next;
    date_locale  *locale;       /* the one chosen, */
    UChar         units[UNITS]; /* and a date in it before its case is changed */
    int32_t       length;
    char          human[3 * UNITS + 1], iso[16];
};

static heed_status fail_icu(heed_context *c, const char *locale, UErrorCode error)
{
    if (error == U_MEMORY_ALLOCATION_ERROR)
        return heed_fail(c, HEED_ENOMEM, "%s: out of memory in ICU", locale);
    return heed_fail(c, HEED_EINTERNAL, "%s: ICU cannot write a date (%s)", locale, u_errorName(error));
}

static heed_status add_locale(heed_dates *d, const char *name)
{
    HEED_TRY(heed_grow(d->context, (void **)&d->locales, &d->capacity, d->count, sizeof *d->locales));
    d->locales[d->count++] = (date_locale){.name = name};
    return HEED_OK;
}

/* Takes "pt-br" for pt_BR. */
static heed_status add_named_locale(heed_dates *d, const char *given, size_t length)
{
    char asked[ULOC_FULLNAME_CAPACITY], name[ULOC_FULLNAME_CAPACITY] = "";
    UErrorCode error = U_ZERO_ERROR;
    if (length > 0 && length < sizeof asked) {
        memcpy(asked, given, length);
        asked[length] = '\0';
        uloc_getName(asked, name, sizeof name, &error);
    }
    heed_guess guess = {.word = name};
    for (int32_t i = 0; name[0] != '\0' && U_SUCCESS(error) && i < uloc_countAvailable(); i++) {
        if (strcmp(uloc_getAvailable(i), name) == 0)
            return add_locale(d, uloc_getAvailable(i));
        heed_guess_offer(&guess, uloc_getAvailable(i));
    }
    heed_status status = heed_fail(d->context, HEED_ENOTFOUND,
                                   "locales: no such locale (expected all, or names of ICU such as en or pt_BR, "
                                   "found \"%.*s\")", (int)length, given);
    if (guess.best != NULL)
        heed_hint(d->context, "did you mean %s?", guess.best);
    return status;
}

static heed_status add_locales(heed_dates *d, const char *list)
{
    if (list == NULL || strcmp(list, "all") == 0) {
        for (int32_t i = 0; i < uloc_countAvailable(); i++)
            HEED_TRY(add_locale(d, uloc_getAvailable(i)));
        return HEED_OK;
    }
    for (;; list++) {
        size_t length = strcspn(list, ",");
        HEED_TRY(add_named_locale(d, list, length));
        list += length;
        if (*list == '\0')
            return HEED_OK;
    }
}

heed_status heed_dates_create(heed_context *c, const heed_dates_config *config, heed_dates **out)
{
    *out = NULL;
    heed_dates *d = heed_alloc(c, 1, sizeof *d);
    if (d == NULL)
        return HEED_ENOMEM;
    d->context = c;
    d->seed = config->seed;
    heed_zone_init(&d->zone, c);
    heed_status status = add_locales(d, config->locales);
    if (status != HEED_OK) {
        heed_dates_free(d);
        return status;
    }
    *out = d;
    return HEED_OK;
}

void heed_dates_free(heed_dates *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        udat_close(d->locales[i].formatter);
    heed_zone_free(&d->zone);
    heed_release(d->context, d->locales);
    heed_release(d->context, d);
}

/* Every locale counts by the Gregorian calendar, and nothing depends on where and when the program runs. */
static UDateFormat *open_formatter(const char *locale, UDateFormatStyle style, UErrorCode *error)
{
    char name[ULOC_FULLNAME_CAPACITY];
    strncpy(name, locale, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    uloc_setKeywordValue("calendar", "gregorian", name, sizeof name, error);
    return udat_open(UDAT_NONE, style, name, u"UTC", -1, NULL, 0, error);
}

static heed_status find_style(heed_dates *d, date_locale *l, UDateFormatStyle style, const UChar **pattern)
{
    if (l->patterns[style] == NULL) {
        UErrorCode error = U_ZERO_ERROR;
        UChar units[UNITS];
        UDateFormat *formatter = open_formatter(l->name, style, &error);
        int32_t length = udat_toPattern(formatter, false, units, UNITS - 1, &error);
        udat_close(formatter);
        if (U_FAILURE(error))
            return fail_icu(d->context, l->name, error);
        UChar *kept = heed_zone_alloc(&d->zone, (size_t)length + 1, sizeof *kept);
        if (kept == NULL)
            return HEED_ENOMEM;
        l->patterns[style] = u_memcpy(kept, units, length);
    }
    *pattern = l->patterns[style];
    return HEED_OK;
}

static heed_status open_locale(heed_dates *d, date_locale *l)
{
    if (l->formatter != NULL)
        return HEED_OK;
    UErrorCode error = U_ZERO_ERROR;
    l->formatter = open_formatter(l->name, UDAT_SHORT, &error);
    return U_FAILURE(error) ? fail_icu(d->context, l->name, error) : HEED_OK;
}

heed_context *heed_dates_context(const heed_dates *d) { return d->context; }

size_t heed_dates_locales(const heed_dates *d) { return d->count; }

heed_status heed_dates_choose(heed_dates *d, size_t locale, uint32_t format)
{
    date_locale *l = d->locale = &d->locales[locale];
    HEED_TRY(open_locale(d, l));
    const UChar *pattern = formats[format].pattern;
    if (pattern == NULL)
        HEED_TRY(find_style(d, l, formats[format].style, &pattern));
    udat_applyPattern(l->formatter, false, pattern, -1);
    return HEED_OK;
}

heed_status heed_dates_format(heed_dates *d, int64_t day)
{
    UErrorCode error = U_ZERO_ERROR;
    d->length = udat_format(d->locale->formatter, (double)day * day_milliseconds, d->units, UNITS, NULL, &error);
    return U_FAILURE(error) ? fail_icu(d->context, d->locale->name, error) : HEED_OK;
}

/* Upper and lower case are by the rules that hold in every language. */
heed_status heed_dates_spell(heed_dates *d, uint32_t letter_case, const char **human)
{
    UErrorCode error = U_ZERO_ERROR;
    UChar changed[UNITS];
    const UChar *units = letter_case > 1 ? d->units : changed;
    int32_t length = letter_case == 0   ? u_strToUpper(changed, UNITS, d->units, d->length, "", &error)
                     : letter_case == 1 ? u_strToLower(changed, UNITS, d->units, d->length, "", &error)
                                        : d->length;
    u_strToUTF8(d->human, sizeof d->human, NULL, units, length, &error);
    if (U_FAILURE(error))
        return fail_icu(d->context, d->locale->name, error);
    for (char *byte = d->human; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f) /* a pair is one line with one TAB, whatever a locale says */
            *byte = ' ';
    *human = d->human;
    return HEED_OK;
}

/* Days since 1970-01-01 to year, month and day, on years that begin in March so that the leap day is the last. */
static void write_iso(heed_dates *d, int64_t day)
{
    int64_t since_0000_03_01 = day + 719468;
    int64_t era = since_0000_03_01 / 146097, of_era = since_0000_03_01 % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (int)((5 * of_year + 2) / 153);
    int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int year = (int)(year_of_era + era * 400) + (month <= 2);
    int of_month = (int)(of_year - (153 * month_from_march + 2) / 5) + 1;
    char text[] = {(char)('0' + year / 1000),   (char)('0' + year / 100 % 10), (char)('0' + year / 10 % 10),
                   (char)('0' + year % 10),     '-',                           (char)('0' + month / 10),
                   (char)('0' + month % 10),    '-',                           (char)('0' + of_month / 10),
                   (char)('0' + of_month % 10), '\0'};
    memcpy(d->iso, text, sizeof text);
}

heed_status heed_dates_next(heed_dates *d, const char **human, const char **iso)
{
    heed_random random = {.seed = d->seed, .stream = stream, .next = d->next * DRAWS};
    size_t locale = heed_random_below(&random, (uint32_t)d->count);
    int64_t day = heed_random_below(&random, HEED_DATES_DAYS);
    HEED_TRY(heed_dates_choose(d, locale, heed_random_below(&random, HEED_DATES_FORMATS)));
    HEED_TRY(heed_dates_format(d, day));
    HEED_TRY(heed_dates_spell(d, heed_random_below(&random, HEED_DATES_CASES), human));
    write_iso(d, day);
    d->next++;
    *iso = d->iso;
    return HEED_OK;
}
