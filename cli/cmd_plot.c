#include "command.h"
#include "heed/plot.h"
#include "heed/seq2seq.h"
#include "heed/text.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct plot_values {
    const char *model, *history, *output, *map;
    cli_list    texts;
    int64_t     beam;
    bool        ascii;
} plot_values;

static const cli_option options[] = {
    {"MODEL", CLI_BIND(plot_values, model), .help = "a translator made by heed train"},
    {"--text", CLI_BIND(plot_values, texts), "TEXT",
     .help = "what to translate and draw; may be repeated for .pdf and .html"},
    {"--history", CLI_BIND(plot_values, history), "FILE.csv", .help = "draw the curves of a training history instead"},
    {"--output", CLI_BIND(plot_values, output), "FILE",
     .help = "a .png, .svg, .pdf, .html or .txt file (default: the terminal)", .letter = 'o'},
    {"--map", CLI_BIND(plot_values, map), "NAME",
     .help = "one of the model's alignments, 'layer 1, head 2' (default: their mean; in .pdf and .html all of them)"},
    {"--beam", CLI_BIND(plot_values, beam), "N", "4", "hypotheses kept at each step", CLI_BETWEEN(1, 64)},
    {"--ascii", CLI_BIND(plot_values, ascii), .help = "in the terminal, nothing but ASCII"},
    {0},
};

static const cli_example examples[] = {
    {"heed plot dates.keras --text 'jeudi 12 mars 2009'", "what each digit attends to, in the terminal"},
    {"heed plot dates.keras --text '12.03.09' -o dates.png", "as a picture"},
    {"heed plot en-de.keras --text 'a man sleeps .' -o map.html", "every layer and head, to be chosen in a browser"},
    {"heed plot --history history.csv -o curves.svg", "how training went"},
    {0},
};

static bool write_out(void *user, const char *bytes, size_t size)
{
    (void)user;
    return fwrite(bytes, 1, size, stdout) == size;
}

static heed_plot_terminal_options terminal(const plot_values *v)
{
    struct winsize size;
    bool seen = isatty(STDOUT_FILENO);
    const char *colours = getenv("COLORTERM"), *term = getenv("TERM");
    heed_plot_terminal_options o = {.ascii = v->ascii};
    if (seen && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        o.width = size.ws_col < 1000 ? size.ws_col : 1000;
    if (seen && getenv("NO_COLOR") == NULL && !(term != NULL && strcmp(term, "dumb") == 0))
        o.colour = colours != NULL && (strstr(colours, "truecolor") != NULL || strstr(colours, "24bit") != NULL)
                       ? HEED_PLOT_TRUECOLOUR : HEED_PLOT_256;
    return o;
}

/* ---- heatmaps */

enum { PART = 64, MEAN = -1 }; /* the mean of all maps */

/* A map, or MEAN, as something to draw. `part`: its name, NULL where there is but one. */
static heed_alignment describe(const char *title, const heed_translation *t, int map, const char *part)
{
    const heed_hypothesis *h = &t->hypotheses[0];
    size_t area = (size_t)h->token_count * (size_t)t->source_count;
    return (heed_alignment){.source = (const char *const *)t->source_tokens, .source_count = (size_t)t->source_count,
                            .target = (const char *const *)h->tokens, .target_count = (size_t)h->token_count,
                            .weights = map == MEAN ? h->weights : h->maps + (size_t)map * area, .title = title,
                            .part = part};
}

/* The maps to be drawn of each text: from `first` on, before `end`. */
typedef struct map_range {
    int first, end;
} map_range;

static int find_map(const plot_values *v, const heed_translator *translator, int maps, map_range *out)
{
    bool all = v->map == NULL && v->output != NULL && heed_plot_holds_several(v->output) && maps > 1;
    *out = (map_range){MEAN, all ? maps : MEAN + 1};
    char name[PART], last[PART] = "";
    for (int map = 0; map < maps && v->map != NULL; map++) {
        heed_translator_map_name(translator, map, name, sizeof name);
        if (strcmp(name, v->map) == 0) {
            *out = (map_range){map, map + 1};
            return CLI_DONE;
        }
        memcpy(last, name, sizeof last);
    }
    if (v->map == NULL)
        return CLI_DONE;
    char hint[PART + 32];
    if (maps == 1)
        snprintf(hint, sizeof hint, "it has '%s'", last);
    else
        snprintf(hint, sizeof hint, "the last of its %d is '%s'", maps, last);
    return cli_error(CLI_WRONG_USAGE, hint, "--map: the model has no alignment of this name (found \"%s\")", v->map);
}

static heed_status draw_pictures(cli_session *s, const plot_values *v, const heed_translator *translator,
                                 const heed_translation *t, map_range maps)
{
    size_t count = 0, most = v->texts.count * (size_t)(maps.end - maps.first);
    bool single = most == v->texts.count && v->map == NULL;
    heed_alignment *all = calloc(most, sizeof *all);
    char (*parts)[PART] = calloc(most, sizeof *parts);
    heed_status status = all == NULL || parts == NULL ? HEED_ENOMEM : HEED_OK;
    for (size_t i = 0; i < v->texts.count && status == HEED_OK; i++)
        for (int map = maps.first; map < maps.end; map++, count++) {
            if (map == MEAN)
                snprintf(parts[count], PART, "mean of all");
            else
                heed_translator_map_name(translator, map, parts[count], PART);
            all[count] = describe(v->texts.items[i], &t[i], map, single ? NULL : parts[count]);
        }
    if (status == HEED_OK)
        status = heed_plot_save(s->context, v->output, all, count, NULL);
    free(parts);
    free(all);
    return status;
}

static heed_status draw_on_terminal(cli_session *s, const plot_values *v, const heed_translation *t, int map)
{
    heed_plot_terminal_options o = terminal(v);
    heed_status status = HEED_OK;
    for (size_t i = 0; i < v->texts.count && status == HEED_OK; i++) {
        heed_alignment a = describe(NULL, &t[i], map, v->map);
        printf("%s%s  ->  %s\n", i == 0 ? "" : "\n", v->texts.items[i], t[i].hypotheses[0].text);
        status = heed_plot_terminal(s->context, &a, &o, write_out, NULL);
    }
    return status;
}

static int plot_texts(cli_session *s, const plot_values *v)
{
    heed_translator *translator;
    if (heed_translator_load(s->context, v->model, &translator) != HEED_OK)
        return cli_failed(s);
    heed_translation *t;
    int count = (int)v->texts.count;
    heed_status status = heed_translate(translator, v->texts.items, count, &(heed_decode_config){.beam = (int)v->beam},
                                        &t);
    map_range maps = {MEAN, MEAN + 1};
    int exit_status = status == HEED_OK ? find_map(v, translator, t[0].hypotheses[0].map_count, &maps) : CLI_DONE;
    for (int i = 0; i < count && status == HEED_OK && exit_status == CLI_DONE; i++)
        if (t[i].source_count == 0 || t[i].hypotheses[0].token_count == 0)
            exit_status = cli_error(CLI_FAILED, NULL, "--text \"%s\": there is nothing to draw", v->texts.items[i]);
    if (status == HEED_OK && exit_status == CLI_DONE)
        status = v->output != NULL ? draw_pictures(s, v, translator, t, maps)
                                   : draw_on_terminal(s, v, t, maps.first);
    if (status != HEED_OK)
        exit_status = cli_failed(s);
    heed_translations_free(translator, t, t == NULL ? 0 : count);
    heed_translator_free(translator);
    return exit_status;
}

/* ---- curves */

enum { MOST_COLUMNS = 64 };

/* A history as heed writes it: a header, then a row an epoch or a validation; what is no number is a gap. */
typedef struct history {
    char   *names[MOST_COLUMNS];
    double *values[MOST_COLUMNS];
    int     columns;
    size_t  rows, room, numbers;
} history;

static void free_history(history *h)
{
    for (int i = 0; i < h->columns; i++) {
        free(h->names[i]);
        free(h->values[i]);
    }
}

static bool read_header(history *h, char *line)
{
    for (char *name = strtok(line, ","); name != NULL && h->columns < MOST_COLUMNS; name = strtok(NULL, ",")) {
        h->names[h->columns] = malloc(strlen(name) + 1);
        if (h->names[h->columns] == NULL)
            return false;
        strcpy(h->names[h->columns++], name);
    }
    return true;
}

static bool read_row(history *h, const char *line)
{
    if (h->rows == h->room) {
        h->room = 2 * h->room + 64;
        for (int i = 0; i < h->columns; i++) {
            double *bigger = realloc(h->values[i], h->room * sizeof *bigger);
            if (bigger == NULL)
                return false;
            h->values[i] = bigger;
        }
    }
    for (int i = 0; i < h->columns; i++) {
        char *end;
        double value = strtod(line, &end);
        bool number = end != line && (*end == ',' || *end == '\0') && isfinite(value);
        h->values[i][h->rows] = number ? value : NAN;
        h->numbers += number;
        line = strchr(line, ',');
        line = line == NULL ? "" : line + 1;
    }
    h->rows++;
    return true;
}

static heed_status read_history(cli_session *s, const char *path, history *h)
{
    heed_lines *lines;
    heed_status status = heed_lines_open(s->context, path, 0, &lines);
    bool more = status == HEED_OK, fits = true;
    while (more && status == HEED_OK && fits) {
        heed_line line;
        status = heed_lines_next(lines, &more, &line);
        if (status != HEED_OK || !more || line.length == 0)
            continue;
        if (h->columns == 0) {
            char *copy = malloc(line.length + 1);
            fits = copy != NULL;
            if (fits)
                fits = read_header(h, strcpy(copy, line.text));
            free(copy);
        } else {
            fits = read_row(h, line.text);
        }
    }
    heed_lines_free(lines);
    return fits ? status : HEED_ENOMEM;
}

/* Columns that tell when a row was written: by heed train, which has `step`, `epoch` is a place on the axis. */
static const double *find_times(const history *h)
{
    const double *epoch = NULL;
    bool steps = false;
    for (int i = 0; i < h->columns; i++) {
        if (strcmp(h->names[i], "epoch") == 0)
            epoch = h->values[i];
        steps = steps || strcmp(h->names[i], "step") == 0;
    }
    return steps ? epoch : NULL;
}

static bool is_time(const history *h, int column)
{
    const char *name = h->names[column];
    return strcmp(name, "epoch") == 0 ||
           (find_times(h) != NULL && (strcmp(name, "step") == 0 || strcmp(name, "seconds") == 0));
}

static int plot_history(cli_session *s, const plot_values *v)
{
    history h = {0};
    heed_curve curves[MOST_COLUMNS];
    size_t count = 0;
    heed_status status = read_history(s, v->history, &h);
    for (int i = 0; i < h.columns; i++)
        if (!is_time(&h, i))
            curves[count++] = (heed_curve){.name = h.names[i], .values = h.values[i], .count = h.rows};
    heed_curves all = {.items = curves, .count = count, .across = find_times(&h)};
    if (status == HEED_OK && (count == 0 || h.numbers == 0)) {
        free_history(&h);
        return cli_error(CLI_FAILED, NULL,
                         "%s: no history (expected a line of names, then lines of numbers)", v->history);
    }
    heed_plot_terminal_options o = terminal(v);
    if (status == HEED_OK)
        status = v->output != NULL ? heed_plot_curves_save(s->context, v->output, &all, NULL)
                                   : heed_plot_curves_terminal(s->context, &all, &o, write_out, NULL);
    free_history(&h);
    return status == HEED_OK ? CLI_DONE : cli_failed(s);
}

static int run(cli_session *s, const void *values)
{
    const plot_values *v = values;
    bool text = v->model != NULL || v->texts.count > 0;
    if (v->history != NULL && text)
        return cli_error(CLI_WRONG_USAGE, "see heed plot --help",
                         "--history: a picture of its own (without MODEL and --text)");
    if (v->history != NULL)
        return plot_history(s, v);
    if (v->model == NULL || v->texts.count == 0)
        return cli_error(CLI_WRONG_USAGE, "see heed plot --help",
                         "what to draw is missing (expected MODEL and --text, or --history)");
    return plot_texts(s, v);
}

const cli_command cli_plot = {
    .name = "plot",
    .purpose = "draw what a translator attends to, or how training went",
    .description = "Translates the text and draws a heatmap: the source across, the translation down, and in each row what "
                   "that token was made from. The file's ending says which kind of picture it is.",
    .options = options,
    .values_size = sizeof(plot_values),
    .examples = examples,
    .run = run,
};
