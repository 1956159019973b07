/*
 * What the files of the terminal reporter share. terminal.c dispatches events; nodes.c says which
 * gateways there are, progress.c how far the tests are, live.c what runs now, echo.c what it says,
 * failures.c what went wrong in detail, output.c what such a test had printed, summary.c how it
 * ended.
 *
 * Memory: while the run goes on, failures, summary lines and warnings go to stashes, and output is
 * cut to TXG_TERMINAL_HEAD + TXG_TERMINAL_TAIL bytes of a stream at once.
 */
#ifndef TXG_REPORT_TERMINAL_H
#define TXG_REPORT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/report/capture.h"
#include "src/report/printable.h"
#include "src/report/reporter.h"
#include "src/report/screen.h"
#include "src/report/stash.h"

#define TXG_TERMINAL_HEAD 16384
#define TXG_TERMINAL_TAIL 49152

enum txg_node_state {
    TXG_NODE_NONE,
    TXG_NODE_STARTING,  /* gw0 I */
    TXG_NODE_READY,     /* gw0 C */
    TXG_NODE_COLLECTED, /* gw0 [3] */
    TXG_NODE_GONE       /* gw0 down */
};

struct txg_terminal_node { /* a gateway */
    const struct txg_gateway_info *info;
    enum txg_node_state state;
    size_t collected;
    bool busy;
    int64_t since;          /* when its test started */
    struct txg_buf test;    /* printable nodeid; kept on a live terminal only */
    struct txg_buf said[2]; /* with -s: the front of a line of its test whose end has not come */
};

struct txg_duration {
    int64_t us;
    char *line; /* owned, printable: "[gw0] tests/x" */
};

struct txg_terminal {
    struct txg_reporter base;
    struct txg_terminal_options options; /* its command is owned */
    struct txg_screen screen;

    struct txg_terminal_node *nodes; /* by number */
    size_t n_nodes;
    size_t gateways;  /* at the start */
    size_t announced; /* GATEWAY_START events of them */
    bool starts_shown;
    bool scheduled;

    struct txg_captures captures;
    struct txg_stash errors, failures, summary, warnings;
    struct txg_stash reruns; /* failures of tests that were tried again */
    struct txg_stash downs;  /* gateways that could not start or were lost */
    size_t n_warnings, n_errors, n_deselected, n_failed_gateways, n_not_run, n_flaky, n_slow;
    size_t outcomes[TXG_OUTCOMES];
    size_t done, total;
    struct txg_duration *durations;
    size_t n_durations, cap_durations;
    char *stopping; /* printable, or NULL */

    struct txg_buf moving; /* live: the lines of what is on its way to hosts */
    size_t n_moving;       /* of those that there are, not all have a line */
    int64_t moving_at;     /* the time of all of them */

    int64_t now;     /* time of the newest event or tick */
    int64_t drawn;   /* when passing lines were last drawn */
    int64_t flushed; /* live: when letters were last handed over */
    struct txg_buf scratch;
};

/* "gw1", on a device "gw1 imx6-a"; for a test that nobody ran "-". */
void txg_terminal_name(struct txg_buf *out, const struct txg_gateway_info *gateway);

/* One line why: the result's reason, else what its status says. */
void txg_terminal_reason(struct txg_buf *out, const struct txg_event_result *result);

/* nodes.c. The first two are for GATEWAY_* and SCHEDULING events. */
void txg_nodes_event(struct txg_terminal *t, const struct txg_event *event);
void txg_nodes_scheduling(struct txg_terminal *t, const struct txg_event *event);
void txg_nodes_announce(struct txg_terminal *t); /* "gw0 I / gw1 I", once */
void txg_nodes_draw(struct txg_terminal *t);     /* live, before the tests run */
void txg_nodes_release(struct txg_terminal *t);

/* progress.c */
void txg_progress_result(struct txg_terminal *t, const struct txg_event *event);
void txg_progress_slow(struct txg_terminal *t, const struct txg_event *event); /* its line */
void txg_progress_end(struct txg_terminal *t); /* ends the last line of letters */

/* echo.c: with -s, lines of what a test writes, as they come; at its end one without its newline.
 */
void txg_echo_add(struct txg_terminal *t, const struct txg_event *event);
void txg_echo_end(struct txg_terminal *t, const struct txg_event *event);

/* live.c: notes what runs and what is sent to hosts, and draws it. */
void txg_live_event(struct txg_terminal *t, const struct txg_event *event);
void txg_live_transfer(struct txg_terminal *t, const struct txg_event *event);
void txg_live_tick(struct txg_terminal *t); /* what was sent before now has arrived */
void txg_live_put_transfers(const struct txg_terminal *t, struct txg_buf *lines);
void txg_live_draw(struct txg_terminal *t);

/* failures.c: keep what is told at the end; of TEST_FINISH and TEST_RETRY. */
void txg_failures_result(struct txg_terminal *t, const struct txg_event *event);
void txg_failures_collect_error(struct txg_terminal *t, const struct txg_event *event);

/* output.c: a section with what a failed test printed, if anything; ": <its last line that is not
 * empty>", false where there is none. */
void txg_output_section(struct txg_terminal *t, const struct txg_event *event, int stream,
                        struct txg_buf *out);
bool txg_output_last_line(struct txg_terminal *t, const struct txg_event *event, int stream,
                          struct txg_buf *out);

/* summary.c */
void txg_summary_result(struct txg_terminal *t, const struct txg_event *event);
void txg_summary_warning(struct txg_terminal *t, const struct txg_event *event);
void txg_summary_finish(struct txg_terminal *t);

/* durations.c: --durations. */
void txg_durations_result(struct txg_terminal *t, const struct txg_event *event);
void txg_durations_finish(struct txg_terminal *t);
void txg_durations_release(struct txg_terminal *t);

#endif
