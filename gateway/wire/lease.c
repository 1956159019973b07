#include "config.h"

#include "gateway/wire/lease.h"

#include <stddef.h>

#define SLOTS (sizeof((struct txg_lease *)NULL)->open / sizeof((struct txg_lease *)NULL)->open[0])

void txg_lease_init(struct txg_lease *l, struct txg_liveness times, int64_t now)
{
    *l = (struct txg_lease){.times = times, .next_beat = now, .held_from = now};
}

bool txg_lease_beat(struct txg_lease *l, int64_t now, int64_t *n)
{
    if (now < l->next_beat)
        return false;
    *n = ++l->last_sent;
    /* A beat that finds its slot taken replaces one that is 16 beats old, long past kill. */
    size_t slot = (size_t)*n % SLOTS;
    l->open[slot].n = *n;
    l->open[slot].sent = now;
    l->next_beat = now + l->times.beat;
    return true;
}

void txg_lease_echo(struct txg_lease *l, int64_t n)
{
    if (n <= 0)
        return;
    size_t slot = (size_t)((uint64_t)n % SLOTS);
    if (l->open[slot].n != n)
        return;
    l->open[slot].n = 0;
    if (l->open[slot].sent > l->held_from)
        l->held_from = l->open[slot].sent;
}

int64_t txg_lease_age(const struct txg_lease *l, int64_t now)
{
    return now > l->held_from ? now - l->held_from : 0;
}

enum txg_lease_state txg_lease_state(const struct txg_lease *l, int64_t now)
{
    int64_t age = txg_lease_age(l, now);
    if (age >= l->times.kill)
        return TXG_LEASE_KILL;
    return age >= l->times.stop ? TXG_LEASE_STOP : TXG_LEASE_HELD;
}

int64_t txg_lease_deadline(const struct txg_lease *l, int64_t now)
{
    int64_t next = l->next_beat;
    int64_t turns[] = {l->held_from + l->times.stop, l->held_from + l->times.kill};
    for (size_t i = 0; i < 2; i++)
        if (turns[i] > now && turns[i] < next)
            next = turns[i];
    return next;
}
