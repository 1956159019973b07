#include "config.h"

#include "src/cli/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "src/base/str.h"

#define DEFAULT_HEARTBEAT       INT64_C(2000000)
#define DEFAULT_CONNECT_TIMEOUT INT64_C(30000000)
#define DEFAULT_COLLECT         INT64_C(600000000)
#define DEFAULT_RESTARTS        4             /* for each gateway, as xdist's -n */
#define TEST_ARGS_MAX           (512u * 1024) /* bytes: a message has 1 MiB */
#define ARG_EXTRA               3             /* and what stands around each */

/* Beside this program (a build tree), else where `make install` puts it. */
static int find_worker(char **out, struct txg_err *err)
{
    const char *named = getenv("TXGATE_WORKER");
    if (named && *named) {
        *out = txg_xstrdup(named);
        return 0;
    }
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        *out = txg_xasprintf("%s/txgate-worker", self);
        if (access(*out, X_OK) == 0)
            return 0;
        free(*out);
    }
    *out = txg_xstrdup(TXG_PKGLIBEXECDIR "/txgate-worker");
    if (access(*out, X_OK) == 0)
        return 0;
    txg_err_sys(err, errno,
                "txgate-worker is neither beside txgate nor at %s (TXGATE_WORKER can name it)",
                *out);
    free(*out);
    *out = NULL;
    return -1;
}

static int make_testrunuid(const char *given, char **out, struct txg_err *err)
{
    if (given) {
        for (const char *s = given; *s; s++)
            if (*s <= ' ' || *s > '~')
                return txg_err_set(err, TXG_E_USAGE,
                                   "--testrunuid: expected printable characters without spaces");
        if (*given == '\0' || strlen(given) > 128)
            return txg_err_set(err, TXG_E_USAGE, "--testrunuid: expected 1 to 128 characters");
        *out = txg_xstrdup(given);
        return 0;
    }
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return txg_err_sys(err, errno, "getrandom");
    struct txg_buf b = {0};
    for (size_t i = 0; i < sizeof random; i++)
        txg_buf_printf(&b, "%02x", random[i]);
    *out = txg_buf_take_cstr(&b);
    return 0;
}

/* Reading what earlier runs know takes its time: only where that decides anything. */
static void choose_dist(const struct txg_options *o, struct txg_plan *p)
{
    size_t n_times;
    int dist = o->dist;
    if (dist < 0 && p->config.dist)
        dist = txg_dist_parse(p->config.dist);
    bool asks = dist < 0 || dist == TXG_DIST_DURATION || o->failed_only || o->failed_first;
    p->state_unread = !asks;
    p->state = txg_state_new(p->config.root);
    if (asks)
        txg_state_read(p->state, &p->state_warning);
    if (dist >= 0) {
        p->dist = (enum txg_dist)dist;
        return;
    }
    txg_state_times(p->state, &n_times);
    p->dist = n_times ? TXG_DIST_DURATION : TXG_DIST_LOAD;
}

static void choose_limits(const struct txg_options *o, struct txg_plan *p)
{
    const struct txg_config *c = &p->config;
    p->maxfail = o->maxfail > 0 ? (size_t)o->maxfail : 0;
    p->failed_only = o->failed_only;
    p->failed_first = o->failed_first;
    p->live = o->live;
    p->retries = (size_t)o->retries;
    p->retry_other = o->retry_other;
    p->keep_order = o->keep_order;
    p->maxschedchunk = (size_t)o->maxschedchunk;
    p->strict_collection = o->strict_collection;
    p->accept_new_host_keys = o->accept_new_host_keys;
    p->listen = o->listen;
    p->key_file = o->key_file;
    p->no_cache = o->no_cache;
    const char *require = o->require_gateways ? o->require_gateways : c->require_gateways;
    p->require_all = !require || strcmp(require, "all") == 0;
    p->heartbeat = o->heartbeat > 0   ? o->heartbeat
                   : c->heartbeat > 0 ? c->heartbeat
                                      : DEFAULT_HEARTBEAT;
    p->run_timeout = o->run_timeout;
    p->slow_timeout = o->slow_timeout;
    p->collect_timeout = o->collect_timeout >= 0 ? o->collect_timeout : DEFAULT_COLLECT;
    p->connect_timeout = o->connect_timeout > 0   ? o->connect_timeout
                         : c->connect_timeout > 0 ? c->connect_timeout
                                                  : DEFAULT_CONNECT_TIMEOUT;
    p->max_restarts = o->max_worker_restart > -2  ? o->max_worker_restart
                      : c->has_max_worker_restart ? c->max_worker_restart
                                                  : (long)(DEFAULT_RESTARTS * p->gateways.n);
}

/* Who waits for workers says where, and has a key for them; who says where waits for some. */
static int check_listen(const struct txg_options *o, const struct txg_spec *reverse,
                        struct txg_err *err)
{
    bool runs = o->command & (TXG_FOR_RUN | TXG_FOR_LIST);
    if (reverse && !o->listen && runs)
        return txg_err_set(err, TXG_E_USAGE,
                           "--tx '%s': a worker that connects to us needs --listen [ADDRESS:]PORT "
                           "to connect to",
                           reverse->text);
    if (!o->listen && o->key_file)
        return txg_err_set(err, TXG_E_USAGE, "--key-file belongs to --listen");
    if (o->listen && !o->key_file)
        return txg_err_set(err, TXG_E_USAGE,
                           "--listen needs --key-file FILE: without a key anybody could take part "
                           "(make one with `txgate keygen FILE`)");
    if (o->listen && !reverse)
        return txg_err_set(err, TXG_E_USAGE,
                           "--listen %s: nobody is waited for: expected --expect N, or gateways of "
                           "the fleet with `tx: reverse`",
                           o->listen);
    return 0;
}

/* The first gateway of reverse, or NULL, and how many there are. */
static const struct txg_spec *find_reverse(const struct txg_plan *p, size_t *n)
{
    const struct txg_spec *first = NULL;
    *n = 0;
    for (size_t i = 0; i < p->gateways.n; i++) {
        const struct txg_spec *spec = p->gateways.items[i].spec;
        if (spec->kind == TXG_SPEC_REVERSE && ++*n == 1)
            first = spec;
    }
    return first;
}

/* Those beyond the first `expected` may join while the run lasts. */
static void mark_late(struct txg_plan *p, size_t expected)
{
    for (size_t i = 0, n = 0; i < p->gateways.n; i++)
        if (p->gateways.items[i].spec->kind == TXG_SPEC_REVERSE)
            p->gateways.items[i].late = n++ >= expected;
}

static int expand(const struct txg_options *o, int n, struct txg_plan *p, struct txg_err *err)
{
    size_t there;
    if (txg_expand(&o->tx, n, &p->config, &p->gateways, err) != 0)
        return -1;
    if (!o->expect || n || find_reverse(p, &there))
        return 0;
    struct txg_strv tx = {0};
    TXG_AUTOFREE char *spec = txg_xasprintf("%ld*reverse", o->expect);
    txg_strv_copy(&tx, &o->tx);
    txg_strv_push(&tx, spec);
    txg_gateway_list_release(&p->gateways);
    int rc = txg_expand(&tx, 0, &p->config, &p->gateways, err);
    txg_strv_release(&tx);
    return rc == 0 ? 0 : txg_err_wrap(err, "--expect");
}

static int choose_reverse(const struct txg_options *o, struct txg_plan *p, struct txg_err *err)
{
    size_t n;
    const struct txg_spec *reverse = find_reverse(p, &n);
    if (o->expect > 0 && (size_t)o->expect > n)
        return txg_err_set(err, TXG_E_USAGE,
                           "--expect %ld: only %zu gateway%s of reverse can be waited for",
                           o->expect, n, n == 1 ? "" : "s");
    if (o->expect > 0)
        mark_late(p, (size_t)o->expect);
    return check_listen(o, reverse, err);
}

/* Those on the way, too. */
static int check_supported(const struct txg_spec *spec, struct txg_err *err)
{
    for (; spec; spec = spec->through)
        if (txg_spec_check_supported(spec, err) != 0)
            return -1;
    return 0;
}

static int choose_gateways(const struct txg_options *o, struct txg_plan *p, struct txg_err *err)
{
    int n = 0;
    if (o->numprocesses && txg_parse_numprocesses(o->numprocesses, &n, err) != 0)
        return -1;
    if (o->numprocesses && n == 0)
        return txg_err_set(err, TXG_E_USAGE,
                           "-n 0: expected a number from 1 or auto: tests run on gateways, one at "
                           "a time with -n 1");
    if (expand(o, n, p, err) != 0)
        return -1;
    for (size_t i = 0; i < p->gateways.n; i++)
        if (check_supported(p->gateways.items[i].spec, err) != 0)
            return -1;
    return choose_reverse(o, p, err);
}

/* What is to be taken to hosts must be there, and below the folder that stands for theirs. */
static int check_rsyncdirs(const struct txg_plan *p, struct txg_err *err)
{
    for (size_t i = 0; i < p->rsyncdirs->n; i++) {
        char *path = realpath(p->rsyncdirs->items[i], NULL);
        if (!path)
            return txg_err_sys(err, errno, "--rsyncdir %s", p->rsyncdirs->items[i]);
        size_t len = strcmp(p->config.root, "/") == 0 ? 0 : strlen(p->config.root);
        bool inside = strncmp(path, p->config.root, len) == 0 && path[len] == '/';
        bool all = strcmp(path, p->config.root) == 0;
        free(path);
        if (!inside && !all)
            return txg_err_set(err, TXG_E_USAGE,
                               "--rsyncdir %s: expected a folder below %s, which stands for the "
                               "gateway's directory",
                               p->rsyncdirs->items[i], p->config.root);
    }
    return 0;
}

static int fill_gateways(const struct txg_options *o, struct txg_plan *p, struct txg_err *err)
{
    p->start = getcwd(NULL, 0);
    if (!p->start)
        return txg_err_sys(err, errno, "the working directory");
    const char *config = o->config ? o->config : getenv("TXGATE_CONFIG");
    if (txg_config_load(config, o->fleet, &p->config, err) != 0)
        return -1;
    if (choose_gateways(o, p, err) != 0)
        return -1;
    choose_limits(o, p);
    if (make_testrunuid(o->testrunuid, &p->testrunuid, err) != 0)
        return -1;
    return find_worker(&p->worker, err);
}

/* Who came later could not run what the others have run. */
static int check_late(const struct txg_plan *p, struct txg_err *err)
{
    for (size_t i = 0; i < p->gateways.n && p->dist == TXG_DIST_EACH; i++)
        if (p->gateways.items[i].late)
            return txg_err_set(err, TXG_E_USAGE,
                               "--expect: with --dist each nobody can join later: expected as many "
                               "as there are gateways of reverse");
    return 0;
}

static int check_retries(const struct txg_plan *p, struct txg_err *err)
{
    if (!p->retry_other || p->retries == 0)
        return 0;
    if (p->dist == TXG_DIST_EACH)
        return txg_err_set(err, TXG_E_USAGE,
                           "--retry-on other: with --dist each every gateway runs its own tests: "
                           "expected any");
    if (p->gateways.n < 2)
        return txg_err_set(err, TXG_E_USAGE,
                           "--retry-on other: there is only one gateway: expected any, or more "
                           "gateways (--tx)");
    return 0;
}

/* pytest reads its own -m, which may say more than words; what is not pytest's has no marks. */
static int choose_marks(const struct txg_options *o, struct txg_plan *p, struct txg_err *err)
{
    bool native = false;
    p->marks = o->marks;
    for (size_t i = 0; i < p->suites.n; i++)
        native = native || !p->suites.items[i].pytest;
    if (!o->marks || !native)
        return 0;
    struct txg_select *marks = txg_select_new(o->marks, err);
    if (!marks)
        return txg_err_wrap(err, "-m '%s'", o->marks);
    p->drop_unmarked = !txg_select_matches(marks, (struct txg_span){0});
    txg_select_free(marks);
    return 0;
}

static void fit_suites(struct txg_plan *p)
{
    bool python = false, native = false;
    for (size_t i = 0; i < p->gateways.n; i++) {
        python = python || p->gateways.items[i].spec->python;
        native = native || !p->gateways.items[i].spec->python;
    }
    txg_suites_fit(&p->suites, p->harness, python, native);
}

/* They go into one message with all else that is to be told of a suite. */
static int check_test_args(const struct txg_strv *args, struct txg_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < args->n; i++)
        bytes += strlen(args->items[i]) + ARG_EXTRA;
    if (bytes <= TEST_ARGS_MAX)
        return 0;
    return txg_err_set(err, TXG_E_USAGE,
                       "the %zu arguments behind -- have %zu bytes, at most %u can be given: put "
                       "them into a file that the tests read",
                       args->n, bytes, TEST_ARGS_MAX);
}

static int fill(const struct txg_options *o, struct txg_plan *p, struct txg_err *err)
{
    if (check_test_args(&o->test_args, err) != 0)
        return -1;
    if (fill_gateways(o, p, err) != 0)
        return -1;
    choose_dist(o, p);
    if (check_retries(p, err) != 0 || check_late(p, err) != 0)
        return -1;
    if (txg_suites_select(o, &p->config, p->start, &p->suites, err) != 0)
        return -1;
    if (o->harness && txg_config_check_harness(o->harness, err) != 0)
        return txg_err_wrap(err, "--harness");
    if (o->keyword && !(p->select = txg_select_new(o->keyword, err)))
        return txg_err_wrap(err, "-k '%s'", o->keyword);
    p->harness = o->harness ? o->harness : "auto";
    p->keyword = o->keyword;
    p->configure_node = o->configure_node ? o->configure_node : p->config.configure_node;
    p->configure_cwd = o->configure_node ? p->start : p->config.root;
    fit_suites(p);
    if (choose_marks(o, p, err) != 0)
        return -1;
    p->test_args = &o->test_args;
    p->rsyncdirs = &o->rsyncdirs;
    return check_rsyncdirs(p, err);
}

static int finish(struct txg_plan *p, int rc)
{
    if (rc != 0)
        txg_plan_release(p);
    return rc;
}

int txg_plan_make(const struct txg_options *o, struct txg_plan *out, struct txg_err *err)
{
    *out = (struct txg_plan){0};
    return finish(out, fill(o, out, err));
}

int txg_plan_make_gateways(const struct txg_options *o, struct txg_plan *out, struct txg_err *err)
{
    *out = (struct txg_plan){0};
    return finish(out, fill_gateways(o, out, err));
}

void txg_plan_release(struct txg_plan *p)
{
    txg_select_free(p->select);
    txg_state_free(p->state);
    txg_suites_release(&p->suites);
    txg_gateway_list_release(&p->gateways);
    txg_config_release(&p->config);
    free(p->start);
    free(p->worker);
    free(p->testrunuid);
    *p = (struct txg_plan){0};
}
