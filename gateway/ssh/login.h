/*
 * From a spec to a running remote shell: the configuration, the way there (TCP, ProxyCommand, jump
 * hosts), the login, the shell. Blocks: for a thread of its own.
 */
#ifndef TXG_GATEWAY_SSH_LOGIN_H
#define TXG_GATEWAY_SSH_LOGIN_H

#include "gateway/ssh/session.h"
#include "specs/spec.h"

struct txg_ssh_login {             /* all owned */
    char *target;                  /* the value of ssh= */
    char *ssh_config;              /* of ssh_config=, or NULL */
    char *pin;                     /* host_key of the fleet, or NULL */
    struct txg_ssh_login *through; /* of via=: stands over ProxyJump and ProxyCommand; or NULL */
    bool accept_new;
};

struct txg_ssh_login *txg_ssh_login_new(const struct txg_spec *spec, bool accept_new);
void txg_ssh_login_free(struct txg_ssh_login *login);

/* `command`: what the login shell is told to start. *ignored (empty) gets the options that are set
 * for the host and have no effect here, also on failure. */
int txg_ssh_login(struct txg_ssh_try *t, const struct txg_ssh_login *login, const char *command,
                  struct txg_ssh_link *out, struct txg_strv *ignored, struct txg_err *err);

#endif
