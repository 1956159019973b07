#include "config.h"

#include <signal.h>
#include <string.h>

#include "src/worker/harness.h"
#include "tests/lib/suite.h"

static void endings(void)
{
    static const struct {
        struct txg_ending ending;
        enum txg_outcome outcome;
        const char *reason;
    } rows[] = {
        {{.status = 0}, TXG_PASSED, ""},
        {{.status = 1}, TXG_FAILED, "exit status 1"},
        {{.status = 3}, TXG_FAILED, "exit status 3"},
        {{.status = 76}, TXG_FAILED, "exit status 76"},
        {{.status = 77}, TXG_SKIPPED, "exit status 77"},
        {{.status = 99}, TXG_ERROR, "exit status 99 (hard error)"},
        {{.status = 126}, TXG_FAILED, "exit status 126"},
        {{.status = 127}, TXG_FAILED, "exit status 127"},
        {{.signal = SIGSEGV}, TXG_CRASHED, "signal 11 (Segmentation fault)"},
        {{.signal = SIGABRT}, TXG_CRASHED, "signal 6 (Aborted)"},
        {{.signal = SIGKILL, .timed_out = true, .timeout = 30000000},
         TXG_TIMED_OUT,
         "no end after 30 s"},
        {{.status = 0, .timed_out = true, .timeout = 1500000}, TXG_TIMED_OUT, "no end after 1.5 s"},
        {{.signal = SIGTERM, .timed_out = true, .timeout = 250000},
         TXG_TIMED_OUT,
         "no end after 250 ms"},
        {{.signal = SIGTERM, .timed_out = true, .timeout = INT64_C(86400000000)},
         TXG_TIMED_OUT,
         "no end after 86400 s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_verdict v = {0};
        txg_harness_exec.judge(NULL, &rows[i].ending, &v);
        CU_ASSERT_EQUAL(v.outcome, rows[i].outcome);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), rows[i].reason);
        CU_ASSERT_EQUAL(v.n_points, 0);
        txg_verdict_release(&v);
    }
}

static void names(void)
{
    CU_ASSERT_PTR_EQUAL(txg_harness_find(TXG_SPAN("exec")), &txg_harness_exec);
    CU_ASSERT_PTR_EQUAL(txg_harness_find(TXG_SPAN("tap")), &txg_harness_tap);
    CU_ASSERT_PTR_NULL(txg_harness_find(TXG_SPAN("auto")));
    CU_ASSERT_PTR_NULL(txg_harness_find(TXG_SPAN("tapp")));
    CU_ASSERT_PTR_NULL(txg_harness_find(txg_span(NULL, 0)));
    CU_ASSERT_STRING_EQUAL(txg_harness_names[0], "auto");
    for (size_t i = 1; txg_harness_names[i]; i++) {
        const struct txg_harness_ops *ops = txg_harness_find(txg_span_cstr(txg_harness_names[i]));
        CU_ASSERT_FATAL(ops != NULL);
        CU_ASSERT_STRING_EQUAL(ops->name, txg_harness_names[i]);
        CU_ASSERT_EQUAL(ops->begin == NULL, ops->end == NULL);
        CU_ASSERT_EQUAL(ops->begin == NULL, ops->feed == NULL && (!ops->cases || ops->persistent));
        CU_ASSERT_EQUAL(ops->judge == NULL, ops->cases != NULL);
    }
}

/* A flood of points that passed leaves room for the ones that did not. */
static void room_for_points(void)
{
    struct txg_verdict v = {0};
    char name[2000];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 2000; i++)
        txg_verdict_add_point(&v, TXG_PASSED, txg_span(name, sizeof name), txg_span(NULL, 0));
    size_t passed = v.n_points;
    CU_ASSERT_EQUAL(passed + v.left_out, 2000);
    CU_ASSERT(passed > 100 && v.left_out > 1000);
    CU_ASSERT_EQUAL(strlen(v.points[0].name), TXG_POINT_NAME_MAX);
    CU_ASSERT_PTR_NULL(v.points[0].text);
    txg_verdict_add_point(&v, TXG_FAILED, TXG_SPAN("a\0b"), TXG_SPAN("why"));
    CU_ASSERT_EQUAL_FATAL(v.n_points, passed + 1);
    CU_ASSERT_STRING_EQUAL(v.points[passed].name, "a?b");
    CU_ASSERT_STRING_EQUAL(v.points[passed].text, "why");
    while (v.left_out < 3000)
        txg_verdict_add_point(&v, TXG_FAILED, TXG_SPAN(""), txg_span(name, sizeof name));
    CU_ASSERT(v.weight <= TXG_POINTS_WEIGHT_MAX);
    CU_ASSERT(v.weight > TXG_POINTS_WEIGHT_MAX - 2 * sizeof name);
    txg_verdict_release(&v);
    CU_ASSERT_EQUAL(v.left_out + v.n_points + v.weight, 0);
}

static void text_of_points(void)
{
    struct txg_verdict v = {0};
    txg_verdict_add_text(&v, TXG_SPAN("nobody's"));
    txg_verdict_add_point(&v, TXG_FAILED, TXG_SPAN("p"), txg_span(NULL, 0));
    txg_verdict_add_text(&v, TXG_SPAN("one"));
    txg_verdict_add_text(&v, TXG_SPAN("t\0wo"));
    CU_ASSERT_STRING_EQUAL(v.points[0].text, "one\nt?wo");
    CU_ASSERT_EQUAL(v.weight, TXG_POINT_WEIGHT + 1 + 8);
    for (int i = 0; i < 10000; i++)
        txg_verdict_add_text(&v, TXG_SPAN("more"));
    CU_ASSERT(strlen(v.points[0].text) <= TXG_POINT_TEXT_MAX);
    CU_ASSERT(strlen(v.points[0].text) > TXG_POINT_TEXT_MAX - 10);
    CU_ASSERT_EQUAL(v.weight, TXG_POINT_WEIGHT + 1 + strlen(v.points[0].text));
    txg_verdict_release(&v);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"endings", endings},
        {"names", names},
        {"room for points", room_for_points},
        {"text of points", text_of_points},
        {0},
    };
    return txg_suite_main(argc, argv, "exec", tests);
}
