#include "config.h"

#include "src/session/node.h"

#include <string.h>

void txg_held_push(struct txg_held *h, size_t index)
{
    if (h->head == h->tail) {
        txg_held_clear(h);
    } else if (h->tail == h->cap && h->head >= h->cap / 2) {
        memmove(h->items, h->items + h->head, (h->tail - h->head) * sizeof *h->items);
        h->tail -= h->head;
        h->head = 0;
        h->moved++;
    }
    h->items = txg_grow(h->items, h->tail, &h->cap, sizeof *h->items);
    h->items[h->tail++] = index;
}

size_t txg_held_count(const struct txg_held *h)
{
    return h->tail - h->head;
}

void txg_held_clear(struct txg_held *h)
{
    h->head = h->tail = 0;
    h->moved++;
}

bool txg_held_remove(struct txg_held *h, size_t first, const bool *marked, size_t count)
{
    size_t found = 0, to = first;
    for (size_t i = first; i < h->tail; i++)
        found += marked[h->items[i]];
    if (found != count)
        return false;
    for (size_t i = first; i < h->tail; i++)
        if (!marked[h->items[i]])
            h->items[to++] = h->items[i];
    h->tail = to;
    h->moved++;
    return true;
}
