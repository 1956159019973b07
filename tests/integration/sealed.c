#include "config.h"

/*
 * The worker's side of one sealed link, without a worker: what a peer that has the key and
 * misbehaves is made of. Listens on a port of 127.0.0.1, says which on stderr, and carries stdin
 * and stdout through the link.
 *
 *     sealed KEYFILE
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/wire/seal.h"
#include "src/base/key.h"

static struct txg_seal seal;
static int net;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, struct txg_buf *bytes)
{
    while (txg_buf_len(bytes)) {
        ssize_t n = write(fd, txg_buf_data(bytes), txg_buf_len(bytes));
        if (n <= 0)
            exit(0); /* the controller had enough */
        txg_buf_consume(bytes, (size_t)n);
    }
}

static void accept_one(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        fail("listen");
    fprintf(stderr, "%u\n", ntohs(address.sin_port));
    net = accept(fd, NULL, NULL);
    if (net < 0)
        fail("accept");
}

static void open_seal(const char *key_file)
{
    unsigned char key[TXG_KEY_SIZE], ephemeral[TXG_NOISE_KEY];
    struct txg_err err;
    if (txg_key_read(key_file, key, &err) != 0 ||
        txg_random(ephemeral, sizeof ephemeral, &err) != 0) {
        fprintf(stderr, "sealed: %s\n", err.text);
        exit(1);
    }
    txg_seal_open(&seal, TXG_NOISE_RESPONDER, TXG_SEAL_CONTROLLER_CALLS, key, ephemeral, NULL);
}

/* False at the end of what is read. */
static bool carry(int from, bool sealed)
{
    static char bytes[32768];
    struct txg_buf plain = {0}, out = {0};
    struct txg_err err;
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n <= 0)
        return false;
    int rc = sealed ? txg_seal_feed(&seal, bytes, (size_t)n, &plain, &out, &err)
                    : txg_seal_send(&seal, bytes, (size_t)n, &out, &err);
    if (rc != 0) {
        fprintf(stderr, "sealed: %s\n", err.text);
        exit(1);
    }
    put(STDOUT_FILENO, &plain);
    put(net, &out);
    txg_buf_release(&plain);
    txg_buf_release(&out);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    alarm(60);
    signal(SIGPIPE, SIG_IGN);
    open_seal(argv[1]);
    accept_one();
    bool more = true;
    for (;;) {
        struct pollfd fds[] = {{.fd = net, .events = POLLIN},
                               {.fd = seal.proven && more ? STDIN_FILENO : -1, .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[0].revents && !carry(net, true))
            return 0;
        if (fds[1].revents)
            more = carry(STDIN_FILENO, false);
    }
}
