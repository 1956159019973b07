/*
 * Test files on their way to one folder of one host, docs/protocol.md section 7: the list, what is
 * needed of it, the bytes, no faster than the link takes them.
 */
#ifndef TXG_GATEWAY_SYNC_H
#define TXG_GATEWAY_SYNC_H

#include <sys/types.h>

#include "gateway/host.h"

/* One file as it should be on hosts. Strings owned by whoever made the manifest. */
struct txg_manifest_file {
    const char *path;    /* there: relative */
    const char *source;  /* here: absolute; of a link unused */
    const char *content; /* SHA-256 in hex, or where the link points to */
    mode_t mode;
    int64_t size;
};

struct txg_manifest { /* sorted by path, each once */
    const struct txg_manifest_file *files;
    size_t n;
    const char *folder; /* names the folder where no chdir does: a-z, 0-9 */
};

enum txg_sync_state { TXG_SYNC_RUNNING, TXG_SYNC_DONE, TXG_SYNC_FAILED };

struct txg_sync;

/* Opens the host's keeper of files on `channel` and sends it the list. The host, the manifest and
 * `chdir` (NULL: none given) are borrowed for the life of the sync. `now` is in microseconds. */
struct txg_sync *txg_sync_new(struct txg_host *host, uint32_t channel, const char *chdir,
                              const struct txg_manifest *manifest, int64_t now);
void txg_sync_free(struct txg_sync *s);

/* What came on its channel, or how the keeper ended. */
void txg_sync_take(struct txg_sync *s, const struct txg_msg *msg, int64_t now);
void txg_sync_fail(struct txg_sync *s, const char *text);
void txg_sync_cut_off(struct txg_sync *s, const char *text); /* killed: another may do better */

/* The link has room: queues the next bytes. False: there are none. */
bool txg_sync_pump(struct txg_sync *s, int64_t now);

enum txg_sync_state txg_sync_state(const struct txg_sync *s);
const char *txg_sync_root(const struct txg_sync *s);   /* once DONE: absolute, on the host */
const char *txg_sync_reason(const struct txg_sync *s); /* once FAILED */
bool txg_sync_was_cut_off(const struct txg_sync *s);
int64_t txg_sync_moved(const struct txg_sync *s);  /* when something was sent or came last */
int64_t txg_sync_sent(const struct txg_sync *s);   /* bytes of files */
int64_t txg_sync_wanted(const struct txg_sync *s); /* the same, once all are; 0: not known yet */
struct txg_host *txg_sync_host(const struct txg_sync *s);
bool txg_sync_is_for(const struct txg_sync *s, const struct txg_host *host, const char *chdir);
uint32_t txg_sync_channel(const struct txg_sync *s);

#endif
