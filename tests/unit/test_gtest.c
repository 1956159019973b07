#include "config.h"

#include <string.h>

#include "src/worker/harness.h"
#include "tests/lib/suite.h"

#define CASES (txg_harness_gtest.cases)

static void listing(void)
{
    static const struct {
        const char *text, *names;
    } rows[] = {
        {"", ""},
        {"Running main() from gtest_main.cc\nA.\n  b\n  c\nD.\n  e\n", "A.b A.c D.e "},
        {"A/0.  # TypeParam = int\n  b\nI/P.\n  c/0  # GetParam() = \"x  # y\"\n",
         "A/0.b I/P.c/0 "},
        {"A.\r\n  b\r\n", "A.b "},
        {"  early\nReady.\nA.\n  b\nsome log line\n  c\n", "A.b "},
        {"A.\n  b", "A.b "},
        {"A.\n   deeper\n", ""},
        {"two words.\n  b\n.\n  c\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_names names = {0};
        struct txg_buf got = {0};
        struct txg_err err;
        CU_ASSERT_EQUAL(CASES->read_list(txg_span_cstr(rows[i].text), &names, &err), 0);
        for (size_t k = 0; k < names.n; k++)
            txg_buf_printf(&got, "%s ", names.items[k]);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&got), rows[i].names);
        txg_buf_release(&got);
        txg_names_release(&names);
    }
}

static void no_listing(void)
{
    struct txg_names names = {0};
    struct txg_err err;
    CU_ASSERT_EQUAL(CASES->read_list(TXG_SPAN("[==========] Running 1 test from 1 test suite.\n"),
                                     &names, &err),
                    -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "InitGoogleTest"));
    txg_names_release(&names);
}

static void choosing(void)
{
    static const char *const names[] = {"A.b", "I/P.c/0", "odd-one*:?"};
    struct txg_case_choice choice = {.names = names, .n = 3};
    struct txg_strv argv = {0};
    CU_ASSERT_EQUAL(CASES->choose(&choice, &argv), 3);
    CU_ASSERT_STRING_EQUAL(argv.items[0], "--gtest_filter=A.b:I/P.c/0:odd?one???");
    txg_strv_release(&argv);

    /* one argument has a limit: what does not fit is not chosen */
    char long_name[3001];
    const char *many[100];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    for (int i = 0; i < 100; i++)
        many[i] = long_name;
    choice = (struct txg_case_choice){.names = many, .n = 100};
    size_t n = CASES->choose(&choice, &argv);
    CU_ASSERT(n > 20 && n < 100);
    CU_ASSERT(strlen(argv.items[0]) < 131072);
    txg_strv_release(&argv);
}

static void disabled(void)
{
    static const struct {
        const char *name;
        bool disabled;
    } rows[] = {{"A.b", false},           {"A.DISABLED_b", true},      {"DISABLED_A.b", true},
                {"I/DISABLED_A.b", true}, {"A.NOT_DISABLED_b", false}, {"A.b/DISABLED_0", true}};
    struct txg_strv none = {0}, argv = {0}, env = {0};
    txg_strv_push(&argv, "--gtest_also_run_disabled_tests");
    txg_strv_setenv(&env, "GTEST_ALSO_RUN_DISABLED_TESTS", "1");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CU_ASSERT_EQUAL(CASES->is_disabled(rows[i].name, &none, &none), rows[i].disabled);
        CU_ASSERT(!CASES->is_disabled(rows[i].name, &argv, &none));
        CU_ASSERT(!CASES->is_disabled(rows[i].name, &none, &env));
    }
    txg_strv_release(&argv);
    txg_strv_release(&env);
}

/* One line of a case's output, read: what of it is kept, "+" where it starts, "|" where the next
 * one's affairs begin, and "outcome(duration): reason" where it ends. */
static void read_one(void *state, const char *text, bool *running, struct txg_buf *got)
{
    struct txg_verdict v = {0};
    struct txg_case_lines l = {.name = "A.b",
                               .running = *running,
                               .line = txg_span_cstr(text),
                               .verdict = &v,
                               .duration = -1};
    switch (CASES->read_line(state, &l)) {
    case TXG_CASE_NOISE:
        break;
    case TXG_CASE_OUTPUT:
        txg_buf_printf(got, "<%.*s>", TXG_FMT(l.line));
        break;
    case TXG_CASE_APART:
        txg_buf_putc(got, '|');
        break;
    case TXG_CASE_STARTS:
        txg_buf_printf(got, "<%.*s>+", TXG_FMT(l.line));
        *running = true;
        break;
    case TXG_CASE_ENDS:
        txg_buf_printf(got, "<%.*s>%s(%lld): %s", TXG_FMT(l.line), txg_outcome_name(v.outcome),
                       (long long)l.duration, txg_buf_cstr(&v.reason));
        *running = false;
        break;
    }
    txg_verdict_release(&v);
}

#define RUN "[ RUN      ] A.b\n"

static void lines(void)
{
    static const struct {
        const char *text, *got;
    } rows[] = {
        {RUN "[       OK ] A.b (12 ms)", "<>+<>passed(12000): "},
        {"loose" RUN "x[       OK ] A.b (0 ms)", "<loose>+<x>passed(0): "},
        {RUN "t.cc:3: Failure\nValue of: f()\n  Actual: false\n\nmore\n[  FAILED  ] A.b (1 ms)",
         "<>+<t.cc:3: Failure><Value of: f()><  Actual: false><><more><>failed(1000): "
         "t.cc:3: Value of: f(), Actual: false"},
        {RUN "t.cc:3: Failure\nFailed\nwhy\nt.cc:4: Failure\nagain\n[  FAILED  ] A.b (1 ms)",
         "<>+<t.cc:3: Failure><Failed><why><t.cc:4: Failure><again><>failed(1000): "
         "t.cc:3: why (and 1 more)"},
        {RUN "[  FAILED  ] A.b, where GetParam() = 3 (7 ms)", "<>+<>failed(7000): failed"},
        {RUN "t.cc:3: Skipped\nno hw\n[  SKIPPED ] A.b (0 ms)",
         "<>+<t.cc:3: Skipped><no hw><>skipped(0): no hw"},
        {RUN "[  SKIPPED ] A.b", "<>+<>skipped(-1): skipped"},
        /* another's lines, and those of a GoogleTest within the case, are output */
        {RUN "[       OK ] A.bc (0 ms)", "<>+<[       OK ] A.bc (0 ms)>"},
        {RUN "[ RUN      ] A.b", "<>+<[ RUN      ] A.b>"},
        {"[ RUN      ] A.bc", "<[ RUN      ] A.bc>"},
        {"[----------] 1 test from A\nT.cc:9: Failure\nFailed\nno device\n" RUN
         "T.cc:1: Skipped\n\n[  SKIPPED ] A.b (0 ms)",
         "|<T.cc:9: Failure><Failed><no device><>+<T.cc:1: Skipped><><>error(0): not run, its "
         "set-up failed: T.cc:9: no device"},
        {"e.cc:9: Failure\nno env\n[----------] 1 test from A\n" RUN "[  SKIPPED ] A.b (0 ms)",
         "<e.cc:9: Failure><no env>|<>+<>error(0): not run, its set-up failed: e.cc:9: no env"},
        {"[==========] Running 1 test from 1 test suite.\n\nNote: Google Test filter = A.b", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *state = txg_harness_gtest.begin();
        struct txg_buf got = {0};
        bool running = false;
        char text[512], *at = text, *line;
        snprintf(text, sizeof text, "%s", rows[i].text);
        while ((line = strsep(&at, "\n")))
            read_one(state, line, &running, &got);
        if (strcmp(txg_buf_cstr(&got), rows[i].got) != 0)
            printf("\n  got  %s\n  want %s\n", txg_buf_cstr(&got), rows[i].got);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&got), rows[i].got);
        txg_buf_release(&got);
        txg_harness_gtest.end(state);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"listing", listing},   {"no listing", no_listing}, {"choosing", choosing},
        {"disabled", disabled}, {"lines", lines},           {0},
    };
    return txg_suite_main(argc, argv, "gtest", tests);
}
