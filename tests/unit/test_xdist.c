#include "config.h"

#include <string.h>

#include "src/worker/xdist_args.h"
#include "src/worker/xdist_events.h"
#include "src/worker/xdist_expr.h"
#include "src/worker/xdist_input.h"
#include "src/worker/xdist_why.h"
#include "tests/lib/suite.h"

static void expressions(void)
{
    static const struct {
        const char *text;
        int value; /* for the nodeid "dir/test_Power"; -1: not understood */
    } rows[] = {
        {"", 1},
        {"  ", 1},
        {"power", 1},
        {"POWER", 1},
        {"uart", 0},
        {"not uart", 1},
        {"not not power", 1},
        {"power and uart", 0},
        {"power or uart", 1},
        {"uart or dir and power", 1},
        {"power or uart and uart", 1},
        {"(power or uart) and uart", 0},
        {"not (power or uart)", 0},
        {"not power or power", 1},
        {"dir/test_", 1},
        {"nothing", 0},
        {"and", -1},
        {"power and", -1},
        {"power uart", -1},
        {"(power", -1},
        {"power)", -1},
        {"not", -1},
        {"power == 1", -1},
        {"()", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool value = false;
        struct txg_err err = {0};
        int rc = txg_xdist_expr(rows[i].text, txg_xdist_expr_in, "dir/test_Power", &value, &err);
        CU_ASSERT_EQUAL(rc < 0 ? -1 : value, rows[i].value);
        CU_ASSERT_EQUAL(rc < 0, err.text[0] != '\0');
    }
}

static void expressions_as_deep_as_they_may_be(void)
{
    char text[3 * TXG_XDIST_EXPR_DEPTH_MAX + 3];
    for (int depth = TXG_XDIST_EXPR_DEPTH_MAX - 1; depth <= TXG_XDIST_EXPR_DEPTH_MAX; depth++) {
        bool value;
        memset(text, '(', (size_t)depth);
        text[depth] = 'p';
        memset(text + depth + 1, ')', (size_t)depth);
        text[2 * depth + 1] = '\0';
        int rc = txg_xdist_expr(text, txg_xdist_expr_in, "p", &value, NULL);
        CU_ASSERT_EQUAL(rc, depth < TXG_XDIST_EXPR_DEPTH_MAX ? 0 : -1);
    }
}

/* Words are separated by one space here; '~' stands for one inside a word. */
static int parse(struct txg_xdist_args *a, const char *line, struct txg_err *err)
{
    struct txg_strv words = {0};
    while (*line) {
        size_t n = strcspn(line, " ");
        char *word = txg_xstrndup(line, n);
        for (char *c = word; *c; c++)
            if (*c == '~')
                *c = ' ';
        txg_strv_take(&words, word);
        line += n + (line[n] == ' ');
    }
    *a = (struct txg_xdist_args){0};
    int rc = txg_xdist_args_parse(a, &words, err);
    txg_strv_release(&words);
    return rc;
}

static void command_lines(void)
{
    static const struct {
        const char *line, *paths; /* joined by spaces */
        int64_t maxfail;
        const char *keyword;
    } rows[] = {
        {"", "", 0, NULL},
        {"tests", "tests", 0, NULL},
        {"--tx 3*popen//python=txgate-worker --dist each tests/native", "tests/native", 0, NULL},
        {"--dist=each a b -v", "a b", 0, NULL},
        {"-x a", "a", 1, NULL},
        {"--exitfirst no-such-file", "no-such-file", 1, NULL},
        {"-vvx a", "a", 1, NULL},
        {"--maxfail 3 a", "a", 3, NULL},
        {"--maxfail=4", "", 4, NULL},
        {"-k one~or~two a", "a", 0, "one or two"},
        {"-kone a", "a", 0, "one"},
        {"-xk one a", "a", 1, "one"},
        {"-k one -k two a", "a", 0, "two"},
        {"-n 3 -rA -p no:x -o a=b a", "a", 0, NULL},
        {"a::case ./b::one::two c", "a ./b c", 0, NULL},
        {"-- -x --weird", "-x --weird", 0, NULL},
        {"--of-a-plugin no-such-file a", "a", 0, NULL},
        {"--of-a-plugin / a", "/ a", 0, NULL},
        {"--of-a-plugin -x a", "a", 1, NULL},
        {"--of-a-plugin=v a", "a", 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_xdist_args a;
        struct txg_err err = {0};
        CU_ASSERT_EQUAL(parse(&a, rows[i].line, &err), 0);
        struct txg_buf joined = {0};
        for (size_t p = 0; p < a.paths.n; p++)
            txg_buf_printf(&joined, "%s%s", p ? " " : "", a.paths.items[p]);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&joined), rows[i].paths);
        CU_ASSERT_EQUAL(a.maxfail, rows[i].maxfail);
        CU_ASSERT_EQUAL(!a.keyword, !rows[i].keyword);
        if (a.keyword && rows[i].keyword)
            CU_ASSERT_STRING_EQUAL(a.keyword, rows[i].keyword);
        txg_buf_release(&joined);
        txg_xdist_args_release(&a);
    }
}

static void command_lines_that_are_wrong(void)
{
    static const char *const lines[] = {"-k", "a -xk", "--maxfail", "--maxfail x", "--maxfail=-1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct txg_xdist_args a;
        struct txg_err err = {0};
        CU_ASSERT_EQUAL(parse(&a, lines[i], &err), -1);
        CU_ASSERT(err.text[0] != '\0');
        txg_xdist_args_release(&a);
    }
}

static void selection(void)
{
    static const struct {
        const char *line, *nodeid;
        bool yes;
    } rows[] = {
        {"t", "t/a", true},
        {"t -k b", "t/a", false},
        {"t -m slow", "t/a", false},
        {"t -m not~slow", "t/a", true},
        {"t --deselect t/a", "t/a", false},
        {"t --deselect t/a", "t/a::one", false},
        {"t --deselect t/a::one", "t/a::one", false},
        {"t --deselect t/a::one", "t/a::two", true},
        {"t --deselect t/a", "t/ab", true},
        {"t/a::one", "t/a::one", true},
        {"t/a::one", "t/a::two", false},
        {"./t/a::one", "t/a::one", true},
        {"t/a::one t/b", "t/b::two", true},
        {"t", "t/conftest.py", false},
        {"t/run.py", "t/run.py", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_xdist_args a;
        CU_ASSERT_EQUAL(parse(&a, rows[i].line, NULL), 0);
        CU_ASSERT_EQUAL(txg_xdist_args_select(&a, rows[i].nodeid), rows[i].yes);
        txg_xdist_args_release(&a);
    }
}

static void places(void)
{
    static const struct {
        const char *text, *file;
        int64_t line;
    } rows[] = {
        {"prog: src/power.c:42: main: Assertion `0' failed.", "src/power.c", 42},
        {"a.cc:7: Failure", "a.cc", 7},
        {"at (lib/x.h:9)", "lib/x.h", 9},
        {"first\n  \"t.c:3\"", "t.c", 3},
        {"12:30:05 x", NULL, 0},
        {"host:22", NULL, 0},
        {"a.c:0: no", NULL, 0},
        {"a.c: no", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_span file = {0};
        int64_t line = 0;
        bool found = txg_xdist_find_place(txg_span_cstr(rows[i].text), &file, &line);
        CU_ASSERT_EQUAL(found, rows[i].file != NULL);
        CU_ASSERT_EQUAL(line, rows[i].line);
        if (found && rows[i].file)
            CU_ASSERT(txg_span_is(file, rows[i].file));
    }
}

static int read_input(const struct txg_buf *bytes, size_t size, struct txg_xdist_input *in)
{
    struct txg_execnet_value v;
    struct txg_err err = {0};
    *in = (struct txg_xdist_input){0};
    CU_ASSERT_EQUAL_FATAL(
        txg_execnet_decode(txg_span(txg_buf_data(bytes), txg_buf_len(bytes)), &v, NULL), 0);
    int rc = txg_xdist_input_read(in, &v, size, &err);
    CU_ASSERT_EQUAL(rc < 0, err.text[0] != '\0');
    txg_execnet_release(&v);
    return rc;
}

/* (workerinput with `depth` lists inside each other, ["a"], {}, None) */
static void put_input(struct txg_buf *b, int depth)
{
    txg_execnet_put_dict(b);
    txg_execnet_put_str(b, "workerid");
    txg_execnet_put_str(b, "gw7");
    txg_execnet_put_setitem(b);
    txg_execnet_put_str(b, "x");
    for (int i = 0; i < depth; i++) {
        txg_execnet_put_list(b, 1);
        txg_execnet_put_int(b, 0);
    }
    txg_execnet_put_int(b, 5);
    for (int i = 0; i <= depth; i++)
        txg_execnet_put_setitem(b);
    txg_execnet_put_list(b, 1);
    txg_execnet_put_int(b, 0);
    txg_execnet_put_str(b, "a");
    txg_execnet_put_setitem(b);
    txg_execnet_put_dict(b);
    txg_execnet_put_none(b);
    txg_execnet_put_tuple(b, 4);
    txg_execnet_put_stop(b);
}

static void workerinput_within_its_limits(void)
{
    for (int depth = 0; depth <= TXG_VALUE_DEPTH_MAX; depth++) {
        struct txg_buf b = {0};
        struct txg_xdist_input in;
        put_input(&b, depth);
        CU_ASSERT_EQUAL(read_input(&b, txg_buf_len(&b), &in), depth < TXG_VALUE_DEPTH_MAX ? 0 : -1);
        CU_ASSERT_STRING_EQUAL(in.workerid, "gw7");
        CU_ASSERT_PTR_NULL(txg_value_get(&in.input, "workerid"));
        txg_xdist_input_release(&in);
        CU_ASSERT_EQUAL(read_input(&b, 1u << 20, &in), -1);
        txg_xdist_input_release(&in);
        txg_buf_release(&b);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"expressions", expressions},
        {"expressions as deep as they may be, and deeper", expressions_as_deep_as_they_may_be},
        {"command lines", command_lines},
        {"command lines that are wrong", command_lines_that_are_wrong},
        {"selection", selection},
        {"places", places},
        {"workerinput within its limits, and over them", workerinput_within_its_limits},
        {0},
    };
    return txg_suite_main(argc, argv, "xdist", tests);
}
