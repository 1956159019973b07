/*
 * What is known of tests, by nodeid: how long one took on an architecture and under a label, and
 * whether it failed. Inner.
 */
#ifndef TXG_STATE_RECORDS_H
#define TXG_STATE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    uint64_t hash; /* of the nodeid */
};

struct txg_records {
    struct txg_record *items;
    size_t n, cap;
    uint32_t *slots; /* hash table by nodeid: record + 1, 0 is free */
    size_t n_slots;
    size_t next;            /* place behind the one that was put last: tests mostly come in order */
    struct txg_strv words;  /* archs and labels */
    struct txg_strv pieces; /* that hold nodeids */
    size_t left;            /* bytes free at the end of the last piece */
};

void txg_records_release(struct txg_records *t);

/* An arch or a label, which there are few of: mostly one string for all that are equal. */
const char *txg_records_word(struct txg_records *t, struct txg_span text);

/* Takes over a text from the heap, for what `borrow` is given of it. */
void txg_records_adopt(struct txg_records *t, char *text);

/* Gives the record its nodeid: copied, or of a text that the table has. */
void txg_records_name(struct txg_records *t, struct txg_record *r, struct txg_span nodeid);
void txg_records_borrow(struct txg_record *r, struct txg_span nodeid);

/* Adds it, or takes the place of what was known. What failed in this run has failed. */
void txg_records_put(struct txg_records *t, const struct txg_record *r);

/* What was told in this run of the test that the record names. */
enum { TXG_TOLD_TIME = 1, TXG_TOLD_FAILED = 2 };
int txg_records_told(const struct txg_records *t, const struct txg_record *r);

#endif
