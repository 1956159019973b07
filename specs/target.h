/*
 * The values of ssh=, vagrant_ssh=, socket= and exec=: is there a host in it, and is it one? They
 * are checked where they are parsed, because a host that begins with `-` would reach a program of
 * the system as an option.
 */
#ifndef TXG_SPECS_TARGET_H
#define TXG_SPECS_TARGET_H

#include "src/base/err.h"

/* `[user@]host[:port]` or ssh's own `-p 22 -i key ... host`; no remote command. */
int txg_target_check_ssh(const char *value, struct txg_err *err);

/* `host:port`, `[ipv6]:port`; port 0, which stands for any, is the caller's to take or to refuse.
 */
int txg_target_check_socket(const char *value, struct txg_err *err);

/* The host, without brackets, and the port of a value that txg_target_check_socket found good; both
 * heap. */
void txg_target_split_socket(const char *value, char **host, char **port);

/* The name of one vagrant machine. */
int txg_target_check_vagrant(const char *value, struct txg_err *err);

/* At least one word; the first is a program. */
int txg_target_check_exec(const char *value, struct txg_err *err);

#endif
