/*
 * The one interface of popen.c, exec.c, ssh/ssh.c, socket.c, reverse.c, pair.c: a byte stream to a
 * program on a host, and a reason for its end. Nobody outside a transport's file asks which one it
 * is.
 *
 * Life: `start` -> on_open -> any number of on_read, on_words, on_writable -> exactly one on_end. A
 * failed start also ends in on_end, never in a return value, so that there is one path for faults.
 * No callback comes from inside start, write, stop or kill. After `stop` only on_end comes, within
 * TXG_TRANSPORT_GRACE and a little more; when it comes, the transport holds no handle of the loop.
 */
#ifndef TXG_GATEWAY_TRANSPORT_H
#define TXG_GATEWAY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "specs/spec.h"
#include "src/base/strv.h"

struct txg_arrivals;
struct txg_listeners;

#define TXG_TRANSPORT_GRACE 5000 /* milliseconds between the far side's EOF and its SIGKILL */

struct txg_transport;

/* What the owner is told. `t` stays valid until free is called, which may be done in on_end. */
struct txg_transport_events {
    void (*on_open)(struct txg_transport *t);
    void (*on_read)(struct txg_transport *t, const void *data, size_t len);
    void (*on_writable)(
        struct txg_transport *t); /* after a write that took less than it was given */
    /* One line that the program or what carries it wrote to stderr; printable, no newline. */
    void (*on_words)(struct txg_transport *t, const char *line);
    /* `step` names what failed ("start", "connect", ...) or is "link" once open; `reason` is for
     * people and stands alone: "No such file or directory: /x", "agent ended with status 255".
     * `words`: the last lines of stderr, each ended by a newline, printable; "" for none. */
    void (*on_end)(struct txg_transport *t, const char *step, const char *reason,
                   const char *words);
};

struct txg_transport_config {
    uv_loop_t *loop;
    const struct txg_spec *spec; /* borrowed, outlives the transport */
    const char *worker;          /* path of the worker program for hosts that need none uploaded */
    const char *token;           /* copied; `<worker> --token <token>` answers with a line of it */
    int64_t connect_timeout;     /* microseconds from start to on_open */
    bool accept_new_host_keys;   /* the user's say for keys that are in no known_hosts */
    struct txg_arrivals *arrivals;   /* where workers that connect to us come in; or NULL */
    struct txg_listeners *listeners; /* for installvia=; or NULL */
    const struct txg_transport_events *events;
    void *user;
};

struct txg_transport_ops {
    const char *name; /* the spec's key: "popen" */
    bool shell;       /* the stream is a POSIX shell's: bootstrap.h gets the worker there */
    bool framed;      /* the worker runs there already: its frames from the first byte on */
    struct txg_transport *(*create)(const struct txg_transport_config *config);
    void (*start)(struct txg_transport *t);
    /* Takes what goes now and returns how many bytes that was, never more than `len`; fewer mean
     * that on_writable follows. Never blocks. What can't be sent any more is taken and dropped:
     * on_end tells of it. */
    size_t (*write)(struct txg_transport *t, const void *data, size_t len);
    void (*stop)(struct txg_transport *t); /* closes the stream: the far side sees EOF */
    void (*kill)(struct txg_transport *t); /* stop without the grace */
    void (*free)(struct txg_transport *t); /* after on_end only */
    /* What the user configured for it and it knows nothing of; may be NULL. Complete from on_open
     * or on_end on; borrowed. */
    const struct txg_strv *(*ignored)(const struct txg_transport *t);
};

struct txg_transport { /* first member of every transport */
    const struct txg_transport_ops *ops;
    const struct txg_transport_events *events;
    void *user;
    /* From on_end on: once open it was ended from outside, by a signal or by the loss of the
     * connection, and may do better another time. */
    bool cut_off;
};

/* Of a program's end: by a signal, or as shells tell of one. */
bool txg_transport_was_killed(int signum, int status);

extern const struct txg_transport_ops txg_popen_ops; /* a worker process on this machine */
extern const struct txg_transport_ops txg_exec_ops;  /* a program that leads to a shell */

/* A shell of the login user on a host that is reached over SSH (libssh). */
extern const struct txg_transport_ops txg_ssh_ops;

#ifdef TXG_SOCKETS
/* A worker that listens on a TCP port, through a sealed link (libsodium). */
extern const struct txg_transport_ops txg_socket_ops;
#endif

/* A worker that connects to us: what keeps the door has the sealed link (gateway/arrivals.h). */
extern const struct txg_transport_ops txg_reverse_ops;

/* Once all transports have ended, before the program does: waits for what they may have left at
 * work in threads. */
void txg_transports_settle(void);

/* NULL: no transport is built for this kind yet. */
const struct txg_transport_ops *txg_transport_for(enum txg_spec_kind kind);

#endif
