#include "text/lines.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

struct heed_corpus {
    heed_context *context;
    heed_lines   *lines;
    heed_lines   *targets; /* NULL when one file holds both sides */
    bool          skips;   /* pairs with a fault */
    int64_t       skipped[HEED_PAIR_FAULTS], first[HEED_PAIR_FAULTS]; /* how many, and the first one's line */
};

heed_status heed_corpus_open(heed_context *c, const char *path, const char *target_path, heed_corpus **out)
{
    *out = NULL;
    if (target_path != NULL && strcmp(path, "-") == 0 && strcmp(target_path, "-") == 0)
        return heed_fail(c, HEED_EINVAL, "standard input: cannot be both source and target");
    heed_corpus *s = heed_alloc(c, 1, sizeof *s);
    if (s == NULL)
        return HEED_ENOMEM;
    s->context = c;
    heed_status status = heed_lines_open(c, path, 0, &s->lines);
    if (status == HEED_OK && target_path != NULL)
        status = heed_lines_open(c, target_path, 0, &s->targets);
    if (status != HEED_OK) {
        heed_corpus_free(s);
        return status;
    }
    *out = s;
    return HEED_OK;
}

void heed_corpus_free(heed_corpus *s)
{
    if (s == NULL)
        return;
    heed_lines_free(s->lines);
    heed_lines_free(s->targets);
    heed_release(s->context, s);
}

void heed_corpus_skip_faults(heed_corpus *s) { s->skips = true; }

int64_t heed_corpus_skipped(const heed_corpus *s, heed_pair_fault fault) { return s->skipped[fault]; }
int64_t heed_corpus_first_skipped(const heed_corpus *s, heed_pair_fault fault) { return s->first[fault]; }

/* Cuts a line in two at its TAB. */
static heed_status split(const heed_lines *l, const heed_line *line, heed_pair *pair)
{
    char *tab = memchr(line->text, '\t', line->length); /* the line's bytes are ours until the next is read */
    if (tab == NULL)
        return heed_lines_fail(l, "no TAB (expected source TAB target, found one text)");
    size_t before = (size_t)(tab - line->text), after = line->length - before - 1;
    if (memchr(tab + 1, '\t', after) != NULL)
        return heed_lines_fail(l, "more than one TAB (expected source TAB target, found a third text)");
    *tab = '\0';
    *pair = (heed_pair){.source = line->text,
                        .target = tab + 1,
                        .source_length = before,
                        .target_length = after,
                        .number = line->number};
    return HEED_OK;
}

static bool is_blank(const char *text) { return text[strspn(text, " \t")] == '\0'; }

/* One of two files ended with the line before `line`; the other goes on, and is read to tell how far. */
static heed_status fail_by_length(const heed_corpus *s, const heed_lines *shorter, heed_lines *longer, heed_line line)
{
    int64_t found = line.number - 1, lines = line.number;
    for (bool more = true; more; lines += more)
        HEED_TRY(heed_lines_read(longer, &more, &line));
    heed_fail(s->context, HEED_EFORMAT, "%s: too few lines (expected %lld, as %s has, found %lld)",
              heed_lines_name(shorter), (long long)lines, heed_lines_name(longer), (long long)found);
    heed_hint(s->context, "a line of one file must belong to the line of the same number in the other");
    return HEED_EFORMAT;
}

/* The lines of the next pair; `target` is none when one file holds both sides. */
static heed_status read_lines(heed_corpus *s, bool *more, heed_line *source, heed_line *target)
{
    bool more_targets;
    HEED_TRY(heed_lines_read(s->lines, more, source));
    if (s->targets == NULL)
        return HEED_OK;
    HEED_TRY(heed_lines_read(s->targets, &more_targets, target));
    if (*more && !more_targets)
        return fail_by_length(s, s->targets, s->lines, *source);
    if (!*more && more_targets)
        return fail_by_length(s, s->lines, s->targets, *target);
    return HEED_OK;
}

/* Makes a pair of the lines. *fault tells of what kind a failure is. */
static heed_status make_pair(heed_corpus *s, const heed_line *source, const heed_line *target, heed_pair *pair,
                             heed_pair_fault *fault)
{
    *fault = HEED_PAIR_NOT_TEXT;
    HEED_TRY(heed_lines_check(s->lines, source));
    if (s->targets != NULL)
        HEED_TRY(heed_lines_check(s->targets, target));
    *fault = HEED_PAIR_NOT_TWO;
    if (s->targets == NULL)
        HEED_TRY(split(s->lines, source, pair));
    else
        *pair = (heed_pair){.source = source->text,
                            .target = target->text,
                            .source_length = source->length,
                            .target_length = target->length,
                            .number = source->number};
    *fault = HEED_PAIR_EMPTY;
    if (is_blank(pair->source))
        return heed_lines_fail(s->lines, "the source is empty");
    if (is_blank(pair->target))
        return heed_lines_fail(s->targets != NULL ? s->targets : s->lines, "the target is empty");
    return HEED_OK;
}

/* Adds to the hint that there may be. */
static heed_status hint_at_skipping(const heed_corpus *s)
{
    char hint[HEED_ERROR_SIZE];
    const char *known = heed_error_hint(s->context);
    snprintf(hint, sizeof hint, "%s%s--set bad_pairs=skip leaves such pairs out, and counts them", known,
             *known != '\0' ? "; " : "");
    heed_hint(s->context, "%s", hint);
    return HEED_EFORMAT;
}

heed_status heed_corpus_next(heed_corpus *s, bool *more, heed_pair *pair)
{
    for (;;) {
        heed_line source, target;
        heed_pair_fault fault;
        *pair = (heed_pair){0};
        HEED_TRY(read_lines(s, more, &source, &target));
        if (!*more)
            return HEED_OK;
        heed_status status = make_pair(s, &source, &target, pair, &fault);
        if (status != HEED_EFORMAT)
            return status;
        if (!s->skips)
            return hint_at_skipping(s);
        if (s->skipped[fault]++ == 0)
            s->first[fault] = source.number;
    }
}
