#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/session/select.h"
#include "tests/lib/suite.h"

static void matching(void)
{
    static const struct {
        const char *expression, *nodeid;
        bool matches;
    } rows[] = {
        {"", "t", true},
        {"  \t", "t", true},
        {"uart", "build/test_uart::Loop.Back", true},
        {"UART", "build/test_uart", true},
        {"uart", "build/test_UART", true},
        {"can", "build/test_uart", false},
        {"::Loop", "build/test_uart::Loop.Back", true},
        {"not uart", "test_uart", false},
        {"not not uart", "test_uart", true},
        {"uart and loop", "test_uart::Loop", true},
        {"uart and can", "test_uart::Loop", false},
        {"uart or can", "test_can", true},
        {"not uart and can", "test_can", true},
        {"not (uart and can)", "test_can", true},
        {"a or b and c", "a", true}, /* and binds more tightly */
        {"(a or b) and c", "a", false},
        {"not a or b", "b", true},
        {"((((x))))", "x", true},
        {"nota", "nota", true},
        {"and_more", "and_more", true},
        {"Not", "is Not a keyword", true}, /* keywords are lower case, as in pytest */
        {"a[1-x]", "t::a[1-x]", true},
        {"1.5", "t1.5", true},
        {"x(y)", "x", false},
        {"\xc3\xa4", "t\xc3\xa4st", true},
        {"longer", "long", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_err err;
        struct txg_select *s = txg_select_new(rows[i].expression, &err);
        if (strcmp(rows[i].expression, "x(y)") == 0) {
            CU_ASSERT_PTR_NULL(s);
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_EQUAL(txg_select_matches(s, txg_span_cstr(rows[i].nodeid)), rows[i].matches);
        if (txg_select_matches(s, txg_span_cstr(rows[i].nodeid)) != rows[i].matches)
            printf("\n%s on %s\n", rows[i].expression, rows[i].nodeid);
        txg_select_free(s);
    }
}

static void errors(void)
{
    static const struct {
        const char *expression, *text;
    } rows[] = {
        {"(", "column 2: expected 'not', '(' or a word, found the end"},
        {" (", "column 3: expected 'not', '(' or a word, found the end"},
        {")", "column 1: expected 'not', '(' or a word, found ')'"},
        {"not", "column 4: expected 'not', '(' or a word, found the end"},
        {"a and", "column 6: expected 'not', '(' or a word, found the end"},
        {"a or or b", "column 6: expected 'not', '(' or a word, found 'or'"},
        {"a b", "column 3: expected 'and', 'or' or the end, found 'b'"},
        {"(a b)", "column 4: expected ')', 'and' or 'or', found 'b'"},
        {"a )", "column 3: expected 'and', 'or' or the end, found ')'"},
        {"not or", "column 5: expected 'not', '(' or a word, found 'or'"},
        {"a == b", "column 3: unexpected character '='"},
        {"x(y)", "column 2: expected 'and', 'or' or the end, found '('"},
        {"\"x\"", "column 1: unexpected character '\"'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_err err = {0};
        CU_ASSERT_PTR_NULL(txg_select_new(rows[i].expression, &err));
        CU_ASSERT_STRING_EQUAL(err.text, rows[i].text);
        if (strcmp(err.text, rows[i].text) != 0)
            printf("\n%s: %s\n", rows[i].expression, err.text);
    }
}

/* As deep and as long as may be, and one more. */
static void limits(void)
{
    char text[20000];
    struct txg_err err;
    for (int extra = 0; extra < 2; extra++) {
        size_t n = 200 + (size_t)extra;
        memset(text, '(', n);
        text[n] = 'a';
        memset(text + n + 1, ')', n);
        text[2 * n + 1] = '\0';
        struct txg_select *s = txg_select_new(text, &err);
        CU_ASSERT_EQUAL(s != NULL, extra == 0);
        if (!s)
            CU_ASSERT_STRING_EQUAL(err.text, "column 201: more than 200 levels");
        txg_select_free(s);
    }
    memset(text, 'a', sizeof text);
    text[16384] = '\0';
    struct txg_select *s = txg_select_new(text, &err);
    CU_ASSERT_PTR_NOT_NULL(s);
    txg_select_free(s);
    text[16384] = 'a';
    text[16385] = '\0';
    CU_ASSERT_PTR_NULL(txg_select_new(text, &err));
    /* many words, which are all held until the last one is there */
    text[0] = '\0';
    char *at = text;
    for (int i = 0; i < 190; i++)
        at = stpcpy(at, "a or (");
    at = stpcpy(at, "a");
    for (int i = 0; i < 190; i++)
        at = stpcpy(at, ")");
    s = txg_select_new(text, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT(txg_select_matches(s, TXG_SPAN("a")) && !txg_select_matches(s, TXG_SPAN("b")));
    txg_select_free(s);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"matching", matching},
        {"errors", errors},
        {"limits", limits},
        {0},
    };
    return txg_suite_main(argc, argv, "select", tests);
}
