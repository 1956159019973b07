/*
 * Runs what a worker was dealt, one process at a time. A process runs one test or, where the
 * harness tells cases apart, a batch: the front of the queue as far as it is of one program and in
 * the order of its listing. The batch is read while it runs (batch.c); the case that runs when its
 * process ends is the one that is blamed, and what had not begun goes back to the front of the
 * queue, for a process of its own.
 */
#ifndef TXG_WORKER_RUNNER_H
#define TXG_WORKER_RUNNER_H

#include "src/worker/child.h"
#include "src/worker/collect.h"
#include "src/worker/queue.h"
#include "src/worker/reporting.h"

#define TXG_BATCH_TIME    INT64_C(1000000) /* that a batch is to take at most, microseconds */
#define TXG_BATCH_MAX     4000u            /* cases in it */
#define TXG_NAP_TIME      INT64_C(1000)    /* at most between two looks at what many cases say */
#define TXG_TALK_LINE_MAX (64u << 10)
#define TXG_TALK_VARIABLE "TXGATE_HARNESS=3,4" /* TXG_CHILD_COMMANDS and _RESULTS */
#define TXG_RING_VARIABLE "TXGATE_RING=5"      /* TXG_CHILD_RING */
#define TXG_BATCH_FIRST   4u                   /* where nothing is known of a program yet */

struct txg_runner {
    struct txg_child *child; /* borrowed, as the next four */
    const struct txg_collection *collection;
    struct txg_reporting *reporting;
    struct txg_queue *queue;
    const struct txg_strv *env;
    bool keep_output;
    int64_t maxfail,
        failures;  /* of its own: maxfail reaches it before the controller's word does */
    int64_t fence; /* no test is started from then on */
    int64_t takes; /* what waits in the queue is expected to take, at most; 0: not known */

    /* The process that runs, or is about to. */
    int64_t *batch; /* indices */
    size_t n, cap, at;
    const struct txg_item *item; /* batch[at] */
    void *state;                 /* of the harness */
    int64_t started, term_at, kill_at;
    bool timed_out;

    /* batch.c: of the case batch[at] */
    struct txg_buf line; /* the front of a line whose end has not come */
    struct txg_verdict verdict;
    int64_t ended;
    bool announced; /* logstart was sent */
    bool running;
    bool over;   /* it has ended as the verdict says, unless what follows says otherwise */
    bool cut;    /* the rest is not to be run: its process is being killed */
    bool failed; /* some case of this process did */
    size_t fed;  /* bytes, when it was read last */

    /* persistent.c: a harness that talks stays for the next batch of its program */
    const struct txg_buf *hello; /* what it is greeted with, borrowed */
    bool idle;                   /* it has nothing to do */
    bool adopted;                /* it has listed, and told of no case yet */
    bool again;                  /* what it was sent is another's */
    bool ahead;                  /* it takes many runs at once */
    size_t sent;                 /* of the batch */
    int64_t heard_at;            /* when it said something last */
    int64_t nap_until;           /* nothing it says is read before; also of a batch */
    bool behind;                 /* more results have come than the one that is being read */
    bool waited;                 /* one that was read last waits for `go` */
    const char *broken;          /* it broke the protocol: how */

    /* How long a case of the program takes that ran last. */
    const char *paced;
    int64_t first_start, last_end, pace; /* microseconds; pace -1: not known */
    size_t done;
};

/* Takes the next process's tests from the queue and announces the first: its logstart is to be in
 * the kernel before txg_runner_start(), so that whoever kills this worker finds it there. False:
 * there is none, or nothing may be started now. */
bool txg_runner_take(struct txg_runner *r);
void txg_runner_start(struct txg_runner *r);

void txg_runner_read(struct txg_runner *r, int stream);
/* What a harness says that talks. */
void txg_talk_hear(struct txg_runner *r);

/* When it is to be heard next; in the past: at once. */
int64_t txg_talk_hears_at(const struct txg_runner *r);

/* Is the child's output to be read now? That of a harness that runs ahead is read when it says so,
 * or when it has been silent: then the bytes are of the case that runs. */
bool txg_talk_listens(const struct txg_runner *r, int64_t now);

/* A harness that has nothing to do is told to end. */
void txg_runner_retire(struct txg_runner *r);

/* Looks whether the process has ended, and if so judges what ran in it. */
void txg_runner_look(struct txg_runner *r);

void txg_runner_check_times(struct txg_runner *r, int64_t now);
/* When check_times is wanted at the latest, or INT64_MAX. */
int64_t txg_runner_deadline(const struct txg_runner *r);
void txg_runner_release(struct txg_runner *r);

/* From here on what tests write is sent while they run. */
void txg_runner_go_live(struct txg_runner *r);

/* What runner.c and batch.c share. */

/* Reports batch[at]; what was captured for it goes. */
void txg_runner_report(struct txg_runner *r, const struct txg_verdict *verdict, int64_t ended);
void txg_runner_announce(struct txg_runner *r, int64_t now);
bool txg_runner_had_enough(const struct txg_runner *r, int64_t now);

size_t txg_batch_size(const struct txg_runner *r, const struct txg_item *item);
void txg_batch_begin(struct txg_runner *r, int64_t now);
void txg_batch_feed(void *runner, const void *data, size_t len);
void txg_batch_end(struct txg_runner *r, const struct txg_ending *ending);
void txg_batch_settle(struct txg_runner *r); /* reports batch[at] as `verdict` says, and goes on */
/* Nothing more of this process: it is killed, and what has not begun is the queue's again. */
void txg_batch_cut(struct txg_runner *r);
void txg_batch_pace(struct txg_runner *r);

/* -1: not all of it fits into the pipe, or nobody reads there. */
int txg_talk_greet(struct txg_child *child, const struct txg_suite *suite,
                   const struct txg_buf *hello);
/* Takes a process that has listed `program`, the last of the collection, and waits for its work. */
void txg_talk_adopt(struct txg_runner *r, size_t program, bool ahead);
size_t txg_talk_fit(const struct txg_runner *r);
void txg_talk_begin(struct txg_runner *r, bool fresh);
void txg_talk_end(struct txg_runner *r, const struct txg_ending *ending);
int64_t txg_talk_deadline(const struct txg_runner *r);

#endif
