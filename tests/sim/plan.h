/*
 * One schedule: the gateways, their tests and what goes wrong, all drawn from a seed.
 */
#ifndef TXG_TESTS_SIM_PLAN_H
#define TXG_TESTS_SIM_PLAN_H

#include "src/session/session.h"
#include "tests/sim/rng.h"

#define SIM_BOARDS 8
#define SIM_SUITES 3
#define SIM_FAULTS 8
#define SIM_UNITS  100
#define SIM_MS     INT64_C(1000) /* microseconds */
#define SIM_S      INT64_C(1000000)

enum sim_fate {
    SIM_PASSES,
    SIM_FAILS,
    SIM_SKIPS,
    SIM_CRASHES,     /* the test, by a signal of its own */
    SIM_KILLS_WORKER /* the worker dies with it */
};

struct sim_test {
    size_t suite;
    int64_t duration;
    enum sim_fate fate;
    unsigned bad_tries; /* its fate is that of the first ones; then it passes */
    bool left_out;      /* by -k */
    bool failed;        /* when it last ran */
    size_t unit;        /* what must stay together with it; below SIM_UNITS + number of tests */
    char nodeid[40];    /* its last word is t<number>: txg_test_of() */
    size_t len;
};

/* What a board does each time a gateway is started on it. */
enum sim_habit {
    SIM_SOUND,
    SIM_NEVER_STARTS,
    SIM_DIES_COLLECTING,
    SIM_DIES_COLLECTED, /* as soon as it has told its collection */
    SIM_FICKLE          /* each start fails as often as not */
};

struct sim_board { /* an initial gateway, and what replaces it */
    unsigned host; /* boards of one host are lost together */
    enum sim_habit habit;
    int64_t joins;           /* of one that is late; INT64_MAX: it never does */
    int64_t boot;            /* until workerready, and again until collected */
    int64_t latency, jitter; /* one way */
    int64_t slowness;        /* a test takes its duration * slowness / 4 */
    const char *labels[3];
    size_t *tests; /* its collection: numbers of tests, by its own index */
    size_t n_tests;
};

enum sim_fault_kind {
    SIM_CRASH,     /* the worker dies by a signal */
    SIM_EXIT,      /* it ends as if it were done */
    SIM_FREEZE,    /* it answers no more: its agent kills it after 5 s */
    SIM_PAUSE,     /* it stands still for up to 4 s */
    SIM_CUT,       /* nothing comes from its host any more: lost after 10 s */
    SIM_EOF,       /* its host's link ends: lost at once */
    SIM_DEAF,      /* it takes no notice of steal and shutdown */
    SIM_SLOW,      /* it becomes ten times slower */
    SIM_STUCK,     /* it lives and starts nothing more */
    SIM_LIE,       /* it says what it cannot mean */
    SIM_BROKEN,    /* internal_error */
    SIM_INTERRUPT, /* Ctrl-C */
    SIM_LEAVE,     /* it asks to go */
    SIM_FAULT_KINDS
};

struct sim_fault {
    enum sim_fault_kind kind;
    int64_t at;
    unsigned board;
    unsigned variant; /* of SIM_LIE */
};

struct sim_plan {
    uint64_t seed;
    struct txg_session_config config; /* points to what follows */
    struct txg_session_gateway gateways[SIM_BOARDS];
    struct txg_session_suite suites[SIM_SUITES];
    const char *needs[SIM_SUITES][2];
    const char *uses[SIM_SUITES][3];
    struct sim_board boards[SIM_BOARDS];
    size_t n_boards;
    struct sim_test *tests;
    size_t n_tests;
    struct sim_fault faults[SIM_FAULTS];
    size_t n_faults;
    struct txg_session_time *times; /* of some tests; owned */
    struct txg_span *failed;        /* owned */
    struct txg_select *select;      /* owned; config's */
    bool together;                  /* nothing but a loss tears a unit apart */
    bool alike;                     /* all boards may run all tests */
    bool changes;                   /* some collect other tests when started again */
    bool groups;                    /* tests that pass are told of many at a time */
};

/* `dist` < 0: drawn too. */
void sim_plan_init(struct sim_plan *p, uint64_t seed, int dist);
void sim_plan_release(struct sim_plan *p);

/* The number of the test whose nodeid this is, or p->n_tests: there is none. */
size_t sim_plan_test_of(const struct sim_plan *p, struct txg_span nodeid);

const char *sim_fault_name(enum sim_fault_kind kind);

#endif
