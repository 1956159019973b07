#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/harness/input.h"
#include "tests/lib/suite.h"

static void values(void)
{
    struct txg_input *in = txg_input_parse(
        " {\"s\": \"a\\u00e4\\ud83d\\ude00\\n\\\"\", \"i\": -12, \"d\": 1.5e3, \"t\":true,\"n\": "
        "null, \"l\": [1, \"two\", {\"x\": []}], \"empty\": {}, \"big\": 9223372036854775808} ");
    long long i = 7;
    double d = 0;
    bool b = false;
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    CU_ASSERT_STRING_EQUAL(txg_input_string(in, "s"), "a\xc3\xa4\xf0\x9f\x98\x80\n\"");
    CU_ASSERT(txg_input_int(in, "i", &i) && i == -12);
    CU_ASSERT(!txg_input_int(in, "d", &i) && !txg_input_int(in, "big", &i) && i == -12);
    CU_ASSERT(txg_input_double(in, "d", &d) && d == 1500);
    CU_ASSERT(txg_input_bool(in, "t", &b) && b);
    CU_ASSERT(!txg_input_bool(in, "s", &b));
    CU_ASSERT_PTR_NULL(txg_input_string(in, "n"));
    CU_ASSERT_PTR_NULL(txg_input_string(in, "i"));
    CU_ASSERT_PTR_NULL(txg_input_string(in, "nothing"));
    const struct txg_input *list = txg_input_get(in, "l");
    CU_ASSERT_STRING_EQUAL(txg_input_text(txg_input_at(list, 1)), "two");
    CU_ASSERT_PTR_NOT_NULL(txg_input_get(txg_input_at(list, 2), "x"));
    CU_ASSERT_PTR_NULL(txg_input_at(list, 3));
    CU_ASSERT_PTR_NULL(txg_input_at(txg_input_get(in, "empty"), 0));
    CU_ASSERT_PTR_NULL(txg_input_get(list, "x"));
    CU_ASSERT_PTR_NULL(txg_input_text(NULL));
    txg_input_free(in);
}

/* Every beginning of a text, and texts that look like one. */
static void broken(void)
{
    static const char whole[] = "{\"a\": [1, true, \"\\u00e4x\"], \"b\": {\"c\": null}}";
    static const char *const texts[] = {"",        "{",       "[1,]",        "{\"a\":1,}", "{a:1}",
                                        "[1 2]",   "\"\\x\"", "\"\\u12g4\"", "tru",        "{} {}",
                                        "{\"a\"}", "[\"a]",   "]",           "\"\\"};
    char text[sizeof whole], deep[400];
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        memcpy(text, whole, n);
        text[n] = '\0';
        CU_ASSERT_PTR_NULL(txg_input_parse(text));
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CU_ASSERT_PTR_NULL(txg_input_parse(texts[i]));
    for (size_t depth = 60; depth < 70; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = '\0';
        struct txg_input *in = txg_input_parse(deep);
        CU_ASSERT_EQUAL(in != NULL, depth <= 65);
        txg_input_free(in);
    }
}

static void surrogates(void)
{
    struct txg_input *in = txg_input_parse("{\"a\": \"\\ud800x\\udc00\\u0000\"}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    CU_ASSERT_STRING_EQUAL(txg_input_string(in, "a"), "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd");
    txg_input_free(in);
}

static void from_environment(void)
{
    long long i;
    bool b;
    struct txg_input *in = txg_input_from_environment();
    setenv("TXGATE_INPUT_IP_ADR", "10.0.0.1", 1);
    setenv("TXGATE_INPUT_PORT", "22", 1);
    setenv("TXGATE_INPUT_ON", "false", 1);
    setenv("TXGATE_INPUT_NONE", "", 1);
    CU_ASSERT_STRING_EQUAL(txg_input_string(in, "ip.adr"), "10.0.0.1");
    CU_ASSERT(txg_input_int(in, "port", &i) && i == 22);
    CU_ASSERT(!txg_input_int(in, "ip.adr", &i) && !txg_input_int(in, "none", &i));
    CU_ASSERT(txg_input_bool(in, "on", &b) && !b);
    CU_ASSERT_PTR_NULL(txg_input_string(in, "absent"));
    txg_input_free(in);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"values", values},
        {"broken", broken},
        {"surrogates", surrogates},
        {"environment", from_environment},
        {0},
    };
    return txg_suite_main(argc, argv, "input", tests);
}
