#include "config.h"

#include "src/report/junit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Tries of tests that have no outcome yet: their elements lie in a file, since each may hold
 * megabytes of output and a whole suite may wait for its second try. */
struct txg_junit_tries {
    int fd; /* -1: could not be made */
    uint64_t end;
    struct
    try {
        uint64_t at;
        size_t len;
        size_t next; /* of the same test: place + 1, or 0 */
    }
    *items;
    size_t n, cap;
    size_t *heads; /* by the test's number: place + 1, or 0 */
    size_t n_heads;
};

static struct txg_junit_tries *open_tries(struct txg_junit *j)
{
    if (j->tries)
        return j->tries;
    j->tries = txg_xcalloc(1, sizeof *j->tries);
    j->tries->fd = txg_temp_file();
    if (j->tries->fd < 0 && !j->errnum)
        j->errnum = errno;
    return j->tries;
}

static size_t *head_of(struct txg_junit_tries *t, size_t number)
{
    if (number >= t->n_heads) {
        size_t n = number + 1 < 2 * t->n_heads ? 2 * t->n_heads : number + 1;
        t->heads = txg_xrealloc_array(t->heads, n, sizeof *t->heads);
        while (t->n_heads < n)
            t->heads[t->n_heads++] = 0;
    }
    return &t->heads[number];
}

void txg_junit_keep_try(struct txg_junit *j, size_t number, const char *text, size_t len)
{
    struct txg_junit_tries *t = open_tries(j);
    if (t->fd < 0)
        return;
    if (txg_pwrite_all(t->fd, text, len, t->end) != 0 && !j->errnum)
        j->errnum = errno;
    t->items = txg_grow(t->items, t->n, &t->cap, sizeof *t->items);
    t->items[t->n++] = (struct try){.at = t->end, .len = len};
    t->end += len;
    size_t *link = head_of(t, number);
    while (*link)
        link = &t->items[*link - 1].next;
    *link = t->n;
}

void txg_junit_read_tries(struct txg_junit *j, size_t number,
                          void (*visit)(void *user, const char *text), void *user)
{
    struct txg_junit_tries *t = j->tries;
    if (!t || number >= t->n_heads)
        return;
    for (size_t at = t->heads[number]; at; at = t->items[at - 1].next) {
        const struct try *try = &t->items[at - 1];
        TXG_AUTOFREE char *text = txg_xcalloc(try->len + 1, 1);
        if (txg_pread_all(t->fd, text, try->len, try->at) == 0)
            visit(user, text);
        else if (!j->errnum)
            j->errnum = errno;
    }
    t->heads[number] = 0;
}

void txg_junit_release_tries(struct txg_junit *j)
{
    if (!j->tries)
        return;
    if (j->tries->fd >= 0)
        close(j->tries->fd);
    free(j->tries->items);
    free(j->tries->heads);
    free(j->tries);
    j->tries = NULL;
}
