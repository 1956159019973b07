#include "config.h"

#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/Basic.h>

static int register_tests(CU_pSuite suite, const struct txg_test *tests, const char *only)
{
    int n = 0;
    for (; tests->name; tests++) {
        if (only && !strstr(tests->name, only))
            continue;
        if (!CU_add_test(suite, tests->name, tests->fn))
            return -1;
        n++;
    }
    return n;
}

int txg_suite_main(int argc, char **argv, const char *name, const struct txg_test *tests)
{
    const char *seconds = getenv("TXG_TEST_ALARM");
    alarm(seconds ? (unsigned)atoi(seconds) : 120);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    int n = suite ? register_tests(suite, tests, argc > 1 ? argv[1] : NULL) : -1;
    if (n <= 0) {
        fprintf(stderr, "%s: no test registered: %s\n", name, CU_get_error_msg());
        CU_cleanup_registry();
        return 1;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_ErrorCode rc = CU_basic_run_tests();
    unsigned ran = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
    unsigned suites_failed = CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    printf("\n%u passed, %u failed\n", ran - failed, failed);
    return rc != CUE_SUCCESS || failed || suites_failed || ran != (unsigned)n ? 1 : 0;
}
