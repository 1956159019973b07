#include "config.h"

#include <string.h>

#include "src/worker/harness.h"
#include "src/worker/harness/talk.h"
#include "tests/lib/suite.h"

/* What is escaped comes back, whatever stands in it. */
static void round_trip(void)
{
    static const char *const texts[] = {"", "a", "a\tb\nc\\d", "\\n", "\\", "\t", "\xff\x01 \r"};
    struct txg_buf line = {0}, scratch = {0};
    struct txg_span field;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (i)
            txg_buf_putc(&line, '\t');
        txg_talk_escape(&line, texts[i]);
    }
    CU_ASSERT_PTR_NULL(strchr(txg_buf_cstr(&line), '\n'));
    struct txg_span rest = txg_span(txg_buf_data(&line), txg_buf_len(&line));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CU_ASSERT(txg_talk_field(&rest, &scratch, &field));
        CU_ASSERT(txg_span_is(field, texts[i]));
    }
    CU_ASSERT(!txg_talk_field(&rest, &scratch, &field));
    CU_ASSERT_EQUAL(field.len, 0);
    txg_buf_release(&line);
    txg_buf_release(&scratch);
}

static void odd_fields(void)
{
    static const struct {
        struct txg_span line;
        const char *first;
    } rows[] = {{TXG_SPAN(""), ""},
                {TXG_SPAN("\tx"), ""},
                {TXG_SPAN("a\0b"), "a?b"},
                {TXG_SPAN("a\\"), "a\\"},
                {TXG_SPAN("a\\x"), "ax"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_span line = rows[i].line, field;
        struct txg_buf scratch = {0};
        CU_ASSERT(txg_talk_field(&line, &scratch, &field));
        CU_ASSERT(txg_span_is(field, rows[i].first));
        txg_buf_release(&scratch);
    }
}

static void listing(void)
{
    static const struct {
        const char *text, *names;
        int rc;
    } rows[] = {
        {"ready\t1\ncase\ta\ncase\tb c\tmore\nlisted\n", "a|b c|", 0},
        {"listed\n", "", 0},
        {"case\na\ncase\t\nlisted\n", "", 0},
        {"case\ta\nlisted\tand more\n", "a|", 0},
        {"case\ta\n", "a|", -1},
        {"case\ta\nlisted", "a|", -1},
        {"", "", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_names names = {0};
        struct txg_buf got = {0};
        struct txg_err err;
        CU_ASSERT_EQUAL(
            txg_harness_talk.cases->read_list(txg_span_cstr(rows[i].text), &names, &err),
            rows[i].rc);
        for (size_t k = 0; k < names.n; k++)
            txg_buf_printf(&got, "%s|", names.items[k]);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&got), rows[i].names);
        txg_buf_release(&got);
        txg_names_release(&names);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"round trip", round_trip},
        {"odd fields", odd_fields},
        {"listing", listing},
        {0},
    };
    return txg_suite_main(argc, argv, "talk", tests);
}
