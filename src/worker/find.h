/*
 * The executables that a directory or a pattern gives.
 */
#ifndef TXG_WORKER_FIND_H
#define TXG_WORKER_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "src/base/err.h"
#include "src/base/strv.h"

struct txg_find {           /* zero-filled storage is empty */
    struct txg_strv paths;  /* sorted by bytes */
    struct txg_strv faults; /* one line each: directories that could not be searched, limits */
    size_t passed_over;     /* files that are no executables */
    bool full;              /* TXG_COLLECT_FILES_MAX was reached */
    bool plain;             /* set by the caller: files that are no executables too */
    bool any;               /* the same, and directories */
};

void txg_find_release(struct txg_find *f);

/* Regular files below `path` that we may execute, as collect.h says. */
void txg_find_in_directory(struct txg_find *f, const char *path);

/* Matches of an absolute pattern that are such files. */
void txg_find_matches(struct txg_find *f, const char *pattern);

/* 0: a regular file that we may execute. -1: the error says what it is instead and what to do.
 * `st` is the file's. */
int txg_find_check(const char *path, const struct stat *st, struct txg_err *err);

#endif
