/*
 * How long a loop was away from waiting: the longest of its turns, all callbacks of one together.
 * No callback can have taken longer.
 */
#ifndef TXG_CLI_TURNS_H
#define TXG_CLI_TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct txg_turns {
    uv_prepare_t prepare;
    bool on;
    uint64_t count;
    uint64_t longest;    /* nanoseconds, those it waited for its turn at a CPU too */
    uint64_t last, idle; /* at the last turn */
};

/* Before the loop runs. Holds no loop open; `t` stays where it is until the loop is closed. */
void txg_turns_start(struct txg_turns *t, uv_loop_t *loop);
void txg_turns_stop(struct txg_turns *t); /* also where it was never started */

#endif
