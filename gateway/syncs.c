#include "config.h"

#include "gateway/syncs.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/base/str.h"

#define FIRST_CHANNEL UINT32_C(2147483647) /* and downwards: never a gateway's */

struct txg_sync *txg_syncs_of_folder(const struct txg_syncs *all, const struct txg_host *host,
                                     const char *chdir)
{
    for (size_t i = 0; i < all->n; i++)
        if (txg_sync_is_for(all->items[i], host, chdir))
            return all->items[i];
    return NULL;
}

struct txg_sync *txg_syncs_of_channel(const struct txg_syncs *all, const struct txg_host *host,
                                      uint32_t channel)
{
    for (size_t i = 0; i < all->n; i++)
        if (txg_sync_host(all->items[i]) == host && txg_sync_channel(all->items[i]) == channel)
            return all->items[i];
    return NULL;
}

struct txg_sync *txg_syncs_start(struct txg_syncs *all, struct txg_host *host, const char *chdir,
                                 const struct txg_manifest *manifest, int64_t now)
{
    all->items = txg_grow(all->items, all->n, &all->cap, sizeof *all->items);
    return all->items[all->n++] =
               txg_sync_new(host, FIRST_CHANNEL - all->keepers++, chdir, manifest, now);
}

bool txg_syncs_pump(struct txg_syncs *all, const struct txg_host *host, int64_t now)
{
    for (size_t i = 0; i < all->n; i++)
        if (txg_sync_host(all->items[i]) == host && txg_sync_pump(all->items[i], now))
            return true;
    return false;
}

void txg_syncs_watch(struct txg_syncs *all, int64_t now, int64_t patience,
                     void (*on_failed)(void *user, struct txg_host *host), void *user)
{
    char text[64];
    snprintf(text, sizeof text, "nothing moved for %.6g s (--connect-timeout)",
             (double)patience / 1e6);
    for (size_t i = 0; i < all->n; i++) {
        struct txg_sync *s = all->items[i];
        if (txg_sync_state(s) == TXG_SYNC_RUNNING && now - txg_sync_moved(s) >= patience)
            txg_sync_fail(s, text);
        if (txg_sync_state(s) == TXG_SYNC_FAILED)
            on_failed(user, txg_sync_host(s));
    }
}

void txg_syncs_forget(struct txg_syncs *all, struct txg_sync *s)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i] == s)
            all->items[i] = all->items[--all->n];
    txg_sync_free(s);
}

void txg_syncs_drop(struct txg_syncs *all, const struct txg_host *host)
{
    for (size_t i = 0; i < all->n;) {
        if (txg_sync_host(all->items[i]) == host) {
            txg_sync_free(all->items[i]);
            all->items[i] = all->items[--all->n];
        } else {
            i++;
        }
    }
}

void txg_syncs_release(struct txg_syncs *all)
{
    for (size_t i = 0; i < all->n; i++)
        txg_sync_free(all->items[i]);
    free(all->items);
    *all = (struct txg_syncs){0};
}
