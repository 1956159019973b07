/*
 * Every host of a run, found by the spec that leads there, and how many gateways each has: one
 * without any stays for a moment, since a replacement or the next of its gateways may be on its
 * way.
 */
#ifndef TXG_GATEWAY_HOSTS_H
#define TXG_GATEWAY_HOSTS_H

#include "gateway/host.h"

struct txg_hosts_entry {
    struct txg_host *host; /* owned by who added it */
    unsigned first;        /* the gateway that it was started for */
    size_t gateways;
    int64_t idle; /* microseconds; since when it has none */
};

struct txg_hosts { /* zero-filled storage is empty */
    struct txg_hosts_entry *items;
    size_t n, cap;
};

/* A usable one that gateways of `spec` share. NULL: there is none. */
struct txg_host *txg_hosts_find(const struct txg_hosts *all, const struct txg_spec *spec);

void txg_hosts_add(struct txg_hosts *all, struct txg_host *host, unsigned first);
void txg_hosts_remove(struct txg_hosts *all, const struct txg_host *host); /* it has ended */

/* One gateway more, and one less; `release` does nothing for a host that was removed. */
void txg_hosts_hold(struct txg_hosts *all, const struct txg_host *host);
void txg_hosts_release(struct txg_hosts *all, const struct txg_host *host);

unsigned txg_hosts_first(const struct txg_hosts *all, const struct txg_host *host);

/* Stops those that have had no gateway for `patience` microseconds. */
void txg_hosts_stop_idle(struct txg_hosts *all, int64_t patience);

void txg_hosts_stop(struct txg_hosts *all); /* each */

#endif
