#include "config.h"

#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX  200000 /* a run that takes more does not end */
#define AFTERWARDS  20     /* events that come when the run is over */
#define FROZEN      (5 * SIM_S)
#define LOST        (10 * SIM_S)
#define REASON_TEXT "it went wrong"

void sim_note(const struct sim_world *w, const char *fmt, ...)
{
    if (!w->verbose)
        return;
    va_list ap;
    va_start(ap, fmt);
    printf("%12.6f  ", (double)w->now / 1e6);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
}

static bool is_before(const struct sim_item *a, const struct sim_item *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

struct sim_item *sim_put(struct sim_world *w, int64_t at, enum sim_what what, unsigned gateway)
{
    struct sim_item item = {.at = at, .order = w->order++, .what = what, .gateway = gateway};
    w->heap = txg_grow(w->heap, w->n_heap, &w->cap_heap, sizeof *w->heap);
    size_t i = w->n_heap++;
    for (; i > 0 && is_before(&item, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = item;
    return &w->heap[i];
}

static struct sim_item take_first(struct sim_world *w)
{
    struct sim_item first = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < w->n_heap; i = k) {
        if (k + 1 < w->n_heap && is_before(&w->heap[k + 1], &w->heap[k]))
            k++;
        if (!is_before(&w->heap[k], &last))
            break;
        w->heap[i] = w->heap[k];
    }
    w->heap[i] = last;
    return first;
}

static int64_t arrival(struct sim_world *w, const struct sim_node *node, int64_t *last)
{
    const struct sim_board *board = &w->plan->boards[node->board];
    int64_t at = w->now + board->latency;
    if (board->jitter)
        at += sim_between(&w->rng, 0, board->jitter);
    return *last = at > *last ? at : *last;
}

void sim_send(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter)
{
    sim_put(w, arrival(w, node, &node->from_last), SIM_FROM_WORKER, node->number)->letter = *letter;
}

/* What the worker had said still arrives, then that it is gone. */
void sim_end(struct sim_world *w, struct sim_node *node, enum txg_node_down down, int64_t after)
{
    node->state = SIM_ENDED;
    node->ending = ++node->life;
    int64_t at = arrival(w, node, &node->from_last) + after;
    struct sim_item *item = sim_put(w, at, SIM_DOWN, node->number);
    item->life = node->ending;
    item->down = down;
}

static struct sim_node *open_node(struct sim_world *w, size_t board)
{
    const struct sim_board *b = &w->plan->boards[board];
    w->nodes = txg_grow(w->nodes, w->n_nodes, &w->cap_nodes, sizeof *w->nodes);
    struct sim_node *node = &w->nodes[w->n_nodes];
    *node = (struct sim_node){.number = (unsigned)w->n_nodes++,
                              .board = board,
                              .cut_at = INT64_MAX,
                              .n_tests = b->n_tests,
                              .seen.running = SIM_NONE};
    if (w->n_nodes > w->plan->n_boards && w->plan->changes && b->n_tests > 1)
        node->n_tests--;
    node->tests = txg_xcalloc(node->n_tests, sizeof *node->tests);
    if (node->n_tests)
        memcpy(node->tests, b->tests, node->n_tests * sizeof *node->tests);
    if (b->host == board) {
        txg_session_expect_records(w->session, node->number);
        txg_session_expect_records(w->twin, node->number);
    }
    sim_worker_start(w, node);
    return node;
}

static struct txg_msg_record record_of(const struct sim_world *w, size_t test)
{
    const struct sim_test *t = &w->plan->tests[test];
    return (struct txg_msg_record){(int64_t)t->suite, txg_span(t->nodeid, t->len)};
}

static uint64_t digest_of(const struct sim_world *w, const struct sim_node *node)
{
    uint64_t digest = TXG_HASH_START;
    for (size_t i = 0; i < node->n_tests; i++) {
        struct txg_msg_record record = record_of(w, node->tests[i]);
        digest = txg_collection_digest(digest, &record);
    }
    return digest;
}

/* Returns what is to be freed when the message was read. */
static void *make_message(const struct sim_world *w, struct sim_node *node,
                          const struct sim_letter *letter, struct txg_msg *msg)
{
    *msg = (struct txg_msg){.type = letter->type};
    switch (letter->type) {
    case TXG_MSG_COLLECTION:
        msg->collection.first = letter->index;
        msg->collection.n_records = (size_t)letter->count;
        msg->collection.records = txg_xcalloc((size_t)letter->count, sizeof(struct txg_msg_record));
        for (int64_t i = 0; i < letter->count; i++)
            msg->collection.records[i] = record_of(w, node->tests[letter->index + i]);
        return msg->collection.records;
    case TXG_MSG_COLLECTIONFINISH:
        msg->collectionfinish.count = letter->count;
        msg->collectionfinish.digest = digest_of(w, node);
        break;
    case TXG_MSG_LOGSTART:
        msg->logstart.seq = letter->seq;
        msg->logstart.index = letter->index;
        break;
    case TXG_MSG_OUTPUT:
        msg->output.index = letter->index;
        msg->output.stream = 1;
        break;
    case TXG_MSG_TESTREPORT:
        msg->testreport.seq = letter->seq;
        msg->testreport.index = letter->index;
        msg->testreport.outcome = letter->outcome;
        msg->testreport.duration = letter->duration;
        break;
    case TXG_MSG_PASSED:
        msg->passed.seq = letter->seq;
        msg->passed.n_tests = letter->n_ranges;
        msg->passed.tests = txg_xcalloc(letter->n_ranges, sizeof *msg->passed.tests);
        for (size_t i = 0; i < letter->n_ranges; i++)
            msg->passed.tests[i] =
                (struct txg_msg_passed_test){letter->ranges[i].first, 1, letter->duration};
        return msg->passed.tests;
    case TXG_MSG_UNSCHEDULED:
        msg->indices.seq = letter->seq;
        msg->indices.ranges = letter->ranges;
        msg->indices.n_ranges = letter->n_ranges;
        break;
    case TXG_MSG_INTERNAL_ERROR:
        msg->text.text = TXG_SPAN("it is broken");
        break;
    default:
        break;
    }
    return NULL;
}

static void carry_out(struct sim_world *w, const struct txg_command *c)
{
    struct sim_node *node = c->gateway < w->n_nodes ? &w->nodes[c->gateway] : NULL;
    struct sim_letter letter = {.type = c->msg.type};
    if (c->type == TXG_COMMAND_SEND && node) {
        size_t n = letter.n_ranges = c->msg.indices.n_ranges;
        if (n) {
            letter.ranges = txg_xcalloc(n, sizeof *letter.ranges);
            memcpy(letter.ranges, c->msg.indices.ranges, n * sizeof *letter.ranges);
        }
        sim_put(w, arrival(w, node, &node->to_last), SIM_TO_WORKER, c->gateway)->letter = letter;
    } else if (c->type == TXG_COMMAND_CLOSE && node && node->cut_at == INT64_MAX) {
        if (node->state != SIM_ENDED)
            sim_end(w, node, node->state == SIM_BOOTING ? TXG_DOWN_NOT_STARTED : TXG_DOWN_CRASHED,
                    w->plan->boards[node->board].latency);
    } else if (c->type == TXG_COMMAND_OPEN) {
        open_node(w, c->origin);
    } else if (c->type == TXG_COMMAND_REPLACE && c->replaces < w->n_nodes) {
        open_node(w, w->nodes[c->replaces].board);
    }
}

static bool is_same(const struct txg_command *a, const struct txg_command *b)
{
    if (!a || !b || a->type != b->type || a->gateway != b->gateway || a->replaces != b->replaces ||
        a->origin != b->origin || a->exit_code != b->exit_code)
        return a == b;
    if (a->type == TXG_COMMAND_SEND) {
        size_t n = a->msg.indices.n_ranges;
        return a->msg.type == b->msg.type && n == b->msg.indices.n_ranges &&
               (n == 0 || memcmp(a->msg.indices.ranges, b->msg.indices.ranges,
                                 n * sizeof *a->msg.indices.ranges) == 0);
    }
    if (a->type != TXG_COMMAND_EVENT)
        return true;
    return a->event.type == b->event.type && a->event.time == b->event.time &&
           a->event.test.number == b->event.test.number &&
           (a->event.type != TXG_EVENT_TEST_FINISH ||
            (a->event.result.flaky == b->event.result.flaky &&
             a->event.test.attempt == b->event.test.attempt &&
             a->event.result.outcome == b->event.result.outcome &&
             txg_span_equal(a->event.result.reason, b->event.result.reason)));
}

static void carry_out_all(struct sim_world *w)
{
    const struct txg_command *c, *twin;
    do {
        c = txg_session_next(w->session);
        twin = txg_session_next(w->twin);
        if (!is_same(c, twin))
            sim_fail(w, "the same events gave other commands");
        if (c)
            sim_oracle_command(w, c);
        if (c && !w->oracle.failed)
            carry_out(w, c);
    } while (c && !w->oracle.failed);
}

static void feed(struct sim_world *w, const struct txg_node_event *event,
                 const struct sim_letter *letter)
{
    w->events++;
    sim_oracle_before(w, event, letter);
    txg_session_event(w->session, w->now, event);
    txg_session_event(w->twin, w->now, event);
    carry_out_all(w);
    sim_oracle_after(w);
}

static void deliver(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter)
{
    struct txg_msg msg;
    void *garbage = make_message(w, node, letter, &msg);
    feed(w,
         &(struct txg_node_event){.type = TXG_NODE_MESSAGE, .gateway = node->number, .msg = &msg},
         letter);
    free(garbage);
}

static void deliver_down(struct sim_world *w, unsigned gateway, const struct sim_item *item)
{
    struct txg_node_event event = {.type = TXG_NODE_DOWN,
                                   .gateway = gateway,
                                   .down = item->down,
                                   .host = item->host,
                                   .reason = TXG_SPAN(REASON_TEXT)};
    w->nodes[gateway].down = true;
    feed(w, &event, NULL);
    if (w->oracle.failed || !sim_chance(&w->rng, 10))
        return;
    /* the dead do not speak: whatever still comes changes nothing */
    struct sim_node *node = &w->nodes[gateway];
    deliver(w, node, &(struct sim_letter){.type = TXG_MSG_LOGSTART, .seq = node->seq + 1});
    if (!w->oracle.failed)
        feed(w, &event, NULL);
}

/* The newest gateway of a board, if it lives as far as the world goes. */
static struct sim_node *alive_on(struct sim_world *w, size_t board)
{
    for (size_t i = w->n_nodes; i-- > 0;)
        if (w->nodes[i].board == board)
            return w->nodes[i].state == SIM_ENDED || w->nodes[i].cut_at != INT64_MAX ? NULL
                                                                                     : &w->nodes[i];
    return NULL;
}

static bool lose_host(struct sim_world *w, unsigned host, int64_t after)
{
    bool any = false;
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct sim_node *node = &w->nodes[i];
        if (w->plan->boards[node->board].host != host || node->down || node->cut_at != INT64_MAX)
            continue;
        any = true;
        bool ready = node->state != SIM_BOOTING;
        node->state = SIM_ENDED;
        node->cut_at = w->now;
        node->ending = ++node->life;
        struct sim_item *item = sim_put(w, w->now + after, SIM_DOWN, node->number);
        item->life = node->ending;
        item->down = ready ? TXG_DOWN_LOST : TXG_DOWN_CUT_OFF;
        item->host = true;
    }
    if (any && sim_chance(&w->rng, 70))
        w->gone_until[host] = w->now + sim_between(&w->rng, 0, 40 * SIM_S);
    return any;
}

/* A second pause does not move the end of the first: what waits for it is in order. */
static void pause_node(struct sim_world *w, struct sim_node *node)
{
    int64_t until = w->now + sim_between(&w->rng, 1, 4 * SIM_S);
    if (w->now >= node->still_until)
        node->still_until = until;
}

static bool strike(struct sim_world *w, const struct sim_fault *fault)
{
    struct sim_node *node = alive_on(w, fault->board);
    unsigned host = w->plan->boards[fault->board].host;
    if (fault->kind == SIM_INTERRUPT) {
        feed(w, &(struct txg_node_event){.type = TXG_NODE_INTERRUPT}, NULL);
        return true;
    }
    if (fault->kind == SIM_CUT || fault->kind == SIM_EOF)
        return lose_host(w, host, fault->kind == SIM_CUT ? LOST : 0);
    if (!node)
        return false;
    switch (fault->kind) {
    case SIM_LEAVE:
        node->seen.leaving = true;
        feed(w, &(struct txg_node_event){.type = TXG_NODE_LEAVING, .gateway = node->number}, NULL);
        break;
    case SIM_CRASH:
        sim_end(w, node, node->state == SIM_BOOTING ? TXG_DOWN_CUT_OFF : TXG_DOWN_CRASHED, 0);
        break;
    case SIM_EXIT:
        if (fault->variant % 2)
            sim_send(w, node, &(struct sim_letter){.type = TXG_MSG_WORKERFINISHED});
        sim_end(w, node, TXG_DOWN_ENDED, 0);
        break;
    case SIM_FREEZE:
        sim_end(w, node, TXG_DOWN_CRASHED, FROZEN);
        break;
    case SIM_PAUSE:
        pause_node(w, node);
        break;
    case SIM_DEAF:
        node->deaf = true;
        break;
    case SIM_STUCK:
        node->stuck = true;
        break;
    case SIM_SLOW:
        node->slow = true;
        break;
    case SIM_LIE:
        sim_worker_lie(w, node, fault->variant);
        break;
    default:
        sim_send(w, node, &(struct sim_letter){.type = TXG_MSG_INTERNAL_ERROR});
    }
    return true;
}

static void handle(struct sim_world *w, const struct sim_item *item)
{
    if (item->what == SIM_JOINS) {
        feed(w,
             &(struct txg_node_event){.type = TXG_NODE_JOIN,
                                      .name = w->plan->gateways[item->gateway].device},
             NULL);
        return;
    }
    struct sim_node *node = &w->nodes[item->gateway];
    bool cut = item->what != SIM_FAULT && item->what != SIM_DOWN && item->at > node->cut_at;
    bool still = (item->what == SIM_WAKE || item->what == SIM_TO_WORKER) &&
                 w->now < node->still_until && node->state != SIM_ENDED;
    if (still) { /* it takes it up when it goes on */
        struct sim_item *again = sim_put(w, node->still_until, item->what, item->gateway);
        again->life = item->life;
        again->letter = item->letter;
        return;
    }
    if (item->what == SIM_FAULT && strike(w, &w->plan->faults[item->fault])) {
        w->faults++;
        sim_note(w, "fault: %s, board %u", sim_fault_name(w->plan->faults[item->fault].kind),
                 w->plan->faults[item->fault].board);
    } else if (item->what == SIM_WAKE && !cut && item->life == node->life) {
        sim_worker_wake(w, node);
    } else if (item->what == SIM_TO_WORKER && !cut && node->state != SIM_ENDED) {
        sim_worker_take(w, node, &item->letter);
    } else if (item->what == SIM_FROM_WORKER && !cut && !node->down) {
        deliver(w, node, &item->letter);
    } else if (item->what == SIM_DOWN && item->life == node->ending && !node->down) {
        deliver_down(w, item->gateway, item);
    }
    free(item->letter.ranges);
}

/* True: a TICK was due and was given. */
static bool tick(struct sim_world *w)
{
    int64_t deadline = txg_session_deadline(w->session);
    if (deadline != txg_session_deadline(w->twin))
        sim_fail(w, "the same events gave another deadline");
    if (deadline == INT64_MAX || (w->n_heap && w->heap[0].at < deadline))
        return false;
    w->now = deadline > w->now ? deadline : w->now;
    feed(w, &(struct txg_node_event){.type = TXG_NODE_TICK}, NULL);
    if (txg_session_deadline(w->session) <= w->now)
        sim_fail(w, "a deadline passed and stays");
    return true;
}

static void start(struct sim_world *w)
{
    w->session = txg_session_new(&w->plan->config, 0);
    w->twin = txg_session_new(&w->plan->config, 0);
    sim_oracle_init(w);
    w->starts = txg_xcalloc(w->oracle.n_outcomes, sizeof *w->starts);
    carry_out_all(w);
    for (size_t b = 0; b < w->plan->n_boards; b++)
        if (!w->plan->gateways[b].late)
            open_node(w, b);
        else if (w->plan->boards[b].joins != INT64_MAX)
            sim_put(w, w->plan->boards[b].joins, SIM_JOINS, (unsigned)b);
    for (size_t i = 0; i < w->plan->n_faults; i++)
        sim_put(w, w->plan->faults[i].at, SIM_FAULT, w->plan->faults[i].board)->fault = i;
}

static void release(struct sim_world *w)
{
    while (w->n_heap)
        free(w->heap[--w->n_heap].letter.ranges);
    free(w->heap);
    for (size_t i = 0; i < w->n_nodes; i++) {
        free(w->nodes[i].tests);
        free(w->nodes[i].queue);
    }
    free(w->nodes);
    free(w->starts);
    sim_oracle_release(w);
    txg_session_free(w->session);
    txg_session_free(w->twin);
}

void sim_run(const struct sim_plan *plan, bool verbose, struct sim_result *result)
{
    struct sim_world w = {
        .plan = plan, .verbose = verbose, .rng = {~plan->seed}, .first_start = -1, .last_end = -1};
    start(&w);
    for (size_t after = 0; !w.oracle.failed && after < AFTERWARDS; after += w.oracle.finished) {
        if (tick(&w))
            continue;
        if (w.n_heap == 0)
            break;
        struct sim_item item = take_first(&w);
        w.now = item.at > w.now ? item.at : w.now;
        handle(&w, &item);
        if (w.events > EVENTS_MAX)
            sim_fail(&w, "no end after %d events", EVENTS_MAX);
    }
    if (!w.oracle.failed)
        sim_oracle_end(&w);
    *result = (struct sim_result){.events = w.events,
                                  .faults = w.faults,
                                  .first_start = w.first_start,
                                  .last_end = w.last_end,
                                  .failed = w.oracle.failed};
    memcpy(result->what, w.oracle.what, sizeof w.oracle.what);
    release(&w);
}
