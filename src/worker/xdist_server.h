/*
 * execnet's side of an xdist worker: bootstrap line, frames, channels, and what is to be executed
 * on them. Bytes in, bytes out; the tests run where `ops` says.
 */
#ifndef TXG_WORKER_XDIST_SERVER_H
#define TXG_WORKER_XDIST_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "src/worker/xdist_node.h"

/* How many of the last words are those that execnet starts a Python with: [-u] [-B] -c "import
 * sys;exec(eval(sys.stdin.readline()))". 0: it was not started by execnet. */
int txg_xdist_start_words(int argc, char *const *argv);

struct txg_xdist_server;

struct txg_xdist_server *txg_xdist_server_new(const struct txg_xdist_ops *ops, void *user);
void txg_xdist_server_free(struct txg_xdist_server *s);

/* Takes what came from execnet. */
void txg_xdist_server_feed(struct txg_xdist_server *s, const void *data, size_t len);

/* What is to be written to it; consumed by the caller. */
struct txg_buf *txg_xdist_server_out(struct txg_xdist_server *s);

bool txg_xdist_server_is_booted(const struct txg_xdist_server *s); /* the first line has come */
/* TERMINATE came, or what can't be understood: then `fault` says what, else it is empty. */
bool txg_xdist_server_is_over(const struct txg_xdist_server *s);
const char *txg_xdist_server_fault(const struct txg_xdist_server *s);

/* The xdist worker; NULL until xdist wanted one. */
struct txg_xdist_node *txg_xdist_server_node(struct txg_xdist_server *s);

#endif
