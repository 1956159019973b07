#include "config.h"

#include "gateway/ssh/prompt.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "src/base/str.h"

#define TERMINAL "/dev/tty"

struct passphrase {
    char *file;
    char *text;
    struct passphrase *next;
};

static pthread_mutex_t terminal = PTHREAD_MUTEX_INITIALIZER;
static struct passphrase *passphrases; /* guarded by `terminal`; kept while this program runs */

static int open_terminal(void)
{
    int fd = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && tcgetpgrp(fd) != getpgrp()) {
        close(fd);
        return -1;
    }
    return fd;
}

bool txg_ssh_prompt_can_ask(void)
{
    int fd = open_terminal();
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void show(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static int read_line(struct txg_ssh_try *t, int fd, char *answer, size_t size)
{
    size_t len = 0;
    char c;
    while (txg_ssh_try_wait(t, fd, POLLIN, 0, NULL) == 0 && read(fd, &c, 1) == 1) {
        if (c == '\n') {
            answer[len] = '\0';
            return 0;
        }
        if (len + 1 < size)
            answer[len++] = c;
    }
    return -1;
}

static int ask(struct txg_ssh_try *t, const char *text, bool echo, char *answer, size_t size)
{
    struct termios before, quiet;
    int fd = open_terminal();
    if (fd < 0)
        return -1;
    bool hidden = !echo && tcgetattr(fd, &before) == 0;
    if (hidden) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        tcsetattr(fd, TCSAFLUSH, &quiet);
    }
    show(fd, text);
    int rc = read_line(t, fd, answer, size);
    if (hidden) {
        tcsetattr(fd, TCSAFLUSH, &before);
        show(fd, "\n");
    }
    close(fd);
    return rc;
}

int txg_ssh_prompt(struct txg_ssh_try *t, const char *text, bool echo, char *answer, size_t size)
{
    pthread_mutex_lock(&terminal);
    int rc = ask(t, text, echo, answer, size);
    pthread_mutex_unlock(&terminal);
    return rc;
}

static void keep(const char *file, const char *text)
{
    struct passphrase *p = passphrases;
    while (p && strcmp(p->file, file) != 0)
        p = p->next;
    if (!p) {
        p = txg_xcalloc(1, sizeof *p);
        p->file = txg_xstrdup(file);
        p->next = passphrases;
        passphrases = p;
    } else {
        explicit_bzero(p->text, strlen(p->text));
        free(p->text);
    }
    p->text = txg_xstrdup(text);
}

int txg_ssh_prompt_passphrase(struct txg_ssh_try *t, const char *file, bool again, char *answer,
                              size_t size)
{
    pthread_mutex_lock(&terminal);
    const struct passphrase *p = passphrases;
    while (p && strcmp(p->file, file) != 0)
        p = p->next;
    int rc = 0;
    if (p && !again && strlen(p->text) < size) {
        memcpy(answer, p->text, strlen(p->text) + 1);
    } else {
        TXG_AUTOFREE char *text =
            txg_xasprintf("%sPassphrase of the key %s: ", again ? "That was not it. " : "", file);
        rc = ask(t, text, false, answer, size);
        if (rc == 0)
            keep(file, answer);
    }
    pthread_mutex_unlock(&terminal);
    return rc;
}
