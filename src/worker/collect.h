/*
 * From the suites that the controller sent to the tests of this worker: globs, directories of
 * executables, {arch} {id} {label}, which harness a file is for, and nodeids.
 *
 * A nodeid is the path from the suite's root (an absolute path outside the root stays whole) with
 * what {arch}, {id} and {label} stood for taken out, a path component that was nothing else
 * included. A harness that can list appends `::case`.
 */
#ifndef TXG_WORKER_COLLECT_H
#define TXG_WORKER_COLLECT_H

#include <stdint.h>

#include "gateway/wire/message.h"
#include "src/base/strv.h"
#include "src/worker/harness.h"

struct txg_suite { /* a copy of what suite{} and files{} said; all owned */
    char *harness;
    char *root; /* "" is the worker's directory */
    char *cwd;  /* "" is the worker's directory */
    struct txg_strv args;
    struct txg_strv paths; /* patterns as sent */
    int64_t timeout;       /* microseconds, 0: none */
    int64_t grace;
};

struct txg_item { /* one test */
    const struct txg_harness_ops *harness;
    size_t suite;
    char *nodeid; /* owned */
    char *path;   /* owned: what is executed, absolute */
};

struct txg_collect_error {
    char *nodeid; /* owned: the pattern or path as sent */
    char *text;   /* owned: "No such file or directory", "not executable", ... */
};

struct txg_collection {
    struct txg_suite *suites;
    size_t n_suites, cap_suites;
    struct txg_item *items; /* sorted within one pattern, in the order of the patterns, no repeats */
    size_t n_items, cap_items;
    struct txg_collect_error *errors;
    size_t n_errors, cap_errors;
    uint64_t digest;
};

void txg_collection_release(struct txg_collection *c);

/* suite{} and files{} as they come. -1: a number out of order, an unknown harness name. */
int txg_collection_add_suite(struct txg_collection *c, const struct txg_msg_suite *msg,
                             struct txg_err *err);
int txg_collection_add_files(struct txg_collection *c, const struct txg_msg_files *msg,
                             struct txg_err *err);

struct txg_collect_names { /* what {arch} {id} {label} stand for */
    const char *arch, *id, *label;
};

/* Fills items, errors and digest. `cwd` is the worker's directory, absolute. */
void txg_collection_run(struct txg_collection *c, const struct txg_collect_names *names,
                        const char *cwd);

#endif
