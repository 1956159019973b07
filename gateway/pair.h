/*
 * The far side of a transport in memory, for tests: what stands in for a program on a host, in the
 * same process and on the same loop. A pair's near side is made by txg_pair_ops like any other.
 */
#ifndef TXG_GATEWAY_PAIR_H
#define TXG_GATEWAY_PAIR_H

#include "gateway/transport.h"
#include "src/base/str.h"

#define TXG_PAIR_ROOM 4096 /* bytes that the near side may write before it must wait */

extern const struct txg_transport_ops txg_pair_ops;

/* What the near side has written and the far side has not taken. Borrowed until the next take. */
struct txg_span txg_pair_heard(const struct txg_transport *t);
void txg_pair_take(struct txg_transport *t, size_t len);

/* Far to near, delivered from the loop in this order. After end nothing more is said. */
void txg_pair_say(struct txg_transport *t, const void *data, size_t len);
void txg_pair_words(struct txg_transport *t, const char *line);
void txg_pair_end(struct txg_transport *t, const char *reason);

/* The near side has stopped or was killed. */
bool txg_pair_is_stopped(const struct txg_transport *t);

#endif
