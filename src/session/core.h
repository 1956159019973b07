/*
 * What the files of the session share: session.c is its life, messages.c what workers say, down.c
 * what follows when one dies, members.c who comes and goes, quarantine.c who is given up, outcome.c
 * what became of each test, retry.c whether it is tried again, deal.c what schedulers may do, end.c
 * deadlines and the end. Nobody else includes this.
 */
#ifndef TXG_SESSION_CORE_H
#define TXG_SESSION_CORE_H

#include "src/session/scheduler.h"

enum txg_progress { TXG_WAITING, TXG_DEALING, TXG_STOPPING, TXG_OVER };

struct txg_session {
    struct txg_session_config config; /* strings and arrays owned below */
    struct txg_session_gateway *gateways;
    struct txg_session_suite *suites;
    bool *allowed; /* [origin * n_suites + suite]: its labels satisfy the suite's needs */
    int64_t began, now;
    enum txg_progress progress;
    const struct txg_scheduler_ops *scheduler;
    struct txg_deal deal;
    struct txg_node **nodes; /* by number; deal.nodes is the same array */
    size_t n_nodes, cap_nodes;
    bool offers; /* some node does */
    struct txg_catalog catalog;
    const struct txg_tests **lanes; /* `each`: what an initial gateway's lane runs */
    size_t *lane_starts;            /* `each`: number of its first outcome */
    unsigned char *outcomes;        /* by number: enum txg_outcome, or TXG_OUTCOMES: none yet */
    size_t n_outcomes;              /* numbers given out */
    struct txg_lock *locks;         /* lock.c */
    size_t n_locks;
    bool dropped;                /* one may be free: see txg_locks_pass_on */
    struct txg_span *failed;     /* config's, sorted */
    struct txg_span failed_note; /* for SCHEDULING; owned */
    struct txg_tries **tries;    /* retry.c: by number; NULL: none has failed yet */
    size_t total, done;          /* those that the run owes, and has */
    size_t counts[TXG_OUTCOMES];
    size_t flaky, slow;
    size_t deselected, collect_errors, failures, gateways_failed;
    long restarts;
    size_t tried_at;         /* `done` when everyone was dead and started again, or 0 */
    struct txg_luck *places; /* [origin]; quarantine.c */
    struct txg_luck *hosts;  /* [gateway's host] */
    unsigned interrupts;
    bool overtime;                /* the run's time is over */
    bool internal_error, limited; /* limited: --maxfail was reached */
    int64_t give_up_at;           /* after the second Ctrl-C; INT64_MAX */
    struct txg_command *commands;
    size_t n_commands, cap_commands, next_command;
    void **garbage; /* what commands point to, freed when the next event comes */
    size_t n_garbage, cap_garbage;
};

struct txg_command *txg_session_command(struct txg_session *s, enum txg_command_type type);
struct txg_event *txg_session_report(struct txg_session *s, enum txg_event_type type,
                                     const struct txg_node *node);
/* Memory that lives until the next event. */
void *txg_session_keep(struct txg_session *s, void *p);
struct txg_span txg_session_format(struct txg_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void txg_session_report_text(struct txg_session *s, enum txg_event_type type,
                             const struct txg_node *node, struct txg_span text);

struct txg_node *txg_session_add_node(struct txg_session *s, size_t origin,
                                      const struct txg_gateway_info *replaces);
void txg_session_close(struct txg_session *s, struct txg_node *node);

/* A gateway said what it cannot have meant: it is no longer believed, and closed. */
void txg_session_fault(struct txg_session *s, struct txg_node *node, const char *text);

/* Queues are dropped: what runs may finish, what was dealt is taken back, nothing more is dealt. */
void txg_session_stop(struct txg_session *s, struct txg_span why);

/* The node's collection is complete. */
void txg_session_collected(struct txg_session *s, struct txg_node *node,
                           const struct txg_tests *tests);

/* The barrier: dealing begins when every gateway that was started has spoken. */
void txg_session_maybe_begin(struct txg_session *s);

/* members.c: gateways that come and go while the run lasts. */
void txg_session_leave(struct txg_session *s, struct txg_node *node);
void txg_session_join(struct txg_session *s, const char *name);
void txg_session_let_go(struct txg_session *s); /* those who asked and had to stay until now */

/* down.c */
void txg_session_down(struct txg_session *s, struct txg_node *node,
                      const struct txg_node_event *event);

/* quarantine.c: who dies three times in a row before a first test is not started again, be it the
 * gateways of one place or a host with all that are on it. */
void txg_quarantine_init(struct txg_session *s);
void txg_quarantine_release(struct txg_session *s);
void txg_quarantine_started(struct txg_session *s, const struct txg_node *node); /* a test */
void txg_quarantine_died(struct txg_session *s, const struct txg_node *node,
                         const struct txg_node_event *event);
bool txg_quarantine_holds(const struct txg_session *s, const struct txg_node *node);
void txg_quarantine_lift(struct txg_session *s, const struct txg_node *node); /* for one more */

/* Reports it; of a host once, then false. */
bool txg_quarantine_tell(struct txg_session *s, const struct txg_node *node,
                         const struct txg_node_event *event);

/* What becomes of a test that runs when the run does not wait for it. */
struct txg_event_result txg_session_cut_short(const struct txg_session *s);

/* end.c. Last of all in each event: who is to go, who is late, and whether the run is over. */
#define TXG_GOODBYE INT64_C(10000000) /* microseconds: for a gateway to end that holds nothing */
void txg_session_look(struct txg_session *s);

/* offers.c */
/* Of gateways with tests (node->offered) that nobody has named: another may have done so meanwhile,
 * or be about to; else one of them is asked. */
void txg_session_take_offers(struct txg_session *s);

/* messages.c */
void txg_session_take_message(struct txg_session *s, struct txg_node *node,
                              const struct txg_msg *msg);

/* outcome.c. Once, when the collections are there, or no more can come. */
void txg_session_number_outcomes(struct txg_session *s);
struct txg_event *txg_session_report_test(struct txg_session *s, enum txg_event_type type,
                                          const struct txg_node *node, size_t number);

/* Does -k take it? Or is there nothing that leaves one out? */
bool txg_session_selects_all(const struct txg_session *s);
bool txg_session_is_selected(const struct txg_session *s, size_t suite, struct txg_span nodeid);

/* last.c. Did it fail when it last ran? Copies the list first of all. */
void txg_session_take_failed(struct txg_session *s);
bool txg_session_has_failed(const struct txg_session *s, struct txg_span nodeid);

/* Is it among the first to run? */
bool txg_session_comes_first(const struct txg_session *s, struct txg_span nodeid);

/* When outcomes are numbered and -k is done: the number of those that --lf leaves out; `leave_out`
 * is called for each. */
void txg_session_choose_failed(struct txg_session *s,
                               void (*leave_out)(struct txg_session *s, size_t number));

/* Every test that has no outcome is not run, with the reason. */
void txg_session_settle_rest(struct txg_session *s);

/* The number of the outcome that test `index` of the node's collection has. */
size_t txg_session_number(const struct txg_session *s, const struct txg_node *node, size_t index);
struct txg_span txg_session_nodeid(const struct txg_session *s, size_t number);

/* Settles an outcome, exactly once; `result` needs no counts. `node` may be NULL. */
void txg_session_settle(struct txg_session *s, const struct txg_node *node, size_t number,
                        const struct txg_event_result *result);
bool txg_session_is_settled(const struct txg_session *s, size_t number);

/* lock.c: uses: and serial: of suites. What the tests of a suite want is taken for each test that a
 * node is dealt and dropped for each that it holds no more. */
void txg_locks_init(struct txg_session *s);
enum { TXG_LOCKS_NONE, TXG_LOCKS_USES, TXG_LOCKS_SERIAL };
int txg_locks_rank(const struct txg_session *s, size_t suite); /* one of these */
bool txg_locks_free(const struct txg_session *s, const struct txg_node *node, size_t suite);
void txg_locks_take(struct txg_session *s, const struct txg_node *node, size_t index);
void txg_locks_drop(struct txg_session *s, const struct txg_node *node, size_t index);

/* Lets others have what was dropped. */
void txg_locks_pass_on(struct txg_session *s, struct txg_node *node);

/* retry.c. A test that the node had at `index` has ended: when it failed and may be tried again
 * that is told and done, and it has no outcome yet. False: `result` is its outcome. */
bool txg_session_retry(struct txg_session *s, struct txg_node *node, size_t index,
                       const struct txg_event_result *result);

/* Which try is the next, or runs now: from 1. */
unsigned txg_session_attempt(const struct txg_session *s, size_t number);

/* Has the test failed on a gateway on this place? */
bool txg_session_has_tried(const struct txg_session *s, size_t origin, size_t number);

/* Of a test that has failed and has no outcome: how its last try ended, and where. Or NULL. */
const struct txg_event_result *txg_session_last_try(const struct txg_session *s, size_t number,
                                                    const struct txg_node **node);
void txg_session_release_tries(struct txg_session *s);

#endif
