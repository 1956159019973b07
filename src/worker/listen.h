/*
 * txgate-worker --listen: waits on a TCP port for controllers that have the key, and serves each
 * connection as one link. door.h has who has not proven to have it, relay.h who has.
 */
#ifndef TXG_WORKER_LISTEN_H
#define TXG_WORKER_LISTEN_H

#define TXG_LISTEN_LINKS_MAX 64

/* For --help of a worker that can. */
#define TXG_LISTEN_USAGE                                                                           \
    "       txgate-worker --listen [ADDRESS:]PORT --key-file FILE [--user UID[:GID]]\n"            \
    "       txgate-worker --listen [ADDRESS:]PORT --insecure-execnet [--user UID[:GID]]\n"
#define TXG_LISTEN_HELP                                                                            \
    "\n"                                                                                           \
    "With --listen it waits on that port (of 127.0.0.1 unless an address is given, which is\n"     \
    "numeric: 10.0.0.5:7777, [::]:7777) for those who have the key in FILE, and for nobody\n"      \
    "else: `txgate keygen FILE` makes one, `--tx socket=host:port//key_file=FILE` leads here.\n"   \
    "Tests start in the folder that it was started in, as UID where that is given.\n"              \
    "With --insecure-execnet it is for pytest-xdist's own `--tx socket=localhost:PORT`, which\n"   \
    "has no key: whoever reaches the port can run programs, so it is loopback's alone.\n"

/* Options as for main; one of them is --listen. Returns the exit status: 0 after SIGTERM or SIGINT,
 * when nothing is left of what was started; 1 where it could not start; 2 for wrong options. */
int txg_listen_main(int argc, char **argv);

#endif
