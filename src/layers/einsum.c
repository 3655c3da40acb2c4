#include "layers/einsum.h"

#include "graph/graph.h"

#include <ctype.h>
#include <string.h>

/* ---- reading ---- */

static bool append(char *letters, char letter)
{
    size_t length = strlen(letters);
    if (length == HEED_MAX_RANK)
        return false;
    letters[length] = letter;
    letters[length + 1] = '\0';
    return true;
}

/* One term, up to a comma, an arrow or the end; an ellipsis becomes `elided` digits. */
static const char *read_term(const char **at, int elided, char *letters)
{
    *letters = '\0';
    for (; **at != '\0' && **at != ',' && **at != '-'; ++*at) {
        if (strncmp(*at, "...", 3) == 0) {
            *at += 2;
            for (int i = elided - 1; i >= 0; i--)
                if (!append(letters, (char)('0' + i)))
                    return "it has too many dimensions";
        } else if (!isalpha((unsigned char)**at) && **at != ' ') {
            return "it holds what is no letter";
        } else if (**at != ' ' && strchr(letters, **at) != NULL) {
            return "a letter stands twice in one term";
        } else if (**at != ' ' && !append(letters, **at)) {
            return "it has too many dimensions";
        }
    }
    return NULL;
}

/* How many dimensions the ellipsis of the term at `at` stands for. */
static int elided_by(const char *at, int rank)
{
    int letters = 0;
    bool ellipsis = false;
    for (; *at != '\0' && *at != ',' && *at != '-'; at++) {
        letters += isalpha((unsigned char)*at) != 0;
        ellipsis |= *at == '.';
    }
    return ellipsis && rank > letters ? rank - letters : 0;
}

static bool is_known(const heed_equation *e, char letter)
{
    for (int i = 0; i < e->count; i++)
        if (strchr(e->terms[i], letter) != NULL)
            return true;
    return false;
}

/* Without an arrow, the result has the letters that stand in one term alone, in their order, behind the ellipsis. */
static void imply_result(heed_equation *e, int elided)
{
    *e->result = '\0';
    for (int i = elided - 1; i >= 0; i--)
        append(e->result, (char)('0' + i));
    for (int letter = 'A'; letter <= 'z'; letter++) {
        int terms = 0;
        for (int i = 0; i < e->count; i++)
            terms += strchr(e->terms[i], letter) != NULL;
        if (isalpha(letter) && terms == 1)
            append(e->result, (char)letter);
    }
}

const char *heed_equation_read(const char *text, const int *ranks, int count, heed_equation *e)
{
    const char *at = text, *wrong = NULL;
    int most = 0;
    if (text == NULL)
        return "there is none";
    *e = (heed_equation){.count = count};
    for (int i = 0; i < count; i++) {
        int elided = elided_by(at, ranks[i]);
        most = elided > most ? elided : most;
        if ((wrong = read_term(&at, elided, e->terms[i])) != NULL)
            return wrong;
        if (ranks[i] != HEED_ANY && (int)strlen(e->terms[i]) != ranks[i])
            return "a term's letters are not as many as its operand's dimensions";
        if (i + 1 < count && *at++ != ',')
            return "it has fewer terms than there are operands";
    }
    if (*at == '\0') {
        imply_result(e, most);
        return NULL;
    }
    if (strncmp(at, "->", 2) != 0)
        return "it has more terms than there are operands";
    at += 2;
    if ((wrong = read_term(&at, most, e->result)) != NULL)
        return wrong;
    for (const char *letter = e->result; *letter != '\0'; letter++)
        if (!is_known(e, *letter))
            return "the result has a letter that no operand has";
    return *at == '\0' ? NULL : "something stands behind the result";
}

/* ---- computing ---- */

/* Letters by what becomes of them: kept side by side, kept from one operand, summed over products. */
typedef struct roles {
    char batch[HEED_MAX_RANK + 1], own[HEED_MAX_TERMS][HEED_MAX_RANK + 1], summed[HEED_MAX_RANK + 1];
} roles;

static heed_tensor *drop_lonely(heed_tensor *x, const heed_equation *e, int term, char *left)
{
    int axes[HEED_MAX_RANK], count = 0;
    *left = '\0';
    for (int i = 0; e->terms[term][i] != '\0'; i++) {
        char letter = e->terms[term][i];
        bool elsewhere = strchr(e->result, letter) != NULL || (e->count == 2 && strchr(e->terms[1 - term], letter) != NULL);
        if (elsewhere)
            append(left, letter);
        else
            axes[count++] = i;
    }
    return count == 0 ? x : heed_op_sum(x, axes, count, false);
}

/* x, whose dimensions are called `from`, in the order `to`. */
static heed_tensor *arrange(heed_tensor *x, const char *from, const char *to)
{
    int order[HEED_MAX_RANK];
    if (strcmp(from, to) == 0)
        return x;
    for (int i = 0; to[i] != '\0'; i++)
        order[i] = (int)(strchr(from, to[i]) - from);
    return heed_op_transpose(x, order);
}

/* The product of the sizes of some letters. */
static int64_t extent(const int64_t *sizes, const char *letters)
{
    int64_t n = 1;
    for (; *letters != '\0'; letters++)
        n *= sizes[(unsigned char)*letters];
    return n;
}

static void join(char *out, const char *a, const char *b, const char *c)
{
    const char *const parts[] = {a, b, c};
    *out = '\0';
    for (int i = 0; i < 3; i++)
        for (const char *letter = parts[i]; *letter != '\0'; letter++)
            append(out, *letter);
}

/* An operand as (batch, own, summed), or, where it lies so, as (batch, summed, own): *transposed. Without batch, of rank 2. */
static heed_tensor *as_matrices(heed_tensor *x, const char *letters, const roles *r, int term, const int64_t *sizes,
                                bool *transposed)
{
    char plain[HEED_MAX_RANK + 1], turned[HEED_MAX_RANK + 1];
    join(plain, r->batch, r->own[term], r->summed);
    join(turned, r->batch, r->summed, r->own[term]);
    *transposed = strcmp(letters, turned) == 0 && strcmp(letters, plain) != 0;
    int64_t own = extent(sizes, r->own[term]), summed = extent(sizes, r->summed);
    heed_shape shape = {3, {extent(sizes, r->batch), *transposed ? summed : own, *transposed ? own : summed}};
    if (*r->batch == '\0')
        shape = (heed_shape){2, {shape.dims[1], shape.dims[2]}};
    return heed_op_reshape(arrange(x, letters, *transposed ? turned : plain), &shape);
}

static heed_tensor *product(const heed_equation *e, heed_tensor *const *x, const int64_t *sizes)
{
    char letters[HEED_MAX_TERMS][HEED_MAX_RANK + 1], all[HEED_MAX_RANK + 1];
    heed_tensor *matrices[HEED_MAX_TERMS];
    bool transposed[HEED_MAX_TERMS];
    roles r = {.batch = ""};
    for (const char *letter = e->terms[0]; *letter != '\0'; letter++) {
        bool shared = strchr(e->terms[1], *letter) != NULL, kept = strchr(e->result, *letter) != NULL;
        if (shared || kept)
            append(!shared ? r.own[0] : kept ? r.batch : r.summed, *letter);
    }
    for (const char *letter = e->terms[1]; *letter != '\0'; letter++)
        if (strchr(e->terms[0], *letter) == NULL && strchr(e->result, *letter) != NULL)
            append(r.own[1], *letter);
    for (int i = 0; i < 2; i++) {
        heed_tensor *left = drop_lonely(x[i], e, i, letters[i]);
        matrices[i] = as_matrices(left, letters[i], &r, i, sizes, &transposed[i]);
    }
    heed_tensor *y = heed_op_matmul_transposed(matrices[0], transposed[0], matrices[1], !transposed[1]);
    join(all, r.batch, r.own[0], r.own[1]);
    heed_shape shape = {(int)strlen(all), {0}};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = sizes[(unsigned char)all[i]];
    return arrange(heed_op_reshape(y, &shape), all, e->result);
}

heed_tensor *heed_einsum(const heed_equation *e, heed_tensor *const *x)
{
    int64_t sizes[128] = {0};
    char letters[HEED_MAX_RANK + 1];
    for (int t = 0; t < e->count; t++)
        for (int i = 0; e->terms[t][i] != '\0'; i++) {
            int64_t *size = &sizes[(unsigned char)e->terms[t][i]], found = heed_tensor_dim(x[t], i);
            if (x[t] == NULL)
                return NULL;
            if (*size != 0 && *size != found)
                return heed_graph_fail(x[t]->graph, HEED_ESHAPE,
                                       "einsum: the sizes of %c do not agree (found %lld and %lld)", e->terms[t][i],
                                       (long long)*size, (long long)found);
            *size = found;
        }
    return e->count == 2 ? product(e, x, sizes) : arrange(drop_lonely(x[0], e, 0, letters), letters, e->result);
}
