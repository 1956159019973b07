/*
 * The text of cases that have nothing to tell but their names and their time. For each gateway the
 * XML library writes one, and in the others these three are put into its place: a tenth of the
 * work.
 */
#ifndef TXG_REPORT_JUNIT_PLAIN_H
#define TXG_REPORT_JUNIT_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/str.h"

/* Zero-filled: none yet. */
struct txg_junit_plain {
    char *text;                        /* owned: the one case */
    size_t class_at, name_at, time_at; /* where in it the three attributes' values are: empty */
    struct txg_buf path, front; /* what stands in front of the name, for cases of this path */
    struct txg_buf line;        /* for the caller */
};

void txg_junit_plain_release(struct txg_junit_plain *p);

/* Takes a heap string `<testcase classname="" name="" time=""...`, in this order. */
void txg_junit_plain_take(struct txg_junit_plain *p, char *text);

/* Appends a value of an attribute; `line` has no bytes that XML has not. */
void txg_junit_plain_escape(struct txg_buf *out, struct txg_span line);

/* Is there nothing in it that has to be escaped, or made printable? */
bool txg_junit_plain_is(struct txg_span text);

/* Appends the case, with the front that was set last; the name is escaped. */
void txg_junit_plain_put(const struct txg_junit_plain *p, struct txg_buf *out, struct txg_span name,
                         int64_t us);

/* To be called where `path` is not that of the case before. */
void txg_junit_plain_front(struct txg_junit_plain *p, struct txg_span path,
                           struct txg_span classname);

#endif
