/* heed bench: a table of works, each in a file of its own, and what they share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "command.h"
#include "heed/graph.h"

typedef struct bench_values {
    const char *what, *recipe, *model, *input;
    cli_list    set;
    int64_t     batch, length, target_length, vocabulary, target_vocabulary, steps, beam; /* batch 0: the work's own */
    int64_t     heads, query_length, key_length, head_size, width;                 /* key_length 0: as query_length */
    int64_t     inputs, units, m, n, k; /* units, length 0: the work's own */
    bool        causal, lengths, weights, backward, json;
} bench_values;

/* A piece of work to time: says what it took by bench_print(), and returns an exit status. */
typedef struct bench_work {
    const char *name;
    int (*run)(cli_session *s, const bench_values *v);
    bool backward; /* whether it has a backward pass to time as well */
} bench_work;

int bench_attention(cli_session *s, const bench_values *v);
int bench_additive(cli_session *s, const bench_values *v);
int bench_lstm(cli_session *s, const bench_values *v);
int bench_gru(cli_session *s, const bench_values *v);
int bench_gemm(cli_session *s, const bench_values *v);
int bench_decode(cli_session *s, const bench_values *v);

/* What the work took, and how much of what it was: "gflops" of 1e9 operations, say, counted in `amount`. */
typedef struct bench_result {
    const char *work;          /* "attention" */
    double      best, median;  /* seconds */
    const char *rate;          /* key of the JSON object */
    double      amount;        /* rate = amount / best, or */
    bool        inverse;       /* best / amount */
    bool        backward;      /* both passes were timed */
    const char *more;          /* further members of the JSON object, ", \"heads\": 8"; "" */
} bench_result;

void bench_print(const cli_session *s, const bench_values *v, const bench_result *r);

/* Fills `count` floats with numbers around 0 that are the same each time. */
void bench_fill(float *x, int64_t count);
/* So many of them, to be freed; NULL where there is no memory for them. */
float *bench_floats(double count);
/* cli_refused(), which tells of memory that the command itself did not get too. */
int bench_refused(const cli_session *s, heed_status status);
/* Plans a graph for the `count` tensors in `wanted`, of which the first is the work's result; with `backward` also for its
 * gradients, by seed, with respect to the operands, for which `wanted` has room. */
heed_status bench_plan(heed_graph *g, bool backward, heed_tensor *seed, heed_tensor *const *operands,
                       size_t operand_count, heed_tensor **wanted, size_t count);
/* Does the work once to warm up, then steps times; best and median in seconds. */
heed_status bench_time(heed_status (*work)(void *user), void *user, int64_t steps, double *best, double *median);
/* The same of a graph that is planned and bound. */
heed_status bench_graph(heed_graph *g, int64_t steps, double *best, double *median);

#endif
