#include "config.h"

#include "gateway/hosts.h"

#include "src/base/clock.h"
#include "src/base/str.h"

static struct txg_hosts_entry *entry_of(const struct txg_hosts *all, const struct txg_host *h)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].host == h)
            return &all->items[i];
    return NULL;
}

struct txg_host *txg_hosts_find(const struct txg_hosts *all, const struct txg_spec *spec)
{
    for (size_t i = 0; i < all->n; i++) {
        struct txg_host *h = all->items[i].host;
        if (txg_host_is_usable(h) && txg_spec_shares_host(txg_host_spec(h), spec))
            return h;
    }
    return NULL;
}

void txg_hosts_add(struct txg_hosts *all, struct txg_host *host, unsigned first)
{
    all->items = txg_grow(all->items, all->n, &all->cap, sizeof *all->items);
    all->items[all->n++] = (struct txg_hosts_entry){.host = host, .first = first};
}

void txg_hosts_remove(struct txg_hosts *all, const struct txg_host *host)
{
    struct txg_hosts_entry *e = entry_of(all, host);
    if (e)
        *e = all->items[--all->n];
}

void txg_hosts_hold(struct txg_hosts *all, const struct txg_host *host)
{
    entry_of(all, host)->gateways++;
}

void txg_hosts_release(struct txg_hosts *all, const struct txg_host *host)
{
    struct txg_hosts_entry *e = entry_of(all, host);
    if (!e)
        return;
    e->gateways--;
    e->idle = txg_now();
}

unsigned txg_hosts_first(const struct txg_hosts *all, const struct txg_host *host)
{
    return entry_of(all, host)->first;
}

void txg_hosts_stop_idle(struct txg_hosts *all, int64_t patience)
{
    int64_t now = txg_now();
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].gateways == 0 && now - all->items[i].idle >= patience)
            txg_host_stop(all->items[i].host);
}

void txg_hosts_stop(struct txg_hosts *all)
{
    for (size_t i = 0; i < all->n; i++)
        txg_host_stop(all->items[i].host);
}
