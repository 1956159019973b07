/*
 * Liveness, docs/protocol.md section 6: the agent sends beats, the controller echoes each as a
 * lease. Always stop < kill < lost, each side counting on its own clock from a moment that cannot
 * be later than the other side's. Pure: `now` is an argument.
 */
#ifndef TXG_WIRE_LEASE_H
#define TXG_WIRE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/message.h"

/* On the host, in the agent. Counted from the moment it sent the last beat that was echoed. */
struct txg_lease {
    struct txg_liveness times;
    int64_t last_sent; /* number of the newest beat */
    int64_t next_beat; /* when the next one is due */
    int64_t held_from; /* when the newest echoed beat was sent */
    struct {
        int64_t n, sent;
    } open[16]; /* beats that await their echo */
};

/* `now` is the moment the agent's hello was sent: the controller cannot have heard of the host
 * earlier. The first beat is due at once. */
void txg_lease_init(struct txg_lease *l, struct txg_liveness times, int64_t now);

/* True when a beat is due; *n is its number and it counts as sent at `now`. */
bool txg_lease_beat(struct txg_lease *l, int64_t now, int64_t *n);

/* lease{n} came. An unknown or old n changes nothing. */
void txg_lease_echo(struct txg_lease *l, int64_t n);

enum txg_lease_state { TXG_LEASE_HELD, TXG_LEASE_STOP, TXG_LEASE_KILL };

/* Ask before sending a beat or reading an echo: after a pause of this process the state must be
 * seen before it is mended. KILL is final, whoever sees it kills and ends. */
enum txg_lease_state txg_lease_state(const struct txg_lease *l, int64_t now);
int64_t txg_lease_age(const struct txg_lease *l, int64_t now);

/* When state or beat next changes by itself, for the poll timeout; not after `now`: do it now. */
int64_t txg_lease_deadline(const struct txg_lease *l, int64_t now);

#endif
