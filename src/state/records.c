#include "config.h"

#include "src/state/records.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_SOUGHT 256 /* more than any lab has: a file may say otherwise */

void txg_records_release(struct txg_records *t)
{
    free(t->items);
    free(t->slots);
    txg_strv_release(&t->words);
    txg_arena_release(&t->texts);
    *t = (struct txg_records){0};
}

const char *txg_records_word(struct txg_records *t, struct txg_span text)
{
    for (size_t i = 0; i < t->words.n && i < WORDS_SOUGHT; i++)
        if (txg_span_is(text, t->words.items[i]))
            return t->words.items[i];
    txg_strv_take(&t->words, txg_xstrndup(text.data, text.len));
    return t->words.items[t->words.n - 1];
}

static size_t record_in(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

static bool is_of(const struct txg_record *a, const struct txg_record *b)
{
    return a->len == b->len && memcmp(a->nodeid, b->nodeid, a->len) == 0;
}

/* A test fails or it does not: both have one place. */
static bool is_same(const struct txg_record *a, const struct txg_record *b)
{
    return (a->kind == TXG_RECORD_TIME) == (b->kind == TXG_RECORD_TIME) && is_of(a, b) &&
           (a->kind != TXG_RECORD_TIME ||
            ((a->arch == b->arch || strcmp(a->arch, b->arch) == 0) &&
             (a->label == b->label || strcmp(a->label, b->label) == 0)));
}

static uint64_t hash_of(const struct txg_record *r)
{
    return txg_hash_key(r->nodeid, r->len);
}

/* The slot of the record, or the free one where it belongs. */
static uint64_t *slot_of(const struct txg_records *t, const struct txg_record *r, uint64_t hash)
{
    for (size_t at = (size_t)hash;; at++) {
        uint64_t *slot = &t->slots[at & (t->n_slots - 1)];
        if (*slot == 0 || (*slot >> 32 == hash >> 32 && is_same(&t->items[record_in(*slot)], r)))
            return slot;
    }
}

static void index_item(struct txg_records *t, size_t place)
{
    struct txg_record *r = &t->items[place];
    uint64_t *slot = slot_of(t, r, r->hash);
    if (*slot == 0) {
        *slot = (r->hash & ~(uint64_t)UINT32_MAX) | (uint32_t)(place + 1);
        return;
    }
    struct txg_record *first = &t->items[record_in(*slot)];
    t->n_stale -= r->kind == TXG_RECORD_FAILED && !r->fresh;
    if (!first->fresh)
        *first = *r;
    r->kind = TXG_RECORD_ENDED;
    r->hash = 0; /* it stands there twice: this one is left out */
}

/* Everything is in the hash table, and there is room in it for one more. */
static void make_index(struct txg_records *t)
{
    if (t->n_slots <= 2 * t->n) {
        free(t->slots);
        t->n_slots = t->n_slots ? t->n_slots : 64;
        while (t->n_slots <= 2 * t->n)
            t->n_slots *= 2;
        t->slots = txg_xcalloc(t->n_slots, sizeof *t->slots);
        for (size_t i = 0; i < t->n_indexed; i++)
            if (t->items[i].hash)
                index_item(t, i);
    }
    for (; t->n_indexed < t->n; t->n_indexed++) {
        t->items[t->n_indexed].hash = hash_of(&t->items[t->n_indexed]);
        index_item(t, t->n_indexed);
    }
}

int txg_records_told(struct txg_records *t, const struct txg_record *r)
{
    int told = 0;
    uint64_t hash = hash_of(r);
    make_index(t);
    for (size_t at = (size_t)hash;; at++) {
        uint64_t slot = t->slots[at & (t->n_slots - 1)];
        if (slot == 0)
            return told;
        if (slot >> 32 != hash >> 32)
            continue;
        const struct txg_record *other = &t->items[record_in(slot)];
        if (other->fresh && is_of(other, r))
            told |= other->kind == TXG_RECORD_TIME     ? TXG_TOLD_TIME
                    : other->kind == TXG_RECORD_FAILED ? TXG_TOLD_FAILED
                                                       : 0;
    }
}

void txg_records_absolve(struct txg_records *t, const struct txg_record *r)
{
    struct txg_record failed = *r;
    failed.kind = TXG_RECORD_FAILED;
    if (t->n_stale == 0)
        return;
    make_index(t);
    uint64_t slot = *slot_of(t, &failed, hash_of(r));
    struct txg_record *known = slot ? &t->items[record_in(slot)] : NULL;
    if (known && !known->fresh && known->kind == TXG_RECORD_FAILED) {
        known->kind = TXG_RECORD_ENDED;
        t->n_stale--;
    }
}

void txg_records_append(struct txg_records *t, const struct txg_record *r)
{
    t->items = txg_grow(t->items, t->n, &t->cap, sizeof *t->items);
    t->items[t->n] = *r;
    t->items[t->n++].hash = 0;
    t->n_stale += r->kind == TXG_RECORD_FAILED;
}

/* Where what is said of the same stands; t->n: nowhere. */
static size_t find(struct txg_records *t, const struct txg_record *r)
{
    bool left_out = t->next < t->n_indexed && t->items[t->next].hash == 0;
    if (t->next < t->n && !left_out && is_same(&t->items[t->next], r))
        return t->next;
    make_index(t);
    uint64_t slot = *slot_of(t, r, hash_of(r));
    return slot ? record_in(slot) : t->n;
}

void txg_records_put(struct txg_records *t, const struct txg_record *r)
{
    size_t place = find(t, r);
    t->next = place + 1;
    if (place == t->n) {
        txg_records_append(t, r);
        t->n_stale -= r->kind == TXG_RECORD_FAILED;
        txg_records_keep(t, &t->items[place]);
        return;
    }
    struct txg_record *known = &t->items[place];
    if (known->fresh && known->kind == TXG_RECORD_FAILED && r->kind == TXG_RECORD_ENDED)
        return;
    t->n_stale -= known->kind == TXG_RECORD_FAILED && !known->fresh;
    struct txg_record before = *known;
    *known = *r;
    known->nodeid = before.nodeid;
    known->hash = before.hash;
}

void txg_records_borrow(struct txg_record *r, struct txg_span nodeid)
{
    r->nodeid = nodeid.data;
    r->len = nodeid.len;
}

void txg_records_keep(struct txg_records *t, struct txg_record *r)
{
    r->nodeid = txg_arena_copy(&t->texts, txg_span(r->nodeid, r->len));
}
