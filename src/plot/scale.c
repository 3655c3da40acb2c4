#include "plot/scale.h"

#include <math.h>

enum { MOST_DECIMALS = 6 };

/* The smallest of 1, 2, 5 and 10 times a power of ten that is >= least (with a grain of tolerance). */
static double round_step(double least)
{
    double power = pow(10, floor(log10(least)));
    static const double factors[] = {1, 2, 5};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (factors[i] * power >= least * (1 - 1e-9))
            return factors[i] * power;
    return 10 * power;
}

static int decimals_of(double step)
{
    int digits = (int)-floor(log10(step) + 1e-9);
    return digits < 0 ? 0 : digits;
}

heed_scale heed_scale_around(double low, double high, int wanted)
{
    double size = fmax(fabs(low), fabs(high));
    if (!(high - low > size * 1e-9)) { /* one value: show it in the middle of something */
        double margin = size > 0 ? size * 0.1 : 1;
        low -= margin;
        high += margin;
    }
    double step = round_step((high - low) / wanted);
    double first = floor(low / step + 1e-6), last = ceil(high / step - 1e-6);
    return (heed_scale){first * step, step, (int)(last - first) + 1, decimals_of(step)};
}

heed_scale heed_scale_epochs(size_t last, int wanted)
{
    double step = fmax(1, round_step((double)last / wanted));
    return (heed_scale){step, step, (int)((double)last / step), 0};
}

heed_scale heed_scale_within(double low, double high, int wanted)
{
    if (!(high > low)) /* one place, as it is */
        return (heed_scale){low, 1, 1, low == floor(low) ? 0 : 2};
    double step = round_step((high - low) / wanted), first = ceil(low / step - 1e-6), last = floor(high / step + 1e-6);
    return (heed_scale){first * step, step, (int)(last - first) + 1, decimals_of(step)};
}

double heed_scale_tick(const heed_scale *s, int i) { return s->first + i * s->step; }

double heed_scale_end(const heed_scale *s) { return heed_scale_tick(s, s->count - 1); }

static void put_fixed(heed_text *out, double value, int decimals)
{
    double power = pow(10, decimals);
    int64_t scaled = llround(fabs(value) * power), unit = llround(power);
    heed_text_printf(out, "%s%lld", value < 0 && scaled != 0 ? "-" : "", (long long)(scaled / unit));
    if (decimals > 0)
        heed_text_printf(out, ".%0*lld", decimals, (long long)(scaled % unit));
}

void heed_scale_number(heed_text *out, double value, int decimals)
{
    double size = fabs(value);
    if (size < 1e9 && decimals <= MOST_DECIMALS) {
        put_fixed(out, value, decimals);
        return;
    }
    if (size == 0) {
        heed_text_append(out, "0", 1);
        return;
    }
    int exponent = (int)floor(log10(size));
    double mantissa = value / pow(10, exponent);
    int left = decimals + exponent; /* of the decimals, behind the mantissa's first digit */
    put_fixed(out, mantissa, left < 0 ? 0 : left > MOST_DECIMALS ? MOST_DECIMALS : left);
    heed_text_printf(out, "e%+03d", exponent);
}

char *heed_scale_text(heed_zone *zone, double value, int decimals)
{
    heed_text number = {.context = zone->context};
    heed_scale_number(&number, value, decimals);
    char *text = heed_text_status(&number) == HEED_OK ? heed_zone_strdup(zone, number.bytes) : NULL;
    heed_text_free(&number);
    return text;
}
