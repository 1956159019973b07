#include "config.h"

#include "src/worker/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/base/key.h"

void txg_door_say(const char *fmt, ...)
{
    char line[512] = "txgate-worker: ";
    size_t head = strlen(line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + head, sizeof line - head - 1, fmt, args);
    va_end(args);
    strcat(line, "\n");
    /* A pipe that is ready takes PIPE_BUF bytes at once. */
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT) {
        ssize_t n = write(STDERR_FILENO, line, strlen(line));
        (void)n;
    }
}

static void tell_untold(struct txg_door *d)
{
    if (d->untold)
        txg_door_say("%u more refused, the last of them %s", d->untold, d->last);
    d->told = d->untold = 0;
}

void txg_door_refused(struct txg_door *d, const char *who, const char *why, int64_t now)
{
    if (now - d->told_since >= TXG_DOOR_SPAN) {
        tell_untold(d);
        d->told_since = now;
    }
    if (d->told < TXG_DOOR_LINES) {
        d->told++;
        txg_door_say("%s refused: %s", who, why);
    } else {
        d->untold++;
        snprintf(d->last, sizeof d->last, "%s", who);
    }
}

/* The address as people write it, and what it counts as. */
static void know(struct txg_guest *g, const struct sockaddr_storage *from)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        g->from = v6->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof text);
            snprintf(g->who, sizeof g->who, "%s:%u", text, ntohs(v6->sin6_port));
        } else {
            memset(g->from.s6_addr + 8, 0, 8);
            inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
            snprintf(g->who, sizeof g->who, "[%s]:%u", text, ntohs(v6->sin6_port));
        }
        return;
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    memset(g->from.s6_addr, 0, 10);
    memset(g->from.s6_addr + 10, 0xff, 2);
    memcpy(g->from.s6_addr + 12, &v4->sin_addr, 4);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    snprintf(g->who, sizeof g->who, "%s:%u", text, ntohs(v4->sin_port));
}

/* The order of the rest stays: it is that of their coming. */
static void drop(struct txg_door *d, size_t i)
{
    txg_seal_release(&d->guests[i].seal);
    close(d->guests[i].fd);
    d->n--;
    memmove(&d->guests[i], &d->guests[i + 1], (d->n - i) * sizeof *d->guests);
}

static void send_away(struct txg_door *d, size_t i, const char *why, int64_t now)
{
    txg_door_refused(d, d->guests[i].who, why, now);
    drop(d, i);
}

bool txg_door_make_room(struct txg_door *d, const char *why, int64_t now)
{
    size_t best = 0, most = 0;
    for (size_t i = 0; i < d->n; i++) {
        size_t same = 0;
        for (size_t j = i; j < d->n; j++)
            same += memcmp(&d->guests[i].from, &d->guests[j].from, sizeof d->guests->from) == 0;
        if (same > most) { /* counted from its first, which is its oldest */
            most = same;
            best = i;
        }
    }
    if (most == 0)
        return false;
    send_away(d, best, why, now);
    return true;
}

void txg_door_admit(struct txg_door *d, int fd, const struct sockaddr_storage *from, int64_t now)
{
    unsigned char ephemeral[TXG_NOISE_KEY];
    struct txg_err err;
    if (d->n == TXG_DOOR_MAX)
        txg_door_make_room(d, "too many connections that have not proven to have the key", now);
    struct txg_guest *g = &d->guests[d->n];
    *g = (struct txg_guest){.fd = fd, .since = now};
    know(g, from);
    if (txg_random(ephemeral, sizeof ephemeral, &err) != 0) {
        txg_door_refused(d, g->who, err.text, now);
        close(fd);
        return;
    }
    txg_seal_open(&g->seal, TXG_NOISE_RESPONDER, d->caller, d->key, ephemeral, NULL);
    txg_wipe(ephemeral, sizeof ephemeral);
    d->n++;
}

size_t txg_door_fill(const struct txg_door *d, struct pollfd *fds)
{
    for (size_t i = 0; i < d->n; i++)
        fds[i] = (struct pollfd){.fd = d->guests[i].fd, .events = POLLIN};
    return d->n;
}

/* 1: proven; 0: more has to come; -1 with *err: to be sent away. */
static int hear(struct txg_guest *g, struct txg_err *err)
{
    char bytes[TXG_SEAL_UNPROVEN_MAX];
    struct txg_buf plain = {0}, out = {0};
    /* Never a byte behind the proof: that is for the one who serves the link. */
    ssize_t n = read(g->fd, bytes, sizeof bytes - g->got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return txg_err_set(err, TXG_E_SYS, "handshake: %s", strerror(errno));
    if (n == 0)
        return txg_err_set(err, TXG_E_PROTO, "it hung up after %zu bytes of the handshake", g->got);
    g->got += (size_t)n;
    int rc = txg_seal_feed(&g->seal, bytes, (size_t)n, &plain, &out, err);
    size_t answer = txg_buf_len(&out);
    /* A socket that was just opened takes 50 bytes. */
    if (rc == 0 && answer &&
        send(g->fd, txg_buf_data(&out), answer, MSG_NOSIGNAL) != (ssize_t)answer)
        rc = txg_err_set(err, TXG_E_SYS, "it does not take the answer to its handshake");
    txg_buf_release(&plain);
    txg_buf_release(&out);
    return rc == 0 ? g->seal.proven : -1;
}

void txg_door_read(struct txg_door *d, const struct pollfd *fds, size_t n, int64_t now,
                   void (*enter)(void *user, struct txg_guest *guest), void *user)
{
    struct txg_err err;
    for (size_t i = n; i-- > 0;) { /* from behind: who goes moves only those that are done */
        if (!fds[i].revents)
            continue;
        int rc = hear(&d->guests[i], &err);
        if (rc < 0) {
            send_away(d, i, err.text, now);
        } else if (rc > 0) {
            struct txg_guest guest = d->guests[i];
            d->n--;
            memmove(&d->guests[i], &d->guests[i + 1], (d->n - i) * sizeof *d->guests);
            txg_wipe(&d->guests[d->n], sizeof *d->guests);
            enter(user, &guest);
            txg_wipe(&guest, sizeof guest);
        }
    }
}

int64_t txg_door_expire(struct txg_door *d, int64_t now)
{
    char why[96];
    snprintf(why, sizeof why, "no proof of the key within %d s", (int)(TXG_DOOR_LIMIT / 1000000));
    while (d->n && now - d->guests[0].since >= TXG_DOOR_LIMIT)
        send_away(d, 0, why, now);
    if (d->untold && now - d->told_since >= TXG_DOOR_SPAN)
        tell_untold(d);
    int64_t next = d->n ? d->guests[0].since + TXG_DOOR_LIMIT : INT64_MAX;
    if (d->untold && d->told_since + TXG_DOOR_SPAN < next)
        next = d->told_since + TXG_DOOR_SPAN;
    return next;
}

void txg_door_clear(struct txg_door *d)
{
    while (d->n)
        drop(d, d->n - 1);
    txg_wipe(d->guests, sizeof d->guests);
}
