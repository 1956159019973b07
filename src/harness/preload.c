/*
 * The library that txgate's worker has a CUnit program load in front of libcunit (harness: cunit).
 * It is linked with nothing, so that it is at home with any libc: what it calls, the program's own
 * libraries have. Only what stands here can be seen from outside.
 */
#include <stdlib.h>
#include <string.h>

#include "cunit.h"
#include "cunit_abi.h"
#include "lines.h"

#define INSTEAD __attribute__((visibility("default")))

/* This library stands in front of what was there before; what the tests start has only that. */
static void step_out(void)
{
    const char *loaded = getenv("LD_PRELOAD");
    const char *rest = loaded ? strchr(loaded, ':') : NULL;
    if (rest)
        setenv("LD_PRELOAD", rest + 1, 1);
    else
        unsetenv("LD_PRELOAD");
}

static void serve(int own_handlers)
{
    step_out();
    txg_cunit_serve_as(own_handlers);
    txg_lines_die("a CUnit program that txgate prepared was not started by it: unset LD_PRELOAD");
}

INSTEAD int CU_basic_run_tests(void);
int CU_basic_run_tests(void)
{
    serve(0);
    return 0;
}

INSTEAD void CU_automated_run_tests(void);
void CU_automated_run_tests(void)
{
    serve(0);
}

INSTEAD void CU_console_run_tests(void);
void CU_console_run_tests(void)
{
    serve(0);
}

INSTEAD void CU_curses_run_tests(void);
void CU_curses_run_tests(void)
{
    serve(0);
}

INSTEAD int CU_run_all_tests(void);
int CU_run_all_tests(void)
{
    serve(1);
    return 0;
}

/* It would run its tests when it is to list them. */
static void refuse(void)
{
    txg_lines_die("it runs its suites or tests one by one (CU_basic_run_suite, CU_basic_run_test): "
                  "call txg_cunit_serve() of txgate/cunit.h before, or run it with harness exec");
}

INSTEAD int CU_basic_run_suite(struct txg_cu_suite *suite);
int CU_basic_run_suite(struct txg_cu_suite *suite)
{
    (void)suite;
    refuse();
    return 0;
}

INSTEAD int CU_basic_run_test(struct txg_cu_suite *suite, struct txg_cu_test *test);
int CU_basic_run_test(struct txg_cu_suite *suite, struct txg_cu_test *test)
{
    (void)suite;
    (void)test;
    refuse();
    return 0;
}
