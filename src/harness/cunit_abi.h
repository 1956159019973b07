/*
 * What is used of CUnit, by its binary interface: 2.1-3 and later, and for structures those fields
 * only that no version since 2.1-1 has moved. Written out because the preload library is built also
 * where CUnit's headers are not; tests/unit/test_cunit.c holds it against them. Inner.
 */
#ifndef TXG_HARNESS_CUNIT_ABI_H
#define TXG_HARNESS_CUNIT_ABI_H

struct txg_cu_test { /* CU_Test */
    char *name;
    int active;
    void (*fn)(void);
    void *jump;
    struct txg_cu_test *next;
};

struct txg_cu_suite { /* CU_Suite */
    char *name;
    int active;
    struct txg_cu_test *tests;
};

struct txg_cu_failure { /* CU_FailureRecord */
    int type;
    unsigned line;
    char *file, *condition;
    struct txg_cu_test *test;
    struct txg_cu_suite *suite;
    struct txg_cu_failure *next;
};

typedef void txg_cu_test_start(struct txg_cu_test *test, struct txg_cu_suite *suite);
typedef void txg_cu_test_complete(struct txg_cu_test *test, struct txg_cu_suite *suite,
                                  struct txg_cu_failure *failures);
typedef void txg_cu_suite_message(struct txg_cu_suite *suite);

extern int CU_registry_initialized(void);
extern struct txg_cu_suite *CU_get_suite_at_pos(unsigned pos); /* from 1; NULL behind the last */
extern int CU_set_test_active(struct txg_cu_test *test, int active);
extern void CU_set_fail_on_inactive(int fail);
extern int CU_run_suite(struct txg_cu_suite *suite);
extern const char *CU_get_error_msg(void);
extern txg_cu_test_start *CU_get_test_start_handler(void);
extern void CU_set_test_start_handler(txg_cu_test_start *fn);
extern txg_cu_test_complete *CU_get_test_complete_handler(void);
extern void CU_set_test_complete_handler(txg_cu_test_complete *fn);
extern void CU_set_suite_init_failure_handler(txg_cu_suite_message *fn);
extern void CU_set_suite_cleanup_failure_handler(txg_cu_suite_message *fn);

#endif
