#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "src/worker/harness.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

static const struct row {
    const char *doc;
    int status;
    enum txg_outcome outcome;
    const char *reason;
    bool prove_differs; /* on purpose: tap.c has the list */
} rows[] = {
    /* plans and points */
    {"1..2\nok 1\nok 2\n", 0, TXG_PASSED, "", false},
    {"ok 1\nok 2\n1..2\n", 0, TXG_PASSED, "", false},
    {"TAP version 13\n1..1\nok\n", 0, TXG_PASSED, "", false},
    {"TAP version 14\n1..1\nok 1 - fine\n", 0, TXG_PASSED, "", true},
    {"1..2\r\nok 1\r\nok 2\r\n", 0, TXG_PASSED, "", false},
    {"1..1\nok 1 - no newline at the end", 0, TXG_PASSED, "", false},
    {"# a comment\nnoise\n\nTAP version 13\n1..1\nnoise\nok 1\n", 0, TXG_PASSED, "", false},
    {"1..3\nok - one\nok two\nok 3three\n", 0, TXG_PASSED, "", false},
    {"1..1\nok1\nokay\nnotok\nnot  ok\nok 1\n", 0, TXG_PASSED, "", false},
    {"1..2\nok 1\nnot ok 2 - second # thing\n", 0, TXG_FAILED, "point 2 - second # thing failed",
     false},
    {"1..3\nnot ok\nok\nnot ok 3 - x\n", 2, TXG_FAILED, "2 of 3 points failed, first 1", false},
    {"1..1\nok 1\n", 1, TXG_FAILED, "exit status 1 though its only point passed", false},
    {"1..5\nok\nok\nok\nok\nok\n", 1, TXG_FAILED, "exit status 1 though all 5 points passed",
     false},
    {"1..1\nok 1\n", 77, TXG_FAILED, "exit status 77 though its only point passed", false},
    /* plans that don't fit */
    {"1..5\nok 1\nok 2\n", 0, TXG_ERROR, "plan 1..5 but only 2 points", false},
    {"1..5\nok 1\n", 255, TXG_ERROR, "plan 1..5 but only 1 point, exit status 255", false},
    {"1..5\nok 1\nnot ok 2 - x\n", 9, TXG_FAILED, "point 2 - x failed; plan 1..5 but only 2 points",
     false},
    {"1..1\nok 1\nok 2\n", 0, TXG_ERROR, "plan 1..1 but 2 points", false},
    {"1..2\n", 0, TXG_ERROR, "plan 1..2 but only 0 points", false},
    {"ok 1\nok 2\n", 0, TXG_ERROR, "no plan, 2 points", false},
    {"ok 1\n", 3, TXG_ERROR, "no plan, 1 point, exit status 3", false},
    {"", 0, TXG_ERROR, "no output, where TAP was expected", false},
    {"", 1, TXG_ERROR, "no output, where TAP was expected, exit status 1", false},
    {"hello\n", 0, TXG_ERROR, "neither a plan nor points in the output: does it speak TAP?", false},
    {"1..2\nok 1\nok 2\n1..2\n", 0, TXG_ERROR, "two plans, 1..2 and 1..2", false},
    {"1..1\n1..2\nok 1\n", 0, TXG_ERROR, "two plans, 1..1 and 1..2", false},
    {"ok 1\n1..2\nok 2\n", 0, TXG_ERROR, "point 2 behind the plan 1..2, which had points before it",
     false},
    {"1..2\nok 2\nok 1\n", 0, TXG_ERROR, "point 2 came where 1 was expected", false},
    {"1..2\nok 1\nok 1\n", 0, TXG_ERROR, "point 1 came where 2 was expected", false},
    {"1..1\nok 99999999999999999999999\n", 0, TXG_ERROR,
     "point 576460752303423487 came where 1 was expected", false},
    {"1..1\nok 0\n", 0, TXG_ERROR, "point 0 came where 1 was expected", false},
    {"1..2 # two\nok 1\nok 2\n", 0, TXG_ERROR, "no plan, 2 points", false},
    {"TAP version 14\n1..2 # two\nok 1\nok 2\n", 0, TXG_PASSED, "", true},
    {"1..2 todo 2\nok 1\nnot ok 2\n", 0, TXG_FAILED, "point 2 failed; no plan, 2 points", true},
    {"2..3\nok 1\nok 2\n", 0, TXG_ERROR, "no plan, 2 points", false},
    /* nothing to do */
    {"1..0 # SKIP no hardware\n", 0, TXG_SKIPPED, "no hardware", false},
    {"1..0 # skip: no hardware\n", 0, TXG_SKIPPED, ": no hardware", false},
    {"TAP version 13\n1..0 # Skip\n", 0, TXG_SKIPPED, "plan 1..0", false},
    {"1..0\n", 0, TXG_SKIPPED, "plan 1..0", false},
    {"1..0 whatever\n", 0, TXG_SKIPPED, "plan 1..0", false},
    {"TAP version 13\n1..0 whatever\n", 0, TXG_ERROR,
     "neither a plan nor points in the output: does it speak TAP?", false},
    {"1..0 # SKIP x\n", 1, TXG_FAILED, "exit status 1 though all was skipped", false},
    {"1..0 # SKIP x\nok 1\n", 0, TXG_ERROR, "plan 1..0 but 1 point", false},
    {"TAP version 13\n1..2 # SKIP x\n", 0, TXG_ERROR, "plan 1..2 but only 0 points", false},
    {"1..2 # SKIP x\n", 0, TXG_ERROR, "neither a plan nor points in the output: does it speak TAP?",
     false},
    /* directives */
    {"1..2\nok 1 # SKIP no net\nok 2 - x # skip\n", 0, TXG_PASSED, "", false},
    {"1..2\nnot ok 1 # TODO later\nok 2 - x # todo\n", 0, TXG_PASSED, "", false},
    {"1..1\nnot ok 1 # SKIP no net\n", 0, TXG_FAILED, "point 1 failed", false},
    {"1..1\nnot ok 1 # TODOS\n", 0, TXG_FAILED, "point 1 - # TODOS failed", false},
    {"1..1\nnot ok 1 x \\# TODO y\n", 0, TXG_FAILED, "point 1 - x # TODO y failed", false},
    {"1..1\nnot ok 1 x \\\\# TODO y\n", 0, TXG_PASSED, "", false},
    {"1..1\nnot ok 1 x # y # TODO z\n", 0, TXG_FAILED, "point 1 - x # y # TODO z failed", false},
    {"1..1\nnot ok 1 # TODO x\n", 1, TXG_FAILED, "exit status 1 though its only point passed",
     false},
    /* versions and pragmas */
    {"TAP version 12\n1..1\nok 1\n", 0, TXG_ERROR, "TAP version 12, where 13 and 14 are understood",
     false},
    {"TAP version 15\n1..1\nok 1\n", 0, TXG_ERROR, "TAP version 15, where 13 and 14 are understood",
     false},
    {"1..1\nTAP version 13\nok 1\n", 0, TXG_ERROR, "the TAP version does not stand in front",
     false},
    {"TAP version 13\nTAP version 13\n1..1\nok 1\n", 0, TXG_ERROR,
     "the TAP version does not stand in front", false},
    {"tap  Version 13 \n1..1\nok 1\n", 0, TXG_PASSED, "", false},
    {"TAP version thirteen\n1..1\nok 1\n", 0, TXG_PASSED, "", false},
    {"pragma +strict\n1..1\nnoise\nok 1\n", 0, TXG_PASSED, "", false},
    {"TAP version 13\npragma +strict\n1..1\nnoise\nok 1\n", 0, TXG_ERROR,
     "no TAP, under pragma +strict: noise", false},
    {"TAP version 13\npragma +strict\npragma +bail, -strict\n1..1\nnoise\nok 1\n", 0, TXG_PASSED,
     "", false},
    {"TAP version 13\npragma +strict\n1..1\n\n    ok 1\nok 1\n", 0, TXG_PASSED, "", true},
    /* subtests and diagnostic blocks */
    {"1..1\n    1..2\n    ok 1\n    not ok 2\nnot ok 1 - parent\n", 1, TXG_FAILED,
     "point 1 - parent failed", false},
    {"1..1\n    1..2\n    ok 1\n        not ok 1\n    not ok 2\nok 1 - parent\n", 0, TXG_PASSED, "",
     false},
    {"TAP version 13\n1..2\nok 1\n  ---\n  a: 1\n  ...\nok 2\n", 0, TXG_PASSED, "", false},
    {"TAP version 13\n1..2\nok 1\n  ---\n  a: [\n  not yaml\n  ...\nok 2\n", 0, TXG_PASSED, "",
     true},
    {"TAP version 13\n1..2\nok 1\n  ---\n  a: 1\nok 2\n", 0, TXG_PASSED, "", true},
    {"TAP version 13\n1..1\nok 1\n  ---\n  a: 1\n", 0, TXG_PASSED, "", true},
    {"TAP version 13\n1..2\nnot ok 1\n  ---\n  Bail out!\n  ...\nok 2\n", 0, TXG_FAILED,
     "point 1 failed", false},
    /* bytes */
    {"1..1\nok 1 - \xff\xfe ]]> \xc3\n", 0, TXG_PASSED, "", false},
    {"1..1\nnot ok 1 - \xff\n", 0, TXG_FAILED, "point 1 - \xff failed", false},
    /* the end of it: prove stops the whole run at the first of these */
    {"1..3\nok 1\nBail out! no disk\nok 2\nok 3\n", 0, TXG_ERROR, "Bail out! no disk", false},
    {"Bail out!\n", 1, TXG_ERROR, "Bail out!", false},
    {"1..2\nnot ok 1\nBail out!  x \r\n", 0, TXG_ERROR, "Bail out! x", false},
    {"1..1\n    ok 1\n    Bail out! inner\nok 1\n", 0, TXG_ERROR, "Bail out! inner", false},
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static void judge(const char *doc, size_t len, size_t chunk, struct txg_ending ending,
                  struct txg_verdict *out)
{
    void *state = txg_harness_tap.begin();
    for (size_t at = 0; at < len; at += chunk)
        txg_harness_tap.feed(state, doc + at, len - at < chunk ? len - at : chunk);
    txg_harness_tap.judge(state, &ending, out);
    txg_harness_tap.end(state);
}

static void documents(void)
{
    static const size_t chunks[] = {1, 2, 7, 1 << 16};
    for (size_t i = 0; i < N_ROWS; i++) {
        for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
            struct txg_verdict v = {0};
            judge(rows[i].doc, strlen(rows[i].doc), chunks[c],
                  (struct txg_ending){.status = rows[i].status}, &v);
            bool good = v.outcome == rows[i].outcome &&
                        strcmp(txg_buf_cstr(&v.reason), rows[i].reason) == 0;
            if (!good)
                printf("row %zu: %s\n  got %s, %s\n", i, rows[i].doc, txg_outcome_name(v.outcome),
                       txg_buf_cstr(&v.reason));
            CU_ASSERT(good);
            txg_verdict_release(&v);
        }
    }
}

/* Whatever was printed before: a signal is a crash, a time-out a time-out, and points stay. */
static void violent_ends(void)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        struct txg_verdict whole = {0}, v = {0};
        const char *doc = rows[i].doc;
        judge(doc, strlen(doc), 4096, (struct txg_ending){0}, &whole);
        judge(doc, strlen(doc), 4096, (struct txg_ending){.signal = SIGSEGV}, &v);
        CU_ASSERT_EQUAL(v.outcome, TXG_CRASHED);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), "signal 11 (Segmentation fault)");
        CU_ASSERT_EQUAL(v.n_points, whole.n_points);
        txg_verdict_release(&v);
        judge(doc, strlen(doc), 4096,
              (struct txg_ending){.signal = SIGTERM, .timed_out = true, .timeout = 2000000}, &v);
        CU_ASSERT_EQUAL(v.outcome, TXG_TIMED_OUT);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), "no end after 2 s");
        txg_verdict_release(&v);
        txg_verdict_release(&whole);
    }
}

static void expect_point(const struct txg_verdict *v, size_t i, enum txg_outcome outcome,
                         const char *name, const char *text)
{
    CU_ASSERT_FATAL(i < v->n_points);
    CU_ASSERT_EQUAL(v->points[i].outcome, outcome);
    CU_ASSERT_STRING_EQUAL(v->points[i].name, name);
    CU_ASSERT_STRING_EQUAL(v->points[i].text ? v->points[i].text : "(none)", text);
}

static void points(void)
{
    static const char doc[] = "TAP version 14\n"
                              "1..9\n"
                              "ok 1 - with a dash\n"
                              "ok 2 without\r\n"
                              "ok\n"
                              "ok 4 - c\\# \\\\ \\n # SKIP  no net \n"
                              "not ok 5 # todo #12 is open\n"
                              "ok 6 -x # TODO\n"
                              "not ok 7 - seven\n"
                              "  ---\n"
                              "  message: 'no'\n"
                              "    deeper: 1\n"
                              "\n"
                              "  ...\n"
                              "  ---\n"
                              "  not: attached\n"
                              "  ...\n"
                              "    # Subtest: eight\n"
                              "    ok 1 - fine\n"
                              "      ---\n"
                              "      nor: this\n"
                              "      ...\n"
                              "        not ok 1 - leaf\n"
                              "    not ok 2 - branch\n"
                              "    not ok 3 # TODO\n"
                              "    1..3\n"
                              "not ok 8 - eight\n"
                              "not ok 9 - a\0b\n";
    struct txg_verdict v = {0};
    judge(doc, sizeof doc - 1, 5, (struct txg_ending){.status = 3}, &v);
    CU_ASSERT_EQUAL_FATAL(v.n_points, 9);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), "3 of 9 points failed, first 7 - seven");
    expect_point(&v, 0, TXG_PASSED, "with a dash", "(none)");
    expect_point(&v, 1, TXG_PASSED, "without", "(none)");
    expect_point(&v, 2, TXG_PASSED, "point 3", "(none)");
    expect_point(&v, 3, TXG_SKIPPED, "c# \\ \\n", "no net");
    expect_point(&v, 4, TXG_XFAILED, "point 5", "#12 is open");
    expect_point(&v, 5, TXG_XPASSED, "-x", "(none)");
    expect_point(&v, 6, TXG_FAILED, "seven", "message: 'no'\n  deeper: 1\n");
    expect_point(&v, 7, TXG_FAILED, "eight", "not ok 1 - leaf\nnot ok 2 - branch");
    expect_point(&v, 8, TXG_FAILED, "a?b", "(none)");
    txg_verdict_release(&v);
}

/* Nothing that a program prints makes the parser hold more than its caps. */
static void caps(void)
{
    struct txg_verdict v = {0};
    void *state = txg_harness_tap.begin();
    static char flood[1 << 16];
    memset(flood, 'x', sizeof flood);
    txg_harness_tap.feed(state, "1..100001\nok 1 - ", 17);
    for (int i = 0; i < 1000; i++)
        txg_harness_tap.feed(state, flood, sizeof flood);
    txg_harness_tap.feed(state, "\nok 2 # SKIP\n", 13);
    for (int i = 3; i <= 100001; i++)
        txg_harness_tap.feed(state, "ok\n", 3);
    txg_harness_tap.judge(state, &(struct txg_ending){0}, &v);
    txg_harness_tap.end(state);
    CU_ASSERT_EQUAL(v.outcome, TXG_ERROR);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), "more than 100000 points");
    CU_ASSERT_EQUAL(strlen(v.points[0].name), TXG_POINT_NAME_MAX);
    CU_ASSERT_EQUAL(v.points[1].outcome, TXG_SKIPPED);
    CU_ASSERT_EQUAL(v.n_points + v.left_out, 100000);
    CU_ASSERT(v.weight <= TXG_POINTS_WEIGHT_MAX);
    txg_verdict_release(&v);
}

static void caps_of_subtests(void)
{
    struct txg_verdict v = {0};
    void *state = txg_harness_tap.begin();
    txg_harness_tap.feed(state, "1..1\n", 5);
    for (int i = 0; i < 100000; i++)
        txg_harness_tap.feed(state, "    not ok - inner\n", 19);
    txg_harness_tap.feed(state, "not ok 1 - outer # SKIP why\n", 28);
    txg_harness_tap.judge(state, &(struct txg_ending){0}, &v);
    txg_harness_tap.end(state);
    CU_ASSERT_EQUAL_FATAL(v.n_points, 1);
    CU_ASSERT(txg_has_prefix(v.points[0].text, "why\nnot ok - inner\n"));
    CU_ASSERT(strlen(v.points[0].text) <= TXG_POINT_TEXT_MAX);
    txg_verdict_release(&v);
}

/* What prove's state file says of test `i`: 0 good, 1 not, -1 nothing. */
static int prove_said(const char *state, size_t i)
{
    char key[32];
    snprintf(key, sizeof key, "\n  %03zu.t:", i);
    const char *at = strstr(state, key);
    at = at ? strstr(at, "result: ") : NULL;
    return at ? at[8] != '0' : -1;
}

static bool bails_out(const struct row *row)
{
    return row->outcome == TXG_ERROR && txg_has_prefix(row->reason, "Bail out!");
}

static void same_verdict_as_prove(void)
{
    if (system("prove --version >/dev/null 2>&1") != 0) {
        puts("\n    skipped: prove (of perl) is not installed");
        return;
    }
    struct tree t;
    static char state[1 << 16], command[PATH_MAX * 2];
    tree_init(&t);
    for (size_t i = 0; i < N_ROWS; i++) {
        char name[32], script[64];
        snprintf(name, sizeof name, "%03zu.tap", i);
        tree_add(&t, name, 0644, rows[i].doc);
        snprintf(script, sizeof script, "cat %s; exit %d\n", name, rows[i].status);
        snprintf(name, sizeof name, "%03zu.%s", i, bails_out(&rows[i]) ? "bail" : "t");
        tree_add(&t, name, 0755, script);
    }
    snprintf(command, sizeof command, "cd '%s' && prove -Q -e sh --state=save *.t >/dev/null 2>&1",
             t.path);
    CU_ASSERT_NOT_EQUAL(system(command), 0);
    snprintf(command, sizeof command, "%s/.prove", t.path);
    FILE *f = fopen(command, "r");
    CU_ASSERT_FATAL(f != NULL);
    state[fread(state, 1, sizeof state - 1, f)] = '\0';
    fclose(f);
    for (size_t i = 0; i < N_ROWS; i++) {
        bool good = !txg_outcome_is_failure(rows[i].outcome);
        int said = prove_said(state, i);
        if (bails_out(&rows[i])) {
            snprintf(command, sizeof command,
                     "cd '%s' && prove -Q -e sh %03zu.bail >/dev/null 2>&1", t.path, i);
            said = system(command) != 0;
        }
        bool same = said == !good;
        if (said < 0 || same == rows[i].prove_differs)
            printf("row %zu: %s\n  prove says %d\n", i, rows[i].doc, said);
        CU_ASSERT(said >= 0 && same == !rows[i].prove_differs);
    }
    tree_release(&t);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"documents", documents},
        {"violent ends", violent_ends},
        {"points", points},
        {"caps", caps},
        {"caps of subtests", caps_of_subtests},
        {"same verdict as prove", same_verdict_as_prove},
        {0},
    };
    return txg_suite_main(argc, argv, "tap", tests);
}
