/* The three tests as cases of one program, with CUnit: nothing here knows of txgate. */
#include <CUnit/Basic.h>

#include "device.h"

/* CU_ASSERT with a text that is made up while it runs. */
static void check_device(const char *complaint, unsigned line)
{
    char text[200];
    snprintf(text, sizeof text, "device %s: %s", device_address(), complaint);
    CU_assertImplementation(device_answers(), line, text, __FILE__, "", CU_FALSE);
}

static void network(void)
{
    check_device("no answer to ping", __LINE__);
}

static void power(void)
{
    check_device("supply voltage could not be read", __LINE__);
}

static void uart(void)
{
    check_device("no login prompt", __LINE__);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 99;
    CU_pSuite suite = CU_add_suite("device", NULL, NULL);
    CU_ADD_TEST(suite, network);
    CU_ADD_TEST(suite, power);
    CU_ADD_TEST(suite, uart);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    return failed > 0;
}
