/*
 * One line of TAP, https://testanything.org/tap-version-14-specification.html, read as perl's
 * TAP::Parser reads it. Pure; everything is borrowed from the line.
 */
#ifndef TXG_WORKER_HARNESS_TAPLINE_H
#define TXG_WORKER_HARNESS_TAPLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/str.h"

enum txg_tapline_type {
    TXG_TAPLINE_UNKNOWN,
    TXG_TAPLINE_BLANK,
    TXG_TAPLINE_COMMENT,
    TXG_TAPLINE_INDENTED, /* of a subtest or a diagnostic block */
    TXG_TAPLINE_VERSION,  /* number */
    TXG_TAPLINE_PLAN,     /* number, skip, text */
    TXG_TAPLINE_POINT,    /* ok, number or -1, name, skip, todo, text */
    TXG_TAPLINE_PRAGMA,   /* text: "+strict, -bail" */
    TXG_TAPLINE_BAIL_OUT  /* text; also where it is indented */
};

struct txg_tapline {
    enum txg_tapline_type type;
    int64_t number; /* saturates at INT64_MAX */
    bool ok, skip, todo;
    struct txg_span name; /* description without a leading "- ", escapes not resolved */
    struct txg_span text; /* reason of a directive, a skip or a bail out */
};

/* `line` has no newline; a CR at its end is dropped. `version` is 12 where none was given. */
struct txg_tapline txg_tapline_read(struct txg_span line, int64_t version);

#endif
