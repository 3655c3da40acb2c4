#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "text/dates.h"
#include "support/failing_allocator.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_context *context(void)
{
    heed_context *c;
    assert_int_equal(heed_context_create(&(heed_context_config){.threads = 1}, &c), HEED_OK);
    return c;
}

static heed_dates *make(heed_context *c, const char *locales, uint64_t seed)
{
    heed_dates *d;
    assert_int_equal(heed_dates_create(c, &(heed_dates_config){.locales = locales, .seed = seed}, &d), HEED_OK);
    return d;
}

typedef struct date {
    int year, month, day;
} date;

static bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static date read_iso(const char *iso)
{
    date d;
    assert_int_equal(strlen(iso), 10);
    assert_int_equal(sscanf(iso, "%4d-%2d-%2d", &d.year, &d.month, &d.day), 3);
    char again[64];
    snprintf(again, sizeof again, "%04d-%02d-%02d", d.year, d.month, d.day);
    assert_string_equal(again, iso);
    assert_in_range(d.year, 1970, 2026);
    assert_in_range(d.month, 1, 12);
    assert_in_range(d.day, 1, days_in(d.year, d.month));
    return d;
}

/* 0 is Sunday; 1970-01-01 was a Thursday. */
static int weekday(date d)
{
    int days = d.day - 1;
    for (int year = 1970; year < d.year; year++)
        days += 365 + is_leap(year);
    for (int month = 1; month < d.month; month++)
        days += days_in(d.year, month);
    return (days + 4) % 7;
}

/* The year a date's week belongs to, in the United States: the week with 1 January begins the year, on a Sunday. */
static int week_year(date d)
{
    bool next = d.month == 12 && 31 - d.day < 6 - weekday(d);
    return d.year + next;
}

/* What the generator may say for a date in American English, by the number of the format. */
static void write_english(int format, date d, char *text, size_t size)
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
    const char *month = months[d.month - 1];
    int year = week_year(d);
    switch (format) {
    case 0: snprintf(text, size, "%d/%d/%02d", d.month, d.day, d.year % 100); break;
    case 1: snprintf(text, size, "%.3s %d, %d", month, d.day, d.year); break;
    case 2: snprintf(text, size, "%s %d, %d", month, d.day, d.year); break;
    case 3: snprintf(text, size, "%s, %s %d, %d", weekdays[weekday(d)], month, d.day, d.year); break;
    case 4: snprintf(text, size, "%d %.3s %d", d.day, month, year); break;
    case 5: snprintf(text, size, "%d %s %d", d.day, month, year); break;
    case 6: snprintf(text, size, "%02d %.3s %d", d.day, month, year); break;
    case 7: snprintf(text, size, "%d %.3s, %d", d.day, month, year); break;
    case 8: snprintf(text, size, "%d %s, %d", d.day, month, year); break;
    case 9: snprintf(text, size, "%02d, %.3s %d", d.day, month, year); break;
    case 10: snprintf(text, size, "%d %02d %02d", d.day, d.month, year % 100); break;
    case 11: snprintf(text, size, "%s %d %d", month, d.day, year); break;
    case 12: snprintf(text, size, "%s %d, %d", month, d.day, year); break;
    default: snprintf(text, size, "%02d.%02d.%02d", d.day, d.month, year % 100); break;
    }
}
enum { DISTINCT_FORMATS = 14 }; /* the generator has one of them twice */

static void change_case(char *text, int (*change)(int))
{
    for (; *text != '\0'; text++)
        *text = (char)change((unsigned char)*text);
}

/* Every pair is one of the formats, in one of the cases; all of them occur, a quarter of them in capitals. */
static void test_english_dates(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *d = make(c, "en_US", 1);
    int seen[DISTINCT_FORMATS] = {0}, upper = 0, lower = 0, with_letters = 0;
    enum { COUNT = 6000 };
    for (int i = 0; i < COUNT; i++) {
        const char *human, *iso;
        assert_int_equal(heed_dates_next(d, &human, &iso), HEED_OK);
        date when = read_iso(iso);
        bool found = false;
        for (int format = 0; format < DISTINCT_FORMATS; format++) {
            char plain[64], capitals[64], small[64];
            write_english(format, when, plain, sizeof plain);
            memcpy(capitals, plain, sizeof plain);
            memcpy(small, plain, sizeof plain);
            change_case(capitals, toupper);
            change_case(small, tolower);
            bool big = strcmp(human, capitals) == 0, little = strcmp(human, small) == 0;
            if (strcmp(human, plain) != 0 && !big && !little)
                continue;
            if (!found && strcmp(capitals, small) != 0) {
                with_letters++;
                upper += big;
                lower += little;
            }
            found = true;
            seen[format]++;
        }
        if (!found)
            fail_msg("\"%s\" for %s is none of the formats", human, iso);
    }
    for (int format = 0; format < DISTINCT_FORMATS; format++)
        assert_true(seen[format] > COUNT / 15 / 2);
    assert_in_range(100 * upper / with_letters, 22, 28);
    assert_in_range(100 * lower / with_letters, 22, 28);
    heed_dates_free(d);
    heed_context_free(c);
}

static void test_all_locales(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *d = make(c, NULL, 7);
    int not_ascii = 0;
    enum { COUNT = 20000 };
    for (int i = 0; i < COUNT; i++) {
        const char *human, *iso;
        assert_int_equal(heed_dates_next(d, &human, &iso), HEED_OK);
        read_iso(iso);
        assert_true(strlen(human) >= 5);
        assert_int_equal(heed_utf8_check(c, "human", human, strlen(human)), HEED_OK);
        bool ascii = true;
        for (const char *byte = human; *byte != '\0'; byte++) {
            assert_true((unsigned char)*byte >= ' ' && *byte != 0x7f);
            ascii = ascii && (unsigned char)*byte < 0x80;
        }
        not_ascii += !ascii;
    }
    assert_true(not_ascii > COUNT / 4);
    heed_dates_free(d);
    heed_context_free(c);
}

/* So many pairs that every day occurs: the first is 1970-01-01, the last 2026-12-31. */
static void test_range(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *d = make(c, "en", 2);
    char first[16] = "9", last[16] = "0";
    for (int i = 0; i < 150000; i++) {
        const char *human, *iso;
        assert_int_equal(heed_dates_next(d, &human, &iso), HEED_OK);
        if (strcmp(iso, first) < 0)
            strcpy(first, iso);
        if (strcmp(iso, last) > 0)
            strcpy(last, iso);
    }
    assert_string_equal(first, "1970-01-01");
    assert_string_equal(last, "2026-12-31");
    heed_dates_free(d);
    heed_context_free(c);
}

/* How many of 500 pairs hold the year of the date, as the locale's digits write it; `zero` is its digit 0. */
static int count_years(const char *locale, const char *zero)
{
    heed_context *c = context();
    heed_dates *d = make(c, locale, 3);
    int count = 0;
    for (int i = 0; i < 500; i++) {
        const char *human, *iso;
        assert_int_equal(heed_dates_next(d, &human, &iso), HEED_OK);
        char year[32] = "";
        for (int digit = 0; digit < 4; digit++) {
            size_t used = strlen(year);
            snprintf(year + used, sizeof year - used, "%s", zero);
            year[strlen(year) - 1] = (char)(year[strlen(year) - 1] + iso[digit] - '0');
        }
        count += strstr(human, year) != NULL;
    }
    heed_dates_free(d);
    heed_context_free(c);
    return count;
}

static void test_calendars_and_digits(void **state)
{
    (void)state;
    assert_true(count_years("th", "0") > 350);            /* the Gregorian year, where Buddhist years are usual */
    assert_true(count_years("fa", "\xdb\xb0") > 350);     /* and where the Persian calendar is */
    assert_true(count_years("bn", "\xe0\xa7\xa6") > 350);
    assert_true(count_years("en", "0") > 350);
}

static void test_function_of_seed(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *a = make(c, "en,fr,bn", 5), *b = make(c, "en,fr,bn", 5), *other = make(c, "en,fr,bn", 6);
    int differ = 0;
    for (int i = 0; i < 200; i++) {
        const char *human[3], *iso[3];
        assert_int_equal(heed_dates_next(a, &human[0], &iso[0]), HEED_OK);
        assert_int_equal(heed_dates_next(b, &human[1], &iso[1]), HEED_OK);
        assert_int_equal(heed_dates_next(other, &human[2], &iso[2]), HEED_OK);
        assert_string_equal(human[0], human[1]);
        assert_string_equal(iso[0], iso[1]);
        differ += strcmp(iso[0], iso[2]) != 0;
    }
    assert_true(differ > 190);
    heed_dates_free(a);
    heed_dates_free(b);
    heed_dates_free(other);
    heed_context_free(c);
}

static void test_locale_names(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *d;
    static const char *const good[] = {"all", "en", "pt-BR", "pt_br", "en,de,zh_Hant_HK"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(heed_dates_create(c, &(heed_dates_config){.locales = good[i]}, &d), HEED_OK);
        heed_dates_free(d);
    }
    static const char *const bad[] = {"",      ",",       "en,",  "en,,fr",              "xx",
                                      "en fr", "english", "root", "en@calendar=buddhist"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(heed_dates_create(c, &(heed_dates_config){.locales = bad[i]}, &d), HEED_ENOTFOUND);
        assert_null(d);
    }
    assert_int_equal(heed_dates_create(c, &(heed_dates_config){.locales = "en,zh_Hamt"}, &d), HEED_ENOTFOUND);
    assert_string_equal(heed_error(c), "locales: no such locale (expected all, or names of ICU such as en or pt_BR, "
                                       "found \"zh_Hamt\")");
    assert_string_equal(heed_error_hint(c), "did you mean zh_Hant?");
    heed_dates_free(NULL);
    heed_context_free(c);
}

/* ---- the ceiling ---- */

typedef struct told {
    char     text[64];
    int      day;
    unsigned weight;
} told;

static int by_text_and_day(const void *a, const void *b)
{
    const told *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : x->day - y->day;
}

static date following(date d)
{
    if (d.day < days_in(d.year, d.month))
        return (date){d.year, d.month, d.day + 1};
    return d.month < 12 ? (date){d.year, d.month + 1, 1} : (date){d.year + 1, 1, 1};
}

/* The weights of the likeliest days of all English texts, from sorting those: without ICU and without hashes. */
static uint64_t count_english(date first, int days)
{
    size_t count = 0;
    told *all = malloc(sizeof *all * 3 * DISTINCT_FORMATS * (size_t)days);
    assert_non_null(all);
    for (int day = 0; day < days; day++, first = following(first))
        for (int format = 0; format < DISTINCT_FORMATS; format++)
            for (int letter_case = 0; letter_case < 3; letter_case++) {
                enum { TWICE = 5 }; /* "d MMMM YYY" */
                told *t = &all[count++];
                *t = (told){.day = day, .weight = (format == TWICE ? 2 : 1) * (letter_case == 2 ? 2 : 1)};
                write_english(format, first, t->text, sizeof t->text);
                if (letter_case < 2)
                    change_case(t->text, letter_case == 0 ? toupper : tolower);
            }
    qsort(all, count, sizeof *all, by_text_and_day);
    uint64_t sum = 0;
    for (size_t i = 0, next; i < count; i = next) {
        unsigned best = 0, weight = 0;
        for (next = i; next < count && strcmp(all[next].text, all[i].text) == 0; next++) {
            weight = (next > i && all[next].day == all[next - 1].day ? weight : 0) + all[next].weight;
            best = weight > best ? weight : best;
        }
        sum += best;
    }
    free(all);
    return sum;
}

static void test_ceiling(void **state)
{
    (void)state;
    enum { FIRST = 11688, DAYS = 1500, PASSES_1 = 1 << 20, PASSES_MANY = 1 << 14 }; /* from 2002-01-01 on */
    heed_context *c = context();
    heed_dates *d = make(c, "en_US", 1);
    uint64_t found, again, all;
    assert_int_equal(heed_dates_count(d, FIRST, DAYS, PASSES_1, &found, &all), HEED_OK);
    assert_int_equal(all, DAYS * 15 * 4);
    assert_true(found < all); /* of 2002-12-30 and 2003-12-30, both are "30 12 03" */
    assert_int_equal(found, count_english((date){2002, 1, 1}, DAYS));
    assert_int_equal(heed_dates_count(d, FIRST, DAYS, PASSES_MANY, &again, &all), HEED_OK);
    assert_int_equal(again, found);
    heed_dates_free(d);
    /* the same texts three times over, and others */
    d = make(c, "en_US,en_US,fr,en,en_AU", 1);
    assert_int_equal(heed_dates_count(d, FIRST, DAYS, PASSES_1, &found, &all), HEED_OK);
    assert_int_equal(heed_dates_count(d, FIRST, DAYS, PASSES_MANY, &again, &all), HEED_OK);
    assert_int_equal(again, found);
    assert_true(found < all);
    heed_dates_free(d);
    heed_context_free(c);
}

/* "en" three times tells what "en" tells. */
static void test_ceiling_of_repeated_locales(void **state)
{
    (void)state;
    heed_context *c = context();
    heed_dates *once = make(c, "en", 1), *thrice = make(c, "en,en,en", 1);
    uint64_t found[2], all[2];
    assert_int_equal(heed_dates_count(once, 0, 800, 1 << 12, &found[0], &all[0]), HEED_OK);
    assert_int_equal(heed_dates_count(thrice, 0, 800, 1 << 14, &found[1], &all[1]), HEED_OK);
    assert_int_equal(found[1], 3 * found[0]);
    assert_int_equal(all[1], 3 * all[0]);
    heed_dates_free(once);
    heed_dates_free(thrice);
    heed_context_free(c);
}

static heed_status ceiling_work(heed_context *c, void *locales)
{
    heed_dates *d;
    uint64_t found, all;
    heed_status status = heed_dates_create(c, &(heed_dates_config){.locales = locales}, &d);
    if (status == HEED_OK)
        status = heed_dates_count(d, 0, 30, 1 << 10, &found, &all);
    heed_dates_free(d);
    return status;
}

static heed_status dates_work(heed_context *c, void *locales)
{
    heed_dates *d;
    heed_status status = heed_dates_create(c, &(heed_dates_config){.locales = locales}, &d);
    const char *human, *iso;
    for (int i = 0; i < 100 && status == HEED_OK; i++)
        status = heed_dates_next(d, &human, &iso);
    heed_dates_free(d);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    char locales[] = "en,fr,bn,de,it,ja,ko,ru,es,pt";
    heed_test_each_allocation_fails(dates_work, locales);
    heed_test_each_allocation_fails(ceiling_work, "en,fr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_english_dates),
        cmocka_unit_test(test_all_locales),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_calendars_and_digits),
        cmocka_unit_test(test_function_of_seed),
        cmocka_unit_test(test_locale_names),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_ceiling_of_repeated_locales),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
