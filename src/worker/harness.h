/*
 * How one framework's programs are run and judged. A command harness: one process per test, its
 * output and its end are judged by a pure function. One const instance per file in harness/.
 */
#ifndef TXG_WORKER_HARNESS_H
#define TXG_WORKER_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/outcome.h"
#include "src/base/str.h"

struct txg_harness_point {
    char *name; /* owned */
    enum txg_outcome outcome;
    char *text; /* owned, or NULL */
};

/* What became of one test; filled by txg_harness_ops.judge. Zero-filled storage is empty. */
struct txg_verdict {
    enum txg_outcome outcome;
    struct txg_buf reason; /* one line */
    struct txg_harness_point *points;
    size_t n_points, cap_points;
};

void txg_verdict_release(struct txg_verdict *v);

/* How the process ended; signal 0 means by exit(status). */
struct txg_ending {
    int status;
    int signal;
    bool timed_out;
    int64_t timeout; /* that it ran into, microseconds */
};

struct txg_harness_ops {
    const char *name;
    /* Streaming parser of stdout, or NULL for a harness that looks at the ending only. `state` is
     * what `begin` made. */
    void *(*begin)(void);
    void (*feed)(void *state, const void *data, size_t len);
    /* Judges. Called exactly once per test, also after a crash or a timeout. */
    void (*judge)(void *state, const struct txg_ending *ending, struct txg_verdict *out);
    void (*end)(void *state);
};

extern const struct txg_harness_ops txg_harness_exec;
extern const struct txg_harness_ops txg_harness_tap;

/* NULL for a name that is no harness. "auto" is resolved per file by txg_harness_detect. */
const struct txg_harness_ops *txg_harness_find(struct txg_span name);

/* From the file itself, never by running it. */
const struct txg_harness_ops *txg_harness_detect(const char *path);

/* NULL-terminated, for messages. */
extern const char *const txg_harness_names[];

#endif
