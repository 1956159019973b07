#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/wire/fields.h"
#include "gateway/wire/guard.h"
#include "gateway/wire/lease.h"
#include "tests/lib/suite.h"

static struct txg_span spans[] = {{"a", 1}, {"", 0}, {"\xff\0b", 3}};
static struct txg_span words[] = {{"a", 1}, {"caf\xc3\xa9", 5}};
static struct txg_msg_pair pairs[] = {{{"A", 1}, {"\xff", 1}}};
static struct txg_msg_range ranges[] = {{0, 1}, {5, 2000000}};
static struct txg_msg_record records[] = {{0, {"t/a", 3}}, {3, {"\xfe", 1}}};
static struct txg_msg_file files[] = {{{"a/b", 3}, 0100755, 5, {"c", 1}}};
static struct txg_msg_passed_test passed[] = {{0, 0, 5}, {70000, 3, 2000000}};
static struct txg_msg_point points[] = {{{"n", 1}, TXG_FAILED, {"why", 3}}};

/* A message of a type with every field set to something that is not its default. */
static void fill(struct txg_msg *msg, enum txg_msg_type type)
{
    const struct txg_msg_shape *shape = &txg_msg_shapes[type];
    *msg = (struct txg_msg){.type = type};
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct txg_field *f = &shape->fields[i];
        char *at = (char *)msg + f->offset;
        size_t *count = (size_t *)(void *)((char *)msg + f->count);
        switch (f->kind) {
        case TXG_FIELD_INT:
            *(int64_t *)(void *)at = f->max;
            break;
        case TXG_FIELD_CHANNEL:
            *(uint32_t *)(void *)at = 4000000000u;
            break;
        case TXG_FIELD_U64:
            *(uint64_t *)(void *)at = UINT64_MAX;
            break;
        case TXG_FIELD_BOOL:
            *(bool *)at = true;
            break;
        case TXG_FIELD_ENUM:
            *(int *)(void *)at = (int)f->max;
            break;
        case TXG_FIELD_STR:
            *(struct txg_span *)(void *)at = words[1];
            break;
        case TXG_FIELD_BIN:
            *(struct txg_span *)(void *)at = spans[2];
            break;
        case TXG_FIELD_DICT: {
            struct txg_value d = txg_value_dict(), list = txg_value_list();
            txg_value_push(&list, txg_value_float(1.5));
            txg_value_push(&list, (struct txg_value){0});
            txg_value_push(&list, txg_value_bool(true));
            txg_value_set(&d, "list", list);
            txg_value_set(&d, "n", txg_value_int(INT64_MIN));
            txg_value_set(&d, "s", txg_value_string("x", 1));
            *(struct txg_value *)(void *)at = d;
            break;
        }
        case TXG_FIELD_STRS:
            *(struct txg_span **)(void *)at = words;
            *count = 2;
            break;
        case TXG_FIELD_BINS:
            *(struct txg_span **)(void *)at = spans;
            *count = 3;
            break;
        case TXG_FIELD_PAIRS:
            *(struct txg_msg_pair **)(void *)at = pairs;
            *count = 1;
            break;
        case TXG_FIELD_RANGES:
            *(struct txg_msg_range **)(void *)at = ranges;
            *count = 2;
            break;
        case TXG_FIELD_RECORDS:
            *(struct txg_msg_record **)(void *)at = records;
            *count = 2;
            break;
        case TXG_FIELD_FILES:
            *(struct txg_msg_file **)(void *)at = files;
            *count = 1;
            break;
        case TXG_FIELD_TESTS:
            *(struct txg_msg_passed_test **)(void *)at = passed;
            *count = 2;
            break;
        case TXG_FIELD_POINTS:
            *(struct txg_msg_point **)(void *)at = points;
            *count = 1;
            break;
        }
    }
}

static void drop_dicts(struct txg_msg *msg)
{
    if (msg->type == TXG_MSG_WORKERINPUT)
        txg_value_release(&msg->workerinput.input);
    if (msg->type == TXG_MSG_WORKERFINISHED)
        txg_value_release(&msg->workerfinished.output);
}

/* Encode, decode, encode again: the same bytes; every truncation is an error and leaks nothing. */
static void every_message_comes_back_and_no_part_of_it(void)
{
    for (int type = TXG_MSG_NONE + 1; type < TXG_MSG_TYPES; type++) {
        struct txg_msg msg, back;
        struct txg_buf one = {0}, two = {0};
        struct txg_err err = {0};
        fill(&msg, (enum txg_msg_type)type);
        txg_msg_encode(&msg, &one);
        drop_dicts(&msg);
        int rc = txg_msg_decode(txg_span(txg_buf_data(&one), txg_buf_len(&one)), &back, &err);
        CU_ASSERT_EQUAL(rc, 0);
        if (rc != 0) {
            printf("%s: %s\n", txg_msg_name((enum txg_msg_type)type), err.text);
            continue;
        }
        CU_ASSERT_EQUAL((int)back.type, type);
        txg_msg_encode(&back, &two);
        CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&one), txg_buf_len(&one)),
                                 txg_span(txg_buf_data(&two), txg_buf_len(&two))));
        txg_msg_release(&back);
        for (size_t len = 0; len < txg_buf_len(&one); len++) {
            char *cut = txg_xstrndup(txg_buf_data(&one), len);
            CU_ASSERT_EQUAL(txg_msg_decode(txg_span(cut, len), &back, &err), -1);
            CU_ASSERT_EQUAL(back.type, TXG_MSG_NONE);
            free(cut);
        }
        txg_buf_release(&one);
        txg_buf_release(&two);
    }
}

static void refused(const char *bytes, size_t len, const char *words_of_error)
{
    struct txg_msg msg;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL(txg_msg_decode(txg_span(bytes, len), &msg, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words_of_error));
    if (!strstr(err.text, words_of_error))
        printf("wanted '%s', got '%s'\n", words_of_error, err.text);
}

#define REFUSED(bytes, words_of_error) refused(bytes, sizeof(bytes) - 1, words_of_error)

static void what_is_not_in_the_protocol_is_named(void)
{
    REFUSED("\x92\xa5xxxxx\x80", "unknown message 'xxxxx'");
    REFUSED("\x92\xa4"
            "beat\x80",
            "beat: 'n' is missing");
    REFUSED("\x92\xa4"
            "beat\x81\xa1n\xa1"
            "1",
            "beat: 'n' has the wrong type");
    REFUSED("\x92\xa4"
            "beat\x81\xa1n\x00",
            "beat: 'n' has the wrong type or is out of range");
    REFUSED("\x92\xa4"
            "beat\x82\xa1n\x01\xa1n\x01",
            "'n' is there twice");
    REFUSED("\x93\xa4"
            "beat\x80\xc0",
            "not [name, kwargs]");
    REFUSED("\x92\x01\x80", "name is not a str");
    REFUSED("\x92\xa4"
            "beat\x90",
            "not [name, kwargs]");
    REFUSED("\xc0", "not [name, kwargs]");
}

static void an_unknown_key_is_ignored(void)
{
    static const char bytes[] = "\x92\xa4"
                                "beat\x82\xa1n\x05\xa3new\x93\x01\x02\x03";
    struct txg_msg msg;
    CU_ASSERT_EQUAL(txg_msg_decode(txg_span(bytes, sizeof bytes - 1), &msg, NULL), 0);
    CU_ASSERT_EQUAL(msg.beat.n, 5);
    txg_msg_release(&msg);
}

static void more_tests_than_a_message_may_hold(void)
{
    for (size_t n = TXG_PASSED_MAX; n <= TXG_PASSED_MAX + 1; n++) {
        struct txg_msg msg = {.type = TXG_MSG_PASSED}, back;
        struct txg_buf b = {0};
        struct txg_err err = {0};
        msg.passed.seq = 1;
        msg.passed.n_tests = n;
        msg.passed.tests = txg_xcalloc(n, sizeof *msg.passed.tests);
        txg_msg_encode(&msg, &b);
        bool fits = txg_msg_decode(txg_span(txg_buf_data(&b), txg_buf_len(&b)), &back, &err) == 0;
        CU_ASSERT_EQUAL(fits, n == TXG_PASSED_MAX);
        CU_ASSERT(fits || strstr(err.text, "passed: 'tests'"));
        txg_msg_release(&back);
        txg_buf_release(&b);
        free(msg.passed.tests);
    }
}

static void guard_refuses(const char *bytes, size_t len, const char *why)
{
    struct txg_err err = {0};
    clock_t begun = clock();
    CU_ASSERT_EQUAL(txg_guard_check(bytes, len, &err), -1);
    CU_ASSERT((double)(clock() - begun) / CLOCKS_PER_SEC < 0.010);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, why));
    if (!strstr(err.text, why))
        printf("wanted '%s', got '%s'\n", why, err.text);
}

#define GUARD_REFUSES(bytes, why) guard_refuses(bytes, sizeof(bytes) - 1, why)

static void memory_bombs_are_refused_at_once(void)
{
    GUARD_REFUSES("\xdd\x03\xff\xff\xff", "an array of");
    GUARD_REFUSES("\xdf\x03\xff\xff\xff", "a map of");
    GUARD_REFUSES("\xdb\xff\xff\xff\xff", "ends in the middle");
    GUARD_REFUSES("\xc6\xff\xff\xff\xff", "ends in the middle");
    char nested[155];
    for (size_t i = 0; i < 31; i++)
        memcpy(nested + 5 * i, "\xdd\x01\x00\x00\x00", 5);
    guard_refuses(nested, sizeof nested, "an array of");
    char deep[64];
    memset(deep, '\x91', sizeof deep - 1);
    deep[sizeof deep - 1] = '\xc0';
    guard_refuses(deep, sizeof deep, "nested deeper");
    size_t many = TXG_GUARD_NODES_MAX + 16;
    char *wide = txg_xcalloc(many, 1);
    memcpy(wide, "\xdd\x00\x04\x00\x01", 5);
    guard_refuses(wide, many, "more than");
    free(wide);
}

static void the_guard_knows_every_kind_of_damage(void)
{
    GUARD_REFUSES("", "ends in the middle");
    GUARD_REFUSES("\xc1", "tag 0xc1");
    GUARD_REFUSES("\xd4\x01\x01", "tag 0xd4");
    GUARD_REFUSES("\xc0\xc0", "behind the value");
    GUARD_REFUSES("\xa1\xff", "not UTF-8");
    GUARD_REFUSES("\x81\x01\x01", "a key is not a str");
    GUARD_REFUSES("\xcb\x00\x00", "ends in the middle");
    GUARD_REFUSES("\x92\x01", "an array of");
}

/* What the guard accepts, msgpack-c takes too: seen as "no payload that is not msgpack". */
static void random_bytes_never_get_past_the_guard_alone(void)
{
    uint64_t seed = 42;
    for (int round = 0; round < 200000; round++) {
        char bytes[24];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t len = 1 + (size_t)(seed >> 59) % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bytes[i] = (char)(seed >> 40);
        }
        struct txg_msg msg;
        struct txg_err err = {0};
        if (txg_guard_check(bytes, len, &err) == 0 &&
            txg_msg_decode(txg_span(bytes, len), &msg, &err) != 0)
            CU_ASSERT_PTR_NULL(strstr(err.text, "not msgpack"));
    }
}

static void a_str_that_is_no_utf8_is_sent_as_one(void)
{
    struct txg_msg msg = {.type = TXG_MSG_WARNING}, back;
    struct txg_buf b = {0};
    msg.text.text = TXG_SPAN("a\xff\xc3-b");
    txg_msg_encode(&msg, &b);
    CU_ASSERT_EQUAL_FATAL(txg_msg_decode(txg_span(txg_buf_data(&b), txg_buf_len(&b)), &back, NULL),
                          0);
    CU_ASSERT(txg_span_is(back.text.text, "a?\?-b"));
    txg_msg_release(&back);
    txg_buf_release(&b);
}

static void the_digest_sees_order_and_borders(void)
{
    struct txg_msg_record ab = {0, {"ab", 2}}, a = {0, {"a", 1}}, b = {0, {"b", 1}},
                          s1 = {1, {"a", 1}};
    uint64_t start = TXG_HASH_START;
    uint64_t one = txg_collection_digest(start, &ab);
    uint64_t two = txg_collection_digest(txg_collection_digest(start, &a), &b);
    uint64_t turned = txg_collection_digest(txg_collection_digest(start, &b), &a);
    CU_ASSERT_NOT_EQUAL(one, two);
    CU_ASSERT_NOT_EQUAL(two, turned);
    CU_ASSERT_NOT_EQUAL(txg_collection_digest(start, &a), txg_collection_digest(start, &s1));
}

static void the_lease_stops_and_kills_in_time(void)
{
    struct txg_lease l;
    struct txg_liveness t = txg_liveness_scaled(2000);
    int64_t n = 0;
    txg_lease_init(&l, t, 100);
    CU_ASSERT(txg_lease_beat(&l, 100, &n) && n == 1);
    CU_ASSERT_FALSE(txg_lease_beat(&l, 101, &n));
    CU_ASSERT_EQUAL(txg_lease_state(&l, 100 + t.stop - 1), TXG_LEASE_HELD);
    CU_ASSERT_EQUAL(txg_lease_state(&l, 100 + t.stop), TXG_LEASE_STOP);
    CU_ASSERT_EQUAL(txg_lease_state(&l, 100 + t.kill), TXG_LEASE_KILL);
    CU_ASSERT(txg_lease_beat(&l, 2100, &n) && n == 2);
    txg_lease_echo(&l, 2);
    CU_ASSERT_EQUAL(txg_lease_age(&l, 2100 + 5), 5);
    CU_ASSERT_EQUAL(txg_lease_state(&l, 2100 + t.stop - 1), TXG_LEASE_HELD);
    txg_lease_echo(&l, 1); /* late: changes nothing */
    txg_lease_echo(&l, 99);
    txg_lease_echo(&l, -1);
    CU_ASSERT_EQUAL(txg_lease_age(&l, 2100 + 5), 5);
    CU_ASSERT_EQUAL(txg_lease_deadline(&l, 2101), 4100);
    CU_ASSERT(t.stop < t.kill && t.kill < t.lost);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"every message comes back and no part of it", every_message_comes_back_and_no_part_of_it},
        {"what is not in the protocol is named", what_is_not_in_the_protocol_is_named},
        {"an unknown key is ignored", an_unknown_key_is_ignored},
        {"more tests than a message may hold", more_tests_than_a_message_may_hold},
        {"memory bombs are refused at once", memory_bombs_are_refused_at_once},
        {"the guard knows every kind of damage", the_guard_knows_every_kind_of_damage},
        {"random bytes never get past the guard alone",
         random_bytes_never_get_past_the_guard_alone},
        {"a str that is no utf8 is sent as one", a_str_that_is_no_utf8_is_sent_as_one},
        {"the digest sees order and borders", the_digest_sees_order_and_borders},
        {"the lease stops and kills in time", the_lease_stops_and_kills_in_time},
        {0},
    };
    return txg_suite_main(argc, argv, "message", tests);
}
