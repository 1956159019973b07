#include "config.h"

#include "src/session/scheduler.h"

#include <stdlib.h>
#include <string.h>

/* xdist's LoadScopeScheduling and the two that differ from it in what they keep together. */

#define ENOUGH 2 /* a node that holds more gets no other unit yet */

struct key { /* what the tests of a unit have in common */
    bool group;
    struct txg_span text;
};

struct unit {
    struct key key;
    size_t place; /* of the first of its tests, in the order of the collection */
    size_t size;
    bool first;   /* one of its tests comes first */
    size_t start; /* in the queue, once it is sorted */
};

struct units {
    struct unit *items;
    size_t n, cap;
    size_t *slots; /* hash table: unit + 1, 0 is free */
    size_t n_slots;
};

/* Up to the last "::"; all of it where there is none. */
static struct key scope_of(const struct txg_deal *d, size_t number)
{
    struct txg_span s = txg_deal_nodeid(d, number);
    for (size_t end = s.len; end >= 2; end--)
        if (memcmp(s.data + end - 2, "::", 2) == 0)
            return (struct key){false, txg_span(s.data, end - 2)};
    return (struct key){false, s};
}

/* Up to the first "::". */
static struct key file_of(const struct txg_deal *d, size_t number)
{
    struct txg_span s = txg_deal_nodeid(d, number);
    for (size_t at = 0; at + 2 <= s.len; at++)
        if (memcmp(s.data + at, "::", 2) == 0)
            return (struct key){false, txg_span(s.data, at)};
    return (struct key){false, s};
}

/* A test without a group is alone. */
static struct key group_of(const struct txg_deal *d, size_t number)
{
    struct txg_span group = txg_deal_group(d, number);
    return group.len ? (struct key){true, group} : (struct key){false, txg_deal_nodeid(d, number)};
}

static struct unit *unit_of(struct units *u, struct key key)
{
    size_t mask = u->n_slots - 1;
    for (size_t at = (size_t)txg_hash_key(key.text.data, key.text.len);; at++) {
        size_t *slot = &u->slots[at & mask];
        if (*slot == 0) {
            u->items = txg_grow(u->items, u->n, &u->cap, sizeof *u->items);
            u->items[u->n] = (struct unit){.key = key, .place = u->n};
            *slot = ++u->n;
            return &u->items[u->n - 1];
        }
        struct unit *unit = &u->items[*slot - 1];
        if (unit->key.group == key.group && txg_span_equal(unit->key.text, key.text))
            return unit;
    }
}

static int by_size(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    if (x->first != y->first)
        return x->first ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* The queue unit by unit: as they come first in it, or the largest first. */
static size_t make_units(struct txg_deal *d, struct key (*key_of)(const struct txg_deal *, size_t))
{
    struct txg_pending *p = &d->pending;
    size_t n = txg_pending_count(p), next = 0, last = 0;
    TXG_AUTOFREE size_t *numbers = txg_xcalloc(n, sizeof *numbers); /* those that -k left */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = p->items[p->head + i];
        last = numbers[i] > last ? numbers[i] : last;
    }
    struct units u = {.n_slots = 64};
    while (u.n_slots < 2 * n)
        u.n_slots *= 2;
    u.slots = txg_xcalloc(u.n_slots, sizeof *u.slots);
    d->units = txg_xcalloc(last + 1, sizeof *d->units);
    for (size_t i = 0; i < n; i++) {
        struct unit *unit = unit_of(&u, key_of(d, numbers[i]));
        unit->size++;
        unit->first = unit->first || txg_deal_comes_first(d, numbers[i]);
        d->units[numbers[i]] = unit->place;
    }
    if (!d->keep_order && u.n)
        qsort(u.items, u.n, sizeof *u.items, by_size);
    size_t *starts = txg_xcalloc(u.n, sizeof *starts);
    for (size_t i = 0; i < u.n; next += u.items[i++].size)
        starts[u.items[i].place] = p->head + next;
    for (size_t i = 0; i < n; i++)
        p->items[starts[d->units[numbers[i]]]++] = numbers[i];
    p->moved++;
    free(starts);
    free(u.items);
    free(u.slots);
    return u.n;
}

static void check(struct txg_deal *d, struct txg_node *node)
{
    if (!txg_deal_is_live(node) || node->shutting)
        return;
    if (!txg_deal_has_work(d, node))
        txg_deal_retire(d, node);
    else if (txg_held_count(&node->held) <= ENOUGH)
        txg_deal_send_unit(d, node);
}

static void check_all(struct txg_deal *d, struct txg_node *node)
{
    (void)node;
    for (size_t i = 0; i < d->n_nodes; i++)
        check(d, d->nodes[i]);
}

static void completed(struct txg_deal *d, struct txg_node *node, int64_t duration)
{
    (void)duration;
    check(d, node);
}

static void begin(struct txg_deal *d, struct key (*key_of)(const struct txg_deal *, size_t))
{
    size_t units = make_units(d, key_of), first = 0;
    for (size_t i = 0; i < d->n_nodes && first < units; i++) {
        if (!txg_deal_is_live(d->nodes[i]))
            continue;
        txg_deal_send_unit(d, d->nodes[i]);
        first++;
    }
    /* as in xdist, a small first unit is followed by a second at once */
    check_all(d, NULL);
    for (size_t i = 0; i < d->n_nodes; i++)
        if (txg_deal_is_live(d->nodes[i]) && !txg_deal_has_work(d, d->nodes[i]))
            txg_deal_retire(d, d->nodes[i]);
}

static void begin_scopes(struct txg_deal *d)
{
    begin(d, scope_of);
}

static void begin_files(struct txg_deal *d)
{
    begin(d, file_of);
}

static void begin_groups(struct txg_deal *d)
{
    begin(d, group_of);
}

const struct txg_scheduler_ops txg_scheduler_loadscope = {
    .dist = TXG_DIST_LOADSCOPE,
    .name = "LoadScopeScheduling",
    .begin = begin_scopes,
    .node_ready = check_all,
    .completed = completed,
    .returned = check_all,
    .node_gone = check_all,
};

const struct txg_scheduler_ops txg_scheduler_loadfile = {
    .dist = TXG_DIST_LOADFILE,
    .name = "LoadFileScheduling",
    .begin = begin_files,
    .node_ready = check_all,
    .completed = completed,
    .returned = check_all,
    .node_gone = check_all,
};

const struct txg_scheduler_ops txg_scheduler_loadgroup = {
    .dist = TXG_DIST_LOADGROUP,
    .name = "LoadGroupScheduling",
    .begin = begin_groups,
    .node_ready = check_all,
    .completed = completed,
    .returned = check_all,
    .node_gone = check_all,
};
