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
#include "src/worker/dir.h"

struct txg_harness_point {
    char *name; /* owned; any bytes but NUL and newline */
    enum txg_outcome outcome;
    char *text; /* owned, or NULL: a directive's reason, a diagnostic block */
};

/* What the points of a verdict may weigh, so that its testreport fits in one frame: names, texts
 * and TXG_POINT_WEIGHT for each. The last third is kept for points that did not pass. */
#define TXG_POINTS_WEIGHT_MAX (512u << 10)
#define TXG_POINT_WEIGHT      32u
#define TXG_POINT_NAME_MAX    1024u /* a longer name or text is cut */
#define TXG_POINT_TEXT_MAX    (16u << 10)

/* What became of one test; filled by txg_harness_ops.judge. Zero-filled storage is empty. */
struct txg_verdict {
    enum txg_outcome outcome;
    struct txg_buf reason; /* one line, empty where there is nothing to say; any bytes but NUL */
    struct txg_harness_point *points;
    size_t n_points, cap_points;
    size_t weight;   /* of the points */
    size_t left_out; /* points for which there was no room */
};

/* Gives all back; the verdict is empty afterwards. */
void txg_verdict_release(struct txg_verdict *v);

/* How the process ended; signal 0 means by exit(status). */
struct txg_ending {
    int status;
    int signal;
    bool timed_out;  /* and was killed for it, whatever status and signal say */
    int64_t timeout; /* that it ran into, microseconds */
};

/* The endings that no harness can talk away: a time-out is "timed out", a signal "crashed". True:
 * outcome and reason are set ("no end after 30 s", "signal 11 (Segmentation fault)"). */
bool txg_verdict_unfinished(struct txg_verdict *v, const struct txg_ending *ending);

/* Sets outcome and reason. */
void txg_verdict_set(struct txg_verdict *v, enum txg_outcome outcome, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a point where there is room for it, else counts it as left out; name and text are cut. NUL
 * bytes become '?'. Borrows both; an empty text is none. */
void txg_verdict_add_point(struct txg_verdict *v, enum txg_outcome outcome, struct txg_span name,
                           struct txg_span text);

/* Appends a line to the text of the newest point, within the same limits. */
void txg_verdict_add_text(struct txg_verdict *v, struct txg_span line);

struct txg_harness_ops {
    const char *name;
    /* Streaming parser of stdout: both NULL for a harness that looks at the ending only. `state`
     * is what `begin` made, NULL without it. */
    void *(*begin)(void);
    void (*feed)(void *state, const void *data, size_t len);
    /* Judges into an empty verdict. Called exactly once per test, also after a crash or a timeout,
     * after the last feed. */
    void (*judge)(void *state, const struct txg_ending *ending, struct txg_verdict *out);
    /* Gives back `state`; called also where judge was not. NULL with begin. */
    void (*end)(void *state);
};

/* By the exit status, as automake's test driver reads it: 0 passed, 77 skipped, 99 error (a hard
 * error: the test could not be set up), every other status failed. */
extern const struct txg_harness_ops txg_harness_exec;

/* The Test Anything Protocol on stdout, versions 13 and 14: harness/tap.c. */
extern const struct txg_harness_ops txg_harness_tap;

/* NULL for a name that is no harness, and for "auto", which txg_harness_detect resolves per file.
 */
const struct txg_harness_ops *txg_harness_find(struct txg_span name);

/*
 * What "auto" stands for: from the name and what stands beside it, never by running the file. Never
 * NULL. First rule first:
 *   1. the name ends in `.t` (perl, and all who follow it) or `.bats`: tap
 *   2. beside the file stands `<path>.test`, a description of GNOME's installed tests, that says
 *      Type=session and Output=TAP, and whose Exec= ends in this program without arguments of its
 *      own (with `--tap` behind it, it is the argument that makes it speak TAP): tap
 *   3. everything else, be it ELF or script: exec. A script that may source a TAP library is not
 *      guessed; say `harness: tap` for it.
 * `dir` is the caller's memory of where it looked last.
 */
const struct txg_harness_ops *txg_harness_detect(const char *path, struct txg_dir *dir);

/* "auto" first; NULL-terminated, for messages. */
extern const char *const txg_harness_names[];

#endif
