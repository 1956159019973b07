/*
 * txgate-worker --listen: waits on a TCP port for controllers that have the key, and serves each
 * connection as one link. door.h has who has not proven to have it, relay.h who has.
 */
#ifndef TXG_WORKER_LISTEN_H
#define TXG_WORKER_LISTEN_H

#define TXG_LISTEN_LINKS_MAX 64

/* Options as for main; one of them is --listen. Returns the exit status: 0 after SIGTERM or SIGINT,
 * when nothing is left of what was started; 1 where it could not start; 2 for wrong options. */
int txg_listen_main(int argc, char **argv);

#endif
