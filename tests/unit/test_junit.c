#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <mxml.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/suite.h"
#include "tests/unit/feed.h"

static char dir[64];
static char path[128];

static void make_dir(void)
{
    strcpy(dir, "/tmp/txgate-junit-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/r.xml", dir);
}

/* Nothing may be left but what the test itself takes away. */
static void remove_dir(void)
{
    unlink(path);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static char *read_file(const char *name)
{
    FILE *file = fopen(name, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    struct txg_buf b = {0};
    char data[4096];
    for (size_t n; (n = fread(data, 1, sizeof data, file)) > 0;)
        txg_buf_append(&b, data, n);
    fclose(file);
    return txg_buf_take_cstr(&b);
}

static struct feed begin(const char *dist)
{
    struct txg_err err = {0};
    struct feed f = {.r = txg_junit_new(path, &err)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.r);
    feed_run_start(&f, dist, 2);
    return f;
}

/* Ends the run and gives back the file's text. */
static char *end(struct feed *f)
{
    struct txg_err err = {0};
    feed_run_finish(f, 1);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    CU_ASSERT_EQUAL(f->r->ops->finish(f->r, &err), 0);
    f->r->ops->free(f->r);
    char *text = read_file(path);
    mxml_node_t *tree = mxmlLoadString(NULL, text, MXML_OPAQUE_CALLBACK);
    CU_ASSERT_PTR_NOT_NULL(tree);
    mxmlDelete(tree);
    return text;
}

static const char *body(const char *text)
{
    const char *suite = strstr(text, "<testsuite ");
    const char *body = suite ? strstr(suite, ">\n") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    return body + 2;
}

static void every_outcome_has_its_element(void)
{
    make_dir();
    struct feed f = begin("load");
    feed_outcome(&f, &feed_gw0, "t/sub/a", TXG_PASSED, "");
    feed_outcome(&f, &feed_gw1, "t/f", TXG_FAILED, "exit status 1");
    feed_outcome(&f, &feed_gw1, "s", TXG_SKIPPED, "no \"can\"");
    feed_outcome(&f, &feed_gw1, "/abs/x", TXG_XFAILED, "known");
    feed_outcome(&f, &feed_gw1, "t/x", TXG_XPASSED, "");
    feed_outcome(&f, &feed_gw1, "t/prog::case/1", TXG_PASSED, "");
    feed_outcome(&f, &feed_gw1, "t/e", TXG_ERROR, "bail out");
    feed_outcome(&f, &feed_gw1, "t/c", TXG_CRASHED, "signal 11");
    feed_outcome(&f, &feed_gw1, "t/o", TXG_TIMED_OUT, "after 2s");
    feed_outcome(&f, &feed_gw1, "t/l", TXG_LOST, "host lost");
    feed_outcome(&f, NULL, "t/n", TXG_NOT_RUN, "");
    f.now = 6020000;
    char *text = end(&f);
#define P1                                                                                         \
    "<properties><property name=\"gateway\" value=\"gw1\" />"                                      \
    "<property name=\"device\" value=\"imx6-a\" />"                                                \
    "<property name=\"spec\" value=\"popen//chdir=/x\" />"
#define WHO "[gw1] device imx6-a (popen//chdir=/x)\n"
    CU_ASSERT_STRING_EQUAL(
        body(text),
        "<testcase classname=\"t.sub\" name=\"a\" time=\"2.000000\"><properties>"
        "<property name=\"gateway\" value=\"gw0\" /><property name=\"spec\" value=\"popen\" />"
        "</properties></testcase>\n"
        "<testcase classname=\"t\" name=\"f\" time=\"2.000000\">" P1 "</properties>"
        "<failure message=\"exit status 1\" type=\"failed\">" WHO "failed: exit status 1</failure>"
        "</testcase>\n"
        "<testcase classname=\"txgate\" name=\"s\" time=\"2.000000\">" P1 "</properties>"
        "<skipped message=\"no &quot;can&quot;\" type=\"skipped\" /></testcase>\n"
        "<testcase classname=\"abs\" name=\"x\" time=\"2.000000\">" P1 "</properties>"
        "<skipped message=\"known\" type=\"xfailed\" /></testcase>\n"
        "<testcase classname=\"t\" name=\"x\" time=\"2.000000\">" P1
        "<property name=\"outcome\" value=\"xpassed\" /></properties></testcase>\n"
        "<testcase classname=\"t.prog\" name=\"case/1\" time=\"2.000000\">" P1
        "</properties></testcase>\n"
        "<testcase classname=\"t\" name=\"e\" time=\"2.000000\">" P1 "</properties>"
        "<error message=\"bail out\" type=\"error\">" WHO "error: bail out</error></testcase>\n"
        "<testcase classname=\"t\" name=\"c\" time=\"2.000000\">" P1 "</properties>"
        "<failure message=\"signal 11\" type=\"crashed\">" WHO "crashed: signal 11</failure>"
        "</testcase>\n"
        "<testcase classname=\"t\" name=\"o\" time=\"2.000000\">" P1 "</properties>"
        "<failure message=\"after 2s\" type=\"timed out\">" WHO "timed out: after 2s</failure>"
        "</testcase>\n"
        "<testcase classname=\"t\" name=\"l\" time=\"2.000000\">" P1 "</properties>"
        "<error message=\"host lost\" type=\"lost\">" WHO "lost: host lost</error></testcase>\n"
        "<testcase classname=\"t\" name=\"n\" time=\"0.000000\">"
        "<error message=\"not run\" type=\"not run\">not run: </error></testcase>\n"
        "</testsuite>\n</testsuites>\n");
    char *head = strstr(text, "<testsuites");
    CU_ASSERT(txg_has_prefix(text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites "));
    CU_ASSERT(txg_has_prefix(head, "<testsuites name=\"txgate\" tests=\"11\" failures=\"3\" "
                                   "errors=\"3\" skipped=\"2\" time=\"6.020\">\n"
                                   "<testsuite name=\"txgate\" tests=\"11\" failures=\"3\" "
                                   "errors=\"3\" skipped=\"2\" time=\"6.020\" "
                                   "timestamp=\"2023-11-14T22:13:20+00:00\" hostname=\""));
    free(text);
    remove_dir();
}

static void tries_stand_in_their_case(void)
{
    make_dir();
    struct feed f = begin("load");
    feed_test_start(&f, &feed_gw0, "t/flaky");
    feed_output(&f, &feed_gw0, 1, false, TXG_SPAN("said <this>\n"));
    feed_retry(&f, &feed_gw0, "t/flaky", 1, TXG_FAILED, "exit status 1");
    f.number++; /* another test ends in between */
    feed_retry(&f, &feed_gw0, "t/bad", 1, TXG_LOST, "host lost");
    feed_retry(&f, &feed_gw0, "t/bad", 2, TXG_CRASHED, "signal 11");
    f.number--;
    feed_result(&f, &feed_gw0, "t/flaky", (struct txg_event_result){.flaky = true});
    feed_outcome(&f, &feed_gw0, "t/bad", TXG_FAILED, "exit status 1");
    feed_outcome(&f, &feed_gw0, "t/good", TXG_PASSED, "");
    char *text = end(&f);
#define P0                                                                                         \
    "<properties><property name=\"gateway\" value=\"gw0\" />"                                      \
    "<property name=\"spec\" value=\"popen\" /></properties>"
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "name=\"flaky\" time=\"0.000000\">" P0
                     "<flakyFailure message=\"exit status 1\" type=\"failed\">"
                     "<stackTrace>[gw0] (popen)\nfailed: exit status 1</stackTrace>"
                     "<system-out>said &lt;this&gt;\n</system-out></flakyFailure></testcase>"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "<failure message=\"exit status 1\" type=\"failed\">[gw0] (popen)\n"
                     "failed: exit status 1</failure>"
                     "<rerunError message=\"host lost\" type=\"lost\">"
                     "<stackTrace>[gw0] (popen)\nlost: host lost</stackTrace></rerunError>"
                     "<rerunFailure message=\"signal 11\" type=\"crashed\">"
                     "<stackTrace>[gw0] (popen)\ncrashed: signal 11</stackTrace></rerunFailure>"
                     "</testcase>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "name=\"good\" time=\"2.000000\">" P0 "</testcase>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "tests=\"3\" failures=\"1\" errors=\"0\""));
    free(text);
    remove_dir();
}

static void each_keeps_gateways_apart(void)
{
    make_dir();
    struct feed f = begin("each");
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    feed_outcome(&f, &feed_gw1, "t/a", TXG_PASSED, "");
    feed_outcome(&f, &feed_gw2, "t/b", TXG_PASSED, "");
    char *text = end(&f);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "classname=\"gw0.t\" name=\"a\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "classname=\"imx6-a.t\" name=\"a\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "classname=\"imx6-a.t\" name=\"b\""));
    free(text);
    remove_dir();
}

static void what_belongs_to_no_test(void)
{
    make_dir();
    struct feed f = begin("load");
    feed_text(&f, TXG_EVENT_COLLECT_ERROR, &feed_gw0, "t/gone", "No such file");
    feed_text(&f, TXG_EVENT_INTERNAL_ERROR, NULL, "", "it is us");
    feed_text(&f, TXG_EVENT_WARNING, NULL, "", "a < b\033");
    feed_down(&f, &feed_gw1, "connection refused", false, true, NULL);
    feed_down(&f, &feed_gw0, "killed", false, false, NULL);
    feed_quarantine(&f, &feed_gw0, "ouch");
    feed_text(&f, TXG_EVENT_STOPPING, NULL, "", "interrupted");
    char *text = end(&f);
    CU_ASSERT_STRING_EQUAL(
        body(text),
        "<testcase classname=\"collection\" name=\"t/gone\" time=\"0\"><properties>"
        "<property name=\"gateway\" value=\"gw0\" /><property name=\"spec\" value=\"popen\" />"
        "</properties><error message=\"No such file\" type=\"collect error\" /></testcase>\n"
        "<testcase classname=\"txgate\" name=\"internal error\" time=\"0\">"
        "<error message=\"it is us\" type=\"internal error\" /></testcase>\n"
        "<system-err>warning: a &lt; b^[\n[gw1] could not start: connection refused\n"
        "[gw0] down: killed\n[gw0] ouch\ninterrupted\n</system-err>\n"
        "</testsuite>\n</testsuites>\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "tests=\"2\" failures=\"0\" errors=\"2\""));
    free(text);
    remove_dir();
}

static void hostile_bytes_stay_xml(void)
{
    make_dir();
    struct feed f = begin("load");
    static const struct txg_event_point points[] = {{{"one", 3}, TXG_PASSED, {NULL, 0}},
                                                    {{"p<\0>", 4}, TXG_FAILED, {"]]>", 3}}};
    feed_output(&f, &feed_gw0, 1, false, TXG_SPAN("]]> <&> \0 \xff \xe2"));
    feed_output(&f, &feed_gw0, 1, false, TXG_SPAN("\x82\xac\r\n"));
    feed_output(&f, &feed_gw0, 2, false, TXG_SPAN("\xef\xbf\xbf\xc3"));
    feed_result(&f, &feed_gw0, "t/a\n\"<b\xff",
                (struct txg_event_result){.outcome = TXG_FAILED,
                                          .reason = TXG_SPAN("1 of 2 \033"),
                                          .points = points,
                                          .n_points = 2,
                                          .leaked = 1});
    feed_outcome(&f, &feed_gw0, "t/next", TXG_PASSED, "");
    char *text = end(&f);
    CU_ASSERT_STRING_EQUAL(
        body(text),
        "<testcase classname=\"t\" name=\"a\\n&quot;&lt;b\xef\xbf\xbd\" time=\"0.000000\">"
        "<properties><property name=\"gateway\" value=\"gw0\" />"
        "<property name=\"spec\" value=\"popen\" /></properties>"
        "<failure message=\"1 of 2 ^[\" type=\"failed\">[gw0] (popen)\nfailed: 1 of 2 ^[\n"
        "not ok: p&lt;^@&gt; -- ]]&gt;\nleft 1 process behind: killed</failure>"
        "<system-out>]]&gt; &lt;&amp;&gt; ^@ \xef\xbf\xbd \xe2\x82\xac\n</system-out>"
        "<system-err>\xef\xbf\xbd\xef\xbf\xbd</system-err></testcase>\n"
        "<testcase classname=\"t\" name=\"next\" time=\"2.000000\"><properties>"
        "<property name=\"gateway\" value=\"gw0\" /><property name=\"spec\" value=\"popen\" />"
        "</properties></testcase>\n</testsuite>\n</testsuites>\n");
    free(text);
    remove_dir();
}

/* What Mini-XML writes where there is output, and what is put together where there is none. */
static void plain_cases_are_written_as_others(void)
{
    static const char *const nodeids[] = {"a",
                                          "t/a::b",
                                          "t/a::c<&>\"'",
                                          "t\"<&>'/x::d",
                                          "t\"<&>'/x::e\xff\t\n",
                                          "/abs/f::",
                                          "t/a::b\x1b[m",
                                          "t/\xe2\x82\xac::\xc2\x9b",
                                          "::::",
                                          "a time=\"\" name=\"\"",
                                          "t/a::b",
                                          ""};
    static const int64_t durations[] = {0, 7, 999999, 1000000, 3661000007};
    static const char output[] = "<system-out>x</system-out>";
    make_dir();
    struct feed f = begin("each");
    const size_t n = sizeof nodeids / sizeof *nodeids;
    for (size_t i = 0; i < 2 * n; i++)
        for (size_t k = 0; k < 2; k++) {
            const struct txg_gateway_info *gateway = i % 3 ? &feed_gw0 : &feed_gw2;
            struct txg_event_result passed = {.duration = durations[i % 5]};
            if (k)
                feed_output(&f, gateway, 1, false, TXG_SPAN("x"));
            feed_result(&f, gateway, nodeids[i % n], passed);
        }
    char *text = end(&f), *line = strtok((char *)body(text), "\n");
    for (size_t i = 0; i < 2 * n; i++) {
        char *other = strtok(NULL, "\n"), *more = other ? strstr(other, output) : NULL;
        CU_ASSERT_PTR_NOT_NULL_FATAL(more);
        memmove(more, more + sizeof output - 1, strlen(more + sizeof output - 1) + 1);
        CU_ASSERT_STRING_EQUAL(line, other);
        line = strtok(NULL, "\n");
    }
    free(text);
    remove_dir();
}

/* Interleaved over two gateways, cut anywhere, with a gap: nothing is mixed up or lost. */
static void long_output_is_whole(void)
{
    make_dir();
    struct feed f = begin("load");
    enum { PIECES = 4000 };
    for (int i = 0; i < PIECES; i++)
        for (int k = 0; k < 2; k++) {
            char data[64];
            int n = snprintf(data, sizeof data, "%s %d \xe2\x82\xac\n", k ? "one" : "nil", i);
            const struct txg_gateway_info *g = k ? &feed_gw1 : &feed_gw0;
            feed_output(&f, g, 1, i == PIECES / 2, txg_span(data, (size_t)n));
        }
    for (int k = 0; k < 2; k++)
        feed_result(&f, k ? &feed_gw1 : &feed_gw0, "t/a",
                    (struct txg_event_result){
                        .outcome = TXG_FAILED, .reason = TXG_SPAN("x"), .dropped_out = 198000000});
    char *text = end(&f), *at = text;
    for (int k = 0; k < 2; k++) {
        at = strstr(at, "<system-out>");
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
        at += strlen("<system-out>");
        struct txg_buf expected = {0};
        for (int i = 0; i < PIECES; i++) {
            if (i == PIECES / 2)
                txg_buf_puts(&expected, "\n[... 198.0 MB not kept]\n");
            txg_buf_printf(&expected, "%s %d \xe2\x82\xac\n", k ? "one" : "nil", i);
        }
        txg_buf_puts(&expected, "</system-out>");
        CU_ASSERT(txg_has_prefix(at, txg_buf_cstr(&expected)));
        txg_buf_release(&expected);
    }
    free(text);
    remove_dir();
}

static void an_aborted_run_leaves_nothing(void)
{
    make_dir();
    struct feed f = begin("load");
    feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    f.r->ops->free(f.r);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    remove_dir();
}

static void an_older_report_is_replaced(void)
{
    make_dir();
    char link[128];
    snprintf(link, sizeof link, "%s/link", dir);
    FILE *old = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(old);
    fputs("old", old);
    fclose(old);
    CU_ASSERT_EQUAL(symlink("r.xml", link), 0);
    struct feed f = {.r = txg_junit_new(link, NULL)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.r);
    feed_run_start(&f, "load", 1);
    char *before = read_file(path);
    CU_ASSERT_STRING_EQUAL(before, "old");
    CU_ASSERT_EQUAL(f.r->ops->finish(f.r, NULL), 0);
    f.r->ops->free(f.r);
    struct stat st;
    CU_ASSERT(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    char *after = read_file(path);
    CU_ASSERT_PTR_NOT_NULL(strstr(after, "</testsuites>"));
    free(before);
    free(after);
    unlink(link);
    remove_dir();
}

static void a_link_to_a_file_that_is_not_there_yet_stays_a_link(void)
{
    struct stat st;
    make_dir();
    char link[128];
    snprintf(link, sizeof link, "%s/link", dir);
    CU_ASSERT_EQUAL(symlink("r.xml", link), 0);
    struct txg_reporter *r = txg_junit_new(link, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->ops->finish(r, NULL), 0);
    r->ops->free(r);
    CU_ASSERT(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    CU_ASSERT(lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0);
    unlink(link);
    CU_ASSERT_EQUAL(symlink("no-such-folder/r.xml", link), 0);
    struct txg_err err = {0};
    CU_ASSERT_PTR_NULL(txg_junit_new(link, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "No such file or directory"));
    CU_ASSERT(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    unlink(link);
    remove_dir();
}

/* As --junitxml /dev/null by root: a device that is replaced is gone for everybody. */
static void a_device_is_written_to_never_replaced(void)
{
    make_dir();
    struct txg_err err = {0};
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    CU_ASSERT_PTR_NULL(txg_junit_new(path, &err)); /* nobody reads */
    CU_ASSERT_EQUAL(err.errnum, ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_FATAL(reader >= 0);
    struct feed f = {.r = txg_junit_new(path, &err)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.r);
    feed_run_start(&f, "load", 1);
    CU_ASSERT_EQUAL(f.r->ops->finish(f.r, &err), 0);
    f.r->ops->free(f.r);
    char text[4096];
    ssize_t n = read(reader, text, sizeof text - 1);
    CU_ASSERT_FATAL(n > 0);
    text[n] = '\0';
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "</testsuites>"));
    close(reader);
    struct stat st;
    CU_ASSERT(lstat(path, &st) == 0 && S_ISFIFO(st.st_mode));
    remove_dir();
}

static void directories_are_made(void)
{
    make_dir();
    char name[160], sub[128];
    snprintf(sub, sizeof sub, "%s/new/er", dir);
    snprintf(name, sizeof name, "%s/r.xml", sub);
    struct txg_reporter *r = txg_junit_new(name, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->ops->finish(r, NULL), 0);
    r->ops->free(r);
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(rmdir(sub), 0);
    *strrchr(sub, '/') = '\0';
    CU_ASSERT_EQUAL(rmdir(sub), 0);
    remove_dir();
}

static void what_cannot_be_made_is_said(void)
{
    make_dir();
    struct txg_err err = {0};
    CU_ASSERT_PTR_NULL(txg_junit_new(dir, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is a directory"));
    CU_ASSERT_PTR_NULL(txg_junit_new("", &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "empty"));
    CU_ASSERT_PTR_NULL(txg_junit_new("/proc/none/r.xml", &err));
    CU_ASSERT_STRING_EQUAL(err.text, "/proc/none/r.xml: No such file or directory");
    remove_dir();
}

/* Never a real device here: what replaces it by mistake would harm the machine. */
static void a_reader_that_went_away_is_told(void)
{
    make_dir();
    struct txg_err err = {0};
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CU_ASSERT_FATAL(reader >= 0);
    struct feed f = {.r = txg_junit_new(path, &err)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.r);
    feed_run_start(&f, "load", 1);
    close(reader);
    CU_ASSERT_EQUAL(f.r->ops->finish(f.r, &err), -1);
    CU_ASSERT_EQUAL(err.errnum, EPIPE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Broken pipe"));
    f.r->ops->free(f.r);
    remove_dir();
}

/* No room for all of it: told, and the older report stays as it was. */
static void a_full_disk_is_told(void)
{
    make_dir();
    FILE *old = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(old);
    fputs("old", old);
    fclose(old);
    struct txg_err err = {0};
    struct feed f = begin("load");
    for (int i = 0; i < 1000; i++)
        feed_outcome(&f, &feed_gw0, "t/a", TXG_PASSED, "");
    struct rlimit was, small;
    getrlimit(RLIMIT_FSIZE, &was);
    small = was;
    small.rlim_cur = 70000;
    setrlimit(RLIMIT_FSIZE, &small);
    int rc = f.r->ops->finish(f.r, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    CU_ASSERT_EQUAL(rc, -1);
    CU_ASSERT_EQUAL(err.errnum, EFBIG);
    f.r->ops->free(f.r);
    char *text = read_file(path);
    CU_ASSERT_STRING_EQUAL(text, "old");
    free(text);
    remove_dir();
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"every outcome has its element", every_outcome_has_its_element},
        {"tries stand in their case", tries_stand_in_their_case},
        {"each keeps gateways apart", each_keeps_gateways_apart},
        {"what belongs to no test", what_belongs_to_no_test},
        {"hostile bytes stay XML", hostile_bytes_stay_xml},
        {"plain cases are written as others", plain_cases_are_written_as_others},
        {"long output is whole", long_output_is_whole},
        {"an aborted run leaves nothing", an_aborted_run_leaves_nothing},
        {"an older report is replaced", an_older_report_is_replaced},
        {"a link to a file that is not there yet stays a link",
         a_link_to_a_file_that_is_not_there_yet_stays_a_link},
        {"a device is written to, never replaced", a_device_is_written_to_never_replaced},
        {"directories are made", directories_are_made},
        {"what cannot be made is said", what_cannot_be_made_is_said},
        {"a reader that went away is told", a_reader_that_went_away_is_told},
        {"a full disk is told", a_full_disk_is_told},
        {0},
    };
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return txg_suite_main(argc, argv, "junit", tests);
}
