#include "config.h"

/*
 * A transport by itself, as the tests of ssh= drive it: its stream is this program's stdin and
 * stdout, and what it tells stands on stderr, a line each.
 *
 *     link SPEC [--timeout SECONDS] [--accept] [--pin KEY] [--kill-after MS] [--stop-after MS]
 *               [--stop-at-eof]
 *
 * The milliseconds count from the moment it is open.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/transport.h"
#include "src/base/str.h"

#define CHUNK 65536

static struct {
    uv_loop_t loop;
    const struct txg_transport_ops *ops;
    struct txg_transport *transport;
    uv_timer_t kill_timer, stop_timer, tick;
    uint64_t last_tick, longest_gap; /* ms: how long the loop was away */
    uv_fs_t file;
    char bytes[CHUNK];
    size_t len, sent;
    bool stop_at_eof, at_eof, ended;
    uint64_t stop_after, kill_after;
} g;

static void read_more(void);

static void push(void)
{
    while (g.sent < g.len) {
        size_t n = g.ops->write(g.transport, g.bytes + g.sent, g.len - g.sent);
        g.sent += n;
        if (g.sent < g.len)
            return; /* on_writable goes on */
    }
    read_more();
}

static void on_bytes(uv_fs_t *file)
{
    ssize_t n = file->result;
    uv_fs_req_cleanup(file);
    g.at_eof = n <= 0;
    if (g.ended)
        return;
    if (n <= 0) {
        if (g.stop_at_eof)
            g.ops->stop(g.transport);
        return;
    }
    g.len = (size_t)n;
    g.sent = 0;
    push();
}

static void read_more(void)
{
    uv_buf_t buf = uv_buf_init(g.bytes, sizeof g.bytes);
    uv_fs_read(&g.loop, &g.file, 0, &buf, 1, -1, on_bytes);
}

static void on_kill(uv_timer_t *timer)
{
    (void)timer;
    g.ops->kill(g.transport);
}

static void on_stop(uv_timer_t *timer)
{
    (void)timer;
    g.ops->stop(g.transport);
}

static void on_open(struct txg_transport *t)
{
    (void)t;
    fprintf(stderr, "open\n");
    if (g.kill_after)
        uv_timer_start(&g.kill_timer, on_kill, g.kill_after, 0);
    if (g.stop_after)
        uv_timer_start(&g.stop_timer, on_stop, g.stop_after, 0);
    read_more();
}

static void on_read(struct txg_transport *t, const void *data, size_t len)
{
    (void)t;
    fwrite(data, 1, len, stdout);
    fflush(stdout);
}

static void on_writable(struct txg_transport *t)
{
    (void)t;
    push();
}

static void on_words(struct txg_transport *t, const char *line)
{
    (void)t;
    fprintf(stderr, "words %s\n", line);
}

static void on_end(struct txg_transport *t, const char *step, const char *reason, const char *words)
{
    fprintf(stderr, "end %s: %s\n", step, reason);
    if (*words)
        fprintf(stderr, "last %s", words);
    g.ended = true;
    uv_close((uv_handle_t *)&g.kill_timer, NULL);
    uv_close((uv_handle_t *)&g.stop_timer, NULL);
    uv_close((uv_handle_t *)&g.tick, NULL);
    g.ops->free(t);
    fprintf(stderr, "gap %llu ms\n", (unsigned long long)g.longest_gap);
    fflush(stderr);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    uint64_t now = uv_hrtime() / 1000000;
    if (g.last_tick && now - g.last_tick > g.longest_gap)
        g.longest_gap = now - g.last_tick;
    g.last_tick = now;
}

int main(int argc, char **argv)
{
    static const struct txg_transport_events events = {on_open, on_read, on_writable, on_words,
                                                       on_end};
    static const struct option longs[] = {{"timeout", 1, NULL, 't'},
                                          {"accept", 0, NULL, 'a'},
                                          {"pin", 1, NULL, 'p'},
                                          {"kill-after", 1, NULL, 'k'},
                                          {"stop-after", 1, NULL, 's'},
                                          {"stop-at-eof", 0, NULL, 'e'},
                                          {0}};
    struct txg_err err;
    double seconds = 10;
    bool accept = false;
    const char *pin = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 't')
            seconds = atof(optarg);
        else if (c == 'a')
            accept = true;
        else if (c == 'p')
            pin = optarg;
        else if (c == 'k')
            g.kill_after = (uint64_t)atol(optarg);
        else if (c == 'e')
            g.stop_at_eof = true;
        else if (c == 's')
            g.stop_after = (uint64_t)atol(optarg);
        else
            return 2;
    }
    struct txg_spec *spec = txg_spec_parse(argv[optind], &err);
    if (!spec) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    spec->host_key = txg_xstrdup(pin);
    uv_loop_init(&g.loop);
    uv_timer_init(&g.loop, &g.kill_timer);
    uv_timer_init(&g.loop, &g.stop_timer);
    uv_timer_init(&g.loop, &g.tick);
    uv_timer_start(&g.tick, on_tick, 5, 5);
    g.ops = txg_transport_for(spec->kind);
    g.transport =
        g.ops->create(&(struct txg_transport_config){.loop = &g.loop,
                                                     .spec = spec,
                                                     .worker = "/bin/false",
                                                     .token = "token",
                                                     .connect_timeout = (int64_t)(seconds * 1e6),
                                                     .accept_new_host_keys = accept,
                                                     .events = &events,
                                                     .user = NULL});
    g.ops->start(g.transport);
    while (!g.ended)
        uv_run(&g.loop, UV_RUN_ONCE);
    txg_spec_free(spec);
    if (!g.at_eof)
        _exit(0); /* a read of stdin hangs in a thread of libuv */
    uv_run(&g.loop, UV_RUN_DEFAULT);
    txg_transports_settle();
    return uv_loop_close(&g.loop) == 0 ? 0 : 3;
}
