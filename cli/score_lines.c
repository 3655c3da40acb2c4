#include "score_lines.h"

#include <stdio.h>

heed_status cli_bleu_line(heed_context *c, const heed_scorer *scorer, int width, char line[CLI_SCORE_LINE])
{
    heed_scores r = heed_scorer_result(scorer);
    double ratio = r.bleu_reference_length > 0 ? (double)r.bleu_length / (double)r.bleu_reference_length : 0;
    char *signature;
    heed_status status = heed_scorer_bleu_signature(scorer, &signature);
    if (status != HEED_OK)
        return status;
    size_t used = (size_t)snprintf(line, CLI_SCORE_LINE, "BLEU|%s = %.*f ", signature, width, r.bleu);
    for (int n = 0; n < HEED_BLEU_ORDERS; n++)
        used += (size_t)snprintf(line + used, CLI_SCORE_LINE - used, n > 0 ? "/%.1f" : "%.1f", r.bleu_precisions[n]);
    snprintf(line + used, CLI_SCORE_LINE - used, " (BP = %.3f ratio = %.3f hyp_len = %lld ref_len = %lld)",
             r.bleu_brevity, ratio, (long long)r.bleu_length, (long long)r.bleu_reference_length);
    heed_free(c, signature);
    return HEED_OK;
}

heed_status cli_chrf_line(heed_context *c, const heed_scorer *scorer, int width, char line[CLI_SCORE_LINE])
{
    char *signature;
    heed_status status = heed_scorer_chrf_signature(scorer, &signature);
    if (status != HEED_OK)
        return status;
    heed_scores r = heed_scorer_result(scorer);
    snprintf(line, CLI_SCORE_LINE, "chrF2%.*s|%s = %.*f", r.chrf_word_order, "++++++++", signature, width, r.chrf);
    heed_free(c, signature);
    return HEED_OK;
}
