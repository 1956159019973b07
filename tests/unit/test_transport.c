#include "config.h"

/*
 * One suite over every transport whose far side can be had here: the contract of
 * gateway/transport.h. The far side echoes what it hears and ends at the line "end".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/pair.h"
#ifdef TXG_SOCKETS
#include "gateway/wire/seal.h"
#endif
#include "src/base/key.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

#define ECHO_SIZE (1u << 20)
#define TICKS_MAX 20000 /* milliseconds */

struct far {
    const struct txg_transport_ops *ops;
    const char *echoes, *ends; /* programs, where it is one; or where it listens */
    bool is_silent;            /* a socket: it has no way to say words */
};

struct near {
    uv_loop_t loop;
    uv_timer_t limit; /* no test waits for ever, and no turn of the loop long */
    unsigned ticks;
    struct txg_transport *t;
    struct txg_spec spec;
    bool in_memory, late;
    unsigned opened, ended, read_after_stop;
    bool stopped;
    struct txg_buf got, words;
    char *to_send;
    size_t sent, wanted;
    char step[32], reason[256], last_words[256];
};

static void on_open(struct txg_transport *t)
{
    struct near *n = t->user;
    n->opened++;
}

static void on_read(struct txg_transport *t, const void *data, size_t len)
{
    struct near *n = t->user;
    n->read_after_stop += n->stopped;
    txg_buf_append(&n->got, data, len);
}

/* Odd sizes, as frames have them. */
static void send_more(struct near *n)
{
    while (n->sent < n->wanted) {
        size_t piece = 1 + n->sent % 7777, left = n->wanted - n->sent;
        if (piece > left)
            piece = left;
        size_t took = n->t->ops->write(n->t, n->to_send + n->sent, piece);
        CU_ASSERT(took <= piece);
        n->sent += took;
        if (took < piece)
            return;
    }
}

static void on_writable(struct txg_transport *t)
{
    send_more(t->user);
}

static void on_words(struct txg_transport *t, const char *line)
{
    struct near *n = t->user;
    txg_buf_puts(&n->words, line);
}

static void on_end(struct txg_transport *t, const char *step, const char *reason, const char *words)
{
    struct near *n = t->user;
    n->ended++;
    snprintf(n->step, sizeof n->step, "%s", step);
    snprintf(n->reason, sizeof n->reason, "%s", reason);
    snprintf(n->last_words, sizeof n->last_words, "%s", words);
}

static char key_file[PATH_MAX + 8];

static const struct txg_transport_events events = {on_open, on_read, on_writable, on_words, on_end};

static void on_limit(uv_timer_t *timer)
{
    struct near *n = timer->data;
    n->late = ++n->ticks > TICKS_MAX;
}

static void begin(struct near *n, const struct txg_transport_ops *ops, const char *program)
{
    *n = (struct near){.in_memory = ops == &txg_pair_ops};
    n->spec.target = (char *)program;
    n->spec.key_file = key_file;
    uv_loop_init(&n->loop);
    uv_timer_init(&n->loop, &n->limit);
    n->limit.data = n;
    uv_timer_start(&n->limit, on_limit, 1, 1);
    n->t = ops->create(&(struct txg_transport_config){.loop = &n->loop,
                                                      .spec = &n->spec,
                                                      .worker = program,
                                                      .token = "t0",
                                                      .connect_timeout = INT64_C(10000000),
                                                      .events = &events,
                                                      .user = n});
    ops->start(n->t);
    CU_ASSERT_EQUAL(n->opened + n->ended, 0); /* nobody is called back from inside start */
}

/* What a pair's far side does. It takes its time. */
static void act_as_far_side(struct near *n)
{
    struct txg_span heard = txg_pair_heard(n->t);
    if (heard.len == 4 && memcmp(heard.data, "end\n", 4) == 0) {
        txg_pair_words(n->t, "the far side was told to end");
        txg_pair_take(n->t, heard.len);
        txg_pair_end(n->t, "it ended");
    } else if (heard.len) {
        size_t half = heard.len / 2 + 1;
        txg_pair_say(n->t, heard.data, half);
        txg_pair_take(n->t, half);
    }
}

static void turn(struct near *n)
{
    if (n->in_memory && !n->ended)
        act_as_far_side(n);
    uv_run(&n->loop, UV_RUN_ONCE);
}

static void finish(struct near *n)
{
    while (!n->ended && !n->late)
        turn(n);
    CU_ASSERT_EQUAL_FATAL(n->ended, 1);
    CU_ASSERT_EQUAL(n->read_after_stop, 0);
    n->t->ops->free(n->t);
    uv_close((uv_handle_t *)&n->limit, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&n->loop), 0); /* no handle was left */
    txg_buf_release(&n->got);
    txg_buf_release(&n->words);
    free(n->to_send);
}

static void echoes_all(const struct far *far)
{
    struct near n;
    size_t size = far->is_silent ? 16 * ECHO_SIZE : ECHO_SIZE; /* more than TCP holds by itself */
    begin(&n, far->ops, far->echoes);
    n.to_send = txg_xcalloc(size, 1);
    n.wanted = size;
    for (size_t i = 0; i < size; i++)
        n.to_send[i] = (char)(i * 31 + i / 251);
    while (!n.opened && !n.late)
        turn(&n);
    send_more(&n);
    while (txg_buf_len(&n.got) < size && !n.late)
        turn(&n);
    CU_ASSERT_EQUAL(n.sent, size);
    CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&n.got), txg_buf_len(&n.got)),
                             txg_span(n.to_send, size)));
    n.stopped = true;
    far->ops->stop(n.t);
    finish(&n);
    CU_ASSERT_EQUAL(n.opened, 1);
    CU_ASSERT_STRING_EQUAL(n.step, "link");
}

static void tells_of_the_far_end(const struct far *far)
{
    struct near n;
    begin(&n, far->ops, far->ends);
    while (!n.opened && !n.late)
        turn(&n);
    CU_ASSERT_EQUAL(far->ops->write(n.t, "end\n", 4), 4);
    while (!n.ended && !n.late)
        turn(&n);
    CU_ASSERT_STRING_EQUAL(n.step, "link");
    CU_ASSERT(strlen(n.reason) > 0);
    const char *words = far->is_silent ? "" : "the far side was told to end\n";
    CU_ASSERT_STRING_EQUAL(n.last_words, words);
    CU_ASSERT(txg_span_equal(txg_span(txg_buf_data(&n.words), txg_buf_len(&n.words)),
                             txg_span(words, strcspn(words, "\n"))));
    finish(&n);
}

static void stops_before_it_is_open(const struct far *far)
{
    struct near n;
    begin(&n, far->ops, far->echoes);
    n.stopped = true;
    far->ops->stop(n.t);
    CU_ASSERT_EQUAL(n.ended, 0); /* nor from inside stop */
    finish(&n);
    CU_ASSERT_EQUAL(n.opened, 0);
}

static void is_killed(const struct far *far)
{
    struct near n;
    begin(&n, far->ops, far->echoes);
    while (!n.opened && !n.late)
        turn(&n);
    n.stopped = true;
    far->ops->kill(n.t);
    CU_ASSERT_EQUAL(n.ended, 0);
    CU_ASSERT_EQUAL(far->ops->write(n.t, "lost", 4), 4); /* taken and dropped */
    finish(&n);
}

#ifdef TXG_SOCKETS
static bool send_all(int fd, struct txg_buf *bytes)
{
    while (txg_buf_len(bytes)) {
        ssize_t n = send(fd, txg_buf_data(bytes), txg_buf_len(bytes), MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        txg_buf_consume(bytes, (size_t)n);
    }
    return true;
}

/* What it hears, until it hears "end". */
static void echo_sealed(int fd)
{
    static char bytes[20000];
    unsigned char key[TXG_KEY_SIZE], ephemeral[TXG_KEY_SIZE];
    struct txg_seal seal;
    struct txg_buf plain = {0}, out = {0};
    bool more = txg_key_read(key_file, key, NULL) == 0 &&
                txg_random(ephemeral, sizeof ephemeral, NULL) == 0;
    txg_seal_open(&seal, TXG_NOISE_RESPONDER, TXG_SEAL_CONTROLLER_CALLS, key, ephemeral, NULL);
    for (ssize_t n; more && (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        more = txg_seal_feed(&seal, bytes, (size_t)n, &plain, &out, NULL) == 0;
        if (txg_span_is(txg_span(txg_buf_data(&plain), txg_buf_len(&plain)), "end\n"))
            break;
        if (more && txg_buf_len(&plain))
            more = txg_seal_send(&seal, txg_buf_data(&plain), txg_buf_len(&plain), &out, NULL) == 0;
        txg_buf_clear(&plain);
        more = more && send_all(fd, &out);
    }
    txg_seal_release(&seal);
    txg_buf_release(&plain);
    txg_buf_release(&out);
    close(fd);
}

/* A process that has the key, and its address. */
static pid_t listen_sealed(char *target, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_FATAL(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    snprintf(target, size, "127.0.0.1:%u", ntohs(address.sin_port));
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* whatever becomes of the test */
        for (int peer; (peer = accept(fd, NULL, NULL)) >= 0;)
            echo_sealed(peer);
        _exit(1);
    }
    close(fd);
    return pid;
}

static void over_a_socket(void (*test)(const struct far *), const char *folder)
{
    char target[32];
    snprintf(key_file, sizeof key_file, "%s/key", folder);
    CU_ASSERT_EQUAL_FATAL(txg_key_create(key_file, NULL), 0);
    pid_t pid = listen_sealed(target, sizeof target);
    test(&(struct far){&txg_socket_ops, target, target, true});
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
#else
static void over_a_socket(void (*test)(const struct far *), const char *folder)
{
    (void)test, (void)folder;
}
#endif

static void over_every_transport(void (*test)(const struct far *))
{
    struct tree t;
    char echoes[PATH_MAX + 8], ends[PATH_MAX + 8];
    tree_init(&t);
    tree_add(&t, "echoes", 0755, "#!/bin/sh\nexec cat\n");
    tree_add(&t, "ends", 0755,
             "#!/bin/sh\nread -r line\necho the far side was told to $line >&2\nexit 3\n");
    snprintf(echoes, sizeof echoes, "%s/echoes", t.path);
    snprintf(ends, sizeof ends, "%s/ends", t.path);
    test(&(struct far){.ops = &txg_pair_ops});
    test(&(struct far){&txg_popen_ops, echoes, ends, false});
    over_a_socket(test, t.path);
    tree_release(&t);
}

static void echo(void)
{
    over_every_transport(echoes_all);
}

static void far_end(void)
{
    over_every_transport(tells_of_the_far_end);
}

static void early_stop(void)
{
    over_every_transport(stops_before_it_is_open);
}

static void killing(void)
{
    over_every_transport(is_killed);
}

static void a_program_that_is_not_there(void)
{
    struct near n;
    begin(&n, &txg_popen_ops, "/nonexistent/worker");
    while (!n.ended && !n.late)
        turn(&n);
    CU_ASSERT_STRING_EQUAL(n.step, "start");
    CU_ASSERT_STRING_EQUAL(n.reason, "No such file or directory: /nonexistent/worker");
    finish(&n);
    CU_ASSERT_EQUAL(n.opened, 0);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"echoes all", echo},
        {"tells of the far end", far_end},
        {"stops before it is open", early_stop},
        {"is killed", killing},
        {"a program that is not there", a_program_that_is_not_there},
        {0},
    };
    return txg_suite_main(argc, argv, "transport", tests);
}
