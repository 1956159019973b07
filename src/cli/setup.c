#include "config.h"

#include "src/cli/setup.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"
#include "src/cli/python.h"

#define KILL_GRACE      INT64_C(5000000) /* between TERM and KILL of a test, microseconds */
#define FILES_MAX       2048u            /* paths in one files{} message */
#define FILES_BYTES_MAX (512u * 1024)    /* and bytes of paths: a frame holds 1 MiB */

struct txg_gateways_config txg_setup_gateways(const struct txg_plan *plan)
{
    return (struct txg_gateways_config){
        .worker = plan->worker,
        .testrunuid = plan->testrunuid,
        .heartbeat = plan->heartbeat,
        .connect_timeout = plan->connect_timeout,
        .accept_new_host_keys = plan->accept_new_host_keys,
        .no_cache = plan->no_cache,
    };
}

#define PYTEST_ARGS 5 /* of -k, -m and --dist */

struct txg_setup {
    const struct txg_plan *plan;
    struct txg_msg *messages; /* [0] workerinput, the shared ones, [n-1] collect */
    size_t n, cap;
    char workerid[16];
    size_t *n_paths;         /* of the files{} among the messages, by their place */
    struct txg_strv command; /* of pytest on the gateway that is set up */
    struct txg_span *words;  /* the same, for a message */
};

static struct txg_msg *add_message(struct txg_setup *s, enum txg_msg_type type)
{
    s->messages = txg_grow(s->messages, s->n, &s->cap, sizeof *s->messages);
    struct txg_msg *msg = &s->messages[s->n++];
    *msg = (struct txg_msg){.type = type};
    return msg;
}

static struct txg_span *spans_of(const struct txg_strv *v, size_t first, size_t n)
{
    struct txg_span *spans = txg_xcalloc(n, sizeof *spans);
    for (size_t i = 0; i < n; i++)
        spans[i] = txg_span_cstr(v->items[first + i]);
    return spans;
}

static void add_files(struct txg_setup *s, size_t number, const struct txg_strv *paths)
{
    for (size_t first = 0; first < paths->n;) {
        size_t n = 0, bytes = 0;
        while (first + n < paths->n && n < FILES_MAX && bytes < FILES_BYTES_MAX)
            bytes += strlen(paths->items[first + n++]);
        struct txg_msg *msg = add_message(s, TXG_MSG_FILES);
        msg->files.suite = (int64_t)number;
        msg->files.paths = spans_of(paths, first, n);
        msg->files.n_paths = n;
        first += n;
    }
}

static void add_option(struct txg_msg_suite *suite, const char *name, const char *value)
{
    suite->args[suite->n_args++] = txg_span_cstr(name);
    suite->args[suite->n_args++] = txg_span_cstr(value);
}

/* What pytest chooses by itself. */
static void add_choice(const struct txg_plan *plan, struct txg_msg_suite *suite)
{
    if (plan->keyword)
        add_option(suite, "-k", plan->keyword);
    if (plan->marks)
        add_option(suite, "-m", plan->marks);
    if (plan->dist == TXG_DIST_LOADGROUP)
        suite->args[suite->n_args++] = TXG_SPAN("--dist=loadgroup");
}

static void add_suite(struct txg_setup *s, size_t number)
{
    const struct txg_plan_suite *from = &s->plan->suites.items[number];
    struct txg_msg_suite *suite = &add_message(s, TXG_MSG_SUITE)->suite;
    const char *harness =
        from->config && from->config->harness ? from->config->harness : s->plan->harness;
    suite->suite = (int64_t)number;
    suite->harness = txg_span_cstr(from->pytest ? "pytest" : harness);
    if (from->pytest) {
        suite->source = txg_python_source;
    } else if (from->config) {
        suite->list = spans_of(&from->config->list, 0, suite->n_list = from->config->list.n);
        suite->run = spans_of(&from->config->run, 0, suite->n_run = from->config->run.n);
    }
    suite->timeout = from->timeout;
    suite->grace = KILL_GRACE;
    size_t own = from->config ? from->config->args.n : 0, more = s->plan->test_args->n;
    suite->args = txg_xcalloc(own + more + PYTEST_ARGS, sizeof *suite->args);
    for (size_t i = 0; i < own; i++)
        suite->args[i] = txg_span_cstr(from->config->args.items[i]);
    for (size_t i = 0; i < more; i++)
        suite->args[own + i] = txg_span_cstr(s->plan->test_args->items[i]);
    suite->n_args = own + more;
    if (from->pytest)
        add_choice(s->plan, suite);
    add_files(s, number, &from->paths);
}

struct txg_setup *txg_setup_new(const struct txg_plan *plan)
{
    struct txg_setup *s = txg_xcalloc(1, sizeof *s);
    s->plan = plan;
    add_message(s, TXG_MSG_WORKERINPUT);
    for (size_t i = 0; i < plan->suites.n; i++)
        add_suite(s, i);
    add_message(s, TXG_MSG_COLLECT);
    s->n_paths = txg_xcalloc(s->n, sizeof *s->n_paths);
    for (size_t i = 0; i < s->n; i++)
        if (s->messages[i].type == TXG_MSG_FILES)
            s->n_paths[i] = s->messages[i].files.n_paths;
    return s;
}

void txg_setup_free(struct txg_setup *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        if (s->messages[i].type == TXG_MSG_SUITE) {
            free(s->messages[i].suite.args);
            free(s->messages[i].suite.list);
            free(s->messages[i].suite.run);
        }
        if (s->messages[i].type == TXG_MSG_FILES)
            free(s->messages[i].files.paths);
    }
    free(s->messages);
    txg_strv_release(&s->command);
    free(s->words);
    free(s->n_paths);
    free(s);
}

/* A directory of this machine as a gateway knows it: the same on a local one; elsewhere the
 * worker's directory stands for txgate.yaml's, or for the one txgate was started in. */
static struct txg_span directory_for(const struct txg_setup *s, const struct txg_spec *spec,
                                     const char *path)
{
    const char *base = s->plan->config.root ? s->plan->config.root : s->plan->start;
    size_t len = strcmp(base, "/") == 0 ? 0 : strlen(base);
    if (!txg_spec_is_local(spec) && path && strncmp(path, base, len) == 0 &&
        (path[len] == '/' || path[len] == '\0'))
        path += len + (path[len] == '/');
    return txg_span_cstr(path);
}

static void fit_command(struct txg_setup *s, const struct txg_spec *spec)
{
    txg_strv_release(&s->command);
    free(s->words);
    s->command = (struct txg_strv){0};
    txg_python_command(spec, &s->command);
    s->words = spans_of(&s->command, 0, s->command.n);
}

/* A gateway has every suite, as they are numbered, and files of those that are its own. */
static void fit_files(const struct txg_setup *s, struct txg_msg_files *files, size_t n, bool python)
{
    const struct txg_plan_suite *suite = &s->plan->suites.items[files->suite];
    files->n_paths = txg_suite_is_on(suite, python) ? n : 0;
}

static void fit_suites(struct txg_setup *s, const struct txg_spec *spec)
{
    fit_command(s, spec);
    for (size_t i = 0; i < s->n; i++) {
        if (s->messages[i].type == TXG_MSG_FILES)
            fit_files(s, &s->messages[i].files, s->n_paths[i], spec->python != NULL);
        if (s->messages[i].type != TXG_MSG_SUITE)
            continue;
        struct txg_msg_suite *suite = &s->messages[i].suite;
        const struct txg_plan_suite *from = &s->plan->suites.items[suite->suite];
        suite->root = directory_for(s, spec, from->root);
        suite->cwd = directory_for(s, spec, from->cwd);
        if (from->pytest) {
            suite->command = s->words;
            suite->n_command = s->command.n;
        }
    }
}

const struct txg_msg *txg_setup_messages(struct txg_setup *s, unsigned number, size_t origin,
                                         bool records, size_t *n)
{
    const struct txg_gateway_def *def = &s->plan->gateways.items[origin];
    struct txg_msg_workerinput *in = &s->messages[0].workerinput;
    struct txg_buf id = {0};
    txg_buf_printf(&id, "gw%u", number);
    memcpy(s->workerid, txg_buf_cstr(&id), txg_buf_len(&id) + 1);
    txg_buf_release(&id);
    in->workerid = txg_span_cstr(s->workerid);
    in->workercount = (int64_t)s->plan->gateways.n;
    in->testrunuid = txg_span_cstr(s->plan->testrunuid);
    in->device = txg_span_cstr(def->device);
    in->id = def->device ? in->device : in->workerid;
    in->label = txg_span_cstr(def->labels.n ? def->labels.items[0] : NULL);
    /* a worker counts every failure, also of what is tried again */
    in->maxfail = s->plan->retries ? 0 : (int64_t)s->plan->maxfail;
    in->live = s->plan->live;
    fit_suites(s, def->spec);
    in->input = def->input; /* borrowed: the plan releases it */
    s->messages[s->n - 1].collect.records = records;
    *n = s->n;
    return s->messages;
}
