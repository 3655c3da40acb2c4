#include "text/pieces.h"

#include "text/unicode.h"

#include <math.h>
#include <string.h>

/* A piece has at most 64 code points (SentencePiece's own limit) and the mark. It bounds the work that a file can ask for. */
enum { LONGEST_PIECE = 65 * 4 };

/* Words are forgotten when there are so many of them. */
enum { KNOWN_WORDS = 1 << 18 };

/* A character that is no piece costs this much more than the least likely piece. */
static const float UNKNOWN_PENALTY = 10;

static float least_score(const heed_vocabulary *v)
{
    const float *scores = heed_vocabulary_scores(v);
    float least = INFINITY;
    for (int32_t id = HEED_SPECIALS; id < heed_vocabulary_size(v); id++)
        least = fminf(least, scores[id]);
    return least;
}

heed_status heed_pieces_init(heed_pieces *p, heed_context *c, heed_pieces_kind kind, const char *name,
                             const heed_vocabulary *vocabulary)
{
    *p = (heed_pieces){.context = c, .kind = kind, .vocabulary = vocabulary, .word.context = c, .ids.context = c};
    heed_table_init(&p->known, c);
    p->longest = heed_vocabulary_longest(vocabulary);
    if (p->longest > LONGEST_PIECE)
        return heed_fail(c, HEED_EFORMAT, "%s: a piece is too long (expected at most %d bytes, found %zu)", name,
                         LONGEST_PIECE, p->longest);
    if (kind == HEED_PIECES_BPE)
        return HEED_OK;
    if (heed_vocabulary_scores(vocabulary) == NULL && heed_vocabulary_size(vocabulary) > HEED_SPECIALS)
        return heed_fail(c, HEED_EFORMAT, "%s: the pieces have no scores", name);
    p->unknown = least_score(vocabulary) - UNKNOWN_PENALTY;
    return HEED_OK;
}

void heed_pieces_free(heed_pieces *p)
{
    heed_text_free(&p->word);
    heed_release(p->context, p->work);
    heed_table_free(&p->known);
    heed_ids_free(&p->ids);
}

/* Room for `count` elements, kept from word to word; what it held is lost. */
static heed_status reserve(heed_pieces *p, size_t count, size_t size)
{
    if (count <= p->work_size / size)
        return HEED_OK;
    heed_release(p->context, p->work);
    p->work_size = 0;
    p->work = heed_alloc_raw(p->context, count, size);
    if (p->work == NULL)
        return HEED_ENOMEM;
    p->work_size = count * size;
    return HEED_OK;
}

/* Unknown characters that follow one another are one unknown. */
static heed_status add_id(heed_ids *ids, size_t first, int32_t id)
{
    bool again = id == HEED_UNKNOWN && ids->count > first && ids->ids[ids->count - 1] == HEED_UNKNOWN;
    return again ? HEED_OK : heed_ids_add(ids, id);
}

/* ---- unigram: of all ways to cut the word, the one with the greatest sum of scores */

/* The best way to a place in the word. */
typedef struct way {
    float   score;
    int32_t id;    /* of its last piece */
    size_t  begin; /* of that piece; NOWHERE: nothing leads here */
    size_t  next;  /* where the piece after it ends, on the best way of all */
} way;

static const size_t NOWHERE = SIZE_MAX;

/* Of equals the one that came first stays. */
static void try_way(way *to, float score, size_t begin, int32_t id)
{
    if (to->begin == NOWHERE || score > to->score)
        *to = (way){.score = score, .id = id, .begin = begin};
}

/* Extends the best way to `begin` by each piece that stands there. */
static void extend(const heed_pieces *p, way *ways, const char *word, size_t length, size_t begin, size_t character)
{
    const float *scores = heed_vocabulary_scores(p->vocabulary);
    const char *rest = word + begin;
    size_t left = length - begin, size = character;
    bool is_piece = heed_vocabulary_id(p->vocabulary, rest, character) != HEED_UNKNOWN;
    while (size <= p->longest) {
        int32_t id = heed_vocabulary_id(p->vocabulary, rest, size);
        if (id != HEED_UNKNOWN)
            try_way(&ways[begin + size], ways[begin].score + scores[id], begin, id);
        if (size == left)
            break;
        size += heed_utf8_next(rest + size, left - size, NULL);
    }
    if (!is_piece)
        try_way(&ways[begin + character], ways[begin].score + p->unknown, begin, HEED_UNKNOWN);
}

static heed_status cut_unigram(heed_pieces *p, const char *word, size_t length, heed_ids *out)
{
    HEED_TRY(reserve(p, length + 1, sizeof(way)));
    way *ways = p->work;
    for (size_t i = 0; i <= length; i++)
        ways[i] = (way){.begin = NOWHERE};
    for (size_t begin = 0, character; begin < length; begin += character) {
        character = heed_utf8_next(word + begin, length - begin, NULL);
        extend(p, ways, word, length, begin, character);
    }
    for (size_t end = length; end > 0; end = ways[end].begin)
        ways[ways[end].begin].next = end;
    for (size_t at = 0, first = out->count; at < length; at = ways[at].next)
        HEED_TRY(add_id(out, first, ways[ways[at].next].id));
    return HEED_OK;
}

/* ---- BPE: neighbours are joined, the pair that was learnt first before all others, the leftmost of equals */

/* A part of the word: at first a character. */
typedef struct part {
    size_t begin, length;  /* length 0: it was joined to another */
    size_t previous, next; /* parts; NO_PART: none */
} part;

static const size_t NO_PART = SIZE_MAX;

/* Two neighbours that make a piece; out of date when their length is another by now. */
typedef struct joint {
    int32_t id;
    size_t  left, length;
} joint;

typedef struct joining {
    const heed_pieces *pieces;
    const char        *word;
    part              *parts;
    joint             *heap; /* the next to be joined first */
    size_t             count;
} joining;

static bool before(const joint *a, const joint *b) { return a->id != b->id ? a->id < b->id : a->left < b->left; }

static void swap(joint *a, joint *b)
{
    joint was = *a;
    *a = *b;
    *b = was;
}

static void push(joining *j, joint added)
{
    size_t at = j->count++;
    j->heap[at] = added;
    for (size_t up; at > 0 && before(&j->heap[at], &j->heap[up = (at - 1) / 2]); at = up)
        swap(&j->heap[at], &j->heap[up]);
}

static joint pop(joining *j)
{
    joint first = j->heap[0];
    j->heap[0] = j->heap[--j->count];
    for (size_t at = 0, down; (down = 2 * at + 1) < j->count; at = down) {
        if (down + 1 < j->count && before(&j->heap[down + 1], &j->heap[down]))
            down++;
        if (!before(&j->heap[down], &j->heap[at]))
            break;
        swap(&j->heap[at], &j->heap[down]);
    }
    return first;
}

/* Notes that a part and the one after it could be joined. */
static void consider(joining *j, size_t left)
{
    if (left == NO_PART || j->parts[left].next == NO_PART)
        return;
    size_t length = j->parts[left].length + j->parts[j->parts[left].next].length;
    int32_t id = heed_vocabulary_id(j->pieces->vocabulary, j->word + j->parts[left].begin, length);
    if (id != HEED_UNKNOWN)
        push(j, (joint){id, left, length});
}

static void join(joining *j, size_t left)
{
    part *l = &j->parts[left], *r = &j->parts[l->next];
    l->length += r->length;
    l->next = r->next;
    r->length = 0;
    if (l->next != NO_PART)
        j->parts[l->next].previous = left;
    consider(j, l->previous);
    consider(j, left);
}

static bool is_current(const joining *j, const joint *of)
{
    const part *l = &j->parts[of->left];
    return l->length > 0 && l->next != NO_PART && l->length + j->parts[l->next].length == of->length;
}

/* Joins until nothing can be joined any more. What chance leaves out is not tried again, as in SentencePiece (after
 * Provilkov et al. 2020, "BPE-Dropout", arXiv:1910.13267). */
static void join_all(joining *j, const heed_chance *chance)
{
    while (j->count > 0) {
        joint best = pop(j);
        if (is_current(j, &best) && (chance == NULL || heed_random_double(chance->random) >= chance->rate))
            join(j, best.left);
    }
}

static heed_status cut_bpe(heed_pieces *p, const char *word, size_t length, const heed_chance *chance, heed_ids *out)
{
    HEED_TRY(reserve(p, length, sizeof(part) + 3 * sizeof(joint))); /* each join adds two joints at most */
    joining j = {.pieces = p, .word = word, .parts = p->work};
    j.heap = (joint *)(j.parts + length);
    size_t count = 0;
    for (size_t at = 0; at < length; at += j.parts[count++].length)
        j.parts[count] = (part){at, heed_utf8_next(word + at, length - at, NULL), count - 1, count + 1};
    j.parts[count - 1].next = NO_PART; /* as count - 1 is for the first */
    for (size_t i = 0; i < count; i++)
        consider(&j, i);
    join_all(&j, chance);
    for (size_t i = 0, first = out->count; i != NO_PART; i = j.parts[i].next)
        HEED_TRY(add_id(out, first, heed_vocabulary_id(p->vocabulary, word + j.parts[i].begin, j.parts[i].length)));
    return HEED_OK;
}

/* ---- words met before */

static heed_status cut_anew(heed_pieces *p, const char *word, size_t length, heed_ids *out)
{
    p->word.length = 0;
    heed_text_append(&p->word, HEED_PIECE_SPACE, sizeof HEED_PIECE_SPACE - 1);
    heed_text_append(&p->word, word, length);
    HEED_TRY(heed_text_status(&p->word));
    return p->kind == HEED_PIECES_BPE ? cut_bpe(p, p->word.bytes, p->word.length, NULL, out)
                                      : cut_unigram(p, p->word.bytes, p->word.length, out);
}

/* In `ids` a word's count of ids stands before them. */
static heed_status learn_word(heed_pieces *p, const char *word, size_t length, int32_t *index)
{
    if (p->known.count >= KNOWN_WORDS) {
        heed_table_free(&p->known);
        heed_table_init(&p->known, p->context);
        p->ids.count = 0;
    }
    size_t begin = p->ids.count;
    HEED_TRY(heed_ids_add(&p->ids, 0));
    heed_status status = cut_anew(p, word, length, &p->ids);
    if (status == HEED_OK)
        status = heed_table_add(&p->known, word, length, index);
    if (status != HEED_OK) {
        p->ids.count = begin;
        return status;
    }
    p->ids.ids[begin] = (int32_t)(p->ids.count - begin - 1);
    p->known.entries[*index].count = (int64_t)begin;
    return HEED_OK;
}

heed_status heed_pieces_cut(heed_pieces *p, const char *word, size_t length, heed_ids *out)
{
    if (length > LONGEST_PIECE) /* rare, and it would be large */
        return cut_anew(p, word, length, out);
    int32_t index = heed_table_find(&p->known, word, length);
    if (index < 0)
        HEED_TRY(learn_word(p, word, length, &index));
    const int32_t *ids = p->ids.ids + p->known.entries[index].count;
    for (int32_t i = 1; i <= ids[0]; i++)
        HEED_TRY(heed_ids_add(out, ids[i]));
    return HEED_OK;
}

/* ---- ids cut another way */

static bool begins_word(const heed_pieces *p, int32_t id)
{
    const char *piece = heed_vocabulary_token(p->vocabulary, id);
    return strncmp(piece, HEED_PIECE_SPACE, sizeof HEED_PIECE_SPACE - 1) == 0;
}

/* A word with unknown characters, which its ids do not tell, stays as it is. */
static heed_status cut_word_again(heed_pieces *p, const int32_t *ids, size_t count, const heed_chance *chance,
                                  heed_ids *out)
{
    bool known = true;
    p->word.length = 0;
    for (size_t i = 0; i < count; i++) {
        const char *piece = heed_vocabulary_token(p->vocabulary, ids[i]);
        heed_text_append(&p->word, piece, strlen(piece));
        known &= ids[i] >= HEED_SPECIALS;
    }
    HEED_TRY(heed_text_status(&p->word));
    if (known)
        return cut_bpe(p, p->word.bytes, p->word.length, chance, out);
    for (size_t i = 0; i < count; i++)
        HEED_TRY(heed_ids_add(out, ids[i]));
    return HEED_OK;
}

heed_status heed_pieces_cut_again(heed_pieces *p, const int32_t *ids, size_t count, const heed_chance *chance,
                                  heed_ids *out)
{
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && !begins_word(p, ids[end]);)
            end++;
        HEED_TRY(cut_word_again(p, ids + first, end - first, chance, out));
    }
    return HEED_OK;
}
