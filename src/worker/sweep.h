/*
 * Nothing of a test outlives it. Agent and worker are child subreapers: whatever a test leaves
 * behind becomes their child, and a child that they did not fork is killed, again and again until
 * none is left.
 */
#ifndef TXG_WORKER_SWEEP_H
#define TXG_WORKER_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes this process a child subreaper, and clears what it inherited: signal dispositions and
 * masks, file descriptors above `keep` (an open fd above 2 that stays; -1: none). */
void txg_sweep_prepare(void);

/* KILLs every child for which `keep` (NULL: none) is false; does not wait. Returns how many. */
size_t txg_sweep_once(bool (*keep)(void *user, pid_t pid), void *user);

/* KILLs and reaps until no child is left, for at most `limit` microseconds. Returns how many
 * processes were reaped. `children_left`, if not NULL, says whether the limit came first. */
size_t txg_sweep_all(int64_t limit, bool *children_left);

#endif
