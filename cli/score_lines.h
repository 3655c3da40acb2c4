/* Scores as sacreBLEU writes them. */
#ifndef CLI_SCORE_LINES_H
#define CLI_SCORE_LINES_H

#include "heed/text.h"

enum { CLI_SCORE_LINE = 512 };

/* "BLEU|nrefs:1|... = 41.02 72.1/48.0/34.2/24.9 (BP = 1.000 ratio = 1.012 hyp_len = 12234 ref_len = 12089)"; `width` digits
 * behind the score's point. */
heed_status cli_bleu_line(heed_context *c, const heed_scorer *scorer, int width, char line[CLI_SCORE_LINE]);
/* "chrF2|nrefs:1|... = 65.23", with a "+" for each order of words. */
heed_status cli_chrf_line(heed_context *c, const heed_scorer *scorer, int width, char line[CLI_SCORE_LINE]);

#endif
