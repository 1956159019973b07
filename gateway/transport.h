/*
 * The one interface of popen.c, pair.c (and later ssh.c, socket.c, exec.c): a byte stream to a
 * program that was started on a host, and a reason for its end. Nobody outside a transport's file
 * asks which one it is.
 *
 * Life: `start` -> on_open -> any number of on_read, on_written -> exactly one on_end. A failed
 * start also ends in on_end, never in a return value, so that there is one path for faults. No
 * callback comes from inside start, write or stop. After `stop` the end comes within the grace.
 */
#ifndef TXG_GATEWAY_TRANSPORT_H
#define TXG_GATEWAY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "specs/spec.h"
#include "src/base/err.h"

struct txg_transport;

/* What the owner is told. `t` stays valid until free is called, which may be done in on_end. */
struct txg_transport_events {
    void (*on_open)(struct txg_transport *t);
    void (*on_read)(struct txg_transport *t, const void *data, size_t len);
    void (*on_written)(struct txg_transport *t); /* all that was handed to write is on its way */
    /* `step` names what failed ("start", "connect", ...) or is "link" once open; `reason` is for
     * people: "No such file or directory", "ended with status 255". `words`: the last of stderr. */
    void (*on_end)(struct txg_transport *t, const char *step, const char *reason,
                   const char *words);
};

struct txg_transport_config {
    uv_loop_t *loop;
    const struct txg_spec *spec; /* borrowed, outlives the transport */
    const char *worker;          /* path of the worker program for hosts that need none uploaded */
    const struct txg_transport_events *events;
    void *user;
};

struct txg_transport_ops {
    const char *name; /* the spec's key: "popen" */
    struct txg_transport *(*create)(const struct txg_transport_config *config);
    void (*start)(struct txg_transport *t);
    /* Copies or sends `len` bytes; one write at a time: wait for on_written. */
    void (*write)(struct txg_transport *t, const void *data, size_t len);
    void (*stop)(struct txg_transport *t); /* closes the stream; the far side sees EOF */
    void (*free)(struct txg_transport *t); /* after on_end only */
};

struct txg_transport { /* first member of every transport */
    const struct txg_transport_ops *ops;
    const struct txg_transport_events *events;
    void *user;
};

extern const struct txg_transport_ops txg_popen_ops;

/* NULL: no transport is built for this kind yet. */
const struct txg_transport_ops *txg_transport_for(enum txg_spec_kind kind);

#endif
