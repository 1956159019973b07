#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/wire/mux.h"
#include "tests/lib/suite.h"

static void write_three(struct txg_buf *out)
{
    txg_frame_write(out, 1, "abc", 3);
    txg_frame_write(out, 0xfffffffe, "", 0);
    txg_frame_write(out, 7, "0123456789", 10);
}

static void in_every_chunking(void)
{
    struct txg_buf all = {0};
    write_three(&all);
    for (size_t chunk = 1; chunk <= txg_buf_len(&all); chunk++) {
        struct txg_frame_reader r = {0};
        struct txg_frame f;
        struct txg_err err;
        size_t seen = 0;
        for (size_t at = 0; at < txg_buf_len(&all); at += chunk) {
            size_t left = txg_buf_len(&all) - at;
            txg_frame_reader_feed(&r, txg_buf_data(&all) + at, left < chunk ? left : chunk);
            while (txg_frame_reader_next(&r, &f, &err) == 1) {
                static const uint32_t channels[] = {1, 0xfffffffe, 7};
                static const char *const payloads[] = {"abc", "", "0123456789"};
                CU_ASSERT_EQUAL(f.channel, channels[seen % 3]);
                CU_ASSERT(txg_span_is(f.payload, payloads[seen % 3]));
                seen++;
            }
        }
        CU_ASSERT_EQUAL(seen, 3);
        CU_ASSERT_EQUAL(txg_frame_reader_partial(&r), 0);
        txg_frame_reader_release(&r);
    }
    txg_buf_release(&all);
}

static void a_cut_frame_is_partial(void)
{
    struct txg_buf all = {0};
    txg_frame_write(&all, 1, "abc", 3);
    for (size_t len = 1; len < txg_buf_len(&all); len++) {
        struct txg_frame_reader r = {0};
        struct txg_frame f;
        txg_frame_reader_feed(&r, txg_buf_data(&all), len);
        CU_ASSERT_EQUAL(txg_frame_reader_next(&r, &f, NULL), 0);
        CU_ASSERT_EQUAL(txg_frame_reader_partial(&r), len);
        txg_frame_reader_release(&r);
    }
    txg_buf_release(&all);
}

static void a_length_over_the_limit_is_refused_at_once(void)
{
    struct txg_frame_reader r = {0};
    struct txg_frame f;
    struct txg_err err = {0};
    static const unsigned char header[] = {0, 0x10, 0, 1, 0, 0, 0, 0};
    txg_frame_reader_feed(&r, header, sizeof header);
    CU_ASSERT_EQUAL(txg_frame_reader_next(&r, &f, &err), -1);
    CU_ASSERT(err.text[0] != '\0');
    txg_frame_reader_release(&r);
}

/* Writes through random partial sends; what arrives are whole frames, each channel in order. */
static void mux_keeps_frames_whole_and_channels_in_order(void)
{
    struct txg_mux out = {0}, in = {0};
    struct txg_msg beat = {.type = TXG_MSG_BEAT}, start = {.type = TXG_MSG_LOGSTART};
    unsigned seed = 7;
    int64_t beats = 0, starts = 0, seen_beats = 0, seen_starts = 0;
    for (int round = 0; round < 3000; round++) {
        seed = seed * 1103515245 + 12345;
        if (seed >> 30 & 1) {
            beat.beat.n = ++beats;
            txg_mux_send(&out, 0, &beat);
        } else {
            start.logstart.seq = ++starts;
            txg_mux_send(&out, 3, &start);
        }
        struct txg_span bytes = txg_mux_pending(&out);
        size_t n = (seed >> 8) % (bytes.len + 1);
        txg_mux_feed(&in, bytes.data, n);
        txg_mux_sent(&out, n);
    }
    while (txg_mux_unsent(&out)) {
        struct txg_span bytes = txg_mux_pending(&out);
        txg_mux_feed(&in, bytes.data, bytes.len);
        txg_mux_sent(&out, bytes.len);
    }
    struct txg_frame f;
    struct txg_err err;
    while (txg_mux_next(&in, &f, &err) == 1) {
        struct txg_msg msg;
        CU_ASSERT_EQUAL_FATAL(txg_msg_decode(f.payload, &msg, &err), 0);
        if (f.channel == 0)
            CU_ASSERT_EQUAL(msg.beat.n, ++seen_beats);
        if (f.channel == 3)
            CU_ASSERT_EQUAL(msg.logstart.seq, ++seen_starts);
        txg_msg_release(&msg);
    }
    CU_ASSERT_EQUAL(seen_beats, beats);
    CU_ASSERT_EQUAL(seen_starts, starts);
    txg_mux_release(&out);
    txg_mux_release(&in);
}

static void channel_0_goes_first_but_not_into_a_frame(void)
{
    struct txg_mux m = {0};
    struct txg_msg beat = {.type = TXG_MSG_BEAT}, down = {.type = TXG_MSG_SHUTDOWN};
    beat.beat.n = 1;
    txg_mux_send(&m, 5, &down);
    size_t frame = txg_mux_unsent(&m);
    txg_mux_sent(&m, 3);
    txg_mux_send(&m, 5, &down);
    txg_mux_send(&m, 0, &beat);
    CU_ASSERT_EQUAL(txg_mux_pending(&m).len, frame - 3);
    txg_mux_sent(&m, frame - 3);
    CU_ASSERT_EQUAL(txg_mux_pending(&m).data[7], 0); /* the channel of the next header */
    struct txg_msg exited = {.type = TXG_MSG_EXITED};
    exited.exited.channel = 5;
    txg_mux_send_behind(&m, 0, &exited);
    txg_mux_sent(&m, txg_mux_pending(&m).len);
    CU_ASSERT_EQUAL(txg_mux_pending(&m).data[7], 5);
    txg_mux_release(&m);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"in every chunking", in_every_chunking},
        {"a cut frame is partial", a_cut_frame_is_partial},
        {"a length over the limit is refused at once", a_length_over_the_limit_is_refused_at_once},
        {"mux keeps frames whole and channels in order",
         mux_keeps_frames_whole_and_channels_in_order},
        {"channel 0 goes first but not into a frame", channel_0_goes_first_but_not_into_a_frame},
        {0},
    };
    return txg_suite_main(argc, argv, "frame", tests);
}
