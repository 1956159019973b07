#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/sha256.h"
#include "src/base/str.h"
#include "src/base/strv.h"
#include "src/base/value.h"
#include "tests/lib/suite.h"

static void buf_queue_of_bytes(void)
{
    struct txg_buf b = {0};
    unsigned in = 0, out = 0;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < round % 17; i++)
            txg_buf_putc(&b, (char)(in++ & 0xff));
        size_t n = (size_t)(round % 13);
        if (n > txg_buf_len(&b))
            n = txg_buf_len(&b);
        for (size_t i = 0; i < n; i++)
            CU_ASSERT_EQUAL((unsigned char)txg_buf_data(&b)[i], out++ & 0xff);
        txg_buf_consume(&b, n);
    }
    CU_ASSERT_EQUAL(txg_buf_len(&b), in - out);
    txg_buf_release(&b);
}

static void buf_strings(void)
{
    struct txg_buf b = {0};
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), "");
    txg_buf_printf(&b, "%s-%d", "gw", 7);
    txg_buf_puts(&b, "!");
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), "gw-7!");
    char *s = txg_buf_take_cstr(&b);
    CU_ASSERT_STRING_EQUAL(s, "gw-7!");
    CU_ASSERT_EQUAL(txg_buf_len(&b), 0);
    free(s);
}

static void err_wrap_is_cut_never_overrun(void)
{
    struct txg_err err;
    txg_err_sys(&err, 28, "upload");
    txg_err_wrap(&err, "gateway %s", "gw1");
    CU_ASSERT_STRING_EQUAL(err.text, "gateway gw1: upload: No space left on device");
    CU_ASSERT_EQUAL(err.errnum, 28);
    for (int i = 0; i < 300; i++)
        txg_err_wrap(&err, "level %d", i);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    CU_ASSERT_EQUAL(txg_err_set(NULL, TXG_E_SYS, "x"), -1);
}

static void utf8(void)
{
    static const struct {
        const char *s;
        size_t len, valid;
    } rows[] = {
        {"abc", 3, 3},
        {"\xc3\xa9", 2, 2},
        {"\xc0\xaf", 2, 0},
        {"a\xe2\x82", 3, 1},
        {"\xe2\x82\xac", 3, 3},
        {"\xed\xa0\x80", 3, 0},
        {"\xf0\x9f\x98\x80", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xff", 1, 0},
        {"x\0y", 3, 3},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CU_ASSERT_EQUAL(txg_utf8_prefix(rows[i].s, rows[i].len), rows[i].valid);
}

static void numbers(void)
{
    int64_t v = 5;
    CU_ASSERT(txg_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &v));
    CU_ASSERT_EQUAL(v, INT64_MAX);
    CU_ASSERT(txg_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
    CU_ASSERT_EQUAL(v, INT64_MIN);
    static const char *const bad[] = {
        "",      "-", "9223372036854775808", "-9223372036854775809", "1e3", "0x10", " 1", "1 ",
        "22abc", "+1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(txg_parse_int(bad[i], INT64_MIN, INT64_MAX, &v));
    CU_ASSERT_FALSE(txg_parse_int("11", 0, 10, &v));
}

static void durations(void)
{
    int64_t us = 0;
    CU_ASSERT(txg_parse_duration("30", &us) && us == 30000000);
    CU_ASSERT(txg_parse_duration("1.5", &us) && us == 1500000);
    CU_ASSERT(txg_parse_duration("250ms", &us) && us == 250000);
    CU_ASSERT(txg_parse_duration("2h", &us) && us == INT64_C(7200000000));
    CU_ASSERT(txg_parse_duration("0", &us) && us == 0);
    static const char *const bad[] = {"", "s", "1.", ".5", "1.2.3", "-1", "5 s", "1d", "1e9h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(txg_parse_duration(bad[i], &us));
}

static void nearest_word(void)
{
    static const char *const words[] = {"each", "load", "loadscope", "worksteal", NULL};
    CU_ASSERT_STRING_EQUAL(txg_nearest("laod", words), "load");
    CU_ASSERT_STRING_EQUAL(txg_nearest("work-steal", words), "worksteal");
    CU_ASSERT_PTR_NULL(txg_nearest("zzz", words));
}

static void quoting(void)
{
    static const char *const rows[][2] = {
        {"plain-1.2/x", "plain-1.2/x"}, {"", "''"},         {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},         {"$(x)", "'$(x)'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_buf b = {0};
        txg_quote_sh(&b, rows[i][0]);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), rows[i][1]);
        txg_buf_release(&b);
    }
}

static void environment_lists(void)
{
    struct txg_strv v = {0};
    txg_strv_push(&v, "AB=1");
    txg_strv_setenv(&v, "A", "2");
    txg_strv_setenv(&v, "AB", "3");
    CU_ASSERT_EQUAL(v.n, 2);
    CU_ASSERT_STRING_EQUAL(txg_strv_getenv(&v, "AB"), "3");
    CU_ASSERT_STRING_EQUAL(txg_strv_getenv(&v, "A"), "2");
    CU_ASSERT_PTR_NULL(txg_strv_getenv(&v, "B"));
    CU_ASSERT_PTR_NULL(v.items[2]);
    for (int i = 0; i < 100; i++)
        txg_strv_push(&v, "x");
    CU_ASSERT_PTR_NULL(v.items[v.n]);
    txg_strv_release(&v);
}

static void values(void)
{
    struct txg_value d = txg_value_dict();
    txg_value_set(&d, "ipadr", txg_value_string("10.0.0.1", 8));
    txg_value_set(&d, "n", txg_value_int(-3));
    txg_value_set(&d, "f", txg_value_float(2));
    struct txg_value list = txg_value_list();
    txg_value_push(&list, txg_value_bool(true));
    txg_value_push(&list, (struct txg_value){0});
    txg_value_push(&list, txg_value_string("\"\n\xff", 3));
    txg_value_set(&d, "l", list);
    txg_value_set(&d, "n", txg_value_int(4));
    struct txg_buf b = {0};
    txg_value_to_json(&d, &b);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), "{\"ipadr\": \"10.0.0.1\", \"n\": 4, \"f\": 2.0, "
                                             "\"l\": [true, null, \"\\\"\\u000a\xef\xbf\xbd\"]}");
    struct txg_value copy;
    txg_value_copy(&copy, &d);
    CU_ASSERT(txg_value_equal(&copy, &d));
    txg_value_set(&copy, "n", txg_value_int(5));
    CU_ASSERT_FALSE(txg_value_equal(&copy, &d));
    CU_ASSERT_PTR_NULL(txg_value_get(&d, "none"));
    txg_value_release(&copy);
    txg_value_release(&d);
    CU_ASSERT_EQUAL(d.type, TXG_NIL);
    txg_buf_release(&b);
}

/* The examples of FIPS 180-4 and of NIST's CAVP, fed in pieces of every size. */
/* Every text is the number again, and those that people write are not longer than they wrote them.
 */
static void floats(void)
{
    static const char *const short_ones[] = {
        "0.1",   "2.5",   "-0.001",    "123456.789", "0.0",    "-0.0",
        "1e+22", "1e-05", "3.3",       "1e-22",      "1e+100", "0.3",
        "4.35",  "2.675", "1000000.0", "1e+16",      "5e-21",  "9007199254.5"};
    struct txg_buf b = {0};
    for (size_t i = 0; i < sizeof short_ones / sizeof *short_ones; i++) {
        struct txg_value v = txg_value_float(strtod(short_ones[i], NULL));
        txg_buf_clear(&b);
        txg_value_to_json(&v, &b);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), short_ones[i]);
    }
    uint64_t random = 1;
    for (int i = 0; i < 200000; i++) {
        double d;
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t bits = random ^ random >> 29;
        memcpy(&d, &bits, sizeof d);
        if (i % 2) /* as people write them */
            d = (double)(int64_t)(bits >> 40) / (i % 3 ? 1000 : 1e7);
        if (!isfinite(d))
            continue;
        struct txg_value v = txg_value_float(d);
        txg_buf_clear(&b);
        txg_value_to_json(&v, &b);
        if (strtod(txg_buf_cstr(&b), NULL) != d)
            CU_FAIL("a float that is another one as text");
        CU_ASSERT(i % 2 == 0 || txg_buf_len(&b) <= 18);
    }
    txg_buf_release(&b);
}

static void sha256(void)
{
    static const struct {
        const char *text;
        size_t times;
        const char *hash;
    } rows[] = {
        {"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct txg_buf all = {0};
        for (size_t i = 0; i < rows[r].times; i++)
            txg_buf_puts(&all, rows[r].text);
        for (size_t piece = 1; piece < 400; piece += 9) {
            struct txg_sha256 h;
            char hash[TXG_SHA256_HEX];
            txg_sha256_init(&h);
            if (piece % 2 == 0)
                h.take = txg_sha256_take_portably;
            for (size_t at = 0; at < txg_buf_len(&all); at += piece) {
                size_t left = txg_buf_len(&all) - at;
                txg_sha256_feed(&h, txg_buf_data(&all) + at, piece < left ? piece : left);
            }
            txg_sha256_end(&h, hash);
            CU_ASSERT_STRING_EQUAL(hash, rows[r].hash);
            if (rows[r].times > 1)
                piece += 90;
        }
        txg_buf_release(&all);
    }
}

/* Every byte and the length count, wherever it stands: texts that differ in one are told apart. */
static void keys_hash_apart(void)
{
    uint64_t seen[64];
    char text[64] = {0};
    for (size_t len = 0; len < 64; len++) {
        seen[len] = txg_hash_key(text, len);
        for (size_t i = 0; i < len; i++) {
            CU_ASSERT_NOT_EQUAL(seen[len], seen[i]);
            text[i] = 1;
            CU_ASSERT_NOT_EQUAL(txg_hash_key(text, len), seen[len]);
            text[i] = 0;
        }
    }
    size_t used = 0;
    bool slots[4096] = {0};
    for (int i = 0; i < 2048; i++) { /* half full at most, by the lowest bits */
        int n = snprintf(text, sizeof text, "case%07d", i);
        bool *slot = &slots[txg_hash_key(text, (size_t)n) % 4096];
        used += !*slot;
        *slot = true;
    }
    CU_ASSERT_TRUE(used > 1500); /* 1612 at random */
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"buf is a queue of bytes", buf_queue_of_bytes},
        {"buf strings", buf_strings},
        {"err wrap is cut, never overrun", err_wrap_is_cut_never_overrun},
        {"utf8", utf8},
        {"numbers", numbers},
        {"durations", durations},
        {"nearest word", nearest_word},
        {"quoting", quoting},
        {"environment lists", environment_lists},
        {"values", values},
        {"floats", floats},
        {"sha256", sha256},
        {"keys hash apart", keys_hash_apart},
        {0},
    };
    return txg_suite_main(argc, argv, "base", tests);
}
