/*
 * The session at a round trip of 0, driven line by line: for tests/integration/test_dealing.py,
 * which feeds the same to xdist's own schedulers.
 *
 *     new MODE GATEWAYS MAXSCHEDCHUNK KEEP_ORDER TESTS, then TESTS lines "SUITE NODEID"
 *     done GATEWAY MICROSECONDS     its next test has passed
 *     crash GATEWAY                 while it runs its next test; one that replaces it is there
 *
 * After `new` and after each other line it says what the session wants, ending in a line ".":
 *     run GATEWAY INDEX...    steal GATEWAY INDEX...    replace GATEWAY NEW    finish CODE
 * Suite 0 has no group, suite N the group gN. A steal is answered at once.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/session/session.h"

#define GATEWAYS 16
#define NODES    256
#define SUITES   10
#define LINE     256

struct node {
    int64_t seq;
    size_t *queue, head, tail, cap;
    bool shutdown, down;
};

struct deal {
    struct txg_session *s;
    struct txg_msg_record *records;
    size_t n_records;
    struct node nodes[NODES];
    size_t n_nodes;
    /* what is to be said to the session before the next line is read */
    unsigned stolen_from[NODES];
    struct txg_msg_range *stolen[NODES];
    size_t n_ranges[NODES], n_stolen;
    size_t collected; /* nodes that have told their collection */
};

static void carry_out(struct deal *d);

static void say(struct deal *d, unsigned gateway, const struct txg_msg *msg)
{
    txg_session_event(
        d->s, 0,
        &(struct txg_node_event){.type = TXG_NODE_MESSAGE, .gateway = gateway, .msg = msg});
    carry_out(d);
}

static void down(struct deal *d, unsigned gateway, enum txg_node_down how)
{
    d->nodes[gateway].down = true;
    txg_session_event(
        d->s, 0, &(struct txg_node_event){.type = TXG_NODE_DOWN, .gateway = gateway, .down = how});
    carry_out(d);
}

static void take_send(struct deal *d, unsigned gateway, const struct txg_msg *msg)
{
    struct node *node = &d->nodes[gateway];
    const struct txg_msg_indices *in = &msg->indices;
    bool run = msg->type == TXG_MSG_RUNTESTS;
    node->shutdown = node->shutdown || msg->type == TXG_MSG_SHUTDOWN;
    if (!run && msg->type != TXG_MSG_STEAL)
        return;
    printf("%s %u", run ? "run" : "steal", gateway);
    for (size_t i = 0; i < in->n_ranges; i++)
        for (int64_t k = 0; k < in->ranges[i].count; k++) {
            printf(" %lld", (long long)(in->ranges[i].first + k));
            if (!run)
                continue;
            node->queue = txg_grow(node->queue, node->tail, &node->cap, sizeof *node->queue);
            node->queue[node->tail++] = (size_t)(in->ranges[i].first + k);
        }
    putchar('\n');
    if (run)
        return;
    d->stolen[d->n_stolen] = txg_xcalloc(in->n_ranges, sizeof *in->ranges);
    memcpy(d->stolen[d->n_stolen], in->ranges, in->n_ranges * sizeof *in->ranges);
    d->n_ranges[d->n_stolen] = in->n_ranges;
    d->stolen_from[d->n_stolen++] = gateway;
}

static void carry_out(struct deal *d)
{
    const struct txg_command *c;
    while ((c = txg_session_next(d->s))) {
        if (c->type == TXG_COMMAND_SEND)
            take_send(d, c->gateway, &c->msg);
        else if (c->type == TXG_COMMAND_REPLACE)
            printf("replace %u %zu\n", c->replaces, d->n_nodes++);
        else if (c->type == TXG_COMMAND_FINISH)
            printf("finish %d\n", c->exit_code);
    }
}

static bool is_in(const struct txg_msg_range *ranges, size_t n, size_t index)
{
    for (size_t i = 0; i < n; i++)
        if ((int64_t)index >= ranges[i].first && (int64_t)index < ranges[i].first + ranges[i].count)
            return true;
    return false;
}

static void answer_steal(struct deal *d)
{
    unsigned gateway = d->stolen_from[0];
    struct txg_msg_range *ranges = d->stolen[0];
    struct node *node = &d->nodes[gateway];
    struct txg_msg msg = {.type = TXG_MSG_UNSCHEDULED};
    size_t kept = node->head, n = d->n_ranges[0];
    d->n_stolen--;
    memmove(d->stolen, d->stolen + 1, d->n_stolen * sizeof *d->stolen);
    memmove(d->stolen_from, d->stolen_from + 1, d->n_stolen * sizeof *d->stolen_from);
    memmove(d->n_ranges, d->n_ranges + 1, d->n_stolen * sizeof *d->n_ranges);
    for (size_t i = node->head; i < node->tail; i++)
        if (!is_in(ranges, n, node->queue[i]))
            node->queue[kept++] = node->queue[i];
    node->tail = kept;
    msg.indices.seq = ++node->seq;
    msg.indices.ranges = ranges;
    msg.indices.n_ranges = n;
    if (!node->down)
        say(d, gateway, &msg);
    free(ranges);
}

static void collect(struct deal *d, unsigned gateway)
{
    struct txg_msg msg = {.type = TXG_MSG_WORKERREADY};
    say(d, gateway, &msg);
    if (gateway == 0 && d->n_records) {
        msg = (struct txg_msg){.type = TXG_MSG_COLLECTION};
        msg.collection.records = d->records;
        msg.collection.n_records = d->n_records;
        say(d, gateway, &msg);
    }
    msg = (struct txg_msg){.type = TXG_MSG_COLLECTIONFINISH};
    msg.collectionfinish.count = (int64_t)d->n_records;
    msg.collectionfinish.digest = TXG_HASH_START;
    for (size_t i = 0; i < d->n_records; i++)
        msg.collectionfinish.digest =
            txg_collection_digest(msg.collectionfinish.digest, &d->records[i]);
    say(d, gateway, &msg);
}

/* All that gateways do by themselves, at once. */
static void settle(struct deal *d)
{
    for (bool more = true; more;) {
        more = false;
        if (d->n_stolen) {
            answer_steal(d);
            more = true;
        } else if (d->collected < d->n_nodes) {
            collect(d, (unsigned)d->collected++);
            more = true;
        }
        for (unsigned i = 0; !more && i < d->n_nodes; i++) {
            struct node *node = &d->nodes[i];
            if (node->down || !node->shutdown || node->head < node->tail)
                continue;
            say(d, i, &(struct txg_msg){.type = TXG_MSG_WORKERFINISHED});
            down(d, i, TXG_DOWN_ENDED);
            more = true;
        }
    }
    puts(".");
    fflush(stdout);
}

static void start_next(struct deal *d, unsigned gateway)
{
    struct node *node = &d->nodes[gateway];
    struct txg_msg msg = {.type = TXG_MSG_LOGSTART};
    msg.logstart.seq = ++node->seq;
    msg.logstart.index = (int64_t)node->queue[node->head];
    say(d, gateway, &msg);
}

static void done(struct deal *d, unsigned gateway, int64_t duration)
{
    struct node *node = &d->nodes[gateway];
    struct txg_msg msg = {.type = TXG_MSG_TESTREPORT};
    start_next(d, gateway);
    msg.testreport.seq = ++node->seq;
    msg.testreport.index = (int64_t)node->queue[node->head++];
    msg.testreport.duration = duration;
    say(d, gateway, &msg);
}

static void release(struct deal *d)
{
    txg_session_free(d->s);
    for (size_t i = 0; i < d->n_records; i++)
        free((char *)d->records[i].nodeid.data);
    for (size_t i = 0; i < NODES; i++)
        free(d->nodes[i].queue);
    free(d->records);
    *d = (struct deal){0};
}

static int begin(struct deal *d, const char *line)
{
    static struct txg_session_gateway gateways[GATEWAYS];
    static struct txg_session_suite suites[SUITES];
    static char groups[SUITES][4];
    char mode[32], text[LINE], nodeid[LINE];
    size_t n_gateways, chunk, tests, suite;
    int keep_order;
    release(d);
    if (sscanf(line, "new %31s %zu %zu %d %zu", mode, &n_gateways, &chunk, &keep_order, &tests) !=
            5 ||
        n_gateways < 1 || n_gateways > GATEWAYS || txg_dist_parse(mode) < 0)
        return -1;
    for (size_t i = 0; i < SUITES; i++) {
        snprintf(groups[i], sizeof groups[i], "g%zu", i);
        suites[i].group = i ? groups[i] : NULL;
    }
    for (size_t i = 0; i < n_gateways; i++)
        gateways[i].spec = "popen";
    d->records = txg_xcalloc(tests, sizeof *d->records);
    for (; d->n_records < tests; d->n_records++) {
        if (!fgets(text, sizeof text, stdin) || sscanf(text, "%zu %255s", &suite, nodeid) != 2)
            return -1;
        d->records[d->n_records] =
            (struct txg_msg_record){(int64_t)suite, txg_span_cstr(txg_xstrdup(nodeid))};
    }
    d->s = txg_session_new(&(struct txg_session_config){.dist = (enum txg_dist)txg_dist_parse(mode),
                                                        .gateways = gateways,
                                                        .n_gateways = n_gateways,
                                                        .suites = suites,
                                                        .n_suites = SUITES,
                                                        .testrunuid = "deal",
                                                        .max_restarts = -1,
                                                        .maxschedchunk = chunk,
                                                        .keep_order = keep_order},
                           0);
    d->n_nodes = n_gateways;
    carry_out(d);
    return 0;
}

int main(void)
{
    static struct deal d;
    char line[LINE];
    unsigned gateway;
    long long duration;
    while (fgets(line, sizeof line, stdin)) {
        bool known = false;
        if (sscanf(line, "done %u %lld", &gateway, &duration) == 2 && gateway < d.n_nodes) {
            done(&d, gateway, duration);
            known = true;
        } else if (sscanf(line, "crash %u", &gateway) == 1 && gateway < d.n_nodes) {
            start_next(&d, gateway);
            down(&d, gateway, TXG_DOWN_CRASHED);
            known = true;
        } else if (strncmp(line, "new ", 4) == 0) {
            known = begin(&d, line) == 0;
        }
        if (!known) {
            fprintf(stderr, "deal: not understood: %s", line);
            return 2;
        }
        settle(&d);
    }
    release(&d);
    return 0;
}
