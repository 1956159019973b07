#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/execnet.h"
#include "tests/lib/suite.h"

static size_t from_hex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (char)byte;
    return n;
}

static int decode(const void *bytes, size_t len)
{
    struct txg_execnet_value v;
    struct txg_err err = {0};
    int rc = txg_execnet_decode(txg_span(bytes, len), &v, &err);
    CU_ASSERT_EQUAL(rc == 0, err.text[0] == '\0');
    txg_execnet_release(&v);
    return rc;
}

static void check_vector(const char *kind, const char *hex, const char *other)
{
    char bytes[2048], again[2048];
    size_t len = from_hex(hex, bytes);
    if (strcmp(kind, "refused") == 0) {
        CU_ASSERT_EQUAL(decode(bytes, len), -1);
        return;
    }
    struct txg_execnet_value v;
    struct txg_buf out = {0};
    CU_ASSERT_EQUAL_FATAL(txg_execnet_decode(txg_span(bytes, len), &v, NULL), 0);
    txg_execnet_put_value(&out, &v);
    txg_execnet_put_stop(&out);
    size_t want = from_hex(strcmp(kind, "same") == 0 ? hex : other, again);
    CU_ASSERT(
        txg_span_equal(txg_span(txg_buf_data(&out), txg_buf_len(&out)), txg_span(again, want)));
    for (size_t cut = 0; cut < len; cut++)
        CU_ASSERT_EQUAL(decode(bytes, cut), -1);
    txg_execnet_release(&v);
    txg_buf_release(&out);
}

static void vectors(void)
{
    const char *srcdir = getenv("TXG_SRCDIR");
    TXG_AUTOFREE char *path = txg_xasprintf("%s/tests/vectors/execnet.txt", srcdir ? srcdir : ".");
    FILE *f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    char line[4096];
    int seen = 0;
    while (fgets(line, sizeof line, f)) {
        if (*line == '#')
            continue;
        char *rest = line;
        const char *kind = strsep(&rest, "\t"), *hex = strsep(&rest, "\t");
        check_vector(kind, hex, strsep(&rest, "\t"));
        seen++;
    }
    fclose(f);
    CU_ASSERT(seen > 60);
}

static void what_is_inside_a_value(void)
{
    struct txg_buf b = {0};
    txg_execnet_put_str(&b, "runtests");
    txg_execnet_put_dict(&b);
    for (int i = 1; i <= 2; i++) { /* the last one counts */
        txg_execnet_put_str(&b, "indices");
        txg_execnet_put_list(&b, 1);
        txg_execnet_put_int(&b, 0);
        txg_execnet_put_int(&b, i * INT64_C(3000000000));
        txg_execnet_put_setitem(&b);
        txg_execnet_put_setitem(&b);
    }
    txg_execnet_put_tuple(&b, 2);
    txg_execnet_put_stop(&b);
    struct txg_execnet_value v;
    CU_ASSERT_EQUAL_FATAL(txg_execnet_decode(txg_span(txg_buf_data(&b), txg_buf_len(&b)), &v, NULL),
                          0);
    CU_ASSERT_EQUAL_FATAL(v.kind, TXG_EXECNET_TUPLE);
    CU_ASSERT_EQUAL_FATAL(v.many.n, 2);
    CU_ASSERT(txg_span_is(v.many.items[0].text, "runtests"));
    CU_ASSERT_PTR_NULL(txg_execnet_get(&v.many.items[0], "indices"));
    CU_ASSERT_PTR_NULL(txg_execnet_get(&v.many.items[1], "index"));
    const struct txg_execnet_value *list = txg_execnet_get(&v.many.items[1], "indices");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_EQUAL(list->kind, TXG_EXECNET_LIST);
    CU_ASSERT_EQUAL(list->many.items[0].integer, INT64_C(6000000000));
    CU_ASSERT_EQUAL(v.depth, 3);
    txg_execnet_release(&v);
    txg_buf_release(&b);
}

static void text_of_any_bytes_is_utf8(void)
{
    struct txg_buf b = {0};
    txg_execnet_put_text(&b, TXG_SPAN("a\xff\xc3\xa4\xc3"));
    txg_execnet_put_stop(&b);
    struct txg_execnet_value v;
    CU_ASSERT_EQUAL_FATAL(txg_execnet_decode(txg_span(txg_buf_data(&b), txg_buf_len(&b)), &v, NULL),
                          0);
    CU_ASSERT(txg_span_is(v.text, "a\\xff\xc3\xa4\\xc3"));
    txg_execnet_release(&v);
    txg_buf_release(&b);
}

static void as_deep_as_it_may_be_and_one_deeper(void)
{
    for (int depth = TXG_EXECNET_DEPTH_MAX; depth <= TXG_EXECNET_DEPTH_MAX + 1; depth++) {
        struct txg_buf tuples = {0}, dicts = {0};
        txg_execnet_put_none(&tuples);
        for (int i = 0; i < depth; i++) {
            txg_execnet_put_tuple(&tuples, 1);
            txg_execnet_put_dict(&dicts);
            if (i < depth - 1)
                txg_execnet_put_int(&dicts, i);
        }
        for (int i = 0; i < depth - 1; i++)
            txg_execnet_put_setitem(&dicts);
        txg_execnet_put_stop(&tuples);
        txg_execnet_put_stop(&dicts);
        int want = depth > TXG_EXECNET_DEPTH_MAX ? -1 : 0;
        CU_ASSERT_EQUAL(decode(txg_buf_data(&tuples), txg_buf_len(&tuples)), want);
        CU_ASSERT_EQUAL(decode(txg_buf_data(&dicts), txg_buf_len(&dicts)), want);
        txg_buf_release(&tuples);
        txg_buf_release(&dicts);
    }
}

/* Lists that each claim all the bytes that are left would need the square of them. */
static void places_in_lists_are_counted(void)
{
    size_t len = 1u << 20;
    char *bytes = txg_xcalloc(1, len);
    for (size_t at = 0; at + 5 < len; at += 5) {
        size_t n = (len - at - 5) / 7;
        const unsigned char head[] = {'K', 0, (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                      (unsigned char)n};
        memcpy(bytes + at, head, sizeof head);
    }
    struct txg_execnet_value v;
    struct txg_err err = {0};
    CU_ASSERT_EQUAL(txg_execnet_decode(txg_span(bytes, len), &v, &err), -1);
    CU_ASSERT_EQUAL(err.code, TXG_E_LIMIT);
    free(bytes);
}

static void as_many_values_as_there_may_be_and_one_more(void)
{
    size_t max = TXG_EXECNET_NODES_MAX;
    for (size_t n = max - 1; n <= max; n++) { /* and the tuple itself */
        struct txg_buf b = {0};
        memset(txg_buf_reserve(&b, n), 'L', n);
        txg_buf_commit(&b, n);
        txg_execnet_put_tuple(&b, (uint32_t)n);
        txg_execnet_put_stop(&b);
        CU_ASSERT_EQUAL(decode(txg_buf_data(&b), txg_buf_len(&b)), n < max ? 0 : -1);
        txg_buf_release(&b);
    }
}

static void frames_in_every_chunking(void)
{
    struct txg_buf all = {0};
    static const char *const payloads[] = {"abc", "", "0123456789"};
    for (int i = 0; i < 3; i++) {
        size_t mark = txg_execnet_begin(&all, TXG_EXECNET_DATA + i, 1 + 2 * i);
        txg_buf_puts(&all, payloads[i]);
        CU_ASSERT_EQUAL(txg_execnet_end(&all, mark), 0);
    }
    for (size_t chunk = 1; chunk <= txg_buf_len(&all); chunk++) {
        struct txg_buf in = {0};
        struct txg_execnet_frame f;
        int seen = 0;
        for (size_t at = 0; at < txg_buf_len(&all); at += chunk) {
            size_t left = txg_buf_len(&all) - at;
            txg_buf_append(&in, txg_buf_data(&all) + at, left < chunk ? left : chunk);
            while (txg_execnet_next(&in, &f, NULL) == 1) {
                CU_ASSERT_EQUAL((int)f.type, (int)TXG_EXECNET_DATA + seen % 3);
                CU_ASSERT_EQUAL(f.channel, 1 + 2 * (seen % 3));
                CU_ASSERT(txg_span_is(f.payload, payloads[seen % 3]));
                seen++;
            }
        }
        CU_ASSERT_EQUAL(seen, 3);
        CU_ASSERT_EQUAL(txg_buf_len(&in), 0);
        txg_buf_release(&in);
    }
    txg_buf_release(&all);
}

static void headers_that_are_refused_at_once(void)
{
    static const struct {
        unsigned char bytes[TXG_EXECNET_HEADER];
        int rc;
    } rows[] = {
        {{7, 0, 0, 0, 1, 0, 0, 0, 1}, 0},          {{8, 0, 0, 0, 1, 0, 0, 0, 1}, -1},
        {{255, 0, 0, 0, 1, 0, 0, 0, 1}, -1},       {{4, 0x80, 0, 0, 1, 0, 0, 0, 1}, -1},
        {{4, 0x7f, 255, 255, 255, 0, 0, 0, 1}, 0}, {{4, 0, 0, 0, 1, 4, 0, 0, 0}, 0},
        {{4, 0, 0, 0, 1, 4, 0, 0, 1}, -1},         {{4, 0, 0, 0, 1, 255, 255, 255, 255}, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_buf in = {0};
        struct txg_execnet_frame f;
        txg_buf_append(&in, rows[i].bytes, sizeof rows[i].bytes);
        CU_ASSERT_EQUAL(txg_execnet_next(&in, &f, NULL), rows[i].rc);
        txg_buf_release(&in);
    }
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"vectors, whole and cut at every byte", vectors},
        {"what is inside a value", what_is_inside_a_value},
        {"text of any bytes is UTF-8", text_of_any_bytes_is_utf8},
        {"as deep as it may be, and one deeper", as_deep_as_it_may_be_and_one_deeper},
        {"places in lists are counted", places_in_lists_are_counted},
        {"as many values as there may be, and one more",
         as_many_values_as_there_may_be_and_one_more},
        {"frames in every chunking", frames_in_every_chunking},
        {"headers that are refused at once", headers_that_are_refused_at_once},
        {0},
    };
    return txg_suite_main(argc, argv, "execnet", tests);
}
