/*
 * A worker that somebody starts by hand or at boot, to listen (listen.h) or to connect (dial.h):
 * its options, whose rights it has, and what it does to itself before strangers are near.
 */
#ifndef TXG_WORKER_SERVICE_H
#define TXG_WORKER_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "src/base/err.h"

struct txg_service_options {
    const char *listen, *connect; /* one of the two was given */
    const char *key_file, *user, *name;
    const char *hand_over; /* links go to the socket on stdin, whose owner started this */
    bool
        one_run; /* --key-file -: of a program that sends the key on stdin, and ends this with it */
    bool insecure_execnet; /* no key: whoever connects is served, by execnet's protocol */
    struct sockaddr_storage address;
    socklen_t address_len;
    bool has_user;
    uid_t uid;
    gid_t gid;
};

/* How much of it is a name as an id is one (docs/config.md, a word). */
size_t txg_service_name_prefix(const char *name);

/* As for main. Names what is wrong, and what is missing. */
int txg_service_parse(struct txg_service_options *o, int argc, char **argv, struct txg_err *err);

/* With the port bound and the key read: gives rights up (--user), takes /dev/null for standard
 * input and output, keeps others of the same user out of this memory, lets SIGTERM and SIGINT in at
 * txg_wait only. `*folder` is the working directory, owned by the caller; files are kept there. */
int txg_service_begin(const struct txg_service_options *o, char **folder, struct txg_err *err);

/* Looks out for the two signals, in a process that was made ready for a link too. */
void txg_service_watch(void);

/* SIGTERM or SIGINT has come; and once more: who asks does not wait any longer. */
bool txg_service_ended(void);
bool txg_service_hurried(void);

#endif
