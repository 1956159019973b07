/*
 * Who we are: the agent's keys, the key files, and where a person sits at the terminal a password.
 * libssh's own way through the keys is not taken: it writes public keys into the user's folder, and
 * does not say which key was refused.
 */
#ifndef TXG_GATEWAY_SSH_AUTH_H
#define TXG_GATEWAY_SSH_AUTH_H

#include <libssh/libssh.h>

#include "gateway/ssh/settings.h"
#include "gateway/ssh/try.h"

/* The session is connected, non-blocking, and its host key was found good. `fd` is its socket. */
int txg_ssh_auth(struct txg_ssh_try *t, ssh_session session, int fd, const struct txg_ssh_config *c,
                 struct txg_err *err);

#endif
