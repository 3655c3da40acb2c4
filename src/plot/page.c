/* The .html form. The page's script builds a table from the data that this file writes before it. */
#include "plot/page.h"

#include "plot/alignment.h"
#include "plot/colour.h"
#include "plot/label.h"

#include <math.h>
#include <string.h>

static const char *const head[] = {
    "<!DOCTYPE html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    "<meta http-equiv=\"Content-Security-Policy\"",
    "  content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">",
    "<meta name=\"viewport\" content=\"width=device-width\">",
    "<title>Attention</title>",
    "<style>",
    "  body { margin: 0; height: 100vh; display: flex; flex-direction: column; background: #fff; color: #212126;",
    "    font: 1em/1.35 sans-serif; }",
    "  header { display: flex; flex-wrap: wrap; gap: .6em 2em; align-items: center; padding: .8em 1.2em;",
    "    border-bottom: 1px solid #dedee0; }",
    "  h1 { flex: 1 0 100%; margin: 0; font-size: 1.05em; max-height: 4.1em; overflow: auto; }",
    "  select, button { font: inherit; max-width: 60vw; }",
    "  #bar { display: inline-block; width: 9em; height: .9em; margin: 0 .5em; vertical-align: -.1em; }",
    "  #axes { color: #737379; }",
    "  #below { flex: 1; display: flex; min-height: 0; }",
    "  main { flex: 1; overflow: auto; padding: 0 1.2em 1.2em 0; }",
    "  aside { overflow: auto; max-width: 35vw; padding: .8em 1.2em; border-right: 1px solid #dedee0; }",
    "  aside p { margin: 0 0 .15em; font-size: .85em; color: #737379; }",
    "  aside div { display: flex; gap: 4px; margin-bottom: .7em; }",
    "  aside button { padding: 0; border: 2px solid transparent; background: none; line-height: 0; cursor: pointer; }",
    "  aside button[aria-pressed=true] { border-color: #d9660d; }",
    "  canvas { width: 44px; height: 44px; }",
    "  table { border-collapse: separate; border-spacing: 1px; }",
    "  td { width: 1.7em; min-width: 1.7em; height: 1.7em; padding: 0; }",
    "  td:hover { outline: 2px solid #d9660d; }",
    "  th { font-weight: normal; white-space: nowrap; background: #fff; position: sticky; }",
    "  thead th { top: 0; z-index: 1; vertical-align: bottom; padding: .5em 0 .3em; }",
    "  thead th.word span { writing-mode: vertical-rl; text-orientation: sideways; transform: rotate(180deg); }",
    "  th:first-child { left: 0; padding: 0 .5em 0 1.2em; text-align: right; }",
    "  thead th:first-child { z-index: 2; }",
    "  th.here { color: #b34700; }",
    "  #tip { position: fixed; display: none; pointer-events: none; padding: .2em .6em; border-radius: .3em;",
    "    background: #212126; color: #fff; white-space: nowrap; z-index: 3; }",
    "  [hidden] { display: none !important; }",
    "  @media (max-width: 40em) { aside { display: none; } }",
    "</style>",
    "</head>",
    "<body>",
    "<header>",
    "  <h1 id=\"title\" dir=\"auto\"></h1>",
    "  <span id=\"texts\"><button aria-label=\"previous text\">&lsaquo;</button>",
    "    <select aria-label=\"text\"></select>",
    "    <button aria-label=\"next text\">&rsaquo;</button></span>",
    "  <span id=\"parts\"><button aria-label=\"previous part\">&lsaquo;</button>",
    "    <select aria-label=\"part\"></select>",
    "    <button aria-label=\"next part\">&rsaquo;</button></span>",
    "  <span>weight 0<span id=\"bar\"></span><span id=\"most\"></span></span>",
    "  <span id=\"axes\"></span>",
    "</header>",
    "<div id=\"below\"><aside id=\"parts-seen\"></aside><main><table id=\"map\"></table></main></div>",
    "<div id=\"tip\"></div>",
    "<noscript>This page draws its heatmaps with a script of its own.</noscript>",
    "<script>",
    "'use strict';",
};

/* `ramp`: colours from weight 0 on. `texts`: {title, across and down (may be null), source, target, parts}; `parts`: {name
 * (null when there is but one), most (the weight of the last colour), text (the same, rounded), weights (row by row, in
 * ten-thousandths)}. */
static const char *const tail[] = {
    "const element = id => document.getElementById(id);",
    "const [map, aside, tip] = ['map', 'parts-seen', 'tip'].map(element);",
    "const add = (parent, name, text) => {",
    "  const child = parent.appendChild(document.createElement(name));",
    "  if (text !== undefined) { child.textContent = text; child.dir = 'auto'; }",
    "  return child;",
    "};",
    "const weight = (part, i, j) => part.weights[i * shown.source.length + j] / 10000;",
    "const colour = share => ramp[Math.round(Math.min(Math.max(share, 0), 1) * (ramp.length - 1))];",
    "let shown, part, here = [];",
    "// A list with a button on either side, hidden where there is nothing to choose.",
    "function chooser(id, choose) {",
    "  const [previous, list, next] = element(id).children;",
    "  const go = index => {",
    "    list.selectedIndex = index;",
    "    previous.disabled = index === 0;",
    "    next.disabled = index === list.length - 1;",
    "    choose(index);",
    "  };",
    "  list.onchange = () => go(list.selectedIndex);",
    "  previous.onclick = () => go(list.selectedIndex - 1);",
    "  next.onclick = () => go(list.selectedIndex + 1);",
    "  return {go, fill(names) {",
    "    list.replaceChildren();",
    "    names.forEach(name => add(list, 'option', name));",
    "    element(id).hidden = names.length < 2;",
    "  }, get index() { return list.selectedIndex; }};",
    "}",
    "const textChooser = chooser('texts', showText), partChooser = chooser('parts', showPart);",
    "function showText(index) {",
    "  const before = partChooser.index;",
    "  shown = texts[index];",
    "  document.title = element('title').textContent = shown.title;",
    "  element('axes').textContent = ['across', 'down'].filter(axis => shown[axis])",
    "    .map(axis => `${axis}: ${shown[axis]}`).join(', ');",
    "  const names = shown.parts.map(part => part.name);",
    "  partChooser.fill(names);",
    "  showThumbnails();",
    "  partChooser.go(before > 0 && before < names.length ? before : 0);",
    "}",
    "// Small pictures of all parts: \"layer 1, head 2\" stands in the row \"layer 1\".",
    "function showThumbnails() {",
    "  aside.replaceChildren();",
    "  aside.hidden = shown.parts.length < 2;",
    "  if (aside.hidden) return;",
    "  let row, name;",
    "  shown.parts.forEach((part, index) => {",
    "    const group = part.name.split(', ')[0];",
    "    if (group !== name) {",
    "      add(aside, 'p', name = group);",
    "      row = add(aside, 'div');",
    "    }",
    "    const button = add(row, 'button'), canvas = add(button, 'canvas');",
    "    button.title = part.name;",
    "    button.setAttribute('aria-label', part.name);",
    "    button.onclick = () => partChooser.go(index);",
    "    [canvas.width, canvas.height] = [shown.source.length, shown.target.length];",
    "    if (canvas.width < 44) canvas.style.imageRendering = 'pixelated';",
    "    const pen = canvas.getContext('2d');",
    "    shown.target.forEach((_, i) => shown.source.forEach((_, j) => {",
    "      pen.fillStyle = colour(weight(part, i, j) / part.most);",
    "      pen.fillRect(j, i, 1, 1);",
    "    }));",
    "  });",
    "}",
    "function showPart(index) {",
    "  part = shown.parts[index];",
    "  element('most').textContent = part.text;",
    "  aside.querySelectorAll('button').forEach((button, i) => button.setAttribute('aria-pressed', i === index));",
    "  here = [];",
    "  map.replaceChildren();",
    "  const top = add(add(map, 'thead'), 'tr'), body = add(map, 'tbody');",
    "  const words = shown.source.some(token => [...token].length > 2);",
    "  add(top, 'th');",
    "  for (const token of shown.source) {",
    "    const label = add(top, 'th');",
    "    if (words) label.className = 'word';",
    "    add(label, 'span', token);",
    "  }",
    "  shown.target.forEach((token, i) => {",
    "    const row = add(body, 'tr');",
    "    add(row, 'th', token);",
    "    shown.source.forEach((_, j) => add(row, 'td').style.background = colour(weight(part, i, j) / part.most));",
    "  });",
    "}",
    "function point(event) {",
    "  for (const label of here) label.classList.remove('here');",
    "  const cell = event.target.closest('td');",
    "  tip.style.display = cell ? 'block' : 'none';",
    "  if (!cell) return;",
    "  const row = cell.parentNode, i = row.sectionRowIndex, j = cell.cellIndex - 1;",
    "  here = [row.cells[0], map.tHead.rows[0].cells[j + 1]];",
    "  for (const label of here) label.classList.add('here');",
    "  const isolate = token => `\\u2068${token}\\u2069`; // right-to-left tokens stay on their side",
    "  const value = weight(part, i, j).toFixed(4);",
    "  tip.textContent = `${isolate(shown.target[i])} \\u2190 ${isolate(shown.source[j])}: ${value}`;",
    "  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';",
    "  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';",
    "}",
    "map.onmousemove = point;",
    "map.onmouseleave = point;",
    "element('bar').style.background = `linear-gradient(to right, ${ramp.join(', ')})`;",
    "textChooser.fill(texts.map(text => text.title));",
    "textChooser.go(0);",
    "</script>",
    "</body>",
    "</html>",
};

static void put(heed_text *out, const char *text) { heed_text_append(out, text, strlen(text)); }

static void put_lines(heed_text *out, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(out, lines[i]);
        put(out, "\n");
    }
}

/* A string of the script; with '<' escaped it cannot end the script either. `text` has no control characters. */
static void put_string(heed_text *out, const char *text)
{
    put(out, "\"");
    for (; *text != '\0'; text++)
        switch (*text) {
        case '"': put(out, "\\\""); break;
        case '\\': put(out, "\\\\"); break;
        case '<': put(out, "\\u003c"); break;
        default: heed_text_append(out, text, 1); break;
        }
    put(out, "\"");
}

static heed_status put_tokens(heed_text *out, heed_zone *zone, const char *name, const char *const *tokens,
                              size_t count)
{
    const char **labels = heed_alignment_labels(zone, tokens, count, false);
    if (labels == NULL)
        return HEED_ENOMEM;
    heed_text_printf(out, " %s: [", name);
    for (size_t i = 0; i < count; i++) {
        put(out, i > 0 ? ", " : "");
        put_string(out, labels[i]);
    }
    put(out, "],\n");
    return HEED_OK;
}

/* A member of a heatmap's data: a string, or null. */
static heed_status put_member(heed_text *out, heed_zone *zone, const char *name, const char *text)
{
    heed_text_printf(out, " %s: ", name);
    char *shown = text != NULL ? heed_label_show(zone, text, false) : NULL;
    if (shown != NULL)
        put_string(out, shown);
    else
        put(out, "null");
    put(out, ",\n");
    return text != NULL && shown == NULL ? HEED_ENOMEM : HEED_OK;
}

/* The member of `parts` that the alignment is. */
static heed_status put_part(heed_text *out, heed_zone *zone, const heed_alignment *a, float maximum)
{
    heed_scale scale = heed_alignment_scale(a, maximum);
    put(out, "{\n");
    HEED_TRY(put_member(out, zone, "name", a->part));
    put(out, " most: ");
    heed_scale_number(out, heed_scale_end(&scale), 6);
    put(out, ", text: \"");
    heed_scale_number(out, heed_scale_end(&scale), scale.decimals);
    put(out, "\",\n weights: [");
    for (size_t i = 0; i < a->source_count * a->target_count; i++)
        heed_text_printf(out, "%s%ld", i == 0 ? "" : i % a->source_count == 0 ? ",\n  " : ",",
                         lround(fmin(fmax(0, (double)a->weights[i]), 1) * 10000));
    put(out, "]\n}");
    return HEED_OK;
}

/* The member of `texts` up to its parts. */
static heed_status begin_text(heed_text *out, heed_zone *zone, const heed_alignment *a, size_t index)
{
    const char *title = a->title != NULL ? a->title : heed_zone_printf(zone, "heatmap %zu", index + 1);
    if (title == NULL)
        return HEED_ENOMEM;
    put(out, "{\n");
    HEED_TRY(put_member(out, zone, "title", title));
    HEED_TRY(put_member(out, zone, "across", a->source_label));
    HEED_TRY(put_member(out, zone, "down", a->target_label));
    HEED_TRY(put_tokens(out, zone, "source", a->source, a->source_count));
    HEED_TRY(put_tokens(out, zone, "target", a->target, a->target_count));
    put(out, " parts: [");
    return HEED_OK;
}

/* Whether both are of the same tokens, and told apart by their parts. */
static bool belong_together(const heed_alignment *a, const heed_alignment *b)
{
    return a->part != NULL && b->part != NULL && a->source == b->source && a->target == b->target &&
           a->source_count == b->source_count && a->target_count == b->target_count;
}

static void put_ramp(heed_text *out)
{
    enum { STEPS = 64 };
    put(out, "const ramp = [");
    for (int i = 0; i < STEPS; i++) {
        heed_colour_bytes rgb = heed_colour_to_bytes(heed_colour_ramp(i / (STEPS - 1.0)));
        heed_text_printf(out, "%s'#%02x%02x%02x'", i > 0 ? ", " : "", rgb.red, rgb.green, rgb.blue);
    }
    put(out, "];\n");
}

heed_status heed_page_heatmaps(heed_context *c, const heed_alignment *alignments, size_t count,
                               const heed_plot_options *options, heed_text *out)
{
    put_lines(out, head, sizeof head / sizeof *head);
    put_ramp(out);
    put(out, "const texts = [");
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || !belong_together(&alignments[i - 1], &alignments[i]);
        heed_zone zone;
        heed_zone_init(&zone, c);
        put(out, i == 0 ? "" : first ? "]}, " : ", ");
        heed_status status = first ? begin_text(out, &zone, &alignments[i], i) : HEED_OK;
        if (status == HEED_OK)
            status = put_part(out, &zone, &alignments[i], options->maximum);
        heed_zone_free(&zone);
        HEED_TRY(status);
    }
    put(out, "]}];\n");
    put_lines(out, tail, sizeof tail / sizeof *tail);
    return HEED_OK;
}
