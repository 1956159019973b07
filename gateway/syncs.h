/*
 * Every sync of a run: one for each folder of each host, found by whose it is or by its channel.
 * Times are in microseconds.
 */
#ifndef TXG_GATEWAY_SYNCS_H
#define TXG_GATEWAY_SYNCS_H

#include "gateway/sync.h"

struct txg_syncs { /* zero-filled storage is empty */
    struct txg_sync **items;
    size_t n, cap;
    uint32_t keepers; /* opened so far: no channel is used twice */
};

/* NULL: there is none. */
struct txg_sync *txg_syncs_of_folder(const struct txg_syncs *all, const struct txg_host *host,
                                     const char *chdir);
struct txg_sync *txg_syncs_of_channel(const struct txg_syncs *all, const struct txg_host *host,
                                      uint32_t channel);

/* Starts one, as txg_sync_new() does, on a channel that no gateway has. */
struct txg_sync *txg_syncs_start(struct txg_syncs *all, struct txg_host *host, const char *chdir,
                                 const struct txg_manifest *manifest, int64_t now);

/* The link of `host` has room: queues the next bytes. False: there are none. */
bool txg_syncs_pump(struct txg_syncs *all, const struct txg_host *host, int64_t now);

/* A sync may take as long as it takes, but something must move: fails those where nothing has for
 * `patience`. Calls on_failed for the host of each that has failed, be it for this or before. */
void txg_syncs_watch(struct txg_syncs *all, int64_t now, int64_t patience,
                     void (*on_failed)(void *user, struct txg_host *host), void *user);

/* The next gateway of its host and folder starts another. */
void txg_syncs_forget(struct txg_syncs *all, struct txg_sync *s);
void txg_syncs_drop(struct txg_syncs *all, const struct txg_host *host); /* the host has ended */
void txg_syncs_release(struct txg_syncs *all);

#endif
