#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HELLO_MAX (1u << 20) /* bytes of a command: docs/harness.md, section 2 */
#define PIECE     65536u
#define RING_LINE 4096u /* a longer one goes by the pipe */

void txg_lines_die(const char *what)
{
    const char *const words[] = {"txgate's harness: ", what, "\n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        ssize_t n = write(2, words[i], strlen(words[i]));
        (void)n; /* there is nobody else to tell */
    }
    exit(99);
}

static void *must(void *p)
{
    if (!p)
        txg_lines_die("out of memory");
    return p;
}

/* The system call itself: the preload library is built with one libc's headers and run with another
 * libc, whose time_t may differ. Where there are two, the older one has longs. */
long long txg_lines_now(void)
{
#ifdef SYS_clock_gettime32
    const long number = SYS_clock_gettime32;
#else
    const long number = SYS_clock_gettime;
#endif
    long t[2] = {0, 0};
    syscall(number, CLOCK_MONOTONIC, t);
    return t[0] * 1000000LL + t[1] / 1000;
}

/* A number of one or more digits, and the place behind it; -1: there is none. */
static int number(const char **at)
{
    int n = -1;
    for (; **at >= '0' && **at <= '9' && n < 10000; ++*at)
        n = (n < 0 ? 0 : n * 10) + (**at - '0');
    return n;
}

/* Told with TXGATE_RING, as the other two are with theirs. */
static void open_ring(struct txg_lines *l)
{
    const char *text = getenv("TXGATE_RING");
    int fd = text ? number(&text) : -1;
    if (fd < 0 || *text != '\0')
        return;
    txg_lines_ring_open(&l->ring, fd, l->out);
    close(fd);
    unsetenv("TXGATE_RING");
}

bool txg_lines_open(struct txg_lines *l)
{
    const char *fds = getenv("TXGATE_HARNESS");
    if (!fds)
        return false;
    l->in = number(&fds);
    fds += *fds == ',';
    l->out = number(&fds);
    if (l->in < 0 || l->out < 0 || *fds != '\0')
        return false;
    fcntl(l->in, F_SETFD, FD_CLOEXEC);
    fcntl(l->out, F_SETFD, FD_CLOEXEC);
    unsetenv("TXGATE_HARNESS");
    open_ring(l);
    return true;
}

void txg_lines_release(struct txg_lines *l)
{
    free(l->text);
    free(l->said);
    txg_lines_ring_release(&l->ring);
    *l = (struct txg_lines){0};
}

char *txg_lines_read(struct txg_lines *l)
{
    for (size_t seen = l->from;;) {
        char *newline = l->to > seen ? memchr(l->text + seen, '\n', l->to - seen) : NULL;
        if (newline) {
            char *line = l->text + l->from;
            *newline = '\0';
            l->from = (size_t)(newline - l->text) + 1;
            return line;
        }
        if (l->from > 0 && l->from < l->to)
            memmove(l->text, l->text + l->from, l->to - l->from);
        l->to -= l->from;
        l->from = 0;
        seen = l->to;
        if (l->to == l->cap) {
            if (l->cap > HELLO_MAX)
                txg_lines_die("a command without end");
            l->cap = l->cap ? 2 * l->cap : PIECE;
            l->text = must(realloc(l->text, l->cap));
        }
        ssize_t n;
        do
            n = read(l->in, l->text + l->to, l->cap - l->to);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return NULL;
        l->to += (size_t)n;
    }
}

char *txg_lines_field(char **line)
{
    char *field = *line, *to = field, *from = field;
    if (!field)
        return NULL;
    for (; *from && *from != '\t'; from++) {
        if (*from == '\\' && from[1]) {
            from++;
            *to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
        } else {
            *to++ = *from;
        }
    }
    *line = *from ? from + 1 : NULL;
    *to = '\0';
    return field;
}

static char *put_field(char *to, const char *text)
{
    for (; *text; text++) {
        char escape = *text == '\t' ? 't' : *text == '\n' ? 'n' : *text == '\\' ? '\\' : '\0';
        if (escape)
            *to++ = '\\';
        *to++ = escape ? escape : *text;
    }
    return to;
}

static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(99); /* nobody listens any more */
        data += n;
        len -= (size_t)n;
    }
}

static void flush(struct txg_lines *l)
{
    write_all(l->out, l->said, l->said_len);
    l->said_len = 0;
}

static void add(struct txg_lines *l, const char *const *fields)
{
    size_t most = 1;
    for (size_t i = 0; fields[i]; i++)
        most += 2 * strlen(fields[i]) + 1;
    if (most > l->said_cap - l->said_len) {
        l->said_cap = 2 * (l->said_len + most);
        l->said = must(realloc(l->said, l->said_cap));
    }
    char *begin = l->said + l->said_len, *at = begin;
    for (; *fields; fields++) {
        if (at > begin)
            *at++ = '\t';
        at = put_field(at, *fields);
    }
    *at++ = '\n';
    l->said_len = (size_t)(at - l->said);
}

void txg_lines_put(struct txg_lines *l, const char *const *fields)
{
    add(l, fields);
    if (l->said_len > PIECE)
        flush(l);
}

void txg_lines_say(struct txg_lines *l, const char *const *fields)
{
    add(l, fields);
    flush(l);
}

void txg_lines_tell(struct txg_lines *l, const char *const *fields)
{
    if (l->said_len > 0)
        flush(l);
    add(l, fields);
    bool ours = txg_lines_ring_is_ours(&l->ring);
    if (ours && l->said_len <= RING_LINE) {
        bool sleeps = txg_lines_ring_put(&l->ring, l->said, l->said_len);
        l->said_len = 0;
        if (sleeps)
            write_all(l->out, "\n", 1);
        return;
    }
    if (ours) /* what went there was said before */
        txg_lines_ring_settle(&l->ring);
    flush(l);
}

static bool is_unread(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

bool txg_lines_must_wait(void)
{
    return is_unread(1) || is_unread(2);
}

void txg_lines_await_go(struct txg_lines *l)
{
    char *line = txg_lines_read(l);
    /* runs that were sent ahead stand in front of it: they stay where they are */
    size_t kept = 0;
    char *later = NULL;
    while (line && strcmp(line, "go") != 0) {
        size_t n = strlen(line);
        later = must(realloc(later, kept + n + 1));
        memcpy(later + kept, line, n);
        later[kept + n] = '\n';
        kept += n + 1;
        line = txg_lines_read(l);
    }
    if (!line)
        _exit(0); /* nobody wants the rest */
    if (kept > 0) {
        size_t rest = l->to - l->from;
        char *text = must(malloc(kept + rest + PIECE));
        memcpy(text, later, kept);
        memcpy(text + kept, l->text + l->from, rest);
        l->cap = kept + rest + PIECE;
        l->to = kept + rest;
        l->from = 0;
        free(l->text);
        l->text = text;
    }
    free(later);
}
