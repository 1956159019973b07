#include "config.h"

#include <string.h>

#include "gateway/wire/frame.h"
#include "gateway/wire/guard.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"

static int check(const char *bytes, size_t len)
{
    struct txg_err err = {0};
    return txg_guard_check(bytes, len, &err);
}

/* Tags whose kind stands in their upper bits: the first and the last of each kind. */
static void the_first_and_last_of_each_kind_of_tag(void)
{
    static const struct {
        unsigned char tag;
        size_t behind; /* bytes that must follow */
        char filler;
    } rows[] = {
        {0x00, 0, 0},    {0x7f, 0, 0},   {0xe0, 0, 0},   {0xff, 0, 0}, {0x80, 0, 0},
        {0x90, 0, 0},    {0x91, 1, 0},   {0x9f, 15, 0},  {0xa0, 0, 0}, {0xa1, 1, 'x'},
        {0xbf, 31, 'x'}, {0xc0, 0, 0},   {0xc2, 0, 0},   {0xc3, 0, 0}, {0xca, 4, 'x'},
        {0xcb, 8, 'x'},  {0xcc, 1, 'x'}, {0xcf, 8, 'x'}, {0xd0, 1, 0}, {0xd3, 8, 0},
    };
    char bytes[40];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(bytes, rows[i].filler, sizeof bytes);
        bytes[0] = (char)rows[i].tag;
        for (size_t len = 1; len < sizeof bytes; len++)
            CU_ASSERT_EQUAL(check(bytes, len), len == 1 + rows[i].behind ? 0 : -1);
    }
    CU_ASSERT_EQUAL(check("\x81\xa0\xc0", 3), 0); /* {"": nil} */
    CU_ASSERT_EQUAL(check("\x81\xc0\xc0", 3), -1);
    CU_ASSERT_EQUAL(check("\xc1", 1), -1);
    CU_ASSERT_EQUAL(check("", 0), -1);
}

static void as_many_values_as_there_may_be_and_one_more(void)
{
    /* An array of n values; the array itself may or may not count as one. */
    size_t n, limit = 0;
    char *bytes = txg_xcalloc(1, 5 + TXG_GUARD_NODES_MAX + 2);
    for (n = TXG_GUARD_NODES_MAX - 1; n <= TXG_GUARD_NODES_MAX + 1; n++) {
        const unsigned char head[] = {0xdd, (unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                      (unsigned char)(n >> 8), (unsigned char)n};
        memcpy(bytes, head, sizeof head);
        if (check(bytes, 5 + n) == 0)
            limit = n;
    }
    CU_ASSERT_EQUAL(limit, TXG_GUARD_NODES_MAX);
    txg_cleanup_free(&bytes);
}

static void as_deep_as_it_may_be_and_one_deeper(void)
{
    char bytes[TXG_GUARD_DEPTH_MAX + 2];
    memset(bytes, '\x91', sizeof bytes);
    bytes[TXG_GUARD_DEPTH_MAX] = 0;
    CU_ASSERT_EQUAL(check(bytes, TXG_GUARD_DEPTH_MAX + 1), 0);
    bytes[TXG_GUARD_DEPTH_MAX] = '\x91';
    bytes[TXG_GUARD_DEPTH_MAX + 1] = 0;
    CU_ASSERT_EQUAL(check(bytes, TXG_GUARD_DEPTH_MAX + 2), -1);
}

static void the_longest_frame_and_one_longer(void)
{
    struct txg_frame_reader reader = {0};
    struct txg_frame frame;
    struct txg_err err = {0};
    txg_frame_reader_feed(&reader, "\x00\x10\x00\x00\x00\x00\x00\x01", TXG_FRAME_HEADER);
    CU_ASSERT_EQUAL(txg_frame_reader_next(&reader, &frame, &err), 0);
    char *payload = txg_xcalloc(1, TXG_FRAME_PAYLOAD_MAX);
    txg_frame_reader_feed(&reader, payload, TXG_FRAME_PAYLOAD_MAX);
    CU_ASSERT_EQUAL(txg_frame_reader_next(&reader, &frame, &err), 1);
    CU_ASSERT_EQUAL(frame.payload.len, TXG_FRAME_PAYLOAD_MAX);
    txg_frame_reader_feed(&reader, "\x00\x10\x00\x01\x00\x00\x00\x01", TXG_FRAME_HEADER);
    CU_ASSERT_EQUAL(txg_frame_reader_next(&reader, &frame, &err), -1);
    txg_cleanup_free(&payload);
    txg_frame_reader_release(&reader);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"the first and last of each kind of tag", the_first_and_last_of_each_kind_of_tag},
        {"as many values as there may be, and one more",
         as_many_values_as_there_may_be_and_one_more},
        {"as deep as it may be, and one deeper", as_deep_as_it_may_be_and_one_deeper},
        {"the longest frame, and one longer", the_longest_frame_and_one_longer},
        {0},
    };
    return txg_suite_main(argc, argv, "guard", tests);
}
