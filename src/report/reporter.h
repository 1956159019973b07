/*
 * What the user sees: a reporter is fed every event of a run in order and writes to a sink. It
 * never blocks, asks no clock and decides nothing about tests.
 */
#ifndef TXG_REPORT_REPORTER_H
#define TXG_REPORT_REPORTER_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/err.h"
#include "src/session/event.h"

/* Where text goes. Implemented by cli (a queue that never blocks the loop) and by tests. */
struct txg_sink {
    void (*write)(struct txg_sink *sink, const void *data, size_t len);
};

struct txg_reporter;

/* One const instance per file: txg_terminal_ops, txg_junit_ops, txg_jsonl_ops. */
struct txg_reporter_ops {
    const char *name;
    void (*event)(struct txg_reporter *r, const struct txg_event *event);
    /* `now`, microseconds since the run began: lets a terminal redraw its live lines. NULL: none.
     */
    void (*tick)(struct txg_reporter *r, int64_t now);
    /* After RUN_FINISH or an abort: writes what is left. 0, or -1 where a file is not complete. */
    int (*finish)(struct txg_reporter *r, struct txg_err *err);
    void (*free)(struct txg_reporter *r);
};

struct txg_reporter { /* first member of every reporter */
    const struct txg_reporter_ops *ops;
};

enum txg_tb { TXG_TB_LONG, TXG_TB_SHORT, TXG_TB_LINE, TXG_TB_NO };

struct txg_terminal_options {
    int verbosity;  /* -q -1 (more q's: less), 0, -v 1 */
    enum txg_tb tb; /* auto is long */
    long durations; /* --durations N: 0 all, -1 off */
    bool color;     /* decided by the caller: tty, NO_COLOR, --color */
    bool live;      /* a terminal: one line per busy gateway, redrawn */
    int width;      /* columns; 80 where unknown */
    const char
        *command; /* the words that rerun one test, up to its file: "txgate run ..."; or NULL */
};

/* The sink is borrowed and outlives the reporter. */
struct txg_reporter *txg_terminal_new(struct txg_sink *sink,
                                      const struct txg_terminal_options *options);

/* Writes beside `path` and renames when the run is over. NULL: the file can't be made. */
struct txg_reporter *txg_junit_new(const char *path, struct txg_err *err);

/* One JSON object per event and line, docs/jsonl.md. */
struct txg_reporter *txg_jsonl_new(struct txg_sink *sink);

#endif
