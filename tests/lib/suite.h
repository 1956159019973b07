/*
 * The one way a unit test program runs: a table of {name, function}, an alarm, and an exit status
 * that means what it says. CUnit's own runner returns 0 when assertions fail and skips a suite
 * whose init fails; txg_suite_main() exits 1 on any failed test, on a failed suite, on zero tests.
 */
#ifndef TXG_TESTS_SUITE_H
#define TXG_TESTS_SUITE_H

#include <CUnit/CUnit.h>

struct txg_test {
    const char *name;
    void (*fn)(void);
};

/* `tests` ends in {0}. For `int main(int argc, char **argv)`: a word on the command line runs only
 * the tests whose name contains it. The alarm is 120 s, or TXG_TEST_ALARM seconds. */
int txg_suite_main(int argc, char **argv, const char *suite, const struct txg_test *tests);

#endif
