/*
 * The session core with many tests on many gateways, none of which fails: how much memory that
 * takes, and under callgrind how many instructions.
 *
 *     scale MODE GATEWAYS TESTS      exit status 1 where not every test has passed
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "src/session/session.h"
#include "tests/sim/rng.h"

#define RECORDS 1024 /* in one message, as the worker's */

struct node {
    int64_t seq, ends; /* INT64_MAX: it runs nothing */
    size_t *queue, head, tail, cap;
    bool shutdown, down;
};

struct scale {
    struct txg_session *s;
    int64_t now;
    struct sim_rng rng;
    struct txg_msg_record *records;
    size_t n_tests, n_gateways, passed;
    uint64_t digest;
    struct node *nodes;
    bool *asked; /* to be given back */
    int exit_code;
};

static void carry_out(struct scale *w);

static void say(struct scale *w, size_t gateway, const struct txg_msg *msg)
{
    txg_session_event(w->s, w->now,
                      &(struct txg_node_event){
                          .type = TXG_NODE_MESSAGE, .gateway = (unsigned)gateway, .msg = msg});
    carry_out(w);
}

static void take_tests(struct node *node, const struct txg_msg_indices *in)
{
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count; k++) {
            node->queue = txg_grow(node->queue, node->tail, &node->cap, sizeof *node->queue);
            node->queue[node->tail++] = (size_t)(in->ranges[i].first + k);
        }
}

/* What it was asked for and has not started. */
static void give_back(struct scale *w, size_t gateway, const struct txg_msg_indices *in)
{
    struct node *node = &w->nodes[gateway];
    size_t first = node->head + (node->ends != INT64_MAX), kept = first, cap = 0;
    struct txg_msg msg = {.type = TXG_MSG_UNSCHEDULED};
    struct txg_msg_range *given = NULL;
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count; k++)
            w->asked[in->ranges[i].first + k] = true;
    for (size_t i = first; i < node->tail; i++) {
        size_t index = node->queue[i];
        if (!w->asked[index]) {
            node->queue[kept++] = index;
            continue;
        }
        given = txg_grow(given, msg.indices.n_ranges, &cap, sizeof *given);
        given[msg.indices.n_ranges++] = (struct txg_msg_range){(int64_t)index, 1};
    }
    node->tail = kept;
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count; k++)
            w->asked[in->ranges[i].first + k] = false;
    msg.indices.seq = ++node->seq;
    msg.indices.ranges = given;
    say(w, gateway, &msg);
    free(given);
}

/* Commands are borrowed until the next event: what is answered is copied first. */
static void carry_out(struct scale *w)
{
    const struct txg_command *c;
    struct txg_msg_indices steal = {0};
    size_t victim = 0;
    while ((c = txg_session_next(w->s))) {
        if (c->type == TXG_COMMAND_EVENT && c->event.type == TXG_EVENT_TEST_FINISH)
            w->passed += c->event.result.outcome == TXG_PASSED;
        else if (c->type == TXG_COMMAND_FINISH)
            w->exit_code = c->exit_code;
        if (c->type != TXG_COMMAND_SEND)
            continue;
        struct node *node = &w->nodes[c->gateway];
        if (c->msg.type == TXG_MSG_RUNTESTS) {
            take_tests(node, &c->msg.indices);
        } else if (c->msg.type == TXG_MSG_SHUTDOWN) {
            node->shutdown = true;
        } else if (c->msg.type == TXG_MSG_STEAL) {
            size_t size = c->msg.indices.n_ranges * sizeof *steal.ranges;
            victim = c->gateway;
            steal.n_ranges = c->msg.indices.n_ranges;
            steal.ranges = txg_xmalloc(size);
            memcpy(steal.ranges, c->msg.indices.ranges, size);
        }
    }
    if (steal.ranges)
        give_back(w, victim, &steal);
    free(steal.ranges);
}

static void collect(struct scale *w, size_t gateway)
{
    struct txg_msg msg = {.type = TXG_MSG_WORKERREADY};
    say(w, gateway, &msg);
    for (size_t first = 0; gateway == 0 && first < w->n_tests; first += RECORDS) {
        msg = (struct txg_msg){.type = TXG_MSG_COLLECTION};
        msg.collection.first = (int64_t)first;
        msg.collection.records = w->records + first;
        msg.collection.n_records = w->n_tests - first < RECORDS ? w->n_tests - first : RECORDS;
        say(w, gateway, &msg);
    }
    msg = (struct txg_msg){.type = TXG_MSG_COLLECTIONFINISH};
    msg.collectionfinish.count = (int64_t)w->n_tests;
    msg.collectionfinish.digest = w->digest;
    say(w, gateway, &msg);
}

static void start_next(struct scale *w, size_t gateway)
{
    struct node *node = &w->nodes[gateway];
    struct txg_msg msg = {.type = TXG_MSG_LOGSTART};
    msg.logstart.seq = ++node->seq;
    msg.logstart.index = (int64_t)node->queue[node->head];
    node->ends = w->now + sim_between(&w->rng, 1000, 20000);
    say(w, gateway, &msg);
}

static void end_test(struct scale *w, size_t gateway)
{
    struct node *node = &w->nodes[gateway];
    struct txg_msg msg = {.type = TXG_MSG_TESTREPORT};
    msg.testreport.seq = ++node->seq;
    msg.testreport.index = (int64_t)node->queue[node->head++];
    msg.testreport.duration = 10000;
    node->ends = INT64_MAX;
    say(w, gateway, &msg);
}

static void leave(struct scale *w, size_t gateway)
{
    w->nodes[gateway].down = true;
    say(w, gateway, &(struct txg_msg){.type = TXG_MSG_WORKERFINISHED});
    txg_session_event(w->s, w->now,
                      &(struct txg_node_event){.type = TXG_NODE_DOWN,
                                               .gateway = (unsigned)gateway,
                                               .down = TXG_DOWN_ENDED});
    carry_out(w);
}

/* All that gateways do at this time; then the first test that ends. False: nothing more comes. */
static bool turn(struct scale *w)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < w->n_gateways; i++) {
        struct node *node = &w->nodes[i];
        if (!node->down && node->ends == INT64_MAX && node->head < node->tail)
            start_next(w, i);
        else if (!node->down && node->shutdown && node->head == node->tail)
            leave(w, i);
        if (node->ends != INT64_MAX && (first == SIZE_MAX || node->ends < w->nodes[first].ends))
            first = i;
    }
    if (first == SIZE_MAX)
        return false;
    w->now = w->nodes[first].ends;
    end_test(w, first);
    return true;
}

static void begin(struct scale *w, enum txg_dist dist)
{
    static struct txg_session_suite suite;
    struct txg_session_gateway *gateways = txg_xcalloc(w->n_gateways, sizeof *gateways);
    struct txg_session_time *times = txg_xcalloc(w->n_tests, sizeof *times);
    w->records = txg_xcalloc(w->n_tests, sizeof *w->records);
    w->asked = txg_xcalloc(w->n_tests, sizeof *w->asked);
    w->nodes = txg_xcalloc(w->n_gateways, sizeof *w->nodes);
    w->digest = TXG_HASH_START;
    for (size_t i = 0; i < w->n_gateways; i++) {
        gateways[i] = (struct txg_session_gateway){.spec = "popen", .host = i};
        w->nodes[i].ends = INT64_MAX;
    }
    for (size_t i = 0; i < w->n_tests; i++) {
        w->records[i].nodeid = txg_span_cstr(txg_xasprintf("tests/f%zu::t%zu", i / 100, i));
        w->digest = txg_collection_digest(w->digest, &w->records[i]);
        times[i] = (struct txg_session_time){w->records[i].nodeid, "", "",
                                             sim_between(&w->rng, 1000, 20000)};
    }
    w->s = txg_session_new(&(struct txg_session_config){.dist = dist,
                                                        .gateways = gateways,
                                                        .n_gateways = w->n_gateways,
                                                        .suites = &suite,
                                                        .n_suites = 1,
                                                        .testrunuid = "scale",
                                                        .times = times,
                                                        .n_times = w->n_tests},
                           0);
    carry_out(w);
    for (size_t i = 0; i < w->n_gateways; i++)
        collect(w, i);
    free(gateways);
    free(times);
}

static void release(struct scale *w)
{
    txg_session_free(w->s);
    for (size_t i = 0; i < w->n_tests; i++)
        free((char *)w->records[i].nodeid.data);
    for (size_t i = 0; i < w->n_gateways; i++)
        free(w->nodes[i].queue);
    free(w->records);
    free(w->asked);
    free(w->nodes);
}

int main(int argc, char **argv)
{
    struct scale w = {.rng = {7}, .exit_code = -1};
    int64_t gateways, tests;
    if (argc != 4 || txg_dist_parse(argv[1]) < 0 || !txg_parse_int(argv[2], 1, 100000, &gateways) ||
        !txg_parse_int(argv[3], 1, 100000000, &tests)) {
        fputs("usage: scale MODE GATEWAYS TESTS\n", stderr);
        return 2;
    }
    w.n_gateways = (size_t)gateways;
    w.n_tests = (size_t)tests;
    begin(&w, (enum txg_dist)txg_dist_parse(argv[1]));
    while (turn(&w))
        continue;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: %zu of %zu tests passed on %zu gateways, exit code %d, %ld KiB\n", argv[1],
           w.passed, w.n_tests, w.n_gateways, w.exit_code, usage.ru_maxrss);
    bool good = w.passed == w.n_tests && w.exit_code == 0;
    release(&w);
    return good ? 0 : 1;
}
