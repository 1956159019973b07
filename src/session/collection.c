#include "config.h"

#include "src/session/collection.h"

#include <stdlib.h>
#include <string.h>

struct txg_tests *txg_tests_new(void)
{
    struct txg_tests *t = txg_xcalloc(1, sizeof *t);
    t->digest = TXG_HASH_START;
    return t;
}

void txg_tests_free(struct txg_tests *t)
{
    if (!t)
        return;
    free(t->suites);
    free(t->starts);
    free(t->ids);
    free(t->places);
    txg_buf_release(&t->text);
    free(t);
}

struct txg_span txg_tests_nodeid(const struct txg_tests *t, size_t index)
{
    return txg_span(txg_buf_data(&t->text) + t->starts[index],
                    t->starts[index + 1] - t->starts[index]);
}

size_t txg_tests_index(const struct txg_tests *t, size_t number)
{
    if (!t->places)
        return number < t->n ? number : SIZE_MAX;
    return number < t->n_places ? (size_t)t->places[number] - 1 : SIZE_MAX;
}

/* Not where all hold the same, which is the usual case. */
static void note_places(struct txg_tests *t, size_t n_numbers)
{
    size_t same = 0;
    while (same < t->n && t->ids[same] == same)
        same++;
    if (same == t->n)
        return;
    t->n_places = n_numbers;
    t->places = txg_xcalloc(n_numbers, sizeof *t->places);
    for (size_t i = 0; i < t->n; i++)
        t->places[t->ids[i]] = (uint32_t)i + 1;
}

int txg_tests_append(struct txg_tests *t, const struct txg_msg_collection *msg, size_t n_suites,
                     struct txg_err *err)
{
    if (msg->first != (int64_t)t->n)
        return txg_err_set(err, TXG_E_PROTO, "collection: record %lld came where %zu was expected",
                           (long long)msg->first, t->n);
    if (t->n + msg->n_records > TXG_TESTS_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "collection: more than %u tests", TXG_TESTS_MAX);
    while (t->n + msg->n_records + 1 > t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->suites = txg_xrealloc_array(t->suites, t->cap, sizeof *t->suites);
        t->starts = txg_xrealloc_array(t->starts, t->cap, sizeof *t->starts);
    }
    for (size_t i = 0; i < msg->n_records; i++) {
        const struct txg_msg_record *record = &msg->records[i];
        if ((uint64_t)record->suite >= n_suites)
            return txg_err_set(err, TXG_E_PROTO, "collection: there is no suite %lld",
                               (long long)record->suite);
        if (record->nodeid.len > TXG_TESTS_TEXT_MAX - txg_buf_len(&t->text))
            return txg_err_set(err, TXG_E_LIMIT, "collection: more than %u MiB of names",
                               TXG_TESTS_TEXT_MAX >> 20);
        t->digest = txg_collection_digest(t->digest, record);
        t->suites[t->n] = (uint32_t)record->suite;
        t->starts[t->n++] = (uint32_t)txg_buf_len(&t->text);
        txg_buf_append(&t->text, record->nodeid.data, record->nodeid.len);
        t->starts[t->n] = (uint32_t)txg_buf_len(&t->text);
    }
    return 0;
}

struct txg_tests *txg_catalog_find(const struct txg_catalog *c, size_t count, uint64_t digest)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->collections[i]->n == count && c->collections[i]->digest == digest)
            return c->collections[i];
    return NULL;
}

struct txg_span txg_catalog_nodeid(const struct txg_catalog *c, size_t number)
{
    const struct txg_catalog_test *test = &c->tests[number];
    return txg_tests_nodeid(c->collections[test->collection], test->index);
}

size_t txg_catalog_suite(const struct txg_catalog *c, size_t number)
{
    const struct txg_catalog_test *test = &c->tests[number];
    return c->collections[test->collection]->suites[test->index];
}

static size_t number_in(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

/* The slot of the nodeid, or the free one where it belongs. */
static uint64_t *slot_of(const struct txg_catalog *c, struct txg_span nodeid, uint64_t hash)
{
    size_t mask = c->n_slots - 1;
    for (size_t at = (size_t)hash;; at++) {
        uint64_t *slot = &c->slots[at & mask];
        if (*slot == 0 || (*slot >> 32 == hash >> 32 &&
                           txg_span_equal(txg_catalog_nodeid(c, number_in(*slot)), nodeid)))
            return slot;
    }
}

static uint64_t hash_of(struct txg_span nodeid)
{
    return txg_hash_key(nodeid.data, nodeid.len);
}

static void occupy(uint64_t *slot, uint64_t hash, size_t number)
{
    *slot = (hash & ~(uint64_t)UINT32_MAX) | (uint32_t)(number + 1);
}

size_t txg_catalog_number(const struct txg_catalog *c, struct txg_span nodeid)
{
    uint64_t slot = c->n_slots ? *slot_of(c, nodeid, hash_of(nodeid)) : 0;
    return slot ? number_in(slot) : SIZE_MAX;
}

static void occupy_all(struct txg_catalog *c)
{
    for (size_t i = 0; i < c->n_tests; i++) {
        struct txg_span nodeid = txg_catalog_nodeid(c, i);
        uint64_t hash = hash_of(nodeid);
        occupy(slot_of(c, nodeid, hash), hash, i);
    }
}

static void make_room(struct txg_catalog *c, size_t more)
{
    if (c->n_slots >= 2 * (c->n_tests + more) && c->n_slots)
        return;
    free(c->slots);
    c->n_slots = c->n_slots ? c->n_slots : 64;
    while (c->n_slots < 2 * (c->n_tests + more))
        c->n_slots *= 2;
    c->slots = txg_xcalloc(c->n_slots, sizeof *c->slots);
    occupy_all(c);
}

/* As if the last collection had never come: its own tests have no numbers any more. */
static void take_back(struct txg_catalog *c, size_t n_tests)
{
    c->n_tests = n_tests;
    memset(c->slots, 0, c->n_slots * sizeof *c->slots);
    occupy_all(c);
}

int txg_catalog_add(struct txg_catalog *c, struct txg_tests *tests, struct txg_err *err)
{
    if (c->n_tests + tests->n >= UINT32_MAX) {
        txg_tests_free(tests);
        return txg_err_set(err, TXG_E_LIMIT, "collections: more than %u different tests",
                           UINT32_MAX);
    }
    make_room(c, tests->n);
    size_t before = c->n_tests;
    c->collections = txg_grow(c->collections, c->n, &c->cap, sizeof *c->collections);
    c->collections[c->n] = tests; /* for the look-ups: it counts when all is well */
    tests->ids = txg_xcalloc(tests->n, sizeof *tests->ids);
    TXG_AUTOFREE char *seen = txg_xcalloc(before, 1);
    for (size_t i = 0; i < tests->n; i++) {
        struct txg_span nodeid = txg_tests_nodeid(tests, i);
        uint64_t hash = hash_of(nodeid), *slot = slot_of(c, nodeid, hash);
        if (*slot == 0) {
            c->tests = txg_grow(c->tests, c->n_tests, &c->cap_tests, sizeof *c->tests);
            c->tests[c->n_tests] = (struct txg_catalog_test){(uint32_t)c->n, (uint32_t)i};
            occupy(slot, hash, c->n_tests++);
        } else if (number_in(*slot) >= before || seen[number_in(*slot)]) {
            txg_err_set(err, TXG_E_PROTO, "collection: '%.*s' stands in it twice", TXG_FMT(nodeid));
            take_back(c, before);
            txg_tests_free(tests);
            return -1;
        } else {
            seen[number_in(*slot)] = 1;
        }
        tests->ids[i] = (uint32_t)number_in(*slot);
    }
    note_places(tests, c->n_tests);
    c->n++;
    return 0;
}

void txg_catalog_release(struct txg_catalog *c)
{
    for (size_t i = 0; i < c->n; i++)
        txg_tests_free(c->collections[i]);
    free(c->collections);
    free(c->slots);
    free(c->tests);
    *c = (struct txg_catalog){0};
}
