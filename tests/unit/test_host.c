#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/host.h"
#include "gateway/pair.h"
#include "gateway/wire/mux.h"
#include "tests/lib/suite.h"

#define TICKS_MAX 20000 /* milliseconds */

/* A host whose agent is this test, over a pair. */
struct bench {
    uv_loop_t loop;
    uv_timer_t limit; /* no test waits for ever, and no turn of the loop long */
    unsigned ticks;
    struct txg_spec spec;
    struct txg_host *host;
    struct txg_mux agent;
    struct txg_buf log; /* what the host told: "message opened 1; lost: text; end" */
    bool ended, late;
};

/* Of the one host that lives. */
static struct txg_transport *near;
static char token[64];

static struct txg_transport *create(const struct txg_transport_config *config)
{
    near = txg_pair_ops.create(config);
    snprintf(token, sizeof token, "%s", config->token);
    return near;
}

static void say(struct bench *b, const char *text)
{
    txg_buf_printf(&b->log, "%s%s", txg_buf_len(&b->log) ? "; " : "", text);
}

static void on_message(void *user, struct txg_host *h, uint32_t channel, const struct txg_msg *msg)
{
    char text[64];
    (void)h;
    snprintf(text, sizeof text, "%u %s", channel, txg_msg_name(msg->type));
    say(user, text);
}

static void on_fault(void *user, struct txg_host *h, uint32_t channel, const char *text)
{
    char line[256];
    (void)h;
    snprintf(line, sizeof line, "%u fault: %s", channel, text);
    say(user, line);
}

static void on_words(void *user, struct txg_host *h, const char *line)
{
    (void)h;
    say(user, line);
}

static void on_lost(void *user, struct txg_host *h, bool cut_off, const char *text)
{
    char line[512];
    CU_ASSERT_FALSE(txg_host_is_usable(h));
    snprintf(line, sizeof line, "%s: %s", cut_off ? "lost" : "failed", text);
    say(user, line);
}

static void on_up(void *user, struct txg_host *h, const struct txg_msg_hello *hello,
                  size_t uploaded)
{
    CU_ASSERT_STRING_EQUAL(txg_host_arch(h), "");
    CU_ASSERT_EQUAL(hello->protocol, TXG_PROTOCOL);
    CU_ASSERT_FALSE(uploaded);
    say(user, "up");
}

static bool on_room(void *user, struct txg_host *h)
{
    (void)user, (void)h;
    return false;
}

static void on_end(void *user, struct txg_host *h)
{
    struct bench *b = user;
    (void)h;
    b->ended = true;
}

static void on_limit(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    b->late = ++b->ticks > TICKS_MAX;
}

static void begin(struct bench *b)
{
    static struct txg_transport_ops ops;
    ops = txg_pair_ops;
    ops.create = create;
    *b = (struct bench){0};
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->limit);
    b->limit.data = b;
    uv_timer_start(&b->limit, on_limit, 1, 1);
    b->host = txg_host_new(&(struct txg_host_config){.loop = &b->loop,
                                                     .spec = &b->spec,
                                                     .ops = &ops,
                                                     .testrunuid = "uid",
                                                     .heartbeat = 100000,
                                                     .connect_timeout = 300000,
                                                     .user = b,
                                                     .on_message = on_message,
                                                     .on_fault = on_fault,
                                                     .on_words = on_words,
                                                     .on_up = on_up,
                                                     .on_room = on_room,
                                                     .on_lost = on_lost,
                                                     .on_end = on_end});
}

static void turn(struct bench *b)
{
    uv_run(&b->loop, UV_RUN_ONCE);
}

/* The next message that the host sent; its strings are not looked at. */
static enum txg_msg_type hear(struct bench *b, struct txg_msg *msg)
{
    struct txg_frame frame;
    for (int turns = 0; turns < 1000 && !b->late && !b->ended; turns++) {
        struct txg_span heard = txg_pair_heard(near);
        txg_mux_feed(&b->agent, heard.data, heard.len);
        txg_pair_take(near, heard.len);
        if (txg_mux_next(&b->agent, &frame, NULL) == 1) {
            struct txg_msg got;
            CU_ASSERT_EQUAL(txg_msg_decode(frame.payload, &got, NULL), 0);
            *msg = got;
            txg_msg_release(&got);
            return msg->type;
        }
        turn(b);
    }
    return TXG_MSG_NONE;
}

static void send_bytes(uint32_t channel, const void *payload, size_t len)
{
    struct txg_buf out = {0};
    txg_frame_write(&out, channel, payload, len);
    txg_pair_say(near, txg_buf_data(&out), txg_buf_len(&out));
    txg_buf_release(&out);
}

static void answer(uint32_t channel, const struct txg_msg *msg)
{
    struct txg_buf payload = {0};
    txg_msg_encode(msg, &payload);
    send_bytes(channel, txg_buf_data(&payload), txg_buf_len(&payload));
    txg_buf_release(&payload);
}

static void send_hello(int64_t protocol)
{
    struct txg_msg msg = {.type = TXG_MSG_HELLO};
    msg.hello.protocol = protocol;
    answer(0, &msg);
}

static void greet(struct bench *b)
{
    struct txg_msg msg;
    char line[128];
    CU_ASSERT_EQUAL(hear(b, &msg), TXG_MSG_HELLO);
    CU_ASSERT_EQUAL(msg.hello.protocol, TXG_PROTOCOL);
    CU_ASSERT_EQUAL(msg.hello.heartbeat, 100000);
    snprintf(line, sizeof line, "motd: TXG is fine\nTXG %s\n", token);
    for (const char *at = line; *at; at++) /* byte by byte, behind a login shell's noise */
        txg_pair_say(near, at, 1);
    send_hello(TXG_PROTOCOL);
}

/* Runs until the host is gone; checks all that it told since the last look. */
static void expect_end(struct bench *b, const char *wanted)
{
    while (!b->ended && !b->late)
        turn(b);
    CU_ASSERT_FALSE(b->late);
    const char *got = txg_buf_cstr(&b->log);
    CU_ASSERT_PTR_NOT_NULL(strstr(got, wanted));
    if (!strstr(got, wanted) || (!*wanted && *got))
        printf("\n  wanted %s\n  got    %s\n", wanted, got);
    txg_host_free(b->host);
    uv_close((uv_handle_t *)&b->limit, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&b->loop), 0);
    txg_mux_release(&b->agent);
    txg_buf_release(&b->log);
}

static void its_life(void)
{
    struct bench b;
    struct txg_msg msg, beat = {.type = TXG_MSG_BEAT}, opened = {.type = TXG_MSG_OPENED};
    begin(&b);
    greet(&b);
    beat.beat.n = 7;
    answer(0, &beat);
    CU_ASSERT_EQUAL(hear(&b, &msg), TXG_MSG_LEASE);
    CU_ASSERT_EQUAL(msg.beat.n, 7);
    opened.opened.channel = 3;
    answer(0, &opened);
    answer(3, &(struct txg_msg){.type = TXG_MSG_WORKERREADY});
    send_bytes(3, "\xc1", 1);
    txg_host_send(b.host, 3, &(struct txg_msg){.type = TXG_MSG_SHUTDOWN});
    CU_ASSERT_EQUAL(hear(&b, &msg), TXG_MSG_SHUTDOWN);
    while (!strstr(txg_buf_cstr(&b.log), "fault") && !b.late)
        turn(&b);
    txg_pair_words(near, "disk is full");
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&b.log),
                           "up; 0 opened; 3 workerready; 3 fault: byte 0: tag "
                           "0xc1 is not allowed; disk is full");
    txg_buf_clear(&b.log);
    txg_host_stop(b.host);
    CU_ASSERT_FALSE(txg_host_is_usable(b.host));
    txg_host_send(b.host, 3, &beat); /* dropped */
    expect_end(&b, "");
}

static void what_is_no_worker(void)
{
    struct bench b;
    char noise[70000];
    memset(noise, 'x', sizeof noise);
    begin(&b);
    txg_pair_say(near, noise, sizeof noise);
    expect_end(&b, "failed: hello: this is no txgate-worker; it says: xxx");
    begin(&b);
    txg_pair_words(near, "sh: txgate-worker: not found");
    txg_pair_end(near, "agent ended with status 127");
    expect_end(&b, "agent ended with status 127; it said: sh: txgate-worker: not found");
    begin(&b);
    expect_end(&b, "failed: hello: no answer within 0.3 s (--connect-timeout)");
}

static void another_protocol(void)
{
    struct bench b;
    char line[128];
    begin(&b);
    snprintf(line, sizeof line, "TXG %s\n", token);
    txg_pair_say(near, line, strlen(line));
    send_hello(TXG_PROTOCOL + 1);
    TXG_AUTOFREE char *text =
        txg_xasprintf("failed: hello: the worker speaks protocol %d, this txgate %d: install the "
                      "same version on both sides",
                      TXG_PROTOCOL + 1, TXG_PROTOCOL);
    expect_end(&b, text);
    begin(&b);
    snprintf(line, sizeof line, "TXG %s\n", token);
    txg_pair_say(near, line, strlen(line));
    answer(0, &(struct txg_msg){.type = TXG_MSG_WARNING});
    expect_end(&b, "failed: hello: the agent's first message is not hello");
}

static void what_an_agent_does_not_send(void)
{
    struct bench b;
    struct txg_msg msg;
    begin(&b);
    greet(&b);
    answer(0, &(struct txg_msg){.type = TXG_MSG_SHUTDOWN});
    expect_end(&b, "lost: link: the agent sent what an agent does not send");
    begin(&b);
    greet(&b);
    send_bytes(0, "\xc0\xc0", 2);
    expect_end(&b, "lost: link: byte 1: 1 bytes behind the value");
    begin(&b);
    greet(&b);
    txg_pair_say(near, "\x7f\xff\xff\xff\0\0\0\0", 8);
    expect_end(&b, "lost: link: frame of 2147483647 bytes on channel 0");
    begin(&b);
    greet(&b);
    while (hear(&b, &msg) != TXG_MSG_NONE) {
    }
    expect_end(&b, "lost: link: no sign of life for 0.5");
    begin(&b);
    greet(&b);
    while (!strstr(txg_buf_cstr(&b.log), "up") && !b.late && !b.ended) {
        turn(&b);
    }
    txg_pair_end(near, "cut");
    expect_end(&b, "link: cut");
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"its life", its_life},
        {"what is no worker", what_is_no_worker},
        {"another protocol", another_protocol},
        {"what an agent does not send", what_an_agent_does_not_send},
        {0},
    };
    return txg_suite_main(argc, argv, "host", tests);
}
