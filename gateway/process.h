/*
 * A program on this machine as the carrier of a link: what popen.c and exec.c share. Its stdin and
 * stdout are the stream (socketpairs of libuv), its stderr is read for words. It leads a session of
 * its own, so a Ctrl-C on the terminal reaches only the controller, and its process group can be
 * killed as one.
 */
#ifndef TXG_GATEWAY_PROCESS_H
#define TXG_GATEWAY_PROCESS_H

#include "gateway/transport.h"
#include "src/base/strv.h"

/* argv[0] is looked up in PATH where it has no slash. `who` is what reasons call it ("agent"), a
 * literal; NULL: argv[0]. SIGPIPE is ignored in this process from here on: a link whose far side is
 * gone must end in on_end. */
struct txg_transport *txg_process_create(const struct txg_transport_ops *ops,
                                         const struct txg_transport_config *config,
                                         const struct txg_strv *argv, const char *who);

/* The rest of an ops table. */
void txg_process_start(struct txg_transport *t);
size_t txg_process_write(struct txg_transport *t, const void *data, size_t len);
void txg_process_stop(struct txg_transport *t);
void txg_process_kill(struct txg_transport *t);
void txg_process_free(struct txg_transport *t);

#endif
