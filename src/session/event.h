/*
 * What happens in a run, as reporters see it. The session makes these; run.c hands each to every
 * reporter. All pointers are borrowed for the length of the call. `time` is microseconds since the
 * run began.
 */
#ifndef TXG_SESSION_EVENT_H
#define TXG_SESSION_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/outcome.h"
#include "src/base/str.h"

/* A gateway as it is named in output: the same pointer for the whole run, so reporters may keep
 * it. A replacement is a gateway of its own that `replaces` another. */
struct txg_gateway_info {
    unsigned number;                         /* 0 for gw0 */
    size_t origin;                           /* place in the configuration's gateways */
    const char *id;                          /* "gw0" */
    const char *device;                      /* fleet id, or NULL */
    const char *spec;                        /* the text of the spec */
    const struct txg_gateway_info *replaces; /* or NULL */
};

enum txg_event_type {
    TXG_EVENT_RUN_START,         /* run */
    TXG_EVENT_GATEWAY_START,     /* gateway: being connected; "gw0 I" */
    TXG_EVENT_GATEWAY_READY,     /* gateway, ready: its worker runs; "gw0 C" */
    TXG_EVENT_GATEWAY_COLLECTED, /* gateway, collected; "gw0 [3]" */
    TXG_EVENT_GATEWAY_DOWN,      /* gateway, down: it ended otherwise than by our shutdown */
    TXG_EVENT_QUARANTINE,        /* gateway, quarantine: no other is started in its place */
    TXG_EVENT_SCHEDULING,        /* scheduling: all collections are in, tests are dealt */
    TXG_EVENT_COLLECT_ERROR,     /* gateway, text: a file that could not be collected */
    TXG_EVENT_TEST_START,        /* gateway, test */
    TXG_EVENT_TEST_SLOW,         /* gateway, test, slow: it runs for long; once for each try */
    TXG_EVENT_TEST_LIVE,         /* gateway, test, output: while it runs, for who looks on */
    TXG_EVENT_TEST_OUTPUT,       /* gateway, test, output: before its FINISH or RETRY */
    TXG_EVENT_TEST_FINISH,       /* gateway (NULL when nobody ran it), test, result */
    TXG_EVENT_TEST_RETRY,        /* gateway, test, result: it failed and is tried again */
    TXG_EVENT_WARNING,           /* gateway or NULL, text */
    TXG_EVENT_NOTE,              /* text: a detail for who asks for more (-v) */
    TXG_EVENT_TRANSFER,          /* gateway, transfer: on its way to that host, for who looks on */
    TXG_EVENT_INTERNAL_ERROR,    /* gateway or NULL, text */
    TXG_EVENT_STOPPING,          /* text: "stopping after 1 failures", "interrupted" */
    TXG_EVENT_RUN_FINISH         /* finish */
};

struct txg_event_point {
    struct txg_span name;
    enum txg_outcome outcome;
    struct txg_span text;
};

struct txg_event_result {
    enum txg_outcome outcome;
    int64_t start;          /* microseconds since the run began, -1: never started */
    int64_t duration;       /* 0 where nobody measured it */
    int64_t status;         /* exit status, or -1 */
    int64_t signal;         /* or 0 */
    struct txg_span reason; /* one line, no newline; may be empty for passed */
    int64_t dropped_out;    /* bytes left out between the head and the tail of stdout */
    int64_t dropped_err;
    int64_t leaked;
    bool flaky;              /* FINISH: it did not fail, and had failed before */
    int64_t setup, teardown; /* of the duration; 0: nothing is known of them */
    int64_t utime, stime;    /* microseconds */
    int64_t maxrss;          /* bytes */
    const struct txg_event_point *points;
    size_t n_points;
    size_t done;  /* tests with a final outcome so far, this one included */
    size_t total; /* outcomes that the run will have in all */
};

struct txg_event {
    enum txg_event_type type;
    int64_t time;
    const struct txg_gateway_info *gateway;
    struct {
        size_t number;          /* one per outcome (in `each`: per test and gateway), unique */
        struct txg_span nodeid; /* any bytes: reporters make it printable */
        const char *suite;      /* name, or NULL */
        unsigned attempt;       /* from 1; FINISH of one that could not be tried again: the last */
    } test;
    union {
        struct {
            const char *testrunuid;
            const char *dist; /* "load" */
            size_t gateways;
            int64_t wall; /* microseconds since 1970, for file timestamps only */
        } run;
        struct {
            struct txg_span arch, version, cwd;
            int64_t pid;
        } ready;
        struct {
            size_t count;
        } collected;
        struct {
            struct txg_span reason; /* "worker was killed by signal 9 (Killed)" */
            bool lost;              /* the host, not only the worker */
            bool before_ready;      /* it never ran a worker: counts as could not start */
            const struct txg_gateway_info *replacement; /* or NULL */
        } down;
        struct {
            bool host;             /* not only on its place: its host is left alone */
            unsigned deaths;       /* in a row before a first test */
            struct txg_span words; /* the last it said on stderr, printable; or empty */
            struct txg_span text;  /* all of it, for people */
        } quarantine;
        struct {
            const char *scheduler; /* "LoadScheduling": xdist's name */
            size_t total;          /* outcomes that the run will have */
            struct txg_span note;  /* what --lf or --ff made of it; or empty */
        } scheduling;
        struct {
            int stream; /* 1 stdout, 2 stderr */
            bool tail;  /* something was dropped in front of this piece */
            struct txg_span data;
            int64_t dropped; /* of TEST_LIVE: bytes in front of this piece that are not shown */
        } output;
        struct {
            int64_t elapsed; /* microseconds since its start */
        } slow;
        struct { /* those of one `time` are all that there are then; a tick of that time follows */
            const char *what;  /* "files" */
            int64_t done, all; /* bytes */
        } transfer;
        struct txg_event_result result;
        struct {
            struct txg_span text;
        } message; /* COLLECT_ERROR (test.nodeid too), WARNING, NOTE, INTERNAL_ERROR, STOPPING */
        struct {
            size_t outcomes[TXG_OUTCOMES];
            size_t flaky; /* of those that did not fail */
            size_t slow;  /* TEST_SLOW events */
            size_t collect_errors;
            size_t deselected;      /* outcomes that -k left out */
            size_t gateways_failed; /* could not start or were lost */
            int exit_code;
        } finish;
    };
};

#endif
