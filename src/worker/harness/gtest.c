/*
 * GoogleTest 1.8 to 1.14. Listed with --gtest_list_tests, chosen with --gtest_filter, read from the
 * lines of its default printer. A line of a test's own may stand in front of them, where it did not
 * end in a newline. Only the name that is expected counts: a test may run GoogleTest within itself.
 */
#include "config.h"

#include "src/worker/harness.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_MAX  100000 /* bytes: Linux takes 131,072 in one argument */
#define REASON_MAX  400u
#define REASON_ROWS 5 /* lines of a failure's text that its reason holds */

struct gtest {
    struct txg_buf reason; /* of the case: from its first failure or its skip */
    int rows;              /* lines in it; 0: none yet */
    bool open;             /* the next line belongs to it */
    int failures;
    bool started, all_ran; /* any case did; the closing line came */
    /* What failed outside of a case: GoogleTest then skips the cases, and ends with status 1. */
    struct txg_buf setup; /* its first failure */
    bool in_suite, suite_failed, all_failed;
};

static void *begin(void)
{
    return txg_xcalloc(1, sizeof(struct gtest));
}

static void end(void *state)
{
    struct gtest *g = state;
    txg_buf_release(&g->reason);
    txg_buf_release(&g->setup);
    free(g);
}

static struct txg_span next_line(struct txg_span *text)
{
    const char *newline = memchr(text->data, '\n', text->len);
    struct txg_span line = {text->data, newline ? (size_t)(newline - text->data) : text->len};
    size_t used = line.len + (newline != NULL);
    text->data += used;
    text->len -= used;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool starts_with(struct txg_span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

static bool ends_with(struct txg_span s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && memcmp(s.data + s.len - n, suffix, n) == 0;
}

static size_t find(struct txg_span s, const char *word)
{
    const char *at = s.len ? memmem(s.data, s.len, word, strlen(word)) : NULL;
    return at ? (size_t)(at - s.data) : s.len;
}

static void add_case(struct txg_names *names, struct txg_span suite, struct txg_span name)
{
    char *at = txg_names_add(names, suite.len + name.len);
    memcpy(at, suite.data, suite.len);
    memcpy(at + suite.len, name.data, name.len);
}

/* `Suite.` and below it `  Case`; behind "  # " stands a comment. */
static int read_list(struct txg_span text, struct txg_names *names, struct txg_err *err)
{
    struct txg_span suite = {0};
    while (text.len > 0) {
        struct txg_span line = next_line(&text);
        if (starts_with(line, "[==========] Running"))
            return txg_err_set(err, TXG_E_USAGE,
                               "it ran its tests when it was to list them: its main() does not "
                               "call InitGoogleTest(&argc, argv)");
        line.len = find(line, "  # ");
        if (line.len > 1 && line.data[line.len - 1] == '.' && !memchr(line.data, ' ', line.len))
            suite = line;
        else if (suite.len > 0 && line.len > 2 && starts_with(line, "  ") && line.data[2] != ' ')
            add_case(names, suite, txg_span(line.data + 2, line.len - 2));
        else
            suite.len = 0;
    }
    return 0;
}

static bool is_disabled(const char *name, const struct txg_strv *argv, const struct txg_strv *envp)
{
    static const char flag[] = "--gtest_also_run_disabled_tests";
    bool disabled = false;
    for (const char *at = name; !disabled && (at = txg_strstr(at, "DISABLED_")); at++)
        disabled = at == name || at[-1] == '/' || at[-1] == '.';
    if (!disabled)
        return false;
    for (size_t i = 0; i < argv->n; i++)
        if (txg_has_prefix(argv->items[i], flag))
            return false;
    const char *env = txg_strv_getenv(envp, "GTEST_ALSO_RUN_DISABLED_TESTS");
    return !env || *env == '0';
}

/* What a filter gives a meaning to is matched by its `?`. */
static void add_pattern(struct txg_buf *filter, const char *name)
{
    if (filter->tail)
        txg_buf_putc(filter, ':');
    for (; *name; name++)
        txg_buf_putc(filter, strchr(":-*?", *name) ? '?' : *name);
}

static size_t choose(const struct txg_case_choice *choice, struct txg_strv *argv)
{
    struct txg_buf filter = {0};
    size_t n = 0;
    while (n < choice->n &&
           (n == 0 || txg_buf_len(&filter) + strlen(choice->names[n]) < FILTER_MAX))
        add_pattern(&filter, choice->names[n++]);
    txg_strv_take(argv, txg_xasprintf("--gtest_filter=%s", txg_buf_cstr(&filter)));
    txg_strv_push(argv, "--gtest_color=no");
    txg_strv_push(argv, "--gtest_repeat=1");
    txg_strv_push(argv, "--gtest_shuffle=0");
    txg_buf_release(&filter);
    return n;
}

/* `file:line: Failure` or `file:line: Skipped`, then the text, as one line. */
static void read_failure(struct gtest *g, struct txg_span line)
{
    bool failure = ends_with(line, ": Failure"), skipped = ends_with(line, ": Skipped");
    g->failures += failure;
    if ((failure || skipped) && g->rows == 0) {
        size_t place = line.len - strlen(" Failure");
        txg_buf_clear(&g->reason);
        txg_buf_append(&g->reason, line.data, failure ? place : 0);
        g->open = true;
        return;
    }
    while (line.len > 0 && line.data[0] == ' ') {
        line.data++;
        line.len--;
    }
    g->open = g->open && line.len > 0 && g->rows < REASON_ROWS && !failure && !skipped;
    if (!g->open || (line.len == 6 && starts_with(line, "Failed")))
        return;
    size_t held = txg_buf_len(&g->reason);
    if (held > 0)
        txg_buf_puts(&g->reason, txg_buf_data(&g->reason)[held - 1] == ':' ? " " : ", ");
    g->rows++;
    size_t room = REASON_MAX > txg_buf_len(&g->reason) ? REASON_MAX - txg_buf_len(&g->reason) : 0;
    size_t len = line.len < room ? line.len : room;
    txg_buf_append(&g->reason, line.data, len == line.len ? len : txg_utf8_prefix(line.data, len));
}

/* "(12 ms)" at the end of a line; -1: there is none. */
static int64_t read_duration(struct txg_span line)
{
    if (!ends_with(line, " ms)"))
        return -1;
    size_t at = line.len - 4;
    int64_t ms = 0, unit = 1;
    while (at > 0 && line.data[at - 1] >= '0' && line.data[at - 1] <= '9' && unit < 100000000000) {
        ms += (line.data[--at] - '0') * unit;
        unit *= 10;
    }
    return ms * 1000;
}

static bool is_about(struct txg_span rest, const char *name)
{
    size_t n = strlen(name);
    return rest.len >= n && memcmp(rest.data, name, n) == 0 &&
           (rest.len == n || rest.data[n] == ' ' || rest.data[n] == ',');
}

static void give_reason(struct gtest *g, struct txg_verdict *v)
{
    if (g->failures > 1)
        txg_verdict_set(v, v->outcome, "%s (and %d more)", txg_buf_cstr(&g->reason),
                        g->failures - 1);
    else
        txg_verdict_set(v, v->outcome, "%s", txg_buf_cstr(&g->reason));
    if (v->outcome == TXG_PASSED)
        txg_buf_clear(&v->reason);
    else if (txg_buf_len(&v->reason) == 0)
        txg_buf_puts(&v->reason, v->outcome == TXG_SKIPPED ? "skipped" : "failed");
}

static enum txg_case_sign read_end(struct gtest *g, struct txg_case_lines *l)
{
    static const struct {
        const char *mark;
        enum txg_outcome outcome;
    } ends[] = {{"[       OK ] ", TXG_PASSED},
                {"[  FAILED  ] ", TXG_FAILED},
                {"[  SKIPPED ] ", TXG_SKIPPED}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t at = find(l->line, ends[i].mark), behind = at + strlen(ends[i].mark);
        if (at == l->line.len ||
            !is_about(txg_span(l->line.data + behind, l->line.len - behind), l->name))
            continue;
        l->verdict->outcome = ends[i].outcome;
        if (ends[i].outcome == TXG_SKIPPED && (g->suite_failed || g->all_failed))
            txg_verdict_set(l->verdict, TXG_ERROR, "not run, its set-up failed: %s",
                            txg_buf_cstr(&g->setup));
        else
            give_reason(g, l->verdict);
        l->duration = read_duration(l->line);
        l->line.len = at; /* what stands in front is the test's */
        return TXG_CASE_ENDS;
    }
    return TXG_CASE_OUTPUT;
}

static void start(struct gtest *g)
{
    if (txg_buf_len(&g->setup) == 0)
        txg_buf_append(&g->setup, txg_buf_data(&g->reason), txg_buf_len(&g->reason));
    txg_buf_clear(&g->reason);
    g->rows = g->failures = 0;
    g->open = false;
    g->started = true;
}

/* A failure between cases is the teardown's of the one before, or of the set-up for the next. */
static void read_between(struct gtest *g, struct txg_case_lines *l)
{
    bool failure = ends_with(l->line, ": Failure");
    if (failure && l->over && !txg_outcome_is_failure(l->over->outcome)) {
        txg_verdict_set(l->over, TXG_ERROR, "%.*s behind the end of the case", TXG_FMT(l->line));
    } else if (!l->over) {
        g->suite_failed |= failure && g->in_suite;
        g->all_failed |= failure && !g->in_suite;
        read_failure(g, l->line);
    }
}

static void read_suite(struct gtest *g, struct txg_span line)
{
    if (find(line, " from ") == line.len)
        return;
    g->in_suite = true;
    g->suite_failed = false;
    if (!g->all_failed) {
        txg_buf_clear(&g->setup);
        txg_buf_clear(&g->reason);
        g->rows = 0;
    }
}

static enum txg_case_sign read_line(void *state, struct txg_case_lines *l)
{
    static const char run[] = "[ RUN      ] ";
    struct gtest *g = state;
    if (l->running) {
        enum txg_case_sign sign = read_end(g, l);
        if (sign == TXG_CASE_OUTPUT)
            read_failure(g, l->line);
        return sign;
    }
    size_t at = find(l->line, run), behind = at + sizeof run - 1;
    if (at < l->line.len &&
        txg_span_is(txg_span(l->line.data + behind, l->line.len - behind), l->name)) {
        start(g);
        l->line.len = at;
        return TXG_CASE_STARTS;
    }
    if (starts_with(l->line, "[==========] ") && ends_with(l->line, "total)"))
        g->all_ran = true;
    if (starts_with(l->line, "[----------] ")) {
        read_suite(g, l->line);
        return TXG_CASE_APART;
    }
    bool closing = g->all_ran && starts_with(l->line, " ");
    bool noise = l->line.len == 0 || closing || starts_with(l->line, "[==========] ") ||
                 starts_with(l->line, "[  PASSED  ] ") || starts_with(l->line, "[  FAILED  ] ") ||
                 starts_with(l->line, "[  SKIPPED ] ") || starts_with(l->line, "[ DISABLED ] ") ||
                 starts_with(l->line, "Note: Google Test filter") ||
                 starts_with(l->line, "Running main() from ");
    if (!noise)
        read_between(g, l);
    return noise ? TXG_CASE_NOISE : TXG_CASE_OUTPUT;
}

/* A global environment may skip everything: then no case is announced at all. */
static bool cut_short(void *state, bool running, const struct txg_ending *ending,
                      struct txg_verdict *v)
{
    const struct gtest *g = state;
    if (running || g->started || !g->all_ran || ending->signal || ending->status)
        return false;
    txg_verdict_set(v, TXG_SKIPPED, "its program skipped all of its cases");
    return true;
}

static const char *const list[] = {"--gtest_list_tests", NULL};
static const char *const unset[] = {"GTEST_BRIEF",        "GTEST_FAIL_FAST",
                                    "GTEST_SHARD_INDEX",  "GTEST_SHARD_STATUS_FILE",
                                    "GTEST_TOTAL_SHARDS", NULL};

static const struct txg_cases_ops cases = {.list = list,
                                           .unset = unset,
                                           .announces = true,
                                           .read_list = read_list,
                                           .is_disabled = is_disabled,
                                           .choose = choose,
                                           .read_line = read_line,
                                           .cut_short = cut_short};

const struct txg_harness_ops txg_harness_gtest = {
    .name = "gtest", .begin = begin, .end = end, .cases = &cases};
