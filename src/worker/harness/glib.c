/*
 * GLib's test framework (g_test_init, g_test_run). Listed with -l, chosen with -p, read from its
 * TAP. It says only when a case has ended, so the next one starts there. An assertion that fails
 * says "Bail out!" and aborts: that is a failure of the case, the rest runs in a new process.
 */
#include "config.h"

#include "src/worker/harness.h"

#include <stdlib.h>
#include <string.h>

#include "src/worker/harness/tapline.h"

#define ARGUMENTS_MAX 100000 /* bytes of the paths of one process */

struct glib {
    struct txg_buf bail; /* what `Bail out!` said */
    bool bailed;
};

static void *begin(void)
{
    return txg_xcalloc(1, sizeof(struct glib));
}

static void end(void *state)
{
    struct glib *g = state;
    txg_buf_release(&g->bail);
    free(g);
}

/* Names may hold a random number: the same seed gives every process and gateway the same ones. */
static void prepare(struct txg_strv *argv)
{
    for (size_t i = 1; i < argv->n; i++)
        if (txg_has_prefix(argv->items[i], "--seed"))
            return;
    txg_strv_push(argv, "--seed=R02S00000000000000000000000000000000");
}

/* A path a line, with comments between them. */
static int read_list(struct txg_span text, struct txg_names *names, struct txg_err *err)
{
    for (size_t at = 0, len; at < text.len; at += len + 1) {
        const char *line = text.data + at, *newline = memchr(line, '\n', text.len - at);
        len = newline ? (size_t)(newline - line) : text.len - at;
        struct txg_tapline point = txg_tapline_read(txg_span(line, len), 13);
        if (point.type == TXG_TAPLINE_POINT)
            return txg_err_set(err, TXG_E_USAGE,
                               "it ran its tests when it was to list them: its main() does not "
                               "call g_test_init(&argc, &argv, NULL)");
        if (len > 1 && line[0] == '/')
            txg_names_push(names, txg_span(line, len - (line[len - 1] == '\r')));
    }
    return 0;
}

/* -p takes what is below a path as well. */
static bool is_below(const char *name, const char *path)
{
    size_t n = strlen(path);
    return strncmp(name, path, n) == 0 && name[n] == '/';
}

static bool is_taken(const struct txg_case_choice *choice, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_below(choice->names[n], choice->names[i]))
            return true;
    return false;
}

static size_t choose(const struct txg_case_choice *choice, struct txg_strv *argv)
{
    size_t n = 0, bytes = 0;
    txg_strv_push(argv, "--tap");
    txg_strv_push(argv, "-k");
    for (; n < choice->n && bytes < ARGUMENTS_MAX && !is_taken(choice, n); n++) {
        txg_strv_push(argv, "-p");
        txg_strv_push(argv, choice->names[n]);
        bytes += strlen(choice->names[n]);
        for (size_t i = 0; i < choice->all->n; i++) {
            if (!is_below(choice->all->items[i], choice->names[n]))
                continue;
            txg_strv_push(argv, "-s");
            txg_strv_push(argv, choice->all->items[i]);
        }
    }
    return n;
}

/* Where `ok 3 /path` or `not ok 3 /path` of this name begins, or the length of the line: a test may
 * have written in front of it without a newline. */
static size_t find_point(struct txg_span line, const char *name)
{
    size_t n = strlen(name);
    const char *found = line.len ? memmem(line.data, line.len, name, n) : NULL;
    if (!found)
        return line.len;
    size_t at = (size_t)(found - line.data), behind = at + n;
    if (behind < line.len && line.data[behind] != ' ' && line.data[behind] != '\r')
        return line.len;
    if (at >= 2 && memcmp(line.data + at - 2, "- ", 2) == 0)
        at -= 2;
    size_t number = at > 0 ? at - 1 : 0;
    while (number > 0 && line.data[number - 1] >= '0' && line.data[number - 1] <= '9')
        number--;
    if (number + 1 >= at || number < 3 || memcmp(line.data + number - 3, "ok ", 3) != 0)
        return line.len;
    at = number - 3;
    return at >= 4 && memcmp(line.data + at - 4, "not ", 4) == 0 ? at - 4 : at;
}

static void give_verdict(struct txg_verdict *v, const struct txg_tapline *point, const char *name)
{
    struct txg_span why = point->text;
    enum txg_outcome outcome = point->ok ? TXG_PASSED : TXG_FAILED;
    if (point->todo)
        outcome = point->ok ? TXG_XPASSED : TXG_XFAILED;
    else if (point->ok && point->skip)
        outcome = TXG_SKIPPED;
    size_t n = strlen(name) + 3; /* "/path - why" */
    if (why.len == 0 && point->name.len > n)
        why = txg_span(point->name.data + n, point->name.len - n);
    txg_verdict_set(v, outcome, "%.*s", TXG_FMT(why));
    if (outcome == TXG_FAILED && why.len == 0)
        txg_buf_puts(&v->reason, "failed");
}

static bool is_noise(struct txg_span line)
{
    static const char *const talk[] = {"# Start of ", "# End of ", "# random seed: "};
    for (size_t i = 0; i < sizeof talk / sizeof *talk; i++)
        if (line.len >= strlen(talk[i]) && memcmp(line.data, talk[i], strlen(talk[i])) == 0)
            return true;
    struct txg_tapline l = txg_tapline_read(line, 13);
    return l.type == TXG_TAPLINE_PLAN || l.type == TXG_TAPLINE_VERSION ||
           (l.type == TXG_TAPLINE_POINT && l.skip);
}

static enum txg_case_sign read_line(void *state, struct txg_case_lines *l)
{
    struct glib *g = state;
    size_t at = l->running ? find_point(l->line, l->name) : l->line.len;
    if (at < l->line.len) {
        struct txg_tapline point =
            txg_tapline_read(txg_span(l->line.data + at, l->line.len - at), 13);
        give_verdict(l->verdict, &point, l->name);
        l->line.len = at;
        g->bailed = false;
        return TXG_CASE_ENDS;
    }
    if (is_noise(l->line))
        return TXG_CASE_NOISE;
    struct txg_tapline bail = txg_tapline_read(l->line, 13);
    if (bail.type == TXG_TAPLINE_BAIL_OUT && !g->bailed) {
        g->bailed = true;
        txg_buf_clear(&g->bail);
        txg_buf_append(&g->bail, bail.text.data, bail.text.len);
    }
    return TXG_CASE_OUTPUT;
}

static bool cut_short(void *state, bool running, const struct txg_ending *ending,
                      struct txg_verdict *v)
{
    struct glib *g = state;
    if (!running || !g->bailed || ending->timed_out)
        return false;
    const char *why = txg_buf_cstr(&g->bail);
    if (txg_has_prefix(why, "ERROR:"))
        why += strlen("ERROR:");
    txg_verdict_set(v, TXG_FAILED, "%s", *why ? why : "Bail out!");
    return true;
}

static const char *const list[] = {"-l", NULL};

static const struct txg_cases_ops cases = {.prepare = prepare,
                                           .list = list,
                                           .read_list = read_list,
                                           .choose = choose,
                                           .read_line = read_line,
                                           .cut_short = cut_short};

const struct txg_harness_ops txg_harness_glib = {
    .name = "glib", .begin = begin, .end = end, .cases = &cases};
