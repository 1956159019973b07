/*
 * What a worker needs to know of pytest's command line, read as pytest's own workers read it: which
 * words are tests, and the options that say which of their cases run and when to stop.
 */
#ifndef TXG_WORKER_XDIST_ARGS_H
#define TXG_WORKER_XDIST_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/strv.h"

struct txg_xdist_args {       /* zero-filled storage is empty */
    struct txg_strv paths;    /* files, directories, patterns: without `::case` */
    struct txg_strv wanted;   /* of these, as given, those with `::case` */
    struct txg_strv deselect; /* --deselect: prefixes of nodeids */
    char *keyword, *mark;     /* -k, -m: the last one; NULL: none */
    int64_t maxfail;          /* -x, --maxfail; 0: no limit */
};

/* A word behind an option that is not pytest's or pytest-xdist's own counts as a test where such a
 * file exists. -1: an option's value is missing or no number. */
int txg_xdist_args_parse(struct txg_xdist_args *a, const struct txg_strv *words,
                         struct txg_err *err);
void txg_xdist_args_release(struct txg_xdist_args *a);

/* -k and -m are understood, which selection relies on. -1: the error shows where not. */
int txg_xdist_args_check(const struct txg_xdist_args *a, struct txg_err *err);

/* The options let this test run. */
bool txg_xdist_args_select(const struct txg_xdist_args *a, const char *nodeid);

#endif
