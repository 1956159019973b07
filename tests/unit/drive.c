#include "config.h"

#include "tests/unit/drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"
#include "tests/lib/suite.h"

static struct txg_session_gateway gateways[16];
static const struct txg_session_suite suites[1];

struct txg_session_config drive_config(enum txg_dist dist, size_t n_gateways)
{
    for (size_t i = 0; i < n_gateways; i++)
        gateways[i].spec = "popen";
    return (struct txg_session_config){.dist = dist,
                                       .gateways = gateways,
                                       .n_gateways = n_gateways,
                                       .suites = suites,
                                       .n_suites = 1,
                                       .testrunuid = "uid",
                                       .max_restarts = 4};
}

static void say(struct drive *d, const char *text)
{
    if (txg_buf_len(&d->log))
        txg_buf_puts(&d->log, "; ");
    txg_buf_puts(&d->log, text);
}

static void say_message(struct drive *d, unsigned gateway, const struct txg_msg *msg)
{
    struct txg_buf b = {0};
    txg_buf_printf(&b, "gw%u %s", gateway, txg_msg_name(msg->type));
    if (msg->type == TXG_MSG_RUNTESTS || msg->type == TXG_MSG_STEAL) {
        for (size_t i = 0; i < msg->indices.n_ranges; i++) {
            const struct txg_msg_range *r = &msg->indices.ranges[i];
            txg_buf_printf(&b, " %lld", (long long)r->first);
            if (r->count > 1)
                txg_buf_printf(&b, "+%lld", (long long)r->count);
        }
        if (msg->indices.takes)
            txg_buf_printf(&b, " in %lld us", (long long)msg->indices.takes);
    }
    say(d, txg_buf_cstr(&b));
    txg_buf_release(&b);
}

static void say_event(struct drive *d, const struct txg_event *e)
{
    struct txg_buf b = {0};
    const char *id = e->gateway ? e->gateway->id : "-";
    switch (e->type) {
    case TXG_EVENT_GATEWAY_COLLECTED:
        txg_buf_printf(&b, "collected %s %zu", id, e->collected.count);
        break;
    case TXG_EVENT_GATEWAY_DOWN:
        txg_buf_printf(&b, "down %s", id);
        break;
    case TXG_EVENT_QUARANTINE:
        txg_buf_printf(&b, "quarantine %s: %.*s", id, TXG_FMT(e->quarantine.text));
        break;
    case TXG_EVENT_SCHEDULING:
        txg_buf_printf(&b, "scheduling %s %zu", e->scheduling.scheduler, e->scheduling.total);
        break;
    case TXG_EVENT_TEST_START:
        txg_buf_printf(&b, "start %s %.*s", id, TXG_FMT(e->test.nodeid));
        break;
    case TXG_EVENT_TEST_FINISH:
        txg_buf_printf(&b, "%s %.*s %s", id, TXG_FMT(e->test.nodeid),
                       txg_outcome_name(e->result.outcome));
        if (e->result.flaky)
            txg_buf_printf(&b, ", flaky: try %u", e->test.attempt);
        if (e->result.outcome == TXG_NOT_RUN)
            txg_buf_printf(&b, " (%.*s)", TXG_FMT(e->result.reason));
        break;
    case TXG_EVENT_TEST_RETRY:
        txg_buf_printf(&b, "%s %.*s %s, try %u", id, TXG_FMT(e->test.nodeid),
                       txg_outcome_name(e->result.outcome), e->test.attempt);
        break;
    case TXG_EVENT_TEST_LIVE:
        txg_buf_printf(&b, "live %s %.*s", id, TXG_FMT(e->test.nodeid));
        break;
    case TXG_EVENT_TEST_SLOW:
        txg_buf_printf(&b, "slow %s %.*s after %lld", id, TXG_FMT(e->test.nodeid),
                       (long long)e->slow.elapsed);
        break;
    case TXG_EVENT_TEST_OUTPUT:
        txg_buf_printf(&b, "output %s %.*s", id, TXG_FMT(e->test.nodeid));
        break;
    case TXG_EVENT_WARNING:
    case TXG_EVENT_NOTE:
    case TXG_EVENT_INTERNAL_ERROR:
    case TXG_EVENT_COLLECT_ERROR:
        txg_buf_printf(&b, "%s %s: %.*s",
                       e->type == TXG_EVENT_WARNING          ? "warning"
                       : e->type == TXG_EVENT_INTERNAL_ERROR ? "internal error"
                       : e->type == TXG_EVENT_NOTE           ? "note"
                                                             : "collect error",
                       id, TXG_FMT(e->message.text));
        break;
    case TXG_EVENT_STOPPING:
        txg_buf_printf(&b, "stopping: %.*s", TXG_FMT(e->message.text));
        break;
    case TXG_EVENT_RUN_START:
    case TXG_EVENT_GATEWAY_START:
    case TXG_EVENT_GATEWAY_READY:
    case TXG_EVENT_TRANSFER:
    case TXG_EVENT_RUN_FINISH:
        return;
    }
    say(d, txg_buf_cstr(&b));
    txg_buf_release(&b);
}

static void drain(struct drive *d)
{
    char text[64];
    for (const struct txg_command *c; (c = txg_session_next(d->s));) {
        switch (c->type) {
        case TXG_COMMAND_EVENT:
            say_event(d, &c->event);
            break;
        case TXG_COMMAND_SEND:
            say_message(d, c->gateway, &c->msg);
            break;
        case TXG_COMMAND_CLOSE:
            snprintf(text, sizeof text, "close gw%u", c->gateway);
            say(d, text);
            break;
        case TXG_COMMAND_REPLACE:
            snprintf(text, sizeof text, "replace gw%u by gw%u", c->replaces, c->gateway);
            say(d, text);
            break;
        case TXG_COMMAND_OPEN:
            snprintf(text, sizeof text, "open gw%u on %zu", c->gateway, c->origin);
            say(d, text);
            break;
        case TXG_COMMAND_FINISH:
            snprintf(text, sizeof text, "finish %d", c->exit_code);
            say(d, text);
            break;
        }
    }
}

void drive_begin(struct drive *d, const struct txg_session_config *config)
{
    *d = (struct drive){.now = 1000};
    struct txg_session_config passing = *config; /* its arrays go when the session is made */
    size_t size = config->n_gateways * sizeof *config->gateways;
    struct txg_session_gateway *copy = txg_xmalloc(size);
    memcpy(copy, config->gateways, size);
    passing.gateways = copy;
    d->s = txg_session_new(&passing, d->now);
    memset(copy, 0x5a, size);
    free(copy);
    drain(d);
}

void drive_release(struct drive *d)
{
    txg_session_free(d->s);
    txg_buf_release(&d->log);
}

const char *drive_take(struct drive *d)
{
    const char *text = txg_buf_cstr(&d->log);
    txg_buf_clear(&d->log);
    return text;
}

static void put(struct drive *d, const struct txg_node_event *event)
{
    txg_session_event(d->s, d->now, event);
    drain(d);
}

void drive_message(struct drive *d, unsigned gateway, const struct txg_msg *msg)
{
    put(d, &(struct txg_node_event){.type = TXG_NODE_MESSAGE, .gateway = gateway, .msg = msg});
}

void drive_ready(struct drive *d, unsigned gateway)
{
    drive_message(d, gateway, &(struct txg_msg){.type = TXG_MSG_WORKERREADY});
}

static void say_collection(struct drive *d, unsigned gateway, const char *tests, bool unasked)
{
    struct txg_msg_record records[DRIVE_TESTS];
    char names[DRIVE_TESTS][16];
    struct txg_msg finish = {.type = TXG_MSG_COLLECTIONFINISH};
    struct txg_msg msg = {.type = TXG_MSG_COLLECTION};
    finish.collectionfinish.digest = TXG_HASH_START;
    for (size_t i = 0; tests[i]; i++) {
        int n = snprintf(names[i], sizeof names[i], "%s%c", d->file ? d->file : "", tests[i]);
        records[i] = (struct txg_msg_record){0, txg_span(names[i], (size_t)n)};
        finish.collectionfinish.digest =
            txg_collection_digest(finish.collectionfinish.digest, &records[i]);
    }
    finish.collectionfinish.count = (int64_t)strlen(tests);
    msg.collection.records = records;
    msg.collection.n_records = strlen(tests);
    size_t before = txg_buf_len(&d->log);
    if (!unasked)
        drive_message(d, gateway, &finish);
    if (!unasked && !strstr(txg_buf_cstr(&d->log) + before, "sendcollection"))
        return;
    drive_message(d, gateway, &msg);
    drive_message(d, gateway, &finish);
}

/* As a worker does: count and digest, the records when they are asked for. */
void drive_collect(struct drive *d, unsigned gateway, const char *tests)
{
    drive_ready(d, gateway);
    say_collection(d, gateway, tests, false);
}

void drive_records(struct drive *d, unsigned gateway, const char *tests)
{
    say_collection(d, gateway, tests, true);
}

void drive_start(struct drive *d, unsigned gateway, int64_t index)
{
    struct txg_msg msg = {.type = TXG_MSG_LOGSTART};
    msg.logstart.seq = ++d->seq[gateway];
    msg.logstart.index = index;
    drive_message(d, gateway, &msg);
}

void drive_report(struct drive *d, unsigned gateway, int64_t index, enum txg_outcome outcome)
{
    struct txg_msg msg = {.type = TXG_MSG_TESTREPORT};
    msg.testreport.seq = ++d->seq[gateway];
    msg.testreport.index = index;
    msg.testreport.outcome = outcome;
    msg.testreport.duration = 2000000;
    drive_message(d, gateway, &msg);
}

void drive_pass(struct drive *d, unsigned gateway, int64_t index)
{
    drive_start(d, gateway, index);
    drive_report(d, gateway, index, TXG_PASSED);
}

void drive_unscheduled(struct drive *d, unsigned gateway, int64_t first, int64_t count)
{
    struct txg_msg_range range = {first, count};
    struct txg_msg msg = {.type = TXG_MSG_UNSCHEDULED};
    msg.indices.seq = ++d->seq[gateway];
    msg.indices.ranges = &range;
    msg.indices.n_ranges = 1;
    drive_message(d, gateway, &msg);
}

void drive_finished(struct drive *d, unsigned gateway)
{
    drive_message(d, gateway, &(struct txg_msg){.type = TXG_MSG_WORKERFINISHED});
    drive_down(d, gateway, TXG_DOWN_ENDED);
}

void drive_down(struct drive *d, unsigned gateway, enum txg_node_down down)
{
    put(d, &(struct txg_node_event){
               .type = TXG_NODE_DOWN, .gateway = gateway, .down = down, .reason = TXG_SPAN("why")});
}

void drive_host_down(struct drive *d, unsigned gateway, enum txg_node_down down)
{
    put(d, &(struct txg_node_event){.type = TXG_NODE_DOWN,
                                    .gateway = gateway,
                                    .down = down,
                                    .host = true,
                                    .reason = TXG_SPAN("why"),
                                    .words = TXG_SPAN("out / of luck")});
}

void drive_leaving(struct drive *d, unsigned gateway)
{
    put(d, &(struct txg_node_event){.type = TXG_NODE_LEAVING, .gateway = gateway});
}

void drive_join(struct drive *d, const char *name)
{
    put(d, &(struct txg_node_event){.type = TXG_NODE_JOIN, .name = name});
}

void drive_interrupt(struct drive *d)
{
    put(d, &(struct txg_node_event){.type = TXG_NODE_INTERRUPT});
}

void drive_tick(struct drive *d, int64_t now)
{
    d->now = now;
    put(d, &(struct txg_node_event){.type = TXG_NODE_TICK});
}

void expect(struct drive *d, const char *wanted)
{
    const char *got = drive_take(d);
    CU_ASSERT_STRING_EQUAL(got, wanted);
    if (strcmp(got, wanted) != 0)
        printf("\n  wanted %s\n  got    %s\n", wanted, got);
}
