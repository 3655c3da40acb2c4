#include "plot/colour.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* The sRGB transfer curve, for a linear component that may lie slightly outside 0..1. */
static double srgb_encode(double linear)
{
    if (linear <= 0)
        return 0;
    if (linear >= 1)
        return 1;
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

/* From Oklab (Ottosson 2020), in which distances match what the eye sees. */
static heed_colour from_oklab(double lightness, double a, double b)
{
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return (heed_colour){srgb_encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
                         srgb_encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
                         srgb_encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

/* Lightness falls evenly while the hue turns from yellow-green over teal to indigo. The chroma is what keeps the path
 * inside sRGB and its steps equally long (within 3%, but for the first twentieth). */
heed_colour heed_colour_ramp(double depth)
{
    double lightness = 0.975 - 0.70 * depth;
    double chroma = 0.012 + 0.080 * sin(pi * pow(depth, 0.75)) + 0.085 * depth * depth;
    double hue = (108 + 182 * depth) * pi / 180;
    return from_oklab(lightness, chroma * cos(hue), chroma * sin(hue));
}

const unsigned char heed_colour_indices[HEED_COLOUR_LEVELS] = {230, 151, 79, 37, 31, 24, 19, 17};

/* Dark enough to be seen on white, apart for colour-blind eyes, neighbours of different lightness for grey prints. */
static const struct {
    heed_colour colour;
    int         index;
} series[] = {
    {{0.09, 0.29, 0.60}, 33},  /* blue */
    {{0.85, 0.40, 0.05}, 208}, /* orange */
    {{0.07, 0.58, 0.45}, 36},  /* green */
    {{0.70, 0.25, 0.52}, 169}, /* magenta */
    {{0.40, 0.65, 0.90}, 117}, /* sky */
    {{0.45, 0.35, 0.25}, 137}, /* brown */
};
enum { SERIES = sizeof series / sizeof *series };

heed_colour heed_colour_series(size_t i) { return series[i % SERIES].colour; }

int heed_colour_series_index(size_t i) { return series[i % SERIES].index; }

heed_colour_bytes heed_colour_to_bytes(heed_colour colour)
{
    return (heed_colour_bytes){(unsigned char)lround(colour.red * 255), (unsigned char)lround(colour.green * 255),
                               (unsigned char)lround(colour.blue * 255)};
}
