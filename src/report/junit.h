/*
 * The JUnit file, as CI servers read it: testsuites, one testsuite, one testcase per outcome.
 *
 *     failed, crashed, timed out   <failure type="...">
 *     error, lost, not run         <error type="...">
 *     skipped, xfailed             <skipped type="...">
 *     passed, xpassed              nothing; xpassed has a property outcome
 *
 * A nodeid is cut at its last "::", else at its last '/': name is what follows, classname what
 * stands in front with '/' as '.', or the suite's name, or "txgate". In `each` the classname begins
 * with the gateway's device or id (of the first one on that place, so that a replacement changes no
 * name): CI servers that know classname and name only keep the gateways apart.
 * A try that failed and was followed by another stands in the case of its test as Maven Surefire
 * writes it: flakyFailure and flakyError where the test did not fail in the end, else rerunFailure
 * and rerunError, each with stackTrace, system-out and system-err; <failure> is the last try's.
 * A collect error is a testcase of classname "collection", an internal error one of "txgate".
 *
 * junit_file.c writes the file, junit.c one test, and it alone knows mxml; junit_plain.c puts those
 * together that have least to say; junit_tries.c keeps what came of tests that are tried again.
 * Cases go to the file as they come, the counts of the header at the end into the room left for
 * them.
 */
#ifndef TXG_REPORT_JUNIT_H
#define TXG_REPORT_JUNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/report/capture.h"
#include "src/report/reporter.h"
#include "src/report/stash.h"
#include "src/report/target.h"

struct txg_junit {
    struct txg_reporter base;
    struct txg_target target;
    struct txg_captures captures; /* without limits */
    struct txg_buf out;           /* not yet in the file */
    uint64_t at;                  /* where `out` goes */
    int errnum;                   /* first fault of the file */
    size_t tests, failures, errors, skipped;
    struct txg_buf notes; /* of the whole run: gateways down, warnings */
    bool each;
    int64_t wall, now;
    struct txg_junit_trees *trees; /* junit.c */
    struct txg_junit_tries *tries; /* junit_tries.c; NULL: none yet */
    struct txg_buf scratch;
};

/* Appends to the file. */
void txg_junit_write(struct txg_junit *j, const void *data, size_t len);

/* TEST_RETRY: kept for the case of its test. */
void txg_junit_retry(struct txg_junit *j, const struct txg_event *event);

/* The element of a try, complete; and those of a test in order, which are forgotten then. */
void txg_junit_keep_try(struct txg_junit *j, size_t number, const char *text, size_t len);
void txg_junit_read_tries(struct txg_junit *j, size_t number,
                          void (*visit)(void *user, const char *text), void *user);
void txg_junit_release_tries(struct txg_junit *j);

/* TEST_FINISH; COLLECT_ERROR and INTERNAL_ERROR; the last element of the suite. */
void txg_junit_testcase(struct txg_junit *j, const struct txg_event *event);
void txg_junit_error(struct txg_junit *j, const struct txg_event *event);
void txg_junit_system_err(struct txg_junit *j, const char *text);
void txg_junit_release_trees(struct txg_junit *j);

#endif
