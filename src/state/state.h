/*
 * What one run leaves for the next: how long tests took, and which failed. It lies in .txgate/state
 * below a directory, text, one record a line, and is all that txgate writes for itself. Runs at the
 * same time lose nothing: a save takes what is there by then and replaces it in one step, under a
 * lock.
 *
 * A time belongs to a nodeid, the architecture it ran on and the first label of its gateway.
 */
#ifndef TXG_STATE_STATE_H
#define TXG_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/str.h"

#define TXG_STATE_RECORDS  400000             /* kept at most: the newest */
#define TXG_STATE_BYTES    (64 * 1024 * 1024) /* of a file that is read */
#define TXG_STATE_LINE     65536              /* bytes of one record; a longer nodeid is not kept */
#define TXG_STATE_PATIENCE INT64_C(5000000)   /* microseconds that a save waits for the lock */

struct txg_state;

struct txg_state_time {
    struct txg_span nodeid;
    const char *arch, *label; /* never NULL; "" where there is none */
    int64_t us;
};

/* An empty one, never NULL. It may be told and saved without being read: what is there is added to.
 */
struct txg_state *txg_state_new(const char *dir);
void txg_state_free(struct txg_state *s);

/* Reads what is there, once, before anything is told. -1: it can't be read or is damaged, as `err`
 * says, and it is as if nothing were there. */
int txg_state_read(struct txg_state *s, struct txg_err *err);

/* What was read. Borrowed from the state, good until it is told something; the strings in it until
 * it goes. */
const struct txg_state_time *txg_state_times(struct txg_state *s, size_t *n);
const struct txg_span *txg_state_failed(struct txg_state *s, size_t *n);

/* A test took so long; it failed, or it did not. A test that failed anywhere in this run failed. */
void txg_state_took(struct txg_state *s, struct txg_span nodeid, const char *arch,
                    const char *label, int64_t us);
void txg_state_ended(struct txg_state *s, struct txg_span nodeid, bool failed);

/* Adds what was told to what is there by now, which is not read again where nobody else has saved
 * since txg_state_read; `stamp` orders runs (seconds since 1970). Nothing was told: nothing is
 * written. -1: nothing is changed; 1: what was there is damaged and gone, as `err` says. */
int txg_state_save(struct txg_state *s, int64_t stamp, struct txg_err *err);

#endif
