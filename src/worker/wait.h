/*
 * Waiting for file descriptors and for children in one call: SIGCHLD is let in only there, so none
 * is missed between a look and the next wait.
 */
#ifndef TXG_WORKER_WAIT_H
#define TXG_WORKER_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once in each process, before the first wait. A closed pipe is no signal from then on. */
void txg_wait_prepare(void);

/* Until a descriptor is ready, a child has changed or `deadline` (of txg_now) is there. After an
 * interruption no revents is set. ppoll lets no SIGCHLD in while something is ready. */
void txg_wait(struct pollfd *fds, size_t n, int64_t deadline);

/* Has a child changed since it was asked last? Until then no wait lasts. */
bool txg_wait_child_changed(void);

#endif
