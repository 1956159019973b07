#include "config.h"

#include <string.h>

#include "src/worker/harness.h"
#include "tests/lib/suite.h"

#define CASES (txg_harness_glib.cases)

static void listing(void)
{
    struct txg_names names = {0};
    struct txg_err err;
    CU_ASSERT_EQUAL(CASES->read_list(TXG_SPAN("# random seed: R02S\n1..3\n# Start of a tests\n"
                                              "/a/b\n/a/b/c\r\nnoise\n# End of a tests\n/d"),
                                     &names, &err),
                    0);
    CU_ASSERT_EQUAL_FATAL(names.n, 3);
    CU_ASSERT_STRING_EQUAL(names.items[0], "/a/b");
    CU_ASSERT_STRING_EQUAL(names.items[1], "/a/b/c");
    CU_ASSERT_STRING_EQUAL(names.items[2], "/d");
    CU_ASSERT_EQUAL(CASES->read_list(TXG_SPAN("ok 1 /a\n"), &names, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "g_test_init"));
    txg_names_release(&names);
}

/* -p takes what is below a path too: that is kept out, and gets a process of its own. */
static void choosing(void)
{
    static const char *const names[] = {"/a", "/ab", "/a/b", "/c"};
    struct txg_names all = {0};
    struct txg_strv argv = {0};
    struct txg_buf got = {0};
    for (int i = 0; i < 4; i++)
        txg_names_push(&all, txg_span_cstr(names[i]));
    struct txg_case_choice choice = {.names = names, .n = 4, .all = &all};
    CU_ASSERT_EQUAL(CASES->choose(&choice, &argv), 2);
    for (size_t i = 0; i < argv.n; i++)
        txg_buf_printf(&got, "%s ", argv.items[i]);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&got), "--tap -k -p /a -s /a/b -p /ab ");
    txg_buf_release(&got);
    txg_strv_release(&argv);
    choice.names += 2;
    choice.n = 2;
    CU_ASSERT_EQUAL(CASES->choose(&choice, &argv), 2);
    txg_strv_release(&argv);
    txg_names_release(&all);
}

static void lines(void)
{
    static const struct {
        const char *line, *got;
    } rows[] = {
        {"ok 1 /a/b", "[]passed: "},
        {"ok 1 - /a/b", "[]passed: "},
        {"ok 12 /a/b\r", "[]passed: "},
        {"loose words: ok 1 /a/b", "[loose words: ]passed: "},
        {"x not ok 1 /a/b", "[x ]failed: failed"},
        {"not ok 2 /a/b - t.c:3: why", "[]failed: t.c:3: why"},
        {"ok 3 /a/b # SKIP no hw", "[]skipped: no hw"},
        {"not ok 3 /a/b # TODO later", "[]xfailed: later"},
        {"ok 3 /a/b # TODO later", "[]xpassed: later"},
        {"ok 1 /a/bc", "kept"},
        {"ok 1 /x/a/b", "kept"},
        {"ok /a/b", "kept"},
        {"not /a/b", "kept"},
        {"/a/b", "kept"},
        {"k 1 /a/b", "kept"},
        {"", "kept"},
        {"# a message", "kept"},
        {"# Start of a tests", "noise"},
        {"1..7", "noise"},
        {"ok 2 /a/b/c # SKIP by request (-s option)", "noise"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *state = txg_harness_glib.begin();
        struct txg_verdict v = {0};
        struct txg_buf got = {0};
        struct txg_case_lines l = {
            .name = "/a/b", .running = true, .line = txg_span_cstr(rows[i].line), .verdict = &v};
        enum txg_case_sign sign = CASES->read_line(state, &l);
        if (sign == TXG_CASE_ENDS)
            txg_buf_printf(&got, "[%.*s]%s: %s", TXG_FMT(l.line), txg_outcome_name(v.outcome),
                           txg_buf_cstr(&v.reason));
        else
            txg_buf_puts(&got, sign == TXG_CASE_NOISE ? "noise" : "kept");
        if (strcmp(txg_buf_cstr(&got), rows[i].got) != 0)
            printf("\n%s\n  got  %s\n  want %s\n", rows[i].line, txg_buf_cstr(&got), rows[i].got);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&got), rows[i].got);
        txg_buf_release(&got);
        txg_verdict_release(&v);
        txg_harness_glib.end(state);
    }
}

static void bailing_out(void)
{
    static const struct txg_ending aborted = {.signal = 6},
                                   late = {.signal = 15, .timed_out = true};
    void *state = txg_harness_glib.begin();
    struct txg_verdict v = {0};
    struct txg_case_lines l = {.name = "/a", .running = true, .verdict = &v};
    CU_ASSERT(!CASES->cut_short(state, true, &aborted, &v));
    l.line = TXG_SPAN("Bail out! ERROR:t.c:8:f: assertion failed (1 == 2)");
    CU_ASSERT_EQUAL(CASES->read_line(state, &l), TXG_CASE_OUTPUT);
    CU_ASSERT(!CASES->cut_short(state, true, &late, &v));
    CU_ASSERT(!CASES->cut_short(state, false, &aborted, &v));
    CU_ASSERT(CASES->cut_short(state, true, &aborted, &v));
    CU_ASSERT_EQUAL(v.outcome, TXG_FAILED);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&v.reason), "t.c:8:f: assertion failed (1 == 2)");
    l.line = TXG_SPAN("ok 1 /a");
    CU_ASSERT_EQUAL(CASES->read_line(state, &l), TXG_CASE_ENDS);
    CU_ASSERT(!CASES->cut_short(state, true, &aborted, &v)); /* the next one did not say so */
    txg_verdict_release(&v);
    txg_harness_glib.end(state);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"listing", listing},
        {"choosing", choosing},
        {"lines", lines},
        {"bailing out", bailing_out},
        {0},
    };
    return txg_suite_main(argc, argv, "glib", tests);
}
