/*
 * The file behind src/state/state.h: reading it whole, and replacing it under a lock.
 */
#ifndef TXG_STATE_FILE_H
#define TXG_STATE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"

/* Which file it was, and which state of it: a save puts a new file in its place. */
struct txg_state_version {
    bool is_there;
    uint64_t device, inode;
    int64_t size, seconds, nanoseconds;
};

/* Appends the file's text to `out`. 1: there is none. -1: not a plain file, too large, unreadable.
 */
int txg_state_file_read(const char *dir, struct txg_buf *out, struct txg_state_version *version,
                        struct txg_err *err);

/* Is that version still there, or nothing where it says so? */
bool txg_state_file_is(const char *dir, const struct txg_state_version *version);

/* Makes the folder and takes its lock, waiting for TXG_STATE_PATIENCE. A descriptor to close, or
 * -1. */
int txg_state_file_lock(const char *dir, struct txg_err *err);

/* Under the lock. */
int txg_state_file_replace(const char *dir, const struct txg_buf *text, struct txg_err *err);

#endif
