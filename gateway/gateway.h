/*
 * All gateways of a run: hosts are made and shared as the specs say, everything starts in parallel,
 * every step has a deadline. Above this header nobody knows of hosts, links, frames or transports.
 *
 * `open` never fails by return value: a gateway that can't start ends in on_down with what failed.
 * Numbers are the session's (gw<number>) and are never used twice.
 */
#ifndef TXG_GATEWAY_GATEWAY_H
#define TXG_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "gateway/sync.h"
#include "gateway/wire/message.h"
#include "specs/spec.h"

struct txg_gateways; /* the set */

enum txg_gateway_end {
    TXG_GATEWAY_NOT_STARTED, /* connect, start, hello, open or workerready failed */
    TXG_GATEWAY_CUT_OFF,     /* killed or lost on its way to workerready */
    TXG_GATEWAY_ENDED,       /* exit status 0 after shutdown */
    TXG_GATEWAY_CRASHED,     /* the worker died, froze, or broke the protocol */
    TXG_GATEWAY_LOST         /* the host was lost: no beat, or the link ended */
};

struct txg_gateway_down {
    enum txg_gateway_end end;
    bool host; /* it was its host that ended */
    /* For people: step, reason, for a host the last words of stderr; who shows it adds the gateway
     * and its spec. */
    const char *text;
    const char *words; /* the last two lines of its host's stderr since it was opened, or "" */
};

struct txg_gateway_transfer {
    unsigned number;   /* the gateway that its host was started for */
    const char *what;  /* "worker", "files" */
    int64_t done, all; /* bytes */
};

struct txg_gateways_config {
    uv_loop_t *loop;
    const char *worker; /* path of txgate-worker for this machine */
    const char *testrunuid;
    int64_t heartbeat;       /* microseconds */
    int64_t connect_timeout; /* microseconds, from open to workerready */
    bool accept_new_host_keys;
    struct txg_arrivals *arrivals; /* of workers that connect to us; or NULL */
    bool no_cache;                 /* nothing stays on hosts */
    void *user;
    void (*on_message)(void *user, unsigned number, const struct txg_msg *msg);
    /* Bytes of a gateway that was opened with argv. May be NULL where none is. */
    void (*on_bytes)(void *user, unsigned number, struct txg_span bytes);
    /* Its host wants to be without it soon. NULL: not wanted. */
    void (*on_leaving)(void *user, unsigned number);
    /* The last call for this number. */
    void (*on_down)(void *user, unsigned number, const struct txg_gateway_down *down);
    /* The files that gateway `number` and those that share its host and folder want there, or NULL:
     * asked once for each host and folder, when the host is up and says what machine it is. Lives
     * until the set is freed. */
    const struct txg_manifest *(*files_for)(void *user, unsigned number, const char *arch);
    /* A log line of an agent, or a thing worth a warning. `host` names it. */
    void (*on_log)(void *user, const char *host, const char *level, const char *text);
    void (*on_closed)(void *user); /* after txg_gateways_close: every host has ended */
};

/* What a gateway is told when it opens, sent without waiting for any answer: workerinput, suite,
 * files ..., collect. */
struct txg_gateway_setup {
    const struct txg_spec *spec; /* borrowed for the life of the set */
    const struct txg_msg *messages;
    size_t n_messages; /* borrowed for the call */
    /* In the place of `predecessor`: a host that was there a moment ago, and can't be reached now,
     * is tried again until connect_timeout is over, counted from the loss. */
    bool replaces;
    unsigned predecessor;
    /* Not a worker but a program: it is there as soon as it was started, and speaks bytes. NULL: a
     * worker. Borrowed for the call. */
    const struct txg_strv *argv;
};

struct txg_gateways *txg_gateways_new(const struct txg_gateways_config *config);
void txg_gateways_open(struct txg_gateways *set, unsigned number,
                       const struct txg_gateway_setup *setup);

/* Queues a message; for a gateway that is down it is dropped. */
void txg_gateways_send(struct txg_gateways *set, unsigned number, const struct txg_msg *msg);

/* For one that was opened with argv: bytes for its stdin; none are its end. */
void txg_gateways_send_bytes(struct txg_gateways *set, unsigned number, const void *data,
                             size_t len);
size_t txg_gateways_unsent(const struct txg_gateways *set, unsigned number); /* on its link */

/* What is on its way to hosts at this moment. */
void txg_gateways_transfers(const struct txg_gateways *set,
                            void (*visit)(void *user, const struct txg_gateway_transfer *transfer),
                            void *user);

/* Kills one gateway's worker; on_down follows. */
void txg_gateways_kill(struct txg_gateways *set, unsigned number);

/* Ends everything: stops the links, waits for the agents to go (bounded), then calls on_closed. */
void txg_gateways_close(struct txg_gateways *set);
void txg_gateways_free(struct txg_gateways *set); /* after on_closed */

/* True for the first gateway opened on its host: the one that sends its collection's records. */
bool txg_gateways_is_new_host(const struct txg_gateways *set, const struct txg_spec *spec);

#endif
