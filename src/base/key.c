#include "config.h"

#include "src/base/key.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/clock.h"

#define HEAD       "txgate-key-1 "
#define HEAD_LEN   (sizeof HEAD - 1)
#define DIGITS     (2 * (size_t)TXG_KEY_SIZE)
#define LINE_LEN   ((size_t)TXG_KEY_LINE)
#define WHAT_TO_DO "make one with `txgate keygen FILE`"

_Static_assert(LINE_LEN == HEAD_LEN + DIGITS + 1, "a key's line");

void txg_wipe(void *secret, size_t len)
{
    explicit_bzero(secret, len);
}

/* Kernels before 3.17 have only the device. */
static int random_device(unsigned char *out, size_t len, struct txg_err *err)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    while (fd >= 0 && got < len) {
        ssize_t n = read(fd, out + got, len - got);
        if (n <= 0 && errno != EINTR)
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    int errnum = errno;
    if (fd >= 0)
        close(fd);
    return got == len ? 0 : txg_err_sys(err, errnum, "no random bytes: /dev/urandom");
}

int txg_random(void *out, size_t len, struct txg_err *err)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = getrandom((char *)out + got, len - got, 0);
        if (n < 0 && errno == ENOSYS)
            return random_device(out, len, err);
        if (n < 0 && errno != EINTR)
            return txg_err_sys(err, errno, "no random bytes: getrandom");
        got += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Is it a file that only we, or root for us, could have written and can read? */
static int check_file(const char *path, int fd, struct txg_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return txg_err_sys(err, errno, "key file %s", path);
    if (!S_ISREG(st.st_mode))
        return txg_err_set(err, TXG_E_USAGE, "key file %s: expected a regular file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return txg_err_set(err, TXG_E_USAGE,
                           "key file %s belongs to uid %lld, and this is uid %lld: whoever owns it "
                           "can read and change the key (chown it, or make another)",
                           path, (long long)st.st_uid, (long long)geteuid());
    if (st.st_mode & 077)
        return txg_err_set(err, TXG_E_USAGE,
                           "key file %s has mode %04o: others than its owner could have the key "
                           "already; make a new one, or if that is no matter: chmod 600 %s",
                           path, (unsigned)st.st_mode & 07777, path);
    return 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse(const char *line, size_t len, unsigned char key[TXG_KEY_SIZE])
{
    memset(key, 0, TXG_KEY_SIZE);
    if (len != LINE_LEN || memcmp(line, HEAD, HEAD_LEN) != 0 || line[len - 1] != '\n')
        return -1;
    for (size_t i = 0; i < TXG_KEY_SIZE; i++) {
        int high = digit(line[HEAD_LEN + 2 * i]), low = digit(line[HEAD_LEN + 2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        key[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

/* What a pipe holds may come in pieces; one byte more than a line would be somebody else's. */
int txg_key_receive(int fd, int timeout, unsigned char key[TXG_KEY_SIZE], struct txg_err *err)
{
    char line[LINE_LEN];
    size_t got = 0;
    int64_t until = txg_now() + timeout * INT64_C(1000), left;
    while (got < sizeof line && (left = until - txg_now()) > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&ready, 1, (int)(left / 1000) + 1);
        if (n > 0)
            n = read(fd, line + got, sizeof line - got);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    int rc = parse(line, got, key);
    txg_wipe(line, sizeof line);
    if (rc != 0)
        txg_wipe(key, TXG_KEY_SIZE);
    return rc == 0 ? 0
                   : txg_err_set(err, TXG_E_USAGE,
                                 "standard input: expected a key, one line of '" HEAD
                                 "' and %zu digits of 0-9a-f",
                                 DIGITS);
}

int txg_key_read(const char *path, unsigned char key[TXG_KEY_SIZE], struct txg_err *err)
{
    char line[LINE_LEN + 1]; /* one more, to see that there is nothing more */
    memset(key, 0, TXG_KEY_SIZE);
    /* A FIFO of that name must not make us wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return txg_err_set(err, TXG_E_USAGE,
                           "key file %s: there is no such file (" WHAT_TO_DO
                           " on one side and copy it to the other)",
                           path);
    if (fd < 0)
        return txg_err_sys(err, errno, "key file %s", path);
    int rc = check_file(path, fd, err);
    if (rc == 0) {
        ssize_t n = read(fd, line, sizeof line);
        if (n < 0)
            rc = txg_err_sys(err, errno, "key file %s", path);
        else if (parse(line, (size_t)n, key) != 0)
            rc = txg_err_set(err, TXG_E_USAGE,
                             "key file %s: expected one line, '" HEAD
                             "' and %zu digits of 0-9a-f; " WHAT_TO_DO,
                             path, DIGITS);
    }
    txg_wipe(line, sizeof line);
    if (rc != 0)
        txg_wipe(key, TXG_KEY_SIZE);
    close(fd);
    return rc;
}

void txg_key_format(const unsigned char key[TXG_KEY_SIZE], char line[TXG_KEY_LINE + 1])
{
    memcpy(line, HEAD, sizeof HEAD);
    for (size_t i = 0; i < TXG_KEY_SIZE; i++)
        snprintf(line + HEAD_LEN + 2 * i, 3, "%02x", key[i]);
    line[LINE_LEN - 1] = '\n';
    line[LINE_LEN] = '\0';
}

static int write_key(int fd, struct txg_err *err)
{
    unsigned char key[TXG_KEY_SIZE];
    char line[LINE_LEN + 1];
    if (txg_random(key, sizeof key, err) != 0)
        return -1;
    txg_key_format(key, line);
    errno = ENOSPC; /* what a short write means */
    bool whole =
        fchmod(fd, 0600) == 0 && write(fd, line, LINE_LEN) == (ssize_t)LINE_LEN && fsync(fd) == 0;
    int errnum = errno;
    txg_wipe(key, sizeof key);
    txg_wipe(line, sizeof line);
    return whole ? 0 : txg_err_set(err, TXG_E_SYS, "%s", strerror(errnum));
}

int txg_key_create(const char *path, struct txg_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return txg_err_set(err, TXG_E_USAGE,
                           "%s is there already, and a key is never written over: hosts may know "
                           "it (remove it, or name another file)",
                           path);
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", path);
    int rc = write_key(fd, err);
    if (close(fd) != 0 && rc == 0)
        rc = txg_err_set(err, TXG_E_SYS, "%s", strerror(errno));
    if (rc == 0)
        return 0;
    unlink(path);
    return txg_err_wrap(err, "%s", path);
}
