/* Every way in which a test of CUnit can end, and 1,000 tests with $MANY. With -DONE_LINE it is
 * changed in one line for libtxgate-cunit, without it is a CUnit program like any other. */
#ifdef ONE_LINE
#include <txgate/cunit.h>
#else
#include <CUnit/Basic.h>
#include <CUnit/Automated.h>
#include <CUnit/TestRun.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int device_is_open, n_inits, n_before;

static int open_device(void)
{
    device_is_open = 1;
    n_inits++;
    printf("device opened\n");
    return 0;
}

static int close_device(void)
{
    const char *how = getenv("CLEANUP");
    device_is_open = 0;
    if (how && strcmp(how, "abort") == 0)
        abort();
    return how != NULL;
}

static int no_device(void)
{
    return 1;
}

static void before(void)
{
    n_before++;
}

static void passes(void)
{
    printf("said by passes"); /* without a newline, not flushed */
    CU_ASSERT(device_is_open);
}

static void fails(void)
{
    printf("out of fails\n");
    fprintf(stderr, "err of fails\n");
    CU_ASSERT_EQUAL(1, 2);
}

static void fails_thrice(void)
{
    CU_ASSERT_STRING_EQUAL("a\tb", "c");
    CU_FAIL("by hand");
    CU_ASSERT_TRUE_FATAL(0);
    CU_FAIL("never reached");
}

static void fatal(void)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(NULL);
    abort();
}

static void input(void)
{
    const char *address = getenv("TXGATE_INPUT_IPADR");
    CU_ASSERT_PTR_NOT_NULL_FATAL(address);
    CU_ASSERT_STRING_EQUAL(address, "10.0.0.1 \"\xc3\xa4\\");
    CU_ASSERT_PTR_NULL(getenv("TXGATE_HARNESS"));
}

static void same_process(void)
{
    const char *path = getenv("PIDS");
    FILE *f = path ? fopen(path, "a") : NULL;
    if (f) {
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
    }
}

static void preloaded(void)
{
    const char *mine = getenv("LD_PRELOAD");
    CU_ASSERT(!mine || !strstr(mine, "/proc/"));
    CU_ASSERT_EQUAL(mine != NULL, getenv("MARK") != NULL);
}

static void once(void)
{
    CU_ASSERT_EQUAL(n_inits, 1);
    CU_ASSERT(device_is_open);
}

static void set_up(void)
{
    CU_ASSERT(n_before > 0);
}

static void loud(void)
{
    for (int i = 0; i < 200000; i++)
        puts("a line of a loud case");
}

static void segfaults(void)
{
    fprintf(stderr, "err of segfaults\n");
    *(volatile int *)8 = 1;
}

static void exits(void)
{
    exit(0);
}

static void aborts(void)
{
    abort();
}

static void hangs(void)
{
    sleep(100);
}

static void one_of_many(void)
{
    const char *bad = getenv("BAD");
    if (!bad || strcmp(CU_get_current_test()->pName, "500") != 0)
        return;
    if (strcmp(bad, "segfault") == 0)
        segfaults();
    if (strcmp(bad, "abort") == 0)
        aborts();
    if (strcmp(bad, "exit") == 0)
        exits();
    if (strcmp(bad, "hang") == 0)
        hangs();
    CU_FAIL("bad");
}

static void add_many(int n)
{
    static char names[100000][12];
    CU_pSuite suite = CU_add_suite("many", NULL, NULL);
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        CU_add_test(suite, names[i], one_of_many);
    }
}

static void add_all_ways(void)
{
    CU_pSuite good = CU_add_suite("good", open_device, close_device);
    CU_add_test(good, "passes", passes);
    CU_add_test(good, "input", input);
    CU_add_test(good, "off", aborts);
    CU_set_test_active(CU_get_test(good, "off"), CU_FALSE);
    CU_add_test(good, "loud", loud);
    CU_add_test(good, "pid", same_process);
    CU_add_test(good, "once", once);
    CU_pSuite bad = CU_add_suite_with_setup_and_teardown("bad", NULL, NULL, before, before);
    CU_add_test(bad, "fails", fails);
    CU_add_test(bad, "set up", set_up);
    CU_add_test(bad, "fails thrice", fails_thrice);
    CU_add_test(bad, "fatal", fatal);
    CU_add_test(bad, "pid", same_process);
    CU_add_test(bad, "preloaded", preloaded);
    CU_add_test(bad, "segfaults", segfaults);
    CU_add_test(bad, "exits", exits);
    CU_add_test(bad, "aborts", aborts);
    CU_add_test(bad, "hangs", hangs);
    CU_pSuite broken = CU_add_suite("broken", no_device, NULL);
    CU_add_test(broken, "one", aborts);
    CU_add_test(broken, "two", aborts);
    CU_pSuite off = CU_add_suite("off", no_device, NULL);
    CU_add_test(off, "test", aborts);
    CU_set_suite_active(off, CU_FALSE);
    CU_pSuite odd = CU_add_suite("odd\tname\\\n", NULL, NULL);
    CU_add_test(odd, "", same_process);
    CU_add_test(odd, "twice", fails);
    CU_add_test(odd, "twice", same_process);
}

static void started(const CU_pTest test, const CU_pSuite suite)
{
    fprintf(stderr, "handler: %s/%s\n", suite->pName, test->pName);
}

int main(void)
{
    const char *many = getenv("MANY"), *how = getenv("HOW");
    if (!getenv("NO_REGISTRY") && CU_initialize_registry() != CUE_SUCCESS)
        return 99;
    if (many)
        add_many(atoi(many));
    else if (!getenv("NO_REGISTRY"))
        add_all_ways();
    if (how && strcmp(how, "automated") == 0) {
        CU_automated_run_tests();
    } else if (how && strcmp(how, "all") == 0) {
        CU_set_test_start_handler(started);
        CU_run_all_tests();
    } else if (how && strcmp(how, "none") == 0) {
        fprintf(stderr, "no test was run\n");
    } else {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        CU_basic_run_tests();
    }
    unsigned failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    return failed > 0;
}
