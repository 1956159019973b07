#include "config.h"

#include "src/cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specs/fleet.h"
#include "src/base/str.h"

enum option_id {
    OPT_HELP = 256,
    OPT_PRINT,
    OPT_TX,
    OPT_NUMPROCESSES,
    OPT_DIST,
    OPT_D,
    OPT_LOADSCOPE_REORDER,
    OPT_NO_LOADSCOPE_REORDER,
    OPT_MAXFAIL,
    OPT_RETRIES,
    OPT_RETRY_ON,
    OPT_EXITFIRST,
    OPT_MAX_WORKER_RESTART,
    OPT_MAXSCHEDCHUNK,
    OPT_COLLECTION,
    OPT_REQUIRE_GATEWAYS,
    OPT_CONFIG,
    OPT_FLEET,
    OPT_CONFIGURE_NODE,
    OPT_HARNESS,
    OPT_KEYWORD,
    OPT_MARKS,
    OPT_LF,
    OPT_LAST_FAILED,
    OPT_FF,
    OPT_FAILED_FIRST,
    OPT_TESTRUNUID,
    OPT_JUNITXML,
    OPT_JSONL,
    OPT_TIMEOUT,
    OPT_HEARTBEAT,
    OPT_CONNECT_TIMEOUT,
    OPT_COLLECT_TIMEOUT,
    OPT_RUN_TIMEOUT,
    OPT_SLOW_TIMEOUT,
    OPT_ACCEPT_NEW_HOST_KEYS,
    OPT_LISTEN,
    OPT_EXPECT,
    OPT_KEY_FILE,
    OPT_NO_CACHE,
    OPT_RSYNCDIR,
    OPT_VERBOSE,
    OPT_QUIET,
    OPT_NO_CAPTURE,
    OPT_TB,
    OPT_DURATIONS,
    OPT_COLOR,
};

#define SLOW_TIMEOUT INT64_C(60000000) /* microseconds */

#define BOTH      (TXG_FOR_RUN | TXG_FOR_LIST)
#define NOT_HOSTS (BOTH | TXG_FOR_CONNECT)
#define ALL       (NOT_HOSTS | TXG_FOR_HOSTS)

static const struct definition {
    enum option_id id;
    int commands;
    char letter;      /* or 0 */
    const char *name; /* or NULL */
    const char *arg;  /* or NULL: takes none */
    const char *help;
} definitions[] = {
    {OPT_TX, ALL, 0, "tx", "SPEC",
     "a gateway: popen//chdir=DIR//env:A=B, 3*popen, @id or @label of the fleet;\n"
     "may be given many times"},
    {OPT_NUMPROCESSES, ALL, 'n', "numprocesses", "N|auto",
     "N local gateways: stands for N*popen and replaces --tx"},
    {OPT_DIST, TXG_FOR_RUN, 0, "dist", "MODE",
     "each: all tests on every gateway; load, worksteal, duration: each test on one\n"
     "of them; loadscope, loadfile, loadgroup: the same, what belongs together\n"
     "stays together. The default is duration where earlier runs left times, else load"},
    {OPT_D, TXG_FOR_RUN, 'd', NULL, NULL, "the same as --dist load"},
    {OPT_CONFIG, ALL, 'c', "config", "FILE",
     "instead of the txgate.yaml found from this directory upward"},
    {OPT_FLEET, ALL, 0, "fleet", "FILE",
     "instead of $TXGATE_FLEET or the fleet.yaml beside txgate.yaml"},
    {OPT_CONFIGURE_NODE, BOTH, 0, "configure-node", "PROGRAM",
     "asked for each gateway's workerinput before it starts: JSON on its stdin and\nstdout"},
    {OPT_HARNESS, NOT_HOSTS, 0, "harness", "NAME",
     "how the FILES are run and judged: auto (default), exec, tap, gtest, glib, txgate,\npytest"},
    {OPT_KEYWORD, BOTH, 'k', NULL, "EXPRESSION",
     "only tests whose nodeid matches: words, and, or, not, parentheses"},
    {OPT_MARKS, BOTH, 'm', NULL, "MARKEXPR",
     "only Python tests whose marks match; other tests have no marks"},
    {OPT_LF, TXG_FOR_RUN, 0, "lf", NULL,
     "only tests that failed when they last ran, or all if none did"},
    {OPT_LAST_FAILED, TXG_FOR_RUN, 0, "last-failed", NULL, "the same"},
    {OPT_FF, TXG_FOR_RUN, 0, "ff", NULL, "all tests, those first that failed when they last ran"},
    {OPT_FAILED_FIRST, TXG_FOR_RUN, 0, "failed-first", NULL, "the same"},
    {OPT_EXITFIRST, TXG_FOR_RUN, 'x', "exitfirst", NULL, "stop at the first failure"},
    {OPT_MAXFAIL, TXG_FOR_RUN, 0, "maxfail", "N", "stop after N failures"},
    {OPT_RETRIES, TXG_FOR_RUN, 0, "retries", "N",
     "try a test that failed up to N times more; it is flaky when it passes then"},
    {OPT_RETRY_ON, TXG_FOR_RUN, 0, "retry-on", "any|other",
     "other: each time on a gateway where it has not failed; any (default)"},
    {OPT_TIMEOUT, TXG_FOR_RUN, 0, "timeout", "TIME",
     "of one test: TERM, and KILL 5 s later; 30, 1.5, 250ms, 2m; 0 is none"},
    {OPT_SLOW_TIMEOUT, TXG_FOR_RUN, 0, "slow-timeout", "TIME",
     "tell of a test that runs longer (default 60); 0: of none"},
    {OPT_COLLECT_TIMEOUT, BOTH, 0, "collect-timeout", "TIME",
     "for a gateway to collect its tests (default 10m); 0 is none"},
    {OPT_RUN_TIMEOUT, TXG_FOR_RUN, 0, "run-timeout", "TIME",
     "for the whole run: then what runs is killed and timed out; 0 (default) is none"},
    {OPT_MAX_WORKER_RESTART, TXG_FOR_RUN, 0, "max-worker-restart", "N",
     "crashed gateways replaced at most (default: 4 for each gateway)"},
    {OPT_REQUIRE_GATEWAYS, BOTH, 0, "require-gateways", "all|any",
     "all (default): a gateway that can't start ends the run; any: go on without it"},
    {OPT_CONNECT_TIMEOUT, ALL, 0, "connect-timeout", "TIME",
     "for a gateway from its start to its worker's first word (default 30)"},
    {OPT_RSYNCDIR, NOT_HOSTS, 0, "rsyncdir", "DIR",
     "take DIR to hosts that are reached through a shell, beside the test programs;\nmay be given "
     "many times"},
    {OPT_ACCEPT_NEW_HOST_KEYS, ALL, 0, "accept-new-host-keys", NULL,
     "ssh=: take the key of a host that is not in known_hosts, and write it there;\n"
     "a key that has changed or is revoked is refused all the same"},
    {OPT_NO_CACHE, ALL, 0, "no-cache", NULL,
     "leave nothing on hosts that are reached through a shell: worker and files are\nsent each "
     "time"},
    {OPT_LISTEN, BOTH, 0, "listen", "[ADDR:]PORT",
     "wait there (127.0.0.1 without ADDR) for workers that connect to us:\n"
     "txgate-worker --connect ADDR:PORT --key-file FILE"},
    {OPT_EXPECT, BOTH, 0, "expect", "N",
     "begin when so many of them are there; gateways of reverse beyond these may join\n"
     "later. Without any it stands for --tx N*reverse"},
    {OPT_KEY_FILE, BOTH, 0, "key-file", "FILE",
     "of --listen: who has not this key is refused (`txgate keygen`)"},
    {OPT_HEARTBEAT, ALL, 0, "heartbeat", "TIME",
     "a host is lost after 5 of these without a sign of life (default 2)"},
    {OPT_NO_LOADSCOPE_REORDER, TXG_FOR_RUN, 0, "no-loadscope-reorder", NULL,
     "loadscope, loadfile, loadgroup: in the order of collection, not the largest first"},
    {OPT_LOADSCOPE_REORDER, TXG_FOR_RUN, 0, "loadscope-reorder", NULL, "the default"},
    {OPT_MAXSCHEDCHUNK, TXG_FOR_RUN, 0, "maxschedchunk", "N",
     "tests dealt to a gateway in one go at most, with --dist load"},
    {OPT_COLLECTION, TXG_FOR_RUN, 0, "collection", "any|strict",
     "strict: gateways that collect different tests end the run, as in xdist"},
    {OPT_TESTRUNUID, BOTH, 0, "testrunuid", "ID", "instead of a random one"},
    {OPT_JUNITXML, TXG_FOR_RUN, 0, "junitxml", "FILE", "write a JUnit report"},
    {OPT_JSONL, TXG_FOR_RUN, 0, "jsonl", "FILE",
     "write every event as a line of JSON; - is stdout"},
    {OPT_VERBOSE, TXG_FOR_RUN, 'v', "verbose", NULL, "a line per test, what was sent to hosts"},
    {OPT_QUIET, TXG_FOR_RUN, 'q', "quiet", NULL, "less output"},
    {OPT_NO_CAPTURE, TXG_FOR_RUN, 's', "no-capture", NULL,
     "show what tests write as they write it, with their gateway in front; it is\nkept all the "
     "same"},
    {OPT_TB, TXG_FOR_RUN, 0, "tb", "STYLE",
     "of a failure: long (all that was kept), short, line, no"},
    {OPT_DURATIONS, TXG_FOR_RUN, 0, "durations", "N", "show the N slowest tests; 0: all"},
    {OPT_COLOR, TXG_FOR_RUN, 0, "color", "auto|yes|no", "NO_COLOR in the environment is no"},
    {OPT_PRINT, TXG_FOR_CONNECT, 0, "print", NULL,
     "print what stands behind --tx, a line of JSON for each gateway, and end"},
    {OPT_HELP, ALL, 'h', "help", NULL, "this text"},
};

#define N_DEFINITIONS (sizeof definitions / sizeof *definitions)

/* By the id of a long option or the letter of a short one: what getopt_long returns. */
static const struct definition *definition_of(int id)
{
    for (size_t i = 0; i < N_DEFINITIONS; i++)
        if ((int)definitions[i].id == id || (id < 256 && definitions[i].letter == id))
            return &definitions[i];
    return NULL;
}

static void how_it_is_called(const struct definition *d, char *out, size_t size)
{
    if (d->name)
        snprintf(out, size, "--%s", d->name);
    else
        snprintf(out, size, "-%c", d->letter);
}

static int bad_value(const struct definition *d, const char *value, const char *expected,
                     struct txg_err *err)
{
    char name[32];
    how_it_is_called(d, name, sizeof name);
    return txg_err_set(err, TXG_E_USAGE, "%s %s: expected %s", name, value, expected);
}

static int take_number(const struct definition *d, const char *value, long min, long *out,
                       struct txg_err *err)
{
    int64_t v;
    if (!txg_parse_int(value, min, 1000000000, &v))
        return bad_value(d, value, min ? "a whole number from 1" : "a whole number from 0", err);
    *out = (long)v;
    return 0;
}

static int take_duration(const struct definition *d, const char *value, bool zero, int64_t *out,
                         struct txg_err *err)
{
    if (!txg_parse_duration(value, out) || (*out == 0 && !zero))
        return bad_value(d, value, "a time such as 30, 1.5, 250ms, 2m", err);
    return 0;
}

/* The place of `value` in a NULL-terminated list of words, or an error with the nearest one. */
static int take_word(const struct definition *d, const char *value, const char *const *words,
                     int *out, struct txg_err *err)
{
    struct txg_buf list = {0};
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) {
            *out = i;
            txg_buf_release(&list);
            return 0;
        }
        txg_buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    const char *near = txg_nearest(value, words);
    if (near)
        txg_buf_printf(&list, "; did you mean '%s'?", near);
    bad_value(d, value, txg_buf_cstr(&list), err);
    txg_buf_release(&list);
    return -1;
}

static int apply(const struct definition *d, const char *value, struct txg_options *o,
                 struct txg_err *err)
{
    static const char *const requirements[] = {"all", "any", NULL};
    static const char *const places[] = {"any", "other", NULL};
    static const char *const collections[] = {"any", "strict", NULL};
    static const char *const styles[] = {"long", "short", "line", "no", "auto", NULL};
    static const char *const colors[] = {"auto", "yes", "no", NULL};
    int word = 0;
    switch (d->id) {
    case OPT_HELP:
        o->help = true;
        return 0;
    case OPT_TX:
        txg_strv_push(&o->tx, value);
        return 0;
    case OPT_NUMPROCESSES:
        o->numprocesses = value;
        return 0;
    case OPT_DIST:
        return take_word(d, value, txg_dist_names, &o->dist, err);
    case OPT_D:
        o->dist = TXG_DIST_LOAD;
        return 0;
    case OPT_EXITFIRST:
        o->maxfail = 1;
        return 0;
    case OPT_MAXFAIL:
        return take_number(d, value, 0, &o->maxfail, err);
    case OPT_RETRIES:
        return take_number(d, value, 0, &o->retries, err);
    case OPT_RETRY_ON:
        if (take_word(d, value, places, &word, err) != 0)
            return -1;
        o->retry_other = word == 1;
        return 0;
    case OPT_MAX_WORKER_RESTART:
        return take_number(d, value, 0, &o->max_worker_restart, err);
    case OPT_LOADSCOPE_REORDER:
    case OPT_NO_LOADSCOPE_REORDER:
        o->keep_order = d->id == OPT_NO_LOADSCOPE_REORDER;
        return 0;
    case OPT_MAXSCHEDCHUNK:
        return take_number(d, value, 1, &o->maxschedchunk, err);
    case OPT_COLLECTION:
        if (take_word(d, value, collections, &word, err) != 0)
            return -1;
        o->strict_collection = word == 1;
        return 0;
    case OPT_REQUIRE_GATEWAYS:
        if (take_word(d, value, requirements, &word, err) != 0)
            return -1;
        o->require_gateways = requirements[word];
        return 0;
    case OPT_CONFIG:
        o->config = value;
        return 0;
    case OPT_FLEET:
        o->fleet = value;
        return 0;
    case OPT_CONFIGURE_NODE:
        o->configure_node = value;
        return 0;
    case OPT_HARNESS:
        o->harness = value;
        return 0;
    case OPT_KEYWORD:
        o->keyword = value;
        return 0;
    case OPT_MARKS:
        o->marks = value;
        return 0;
    case OPT_LF:
    case OPT_LAST_FAILED:
        o->failed_only = true;
        return 0;
    case OPT_FF:
    case OPT_FAILED_FIRST:
        o->failed_first = true;
        return 0;
    case OPT_TESTRUNUID:
        o->testrunuid = value;
        return 0;
    case OPT_JUNITXML:
        o->junitxml = value;
        return 0;
    case OPT_JSONL:
        o->jsonl = value;
        return 0;
    case OPT_TIMEOUT:
        return take_duration(d, value, true, &o->timeout, err);
    case OPT_HEARTBEAT:
        if (take_duration(d, value, false, &o->heartbeat, err) != 0)
            return -1;
        if (o->heartbeat < TXG_HEARTBEAT_MIN || o->heartbeat > TXG_HEARTBEAT_MAX)
            return bad_value(d, value, "10ms to 1h", err);
        return 0;
    case OPT_CONNECT_TIMEOUT:
        return take_duration(d, value, false, &o->connect_timeout, err);
    case OPT_RSYNCDIR:
        txg_strv_push(&o->rsyncdirs, value);
        return 0;
    case OPT_RUN_TIMEOUT:
        return take_duration(d, value, true, &o->run_timeout, err);
    case OPT_SLOW_TIMEOUT:
        return take_duration(d, value, true, &o->slow_timeout, err);
    case OPT_COLLECT_TIMEOUT:
        return take_duration(d, value, true, &o->collect_timeout, err);
    case OPT_PRINT:
        o->print = true;
        return 0;
    case OPT_LISTEN:
        o->listen = value;
        return 0;
    case OPT_KEY_FILE:
        o->key_file = value;
        return 0;
    case OPT_EXPECT:
        return take_number(d, value, 1, &o->expect, err);
    case OPT_ACCEPT_NEW_HOST_KEYS:
        o->accept_new_host_keys = true;
        return 0;
    case OPT_NO_CACHE:
        o->no_cache = true;
        return 0;
    case OPT_VERBOSE:
        o->verbosity++;
        return 0;
    case OPT_QUIET:
        o->verbosity--;
        return 0;
    case OPT_NO_CAPTURE:
        o->live = true;
        return 0;
    case OPT_TB:
        if (take_word(d, value, styles, &word, err) != 0)
            return -1;
        o->tb = word == 4 ? TXG_TB_LONG : (enum txg_tb)word;
        return 0;
    case OPT_DURATIONS:
        return take_number(d, value, 0, &o->durations, err);
    case OPT_COLOR:
        if (take_word(d, value, colors, &word, err) != 0)
            return -1;
        o->color = (enum txg_color)word;
        return 0;
    }
    return 0;
}

static int unknown_option(const char *word, enum txg_command_set command, struct txg_err *err)
{
    const char *names[N_DEFINITIONS + 1];
    size_t n = 0;
    for (size_t i = 0; i < N_DEFINITIONS; i++)
        if (definitions[i].name && (definitions[i].commands & command))
            names[n++] = definitions[i].name;
    names[n] = NULL;
    TXG_AUTOFREE char *bare = txg_xstrndup(word, strcspn(word, "="));
    const char *near = txg_has_prefix(bare, "--") ? txg_nearest(bare + 2, names) : NULL;
    if (near)
        return txg_err_set(err, TXG_E_USAGE, "unknown option %s; did you mean '--%s'?", bare, near);
    return txg_err_set(err, TXG_E_USAGE, "unknown option %s; --help lists them", bare);
}

/* What getopt_long() is given, made from the table. */
struct tables {
    struct option longs[N_DEFINITIONS + 1];
    char shorts[2 * N_DEFINITIONS + 2];
};

static void make_tables(enum txg_command_set command, struct tables *t)
{
    size_t n = 0, at = 0;
    t->shorts[at++] = ':';
    for (size_t i = 0; i < N_DEFINITIONS; i++) {
        const struct definition *d = &definitions[i];
        if (!(d->commands & command))
            continue;
        if (d->name)
            t->longs[n++] = (struct option){d->name, d->arg != NULL, NULL, d->id};
        if (d->letter) {
            t->shorts[at++] = d->letter;
            if (d->arg)
                t->shorts[at++] = ':';
        }
    }
    t->longs[n] = (struct option){0};
    t->shorts[at] = '\0';
}

/* getopt_long takes any unambiguous beginning of a name; that would hide typos. */
static bool is_abbreviated(const struct definition *d, const char *word)
{
    return d->name && strcspn(word + 2, "=") != strlen(d->name);
}

/* What getopt_long() meant by '?' or ':', in our words. */
static int refuse(int id, const char *word, enum txg_command_set command, struct txg_err *err)
{
    const struct definition *d = optopt ? definition_of(optopt) : NULL;
    char name[32];
    if (!d) {
        snprintf(name, sizeof name, "-%c", optopt);
        return unknown_option(optopt ? name : word, command, err);
    }
    how_it_is_called(d, name, sizeof name);
    if (id == ':')
        return txg_err_set(err, TXG_E_USAGE, "%s needs a value: %s", name, d->arg);
    return txg_err_set(err, TXG_E_USAGE, "%s takes no value", name);
}

/* As it was written, but for the files that a second run would write over, and for what a nodeid
 * says better. */
static void remember(const struct definition *d, int id, struct txg_options *o)
{
    char name[32];
    if (d->id == OPT_JUNITXML || d->id == OPT_JSONL ||
        (d->id >= OPT_KEYWORD && d->id <= OPT_FAILED_FIRST))
        return;
    how_it_is_called(d, name, sizeof name);
    if (id < 256)
        snprintf(name, sizeof name, "-%c", id);
    txg_strv_push(&o->flags, name);
    if (d->arg)
        txg_strv_push(&o->flags, optarg);
}

static int parse_words(int argc, char **argv, enum txg_command_set command, struct txg_options *o,
                       struct txg_err *err)
{
    struct tables t;
    make_tables(command, &t);
    opterr = 0;
    optind = 0;
    int id;
    while ((id = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        if (id == '?' || id == ':')
            return refuse(id, argv[optind - 1], command, err);
        const struct definition *d = definition_of(id);
        const char *word =
            optarg && optarg == argv[optind - 1] ? argv[optind - 2] : argv[optind - 1];
        if (id >= 256 && is_abbreviated(d, word))
            return unknown_option(word, command, err);
        if (apply(d, optarg, o, err) != 0)
            return -1;
        remember(d, id, o);
    }
    for (; optind < argc; optind++)
        txg_strv_push(&o->files, argv[optind]);
    return 0;
}

static int parse_environment(const char *command_name, enum txg_command_set command,
                             struct txg_options *o, struct txg_err *err)
{
    const char *words = getenv("TXGATE_ADDOPTS");
    if (!words)
        return 0;
    struct txg_strv *argv = &o->words;
    txg_strv_push(argv, command_name);
    txg_strv_split(argv, words);
    /* getopt_long() reorders what it is given: hand it pointers of its own. */
    char **copy = txg_xcalloc(argv->n + 1, sizeof *copy);
    memcpy(copy, argv->items, argv->n * sizeof *copy);
    int rc = parse_words((int)argv->n, copy, command, o, err);
    free(copy);
    if (rc != 0)
        return txg_err_wrap(err, "TXGATE_ADDOPTS");
    if (o->files.n)
        return txg_err_set(err, TXG_E_USAGE, "TXGATE_ADDOPTS: '%s' is no option",
                           o->files.items[0]);
    return 0;
}

int txg_options_parse(int argc, char **argv, enum txg_command_set command, struct txg_options *out,
                      struct txg_err *err)
{
    *out = (struct txg_options){.command = command,
                                .dist = -1,
                                .maxfail = -1,
                                .max_worker_restart = -2,
                                .timeout = -1,
                                .slow_timeout = SLOW_TIMEOUT,
                                .heartbeat = -1,
                                .connect_timeout = -1,
                                .collect_timeout = -1,
                                .durations = -1};
    /* txgate connect is started by another program, which says all that it means. */
    if (command != TXG_FOR_CONNECT && parse_environment(argv[0], command, out, err) != 0)
        return -1;
    int own = 1;
    while (own < argc && strcmp(argv[own], "--") != 0)
        own++;
    for (int i = own + 1; i < argc; i++)
        txg_strv_push(&out->test_args, argv[i]);
    return parse_words(own, argv, command, out, err);
}

void txg_options_release(struct txg_options *o)
{
    txg_strv_release(&o->tx);
    txg_strv_release(&o->files);
    txg_strv_release(&o->test_args);
    txg_strv_release(&o->rsyncdirs);
    txg_strv_release(&o->words);
    txg_strv_release(&o->flags);
}

void txg_options_print_help(enum txg_command_set command)
{
    for (size_t i = 0; i < N_DEFINITIONS; i++) {
        const struct definition *d = &definitions[i];
        if (!(d->commands & command))
            continue;
        struct txg_buf left = {0};
        if (d->letter)
            txg_buf_printf(&left, "-%c%s", d->letter, d->name ? ", " : "");
        else
            txg_buf_puts(&left, "    ");
        if (d->name)
            txg_buf_printf(&left, "--%s", d->name);
        if (d->arg)
            txg_buf_printf(&left, " %s", d->arg);
        printf("  %-30s", txg_buf_cstr(&left));
        if (txg_buf_len(&left) > 29)
            printf("\n%32s", "");
        for (const char *line = d->help; *line;) {
            size_t n = strcspn(line, "\n");
            printf("%.*s\n", (int)n, line);
            line += n + (line[n] == '\n');
            if (*line)
                printf("%32s", "");
        }
        txg_buf_release(&left);
    }
}
