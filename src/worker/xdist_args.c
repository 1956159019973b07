#include "config.h"

#include "src/worker/xdist_args.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/worker/xdist_expr.h"

/* The letters whose value may stand in the next word. */
#define SHORT_WITH_VALUE "kmcnpoWr"

static const char *const long_with_value[] = {
    /* pytest */
    "--assert", "--basetemp", "--capture", "--code-highlight", "--color", "--confcutdir",
    "--config-file", "--deselect", "--doctest-glob", "--doctest-report", "--durations",
    "--durations-min", "--ignore", "--ignore-glob", "--import-mode", "--junit-prefix",
    "--junit-xml", "--junitprefix", "--junitxml", "--last-failed-no-failures", "--lfnf",
    "--log-auto-indent", "--log-cli-date-format", "--log-cli-format", "--log-cli-level",
    "--log-date-format", "--log-disable", "--log-file", "--log-file-date-format",
    "--log-file-format", "--log-file-level", "--log-file-mode", "--log-format", "--log-level",
    "--maxfail", "--override-ini", "--pastebin", "--pdbcls", "--pythonwarnings", "--rootdir",
    "--show-capture", "--tb", "--verbosity",
    /* pytest-xdist */
    "--dist", "--max-worker-restart", "--maxprocesses", "--maxschedchunk", "--numprocesses", "--px",
    "--ramp", "--rsyncdir", "--rsyncignore", "--testrunuid", "--tx"};

static const char *const long_without_value[] = {
    /* pytest */
    "--cache-clear", "--co", "--collect-in-virtualenv", "--collect-only",
    "--continue-on-collection-errors", "--debug", "--disable-plugin-autoload",
    "--disable-pytest-warnings", "--disable-warnings", "--doctest-continue-on-failure",
    "--doctest-ignore-import-errors", "--doctest-modules", "--exitfirst", "--failed-first", "--ff",
    "--force-short-summary", "--full-trace", "--keep-duplicates", "--last-failed", "--lf",
    "--new-first", "--nf", "--no-fold-skipped", "--no-header", "--no-showlocals", "--no-summary",
    "--noconftest", "--pdb", "--pyargs", "--quiet", "--runxfail", "--setup-only", "--setup-plan",
    "--setup-show", "--showlocals", "--stepwise", "--stepwise-reset", "--stepwise-skip", "--strict",
    "--strict-config", "--strict-markers", "--sw", "--sw-reset", "--sw-skip", "--trace",
    "--trace-config", "--verbose", "--xfail-tb",
    /* pytest-xdist */
    "--loadscope-reorder", "--no-loadscope-reorder", "--looponfail"};

static void add_test(struct txg_xdist_args *a, const char *word)
{
    const char *end = txg_strstr(word, "::");
    if (!end) {
        txg_strv_push(&a->paths, word);
        return;
    }
    txg_strv_push_n(&a->paths, word, (size_t)(end - word));
    txg_strv_push(&a->wanted, word);
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = txg_xstrdup(value);
}

static int take_option(struct txg_xdist_args *a, const char *name, const char *value,
                       struct txg_err *err)
{
    if (strcmp(name, "-k") == 0)
        set(&a->keyword, value);
    else if (strcmp(name, "-m") == 0)
        set(&a->mark, value);
    else if (strcmp(name, "--deselect") == 0)
        txg_strv_push(&a->deselect, value);
    else if (strcmp(name, "--maxfail") == 0 && !txg_parse_int(value, 0, INT32_MAX, &a->maxfail))
        return txg_err_set(err, TXG_E_USAGE, "--maxfail %s: a number is expected", value);
    return 0;
}

static int missing(const char *name, struct txg_err *err)
{
    return txg_err_set(err, TXG_E_USAGE, "%s: its value is missing", name);
}

/* -x, -vv, -k EXPR, -kEXPR, -xk EXPR */
static int take_letters(struct txg_xdist_args *a, const struct txg_strv *words, size_t *at,
                        struct txg_err *err)
{
    for (const char *c = words->items[*at] + 1; *c; c++) {
        if (*c == 'x')
            a->maxfail = 1;
        if (!strchr(SHORT_WITH_VALUE, *c))
            continue;
        char name[] = {'-', *c, '\0'};
        const char *value = c + 1;
        if (*value == '=')
            value++;
        else if (*value == '\0' && ++*at == words->n)
            return missing(name, err);
        else if (*value == '\0')
            value = words->items[*at];
        return take_option(a, name, value, err);
    }
    return 0;
}

static bool is_among(const char *name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}
#define IS_AMONG(name, words) is_among(name, words, sizeof words / sizeof *words)

static int take_long(struct txg_xdist_args *a, const struct txg_strv *words, size_t *at,
                     struct txg_err *err)
{
    const char *word = words->items[*at], *equals = strchr(word, '=');
    TXG_AUTOFREE char *name = txg_xstrndup(word, equals ? (size_t)(equals - word) : strlen(word));
    if (strcmp(name, "--exitfirst") == 0)
        a->maxfail = 1;
    if (equals)
        return take_option(a, name, equals + 1, err);
    if (IS_AMONG(name, long_without_value))
        return 0;
    if (IS_AMONG(name, long_with_value)) {
        if (++*at == words->n)
            return missing(name, err);
        return take_option(a, name, words->items[*at], err);
    }
    /* Another plugin's: what follows is its value, unless that is a file. */
    const char *next = *at + 1 < words->n ? words->items[*at + 1] : "-";
    if (*next != '-') {
        TXG_AUTOFREE char *path = txg_xstrndup(next, strcspn(next, ":"));
        if (access(next, F_OK) != 0 && access(path, F_OK) != 0)
            ++*at;
    }
    return 0;
}

int txg_xdist_args_parse(struct txg_xdist_args *a, const struct txg_strv *words,
                         struct txg_err *err)
{
    bool options = true;
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->items[i];
        int rc = 0;
        if (!options || word[0] != '-' || word[1] == '\0')
            add_test(a, word);
        else if (strcmp(word, "--") == 0)
            options = false;
        else if (word[1] == '-')
            rc = take_long(a, words, &i, err);
        else
            rc = take_letters(a, words, &i, err);
        if (rc < 0)
            return -1;
    }
    return 0;
}

void txg_xdist_args_release(struct txg_xdist_args *a)
{
    txg_strv_release(&a->paths);
    txg_strv_release(&a->wanted);
    txg_strv_release(&a->deselect);
    free(a->keyword);
    free(a->mark);
    *a = (struct txg_xdist_args){0};
}

int txg_xdist_args_check(const struct txg_xdist_args *a, struct txg_err *err)
{
    bool result;
    if (a->keyword && txg_xdist_expr(a->keyword, txg_xdist_expr_in, "", &result, err) < 0)
        return txg_err_wrap(err, "-k %s", a->keyword);
    if (a->mark && txg_xdist_expr(a->mark, txg_xdist_expr_none, NULL, &result, err) < 0)
        return txg_err_wrap(err, "-m %s", a->mark);
    return 0;
}

/* "a" and "./a" name a, and all cases of it. */
static bool covers(const char *prefix, const char *nodeid)
{
    while (txg_has_prefix(prefix, "./"))
        prefix += 2;
    if (!txg_has_prefix(nodeid, prefix))
        return false;
    const char *rest = nodeid + strlen(prefix);
    return *rest == '\0' || *rest == '/' || txg_has_prefix(rest, "::") || *rest == '[';
}

/* Tests of a file some of whose cases were asked for by name: only these. */
static bool is_wanted(const struct txg_xdist_args *a, const char *nodeid)
{
    bool named = false;
    for (size_t i = 0; i < a->wanted.n; i++) {
        const char *word = a->wanted.items[i];
        if (covers(word, nodeid))
            return true;
        TXG_AUTOFREE char *file = txg_xstrndup(word, (size_t)(txg_strstr(word, "::") - word));
        named = named || covers(file, nodeid);
    }
    return !named;
}

/* A directory's Python files are pytest's own; one that is named is a program like any other. */
static bool is_stray_python(const struct txg_xdist_args *a, const char *nodeid)
{
    if (!txg_has_suffix(nodeid, ".py"))
        return false;
    for (size_t i = 0; i < a->paths.n; i++)
        if (txg_has_suffix(a->paths.items[i], ".py"))
            return false;
    return true;
}

bool txg_xdist_args_select(const struct txg_xdist_args *a, const char *nodeid)
{
    bool yes = true;
    if (is_stray_python(a, nodeid) || !is_wanted(a, nodeid))
        return false;
    for (size_t i = 0; i < a->deselect.n; i++)
        if (covers(a->deselect.items[i], nodeid))
            return false;
    if (a->keyword)
        txg_xdist_expr(a->keyword, txg_xdist_expr_in, nodeid, &yes, NULL);
    if (yes && a->mark)
        txg_xdist_expr(a->mark, txg_xdist_expr_none, NULL, &yes, NULL);
    return yes;
}
