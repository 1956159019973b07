/*
 * The world of one schedule: a virtual clock, what is under way, the simulated workers, and the
 * real session. world.c runs it, worker.c is what a worker does, oracle.c what must hold.
 */
#ifndef TXG_TESTS_SIM_WORLD_H
#define TXG_TESTS_SIM_WORLD_H

#include "tests/sim/plan.h"

#define SIM_NONE SIZE_MAX

struct sim_letter { /* a message between session and worker */
    enum txg_msg_type type;
    int64_t seq, index;
    int64_t count; /* collection: records; collectionfinish */
    int64_t duration;
    enum txg_outcome outcome;
    bool bogus; /* the session must not believe it */
    struct txg_msg_range *ranges;
    size_t n_ranges;
};

enum sim_what { SIM_TO_WORKER, SIM_FROM_WORKER, SIM_WAKE, SIM_DOWN, SIM_FAULT, SIM_JOINS };

struct sim_item {
    int64_t at;
    uint64_t order; /* what is due at the same time happens in the order it was put */
    enum sim_what what;
    unsigned gateway;
    unsigned life; /* WAKE, DOWN: void when it is no longer the node's */
    size_t fault;
    enum txg_node_down down;
    bool host; /* DOWN: it is the host's */
    struct sim_letter letter;
};

enum sim_state { SIM_BOOTING, SIM_COLLECTING, SIM_WORKING, SIM_ENDED };

struct sim_node { /* a gateway, by its number */
    unsigned number;
    size_t board;
    enum sim_state state;
    unsigned life; /* goes up whenever what it was about to do is void */
    size_t *tests; /* its collection, as its board's */
    size_t n_tests;
    uint64_t digest;
    int64_t to_last, from_last; /* arrival of the last message either way */
    int64_t cut_at;             /* what arrives later is lost */
    int64_t still_until;        /* SIM_PAUSE */
    bool deaf, stuck, slow, doubles;
    bool shutdown;
    size_t *queue, head, tail, cap;
    bool runs;
    bool well;      /* this try of it passes, whatever its fate */
    size_t running; /* index */
    int64_t seq;
    size_t failures;
    unsigned ending; /* life of the DOWN that counts */
    bool down;       /* the session was told */
    struct sim_seen {
        bool collected, early, finished, closed, dead, replaced, ended_well, worked;
        bool dismissed;  /* closed before it had collected, as all was done */
        size_t shutdown; /* the event that brought it, or 0 */
        size_t running;  /* an outcome, or SIM_NONE */
        int64_t started; /* when the session was told of it */
        bool slow;       /* which has been told */
        bool leaving;    /* it has asked to go */
        size_t held;     /* outcomes, the running one included */
    } seen;
};

enum sim_outcome_state { SIM_FREE, SIM_HELD, SIM_RUNNING, SIM_SETTLED };

struct sim_outcome { /* in `each` board * n_tests + test, else the test */
    enum sim_outcome_state state;
    unsigned holder;
    bool dealt;               /* at least once */
    bool asked;               /* steal was sent for it */
    size_t number;            /* the session's, once it was named, or SIM_NONE */
    size_t tries;             /* that failed and were followed by another */
    unsigned failed_on;       /* bits: boards of these tries */
    bool given_up;            /* its outcome is that of its last try */
    enum txg_outcome outcome; /* or of its last try */
};

struct sim_oracle {
    struct sim_outcome *outcomes;
    size_t n_outcomes;
    unsigned *unit_at; /* gateway + 1 that has begun the unit, 0: none */
    bool *torn;        /* one that had begun the unit has left */
    size_t *named;     /* the session's number -> outcome, or SIM_NONE */
    bool allowed[SIM_BOARDS][SIM_SUITES], allowed_somewhere[SIM_SUITES];
    size_t done, total; /* as told; total SIM_NONE: not yet */
    size_t counts[TXG_OUTCOMES];
    size_t collect_errors, failed_gateways, failures, flaky;
    unsigned interrupts;
    size_t stopped; /* the event that brought it, or 0 */
    bool overtime, stopping, dealing, broken, limited, finished;
    size_t restarts;
    struct { /* deaths in a row before a first test */
        unsigned deaths;
        bool worked;    /* of a host: since the last of them */
        size_t counted; /* of a host: nodes that were there at its last loss */
    } boards[SIM_BOARDS], hosts[SIM_BOARDS];
    bool lives;       /* another gateway than the one that went down */
    bool counts_down; /* as failed, the one that went down */
    /* what the event that is being handled must bring about */
    size_t must_start, must_finish;
    const struct sim_letter *passing; /* whose tests must start and pass, one after the other */
    size_t n_passed;
    enum txg_outcome must_outcome;
    unsigned must_by; /* gateway */
    bool must_close;
    bool must_not_speak;
    bool failed;
    char what[400];
};

struct sim_world {
    const struct sim_plan *plan;
    struct sim_rng rng;
    bool verbose;
    int64_t now;
    struct sim_item *heap;
    size_t n_heap, cap_heap;
    uint64_t order;
    unsigned *starts;                   /* of each outcome, on whatever gateway */
    struct txg_session *session, *twin; /* the same events go to both */
    struct sim_node *nodes;
    size_t n_nodes, cap_nodes;
    int64_t gone_until[SIM_BOARDS]; /* by host */
    size_t events;
    int64_t first_start, last_end;
    unsigned faults; /* that found something to hit */
    struct sim_oracle oracle;
};

struct sim_result {
    size_t events;
    unsigned faults;
    int64_t first_start, last_end; /* of a test, on its worker; -1: of none */
    bool failed;
    char what[512];
};

/* Plays the schedule to its end, or until something does not hold. */
void sim_run(const struct sim_plan *plan, bool verbose, struct sim_result *result);

/* world.c, for worker.c. Messages of one direction arrive in the order they are sent. */
struct sim_item *sim_put(struct sim_world *w, int64_t at, enum sim_what what, unsigned gateway);
void sim_send(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter);
void sim_end(struct sim_world *w, struct sim_node *node, enum txg_node_down down, int64_t after);
void sim_note(const struct sim_world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* worker.c */
void sim_worker_start(struct sim_world *w, struct sim_node *node);
void sim_worker_wake(struct sim_world *w, struct sim_node *node);
void sim_worker_take(struct sim_world *w, struct sim_node *node, const struct sim_letter *letter);
void sim_worker_lie(struct sim_world *w, struct sim_node *node, unsigned variant);

/* oracle.c. Before an event is given to the session, for each command, and after the last one. */
void sim_oracle_init(struct sim_world *w);
void sim_oracle_release(struct sim_world *w);
void sim_oracle_before(struct sim_world *w, const struct txg_node_event *event,
                       const struct sim_letter *letter);
void sim_oracle_command(struct sim_world *w, const struct txg_command *c);
void sim_oracle_after(struct sim_world *w);
void sim_oracle_end(struct sim_world *w);

/* When a worker starts a test: what others run at this moment allows it. */
void sim_oracle_alone(struct sim_world *w, const struct sim_node *node, size_t index);
size_t sim_outcome_of(const struct sim_world *w, const struct sim_node *node, size_t index);
void sim_fail(struct sim_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
