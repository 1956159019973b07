#include "config.h"

#include <string.h>

#include "src/report/printable.h"
#include "tests/lib/suite.h"

static void bytes_become_text(void)
{
    static const struct {
        const char *in;
        size_t len;
        unsigned how;
        const char *out;
    } rows[] = {
        {"a\tb\n", 4, TXG_PRINT_TEXT, "a\tb\n"},
        {"a\tb\n\r", 5, TXG_PRINT_ONE_LINE, "a\\tb\\n\\r"},
        {"x\r\ny\rz\r", 7, TXG_PRINT_TEXT, "x\ny^Mz^M"},
        {"\0\1\x7f", 3, TXG_PRINT_TEXT, "^@^A^?"},
        {"\0\1\x7f", 3, TXG_PRINT_ONE_LINE, "\\x00\\x01\\x7f"},
        {"\0\1\x7f", 3, TXG_PRINT_XML, "^@^A^?"},
        {"\xff"
         "a",
         2, TXG_PRINT_TEXT, "\\xffa"},
        {"\xff"
         "a",
         2, TXG_PRINT_XML,
         "\xef\xbf\xbd"
         "a"},
        {"\xe2\x82", 2, TXG_PRINT_TEXT, "\\xe2\\x82"},
        {"\xed\xa0\x80", 3, TXG_PRINT_XML, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", 7, TXG_PRINT_TEXT, "\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m",
         5, TXG_PRINT_TEXT, "\\u009b31m"},
        {"\xc2\x9b", 2, TXG_PRINT_XML, "\xc2\x9b"},
        {"a\xe2\x80\xae_b\xe2\x81\xa9", 9, TXG_PRINT_ONE_LINE, "a\\u202e_b\\u2069"},
        {"\xd7\x90\xe2\x80\x8f", 5, TXG_PRINT_TEXT, "\xd7\x90\xe2\x80\x8f"},
        {"\xef\xbf\xbe\xef\xbf\xbf", 6, TXG_PRINT_XML, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\033[31mred\033[0m", 12, TXG_PRINT_TEXT, "red"},
        {"\033[1;31mred\033[m", 13, TXG_PRINT_SGR, "\033[1;31mred\033[m"},
        {"\033[31mred", 8, TXG_PRINT_XML, "^[[31mred"},
        {"\033[31mred", 8, TXG_PRINT_ONE_LINE, "\\x1b[31mred"},
        {"\033[2J\033]0;t\a\033[", 12, TXG_PRINT_SGR, "^[[2J^[]0;t^G^[["},
        {"\033[1", 3, TXG_PRINT_SGR, "^[[1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_buf b = {0};
        txg_printable(&b, rows[i].in, rows[i].len, rows[i].how);
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), rows[i].out);
        txg_buf_release(&b);
    }
}

/* Whatever the bytes are, a terminal gets no control byte but newline and tab. */
static void no_byte_escapes(void)
{
    unsigned seed = 7;
    for (int round = 0; round < 2000; round++) {
        char data[24];
        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 1103515245u + 12345u;
            data[i] = (char)(seed >> 16);
        }
        for (unsigned how = 0; how <= TXG_PRINT_ONE_LINE; how++) {
            struct txg_buf b = {0};
            txg_printable(&b, data, sizeof data, how);
            bool clean = txg_utf8_valid(txg_buf_data(&b), txg_buf_len(&b));
            for (const char *p = txg_buf_cstr(&b); *p; p++) {
                bool may_stay = how == TXG_PRINT_TEXT && (*p == '\n' || *p == '\t');
                clean = clean && (may_stay || ((unsigned char)*p >= 0x20 && *p != 0x7f));
            }
            CU_ASSERT(clean);
            txg_buf_release(&b);
        }
    }
}

static void cut_sequences_wait(void)
{
    static const struct {
        const char *s;
        size_t whole;
    } rows[] = {
        {"", 0},          {"abc", 3},          {"ab\r", 2},         {"a\xe2", 1},
        {"a\xe2\x82", 1}, {"\xe2\x82\xac", 3}, {"\xf0\x9f\x98", 0}, {"a\x80\x80\x80\x80", 5},
        {"\xc3\xa9", 2},  {"\xff", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CU_ASSERT_EQUAL(txg_printable_whole(rows[i].s, strlen(rows[i].s)), rows[i].whole);
}

static void fits_into_columns(void)
{
    CU_ASSERT_EQUAL(txg_printable_fit("abcdef", 6, 4), 4);
    CU_ASSERT_EQUAL(txg_printable_fit("abc", 3, 10), 3);
    CU_ASSERT_EQUAL(txg_printable_fit("\xc3\xa9\xc3\xa9", 4, 1), 2);
    CU_ASSERT_EQUAL(txg_printable_fit("\xe6\xbc\xa2\xe5\xad\x97", 6, 3), 3);
}

static void words_for_a_shell(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"t/a-1", "t/a-1"},
        {"t/a b", "'t/a b'"},
        {"it's", "'it'\\''s'"},
        {"a\nb", "$'a\\x0ab'"},
        {"\033'\\\xff", "$'\\x1b\\x27\\x5c\\xff'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_buf b = {0};
        txg_printable_quoted(&b, txg_span_cstr(rows[i].in));
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), rows[i].out);
        txg_buf_release(&b);
    }
}

static void durations_and_sizes(void)
{
    struct txg_buf b = {0};
    txg_print_duration(&b, 19999);
    txg_buf_putc(&b, '|');
    txg_print_duration(&b, INT64_C(3675300000));
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b), "0.02s|3675.30s (1:01:15)");
    txg_buf_clear(&b);
    static const int64_t sizes[] = {
        1, 999, 1000, 999949, 999950, 199900000, INT64_C(5000000000000)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        txg_print_size(&b, sizes[i]);
        txg_buf_putc(&b, '|');
    }
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b),
                           "1 byte|999 bytes|1.0 kB|999.9 kB|1.0 MB|199.9 MB|5.0 TB|");
    txg_buf_release(&b);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"bytes become text", bytes_become_text},
        {"no byte escapes", no_byte_escapes},
        {"cut sequences wait", cut_sequences_wait},
        {"fits into columns", fits_into_columns},
        {"words for a shell", words_for_a_shell},
        {"durations and sizes", durations_and_sizes},
        {0},
    };
    return txg_suite_main(argc, argv, "printable", tests);
}
