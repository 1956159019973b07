/*
 * What is known about a host before it is connected to: the words of ssh=, then ssh's own
 * configuration files, as ssh_config(5) says it: the first value wins, and identities add up.
 *
 * libssh has a reader of its own, which is not used: it takes one known_hosts file only, writes
 * into what it matches (a HostName hides the alias from later Host lines), and passes over options
 * without a word. Here every option that is set for a host and has no effect is named.
 */
#ifndef TXG_GATEWAY_SSH_SETTINGS_H
#define TXG_GATEWAY_SSH_SETTINGS_H

#include <stdbool.h>

#include "src/base/err.h"
#include "src/base/strv.h"

#define TXG_SSH_CONFIG_MAX (1024 * 1024) /* bytes of one file */

enum txg_ssh_flag { TXG_SSH_UNSET, TXG_SSH_NO, TXG_SSH_YES };

struct txg_ssh_config { /* all owned; NULL or zero where nothing was said */
    char *alias;        /* the host as the user wrote it */
    char *file;         /* the one configuration file, instead of the user's and the system's */
    char *host, *user, *port;
    struct txg_strv identities;
    char *agent; /* IdentityAgent: a socket, "none", "SSH_AUTH_SOCK" or "$VARIABLE" */
    char *jump;  /* "[user@]host[:port],..." or "none" */
    char *proxy; /* ProxyCommand, or "none" */
    struct txg_strv known_hosts, global_known_hosts;
    char *host_key_alias;
    struct txg_strv revoked;
    char *connect_timeout; /* seconds */
    char *bind_address, *address_family;
    char *ciphers, *macs, *kex, *host_key_algorithms, *pubkey_algorithms;
    enum txg_ssh_flag identities_only, pubkey, password, kbdint, batch, compression;
    struct txg_strv
        ignored; /* "ForwardAgent (/home/me/.ssh/config:12)": set here, without effect */
};

/* Reads `target` (the value of ssh=), then `ssh_config` or else ~/.ssh/config and
 * /etc/ssh/ssh_config, and fills in what nothing was said about. ~, %d %h %n %p %r %u %% are
 * replaced. Runs the commands of `Match exec`: not to be called on a loop. After failure there is
 * nothing to release. */
int txg_ssh_config_read(const char *target, const char *ssh_config, struct txg_ssh_config *out,
                        struct txg_err *err);
void txg_ssh_config_release(struct txg_ssh_config *c);

/* The steps of txg_ssh_config_read. */

/* Takes the words of ssh=: options of ssh(1), and the host. */
int txg_ssh_config_words(struct txg_ssh_config *c, const char *target, struct txg_err *err);

/* Takes what a configuration file says about the alias; a file that is not there says nothing,
 * unless it is `required`. `where`: the folder of its relative Includes. */
int txg_ssh_config_file(struct txg_ssh_config *c, const char *path, const char *where,
                        bool required, struct txg_err *err);

/* Sets one option unless it is set. `args`: the rest of the line; `source` says where. */
int txg_ssh_config_set(struct txg_ssh_config *c, const char *keyword, const char *args,
                       const char *source, struct txg_err *err);

/* The next word at *s, "quoted" or plain, as a heap string; NULL at the end. */
char *txg_ssh_config_word(const char **s);

/* $HOME, else the home of the password file, as a heap string. */
char *txg_ssh_home(void);
char *txg_ssh_local_user(void);

/* Replaces %h and its like, as a heap string; "~/" in front too where `path`. */
char *txg_ssh_config_expand(const struct txg_ssh_config *c, const char *text, bool path);

#endif
