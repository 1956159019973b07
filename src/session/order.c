#include "config.h"

#include <stdlib.h>

#include "src/session/core.h"

/* In which order `duration` deals: the longest first, and where nothing is known, a bit of
 * everywhere first. */

struct key { /* what the queue is sorted by */
    bool first;
    int64_t us;
    size_t place, number;
};

/* Where there are many tests: what is shorter than this part of the run, or than what frameworks
 * tell apart, is not worth an order of its own: left as it was listed, cases of a program go into
 * one process. */
#define SMALL 200
#define SHORT 1000 /* microseconds */

/* Of a list of tests nobody knows, neighbours are alike: dealt in so many pieces for each gateway,
 * now here and now there, the long ones among them are met early. A piece may still be a batch. */
#define PIECES 64

static int by_length(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    if (x->us != y->us)
        return x->us > y->us ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void learn(struct txg_deal *d)
{
    struct txg_session *s = d->session;
    const char **archs = txg_xcalloc(s->config.n_gateways, sizeof *archs);
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i]->arch)
            archs[s->nodes[i]->origin] = s->nodes[i]->arch;
    txg_expect_init(&d->expect, &s->config, &s->catalog, archs);
    free(archs);
}

static void leave_small(struct key *keys, size_t n, size_t gateways)
{
    int64_t small = 0;
    for (size_t i = 0; i < n; i++)
        small += keys[i].us > 0 ? keys[i].us : 0;
    small /= (int64_t)gateways * SMALL;
    for (size_t i = 0; i < n; i++)
        if (keys[i].us >= 0 && (keys[i].us < small || keys[i].us <= SHORT))
            keys[i].us = 0;
}

static bool are_of_one_file(const struct txg_deal *d, const struct key *a, const struct key *b)
{
    return txg_span_equal(txg_expect_file(txg_deal_nodeid(d, a->number)),
                          txg_expect_file(txg_deal_nodeid(d, b->number)));
}

/* Where there are few, only cases that take less than a process of their own. */
static void leave_batches(const struct txg_deal *d, struct key *keys, size_t n)
{
    bool before = false;
    for (size_t i = 0; i < n; i++) {
        bool after = i + 1 < n && are_of_one_file(d, &keys[i], &keys[i + 1]);
        if ((before || after) && keys[i].us >= 0 && keys[i].us < TXG_DEAL_WHOLE)
            keys[i].us = 0;
        before = after;
    }
}

static uint64_t reversed(uint64_t n, unsigned bits)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < bits; i++)
        r |= (n >> i & 1) << (bits - 1 - i);
    return r;
}

/* The pieces in the order of van der Corput's sequence: 0, 1/2, 1/4, 3/4, 1/8 ... of the list. */
static void spread(struct key *keys, size_t n, size_t gateways)
{
    uint64_t pieces = n / gateways < PIECES ? n : (uint64_t)gateways * PIECES;
    unsigned bits = 0;
    size_t place = 0;
    while (UINT64_C(1) << bits < pieces)
        bits++;
    TXG_AUTOFREE char *done = txg_xcalloc((size_t)pieces, 1);
    for (uint64_t i = 0; i < UINT64_C(1) << bits; i++) {
        uint64_t piece = reversed(i, bits) * pieces >> bits;
        if (done[piece])
            continue;
        done[piece] = 1;
        for (uint64_t k = n * piece / pieces; k < n * (piece + 1) / pieces; k++)
            keys[k].place = place++;
    }
}

void txg_deal_sort_longest(struct txg_deal *d, bool few)
{
    struct txg_pending *p = &d->pending;
    size_t n = txg_pending_count(p), gateways = d->session->config.n_gateways;
    learn(d);
    if (n == 0) /* -k may leave none */
        return;
    struct key *keys = txg_xcalloc(n, sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        size_t number = p->items[p->head + i];
        keys[i] =
            (struct key){txg_deal_comes_first(d, number), txg_deal_longest(d, number), i, number};
    }
    if (!d->expect.known)
        spread(keys, n, gateways);
    else if (few)
        leave_batches(d, keys, n);
    else
        leave_small(keys, n, gateways);
    qsort(keys, n, sizeof *keys, by_length);
    for (size_t i = 0; i < n; i++)
        p->items[p->head + i] = keys[i].number;
    p->moved++;
    free(keys);
}
