#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/wire/mux.h"
#include "tests/lib/suite.h"

#define LINE_MAX_ 8192

struct vector {
    char line[LINE_MAX_];
    char *words[3]; /* of the line; the last is the rest of it */
    char bytes[LINE_MAX_ / 2];
    size_t len;
};

static FILE *open_vectors(const char *name)
{
    const char *srcdir = getenv("TXG_SRCDIR") ? getenv("TXG_SRCDIR") : ".";
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/vectors/%s", srcdir, name);
    FILE *f = fopen(path, "r");
    if (!f)
        perror(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    return f;
}

static void read_hex(struct vector *v, const char *hex)
{
    v->len = 0;
    for (unsigned byte; sscanf(hex + 2 * v->len, "%2x", &byte) == 1; v->len++)
        v->bytes[v->len] = (char)byte;
}

/* The next vector's words, the `hex`-th of them as bytes. False at the end of the file. */
static bool next_vector(FILE *f, struct vector *v, int n_words, int hex)
{
    do {
        if (!fgets(v->line, sizeof v->line, f))
            return false;
    } while (v->line[0] == '#' || v->line[0] == '\n');
    v->line[strcspn(v->line, "\n")] = '\0';
    char *rest = v->line;
    for (int i = 0; i < n_words; i++) {
        v->words[i] = rest;
        rest += i < n_words - 1 ? strcspn(rest, " ") : 0;
        if (i < n_words - 1)
            *rest++ = '\0';
    }
    read_hex(v, v->words[hex]);
    return true;
}

static enum txg_msg_type check_payload(const struct vector *v, struct txg_span payload)
{
    struct txg_msg msg;
    struct txg_err err = {0};
    struct txg_buf again = {0};
    CU_ASSERT_EQUAL(txg_msg_decode(payload, &msg, &err), 0);
    if (msg.type == TXG_MSG_NONE) {
        printf("%s: %s\n", v->words[0], err.text);
        return TXG_MSG_NONE;
    }
    enum txg_msg_type type = msg.type;
    CU_ASSERT_STRING_EQUAL(txg_msg_name(type), v->words[0]);
    txg_msg_encode(&msg, &again);
    bool same = txg_span_equal(payload, txg_span(txg_buf_data(&again), txg_buf_len(&again)));
    CU_ASSERT(same);
    if (!same)
        printf("%s is encoded in other bytes\n", v->words[0]);
    txg_msg_release(&msg);
    txg_buf_release(&again);
    return type;
}

/* One byte at a time: no frame before the last one came. */
static enum txg_msg_type feed_bytes(const struct vector *v)
{
    struct txg_mux mux = {0};
    struct txg_frame frame;
    enum txg_msg_type type = TXG_MSG_NONE;
    for (size_t i = 0; i < v->len; i++) {
        txg_mux_feed(&mux, v->bytes + i, 1);
        int rc = txg_mux_next(&mux, &frame, NULL);
        CU_ASSERT_EQUAL(rc, i == v->len - 1);
        if (rc == 1) {
            CU_ASSERT_EQUAL(frame.channel, (uint32_t)strtoul(v->words[1], NULL, 10));
            type = check_payload(v, frame.payload);
        }
    }
    txg_mux_release(&mux);
    return type;
}

static void messages_byte_by_byte(void)
{
    FILE *f = open_vectors("messages.txt");
    struct vector v;
    bool seen[TXG_MSG_TYPES] = {false};
    while (next_vector(f, &v, 3, 2))
        seen[feed_bytes(&v)] = true;
    fclose(f);
    CU_ASSERT_FALSE(seen[TXG_MSG_NONE]);
    for (int type = TXG_MSG_NONE + 1; type < TXG_MSG_TYPES; type++) {
        CU_ASSERT(seen[type]);
        if (!seen[type])
            printf("no vector for '%s'\n", txg_msg_name((enum txg_msg_type)type));
    }
}

/* A part of a frame is no frame, and a part of a payload no message; the copy ends where the part
 * does, so that a sanitizer sees every byte read too much. */
static void messages_truncated_at_every_length(void)
{
    FILE *f = open_vectors("messages.txt");
    struct vector v;
    size_t cuts = 0;
    while (next_vector(f, &v, 3, 2)) {
        for (size_t len = 0; len < v.len; len++, cuts++) {
            char *part = txg_xcalloc(len, 1);
            memcpy(part, v.bytes, len);
            struct txg_mux mux = {0};
            struct txg_frame frame;
            struct txg_msg msg;
            txg_mux_feed(&mux, part, len);
            CU_ASSERT_EQUAL(txg_mux_next(&mux, &frame, NULL), 0);
            CU_ASSERT_EQUAL(txg_frame_reader_partial(&mux.reader), len);
            txg_mux_release(&mux);
            if (len >= TXG_FRAME_HEADER)
                CU_ASSERT_EQUAL(
                    txg_msg_decode(txg_span(part + TXG_FRAME_HEADER, len - TXG_FRAME_HEADER), &msg,
                                   NULL),
                    -1);
            free(part);
        }
    }
    fclose(f);
    CU_ASSERT(cuts > 1000);
}

static void what_must_be_refused(void)
{
    FILE *f = open_vectors("refused.txt");
    struct vector v;
    size_t n = 0;
    for (; next_vector(f, &v, 2, 0); n++) {
        struct txg_msg msg;
        struct txg_err err = {0};
        clock_t begun = clock();
        CU_ASSERT_EQUAL(txg_msg_decode(txg_span(v.bytes, v.len), &msg, &err), -1);
        CU_ASSERT((double)(clock() - begun) / CLOCKS_PER_SEC < 0.010);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, v.words[1]));
        if (!strstr(err.text, v.words[1]))
            printf("%s: wanted '%s', got '%s'\n", v.words[0], v.words[1], err.text);
    }
    fclose(f);
    CU_ASSERT(n >= 40);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"messages byte by byte", messages_byte_by_byte},
        {"messages truncated at every length", messages_truncated_at_every_length},
        {"what must be refused", what_must_be_refused},
        {0},
    };
    return txg_suite_main(argc, argv, "vectors", tests);
}
