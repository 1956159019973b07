/*
 * What gateways collected. Equal collections are kept once, found by count and digest, however many
 * gateways hold them.
 */
#ifndef TXG_SESSION_COLLECTION_H
#define TXG_SESSION_COLLECTION_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/wire/message.h"

#define TXG_TESTS_MAX      (16u << 20)  /* in one collection */
#define TXG_TESTS_TEXT_MAX (512u << 20) /* bytes of their nodeids */

struct txg_tests { /* one collection, in the order of its gateway's indices */
    size_t n, cap;
    uint64_t digest; /* over what is there so far */
    uint32_t *suites;
    uint32_t *starts; /* of each nodeid in text; n + 1 of them */
    struct txg_buf text;
    uint32_t *ids;    /* index -> the run's number of the test; made by txg_catalog_add */
    uint32_t *places; /* number -> index + 1, 0: not held; NULL: they are the same */
    size_t n_places;
    unsigned first_holder; /* number of the gateway that brought it */
};

struct txg_tests *txg_tests_new(void);
void txg_tests_free(struct txg_tests *t);
struct txg_span txg_tests_nodeid(const struct txg_tests *t, size_t index);

/* Where the test of that number stands. SIZE_MAX: nowhere. Only after txg_catalog_add. */
size_t txg_tests_index(const struct txg_tests *t, size_t number);

/* The next records, which must follow what is there. -1: they do not, a suite is unknown, or there
 * are too many. */
int txg_tests_append(struct txg_tests *t, const struct txg_msg_collection *msg, size_t n_suites,
                     struct txg_err *err);

/* All tests of a run by nodeid: a test that several collections hold has one number. */
struct txg_catalog {
    struct txg_tests **collections; /* owned */
    size_t n, cap;
    size_t n_tests;  /* numbers given out: 0 .. n_tests - 1 */
    uint64_t *slots; /* hash table: the hash's upper half, below it the number + 1; 0 is free */
    size_t n_slots;
    struct txg_catalog_test {
        uint32_t collection; /* the first that holds it */
        uint32_t index;      /* there */
    } * tests;
    size_t cap_tests;
};

/* Borrowed, or NULL: nobody sent such a collection yet. */
struct txg_tests *txg_catalog_find(const struct txg_catalog *c, size_t count, uint64_t digest);

/* Takes a complete collection and numbers its tests. -1: a nodeid stands in it twice; it is freed,
 * and nothing is changed. */
int txg_catalog_add(struct txg_catalog *c, struct txg_tests *tests, struct txg_err *err);
/* SIZE_MAX: no collection holds it. */
size_t txg_catalog_number(const struct txg_catalog *c, struct txg_span nodeid);
struct txg_span txg_catalog_nodeid(const struct txg_catalog *c, size_t number);
size_t txg_catalog_suite(const struct txg_catalog *c, size_t number);
void txg_catalog_release(struct txg_catalog *c);

#endif
