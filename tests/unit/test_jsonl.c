#include "config.h"

#include <string.h>

#include "tests/lib/suite.h"
#include "tests/unit/feed.h"

static void every_event_is_one_line(void)
{
    struct feed_sink sink;
    feed_sink_init(&sink);
    struct feed f = {.r = txg_jsonl_new(&sink.base), .now = 5};
    feed_run_start(&f, "load", 2);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw0);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw1);
    feed_gateway(&f, TXG_EVENT_GATEWAY_READY, &feed_gw1);
    feed_collected(&f, &feed_gw1, 3);
    feed_text(&f, TXG_EVENT_COLLECT_ERROR, &feed_gw1, "t/x", "No such file");
    feed_scheduling(&f, "LoadScheduling", 3);
    feed_test_start(&f, &feed_gw1, "t/a");
    feed_output(&f, &feed_gw1, 2, true, txg_span("a\"\\\n\t\001\xff\xc3\xa9\xe2", 10));
    static const struct txg_event_point points[] = {{{"one", 3}, TXG_PASSED, {NULL, 0}},
                                                    {{"two", 3}, TXG_FAILED, {"why", 3}}};
    feed_result(&f, &feed_gw1, "t/a",
                (struct txg_event_result){.outcome = TXG_FAILED,
                                          .start = 7,
                                          .duration = 11,
                                          .status = -1,
                                          .signal = 9,
                                          .reason = TXG_SPAN("signal 9"),
                                          .dropped_out = 1,
                                          .dropped_err = INT64_MAX,
                                          .leaked = 2,
                                          .utime = 3,
                                          .stime = 4,
                                          .maxrss = 5,
                                          .points = points,
                                          .n_points = 2});
    feed_down(&f, &feed_gw1, "killed", true, false, &feed_gw2);
    feed_gateway(&f, TXG_EVENT_GATEWAY_START, &feed_gw2);
    feed_outcome(&f, NULL, "t/b", TXG_NOT_RUN, "");
    feed_slow(&f, &feed_gw0, "t/b");
    feed_quarantine(&f, &feed_gw0, "no more");
    feed_text(&f, TXG_EVENT_WARNING, NULL, "", "careful");
    feed_text(&f, TXG_EVENT_INTERNAL_ERROR, &feed_gw0, "", "oops");
    feed_text(&f, TXG_EVENT_STOPPING, NULL, "", "interrupted");
    CU_ASSERT_EQUAL(sink.writes, 0);
    feed_run_finish(&f, 1);
    CU_ASSERT_EQUAL(sink.writes, 1);
    CU_ASSERT_STRING_EQUAL(
        feed_sink_take(&sink),
        "{\"event\":\"run_start\",\"t\":5,\"testrunuid\":\"uid7\",\"dist\":\"load\",\"gateways\":2,"
        "\"wall\":1700000000000000}\n"
        "{\"event\":\"gateway_start\",\"t\":5,\"gateway\":\"gw0\",\"spec\":\"popen\"}\n"
        "{\"event\":\"gateway_start\",\"t\":5,\"gateway\":\"gw1\",\"spec\":\"popen//chdir=/x\","
        "\"device\":\"imx6-a\"}\n"
        "{\"event\":\"gateway_ready\",\"t\":5,\"gateway\":\"gw1\",\"arch\":\"x86_64\","
        "\"version\":\"0.1.0\",\"cwd\":\"/home/u\",\"pid\":42}\n"
        "{\"event\":\"gateway_collected\",\"t\":5,\"gateway\":\"gw1\",\"count\":3}\n"
        "{\"event\":\"collect_error\",\"t\":5,\"gateway\":\"gw1\",\"nodeid\":\"t/x\","
        "\"text\":\"No such file\"}\n"
        "{\"event\":\"scheduling\",\"t\":5,\"scheduler\":\"LoadScheduling\",\"total\":3}\n"
        "{\"event\":\"test_start\",\"t\":5,\"gateway\":\"gw1\",\"number\":0,\"nodeid\":\"t/a\"}\n"
        "{\"event\":\"test_output\",\"t\":5,\"gateway\":\"gw1\",\"number\":0,\"nodeid\":\"t\","
        "\"stream\":\"stderr\",\"tail\":true,\"bytes\":10,"
        "\"text\":\"a\\\"\\\\\\n\\t\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\"}\n"
        "{\"event\":\"test_finish\",\"t\":5,\"gateway\":\"gw1\",\"number\":0,\"nodeid\":\"t/a\","
        "\"outcome\":\"failed\",\"reason\":\"signal 9\",\"start\":7,\"duration\":11,\"status\":-1,"
        "\"signal\":9,\"dropped_out\":1,\"dropped_err\":9223372036854775807,\"leaked\":2,"
        "\"utime\":3,\"stime\":4,\"maxrss\":5,\"done\":1,\"total\":3,"
        "\"points\":[{\"name\":\"one\",\"outcome\":\"passed\",\"text\":\"\"},"
        "{\"name\":\"two\",\"outcome\":\"failed\",\"text\":\"why\"}]}\n"
        "{\"event\":\"gateway_down\",\"t\":5,\"gateway\":\"gw1\",\"reason\":\"killed\","
        "\"lost\":true,\"before_ready\":false,\"replacement\":\"gw2\"}\n"
        "{\"event\":\"gateway_start\",\"t\":5,\"gateway\":\"gw2\",\"spec\":\"popen//chdir=/x\","
        "\"device\":\"imx6-a\",\"replaces\":\"gw1\"}\n"
        "{\"event\":\"test_finish\",\"t\":5,\"number\":1,\"nodeid\":\"t/b\","
        "\"outcome\":\"not run\",\"reason\":\"\",\"start\":-1,\"duration\":0,\"status\":-1,"
        "\"signal\":0,\"dropped_out\":0,\"dropped_err\":0,\"leaked\":0,\"utime\":0,\"stime\":0,"
        "\"maxrss\":0,\"done\":2,\"total\":3}\n"
        "{\"event\":\"test_slow\",\"t\":5,\"gateway\":\"gw0\",\"number\":2,\"nodeid\":\"t/b\","
        "\"elapsed\":60001000}\n"
        "{\"event\":\"quarantine\",\"t\":5,\"gateway\":\"gw0\",\"spec\":\"popen\",\"host\":false,"
        "\"deaths\":3,\"words\":\"ouch\",\"text\":\"no more\"}\n"
        "{\"event\":\"warning\",\"t\":5,\"text\":\"careful\"}\n"
        "{\"event\":\"internal_error\",\"t\":5,\"gateway\":\"gw0\",\"text\":\"oops\"}\n"
        "{\"event\":\"stopping\",\"t\":5,\"text\":\"interrupted\"}\n"
        "{\"event\":\"run_finish\",\"t\":5,\"outcomes\":{\"passed\":0,\"failed\":1,\"skipped\":0,"
        "\"xfailed\":0,\"xpassed\":0,\"error\":0,\"crashed\":0,\"timed out\":0,\"lost\":0,"
        "\"not "
        "run\":1},\"flaky\":0,\"slow\":1,\"collect_errors\":1,\"deselected\":0,\"gateways_failed\":"
        "1,\"exit_"
        "code\":1}\n");
    f.r->ops->free(f.r);
    feed_sink_release(&sink);
}

static void tries_are_told(void)
{
    struct feed_sink sink;
    feed_sink_init(&sink);
    struct feed f = {.r = txg_jsonl_new(&sink.base), .now = 5, .total = 1};
    feed_retry(&f, &feed_gw0, "t/a", 1, TXG_FAILED, "exit status 1");
    feed_result(&f, &feed_gw1, "t/a", (struct txg_event_result){.flaky = true});
    feed_run_finish(&f, 0);
    const char *text = feed_sink_take(&sink);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "{\"event\":\"test_retry\",\"t\":5,\"gateway\":\"gw0\","
                                        "\"number\":0,\"nodeid\":\"t/a\","
                                        "\"outcome\":\"failed\",\"reason\":\"exit status 1\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"nodeid\":\"t/a\",\"attempt\":2,\"outcome\":\"passed\","
                                        "\"flaky\":true,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"flaky\":1,\"slow\":0,\"collect_errors\":0"));
    f.r->ops->free(f.r);
    feed_sink_release(&sink);
}

static void numbers_at_the_edges(void)
{
    struct feed_sink sink;
    feed_sink_init(&sink);
    struct feed f = {.r = txg_jsonl_new(&sink.base), .now = INT64_MIN};
    feed_collected(&f, &feed_gw0, 0);
    CU_ASSERT_EQUAL(f.r->ops->finish(f.r, NULL), 0);
    CU_ASSERT_STRING_EQUAL(feed_sink_take(&sink),
                           "{\"event\":\"gateway_collected\",\"t\":-9223372036854775808,"
                           "\"gateway\":\"gw0\",\"count\":0}\n");
    f.r->ops->free(f.r);
    feed_sink_release(&sink);
}

/* 10,000 quick tests don't cost a write each, and nothing waits behind a tick. */
static void writes_are_gathered(void)
{
    struct feed_sink sink;
    feed_sink_init(&sink);
    struct feed f = {.r = txg_jsonl_new(&sink.base)};
    for (int i = 0; i < 10000; i++)
        feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    CU_ASSERT(sink.writes > 0 && sink.writes < 1000);
    f.r->ops->tick(f.r, 8);
    feed_sink_take(&sink);
    size_t before = sink.writes;
    feed_collected(&f, &feed_gw0, 1);
    CU_ASSERT_EQUAL(sink.writes, before);
    f.r->ops->tick(f.r, 9);
    CU_ASSERT_EQUAL(sink.writes, before + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(feed_sink_take(&sink), "gateway_collected"));
    f.r->ops->tick(f.r, 10);
    CU_ASSERT_EQUAL(sink.writes, before + 1);
    f.r->ops->free(f.r);
    feed_sink_release(&sink);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"every event is one line", every_event_is_one_line},
        {"tries are told", tries_are_told},
        {"numbers at the edges", numbers_at_the_edges},
        {"writes are gathered", writes_are_gathered},
        {0},
    };
    return txg_suite_main(argc, argv, "jsonl", tests);
}
