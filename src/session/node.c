#include "config.h"

#include "src/session/node.h"

#include <string.h>

void txg_held_push(struct txg_held *h, size_t index)
{
    if (h->head == h->tail) {
        h->head = h->tail = 0;
    } else if (h->tail == h->cap && h->head >= h->cap / 2) {
        memmove(h->items, h->items + h->head, (h->tail - h->head) * sizeof *h->items);
        h->tail -= h->head;
        h->head = 0;
    }
    h->items = txg_grow(h->items, h->tail, &h->cap, sizeof *h->items);
    h->items[h->tail++] = index;
}

size_t txg_held_count(const struct txg_held *h)
{
    return h->tail - h->head;
}

bool txg_held_remove(struct txg_held *h, size_t index)
{
    for (size_t i = h->head; i < h->tail; i++) {
        if (h->items[i] != index)
            continue;
        if (i == h->head) {
            h->head++;
        } else {
            memmove(h->items + i, h->items + i + 1, (h->tail - i - 1) * sizeof *h->items);
            h->tail--;
        }
        return true;
    }
    return false;
}
