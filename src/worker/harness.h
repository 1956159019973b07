/*
 * How one framework's programs are run and judged. One const instance per file in harness/.
 *
 * Where a program is one test, its output and its end are judged by a pure function. A harness with
 * `cases` can list what is in a program and tells the cases of one process apart while it runs.
 */
#ifndef TXG_WORKER_HARNESS_H
#define TXG_WORKER_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/arena.h"
#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/outcome.h"
#include "src/base/str.h"
#include "src/base/strv.h"
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
    size_t weight;           /* of the points */
    size_t left_out;         /* points for which there was no room */
    int64_t setup, teardown; /* microseconds of the test's time; 0: nothing is known of them */
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

/* What a line of output says of the case that runs, or that is to be the next. */
enum txg_case_sign {
    TXG_CASE_OUTPUT, /* of a test, or of nobody */
    TXG_CASE_NOISE,  /* the framework's own talk: not kept */
    TXG_CASE_STARTS, /* noise; the case starts behind this line */
    TXG_CASE_ENDS,   /* noise; the case is over: the verdict says how */
    TXG_CASE_APART   /* noise; what comes from here on belongs to the next case */
};

struct txg_case_lines { /* one reading of a line */
    const char *name;   /* of the case that runs, or that is expected next */
    bool running;
    struct txg_verdict *over; /* of the case that ended just before, NULL: there is none */
    struct txg_span line;     /* without newline; the end of it where it is long */
    /* to be filled in where the case is over */
    struct txg_verdict *verdict;
    int64_t duration; /* microseconds as the framework says, -1: it says nothing */
};

/* Which cases of a program one process is to run. */
struct txg_case_choice {
    const char *const *names;    /* wanted, in the order of the listing */
    size_t n;                    /* > 0 */
    const struct txg_names *all; /* of the program */
};

struct txg_cases_ops {
    /* Appends what listing and running have in common. May be NULL. */
    void (*prepare)(struct txg_strv *argv);
    const char *const *list;  /* words that make a program list its cases; NULL-terminated */
    const char *const *unset; /* variables that would change what is run or said; NULL-terminated */
    bool announces;           /* it says when a case starts; else one starts where the last ends */
    /* Appends the names in the order in which they run. -1: that is no listing. */
    int (*read_list)(struct txg_span text, struct txg_names *names, struct txg_err *err);
    /* Is the case skipped without being run? `argv` is the suite's, `envp` that of the tests. */
    bool (*is_disabled)(const char *name, const struct txg_strv *argv, const struct txg_strv *envp);
    /* Appends the words that choose a part of `choice` from its front. Returns how many, > 0. */
    size_t (*choose)(const struct txg_case_choice *choice, struct txg_strv *argv);
    enum txg_case_sign (*read_line)(void *state, struct txg_case_lines *l);
    /* The process ended before the case did, or (not `running`) before it began. True: outcome and
     * reason are set; else the ending alone says what is to be said. May be NULL. */
    bool (*cut_short)(void *state, bool running, const struct txg_ending *ending,
                      struct txg_verdict *v);
};

struct txg_harness_ops {
    const char *name;
    /* Streaming parser of stdout: both NULL for a harness that looks at the ending only. `state`
     * is what `begin` made, NULL without it. */
    void *(*begin)(void);
    void (*feed)(void *state, const void *data, size_t len);
    /* Judges into an empty verdict. Called exactly once per test, also after a crash or a timeout,
     * after the last feed. With cases: each is run by a process of its own; NULL: by a batch. */
    void (*judge)(void *state, const struct txg_ending *ending, struct txg_verdict *out);
    /* Gives back `state`; called also where judge was not. NULL with begin. */
    void (*end)(void *state);
    const struct txg_cases_ops *cases; /* NULL: a program is one test */
    bool persistent; /* it speaks docs/harness.md: `cases` has nothing but read_list */
    bool rings;      /* it may tell results by shared memory: src/worker/ring.h */
    bool preloads;   /* and that because a library is loaded into it: src/worker/preload.h */
};

/* By the exit status, as automake's test driver reads it: 0 passed, 77 skipped, 99 error (a hard
 * error: the test could not be set up), every other status failed. */
extern const struct txg_harness_ops txg_harness_exec;
void txg_exec_judge(void *state, const struct txg_ending *ending, struct txg_verdict *out);

/* The Test Anything Protocol on stdout, versions 13 and 14: harness/tap.c. */
extern const struct txg_harness_ops txg_harness_tap;

/* GoogleTest: harness/gtest.c. */
extern const struct txg_harness_ops txg_harness_gtest;

/* GLib's g_test_run: harness/glib.c. */
extern const struct txg_harness_ops txg_harness_glib;

/* CUnit, by a library that is loaded in front of libcunit: harness/cunit.c and
 * src/worker/preload.h. */
extern const struct txg_harness_ops txg_harness_cunit;

/* "txgate", a program that speaks docs/harness.md: harness/talk.c and src/worker/persistent.c. */
extern const struct txg_harness_ops txg_harness_talk;

/* "pytest", the same with a command of its own that stands for all files of a suite. */
extern const struct txg_harness_ops txg_harness_pytest;

/* "pair", two commands of the user's, to list cases and to run one: harness/pair.c. */
#define TXG_PAIR_FILE "{file}"
#define TXG_PAIR_CASE "{case}"
extern const struct txg_harness_ops txg_harness_pair;

/* Appends the words with {file} and {case} filled in, wherever they stand. `name` NULL: no {case}.
 */
void txg_pair_fill(const struct txg_strv *words, const char *file, const char *name,
                   struct txg_strv *argv);

/* NULL for a name that is no harness, and for "auto", which txg_harness_detect resolves per file.
 */
const struct txg_harness_ops *txg_harness_find(struct txg_span name);

/*
 * What "auto" stands for: from the file and what stands beside it, never by running it. Never NULL.
 * First rule first:
 *   1. the name ends in `.t` (perl, and all who follow it) or `.bats`: tap
 *   2. an ELF file that was linked with a framework (src/worker/elf.h): txgate, gtest, glib;
 *      cunit, where the library that this needs can be loaded into it
 *   3. beside the file stands `<path>.test`, a description of GNOME's installed tests, that says
 *      Type=session and Output=TAP, and whose Exec= ends in this program without arguments of its
 *      own (with `--tap` behind it, it is the argument that makes it speak TAP): tap
 *   4. everything else, be it ELF or script: exec. A script that may source a TAP library is not
 *      guessed; say `harness: tap` for it.
 * `dir` is the caller's memory of where it looked last.
 */
const struct txg_harness_ops *txg_harness_detect(const char *path, struct txg_dir *dir);

/* What a file is run with whose suite names a harness: that harness, or another one that fits it
 * better. NULL: err says why it can't be run so, and what to do. */
const struct txg_harness_ops *txg_harness_choose(const struct txg_harness_ops *named,
                                                 const char *path, struct txg_dir *dir,
                                                 struct txg_err *err);

/* "auto" first; NULL-terminated, for messages. */
extern const char *const txg_harness_names[];

#endif
