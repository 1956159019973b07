#include "config.h"

#include "src/worker/runner.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "src/base/clock.h"
#include "src/worker/environ.h"
#include "src/worker/hung.h"

#define NAP_BYTES 16384 /* read at once: more may follow at once */

static const struct txg_suite *suite_of(const struct txg_runner *r)
{
    return &r->collection->suites[r->item->suite];
}

/* Cases that one process runs after each other, told apart by what it says. */
static bool is_batch(const struct txg_harness_ops *harness)
{
    return harness->cases && !harness->persistent && !harness->judge;
}

bool txg_runner_had_enough(const struct txg_runner *r, int64_t now)
{
    return (r->maxfail > 0 && r->failures >= r->maxfail) || now >= r->fence;
}

void txg_runner_announce(struct txg_runner *r, int64_t now)
{
    r->item = &r->collection->items[r->batch[r->at]];
    r->started = now;
    r->announced = true;
    int64_t timeout = suite_of(r)->timeout;
    r->term_at = timeout > 0 ? now + timeout : INT64_MAX;
    txg_reporting_logstart(r->reporting, r->batch[r->at], now);
}

static void on_output(void *runner, int stream, const void *data, size_t len)
{
    struct txg_runner *r = runner;
    if (r->announced)
        txg_reporting_live(r->reporting, r->batch[r->at], stream, txg_span(data, len));
}

void txg_runner_go_live(struct txg_runner *r)
{
    r->child->on_output = on_output;
    r->child->user = r;
}

void txg_runner_report(struct txg_runner *r, const struct txg_verdict *verdict, int64_t ended)
{
    struct txg_reporting_test test = {.index = r->batch[r->at],
                                      .started = r->started,
                                      .ended = ended,
                                      .keep_output = r->keep_output,
                                      .shared = r->item->name && !r->item->harness->judge,
                                      .child = r->child,
                                      .verdict = verdict};
    r->failures += txg_outcome_is_failure(verdict->outcome);
    txg_reporting_test(r->reporting, &test);
    txg_child_clear_output(r->child);
    r->announced = false;
}

static void push(struct txg_runner *r, int64_t index)
{
    r->batch = txg_grow(r->batch, r->n, &r->cap, sizeof *r->batch);
    r->batch[r->n++] = index;
}

/* Does the item go on where the batch ends? */
static bool continues(const struct txg_runner *r, int64_t index)
{
    const struct txg_item *last = &r->collection->items[r->batch[r->n - 1]];
    const struct txg_item *item = &r->collection->items[index];
    return index > r->batch[r->n - 1] && item->name && last->name &&
           item->program == last->program && item->path == last->path && !item->disabled;
}

static void take_batch(struct txg_runner *r)
{
    const struct txg_item *item = &r->collection->items[r->batch[0]];
    bool many = item->name && !item->disabled && !item->harness->judge;
    size_t most = many ? txg_batch_size(r, item) : 1;
    int64_t index;
    while (r->n < most && txg_queue_peek(r->queue, &index) && continues(r, index)) {
        txg_queue_pop(r->queue, &index);
        push(r, index);
    }
}

static void skip_disabled(struct txg_runner *r)
{
    struct txg_verdict verdict = {.outcome = TXG_SKIPPED};
    txg_buf_puts(&verdict.reason, "disabled");
    txg_runner_report(r, &verdict, r->started);
    txg_verdict_release(&verdict);
}

bool txg_runner_take(struct txg_runner *r)
{
    int64_t index;
    while ((r->child->pid == 0 || r->idle) && !txg_runner_had_enough(r, txg_now()) &&
           txg_queue_peek(r->queue, &index)) {
        if (r->idle && r->collection->items[index].path != r->item->path) {
            txg_runner_retire(r);
            return false;
        }
        txg_queue_pop(r->queue, &index);
        r->n = r->at = 0;
        push(r, index);
        take_batch(r);
        txg_runner_announce(r, txg_now());
        if (!r->item->disabled)
            return true;
        skip_disabled(r);
    }
    return false;
}

static void could_not_start(struct txg_runner *r, const struct txg_err *err)
{
    struct txg_verdict verdict = {.outcome = TXG_ERROR};
    txg_buf_puts(&verdict.reason, err->text);
    txg_runner_report(r, &verdict, txg_now());
    txg_verdict_release(&verdict);
    txg_queue_unpop(r->queue, r->batch + 1, r->n - 1);
}

static void close_state(struct txg_runner *r)
{
    if (r->item->harness->end)
        r->item->harness->end(r->state);
    r->state = NULL;
    txg_child_clear(r->child);
}

static void keep_front(struct txg_runner *r, size_t n)
{
    txg_queue_unpop(r->queue, r->batch + n, r->n - n);
    r->n = n;
}

/* Fewer may fit in one command than were taken: the rest goes back. */
static void choose(struct txg_runner *r, struct txg_strv *argv)
{
    if (r->item->harness->persistent) {
        keep_front(r, txg_talk_fit(r));
        return;
    }
    struct txg_case_choice choice = {.n = r->n};
    const char **names = txg_xcalloc(r->n, sizeof *names);
    for (size_t i = 0; i < r->n; i++)
        names[i] = r->collection->items[r->batch[i]].name;
    choice.names = names;
    choice.all = &r->collection->programs[r->item->program].cases;
    keep_front(r, r->item->harness->cases->choose(&choice, argv));
    free(names);
}

void txg_runner_start(struct txg_runner *r)
{
    const struct txg_harness_ops *harness = r->item->harness;
    struct txg_strv argv = {0};
    struct txg_err err;
    txg_collection_argv(r->collection, r->item, &argv);
    if (harness->cases && harness->cases->prepare)
        harness->cases->prepare(&argv);
    if (harness->persistent || is_batch(harness))
        choose(r, &argv);
    if (r->idle) {
        txg_strv_release(&argv);
        txg_talk_begin(r, false);
        return;
    }
    r->state = harness->begin ? harness->begin() : NULL;
    r->timed_out = false;
    r->kill_at = INT64_MAX;
    r->nap_until = 0;
    struct txg_child_command command = {.path = argv.items[0],
                                        .argv = argv.items,
                                        .cwd = *suite_of(r)->cwd ? suite_of(r)->cwd : NULL,
                                        .merged = is_batch(harness),
                                        .bare =
                                            txg_collection_is_bare(r->collection, r->item, &argv),
                                        .talks = harness->persistent,
                                        .rings = harness->rings};
    if (is_batch(harness))
        txg_batch_begin(r, r->started);
    struct txg_environ environment;
    int rc = txg_environ_make(&environment, r->env, harness, &err);
    if (rc == 0) {
        command.envp = environment.envp;
        rc = txg_child_start(r->child, &command, &err);
        txg_environ_release(&environment);
    }
    if (rc != 0) {
        could_not_start(r, &err);
        close_state(r);
    } else if (harness->persistent) {
        txg_talk_begin(r, true);
    }
    txg_strv_release(&argv);
}

static void (*feed_of(const struct txg_runner *r))(void *, const void *, size_t)
{
    if (r->item->harness->persistent)
        return NULL;
    return is_batch(r->item->harness) ? txg_batch_feed : r->item->harness->feed;
}

static void *fed(struct txg_runner *r)
{
    return is_batch(r->item->harness) ? r : r->state;
}

/* Each line of a batch would wake us, and its program at that: short cases are read of many at a
 * time. Its end wakes us by itself, and a pipe that fills is not kept waiting. */
static void nap(struct txg_runner *r)
{
    if (r->item->harness->cases && !r->item->harness->persistent)
        r->nap_until = r->fed < NAP_BYTES ? txg_now() + TXG_NAP_TIME : 0;
}

void txg_runner_read(struct txg_runner *r, int stream)
{
    if (r->child->fds[stream] < 0)
        return;
    r->fed = 0;
    txg_child_read(r->child, stream, feed_of(r), fed(r));
    nap(r);
}

void txg_runner_look(struct txg_runner *r)
{
    bool talks = r->child->pid && r->item->harness->persistent;
    if (talks && txg_child_has_ended(r->child))
        txg_talk_hear(r); /* what it wrote last is of the case behind those it told of */
    if (!txg_child_reap(r->child, feed_of(r), fed(r)))
        return;
    int status = r->child->status;
    struct txg_ending ending = {
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .timed_out = r->timed_out,
        .timeout = suite_of(r)->timeout,
    };
    if (r->item->harness->persistent) {
        txg_talk_end(r, &ending);
    } else if (is_batch(r->item->harness)) {
        txg_batch_end(r, &ending);
    } else {
        struct txg_verdict verdict = {0};
        r->item->harness->judge(r->state, &ending, &verdict);
        txg_runner_report(r, &verdict, txg_now());
        txg_verdict_release(&verdict);
    }
    close_state(r);
    if (r->again) {
        r->again = false;
        txg_runner_start(r);
    }
}

/* Into what it wrote to stderr: there whoever looks into the failure finds it. */
static void tell_state(struct txg_runner *r)
{
    struct txg_buf text = {0};
    txg_buf_puts(&text, "txgate: its time is over; what its processes do:\n");
    txg_hung_describe(r->child->pid, &text);
    txg_child_keep(r->child, 1, txg_buf_data(&text), txg_buf_len(&text));
    txg_buf_release(&text);
}

void txg_runner_check_times(struct txg_runner *r, int64_t now)
{
    if (r->child->pid == 0)
        return;
    if (now >= r->term_at) {
        r->term_at = INT64_MAX;
        r->timed_out = true;
        r->kill_at = now + suite_of(r)->grace;
        if (r->announced)
            tell_state(r);
        txg_child_signal(r->child, SIGTERM);
    }
    if (now >= r->kill_at) {
        r->kill_at = now + 100000; /* again, should something have been born meanwhile */
        txg_child_signal(r->child, SIGKILL);
    }
}

int64_t txg_runner_deadline(const struct txg_runner *r)
{
    if (r->child->pid == 0)
        return INT64_MAX;
    if (!txg_talk_listens(r, txg_now()) && txg_talk_deadline(r) < r->term_at)
        return txg_talk_deadline(r);
    return r->term_at < r->kill_at ? r->term_at : r->kill_at;
}

void txg_runner_release(struct txg_runner *r)
{
    txg_buf_release(&r->line);
    txg_verdict_release(&r->verdict);
    free(r->batch);
}
