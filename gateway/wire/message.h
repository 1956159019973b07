/*
 * What is said on a link, as plain structs: docs/protocol.md sections 3 to 5. msgpack.c turns them
 * into bytes and back; no msgpack type leaves it. All times are int64 microseconds on the sender's
 * monotonic clock, all durations int64 microseconds.
 *
 * A decoded message borrows its strings and bytes from the payload it was decoded from and owns its
 * arrays and dictionaries: txg_msg_release() gives those back. A message that is built by hand and
 * only encoded is owned by whoever built it.
 */
#ifndef TXG_WIRE_MESSAGE_H
#define TXG_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/outcome.h"
#include "src/base/str.h"
#include "src/base/value.h"

#define TXG_PROTOCOL   6
#define TXG_PASSED_MAX 2048 /* tests in one `passed` */

enum txg_msg_type {
    TXG_MSG_NONE,
    /* channel 0, both ways between controller and agent */
    TXG_MSG_HELLO,
    TXG_MSG_OPEN,
    TXG_MSG_OPENED,
    TXG_MSG_CLOSE,
    TXG_MSG_EXITED,
    TXG_MSG_BEAT,
    TXG_MSG_LEASE,
    TXG_MSG_LOG,
    TXG_MSG_PROBE,
    TXG_MSG_PROBED,
    TXG_MSG_LEAVING,
    /* channel 0 of the agent's own link to one of its workers */
    TXG_MSG_PING,
    TXG_MSG_PONG,
    /* between controller and a host's keeper of files */
    TXG_MSG_HAVE,
    TXG_MSG_NEED,
    TXG_MSG_BLOB,
    TXG_MSG_SYNCED,
    /* to a worker */
    TXG_MSG_WORKERINPUT,
    TXG_MSG_SUITE,
    TXG_MSG_FILES,
    TXG_MSG_COLLECT,
    TXG_MSG_SENDCOLLECTION,
    TXG_MSG_RUNTESTS,
    TXG_MSG_RUNTESTS_ALL,
    TXG_MSG_STEAL,
    TXG_MSG_SHUTDOWN,
    /* from a worker */
    TXG_MSG_WORKERREADY,
    TXG_MSG_COLLECTREPORT,
    TXG_MSG_COLLECTION,
    TXG_MSG_COLLECTIONFINISH,
    TXG_MSG_LOGSTART,
    TXG_MSG_LIVE,
    TXG_MSG_OUTPUT,
    TXG_MSG_TESTREPORT,
    TXG_MSG_PASSED,
    TXG_MSG_UNSCHEDULED,
    TXG_MSG_WARNING,
    TXG_MSG_INTERNAL_ERROR,
    TXG_MSG_WORKERFINISHED,
    TXG_MSG_TYPES
};

/* The four times of design.md's liveness, scaled together by --heartbeat S: S, 2.5 S, 4 S, 5 S. */
struct txg_liveness {
    int64_t beat; /* the agent sends a beat this often */
    int64_t stop; /* no further test is started */
    int64_t kill; /* all that runs is killed */
    int64_t lost; /* the controller gives the host up */
};

struct txg_liveness txg_liveness_scaled(int64_t beat);

/* agent -> controller, first message on the link; controller -> agent, its answer */
struct txg_msg_hello {
    int64_t protocol;
    struct txg_span version;
    struct txg_span arch;       /* agent: uname -m */
    struct txg_span kernel;     /* agent: "Linux 6.1.0" */
    int64_t pid;                /* agent */
    struct txg_span testrunuid; /* controller */
    int64_t heartbeat;          /* controller: the beat, from which all four times follow */
};

struct txg_msg_pair {
    struct txg_span name;
    struct txg_span value;
};

enum txg_open_kind {
    TXG_OPEN_TESTS, /* a gateway's worker */
    TXG_OPEN_FILES  /* the keeper of the host's files: section 7 */
};

/* controller -> agent: start a worker for `channel` (> 0, never used before on this link) */
struct txg_msg_open {
    uint32_t channel;
    enum txg_open_kind kind;
    struct txg_span chdir; /* empty: the agent's own directory. One level is created if missing. */
    int64_t nice;
    struct txg_msg_pair *env; /* env:NAME=value of the spec */
    size_t n_env;
    struct txg_span arch;      /* what {arch} stands for; empty: the host's own `uname -m` */
    struct txg_span *emulator; /* words in front of every test program */
    size_t n_emulator;
    /* Not a worker but this program: the channel is raw, its frames are bytes of the program's
     * stdin and stdout, an empty one is the end of its stdin. */
    struct txg_span *argv;
    size_t n_argv;
};

struct txg_msg_opened {
    uint32_t channel;
    int64_t pid;
};

/* controller -> agent: KILL this worker and all below it; `exited` follows */
struct txg_msg_close {
    uint32_t channel;
};

enum txg_exit_cause {
    TXG_EXIT_NOT_STARTED, /* text says what failed: "chdir /x: No such file or directory" */
    TXG_EXIT_STATUS,      /* ended by itself; status */
    TXG_EXIT_SIGNAL,      /* signal; not ours */
    TXG_EXIT_FROZEN,      /* answered no ping in time, killed by the agent */
    TXG_EXIT_CLOSED,      /* killed because the controller asked for it */
    TXG_EXIT_PROTOCOL     /* broke the protocol, killed by the agent; text says how */
};

/* agent -> controller: the last word on a channel; all that the worker had sent came before it */
struct txg_msg_exited {
    uint32_t channel;
    enum txg_exit_cause cause;
    int64_t status;
    int64_t signal;
    struct txg_span text; /* what is to be told to people, without the gateway's name */
    int64_t utime, stime; /* of the worker and all it waited for */
    int64_t maxrss;       /* bytes */
};

struct txg_msg_beat { /* also lease, pong and probe: the number that is echoed */
    int64_t n;
};

struct txg_msg_log {
    struct txg_span level; /* "debug", "info", "warning", "error" */
    struct txg_span text;
};

/* agent -> controller: the answer to probe{n}, at once */
struct txg_msg_probed {
    int64_t n;
    int64_t wall; /* microseconds since 1970, of the host's own clock */
    int64_t free; /* bytes that the agent may still write where its program is; 0: not known */
};

/* agent -> worker: answer with pong{n}. `age` is how long ago the beat was sent that the controller
 * echoed last: the worker holds its own stop and kill against it. */
struct txg_msg_ping {
    int64_t n;
    int64_t age;
    int64_t heartbeat;
};

struct txg_msg_file {
    struct txg_span path;    /* relative, without `..`, below the root */
    int64_t mode;            /* st_mode of a regular file or a symbolic link */
    int64_t size;            /* bytes of the file; 0 of a link */
    struct txg_span content; /* a file's SHA-256 in hex, or where the link points to */
};

/* What should be there, in one list sorted by path that comes in pieces. Files are numbered from 0
 * over all pieces. */
struct txg_msg_have {
    struct txg_span folder; /* name of the one that holds them where no chdir was given: a-z, 0-9 */
    struct txg_msg_file *files;
    size_t n_files;
    bool last;
};

struct txg_msg_blob {
    int64_t index;
    struct txg_span data; /* the next bytes of it, at most TXG_FRAME_BULK / 2 */
};

struct txg_msg_synced {
    struct txg_span root; /* where the files are, absolute */
    struct txg_span text; /* what failed; empty: all are there */
};

struct txg_msg_workerinput {
    struct txg_span workerid; /* "gw0": PYTEST_XDIST_WORKER */
    int64_t workercount;
    struct txg_span testrunuid;
    struct txg_span id;     /* the gateway's id: gwN or the fleet's; fills {id} */
    struct txg_span label;  /* the gateway's first label or empty; fills {label} */
    struct txg_span device; /* fleet id or empty: TXGATE_DEVICE */
    bool keep_output;       /* output of passed tests is sent too */
    bool live;              /* output is sent while it comes, as well */
    int64_t maxfail;        /* no test is started after so many failures of its own; 0: no limit */
    struct txg_value input; /* the user's dictionary; type TXG_DICT */
};

/* What the files of one suite have in common. Suites are numbered from 0 in order. */
struct txg_msg_suite {
    int64_t suite;
    struct txg_span harness; /* "auto", "exec", "tap", ... */
    struct txg_span root;    /* where relative files start; empty: the worker's directory */
    struct txg_span cwd;     /* directory of the test processes; empty: the worker's directory */
    struct txg_span *args;   /* behind `--`: given to every test program */
    size_t n_args;
    struct txg_span *command; /* harness pytest: what starts it; its files are arguments */
    size_t n_command;
    struct txg_span source; /* what is written to it first, on the descriptor of its commands */
    struct txg_span *list, *run; /* harness pair: commands with {file}, and in `run` {case} */
    size_t n_list, n_run;
    int64_t timeout; /* 0: none */
    int64_t grace;   /* between TERM and KILL */
};

/* Files, directories of executables or glob patterns, with {arch} {id} {label} not yet filled in.
 * May come many times for one suite. */
struct txg_msg_files {
    int64_t suite;
    struct txg_span *paths; /* bin on the wire */
    size_t n_paths;
};

struct txg_msg_collect {
    bool records; /* false: send only collectionfinish; records when sendcollection comes */
};

struct txg_msg_range {
    int64_t first;
    int64_t count; /* > 0 */
};

struct txg_msg_indices { /* runtests, steal, unscheduled, need */
    int64_t seq;         /* unscheduled only */
    int64_t takes;       /* runtests only: microseconds, all of them; 0: not known */
    struct txg_msg_range *ranges;
    size_t n_ranges;
};

struct txg_msg_workerready {
    struct txg_span version;
    struct txg_span arch;
    struct txg_span executable;
    struct txg_span cwd; /* bin */
    int64_t pid;
};

/* A file that could not be collected: counted as an error of the run. */
struct txg_msg_collectreport {
    struct txg_span nodeid; /* bin */
    struct txg_span text;
};

struct txg_msg_record {
    int64_t suite;
    struct txg_span nodeid; /* bin */
};

struct txg_msg_collection {
    int64_t first; /* index of records[0] */
    struct txg_msg_record *records;
    size_t n_records;
};

struct txg_msg_collectionfinish {
    int64_t count;
    uint64_t digest; /* txg_collection_digest() over all records */
};

struct txg_msg_logstart {
    int64_t seq;
    int64_t index;
    int64_t time;
};

struct txg_msg_output {
    int64_t index;
    int64_t stream; /* 1 stdout, 2 stderr */
    bool tail; /* bytes were dropped in front of this piece: testreport.dropped says how many */
    struct txg_span data; /* bin, at most TXG_FRAME_BULK / 2 */
};

/* A copy of what a test writes, while it runs: for somebody who looks on, and dropped where the
 * link is behind. `output` has it once more. */
struct txg_msg_live {
    int64_t index;
    int64_t stream;       /* 1 stdout, 2 stderr */
    int64_t dropped;      /* bytes of it that were dropped in front of this piece */
    struct txg_span data; /* bin, at most TXG_FRAME_BULK / 2 */
};

struct txg_msg_point { /* a TAP point, or whatever a harness can tell apart inside a test */
    struct txg_span name;
    enum txg_outcome outcome;
    struct txg_span text; /* directive's reason or diagnostic */
};

struct txg_msg_testreport {
    int64_t seq;
    int64_t index;
    enum txg_outcome outcome; /* TXG_PASSED .. TXG_TIMED_OUT */
    int64_t start;
    int64_t duration;
    int64_t status;         /* exit status, or -1 */
    int64_t signal;         /* that ended the test, or 0 */
    struct txg_span reason; /* one line: "exit status 1", "signal 11 (Segmentation fault)" */
    int64_t dropped_out;    /* bytes of stdout between head and tail that were not kept */
    int64_t dropped_err;
    int64_t leaked;          /* processes that the test left behind and that were killed */
    int64_t setup, teardown; /* of the duration, where a harness told */
    int64_t utime, stime;
    int64_t maxrss; /* bytes */
    struct txg_msg_point *points;
    size_t n_points;
};

struct txg_msg_passed_test {
    int64_t index;
    int64_t gap; /* from the end of the one in front of it to its start; of the first: 0 */
    int64_t duration;
};

/* Tests that passed and of which nothing else is to be told, in the order in which they ran. One
 * message stands for logstart and testreport of each; only of a test whose logstart was sent before
 * it stands for the testreport alone, and that is the first. */
struct txg_msg_passed {
    int64_t seq;
    int64_t time; /* when the first of them started */
    struct txg_msg_passed_test *tests;
    size_t n_tests; /* at most TXG_PASSED_MAX */
};

struct txg_msg_text { /* warning, internal_error */
    struct txg_span text;
};

struct txg_msg_workerfinished {
    struct txg_value output; /* workeroutput; type TXG_DICT */
};

struct txg_msg {
    enum txg_msg_type type;
    union {
        struct txg_msg_hello hello;
        struct txg_msg_open open;
        struct txg_msg_opened opened;
        struct txg_msg_close close;
        struct txg_msg_exited exited;
        struct txg_msg_beat beat; /* beat, lease, pong, probe */
        struct txg_msg_probed probed;
        struct txg_msg_log log;
        struct txg_msg_ping ping;
        struct txg_msg_have have;
        struct txg_msg_blob blob;
        struct txg_msg_synced synced;
        struct txg_msg_workerinput workerinput;
        struct txg_msg_suite suite;
        struct txg_msg_files files;
        struct txg_msg_collect collect;
        struct txg_msg_indices indices; /* runtests, steal, unscheduled, need */
        struct txg_msg_workerready workerready;
        struct txg_msg_collectreport collectreport;
        struct txg_msg_collection collection;
        struct txg_msg_collectionfinish collectionfinish;
        struct txg_msg_logstart logstart;
        struct txg_msg_live live;
        struct txg_msg_output output;
        struct txg_msg_testreport testreport;
        struct txg_msg_passed passed;
        struct txg_msg_text text; /* warning, internal_error */
        struct txg_msg_workerfinished workerfinished;
    };
};

/* The name on the wire, "testreport"; never NULL for a type below TXG_MSG_TYPES. */
const char *txg_msg_name(enum txg_msg_type type);

/* Gives back what a decoded message owns. The struct is TXG_MSG_NONE afterwards. */
void txg_msg_release(struct txg_msg *msg);

/* Appends the payload `[name, kwargs]` (no frame header). */
void txg_msg_encode(const struct txg_msg *msg, struct txg_buf *out);

/* Guards, then decodes a whole payload. The error says which message and which key. Unknown names,
 * missing keys, wrong types and values out of range are errors; unknown keys are ignored. */
int txg_msg_decode(struct txg_span payload, struct txg_msg *out, struct txg_err *err);

/* The digest both ends compute over records in index order: start with TXG_HASH_START. */
uint64_t txg_collection_digest(uint64_t digest, const struct txg_msg_record *record);

#endif
