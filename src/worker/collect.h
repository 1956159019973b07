/*
 * From the suites that the controller sent to the tests of this worker: globs, directories of
 * executables, {arch} {id} {label}, which harness a file is for, and nodeids.
 *
 * A path that exists is taken as it is, even where it holds characters of a pattern. A directory
 * gives its executables: regular files that we may execute, in it and below, sorted by bytes,
 * without what is hidden, without directories behind symbolic links, and without shared libraries
 * (`*.so`, `*.so.*`), which compilers make executable. A pattern (wildcard.h) gives the executables
 * among its matches and passes over other files. A file that is named counts always: where it
 * can't be run, that is an error.
 *
 * A nodeid is the path from the suite's root (an absolute path outside the root stays whole) with
 * what {arch}, {id} and {label} stood for taken out, a path component that was nothing else
 * included: src/worker/pattern.h has the rules. A harness that can list appends `::case`.
 *
 * A suite with a command is one program: its files, directories and `file::case`s are checked to be
 * there and become arguments, and a nodeid is the name that the program gives.
 *
 * A file is collected once, even if several patterns or suites name it: the first one has it. Two
 * files with the same nodeid are an error; the first one stays. `path::case` takes only that case,
 * or those below it (`path::Suite`); it stands for one file and is no pattern.
 *
 * Programs of a harness that can list are listed in between: txg_collection_run() finds them,
 * src/worker/listing.h runs them, txg_collection_finish() puts their cases in their places.
 */
#ifndef TXG_WORKER_COLLECT_H
#define TXG_WORKER_COLLECT_H

#include <stdint.h>

#include "gateway/wire/message.h"
#include "src/base/strv.h"
#include "src/worker/harness.h"

#define TXG_COLLECT_SUITES_MAX   4096u
#define TXG_COLLECT_PATTERNS_MAX (1u << 20) /* in one suite */
#define TXG_COLLECT_FILES_MAX    (1u << 20) /* that one pattern gives */
#define TXG_COLLECT_DEPTH_MAX    32         /* of directories below one that was named */

struct txg_suite { /* a copy of what suite{} and files{} said; all owned */
    char *harness;
    char *root; /* "" is the worker's directory */
    char *cwd;  /* "" is the worker's directory */
    struct txg_strv args;
    struct txg_strv paths;   /* patterns as sent */
    struct txg_strv command; /* starts the harness, which takes all files; the first word a path */
    struct txg_strv list, run; /* of harness pair: with {file} and {case} not filled in */
    char *source;              /* what is written to it first; NULL: nothing */
    size_t n_source;
    int64_t timeout; /* microseconds, 0: none */
    int64_t grace;
};

struct txg_item { /* one test */
    const struct txg_harness_ops *harness;
    size_t suite;
    const char *nodeid; /* borrowed from the collection's texts */
    const char *path;   /* what is executed, absolute; borrowed from `paths` */
    const char *name;   /* of the case, borrowed from `programs`; NULL: the program is the test */
    size_t program;     /* of a case */
    bool disabled;      /* a case that is skipped without being run */
};

struct txg_program {        /* one whose cases are listed */
    size_t item;            /* that stands for it until the collection is finished */
    struct txg_strv only;   /* names of cases that were asked for; none: all */
    bool whole;             /* and the whole program was as well */
    struct txg_names cases; /* in the order in which they run */
    struct txg_strv paths;  /* of a suite with a command: what it is given, absolute */
};

struct txg_collect_error {
    char *nodeid; /* owned: the pattern or path as sent */
    char *text;   /* owned, one line: what is wrong with it and what to do */
};

/* Zero-filled storage is an empty collection. */
struct txg_collection {
    struct txg_suite *suites;
    size_t n_suites, cap_suites;
    struct txg_item
        *items; /* sorted within one pattern, in the order of the patterns, no repeats */
    size_t n_items, cap_items;
    struct txg_strv paths;
    struct txg_arena texts; /* nodeids */
    struct txg_program *programs;
    size_t n_programs, cap_programs;
    struct txg_collect_error *errors;
    size_t n_errors, cap_errors;
    uint64_t digest;
};

void txg_collection_release(struct txg_collection *c);

/* suite{} and files{} as they come. -1, and nothing is added: a number out of order, too many, a
 * NUL in a string (TXG_E_PROTO, TXG_E_LIMIT); an unknown harness name (TXG_E_USAGE). */
int txg_collection_add_suite(struct txg_collection *c, const struct txg_msg_suite *msg,
                             struct txg_err *err);
int txg_collection_add_files(struct txg_collection *c, const struct txg_msg_files *msg,
                             struct txg_err *err);

struct txg_collect_names { /* what {arch} {id} {label} stand for; NULL or empty: has none */
    const char *arch, *id, *label;
};

/* Fills items, programs and errors, once. `cwd` is the worker's directory, absolute. */
void txg_collection_run(struct txg_collection *c, const struct txg_collect_names *names,
                        const char *cwd);

/* What program `program` said when it was to list its cases. An error of its own is noted. */
void txg_collection_take_listing(struct txg_collection *c, size_t program, struct txg_span text);

/* Appends the words that start the item's program. */
void txg_collection_argv(const struct txg_collection *c, const struct txg_item *item,
                         struct txg_strv *argv);
/* Are they words for this machine's own programs, and not for what the emulator runs? */
bool txg_collection_is_bare(const struct txg_collection *c, const struct txg_item *item,
                            const struct txg_strv *argv);

/* Is any of its listed cases among those that were asked for? */
bool txg_collection_wants(const struct txg_collection *c, size_t program);

/* Notes what is wrong with a file; both are dupped. */
void txg_collection_error(struct txg_collection *c, const char *nodeid, const char *text);

/* It could not be listed. */
void txg_collection_no_listing(struct txg_collection *c, size_t program, const char *why);

/* Puts the cases of every program in its place, and fills in the digest. `env` is what the tests
 * will find: it may say that disabled cases are run. */
void txg_collection_finish(struct txg_collection *c, const struct txg_strv *env);

#endif
