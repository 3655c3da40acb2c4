/* heed translate, plot, summary and bench as a user meets them: order, streaming, scores, pictures, and what they refuse. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/json.h"
#include "support/command.h"
#include "support/files.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds after which a program that says nothing is taken for dead. */
enum { PATIENCE = 300, LINES = 40 };

static void must_run(const char *line)
{
    if (heed_test_run(line) != 0)
        fail_msg("%s\n%s", line, heed_test_err);
}

/* What the line prints, to be freed. */
static char *output_of(const char *line)
{
    must_run(line);
    char *text = heed_test_out;
    heed_test_out = NULL;
    return text;
}

static int make_translator(void **state)
{
    (void)state;
    must_run("rm -f m.*; heed dates 200 --seed 1 --locales en,fr >pairs.tsv; cut -f 1 pairs.tsv | head -n 40 >source.txt; "
             "cut -f 2 pairs.tsv | head -n 40 >reference.txt; "
             "heed train pairs.tsv --save m.keras --steps 60 --set units=12 --set embedding=12 --set batch_size=16 --set learning_rate=0.01");
    return 0;
}

static int remove_all(void **state)
{
    must_run("rm -rf m.* *.tsv *.txt *.jsonl *.png *.svg *.html *.pdf *.csv folder.keras");
    return heed_test_forget_command(state);
}

/* ---- translate */

/* A line's answer depends neither on the lines around it, nor on threads, nor on how it comes and goes. */
static void test_order(void **state)
{
    (void)state;
    char *all = output_of("heed translate m.keras source.txt --scores --n-best 3");
    int lines = 0;
    for (const char *c = all; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3 * LINES);
    static const char *const same[] = {
        "heed translate m.keras source.txt --scores --n-best 3 --threads 1",
        "heed translate m.keras source.txt --scores --n-best 3 --threads 3",
        "heed translate m.keras --scores --n-best 3 <source.txt",
        "heed translate m.keras - --scores --n-best 3 -o - <source.txt",
        "cat source.txt | heed translate m.keras --scores --n-best 3",
        "gzip -c source.txt | heed translate m.keras --scores --n-best 3",
        "sed 's/$/\\r/' source.txt | heed translate m.keras --scores --n-best 3",
        "heed translate m.keras source.txt --scores --n-best 3 -o m.txt && cat m.txt",
        "for i in 1 7 14 40; do sed -n \"$((a + 1)),${i}p\" source.txt | heed translate m.keras --scores --n-best 3; a=$i; done",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        heed_test_prints(same[i], all);
    free(all);
    all = output_of("heed translate m.keras source.txt");
    heed_test_prints("heed translate m.keras source.txt --scores | cut -f 2", all);
    heed_test_prints("heed translate m.keras source.txt --scores --n-best 3 | sed -n '1~3p' | cut -f 2", all);
    free(all);
    heed_test_prints("heed translate m.keras /dev/null", "");
    heed_test_prints("printf '\\n\\n' | heed translate m.keras --n-best 2", "\n\n\n\n");
}

/* What is drawn depends on the seed and the line's number alone. */
static void test_samples(void **state)
{
    (void)state;
    char *all = output_of("heed translate m.keras source.txt --scores --sample --n-best 2 --seed 5");
    static const char *const same[] = {
        "heed translate m.keras source.txt --scores --sample --n-best 2 --seed 5 --threads 1",
        "heed translate m.keras source.txt --scores --sample --n-best 2 --seed 5 --batch-size 3",
        "cat source.txt | heed translate m.keras --scores --sample --n-best 2 --seed 5 --temperature 1 --top-p 1",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        heed_test_prints(same[i], all);
    free(all);
    all = output_of("heed translate m.keras source.txt --beam 1");
    heed_test_prints("heed translate m.keras source.txt --sample --top-k 1 --seed 8", all);
    free(all);
    heed_test_prints("heed translate m.keras source.txt --min-length 5 --max-length 5 | awk 'length != 5' | wc -l", "0\n");
}

/* A line that comes alone is answered before the next one comes. */
static void test_streaming(void **state)
{
    (void)state;
    int in[2], out[2];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        close(out[0]);
        execl(getenv("HEED_BINARY"), "heed", "translate", "m.keras", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(in[1], "3 mai 1979\n", 11), 11);
        char c = '\0';
        while (c != '\n') {
            assert_int_equal(poll(&(struct pollfd){.fd = out[0], .events = POLLIN}, 1, PATIENCE * 1000), 1);
            assert_int_equal(read(out[0], &c, 1), 1);
        }
    }
    close(in[1]);
    close(out[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_reference(void **state)
{
    (void)state;
    must_run("heed translate m.keras source.txt -o m.txt --reference reference.txt");
    char *said = heed_test_err;
    heed_test_err = NULL;
    double exact, rate;
    assert_int_equal(sscanf(said, "40 lines, exact match %lf %%, token error rate %lf %%\n", &exact, &rate), 2);
    free(said);
    char *scores = output_of("heed score m.txt reference.txt --json");
    double expected;
    assert_int_equal(sscanf(scores, "{\"lines\": 40, \"exact_match\": %lf", &expected), 1);
    assert_true(exact > 100 * expected - 0.01 && exact < 100 * expected + 0.01);
    free(scores);
    must_run("heed translate m.keras source.txt --reference reference.txt --quiet");
    assert_string_equal(heed_test_err, "");
    must_run("heed translate m.keras m.txt --reference m.txt");
    heed_test_fails("head -n 39 reference.txt >few.txt; heed translate m.keras source.txt -o m.txt --reference few.txt", 1,
                    "heed: source.txt: more lines than few.txt (expected 39)\n");
    heed_test_fails("heed translate m.keras few.txt -o m.txt --reference source.txt", 1,
                    "heed: source.txt: more lines than few.txt (expected 39)\n");
}

/* Each line of the file is one JSON object, whatever the text. */
static void test_alignments(void **state)
{
    (void)state;
    must_run("printf '3 \"mai\" \\\\ 1979\\n\\001\\b\\t\\177 \\302\\205\\342\\200\\250 \\360\\237\\230\\200\\n\\n12.03.09\\n' >strange.txt; "
             "heed translate m.keras strange.txt -o m.txt --n-best 2 --alignments m.jsonl");
    char *text = heed_test_read_file("m.jsonl", NULL), *rest;
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    int lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), lines++) {
        heed_zone z;
        heed_zone_init(&z, c);
        heed_json *object;
        if (heed_json_parse(&z, "m.jsonl", line, strlen(line), &object) != HEED_OK)
            fail_msg("%s\n%s", heed_error(c), line);
        const heed_json *source = heed_json_find(object, "source"), *target = heed_json_find(object, "target"),
                        *weights = heed_json_find(object, "weights");
        assert_non_null(source);
        assert_non_null(target);
        assert_non_null(weights);
        heed_zone_free(&z);
    }
    heed_context_free(c);
    free(text);
    assert_int_equal(lines, 7); /* two for each line, one for the empty one */
}

static void test_translate_refuses(void **state)
{
    (void)state;
    must_run("head -c 3000 m.keras >m.short; tr '\\000-\\377' '\\001-\\377\\000' <m.keras >m.other; mkdir -p folder.keras; "
             "printf '\\211PNG\\r\\n\\032\\n' >m.png");
    static const struct {
        const char *line;
        int         status;
        const char *error;
    } cases[] = {
        {"heed translate no.keras", 1, "no.keras: cannot open: No such file or directory\n"},
        {"heed translate m.png", 1, "m.png: not a model file (expected a .keras archive, HDF5 or JSON)\n"},
        {"heed translate m.other", 1, "m.other: not a model file (expected a .keras archive, HDF5 or JSON)\n"},
        {"heed translate m.short", 1, "m.short: cannot open as a zip archive: Not a zip archive\n"},
        {"heed translate /dev/null", 1, "/dev/null: not a model file (expected a .keras archive, HDF5 or JSON)\n"},
        {"heed translate folder.keras", 1, "folder.keras: config.json is missing (expected a Keras archive)\n"},
        {"heed translate m.keras no.txt", 1, "no.txt: cannot open: No such file or directory\n"},
        {"heed translate m.keras .", 1, ".: cannot read: Is a directory\n"},
        {"heed translate m.keras source.txt -o no/m.txt", 1, "no/m.txt: cannot write: No such file or directory\n"},
        {"heed translate m.keras source.txt -o m.txt --alignments no/m.jsonl", 1,
         "no/m.jsonl: cannot write: No such file or directory\n"},
        {"heed translate m.keras source.txt -o m.txt --reference no.txt", 1,
         "no.txt: cannot open: No such file or directory\n"},
        {"heed translate m.keras source.txt >/dev/full", 1, "standard output: cannot write: No space left on device\n"},
        {"heed translate m.keras source.txt -o m.txt --alignments /dev/full", 1,
         "/dev/full: cannot write: No space left on device\n"},
        {"heed translate m.keras --beam 2 --n-best 3", 2,
         "--n-best: more than --beam keeps (expected at most 2, found 3)\nhint: see heed translate --help\n"},
        {"heed translate m.keras --beam 0", 2,
         "--beam: not a value it can take (expected a whole number from 1 to 64, found \"0\")\n"
         "hint: heed translate --help lists arguments and options\n"},
        {"heed translate m.keras --top-k 3", 2,
         "--temperature, --top-k, --top-p: say how to draw (expected --sample)\nhint: see heed translate --help\n"},
        {"heed translate m.keras --sample --top-p 0", 2,
         "--top-p: not a value it can take (expected a number above 0, at most 1, found \"0\")\n"
         "hint: heed translate --help lists arguments and options\n"},
        {"heed translate m.keras --min-length 5 --max-length 4", 2,
         "--min-length: more than --max-length\nhint: see heed translate --help\n"},
        {"heed translate m.keras --reference -", 2,
         "standard input: cannot be both FILE and --reference\nhint: see heed translate --help\n"},
        {"heed translate m.keras --alignments -", 2,
         "--alignments: needs a file other than the translations'\nhint: see heed translate --help\n"},
        {"heed translate", 2, "MODEL is missing\nhint: heed translate --help lists arguments and options\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512];
        snprintf(error, sizeof error, "heed: %s", cases[i].error);
        must_run("rm -f m.txt m.jsonl");
        heed_test_fails(cases[i].line, cases[i].status, error);
        heed_test_prints("ls m.txt* m.jsonl* 2>/dev/null | grep -v '^m.txt$' || true", ""); /* nothing half-written */
    }
}

/* The lines before a bad one have their answers; a file appears whole or not at all. */
static void test_bad_lines(void **state)
{
    (void)state;
    static const char latin[] = "heed: standard input:3: not UTF-8 (found 0xE9 at byte 4)\n"
                                "hint: if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8\n";
    char *two = output_of("head -n 2 source.txt | heed translate m.keras");
    assert_int_equal(heed_test_run("{ head -n 2 source.txt; printf 'caf\\351\\n'; } | heed translate m.keras"), 1);
    assert_string_equal(heed_test_err, latin);
    assert_string_equal(heed_test_out, two);
    heed_test_fails("{ head -n 2 source.txt; printf 'caf\\351\\n'; } | heed translate m.keras -o m.bad", 1, latin);
    assert_false(heed_test_exists("m.bad"));
    assert_int_equal(heed_test_run("{ head -n 2 source.txt; head -c 5000 /dev/zero | tr '\\0' 1; echo; cat source.txt; } | "
                                   "heed translate m.keras"), 1);
    assert_string_equal(heed_test_err, "heed: line 3: too long (expected at most 1600 tokens, found 5000)\n");
    assert_string_equal(heed_test_out, two);
    free(two);
    assert_int_equal(heed_test_run("head -c 2000000 /dev/zero | tr '\\0' 1 | heed translate m.keras"), 1);
    assert_string_equal(heed_test_err, "heed: standard input:1: too long a line (expected at most 1048576 bytes)\n");
}

static void test_reader_that_stops(void **state)
{
    (void)state;
    must_run("for i in 1 2 3 4 5 6 7 8; do cat source.txt; done | heed translate m.keras --beam 1 | head -n 1");
    assert_string_equal(heed_test_err, "");
}

/* Wherever a model file is cut or changed, there is one line of error, and no crash. */
static void test_damaged_models(void **state)
{
    (void)state;
    size_t size;
    char *bytes = heed_test_read_file("m.keras", &size);
    for (int i = 0; i < 24; i++) {
        bool cut = i % 2 == 0;
        size_t at = size * (size_t)(i + 1) / 25;
        bytes[at] ^= 0x55;
        heed_test_write_file("m.damaged", bytes, cut ? at : size);
        bytes[at] ^= 0x55;
        int status = heed_test_run("echo 1 | heed translate m.damaged --max-length 3");
        if (cut ? status != 1 : status > 1)
            fail_msg("damage %d at byte %zu: exit status %d, %s", i, at, status, heed_test_err);
        if (status == 1)
            assert_ptr_equal(strstr(heed_test_err, "heed: "), heed_test_err);
    }
    free(bytes);
}

/* ---- plot, summary, bench */

static void test_plot(void **state)
{
    (void)state;
    static const char *const kinds[] = {"png", "svg", "pdf", "html", "txt"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char line[128];
        snprintf(line, sizeof line, "heed plot m.keras --text '3 mai 1979' -o picture.%s && test -s picture.%s",
                 kinds[i], kinds[i]);
        heed_test_prints(line, "");
    }
    must_run("heed plot m.keras --text '3 mai 1979'");
    assert_ptr_equal(strstr(heed_test_out, "3 mai 1979  ->  "), heed_test_out);
    assert_null(strchr(heed_test_out, '\033')); /* no colours where nobody looks */
    must_run("printf 'epoch,loss,accuracy\\n0,1.5,0.25\\n1,nan,0.5\\n2,0.5,\\n' >h.csv; heed plot --history h.csv");
    /* what heed train writes stands where its epochs are, and its steps are no curve */
    must_run("printf 'epoch,step,seconds,loss\\n0.5,1,1,3\\n2,4,2,2\\n2.5,5,3,1\\n' >h.csv; heed plot --history h.csv");
    assert_null(strstr(heed_test_out, "step"));
    assert_non_null(strstr(heed_test_out, " 1.0 "));
    static const struct {
        const char *line;
        int         status;
        const char *error;
    } cases[] = {
        {"heed plot no.keras --text a", 1, "no.keras: cannot open: No such file or directory\n"},
        {"heed plot m.keras --text ''", 1, "--text \"\": there is nothing to draw\n"},
        {"heed plot m.keras --text a -o p.xyz", 1,
         "p.xyz: cannot tell what kind of picture to make (expected a name ending in .png, .svg, .pdf, .html or .txt)\n"},
        {"heed plot m.keras --text a --text b -o p.png", 1,
         "p.png: wrong number of heatmaps (expected 1; .pdf and .html take several, found 2)\n"},
        {"heed plot m.keras --text a -o no/p.png", 1, "no/p.png: cannot write: No such file or directory\n"},
        {"heed plot m.keras --text a >/dev/full", 1, "standard output: cannot write: No space left on device\n"},
        {"heed plot m.keras --text a --map 'layer 1'", 2,
         "--map: the model has no alignment of this name (found \"layer 1\")\nhint: it has 'attention'\n"},
        {"heed plot m.keras", 2,
         "what to draw is missing (expected MODEL and --text, or --history)\nhint: see heed plot --help\n"},
        {"heed plot m.keras --history h.csv", 2,
         "--history: a picture of its own (without MODEL and --text)\nhint: see heed plot --help\n"},
        {"heed plot --history no.csv", 1, "no.csv: cannot open: No such file or directory\n"},
        {"heed plot --history /dev/null", 1,
         "/dev/null: no history (expected a line of names, then lines of numbers)\n"},
        {"printf 'epoch,loss\\na,b\\n' >h.csv; heed plot --history h.csv", 1,
         "h.csv: no history (expected a line of names, then lines of numbers)\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512];
        snprintf(error, sizeof error, "heed: %s", cases[i].error);
        heed_test_fails(cases[i].line, cases[i].status, error);
        heed_test_prints("ls p.* 2>/dev/null || true", "");
    }
    must_run("rm picture.*");
}

static void test_summary(void **state)
{
    (void)state;
    must_run("heed summary m.keras --memory 32,20");
    assert_non_null(strstr(heed_test_out, "Total params: "));
    assert_non_null(strstr(heed_test_out, "\nA batch of 32, sizes that vary set to 20:\nweights "));
    char *text = output_of("heed summary m.keras --memory 32,20 --json");
    heed_context *c;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    heed_zone z;
    heed_zone_init(&z, c);
    heed_json *object;
    assert_int_equal(heed_json_parse(&z, "summary", text, strlen(text), &object), HEED_OK);
    assert_non_null(heed_json_find(object, "memory"));
    heed_zone_free(&z);
    heed_context_free(c);
    free(text);
    static const char *const wrong[] = {"", "32", "32,", ",20", "a,b", "0,3", "-1,2", "1,2,3", "1,2 ",
                                        "99999999999999999999,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[128], error[256];
        snprintf(line, sizeof line, "heed summary m.keras --memory '%s'", wrong[i]);
        snprintf(error, sizeof error,
                 "heed: --memory: expected BATCH,LENGTH, two whole numbers from 1 on, found \"%s\"\n", wrong[i]);
        heed_test_fails(line, 2, error);
    }
    assert_int_equal(heed_test_run("heed summary m.keras --memory 9999999999,9999999999"), 1);
    assert_string_equal(heed_test_out, "");
    heed_test_fails("heed summary m.keras >/dev/full", 1,
                    "heed: standard output: cannot write: No space left on device\n");
}

int main(void)
{
    if (!heed_test_has_command())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_alignments),
        cmocka_unit_test(test_translate_refuses),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_reader_that_stops),
        cmocka_unit_test(test_damaged_models),
        cmocka_unit_test(test_plot),
        cmocka_unit_test(test_summary),
    };
    return cmocka_run_group_tests(tests, make_translator, remove_all);
}
