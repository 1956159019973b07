#include "config.h"

#include <stddef.h>

#include <CUnit/Basic.h>
#include <CUnit/TestRun.h>

#include "tests/lib/suite.h"

/* The two declare the same functions with structures of another name. */
#define CU_registry_initialized              abi_registry_initialized
#define CU_get_suite_at_pos                  abi_get_suite_at_pos
#define CU_set_test_active                   abi_set_test_active
#define CU_set_fail_on_inactive              abi_set_fail_on_inactive
#define CU_run_suite                         abi_run_suite
#define CU_get_error_msg                     abi_get_error_msg
#define CU_get_test_start_handler            abi_get_test_start_handler
#define CU_set_test_start_handler            abi_set_test_start_handler
#define CU_get_test_complete_handler         abi_get_test_complete_handler
#define CU_set_test_complete_handler         abi_set_test_complete_handler
#define CU_set_suite_init_failure_handler    abi_set_suite_init_failure_handler
#define CU_set_suite_cleanup_failure_handler abi_set_suite_cleanup_failure_handler
#include "src/harness/cunit_abi.h"

#define SAME_PLACE(ours, field, theirs, name)                                                      \
    CU_ASSERT_EQUAL(offsetof(struct ours, field), offsetof(theirs, name));                         \
    CU_ASSERT_EQUAL(sizeof((struct ours *)0)->field, sizeof((theirs *)0)->name)

static void structures(void)
{
    SAME_PLACE(txg_cu_test, name, CU_Test, pName);
    SAME_PLACE(txg_cu_test, active, CU_Test, fActive);
    SAME_PLACE(txg_cu_test, next, CU_Test, pNext);
    SAME_PLACE(txg_cu_suite, name, CU_Suite, pName);
    SAME_PLACE(txg_cu_suite, active, CU_Suite, fActive);
    SAME_PLACE(txg_cu_suite, tests, CU_Suite, pTest);
    SAME_PLACE(txg_cu_failure, line, CU_FailureRecord, uiLineNumber);
    SAME_PLACE(txg_cu_failure, file, CU_FailureRecord, strFileName);
    SAME_PLACE(txg_cu_failure, condition, CU_FailureRecord, strCondition);
    SAME_PLACE(txg_cu_failure, next, CU_FailureRecord, pNext);
}

static void types(void)
{
    CU_ASSERT_EQUAL(sizeof(CU_BOOL), sizeof(int));
    CU_ASSERT_EQUAL(sizeof(CU_ErrorCode), sizeof(int));
    CU_ASSERT_EQUAL(CU_TRUE, 1);
    CU_ASSERT_EQUAL(CU_FALSE, 0);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"structures are where CUnit's are", structures},
        {"types are CUnit's", types},
        {0},
    };
    return txg_suite_main(argc, argv, "cunit", tests);
}
