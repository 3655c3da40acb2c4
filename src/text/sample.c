#include "text/sample.h"

#include "base/random.h"

#include <string.h>

static const uint64_t stream_sample = 0x73616d706c65;

/* Whether a text is among those of a share of 2^-halvings: a function of its number alone, and one share holds the next. */
static bool stays(int64_t number, unsigned halvings)
{
    uint32_t words[4];
    heed_random_block(0, stream_sample, (uint64_t)number, words);
    return halvings < 32 && words[0] >> (32 - halvings - 1) >> 1 == 0;
}

const char *heed_sample_next(const heed_sample *s, size_t *at, size_t *length)
{
    if (*at >= s->texts.length)
        return NULL;
    const char *text = s->texts.bytes + *at + sizeof(int64_t);
    *length = strlen(text);
    *at += sizeof(int64_t) + *length + 1;
    return text;
}

static void drop_half(heed_sample *s)
{
    s->halvings++;
    s->kept = 0;
    size_t used = 0, length;
    for (size_t at = 0, begin = 0; heed_sample_next(s, &at, &length) != NULL; begin = at) {
        int64_t number;
        memcpy(&number, s->texts.bytes + begin, sizeof number);
        if (!stays(number, s->halvings))
            continue;
        memmove(s->texts.bytes + used, s->texts.bytes + begin, at - begin);
        used += at - begin;
        s->kept++;
    }
    s->texts.length = used;
}

heed_status heed_sample_add(heed_sample *s, const char *text, size_t length)
{
    int64_t number = s->seen++;
    if (!stays(number, s->halvings))
        return HEED_OK;
    heed_text_append(&s->texts, (const char *)&number, sizeof number);
    heed_text_append(&s->texts, text, length);
    heed_text_append(&s->texts, "", 1);
    s->kept++;
    HEED_TRY(heed_text_status(&s->texts));
    while (s->texts.length > s->limit && s->kept > 1)
        drop_half(s);
    return HEED_OK;
}

void heed_sample_free(heed_sample *s) { heed_text_free(&s->texts); }
