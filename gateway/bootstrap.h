/*
 * From the first byte of a stream to the agent's first frame. Where the stream is a shell's, that
 * is: look at the host, find the right worker there or take it there, start it. Sans-I/O: bytes in,
 * bytes out, a file of this machine read once.
 *
 *            "probe"             "start"            "upload"           "upload"
 *   PROBE --------------> FIND ------------> PLACE ----------> OPEN -----------> PUT
 *                          |        need       ^                                  |
 *                          |                   +----------------- bad ------------+
 *                          v                                                      v
 *                        DONE <--------------------- the agent's line ------------+
 *
 * One line is sent at a time and its answer waited for: dash and BusyBox's ash read ahead and eat
 * what follows their script line. Every answer stands on a line of its own behind `TXG <token>`;
 * what a login shell prints in between is skipped.
 */
#ifndef TXG_GATEWAY_BOOTSTRAP_H
#define TXG_GATEWAY_BOOTSTRAP_H

#include <stdbool.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

struct txg_bootstrap;

struct txg_bootstrap_config { /* strings are borrowed for the life of the bootstrap */
    const char *token;        /* hex digits */
    bool shell;               /* false: the program that was started is the worker */
    const char *own_worker;   /* path of this machine's worker */
    const char *worker;       /* path on the host of one that is there already, or NULL */
    const char *arch;         /* instead of what the host says of itself, or NULL */
    const char *emulator;     /* command in front of the worker, or NULL */
    bool no_cache;            /* the worker takes its folder away when it ends */
};

struct txg_bootstrap *txg_bootstrap_new(const struct txg_bootstrap_config *config);
void txg_bootstrap_free(struct txg_bootstrap *b);

/* Bytes from the host. 1: the agent's line has come; *rest is what stood behind it, borrowed until
 * the bootstrap is freed. 0: more is needed. -1: it failed, err says how, without the step. */
int txg_bootstrap_feed(struct txg_bootstrap *b, const void *data, size_t len, struct txg_span *rest,
                       struct txg_err *err);

/* The bytes to write next (none: it waits for an answer), and how many of them were written. */
struct txg_span txg_bootstrap_pending(const struct txg_bootstrap *b);
void txg_bootstrap_sent(struct txg_bootstrap *b, size_t len);

/* What it is at, for errors: "probe", "upload", "start" or "hello". */
const char *txg_bootstrap_step(const struct txg_bootstrap *b);

/* Appends what can be said when a shell gives no answer: "; it said: Password: ", or nothing. */
void txg_bootstrap_describe(const struct txg_bootstrap *b, struct txg_buf *out);

/* Not a byte has come from what should be a shell. */
bool txg_bootstrap_is_silent(const struct txg_bootstrap *b);

/* Bytes of worker that were taken to the host; 0: it was found there. */
size_t txg_bootstrap_uploaded(const struct txg_bootstrap *b);

/* Bytes of worker that are on their way just now, `done` of them handed over; 0: none are. */
size_t txg_bootstrap_uploads(const struct txg_bootstrap *b, size_t *done);

#endif
