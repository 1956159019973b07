/*
 * One pattern of a suite, taken apart: {arch} {id} {label} filled in, the path made absolute, and
 * which of its components hold what was filled in. From that a match gets its nodeid.
 *
 * A placeholder is `{word}`, word being letters, digits and '_'. Other braces are plain characters.
 * A value is taken literally, whatever it holds; one that can't be a part of a file name (empty,
 * with a '/', "." or "..") is an error.
 *
 * `a/../b` loses `a/..` only where `a` is a directory and no symbolic link, so that the shorter
 * path means the same file; else both stay.
 */
#ifndef TXG_WORKER_PATTERN_H
#define TXG_WORKER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/worker/collect.h"

struct txg_pattern_part; /* one path component */

struct txg_pattern {
    struct txg_pattern_part *parts; /* owned; of the absolute path; none where it is plain text */
    size_t n_parts, cap_parts;
    const struct txg_pattern *root; /* borrowed; NULL for a root */
    bool absolute;                  /* the user wrote an absolute path */
    bool filled;                    /* holds a placeholder */
    bool magic;                     /* it is more than a path: src/worker/wildcard.h */
    char *literal;                  /* owned: the absolute path, placeholders filled in */
    char *glob; /* owned: the same as a pattern, what is none escaped; NULL without magic */
};

/* The directory that a suite's relative patterns start in. `path` is relative to `cwd`; it has no
 * placeholders and is no pattern. */
void txg_pattern_init_root(struct txg_pattern *p, const char *path, const char *cwd);

/* `raw` as the user wrote it. A raw path that has an unknown placeholder but exists as it stands is
 * that file. -1: an unknown placeholder, or a value that can't stand in a path. Release in any
 * case, before the root. */
int txg_pattern_init(struct txg_pattern *p, const char *raw, const struct txg_pattern *root,
                     const struct txg_collect_names *names, struct txg_err *err);
void txg_pattern_release(struct txg_pattern *p);

/*
 * The nodeid of `path`: a match of glob or literal, or a file below one that is a directory.
 *   - below the root: the path from there. Outside it: `../x` where the pattern was relative, so
 *     that it is the same on every host, else the absolute path.
 *   - `test-{arch}-a` matched by `test-x86-a` gives `test--a`: what was filled in goes, what stands
 *     around it stays. Where a glob lets the value stand in several places, the first one goes.
 *   - a component that is only placeholders goes entirely. Where nothing would be left, the last
 *     component stands as the user wrote it: `{id}`.
 */
char *txg_pattern_nodeid(const struct txg_pattern *p, const char *path);

#endif
