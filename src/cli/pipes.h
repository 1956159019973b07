/*
 * stdin and stdout as pipes on a uv loop, for a command that is a gateway to the program that
 * started it: reads come in pieces, writes are copied and queued up to a bound.
 */
#ifndef TXG_CLI_PIPES_H
#define TXG_CLI_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#define TXG_PIPES_READ_SIZE 65536

struct txg_pipes { /* the caller's storage, not moved while it is open */
    void *user;
    const char *about; /* borrowed: the gateway, for messages */
    /* `n` > 0 bytes, good for the call; n < 0: there are no more. */
    void (*on_read)(void *user, const char *data, ssize_t n);
    /* Nobody reads stdout any more, or not enough of it; it was said on stderr in the second case.
     */
    void (*on_broken)(void *user);
    /* private */
    uv_pipe_t in, out;
    bool stopped;
    char buffer[TXG_PIPES_READ_SIZE];
};

/* Starts reading. On error, which is told on stderr, the pipes are to be closed all the same. */
int txg_pipes_open(struct txg_pipes *p, uv_loop_t *loop);

/* Copies the bytes. Nothing is written behind txg_pipes_stop. */
void txg_pipes_write(struct txg_pipes *p, const void *data, size_t len);

void txg_pipes_pause(struct txg_pipes *p); /* stdin is left unread */
void txg_pipes_resume(struct txg_pipes *p);

/* Closes stdin; what was written still goes out until txg_pipes_close. */
void txg_pipes_stop(struct txg_pipes *p);
void txg_pipes_close(struct txg_pipes *p);

#endif
