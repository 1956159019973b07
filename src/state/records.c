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

/* NUL-terminated, as long as the table lives. */
static const char *keep(struct txg_records *t, const char *data, size_t len)
{
    if (len + 1 > t->left) {
        t->left = len + 1 > PIECE ? len + 1 : PIECE;
        txg_strv_take(&t->pieces, txg_xmalloc(t->left));
    }
    size_t size = len + 1 > PIECE ? len + 1 : PIECE;
    char *at = t->pieces.items[t->pieces.n - 1] + size - t->left;
    memcpy(at, data, len);
    at[len] = '\0';
    t->left -= len + 1;
    return at;
}

const char *txg_records_word(struct txg_records *t, const char *text)
{
    for (size_t i = 0; i < t->words.n && i < WORDS_SOUGHT; i++)
        if (strcmp(t->words.items[i], text) == 0)
            return t->words.items[i];
    txg_strv_push(&t->words, text);
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
            (strcmp(a->arch, b->arch) == 0 && strcmp(a->label, b->label) == 0));
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

void txg_records_put(struct txg_records *t, const struct txg_record *r)
{
    make_room(t);
    uint32_t *slot = slot_of(t, r);
    if (*slot == 0) {
        t->items = txg_grow(t->items, t->n, &t->cap, sizeof *t->items);
        t->items[t->n++] = *r;
        *slot = (uint32_t)t->n;
        return;
    }
    struct txg_record *old = &t->items[*slot - 1];
    if (!(old->fresh && old->kind == TXG_RECORD_FAILED && r->kind == TXG_RECORD_ENDED))
        *old = *r;
}

void txg_records_name(struct txg_records *t, struct txg_record *r, const char *data, size_t len)
{
    r->nodeid = keep(t, data, len);
    r->len = strlen(r->nodeid);
    r->hash = txg_hash(TXG_HASH_START, r->nodeid, r->len);
}
