#define _POSIX_C_SOURCE 200809L
#include "base/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fewer digits than every number of the type survives need not be tried, but for subnormal ones, which have few. */

/* The C locale, for this thread, until leave_c_locale. */
typedef struct c_locale {
    locale_t ours, before;
} c_locale;

static c_locale enter_c_locale(void)
{
    c_locale l = {.ours = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    l.before = uselocale(l.ours);
    return l;
}

static void leave_c_locale(c_locale l)
{
    uselocale(l.before);
    if (l.ours != (locale_t)0)
        freelocale(l.ours);
}

char *heed_number_write_double(double value, char text[HEED_NUMBER_SIZE])
{
    if (isnan(value))
        return strcpy(text, "nan"); /* whatever its sign */
    c_locale locale = enter_c_locale();
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, HEED_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    leave_c_locale(locale);
    return text;
}

char *heed_number_write_float(float value, char text[HEED_NUMBER_SIZE])
{
    if (isnan(value))
        return strcpy(text, "nan"); /* whatever its sign */
    c_locale locale = enter_c_locale();
    for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
        snprintf(text, HEED_NUMBER_SIZE, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    leave_c_locale(locale);
    return text;
}

double heed_number_read(const char *text, const char **end)
{
    c_locale locale = enter_c_locale();
    char *behind;
    double value = strtod(text, &behind);
    leave_c_locale(locale);
    *end = behind;
    return value;
}

double heed_number_from_float(float value)
{
    char text[HEED_NUMBER_SIZE];
    const char *end;
    return heed_number_read(heed_number_write_float(value, text), &end);
}
