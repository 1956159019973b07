#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/report/capture.h"
#include "src/report/stash.h"
#include "tests/lib/suite.h"

static const struct txg_gateway_info gw0 = {.number = 0, .id = "gw0"};
static const struct txg_gateway_info gw9 = {.number = 9, .id = "gw9"};

static void add(struct txg_captures *cs, const struct txg_gateway_info *g, int stream, bool tail,
                const char *data, size_t len)
{
    txg_captures_add(
        cs, &(struct txg_event){.type = TXG_EVENT_TEST_OUTPUT,
                                .gateway = g,
                                .output = {.stream = stream, .tail = tail, .data = {data, len}}});
}

static void piece(void *user, const char *data, size_t len, bool gap)
{
    if (gap)
        txg_buf_putc(user, '|');
    txg_buf_append(user, data, len);
}

static struct txg_buf read_all(struct txg_captures *cs, const struct txg_gateway_info *g,
                               int stream)
{
    struct txg_buf b = {0};
    const struct txg_capture *c = txg_captures_get(cs, g, stream);
    if (c)
        txg_capture_read(cs, c, piece, &b);
    return b;
}

static void check(struct txg_captures *cs, const struct txg_gateway_info *g, int stream,
                  const char *expected)
{
    struct txg_buf b = read_all(cs, g, stream);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), expected);
    txg_buf_release(&b);
}

static void short_output_stays_in_memory(void)
{
    struct txg_captures cs = {0};
    CU_ASSERT_PTR_NULL(txg_captures_get(&cs, &gw0, 1));
    CU_ASSERT_PTR_NULL(txg_captures_get(&cs, NULL, 1));
    add(&cs, &gw9, 1, false, "out", 3);
    add(&cs, &gw9, 2, false, "err", 3);
    add(&cs, &gw9, 1, false, "put", 3);
    CU_ASSERT_EQUAL(cs.file_blocks, 0);
    check(&cs, &gw9, 1, "output");
    check(&cs, &gw9, 2, "err");
    CU_ASSERT_PTR_NULL(txg_captures_get(&cs, &gw0, 1));
    txg_captures_clear(&cs, &gw9);
    CU_ASSERT_PTR_NULL(txg_captures_get(&cs, &gw9, 1));
    txg_captures_clear(&cs, NULL);
    txg_captures_release(&cs);
}

static void gaps_keep_their_place(void)
{
    struct txg_captures cs = {0};
    add(&cs, &gw0, 1, false, "head", 4);
    add(&cs, &gw0, 1, true, "tail", 4);
    add(&cs, &gw0, 1, false, "+", 1);
    check(&cs, &gw0, 1, "head|tail+");
    add(&cs, &gw0, 2, true, "", 0);
    check(&cs, &gw0, 2, "|");
    txg_captures_release(&cs);
}

/* Many gateways at once, byte for byte, and the blocks are used again. */
static void long_output_goes_through_the_file(void)
{
    struct txg_captures cs = {0};
    enum { PIECES = 300, LEN = 1000 };
    char data[LEN];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PIECES; i++)
            for (int k = 0; k < 2; k++) {
                memset(data, 'a' + (i + k + round) % 26, sizeof data);
                add(&cs, k ? &gw9 : &gw0, 1 + k, false, data, sizeof data);
            }
        for (int k = 0; k < 2; k++) {
            struct txg_buf b = read_all(&cs, k ? &gw9 : &gw0, 1 + k);
            CU_ASSERT_EQUAL(txg_buf_len(&b), PIECES * LEN);
            bool same = true;
            for (size_t at = 0; at < txg_buf_len(&b); at++)
                same = same &&
                       txg_buf_data(&b)[at] == (char)('a' + ((int)(at / LEN) + k + round) % 26);
            CU_ASSERT(same);
            txg_buf_release(&b);
        }
        txg_captures_clear(&cs, &gw0);
        txg_captures_clear(&cs, &gw9);
    }
    CU_ASSERT_EQUAL(cs.file_blocks, 2 * (PIECES * LEN / TXG_CAPTURE_BLOCK + 1));
    txg_captures_release(&cs);
}

static void limits_keep_head_and_tail(void)
{
    struct txg_captures cs = {.head_blocks = 1, .tail_blocks = 2};
    char data[TXG_CAPTURE_BLOCK];
    for (int i = 0; i < 10; i++) {
        memset(data, '0' + i, sizeof data);
        add(&cs, &gw0, 1, false, data, sizeof data);
    }
    const struct txg_capture *c = txg_captures_get(&cs, &gw0, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(c->dropped, 7 * TXG_CAPTURE_BLOCK);
    CU_ASSERT(cs.file_blocks <= 4);
    struct txg_buf b = read_all(&cs, &gw0, 1);
    CU_ASSERT_EQUAL(txg_buf_len(&b), 3 * TXG_CAPTURE_BLOCK + 1);
    CU_ASSERT_EQUAL(txg_buf_data(&b)[0], '0');
    CU_ASSERT_EQUAL(txg_buf_data(&b)[TXG_CAPTURE_BLOCK], '|');
    CU_ASSERT_EQUAL(txg_buf_data(&b)[TXG_CAPTURE_BLOCK + 1], '8');
    txg_buf_release(&b);
    txg_captures_release(&cs);
}

/* Without a place for the file nothing is lost silently. */
static void a_missing_directory_is_told(void)
{
    const char *was = getenv("TMPDIR");
    char *kept = was ? strdup(was) : NULL;
    setenv("TMPDIR", "/nonexistent/dir", 1);
    struct txg_captures cs = {0};
    struct txg_stash s = {0};
    static char data[70000];
    add(&cs, &gw0, 1, false, data, sizeof data);
    CU_ASSERT_EQUAL(cs.errnum, ENOENT);
    const struct txg_capture *c = txg_captures_get(&cs, &gw0, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(c->dropped, sizeof data);
    check(&cs, &gw0, 1, "|");
    txg_stash_append(&s, data, sizeof data);
    CU_ASSERT_EQUAL(s.errnum, ENOENT);
    CU_ASSERT_FALSE(txg_stash_is_empty(&s));
    txg_captures_release(&cs);
    txg_stash_release(&s);
    if (kept)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    free(kept);
}

static void collect(void *user, const void *data, size_t len)
{
    CU_ASSERT(len <= 65536 + 1000);
    txg_buf_append(user, data, len);
}

static void a_stash_gives_back_all_in_order(void)
{
    struct txg_stash s = {0};
    struct txg_buf in = {0}, out = {0};
    CU_ASSERT(txg_stash_is_empty(&s));
    for (int i = 0; i < 30000; i++) {
        char line[32];
        int n = snprintf(line, sizeof line, "line %d\n", i);
        txg_stash_append(&s, line, (size_t)n);
        txg_buf_append(&in, line, (size_t)n);
    }
    CU_ASSERT(s.spilled);
    CU_ASSERT(s.mem.cap <= 1u << 18);
    txg_stash_read(&s, collect, &out);
    CU_ASSERT_EQUAL(txg_buf_len(&out), txg_buf_len(&in));
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&out), txg_buf_cstr(&in));
    txg_buf_release(&in);
    txg_buf_release(&out);
    txg_stash_release(&s);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"short output stays in memory", short_output_stays_in_memory},
        {"gaps keep their place", gaps_keep_their_place},
        {"long output goes through the file", long_output_goes_through_the_file},
        {"limits keep head and tail", limits_keep_head_and_tail},
        {"a missing directory is told", a_missing_directory_is_told},
        {"a stash gives back all in order", a_stash_gives_back_all_in_order},
        {0},
    };
    return txg_suite_main(argc, argv, "capture", tests);
}
