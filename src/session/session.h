/*
 * Who runs what. Pure: what gateways did comes in as node events with `now`, what is to be done
 * goes out as commands. No clock, no file, no loop; the same events give the same commands.
 *
 *     txg_session_event(s, now, &event);
 *     while ((c = txg_session_next(s)))
 *         carry out c
 *
 * Invariants (design.md, Session): every collected test gets exactly one final outcome (in `each`
 * one per gateway); what was started on a worker that died is crashed, on a host that was lost
 * lost; nothing runs twice unless it failed and `retries` asks for it; the run ends; an event of a
 * dead gateway changes nothing.
 */
#ifndef TXG_SESSION_SESSION_H
#define TXG_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/wire/message.h"
#include "src/session/event.h"
#include "src/session/select.h"

enum txg_dist {
    TXG_DIST_EACH,
    TXG_DIST_LOAD,
    TXG_DIST_LOADSCOPE,
    TXG_DIST_LOADFILE,
    TXG_DIST_LOADGROUP,
    TXG_DIST_WORKSTEAL,
    TXG_DIST_DURATION
};

/* "each", "load", ...; and back: -1 for a word that is no mode. */
const char *txg_dist_name(enum txg_dist dist);
int txg_dist_parse(const char *word);

/* NULL-terminated, for "did you mean". */
extern const char *const txg_dist_names[];

struct txg_session_gateway {
    const char *device; /* or NULL */
    const char *spec;
    const char *const *labels; /* NULL-terminated, or NULL */
    size_t host;               /* below n_gateways, the same for those that share a host */
    bool late;                 /* it joins when it comes (TXG_NODE_JOIN), or never; not `each` */
};

struct txg_session_suite {
    const char *name;         /* or NULL */
    const char *const *needs; /* labels, NULL-terminated, or NULL */
    const char *group;        /* loadgroup: its tests go to one gateway; or NULL */
    bool pytest;              /* who has read -k, and whose names say `@group` with loadgroup */
    bool drop_all;            /* as -m says */
    const char *const *uses;  /* resources: no two tests that use one run at a time; or NULL */
    bool serial;              /* nothing else runs on any gateway while one of its tests does */
};

struct txg_session_time { /* of an earlier run */
    struct txg_span nodeid;
    const char *arch, *label; /* of the gateway: its worker's, its first one; "": none */
    int64_t us;
};

/* The arrays are copied by txg_session_new, the strings in them borrowed: they outlive the session.
 */
struct txg_session_config {
    enum txg_dist dist;
    const struct txg_session_gateway *gateways;
    size_t n_gateways; /* > 0 */
    const struct txg_session_suite *suites;
    size_t n_suites;
    const char *testrunuid;
    int64_t wall;            /* microseconds since 1970 at the start: handed on in RUN_START */
    size_t maxfail;          /* 0: no limit */
    long max_restarts;       /* --max-worker-restart; -1: no limit */
    size_t maxschedchunk;    /* 0: no cap */
    bool keep_order;         /* loadscope and its kin: not the largest first */
    int64_t collect_timeout; /* microseconds from workerready to the collection; 0: no limit */
    int64_t slow_timeout;    /* microseconds: who runs longer is told of; 0: nobody */
    int64_t run_timeout;     /* microseconds: then all that runs is killed; 0: no limit */
    size_t retries;          /* how often a test that fails is tried again before it counts */
    bool retry_other; /* each time on a gateway's place where it has not failed; not `each` */
    bool require_all; /* --require-gateways all: one that can't start ends the run */
    bool collect_only;
    const struct txg_select *select; /* -k; borrowed; NULL: every test */
    const struct txg_span *failed;   /* nodeids that failed when they last ran; borrowed */
    size_t n_failed;
    bool failed_only;  /* --lf: the others are deselected, where one of these is collected */
    bool failed_first; /* --ff */
    const struct txg_session_time *times; /* `duration`; borrowed, of any order */
    size_t n_times;
    bool strict_collection; /* other than `each`: different collections end the run */
};

struct txg_session;

struct txg_session *txg_session_new(const struct txg_session_config *config, int64_t now);
void txg_session_free(struct txg_session *s);

enum txg_node_event_type {
    TXG_NODE_MESSAGE,   /* a worker message: workerready ... workerfinished */
    TXG_NODE_DOWN,      /* the last event of a gateway */
    TXG_NODE_LEAVING,   /* it asks to go: what it has not started is for others */
    TXG_NODE_JOIN,      /* `name` has come: OPEN follows where one of that name, or one for
                         * anybody, is late and the run not at its end */
    TXG_NODE_INTERRUPT, /* Ctrl-C: the first time running tests finish, the second time KILL */
    TXG_NODE_TICK       /* a deadline of txg_session_deadline passed */
};

enum txg_node_down {
    TXG_DOWN_NOT_STARTED, /* connect, start, hello, open refused: no worker ever ran */
    TXG_DOWN_CUT_OFF,     /* killed or lost while it started: another may do better */
    TXG_DOWN_ENDED,       /* the worker ended by itself: expected after workerfinished */
    TXG_DOWN_CRASHED,     /* the worker died, froze, or broke the protocol */
    TXG_DOWN_LOST         /* the host is lost */
};

struct txg_node_event {
    enum txg_node_event_type type;
    unsigned gateway; /* number; MESSAGE, DOWN and LEAVING */
    const char *name; /* JOIN */
    const struct txg_msg *msg;
    enum txg_node_down down;
    bool host;              /* DOWN: its host has ended, and all gateways there with it */
    struct txg_span reason; /* DOWN: for people, without the gateway's name */
    struct txg_span words;  /* DOWN: the last it said on stderr, printable; or empty */
};

void txg_session_event(struct txg_session *s, int64_t now, const struct txg_node_event *event);

/* The gateway will send its records by itself, with its collection: who has the same tests need not
 * be asked for them. To be said when it is opened. */
void txg_session_expect_records(struct txg_session *s, unsigned gateway);

enum txg_command_type {
    TXG_COMMAND_EVENT,   /* hand `event` to the reporters */
    TXG_COMMAND_SEND,    /* send `msg` to `gateway` */
    TXG_COMMAND_CLOSE,   /* kill `gateway`; a DOWN event follows as for any other end */
    TXG_COMMAND_REPLACE, /* start gateway number `gateway` on the spec of `replaces` */
    TXG_COMMAND_OPEN,    /* start gateway number `gateway` on the spec of the place `origin` */
    TXG_COMMAND_FINISH   /* the run is over: close what is left, exit with `exit_code` */
};

struct txg_command {
    enum txg_command_type type;
    unsigned gateway;
    unsigned replaces;
    size_t origin;
    union {
        struct txg_event event;
        struct txg_msg msg;
        int exit_code;
    };
};

/* The next thing to do, or NULL. Borrowed until the next call on this session. */
const struct txg_command *txg_session_next(struct txg_session *s);

/* How a gateway that was opened is named; lives as long as the session. */
const struct txg_gateway_info *txg_session_info(const struct txg_session *s, unsigned gateway);

/* When a TICK is wanted at the latest, or INT64_MAX. */
int64_t txg_session_deadline(const struct txg_session *s);

/* The collected and selected nodeids in the order of the collection, for `txgate list`: calls visit
 * for each (gateway number, nodeid); equal collections are visited once, with the first gateway's
 * number. */
void txg_session_list(const struct txg_session *s,
                      void (*visit)(void *user, unsigned gateway, struct txg_span nodeid),
                      void *user);

#endif
