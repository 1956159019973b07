/*
 * txgate-worker --connect: a worker behind a router, which nobody can connect to, connects to a
 * `txgate run --listen` that has the same key, says its name, and serves that one link as a
 * listening worker serves each of its own. It connects again when the link has ended or nobody is
 * there, for as long as it is left running: a board starts it at boot.
 * SIGTERM: it leaves when the tests that run have finished; a second one ends all at once.
 */
#ifndef TXG_WORKER_DIAL_H
#define TXG_WORKER_DIAL_H

#define TXG_DIAL_TRY      INT64_C(10000000) /* microseconds for a connection and its handshake, each */
#define TXG_DIAL_REST     INT64_C(1000000) /* to the next try; twice as long after each that failed */
#define TXG_DIAL_REST_MAX INT64_C(5000000)

#define TXG_DIAL_LEAVE INT64_C(600000000) /* for what runs to finish, after SIGTERM */

/* For --help of a worker that can. */
#define TXG_DIAL_USAGE                                                                             \
    "       txgate-worker --connect ADDRESS:PORT --key-file FILE [--name NAME]\n"                  \
    "                     [--user UID[:GID]]\n"
#define TXG_DIAL_HELP                                                                              \
    "\n"                                                                                           \
    "With --connect it goes to a `txgate run --listen PORT` that has the same key, for hosts\n"    \
    "that can't be reached themselves. NAME (the host's name) is the id that the fleet knows\n"    \
    "it by. It connects again and again, up to 5 s apart, until SIGTERM: then it leaves when\n"    \
    "its running tests have finished, and at once when that comes again.\n"

/* Options as for main; one of them is --connect. Returns as txg_listen_main. */
int txg_dial_main(int argc, char **argv);

#endif
