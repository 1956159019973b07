/*
 * One host: a link to its agent from the first byte to the last. Above it are messages, below it a
 * transport. A host that is lost is never used again: its replacement is a new one.
 */
#ifndef TXG_GATEWAY_HOST_H
#define TXG_GATEWAY_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/transport.h"
#include "gateway/wire/message.h"
#include "src/base/strv.h"

struct txg_host;

struct txg_host_config {
    uv_loop_t *loop;
    const struct txg_spec *spec;         /* borrowed for the life of the host */
    const struct txg_transport_ops *ops; /* NULL: what the spec's kind says */
    const char *worker;
    const char *testrunuid;
    int64_t heartbeat;       /* microseconds */
    int64_t connect_timeout; /* microseconds, to the agent's hello */
    bool accept_new_host_keys;
    struct txg_arrivals *arrivals;   /* of workers that connect to us; or NULL */
    struct txg_listeners *listeners; /* that other hosts start for this one; or NULL */
    bool no_cache;                   /* nothing stays on the host */
    void *user;
    /* A decoded message; `channel` 0: of the agent. Messages of liveness stay inside. */
    void (*on_message)(void *user, struct txg_host *h, uint32_t channel, const struct txg_msg *msg);
    /* Its agent said hello; NULL: not wanted. `uploaded`: bytes of its worker that were taken there
     * just now. */
    void (*on_up)(void *user, struct txg_host *h, const struct txg_msg_hello *hello,
                  size_t uploaded);
    /* A frame of a raw channel. False: the channel is a worker's. NULL: all are. */
    bool (*on_bytes)(void *user, struct txg_host *h, uint32_t channel, struct txg_span bytes);
    /* A frame of a worker that is not in the protocol. */
    void (*on_fault)(void *user, struct txg_host *h, uint32_t channel, const char *text);
    void (*on_words)(void *user, struct txg_host *h, const char *line);
    /* Little waits to be sent: queue more of what can wait, or return false.
     * NULL: there is no such thing. */
    bool (*on_room)(void *user, struct txg_host *h);
    /* It is lost, or never came up: "start: No such file or directory: /x". `cut_off`: it was up,
     * or was ended from outside while it started. At most once; not after stop. */
    void (*on_lost)(void *user, struct txg_host *h, bool cut_off, const char *text);
    void (*on_end)(void *user, struct txg_host *h); /* no handle is left: it may be freed */
};

/* Starts connecting at once; hello and all that is sent goes out as soon as the stream is open. */
struct txg_host *txg_host_new(const struct txg_host_config *config);
void txg_host_free(struct txg_host *h); /* after on_end */

/* Queued; written before the loop next waits. Dropped on a host that is lost or stopped. */
void txg_host_send(struct txg_host *h, uint32_t channel, const struct txg_msg *msg);
/* The same for whole frames that were written before. */
void txg_host_send_frames(struct txg_host *h, struct txg_span frames);

/* The same for a raw channel, at most TXG_FRAME_BULK bytes; none: the end of the program's stdin.
 */
void txg_host_send_bytes(struct txg_host *h, uint32_t channel, const void *data, size_t len);
size_t txg_host_unsent(const struct txg_host *h); /* bytes that are queued */

/* How many lines it has said on stderr; and the last two of those behind the first `since`, "" for
 * none: printable, borrowed until it says more. */
size_t txg_host_lines(const struct txg_host *h);
const char *txg_host_words(struct txg_host *h, size_t since);

bool txg_host_is_usable(const struct txg_host *h);   /* not lost, not stopped */
bool txg_host_is_up(const struct txg_host *h);       /* the agent's hello has come */
bool txg_host_is_shell(const struct txg_host *h);    /* the worker was taken there */
bool txg_host_is_remote(const struct txg_host *h);   /* test files have to be taken there */
const char *txg_host_arch(const struct txg_host *h); /* arch=, else its uname -m, once it is up */
size_t txg_host_uploads(const struct txg_host *h, size_t *done); /* txg_bootstrap_uploads() */
const struct txg_spec *txg_host_spec(const struct txg_host *h);

/* What was configured for the way to it and has no effect here, each "option (where)"; borrowed. */
const struct txg_strv *txg_host_ignored(const struct txg_host *h);
void txg_host_stop(struct txg_host *h);

#endif
