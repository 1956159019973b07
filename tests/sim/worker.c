#include "config.h"

#include "tests/sim/world.h"

#include <stdlib.h>

static const struct sim_board *board_of(const struct sim_world *w, const struct sim_node *node)
{
    return &w->plan->boards[node->board];
}

static void wake_in(struct sim_world *w, struct sim_node *node, int64_t after)
{
    sim_put(w, w->now + after, SIM_WAKE, node->number)->life = node->life;
}

static void say(struct sim_world *w, struct sim_node *node, enum txg_msg_type type)
{
    sim_send(w, node, &(struct sim_letter){.type = type});
}

void sim_worker_start(struct sim_world *w, struct sim_node *node)
{
    const struct sim_board *board = board_of(w, node);
    bool fickle = board->habit == SIM_FICKLE && sim_chance(&w->rng, 50);
    if (board->habit == SIM_NEVER_STARTS || w->now < w->gone_until[board->host])
        sim_end(w, node, TXG_DOWN_NOT_STARTED, board->boot);
    else if (fickle)
        sim_end(w, node, TXG_DOWN_CUT_OFF, board->boot);
    else
        wake_in(w, node, board->boot);
}

static void tell_collection(struct sim_world *w, struct sim_node *node, bool records)
{
    size_t n = node->n_tests;
    size_t pieces = records && n ? 1 + sim_below(&w->rng, 3) : 0;
    for (size_t i = 0; i < pieces; i++) {
        int64_t first = (int64_t)(n * i / pieces), end = (int64_t)(n * (i + 1) / pieces);
        if (end > first)
            sim_send(w, node,
                     &(struct sim_letter){
                         .type = TXG_MSG_COLLECTION, .index = first, .count = end - first});
    }
    sim_send(w, node,
             &(struct sim_letter){.type = TXG_MSG_COLLECTIONFINISH,
                                  .count = (int64_t)n,
                                  .bogus = records && node->doubles});
}

/* The tests at the front of the queue that pass, some of them: they take no time. `running` is told
 * of with them. False: there is none. */
static bool pass_some(struct sim_world *w, struct sim_node *node, bool running)
{
    size_t most = running + sim_below(&w->rng, 4), n = 0;
    struct txg_msg_range *ranges = txg_xcalloc(most ? most : 1, sizeof *ranges);
    if (running)
        ranges[n++] = (struct txg_msg_range){(int64_t)node->running, 1};
    while (n < most && node->head < node->tail &&
           w->plan->tests[node->tests[node->queue[node->head]]].fate == SIM_PASSES) {
        size_t index = node->queue[node->head++];
        sim_oracle_alone(w, node, index);
        w->starts[sim_outcome_of(w, node, index)]++;
        ranges[n++] = (struct txg_msg_range){(int64_t)index, 1};
    }
    if (n == 0) {
        free(ranges);
        return false;
    }
    sim_send(w, node,
             &(struct sim_letter){.type = TXG_MSG_PASSED,
                                  .seq = ++node->seq,
                                  .index = ranges[0].first,
                                  .ranges = ranges,
                                  .n_ranges = n});
    return true;
}

/* The next test, or the end: as src/worker/worker.c. */
static void go_on(struct sim_world *w, struct sim_node *node)
{
    const struct sim_board *board = board_of(w, node);
    size_t maxfail = w->plan->config.retries ? 0 : w->plan->config.maxfail;
    if (node->runs || node->stuck || node->state != SIM_WORKING)
        return;
    bool may = maxfail == 0 || node->failures < maxfail;
    if (w->plan->groups && may && sim_chance(&w->rng, 10) && pass_some(w, node, false)) {
        go_on(w, node);
    } else if (node->head < node->tail && may) {
        sim_oracle_alone(w, node, node->queue[node->head]);
        node->runs = true;
        w->first_start = w->first_start < 0 ? w->now : w->first_start;
        node->running = node->queue[node->head++];
        sim_send(w, node,
                 &(struct sim_letter){.type = TXG_MSG_LOGSTART,
                                      .seq = ++node->seq,
                                      .index = (int64_t)node->running});
        const struct sim_test *t = &w->plan->tests[node->tests[node->running]];
        node->well = w->starts[sim_outcome_of(w, node, node->running)]++ >= t->bad_tries;
        int64_t slowness = board->slowness * (node->slow ? 10 : 1);
        wake_in(w, node, t->duration * slowness / 4);
    } else if (node->head == node->tail && node->shutdown) {
        say(w, node, TXG_MSG_WORKERFINISHED);
        sim_end(w, node, TXG_DOWN_ENDED, 0);
    }
}

static void end_test(struct sim_world *w, struct sim_node *node)
{
    static const enum txg_outcome outcomes[] = {TXG_PASSED, TXG_FAILED, TXG_SKIPPED, TXG_CRASHED};
    const struct sim_test *t = &w->plan->tests[node->tests[node->running]];
    enum sim_fate fate = node->well ? SIM_PASSES : t->fate;
    if (fate == SIM_KILLS_WORKER) {
        w->faults++;
        sim_end(w, node, TXG_DOWN_CRASHED, 0);
        return;
    }
    node->runs = false;
    w->last_end = w->now;
    if (fate == SIM_PASSES && w->plan->groups && sim_chance(&w->rng, 30)) {
        pass_some(w, node, true);
        go_on(w, node);
        return;
    }
    if (txg_outcome_is_failure(outcomes[fate])) {
        node->failures++;
        sim_send(w, node,
                 &(struct sim_letter){.type = TXG_MSG_OUTPUT, .index = (int64_t)node->running});
    }
    sim_send(w, node,
             &(struct sim_letter){.type = TXG_MSG_TESTREPORT,
                                  .seq = ++node->seq,
                                  .index = (int64_t)node->running,
                                  .duration = t->duration * board_of(w, node)->slowness / 4,
                                  .outcome = outcomes[fate]});
    go_on(w, node);
}

void sim_worker_wake(struct sim_world *w, struct sim_node *node)
{
    const struct sim_board *board = board_of(w, node);
    if (node->state == SIM_BOOTING) {
        node->state = SIM_COLLECTING;
        say(w, node, TXG_MSG_WORKERREADY);
        if (board->habit == SIM_DIES_COLLECTING)
            sim_end(w, node, TXG_DOWN_CRASHED, 0);
        else
            wake_in(w, node, board->boot);
    } else if (node->state == SIM_COLLECTING && !node->stuck) {
        node->state = SIM_WORKING;
        tell_collection(w, node, w->plan->boards[node->board].host == node->board);
        if (board->habit == SIM_DIES_COLLECTED)
            sim_end(w, node, TXG_DOWN_CRASHED, 0);
    } else if (node->runs) {
        end_test(w, node);
    }
}

static bool is_wanted(const struct sim_letter *letter, size_t index)
{
    for (size_t i = 0; i < letter->n_ranges; i++)
        if ((int64_t)index >= letter->ranges[i].first &&
            (int64_t)index - letter->ranges[i].first < letter->ranges[i].count)
            return true;
    return false;
}

static void give_back(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter)
{
    size_t kept = node->head, n = 0;
    struct txg_msg_range *ranges = txg_xcalloc(node->tail - node->head, sizeof *ranges);
    for (size_t i = node->head; i < node->tail; i++) {
        if (is_wanted(letter, node->queue[i]))
            ranges[n++] = (struct txg_msg_range){(int64_t)node->queue[i], 1};
        else
            node->queue[kept++] = node->queue[i];
    }
    node->tail = kept;
    sim_send(w, node,
             &(struct sim_letter){
                 .type = TXG_MSG_UNSCHEDULED, .seq = ++node->seq, .ranges = ranges, .n_ranges = n});
}

void sim_worker_take(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter)
{
    switch (letter->type) {
    case TXG_MSG_SENDCOLLECTION:
        tell_collection(w, node, true);
        return;
    case TXG_MSG_RUNTESTS:
        for (size_t i = 0; i < letter->n_ranges; i++)
            for (int64_t k = 0; k < letter->ranges[i].count; k++) {
                node->queue = txg_grow(node->queue, node->tail, &node->cap, sizeof *node->queue);
                node->queue[node->tail++] = (size_t)(letter->ranges[i].first + k);
            }
        break;
    case TXG_MSG_STEAL:
        if (!node->deaf)
            give_back(w, node, letter);
        break;
    case TXG_MSG_SHUTDOWN:
        node->shutdown = node->shutdown || !node->deaf;
        break;
    default:
        sim_fail(w, "gw%u was sent %s", node->number, txg_msg_name(letter->type));
    }
    go_on(w, node);
}

void sim_worker_lie(struct sim_world *w, struct sim_node *node, unsigned variant)
{
    struct sim_letter lie = {.bogus = true, .index = (int64_t)node->n_tests + 7};
    if (node->state != SIM_WORKING) {
        node->doubles = node->n_tests > 1;
        if (node->doubles) {
            node->tests[1] = node->tests[0];
            return;
        }
        variant = 5;
    }
    switch (variant % 8) {
    case 0:
        lie.type = TXG_MSG_TESTREPORT;
        lie.seq = ++node->seq;
        break;
    case 1:
        lie.type = TXG_MSG_UNSCHEDULED;
        lie.seq = node->seq;
        break;
    case 2:
        lie.type = TXG_MSG_OUTPUT;
        break;
    case 3:
        lie.type = TXG_MSG_UNSCHEDULED;
        lie.seq = ++node->seq;
        lie.ranges = txg_xcalloc(1, sizeof *lie.ranges);
        lie.ranges[0] = (struct txg_msg_range){lie.index, INT32_MAX};
        lie.n_ranges = 1;
        break;
    case 4:
        lie.type = TXG_MSG_LOGSTART;
        lie.seq = ++node->seq;
        break;
    case 5:
        lie.type = TXG_MSG_HELLO;
        break;
    case 6:
        lie.type = TXG_MSG_PASSED;
        lie.seq = ++node->seq;
        lie.ranges = txg_xcalloc(1, sizeof *lie.ranges);
        lie.ranges[0] = (struct txg_msg_range){lie.index, 1};
        lie.n_ranges = 1;
        break;
    default:
        lie.type = TXG_MSG_TESTREPORT;
        lie.seq = node->seq + 2;
    }
    sim_send(w, node, &lie);
}
