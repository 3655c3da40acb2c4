#include "json.h"

#include <math.h>

void cli_json_text(heed_writer *w, const char *text)
{
    heed_writer_write(w, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            heed_writer_printf(w, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            heed_writer_printf(w, "\\u%04x", (unsigned)*c);
        else
            heed_writer_write(w, c, 1);
    }
    heed_writer_write(w, "\"", 1);
}

void cli_json_number(heed_writer *w, double number)
{
    if (isfinite(number))
        heed_writer_printf(w, "%.6g", number);
    else
        heed_writer_write(w, "null", 4);
}
