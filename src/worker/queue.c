#include "config.h"

#include "src/worker/queue.h"

#include <stdlib.h>
#include <string.h>

void txg_queue_push(struct txg_queue *q, int64_t index)
{
    if (q->head == q->tail) {
        q->head = q->tail = 0;
    } else if (q->tail == q->cap && q->head >= q->cap / 2) {
        memmove(q->items, q->items + q->head, (q->tail - q->head) * sizeof *q->items);
        q->tail -= q->head;
        q->head = 0;
    }
    q->items = txg_grow(q->items, q->tail, &q->cap, sizeof *q->items);
    q->items[q->tail++] = index;
}

bool txg_queue_peek(struct txg_queue *q, int64_t *index)
{
    for (; q->head < q->tail; q->head++) {
        *index = q->items[q->head];
        if (*index >= 0)
            return true;
    }
    return false;
}

bool txg_queue_pop(struct txg_queue *q, int64_t *index)
{
    bool any = txg_queue_peek(q, index);
    q->head += any;
    return any;
}

void txg_queue_unpop(struct txg_queue *q, const int64_t *indices, size_t n)
{
    if (n == 0)
        return;
    if (n > q->head) {
        size_t waiting = q->tail - q->head;
        int64_t *items = txg_xcalloc(n + waiting, sizeof *items);
        if (waiting > 0)
            memcpy(items + n, q->items + q->head, waiting * sizeof *items);
        free(q->items);
        *q = (struct txg_queue){.items = items, .head = n, .tail = n + waiting, .cap = n + waiting};
    }
    q->head -= n;
    memcpy(q->items + q->head, indices, n * sizeof *indices);
}

static int by_first(const void *a, const void *b)
{
    const struct txg_msg_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* Sorted; what overlaps or touches is one. Returns how many. */
static size_t put_in_order(struct txg_msg_range *ranges, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(ranges, n, sizeof *ranges, by_first);
    for (size_t i = 0; i < n; i++) {
        struct txg_msg_range *last = kept ? &ranges[kept - 1] : NULL;
        int64_t end = ranges[i].first + ranges[i].count;
        if (!last || ranges[i].first > last->first + last->count)
            ranges[kept++] = ranges[i];
        else if (end > last->first + last->count)
            last->count = end - last->first;
    }
    return kept;
}

static bool is_wanted(const struct txg_msg_range *ranges, size_t n, int64_t index)
{
    size_t low = 0;
    while (n > 0) {
        size_t middle = low + n / 2;
        if (ranges[middle].first > index) {
            n /= 2;
        } else if (index - ranges[middle].first < ranges[middle].count) {
            return true;
        } else {
            n -= n / 2 + 1;
            low = middle + 1;
        }
    }
    return false;
}

void txg_queue_steal(struct txg_queue *q, const struct txg_msg_indices *wanted,
                     struct txg_msg_range **taken, size_t *n, size_t *cap)
{
    TXG_AUTOFREE struct txg_msg_range *ranges = txg_xcalloc(wanted->n_ranges, sizeof *ranges);
    if (wanted->n_ranges > 0) /* no ranges are no array */
        memcpy(ranges, wanted->ranges, wanted->n_ranges * sizeof *ranges);
    size_t n_ranges = put_in_order(ranges, wanted->n_ranges);
    for (size_t i = q->head; i < q->tail; i++) {
        int64_t index = q->items[i];
        if (index < 0 || !is_wanted(ranges, n_ranges, index))
            continue;
        q->items[i] = -1;
        if (*n && (*taken)[*n - 1].first + (*taken)[*n - 1].count == index) {
            (*taken)[*n - 1].count++;
            continue;
        }
        *taken = txg_grow(*taken, *n, cap, sizeof **taken);
        (*taken)[(*n)++] = (struct txg_msg_range){index, 1};
    }
    /* A queue of holes is empty, and a worker that starts nothing more pops none of them. */
    while (q->head < q->tail && q->items[q->head] < 0)
        q->head++;
}

void txg_queue_release(struct txg_queue *q)
{
    free(q->items);
    *q = (struct txg_queue){0};
}
