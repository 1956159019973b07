/* What the agent of a host says of a program that has ended: its `exited` message. */
#ifndef TXG_GATEWAY_EXITED_H
#define TXG_GATEWAY_EXITED_H

#include <stdbool.h>

#include "gateway/wire/message.h"

/* A worker's end for people: "worker was killed by signal 9 (Killed)". `closed_for` is why we had
 * it closed, or NULL. */
void txg_exited_describe(const struct txg_msg_exited *e, const char *closed_for, char *out,
                         size_t size);

/* The same for a keeper of files, whose every end by itself is too early. */
void txg_exited_describe_keeper(const struct txg_msg_exited *e, char *out, size_t size);

/* From outside, or because it froze: the next one may do better. */
bool txg_exited_was_killed(const struct txg_msg_exited *e);

#endif
