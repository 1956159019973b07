/*
 * Whether a host's key is the one it should have. The answer is yes only for a key that stands in
 * known_hosts, that the fleet pins, or that the user said to take unseen; a key that is revoked, or
 * other than the known one, is always refused.
 *
 * libssh's own check passes over @revoked lines and reads one file only, so the files are read
 * here; which hosts a line means (patterns, hashed names) libssh tells.
 */
#ifndef TXG_GATEWAY_SSH_HOSTKEY_H
#define TXG_GATEWAY_SSH_HOSTKEY_H

#include <stdbool.h>

#include <libssh/libssh.h>

#include "gateway/ssh/settings.h"

struct txg_ssh_hostkey {
    const struct txg_ssh_config *config;
    const char *pin; /* "SHA256:..." or "ssh-ed25519 AAAA...": the only key; or NULL */
    bool accept_new; /* write a key that is not known into the user's known_hosts */
};

/* 0, or -1 with what is wrong, the fingerprint, and what to do. */
int txg_ssh_hostkey_check(const struct txg_ssh_hostkey *h, ssh_session session,
                          struct txg_err *err);

/* The algorithms to ask the host for, those of its known keys first, as a heap string. */
char *txg_ssh_hostkey_algorithms(const struct txg_ssh_hostkey *h);

#endif
