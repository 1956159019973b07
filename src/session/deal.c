#include "config.h"

#include "src/session/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "src/session/core.h"

#define LONG       INT64_C(1000000) /* microseconds: no matter how much longer */
#define RANGES_MAX 10000            /* in one message: a payload has 262,144 values at most */

void txg_pending_push(struct txg_pending *p, size_t number)
{
    if (p->head == p->tail) {
        p->head = p->tail = 0;
        p->moved++;
    } else if (p->tail == p->cap && p->head >= p->cap / 2) {
        memmove(p->items, p->items + p->head, (p->tail - p->head) * sizeof *p->items);
        p->tail -= p->head;
        p->head = 0;
        p->moved++;
    }
    p->items = txg_grow(p->items, p->tail, &p->cap, sizeof *p->items);
    p->items[p->tail++] = number;
}

void txg_pending_push_front(struct txg_pending *p, size_t number)
{
    if (p->head == 0) { /* room for as many as there are: a move every so often only */
        size_t n = p->tail, room = n + 8;
        if (p->cap < n + room) {
            p->cap = n + room;
            p->items = txg_xrealloc_array(p->items, p->cap, sizeof *p->items);
        }
        memmove(p->items + room, p->items, n * sizeof *p->items);
        p->head = room;
        p->tail = n + room;
    }
    p->items[--p->head] = number;
    p->moved++;
}

size_t txg_pending_count(const struct txg_pending *p)
{
    return p->tail - p->head;
}

bool txg_deal_is_live(const struct txg_node *node)
{
    return node->state == TXG_NODE_COLLECTED && !node->closing;
}

size_t txg_deal_live(const struct txg_deal *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_nodes; i++)
        n += txg_deal_is_live(d->nodes[i]);
    return n;
}

/* The node's own index of a test, or -1 where it does not hold it or may not run it, or not once
 * more. */
static int64_t index_for(const struct txg_deal *d, const struct txg_node *node, size_t number)
{
    const struct txg_session *s = d->session;
    if (!s->allowed[node->origin * s->config.n_suites + txg_catalog_suite(&s->catalog, number)])
        return -1;
    if (s->config.retry_other && txg_session_has_tried(s, node->origin, number))
        return -1;
    size_t index = txg_tests_index(node->tests, number);
    return index == SIZE_MAX ? -1 : (int64_t)index;
}

/* Who may run a test that stays pending never may less, but for what it has failed: a place that
 * was passed over stays so while nothing moves. */
size_t txg_deal_first(const struct txg_deal *d, struct txg_node *node)
{
    const struct txg_pending *p = &d->pending;
    if (node->passed_moved != p->moved || node->passed < p->head)
        node->passed = p->head;
    node->passed_moved = p->moved;
    while (node->passed < p->tail && index_for(d, node, p->items[node->passed]) < 0)
        node->passed++;
    return node->passed;
}

bool txg_deal_has_work(const struct txg_deal *d, struct txg_node *node)
{
    return txg_deal_first(d, node) < d->pending.tail;
}

bool txg_deal_is_locked(const struct txg_deal *d, size_t number)
{
    const struct txg_session *s = d->session;
    return d->locks && txg_locks_rank(s, txg_catalog_suite(&s->catalog, number)) != TXG_LOCKS_NONE;
}

bool txg_deal_may_run(const struct txg_deal *d, const struct txg_node *node, size_t number)
{
    return index_for(d, node, number) >= 0;
}

size_t txg_deal_number(const struct txg_deal *d, const struct txg_node *node, size_t index)
{
    return txg_session_number(d->session, node, index);
}

struct txg_span txg_deal_nodeid(const struct txg_deal *d, size_t number)
{
    return txg_catalog_nodeid(&d->session->catalog, number);
}

/* Behind the last `@`, unless it stands in a parameter: `test_a[x@y]`. */
static struct txg_span group_in(struct txg_span nodeid)
{
    for (size_t i = nodeid.len; i > 0 && nodeid.data[i - 1] != ']'; i--)
        if (nodeid.data[i - 1] == '@')
            return txg_span(nodeid.data + i, nodeid.len - i);
    return (struct txg_span){0};
}

struct txg_span txg_deal_group(const struct txg_deal *d, size_t number)
{
    const struct txg_session_suite *suite =
        &d->session->suites[txg_catalog_suite(&d->session->catalog, number)];
    if (suite->group || !suite->pytest)
        return txg_span_cstr(suite->group);
    return group_in(txg_deal_nodeid(d, number));
}

/* Without retries a gateway holds its units one behind the other, and so they come back. */
void txg_deal_put_back(struct txg_deal *d, size_t number)
{
    struct txg_pending *p = &d->pending;
    txg_pending_push(p, number); /* may move the queue */
    if (!d->units || !d->retries)
        return;
    size_t behind = p->tail - 1;
    for (size_t i = p->head; i + 1 < p->tail; i++)
        if (d->units[p->items[i]] == d->units[number])
            behind = i + 1;
    memmove(p->items + behind + 1, p->items + behind, (p->tail - 1 - behind) * sizeof *p->items);
    p->items[behind] = number;
    p->moved++;
}

static int64_t share_of(int64_t takes, size_t part, size_t whole)
{
    return takes * (int64_t)part / (int64_t)whole;
}

/* As many of the indices as go into one message, with their part of what all of them take. Returns
 * how many. */
static size_t send_ranges(struct txg_deal *d, const struct txg_node *node, enum txg_msg_type type,
                          const size_t *indices, size_t count, int64_t takes)
{
    size_t n = 0, at = 0, cap = count < RANGES_MAX ? count : RANGES_MAX;
    struct txg_msg_range *ranges = txg_session_keep(d->session, txg_xcalloc(cap, sizeof *ranges));
    for (; at < count; at++) {
        int64_t index = (int64_t)indices[at];
        if (n && ranges[n - 1].first + ranges[n - 1].count == index)
            ranges[n - 1].count++;
        else if (n < RANGES_MAX)
            ranges[n++] = (struct txg_msg_range){index, 1};
        else
            break;
    }
    struct txg_command *c = txg_session_command(d->session, TXG_COMMAND_SEND);
    c->gateway = node->info.number;
    c->msg.type = type;
    c->msg.indices.ranges = ranges;
    c->msg.indices.n_ranges = n;
    c->msg.indices.takes = share_of(takes, at, count);
    return at;
}

/* What the last `n` that the node holds are expected to take; 0: not known, or long. */
static int64_t takes(const struct txg_deal *d, const struct txg_node *node, size_t n)
{
    int64_t sum = 0;
    for (size_t i = node->held.tail - n; d->expect.us && i < node->held.tail; i++) {
        int64_t us = txg_deal_expected(d, node, txg_deal_number(d, node, node->held.items[i]));
        if (us < 0 || us > LONG - sum)
            return 0;
        sum += us + 1;
    }
    return sum;
}

/* The last `n` that the node holds. */
static void send_held(struct txg_deal *d, struct txg_node *node, size_t n)
{
    if (n == 0)
        return;
    node->retired = false;
    if (txg_held_count(&node->held) == n)
        node->sent_at = d->session->now;
    const size_t *indices = node->held.items + node->held.tail - n;
    int64_t us = takes(d, node, n);
    for (size_t at = 0, sent; at < n; at += sent) {
        sent = send_ranges(d, node, TXG_MSG_RUNTESTS, indices + at, n - at, us);
        us -= share_of(us, sent, n - at);
    }
}

static void take(struct txg_deal *d, struct txg_node *node, size_t index)
{
    txg_held_push(&node->held, index);
    if (d->locks)
        txg_locks_take(d->session, node, index);
}

/* May the test be dealt now, and with it the rest of its unit, which begins at `at`? */
static bool is_free(const struct txg_deal *d, const struct txg_node *node, size_t at,
                    const size_t *units)
{
    const struct txg_pending *p = &d->pending;
    const struct txg_session *s = d->session;
    for (size_t i = at; d->locks && i < p->tail; i++) {
        if (i > at && (!units || units[p->items[i]] != units[p->items[at]]))
            break;
        if (!txg_locks_free(s, node, txg_catalog_suite(&s->catalog, p->items[i])))
            return false;
    }
    return true;
}

/* What a node may not run stays in front of `at`, in its order, when what stood between it was
 * taken.
 */
static void close_up(struct txg_deal *d, size_t at, size_t kept)
{
    struct txg_pending *p = &d->pending;
    if (kept > 0 && at - kept > p->head) {
        memmove(p->items + at - kept, p->items + p->head, kept * sizeof *p->items);
        for (size_t i = 0; i < d->n_nodes; i++)
            if (d->nodes[i]->passed < at)
                d->nodes[i]->passed = at - kept;
    }
    p->head = at - kept;
}

/* The next `n` pending tests that the node may run; of one unit only where there are units. */
static size_t send_pending(struct txg_deal *d, struct txg_node *node, size_t n, const size_t *units)
{
    struct txg_pending *p = &d->pending;
    size_t sent = 0, at = txg_deal_first(d, node), kept = at - p->head;
    size_t unit = SIZE_MAX, blocked = SIZE_MAX;
    for (; at < p->tail && sent < n; at++) {
        size_t number = p->items[at];
        if (units && sent && units[number] != unit)
            break;
        int64_t index = index_for(d, node, number);
        bool begun = units && sent, waits = units && units[number] == blocked;
        if (index < 0 || waits || (!begun && !is_free(d, node, at, units))) {
            blocked = units && index >= 0 ? units[number] : blocked;
            p->items[p->head + kept++] = number;
            continue;
        }
        unit = units ? units[number] : unit;
        take(d, node, (size_t)index);
        sent++;
    }
    close_up(d, at, kept);
    send_held(d, node, sent);
    return sent;
}

size_t txg_deal_send(struct txg_deal *d, struct txg_node *node, size_t n)
{
    return send_pending(d, node, n, NULL);
}

void txg_deal_send_unit(struct txg_deal *d, struct txg_node *node)
{
    send_pending(d, node, SIZE_MAX, d->units);
}

void txg_deal_send_again(struct txg_deal *d, struct txg_node *node, size_t index)
{
    take(d, node, index);
    send_held(d, node, 1);
}

void txg_deal_steal(struct txg_deal *d, struct txg_node *node, const size_t *indices, size_t n)
{
    for (size_t at = 0; at < n; node->steals++)
        at += send_ranges(d, node, TXG_MSG_STEAL, indices + at, n - at, 0);
}

/* Does the node owe the test at `index` of its lane, and may run it? */
static bool is_owed(const struct txg_session *s, const struct txg_node *node, size_t index)
{
    return !txg_session_is_settled(s, txg_session_number(s, node, index)) &&
           s->allowed[node->origin * s->config.n_suites + node->tests->suites[index]];
}

bool txg_deal_has_rest(const struct txg_deal *d, const struct txg_node *node)
{
    for (size_t i = 0; i < node->tests->n; i++)
        if (is_owed(d->session, node, i))
            return true;
    return false;
}

/* Of tests that must wait for others, those first that need not. */
static int first_rank(const struct txg_deal *d, const struct txg_node *node)
{
    const struct txg_session *s = d->session;
    int first = TXG_LOCKS_SERIAL;
    for (size_t i = 0; i < node->tests->n && d->locks; i++)
        if (is_owed(s, node, i) && txg_locks_rank(s, node->tests->suites[i]) < first)
            first = txg_locks_rank(s, node->tests->suites[i]);
    return d->locks ? first : TXG_LOCKS_NONE;
}

void txg_deal_send_rest(struct txg_deal *d, struct txg_node *node)
{
    const struct txg_session *s = d->session;
    size_t sent = 0;
    int rank = first_rank(d, node);
    for (size_t k = 0; k < 2 * node->tests->n; k++) { /* once for those that come first */
        size_t i = k % node->tests->n, suite = node->tests->suites[i];
        if (txg_session_comes_first(s, txg_tests_nodeid(node->tests, i)) != (k == i) ||
            !is_owed(s, node, i))
            continue;
        if (d->locks && (txg_locks_rank(s, suite) != rank || !txg_locks_free(s, node, suite)))
            continue;
        take(d, node, i);
        sent++;
    }
    send_held(d, node, sent);
}

int64_t txg_deal_expected(const struct txg_deal *d, const struct txg_node *node, size_t number)
{
    return txg_expect_get(&d->expect, node->origin, number);
}

int64_t txg_deal_longest(const struct txg_deal *d, size_t number)
{
    return txg_expect_longest(&d->expect, number);
}

bool txg_deal_comes_first(const struct txg_deal *d, size_t number)
{
    return txg_session_comes_first(d->session, txg_deal_nodeid(d, number));
}

int64_t txg_deal_now(const struct txg_deal *d)
{
    return d->session->now;
}

void txg_deal_retire(struct txg_deal *d, struct txg_node *node)
{
    (void)d;
    node->retired = true;
}

void txg_deal_shutdown(struct txg_deal *d, struct txg_node *node)
{
    if (node->shutting)
        return;
    node->shutting = true;
    struct txg_command *c = txg_session_command(d->session, TXG_COMMAND_SEND);
    c->gateway = node->info.number;
    c->msg.type = TXG_MSG_SHUTDOWN;
}
