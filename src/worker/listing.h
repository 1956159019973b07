/*
 * Lists the programs of a collection: each is run once with the words that make its framework list
 * its cases, one after the other, with a deadline.
 */
#ifndef TXG_WORKER_LISTING_H
#define TXG_WORKER_LISTING_H

#include "src/worker/child.h"
#include "src/worker/collect.h"
#include "src/worker/reporting.h"

#define TXG_LISTING_LIMIT       INT64_C(30000000)  /* microseconds that one program has for it */
#define TXG_LISTING_SUITE_LIMIT INT64_C(600000000) /* and one that stands for a whole suite */
#define TXG_LISTING_MAX         (256u << 20)       /* bytes of one listing */

struct txg_listing {
    struct txg_child *child; /* borrowed */
    struct txg_collection *collection;
    const struct txg_strv *env;
    const struct txg_buf *hello;
    struct txg_reporting *reporting; /* borrowed, as the four above */
    struct txg_buf text;             /* of the program that runs */
    size_t next;                     /* program */
    int64_t limit, kill_at;
    bool late, large;
    bool stays;  /* the last program has listed its cases and lives on, to run them */
    bool ahead;  /* as it promised: docs/harness.md, section 5 */
    bool speaks; /* our version of it */
};

/* Starts the next program that is to be listed. False: all are. */
bool txg_listing_start(struct txg_listing *l, int64_t now);

/* What the child wrote to stdout. */
void txg_listing_feed(void *listing, const void *data, size_t len);

/* What a harness says that talks. */
void txg_listing_hear(struct txg_listing *l);

/* Who was to stay is not needed: it is told to end. */
void txg_listing_dismiss(struct txg_listing *l);

/* The child has ended: its words are read, unless it was to stay. */
void txg_listing_take(struct txg_listing *l);

/* Kills a program that takes too long. */
void txg_listing_check_time(struct txg_listing *l, int64_t now);

#endif
