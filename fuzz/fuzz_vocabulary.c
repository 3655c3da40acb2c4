#include "fuzz.h"

#include "heed/text.h"

#include <string.h>

/* Vocabularies of every kind of token: what was read is used, and saved as what reads back the same. */
static void use(heed_context *c, heed_tokenizer *t, const heed_tokenizer_config *config)
{
    static const char text[] = "The waiter \xe6\xbc\xa2 of 12 boats, waitwaitwait";
    heed_ids ids = {.context = c};
    char *decoded, *saved, *again;
    size_t size, size_again;
    heed_tokenizer *second;
    FUZZ_CHECK(heed_tokenizer_encode(t, text, strlen(text), &ids) == HEED_OK);
    FUZZ_CHECK(heed_tokenizer_decode(t, ids.ids, ids.count, &decoded) == HEED_OK);
    FUZZ_CHECK(heed_tokenizer_save(t, &saved, &size) == HEED_OK);
    FUZZ_CHECK(heed_tokenizer_load(c, config, "again", saved, size, &second) == HEED_OK);
    FUZZ_CHECK(heed_tokenizer_save(second, &again, &size_again) == HEED_OK);
    FUZZ_CHECK(size == size_again && memcmp(saved, again, size) == 0);
    heed_tokenizer_free(second);
    heed_free(c, again);
    heed_free(c, saved);
    heed_free(c, decoded);
    heed_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const kinds[] = {"characters", "words", "bpe", "unigram"};
    heed_context *c = heed_fuzz_context();
    heed_status status = HEED_OK;
    heed_fuzz_begin();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const heed_tokenizer_config config = {.kind = kinds[i]};
        heed_tokenizer *t;
        status = heed_tokenizer_load(c, &config, "fuzz", (const char *)bytes, size, &t);
        if (status == HEED_OK)
            use(c, t, &config);
        heed_tokenizer_free(t);
    }
    heed_fuzz_end(status);
    return 0;
}
