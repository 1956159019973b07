/*
 * A file that appears whole or not at all: written beside its path and renamed at the end. A path
 * that is no regular file (/dev/null, /dev/stdout, a FIFO) is written to at the end, never
 * replaced; a symbolic link stays one.
 */
#ifndef TXG_REPORT_TARGET_H
#define TXG_REPORT_TARGET_H

#include "src/base/err.h"

struct txg_target {
    char *path;    /* owned: where it will be, symbolic links resolved */
    char *beside;  /* owned: what is renamed to it, or NULL */
    int fd;        /* write here, from offset 0 */
    int device_fd; /* or -1: not a regular file, gets a copy */
};

/* Missing directories are made, as pytest does for --junitxml. */
int txg_target_open(struct txg_target *target, const char *path, struct txg_err *err);

/* Puts the file in its place; on -1 a regular file there is as it was. txg_target_release is still
 * to be called. */
int txg_target_commit(struct txg_target *target, struct txg_err *err);

/* Removes what was not put in its place. */
void txg_target_release(struct txg_target *target);

#endif
