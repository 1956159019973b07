#include "config.h"

#include "src/state/records.h"

#include <stdlib.h>
#include <string.h>

#define PIECE        65536
#define WORDS_SOUGHT 256 /* more than any lab has: a file may say otherwise */

void txg_records_release(struct txg_records *t)
{
    free(t->items);
    free(t->slots);
    txg_strv_release(&t->words);
    txg_strv_release(&t->pieces);
    *t = (struct txg_records){0};
}

/* As long as the table lives. */
static const char *keep(struct txg_records *t, struct txg_span text)
{
    size_t size = text.len > PIECE ? text.len : PIECE;
    if (text.len == 0)
        return "";
    if (text.len > t->left) {
        t->left = size;
        txg_strv_take(&t->pieces, txg_xmalloc(size));
    }
    char *at = t->pieces.items[t->pieces.n - 1] + size - t->left;
    memcpy(at, text.data, text.len);
    t->left -= text.len;
    return at;
}

const char *txg_records_word(struct txg_records *t, struct txg_span text)
{
    for (size_t i = 0; i < t->words.n && i < WORDS_SOUGHT; i++)
        if (txg_span_is(text, t->words.items[i]))
            return t->words.items[i];
    txg_strv_take(&t->words, txg_xstrndup(text.data, text.len));
    return t->words.items[t->words.n - 1];
}

static bool is_of(const struct txg_record *a, const struct txg_record *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->nodeid, b->nodeid, a->len) == 0;
}

/* A test fails or it does not: both have one place. */
static bool is_same(const struct txg_record *a, const struct txg_record *b)
{
    return (a->kind == TXG_RECORD_TIME) == (b->kind == TXG_RECORD_TIME) && is_of(a, b) &&
           (a->kind != TXG_RECORD_TIME ||
            ((a->arch == b->arch || strcmp(a->arch, b->arch) == 0) &&
             (a->label == b->label || strcmp(a->label, b->label) == 0)));
}

static uint32_t *slot_of(const struct txg_records *t, const struct txg_record *r)
{
    for (size_t at = (size_t)r->hash;; at++) {
        uint32_t *slot = &t->slots[at & (t->n_slots - 1)];
        if (*slot == 0 || is_same(&t->items[*slot - 1], r))
            return slot;
    }
}

int txg_records_told(const struct txg_records *t, const struct txg_record *r)
{
    int told = 0;
    for (size_t at = (size_t)r->hash; t->n_slots; at++) {
        uint32_t slot = t->slots[at & (t->n_slots - 1)];
        if (slot == 0)
            break;
        const struct txg_record *other = &t->items[slot - 1];
        if (other->fresh && is_of(other, r))
            told |= other->kind == TXG_RECORD_TIME     ? TXG_TOLD_TIME
                    : other->kind == TXG_RECORD_FAILED ? TXG_TOLD_FAILED
                                                       : 0;
    }
    return told;
}

static void make_room(struct txg_records *t)
{
    if (t->n_slots > 2 * t->n)
        return;
    free(t->slots);
    t->n_slots = t->n_slots ? 4 * t->n_slots : 64;
    t->slots = txg_xcalloc(t->n_slots, sizeof *t->slots);
    for (size_t i = 0; i < t->n; i++)
        *slot_of(t, &t->items[i]) = (uint32_t)i + 1;
}

/* Where what is said of the same stands; a new place where nothing is. */
static size_t place_of(struct txg_records *t, const struct txg_record *r)
{
    if (t->next < t->n && is_same(&t->items[t->next], r))
        return t->next;
    make_room(t);
    uint32_t *slot = slot_of(t, r);
    if (*slot == 0) {
        t->items = txg_grow(t->items, t->n, &t->cap, sizeof *t->items);
        t->items[t->n++] = *r;
        *slot = (uint32_t)t->n;
    }
    return *slot - 1;
}

void txg_records_put(struct txg_records *t, const struct txg_record *r)
{
    size_t place = place_of(t, r);
    struct txg_record *known = &t->items[place];
    if (!(known->fresh && known->kind == TXG_RECORD_FAILED && r->kind == TXG_RECORD_ENDED))
        *known = *r;
    t->next = place + 1;
}

void txg_records_adopt(struct txg_records *t, char *text)
{
    txg_strv_take(&t->pieces, text);
    t->left = 0;
}

void txg_records_borrow(struct txg_record *r, struct txg_span nodeid)
{
    r->nodeid = nodeid.data;
    r->len = nodeid.len;
    r->hash = txg_hash_key(nodeid.data, nodeid.len);
}

void txg_records_name(struct txg_records *t, struct txg_record *r, struct txg_span nodeid)
{
    txg_records_borrow(r, txg_span(keep(t, nodeid), nodeid.len));
}
