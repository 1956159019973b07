#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/terminal.h"
#include "tests/lib/suite.h"
#include "tests/unit/feed.h"

static struct feed_sink sink;

static struct feed new_terminal(struct txg_terminal_options options)
{
    feed_sink_init(&sink);
    if (options.width == 0)
        options.width = 60;
    return (struct feed){.r = txg_terminal_new(&sink.base, &options)};
}

static void drop(struct feed *f)
{
    f->r->ops->free(f->r);
    feed_sink_release(&sink);
}

/* Finishes the run after `seconds`; what came since the last take. */
static const char *end(struct feed *f, double seconds)
{
    struct txg_err err = {0};
    f->now = (int64_t)(seconds * 1e6);
    feed_run_finish(f, 1);
    CU_ASSERT_EQUAL(f->r->ops->finish(f->r, &err), 0);
    return feed_sink_take(&sink);
}

/* Compares and shows where it differs: CUnit does not. */
static void same(const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0)
        fprintf(stderr, "\n--- got\n%s--- expected\n%s---\n", got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fprintf(stderr, "\n--- no \"%s\" in\n%s---\n", part, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

static void hasnt(const char *text, const char *part)
{
    CU_ASSERT_PTR_NULL(strstr(text, part));
}

static void the_device_article(void)
{
    static const struct txg_gateway_info gw[] = {{.number = 0, .id = "gw0", .spec = "popen"},
                                                 {.number = 1, .id = "gw1", .spec = "popen"},
                                                 {.number = 2, .id = "gw2", .spec = "popen"}};
    static const char *const tests[] = {"test_a", "test_b", "test_c"};
    struct feed f = new_terminal(
        (struct txg_terminal_options){.verbosity = -1, .tb = TXG_TB_LINE, .durations = -1});
    feed_run_start(&f, "each", 3);
    for (int i = 0; i < 3; i++)
        feed_gateway(&f, TXG_EVENT_GATEWAY_START, &gw[i]);
    for (int i = 0; i < 3; i++)
        feed_gateway(&f, TXG_EVENT_GATEWAY_READY, &gw[i]);
    for (int i = 0; i < 3; i++)
        feed_collected(&f, &gw[i], 3);
    feed_scheduling(&f, "EachScheduling", 9);
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < 3; i++) {
            char said[64];
            int n = snprintf(said, sizeof said, "about to fail\n192.168.1.%d is broken\n\n", i + 2);
            feed_test_start(&f, &gw[i], tests[t]);
            feed_output(&f, &gw[i], 1 + (i == 1), false, txg_span(said, (size_t)n));
            feed_outcome(&f, &gw[i], tests[t], TXG_FAILED, "exit status 1");
        }
    same(end(&f, 6.02), "gw0 I / gw1 I / gw2 I\n"
                        "gw0 [3] / gw1 [3] / gw2 [3]\n"
                        "\n"
                        "scheduling tests via EachScheduling\n"
                        "FFFFFFFFF                                            [100%]\n"
                        "========================= FAILURES =========================\n"
                        "[gw0] test_a: exit status 1: 192.168.1.2 is broken\n"
                        "[gw1] test_a: exit status 1: 192.168.1.3 is broken\n"
                        "[gw2] test_a: exit status 1: 192.168.1.4 is broken\n"
                        "[gw0] test_b: exit status 1: 192.168.1.2 is broken\n"
                        "[gw1] test_b: exit status 1: 192.168.1.3 is broken\n"
                        "[gw2] test_b: exit status 1: 192.168.1.4 is broken\n"
                        "[gw0] test_c: exit status 1: 192.168.1.2 is broken\n"
                        "[gw1] test_c: exit status 1: 192.168.1.3 is broken\n"
                        "[gw2] test_c: exit status 1: 192.168.1.4 is broken\n"
                        "9 failed in 6.02s\n");
    drop(&f);
}

static void a_failure_tells_all(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .command = "txgate run -n 2"});
    feed_begin(&f, "load", "LoadScheduling", 3);
    static const struct txg_event_point points[] = {
        {{"ok one", 6}, TXG_PASSED, {NULL, 0}},
        {{"bus answers", 11}, TXG_FAILED, {"got 4\nexpected 5", 16}},
        {{"no text", 7}, TXG_FAILED, {NULL, 0}}};
    feed_outcome(&f, &feed_gw0, "t/ok", TXG_PASSED, "");
    feed_output(&f, &feed_gw1, 1, false, TXG_SPAN("one\n\033[31mred\033[0m \033[2J\r\nno newline"));
    feed_output(&f, &feed_gw1, 2, false, TXG_SPAN("err\n"));
    feed_result(&f, &feed_gw1, "t/a b",
                (struct txg_event_result){.outcome = TXG_FAILED,
                                          .duration = 2000000,
                                          .status = 1,
                                          .reason = TXG_SPAN("2 of 3 points failed"),
                                          .points = points,
                                          .n_points = 3,
                                          .leaked = 2});
    feed_result(&f, &feed_gw0, "t/c",
                (struct txg_event_result){.outcome = TXG_CRASHED, .status = -1, .signal = 11});
    same(end(&f, 75.3), "=================== test session starts ====================\n"
                        "txgate 0.1.0, dist load, 2 gateways\n"
                        "gw0 I / gw1 I\n"
                        "gw0 [3] / gw1 [3]\n"
                        "\n"
                        "scheduling tests via LoadScheduling\n"
                        ".FC                                                  [100%]\n"
                        "========================= FAILURES =========================\n"
                        "__________________________ t/a b ___________________________\n"
                        "[gw1 imx6-a] (popen//chdir=/x) failed: 2 of 3 points failed in 2.00s\n"
                        "it left 2 processes behind, killed\n"
                        "  failed: bus answers\n"
                        "got 4\n"
                        "expected 5\n"
                        "  failed: no text\n"
                        "--------------------- Captured stdout ----------------------\n"
                        "one\n"
                        "red ^[[2J\n"
                        "no newline\n"
                        "--------------------- Captured stderr ----------------------\n"
                        "err\n"
                        "to run just this: txgate run -n 2 't/a b'\n"
                        "___________________________ t/c ____________________________\n"
                        "[gw0] (popen) crashed: signal 11 in 0.00s\n"
                        "to run just this: txgate run -n 2 t/c\n"
                        "================= short test summary info ==================\n"
                        "FAILED t/a b - [gw1 imx6-a] 2 of 3 points failed\n"
                        "CRASHED t/c - [gw0] signal 11\n"
                        "==== 1 failed, 1 crashed, 1 passed in 75.30s (0:01:15) =====\n");
    drop(&f);
}

static void tries_are_shown(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1});
    feed_begin(&f, "load", "LoadScheduling", 2);
    feed_sink_take(&sink);
    feed_retry(&f, &feed_gw0, "t/a", 1, TXG_FAILED, "exit status 1");
    feed_result(&f, &feed_gw1, "t/a", (struct txg_event_result){.flaky = true});
    feed_retry(&f, &feed_gw0, "t/b", 1, TXG_LOST, "host lost");
    feed_outcome(&f, &feed_gw1, "t/b", TXG_CRASHED, "signal 11");
    const char *text = end(&f, 3);
    has(text, "R.RC");
    has(text, "= RERUNS =");
    has(text, "[gw0] (popen) try 1 failed: exit status 1 in 2.00s\n");
    has(text, "[gw0] (popen) try 1 lost: host lost in 2.00s\n");
    has(text, "= FAILURES =");
    has(text, "FLAKY t/a - [gw1 imx6-a] passed at try 2\n");
    has(text, "CRASHED t/b - [gw1 imx6-a] signal 11\n");
    has(text, "1 crashed, 1 passed, 1 of them flaky in 3");
    CU_ASSERT_TRUE(strstr(text, "host lost in") < strstr(text, "= FAILURES ="));
    drop(&f);

    f = new_terminal((struct txg_terminal_options){.verbosity = 1, .durations = -1});
    feed_begin(&f, "load", "LoadScheduling", 2);
    feed_retry(&f, &feed_gw0, "t/a", 1, TXG_FAILED, "exit status 1");
    has(end(&f, 3), "[gw0] [  0%] RERUN t/a\n");
    drop(&f);
}

static void every_outcome_is_counted(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.tb = TXG_TB_NO, .durations = -1, .width = 80});
    feed_begin(&f, "load", "LoadScheduling", 24);
    for (int o = 0; o < TXG_NOT_RUN; o++)
        feed_outcome(&f, &feed_gw0, "t/a", (enum txg_outcome)o, "why");
    for (int i = 0; i < 12; i++)
        feed_outcome(&f, NULL, "t/n", TXG_NOT_RUN, "stopped");
    feed_text(&f, TXG_EVENT_WARNING, &feed_gw1, "", "slow\nlink");
    feed_text(&f, TXG_EVENT_WARNING, NULL, "", "odd");
    feed_text(&f, TXG_EVENT_STOPPING, NULL, "", "stopping after 1 failures");
    const char *text = end(&f, 1);
    has(text, "\n.FsxXECTL\nstopping after 1 failures\n");
    hasnt(text, "FAILURES");
    has(text, "= warnings summary =");
    has(text, "=\n[gw1 imx6-a] slow\nlink\nodd\n=");
    has(text, "FAILED t/a - [gw0] why\nERROR t/a - [gw0] why\nCRASHED t/a - [gw0] why\n"
              "TIMED OUT t/a - [gw0] why\nLOST t/a - [gw0] why\nNOT RUN t/n - [-] stopped\n");
    has(text, "stopped\nNOT RUN ... and 2 more\n!");
    has(text, "! stopping after 1 failures !");
    has(text, " 1 failed, 1 crashed, 1 timed out, 1 lost, 1 error, 1 passed, 1 skipped, 1 xfailed, "
              "1 xpassed, 12 not run, 2 warnings in 1.00s ");
    drop(&f);
}

static void lines_of_letters_end_with_a_percentage(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .width = 20, .verbosity = -1});
    feed_begin(&f, "load", "LoadScheduling", 30);
    feed_sink_take(&sink);
    for (int i = 0; i < 30; i++)
        feed_outcome(&f, &feed_gw0, "t", TXG_PASSED, "");
    same(end(&f, 0.5), "............ [ 40%]\n"
                       "............ [ 80%]\n"
                       "......       [100%]\n"
                       "30 passed in 0.50s\n");
    drop(&f);
    /* Too narrow for a percentage. */
    f = new_terminal((struct txg_terminal_options){.durations = -1, .width = 12, .verbosity = -2});
    feed_begin(&f, "load", "LoadScheduling", 5);
    for (int i = 0; i < 5; i++)
        feed_outcome(&f, &feed_gw0, "t", TXG_PASSED, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(end(&f, 0.5), "....\n.\n"));
    drop(&f);
}

static void slow_tests_have_a_line_and_a_count(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1, .width = 50});
    feed_begin(&f, "load", "LoadScheduling", 2);
    feed_sink_take(&sink);
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    feed_slow(&f, &feed_gw1, "t/\033[1mb");
    feed_outcome(&f, &feed_gw1, "t/b", TXG_PASSED, "");
    same(end(&f, 61), ".\n"
                      "[gw1 imx6-a] SLOW t/\\x1b[1mb runs for 60.00s (0:01:00)\n"
                      ".                                          [100%]\n"
                      "====== 2 passed, 1 slow in 61.00s (0:01:01) ======\n");
    drop(&f);
}

static void verbose_lines(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1, .verbosity = 1});
    feed_begin(&f, "load", "LoadScheduling", 3);
    feed_outcome(&f, &feed_gw0, "t/a\033[31m", TXG_PASSED, "");
    feed_outcome(&f, &feed_gw1, "t/b", TXG_SKIPPED, "no can");
    feed_outcome(&f, &feed_gw1, "t/c", TXG_TIMED_OUT, "after 2s");
    feed_outcome(&f, NULL, "t/d", TXG_NOT_RUN, "");
    const char *text = end(&f, 1);
    has(text, "txgate 0.1.0, dist load, 2 gateways, run uid7\n"
              "gw0 I / gw1 I\n"
              "[gw0] x86_64, txgate-worker 0.1.0, cwd: /home/u\n"
              "[gw1 imx6-a] x86_64, txgate-worker 0.1.0, cwd: /home/u\n"
              "gw0 [3] / gw1 [3]\n");
    has(text, "[gw0] [ 33%] PASSED t/a\\x1b[31m\n"
              "[gw1 imx6-a] [ 66%] SKIPPED t/b (no can)\n"
              "[gw1 imx6-a] [100%] TIMED OUT t/c\n"
              "=");
    drop(&f);
}

static void gateways_that_go_down(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1, .width = 70});
    feed_begin(&f, "load", "LoadScheduling", 3);
    feed_sink_take(&sink);
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    feed_down(&f, &feed_gw1, "worker was killed by signal 9", false, false, &feed_gw2);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw2);
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    feed_down(&f, &feed_gw0, "no beat for 10s", true, false, NULL);
    feed_down(&f, &feed_gw2, "connect: refused\nssh: no \033[1mroute\n", false, true, NULL);
    feed_quarantine(&f, &feed_gw2, "it is not started again: \033[1mouch");
    same(end(&f, 3), ".\n"
                     "[gw1 imx6-a] node down: worker was killed by signal 9\n"
                     "replacing crashed worker gw1\n"
                     ".\n"
                     "[gw0] host lost (popen): no beat for 10s\n"
                     "[gw2 imx6-a] could not start (popen//chdir=/x): connect: refused\n"
                     "    ssh: no route\n"
                     "[gw2 imx6-a] it is not started again: ouch\n"
                     "====================== short test summary info =======================\n"
                     "DOWN [gw0] host lost (popen): no beat for 10s\n"
                     "DOWN [gw2 imx6-a] could not start (popen//chdir=/x): connect: refused\n"
                     "    ssh: no route\n"
                     "QUARANTINED [gw2 imx6-a] it is not started again: ouch\n"
                     "===== 2 passed, 2 gateways could not start or were lost in 3.00s =====\n");
    drop(&f);
}

static void many_gateways_are_summed_up(void)
{
    static struct txg_gateway_info gw[1000];
    static char ids[1000][8];
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1, .verbosity = -1});
    feed_run_start(&f, "load", 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ids[i], sizeof ids[i], "gw%u", i);
        gw[i] = (struct txg_gateway_info){.number = i, .id = ids[i], .spec = "popen"};
        feed_gateway(&f, TXG_EVENT_GATEWAY_START, &gw[i]);
    }
    same(feed_sink_take(&sink), "1000 gateways I\n");
    for (unsigned i = 0; i < 990; i++)
        feed_collected(&f, &gw[i], 20 + i % 2);
    for (unsigned i = 990; i < 998; i++)
        feed_gateway(&f, TXG_EVENT_GATEWAY_READY, &gw[i]);
    feed_down(&f, &gw[999], "x", false, true, NULL);
    feed_sink_take(&sink);
    feed_scheduling(&f, "LoadScheduling", 21);
    same(feed_sink_take(&sink),
         "1 I / 8 C / 990 [20-21] / 1 down\n\nscheduling tests via LoadScheduling\n");
    drop(&f);
    /* Few gateways, but no room. */
    f = new_terminal((struct txg_terminal_options){.durations = -1, .verbosity = -1, .width = 20});
    feed_run_start(&f, "load", 4);
    for (unsigned i = 0; i < 4; i++)
        feed_gateway(&f, TXG_EVENT_GATEWAY_START, &gw[i]);
    same(feed_sink_take(&sink), "4 gateways I\n");
    drop(&f);
}

static void collect_errors_and_nothing_else(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1, .verbosity = -1});
    feed_run_start(&f, "load", 1);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw0);
    feed_text(&f, TXG_EVENT_COLLECT_ERROR, &feed_gw0, "t/gone", "No such file");
    feed_text(&f, TXG_EVENT_COLLECT_ERROR, &feed_gw0, "", "worse");
    f.r->ops->finish(f.r, NULL); /* a run that was aborted: no RUN_FINISH */
    same(feed_sink_take(&sink), "gw0 I\n"
                                "========================== ERRORS ==========================\n"
                                "[gw0] t/gone: No such file\n"
                                "[gw0] worse\n"
                                "2 collection errors in 0.00s\n");
    drop(&f);
    f = new_terminal((struct txg_terminal_options){.durations = -1});
    feed_run_start(&f, "load", 1);
    feed_text(&f, TXG_EVENT_INTERNAL_ERROR, &feed_gw0, "", "two\nlines");
    const char *text = end(&f, 0);
    has(text, "INTERNALERROR> [gw0] two\nINTERNALERROR> [gw0] lines\n");
    has(text, "== no tests ran in 0.00s ==");
    drop(&f);
}

static void feed_lines(struct feed *f, int from, int to)
{
    char line[64];
    for (int i = from; i < to; i++)
        feed_output(f, &feed_gw0, 1, false,
                    txg_span(line, (size_t)snprintf(line, sizeof line, "line %d\n", i)));
}

static void long_output_is_cut_at_lines(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1});
    feed_begin(&f, "load", "LoadScheduling", 1);
    feed_lines(&f, 100000, 120000);
    feed_result(&f, &feed_gw0, "t",
                (struct txg_event_result){
                    .outcome = TXG_FAILED, .reason = TXG_SPAN("x"), .dropped_out = 199000000});
    const char *text = end(&f, 1);
    const char *from = strstr(text, "stdout"), *gap = strstr(text, "[... "),
               *to = strstr(text, "==== short");
    CU_ASSERT_FATAL(from && gap && to);
    has(text, "-\nline 100000\nline 100001\n");
    has(gap, "line 119998\nline 119999\n=");
    CU_ASSERT(gap - from <= TXG_TERMINAL_HEAD + 100 && gap - from > TXG_TERMINAL_HEAD - 100);
    CU_ASSERT(to - gap <= TXG_TERMINAL_TAIL + 100 && to - gap > TXG_TERMINAL_TAIL - 200);
    CU_ASSERT_EQUAL(gap[-1], '\n');
    /* All that is counted: 20,000 lines of 12 bytes, and what the worker had dropped. */
    has(text, "\n[... 199.2 MB not shown; --junitxml keeps 1 MiB + 1 MiB of it]\nline 11");
    drop(&f);
}

/* What lies between "line" and the limits is shown whole; one byte more is cut. */
static void the_limit_is_exact(void)
{
    for (int more = 0; more < 2; more++) {
        struct feed f = new_terminal((struct txg_terminal_options){.durations = -1});
        feed_begin(&f, "load", "LoadScheduling", 1);
        static char data[TXG_TERMINAL_HEAD + TXG_TERMINAL_TAIL + 1];
        memset(data, 'x', sizeof data);
        feed_output(&f, &feed_gw0, 1, false, txg_span(data, sizeof data - 1 + (size_t)more));
        feed_outcome(&f, &feed_gw0, "t", TXG_FAILED, "x");
        const char *text = end(&f, 1);
        if (more)
            has(text, "x\n[... 1 byte not shown; ");
        else
            hasnt(text, "[...");
        drop(&f);
    }
}

static void a_gap_of_the_worker(void)
{
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1});
    feed_begin(&f, "load", "LoadScheduling", 1);
    feed_output(&f, &feed_gw0, 1, false, TXG_SPAN("first\ncut he"));
    feed_output(&f, &feed_gw0, 1, true, TXG_SPAN("re\nlast\n"));
    feed_result(&f, &feed_gw0, "t",
                (struct txg_event_result){
                    .outcome = TXG_FAILED, .reason = TXG_SPAN("x"), .dropped_out = 9});
    has(end(&f, 1), "-\nfirst\n[... 18 bytes not shown; --junitxml keeps 1 MiB + 1 MiB of it]\n"
                    "last\n=");
    drop(&f);
}

static void short_tracebacks(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .tb = TXG_TB_SHORT});
    feed_begin(&f, "load", "LoadScheduling", 2);
    feed_lines(&f, 100, 120);
    feed_outcome(&f, &feed_gw0, "t", TXG_FAILED, "x");
    feed_lines(&f, 200, 221);
    feed_outcome(&f, &feed_gw0, "t", TXG_FAILED, "x");
    const char *text = end(&f, 1);
    has(text, "-\nline 100\nline 101\n");
    has(text, "-\n[... 9 bytes not shown]\nline 201\n");
    drop(&f);
}

static void last_words(void)
{
    struct feed f = new_terminal(
        (struct txg_terminal_options){.durations = -1, .tb = TXG_TB_LINE, .color = true});
    feed_begin(&f, "load", "LoadScheduling", 4);
    feed_output(&f, &feed_gw1, 1, false, TXG_SPAN("out\n"));
    feed_output(&f, &feed_gw1, 2, false, TXG_SPAN(" \t\n"));
    feed_outcome(&f, &feed_gw1, "t/a", TXG_FAILED, "exit status 1");
    feed_output(&f, &feed_gw1, 1, false, TXG_SPAN("out\n"));
    feed_output(&f, &feed_gw1, 2, false, TXG_SPAN("a\n  \033[31merr\tor\033[0m\n\033[0m\r\n"));
    feed_outcome(&f, &feed_gw1, "t/b", TXG_FAILED, "");
    feed_outcome(&f, &feed_gw1, "t/c", TXG_FAILED, "exit status 3");
    feed_output(&f, &feed_gw1, 1, true, TXG_SPAN("tail"));
    feed_outcome(&f, &feed_gw1, "t/d", TXG_LOST, "host lost");
    has(end(&f, 1), "=\n"
                    "[gw1 imx6-a] t/a: exit status 1: out\n"
                    "[gw1 imx6-a] t/b: failed: err\\tor\n"
                    "[gw1 imx6-a] t/c: exit status 3\n"
                    "[gw1 imx6-a] t/d: host lost: tail\n"
                    "=");
    drop(&f);
}

static void colors_only_where_asked(void)
{
    for (int color = 0; color < 2; color++) {
        struct feed f =
            new_terminal((struct txg_terminal_options){.durations = 0, .color = color == 1});
        feed_begin(&f, "load", "LoadScheduling", 2);
        feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
        feed_output(&f, &feed_gw0, 1, false, TXG_SPAN("\033[32mgreen\033[2J\n"));
        feed_outcome(&f, &feed_gw0, "t/b", TXG_FAILED, "x");
        const char *text = end(&f, 1);
        if (color) {
            has(text, "\033[32m.\033[0m\033[31mF\033[0m");
            has(text, "\n\033[32mgreen^[[2J\n\033[0m=");
            has(text, "\033[31m=============== 1 failed, 1 passed in 1.00s =");
        } else {
            hasnt(text, "\033");
            has(text, "\ngreen^[[2J\n=");
        }
        drop(&f);
    }
}

static void the_slowest(void)
{
    for (long n = -1; n <= 2; n++) {
        struct feed f = new_terminal((struct txg_terminal_options){.durations = n});
        feed_begin(&f, "load", "LoadScheduling", 6);
        static const int64_t us[] = {30000, 2000000, 500000, 70000000, 10000};
        for (int i = 0; i < 5; i++) {
            char id[8];
            snprintf(id, sizeof id, "t/%d", i);
            feed_result(&f, &feed_gw0, id, (struct txg_event_result){.duration = us[i]});
        }
        feed_outcome(&f, NULL, "t/none", TXG_NOT_RUN, "");
        const char *text = end(&f, 1);
        if (n < 0)
            hasnt(text, "slowest");
        else if (n == 0)
            has(text, "= slowest durations =====================\n70.00s (0:01:10) [gw0] t/3\n"
                      "2.00s [gw0] t/1\n0.50s [gw0] t/2\n0.03s [gw0] t/0\n0.01s [gw0] t/4\n=");
        else if (n == 2)
            has(text, "= slowest 2 durations ====================\n70.00s (0:01:10) [gw0] t/3\n"
                      "2.00s [gw0] t/1\n=");
        else
            has(text, "= slowest 1 durations ====================\n70.00s (0:01:10) [gw0] t/3\n=");
        drop(&f);
    }
}

static void live_gateways_are_rewritten(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .live = true, .verbosity = -1});
    feed_run_start(&f, "load", 2);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw0);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw1);
    const char *text = feed_sink_take(&sink);
    has(text, "gw0 I / gw1 I\r");
    hasnt(text, "\n");
    f.now = 200000;
    feed_gateway(&f, TXG_EVENT_GATEWAY_READY, &feed_gw0);
    same(feed_sink_take(&sink), "\033[Jgw0 C / gw1 I\r");
    f.now += 1000; /* too soon to draw again, but the next tick does */
    feed_collected(&f, &feed_gw0, 3);
    same(feed_sink_take(&sink), "");
    f.r->ops->tick(f.r, 400000);
    same(feed_sink_take(&sink), "\033[Jgw0 [3] / gw1 I\r");
    f.now = 500000;
    feed_collected(&f, &feed_gw1, 3);
    feed_scheduling(&f, "LoadScheduling", 6);
    same(feed_sink_take(&sink), "\033[Jgw0 [3] / gw1 [3]\r\033[Jgw0 [3] / gw1 [3]\n"
                                "\nscheduling tests via LoadScheduling\n");
    drop(&f);
}

static void live_lines_of_busy_gateways(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .live = true, .width = 40});
    feed_begin(&f, "load", "LoadScheduling", 6);
    feed_sink_take(&sink);
    feed_test_start(&f, &feed_gw0, "t/a");
    f.now = 50000;
    feed_test_start(&f, &feed_gw1, "t/with/a/name/that/is/longer/than/the/line");
    f.r->ops->tick(f.r, 12300000);
    same(feed_sink_take(&sink), "gw0   12.3s  t/a\n"
                                "gw1 imx6-a   12.2s  t/with/a/name/that/\033[1A\r");
    f.r->ops->tick(f.r, 12350000); /* at most ten times a second */
    same(feed_sink_take(&sink), "");
    f.now = 12400000;
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    same(feed_sink_take(&sink), "\033[J.");
    f.r->ops->tick(f.r, 12500000);
    same(feed_sink_take(&sink), "\ngw1 imx6-a   12.4s  t/with/a/name/that/\033[1A\r\033[1C");
    f.now = 12600000; /* a letter leaves the lines below alone */
    feed_outcome(&f, &feed_gw1, "t/b", TXG_FAILED, "x");
    same(feed_sink_take(&sink), "F");
    f.now = 12700000;
    feed_down(&f, &feed_gw1, "gone", false, false, NULL);
    same(feed_sink_take(&sink), "\033[J\n[gw1 imx6-a] node down: gone\n");
    f.r->ops->tick(f.r, 12900000); /* nobody is busy */
    same(feed_sink_take(&sink), "");
    drop(&f);
}

static void live_lines_are_few(void)
{
    static struct txg_gateway_info gw[20];
    static char ids[20][8];
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .live = true, .width = 40});
    feed_run_start(&f, "load", 20);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(ids[i], sizeof ids[i], "gw%u", i);
        gw[i] = (struct txg_gateway_info){.number = i, .id = ids[i], .spec = "popen"};
        feed_gateway(&f, TXG_EVENT_GATEWAY_START, &gw[i]);
    }
    feed_scheduling(&f, "LoadScheduling", 40);
    for (unsigned i = 0; i < 20; i++) {
        f.now = (20 - i) * 1000000; /* gw19 has run longest */
        feed_test_start(&f, &gw[i], "t");
    }
    feed_sink_take(&sink);
    f.r->ops->tick(f.r, 21000000);
    same(feed_sink_take(&sink), "gw19   20.0s  t\n"
                                "gw18   19.0s  t\n"
                                "gw17   18.0s  t\n"
                                "gw16   17.0s  t\n"
                                "gw15   16.0s  t\n"
                                "gw14   15.0s  t\n"
                                "gw13   14.0s  t\n"
                                "gw12   13.0s  t\n"
                                "and 12 more\033[8A\r");
    drop(&f);
}

static void transfer(struct feed *f, const struct txg_gateway_info *gateway, const char *what,
                     int64_t done, int64_t all)
{
    feed_event(f, (struct txg_event){.type = TXG_EVENT_TRANSFER,
                                     .gateway = gateway,
                                     .transfer = {what, done, all}});
}

static void live_lines_of_transfers(void)
{
    struct feed f =
        new_terminal((struct txg_terminal_options){.durations = -1, .live = true, .width = 42});
    feed_run_start(&f, "load", 2);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw0);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw1);
    feed_sink_take(&sink);
    f.now = 200000;
    transfer(&f, &feed_gw1, "worker", 31000, 155012);
    f.r->ops->tick(f.r, 200000);
    same(feed_sink_take(&sink), "\033[Jgw0 I / gw1 I\n"
                                "gw1 imx6-a: uploading worker 31.0 of 155.\033[1A\r");
    f.now = 300000;
    transfer(&f, &feed_gw0, "files", 0, 999949);
    transfer(&f, &feed_gw1, "files", 3100000, 12400000);
    f.r->ops->tick(f.r, 300000);
    same(feed_sink_take(&sink), "\033[Jgw0 I / gw1 I\n"
                                "gw0: uploading files 0.0 of 999.9 kB\n"
                                "gw1 imx6-a: uploading files 3.1 of 12.4 M\033[2A\r");
    f.now = 350000; /* what is drawn between two ticks shows what the last one did */
    feed_gateway(&f, TXG_EVENT_GATEWAY_READY, &feed_gw0);
    same(feed_sink_take(&sink), "\033[Jgw0 C / gw1 I\n"
                                "gw0: uploading files 0.0 of 999.9 kB\n"
                                "gw1 imx6-a: uploading files 3.1 of 12.4 M\033[2A\r");
    f.r->ops->tick(f.r, 450000); /* all have arrived */
    same(feed_sink_take(&sink), "\033[Jgw0 C / gw1 I\r");
    feed_collected(&f, &feed_gw0, 3);
    feed_scheduling(&f, "LoadScheduling", 6);
    feed_test_start(&f, &feed_gw0, "t/a");
    feed_sink_take(&sink);
    f.now = 1000000; /* a replacement, on another host, while tests run */
    for (int i = 0; i < 6; i++)
        transfer(&f, &feed_gw2, "files", 500000 * i, 3000000);
    f.r->ops->tick(f.r, 1000000);
    same(feed_sink_take(&sink), "gw0    0.6s  t/a\n"
                                "gw2 imx6-a: uploading files 0.0 of 3.0 MB\n"
                                "gw2 imx6-a: uploading files 0.5 of 3.0 MB\n"
                                "gw2 imx6-a: uploading files 1.0 of 3.0 MB\n"
                                "gw2 imx6-a: uploading files 1.5 of 3.0 MB\n"
                                "and 2 more uploads\033[5A\r");
    drop(&f);
}

static void no_transfers_where_nothing_is_live(void)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        struct feed f = new_terminal((struct txg_terminal_options){
            .durations = -1, .live = quiet == 1, .verbosity = quiet ? -2 : 1});
        feed_begin(&f, "load", "LoadScheduling", 1);
        feed_sink_take(&sink);
        transfer(&f, &feed_gw1, "files", 1, 2);
        f.r->ops->tick(f.r, f.now);
        same(feed_sink_take(&sink), "");
        drop(&f);
    }
}

/* 10,000 quick tests don't cost a write each; nothing is kept back at the end. */
static void writes_are_gathered(void)
{
    for (int live = 0; live < 2; live++) {
        struct feed f =
            new_terminal((struct txg_terminal_options){.durations = -1, .live = live == 1});
        feed_begin(&f, "load", "LoadScheduling", 10000);
        size_t before = sink.writes;
        for (int i = 0; i < 10000; i++) {
            f.now += 100;
            feed_test_start(&f, &feed_gw0, "t");
            feed_outcome(&f, &feed_gw0, "t", TXG_PASSED, "");
        }
        CU_ASSERT(sink.writes - before <= 60);
        feed_run_finish(&f, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(feed_sink_take(&sink), "[100%]\n"));
        CU_ASSERT_EQUAL(f.r->ops->finish(f.r, NULL), 0);
        has(feed_sink_take(&sink), " 10000 passed in 1.00s ");
        drop(&f);
    }
}

static void lost_texts_make_finish_fail(void)
{
    const char *was = getenv("TMPDIR");
    char *kept = was ? strdup(was) : NULL;
    setenv("TMPDIR", "/nonexistent/dir", 1);
    struct feed f = new_terminal((struct txg_terminal_options){.durations = -1});
    feed_begin(&f, "load", "LoadScheduling", 1);
    feed_lines(&f, 0, 1000);
    feed_outcome(&f, &feed_gw0, "t", TXG_FAILED, "x");
    feed_run_finish(&f, 1);
    struct txg_err err = {0};
    CU_ASSERT_EQUAL(f.r->ops->finish(f.r, &err), -1);
    has(err.text, "No such file or directory");
    has(feed_sink_take(&sink), "temporary file: No such file or directory]\n");
    drop(&f);
    if (kept)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    free(kept);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"the device article", the_device_article},
        {"a failure tells all", a_failure_tells_all},
        {"tries are shown", tries_are_shown},
        {"every outcome is counted", every_outcome_is_counted},
        {"lines of letters end with a percentage", lines_of_letters_end_with_a_percentage},
        {"slow tests have a line and a count", slow_tests_have_a_line_and_a_count},
        {"verbose lines", verbose_lines},
        {"gateways that go down", gateways_that_go_down},
        {"many gateways are summed up", many_gateways_are_summed_up},
        {"collect errors and nothing else", collect_errors_and_nothing_else},
        {"long output is cut at lines", long_output_is_cut_at_lines},
        {"the limit is exact", the_limit_is_exact},
        {"a gap of the worker", a_gap_of_the_worker},
        {"short tracebacks", short_tracebacks},
        {"last words", last_words},
        {"colors only where asked", colors_only_where_asked},
        {"the slowest", the_slowest},
        {"live: gateways are rewritten", live_gateways_are_rewritten},
        {"live: lines of busy gateways", live_lines_of_busy_gateways},
        {"live: lines are few", live_lines_are_few},
        {"live: lines of transfers", live_lines_of_transfers},
        {"no transfers where nothing is live", no_transfers_where_nothing_is_live},
        {"writes are gathered", writes_are_gathered},
        {"lost texts make finish fail", lost_texts_make_finish_fail},
        {0},
    };
    return txg_suite_main(argc, argv, "terminal", tests);
}
