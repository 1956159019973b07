#include "config.h"

#include <stdlib.h>

#include "src/worker/queue.h"
#include "tests/lib/suite.h"

static size_t steal(struct txg_queue *q, int64_t first, int64_t count)
{
    struct txg_msg_range range = {first, count}, *taken = NULL;
    struct txg_msg_indices wanted = {.ranges = &range, .n_ranges = 1};
    size_t n = 0, cap = 0, sum = 0;
    txg_queue_steal(q, &wanted, &taken, &n, &cap);
    for (size_t i = 0; i < n; i++)
        sum += (size_t)taken[i].count;
    free(taken);
    return sum;
}

static void what_was_stolen_is_not_popped(void)
{
    struct txg_queue q = {0};
    int64_t index;
    for (int64_t i = 0; i < 10; i++)
        txg_queue_push(&q, i);
    CU_ASSERT_EQUAL(steal(&q, 3, 4), 4);
    CU_ASSERT_EQUAL(steal(&q, 3, 4), 0);
    static const int64_t left[] = {0, 1, 2, 7, 8, 9};
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT(txg_queue_pop(&q, &index));
        CU_ASSERT_EQUAL(index, left[i]);
    }
    CU_ASSERT_FALSE(txg_queue_pop(&q, &index));
    txg_queue_release(&q);
}

/* The worker looks at head and tail for whether it is done. */
static void a_queue_that_was_stolen_is_empty(void)
{
    struct txg_queue q = {0};
    for (int64_t i = 0; i < 5; i++)
        txg_queue_push(&q, i);
    CU_ASSERT_EQUAL(steal(&q, 1, 4), 4);
    CU_ASSERT_EQUAL(q.tail - q.head, 5);
    CU_ASSERT_EQUAL(steal(&q, 0, 5), 1);
    CU_ASSERT_EQUAL(q.tail, q.head);
    txg_queue_release(&q);
}

static void ranges_come_in_any_order(void)
{
    struct txg_queue q = {0};
    struct txg_msg_range ranges[] = {{7, 1}, {2, 2}, {3, 2}, {0, 1}, {7, 1}}, *taken = NULL;
    struct txg_msg_indices wanted = {.ranges = ranges, .n_ranges = 5};
    size_t n = 0, cap = 0;
    for (int64_t i = 9; i >= 0; i--)
        txg_queue_push(&q, i);
    txg_queue_steal(&q, &wanted, &taken, &n, &cap);
    CU_ASSERT_EQUAL_FATAL(n, 5);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(taken[i].first, ((int64_t[]){7, 4, 3, 2, 0})[i]);
        CU_ASSERT_EQUAL(taken[i].count, 1);
    }
    free(taken);
    txg_queue_release(&q);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"what was stolen is not popped", what_was_stolen_is_not_popped},
        {"a queue that was stolen is empty", a_queue_that_was_stolen_is_empty},
        {"ranges come in any order", ranges_come_in_any_order},
        {0},
    };
    return txg_suite_main(argc, argv, "queue", tests);
}
