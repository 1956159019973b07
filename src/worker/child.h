/*
 * One test process, of one test or of several: started by vfork in a session of its own with stdin
 * /dev/null, its two pipes drained into head and tail, its end and all it left behind accounted
 * for. Owned by one worker, one at a time.
 */
#ifndef TXG_WORKER_CHILD_H
#define TXG_WORKER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"
#include "src/base/strv.h"
#include "src/worker/ring.h"

#define TXG_CAPTURE_HEAD (1u << 20) /* bytes kept from the front of a stream */
#define TXG_CAPTURE_TAIL (1u << 20) /* and from its end */

/* One stream of a test: head, then a ring with the newest bytes. Memory grows with what comes. */
struct txg_capture {
    struct txg_buf head;
    char *ring; /* owned, TXG_CAPTURE_TAIL bytes once the head is full */
    uint64_t total;
};

void txg_capture_feed(struct txg_capture *c, const void *data, size_t len);
void txg_capture_release(struct txg_capture *c);
void txg_capture_clear(struct txg_capture *c); /* keeps small memory for the next test */

/* Bytes between head and tail that were not kept. */
uint64_t txg_capture_dropped(const struct txg_capture *c);

/* The tail in order, as up to two pieces (the ring may wrap). Returns how many. */
int txg_capture_tail(const struct txg_capture *c, struct txg_span out[2]);

struct txg_child {
    const struct txg_strv *emulator; /* borrowed: words in front of every program, or NULL */
    pid_t pid;                       /* also its process group and session; 0: none */
    int fds[2];            /* our ends of stdout and stderr, non-blocking; -1 once at their end */
    bool big[2];           /* the pipe was enlarged because much comes through it */
    bool merged;           /* both streams come as stdout, and go to `feed` alone */
    int commands, results; /* of a child that talks: to it, non-blocking, and from it; else -1 */
    struct txg_buf said;   /* what came from it by the pipe and was not consumed */
    struct txg_ring ring;  /* and by what it shares with us */
    bool ended;            /* status, usage and leaked hold */
    int status;            /* as wait4 gives it */
    struct rusage usage;
    size_t leaked; /* processes left behind by the test and killed */
    struct txg_capture captures[2];
    /* What is captured is told here as well; NULL: nobody looks on. */
    void (*on_output)(void *user, int stream, const void *data, size_t len);
    void *user;
};

enum { TXG_CHILD_COMMANDS = 3, TXG_CHILD_RESULTS = 4, TXG_CHILD_RING = 5 };

#define TXG_CHILD_SAY_MAX  (1u << 20)   /* bytes that can wait to be read by it */
#define TXG_CHILD_SAID_MAX (256u << 20) /* and that it can say */

struct txg_child_command {
    const char *path;
    char *const *argv;
    char *const *envp;
    const char *cwd; /* or NULL */
    bool merged;     /* one pipe for both streams, so that their order holds */
    bool bare;       /* the emulator is not for it */
    bool talks;      /* it gets two more descriptors, TXG_CHILD_COMMANDS and _RESULTS */
    bool rings;      /* and TXG_CHILD_RING */
};

/* Starts it. -1: err says which step failed and why ("exec /x: Permission denied"). */
int txg_child_start(struct txg_child *c, const struct txg_child_command *command,
                    struct txg_err *err);

/* Reads what is there from stream 0 or 1, at most a bounded amount, into the capture and, for
 * stdout, into feed(state). */
void txg_child_read(struct txg_child *c, int stream, void (*feed)(void *, const void *, size_t),
                    void *state);

/* Captures bytes of stream 0 or 1. */
void txg_child_keep(struct txg_child *c, int stream, const void *data, size_t len);

/* Reaps what has ended. True once the test itself has: then what it left behind is killed. */
bool txg_child_has_ended(struct txg_child *c);

/* The same, and then the pipes are drained to what was in them. */
bool txg_child_reap(struct txg_child *c, void (*feed)(void *, const void *, size_t), void *state);

/* To a child that talks; all of it or -1: it is gone, or reads nothing. */
int txg_child_say(struct txg_child *c, const char *data, size_t len);

/* Appends to `said` what is there. */
void txg_child_hear(struct txg_child *c);

/* No more commands: it is to end. */
void txg_child_hush(struct txg_child *c);

/* TERM or KILL for its process group; KILL also for all its descendants. */
void txg_child_signal(struct txg_child *c, int signum);

/* What was captured goes: for the next test of the same process. */
void txg_child_clear_output(struct txg_child *c);

/* Ready for the next process. */
void txg_child_clear(struct txg_child *c);
void txg_child_release(struct txg_child *c);

#endif
