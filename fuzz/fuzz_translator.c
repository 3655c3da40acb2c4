#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include "fuzz_zip.h"
#include "heed/files.h"
#include "heed/seq2seq.h"
#include "seq2seq/translator.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void translate(heed_translator *t)
{
    static const char *const lines[] = {"3 mai 1979"};
    const heed_decode_config config = {.beam = 2, .max_length = 5};
    heed_translation *out;
    if (heed_translate(t, lines, 1, &config, &out) == HEED_OK)
        heed_translations_free(t, out, 1);
}

/* The same file as the checkpoint of a run, which is taken up. */
static void resume(const unsigned char *bytes, size_t size)
{
    char directory[200];
    heed_trainer *t;
    snprintf(directory, sizeof directory, "%s", heed_fuzz_file("checkpoint.keras", bytes, size));
    *strrchr(directory, '/') = '\0';
    const heed_train_config config = {.pairs = FUZZ_PAIRS, .checkpoint = directory, .resume = true};
    if (heed_trainer_create(heed_fuzz_context(), &config, &t) == HEED_OK)
        heed_trainer_free(t);
}

/* Translators: a line is translated; and checkpoints, which are translators that know how far their run was. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    unsigned char *mended = heed_fuzz_mended(bytes, size);
    heed_model *m;
    heed_translator *t = NULL;
    heed_fuzz_begin();
    heed_status status = heed_load_model_memory(c, "fuzz", mended, size, NULL, &m);
    if (status == HEED_OK)
        status = heed_translator_from_model(c, "fuzz", m, &t);
    if (status == HEED_OK)
        translate(t);
    heed_translator_free(t);
    resume(mended, size);
    heed_fuzz_end(status);
    free(mended);
    return 0;
}
