/*
 * libtxgate-cunit: CUnit programs whose tests txgate lists, deals and blames one by one.
 *
 * One line of the program changes:
 *
 *     #include <txgate/cunit.h>     instead of     #include <CUnit/Basic.h>
 *
 * and it is linked with `pkg-config --libs txgate-cunit`. What runs its tests then,
 * CU_basic_run_tests(), CU_automated_run_tests(), CU_console_run_tests() or CU_run_all_tests(),
 * first asks whether txgate started the program (harness: auto or txgate). If so, the process lists
 * and runs what it is told, as docs/harness.md says, and exits without returning. Else nothing
 * changes: the program is the CUnit program that it was.
 *
 * A case is called "suite/test"; a second one of the same name "suite/test (2)". A suite's
 * initialization runs before the first of its cases that a process is given, its cleanup behind the
 * last. Where the initialization fails, its cases are errors; where the cleanup fails, the run is.
 * Inactive tests are skipped. workerinput is in the environment (TXGATE_INPUT_<KEY>).
 */
#ifndef TXGATE_CUNIT_H
#define TXGATE_CUNIT_H

#include <CUnit/Automated.h>
#include <CUnit/Basic.h>
#include <CUnit/Console.h>
#include <CUnit/TestRun.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Under txgate it does not return, else at once. To be called when all suites are registered, by
 * programs that run their tests in another way than those above. Not 0: the handlers for the start
 * and the end of a test that the program has set are called. */
void txg_cunit_serve(int own_handlers);

#ifdef __cplusplus
}
#endif

#define CU_basic_run_tests()     (txg_cunit_serve(0), CU_basic_run_tests())
#define CU_automated_run_tests() (txg_cunit_serve(0), CU_automated_run_tests())
#define CU_console_run_tests()   (txg_cunit_serve(0), CU_console_run_tests())
#define CU_run_all_tests()       (txg_cunit_serve(1), CU_run_all_tests())

#endif
