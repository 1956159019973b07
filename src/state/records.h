/*
 * What is known of tests, by nodeid: how long one took on an architecture and under a label, and
 * whether it failed. Inner.
 */
#ifndef TXG_STATE_RECORDS_H
#define TXG_STATE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/arena.h"
#include "src/base/str.h"
#include "src/base/strv.h"

enum txg_record_kind {
    TXG_RECORD_TIME = 't',
    TXG_RECORD_FAILED = 'f',
    TXG_RECORD_ENDED = 'e' /* did not fail: not in the file */
};

/* Strings are their table's, or of one that lives longer. */
struct txg_record {
    enum txg_record_kind kind;
    bool fresh; /* told in this run */
    int64_t stamp, us;
    const char *arch, *label; /* of TXG_RECORD_TIME; mostly the same for the same */
    const char *nodeid;
    size_t len;
    uint64_t hash; /* of the nodeid, where it is in the hash table */
};

struct txg_records {
    struct txg_record *items;
    size_t n, cap;
    uint64_t *slots; /* hash table by nodeid, made when it is asked: the hash's upper half, below
                        it the record + 1; 0 is free */
    size_t n_slots;
    size_t n_indexed;       /* records from the front that are in it */
    size_t n_stale;         /* TXG_RECORD_FAILED of earlier runs */
    size_t next;            /* place behind the one that was put last: tests mostly come in order */
    struct txg_strv words;  /* archs and labels */
    struct txg_arena texts; /* nodeids */
};

void txg_records_release(struct txg_records *t);

/* An arch or a label, which there are few of: mostly one string for all that are equal. */
const char *txg_records_word(struct txg_records *t, struct txg_span text);

/* The record's nodeid, in a text that lives as long as it is used. */
void txg_records_borrow(struct txg_record *r, struct txg_span nodeid);

/* The table has the text from here on. */
void txg_records_keep(struct txg_records *t, struct txg_record *r);

/* Adds what a file says; of two that say the same the later one counts. The nodeid is the table's.
 */
void txg_records_append(struct txg_records *t, const struct txg_record *r);

/* Adds what was told in this run, or puts it in the place of what was known: what failed in this
 * run has failed. Copies a nodeid that is new. */
void txg_records_put(struct txg_records *t, const struct txg_record *r);

/* That the test failed in an earlier run counts no more. */
void txg_records_absolve(struct txg_records *t, const struct txg_record *r);

/* What was told in this run of the test that the record names. */
enum { TXG_TOLD_TIME = 1, TXG_TOLD_FAILED = 2 };
int txg_records_told(struct txg_records *t, const struct txg_record *r);

#endif
