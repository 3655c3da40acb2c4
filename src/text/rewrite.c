#include "text/rewrite.h"

#include "text/unicode.h"

#include <string.h>
#include <unicode/uchar.h>

bool heed_point_is_space(int32_t point) { return u_isUWhiteSpace(point) || (point >= 0x1c && point <= 0x1f); }
bool heed_point_is_number(int32_t point) { return (U_GET_GC_MASK(point) & U_GC_N_MASK) != 0; }
bool heed_point_is_ascii_digit(int32_t point) { return point >= '0' && point <= '9'; }

heed_status heed_rewrite_points(const char *text, size_t length, heed_ids *out)
{
    out->count = 0;
    for (size_t size; length > 0; text += size, length -= size) {
        uint32_t point;
        size = heed_utf8_next(text, length, &point);
        HEED_TRY(heed_ids_add(out, (int32_t)point));
    }
    return HEED_OK;
}

heed_status heed_rewrite_add(heed_ids *out, const int32_t *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        HEED_TRY(heed_ids_add(out, points[i]));
    return HEED_OK;
}

heed_status heed_rewrite_apart(const heed_ids *in, heed_ids *out, heed_point_class *test)
{
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        bool apart = test(in->ids[i]);
        HEED_TRY(heed_rewrite_add(out, (int32_t[]){' ', in->ids[i], ' '} + !apart, apart ? 3 : 1));
    }
    return HEED_OK;
}

heed_status heed_rewrite_part(const heed_ids *in, heed_ids *out, heed_point_class *first, heed_point_class *second,
                              bool before)
{
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (i + 1 == in->count || !first(in->ids[i]) || !second(in->ids[i + 1])) {
            HEED_TRY(heed_ids_add(out, in->ids[i]));
            continue;
        }
        HEED_TRY(heed_rewrite_add(out, (int32_t[]){' ', in->ids[i], ' ', in->ids[i + 1], ' '} + !before, 4));
        i++;
    }
    return HEED_OK;
}

heed_status heed_rewrite_replace(const heed_ids *in, heed_ids *out, const char *what, int32_t with)
{
    size_t length = strlen(what);
    out->count = 0;
    for (size_t i = 0; i < in->count; i++) {
        size_t same = 0;
        while (same < length && i + same < in->count && in->ids[i + same] == what[same])
            same++;
        int32_t point = same == length ? with : in->ids[i];
        if (point != 0)
            HEED_TRY(heed_ids_add(out, point));
        i += same == length ? length - 1 : 0;
    }
    return HEED_OK;
}

size_t heed_rewrite_word(const heed_ids *line, size_t *at)
{
    size_t size = 0;
    while (*at < line->count && heed_point_is_space(line->ids[*at]))
        ++*at;
    while (*at + size < line->count && !heed_point_is_space(line->ids[*at + size]))
        size++;
    return size;
}
