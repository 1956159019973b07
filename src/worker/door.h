/*
 * Who has connected and has not yet proven to have the key. One process holds them all: a stranger
 * costs a descriptor, 68 bytes and some hashing, but no fork, and no byte of his is looked at but
 * by the handshake (gateway/wire/seal.h). They can't keep others out: where there are too many, the
 * oldest of the address that has the most goes, and the handshake of who has the key is over in
 * one round trip.
 *
 * Refusals are said on stderr with the peer's address, TXG_DOOR_LINES of them in TXG_DOOR_SPAN,
 * then their number; a stderr that nobody reads loses them.
 */
#ifndef TXG_WORKER_DOOR_H
#define TXG_WORKER_DOOR_H

#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/wire/seal.h"

#define TXG_DOOR_MAX   128
#define TXG_DOOR_LIMIT INT64_C(10000000) /* microseconds from connect to proof */
#define TXG_DOOR_LINES 20
#define TXG_DOOR_SPAN  INT64_C(10000000)
#define TXG_DOOR_WHO   (INET6_ADDRSTRLEN + 16)

struct txg_guest {
    int fd;
    struct txg_seal seal;
    size_t got;           /* bytes, never more than TXG_SEAL_UNPROVEN_MAX */
    int64_t since;        /* of txg_now */
    struct in6_addr from; /* what counts as one address: IPv4's is mapped, IPv6's is its /64 */
    char who[TXG_DOOR_WHO];
};

struct txg_door {
    const unsigned char *key; /* borrowed */
    enum txg_seal_caller caller;
    struct txg_guest guests[TXG_DOOR_MAX];
    size_t n;
    int64_t told_since; /* of the refusals that are counted */
    unsigned told, untold;
    char last[TXG_DOOR_WHO]; /* of those that were not told */
};

/* Takes an accepted socket, close-on-exec and non-blocking. */
void txg_door_admit(struct txg_door *d, int fd, const struct sockaddr_storage *from, int64_t now);

/* Says that `who` was sent away, and why. */
void txg_door_refused(struct txg_door *d, const char *who, const char *why, int64_t now);

/* Closes the oldest guest, to have its descriptor. False: there is none. */
bool txg_door_make_room(struct txg_door *d, const char *why, int64_t now);

/* Fills TXG_DOOR_MAX places at most; returns how many. */
size_t txg_door_fill(const struct txg_door *d, struct pollfd *fds);

/* Reads of those that poll found ready: the first `n` as txg_door_fill left them. Whoever has
 * proven to have the key is handed to `enter`, which takes the guest's fd and seal. */
void txg_door_read(struct txg_door *d, const struct pollfd *fds, size_t n, int64_t now,
                   void (*enter)(void *user, struct txg_guest *guest), void *user);

/* Sends away who had his time, and tells what there is to tell. Returns when it is to be called
 * again at the latest, INT64_MAX for no need. */
int64_t txg_door_expire(struct txg_door *d, int64_t now);

/* Closes them all and overwrites what was secret, without a word. */
void txg_door_clear(struct txg_door *d);

/* One line on stderr, "txgate-worker: ...", unless that would wait. */
void txg_door_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
