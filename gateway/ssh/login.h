/*
 * From a spec to a running remote shell: the configuration, the way there (TCP, ProxyCommand, jump
 * hosts), the login, the shell. Blocks: for a thread of its own.
 */
#ifndef TXG_GATEWAY_SSH_LOGIN_H
#define TXG_GATEWAY_SSH_LOGIN_H

#include "gateway/ssh/session.h"

struct txg_ssh_login {      /* all borrowed */
    const char *target;     /* the value of ssh= */
    const char *ssh_config; /* of ssh_config=, or NULL */
    const char *pin;        /* host_key of the fleet, or NULL */
    bool accept_new;
    const char *command; /* what the login shell is told to start */
};

int txg_ssh_login(struct txg_ssh_try *t, const struct txg_ssh_login *login,
                  struct txg_ssh_link *out, struct txg_err *err);

#endif
