/* Translates the lines of standard input: translate MODEL.keras <LINES
 * Below each translation stands what its words were made from. */
#include <heed/seq2seq.h>

#include <stdio.h>
#include <string.h>

static void show(const heed_translation *t)
{
    const heed_hypothesis *best = &t->hypotheses[0];
    puts(best->text);
    for (int i = 0; i < best->token_count; i++) {
        const float *weights = best->weights + i * t->source_count; /* of the source's tokens; their sum is 1 */
        int most = 0;
        for (int j = 1; j < t->source_count; j++)
            most = weights[j] > weights[most] ? j : most;
        printf("    %s <- %s (%.2f)\n", best->tokens[i], t->source_tokens[most], (double)weights[most]);
    }
}

int main(int argc, char **argv)
{
    heed_context *c;
    if (argc != 2 || heed_context_create(NULL, &c) != HEED_OK)
        return 2;
    heed_translator *translator;
    heed_status status = heed_translator_load(c, argv[1], &translator);
    char line[4096];
    while (status == HEED_OK && fgets(line, sizeof line, stdin) != NULL) {
        heed_translation *t;
        line[strcspn(line, "\n")] = '\0';
        status = heed_translate(translator, &(const char *){line}, 1, &(heed_decode_config){.beam = 4}, &t);
        if (status == HEED_OK)
            show(t);
        heed_translations_free(translator, t, t == NULL ? 0 : 1);
    }
    if (status != HEED_OK)
        fprintf(stderr, "%s\n%s\n", heed_error(c), heed_error_hint(c));
    heed_translator_free(translator);
    heed_context_free(c);
    return status == HEED_OK ? 0 : 1;
}
